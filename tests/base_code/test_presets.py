"""The presets of a run: the paper's networks, weights and rates."""

import pytest
import torch

import train
from data import load_grey
from helpers.commands import ROOT, SOLUTION
from model_file import build_model, load_model_file
from settings import complete

LAB = ROOT / "solutions/labs/hierarchical.py"


def test_the_short_rate_falls_to_a_tenth():
    settings = complete({"preset": "paper-short"}, "mnist")
    assert settings.lr_at(0) == 3e-3 and settings.lr_at(settings.epochs - 1) == pytest.approx(3e-4)
    assert settings.adam_eps == 1e-8
    assert complete({"preset": "paper-short", "epochs": 1}, "mnist").lr_at(0) == 3e-3


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({"model": LAB, "layers": 1}, (784, 200, 200, 50)),
        ({"model": LAB, "layers": 2}, (784, 200, 200, 100, 100, 100, 50)),
        ({"model": LAB, "conditional": "label"}, (794, 200, 200, 50)),
        ({"model": ROOT / SOLUTION}, (784, 200, 200, 50)),
    ],
)
def test_the_networks_are_the_papers(given, sizes):
    settings = complete({"objective": "vae", "preset": "paper", **given}, "digits")
    model = build_model(load_model_file(settings.model), settings)
    parts = [part for name, part in model.named_children() if name in ("encoder", "q_z", "q_z1", "q_z2")]
    layers = [layer for part in parts for layer in part.modules() if isinstance(layer, torch.nn.Linear)]
    widths = [layer.in_features for layer in layers] + [settings.d_latent]
    assert tuple(dict.fromkeys(sizes)) == tuple(dict.fromkeys(widths))


def test_a_model_begins_at_the_pixels_means():
    settings = complete({"objective": "vae", "preset": "paper", "model": LAB}, "digits")
    model, images = build_model(load_model_file(settings.model), settings), load_grey("digits")[0]
    train.initialise_as_published(model, images)
    means = (images.float().mean(0) / 255).clamp(0.001, 0.999)
    torch.testing.assert_close(model.decoder.head.bias.sigmoid(), means)
    others = [weight for name, weight in model.named_parameters() if "bias" in name and "decoder.head" not in name]
    assert not any(weight.any() for weight in others)
    weight = model.decoder.head.weight
    assert weight.var().item() == pytest.approx(2 / sum(weight.shape), rel=0.05)  # Glorot and Bengio's
