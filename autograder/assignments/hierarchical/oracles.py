"""Independent truth for the checks of the lab: torch.distributions, numpy, closed forms and quadrature, in float64.

Nothing here comes from solutions/labs/hierarchical.py; tests/assignments/hierarchical/ checks that file against these.
"""

import torch
from torch.distributions import Normal

from autograder.assignments.iwae import oracles as core
from autograder.grading.quadrature import trapezoid


class Networks(core.Network):
    """The networks of the student's file, from the weights of a model alone (a state dict)."""

    def __init__(self, weights):
        super().__init__(weights, tied=False)

    def gaussian(self, part, inputs):
        """The Normal that a part gives.  [..., n_in] -> mu and sigma [..., D]"""
        h = self.body(part, inputs)
        return Normal(self.linear(f"{part}.mu", h), self.linear(f"{part}.log_sigma", h).exp(), validate_args=False)

    def logits(self, z):
        return self.layers("decoder", z)


def standard(like):
    return Normal(torch.zeros_like(like), torch.ones_like(like))


def density(normal, z):
    """Its log density, summed over the units, and the size of the terms that this adds up.  [..., D] -> two [...]"""
    return normal.log_prob(z).sum(-1), core.gaussian_scale(z, normal.mean, normal.scale)


def added(likelihood, numerator, denominator):
    """The log weight of densities as `density` gives them, and its scale."""
    value = likelihood + sum(log_p for log_p, _ in numerator) - sum(log_q for log_q, _ in denominator)
    return value, likelihood.abs() + sum(size for _, size in (*numerator, *denominator))


def two_layers(eps1, eps2, q_z1, q_z2, p_z1, log_likelihood):
    """The log weights of two stochastic layers and their scale.  [k, B, D1], [k, B, D2] -> two [k, B]

    q_z1: the Normal q(z1 | x) [B, D1]. q_z2, p_z1: Normals as functions of z1, and of z2. log_likelihood: of z1.
    """
    z1 = q_z1.mean + q_z1.scale * eps1
    above = q_z2(z1)
    z2 = above.mean + above.scale * eps2
    numerator = density(p_z1(z2), z1), density(standard(z2), z2)
    return added(log_likelihood(z1), numerator, (density(q_z1, z1), density(above, z2)))


def two_layer_log_weights(networks, x, eps):
    """Of a TwoLayerIWAE, and their scale.  [B, P], [k, B, D1 + D2] -> two [k, B]"""
    q_z1 = networks.gaussian("q_z1", x)
    d1 = q_z1.mean.shape[-1]
    return two_layers(
        eps[..., :d1],
        eps[..., d1:],
        q_z1,
        lambda z1: networks.gaussian("q_z2", z1),
        lambda z2: networks.gaussian("p_z1", z2),
        lambda z1: networks.log_likelihood(x, z1),
    )


def ancestral(networks, eps):
    """The logits of images made from the top down, and the z1 behind them.  [n, D1 + D2] -> [n, P], [n, D1]"""
    d1 = len(networks.weights["p_z1.mu.bias"])
    below = networks.gaussian("p_z1", eps[:, d1:])
    z1 = torch.addcmul(below.mean, below.scale, eps[:, :d1])
    return networks.logits(z1), z1


def conditional_prior(networks, y, d):
    """The Normal p(z | y) of a ConditionalIWAE, for each row of y [..., C]."""
    if "p_z.mu.weight" in networks.weights:
        return networks.gaussian("p_z", y)
    return standard(y.new_zeros(*y.shape[:-1], d))


def conditional_log_weights(networks, x, eps, y):
    """Of a ConditionalIWAE, and their scale.  [B, P], [k, B, D], [B, C] -> two [k, B]"""
    q = networks.gaussian("q_z", torch.cat([x, y], 1))
    z = q.mean + q.scale * eps
    likelihood = networks.log_likelihood(x, beside(z, y))
    return added(likelihood, (density(conditional_prior(networks, y, z.shape[-1]), z),), (density(q, z),))


def beside(z, y):
    """[k, B, D], [B, C] -> [k, B, D + C]"""
    return torch.cat([z, y.expand(*z.shape[:-1], -1)], -1)


# Evidence with one unit in each layer --------------------------------------------------------------------


def two_layer_evidence(networks, x):
    """p(x) of a TwoLayerIWAE with one unit in each layer, by the trapezoidal rule over both.  [B, P] -> [B]"""
    z1, width1 = trapezoid(40.0, 4001)
    z2, width2 = trapezoid(9.0, 361)
    below = networks.gaussian("p_z1", z2[:, None])  # [n2, 1]
    joint = Normal(0.0, 1.0).log_prob(z2)[:, None] + below.log_prob(z1)  # [n2, n1]
    marginal = joint.exp().sum(0) * width2  # of z1 [n1]
    likelihood = networks.log_likelihood(x, z1.view(-1, 1, 1).expand(-1, len(x), 1)).exp()  # [n1, B]
    return marginal @ likelihood * width1


def conditional_evidence(networks, x, y):
    """p(x | y) of a ConditionalIWAE with one latent unit.  [B, P], [B, C] -> [B]"""
    z, width = trapezoid(40.0, 4001)
    z = z.view(-1, 1, 1).expand(-1, len(x), 1)  # [n, B, 1]
    prior = conditional_prior(networks, y, 1).log_prob(z)[..., 0]  # [n, B]
    return (prior + networks.log_likelihood(x, beside(z, y))).exp().sum(0) * width


def exact_chain(a, s, mean):
    """q(z1) and q(z2 | z1) that are exact where x tells nothing of z1, unit by unit: z1 = mean + a z2 + s noise.

    Returns the standard deviation of z1, then slope, offset and standard deviation of z2 given z1.  [D] each
    """
    variance = a**2 + s**2
    return variance.sqrt(), a / variance, -a * mean / variance, s / variance.sqrt()


# TODO 3 ---------------------------------------------------------------------------------------------------


def activity(means, ddof=1):
    """The variance over the images, by numpy.  [N, D] -> [D]"""
    return torch.as_tensor(means.numpy().var(axis=0, ddof=ddof))
