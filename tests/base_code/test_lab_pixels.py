"""python base_code/lab.py pixels: its baselines, and its parts on networks that have hardly been trained."""

import io
import math

import pytest
import torch
from PIL import Image

import lab
from autograder.assignments.pixels import ASSIGNMENT
from data import load_grey
from helpers.commands import ROOT
from studies.pixels import bits, vaes

DONE = ("--file", ROOT / "solutions/labs/pixels.py", "--model", ROOT / "solutions/model.py")


def test_a_histogram_of_what_it_was_made_of_has_its_entropy():
    """Half of the levels 0, a quarter 1, a quarter 2: 1.5 bits, but for the one of each level that is added."""
    image = torch.tensor([0, 0, 1, 2] * 40_000, dtype=torch.uint8).view(1, 1, 400, 400)
    nll = bits.histogram_nll(image, image)
    assert (nll / image.numel() / math.log(2)).item() == pytest.approx(1.5, abs=0.02)


def test_a_coded_image_is_the_image_again():
    patch = load_grey("patches")[1][0]
    for options in bits.CODECS.values():
        file = io.BytesIO()
        Image.fromarray(patch.movedim(0, -1).contiguous().numpy()).save(file, **options)
        assert bits.coded_bits(patch, **options) == 8 * len(file.getvalue())
        again = torch.tensor(list(Image.open(file).get_flattened_data()), dtype=torch.uint8)
        assert torch.equal(again.view(16, 16, 3).movedim(-1, 0), patch)


def test_a_strip_is_the_photograph_again():
    test = load_grey("patches")[1]
    china, flower = test.chunk(2)
    picture = bits.strip(flower)
    assert picture.shape == (3, 416, 128)
    assert torch.equal(picture[:, 16:32, 32:48], flower[8 + 2]) and not torch.equal(china[10], flower[10])


def test_draws_are_distributed_as_the_mixtures_say():
    file = ASSIGNMENT.reference
    model = file.PixelVAE((1, 4, 4), 2, 3, channels=(2, 2), hidden=4)
    z = torch.zeros(4000, 2)
    x = vaes.drawn(file, model, z)[:, 0, 1, 2]
    mixture = [a[0, 0, 0, 1, 2].expand(256, -1) for a in model.decoder(z[None, :1])]
    p = file.mixture_log_likelihood(torch.arange(256.0), *mixture).exp()
    found = torch.bincount(x.long(), minlength=256) / len(x)
    assert (found.cumsum(0) - p.cumsum(0)).abs().max() < 2 / len(x) ** 0.5  # Kolmogorov and Smirnov


@pytest.mark.slow
def test_all_parts_of_a_finished_file(run_lab, monkeypatch):
    train, test = load_grey("patches")
    monkeypatch.setattr(vaes, "EPOCHS", 1)
    monkeypatch.setattr(vaes, "TEST_K", 2)
    monkeypatch.setattr("data.load_patches", lambda: (train[::20], test))
    pictures = ("logistic.png", "patches.png", "samples.png", "likelihoods.png")
    ended, _ = run_lab("pixels", *DONE, makes=pictures)
    assert "the article, on CIFAR-10: 6.65, which is 9.60 by your bits_per_dim; uniform levels: 8" in ended.out


def test_a_stub_is_told_its_first_todo(command, tmp_path):
    ended = command(lab, "pixels", "--part", "logistic", "--out", tmp_path / "out")
    assert ended.status == 1 and ended.err.startswith("not yet: TODO 1: ")
