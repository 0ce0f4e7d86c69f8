"""The lab's file as a model file: every objective trains, and an interrupted pair goes on to the same weights."""

import json

import pytest
import torch

import train
from autograder.assignments.estimators import ASSIGNMENT
from data import binarize, load_grey
from helpers.commands import ROOT
from loop import backward
from run_folder import load_run

SIZES = ("--data", "digits", "--hidden", 8, "--d-latent", 3, "--test-k", 10, "--compile", "off")
MODEL = ("--model", ROOT / ASSIGNMENT.source)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ASSIGNMENT.reference.OBJECTIVES)
def test_every_objective_trains_and_resumes_to_equal_weights(command, tmp_path, objective):
    def run(name, *options):
        ended = command(train, *options)
        assert ended.status == 0, ended.err
        return load_run(tmp_path / name, "cpu")[2]

    given = (*SIZES, *MODEL, "--objective", objective)
    whole = run("whole", *given, "--epochs", 2, "--out", tmp_path / "whole")
    run("parts", *given, "--epochs", 1, "--out", tmp_path / "parts")
    parts = run("parts", "--resume", tmp_path / "parts", "--epochs", 2)
    for one, other in zip(whole.parameters(), parts.parameters()):
        assert torch.equal(one, other)
    figures = json.loads((tmp_path / "parts" / "test.json").read_text())
    assert "doubt" not in figures and (tmp_path / "parts" / "samples.png").exists()


def test_each_part_learns_from_its_own_objective_alone():
    """Of piwae, whose objectives both reach both parts: no sum of the two is left, nor the one of the other."""
    torch.manual_seed(0)
    model = ASSIGNMENT.reference.IWAE(m=2, d_latent=3, hidden=(8,))
    x = binarize(load_grey("digits")[0][:5])
    torch.manual_seed(1)
    backward(model, x, "piwae", 3)
    torch.manual_seed(1)
    encoder, decoder = model.losses(x, "piwae", 3).values()
    for part, own, other in ((model.encoder, encoder, decoder), (model.decoder, decoder, encoder)):
        weights = list(part.parameters())
        right, wrong = (torch.autograd.grad(loss, weights, retain_graph=True) for loss in (own, other))
        for weight, mine, its in zip(weights, right, wrong):
            torch.testing.assert_close(weight.grad, mine)
            assert not torch.allclose(mine, its)
