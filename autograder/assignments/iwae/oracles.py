"""Independent truth for the checks: torch.distributions, numpy, closed forms and quadrature, in float64.

Nothing here comes from solutions/model.py; tests/assignments/iwae/test_oracles.py checks that file against these.
"""

import math

import numpy as np
import torch
from torch.distributions import AffineTransform, Bernoulli, Independent, Normal

from autograder.grading.quadrature import trapezoid


def gaussian_log_likelihood(z, mu, sigma):
    """log N(z; mu, diag(sigma^2)).  [..., D] -> [...]"""
    return Independent(Normal(mu, sigma), 1).log_prob(z)


def gaussian_scale(z, mu, sigma):
    """The size of the terms that a Gaussian log-likelihood adds up.  [..., D] -> [...]"""
    return (sigma.log().abs() + 0.5 * math.log(2 * math.pi) + 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


def gaussian_gradient_scale(cotangent, z, mu, sigma):
    """The sizes of the terms of its gradients, for a cotangent of these sizes, as {name: tensor}.

    z and mu count as terms of their difference.
    """
    size, cotangent = (z.abs() + mu.abs()) / sigma, cotangent[..., None]
    to_z, to_sigma = cotangent * size / sigma, cotangent * (1 + size**2) / sigma
    return {"z": to_z, "mu": to_z.sum_to_size(mu.shape), "sigma": to_sigma.sum_to_size(sigma.shape)}


def reparameterize(mu, sigma, eps):
    """N(mu, diag(sigma^2)) as N(0, I) transformed.  [B, D], [B, D], [k, B, D] -> [k, B, D]"""
    return AffineTransform(mu, sigma)(eps)


def log_mean_exp(a, dim=0):
    """log of the mean of exp(a), from numpy; its gradient is the softmax.  [..., n, ...] -> [..., ...]"""
    numbers = a.detach().double().numpy()
    log_sum = np.logaddexp.reduce(numbers, axis=dim, keepdims=True)
    weights = torch.as_tensor(np.exp(numbers - log_sum))
    value = torch.as_tensor(log_sum.squeeze(dim) - math.log(a.shape[dim]))
    linear = (weights * a.nan_to_num(neginf=0.0)).sum(dim)
    return value + linear - linear.detach()


def normalised(log_w):
    """Weights that sum to 1 over the samples, from numpy: constants.  [k, ...] -> [k, ...]"""
    numbers = log_w.detach().double().numpy()
    return torch.as_tensor(np.exp(numbers - np.logaddexp.reduce(numbers, axis=0, keepdims=True)))


class Network:
    """The encoder and the decoder of the model file, from their weights alone (a state dict)."""

    def __init__(self, weights, tied):
        self.weights, self.tied = weights, tied

    def linear(self, name, h):
        return h @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def body(self, part, h):
        """The tanh layers of a part."""
        names = [n for n in self.weights if n.startswith(f"{part}.body") and n.endswith("weight")]
        for name in names:
            h = torch.tanh(self.linear(name.removesuffix(".weight"), h))
        return h

    def layers(self, part, h):
        """The same, then its linear head."""
        return self.linear(f"{part}.head", self.body(part, h))

    def encode(self, x):
        """[B, P] -> mu [B, D], sigma [B, D]"""
        a = self.layers("encoder", x)
        if self.tied:
            return torch.tanh(a), torch.exp(a)
        mu, log_sigma = a.chunk(2, -1)
        return mu, torch.exp(log_sigma)

    def log_likelihood(self, x, z):
        """log p(x | z).  [B, P], [..., B, D] -> [..., B]"""
        return Independent(Bernoulli(logits=self.layers("decoder", z)), 1).log_prob(x.expand(*z.shape[:-1], -1))

    def log_weights(self, x, eps):
        """log p(x | z) + log p(z) - log q(z | x).  [B, P], [k, B, D] -> [k, B]"""
        mu, sigma = self.encode(x)
        z = reparameterize(mu, sigma, eps)
        prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        return self.log_likelihood(x, z) + prior - gaussian_log_likelihood(z, mu, sigma)

    def evidence(self, x):
        """p(x) with one latent unit, by the trapezoidal rule over the prior.  [B, P] -> [B]"""
        z, width = trapezoid(12.0, 2401)
        prior = Normal(0.0, 1.0).log_prob(z).exp() * width
        likelihood = self.log_likelihood(x, z.view(-1, 1, 1).expand(-1, len(x), 1)).exp()  # [N, B]
        return prior @ likelihood


class LinearGaussian:
    """z ~ N(0, 1), x | z ~ N(z, s^2), q(z | x) = N(m, r^2), all one-dimensional: everything in closed form."""

    def __init__(self, x, s, m, r):
        self.x, self.s, self.m, self.r = x, s, m, r

    def log_weights(self, eps):
        """log p(x | z) + log p(z) - log q(z | x) at z = m + r eps.  [...] -> [...]"""
        x, s, m, r = torch.tensor([self.x, self.s, self.m, self.r], dtype=torch.float64)
        z = m + r * eps
        return Normal(z, s).log_prob(x) + Normal(0.0, 1.0).log_prob(z) - Normal(m, r).log_prob(z)

    def log_evidence(self):
        """log p(x), x ~ N(0, 1 + s^2)."""
        variance = 1 + self.s**2
        return -0.5 * (math.log(2 * math.pi * variance) + self.x**2 / variance)

    def elbo(self):
        """E_q[log w], by hand: the expectations of three squares."""
        likelihood = -math.log(self.s) - ((self.x - self.m) ** 2 + self.r**2) / (2 * self.s**2)
        prior = -(self.m**2 + self.r**2) / 2
        return likelihood + prior - 0.5 * math.log(2 * math.pi) + math.log(self.r) + 0.5
