"""Likelihoods of grey and colour images, and bits per dimension (lab `pixels`).

This is the one file of the lab that you edit: five functions in three TODOs. It is also a model file:
train.py --model base_code/labs/pixels.py trains it. What it imports from `model` is your own model.py.

Symbols, and the shape of each tensor (samples come first):

    x       images [B, C, H, W]      the grey levels 0, 1, ..., 255 as floats; C = 3 colours or 1
    mu      centre of a logistic distribution, in grey levels [...]
    log_s   log of its scale s, in grey levels [...]     its standard deviation is 1.81 s
    logits  of the weights of M logistics, up to a constant [..., M]
    eps, z  noise and latent [k, B, D]
    log_w   log importance weight, log p(x | z) + log p(z) - log q(z | x) [k, B]

A number of an image, one colour of one pixel, is called a dimension here: an image has n = C H W of them.

Discretized logistic: Kingma et al. 2016, arXiv:1606.04934. Mixtures of it: Salimans et al. 2017, arXiv:1701.05517.
"""

import math

import torch
from model import (
    gaussian_log_likelihood,
    iwae_objective,
    log_mean_exp,  # noqa: F401  evaluate.py asks the file for it
    reparameterize,
    vae_objective,
)
from torch import nn
from torch.nn import functional as F


def discretized_logistic(x, mu, log_s):
    """log P(x) of the grey level x, where P is a logistic distribution cut into 256 bins.  three tensors [...] -> [...]

    The bin of x goes from x - 1/2 to x + 1/2; that of 0 begins at minus infinity, that of 255 ends at infinity. The
    logistic's distribution function at t is sigmoid((t - mu) / s). The shapes broadcast: x [B, C, H, W] and the others
    [k, B, C, H, W] give [k, B, C, H, W]. Finite, and with a gradient of use, however far x is from mu.
    """
    ### BEGIN SOLUTION
    # TODO 1: log of a difference of two sigmoids, as a sum; mind the levels 0 and 255.
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s  # the ends of the bin
    # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), and a - b = 1 / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))
    ### END SOLUTION


def bits_per_dim(nll, n):
    """Negative log-likelihoods of images of n dimensions: nats per image to bits per dimension.  [...], n -> [...]"""
    ### BEGIN SOLUTION
    # TODO 1: share the nats among the dimensions, and change the unit to bits.
    return nll / (n * math.log(2))
    ### END SOLUTION


def mixture_log_likelihood(x, logits, mu, log_s):
    """log P(x) of the grey level x under a mixture of M discretized logistics.  x [...], others [..., M] -> [...]

    log of the sum over m of pi_m P_m(x), where pi is the softmax of logits over the last axis. x broadcasts as above:
    x [B, C, H, W] and the others [k, B, C, H, W, M] give [k, B, C, H, W].
    """
    ### BEGIN SOLUTION
    # TODO 2: log of a weighted sum of the M probabilities, without leaving logarithms.
    log_p = discretized_logistic(x.unsqueeze(-1), mu, log_s)  # [..., M]
    return torch.logsumexp(torch.log_softmax(logits, -1) + log_p, -1)
    ### END SOLUTION


def sample_logistic(mu, log_s, u):
    """Grey levels drawn from discretized logistics, from uniform numbers u in (0, 1).  three tensors [...] -> [...]

    The inverse of the distribution function at u, rounded to a whole number, and no less than 0, no more than 255.
    """
    ### BEGIN SOLUTION
    # TODO 2: solve u = sigmoid((t - mu) / s) for t, round it, keep it within 0 to 255.
    t = mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))
    return t.round().clamp(0, 255)
    ### END SOLUTION


class Encoder(nn.Module):
    """q(z | x) = N(mu, diag(sigma^2)).  [B, C, H, W] -> mu [B, D], sigma [B, D]"""

    def __init__(self, shape, d_latent, channels, hidden):
        super().__init__()
        C, H, W = shape
        first, second = channels
        self.body = nn.Sequential(
            nn.Conv2d(C, first, 4, stride=2, padding=1),  # halves H and W
            nn.ELU(),
            nn.Conv2d(first, second, 4, stride=2, padding=1),
            nn.ELU(),
            nn.Flatten(),
            nn.Linear(second * (H // 4) * (W // 4), hidden),
            nn.ELU(),
        )
        self.head = nn.Linear(hidden, 2 * d_latent)

    def forward(self, x):
        mu, log_sigma = self.head(self.body(x / 127.5 - 1)).chunk(2, dim=-1)
        return mu, torch.exp(log_sigma.clamp(-7, 3))


class Decoder(nn.Module):
    """p(x | z): a mixture of M logistics for each dimension.  [k, B, D] -> logits, mu, log_s [k, B, C, H, W, M]"""

    def __init__(self, shape, d_latent, components, channels, hidden):
        super().__init__()
        C, H, W = shape
        first, second = channels
        self.sizes = (C, components, 3)
        self.body = nn.Sequential(
            nn.Linear(d_latent, hidden),
            nn.ELU(),
            nn.Linear(hidden, second * (H // 4) * (W // 4)),
            nn.ELU(),
            nn.Unflatten(1, (second, H // 4, W // 4)),
            nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),  # doubles H and W
            nn.ELU(),
        )
        self.head = nn.ConvTranspose2d(first, math.prod(self.sizes), 4, stride=2, padding=1)

    def forward(self, z):
        a = self.head(self.body(z.flatten(0, 1)))  # [k B, C M 3, H, W]
        a = a.unflatten(1, self.sizes).permute(3, 0, 1, 4, 5, 2)  # [3, k B, C, H, W, M]
        logits, mu, log_s = a.unflatten(1, z.shape[:2])  # each [k, B, C, H, W, M]
        return logits, 127.5 + 127.5 * mu, (log_s + 2.5).clamp(-3, 7)


class PixelVAE(nn.Module):
    """A convolutional VAE of images of 8-bit numbers; H and W are multiples of 4."""

    def __init__(self, shape=(3, 16, 16), d_latent=32, components=1, channels=(32, 64), hidden=128):
        super().__init__()
        self.d_latent = d_latent
        self.encoder = Encoder(shape, d_latent, channels, hidden)
        self.decoder = Decoder(shape, d_latent, components, channels, hidden)

    def log_weights(self, x, eps):
        """log p(x | z) + log p(z) - log q(z | x) at samples z of q(z | x).  [B, C, H, W], [k, B, D] -> [k, B]

        The prior p(z) is N(0, I); given z, the dimensions of an image are independent.
        """
        ### BEGIN SOLUTION
        # TODO 3: encode x, sample z, decode z, and combine the three log-likelihoods.
        mu, sigma = self.encoder(x)  # [B, D]
        z = reparameterize(mu, sigma, eps)  # [k, B, D]
        log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))  # [k, B, C, H, W] -> [k, B]
        log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
        return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)
        ### END SOLUTION

    def loss(self, x, objective="vae", k=1):
        """What training minimises: minus the objective ("vae" or "iwae"), averaged over the images."""
        eps = torch.randn(k, len(x), self.d_latent, dtype=x.dtype, device=x.device)
        objectives = {"vae": vae_objective, "iwae": iwae_objective}
        return -objectives[objective](self.log_weights(x, eps)).mean()

    def sample(self, eps):
        """The means of the mixtures that latents are decoded to, without their noise.  [n, D] -> [n, C, H, W]"""
        logits, mu, _ = self.decoder(eps[None])  # each [1, n, C, H, W, M]
        return (torch.softmax(logits, -1) * mu).sum(-1)[0].clamp(0, 255)

    def reconstruct(self, x):
        """The same at z = mu of q(z | x).  [n, C, H, W] -> [n, C, H, W]"""
        return self.sample(self.encoder(x)[0])


OBJECTIVES = {"vae": {"d_latent": 32}, "iwae": {"d_latent": 32, "train_k": 5}}  # what train.py can train, and defaults
OPTIONS = {"components": (1, "logistics in the mixture of each dimension")}
DATA = {"patches": (3, 16, 16), "frey": (1, 28, 20), "cifar10": (3, 32, 32)}  # and the shape of its images


def build(settings):
    """The model that train.py trains, for the settings of a run."""
    return PixelVAE(DATA[settings.data], settings.d_latent, settings.components)
