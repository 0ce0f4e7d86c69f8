"""Wrong answers that learners give, as functions: where one reproduces a submission's numbers, the feedback names it.

Each entry is the wrong formula under the model file's own signature, why it is wrong, and where to read. The judge
evaluates it on the inputs of a lost check, with the submission's random seed. tests/assignments/ makes a wrong
submission of each.
"""

import math

import torch
from torch.distributions import Normal

from autograder.assignments.iwae import ASSIGNMENT
from autograder.grading.assignment import Misconceptions

reference = ASSIGNMENT.reference
bernoulli_log_likelihood = reference.bernoulli_log_likelihood
gaussian_log_likelihood = reference.gaussian_log_likelihood
reparameterize = reference.reparameterize
log_mean_exp = reference.log_mean_exp

# Where to read: the section of the handout, assignment/README.md, and the slide of that title; and the paper.
DENSITY = "handout and slides, The Gaussian density"
NOISE = "handout and slides, Reparameterization; Kingma and Welling 2013 (arXiv:1312.6114), section 2.4"
WEIGHTS = "handout and slides, The log weight; Burda et al. 2015 (arXiv:1509.00519), section 3"
ELBO = "handout and slides, The ELBO; Burda et al. 2015 (arXiv:1509.00519), equation 3"
BOUND = "handout and slides, The k-sample bound; Burda et al. 2015 (arXiv:1509.00519), equation 8"
GRADIENT = "handout and slides, The gradient of the bound; Burda et al. 2015 (arXiv:1509.00519), equations 13 and 14"
STABLE = "handout and slides, Underflow"


MISCONCEPTIONS = Misconceptions()
misconception = MISCONCEPTIONS.add


# TODO 1: reparameterize -----------------------------------------------------------------------------------


@misconception(
    "reparam.exp_sigma",
    "reparameterize",
    "sigma is taken for a logarithm and exponentiated. It already is the standard deviation: use it as it is.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + torch.exp(sigma) * eps


@misconception(
    "reparam.exp_half",
    "reparameterize",
    "sigma is taken for a log variance, exp(sigma / 2). Many VAE codes predict one, this course's encoder does not.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + torch.exp(0.5 * sigma) * eps


@misconception(
    "reparam.variance",
    "reparameterize",
    "The noise is scaled by the variance sigma^2. A standard deviation of sigma needs the factor sigma.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + sigma**2 * eps


@misconception(
    "reparam.sqrt_sigma",
    "reparameterize",
    "sigma is taken for a variance and its root is used. It already is the standard deviation.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + torch.sqrt(sigma) * eps


@misconception(
    "reparam.minus",
    "reparameterize",
    "The noise is subtracted. This has the same distribution, but the sample must be the one that eps asks for.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu - sigma * eps


@misconception(
    "reparam.ignores_eps",
    "reparameterize",
    "New noise is drawn inside, and eps is ignored. The sample must be a function of eps alone, so that it can be "
    "repeated and differentiated.",
    NOISE,
    explains="random",
)
def _(mu, sigma, eps):
    return mu + sigma * torch.randn_like(eps)


@misconception(
    "reparam.uniform_noise",
    "reparameterize",
    "New noise is drawn inside, from rand_like: uniform, never negative. The noise is eps, and it is normal.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + sigma * torch.rand_like(eps)


@misconception(
    "reparam.mean_only",
    "reparameterize",
    "Every sample is mu, without noise. Then nothing is sampled from q, and sigma gets no gradient.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu.expand_as(eps)


@misconception(
    "reparam.noise_only",
    "reparameterize",
    "mu is left out. The samples must be centred at mu.",
    NOISE,
)
def _(mu, sigma, eps):
    return (sigma * eps).expand_as(eps)


@misconception(
    "reparam.one_noise",
    "reparameterize",
    "All k samples use the noise of the first. They must be independent: sample i uses eps[i].",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + sigma * eps[:1].expand_as(eps)


@misconception(
    "reparam.first_sample",
    "reparameterize",
    "Only one sample is returned. eps holds k of them, and so must z: [k, B, D].",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + sigma * eps[0]


@misconception(
    "reparam.detached",
    "reparameterize",
    "The values are right, but no gradient reaches mu and sigma: detach, .data, numpy, no_grad or Normal.sample() cut "
    "it. The encoder then learns nothing from the samples; compute z with plain tensor operations.",
    NOISE,
)
def _(mu, sigma, eps):
    return (mu + sigma * eps).detach()


@misconception(
    "reparam.sigma_detached",
    "reparameterize",
    "The values are right, but no gradient reaches sigma. The width of q then learns nothing from the samples.",
    NOISE,
)
def _(mu, sigma, eps):
    return mu + sigma.detach() * eps


@misconception(
    "reparam.clamped_sigma",
    "reparameterize",
    "The samples are right for ordinary numbers and wrong for small or large ones: is sigma clamped, or eps or mu, or "
    "is something added? A trained encoder has sigma from 0.001 up, and must be taken at its word.",
    NOISE,
    explains="extremes",
)
def _(mu, sigma, eps):
    return mu + sigma.clamp(0.1, 5) * eps


# TODO 1: gaussian_log_likelihood --------------------------------------------------------------------------


@misconception(
    "gauss.sigma_as_variance",
    "gaussian_log_likelihood",
    "sigma is taken for a variance. It is the standard deviation, so the square is divided by sigma^2.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-0.5 * torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * (z - mu) ** 2 / sigma).sum(-1)


@misconception(
    "gauss.divides_by_sigma",
    "gaussian_log_likelihood",
    "The square is divided by sigma where it must be divided by sigma^2. Standardise first: ((z - mu) / sigma)^2.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * (z - mu) ** 2 / sigma).sum(-1)


@misconception(
    "gauss.half_log_sigma",
    "gaussian_log_likelihood",
    "log(sigma) is halved, as if sigma were a variance. The density is divided by sigma itself.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-0.5 * torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


@misconception(
    "gauss.log_variance",
    "gaussian_log_likelihood",
    "log(sigma^2) is subtracted, twice what it should be. The density is divided by sigma: its log loses log(sigma).",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma**2) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


@misconception(
    "gauss.sigma_is_log",
    "gaussian_log_likelihood",
    "sigma is taken for a logarithm: it is subtracted as it is, and exponentiated in the square. It is a standard "
    "deviation.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-sigma - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / torch.exp(sigma)) ** 2).sum(-1)


@misconception(
    "gauss.sigma_is_log_variance",
    "gaussian_log_likelihood",
    "sigma is taken for a log variance. Many VAE codes predict one; here it is the standard deviation itself.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-0.5 * sigma - 0.5 * math.log(2 * math.pi) - 0.5 * (z - mu) ** 2 / torch.exp(sigma)).sum(-1)


@misconception(
    "gauss.no_half",
    "gaussian_log_likelihood",
    "The factor 1/2 before the square is missing. The exponent of a normal density is -((z - mu) / sigma)^2 / 2.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - ((z - mu) / sigma) ** 2).sum(-1)


@misconception(
    "gauss.no_log_sigma",
    "gaussian_log_likelihood",
    "-log(sigma) is missing. Without it the density of a wide normal does not integrate to 1, and sigma has a wrong "
    "gradient.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


@misconception(
    "gauss.no_constant",
    "gaussian_log_likelihood",
    "The constant -log(2 pi) / 2 of each dimension is missing. It cancels in log_w, but this function must return a "
    "log-density.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


@misconception(
    "gauss.constant_once",
    "gaussian_log_likelihood",
    "The constant -log(2 pi) / 2 is added once for the whole vector. Each of the D dimensions has its own.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1) - 0.5 * math.log(2 * math.pi)


@misconception(
    "gauss.constant_without_half",
    "gaussian_log_likelihood",
    "The constant is -log(2 pi), where it is half of that. The density has the square root of 2 pi below.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


@misconception(
    "gauss.mean_dims",
    "gaussian_log_likelihood",
    "The dimensions are averaged. Independent dimensions multiply their densities, so the logs are summed.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).mean(-1)


@misconception(
    "gauss.sum_all",
    "gaussian_log_likelihood",
    "Everything is summed, images and samples too. Sum over the last axis only: each sample keeps its own number.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum()


@misconception(
    "gauss.per_unit",
    "gaussian_log_likelihood",
    "Each latent unit keeps its own number. The density of the vector needs their sum over the last axis.",
    DENSITY,
)
def _(z, mu, sigma):
    return -torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2


@misconception(
    "gauss.wrong_axis",
    "gaussian_log_likelihood",
    "The sum runs over the first axis. The latent units are in the last.",
    DENSITY,
)
def _(z, mu, sigma):
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum(0)


@misconception(
    "gauss.density",
    "gaussian_log_likelihood",
    "This is the density, without its logarithm. It underflows to 0 a few standard deviations away.",
    DENSITY,
)
def _(z, mu, sigma):
    return Normal(mu, sigma).log_prob(z).sum(-1).exp()


@misconception(
    "gauss.negated",
    "gaussian_log_likelihood",
    "The sign is turned, as in a loss. The function returns the log-likelihood itself; loss() turns the sign.",
    DENSITY,
)
def _(z, mu, sigma):
    return -Normal(mu, sigma).log_prob(z).sum(-1)


@misconception(
    "gauss.log_of_density",
    "gaussian_log_likelihood",
    "The density is computed first and its log taken afterwards. Far from mu the density underflows to 0, and its log "
    "to -inf: simplify the logarithm on paper.",
    DENSITY,
)
def _(z, mu, sigma):
    density = torch.exp(-0.5 * ((z - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return torch.log(density).sum(-1)


@misconception(
    "gauss.epsilon",
    "gaussian_log_likelihood",
    "A small number is added to sigma^2 for safety. It changes the density of every narrow q.",
    DENSITY,
)
def _(z, mu, sigma):
    variance = sigma**2 + 1e-2
    return (-0.5 * torch.log(variance) - 0.5 * math.log(2 * math.pi) - 0.5 * (z - mu) ** 2 / variance).sum(-1)


@misconception(
    "gauss.clamped_sigma",
    "gaussian_log_likelihood",
    "The density is right for ordinary numbers and wrong for small or large ones: is sigma clamped, or its log, or is "
    "something added? Or z or mu? A trained encoder has sigma from 0.001 up, and must be taken at its word.",
    DENSITY,
    explains="extremes",
)
def _(z, mu, sigma):
    sigma = sigma.clamp(0.1, 5)
    return (-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - mu) / sigma) ** 2).sum(-1)


# TODO 2: log_weights --------------------------------------------------------------------------------------


@misconception(
    "logw.no_prior",
    "log_weights",
    "log p(z) is missing. Without the prior nothing keeps q near it, and the weight is not p(x, z) / q(z | x).",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    return bernoulli_log_likelihood(x, self.decoder(z)) - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.no_posterior",
    "log_weights",
    "- log q(z | x) is missing. The samples come from q, so each must be divided by how likely q makes it.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior


@misconception(
    "logw.posterior_sign",
    "log_weights",
    "log q(z | x) is added. q is the denominator of the weight, so its logarithm is subtracted.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior + gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.prior_sign",
    "log_weights",
    "log p(z) is subtracted. p(x, z) = p(x | z) p(z) is the numerator of the weight, so both logarithms are added.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) - prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.signs_swapped",
    "log_weights",
    "log p(z) is subtracted and log q(z | x) is added: the fraction is upside down. It is p(x | z) p(z) / q(z | x).",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) - prior + gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.negated",
    "log_weights",
    "The sign is turned, as in a loss. log_weights returns the log weights; loss() turns the sign.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return -bernoulli_log_likelihood(x, self.decoder(z)) - prior + gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.prior_at_mu",
    "log_weights",
    "The prior is evaluated at mu. Every term of the weight is evaluated at the same sample z.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(mu, torch.zeros_like(mu), torch.ones_like(mu))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.posterior_at_mu",
    "log_weights",
    "q is evaluated at its own mean mu. Every term of the weight is evaluated at the same sample z.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(mu, mu, sigma)


@misconception(
    "logw.prior_at_eps",
    "log_weights",
    "The prior is evaluated at the noise eps. It belongs to the latent: evaluate it at z.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(eps, torch.zeros_like(eps), torch.ones_like(eps))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.posterior_at_eps",
    "log_weights",
    "log q(z | x) is taken as the density of the noise. z = mu + sigma eps is stretched by sigma, so - log(sigma) of "
    "each unit is missing.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    zeros, ones = torch.zeros_like(z), torch.ones_like(z)
    prior = gaussian_log_likelihood(z, zeros, ones)
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(eps, zeros, ones)


@misconception(
    "logw.decodes_mu",
    "log_weights",
    "The decoder is given mu, as in the autoencoder. The weight of a sample needs p(x | z) at that sample z.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(mu)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.samples_prior",
    "log_weights",
    "z is the noise itself, a sample of the prior. It must be a sample of q(z | x), made with reparameterize.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    prior = gaussian_log_likelihood(eps, torch.zeros_like(eps), torch.ones_like(eps))
    return bernoulli_log_likelihood(x, self.decoder(eps)) + prior - gaussian_log_likelihood(eps, mu, sigma)


@misconception(
    "logw.posterior_moments_in_prior",
    "log_weights",
    "Only log p(x | z) is left: log p(z) and log q(z | x) are both missing, or cancel since the prior is given mu and "
    "sigma of q. The prior is N(0, I), whatever the image.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, mu, sigma)
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.pixel_mean",
    "log_weights",
    "log p(x | z) is averaged over the pixels. Independent pixels multiply, so the logs are summed; the mean makes the "
    "prior count 784 times too much.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    likelihood = bernoulli_log_likelihood(x, self.decoder(z)) / x.shape[-1]
    return likelihood + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.analytic_kl",
    "log_weights",
    "The closed-form KL stands in the place of log p(z) - log q(z | x) at the sample. That is the same on average, and "
    "right for the ELBO; inside the logarithm of a mean of weights it is wrong.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * torch.log(sigma)).sum(-1)
    return bernoulli_log_likelihood(x, self.decoder(z)) - kl


@misconception(
    "logw.squared_error",
    "log_weights",
    "The squared error takes the place of log p(x | z). Pixels of 0 and 1 have a Bernoulli likelihood, and only a "
    "likelihood can be added to log p(z) - log q(z | x).",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    likelihood = -((x - torch.sigmoid(self.decoder(z))) ** 2).sum(-1)
    return likelihood + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.logits_as_probabilities",
    "log_weights",
    "The sigmoid is applied twice: its result is given to a function that expects logits. bernoulli_log_likelihood "
    "takes the decoder's output as it is.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    likelihood = bernoulli_log_likelihood(x, torch.sigmoid(self.decoder(z)))
    return likelihood + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.cross_entropy_sign",
    "log_weights",
    "The binary cross-entropy is added. It is minus the log-likelihood, so it must be subtracted.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return -bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.one_sample",
    "log_weights",
    "All k samples use the noise of the first. Then k samples know no more than one.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps[:1].expand_as(eps))
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.own_noise",
    "log_weights",
    "New noise is drawn inside, and eps is ignored. log_weights must be a function of x and eps alone, so that it can "
    "be repeated.",
    WEIGHTS,
    explains="random",
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, torch.randn_like(eps))
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.mean_over_samples",
    "log_weights",
    "The samples are averaged already here. Each keeps its own weight, [k, B]; the objectives reduce them.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return (bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)).mean(0)


@misconception(
    "logw.images_first",
    "log_weights",
    "The result is transposed, [B, k]. In this course samples come first: [k, B].",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return (bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)).T


@misconception(
    "logw.detached",
    "log_weights",
    "The values are right, but the gradient is cut: detach, .data, numpy or no_grad. Nothing can be trained with them.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return (bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)).detach()


@misconception(
    "logw.posterior_detached",
    "log_weights",
    "mu and sigma are detached inside log q(z | x). That estimator exists (Roeder et al. 2017, arXiv:1703.09194), but "
    "it is not the gradient of the k-sample bound, which is asked for here.",
    GRADIENT,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    posterior = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - posterior


@misconception(
    "logw.sample_detached",
    "log_weights",
    "The sample z is detached. Then the encoder learns nothing from how well z explains the image.",
    NOISE,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps).detach()
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.encoder_per_sample",
    "log_weights",
    "The encoder runs once for every sample: the same numbers, at k times the cost. mu and sigma do not depend on the "
    "sample, so encode each image once and let eps broadcast.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x.expand(len(eps), *x.shape))
    z = mu + sigma * eps
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "logw.clamped",
    "log_weights",
    "The numbers are right for an ordinary network and wrong where sigma is small or large, or a pixel nearly certain: "
    "is sigma, mu, a logit, a probability or the result clamped? The terms are finite as they are.",
    WEIGHTS,
    explains="extremes",
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    sigma = sigma.clamp(0.1, 5)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return bernoulli_log_likelihood(x, self.decoder(z)) + prior - gaussian_log_likelihood(z, mu, sigma)


# TODO 2: vae_objective ------------------------------------------------------------------------------------


@misconception(
    "vae.sum_samples",
    "vae_objective",
    "The samples are summed. The ELBO is an expectation, so its estimate is their mean, whatever k is.",
    ELBO,
)
def _(log_w):
    return log_w.sum(0)


@misconception(
    "vae.batch_mean",
    "vae_objective",
    "The images are averaged as well. Each image has a bound of its own, [B]; loss() averages.",
    ELBO,
)
def _(log_w):
    return log_w.mean()


@misconception(
    "vae.wrong_axis",
    "vae_objective",
    "The mean runs over the images. The samples are in the first axis of log_w.",
    ELBO,
)
def _(log_w):
    return log_w.mean(1)


@misconception(
    "vae.is_iwae",
    "vae_objective",
    "This is the k-sample bound already, the log of the mean weight. The ELBO is the mean of the logs, the lower one.",
    ELBO,
)
def _(log_w):
    return log_mean_exp(log_w, 0)


@misconception(
    "vae.negated",
    "vae_objective",
    "This is the loss. The objective is the number to maximise; loss() turns the sign.",
    ELBO,
)
def _(log_w):
    return -log_w.mean(0)


@misconception(
    "vae.best_sample",
    "vae_objective",
    "Only the best sample counts. The ELBO averages over all of them.",
    ELBO,
)
def _(log_w):
    return log_w.max(0).values


@misconception(
    "vae.first_sample",
    "vae_objective",
    "Only the first sample counts. That is right on average, but wastes the others, and it is not the mean.",
    ELBO,
)
def _(log_w):
    return log_w[0]


@misconception(
    "vae.median",
    "vae_objective",
    "This is the median. The ELBO is an expectation, estimated by the mean.",
    ELBO,
)
def _(log_w):
    return log_w.median(0).values


@misconception(
    "vae.detached",
    "vae_objective",
    "The value is right, but the gradient is cut. Nothing can be trained with it.",
    ELBO,
)
def _(log_w):
    return log_w.detach().mean(0)


@misconception(
    "vae.clamped",
    "vae_objective",
    "The mean is right for ordinary numbers and wrong for very small or large ones: are the log weights clamped? Those "
    "of real images lie far below 0, and what is clamped gets no gradient.",
    ELBO,
    explains="extremes",
)
def _(log_w):
    return log_w.clamp(min=-1000).mean(0)


# TODO 3: log_mean_exp -------------------------------------------------------------------------------------


@misconception(
    "lme.naive",
    "log_mean_exp",
    "exp is taken of the numbers as they are. In float32 exp(-104) is 0 and exp(89) is inf, and the log of that is "
    "infinite: subtract the largest entry first, and add it back at the end.",
    STABLE,
)
def _(a, dim=0):
    return torch.log(torch.mean(torch.exp(a), dim))


@misconception(
    "lme.epsilon",
    "log_mean_exp",
    "1e-7 inside the log hides the underflow: every answer below log(1e-7) = -16.1 becomes -16.1, and its gradient "
    "vanishes. Subtract the largest entry before exp, and add it back at the end.",
    STABLE,
)
def _(a, dim=0):
    return torch.log(torch.mean(torch.exp(a), dim) + 1e-7)


@misconception(
    "lme.epsilon_large",
    "log_mean_exp",
    "The entries are shifted, but 1e-2 is added inside the log. After the shift the mean is at least 1/k, so nothing "
    "needs to be added.",
    STABLE,
)
def _(a, dim=0):
    m = a.max(dim, keepdim=True).values
    return (torch.log(torch.mean(torch.exp(a - m), dim, keepdim=True) + 1e-2) + m).squeeze(dim)


@misconception(
    "lme.clamp",
    "log_mean_exp",
    "Right for ordinary numbers only: they are clamped before exp, or the result is. What lies outside is changed and "
    "loses its gradient; log weights of images reach far below -100.",
    STABLE,
    explains="extremes",
)
def _(a, dim=0):
    return torch.log(torch.mean(torch.exp(a.clamp(-80, 80)), dim))


@misconception(
    "lme.no_mean",
    "log_mean_exp",
    "This is the log of the sum. The mean divides by the number of entries, so log(n) must be subtracted.",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim)


@misconception(
    "lme.adds_log_n",
    "log_mean_exp",
    "log(n) is added. The mean divides by n, so its log loses log(n).",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim) + math.log(a.shape[dim])


@misconception(
    "lme.divides_log",
    "log_mean_exp",
    "The logarithm is divided by n. The division by n belongs inside the log, where it becomes - log(n).",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim) / a.shape[dim]


@misconception(
    "lme.mean_of_logs",
    "log_mean_exp",
    "This is the mean of the entries: log and exp have been cancelled through the mean. The log of a mean is not the "
    "mean of the logs, and their difference is what the IWAE gains.",
    BOUND,
)
def _(a, dim=0):
    return a.mean(dim)


@misconception(
    "lme.log_of_other_dim",
    "log_mean_exp",
    "The log of the size of another axis is subtracted. Take the size of the axis that is reduced, a.shape[dim].",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim) - math.log(a.shape[(dim + 1) % a.ndim])


@misconception(
    "lme.log_of_first_dim",
    "log_mean_exp",
    "The log of the size of the first axis is subtracted, whatever dim is. Take a.shape[dim].",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim) - math.log(len(a))


@misconception(
    "lme.log_of_all",
    "log_mean_exp",
    "The log of the number of all entries is subtracted. The mean runs along one axis: take a.shape[dim].",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim) - math.log(a.numel())


@misconception(
    "lme.wrong_dim",
    "log_mean_exp",
    "dim is ignored: the reduction always runs over the first axis.",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a, 0) - math.log(len(a))


@misconception(
    "lme.reduces_all",
    "log_mean_exp",
    "Everything is reduced to one number. Only the axis dim is.",
    BOUND,
)
def _(a, dim=0):
    return torch.logsumexp(a.flatten(), 0) - math.log(a.numel())


@misconception(
    "lme.keepdim",
    "log_mean_exp",
    "The reduced axis stays, with size 1. Remove it: [..., n, ...] becomes [..., ...].",
    STABLE,
)
def _(a, dim=0):
    return torch.logsumexp(a, dim, keepdim=True) - math.log(a.shape[dim])


@misconception(
    "lme.max_only",
    "log_mean_exp",
    "Only the largest entry counts. It dominates where the entries lie far apart, but the others count as well.",
    BOUND,
)
def _(a, dim=0):
    return a.max(dim).values


@misconception(
    "lme.shift_not_added_back",
    "log_mean_exp",
    "The largest entry is subtracted, but not added back. The result must move with the entries.",
    STABLE,
)
def _(a, dim=0):
    m = a.max(dim, keepdim=True).values
    return torch.log(torch.mean(torch.exp(a - m), dim))


@misconception(
    "lme.shift_global",
    "log_mean_exp",
    "One largest entry, that of the whole tensor, is subtracted everywhere. A column that lies far below it still "
    "underflows: take the largest entry along dim.",
    STABLE,
)
def _(a, dim=0):
    m = a.max()
    return torch.log(torch.mean(torch.exp(a - m), dim)) + m


@misconception(
    "lme.shift_by_mean",
    "log_mean_exp",
    "The mean is subtracted before exp. Where the entries lie far apart the largest still overflows: subtract it.",
    STABLE,
)
def _(a, dim=0):
    m = a.mean(dim, keepdim=True)
    return torch.log(torch.mean(torch.exp(a - m), dim)) + m.squeeze(dim)


@misconception(
    "lme.shift_by_min",
    "log_mean_exp",
    "The smallest entry is subtracted before exp. Then the largest overflows: subtract that one.",
    STABLE,
)
def _(a, dim=0):
    m = a.min(dim, keepdim=True).values
    return torch.log(torch.mean(torch.exp(a - m), dim)) + m.squeeze(dim)


@misconception(
    "lme.shift_detached_once",
    "log_mean_exp",
    "The largest entry is detached where it is subtracted, but not where it is added back. The value is right and the "
    "gradient counts that entry twice: detach it in both places, or in neither.",
    STABLE,
)
def _(a, dim=0):
    m = a.max(dim, keepdim=True).values
    return torch.log(torch.mean(torch.exp(a - m.detach()), dim)) + m.squeeze(dim)


@misconception(
    "lme.detached",
    "log_mean_exp",
    "The value is right, but the gradient is cut. Nothing can be trained with it.",
    STABLE,
)
def _(a, dim=0):
    return torch.logsumexp(a.detach(), dim) - math.log(a.shape[dim])


@misconception(
    "lme.base_two",
    "log_mean_exp",
    "The logarithm has base 2. Nats need the natural one.",
    STABLE,
)
def _(a, dim=0):
    return (torch.logsumexp(a, dim) - math.log(a.shape[dim])) / math.log(2)


# TODO 3: iwae_objective -----------------------------------------------------------------------------------


@misconception(
    "iwae.mean_of_logs",
    "iwae_objective",
    "This is the VAE's bound, the mean of the log weights. The IWAE takes the log of the mean weight, which is larger.",
    BOUND,
)
def _(log_w):
    return log_w.mean(0)


@misconception(
    "iwae.images_inside",
    "iwae_objective",
    "The images are averaged before the logarithm. Each has its own bound: the mean inside the log runs over the "
    "samples of one image only.",
    BOUND,
)
def _(log_w):
    return torch.logsumexp(log_w.flatten(), 0) - math.log(log_w.numel())


@misconception(
    "iwae.batch_mean",
    "iwae_objective",
    "The bounds of the images are averaged. Return one number per image, [B]; loss() averages.",
    BOUND,
)
def _(log_w):
    return log_mean_exp(log_w, 0).mean()


@misconception(
    "iwae.wrong_axis",
    "iwae_objective",
    "The mean runs over the images. The samples are in the first axis of log_w.",
    BOUND,
)
def _(log_w):
    return log_mean_exp(log_w, 1)


@misconception(
    "iwae.no_mean",
    "iwae_objective",
    "This is the log of the sum of the weights. The mean divides by k, and without - log(k) it is no bound.",
    BOUND,
)
def _(log_w):
    return torch.logsumexp(log_w, 0)


@misconception(
    "iwae.naive",
    "iwae_objective",
    "exp is taken of the log weights as they are, far below -100, where exp underflows to 0: use log_mean_exp.",
    STABLE,
)
def _(log_w):
    return torch.log(torch.exp(log_w).mean(0))


@misconception(
    "iwae.mean_weight",
    "iwae_objective",
    "This is the mean weight, without its logarithm. It underflows, and its expectation is p(x) for every k.",
    BOUND,
)
def _(log_w):
    return torch.exp(log_w).mean(0)


@misconception(
    "iwae.best_sample",
    "iwae_objective",
    "Only the best sample counts. The bound is the log of the mean weight of all samples.",
    BOUND,
)
def _(log_w):
    return log_w.max(0).values


@misconception(
    "iwae.negated",
    "iwae_objective",
    "This is the loss. The objective is the number to maximise; loss() turns the sign.",
    BOUND,
)
def _(log_w):
    return -log_mean_exp(log_w, 0)


@misconception(
    "iwae.surrogate",
    "iwae_objective",
    "This is the sum of normalised weight x log weight (equation 14): its gradient is right, its value is not. "
    "L_k + log k - entropy of the weights is no bound; take the log of the mean, and autograd finds this gradient.",
    GRADIENT,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * log_w).sum(0)


@misconception(
    "iwae.weights_not_detached",
    "iwae_objective",
    "This is the sum of normalised weight x log weight, with a gradient through the weights as well. Neither the value "
    "nor the gradient is the bound's; a VAE can beat an IWAE that is trained so.",
    GRADIENT,
)
def _(log_w):
    return (torch.softmax(log_w, 0) * log_w).sum(0)


@misconception(
    "iwae.normalised_weights_mean",
    "iwae_objective",
    "This is the mean over k of normalised weight x log weight. The normalised weights sum to 1 already, so the "
    "gradient is k times too small.",
    GRADIENT,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * log_w).mean(0)


@misconception(
    "iwae.detached",
    "iwae_objective",
    "The value is right, but the gradient is cut. Nothing can be trained with it.",
    BOUND,
)
def _(log_w):
    return log_mean_exp(log_w.detach(), 0)


@misconception(
    "iwae.clamped",
    "iwae_objective",
    "The bound is right for ordinary numbers and wrong for very small or large ones: are the log weights clamped? "
    "Those of real images lie far below 0, and what is clamped gets no gradient.",
    BOUND,
    explains="extremes",
)
def _(log_w):
    return log_mean_exp(log_w.clamp(min=-1000), 0)
