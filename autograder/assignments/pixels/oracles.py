"""Independent truth for the checks of the lab: decimals of sixty digits, and networks from their weights alone.

Nothing here comes from solutions/labs/pixels.py; tests/assignments/pixels/ checks that file against these.
"""

import decimal
import functools
import math

import torch
from torch.distributions import (
    AffineTransform,
    Categorical,
    Independent,
    Normal,
    SigmoidTransform,
    TransformedDistribution,
    Uniform,
)
from torch.nn import functional as F

from autograder.grading.quadrature import trapezoid

HALF, INFINITY = decimal.Decimal("0.5"), decimal.Decimal("Infinity")
CONTEXT = decimal.Context(prec=40, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)  # so that exp(-1e6) is not 0


def sigmoid(t):
    """The logistic's distribution function at a Decimal t, infinity included, its derivative, and t times that."""
    e = (-abs(t)).exp()  # which is right to its last digit, however small
    p, density = (1 if t > 0 else e) / (1 + e), e / (1 + e) ** 2
    return p, density, t * density if t.is_finite() else 0


@functools.lru_cache(100_000)
def log_probability(x, mu, log_s):
    """log P(x), and its derivatives to mu and log_s, of three floats, by the definition. -> three floats

    Of two sigmoids near 1 the difference would lose its digits: they are those of a bin as far on the other side.
    """
    with decimal.localcontext(CONTEXT):
        x, mu, s = decimal.Decimal(x), decimal.Decimal(mu), decimal.Decimal(log_s).exp()
        end = INFINITY if x == 255 else (x + HALF - mu) / s
        start = -INFINITY if x == 0 else (x - HALF - mu) / s
        side = 1 if start + end < 0 else -1
        (high, *slopes_high), (low, *slopes_low) = (sigmoid(side * t) for t in (end, start)[::side])
        p = high - low
        to_mu, to_log_s = (a - b for a, b in zip(slopes_low, slopes_high))
        return float(p.ln()), float(side * to_mu / (s * p)), float(to_log_s / p)


def discretized_logistic(x, mu, log_s):
    """log P(x) of each number.  three tensors that broadcast -> [...]; it can be differentiated to mu and log_s."""
    exact = _at_each(x, mu, log_s)  # [..., 3]
    value, to_mu, to_log_s = exact.unbind(-1)
    linear = to_mu * mu + to_log_s * log_s
    return value + linear - linear.detach()


def _at_each(*tensors):
    """The three numbers of log_probability at each place.  three tensors that broadcast -> [..., 3]"""
    tensors = torch.broadcast_tensors(*(tensor.detach().double() for tensor in tensors))
    rows = [log_probability(*numbers) for numbers in zip(*(tensor.flatten().tolist() for tensor in tensors))]
    return torch.tensor(rows, dtype=torch.float64).view(*tensors[0].shape, 3)


def mixture_log_likelihood(x, logits, mu, log_s):
    """log of the sum over m of pi_m P_m(x).  x [...], others [..., M] -> [...]"""
    log_pi = Categorical(logits=logits, validate_args=False).logits
    return torch.logsumexp(log_pi + discretized_logistic(x[..., None], mu, log_s), -1)


def inverse(mu, log_s, u):
    """The logistic's inverse distribution function at u, from torch.distributions.  three tensors [...] -> [...]

    A logistic is what the inverse of the sigmoid makes of a uniform number, moved and stretched.
    """
    transforms = [SigmoidTransform().inv, AffineTransform(mu, log_s.exp())]
    return TransformedDistribution(Uniform(torch.zeros_like(mu), 1.0), transforms, validate_args=False).icdf(u)


def sample_logistic(mu, log_s, u):
    """That, rounded to the nearest whole number from 0 to 255."""
    return (inverse(mu, log_s, u) + 0.5).floor().clamp(0, 255)


class Network:
    """The encoder and the decoder of the lab's file, from their weights alone (a state dict)."""

    def __init__(self, weights, shape, components):
        self.weights, self.shape, self.components = weights, shape, components

    def layer(self, name, apply, h):
        return apply(h, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def encode(self, x):
        """[B, C, H, W] -> mu [B, D], sigma [B, D]"""
        convolution = functools.partial(F.conv2d, stride=2, padding=1)
        h = F.elu(self.layer("encoder.body.0", convolution, (x - 127.5) / 127.5))
        h = F.elu(self.layer("encoder.body.2", convolution, h)).reshape(len(x), -1)
        h = F.elu(self.layer("encoder.body.5", F.linear, h))
        a = self.layer("encoder.head", F.linear, h)  # [B, 2 D]
        d_latent = a.shape[1] // 2
        return a[:, :d_latent], a[:, d_latent:].clamp(-7, 3).exp()

    def decode(self, z):
        """[..., B, D] -> logits, mu, log_s, each [..., B, C, H, W, M]"""
        convolution = functools.partial(F.conv_transpose2d, stride=2, padding=1)
        _, H, W = self.shape
        h = F.elu(self.layer("decoder.body.0", F.linear, z.reshape(-1, z.shape[-1])))
        h = F.elu(self.layer("decoder.body.2", F.linear, h)).reshape(len(h), -1, H // 4, W // 4)
        h = F.elu(self.layer("decoder.body.5", convolution, h))
        a = self.layer("decoder.head", convolution, h)  # for colour 0: component 0's three numbers, component 1's, ...
        a = a.reshape(*z.shape[:-1], self.shape[0], self.components, 3, H, W)
        logits, mu, log_s = (a[..., i, :, :].movedim(-3, -1) for i in range(3))
        return logits, 127.5 + 127.5 * mu, (log_s + 2.5).clamp(-3, 7)

    def log_likelihoods(self, x, z):
        """log P of each dimension.  [B, C, H, W], [..., B, D] -> [..., B, C, H, W]"""
        return mixture_log_likelihood(x, *self.decode(z))

    def log_weights(self, x, eps):
        """log p(x | z) + log p(z) - log q(z | x).  [B, C, H, W], [k, B, D] -> [k, B]"""
        mu, sigma = self.encode(x)
        z = mu + sigma * eps
        prior, posterior = Independent(Normal(torch.zeros_like(mu), 1.0), 1), Independent(Normal(mu, sigma), 1)
        return self.log_likelihoods(x, z).flatten(-3).sum(-1) + prior.log_prob(z) - posterior.log_prob(z)

    def log_evidence(self, x):
        """log p(x) with one latent unit, by the trapezoidal rule over the prior.  [B, C, H, W] -> [B]"""
        z, width = trapezoid(8.0, 121)
        likelihood = self.log_likelihoods(x, z.view(-1, 1, 1).expand(-1, len(x), 1)).flatten(-3).sum(-1)  # [N, B]
        return torch.logsumexp(Normal(0.0, 1.0).log_prob(z)[:, None] + math.log(width) + likelihood, 0)
