"""The oracles against known numbers and scipy, and the reference solution against the oracles."""

import math

import pytest
import scipy.integrate
import scipy.stats
import torch

from autograder.assignments.iwae import ASSIGNMENT, oracles
from autograder.assignments.iwae.inputs import random_weights, spread
from autograder.grading.judge import Draw
from autograder.grading.quadrature import gauss_hermite, trapezoid


@pytest.fixture
def draw(request):
    return Draw(0, request.node.name)


def test_the_linear_gaussian_model_has_the_known_bounds():
    """x = 1.5, x | z ~ N(z, 0.5^2), q = N(0.5, 0.7^2): worked out by hand."""
    model = oracles.LinearGaussian(1.5, 0.5, 0.5, 0.7)
    assert model.log_evidence() == pytest.approx(-1.930510, abs=1e-6)
    assert model.log_evidence() == pytest.approx(scipy.stats.norm(0, math.sqrt(1.25)).logpdf(1.5))
    assert model.elbo() == pytest.approx(-3.4325, abs=1e-4)
    points, weights = gauss_hermite(32)
    log_w = model.log_weights(points)
    assert (weights @ log_w).item() == pytest.approx(model.elbo(), abs=1e-10)
    pairs = torch.stack([log_w.repeat_interleave(32), log_w.repeat(32)])  # [2, 32 * 32]
    bound = (weights[:, None] * weights).flatten() @ oracles.log_mean_exp(pairs)
    assert bound.item() == pytest.approx(-2.5393, abs=1e-3)


def test_the_evidence_of_a_network_is_an_integral(draw):
    weights = random_weights(draw, {"d_data": 5, "d_latent": 1, "hidden": [4], "tied": True})
    network = oracles.Network(weights, True)
    x = draw.binary(3, 5)
    for image, found in zip(x, network.evidence(x)):

        def integrand(z, image=image):
            likelihood = network.log_likelihood(image[None], torch.full((1, 1), z).double()).exp().item()
            return scipy.stats.norm.pdf(z) * likelihood

        assert found.item() == pytest.approx(scipy.integrate.quad(integrand, -12, 12)[0], rel=1e-8)


@pytest.mark.parametrize("tied", [True, False])
def test_the_reference_agrees_on_log_weights(draw, tied, reference):
    keywords = {"d_data": 7, "d_latent": 3, "hidden": [4, 5], "tied": tied}
    weights = random_weights(draw, keywords)
    model = ASSIGNMENT.model("IWAE", keywords, weights)
    network = oracles.Network(weights, tied)
    x, eps = draw.binary(6, 7), draw.normal(2, 6, 3)
    torch.testing.assert_close(model.log_weights(x, eps), network.log_weights(x, eps))
    for found, expected in zip(model.encoder(x), network.encode(x)):
        torch.testing.assert_close(found, expected)


def test_the_reference_agrees_on_the_functions(draw, reference):
    z, mu, sigma = draw.normal(4, 3, 2), draw.normal(3, 2), draw.uniform(0.2, 3, 3, 2)
    expected = oracles.gaussian_log_likelihood(z, mu, sigma)
    torch.testing.assert_close(reference.gaussian_log_likelihood(z, mu, sigma), expected)
    assert (expected.abs() <= oracles.gaussian_scale(z, mu, sigma) + 1e-9).all()
    torch.testing.assert_close(reference.reparameterize(mu, sigma, z), oracles.reparameterize(mu, sigma, z))
    a = spread(draw, 4, 3)
    torch.testing.assert_close(reference.log_mean_exp(a), oracles.log_mean_exp(a))


def test_log_mean_exp_has_the_softmax_as_its_gradient(draw):
    a = draw.normal(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(oracles.log_mean_exp, (a,))
    with_zero = torch.tensor([[-math.inf, 0.0], [1.0, 2.0]], dtype=torch.float64)
    assert oracles.log_mean_exp(with_zero)[0].item() == pytest.approx(1 - math.log(2))


def test_quadrature_integrates_a_normal():
    points, weights = gauss_hermite(20)
    assert (weights @ points**4).item() == pytest.approx(3)
    points, width = trapezoid(10.0, 401)
    assert (torch.exp(-0.5 * points**2).sum() * width).item() == pytest.approx(math.sqrt(2 * math.pi), rel=1e-12)


def test_spread_weights_reach_from_near_to_far(draw):
    a = spread(draw, 5, 6)
    assert a.max() > -12
    assert (a.max(0).values - a.min(0).values).min() > 400
    assert a.isfinite().all()
