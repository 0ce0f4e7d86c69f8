"""The lab's handout states numbers that are computed here."""

import math

import torch

from autograder.assignments.pixels import ASSIGNMENT, oracles
from cli import ROOT
from data import load_grey
from studies.pixels.bits import ARTICLE, baselines, row

TEXT = (ROOT / "assignment" / "labs" / "pixels.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def log_p(x, mu, s):
    return oracles.log_probability(float(x), float(mu), math.log(s))


def test_probabilities():
    assert f"$s = 2.5$ gives {log_p(100, 103.2, 2.5)[0]:.4f}" in WORDS
    assert f"= {log_p(100, 100, 1)[0]:.4f}." in WORDS and math.log(math.tanh(1 / 4)) == log_p(100, 100, 1)[0]
    assert f"$s = 4$ gives {log_p(0, 10, 4)[0]:.4f}" in WORDS and f"$s = 6$ gives {log_p(255, 240, 6)[0]:.4f}" in WORDS
    inside = sum(math.exp(log_p(x, 0.3, 2)[0]) for x in range(1, 255))
    edges = sum(1 / (1 + math.exp(-t)) for t in (0.1,)) - 1 / (1 + math.exp(0.4))  # F(1/2) - F(-1/2)
    assert f"without edges they sum to {inside + edges:.4f}" in WORDS


def test_far_from_the_centre():
    value, to_mu, to_log_s = log_p(128, 10, 0.5)
    assert f"gives {value:.4f}; the gradient to $\\mu$ is {to_mu:.1f}, that to `log_s` {to_log_s:.2f}." in WORDS
    assert f"$s = 3$ gives {log_p(0, 200, 3)[0]:.4f}" in WORDS
    assert f"$\\log P = {math.log(1e-7):.1f}$" in WORDS


def test_bits():
    assert f"uniform levels have {3072 * math.log(256):.1f} nats" in WORDS
    nats = 20437 / 3072
    assert f"20437 / 3072 = {nats:.3f} are nats" in WORDS and f"they are {nats / math.log(2):.3f}, more than" in WORDS
    assert f"MNIST's {87.08 / 784 / math.log(2):.3f} is right" in WORDS


def test_mixtures():
    logits, mu, log_s = (torch.tensor(a).double() for a in ((0.5, 0, -0.3), (88.0, 90, 93), (1.0, 0.5, 1.2)))
    right = oracles.mixture_log_likelihood(torch.tensor(90.0).double(), logits, mu, log_s)
    each = oracles.discretized_logistic(torch.tensor(90.0).double(), mu, log_s)
    best, jensen = (torch.log_softmax(logits, 0) + each).max(), (torch.softmax(logits, 0) * each).sum()
    assert f"give {right:.4f}. The best of the three alone has {best:.4f}, and" in WORDS
    assert f"lower bound, is {jensen:.4f}" in WORDS


def test_samples():
    u = torch.tensor([0.01, 0.3, 0.5, 0.9, 0.999]).double()
    for mu, s in ((103.2, 2.5), (3.0, 4.0)):
        drawn = oracles.sample_logistic(torch.full_like(u, mu), torch.full_like(u, s).log(), u)
        levels = [f"{x:.0f}" for x in drawn.tolist()]
        listed = ", ".join(levels)
        assert listed in WORDS or f"{', '.join(levels[:-1])} and {levels[-1]}" in WORDS


def test_the_network_of_zeros():
    model = ASSIGNMENT.reference.PixelVAE()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    x, eps = torch.full((1, 3, 16, 16), 128.0), torch.randn(2, 1, 32)
    for log_w in model.log_weights(x, eps).flatten().tolist():
        assert f"has the log weight {log_w:.2f} for every `eps`" in WORDS


def test_the_table_of_baselines():
    """Those that need no training; the sizes of files are Pillow's, whose version the project pins."""
    for baseline in baselines(ASSIGNMENT.reference, *load_grey("patches")):
        assert f"| {' | '.join(row(*baseline).values())} |" in TEXT
    log_p, n, stated = ARTICLE["CIFAR-10"]
    assert f"on CIFAR-10 | | | {-log_p / n / math.log(2):.3f} |" in TEXT and f"{-log_p / n:.2f}" == stated
