"""The lab's handout states numbers that are computed here."""

import re

import pytest
import torch

from autograder.assignments.estimators import ASSIGNMENT, oracles
from autograder.assignments.iwae import oracles as core
from autograder.grading.quadrature import tensor_grid
from cli import ROOT

TEXT = (ROOT / "assignment" / "labs" / "estimators.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
LOG_W = torch.tensor([[[-1.0], [-3], [0]], [[-2], [-0.5], [-4]]]).double()  # [m, k, B] = [2, 3, 1]
SIX = LOG_W.flatten(0, 1)


def test_every_objective_is_listed():
    listed = re.search(r"with `--objective` (.*?), with", WORDS)[1]
    assert re.findall(r"`([^`]+)`", listed) == list(ASSIGNMENT.reference.OBJECTIVES)


def test_divergences():
    mu, sigma = torch.tensor([[0.5, -1, 2]]).double(), torch.tensor([[0.3, 1, 2]]).double()
    q = torch.distributions.Normal(mu, sigma)
    other = torch.distributions.kl_divergence(torch.distributions.Normal(0 * mu, 0 * mu + 1), q).sum()
    assert f"have a divergence of {oracles.gaussian_kl(mu, sigma).item():.4f};" in WORDS
    assert f"it is {other.item():.4f}." in WORDS


def test_bounds():
    groups, swapped = oracles.miwae(LOG_W).item(), oracles.miwae(LOG_W.transpose(0, 1)).item()
    one = core.log_mean_exp(SIX).item()
    assert f"of log weights it is {groups:.4f}. With the axes exchanged it would be {swapped:.4f}, with" in WORDS
    assert f"all six samples in one bound {one:.4f}." in WORDS
    assert f"the rows are {groups:.4f} and {one:.4f}." in WORDS
    mixed, exchanged = oracles.ciwae(SIX, 0.3).item(), oracles.ciwae(SIX, 0.7).item()
    assert f"it is {mixed:.4f}; {exchanged:.4f} means" in WORDS


def test_equation_14():
    value, w = oracles.weighted(SIX).item(), core.normalised(SIX)
    assert f"as one group the value is {value:.4f}, and" in WORDS
    entropy = -(w * w.log()).sum()
    assert core.log_mean_exp(SIX).item() + torch.tensor(6.0).log() - entropy == pytest.approx(value)


def not_stopped(log_w):
    return (torch.softmax(log_w, 0) * log_w).sum(0)


@pytest.mark.parametrize(
    ("name", "objective", "stopped"),
    [
        ("the bound, equation 14", oracles.weighted, False),
        ("equation 14, weights not stopped", not_stopped, False),
        ("STL", oracles.weighted, True),
        ("DReG", oracles.dreg, True),
    ],
)
def test_the_table_of_gradients(name, objective, stopped):
    model = oracles.LinearGaussian(1.2, 0.7, 0.3, 0.8)
    found = []
    for k, n in ((2, 60), (3, 40)):
        noise, chances = tensor_grid(k, n)
        found.append(model.gradient(chances @ objective(model.log_weights(noise, stopped)))[0].item())
    eps = torch.tensor([0.5, -1.0, 1.5, 0.0]).double()[:, None]
    found.append(model.gradient(objective(model.log_weights(eps, stopped)).sum())[0].item())
    (row,) = re.findall(rf"^\| {name} \| (\S+) \| (\S+) \| (\S+) \|$", TEXT, re.MULTILINE)
    assert [float(cell) for cell in row] == pytest.approx(found, abs=6e-5)


def test_ratios():
    draws = torch.tensor([[1.0], [3], [2], [2]]).double()
    with_r_minus_1, with_r = (draws.mean() / draws.std(correction=c) for c in (1, 0))
    assert f"have {with_r_minus_1:.4f} (with $R$ in the variance {with_r:.4f})" in WORDS
