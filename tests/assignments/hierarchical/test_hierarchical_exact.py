"""The lab's oracles: against a linear-Gaussian chain in closed form and scipy; and the solution against them."""

import math

import pytest
import scipy.integrate
import scipy.stats
import torch
from torch.distributions import MultivariateNormal, Normal

from autograder.assignments.hierarchical import ASSIGNMENT, checks, oracles
from autograder.grading.judge import Draw
from autograder.grading.quadrature import gauss_hermite

SOLUTION = ASSIGNMENT.reference


@pytest.fixture
def draw(request):
    return Draw(0, request.node.name)


class Chain:
    """z2 ~ N(0, I), z1 | z2 ~ N(A z2 + a, s1^2), x | z1 ~ N(C z1 + c, sx^2): everything is jointly Gaussian."""

    def __init__(self, draw, d1=3, d2=2, p=4):
        self.A, self.a, self.s1 = draw.normal(d1, d2), draw.normal(d1), draw.uniform(0.4, 0.8, d1)
        self.C, self.c, self.sx = draw.normal(p, d1), draw.normal(p), draw.uniform(0.4, 0.8, p)

    def given_z1(self):
        """The covariances of z1, of z2 and z1, and of x."""
        of_z1 = self.A @ self.A.T + self.s1.square().diag()
        return of_z1, self.A, self.C @ of_z1 @ self.C.T + self.sx.square().diag()

    def log_evidence(self, x):
        return MultivariateNormal(self.C @ self.a + self.c, self.given_z1()[2]).log_prob(x)

    def log_weights(self, x, eps1, eps2, q_z1, q_z2):
        def log_likelihood(z1):
            return Normal(z1 @ self.C.T + self.c, self.sx).log_prob(x).sum(-1)

        def p_z1(z2):
            return Normal(z2 @ self.A.T + self.a, self.s1.expand(*z2.shape[:-1], -1))

        return oracles.two_layers(eps1, eps2, q_z1, q_z2, p_z1, log_likelihood)[0]


def test_the_weights_of_a_chain_average_to_its_evidence(draw):
    """With an imperfect q: the mean weight of many samples is p(x), which is known in closed form."""
    chain, k = Chain(draw), 400_000
    x = chain.C @ chain.a + chain.c + 0.5 * draw.normal(1, 4)
    of_z1, _, of_x = chain.given_z1()
    gain = of_z1 @ chain.C.T @ torch.linalg.inv(of_x)
    mean = chain.a + (x - chain.C @ chain.a - chain.c) @ gain.T
    sd = (of_z1 - gain @ chain.C @ of_z1).diagonal().sqrt()
    regression = chain.A.T @ torch.linalg.inv(of_z1)
    above = (torch.eye(2) - regression @ chain.A).diagonal().sqrt()

    def q_z2(z1):
        return Normal((z1 - chain.a) @ regression.T, 1.2 * above.expand(*z1.shape[:-1], -1))

    eps = draw.normal(k, 1, 3), draw.normal(k, 1, 2)
    log_w = chain.log_weights(x, *eps, Normal(mean, 1.3 * sd.expand(1, -1)), q_z2)  # [k, 1]
    weights = (log_w - chain.log_evidence(x)).exp()
    assert weights.mean().item() == pytest.approx(1, abs=4 * weights.std().item() / math.sqrt(k))
    assert weights.std() < 20


def test_the_exact_posterior_of_a_chain_gives_one_weight(draw):
    """x = z1 + noise, unit by unit, so that the posterior has the form of q: log w = log p(x) for every sample."""
    a, s, mean, sx = draw.uniform(0.3, 1, 3), draw.uniform(0.3, 1, 3), draw.normal(3), draw.uniform(0.3, 1, 3)
    sd, slope, offset, above = oracles.exact_chain(a, s, mean)
    x = draw.normal(2, 3)
    gain = sd**2 / (sd**2 + sx**2)
    q_z1 = Normal(mean + gain * (x - mean), (sd * (1 - gain).sqrt()).expand(2, -1))
    log_w, _ = oracles.two_layers(
        draw.normal(5, 2, 3),
        draw.normal(5, 2, 3),
        q_z1,
        lambda z1: Normal(slope * z1 + offset, above.expand_as(z1)),
        lambda z2: Normal(a * z2 + mean, s.expand_as(z2)),
        lambda z1: Normal(z1, sx).log_prob(x).sum(-1),
    )
    expected = Normal(mean, (sd**2 + sx**2).sqrt()).log_prob(x).sum(-1)
    torch.testing.assert_close(log_w, expected.expand(5, 2))


def test_the_evidence_of_two_layers_is_a_mean_over_both_noises(draw):
    """By another quadrature, over the noise of ancestral samples."""
    _, weights = checks.two_layer_network(draw, 3, 1, 1, smooth=0.3)
    networks, x = oracles.Networks(weights), draw.binary(2, 3)
    points, weight = gauss_hermite(60)
    _, z1 = oracles.ancestral(networks, torch.cartesian_prod(points, points))  # [n, 1]
    likelihood = networks.log_likelihood(x, z1[:, None].expand(-1, 2, 1)).exp()  # [n, B]
    found = (weight[:, None] * weight).flatten() @ likelihood
    torch.testing.assert_close(oracles.two_layer_evidence(networks, x), found, rtol=1e-8, atol=0)


@pytest.mark.parametrize("prior", ["standard", "label"])
def test_the_evidence_given_a_label_is_an_integral(draw, prior):
    _, weights = checks.conditional_network(draw, 3, 2, 1, prior)
    networks, x, y = oracles.Networks(weights), draw.binary(1, 3), torch.tensor([[0.0, 1.0]]).double()
    normal = oracles.conditional_prior(networks, y, 1)
    mu, sigma = normal.mean.item(), normal.scale.item()

    def integrand(z):
        likelihood = networks.log_likelihood(x, torch.cat([torch.tensor([[z]]).double(), y], 1)).exp().item()
        return scipy.stats.norm.pdf(z, mu, sigma) * likelihood

    right = scipy.integrate.quad(integrand, mu - 9 * sigma, mu + 9 * sigma)[0]
    assert oracles.conditional_evidence(networks, x, y).item() == pytest.approx(right, rel=1e-6)


def test_the_solution_agrees_with_the_oracles(draw):
    keywords, weights = checks.two_layer_network(draw, 7, 4, 3)
    model, networks = ASSIGNMENT.model("TwoLayerIWAE", keywords, weights), oracles.Networks(weights)
    x, eps = draw.binary(6, 7), draw.normal(5, 6, 7)
    torch.testing.assert_close(model.log_weights(x, eps), oracles.two_layer_log_weights(networks, x, eps)[0])
    torch.testing.assert_close(model.sample(eps[0]), oracles.ancestral(networks, eps[0])[0])
    for prior in ("standard", "label"):
        keywords, weights = checks.conditional_network(draw, 7, 3, 2, prior)
        model, networks = ASSIGNMENT.model("ConditionalIWAE", keywords, weights), oracles.Networks(weights)
        y, eps = checks.one_hot(draw, 6, 3), draw.normal(5, 6, 2)
        right = oracles.conditional_log_weights(networks, x, eps, y)[0]
        torch.testing.assert_close(model.log_weights(x, eps, y), right)
    means = draw.normal(9, 4)
    torch.testing.assert_close(SOLUTION.activity(means), oracles.activity(means))
    scores, rows = checks.scores_and_rows(draw, 9, 4)
    torch.testing.assert_close(SOLUTION.principal_components(rows, 3).abs(), scores[:, :3].abs())


def test_the_rows_that_the_checks_make_have_the_scores_that_they_say(draw):
    """By the definition: uncorrelated, centred, of falling variance, and a rotation of the centred rows."""
    scores, rows = checks.scores_and_rows(draw, 12, 5)
    torch.testing.assert_close(scores.mean(0), torch.zeros(5).double(), atol=1e-12, rtol=0)
    gram = scores.T @ scores
    torch.testing.assert_close(gram, gram.diagonal().diag(), atol=1e-10, rtol=0)
    assert (gram.diagonal().diff() < 0).all()
    centred = rows - rows.mean(0)
    torch.testing.assert_close(centred @ centred.T, scores @ scores.T)
