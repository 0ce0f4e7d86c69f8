"""The lab's oracles: against finite differences, closed forms and by-hand numbers; and the solution against them."""

import pytest
import torch

from autograder.assignments.estimators import ASSIGNMENT, oracles
from autograder.assignments.estimators.checks import POINTS, UNBIASED, exact_network, linear_gaussian, network
from autograder.grading.judge import Draw
from autograder.grading.quadrature import gauss_hermite, tensor_grid

SOLUTION = ASSIGNMENT.reference
EXAMPLE = {"x": 1.2, "s": 0.7, "m": 0.3, "r": 0.8}


def test_the_divergence_agrees_with_its_integral():
    mu, sigma = torch.tensor([[0.5]]).double(), torch.tensor([[0.3]]).double()
    points, weights = gauss_hermite(20)
    z = mu + sigma * points
    normal = torch.distributions.Normal
    log_ratio = normal(mu, sigma).log_prob(z) - normal(0.0, 1.0).log_prob(z)
    torch.testing.assert_close((weights * log_ratio).sum(-1), oracles.gaussian_kl(mu, sigma))


@pytest.mark.parametrize(("k", "bound"), [(1, -2.12999898), (2, -1.79334325), (3, -1.71140144)])
def test_the_exact_bounds(k, bound):
    """Against an earlier derivation of ours, to the digits that the grid gives."""
    model = oracles.LinearGaussian(**EXAMPLE)
    assert model.bound(k).item() == pytest.approx(bound, abs=2e-5)
    assert model.bound(k).item() < model.log_evidence()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_gradient_of_the_exact_bound_is_its_slope(k):
    model, step = oracles.LinearGaussian(**EXAMPLE), 1e-5
    gradient = model.gradient(model.bound(k))
    for i, name in enumerate(("m", "r", "c")):
        value = {"c": 1.0, **EXAMPLE}[name]
        above, below = (oracles.LinearGaussian(**{**EXAMPLE, name: value + s}).bound(k) for s in (step, -step))
        assert gradient[i].item() == pytest.approx(((above - below) / (2 * step)).item(), abs=1e-6)


@pytest.mark.parametrize("k", [2, 3])
def test_what_a_grid_of_the_checks_misses_is_a_tenth_of_what_they_allow(k):
    for seed in range(5):
        model = linear_gaussian(Draw(seed, "grid"))
        noise, chances = tensor_grid(k, POINTS[k])
        average = model.gradient(chances @ oracles.dreg(model.log_weights(noise, stopped=True)))[:2]
        right = model.gradient(model.bound(k))[:2]
        assert (average - right).abs().max() < UNBIASED / 5 * right.abs().max()
        biased = model.gradient(chances @ oracles.weighted(model.log_weights(noise, stopped=True)))[:2]
        assert (biased - right).abs().max() > 5 * UNBIASED * right.abs().max()


def test_stopping_removes_the_score_and_nothing_else():
    """The path of every sample by finite differences of z, chained with dz/dmu and dz/dsigma."""
    model = oracles.LinearGaussian(**EXAMPLE)
    eps, step = torch.tensor([0.5, -1.0, 1.5, 0.0]).double(), 1e-6

    def log_w(z):
        at = oracles.LinearGaussian(**EXAMPLE)
        return at.log_weights((z - at.m) / at.r).detach()

    z = (model.m + model.r * eps).detach()
    slope = (log_w(z + step) - log_w(z - step)) / (2 * step)
    found = model.gradient(model.log_weights(eps, stopped=True).sum())
    torch.testing.assert_close(found[:2], torch.stack([slope.sum(), (slope * eps).sum()]), rtol=1e-6, atol=1e-6)


def test_where_q_is_the_posterior_the_encoder_has_no_gradient():
    draw = Draw(0, "exact")
    keywords, weights = exact_network(draw, 5, 3)
    x, eps = draw.binary(4, 5), draw.normal(6, 4, 3)
    for weight in weights.values():
        weight.requires_grad_()
    encoder = [weight for name, weight in weights.items() if name.startswith("encoder")]
    oracle = oracles.Network(weights)
    for stopped, is_zero in ((True, True), (False, False)):
        log_w = oracle.stopped_log_weights(x, eps) if stopped else oracle.log_weights(x, eps)
        found = torch.autograd.grad((log_w * draw.normal(6, 4)).sum(), encoder, allow_unused=True)
        assert all(g is None or g.abs().max() < 1e-12 for g in found) == is_zero


def test_the_solution_agrees_with_the_oracles():
    mu, sigma = torch.randn(5, 3).double(), torch.rand(5, 3).double() + 0.1
    torch.testing.assert_close(SOLUTION.gaussian_kl(mu, sigma), oracles.gaussian_kl(mu, sigma))
    groups = 3 * torch.randn(2, 7, 5).double()
    torch.testing.assert_close(SOLUTION.miwae_objective(groups), oracles.miwae(groups))
    torch.testing.assert_close(SOLUTION.piwae_objectives(groups), oracles.piwae(groups))
    torch.testing.assert_close(SOLUTION.ciwae_objective(groups[0], 0.3), oracles.ciwae(groups[0], 0.3))
    torch.testing.assert_close(SOLUTION.weighted_objective(groups[0]), oracles.weighted(groups[0]))
    torch.testing.assert_close(SOLUTION.dreg_objective(groups[0]), oracles.dreg(groups[0]))


def test_a_pair_keeps_to_its_parts():
    """One loss for both parts, or a pair whose decoder's gradient is that of the bound of the same samples."""
    draw = Draw(0, "pair")
    keywords, weights = network(draw, 6, 3)
    model = SOLUTION.IWAE(m=2, **keywords).double()
    model.load_state_dict(weights)
    x = draw.binary(4, 6)
    for objective, settings in SOLUTION.OBJECTIVES.items():
        model.m = settings.get("train_m", 1)
        torch.manual_seed(0)
        pair = model.losses(x, objective, 3)
        assert (pair["encoder"] is pair["decoder"]) == (objective not in ("piwae", "stl", "dreg"))
        torch.manual_seed(0)
        bound = model.losses(x, "iwae", 3)["decoder"]
        if objective in ("piwae", "stl", "dreg"):
            decoder = list(model.decoder.parameters())
            for found, right in zip(*(torch.autograd.grad(loss, decoder) for loss in (pair["decoder"], bound))):
                torch.testing.assert_close(found, right)
