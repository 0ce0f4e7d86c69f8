"""Any model file that offers what is asked of it is trained and evaluated, also one of another kind than the core's."""

import json

import pytest

import evaluate
import train
import visualize

MIXTURE = """
import math
import torch
from torch import nn

OBJECTIVES = {"marginal": {"train_k": 5}, "single": {}}

def build(settings):
    return Mixture(2 * settings.d_latent)

def log_mean_exp(a, dim):
    return torch.logsumexp(a, dim) - math.log(a.shape[dim])

class Mixture(nn.Module):
    'Samples of the prior as they are: log_w is log p(x | z).'

    def __init__(self, d_latent):
        super().__init__()
        self.d_latent, self.logits = d_latent, nn.Linear(d_latent, 784)

    def log_weights(self, x, eps):
        return torch.distributions.Bernoulli(logits=self.logits(eps)).log_prob(x).sum(-1)

    def loss(self, x, objective, k):
        return -log_mean_exp(self.log_weights(x, torch.randn(k, len(x), self.d_latent)), 0).mean()
"""


@pytest.fixture
def mixture(tmp_path):
    path = tmp_path / "mixture.py"
    path.write_text(MIXTURE)
    return path


def test_another_kind_of_model_is_trained_and_evaluated(command, tmp_path, mixture):
    run = tmp_path / "run"
    options = ("--data", "digits", "--model", mixture, "--d-latent", 3, "--epochs", 1, "--visualize", "--out", run)
    ended = command(train, *options)
    assert ended.status == 0, ended.err
    assert "cannot draw samples" in ended.err and "see curves.png there" in ended.out
    assert "estimated test NLL" in ended.out and "warning" not in ended.out
    settings = json.loads((run / "config.json").read_text())["settings"]
    assert (settings["objective"], settings["train_k"]) == ("marginal", 5)  # its first, with the default of that
    assert command(train, "--resume", run, "--epochs", 2).status == 0
    ended = command(evaluate, run, "--k", 20)
    assert ended.status == 0 and "±" in ended.out
    ended = command(visualize, run)
    assert ended.status == 1 and ended.err == f"error: {run} cannot be drawn: its model has no encoder and decoder"


def test_a_file_has_its_own_objectives(command, tmp_path, mixture):
    ended = command(train, "--data", "digits", "--model", mixture, "--objective", "vae", "--out", tmp_path / "run")
    assert ended.status == 1
    assert ended.err == "error: --objective is vae: expected one that mixture.py trains: marginal, single"


def test_what_became_nan_in_another_kind_of_model_is_named(command, tmp_path, mixture):
    mixture.write_text(MIXTURE.replace(".sum(-1)", ".sum(-1) * math.nan"))
    ended = command(train, "--data", "digits", "--model", mixture, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.status == 1 and "log_w, from log_weights became nan" in ended.err
