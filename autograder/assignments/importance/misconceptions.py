"""Wrong answers that learners give to the lab, as functions: where one gives a file's numbers, the feedback names it.

Each entry is the wrong formula under the student file's own signature, why it is wrong, and where to read; see
autograder/assignments/iwae/misconceptions.py for how they are used.
"""

import math

import torch

from autograder.assignments.importance import ASSIGNMENT
from autograder.grading.assignment import Misconceptions

reference = ASSIGNMENT.reference
PREDECESSORS = reference.PREDECESSORS

# Where to read: the section of the lab's handout, assignment/labs/importance.md; the slide with the same title; Owen.
PROJECT = "handout and slides of the lab, The project"
RATIO = "handout and slides of the lab, The ratio of two densities; Owen, Monte Carlo, chapter 9"
ESTIMATE = "handout and slides of the lab, The estimate and its error; Owen, Monte Carlo, section 9.1"
SAMPLE_SIZE = "handout and slides of the lab, The effective sample size; Owen, Monte Carlo, section 9.3"
NORMALISED = "handout and slides of the lab, Self-normalised weights; Owen, Monte Carlo, section 9.2"
UNDERFLOW = "handout and slides of the lab, Underflow"
RESAMPLING = "handout of the lab, Resampling"
GRID = "handout and slides of the lab, The posterior on a grid"


MISCONCEPTIONS = Misconceptions()
misconception = MISCONCEPTIONS.add


# TODO 1: project_duration -------------------------------------------------------------------------------


@misconception(
    "duration.sum",
    "project_duration",
    "All ten durations are added up, as if nobody could work at two tasks at once. Tasks that do not wait for "
    "each other run at the same time: take the latest predecessor's end.",
    PROJECT,
)
def _(t):
    return t.sum(-1)


@misconception(
    "duration.critical_path",
    "project_duration",
    "Only one path is added up, the longest at the mean durations, or the first predecessor of each task alone "
    "counts. In a single project another path can be longer: take the maximum over all predecessors.",
    PROJECT,
)
def _(t):
    return t[:, [0, 1, 3, 9]].sum(-1)


@misconception(
    "duration.sum_of_predecessors",
    "project_duration",
    "The ends of the predecessors are added up. They run side by side, so a task waits for the latest of them alone.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        ends.append(sum(ends[i] for i in before) + t[:, task])
    return ends[-1]


@misconception(
    "duration.earliest",
    "project_duration",
    "A task begins when the first of its predecessors has ended. It has to wait for all of them: take the maximum "
    "of their ends, not the minimum.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        begins = torch.stack([ends[i] for i in before]).amin(0) if before else 0
        ends.append(begins + t[:, task])
    return ends[-1]


@misconception(
    "duration.last_predecessor",
    "project_duration",
    "Only the last predecessor of the list counts, perhaps since a loop overwrites what came before. Keep the "
    "maximum of all their ends.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        ends.append((ends[before[-1]] if before else 0) + t[:, task])
    return ends[-1]


@misconception(
    "duration.average_predecessor",
    "project_duration",
    "A task begins at the average of its predecessors' ends. By then some of them still run: take the maximum.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        begins = torch.stack([ends[i] for i in before]).mean(0) if before else 0
        ends.append(begins + t[:, task])
    return ends[-1]


@misconception(
    "duration.longest_task",
    "project_duration",
    "This is the longest single task. Tasks that wait for each other follow one another, so their durations add "
    "up along a path.",
    PROJECT,
)
def _(t):
    return t.amax(-1)


@misconception(
    "duration.predecessors_durations",
    "project_duration",
    "The predecessors' own durations are compared, not the days on which they end. What they waited for "
    "themselves is lost: keep the end of each task.",
    PROJECT,
)
def _(t):
    return t[:, 9] + t[:, list(PREDECESSORS[9])].amax(-1)


@misconception(
    "duration.without_the_last",
    "project_duration",
    "This is the day on which the last task begins. The project ends when that task ends: add its own duration.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        begins = torch.stack([ends[i] for i in before]).amax(0) if before else torch.zeros_like(t[:, 0])
        ends.append(begins + t[:, task])
    return begins


@misconception(
    "duration.off_by_one",
    "project_duration",
    "Each task is given the duration of the task before it, as if tasks were counted from 1. They are counted "
    "from 0 here, in PREDECESSORS too.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        begins = torch.stack([ends[i] for i in before]).amax(0) if before else 0
        ends.append(begins + t[:, task - 1])
    return ends[-1]


@misconception(
    "duration.average_over_projects",
    "project_duration",
    "The projects are averaged to a single number. Each row is a project of its own: return one duration for each.",
    PROJECT,
)
def _(t):
    ends = []
    for task, before in enumerate(PREDECESSORS):
        begins = torch.stack([ends[i] for i in before]).amax(0) if before else 0
        ends.append(begins + t[:, task])
    return ends[-1].mean()


# TODO 1: log_importance_ratio ---------------------------------------------------------------------------


@misconception(
    "ratio.inverted",
    "log_importance_ratio",
    "This is log q - log p, the weight upside down. Draws that q makes too often must count less: the density "
    "that we ask about stands in the numerator.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(theta / lam) + t / theta - t / lam).sum(-1)


@misconception(
    "ratio.no_constant",
    "log_importance_ratio",
    "The factors 1 / mean of the densities are left out, so log(lam / theta) is missing. Without it a density "
    "does not integrate to 1, and the weights do not have mean 1.",
    RATIO,
)
def _(t, theta, lam):
    return (t / lam - t / theta).sum(-1)


@misconception(
    "ratio.constant_sign",
    "log_importance_ratio",
    "The sign of the constant is wrong: log(theta / lam) in the place of log(lam / theta). The density of an "
    "exponential is exp(-t / m) divided by m, so theta ends up in the denominator.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(theta / lam) - t / theta + t / lam).sum(-1)


@misconception(
    "ratio.exponent_sign",
    "log_importance_ratio",
    "The sign of the exponents is wrong. An exponential density falls: the term of theta is -t / theta, that of "
    "lam +t / lam.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(lam / theta) + t / theta - t / lam).sum(-1)


@misconception(
    "ratio.rates",
    "log_importance_ratio",
    "theta and lam are taken for rates. They are mean durations in days, and a rate is 1 / mean, also in "
    "torch.distributions.Exponential.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(theta / lam) - t * theta + t * lam).sum(-1)


@misconception(
    "ratio.mean_over_tasks",
    "log_importance_ratio",
    "The ten tasks are averaged. They are independent, so their densities multiply and the logarithms add up.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(lam / theta) - t / theta + t / lam).mean(-1)


@misconception(
    "ratio.sum_over_all",
    "log_importance_ratio",
    "The sum runs over the projects too. Each project has a weight of its own: sum over the last axis only.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(lam / theta) - t / theta + t / lam).sum()


@misconception(
    "ratio.not_summed",
    "log_importance_ratio",
    "There is a ratio for each task, not for each project. The tasks are independent, so the logarithms add up "
    "over the last axis.",
    RATIO,
)
def _(t, theta, lam):
    return torch.log(lam / theta) - t / theta + t / lam


@misconception(
    "ratio.no_logarithm",
    "log_importance_ratio",
    "This is the weight itself, not its logarithm. Weights underflow and overflow where their logarithms do not; "
    "importance_mean takes exp.",
    RATIO,
)
def _(t, theta, lam):
    return (torch.log(lam / theta) - t / theta + t / lam).sum(-1).exp()


@misconception(
    "ratio.log_of_ratio",
    "log_importance_ratio",
    "The densities are computed first, and then the logarithm of their ratio. Far out both are 0 in float32 and "
    "their ratio is NaN: subtract logarithms instead.",
    UNDERFLOW,
)
def _(t, theta, lam):
    p = (torch.exp(-t / theta) / theta).prod(-1)
    q = (torch.exp(-t / lam) / lam).prod(-1)
    return torch.log(p / q)


@misconception(
    "ratio.only_p",
    "log_importance_ratio",
    "This is log p(t) alone. The draws come from q, so a weight compares the two: subtract log q(t).",
    RATIO,
)
def _(t, theta, lam):
    return (-torch.log(theta) - t / theta).sum(-1)


@misconception(
    "ratio.constant_once",
    "log_importance_ratio",
    "The constant is that of the first task alone. Each task has a mean of its own: log(lam / theta) is part of "
    "the sum over the tasks.",
    RATIO,
)
def _(t, theta, lam):
    return torch.log(lam[0] / theta[0]) + (t / lam - t / theta).sum(-1)


@misconception(
    "ratio.clamped",
    "log_importance_ratio",
    "The numbers of ordinary draws are right, those of far ones are not: something is clamped, cut off or "
    "replaced. The logarithm of a ratio of exponentials is finite for all durations, so nothing is to be caught.",
    UNDERFLOW,
    explains="extremes",
)
def _(t, theta, lam):
    return (torch.log(lam / theta) - t / theta + t / lam).sum(-1).clamp(-100, 100)


# TODO 2: importance_mean --------------------------------------------------------------------------------


@misconception(
    "mean.no_weights",
    "importance_mean",
    "The weights are forgotten: this estimates the expectation under q, such as how often the stretched project "
    "is late. Multiply f by exp(log_w).",
    ESTIMATE,
)
def _(f, log_w):
    return f.mean()


@misconception(
    "mean.log_weights",
    "importance_mean",
    "f is multiplied by the logarithms of the weights. Take exp of them first.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * log_w).mean()


@misconception(
    "mean.self_normalised",
    "importance_mean",
    "This divides by the sum of the weights. That estimate is biased and noisier for a rare event; it is for "
    "weights known up to a factor, and here they are known exactly: divide by n.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.softmax(log_w, 0)).sum()


@misconception(
    "mean.softmax_mean",
    "importance_mean",
    "The weights are normalised to sum to 1, and then averaged, which divides by n twice. Take exp(log_w) as it is.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.softmax(log_w, 0)).mean()


@misconception(
    "mean.sum",
    "importance_mean",
    "The terms are added up and not averaged. The estimate must not grow with the number of draws: divide by n.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).sum()


@misconception(
    "mean.inverse_weights",
    "importance_mean",
    "The weights are exp(-log_w), upside down. log_w is log p - log q already.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(-log_w)).mean()


@misconception(
    "mean.mean_of_logs",
    "importance_mean",
    "exp is taken after averaging the logarithms, which gives a geometric mean. The mean of the weights "
    "themselves is what is unbiased: exp first.",
    ESTIMATE,
)
def _(f, log_w):
    return f.mean() * torch.exp(log_w.mean())


@misconception(
    "mean.product_of_means",
    "importance_mean",
    "The mean of f is multiplied by the mean weight. f and the weights depend on each other: multiply draw by "
    "draw, then average.",
    ESTIMATE,
)
def _(f, log_w):
    return f.mean() * torch.exp(log_w).mean()


@misconception(
    "mean.over_the_event",
    "importance_mean",
    "Only the draws with f > 0 are averaged. The others count too, with a 0: divide by all n draws.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).sum() / (f > 0).sum()


@misconception(
    "mean.logarithm",
    "importance_mean",
    "This is the logarithm of the estimate. importance_mean returns the estimate itself.",
    ESTIMATE,
)
def _(f, log_w):
    return torch.log((f * torch.exp(log_w)).mean())


@misconception(
    "mean.not_averaged",
    "importance_mean",
    "There is a number for each draw. The estimate is one number: their mean.",
    ESTIMATE,
)
def _(f, log_w):
    return f * torch.exp(log_w)


@misconception(
    "mean.truncated",
    "importance_mean",
    "Weights above 1 are cut off. That lowers the variance, but the estimate is no longer unbiased.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w).clamp(max=1)).mean()


@misconception(
    "mean.shifted",
    "importance_mean",
    "The largest log weight is subtracted and never put back. In a ratio of sums it would cancel; this is no ratio.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w - log_w.max())).mean()


# TODO 2: standard_error ---------------------------------------------------------------------------------


@misconception(
    "error.no_root_n",
    "standard_error",
    "This is the standard deviation of one draw. The mean of n draws varies less: divide by the root of n.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).std()


@misconception(
    "error.divided_by_n",
    "standard_error",
    "The standard deviation is divided by n. Variances of independent draws add up, so a standard error falls "
    "with the root of n.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).std() / len(f)


@misconception(
    "error.variance",
    "standard_error",
    "This is the variance of the mean. Its root is the standard error.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).var() / len(f)


@misconception(
    "error.root_forgotten",
    "standard_error",
    "The variance is divided by the root of n. Take the root of it first: a standard deviation has the unit of "
    "what varies.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).var() / math.sqrt(len(f))


@misconception(
    "error.binomial",
    "standard_error",
    "This is the error of a proportion, sqrt(p (1 - p) / n), with p the mean of f under q. It holds for draws "
    "that all count the same: take the spread of f w.",
    ESTIMATE,
)
def _(f, log_w):
    p = f.mean()
    return torch.sqrt((p * (1 - p)).abs() / len(f))


@misconception(
    "error.binomial_estimate",
    "standard_error",
    "This is the error of a proportion, sqrt(p (1 - p) / n), with the estimate for p. That is the error of plain "
    "Monte Carlo; importance sampling was to have another: take the spread of f w.",
    ESTIMATE,
)
def _(f, log_w):
    p = (f * torch.exp(log_w)).mean()
    return torch.sqrt((p * (1 - p)).abs() / len(f))


@misconception(
    "error.no_weights",
    "standard_error",
    "The spread of f alone is taken, without the weights. What is averaged is f w, so take its spread.",
    ESTIMATE,
)
def _(f, log_w):
    return f.std() / math.sqrt(len(f))


@misconception(
    "error.weights_only",
    "standard_error",
    "The spread of the weights alone is taken, without f. What is averaged is f w: weights of draws with f = 0 do "
    "not matter.",
    ESTIMATE,
)
def _(f, log_w):
    return torch.exp(log_w).std() / math.sqrt(len(f))


@misconception(
    "error.log_weights",
    "standard_error",
    "f is multiplied by the logarithms of the weights. Take exp of them first.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * log_w).std() / math.sqrt(len(f))


@misconception(
    "error.second_moment",
    "standard_error",
    "The mean is not subtracted before squaring. A standard deviation measures the distance from the mean.",
    ESTIMATE,
)
def _(f, log_w):
    return (f * torch.exp(log_w)).square().mean().sqrt() / math.sqrt(len(f))


@misconception(
    "error.relative",
    "standard_error",
    "The error is divided by the estimate. A relative error is useful, but standard_error has the unit of the "
    "estimate.",
    ESTIMATE,
)
def _(f, log_w):
    terms = f * torch.exp(log_w)
    return terms.std() / math.sqrt(len(f)) / terms.mean()


@misconception(
    "error.over_the_event",
    "standard_error",
    "Only the draws with f > 0 are looked at. The zeros are draws too: they belong to the spread and to n.",
    ESTIMATE,
)
def _(f, log_w):
    terms = (f * torch.exp(log_w))[f > 0]
    return terms.std() / math.sqrt(len(terms))


@misconception(
    "error.self_normalised",
    "standard_error",
    "This is the error of the self-normalised estimate. The estimate whose error is asked for divides by n, not "
    "by the sum of the weights.",
    ESTIMATE,
)
def _(f, log_w):
    w = torch.softmax(log_w, 0)
    return (w.square() * (f - (w * f).sum()).square()).sum().sqrt()


@misconception(
    "error.effective",
    "standard_error",
    "The spread of f is divided by the root of the effective sample size. That is a rule of thumb for self- "
    "normalised estimates; take the spread of f w and all n draws.",
    ESTIMATE,
)
def _(f, log_w):
    return f.std() / torch.softmax(log_w, 0).square().sum().pow(-0.5)


# TODO 2: effective_sample_size --------------------------------------------------------------------------


@misconception(
    "ess.unnormalised",
    "effective_sample_size",
    "This is 1 / sum of w^2 with weights that do not sum to 1. Divide the square of their sum by the sum of their "
    "squares, so that a common factor cancels.",
    SAMPLE_SIZE,
)
def _(log_w):
    return 1 / torch.exp(log_w).square().sum(0)


@misconception(
    "ess.underflow",
    "effective_sample_size",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite, and the "
    "ratio is NaN: take out a factor common to the image's weights first.",
    UNDERFLOW,
)
def _(log_w):
    w = torch.exp(log_w)
    return w.sum(0).square() / w.square().sum(0)


@misconception(
    "ess.one_shift",
    "effective_sample_size",
    "One constant is subtracted from the weights of all images. An image far below the others still underflows: "
    "subtract each image's own maximum.",
    UNDERFLOW,
)
def _(log_w):
    w = torch.exp(log_w - log_w.max())
    return w.sum(0).square() / w.square().sum(0)


@misconception(
    "ess.over_images",
    "effective_sample_size",
    "The sums run over the images. The samples are axis 0: log_w is [k, B], and there is one number for each image.",
    SAMPLE_SIZE,
)
def _(log_w):
    return 1 / torch.softmax(log_w, 1).square().sum(1)


@misconception(
    "ess.softmax_over_images",
    "effective_sample_size",
    "The weights are normalised over the images. They must sum to 1 over the samples of each image, axis 0.",
    SAMPLE_SIZE,
)
def _(log_w):
    return 1 / torch.softmax(log_w, 1).square().sum(0)


@misconception(
    "ess.over_all",
    "effective_sample_size",
    "All weights of all images are put together. Each image has samples and an effective sample size of its own.",
    SAMPLE_SIZE,
)
def _(log_w):
    return 1 / torch.softmax(log_w.flatten(), 0).square().sum()


@misconception(
    "ess.fraction",
    "effective_sample_size",
    "The effective sample size is divided by k. That is a fraction; asked is the number of samples, from 1 to k.",
    SAMPLE_SIZE,
)
def _(log_w):
    return 1 / torch.softmax(log_w, 0).square().sum(0) / len(log_w)


@misconception(
    "ess.not_inverted",
    "effective_sample_size",
    "The sum of the squared normalised weights is 1 where one sample has all the weight. It is the inverse of the "
    "effective sample size.",
    SAMPLE_SIZE,
)
def _(log_w):
    return torch.softmax(log_w, 0).square().sum(0)


@misconception(
    "ess.largest_weight",
    "effective_sample_size",
    "This is 1 / largest normalised weight, another measure. The effective sample size uses all weights: (sum "
    "w)^2 / sum w^2.",
    SAMPLE_SIZE,
)
def _(log_w):
    return 1 / torch.softmax(log_w, 0).amax(0)


@misconception(
    "ess.perplexity",
    "effective_sample_size",
    "This is exp of the entropy of the weights, another measure. The effective sample size is (sum w)^2 / sum w^2.",
    SAMPLE_SIZE,
)
def _(log_w):
    w = torch.log_softmax(log_w, 0)
    return torch.exp(-(w.exp() * w).sum(0))


@misconception(
    "ess.log_weights",
    "effective_sample_size",
    "The logarithms are taken for weights. Take exp of them, after a shift.",
    SAMPLE_SIZE,
)
def _(log_w):
    return log_w.sum(0).square() / log_w.square().sum(0)


@misconception(
    "ess.not_squared",
    "effective_sample_size",
    "The sum of the weights is not squared. With normalised weights that is the same; with these it is not.",
    SAMPLE_SIZE,
)
def _(log_w):
    w = torch.exp(log_w - log_w.amax(0))
    return w.sum(0) / w.square().sum(0)


@misconception(
    "ess.all_samples",
    "effective_sample_size",
    "Every image gets k, whatever its weights. Samples whose weights differ are worth less: (sum w)^2 / sum w^2.",
    SAMPLE_SIZE,
)
def _(log_w):
    return torch.full_like(log_w[0], len(log_w))


@misconception(
    "ess.cv_not_squared",
    "effective_sample_size",
    "In k / (1 + cv^2), the coefficient of variation must be squared.",
    SAMPLE_SIZE,
)
def _(log_w):
    w = torch.softmax(log_w, 0)
    return len(log_w) / (1 + w.std(0, unbiased=False) / w.mean(0))


@misconception(
    "ess.clamped",
    "effective_sample_size",
    "Moderate log weights are right, extreme ones are not: something is clamped, or a small number is added. What "
    "matters are the differences from the image's largest: subtract it, and nothing has to be caught.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_w):
    w = torch.exp(log_w.clamp(-50, 50))
    return w.sum(0).square() / w.square().sum(0)


# TODO 3: posterior_mean ---------------------------------------------------------------------------------


@misconception(
    "average.no_weights",
    "posterior_mean",
    "The samples are averaged without weights. They come from q, not from the posterior: weight them.",
    NORMALISED,
)
def _(log_w, z):
    return z.mean(0)


@misconception(
    "average.divided_twice",
    "posterior_mean",
    "The weights sum to 1 over the samples already, and then a mean divides by k once more. Take the sum.",
    NORMALISED,
)
def _(log_w, z):
    return (torch.softmax(log_w, 0)[:, :, None] * z).mean(0)


@misconception(
    "average.softmax_over_images",
    "posterior_mean",
    "The weights are normalised over the images. They must sum to 1 over the samples of each image, axis 0.",
    NORMALISED,
)
def _(log_w, z):
    return (torch.softmax(log_w, 1)[:, :, None] * z).sum(0)


@misconception(
    "average.over_all",
    "posterior_mean",
    "The weights of all images are normalised together. Each image has a posterior of its own: normalise over axis 0.",
    NORMALISED,
)
def _(log_w, z):
    w = torch.softmax(log_w.flatten(), 0).view_as(log_w)
    return (w[:, :, None] * z).sum(0)


@misconception(
    "average.unnormalised",
    "posterior_mean",
    "The mean of w z is not divided by the mean of w. Weights of a posterior are known up to the factor p(x) "
    "only: divide by their sum.",
    NORMALISED,
)
def _(log_w, z):
    return (torch.exp(log_w)[:, :, None] * z).mean(0)


@misconception(
    "average.sum_unnormalised",
    "posterior_mean",
    "The sum of w z is not divided by the sum of w. Weights of a posterior are known up to the factor p(x) only.",
    NORMALISED,
)
def _(log_w, z):
    return (torch.exp(log_w)[:, :, None] * z).sum(0)


@misconception(
    "average.log_weights",
    "posterior_mean",
    "The logarithms are taken for weights. Take exp of them, after a shift: a softmax over the samples.",
    NORMALISED,
)
def _(log_w, z):
    return (log_w[:, :, None] * z).sum(0) / log_w.sum(0)[:, None]


@misconception(
    "average.best_sample",
    "posterior_mean",
    "This is the sample with the largest weight. The mean is an average of all samples, each by its weight.",
    NORMALISED,
)
def _(log_w, z):
    best = log_w.argmax(0)
    return z[best, torch.arange(z.shape[1])]


@misconception(
    "average.squared_weights",
    "posterior_mean",
    "The weights are squared. The effective sample size needs their squares, the mean does not.",
    NORMALISED,
)
def _(log_w, z):
    w = torch.softmax(2 * log_w, 0)
    return (w[:, :, None] * z).sum(0)


@misconception(
    "average.inverse_weights",
    "posterior_mean",
    "The weights are upside down, exp(-log_w). The larger log_w, the more its sample counts.",
    NORMALISED,
)
def _(log_w, z):
    return (torch.softmax(-log_w, 0)[:, :, None] * z).sum(0)


@misconception(
    "average.underflow",
    "posterior_mean",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite, and the "
    "ratio is NaN: take out a factor common to the image's weights first.",
    UNDERFLOW,
)
def _(log_w, z):
    w = torch.exp(log_w)[:, :, None]
    return (w * z).sum(0) / w.sum(0)


@misconception(
    "average.one_shift",
    "posterior_mean",
    "One constant is subtracted from the weights of all images. An image far below the others still underflows: "
    "subtract each image's own maximum.",
    UNDERFLOW,
)
def _(log_w, z):
    w = torch.exp(log_w - log_w.max())[:, :, None]
    return (w * z).sum(0) / w.sum(0)


@misconception(
    "average.all_images",
    "posterior_mean",
    "The result is an average over the images too. Each image has a posterior mean of its own: sum over the "
    "samples only.",
    NORMALISED,
)
def _(log_w, z):
    return (torch.softmax(log_w, 0)[:, :, None] * z).sum(0).mean(0)


@misconception(
    "average.not_summed",
    "posterior_mean",
    "The samples are weighted and not added up: the result still has k samples. Sum over axis 0.",
    NORMALISED,
)
def _(log_w, z):
    return torch.softmax(log_w, 0)[:, :, None] * z


@misconception(
    "average.clamped",
    "posterior_mean",
    "Moderate log weights are right, extreme ones are not: something is clamped, or a small number is added. What "
    "matters are the differences from the image's largest: subtract it, and nothing has to be caught.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_w, z):
    w = torch.exp(log_w.clamp(-50, 50))[:, :, None]
    return (w * z).sum(0) / w.sum(0)


# TODO 3: resample ---------------------------------------------------------------------------------------


@misconception(
    "resample.best_sample",
    "resample",
    "Every draw is the sample with the largest weight. Draws from the posterior differ: each sample comes in "
    "proportion to its weight.",
    RESAMPLING,
)
def _(log_w, z, u):
    best = log_w.argmax(0)
    return z[best, torch.arange(z.shape[1])].expand(len(u), -1, -1)


@misconception(
    "resample.ignores_u",
    "resample",
    "New random numbers are drawn inside, and u is ignored. The draw must be a function of u, so that it can be "
    "repeated.",
    RESAMPLING,
    explains="random",
)
def _(log_w, z, u):
    first = torch.multinomial(torch.softmax(log_w, 0).T, len(u), replacement=True).T
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.one_u",
    "resample",
    "All images use the u of the first. Then their draws depend on each other: image b uses column b of u.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(0)
    first = (reached[None] < u[:, :1, None].transpose(1, 2)).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.uniform",
    "resample",
    "Each sample is drawn equally often, floor(k u). Samples come in proportion to their weights: look u up in "
    "the running sum of these.",
    RESAMPLING,
)
def _(log_w, z, u):
    first = (u * len(z)).long()
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.not_accumulated",
    "resample",
    "u is compared with single weights. It has to be compared with their running sum, which grows from 0 to 1.",
    RESAMPLING,
)
def _(log_w, z, u):
    w = torch.softmax(log_w, 0)
    first = (w[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.softmax_over_images",
    "resample",
    "The weights are normalised over the images. They must sum to 1 over the samples of each image, axis 0.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 1).cumsum(0)
    first = (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.accumulated_over_images",
    "resample",
    "The running sum goes over the images. It goes over the samples of each image, axis 0.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(1)
    first = (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.sorted",
    "resample",
    "The samples are sorted by their weights first. That is right on average, but another sample for this u: keep "
    "the order given.",
    RESAMPLING,
)
def _(log_w, z, u):
    order = log_w.argsort(0, descending=True)
    reached = torch.softmax(log_w, 0).gather(0, order).cumsum(0)
    first = order.gather(0, (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1))
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.backwards",
    "resample",
    "The running sum begins at the last sample, as that of 1 - u does. Begin at the first, in the order given.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(0)
    first = (reached[None] < 1 - u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.one_too_early",
    "resample",
    "This takes the last sample at which the running sum is still below u, one too early. Take the first at which "
    "it has reached u.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(0)
    first = ((reached[None] < u[:, None]).sum(1) - 1).clamp(min=0)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.one_too_late",
    "resample",
    "This takes the sample after the one at which the running sum reaches u. Count from 0: as many samples lie "
    "before it as have sums below u.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(0)
    first = ((reached[None] < u[:, None]).sum(1) + 1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.unnormalised",
    "resample",
    "The running sum is that of the weights as they are, which does not end at 1. Normalise them first.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.exp(log_w).cumsum(0)
    first = (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.underflow",
    "resample",
    "exp is taken of the log weights as they are. At -1000 every weight is 0 in float32, at 300 infinite, and the "
    "running sum is NaN: take out a factor common to the image's weights first.",
    UNDERFLOW,
)
def _(log_w, z, u):
    w = torch.exp(log_w)
    reached = (w / w.sum(0)).cumsum(0)
    first = (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.one_shift",
    "resample",
    "One constant is subtracted from the weights of all images. An image far below the others still underflows: "
    "subtract each image's own maximum.",
    UNDERFLOW,
)
def _(log_w, z, u):
    w = torch.exp(log_w - log_w.max())
    reached = (w / w.sum(0)).cumsum(0)
    first = (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z.gather(0, first[:, :, None].expand(-1, -1, z.shape[-1]))


@misconception(
    "resample.first_image",
    "resample",
    "The samples of the first image are returned for all. Image b draws from its own samples, z[:, b].",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(0)
    first = (reached[None] < u[:, None]).sum(1).clamp(max=len(z) - 1)
    return z[first, 0]


@misconception(
    "resample.posterior_mean",
    "resample",
    "Every draw is the posterior mean. Draws are samples of z, each as it is; an average of them need not be "
    "probable at all.",
    RESAMPLING,
)
def _(log_w, z, u):
    return (torch.softmax(log_w, 0)[:, :, None] * z).sum(0).expand(len(u), -1, -1)


@misconception(
    "resample.indices",
    "resample",
    "These are the numbers of the samples. Return the samples, z at these numbers.",
    RESAMPLING,
)
def _(log_w, z, u):
    reached = torch.softmax(log_w, 0).cumsum(0)
    return (reached[None] < u[:, None]).sum(1).to(z.dtype)


# TODO 3: grid_log_posterior -----------------------------------------------------------------------------


@misconception(
    "grid.no_area",
    "grid_log_posterior",
    "The area of a cell is forgotten: these are the logarithms of probabilities of cells. A density times the "
    "area is such a probability, so subtract log(area).",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint, 0)


@misconception(
    "grid.area_sign",
    "grid_log_posterior",
    "log(area) is added. A density is a probability divided by an area: subtract it.",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint, 0) + math.log(area)


@misconception(
    "grid.area_not_logged",
    "grid_log_posterior",
    "The area itself is subtracted. Everything here is a logarithm: subtract log(area).",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint, 0) - area


@misconception(
    "grid.divided_by_area",
    "grid_log_posterior",
    "The logarithm is divided by the area. To divide a density is to subtract from its logarithm.",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint, 0) / area


@misconception(
    "grid.over_images",
    "grid_log_posterior",
    "The densities are normalised over the images. The points of the grid are axis 0: each image's densities, "
    "times area, sum to 1.",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint, 1) - math.log(area)


@misconception(
    "grid.over_all",
    "grid_log_posterior",
    "All images are normalised together. Each image has a posterior of its own: normalise over axis 0.",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint.flatten(), 0).view_as(log_joint) - math.log(area)


@misconception(
    "grid.not_normalised",
    "grid_log_posterior",
    "Only log(area) is subtracted: this is still the joint density. Divide by p(x), its integral over the grid.",
    GRID,
)
def _(log_joint, area):
    return log_joint - math.log(area)


@misconception(
    "grid.peak_at_zero",
    "grid_log_posterior",
    "The largest entry is subtracted, so that the peak is 1. A density is normalised by its integral, not by its peak.",
    GRID,
)
def _(log_joint, area):
    return log_joint - log_joint.amax(0)


@misconception(
    "grid.mean",
    "grid_log_posterior",
    "The mean over the grid's points is taken for the sum. The integral is the sum of the densities times area, "
    "so log of the number of points is too much.",
    GRID,
)
def _(log_joint, area):
    return torch.log_softmax(log_joint, 0) + math.log(len(log_joint)) - math.log(area)


@misconception(
    "grid.mean_of_logs",
    "grid_log_posterior",
    "The logarithms are centred by their mean. What has to be 1 is the integral of the density: the sum of exp, "
    "times area.",
    GRID,
)
def _(log_joint, area):
    return log_joint - log_joint.mean(0) - math.log(area)


@misconception(
    "grid.no_logarithm",
    "grid_log_posterior",
    "This is the density itself, not its logarithm. Away from the peak it underflows: leave it in logarithms.",
    GRID,
)
def _(log_joint, area):
    return torch.softmax(log_joint, 0) / area


@misconception(
    "grid.underflow",
    "grid_log_posterior",
    "exp is taken of the log joint as it is. At -1000 every entry is 0 in float32, at 300 infinite: use "
    "logsumexp, which takes the maximum out first.",
    UNDERFLOW,
)
def _(log_joint, area):
    return log_joint - torch.log(torch.exp(log_joint).sum(0)) - math.log(area)


@misconception(
    "grid.one_shift",
    "grid_log_posterior",
    "One constant is subtracted for all images before exp. An image far below the others still underflows: "
    "subtract each image's own maximum, or use logsumexp over axis 0.",
    UNDERFLOW,
)
def _(log_joint, area):
    c = log_joint.max()
    return log_joint - c - torch.log(torch.exp(log_joint - c).sum(0)) - math.log(area)


@misconception(
    "grid.epsilon",
    "grid_log_posterior",
    "A small number keeps the logarithm from minus infinity, or something is clamped. That also replaces right "
    "answers, since a log density is far below -16 over most of a grid: stay in logarithms.",
    UNDERFLOW,
    explains="extremes",
)
def _(log_joint, area):
    return torch.log(torch.softmax(log_joint, 0) / area + 1e-7)
