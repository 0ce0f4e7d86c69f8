"""Wrong answers that learners give to the lab, as functions: where one gives a file's numbers, the feedback names it.

Each entry is the wrong formula under the student file's own signature, why it is wrong, and where to read; see
autograder/assignments/iwae/misconceptions.py for how they are used. The first of several with the same numbers and
gradients is named, so that the likelier one comes first.
"""

import math

import torch

from autograder.assignments.estimators import ASSIGNMENT
from autograder.grading.assignment import Misconceptions

reference = ASSIGNMENT.reference
bernoulli_log_likelihood = reference.bernoulli_log_likelihood
gaussian_log_likelihood = reference.gaussian_log_likelihood
reparameterize = reference.reparameterize
log_mean_exp = reference.log_mean_exp
vae_objective = reference.vae_objective
iwae_objective = reference.iwae_objective
gaussian_kl = reference.gaussian_kl
miwae_objective = reference.miwae_objective

# Where to read: the section of the handout, assignment/labs/estimators.md; the slide with the same title; the paper.
KL = (
    "handout and slides of the lab, The divergence in closed form; "
    "Kingma and Welling 2013 (arXiv:1312.6114), appendix B"
)
GROUPS = "handout and slides of the lab, Groups of samples; Rainforth et al. 2018 (arXiv:1802.04537), section 4"
CONVEX = "handout and slides of the lab, A convex combination; Rainforth et al. 2018 (arXiv:1802.04537), section 4"
PAIR = "handout and slides of the lab, A pair of objectives; Rainforth et al. 2018 (arXiv:1802.04537), section 4"
EQUATION = (
    "handout and slides of the lab, Equation 14 and the stop-gradient; "
    "Burda et al. 2015 (arXiv:1509.00519), equation 14"
)
STOPPED = "handout and slides of the lab, What to stop in log q; Roeder et al. 2017 (arXiv:1703.09194)"
STL = "handout and slides of the lab, Sticking the landing; Roeder et al. 2017 (arXiv:1703.09194)"
DREG = (
    "handout and slides of the lab, The doubly reparameterized gradient; "
    "Tucker et al. 2018 (arXiv:1810.04152), equation 8"
)
RATIO = "handout and slides of the lab, Signal to noise; Rainforth et al. 2018 (arXiv:1802.04537), section 3"
UNDERFLOW = "handout of the lab, Underflow"


MISCONCEPTIONS = Misconceptions()
misconception = MISCONCEPTIONS.add


# TODO 1: gaussian_kl -------------------------------------------------------------------------------------


@misconception(
    "kl.reversed",
    "gaussian_kl",
    "This is KL(N(0, I) || q), the other way round. The ELBO has q in the first place: the average is over q.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (1 + mu**2) / sigma**2 - 0.5 + torch.log(sigma)).sum(-1)


@misconception(
    "kl.sigma_as_variance",
    "gaussian_kl",
    "sigma is taken for a variance. It is a standard deviation: sigma^2 in the sum, and log(sigma) not halved.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma - 1 - torch.log(sigma))).sum(-1)


@misconception(
    "kl.sigma_as_log_variance",
    "gaussian_kl",
    "sigma is taken for a log variance, as in many VAE codes: exp(sigma) and -sigma/2. This course's encoder "
    "gives the standard deviation itself.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + torch.exp(sigma) - 1 - sigma)).sum(-1)


@misconception(
    "kl.sigma_as_log",
    "gaussian_kl",
    "sigma is taken for a logarithm: exp(2 sigma) and -sigma. It already is the standard deviation.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + torch.exp(2 * sigma) - 1) - sigma).sum(-1)


@misconception(
    "kl.log_variance_not_halved",
    "gaussian_kl",
    "log(sigma^2) is subtracted whole. It is halved like the other terms, which makes log(sigma).",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma**2)).sum(-1)


@misconception(
    "kl.log_halved_twice",
    "gaussian_kl",
    "log(sigma) is halved, though it already is half of log(sigma^2).",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1 - torch.log(sigma))).sum(-1)


@misconception(
    "kl.no_half",
    "gaussian_kl",
    "The factor 1/2 is missing: this is twice the divergence.",
    KL,
)
def _(mu, sigma):
    return (mu**2 + sigma**2 - 1 - 2 * torch.log(sigma)).sum(-1)


@misconception(
    "kl.half_forgotten_in_squares",
    "gaussian_kl",
    "The squares and the 1 are not halved. (mu^2 + sigma^2 - 1)/2 - log(sigma) is 0 where q is the prior, and "
    "nowhere less.",
    KL,
)
def _(mu, sigma):
    return (mu**2 + sigma**2 - 1 - torch.log(sigma)).sum(-1)


@misconception(
    "kl.no_one",
    "gaussian_kl",
    "The -1 is missing. The divergence of N(0, 1) from itself is 0: put mu = 0 and sigma = 1 in.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2) - torch.log(sigma)).sum(-1)


@misconception(
    "kl.one_with_the_wrong_sign",
    "gaussian_kl",
    "+1 stands where -1 belongs. The divergence of N(0, 1) from itself is 0: put mu = 0 and sigma = 1 in.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 + 1) - torch.log(sigma)).sum(-1)


@misconception(
    "kl.log_sign",
    "gaussian_kl",
    "log(sigma) is added. A narrow q is far from the prior, so the divergence grows as sigma falls: subtract it.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) + torch.log(sigma)).sum(-1)


@misconception(
    "kl.no_log",
    "gaussian_kl",
    "log(sigma) is missing. Without it the divergence would be smallest at sigma = 0.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1)).sum(-1)


@misconception(
    "kl.no_mu",
    "gaussian_kl",
    "mu^2 is missing: how far q's mean lies from the prior's must count.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (sigma**2 - 1) - torch.log(sigma)).sum(-1)


@misconception(
    "kl.mu_not_squared",
    "gaussian_kl",
    "mu is not squared. The divergence cannot fall when the mean moves to the negative side.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu + sigma**2 - 1) - torch.log(sigma)).sum(-1)


@misconception(
    "kl.sigma_not_squared",
    "gaussian_kl",
    "sigma is not squared beside mu^2. The second moment of q is mu^2 + sigma^2.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma - 1) - torch.log(sigma)).sum(-1)


@misconception(
    "kl.negated",
    "gaussian_kl",
    "The sign is turned: this is -KL, as it stands in the ELBO. A divergence is never negative.",
    KL,
)
def _(mu, sigma):
    return -(0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum(-1)


@misconception(
    "kl.mean_dims",
    "gaussian_kl",
    "The mean over the D units is taken. The units are independent, so their divergences add up.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).mean(-1)


@misconception(
    "kl.sum_all",
    "gaussian_kl",
    "Everything is summed, over the images too. Sum over the last axis alone: one number for each image.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum()


@misconception(
    "kl.batch_mean",
    "gaussian_kl",
    "The mean over the images is taken as well. Each image has a divergence of its own; the loss averages later.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum(-1).mean()


@misconception(
    "kl.over_images",
    "gaussian_kl",
    "The sum is over the images, and the units are left. Sum over the last axis, the D units.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum(0)


@misconception(
    "kl.per_unit",
    "gaussian_kl",
    "Nothing is summed: these are the divergences of the units. They add up to one number for each image.",
    KL,
)
def _(mu, sigma):
    return 0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)


@misconception(
    "kl.cross_entropy",
    "gaussian_kl",
    "This is E_q[-log p(z)], the cross-entropy. The divergence also has the entropy of q, which is subtracted.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2) + 0.5 * math.log(2 * math.pi)).sum(-1)


@misconception(
    "kl.sampled",
    "gaussian_kl",
    "The divergence is estimated with samples of new noise. It is known in closed form here: that is the point of it.",
    KL,
    explains="random",
)
def _(mu, sigma):
    z = mu + sigma * torch.randn_like(mu)
    zeros, ones = torch.zeros_like(mu), torch.ones_like(sigma)
    return gaussian_log_likelihood(z, mu, sigma) - gaussian_log_likelihood(z, zeros, ones)


@misconception(
    "kl.detached",
    "gaussian_kl",
    "The value is right, but the gradient is cut off, by detach, .data, numpy or no_grad: then nothing keeps q "
    "near the prior.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum(-1).detach()


@misconception(
    "kl.sigma_detached",
    "gaussian_kl",
    "sigma has no gradient here: it must learn from the divergence as mu does.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma.detach() ** 2 - 1) - torch.log(sigma.detach())).sum(-1)


@misconception(
    "kl.log_not_differentiated",
    "gaussian_kl",
    "log(sigma) is detached, so that only sigma^2 pulls at sigma, towards 0.",
    KL,
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma).detach()).sum(-1)


@misconception(
    "kl.clamped_sigma",
    "gaussian_kl",
    "sigma, or the result, is clamped, or a constant is added inside the logarithm. A trained encoder goes to "
    "sigma = 0.01 and below: leave it as it is.",
    KL,
    explains="extremes",
)
def _(mu, sigma):
    return (0.5 * (mu**2 + sigma.clamp(0.1, 10) ** 2 - 1) - torch.log(sigma.clamp(0.1, 10))).sum(-1)


# TODO 1: vae_objective_kl --------------------------------------------------------------------------------


@misconception(
    "vaekl.kl_times_k",
    "vae_objective_kl",
    "The divergence is counted k times. It is that of the image's q, whatever the number of samples: subtract it once.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - len(log_p_x_given_z) * gaussian_kl(mu, sigma)


@misconception(
    "vaekl.kl_over_k",
    "vae_objective_kl",
    "The divergence is divided by k. It is that of the image's q, whatever the number of samples: subtract it once.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - gaussian_kl(mu, sigma) / len(log_p_x_given_z)


@misconception(
    "vaekl.kl_added",
    "vae_objective_kl",
    "The divergence is added. It is the price of a q that differs from the prior: subtract it.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) + gaussian_kl(mu, sigma)


@misconception(
    "vaekl.no_kl",
    "vae_objective_kl",
    "The divergence is missing: this is a noisy autoencoder, whose latents nothing ties to the prior.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0)


@misconception(
    "vaekl.only_kl",
    "vae_objective_kl",
    "Only the divergence is left. The samples' log p(x | z) belongs to the bound.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return -gaussian_kl(mu, sigma)


@misconception(
    "vaekl.sum_samples",
    "vae_objective_kl",
    "log p(x | z) is summed over the samples. It estimates an expectation: take the mean over k.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.sum(0) - gaussian_kl(mu, sigma)


@misconception(
    "vaekl.sum_of_elbos",
    "vae_objective_kl",
    "Everything is summed over the samples, the divergence k times too. Each sample gives an estimate of the "
    "ELBO: average them.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return (log_p_x_given_z - gaussian_kl(mu, sigma)).sum(0)


@misconception(
    "vaekl.log_mean_exp",
    "vae_objective_kl",
    "log-mean-exp is taken of log p(x | z), as in the IWAE. The divergence is the average of log q - log p(z), "
    "which goes with an average outside of the logarithm: this mixture is no bound.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_mean_exp(log_p_x_given_z, 0) - gaussian_kl(mu, sigma)


@misconception(
    "vaekl.first_sample",
    "vae_objective_kl",
    "Only the first sample is used. Average over all k.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z[0] - gaussian_kl(mu, sigma)


@misconception(
    "vaekl.best_sample",
    "vae_objective_kl",
    "The best sample alone counts. That is not the expectation under q, and no bound.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.amax(0) - gaussian_kl(mu, sigma)


@misconception(
    "vaekl.negated",
    "vae_objective_kl",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return gaussian_kl(mu, sigma) - log_p_x_given_z.mean(0)


@misconception(
    "vaekl.batch_mean",
    "vae_objective_kl",
    "The mean over the images is taken as well. Return one number for each image.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return (log_p_x_given_z.mean(0) - gaussian_kl(mu, sigma)).mean()


@misconception(
    "vaekl.samples_kept",
    "vae_objective_kl",
    "The samples are not averaged: [k, B] comes back. Return one number for each image.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z - gaussian_kl(mu, sigma)


@misconception(
    "vaekl.kl_batch_mean",
    "vae_objective_kl",
    "The same average divergence is subtracted for all images. Each image has its own.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - gaussian_kl(mu, sigma).mean()


@misconception(
    "vaekl.kl_batch_sum",
    "vae_objective_kl",
    "The divergences of all images together are subtracted from each. Each image has its own.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - gaussian_kl(mu, sigma).sum()


@misconception(
    "vaekl.kl_mean_dims",
    "vae_objective_kl",
    "The divergence is divided by the number of units. The units' divergences add up.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - gaussian_kl(mu, sigma) / mu.shape[-1]


@misconception(
    "vaekl.half_kl",
    "vae_objective_kl",
    "Half of the divergence is subtracted: its formula has the factor 1/2 already.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - 0.5 * gaussian_kl(mu, sigma)


@misconception(
    "vaekl.kl_detached",
    "vae_objective_kl",
    "The divergence has no gradient, so that the encoder never learns of the prior.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.mean(0) - gaussian_kl(mu, sigma).detach()


@misconception(
    "vaekl.reconstruction_detached",
    "vae_objective_kl",
    "log p(x | z) has no gradient, so that nothing learns to reconstruct.",
    KL,
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.detach().mean(0) - gaussian_kl(mu, sigma)


@misconception(
    "vaekl.clamped",
    "vae_objective_kl",
    "Something is clamped, perhaps a divergence below a floor (free bits) or a log-likelihood. The ELBO has no clamp.",
    KL,
    explains="extremes",
)
def _(log_p_x_given_z, mu, sigma):
    return log_p_x_given_z.clamp(-100, 100).mean(0) - gaussian_kl(mu, sigma)


# TODO 2: miwae_objective ---------------------------------------------------------------------------------


@misconception(
    "miwae.swapped",
    "miwae_objective",
    "m and k are exchanged: the logarithm is of the mean over the groups. The k samples of a group are axis 1. "
    "With m = k, as in published code, nothing shows it.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=0).mean(0)


@misconception(
    "miwae.reshaped",
    "miwae_objective",
    "The tensor is read as [k, m, B], which mixes the samples of different groups. Axis 0 is the groups, axis 1 "
    "the samples.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w.reshape(log_w.shape[1], log_w.shape[0], -1), dim=1).mean(0)


@misconception(
    "miwae.one_group",
    "miwae_objective",
    "All m k samples are in one logarithm: this is the IWAE's bound of m k samples. The mean over the groups is "
    "outside of the logarithm.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w.flatten(0, 1), 0)


@misconception(
    "miwae.vae",
    "miwae_objective",
    "Everything is averaged: this is the VAE's bound. Within a group the mean is of the weights, not of their "
    "logarithms.",
    GROUPS,
)
def _(log_w):
    return log_w.mean((0, 1))


@misconception(
    "miwae.sum_groups",
    "miwae_objective",
    "The groups' bounds are summed. Average them, or the learning rate is m times too large and the number no bound.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=1).sum(0)


@misconception(
    "miwae.no_log_k",
    "miwae_objective",
    "This is log-sum-exp, without log k: each group's bound is log k too high.",
    GROUPS,
)
def _(log_w):
    return torch.logsumexp(log_w, 1).mean(0)


@misconception(
    "miwae.log_m",
    "miwae_objective",
    "log m is subtracted in the place of log k. The mean in the logarithm is over k samples.",
    GROUPS,
)
def _(log_w):
    return torch.logsumexp(log_w, 1).mean(0) - math.log(log_w.shape[0])


@misconception(
    "miwae.log_m_k",
    "miwae_objective",
    "log(m k) is subtracted, but each logarithm is of k weights alone.",
    GROUPS,
)
def _(log_w):
    return torch.logsumexp(log_w, 1).mean(0) - math.log(log_w.shape[0] * log_w.shape[1])


@misconception(
    "miwae.groups_first",
    "miwae_objective",
    "The log weights are averaged over the groups before the logarithm of the mean. Take each group's bound "
    "first, then their mean.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w.mean(0), 0)


@misconception(
    "miwae.best_group",
    "miwae_objective",
    "The best group alone counts. The mean over the groups is what has a smaller variance.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=1).amax(0)


@misconception(
    "miwae.first_group",
    "miwae_objective",
    "Only the first group is used. Average the bounds of all m groups.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w[0], 0)


@misconception(
    "miwae.negated",
    "miwae_objective",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    GROUPS,
)
def _(log_w):
    return -log_mean_exp(log_w, dim=1).mean(0)


@misconception(
    "miwae.batch_mean",
    "miwae_objective",
    "The mean over the images is taken as well. Return one number for each image.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=1).mean()


@misconception(
    "miwae.groups_kept",
    "miwae_objective",
    "The groups are not averaged: [m, B] comes back. Return one number for each image.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=1)


@misconception(
    "miwae.over_images",
    "miwae_objective",
    "The logarithm is of a mean over the images. They are axis 2, and independent.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=2).mean(0)


@misconception(
    "miwae.surrogate",
    "miwae_objective",
    "The value is that of equation 14 for each group, which is no bound. Return the bound itself.",
    GROUPS,
)
def _(log_w):
    return (torch.softmax(log_w, 1).detach() * log_w).sum(1).mean(0)


@misconception(
    "miwae.weights_not_detached",
    "miwae_objective",
    "This is equation 14 for each group, with a gradient through the weights: value and gradient are both "
    "wrong. Return the bound itself.",
    GROUPS,
)
def _(log_w):
    return (torch.softmax(log_w, 1) * log_w).sum(1).mean(0)


@misconception(
    "miwae.cost_weights",
    "miwae_objective",
    "The weights are a softmax of the cost, so that the worst sample counts most. Published code has this; it "
    "is no bound.",
    GROUPS,
)
def _(log_w):
    return (torch.softmax(-log_w, 1) * log_w).sum(1).mean(0)


@misconception(
    "miwae.detached",
    "miwae_objective",
    "The value is right, but the gradient is cut off, by detach, .data, numpy or no_grad.",
    GROUPS,
)
def _(log_w):
    return log_mean_exp(log_w, dim=1).mean(0).detach()


@misconception(
    "miwae.underflow",
    "miwae_objective",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite: use "
    "log_mean_exp.",
    UNDERFLOW,
)
def _(log_w):
    return torch.log(torch.exp(log_w).mean(1)).mean(0)


@misconception(
    "miwae.one_shift",
    "miwae_objective",
    "One constant is subtracted from all log weights before exp. A group far below the others still underflows: "
    "each needs its own maximum, as log_mean_exp takes it.",
    UNDERFLOW,
)
def _(log_w):
    c = log_w.max()
    return (torch.log(torch.exp(log_w - c).mean(1)) + c).mean(0)


@misconception(
    "miwae.epsilon",
    "miwae_objective",
    "A small number keeps the logarithm from minus infinity, or something is clamped. That also replaces right "
    "answers, since log weights of -1000 are ordinary: use log_mean_exp.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_w):
    return torch.log(torch.exp(log_w).mean(1) + 1e-7).mean(0)


# TODO 2: ciwae_objective ---------------------------------------------------------------------------------


@misconception(
    "ciwae.swapped",
    "ciwae_objective",
    "beta and 1 - beta are exchanged. beta weighs the VAE's bound: beta = 1 is the VAE. With beta = 1/2 nothing "
    "shows it.",
    CONVEX,
)
def _(log_w, beta):
    return beta * iwae_objective(log_w) + (1 - beta) * vae_objective(log_w)


@misconception(
    "ciwae.ignores_beta",
    "ciwae_objective",
    "beta is ignored, and the two bounds are averaged.",
    CONVEX,
)
def _(log_w, beta):
    return 0.5 * vae_objective(log_w) + 0.5 * iwae_objective(log_w)


@misconception(
    "ciwae.not_convex",
    "ciwae_objective",
    "beta times the ELBO is added to the whole of the other bound. The weights beta and 1 - beta sum to 1, or "
    "the result is no bound.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + iwae_objective(log_w)


@misconception(
    "ciwae.not_convex_either",
    "ciwae_objective",
    "beta times the k-sample bound is added to the whole ELBO. The weights beta and 1 - beta sum to 1, or the "
    "result is no bound.",
    CONVEX,
)
def _(log_w, beta):
    return vae_objective(log_w) + beta * iwae_objective(log_w)


@misconception(
    "ciwae.sum",
    "ciwae_objective",
    "The two bounds are added, whatever beta is. Weigh them with beta and 1 - beta.",
    CONVEX,
)
def _(log_w, beta):
    return vae_objective(log_w) + iwae_objective(log_w)


@misconception(
    "ciwae.only_vae_scaled",
    "ciwae_objective",
    "Only beta times the ELBO is left. Add (1 - beta) times the k-sample bound.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w)


@misconception(
    "ciwae.only_iwae_scaled",
    "ciwae_objective",
    "Only (1 - beta) times the k-sample bound is left. Add beta times the ELBO.",
    CONVEX,
)
def _(log_w, beta):
    return (1 - beta) * iwae_objective(log_w)


@misconception(
    "ciwae.difference",
    "ciwae_objective",
    "The bounds are subtracted. A convex combination adds them, with weights that sum to 1.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) - (1 - beta) * iwae_objective(log_w)


@misconception(
    "ciwae.vae",
    "ciwae_objective",
    "This is the VAE's bound alone, whatever beta is.",
    CONVEX,
)
def _(log_w, beta):
    return vae_objective(log_w)


@misconception(
    "ciwae.iwae",
    "ciwae_objective",
    "This is the k-sample bound alone, whatever beta is.",
    CONVEX,
)
def _(log_w, beta):
    return iwae_objective(log_w)


@misconception(
    "ciwae.inside_the_logarithm",
    "ciwae_objective",
    "The combination is inside the logarithm, of the weights' geometric and arithmetic means. Combine the "
    "bounds themselves.",
    CONVEX,
)
def _(log_w, beta):
    pair = torch.stack([math.log(beta) + vae_objective(log_w), math.log(1 - beta) + iwae_objective(log_w)])
    return torch.logsumexp(pair, 0)


@misconception(
    "ciwae.tempered",
    "ciwae_objective",
    "beta multiplies the log weights before the logarithm of the mean, a tempered weight. It belongs outside, "
    "to the two bounds.",
    CONVEX,
)
def _(log_w, beta):
    return log_mean_exp(beta * log_w, 0)


@misconception(
    "ciwae.tempered_rest",
    "ciwae_objective",
    "1 - beta multiplies the log weights inside the logarithm of the mean. It belongs outside.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + log_mean_exp((1 - beta) * log_w, 0)


@misconception(
    "ciwae.exp_of_weights",
    "ciwae_objective",
    "The arithmetic mean of the weights themselves is combined, without its logarithm.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + (1 - beta) * torch.exp(log_w).mean(0)


@misconception(
    "ciwae.two_sets",
    "ciwae_objective",
    "The ELBO is of one half of the samples, the other bound of the other half. Both use all k.",
    CONVEX,
)
def _(log_w, beta):
    half = len(log_w) // 2
    return beta * vae_objective(log_w[:half]) + (1 - beta) * iwae_objective(log_w[half:])


@misconception(
    "ciwae.sum_samples",
    "ciwae_objective",
    "The ELBO is summed over the samples. Take the mean over k.",
    CONVEX,
)
def _(log_w, beta):
    return beta * log_w.sum(0) + (1 - beta) * iwae_objective(log_w)


@misconception(
    "ciwae.no_log_k",
    "ciwae_objective",
    "The second bound is log-sum-exp, without log k.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + (1 - beta) * torch.logsumexp(log_w, 0)


@misconception(
    "ciwae.surrogate",
    "ciwae_objective",
    "Equation 14 stands in the place of the k-sample bound: its value is no bound.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + (1 - beta) * (torch.softmax(log_w, 0).detach() * log_w).sum(0)


@misconception(
    "ciwae.weights_not_detached",
    "ciwae_objective",
    "Equation 14 stands in the place of the k-sample bound, with a gradient through its weights: value and "
    "gradient are both wrong.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + (1 - beta) * (torch.softmax(log_w, 0) * log_w).sum(0)


@misconception(
    "ciwae.negated",
    "ciwae_objective",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    CONVEX,
)
def _(log_w, beta):
    return -(beta * vae_objective(log_w) + (1 - beta) * iwae_objective(log_w))


@misconception(
    "ciwae.batch_mean",
    "ciwae_objective",
    "The mean over the images is taken as well. Return one number for each image.",
    CONVEX,
)
def _(log_w, beta):
    return (beta * vae_objective(log_w) + (1 - beta) * iwae_objective(log_w)).mean()


@misconception(
    "ciwae.over_images",
    "ciwae_objective",
    "The means are over the images. The samples are axis 0.",
    CONVEX,
)
def _(log_w, beta):
    return beta * log_w.mean(1) + (1 - beta) * log_mean_exp(log_w, 1)


@misconception(
    "ciwae.vae_detached",
    "ciwae_objective",
    "The ELBO has no gradient, so that only the other bound trains.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w).detach() + (1 - beta) * iwae_objective(log_w)


@misconception(
    "ciwae.iwae_detached",
    "ciwae_objective",
    "The k-sample bound has no gradient, so that only the ELBO trains.",
    CONVEX,
)
def _(log_w, beta):
    return beta * vae_objective(log_w) + (1 - beta) * iwae_objective(log_w).detach()


@misconception(
    "ciwae.detached",
    "ciwae_objective",
    "The value is right, but the gradient is cut off, by detach, .data, numpy or no_grad.",
    CONVEX,
)
def _(log_w, beta):
    return (beta * vae_objective(log_w) + (1 - beta) * iwae_objective(log_w)).detach()


@misconception(
    "ciwae.underflow",
    "ciwae_objective",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite: use "
    "iwae_objective of the core.",
    UNDERFLOW,
)
def _(log_w, beta):
    return beta * log_w.mean(0) + (1 - beta) * torch.log(torch.exp(log_w).mean(0))


@misconception(
    "ciwae.one_shift",
    "ciwae_objective",
    "One constant is subtracted for all images before exp. An image far below the others still underflows: each "
    "needs its own maximum.",
    UNDERFLOW,
)
def _(log_w, beta):
    c = log_w.max()
    return beta * log_w.mean(0) + (1 - beta) * (torch.log(torch.exp(log_w - c).mean(0)) + c)


@misconception(
    "ciwae.epsilon",
    "ciwae_objective",
    "A small number keeps the logarithm from minus infinity, or something is clamped. Log weights of -1000 are "
    "ordinary: use iwae_objective of the core.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_w, beta):
    return beta * log_w.mean(0) + (1 - beta) * torch.log(torch.exp(log_w).mean(0) + 1e-7)


# TODO 2: piwae_objectives --------------------------------------------------------------------------------


@misconception(
    "piwae.exchanged",
    "piwae_objectives",
    "The rows are exchanged. The encoder's comes first, and it is the encoder that gets the groups: its "
    "gradient is drowned in noise when k grows.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([all_samples, miwae_objective(log_w)])


@misconception(
    "piwae.both_groups",
    "piwae_objectives",
    "Both rows are the groups' average. The decoder's gradient gets better with k, so it gets the bound of all "
    "m k samples.",
    PAIR,
)
def _(log_w):
    return torch.stack([miwae_objective(log_w)] * 2)


@misconception(
    "piwae.both_all",
    "piwae_objectives",
    "Both rows are the bound of all samples. The encoder gets the average of the groups' bounds.",
    PAIR,
)
def _(log_w):
    return torch.stack([iwae_objective(log_w.flatten(0, 1))] * 2)


@misconception(
    "piwae.sum",
    "piwae_objectives",
    "Both rows are the sum of the two objectives, as if one backward pass were to serve both. Then the encoder "
    "is trained with the decoder's objective as well.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w) + all_samples, miwae_objective(log_w) + all_samples])


@misconception(
    "piwae.encoder_leaks",
    "piwae_objectives",
    "The encoder's row holds the decoder's objective too: what published code trains with, where the gradients "
    "of two backward passes add up.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w) + all_samples, all_samples])


@misconception(
    "piwae.encoder_vae",
    "piwae_objectives",
    "The encoder's row is the VAE's bound. That is the special case k = 1; with groups of k samples it is "
    "miwae_objective.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([log_w.mean((0, 1)), all_samples])


@misconception(
    "piwae.decoder_first_group",
    "piwae_objectives",
    "The decoder's row is the bound of the first group alone. It uses all m k samples.",
    PAIR,
)
def _(log_w):
    return torch.stack([miwae_objective(log_w), iwae_objective(log_w[0])])


@misconception(
    "piwae.swapped",
    "piwae_objectives",
    "m and k are exchanged in the encoder's row: the logarithm is of the mean over the groups. With m = k, as "
    "in published code, nothing shows it.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([log_mean_exp(log_w, dim=0).mean(0), all_samples])


@misconception(
    "piwae.log_k",
    "piwae_objectives",
    "log k is subtracted in the decoder's row, whose mean is over m k samples.",
    PAIR,
)
def _(log_w):
    return torch.stack([miwae_objective(log_w), torch.logsumexp(log_w.flatten(0, 1), 0) - math.log(log_w.shape[1])])


@misconception(
    "piwae.no_log",
    "piwae_objectives",
    "The decoder's row is log-sum-exp, without log(m k).",
    PAIR,
)
def _(log_w):
    return torch.stack([miwae_objective(log_w), torch.logsumexp(log_w.flatten(0, 1), 0)])


@misconception(
    "piwae.mean_of_groups",
    "piwae_objectives",
    "The decoder's row is the logarithm of the mean of exp of nothing but averages over the groups. Put all m k "
    "log weights into one logarithm.",
    PAIR,
)
def _(log_w):
    return torch.stack([miwae_objective(log_w), log_mean_exp(log_w.mean(0), 0)])


@misconception(
    "piwae.sum_groups",
    "piwae_objectives",
    "The groups' bounds are summed in the encoder's row. Average them.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([log_mean_exp(log_w, dim=1).sum(0), all_samples])


@misconception(
    "piwae.transposed",
    "piwae_objectives",
    "The rows are the images: [B, 2]. Stack the two objectives along axis 0.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w), all_samples]).T


@misconception(
    "piwae.added_up",
    "piwae_objectives",
    "The two objectives are added to one, [B]. They are differentiated for different parameters, so keep them "
    "apart, in two rows.",
    PAIR,
)
def _(log_w):
    return miwae_objective(log_w) + iwae_objective(log_w.flatten(0, 1))


@misconception(
    "piwae.negated",
    "piwae_objectives",
    "The sign is turned, as in a loss. Objectives are to be maximised; loss() turns the sign.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([-miwae_objective(log_w), -all_samples])


@misconception(
    "piwae.batch_mean",
    "piwae_objectives",
    "The mean over the images is taken as well. Return one number for each image in each row.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w), all_samples]).mean(1)


@misconception(
    "piwae.encoder_detached",
    "piwae_objectives",
    "The encoder's row has no gradient. What keeps the encoder's objective from the decoder is how the rows are "
    "differentiated, not a detach.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w).detach(), all_samples])


@misconception(
    "piwae.decoder_detached",
    "piwae_objectives",
    "The decoder's row has no gradient. What keeps the decoder's objective from the encoder is how the rows are "
    "differentiated, not a detach.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w), all_samples.detach()])


@misconception(
    "piwae.detached",
    "piwae_objectives",
    "The values are right, but the gradient is cut off, by torch.tensor, detach, .data or no_grad.",
    PAIR,
)
def _(log_w):
    all_samples = iwae_objective(log_w.flatten(0, 1))
    return torch.stack([miwae_objective(log_w), all_samples]).detach()


@misconception(
    "piwae.surrogates",
    "piwae_objectives",
    "These are equation 14's surrogates, whose values are no bounds. Return the bounds.",
    PAIR,
)
def _(log_w):
    of_groups = (torch.softmax(log_w, 1).detach() * log_w).sum(1).mean(0)
    flat = log_w.flatten(0, 1)
    return torch.stack([of_groups, (torch.softmax(flat, 0).detach() * flat).sum(0)])


@misconception(
    "piwae.underflow",
    "piwae_objectives",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite: use "
    "log_mean_exp.",
    UNDERFLOW,
)
def _(log_w):
    return torch.stack([torch.log(torch.exp(log_w).mean(1)).mean(0), torch.log(torch.exp(log_w).mean((0, 1)))])


@misconception(
    "piwae.epsilon",
    "piwae_objectives",
    "A small number keeps the logarithm from minus infinity, or something is clamped. Log weights of -1000 are "
    "ordinary: use log_mean_exp.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_w):
    w = torch.exp(log_w)
    return torch.stack([torch.log(w.mean(1) + 1e-7).mean(0), torch.log(w.mean((0, 1)) + 1e-7)])


# TODO 3: weighted_objective ------------------------------------------------------------------------------


@misconception(
    "weighted.not_detached",
    "weighted_objective",
    "The weights have a gradient too. Then the whole is not the gradient of the bound: stop the weights with "
    "detach(). This is how an IWAE lost to a VAE, 133 against 120 nats.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0) * log_w).sum(0)


@misconception(
    "weighted.bound",
    "weighted_objective",
    "This is the bound itself. Its gradient is the same, but the sum of weight times log weight is asked: the "
    "two values differ by log k minus the entropy of the weights.",
    EQUATION,
)
def _(log_w):
    return iwae_objective(log_w)


@misconception(
    "weighted.everything_detached",
    "weighted_objective",
    "Everything is stopped, so that nothing trains. Only the weights are constants.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0) * log_w).sum(0).detach()


@misconception(
    "weighted.log_w_detached",
    "weighted_objective",
    "The wrong factor is stopped: log_w is a constant here, and the weights are not.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0) * log_w.detach()).sum(0)


@misconception(
    "weighted.mean",
    "weighted_objective",
    "The mean over the samples is taken. The weights sum to 1 already: sum, or everything is k times too small.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * log_w).mean(0)


@misconception(
    "weighted.over_images",
    "weighted_objective",
    "The weights are normalised over the images. The samples of each image are axis 0.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 1).detach() * log_w).sum(0)


@misconception(
    "weighted.over_all",
    "weighted_objective",
    "The weights are normalised over samples and images together. Each image has its own.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w.flatten(), 0).view_as(log_w).detach() * log_w).sum(0)


@misconception(
    "weighted.unnormalised",
    "weighted_objective",
    "The weights are not normalised. Equation 14 has w_i / sum of w.",
    EQUATION,
)
def _(log_w):
    return (torch.exp(log_w).detach() * log_w).sum(0)


@misconception(
    "weighted.log_weights_as_weights",
    "weighted_objective",
    "The log weights themselves are normalised, w / sum of w with log_w for w. Take exp first: softmax does both.",
    EQUATION,
)
def _(log_w):
    return ((log_w / log_w.sum(0)).detach() * log_w).sum(0)


@misconception(
    "weighted.squares",
    "weighted_objective",
    "The weights are squared, as in DReG. Equation 14 has them as they are.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() ** 2 * log_w).sum(0)


@misconception(
    "weighted.cost_weights",
    "weighted_objective",
    "The weights are a softmax of -log_w, the cost: the worst sample counts most. The best has to.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(-log_w, 0).detach() * log_w).sum(0)


@misconception(
    "weighted.cost_weights_not_detached",
    "weighted_objective",
    "The weights are a softmax of -log_w, the cost: the worst sample counts most. And they have a gradient, "
    "which they must not have.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(-log_w, 0) * log_w).sum(0)


@misconception(
    "weighted.uniform",
    "weighted_objective",
    "All samples count the same: this is the VAE's bound.",
    EQUATION,
)
def _(log_w):
    return log_w.mean(0)


@misconception(
    "weighted.best_sample",
    "weighted_objective",
    "Only the best sample counts. Each counts with its normalised weight.",
    EQUATION,
)
def _(log_w):
    return log_w.amax(0)


@misconception(
    "weighted.log_softmax",
    "weighted_objective",
    "The logarithms of the weights stand for the weights. They are negative: take softmax, not log_softmax.",
    EQUATION,
)
def _(log_w):
    return (torch.log_softmax(log_w, 0).detach() * log_w).sum(0)


@misconception(
    "weighted.log_of_weights",
    "weighted_objective",
    "The logarithms of the normalised weights are averaged, not log_w itself. The gradient of that is another one.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * torch.log_softmax(log_w, 0)).sum(0)


@misconception(
    "weighted.times_w",
    "weighted_objective",
    "The weighted mean is of the weights, not of their logarithms.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * torch.exp(log_w)).sum(0)


@misconception(
    "weighted.minus_log_k",
    "weighted_objective",
    "log k is subtracted, as in the bound. The weights sum to 1: this is a weighted mean.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * log_w).sum(0) - math.log(len(log_w))


@misconception(
    "weighted.negated",
    "weighted_objective",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    EQUATION,
)
def _(log_w):
    return -(torch.softmax(log_w, 0).detach() * log_w).sum(0)


@misconception(
    "weighted.batch_mean",
    "weighted_objective",
    "The mean over the images is taken as well. Return one number for each image.",
    EQUATION,
)
def _(log_w):
    return (torch.softmax(log_w, 0).detach() * log_w).sum(0).mean()


@misconception(
    "weighted.not_summed",
    "weighted_objective",
    "The terms are not summed: [k, B] comes back. Return one number for each image.",
    EQUATION,
)
def _(log_w):
    return torch.softmax(log_w, 0).detach() * log_w


@misconception(
    "weighted.underflow",
    "weighted_objective",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite, and "
    "their ratio is NaN: softmax takes a common factor out first.",
    UNDERFLOW,
)
def _(log_w):
    w = torch.exp(log_w).detach()
    return (w / w.sum(0) * log_w).sum(0)


@misconception(
    "weighted.one_shift",
    "weighted_objective",
    "One constant is subtracted for all images before exp. An image far below the others still underflows: each "
    "needs its own maximum, as softmax over axis 0 takes it.",
    UNDERFLOW,
)
def _(log_w):
    w = torch.exp(log_w - log_w.max()).detach()
    return (w / w.sum(0) * log_w).sum(0)


@misconception(
    "weighted.epsilon",
    "weighted_objective",
    "A small number keeps the sum of the weights from 0, or something is clamped. That also replaces right "
    "answers, since log weights of -1000 are ordinary: use softmax.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_w):
    w = torch.exp(log_w).detach()
    return (w / (w.sum(0) + 1e-7) * log_w).sum(0)


# TODO 4: stopped_log_weights -----------------------------------------------------------------------------


@misconception(
    "stopped.nothing",
    "stopped_log_weights",
    "Nothing is stopped: these are the plain log weights. Give log q constants for mu and sigma, with detach().",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu, sigma)
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.z_in_q",
    "stopped_log_weights",
    "The sample is stopped inside log q, and its parameters are not: the wrong way round. The path through z is "
    "what is kept.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z.detach(), mu, sigma)
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.log_q",
    "stopped_log_weights",
    "The whole of log q is stopped, with the path through z in it. Stop mu and sigma alone.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu, sigma).detach()
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.mu_alone",
    "stopped_log_weights",
    "Only mu is stopped inside log q. sigma is a parameter of q too.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma)
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.sigma_alone",
    "stopped_log_weights",
    "Only sigma is stopped inside log q. mu is a parameter of q too.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu, sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.z_in_p",
    "stopped_log_weights",
    "The sample is stopped in log p(x | z) and log p(z), so that the encoder never learns from the decoder. "
    "Stop mu and sigma inside log q alone.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z.detach()))
    log_p_z = gaussian_log_likelihood(z.detach(), torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.z_everywhere",
    "stopped_log_weights",
    "The sample is stopped everywhere, and only log q's own mu and sigma learn: that is the score function's "
    "gradient. The path through z is what is kept.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps).detach()
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu, sigma)
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.encoder",
    "stopped_log_weights",
    "The encoder's mu and sigma are stopped before the sample is made, so that the encoder gets no gradient at "
    "all. Make z first, then stop what log q is given.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = (t.detach() for t in self.encoder(x))
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu, sigma)
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.everything",
    "stopped_log_weights",
    "The result has no gradient at all, by detach or no_grad. Only log q's own mu and sigma are constants.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return (log_p_x_given_z + log_p_z - log_q).detach()


@misconception(
    "stopped.decoder",
    "stopped_log_weights",
    "log p(x | z) is stopped, so that the decoder gets no gradient, and the encoder none from it.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z)).detach()
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.decoders_weights",
    "stopped_log_weights",
    "The decoder's weights are stopped too, as if only the encoder were to learn from this. One pass serves "
    "both: to the decoder these are the plain log weights.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    fixed = {name: weight.detach() for name, weight in self.decoder.named_parameters()}
    log_p_x_given_z = bernoulli_log_likelihood(x, torch.func.functional_call(self.decoder, fixed, z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.prior",
    "stopped_log_weights",
    "The prior is stopped, so that nothing draws the samples to it. Stop mu and sigma inside log q alone.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z.detach(), torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.no_prior",
    "stopped_log_weights",
    "log p(z) is missing. The values are those of log_weights: only gradients differ.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z - log_q


@misconception(
    "stopped.no_posterior",
    "stopped_log_weights",
    "log q(z | x) is left out. It is its own parameters that are stopped; its path through z stays.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    return log_p_x_given_z + log_p_z


@misconception(
    "stopped.posterior_sign",
    "stopped_log_weights",
    "log q(z | x) is added. q is the denominator of the weight, so its logarithm is subtracted.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z + log_q


@misconception(
    "stopped.posterior_at_mu",
    "stopped_log_weights",
    "log q is evaluated at its own mean. Every term of the weight is evaluated at the same sample z.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(mu, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.prior_at_moments",
    "stopped_log_weights",
    "log p(z) is given mu and sigma. The prior is N(0, I).",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, mu, sigma)
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.squared_sigma",
    "stopped_log_weights",
    "log q is given the variance. gaussian_log_likelihood takes the standard deviation.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach() ** 2)
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.ignores_eps",
    "stopped_log_weights",
    "New noise is drawn inside, and eps is ignored. The sample must be a function of eps alone.",
    STOPPED,
    explains="random",
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, torch.randn_like(eps))
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.mean_only",
    "stopped_log_weights",
    "Every sample is mu, without noise. Make the samples of eps with reparameterize.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = mu.expand_as(eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.pixel_mean",
    "stopped_log_weights",
    "log p(x | z) is averaged over the pixels. It is their sum.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z)) / x.shape[-1]
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_p_x_given_z + log_p_z - log_q


@misconception(
    "stopped.negated",
    "stopped_log_weights",
    "The sign is turned, as in a loss. These are log weights.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return log_q - log_p_x_given_z - log_p_z


@misconception(
    "stopped.samples_averaged",
    "stopped_log_weights",
    "The samples are averaged already: [B] comes back. The objectives do that, each in its way.",
    STOPPED,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x_given_z = bernoulli_log_likelihood(x, self.decoder(z))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(sigma))
    log_q = gaussian_log_likelihood(z, mu.detach(), sigma.detach())
    return (log_p_x_given_z + log_p_z - log_q).mean(0)


# TODO 4: stl_objective -----------------------------------------------------------------------------------


@misconception(
    "stl.dreg",
    "stl_objective",
    "The weights are squared: this is DReG. Sticking the landing has them as they are.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0).detach() ** 2 * stopped_log_w).sum(0)


@misconception(
    "stl.not_detached",
    "stl_objective",
    "The weights have a gradient too. Stop them, as in equation 14.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0) * stopped_log_w).sum(0)


@misconception(
    "stl.vae",
    "stl_objective",
    "All samples count the same. That is right for the ELBO; for the k-sample bound each counts with its "
    "normalised weight.",
    STL,
)
def _(stopped_log_w):
    return stopped_log_w.mean(0)


@misconception(
    "stl.mean",
    "stl_objective",
    "The mean over the samples is taken. The weights sum to 1 already: sum.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0).detach() * stopped_log_w).mean(0)


@misconception(
    "stl.sum",
    "stl_objective",
    "All samples count fully. Each counts with its normalised weight.",
    STL,
)
def _(stopped_log_w):
    return stopped_log_w.sum(0)


@misconception(
    "stl.over_images",
    "stl_objective",
    "The weights are normalised over the images. The samples of each image are axis 0.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 1).detach() * stopped_log_w).sum(0)


@misconception(
    "stl.unnormalised",
    "stl_objective",
    "The weights are not normalised: divide by their sum over the samples.",
    STL,
)
def _(stopped_log_w):
    return (torch.exp(stopped_log_w).detach() * stopped_log_w).sum(0)


@misconception(
    "stl.cost_weights",
    "stl_objective",
    "The weights are a softmax of the cost, so that the worst sample counts most.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(-stopped_log_w, 0).detach() * stopped_log_w).sum(0)


@misconception(
    "stl.best_sample",
    "stl_objective",
    "Only the best sample counts. Each counts with its normalised weight.",
    STL,
)
def _(stopped_log_w):
    return stopped_log_w.amax(0)


@misconception(
    "stl.negated",
    "stl_objective",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    STL,
)
def _(stopped_log_w):
    return -(torch.softmax(stopped_log_w, 0).detach() * stopped_log_w).sum(0)


@misconception(
    "stl.negated_bound",
    "stl_objective",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    STL,
)
def _(stopped_log_w):
    return -iwae_objective(stopped_log_w)


@misconception(
    "stl.detached",
    "stl_objective",
    "The result has no gradient. Only the weights are constants.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0) * stopped_log_w).sum(0).detach()


@misconception(
    "stl.log_w_detached",
    "stl_objective",
    "The wrong factor is stopped: the log weights are constants here, and the weights are not.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0) * stopped_log_w.detach()).sum(0)


@misconception(
    "stl.batch_mean",
    "stl_objective",
    "The mean over the images is taken as well. Return one number for each image.",
    STL,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0).detach() * stopped_log_w).sum(0).mean()


@misconception(
    "stl.not_summed",
    "stl_objective",
    "The terms are not summed: [k, B] comes back. Return one number for each image.",
    STL,
)
def _(stopped_log_w):
    return torch.softmax(stopped_log_w, 0).detach() * stopped_log_w


@misconception(
    "stl.underflow",
    "stl_objective",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite, and "
    "their ratio is NaN: softmax takes a common factor out first.",
    UNDERFLOW,
)
def _(stopped_log_w):
    w = torch.exp(stopped_log_w).detach()
    return (w / w.sum(0) * stopped_log_w).sum(0)


@misconception(
    "stl.one_shift",
    "stl_objective",
    "One constant is subtracted for all images before exp. An image far below the others still underflows: "
    "softmax over axis 0 takes out each image's own maximum.",
    UNDERFLOW,
)
def _(stopped_log_w):
    w = torch.exp(stopped_log_w - stopped_log_w.max()).detach()
    return (w / w.sum(0) * stopped_log_w).sum(0)


# TODO 4: dreg_objective ----------------------------------------------------------------------------------


@misconception(
    "dreg.stl",
    "dreg_objective",
    "The weights are not squared: this is sticking the landing, whose gradient is biased for k > 1.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w * stopped_log_w).sum(0)


@misconception(
    "dreg.bound",
    "dreg_objective",
    "This is the bound of the stopped log weights, whose gradient is that of sticking the landing: the "
    "normalised weights are not squared, and the gradient is biased for k > 1.",
    DREG,
)
def _(stopped_log_w):
    return iwae_objective(stopped_log_w)


@misconception(
    "dreg.not_detached",
    "dreg_objective",
    "The squared weights have a gradient too. They are constants: stop them.",
    DREG,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0) ** 2 * stopped_log_w).sum(0)


@misconception(
    "dreg.one_factor_detached",
    "dreg_objective",
    "Only one of the two factors of the square is stopped. The squared weights are constants.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w * torch.softmax(stopped_log_w, 0) * stopped_log_w).sum(0)


@misconception(
    "dreg.squares_normalised",
    "dreg_objective",
    "The squares are normalised again, as by a softmax of 2 log_w. It is the weights that sum to 1, not their squares.",
    DREG,
)
def _(stopped_log_w):
    return (torch.softmax(2 * stopped_log_w, 0).detach() * stopped_log_w).sum(0)


@misconception(
    "dreg.square_of_the_sum",
    "dreg_objective",
    "The weighted sum is squared. Each weight is squared, and then multiplied with its log weight.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w * stopped_log_w).sum(0) ** 2


@misconception(
    "dreg.squared_log_w",
    "dreg_objective",
    "The log weights are squared, not the weights.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w * stopped_log_w**2).sum(0)


@misconception(
    "dreg.unnormalised",
    "dreg_objective",
    "The weights are squared before they are normalised, or not normalised at all. Square w_i / sum of w.",
    DREG,
)
def _(stopped_log_w):
    return (torch.exp(stopped_log_w).detach() ** 2 * stopped_log_w).sum(0)


@misconception(
    "dreg.divided_once",
    "dreg_objective",
    "The square of the weight is divided by the sum of the weights once. Square the normalised weight, so that "
    "the sum is squared too.",
    DREG,
)
def _(stopped_log_w):
    c = stopped_log_w.amax(0)
    u = torch.exp(stopped_log_w - c).detach()
    return (u**2 / u.sum(0) * stopped_log_w).sum(0)


@misconception(
    "dreg.w_minus_squares",
    "dreg_objective",
    "w - w^2 stands for w^2: that weight belongs to the score function's part, before the second "
    "reparameterization turns it into a path.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return ((w - w**2) * stopped_log_w).sum(0)


@misconception(
    "dreg.w_plus_squares",
    "dreg_objective",
    "w + w^2 stands for w^2. The two parts of the gradient add up to w^2: w - (w - w^2).",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return ((w + w**2) * stopped_log_w).sum(0)


@misconception(
    "dreg.twice",
    "dreg_objective",
    "2 w^2 stands for w^2, as if the square were differentiated. It is a constant.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (2 * w**2 * stopped_log_w).sum(0)


@misconception(
    "dreg.times_k",
    "dreg_objective",
    "The squares are multiplied by k, so that equal weights would count as in the bound. They do not: with "
    "equal weights DReG's gradient is k times smaller than that of sticking the landing.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (len(w) * w**2 * stopped_log_w).sum(0)


@misconception(
    "dreg.roots",
    "dreg_objective",
    "The square root of the weights is taken, not the square.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w.sqrt() * stopped_log_w).sum(0)


@misconception(
    "dreg.mean",
    "dreg_objective",
    "The mean over the samples is taken: sum, or the gradient is k times too small.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w**2 * stopped_log_w).mean(0)


@misconception(
    "dreg.vae",
    "dreg_objective",
    "All samples count the same. Each counts with the square of its normalised weight.",
    DREG,
)
def _(stopped_log_w):
    return stopped_log_w.mean(0)


@misconception(
    "dreg.over_images",
    "dreg_objective",
    "The weights are normalised over the images. The samples of each image are axis 0.",
    DREG,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 1).detach() ** 2 * stopped_log_w).sum(0)


@misconception(
    "dreg.cost_weights",
    "dreg_objective",
    "The weights are a softmax of the cost, so that the worst sample counts most.",
    DREG,
)
def _(stopped_log_w):
    return (torch.softmax(-stopped_log_w, 0).detach() ** 2 * stopped_log_w).sum(0)


@misconception(
    "dreg.negated",
    "dreg_objective",
    "The sign is turned, as in a loss. An objective is to be maximised; loss() turns the sign.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return -(w**2 * stopped_log_w).sum(0)


@misconception(
    "dreg.detached",
    "dreg_objective",
    "The result has no gradient. Only the squared weights are constants.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w**2 * stopped_log_w).sum(0).detach()


@misconception(
    "dreg.log_w_detached",
    "dreg_objective",
    "The wrong factor is stopped: the log weights are constants here, and the weights are not.",
    DREG,
)
def _(stopped_log_w):
    return (torch.softmax(stopped_log_w, 0) ** 2 * stopped_log_w.detach()).sum(0)


@misconception(
    "dreg.batch_mean",
    "dreg_objective",
    "The mean over the images is taken as well. Return one number for each image.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return (w**2 * stopped_log_w).sum(0).mean()


@misconception(
    "dreg.not_summed",
    "dreg_objective",
    "The terms are not summed: [k, B] comes back. Return one number for each image.",
    DREG,
)
def _(stopped_log_w):
    w = torch.softmax(stopped_log_w, 0).detach()
    return w**2 * stopped_log_w


@misconception(
    "dreg.underflow",
    "dreg_objective",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite, and "
    "their ratio is NaN: softmax takes a common factor out first.",
    UNDERFLOW,
)
def _(stopped_log_w):
    u = torch.exp(stopped_log_w).detach()
    return ((u / u.sum(0)) ** 2 * stopped_log_w).sum(0)


@misconception(
    "dreg.one_shift",
    "dreg_objective",
    "One constant is subtracted for all images before exp. An image far below the others still underflows: "
    "softmax over axis 0 takes out each image's own maximum.",
    UNDERFLOW,
)
def _(stopped_log_w):
    u = torch.exp(stopped_log_w - stopped_log_w.max()).detach()
    return ((u / u.sum(0)) ** 2 * stopped_log_w).sum(0)


# TODO 5: signal_to_noise ---------------------------------------------------------------------------------


@misconception(
    "ratio.upside_down",
    "signal_to_noise",
    "The ratio is upside down: the signal, |mean|, is the numerator.",
    RATIO,
)
def _(gradients):
    return gradients.std(0) / gradients.mean(0).abs()


@misconception(
    "ratio.variance",
    "signal_to_noise",
    "The mean is divided by the variance. Both have the gradient's unit only with the standard deviation.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / gradients.var(0)


@misconception(
    "ratio.no_absolute_value",
    "signal_to_noise",
    "The sign of the mean is kept. The ratio says how large the signal is, whatever its direction.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0) / gradients.std(0)


@misconception(
    "ratio.mean_of_absolute_values",
    "signal_to_noise",
    "The absolute value is taken before the mean, so that pure noise looks like signal. First the mean over the "
    "draws, then its absolute value.",
    RATIO,
)
def _(gradients):
    return gradients.abs().mean(0) / gradients.std(0)


@misconception(
    "ratio.of_absolute_values",
    "signal_to_noise",
    "Mean and standard deviation are of the absolute values. Opposite signs must cancel in the mean.",
    RATIO,
)
def _(gradients):
    return gradients.abs().mean(0) / gradients.abs().std(0)


@misconception(
    "ratio.over_parameters",
    "signal_to_noise",
    "Mean and standard deviation are over the parameters. The draws are axis 0.",
    RATIO,
)
def _(gradients):
    return gradients.mean(1).abs() / gradients.std(1)


@misconception(
    "ratio.norms",
    "signal_to_noise",
    "One ratio comes back, of norms over all parameters. Return one for each parameter.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).norm() / gradients.std(0).norm()


@misconception(
    "ratio.averaged",
    "signal_to_noise",
    "The ratios of the parameters are averaged. Return one for each parameter.",
    RATIO,
)
def _(gradients):
    return (gradients.mean(0).abs() / gradients.std(0)).mean()


@misconception(
    "ratio.over_everything",
    "signal_to_noise",
    "The standard deviation is over draws and parameters together. Each parameter has its own noise.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / gradients.std()


@misconception(
    "ratio.standard_error",
    "signal_to_noise",
    "The mean is divided by its standard error: sqrt(R) too much, and it grows with the number of draws. The "
    "noise of one draw is meant.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / gradients.std(0) * math.sqrt(len(gradients))


@misconception(
    "ratio.divided_by_root",
    "signal_to_noise",
    "The ratio is divided by sqrt(R). It is a property of one draw's gradient, whatever R is.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / gradients.std(0) / math.sqrt(len(gradients))


@misconception(
    "ratio.squared",
    "signal_to_noise",
    "This is the square of the ratio.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0) ** 2 / gradients.var(0)


@misconception(
    "ratio.root_mean_square",
    "signal_to_noise",
    "The noise is taken as the root mean square, with the signal in it: then the ratio never exceeds 1. "
    "Subtract the mean first, as the standard deviation does.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / gradients.square().mean(0).sqrt()


@misconception(
    "ratio.decibels",
    "signal_to_noise",
    "The ratio is given in decibels or as a logarithm. Return it as it is.",
    RATIO,
)
def _(gradients):
    return 20 * torch.log10(gradients.mean(0).abs() / gradients.std(0))


@misconception(
    "ratio.logarithm",
    "signal_to_noise",
    "The logarithm of the ratio comes back. Return the ratio.",
    RATIO,
)
def _(gradients):
    return torch.log(gradients.mean(0).abs() / gradients.std(0))


@misconception(
    "ratio.signal_alone",
    "signal_to_noise",
    "Only |mean| comes back. Divide it by the standard deviation.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs()


@misconception(
    "ratio.noise_alone",
    "signal_to_noise",
    "Only the standard deviation comes back. It is the denominator.",
    RATIO,
)
def _(gradients):
    return gradients.std(0)


@misconception(
    "ratio.median",
    "signal_to_noise",
    "The median stands for the mean.",
    RATIO,
)
def _(gradients):
    return gradients.median(0).values.abs() / gradients.std(0)


@misconception(
    "ratio.mean_absolute_deviation",
    "signal_to_noise",
    "The mean absolute deviation stands for the standard deviation.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / (gradients - gradients.mean(0)).abs().mean(0)


@misconception(
    "ratio.sum",
    "signal_to_noise",
    "The sum over the draws stands for the mean: R times too much.",
    RATIO,
)
def _(gradients):
    return gradients.sum(0).abs() / gradients.std(0)


@misconception(
    "ratio.one_draw",
    "signal_to_noise",
    "The signal is the first draw's gradient. One draw is signal and noise together: take the mean.",
    RATIO,
)
def _(gradients):
    return gradients[0].abs() / gradients.std(0)


@misconception(
    "ratio.epsilon",
    "signal_to_noise",
    "A constant is added to the standard deviation. Gradients of 1e-3 are ordinary, and a constant spoils their ratio.",
    RATIO,
)
def _(gradients):
    return gradients.mean(0).abs() / (gradients.std(0) + 1e-3)
