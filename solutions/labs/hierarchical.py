"""Two stochastic layers, labels, and what the latent units are used for (lab `hierarchical`).

This is the one file of the lab that you edit: three TODOs. The networks, and what trains them, are given.

Symbols, and the shape of each tensor (samples come first):

    x       images [B, P]               P pixels, each 0 or 1
    y       labels, one-hot [B, C]      1.0 at the image's class, 0.0 elsewhere
    z1, z2  latents [k, B, D1], [k, B, D2]      z1 next to the image, z2 above it
    eps     noise from N(0, I) [k, B, D1 + D2], that of z1 first; [k, B, D] with a single layer
    log_w   log importance weight, log p - log q of all that is sampled [k, B]

Every Gaussian is diagonal, with a network for its mean and its standard deviation sigma. All densities are in nats.

Burda, Grosse and Salakhutdinov 2015, Importance weighted autoencoders, arXiv:1509.00519, section 5.
Sohn, Lee and Yan 2015, Learning structured output representation using deep conditional generative models.
"""

import torch
from model import (
    IWAE,
    Decoder,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    iwae_objective,
    log_mean_exp,  # noqa: F401 - train.py and evaluate.py take it from here
    reparameterize,
    tanh_layers,
    vae_objective,
)
from torch import nn


class Gaussian(nn.Module):
    """N(mu, diag(sigma^2)) given an input, a head for each.  [..., n_in] -> mu [..., D], sigma [..., D]

    Without hidden units both heads are linear: for one-hot inputs, a mean and a sigma of each class.
    """

    def __init__(self, n_in, hidden, d):
        super().__init__()
        sizes = (n_in, *hidden)
        self.body = tanh_layers(sizes)
        self.mu = nn.Linear(sizes[-1], d)
        self.log_sigma = nn.Linear(sizes[-1], d)

    def forward(self, inputs):
        h = self.body(inputs)
        return self.mu(h), torch.exp(self.log_sigma(h))


class Trained(nn.Module):
    """What train.py asks of a model."""

    def loss(self, x, objective, k, *y):
        """Minus the objective ("vae" or "iwae"), averaged over the images.  [B, P], and [B, C] with labels -> []"""
        eps = torch.randn(k, len(x), self.d_latent, dtype=x.dtype, device=x.device)
        objectives = {"vae": vae_objective, "iwae": iwae_objective}
        return -objectives[objective](self.log_weights(x, eps, *y)).mean()


class TwoLayerIWAE(Trained):
    """p(z2) p(z1 | z2) p(x | z1), with p(z2) = N(0, I), and q(z1 | x) q(z2 | z1)."""

    def __init__(self, d_data=784, d1=100, d2=50, hidden1=(200, 200), hidden2=(100, 100)):
        super().__init__()
        self.d1, self.d2, self.d_latent = d1, d2, d1 + d2
        self.q_z1 = Gaussian(d_data, hidden1, d1)  # q(z1 | x)
        self.q_z2 = Gaussian(d1, hidden2, d2)  # q(z2 | z1)
        self.p_z1 = Gaussian(d2, hidden2[::-1], d1)  # p(z1 | z2)
        self.decoder = Decoder(d1, d_data, hidden1)  # z1 -> the logits of p(x | z1)

    def log_weights(self, x, eps):
        """log p(x, z1, z2) - log q(z1, z2 | x) at samples of q.  [B, P], [k, B, D1 + D2] -> [k, B]

        Each z1 has a z2 of its own, drawn from q(z2 | z1). Encode each image once, whatever k is.
        """
        ### BEGIN SOLUTION
        # TODO 1: sample z1, then z2 given z1, and combine five log densities.
        eps1, eps2 = eps.split((self.d1, self.d2), dim=-1)
        mu1, sigma1 = self.q_z1(x)  # [B, D1]
        z1 = reparameterize(mu1, sigma1, eps1)  # [k, B, D1]
        mu2, sigma2 = self.q_z2(z1)  # [k, B, D2]
        z2 = reparameterize(mu2, sigma2, eps2)  # [k, B, D2]
        log_p_x_given_z1 = bernoulli_log_likelihood(x, self.decoder(z1))  # [k, B]
        log_p_z1_given_z2 = gaussian_log_likelihood(z1, *self.p_z1(z2))
        log_p_z2 = gaussian_log_likelihood(z2, torch.zeros_like(z2), torch.ones_like(z2))
        log_q_z1_given_x = gaussian_log_likelihood(z1, mu1, sigma1)
        log_q_z2_given_z1 = gaussian_log_likelihood(z2, mu2, sigma2)
        return log_p_x_given_z1 + log_p_z1_given_z2 + log_p_z2 - log_q_z1_given_x - log_q_z2_given_z1
        ### END SOLUTION

    def sample(self, eps):
        """The logits of images drawn from the model, from the top down.  [n, D1 + D2] -> [n, P]"""
        ### BEGIN SOLUTION
        # TODO 1: make z2 of its noise, then z1 given z2 of its own, and decode z1.
        eps1, z2 = eps.split((self.d1, self.d2), dim=-1)  # p(z2) is N(0, I): the noise is z2
        return self.decoder(reparameterize(*self.p_z1(z2), eps1))
        ### END SOLUTION

    def reconstruct(self, x):
        """The logits of p(x | z1) at the mean of q(z1 | x).  [B, P] -> [B, P]"""
        mu1, _ = self.q_z1(x)
        return self.decoder(mu1)


class ConditionalIWAE(Trained):
    """p(z | y) p(x | z, y) and q(z | x, y): a model of images whose label is known."""

    needs_labels = True

    def __init__(self, d_data=784, n_classes=10, d_latent=50, hidden=(200, 200), prior="label"):
        """prior "standard": p(z | y) = N(0, I), whatever y is. "label": a mean and a sigma for each class, learned."""
        super().__init__()
        self.d_latent, self.n_classes = d_latent, n_classes
        self.q_z = Gaussian(d_data + n_classes, hidden, d_latent)  # x and y, side by side -> q(z | x, y)
        self.p_z = Gaussian(n_classes, (), d_latent) if prior == "label" else None
        self.decoder = Decoder(d_latent + n_classes, d_data, hidden)  # z and y, side by side -> logits of p(x | z, y)

    def prior(self, y):
        """mu and sigma of p(z | y).  [B, C] -> [B, D], [B, D]"""
        if self.p_z is not None:
            return self.p_z(y)
        mu = y.new_zeros(*y.shape[:-1], self.d_latent)
        return mu, mu + 1

    def log_weights(self, x, eps, y):
        """log p(x, z | y) - log q(z | x, y) at samples z of q.  [B, P], [k, B, D], [B, C] -> [k, B]"""
        ### BEGIN SOLUTION
        # TODO 2: give y to encoder, decoder and prior, and combine the three log densities.
        mu, sigma = self.q_z(torch.cat([x, y], dim=-1))  # [B, D]
        z = reparameterize(mu, sigma, eps)  # [k, B, D]
        logits = self.decoder(torch.cat([z, y.expand(len(z), -1, -1)], dim=-1))  # [k, B, P]
        log_p = bernoulli_log_likelihood(x, logits) + gaussian_log_likelihood(z, *self.prior(y))  # [k, B]
        return log_p - gaussian_log_likelihood(z, mu, sigma)
        ### END SOLUTION

    def sample(self, eps, y):
        """The logits of images of these classes, drawn from the model.  [n, D], [n, C] -> [n, P]"""
        z = reparameterize(*self.prior(y), eps)  # [n, D]
        return self.decoder(torch.cat([z, y], dim=-1))

    def reconstruct(self, x, y):
        """The logits of p(x | z, y) at the mean of q(z | x, y).  [B, P], [B, C] -> [B, P]"""
        mu, _ = self.q_z(torch.cat([x, y], dim=-1))
        return self.decoder(torch.cat([mu, y], dim=-1))


def activity(means):
    """How much each latent unit is used: the variance over images of its posterior mean.  [N, D] -> [D]

    Burda et al., section 5.2: a unit whose posterior mean is the same for every image tells nothing of the image.
    """
    ### BEGIN SOLUTION
    # TODO 3: take the variance over the images, unit by unit.
    return means.var(0)
    ### END SOLUTION


def principal_components(a, n):
    """The coordinates of each row along the n directions of largest variance, the largest first.  [N, D] -> [N, n]

    The rows are centred and not scaled. The sign of a direction is free.
    """
    ### BEGIN SOLUTION
    # TODO 3: centre the columns, find the directions by an SVD, and project on them.
    centred = a - a.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)  # rows of [min(N, D), D]
    return centred @ directions[:n].T
    ### END SOLUTION


OBJECTIVES = {"vae": {}, "iwae": {"train_k": 5}}  # what train.py can train, each with its own defaults
OPTIONS = {  # further settings of a run: their default, what they are, and the choices
    "layers": (2, "stochastic layers", (1, 2)),
    "conditional": ("no", "a model of images given their labels, of one layer: its prior", ("no", "standard", "label")),
}


def build(settings):
    """The model that train.py trains, for the settings of a run. The hidden units are those next to the image."""
    hidden, d = settings.hidden, settings.d_latent
    if settings.conditional != "no":
        return ConditionalIWAE(d_latent=d, hidden=hidden, prior=settings.conditional)
    if settings.layers == 1:
        return IWAE(d_latent=d, hidden=hidden, tied=False)
    halves = tuple(max(n // 2, 1) for n in hidden)
    return TwoLayerIWAE(d1=2 * d, d2=d, hidden1=hidden, hidden2=halves)  # the paper: 100 and 50 units
