"""The lab's handout states numbers that are computed here."""

import math

import torch

from autograder.assignments.hierarchical import ASSIGNMENT, oracles
from cli import ROOT

TEXT = (ROOT / "assignment" / "labs" / "hierarchical.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
SOLUTION = ASSIGNMENT.reference


def zeroed(model):
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    return model


@torch.no_grad()
def test_parameters_of_zero():
    right = -784 * math.log(2)
    assert f"{right:.4f} for 784 pixels" in WORDS
    x, eps = (torch.rand(2, 784) < 0.5).float(), torch.randn(3, 2, 150)
    model = zeroed(SOLUTION.TwoLayerIWAE())
    torch.testing.assert_close(model.log_weights(x, eps), torch.full((3, 2), right))
    model.p_z1.mu.bias.fill_(1)
    eps[..., :100] = 0
    torch.testing.assert_close(model.log_weights(x, eps), torch.full((3, 2), right - 100 / 2))
    for prior in ("standard", "label"):
        model = zeroed(SOLUTION.ConditionalIWAE(prior=prior))
        found = model.log_weights(x, torch.randn(3, 2, 50), torch.eye(10)[:2])
        torch.testing.assert_close(found, torch.full((3, 2), right))
    assert f"$\\log 10$ = {math.log(10):.4f}" in WORDS


def test_the_default_sizes_are_the_papers():
    model = SOLUTION.TwoLayerIWAE()
    assert (model.d1, model.d2) == (100, 50) and "100 and 50 units" in WORDS


def test_the_activity_of_four_images():
    means = torch.tensor([[0, 1, 0.05], [0, -1, -0.05], [0.3, 2, 0.1], [0.1, -2, -0.1]]).double()
    by_n_minus_1, by_n = ([f"{a:.4f}" for a in oracles.activity(means, ddof)] for ddof in (1, 0))
    assert "{}, {} and {}, or".format(*by_n_minus_1) in WORDS and "or {}, {} and {} with $N$".format(*by_n) in WORDS


def test_two_principal_components():
    rows = torch.tensor([[2, 0, 1], [0, 1, 3], [-1, 2, 0], [4, -1, 2], [1, 1, -2]]).double()
    variances = torch.linalg.eigvalsh(torch.cov(rows.T)).flip(0)
    assert "have the variances {:.4f} and {:.4f} (with $N - 1$)".format(*variances) in WORDS
