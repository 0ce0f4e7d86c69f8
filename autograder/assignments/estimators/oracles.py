"""Independent truth for the checks of the lab: torch.distributions, numpy, closed forms and quadrature, in float64.

Nothing here comes from solutions/labs/estimators.py; tests/assignments/estimators/ checks that file against these.
"""

import math

import torch
from torch.distributions import Independent, Normal, kl_divergence

from autograder.assignments.iwae import oracles as core
from autograder.grading.quadrature import tensor_grid


def gaussian_kl(mu, sigma):
    """KL(N(mu, diag(sigma^2)) || N(0, I)).  [B, D] -> [B]"""
    prior = Normal(torch.zeros_like(mu), torch.ones_like(sigma))
    return kl_divergence(Independent(Normal(mu, sigma), 1), Independent(prior, 1))


def kl_scale(mu, sigma):
    """The size of the terms that it adds up.  [B, D] -> [B]"""
    return (0.5 * (mu**2 + sigma**2 + 1) + sigma.log().abs()).sum(-1)


def kl_gradient_scale(cotangent, mu, sigma):
    """The sizes of the terms of its gradients, for a cotangent of these sizes, as {name: tensor}."""
    return {"mu": cotangent[:, None] * mu.abs(), "sigma": cotangent[:, None] * (sigma + 1 / sigma)}


def miwae(log_w):
    """The mean over the groups of the k-sample bound.  [m, k, B] -> [B]"""
    return sum(core.log_mean_exp(group) for group in log_w) / len(log_w)


def ciwae(log_w, beta):
    """[k, B] -> [B]"""
    return beta * log_w.sum(0) / len(log_w) + (1 - beta) * core.log_mean_exp(log_w)


def piwae(log_w):
    """The encoder's bound above the decoder's.  [m, k, B] -> [2, B]"""
    return torch.stack([miwae(log_w), core.log_mean_exp(torch.cat(list(log_w)))])


def weighted(log_w):
    """sum w log_w with constant normalised weights w: the STL objective of stopped log weights too.  [k, B] -> [B]"""
    return (core.normalised(log_w) * log_w.nan_to_num(neginf=0.0)).sum(0)


def dreg(log_w):
    """The same with the squares of the weights.  [k, B] -> [B]"""
    return (core.normalised(log_w) ** 2 * log_w).sum(0)


class Network(core.Network):
    """The encoder and the decoder of the model file, with two heads, from their weights alone (a state dict)."""

    def __init__(self, weights):
        super().__init__(weights, tied=False)

    def stopped_log_weights(self, x, eps):
        """log p(x, z) - log q(z | x), with q's density a fixed one.  [B, P], [k, B, D] -> [k, B]"""
        mu, sigma = self.encode(x)
        z = mu + sigma * eps
        with torch.no_grad():
            q = Independent(Normal(mu.clone(), sigma.clone()), 1)
        prior = core.gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        return self.log_likelihood(x, z) + prior - q.log_prob(z)

    def scale(self, x, eps):
        """The size of the terms that a log weight adds up.  [k, B]"""
        mu, sigma = self.encode(x)
        z = mu + sigma * eps
        zeros = torch.zeros_like(z)
        densities = core.gaussian_scale(z, zeros, zeros + 1) + core.gaussian_scale(z, mu, sigma)
        return self.log_likelihood(x, z).abs() + densities


class LinearGaussian:
    """z ~ N(0, 1), x | z ~ N(c z, s^2), q(z | x) = N(m, r^2), one-dimensional: (m, r) is the encoder, c the decoder."""

    def __init__(self, x, s, m, r, c=1.0):
        self.x, self.s = x, s
        self.m, self.r, self.c = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (m, r, c))

    def log_weights(self, eps, stopped=False):
        """At z = m + r eps; stopped: with constants for m and r inside log q.  [...] -> [...]"""
        z = self.m + self.r * eps
        q = Normal(self.m.detach(), self.r.detach()) if stopped else Normal(self.m, self.r)
        return Normal(self.c * z, self.s).log_prob(torch.tensor(self.x)) + Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)

    def gradient(self, value):
        """[d/dm, d/dr, d/dc] of a number; 0 for what it does not depend on."""
        found = torch.autograd.grad(value, (self.m, self.r, self.c), allow_unused=True)
        return torch.stack([torch.zeros_like(value) if g is None else g for g in found])

    def bound(self, k, n=32):
        """L_k = E[log mean w] by quadrature, differentiable in m, r and c."""
        eps, weights = tensor_grid(k, n)
        return weights @ core.log_mean_exp(self.log_weights(eps))

    def log_evidence(self):
        """log p(x), x ~ N(0, c^2 + s^2)."""
        variance = self.c.item() ** 2 + self.s**2
        return -0.5 * (math.log(2 * math.pi * variance) + self.x**2 / variance)
