"""Wrong answers that learners give to the lab, as functions: where one gives a file's numbers, the feedback names it.

Each entry is the wrong formula under the student file's own signature, why it is wrong, and where to read; see
autograder/assignments/iwae/misconceptions.py for how they are used.
"""

import math

import torch
from torch.nn import functional as F

from autograder.assignments.pixels import ASSIGNMENT
from autograder.grading.assignment import Misconceptions

reference = ASSIGNMENT.reference
discretized_logistic, mixture_log_likelihood = reference.discretized_logistic, reference.mixture_log_likelihood
gaussian_log_likelihood, reparameterize = reference.gaussian_log_likelihood, reference.reparameterize

# Where to read: the section of the lab's handout, assignment/labs/pixels.md; the slide with the same title; a paper.
BIN = "handout and slides of the lab, A probability for each grey level; Kingma et al. 2016, appendix A"
EDGES = "handout and slides of the lab, The two edges"
STABLE = "handout and slides of the lab, Far from the centre"
BITS = "handout and slides of the lab, Bits per dimension"
MIXTURE = "handout and slides of the lab, A mixture; Salimans et al. 2017, section 2.1"
SAMPLING = "handout and slides of the lab, Drawing grey levels"
WEIGHTS = "handout and slides of the lab, The weights of a VAE of pixels"


MISCONCEPTIONS = Misconceptions()
misconception = MISCONCEPTIONS.add


# TODO 1: discretized_logistic ---------------------------------------------------------------------------


@misconception(
    "logistic.no_edges",
    "discretized_logistic",
    "Levels 0 and 255 are given a bin of width 1 like the others, so what the logistic has outside of the levels is "
    "lost and the 256 probabilities do not sum to 1. The bin of 0 begins at minus infinity, that of 255 ends at "
    "infinity.",
    EDGES,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    return F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))


@misconception(
    "logistic.edges_swapped",
    "discretized_logistic",
    "The two edges are exchanged: level 0 has everything below 0.5, sigmoid((0.5 - mu) / s), and level 255 "
    "everything above 254.5.",
    EDGES,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(-below), torch.where(x == 255, F.logsigmoid(above), inside))


@misconception(
    "logistic.edges_at_the_level",
    "discretized_logistic",
    "The bin of 0 ends at 0 and that of 255 begins at 255. They reach half a level further in, to 0.5 and 254.5, "
    "where those of 1 and 254 begin.",
    EDGES,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid((x - mu) / s), torch.where(x == 255, F.logsigmoid((mu - x) / s), inside))


@misconception(
    "logistic.only_edge_0",
    "discretized_logistic",
    "Level 0 has its edge, level 255 has not: its bin ends at infinity. Grey levels go to 255, not to 256, and not "
    "to 1.",
    EDGES,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), inside)


@misconception(
    "logistic.only_edge_255",
    "discretized_logistic",
    "Level 255 has its edge, level 0 has not: its bin begins at minus infinity.",
    EDGES,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 255, F.logsigmoid(-below), inside)


@misconception(
    "logistic.truncated",
    "discretized_logistic",
    "What the logistic has outside of the levels is shared out among all of them. It belongs to the two edges: "
    "everything below 0.5 is level 0, everything above 254.5 is level 255.",
    EDGES,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)

    def log_difference(a, b):
        return F.logsigmoid(a) + F.logsigmoid(-b) + torch.log(-torch.expm1(b - a))

    held = log_difference((255.5 - mu) / s, (-0.5 - mu) / s)
    return log_difference((x + 0.5 - mu) / s, (x - 0.5 - mu) / s) - held


@misconception(
    "logistic.half_width_1",
    "discretized_logistic",
    "The bin goes from x - 1 to x + 1, so that each overlaps its neighbours and the probabilities sum to 2. The "
    "levels lie 1 apart: half a level on either side.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 1 - mu) / s, (x - 1 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.width_of_unit_scale",
    "discretized_logistic",
    "The bin has the width 1/255, or 2/255, of images between 0 and 1, or -1 and 1. Here x, mu and s are in grey "
    "levels, which lie 1 apart.",
    BIN,
)
def _(x, mu, log_s):
    s, half = torch.exp(log_s), 1 / 255
    above, below = (x + half - mu) / s, (x - half - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2 * half / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.bin_from_x",
    "discretized_logistic",
    "The bin goes from x to x + 1. It lies about its level: from x - 1/2 to x + 1/2.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 1 - mu) / s, (x - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.bin_to_x",
    "discretized_logistic",
    "The bin goes from x - 1 to x. It lies about its level: from x - 1/2 to x + 1/2.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x - mu) / s, (x - 1 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.log_variance",
    "discretized_logistic",
    "log_s is taken for the logarithm of a variance: exp(log_s / 2). It is the logarithm of the scale itself: "
    "exp(log_s).",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(0.5 * log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.log_s_as_s",
    "discretized_logistic",
    "log_s is taken for the scale. It is its logarithm, which may be negative: s = exp(log_s).",
    BIN,
)
def _(x, mu, log_s):
    above, below = (x + 0.5 - mu) / log_s, (x - 0.5 - mu) / log_s
    inside = torch.log(torch.sigmoid(above) - torch.sigmoid(below))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.multiplied_by_s",
    "discretized_logistic",
    "The distance from mu is multiplied by s. A wide distribution is one with a large s: divide by it. (exp(-log_s) "
    "is 1 / s.)",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(-log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.standard_deviation",
    "discretized_logistic",
    "s is taken for the standard deviation. It is the scale in sigmoid((t - mu) / s); the standard deviation of a "
    "logistic is pi / sqrt(3) times that.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s) * math.sqrt(3) / math.pi
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.density",
    "discretized_logistic",
    "This is the logistic's density at x, not the probability of a bin. They agree where s is large; for s of a "
    "level or less, and at 0 and 255, they do not, and a density can be above 1.",
    BIN,
)
def _(x, mu, log_s):
    t = (x - mu) / torch.exp(log_s)
    return F.logsigmoid(t) + F.logsigmoid(-t) - log_s


@misconception(
    "logistic.density_inside",
    "discretized_logistic",
    "Between the edges this is the logistic's density at x, not the probability of a bin. They agree where s is "
    "large; for s of a level or less they do not: a density can be above 1.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    t = (x - mu) / s
    inside = F.logsigmoid(t) + F.logsigmoid(-t) - log_s
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.gaussian_density",
    "discretized_logistic",
    "This is a Gaussian density. The distribution asked for is a logistic, and its probability of a bin.",
    BIN,
)
def _(x, mu, log_s):
    return -0.5 * ((x - mu) / torch.exp(log_s)) ** 2 - log_s - 0.5 * math.log(2 * math.pi)


@misconception(
    "logistic.gaussian_bins",
    "discretized_logistic",
    "The distribution function is that of a Gaussian. That of a logistic is sigmoid((t - mu) / s).",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = torch.log(torch.special.ndtr(above) - torch.special.ndtr(below))
    edge = torch.where(x == 0, torch.special.log_ndtr(above), torch.special.log_ndtr(-below))
    return torch.where((x == 0) | (x == 255), edge, inside)


@misconception(
    "logistic.no_logarithm",
    "discretized_logistic",
    "This is the probability itself. Return its logarithm: probabilities of thousands of dimensions multiply to 0.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = torch.sigmoid((x + 0.5 - mu) / s), torch.sigmoid((x - 0.5 - mu) / s)
    return torch.where(x == 255, 1, above) - torch.where(x == 0, 0, below)


@misconception(
    "logistic.negative",
    "discretized_logistic",
    "This is -log P, the loss. Return the log-likelihood; the loss changes the sign later.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return -torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.bits",
    "discretized_logistic",
    "This is in bits. Log-likelihoods are in nats here, natural logarithms; bits_per_dim changes the unit later.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside)) / math.log(2)


@misconception(
    "logistic.summed",
    "discretized_logistic",
    "The numbers are summed. Return log P of each of them: mixture_log_likelihood needs it level by level.",
    BIN,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside)).sum()


@misconception(
    "logistic.naive",
    "discretized_logistic",
    "The difference of two sigmoids is computed, and then its logarithm. Far from mu both sigmoids are 1, or 0: log "
    "0 is minus infinity and its gradient NaN. Take the factor that is small out in logarithms.",
    STABLE,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = torch.sigmoid((x + 0.5 - mu) / s), torch.sigmoid((x - 0.5 - mu) / s)
    return torch.log(torch.where(x == 255, 1, above) - torch.where(x == 0, 0, below))


@misconception(
    "logistic.naive_inside",
    "discretized_logistic",
    "Between the edges the difference of two sigmoids is computed, and then its logarithm. Far from mu both sigmoids"
    " are 1, or 0: log 0 is minus infinity and its gradient NaN. Take the factor that is small out in logarithms.",
    STABLE,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = torch.log(torch.sigmoid(above) - torch.sigmoid(below))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


@misconception(
    "logistic.epsilon",
    "discretized_logistic",
    "1e-7 is added to the probability before the logarithm. Everything far from mu then has log P = -16.1, and the "
    "gradient that should lead mu there is 0; the probabilities no longer sum to 1 either.",
    STABLE,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = torch.sigmoid((x + 0.5 - mu) / s), torch.sigmoid((x - 0.5 - mu) / s)
    return torch.log(torch.where(x == 255, 1, above) - torch.where(x == 0, 0, below) + 1e-7)


@misconception(
    "logistic.epsilon_no_edges",
    "discretized_logistic",
    "1e-7 is added to the probability before the logarithm, and levels 0 and 255 have no edges. Far from mu the "
    "gradient is 0, and the probabilities do not sum to 1.",
    STABLE,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    return torch.log(torch.sigmoid((x + 0.5 - mu) / s) - torch.sigmoid((x - 0.5 - mu) / s) + 1e-7)


@misconception(
    "logistic.clamped",
    "discretized_logistic",
    "The values near mu are right, those far from it are not: the probability or its logarithm is clamped, which "
    "takes the gradient away where it is needed most. Write it such that nothing has to be clamped.",
    STABLE,
    explains="extremes",
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = torch.sigmoid((x + 0.5 - mu) / s), torch.sigmoid((x - 0.5 - mu) / s)
    return torch.log((torch.where(x == 255, 1, above) - torch.where(x == 0, 0, below)).clamp(min=1e-12))


@misconception(
    "logistic.detached",
    "discretized_logistic",
    "The value is right, but no gradient reaches mu and log_s: something is detached, or computed by numpy or under "
    "no_grad. The decoder learns through these two alone.",
    STABLE,
)
def _(x, mu, log_s):
    s = torch.exp(log_s)
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside)).detach()


@misconception(
    "logistic.scale_detached",
    "discretized_logistic",
    "The value is right, but no gradient reaches log_s: the scale is detached, or a number taken out of its tensor.",
    STABLE,
)
def _(x, mu, log_s):
    s = torch.exp(log_s.detach())
    above, below = (x + 0.5 - mu) / s, (x - 0.5 - mu) / s
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-1 / s))
    return torch.where(x == 0, F.logsigmoid(above), torch.where(x == 255, F.logsigmoid(-below), inside))


# TODO 1: bits_per_dim -----------------------------------------------------------------------------------


@misconception(
    "bits.nats",
    "bits_per_dim",
    "These are nats per dimension: the log 2 is missing. A bit is log 2 = 0.693 nats, so that the figure in bits is "
    "larger.",
    BITS,
)
def _(nll, n):
    return nll / n


@misconception(
    "bits.multiplied",
    "bits_per_dim",
    "The nats are multiplied by log 2. A bit is log 2 = 0.693 nats, so there are more bits than nats: divide.",
    BITS,
)
def _(nll, n):
    return nll * math.log(2) / n


@misconception(
    "bits.log10",
    "bits_per_dim",
    "The unit is changed with log 10. A bit is the answer to a question with two answers: log 2 nats.",
    BITS,
)
def _(nll, n):
    return nll / (n * math.log(10))


@misconception(
    "bits.pixels",
    "bits_per_dim",
    "n is divided by 3, as if it counted colours. It counts dimensions, every colour of every pixel: take it as it is.",
    BITS,
)
def _(nll, n):
    return nll / (n / 3 * math.log(2))


@misconception(
    "bits.sign",
    "bits_per_dim",
    "The sign is changed. nll is minus the log-likelihood already, and a number of bits is positive.",
    BITS,
)
def _(nll, n):
    return -nll / (n * math.log(2))


@misconception(
    "bits.per_image",
    "bits_per_dim",
    "These are bits per image: divide by its n dimensions.",
    BITS,
)
def _(nll, n):
    return nll / math.log(2)


@misconception(
    "bits.log_of_nll",
    "bits_per_dim",
    "The logarithm of nll is taken. nll is a logarithm already; what changes is its base: divide by log 2.",
    BITS,
)
def _(nll, n):
    return torch.log2(nll) / n


@misconception(
    "bits.levels",
    "bits_per_dim",
    "The unit is log 256: this is the share of the 8 bits that a number of the image has. A bit is log 2 nats.",
    BITS,
)
def _(nll, n):
    return nll / (n * math.log(256))


@misconception(
    "bits.averaged",
    "bits_per_dim",
    "The images are averaged. Return one figure for each of them: the average is taken later.",
    BITS,
)
def _(nll, n):
    return nll.mean() / (n * math.log(2))


# TODO 2: mixture_log_likelihood -------------------------------------------------------------------------


@misconception(
    "mixture.mean_of_logs",
    "mixture_log_likelihood",
    "This is the sum of pi_m log P_m: the logarithm is taken before the sum. A mixture adds probabilities, and by "
    "Jensen's inequality what you have is less: log of the sum of pi_m P_m.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return (torch.softmax(logits, -1) * discretized_logistic(x.unsqueeze(-1), mu, log_s)).sum(-1)


@misconception(
    "mixture.not_normalised",
    "mixture_log_likelihood",
    "The logits are used as they are, as if they were log weights. Weights sum to 1: take log_softmax over the last "
    "axis.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return torch.logsumexp(logits + discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.softmax_over_levels",
    "mixture_log_likelihood",
    "The softmax runs over the first axis. The weights of the M logistics of one level sum to 1: the last axis.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return torch.logsumexp(torch.log_softmax(logits, 0) + discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.softmax_over_all",
    "mixture_log_likelihood",
    "The softmax runs over all levels and logistics together. Each level has M weights of its own that sum to 1.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_pi = logits - torch.logsumexp(logits.flatten(), 0)
    return torch.logsumexp(log_pi + discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.equal_weights",
    "mixture_log_likelihood",
    "All logistics count the same. Their weights are the softmax of logits.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_p = discretized_logistic(x.unsqueeze(-1), mu, log_s)
    return torch.logsumexp(log_p, -1) - math.log(log_p.shape[-1])


@misconception(
    "mixture.no_weights",
    "mixture_log_likelihood",
    "The weights are left out: this is the sum of M probabilities, which can be above 1.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return torch.logsumexp(discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.best_only",
    "mixture_log_likelihood",
    "Only the logistic with the largest share counts. Where they overlap, others add to the probability: sum over all.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return (torch.log_softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s)).amax(-1)


@misconception(
    "mixture.heaviest_only",
    "mixture_log_likelihood",
    "Only the logistic with the largest weight is asked for its probability. All M add to that of a level.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_p = discretized_logistic(x.unsqueeze(-1), mu, log_s)
    return log_p.gather(-1, logits.argmax(-1, keepdim=True)).squeeze(-1)


@misconception(
    "mixture.averaged_parameters",
    "mixture_log_likelihood",
    "mu and log_s are averaged with the weights, and one logistic is made of the M. A mixture can have several "
    "peaks: average the probabilities.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    pi = torch.softmax(logits, -1)
    return discretized_logistic(x, (pi * mu).sum(-1), (pi * log_s).sum(-1))


@misconception(
    "mixture.weights_not_logs",
    "mixture_log_likelihood",
    "The weights are added to the log probabilities, not their logarithms: log_softmax, not softmax.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return torch.logsumexp(torch.softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.sigmoid",
    "mixture_log_likelihood",
    "Each logit goes through a sigmoid of its own. The M weights compete, and sum to 1: softmax.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return torch.logsumexp(F.logsigmoid(logits) + discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.divided_by_m",
    "mixture_log_likelihood",
    "log M is subtracted, a mean in the place of a sum. The weights of the softmax sum to 1 already.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_p = torch.log_softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s)
    return torch.logsumexp(log_p, -1) - math.log(log_p.shape[-1])


@misconception(
    "mixture.product",
    "mixture_log_likelihood",
    "The log probabilities are added up, which multiplies the probabilities of the M logistics. A level comes from "
    "one of them: add probabilities, not logarithms.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return (torch.log_softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s)).sum(-1)


@misconception(
    "mixture.no_logarithm",
    "mixture_log_likelihood",
    "This is the probability itself. Return its logarithm.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return (torch.softmax(logits, -1) * torch.exp(discretized_logistic(x.unsqueeze(-1), mu, log_s))).sum(-1)


@misconception(
    "mixture.underflow",
    "mixture_log_likelihood",
    "The probabilities are added up, and then the logarithm is taken. Far from every logistic they are all 0 in "
    "single precision: use logsumexp.",
    STABLE,
)
def _(x, logits, mu, log_s):
    p = torch.exp(discretized_logistic(x.unsqueeze(-1), mu, log_s))
    return torch.log((torch.softmax(logits, -1) * p).sum(-1))


@misconception(
    "mixture.epsilon",
    "mixture_log_likelihood",
    "The values near the logistics are right, those far from all of them are not: a small number is added before the"
    " logarithm, or something is clamped. The gradient is gone there: use logsumexp.",
    STABLE,
    explains="extremes",
)
def _(x, logits, mu, log_s):
    p = torch.exp(discretized_logistic(x.unsqueeze(-1), mu, log_s))
    return torch.log((torch.softmax(logits, -1) * p).sum(-1) + 1e-7)


@misconception(
    "mixture.summed_over_levels",
    "mixture_log_likelihood",
    "The sum runs over the levels too. Return log P of each: log_weights adds them up.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_p = torch.log_softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s)
    return torch.logsumexp(log_p, -1).sum()


@misconception(
    "mixture.not_summed",
    "mixture_log_likelihood",
    "There is a number for each logistic of a level. Add their probabilities up over the last axis.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    return torch.log_softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s)


@misconception(
    "mixture.weights_detached",
    "mixture_log_likelihood",
    "The value is right, but no gradient reaches the logits, so that the weights are never learned.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_pi = torch.log_softmax(logits.detach(), -1)
    return torch.logsumexp(log_pi + discretized_logistic(x.unsqueeze(-1), mu, log_s), -1)


@misconception(
    "mixture.detached",
    "mixture_log_likelihood",
    "The value is right, but its gradient is cut off: something is detached, or computed by numpy or under no_grad.",
    MIXTURE,
)
def _(x, logits, mu, log_s):
    log_p = torch.log_softmax(logits, -1) + discretized_logistic(x.unsqueeze(-1), mu, log_s)
    return torch.logsumexp(log_p, -1).detach()


# TODO 2: sample_logistic --------------------------------------------------------------------------------


@misconception(
    "sample.mean",
    "sample_logistic",
    "u is ignored: this is mu, rounded. Samples scatter about it by the scale s.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + 0 * log_s * u).round().clamp(0, 255)


@misconception(
    "sample.own_noise",
    "sample_logistic",
    "The noise is drawn anew. Use u, so that the same u gives the same samples.",
    SAMPLING,
    explains="random",
)
def _(mu, log_s, u):
    v = torch.rand_like(u)
    return (mu + torch.exp(log_s) * (torch.log(v) - torch.log1p(-v))).round().clamp(0, 255)


@misconception(
    "sample.uniform",
    "sample_logistic",
    "u is used as it is: this is mu plus s times u, which lies on one side of mu. A logistic's noise is log(u / (1 -"
    " u)).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * u).round().clamp(0, 255)


@misconception(
    "sample.gaussian",
    "sample_logistic",
    "u goes through the inverse distribution function of a Gaussian. That of a logistic is mu + s log(u / (1 - u)).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * torch.special.ndtri(u)).round().clamp(0, 255)


@misconception(
    "sample.forwards",
    "sample_logistic",
    "u goes through the sigmoid. The distribution function turns levels into probabilities; its inverse is asked "
    "for, log(u / (1 - u)).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * torch.sigmoid(u)).round().clamp(0, 255)


@misconception(
    "sample.mirrored",
    "sample_logistic",
    "log((1 - u) / u) stands where log(u / (1 - u)) should: a large u gives a small level. The distribution function"
    " grows, and so does its inverse.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log1p(-u) - torch.log(u))).round().clamp(0, 255)


@misconception(
    "sample.exponential",
    "sample_logistic",
    "Half of the logarithm is missing: log(u) or log(1 - u) alone is that of an exponential distribution. A logistic"
    " has log(u) - log(1 - u).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * torch.log(u)).round().clamp(0, 255)


@misconception(
    "sample.gumbel",
    "sample_logistic",
    "-log(-log(u)) is Gumbel's noise. The logistic's is log(u) - log(1 - u).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu - torch.exp(log_s) * torch.log(-torch.log(u))).round().clamp(0, 255)


@misconception(
    "sample.log_s_as_s",
    "sample_logistic",
    "The noise is multiplied by log_s. The scale is exp(log_s).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + log_s * (torch.log(u) - torch.log1p(-u))).round().clamp(0, 255)


@misconception(
    "sample.log_variance",
    "sample_logistic",
    "log_s is taken for the logarithm of a variance: exp(log_s / 2). It is the logarithm of the scale itself.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(0.5 * log_s) * (torch.log(u) - torch.log1p(-u))).round().clamp(0, 255)


@misconception(
    "sample.no_scale",
    "sample_logistic",
    "The scale is missing: the noise is multiplied by s = exp(log_s).",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + 0 * log_s + torch.log(u) - torch.log1p(-u)).round().clamp(0, 255)


@misconception(
    "sample.not_rounded",
    "sample_logistic",
    "The samples are not whole numbers. A level's bin lies about it: round to the nearest.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))).clamp(0, 255)


@misconception(
    "sample.floor",
    "sample_logistic",
    "The samples are rounded down, which makes images half a level darker. The bin of a level goes from x - 1/2 to x"
    " + 1/2: round to the nearest.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))).floor().clamp(0, 255)


@misconception(
    "sample.ceil",
    "sample_logistic",
    "The samples are rounded up. The bin of a level goes from x - 1/2 to x + 1/2: round to the nearest.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))).ceil().clamp(0, 255)


@misconception(
    "sample.not_clipped",
    "sample_logistic",
    "Some samples are below 0 or above 255. What the logistic has below 0.5 belongs to the level 0, what it has "
    "above 254.5 to 255.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))).round()


@misconception(
    "sample.clipped_to_1",
    "sample_logistic",
    "The samples are kept within 0 and 1. Grey levels go from 0 to 255 here.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))).round().clamp(0, 1)


@misconception(
    "sample.wrapped",
    "sample_logistic",
    "Samples beyond the edges come back at the other side, as in a conversion to 8 bits. Clip them to 0 and 255.",
    SAMPLING,
)
def _(mu, log_s, u):
    return (mu + torch.exp(log_s) * (torch.log(u) - torch.log1p(-u))).round() % 256


# TODO 3: log_weights ------------------------------------------------------------------------------------


@misconception(
    "weights.no_prior",
    "log_weights",
    "log p(z) is missing.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    return log_p_x - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.no_posterior",
    "log_weights",
    "log q(z | x) is missing: samples were drawn from q, so what q makes often must count less.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    return log_p_x + gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))


@misconception(
    "weights.likelihood_only",
    "log_weights",
    "This is log p(x | z) alone. The weight is p(x | z) p(z) / q(z | x): add log p(z), subtract log q(z | x).",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    return mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))


@misconception(
    "weights.posterior_sign",
    "log_weights",
    "log q(z | x) is added. It stands in the denominator of the weight: subtract it.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z + gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.prior_sign",
    "log_weights",
    "log p(z) is subtracted. It stands in the numerator of the weight: add it.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x - log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.prior_and_posterior_exchanged",
    "log_weights",
    "log p(z) and log q(z | x) are exchanged: p(z) = N(0, I) belongs into the numerator, q(z | x) = N(mu, sigma^2) "
    "into the denominator.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x - log_p_z + gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.at_mu",
    "log_weights",
    "The decoder is given mu, not the sample z. Each of the k samples has a likelihood of its own.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(mu.expand_as(z))).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.noise_decoded",
    "log_weights",
    "The decoder is given eps. Samples of q(z | x) are mu + sigma * eps.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(eps)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.prior_at_mu",
    "log_weights",
    "The prior is evaluated at mu, not at the sample z.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(mu, torch.zeros_like(mu), torch.ones_like(mu))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.analytic_kl",
    "log_weights",
    "The closed form of KL(q || p) stands for log q(z | x) - log p(z). Its mean is the same, but a weight is about "
    "its own sample: inside a log-mean-exp the two differ.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    return log_p_x - (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum(-1)


@misconception(
    "weights.dimension_mean",
    "log_weights",
    "log P is averaged over the dimensions of an image. They are independent given z, so their probabilities "
    "multiply: sum.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).mean((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.colour_mean",
    "log_weights",
    "log P is averaged over the colours. Every colour of every pixel is a dimension of its own: sum over all three "
    "axes.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).mean(-3).sum((-2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.colours_not_summed",
    "log_weights",
    "The sum runs over H and W only, so that each colour keeps a number. An image is one event: sum over C, H and W.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + (log_p_z - gaussian_log_likelihood(z, mu, sigma))[..., None]


@misconception(
    "weights.images_summed",
    "log_weights",
    "The axes of the sum are counted from the front without the samples' axis: they take B, C and H, and W stays. "
    "The axes of an image are the last three of [k, B, C, H, W].",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((1, 2, 3))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + (log_p_z - gaussian_log_likelihood(z, mu, sigma)).sum(1, keepdim=True)


@misconception(
    "weights.batch_summed",
    "log_weights",
    "The images of the batch are summed into one. Each has a weight of its own: the result is [k, B].",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).flatten(1).sum(-1)
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + (log_p_z - gaussian_log_likelihood(z, mu, sigma)).sum(1)


@misconception(
    "weights.bits",
    "log_weights",
    "log P is converted to bits per dimension. A weight adds nats: convert the final NLL, not one of its terms.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1)) / (x[0].numel() * math.log(2))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.unit_scale",
    "log_weights",
    "The likelihood is given x / 255. Its levels are 0 to 255; only the encoder scales, and it does that itself.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x / 255, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.scaled_twice",
    "log_weights",
    "The encoder is given x / 255. It takes the grey levels as they are, and scales them itself.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x / 255)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.squared_error",
    "log_weights",
    "A squared error stands for log p(x | z). It is no log-likelihood, and its figure no number of bits.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    logits, centre, _ = self.decoder(z)
    log_p_x = -((x - (torch.softmax(logits, -1) * centre).sum(-1)) ** 2).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.first_logistic",
    "log_weights",
    "Only the first logistic of each mixture is used. With --components 1 it is the only one; with more, "
    "mixture_log_likelihood takes all of them.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    _, centre, log_s = self.decoder(z)
    log_p_x = discretized_logistic(x, centre[..., 0], log_s[..., 0]).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.own_noise",
    "log_weights",
    "The noise is drawn anew. Use eps, so that the same eps gives the same weights.",
    WEIGHTS,
    explains="random",
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, torch.randn_like(eps))
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.z_detached",
    "log_weights",
    "The value is right, but z is cut off from mu and sigma, so that the encoder does not learn what the decoder "
    "needs.",
    WEIGHTS,
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps).detach()
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)


@misconception(
    "weights.clamped",
    "log_weights",
    "Ordinary weights are right, very small ones are not: log P or its sum is clamped. Log-likelihoods of images are"
    " below -1000 and may be; nothing is to be caught here.",
    WEIGHTS,
    explains="extremes",
)
def _(self, x, eps):
    mu, sigma = self.encoder(x)
    z = reparameterize(mu, sigma, eps)
    log_p_x = mixture_log_likelihood(x, *self.decoder(z)).clamp(min=-100).sum((-3, -2, -1))
    log_p_z = gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return log_p_x + log_p_z - gaussian_log_likelihood(z, mu, sigma)
