"""Which bound, and which gradient: estimators that train an IWAE (lab `estimators`).

This is the one file of the lab that you edit: nine short functions and a method, in five TODOs. It builds on the core,
your base_code/model.py, and is a model file too:

    python base_code/train.py --model base_code/labs/estimators.py --objective dreg --train-k 50

Symbols, and the shape of each tensor (samples come first):

    x      images [B, P]
    mu     mean of q(z | x) [B, D]
    sigma  standard deviation of q(z | x) [B, D], never a variance, never a logarithm
    eps    noise from N(0, I) [k, B, D]
    log_w  log importance weight, log p(x | z) + log p(z) - log q(z | x) [k, B], or [m, k, B] for m groups of k samples

An objective is something to maximise, in nats, one number per image. An estimator is a pair of them, one for the
encoder and one for the decoder: each is differentiated for the parameters of that part alone.

MIWAE, CIWAE, PIWAE: Rainforth et al. 2018, Tighter variational bounds are not necessarily better, arXiv:1802.04537.
Sticking the landing: Roeder, Wu and Duvenaud 2017, arXiv:1703.09194.
DReG: Tucker, Lawson, Gu and Maddison 2018, Doubly reparameterized gradient estimators, arXiv:1810.04152.
"""

import model
import torch
from model import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    iwae_objective,
    log_mean_exp,
    reparameterize,
    vae_objective,
)


def gaussian_kl(mu, sigma):
    """KL(N(mu, diag(sigma^2)) || N(0, I)), in closed form.  [B, D], [B, D] -> [B]

    The sum over the D units of (mu^2 + sigma^2 - 1)/2 - log(sigma)  (Kingma and Welling, appendix B).
    """
    raise NotImplementedError("TODO 1: return the divergence of each image's q from the prior, summed over D.")


def vae_objective_kl(log_p_x_given_z, mu, sigma):
    """The ELBO per image, with samples for its first term alone.  [k, B], [B, D], [B, D] -> [B]

    E_q[log p(x | z)] - KL(q(z | x) || p(z)): the divergence needs no samples.
    """
    raise NotImplementedError("TODO 1: average log p(x | z) over the samples, and subtract the divergence once.")


def miwae_objective(log_w):
    """The k-sample bound, averaged over m independent groups.  [m, k, B] -> [B]

    The same expectation as with one group, and a variance that is m times smaller.
    """
    raise NotImplementedError("TODO 2: take the k-sample bound of each group, then the mean over the groups.")


def ciwae_objective(log_w, beta):
    """A convex combination: beta times the ELBO plus (1 - beta) times the k-sample bound.  [k, B], number -> [B]

    Both from the same samples. beta = 1 is the VAE, beta = 0 the IWAE.
    """
    raise NotImplementedError("TODO 2: combine vae_objective and iwae_objective of the same log weights.")


def piwae_objectives(log_w):
    """The encoder's objective and the decoder's, stacked in this order.  [m, k, B] -> [2, B]

    The encoder gets m groups of k samples, miwae_objective; the decoder the bound of all m k samples, the tightest.
    """
    raise NotImplementedError("TODO 2: stack miwae_objective, and iwae_objective of all samples as one group.")


def weighted_objective(log_w):
    """The log weights, averaged with the normalised weights, which are constants to the gradient.  [k, B] -> [B]

    Burda et al., equation 14, as one writes it in code: its gradient is that of iwae_objective. Its value is not.
    """
    raise NotImplementedError("TODO 3: normalise the weights, stop their gradient, and sum weight times log_w.")


def stl_objective(stopped_log_w):
    """Sticking the landing: a number to differentiate for the encoder alone.  [k, B] -> [B]

    Equation 14 with log weights from stopped_log_weights: each sample's path counts with its normalised weight.
    Only its gradient means something, and that has the expectation of the bound's gradient for k = 1 alone.
    """
    raise NotImplementedError("TODO 4: weigh the stopped log weights as equation 14 does.")


def dreg_objective(stopped_log_w):
    """The doubly reparameterized gradient: a number to differentiate for the encoder alone.  [k, B] -> [B]

    Each sample's path counts with the square of its normalised weight, a constant (Tucker et al., equation 8). Only
    its gradient means something, and that has the expectation of the bound's gradient for every k.
    """
    raise NotImplementedError("TODO 4: weigh with the squares of the normalised weights, which are stopped.")


def signal_to_noise(gradients):
    """|mean| / standard deviation of each of n parameters' gradients, over R draws of the noise.  [R, n] -> [n]"""
    raise NotImplementedError("TODO 5: take the mean and the standard deviation over the draws, for each parameter.")


class IWAE(model.IWAE):
    """The core's networks, with a head for mu and one for sigma, and the pairs of objectives that train them."""

    def __init__(self, m=1, beta=0.5, **sizes):
        super().__init__(**sizes, tied=False)
        self.m, self.beta = m, beta

    def stopped_log_weights(self, x, eps):
        """log_weights with the same values, but no gradient through the parameters of q.  [B, P], [k, B, D] -> [k, B]

        log q(z | x) depends on the encoder twice: through the sample z, and through the density's own mu and sigma.
        The second way is stopped, the first one kept; the gradient to the decoder is that of log_weights.
        Build it from the functions imported above, as log_weights of model.py does.
        """
        raise NotImplementedError("TODO 4: compute log_weights, with constant mu and sigma inside log q alone.")

    def objectives(self, x, eps, objective):
        """What the encoder and the decoder each maximise.  [B, P], [m k, B, D] -> [B], [B]"""
        if objective in ("stl", "dreg"):
            log_w = self.stopped_log_weights(x, eps)  # to the decoder the same as log_weights: one pass serves both
            for_encoder = {"stl": stl_objective, "dreg": dreg_objective}[objective]
            return for_encoder(log_w), iwae_objective(log_w)
        if objective == "vae-kl":
            mu, sigma = self.encoder(x)
            log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(reparameterize(mu, sigma, eps)))
            return (vae_objective_kl(log_p_x_given_z, mu, sigma),) * 2
        log_w = self.log_weights(x, eps)  # [m k, B]
        groups = log_w.unflatten(0, (self.m, -1))  # [m, k, B]
        if objective == "piwae":
            return piwae_objectives(groups).unbind()
        if objective == "miwae":
            bound = miwae_objective(groups)
        elif objective == "ciwae":
            bound = ciwae_objective(log_w, self.beta)
        else:
            bound = {"vae": vae_objective, "iwae": iwae_objective, "iwae-eq14": weighted_objective}[objective](log_w)
        return bound, bound

    def losses(self, x, objective, k):
        """What training minimises, each for its own part: minus the objective, averaged over the images."""
        eps = torch.randn(self.m * k, len(x), self.d_latent, dtype=x.dtype, device=x.device)
        encoder, decoder = self.objectives(x, eps, objective)
        loss = -decoder.mean()
        return {"encoder": loss if encoder is decoder else -encoder.mean(), "decoder": loss}


OBJECTIVES = {  # what train.py can train, each with its own defaults
    "vae-kl": {},
    "vae": {},
    "iwae": {"train_k": 10},
    "iwae-eq14": {"train_k": 10},
    "miwae": {"train_k": 8, "train_m": 8},
    "ciwae": {"train_k": 10},
    "piwae": {"train_k": 8, "train_m": 8},
    "stl": {"train_k": 10},
    "dreg": {"train_k": 10},
}
OPTIONS = {  # further settings of train.py: {name: (default, help)}
    "train_m": (1, "groups of k samples per image while training (miwae, piwae: 8)"),
    "beta": (0.5, "weight of the ELBO in ciwae, from 0 to 1"),
}


def build(settings):
    """The model that train.py trains, for the settings of a run."""
    return IWAE(settings.train_m, settings.beta, d_latent=settings.d_latent, hidden=settings.hidden)
