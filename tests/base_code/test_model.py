"""The reference solution against independent truth: torch.distributions, scipy, quadrature."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from torch.distributions import Bernoulli, Normal

from model_file import load_model_file

OFFSETS = (0.0, 100.0, -100.0, 1000.0, -1000.0, 1e4, -1e4)


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def gauss_hermite(n):
    """Nodes and weights for expectations under N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return torch.tensor(nodes), torch.tensor(weights / math.sqrt(2 * math.pi))


def test_bernoulli_log_likelihood_is_that_of_torch(reference):
    logits = 5 * double(4, 3, 7)
    x = (torch.rand(3, 7) < 0.5).double()
    expected = Bernoulli(logits=logits).log_prob(x.expand(4, 3, 7)).sum(-1)
    torch.testing.assert_close(reference.bernoulli_log_likelihood(x, logits), expected)


def test_bernoulli_log_likelihood_survives_extreme_logits(reference):
    logits = torch.tensor([[1e4, -1e4]])
    assert reference.bernoulli_log_likelihood(torch.tensor([[1.0, 0.0]]), logits).item() == 0
    assert reference.bernoulli_log_likelihood(torch.tensor([[0.0, 1.0]]), logits).item() == -2e4


@pytest.mark.parametrize("shape", [(5,), (3, 5), (4, 3, 5)])
def test_gaussian_log_likelihood_is_that_of_torch(reference, shape):
    z, mu, sigma = double(*shape), double(*shape), double(*shape).exp()
    torch.testing.assert_close(reference.gaussian_log_likelihood(z, mu, sigma), Normal(mu, sigma).log_prob(z).sum(-1))


def test_reparameterize_gives_the_distribution_it_says(reference):
    mu, sigma = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3, 2.5]])
    z = reference.reparameterize(mu, sigma, torch.randn(100_000, 1, 2))
    # Five standard errors of a mean, and of a standard deviation, of 100,000 samples.
    torch.testing.assert_close(z.mean(0), mu, rtol=0, atol=5 * 2.5 / math.sqrt(100_000))
    torch.testing.assert_close(z.std(0), sigma, rtol=5 / math.sqrt(2 * 100_000), atol=0)


def test_reparameterize_passes_gradients(reference):
    eps = double(4, 3, 2)
    inputs = (double(3, 2).requires_grad_(), double(3, 2).exp().requires_grad_())
    assert torch.autograd.gradcheck(lambda mu, sigma: reference.reparameterize(mu, sigma, eps), inputs)


@settings(deadline=None, max_examples=50)
@given(
    # The kit counts subnormal numbers as 0, for speed (process.prepare_device).
    values=st.lists(
        st.lists(st.floats(-3000, 3000, allow_subnormal=False), min_size=3, max_size=3), min_size=1, max_size=6
    ),
    dim=st.sampled_from([0, 1]),
)
def test_log_mean_exp_is_that_of_scipy(reference, values, dim):
    a = torch.tensor(values, dtype=torch.float64)
    expected = logsumexp(a.numpy(), axis=dim) - np.log(a.shape[dim])
    np.testing.assert_allclose(reference.log_mean_exp(a, dim).numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("offset", OFFSETS)
def test_log_mean_exp_passes_offsets_through_in_float32(reference, offset):
    a = torch.tensor([[0.0, -3.0], [math.log(3), 2.0]])
    # Adding the offset rounds each entry by at most half a unit in its last place, 2^-24 of it.
    expected = reference.log_mean_exp(a.double()) + offset
    assert (reference.log_mean_exp(a + offset) - expected).abs().max() <= 3 * 2**-24 * max(1.0, abs(offset))


def test_log_mean_exp_of_minus_infinity_and_its_gradient(reference):
    a = torch.tensor([[0.0], [-math.inf], [-200.0]], requires_grad=True)
    value = reference.log_mean_exp(a)
    value.backward()
    assert value.item() == pytest.approx(-math.log(3), rel=1e-6)
    torch.testing.assert_close(a.grad, torch.tensor([[1.0], [0.0], [0.0]]))


def test_the_bounds_of_a_gaussian_example_by_quadrature(reference):
    """z ~ N(0, 1), x given z ~ N(z, 0.5^2), x = 1.5, q = N(0.5, 0.7^2): ELBO and L_2 as expectations over eps."""
    nodes, weights = gauss_hermite(60)
    mu, sigma, x = (torch.full((1, 1), value, dtype=torch.float64) for value in (0.5, 0.7, 1.5))
    z = reference.reparameterize(mu, sigma, nodes.view(-1, 1, 1))
    log_w = (
        reference.gaussian_log_likelihood(x, z, torch.full_like(z, 0.5))
        + reference.gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        - reference.gaussian_log_likelihood(z, mu, sigma)
    )[:, 0]
    elbo = (weights * reference.vae_objective(log_w[None])).sum()
    pairs = torch.stack([log_w.repeat_interleave(60), log_w.repeat(60)])  # [k = 2, every pair of nodes]
    l_2 = (weights.outer(weights).flatten() * reference.iwae_objective(pairs)).sum()
    assert elbo.item() == pytest.approx(-3.4325, abs=1e-4)
    assert l_2.item() == pytest.approx(-2.5393, abs=1e-4)
    assert Normal(0, math.sqrt(1.25)).log_prob(torch.tensor(1.5)).item() == pytest.approx(-1.930510, abs=1e-6)


@pytest.mark.parametrize("tied", [True, False])
def test_log_weights_integrate_to_the_likelihood(reference, tied):
    """With one latent unit: the mean of w over eps, on a fine grid, is p(x), which another grid over z gives too."""
    model = reference.IWAE(d_data=6, d_latent=1, hidden=(4,), tied=tied).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)  # then sigma is between 0.2 and 5, and the grid reaches far and is fine
    x = (torch.rand(5, 6) < 0.5).double()
    grid = torch.linspace(-40, 40, 40_001, dtype=torch.float64).view(-1, 1, 1)
    step = math.log(80 / 40_000)
    log_normal = Normal(0, 1).log_prob(grid)[:, 0]  # [N, 1]
    log_p = torch.logsumexp(reference.bernoulli_log_likelihood(x, model.decoder(grid)) + log_normal + step, 0)
    log_w = model.log_weights(x, grid.expand(-1, 5, 1))
    torch.testing.assert_close(torch.logsumexp(log_w + log_normal + step, 0), log_p)


def test_the_bounds_rise_with_k_and_stay_below_the_likelihood(reference):
    model = reference.IWAE(d_data=6, d_latent=1, hidden=(4,)).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    x = (torch.rand(5, 6) < 0.5).double()
    nodes, weights = gauss_hermite(100)
    log_p_x_given_z = reference.bernoulli_log_likelihood(x, model.decoder(nodes.view(-1, 1, 1)))
    log_p = torch.logsumexp(log_p_x_given_z + weights.log().view(-1, 1), 0)
    repeats = 20_000
    with torch.no_grad():
        log_w = model.log_weights(x, double(16 * repeats, 5, 1))
    bounds = []
    for k in (1, 4, 16):
        estimates = reference.iwae_objective(log_w[: k * repeats].view(k, repeats * 5)).view(repeats, 5)
        bounds.append(estimates.mean(0))
        assert (bounds[-1] <= log_p + 5 * estimates.std(0) / math.sqrt(repeats)).all()  # five standard errors
    assert (bounds[0] < bounds[1]).all() and (bounds[1] < bounds[2]).all()


def test_images_are_independent(reference):
    model = reference.IWAE(d_data=6, d_latent=2, hidden=(4,))
    x, eps = torch.rand(3, 6), torch.randn(4, 3, 2)
    changed = x.clone()
    changed[1] = 1 - changed[1]
    before, after = model.log_weights(x, eps), model.log_weights(changed, eps)
    torch.testing.assert_close(before[:, [0, 2]], after[:, [0, 2]])
    assert (before[:, 1] != after[:, 1]).all()


def test_shapes_and_the_tied_head(reference):
    model = reference.IWAE(d_data=6, d_latent=2, hidden=(5, 4))
    mu, sigma = model.encoder(torch.rand(3, 6))
    assert mu.shape == sigma.shape == (3, 2)
    torch.testing.assert_close(sigma, mu.atanh().exp())
    assert model.decoder(torch.zeros(7, 3, 2)).shape == (7, 3, 6)
    assert model.log_weights(torch.rand(3, 6), torch.zeros(7, 3, 2)).shape == (7, 3)
    assert [layer.out_features for layer in model.decoder.body if hasattr(layer, "out_features")] == [4, 5]


@pytest.mark.parametrize("objective, k", [("ae", 1), ("vae", 1), ("vae", 3), ("iwae", 3)])
def test_loss_is_minus_the_mean_objective(reference, objective, k):
    model = reference.IWAE(d_data=6, d_latent=2, hidden=(4,))
    x = torch.rand(5, 6)
    torch.manual_seed(1)
    loss = model.loss(x, objective, k)
    torch.manual_seed(1)
    if objective == "ae":
        expected = model.autoencoder_objective(x)
    else:
        log_w = model.log_weights(x, torch.randn(k, 5, 2))
        expected = log_w.mean(0) if objective == "vae" else log_w.logsumexp(0) - math.log(k)
    torch.testing.assert_close(loss, -expected.mean())


def test_the_stub_is_an_autoencoder_with_open_todos():
    stub = load_model_file("base_code/model.py")
    model = stub.IWAE()
    model.loss(torch.rand(2, 784)).backward()
    a = torch.zeros(2, 2)
    for todo, call in [
        (1, lambda: stub.gaussian_log_likelihood(a, a, a)),
        (1, lambda: stub.reparameterize(a, a, a[None])),
        (2, lambda: stub.vae_objective(a)),
        (2, lambda: model.loss(torch.rand(2, 784), "vae")),
        (3, lambda: stub.log_mean_exp(a)),
        (3, lambda: stub.iwae_objective(a)),
    ]:
        with pytest.raises(NotImplementedError, match=rf"^TODO {todo}: .+\.$"):
            call()
