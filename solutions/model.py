"""Autoencoder, variational autoencoder (VAE) and importance weighted autoencoder (IWAE).

This is the one file of the assignment that you edit. The autoencoder works as it is; three TODOs
turn it into a VAE (TODO 1 and 2) and then into an IWAE (TODO 3).

Symbols, and the shape of each tensor (samples come first):

    x      images [B, P]            P pixels, each 0 or 1 once the image is binarised
    mu     mean of q(z | x) [B, D]
    sigma  standard deviation of q(z | x) [B, D], never a variance, never a logarithm
    eps    noise from N(0, I) [k, B, D]
    z      latent [k, B, D]         k samples for each of B images, D latent units
    log_w  log importance weight, log p(x | z) + log p(z) - log q(z | x) [k, B]

All log-likelihoods and bounds are in nats, one number per image.

VAE:  Kingma and Welling 2013, arXiv:1312.6114.
IWAE: Burda, Grosse and Salakhutdinov 2015, arXiv:1509.00519.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

import likelihood


def bernoulli_log_likelihood(x, logits):
    """log p(x | z) of independent pixels, p(pixel = 1) = sigmoid(logits).  [..., P] -> [...]"""
    # In one pass over the pixels: (x * logits - F.softplus(logits)).sum(-1)
    return likelihood.bernoulli(x, logits)


def gaussian_log_likelihood(z, mu, sigma):
    """log N(z; mu, diag(sigma^2)), with every constant.  three tensors [..., D] -> [...]

    The sum over the D units of -log(sigma) - log(2 pi)/2 - ((z - mu) / sigma)^2 / 2.
    """
    ### BEGIN SOLUTION
    # TODO 1: return the log-density of a diagonal Gaussian, summed over the last axis only.
    standardised = (z - mu) / sigma
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * standardised**2).sum(-1)
    ### END SOLUTION


def reparameterize(mu, sigma, eps):
    """Samples of N(mu, diag(sigma^2)) made from the noise eps.  [B, D], [B, D], [k, B, D] -> [k, B, D]

    Deterministic in eps, so that gradients reach mu and sigma (Kingma and Welling, section 2.4).
    """
    ### BEGIN SOLUTION
    # TODO 1: turn the given noise into samples, so that gradients can flow to mu and sigma.
    return mu + sigma * eps  # [B, D] broadcasts against [k, B, D]
    ### END SOLUTION


def vae_objective(log_w):
    """One estimate of the ELBO per image: the mean over its k samples of log_w.  [k, B] -> [B]

    Burda et al., equation 3: E_q[log p(x, z) - log q(z | x)] <= log p(x).
    """
    ### BEGIN SOLUTION
    # TODO 2: average log_w over the samples, and keep one number per image.
    return log_w.mean(0)
    ### END SOLUTION


def log_mean_exp(a, dim=0):
    """log of the mean of exp(a) along one axis, for any offset of a.  [..., n, ...] -> [..., ...]

    exp(-200) is 0 in float32, so log(mean(exp(a))) is -inf where the answer is about -200. Subtracting
    a constant c from every entry subtracts exactly c from the answer: choose c so that nothing overflows
    and the largest term does not underflow.
    """
    ### BEGIN SOLUTION
    # TODO 3: compute log(mean(exp(a))) along dim without letting exp underflow or overflow.
    return torch.logsumexp(a, dim) - math.log(a.shape[dim])
    ### END SOLUTION


def iwae_objective(log_w):
    """One estimate of the k-sample bound L_k per image, a number to maximise.  [k, B] -> [B]

    Burda et al., equation 8: L_k = E[log (1/k) sum_i w_i], and ELBO = L_1 <= L_k <= log p(x).
    """
    ### BEGIN SOLUTION
    # TODO 3: take the logarithm of the mean weight over the samples, with log_mean_exp.
    return log_mean_exp(log_w, dim=0)
    ### END SOLUTION


def tanh_layers(sizes):
    """Linear layers, each followed by tanh: sizes (784, 100) make one layer of 100 hidden units."""
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """q(z | x) = N(mu, diag(sigma^2)).  [B, P] -> mu [B, D], sigma [B, D]

    Tied, the course's base network: one head a gives mu = tanh(a) and sigma = exp(a). This is a
    restriction: mu lies in (-1, 1) and fixes sigma, small near -1, exactly 1 at 0, large near 1.
    Untied: a head for mu and a head for log(sigma).
    """

    def __init__(self, d_data, d_latent, hidden, tied):
        super().__init__()
        self.tied = tied
        self.body = tanh_layers((d_data, *hidden))
        self.head = nn.Linear(hidden[-1], d_latent if tied else 2 * d_latent)

    def forward(self, x):
        a = self.head(self.body(x))  # [B, D] if tied, else [B, 2 D]
        if self.tied:
            return torch.tanh(a), torch.exp(a)
        mu, log_sigma = a.chunk(2, dim=-1)
        return mu, torch.exp(log_sigma)


class Decoder(nn.Module):
    """p(x | z): the logit of each pixel.  [..., D] -> [..., P]"""

    def __init__(self, d_latent, d_data, hidden):
        super().__init__()
        self.body = tanh_layers((d_latent, *reversed(hidden)))
        self.head = nn.Linear(hidden[0], d_data)

    def forward(self, z):
        return self.head(self.body(z))


class IWAE(nn.Module):
    """Encoder and decoder, and the three objectives that train them."""

    def __init__(self, d_data=784, d_latent=10, hidden=(100,), tied=True):
        super().__init__()
        self.d_latent = d_latent
        self.encoder = Encoder(d_data, d_latent, hidden, tied)
        self.decoder = Decoder(d_latent, d_data, hidden)

    def log_weights(self, x, eps):
        """log p(x | z) + log p(z) - log q(z | x) at samples z of q(z | x).  [B, P], [k, B, D] -> [k, B]

        The prior p(z) is N(0, I). Encode each image once, whatever k is.
        """
        ### BEGIN SOLUTION
        # TODO 2: encode x, sample z, decode z, and combine the three log-likelihoods.
        mu, sigma = self.encoder(x)  # [B, D]
        z = reparameterize(mu, sigma, eps)  # [k, B, D]
        log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))  # [k, B]
        log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))  # [k, B]
        log_q_z_given_x = gaussian_log_likelihood(z, mu, sigma)  # [k, B]
        return log_p_x_given_z + log_p_z - log_q_z_given_x
        ### END SOLUTION

    def autoencoder_objective(self, x):
        """log p(x | z) at z = mu: how well each image is reconstructed.  [B, P] -> [B]"""
        mu, _ = self.encoder(x)
        return bernoulli_log_likelihood(x, self.decoder(mu))

    def loss(self, x, objective="ae", k=1):
        """What training minimises: minus the objective ("ae", "vae" or "iwae"), averaged over the images."""
        if objective == "ae":
            return -self.autoencoder_objective(x).mean()
        eps = torch.randn(k, len(x), self.d_latent, dtype=x.dtype, device=x.device)
        objectives = {"vae": vae_objective, "iwae": iwae_objective}
        return -objectives[objective](self.log_weights(x, eps)).mean()


OBJECTIVES = {"ae": {}, "vae": {}, "iwae": {"train_k": 10}}  # what train.py can train, each with its own defaults


def build(settings):
    """The model that train.py trains, for the settings of a run."""
    return IWAE(d_latent=settings.d_latent, hidden=settings.hidden, tied=not settings.untied)
