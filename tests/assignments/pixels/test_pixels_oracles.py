"""The lab's oracles: against quadrature, closed forms and finite differences; and the solution against them."""

import decimal
import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import logistic

from autograder.assignments.pixels import ASSIGNMENT, checks, oracles
from autograder.grading.judge import Draw
from checks import pixels as quick_check

SOLUTION = ASSIGNMENT.reference
LEVELS = torch.arange(256.0).double()


def log_p(x, mu, s):
    return oracles.log_probability(float(x), float(mu), math.log(s))[0]


@pytest.mark.parametrize("x, mu, s", [(100, 103.2, 2.5), (1, 4, 0.7), (200, 127.5, 500), (254, 300, 20), (7, 30, 2)])
def test_a_bin_has_the_integral_of_the_density(x, mu, s):
    area, _ = quad(logistic(mu, s).pdf, x - 0.5, x + 0.5, epsabs=0, epsrel=1e-12)
    assert log_p(x, mu, s) == pytest.approx(math.log(area), rel=1e-11)


@pytest.mark.parametrize("x, mu, s", [(0, 10, 4), (0, 200, 3), (0, -50, 2)])
def test_an_edge_has_the_tail(x, mu, s):
    assert log_p(0, mu, s) == pytest.approx(logistic.logcdf(0.5, mu, s), rel=1e-12)
    assert log_p(255, 255 - mu, s) == pytest.approx(logistic.logcdf(0.5, mu, s), rel=1e-12)  # the mirror image


@pytest.mark.parametrize("mu", [-40.0, 0.3, 100.0, 127.5, 250.2, 300.0])
@pytest.mark.parametrize("s", [0.01, 0.5, 2.0, 30.0, 1000.0])
def test_the_probabilities_sum_to_1(mu, s):
    total = math.fsum(math.exp(log_p(x, mu, s)) for x in range(256))
    assert total == pytest.approx(1, abs=1e-14)


def test_ten_times_the_digits_give_the_same(monkeypatch):
    """Also where the definition's difference cancels."""
    points = [
        (128, 10, 0.5),
        (10, 128, 0.5),
        (128, 127, 0.01),
        (250, 3, 0.05),
        (0, 255, 0.1),
        (90, 91, 800),
        (7, 7, 0.01),
    ]
    found = [oracles.log_probability(float(x), float(mu), math.log(s)) for x, mu, s in points]
    oracles.log_probability.cache_clear()
    monkeypatch.setattr(oracles.CONTEXT, "prec", 400)
    again = [oracles.log_probability(float(x), float(mu), math.log(s)) for x, mu, s in points]
    oracles.log_probability.cache_clear()
    for few, many in zip(found, again):
        assert few == pytest.approx(many, rel=1e-13, abs=1e-25)


@pytest.mark.parametrize("x, mu, s", [(100, 103.2, 2.5), (0, 10, 4), (255, 240, 6), (128, 10, 0.5), (200, 127.5, 500)])
def test_the_gradients_are_slopes(x, mu, s):
    log_s, step = math.log(s), 1e-5
    _, to_mu, to_log_s = oracles.log_probability(float(x), float(mu), log_s)
    value = oracles.log_probability
    slopes = (
        (value(float(x), mu + step, log_s)[0] - value(float(x), mu - step, log_s)[0]) / (2 * step),
        (value(float(x), float(mu), log_s + step)[0] - value(float(x), float(mu), log_s - step)[0]) / (2 * step),
    )
    assert (to_mu, to_log_s) == pytest.approx(slopes, rel=1e-5, abs=1e-7)


def test_the_limits_of_the_scale():
    """Wide, half of the mass goes to each edge: it does not become uniform. Narrow, one level has it all."""
    assert math.exp(log_p(0, 127.5, 1e6)) == pytest.approx(0.5, abs=1e-4)
    assert log_p(128, 128.5, 1e-3) == pytest.approx(math.log(0.5), abs=1e-12)
    assert log_p(7, 7, 1e-3) == pytest.approx(0, abs=1e-12)


def test_a_mixture_in_decimals():
    x, logits, mu, log_s = 90.0, (0.5, 0.0, -0.3), (88.0, 90.0, 93.0), (1.0, 0.5, 1.2)
    with decimal.localcontext(oracles.CONTEXT):
        weights = [decimal.Decimal(a).exp() for a in logits]
        p = [decimal.Decimal(oracles.log_probability(x, m, ls)[0]).exp() for m, ls in zip(mu, log_s)]
        right = float((sum(w * q for w, q in zip(weights, p)) / sum(weights)).ln())
    inputs = (torch.tensor(a, dtype=torch.float64) for a in (x, logits, mu, log_s))
    assert oracles.mixture_log_likelihood(*inputs).item() == pytest.approx(right, rel=1e-13)


def test_samples_are_distributed_as_the_probabilities():
    u = ((torch.arange(100_000) + 0.5) / 100_000).double()
    mu, log_s = torch.full_like(u, 6.0), torch.full_like(u, 4.0).log()
    found = torch.bincount(oracles.sample_logistic(mu, log_s, u).long(), minlength=256) / 100_000
    right = oracles.discretized_logistic(LEVELS, mu[:1], log_s[:1]).exp()
    torch.testing.assert_close(found.double(), right, rtol=0, atol=2e-5)


def test_the_solution_agrees_with_the_oracles():
    draw = Draw(0, "solution")
    x = checks.grey(draw, 30)
    for mu, log_s in (checks.near(draw, x, 30), checks.far(draw, x, 30)):
        right = oracles.discretized_logistic(x, mu, log_s)
        torch.testing.assert_close(SOLUTION.discretized_logistic(x, mu, log_s), right, rtol=1e-12, atol=1e-12)
    mu, log_s, logits = draw.uniform(0, 255, 30, 3), draw.uniform(0, 4, 30, 3), draw.normal(30, 3)
    for name, inputs in {
        "mixture_log_likelihood": (x, logits, mu, log_s),
        "sample_logistic": (mu[:, 0], log_s[:, 0], draw.uniform(0.01, 0.99, 30)),
    }.items():
        torch.testing.assert_close(getattr(SOLUTION, name)(*inputs), getattr(oracles, name)(*inputs))


@pytest.mark.parametrize("components", [1, 4])
def test_the_network_of_the_oracles_is_that_of_the_file(components):
    draw = Draw(0, "network")
    keywords, weights = checks.network(draw, (3, 8, 4), 2, components)
    model = SOLUTION.PixelVAE(**keywords).double()
    model.load_state_dict(weights)
    network = oracles.Network(weights, (3, 8, 4), components)
    x, eps = checks.grey(draw, 5, 3, 8, 4), draw.normal(4, 5, 2)
    for found, right in zip((*model.encoder(x), *model.decoder(eps)), (*network.encode(x), *network.decode(eps))):
        torch.testing.assert_close(found, right)
    torch.testing.assert_close(model.log_weights(x, eps), network.log_weights(x, eps))


def test_the_density_is_as_far_from_the_bin_as_the_tolerance_says():
    """What a right form may be off by that takes the density at x where the probability is below RARE."""
    x, mu, log_s = torch.tensor([128.0, 20.0]).double(), torch.tensor([10.0, 90.0]).double(), torch.tensor([-1.0, 0.9])
    log_s = log_s.double()
    density = torch.as_tensor(logistic.logpdf(x, mu, log_s.exp()))
    off, _ = checks.density(x, mu, log_s)
    torch.testing.assert_close(oracles.discretized_logistic(x, mu, log_s) - density, off, rtol=1e-10, atol=0)


def test_the_quadratures_of_the_evidence_have_converged(monkeypatch):
    draw = Draw(0, "evidence")
    keywords, weights = checks.network(draw, (1, 4, 4), 1, 1, spread=0.1)
    network, x = oracles.Network(weights, (1, 4, 4), 1), checks.grey(draw, 2, 1, 4, 4)
    found, trapezoid = network.log_evidence(x), oracles.trapezoid
    monkeypatch.setattr(oracles, "trapezoid", lambda end, n: trapezoid(end + 2, 3 * n))
    torch.testing.assert_close(found, network.log_evidence(x), rtol=0, atol=1e-4)  # of a tolerance of 1e-3


def test_the_quick_check_s_numbers_are_right():
    for part, right, _ in quick_check.PARTS:
        weights = quick_check.small_model(SOLUTION, part).double().state_dict()
        network = oracles.Network(weights, quick_check.SHAPE, 2)
        found = network.log_weights(quick_check.IMAGES.double(), quick_check.EPS.double())
        torch.testing.assert_close(found, torch.tensor(right).double(), rtol=0, atol=1e-4)
