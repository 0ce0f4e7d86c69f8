"""Wrong answers that learners give to the lab, as functions: where one gives a file's numbers, the feedback names it.

Each entry is the wrong formula under the student file's own signature, why it is wrong, and where to read; see
autograder/assignments/iwae/misconceptions.py for how they are used. Those of a method know the model as self.
"""

import torch

from autograder.assignments.hierarchical import ASSIGNMENT
from autograder.grading.assignment import Misconceptions

reference = ASSIGNMENT.reference
bernoulli_log_likelihood = reference.bernoulli_log_likelihood
gaussian_log_likelihood = reference.gaussian_log_likelihood
reparameterize = reference.reparameterize

# Where to read: the section of the lab's handout, assignment/labs/hierarchical.md; the slide with the same title; and
# the papers.
WEIGHT = "handout and slides of the lab, The weight of two layers; Burda et al. 2015 (arXiv:1509.00519), section 2"
SAMPLE = "handout and slides of the lab, From the top down"
CONDITIONAL = "handout and slides of the lab, A model of images with labels; Sohn, Lee and Yan 2015"
ACTIVITY = "handout and slides of the lab, Active units; Burda et al. 2015 (arXiv:1509.00519), section 5.2"
COMPONENTS = "handout and slides of the lab, Principal components"

TWO, SAMPLED, GIVEN = "TwoLayerIWAE.log_weights", "TwoLayerIWAE.sample", "ConditionalIWAE.log_weights"

MISCONCEPTIONS = Misconceptions()
misconception = MISCONCEPTIONS.add


def standard(z):
    """log N(z; 0, I)"""
    return gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))


def in_layers(self, eps):
    return eps.split((self.d1, self.d2), dim=-1)


def samples(self, x, eps):
    """mu1, sigma1, z1, mu2, sigma2, z2 as they should be."""
    eps1, eps2 = in_layers(self, eps)
    mu1, sigma1 = self.q_z1(x)
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = self.q_z2(z1)
    return mu1, sigma1, z1, mu2, sigma2, reparameterize(mu2, sigma2, eps2)


def five(self, x, eps):
    """log p(x | z1), log p(z1 | z2), log p(z2), log q(z1 | x), log q(z2 | z1) as they should be."""
    mu1, sigma1, z1, mu2, sigma2, z2 = samples(self, x, eps)
    p = bernoulli_log_likelihood(x, self.decoder(z1)), gaussian_log_likelihood(z1, *self.p_z1(z2)), standard(z2)
    return *p, gaussian_log_likelihood(z1, mu1, sigma1), gaussian_log_likelihood(z2, mu2, sigma2)


# TODO 1: TwoLayerIWAE.log_weights -----------------------------------------------------------------------


@misconception(
    "two.standard_for_z1",
    TWO,
    "z1 is scored under N(0, I). Its prior is p(z1 | z2), whose mean and sigma depend on the layer above.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, _, p_z2, q_z1, q_z2 = five(self, x, eps)
    z1 = samples(self, x, eps)[2]
    return p_x + standard(z1) + p_z2 - q_z1 - q_z2


@misconception(
    "two.no_q_z2",
    TWO,
    "- log q(z2 | z1) is missing. z2 is sampled from q, too, so the weight is divided by its density.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, _ = five(self, x, eps)
    return p_x + p_z1 + p_z2 - q_z1


@misconception(
    "two.no_q_z1",
    TWO,
    "- log q(z1 | x) is missing. z1 is sampled from q, so the weight is divided by its density.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, _, q_z2 = five(self, x, eps)
    return p_x + p_z1 + p_z2 - q_z2


@misconception(
    "two.no_p_z2",
    TWO,
    "log p(z2) is missing. The model begins with a draw of z2 from N(0, I), which is a factor of p(x, z1, z2).",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, _, q_z1, q_z2 = five(self, x, eps)
    return p_x + p_z1 - q_z1 - q_z2


@misconception(
    "two.no_p_z1",
    TWO,
    "log p(z1 | z2) is missing. Without it nothing ties the two layers together: it is a factor of p(x, z1, z2).",
    WEIGHT,
)
def _(self, x, eps):
    p_x, _, p_z2, q_z1, q_z2 = five(self, x, eps)
    return p_x + p_z2 - q_z1 - q_z2


@misconception(
    "two.no_likelihood",
    TWO,
    "log p(x | z1) is missing: the weight does not look at the image.",
    WEIGHT,
)
def _(self, x, eps):
    _, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.one_layer",
    TWO,
    "The second layer is left out: this is the weight of a model with p(z1) = N(0, I). Add log p(z1 | z2) and "
    "log p(z2), and subtract log q(z2 | z1).",
    WEIGHT,
)
def _(self, x, eps):
    p_x, _, _, q_z1, _ = five(self, x, eps)
    return p_x + standard(samples(self, x, eps)[2]) - q_z1


@misconception(
    "two.no_q",
    TWO,
    "Both densities of q are missing: this is log p(x, z1, z2). The samples come from q, so each is divided by how "
    "likely q makes it.",
    WEIGHT,
)
def _(self, x, eps):
    return sum(five(self, x, eps)[:3])


@misconception(
    "two.z2_of_mean",
    TWO,
    "q(z2 | z1) is given mu1, the mean of z1. z2 belongs to the sample: give it z1.",
    WEIGHT,
)
def _(self, x, eps):
    eps1, eps2 = in_layers(self, eps)
    mu1, sigma1 = self.q_z1(x)
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = self.q_z2(mu1)
    z2 = reparameterize(mu2, sigma2, eps2)
    log_p = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2)) + standard(z2)
    return log_p - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)


@misconception(
    "two.z2_once",
    TWO,
    "Every sample of an image has the z2 of the first. q(z2 | z1) depends on z1, and the noise eps2 is that of each "
    "sample: draw a z2 for each z1.",
    WEIGHT,
)
def _(self, x, eps):
    eps1, eps2 = in_layers(self, eps)
    mu1, sigma1 = self.q_z1(x)
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = (moment[:1].expand_as(eps2) for moment in self.q_z2(z1))
    z2 = reparameterize(mu2, sigma2, eps2[:1].expand_as(eps2))
    log_p = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2)) + standard(z2)
    return log_p - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)


@misconception(
    "two.p_z1_at_mean",
    TWO,
    "p(z1 | z2) is given mu2, the mean of z2. All five densities are those of the same samples: give it z2.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, _, p_z2, q_z1, q_z2 = five(self, x, eps)
    _, _, z1, mu2, _, _ = samples(self, x, eps)
    return p_x + gaussian_log_likelihood(z1, *self.p_z1(mu2)) + p_z2 - q_z1 - q_z2


@misconception(
    "two.p_z1_scores_mean",
    TWO,
    "p(z1 | z2) is evaluated at mu1, the mean of q(z1 | x). It is the density of the sample z1.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, _, p_z2, q_z1, q_z2 = five(self, x, eps)
    mu1, _, z1, _, _, z2 = samples(self, x, eps)
    return p_x + gaussian_log_likelihood(mu1.expand_as(z1), *self.p_z1(z2)) + p_z2 - q_z1 - q_z2


@misconception(
    "two.p_z2_at_mean",
    TWO,
    "log p(z2) is evaluated at mu2. It is the density of the sample z2.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, _, q_z1, q_z2 = five(self, x, eps)
    return p_x + p_z1 + standard(samples(self, x, eps)[3]) - q_z1 - q_z2


@misconception(
    "two.decodes_mean",
    TWO,
    "The decoder is given mu1, as in an autoencoder. The weight of a sample needs p(x | z1) at that sample z1.",
    WEIGHT,
)
def _(self, x, eps):
    _, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return bernoulli_log_likelihood(x, self.decoder(samples(self, x, eps)[0])) + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.decodes_from_the_top",
    TWO,
    "The image is decoded from p(z1 | z2)'s mean, not from the z1 that was sampled. One z1 runs through the whole "
    "weight: it is encoded from x, scored by p(z1 | z2), and decoded.",
    WEIGHT,
)
def _(self, x, eps):
    _, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    above = self.p_z1(samples(self, x, eps)[5])[0]
    return bernoulli_log_likelihood(x, self.decoder(above)) + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.decodes_another_z1",
    TWO,
    "A second z1 is drawn from p(z1 | z2), and decoded. One z1 runs through the whole weight: it is sampled from "
    "q(z1 | x), scored by p(z1 | z2), and decoded.",
    WEIGHT,
)
def _(self, x, eps):
    _, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    other = reparameterize(*self.p_z1(samples(self, x, eps)[5]), in_layers(self, eps)[0])
    return bernoulli_log_likelihood(x, self.decoder(other)) + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.q_as_prior",
    TWO,
    "q's own mean and sigma stand in p(z1 | z2), so that it cancels with log q(z1 | x). p has a network of its own, "
    "which is given z2.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, _, p_z2, _, q_z2 = five(self, x, eps)
    return p_x + p_z2 - q_z2


@misconception(
    "two.noise_reused",
    TWO,
    "The noise of z1 is used for z2, too. Then the two are not independent given z1: z2 has its own part of eps.",
    WEIGHT,
)
def _(self, x, eps):
    eps1, _ = in_layers(self, eps)
    mu1, sigma1 = self.q_z1(x)
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = self.q_z2(z1)
    z2 = reparameterize(mu2, sigma2, eps1[..., : self.d2])
    log_p = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2)) + standard(z2)
    return log_p - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)


@misconception(
    "two.noise_swapped",
    TWO,
    "The noise is split the wrong way round: eps holds that of z1 first, D1 numbers, and then that of z2.",
    WEIGHT,
)
def _(self, x, eps):
    eps2, eps1 = eps.split((self.d2, self.d1), dim=-1)
    return sum(five(self, x, torch.cat([eps1, eps2], -1))[:3]) - sum(five(self, x, torch.cat([eps1, eps2], -1))[3:])


@misconception(
    "two.no_noise_in_z1",
    TWO,
    "z1 is its mean, without noise; only z2 is sampled. Both layers are stochastic: z1 = mu1 + sigma1 eps1.",
    WEIGHT,
)
def _(self, x, eps):
    eps1, eps2 = in_layers(self, eps)
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, torch.cat([torch.zeros_like(eps1), eps2], -1))
    return p_x + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.no_noise_in_z2",
    TWO,
    "z2 is its mean, without noise; only z1 is sampled. Both layers are stochastic: z2 = mu2 + sigma2 eps2.",
    WEIGHT,
)
def _(self, x, eps):
    eps1, eps2 = in_layers(self, eps)
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, torch.cat([eps1, torch.zeros_like(eps2)], -1))
    return p_x + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.q_sign",
    TWO,
    "The densities of q are added. q is the denominator of the weight, so its logarithms are subtracted.",
    WEIGHT,
)
def _(self, x, eps):
    return sum(five(self, x, eps))


@misconception(
    "two.q_z2_sign",
    TWO,
    "log q(z2 | z1) is added. q is the denominator of the weight, so its logarithms are subtracted.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return p_x + p_z1 + p_z2 - q_z1 + q_z2


@misconception(
    "two.p_z2_sign",
    TWO,
    "log p(z2) is subtracted. It is a factor of p(x, z1, z2), the numerator of the weight: add it.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return p_x + p_z1 - p_z2 - q_z1 - q_z2


@misconception(
    "two.negated",
    TWO,
    "The sign is turned, as in a loss. log_weights returns the log weights; loss() turns the sign.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return q_z1 + q_z2 - p_x - p_z1 - p_z2


@misconception(
    "two.pixel_mean",
    TWO,
    "log p(x | z1) is averaged over the pixels. They are independent given z1, so their logarithms add up.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return p_x / x.shape[-1] + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.mean_over_samples",
    TWO,
    "The samples are averaged already. log_weights keeps one number for each sample of each image; the bound "
    "averages them later, and not all bounds average logarithms.",
    WEIGHT,
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, eps)
    return (p_x + p_z1 + p_z2 - q_z1 - q_z2).mean(0)


@misconception(
    "two.detached_z1",
    TWO,
    "The values are right, but z1 is detached before q(z2 | z1), so that no gradient of z2 reaches the first layer. "
    "z2 depends on z1, and the gradient has to pass.",
    WEIGHT,
)
def _(self, x, eps):
    eps1, eps2 = in_layers(self, eps)
    mu1, sigma1 = self.q_z1(x)
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = self.q_z2(z1.detach())
    z2 = reparameterize(mu2, sigma2, eps2)
    log_p = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2)) + standard(z2)
    return log_p - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)


@misconception(
    "two.detached",
    TWO,
    "The values are right, but the samples are cut off from the graph, as by .detach(), no_grad or .sample(). Then "
    "q learns nothing from what its samples are worth.",
    WEIGHT,
)
def _(self, x, eps):
    mu1, sigma1, z1, mu2, sigma2, z2 = samples(self, x, eps)
    z1, z2 = z1.detach(), z2.detach()
    mu2, sigma2 = self.q_z2(z1)
    log_p = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2)) + standard(z2)
    return log_p - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)


@misconception(
    "two.ignores_eps",
    TWO,
    "New noise is drawn inside, and eps is ignored. The weight must be a function of eps, so that it can be repeated.",
    WEIGHT,
    explains="random",
)
def _(self, x, eps):
    p_x, p_z1, p_z2, q_z1, q_z2 = five(self, x, torch.randn_like(eps))
    return p_x + p_z1 + p_z2 - q_z1 - q_z2


@misconception(
    "two.clamped",
    TWO,
    "Ordinary sigmas are right, small or large ones are not: something is clamped, or a small number is added. The "
    "networks give sigma as it is to be used.",
    WEIGHT,
    explains="extremes",
)
def _(self, x, eps):
    eps1, eps2 = in_layers(self, eps)
    mu1, sigma1 = self.q_z1(x)
    sigma1 = sigma1.clamp(0.02, 50)
    z1 = reparameterize(mu1, sigma1, eps1)
    mu2, sigma2 = self.q_z2(z1)
    z2 = reparameterize(mu2, sigma2, eps2)
    log_p = bernoulli_log_likelihood(x, self.decoder(z1)) + gaussian_log_likelihood(z1, *self.p_z1(z2)) + standard(z2)
    return log_p - gaussian_log_likelihood(z1, mu1, sigma1) - gaussian_log_likelihood(z2, mu2, sigma2)


# TODO 1: TwoLayerIWAE.sample ------------------------------------------------------------------------------


@misconception(
    "sample.no_noise_in_z1",
    SAMPLED,
    "z1 is the mean of p(z1 | z2), without noise. Such images are too smooth and too much alike: the model draws z1.",
    SAMPLE,
)
def _(self, eps):
    return self.decoder(self.p_z1(in_layers(self, eps)[1])[0])


@misconception(
    "sample.no_z2",
    SAMPLED,
    "z2 is 0, its mean, for every image. The model draws it from N(0, I), where most of what differs between images "
    "is decided.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    return self.decoder(reparameterize(*self.p_z1(torch.zeros_like(eps2)), eps1))


@misconception(
    "sample.skips_z2",
    SAMPLED,
    "z1 is drawn from N(0, I), and z2 is not used. z1 has the prior p(z1 | z2): begin with z2.",
    SAMPLE,
)
def _(self, eps):
    return self.decoder(in_layers(self, eps)[0])


@misconception(
    "sample.noise_swapped",
    SAMPLED,
    "The noise is split the wrong way round: eps holds that of z1 first, D1 numbers, and then that of z2.",
    SAMPLE,
)
def _(self, eps):
    eps2, eps1 = eps.split((self.d2, self.d1), dim=-1)
    return self.decoder(reparameterize(*self.p_z1(eps2), eps1))


@misconception(
    "sample.noise_reused",
    SAMPLED,
    "One part of the noise is used for both layers. They are drawn independently: each has its own part of eps.",
    SAMPLE,
)
def _(self, eps):
    eps1, _ = in_layers(self, eps)
    return self.decoder(reparameterize(*self.p_z1(eps1[:, : self.d2]), eps1))


@misconception(
    "sample.variance",
    SAMPLED,
    "The noise of z1 is scaled by sigma^2. A standard deviation of sigma needs the factor sigma.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    mu, sigma = self.p_z1(eps2)
    return self.decoder(mu + sigma**2 * eps1)


@misconception(
    "sample.exp_sigma",
    SAMPLED,
    "sigma is taken for a logarithm and exponentiated. The network gives the standard deviation itself.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    mu, sigma = self.p_z1(eps2)
    return self.decoder(mu + torch.exp(sigma) * eps1)


@misconception(
    "sample.without_mean",
    SAMPLED,
    "The mean of p(z1 | z2) is left out, so that only the spread of z1 depends on z2. z1 = mu(z2) + sigma(z2) eps1.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    return self.decoder(self.p_z1(eps2)[1] * eps1)


@misconception(
    "sample.unit_variance",
    SAMPLED,
    "The noise of z1 is not scaled by sigma. z1 = mu(z2) + sigma(z2) eps1.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    return self.decoder(self.p_z1(eps2)[0] + eps1)


@misconception(
    "sample.through_q",
    SAMPLED,
    "z2 is not the noise, but drawn from q(z2 | z1). q is for images that are given; new ones come from p alone.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    z2 = reparameterize(*self.q_z2(eps1), eps2)
    return self.decoder(reparameterize(*self.p_z1(z2), eps1))


@misconception(
    "sample.probabilities",
    SAMPLED,
    "These are the probabilities of the pixels. Return the logits: who calls it takes the sigmoid.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    return torch.sigmoid(self.decoder(reparameterize(*self.p_z1(eps2), eps1)))


@misconception(
    "sample.binary",
    SAMPLED,
    "The pixels are decided: 1 where more probable than 0. Return the logits.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    return (self.decoder(reparameterize(*self.p_z1(eps2), eps1)) > 0).to(eps.dtype)


@misconception(
    "sample.returns_z1",
    SAMPLED,
    "This is z1. Decode it: the result is the logits of the pixels.",
    SAMPLE,
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    return reparameterize(*self.p_z1(eps2), eps1)


@misconception(
    "sample.ignores_eps",
    SAMPLED,
    "New noise is drawn inside, and eps is ignored. The images must be a function of eps, to be repeated.",
    SAMPLE,
    explains="random",
)
def _(self, eps):
    eps1, eps2 = in_layers(self, torch.randn_like(eps))
    return self.decoder(reparameterize(*self.p_z1(eps2), eps1))


@misconception(
    "sample.clamped",
    SAMPLED,
    "Ordinary sigmas are right, small or large ones are not: something is clamped, or a small number is added. The "
    "network gives sigma as it is to be used.",
    SAMPLE,
    explains="extremes",
)
def _(self, eps):
    eps1, eps2 = in_layers(self, eps)
    mu, sigma = self.p_z1(eps2)
    return self.decoder(mu + sigma.clamp(0.1, 10) * eps1)


# TODO 2: ConditionalIWAE.log_weights ----------------------------------------------------------------------


def sampled(self, x, eps, y):
    """mu, sigma and z as they should be."""
    mu, sigma = self.q_z(torch.cat([x, y], -1))
    return mu, sigma, reparameterize(mu, sigma, eps)


def decoded(self, x, z, y):
    """log p(x | z, y) as it should be."""
    return bernoulli_log_likelihood(x, self.decoder(torch.cat([z, y.expand(*z.shape[:-1], -1)], -1)))


@misconception(
    "given.standard_prior",
    GIVEN,
    "The prior is N(0, I), whatever the model was made with. p(z | y) may have a mean and a sigma for each class: "
    "take them from self.prior(y).",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    return decoded(self, x, z, y) + standard(z) - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.no_prior",
    GIVEN,
    "log p(z | y) is missing. It is a factor of p(x, z | y), the numerator of the weight.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    return decoded(self, x, z, y) - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.no_q",
    GIVEN,
    "- log q(z | x, y) is missing. The samples come from q, so each is divided by how likely q makes it.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    _, _, z = sampled(self, x, eps, y)
    return decoded(self, x, z, y) + gaussian_log_likelihood(z, *self.prior(y))


@misconception(
    "given.no_likelihood",
    GIVEN,
    "log p(x | z, y) is missing: the weight does not look at what is decoded.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    return gaussian_log_likelihood(z, *self.prior(y)) - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.q_sign",
    GIVEN,
    "log q(z | x, y) is added. q is the denominator of the weight, so its logarithm is subtracted.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior + gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.prior_sign",
    GIVEN,
    "log p(z | y) is subtracted. It is a factor of p(x, z | y), the numerator of the weight: add it.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) - prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.negated",
    GIVEN,
    "The sign is turned, as in a loss. log_weights returns the log weights; loss() turns the sign.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return gaussian_log_likelihood(z, mu, sigma) - decoded(self, x, z, y) - prior


@misconception(
    "given.label_added",
    GIVEN,
    "log p(y) = -log C is added, as for the joint density of x and y. The label is given here: the evidence is "
    "p(x | y), and y has no density in it.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    label = torch.log(torch.ones_like(y).sum(-1))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma) - label


@misconception(
    "given.decoder_without_label",
    GIVEN,
    "The decoder gets zeros in the place of the label. p(x | z, y) depends on y: give it z and y, side by side.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, torch.zeros_like(y)) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.encoder_without_label",
    GIVEN,
    "The encoder gets zeros in the place of the label. q(z | x, y) depends on y: give it x and y, side by side.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, torch.zeros_like(y))
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.encoder_order",
    GIVEN,
    "The encoder gets y first and then x. Its inputs are x and y, in this order.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma = self.q_z(torch.cat([y, x], -1))
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.decoder_order",
    GIVEN,
    "The decoder gets y first and then z. Its inputs are z and y, in this order.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    logits = self.decoder(torch.cat([y.expand(len(z), -1, -1), z], -1))
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return bernoulli_log_likelihood(x, logits) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.first_label",
    GIVEN,
    "The prior of every image is that of the first image's label. Each image has its own: mu and sigma are [B, D].",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y[:1]))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.average_prior",
    GIVEN,
    "The prior is that of the average label of the batch. Then an image's weight depends on the others: each has its "
    "own label.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y.mean(0, keepdim=True)))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.samples_the_prior",
    GIVEN,
    "z is drawn from the prior p(z | y), and scored under q. The samples come from q(z | x, y): "
    "z = mu + sigma eps with the encoder's mu and sigma.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, _ = sampled(self, x, eps, y)
    z = reparameterize(*self.prior(y), eps)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.prior_at_mean",
    GIVEN,
    "The prior is evaluated at mu. Every density of the weight is that of the same sample z.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(mu, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.prior_at_eps",
    GIVEN,
    "The prior is evaluated at the noise eps. It is the density of the latent: evaluate it at z.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(eps, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.q_at_eps",
    GIVEN,
    "log q(z | x, y) is taken as the density of the noise. z = mu + sigma eps is stretched by sigma, so - log(sigma) "
    "of each unit is missing.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    _, _, z = sampled(self, x, eps, y)
    return decoded(self, x, z, y) + gaussian_log_likelihood(z, *self.prior(y)) - standard(eps)


@misconception(
    "given.decodes_mean",
    GIVEN,
    "The decoder is given mu, as in an autoencoder. The weight of a sample needs p(x | z, y) at that sample z.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, mu, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.q_as_prior",
    GIVEN,
    "q's own mean and sigma stand in the prior, so that the two cancel and log p(x | z, y) is left. "
    "The prior's are those of self.prior(y).",
    CONDITIONAL,
)
def _(self, x, eps, y):
    return decoded(self, x, sampled(self, x, eps, y)[2], y)


@misconception(
    "given.pixel_mean",
    GIVEN,
    "log p(x | z, y) is averaged over the pixels. They are independent given z and y, so their logarithms add up.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) / x.shape[-1] + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.mean_over_samples",
    GIVEN,
    "The samples are averaged already. log_weights keeps one number for each sample of each image.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return (decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)).mean(0)


@misconception(
    "given.detached_prior",
    GIVEN,
    "The values are right, but the prior's mean and sigma are detached, so that they are never trained.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    prior = gaussian_log_likelihood(z, *(moment.detach() for moment in self.prior(y)))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.detached",
    GIVEN,
    "The values are right, but the samples are cut off from the graph, as by .detach(), no_grad or .sample(). Then "
    "q learns nothing from what its samples are worth.",
    CONDITIONAL,
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, eps, y)
    z = z.detach()
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.ignores_eps",
    GIVEN,
    "New noise is drawn inside, and eps is ignored. The weight must be a function of eps, so that it can be repeated.",
    CONDITIONAL,
    explains="random",
)
def _(self, x, eps, y):
    mu, sigma, z = sampled(self, x, torch.randn_like(eps), y)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "given.clamped",
    GIVEN,
    "Ordinary sigmas are right, small or large ones are not: something is clamped, or a small number is added. The "
    "networks give sigma as it is to be used.",
    CONDITIONAL,
    explains="extremes",
)
def _(self, x, eps, y):
    mu, sigma, _ = sampled(self, x, eps, y)
    sigma = sigma.clamp(0.02, 50)
    z = reparameterize(mu, sigma, eps)
    prior = gaussian_log_likelihood(z, *self.prior(y))
    return decoded(self, x, z, y) + prior - gaussian_log_likelihood(z, mu, sigma)


# TODO 3: activity -----------------------------------------------------------------------------------------


@misconception(
    "activity.second_moment",
    "activity",
    "The mean is not subtracted. A unit whose mean is 1 for every image would count as used, though it tells nothing "
    "of the image.",
    ACTIVITY,
)
def _(means):
    return means.square().mean(0)


@misconception(
    "activity.standard_deviation",
    "activity",
    "This is the standard deviation. The threshold 0.01 is one of variances: with roots nearly every unit is active.",
    ACTIVITY,
)
def _(means):
    return means.std(0)


@misconception(
    "activity.over_units",
    "activity",
    "The variance is taken over the units of an image. It is over the images, axis 0: one number for each unit.",
    ACTIVITY,
)
def _(means):
    return means.var(1)


@misconception(
    "activity.over_all",
    "activity",
    "There is one variance of all numbers. Each unit has its own: take it over axis 0.",
    ACTIVITY,
)
def _(means):
    return means.var().expand(means.shape[1])


@misconception(
    "activity.mean",
    "activity",
    "This is the mean over the images. What is asked is how much the posterior mean varies from image to image.",
    ACTIVITY,
)
def _(means):
    return means.mean(0)


@misconception(
    "activity.absolute",
    "activity",
    "Absolute deviations are averaged. The variance averages squares.",
    ACTIVITY,
)
def _(means):
    return (means - means.mean(0)).abs().mean(0)


@misconception(
    "activity.sum_of_squares",
    "activity",
    "The squares are added up and not averaged, so that the result grows with the number of images.",
    ACTIVITY,
)
def _(means):
    return (means - means.mean(0)).square().sum(0)


@misconception(
    "activity.is_active",
    "activity",
    "This is whether a unit is active. Return the variance itself; who asks compares it with 0.01.",
    ACTIVITY,
)
def _(means):
    return (means.var(0) > 0.01).to(means.dtype)


@misconception(
    "activity.count",
    "activity",
    "This is the number of active units. Return the variance of each unit.",
    ACTIVITY,
)
def _(means):
    return (means.var(0) > 0.01).sum().to(means.dtype)


@misconception(
    "activity.logarithm",
    "activity",
    "This is the logarithm of the variance, as in some plots. Return the variance itself.",
    ACTIVITY,
)
def _(means):
    return means.var(0).log()


@misconception(
    "activity.image_centred",
    "activity",
    "What is subtracted is the mean over the units of each image. Subtract each unit's mean over the images, axis 0.",
    ACTIVITY,
)
def _(means):
    return (means - means.mean(1, keepdim=True)).square().mean(0)


@misconception(
    "activity.covariance",
    "activity",
    "This is the covariance of all units. Their variances are its diagonal.",
    ACTIVITY,
)
def _(means):
    return torch.cov(means.T)


@misconception(
    "activity.clamped",
    "activity",
    "Ordinary numbers are right, large or small ones are not: something is clamped or scaled. The variance is to be "
    "returned as it is.",
    ACTIVITY,
    explains="extremes",
)
def _(means):
    return means.clamp(-20, 20).var(0)


# TODO 3: principal_components -----------------------------------------------------------------------------


def directions(a):
    """The rows are unit vectors, those of the largest singular value first."""
    return torch.linalg.svd(a, full_matrices=False)[2]


@misconception(
    "components.uncentred",
    "principal_components",
    "The rows are not centred. Then the first direction points to the mean, and not along what varies.",
    COMPONENTS,
)
def _(a, n):
    return a @ directions(a)[:n].T


@misconception(
    "components.projects_uncentred",
    "principal_components",
    "The directions are right, but the rows that are projected on them are not centred: the scores have a mean.",
    COMPONENTS,
)
def _(a, n):
    return a @ directions(a - a.mean(0))[:n].T


@misconception(
    "components.standardised",
    "principal_components",
    "The columns are scaled to unit variance first. A unit that hardly varies then counts as much as one that tells "
    "the images apart: centre only.",
    COMPONENTS,
)
def _(a, n):
    scaled = (a - a.mean(0)) / a.std(0)
    return scaled @ directions(scaled)[:n].T


@misconception(
    "components.standardised_by_n",
    "principal_components",
    "The columns are scaled to unit variance first, as StandardScaler does. Centre only.",
    COMPONENTS,
)
def _(a, n):
    scaled = (a - a.mean(0)) / a.std(0, correction=0)
    return scaled @ directions(scaled)[:n].T


@misconception(
    "components.whitened",
    "principal_components",
    "Every score has unit variance, so that the components look equally important. Do not divide by the singular "
    "values or by standard deviations.",
    COMPONENTS,
)
def _(a, n):
    scores = (a - a.mean(0)) @ directions(a - a.mean(0))[:n].T
    return scores / scores.std(0)


@misconception(
    "components.left_vectors",
    "principal_components",
    "These are the left singular vectors, of unit length. The scores are they times the singular values.",
    COMPONENTS,
)
def _(a, n):
    return torch.linalg.svd(a - a.mean(0), full_matrices=False)[0][:, :n]


@misconception(
    "components.smallest_first",
    "principal_components",
    "These are the directions of smallest variance: eigh sorts its eigenvalues upwards. Take the last ones, backwards.",
    COMPONENTS,
)
def _(a, n):
    centred = a - a.mean(0)
    return centred @ torch.linalg.eigh(centred.T @ centred)[1][:, :n]


@misconception(
    "components.upwards",
    "principal_components",
    "The n directions are the right ones, but the one of smallest variance comes first. Turn them round.",
    COMPONENTS,
)
def _(a, n):
    return ((a - a.mean(0)) @ directions(a - a.mean(0))[:n].T).flip(1)


@misconception(
    "components.first_columns",
    "principal_components",
    "These are the first n columns. A principal component is a direction in the space of all columns: the one along "
    "which the rows vary most.",
    COMPONENTS,
)
def _(a, n):
    return (a - a.mean(0))[:, :n]


@misconception(
    "components.best_columns",
    "principal_components",
    "These are the n columns that vary most. A principal component is a direction in the space of all columns, and "
    "need not be one of them.",
    COMPONENTS,
)
def _(a, n):
    return (a - a.mean(0))[:, a.var(0).argsort(descending=True)[:n]]


@misconception(
    "components.rows_centred",
    "principal_components",
    "Each row is centred by its own mean. What is subtracted is the mean of each column over the rows, axis 0.",
    COMPONENTS,
)
def _(a, n):
    centred = a - a.mean(1, keepdim=True)
    return centred @ directions(centred)[:n].T


@misconception(
    "components.columns_of_vh",
    "principal_components",
    "torch.linalg.svd returns V transposed: its rows are the directions, and this takes its columns.",
    COMPONENTS,
)
def _(a, n):
    centred = a - a.mean(0)
    return centred @ torch.linalg.svd(centred)[2][:, :n]


@misconception(
    "components.directions",
    "principal_components",
    "These are the directions themselves. Project the centred rows on them: [N, n].",
    COMPONENTS,
)
def _(a, n):
    return directions(a - a.mean(0))[:n]


@misconception(
    "components.reconstruction",
    "principal_components",
    "The scores are turned back into rows of D numbers. Return the scores, [N, n].",
    COMPONENTS,
)
def _(a, n):
    first = directions(a - a.mean(0))[:n]
    return (a - a.mean(0)) @ first.T @ first


@misconception(
    "components.all",
    "principal_components",
    "All components are returned. Take the first n.",
    COMPONENTS,
)
def _(a, n):
    return (a - a.mean(0)) @ directions(a - a.mean(0)).T


@misconception(
    "components.scaled_by_n",
    "principal_components",
    "The scores are divided by the square root of the number of rows. That is the way from singular values to standard "
    "deviations; the scores are the projections as they are.",
    COMPONENTS,
)
def _(a, n):
    return (a - a.mean(0)) @ directions(a - a.mean(0))[:n].T / (len(a) - 1) ** 0.5


@misconception(
    "components.variances",
    "principal_components",
    "These are the variances along the directions. Return the coordinates of the rows, [N, n].",
    COMPONENTS,
)
def _(a, n):
    return torch.linalg.svdvals(a - a.mean(0))[:n].square() / (len(a) - 1)
