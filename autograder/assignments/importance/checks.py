"""The hidden checks of the lab. Each draws fresh inputs and compares with an oracle.

A check is a function of the submission's file, remote in its sandbox, and of its own Draw; it returns where all is well
and raises Lost where not. No gradient is compared. No input of resample lies near a tie, and no event depends on
whether it is >= or >.
"""

import functools

import torch

from autograder.assignments.importance import ASSIGNMENT, oracles
from autograder.assignments.iwae import oracles as core
from autograder.grading.assignment import Checks
from autograder.grading.invariants import expect_independence, expect_no_side_effects
from autograder.grading.judge import TOLERANCE, Case, expect
from autograder.grading.verdicts import Lost

CHECKS = Checks(ASSIGNMENT.points)
check = CHECKS.add


# What is drawn --------------------------------------------------------------------------------------------


def projects(draw, n):
    """Durations, where each of the five paths is the longest in some project if there are five or more.  [n, 10]"""
    t = draw.uniform(0.5, 4, n, 10)
    for i in range(n):
        t[i, [task - 1 for task in oracles.PATHS[i % len(oracles.PATHS)]]] += 4
    return t


def means(draw):
    """Means of the ten tasks under p and under q, some stretched and some shortened.  [10], [10]"""
    theta = draw.uniform(0.5, 8, 10)
    return theta, theta * draw.log_uniform(0.55, 5, 10)


def values_and_weights(draw, n):
    """f with zeros in it, and log weights of both signs whose mean weight is not 1.  [n], [n]"""
    f, log_w = draw.uniform(0.5, 5, n), 1.2 * draw.normal(n) + draw.uniform(0.8, 1.5)
    f[1::3] = 0
    log_w[:1], log_w[2:3] = -draw.uniform(0.5, 1.5, 1), draw.uniform(1, 2, 1)
    return f, log_w


def levels(draw, k, B):
    """Log weights in float32: three or more images at levels from -1000 to 300, one of them at 0; some samples of each
    near its level, some hundreds of nats below.  [k, B]"""
    level = draw.uniform(-900, 200, B)
    level[0], level[1], level[-1] = -1000, 0, 300
    below = torch.where(draw.binary(k, B) > 0, draw.uniform(0, 3, k, B), draw.uniform(20, 700, k, B))
    below[0], below[-1] = draw.uniform(0, 0.5, B), draw.uniform(0.5, 2, B)
    return (level - below.gather(0, draw.uniform(0, 1, k, B).argsort(0))).float()


def rounding(log_w):
    """By what factor the tolerance grows where a right form rounds log weights of this size before it takes exp: the
    logarithm of their sum is as large as they are."""
    return 1 + 4 * torch.finfo(log_w.dtype).eps * log_w.abs().max().item() / TOLERANCE


def off_ties(draw, log_w, n):
    """Uniform numbers, none within 1e-3 of an end of an interval, so that rounding never decides.  [n, B]"""
    ends = torch.cat([torch.zeros_like(log_w[:1]).double(), core.normalised(log_w).cumsum(0)])  # [k + 1, B]
    u = draw.uniform(0, 1, n, log_w.shape[1])
    while (near := (u[:, None] - ends).abs().amin(1) < 1e-3).any():
        u = torch.where(near, draw.uniform(0, 1, *u.shape), u)
    return u


# TODO 1 ---------------------------------------------------------------------------------------------------

LONGEST = "the day on which the last task ends: the longest of all chains of tasks that wait for each other"
RATIO = "log p(t) - log q(t), the sum over the ten tasks of the log-densities of two exponentials with these means"


def duration_case(t):
    return Case("todo1", "project_duration", {"t": t}, oracles.project_duration, LONGEST, t.double().sum(1))


def ratio_case(t, theta, lam, is_extreme=False):
    inputs = {"t": t, "theta": theta, "lam": lam}
    scale = oracles.ratio_scale(*(tensor.double() for tensor in inputs.values()))
    oracle = oracles.log_importance_ratio
    return Case("todo1", "log_importance_ratio", inputs, oracle, RATIO, scale, is_extreme=is_extreme)


def random_ratio(draw, n):
    theta, lam = means(draw)
    return ratio_case(-lam * draw.uniform(0.02, 0.98, n, 10).log(), theta, lam)


@check("todo1", "project_duration: values")
def duration_values(remote, draw):
    for n in (5, *draw.sizes(1), *draw.large(1)):
        expect(remote, draw, duration_case(projects(draw, n)))
    expect(remote, draw, duration_case(draw.log_uniform(1e-3, 1e3, *draw.large(1), 10)))


@check("todo1", "log_importance_ratio: values")
def ratio_values(remote, draw):
    for n in (*draw.sizes(1), *draw.large(1)):
        expect(remote, draw, random_ratio(draw, n))


@check("todo1", "log_importance_ratio: far out, in float32")
def ratio_far(remote, draw):
    """Where the densities of the longest tasks are exp(-200) and less."""
    for n in (*draw.sizes(1), *draw.large(1)):
        theta, lam = (tensor.float() for tensor in means(draw))
        t = theta * draw.uniform(100, 300, n, 10)
        expect(remote, draw, ratio_case(t.float(), theta, lam, is_extreme=True))


# So few that loops over them are done in time. The noise is the same every time: a right answer cannot be unlucky.
N_DRAWS, SEED = 2000, 71
LIMIT = 4  # of the exact standard deviations of the mean; with this noise a right estimate is off by 0.3 of them


def many_projects():
    """t, theta, lam of N_DRAWS projects from the best q, P(D > 70), and how far from it the mean of f w may lie."""
    tolerance = LIMIT * oracles.standard_deviation(70, oracles.BEST) / N_DRAWS**0.5
    return *oracles.draws(N_DRAWS, oracles.BEST, SEED), oracles.tail_probability(70), tolerance


@check("todo1", "the project takes more than 70 days: the exact probability")
def rare_event(remote, draw):
    """E_q[1{D > 70} w] with the durations and the weights of the file, against the Markov chain's."""
    t, theta, lam, exact, tolerance = many_projects()
    cases = duration_case(t), ratio_case(t, theta, lam)
    duration, log_w = (remote.call(case.task, case.target, case.inputs, seed=draw.seed()).output for case in cases)
    if duration.shape == log_w.shape == (N_DRAWS,):
        found = ((duration > 70) * log_w.exp()).mean().item()
        if abs(found - exact) <= tolerance:
            return
    for case in cases:
        expect(remote, draw, case)
    called = f"project_duration and log_importance_ratio of {N_DRAWS:,} projects drawn from q"
    raise Lost("WRONG_VALUE", f"an estimate of {found:.3g}", called, f"P(D > 70) = {exact:.3g}, give or take its error")


@check("todo1", "shapes: one project, ten of them, each independent of the others")
def todo1_shapes(remote, draw):
    for n in (1, 10):
        expect(remote, draw, duration_case(projects(draw, n)))
        expect(remote, draw, random_ratio(draw, n))
    theta, lam = means(draw)
    t = projects(draw, *draw.sizes(1))
    expect_independence(remote, draw, duration_case, t, 0, lambda first: first + 9)
    expect_independence(remote, draw, lambda t: ratio_case(t, theta, lam), t, 0, lambda first: first + 9)


@check("todo1", "the same twice; inputs and torch's settings left alone")
def todo1_side_effects(remote, draw):
    (n,) = draw.sizes(1)
    expect_no_side_effects(remote, draw, duration_case(projects(draw, n)))
    expect_no_side_effects(remote, draw, random_ratio(draw, n))


# TODO 2 ---------------------------------------------------------------------------------------------------

MEAN = "the mean over the draws of f exp(log_w), one number"
ERROR = "the standard deviation of f exp(log_w) over the draws, divided by the square root of their number"
SAMPLE_SIZE = "(sum of w)^2 / (sum of w^2) over the samples, one number between 1 and k for each image"


def mean_case(f, log_w, is_extreme=False):
    scale = (f.double().abs() * log_w.double().exp()).mean()
    return Case(
        "todo2",
        "importance_mean",
        {"f": f, "log_w": log_w},
        lambda f, log_w: torch.dot(f, log_w.exp()) / len(f),
        MEAN,
        scale,
        is_extreme=is_extreme,
    )


def error_case(f, log_w, ddof=1, is_extreme=False):
    def oracle(f, log_w):
        return torch.as_tensor((f * log_w.exp()).numpy().std(ddof=ddof) / len(f) ** 0.5)

    inputs = {"f": f, "log_w": log_w}
    size = (f.double() * log_w.double().exp()).square().mean().sqrt()
    return Case("todo2", "standard_error", inputs, oracle, ERROR, size, is_extreme=is_extreme)


def ddof_of(remote, draw):
    """What the file subtracts from n in its variance: 0 and 1 are both right, and told apart by two draws."""
    f, log_w = torch.tensor([1.0, 3.0]).double(), torch.tensor([0.5, -0.5]).double()
    case = error_case(f, log_w)
    found = remote.call(case.task, case.target, case.inputs, seed=draw.seed()).output
    right = error_case(f, log_w, ddof=0).oracle(f, log_w)
    return 0 if found.shape == right.shape and torch.isclose(found, right, rtol=1e-4) else 1


def sample_size_case(log_w, is_extreme=False):
    scale = oracles.effective_sample_size(log_w) * rounding(log_w)
    oracle = oracles.effective_sample_size
    inputs = {"log_w": log_w}
    return Case("todo2", "effective_sample_size", inputs, oracle, SAMPLE_SIZE, scale, is_extreme=is_extreme)


def partly_impossible(draw, n):
    """f and log weights in float32, some of them -1000: a weight of 0 is right for these.  [n], [n]"""
    f, log_w = values_and_weights(draw, n)
    log_w[::2] = -1000
    return f.float(), log_w.float()


@check("todo2", "importance_mean: values")
def importance_mean_values(remote, draw):
    for n in (*draw.sizes(1, low=4), *draw.large(1)):
        expect(remote, draw, mean_case(*values_and_weights(draw, n)))
        expect(remote, draw, mean_case(draw.normal(n), draw.normal(n)))
        expect(remote, draw, mean_case(*partly_impossible(draw, n), is_extreme=True))


@check("todo2", "importance_mean: unbiased, the exact probability of more than 70 days")
def importance_mean_unbiased(remote, draw):
    """f is 1/P(D > 70) where the project takes longer, so that the right estimate is 1."""
    t, theta, lam, exact, tolerance = many_projects()
    f = (oracles.project_duration(t) > 70).double() / exact
    case = mean_case(f, oracles.log_importance_ratio(t, theta, lam))
    found = remote.call(case.task, case.target, case.inputs, seed=draw.seed()).output
    if found.shape == () and abs(found.item() - 1) <= tolerance / exact:
        return
    expect(remote, draw, case)
    called = f"importance_mean of {N_DRAWS:,} draws of q, f = 1/P(D > 70) where D > 70, else 0"
    raise Lost("WRONG_VALUE", f"an estimate of {found.item():.3g}", called, "1, give or take its standard error")


@check("todo2", "standard_error: values")
def standard_error_values(remote, draw):
    ddof = ddof_of(remote, draw)
    for n in (*draw.sizes(1, low=4), *draw.large(1)):
        expect(remote, draw, error_case(*values_and_weights(draw, n), ddof))
        expect(remote, draw, error_case(draw.normal(n), draw.normal(n), ddof))
        expect(remote, draw, error_case(*partly_impossible(draw, n), ddof, is_extreme=True))


@check("todo2", "effective_sample_size: values")
def effective_sample_size_values(remote, draw):
    for k, B in (draw.sizes(2), draw.large(2)):
        expect(remote, draw, sample_size_case(1.5 * draw.normal(k, B) + 1))
    expect(remote, draw, sample_size_case(torch.zeros(*draw.sizes(2)).double()))


@check("todo2", "effective_sample_size: log weights from -1000 to 300, in float32")
def effective_sample_size_offsets(remote, draw):
    for k, B in (draw.sizes(2, low=3), draw.large(2)):
        expect(remote, draw, sample_size_case(levels(draw, k, B), is_extreme=True))


@check("todo2", "shapes: one draw, one sample, k = B, images independent of each other")
def todo2_shapes(remote, draw):
    expect(remote, draw, mean_case(*values_and_weights(draw, 1)))
    expect(remote, draw, error_case(*values_and_weights(draw, 2), ddof_of(remote, draw)))
    (B,) = draw.sizes(1)
    for k in (1, B):
        expect(remote, draw, sample_size_case(draw.normal(k, B)))
    expect(remote, draw, sample_size_case(draw.normal(B, 1)))
    other = functools.partial(torch.mul, torch.linspace(-1, 1, B + 1)[:, None].double())
    expect_independence(remote, draw, sample_size_case, draw.normal(B + 1, B), 1, other)


@check("todo2", "the same twice; inputs and torch's settings left alone")
def todo2_side_effects(remote, draw):
    n, k, B = draw.sizes(3, low=3)
    expect_no_side_effects(remote, draw, mean_case(*values_and_weights(draw, n)))
    expect_no_side_effects(remote, draw, error_case(*values_and_weights(draw, n), ddof_of(remote, draw)))
    expect_no_side_effects(remote, draw, sample_size_case(draw.normal(k, B)))


# TODO 3 ---------------------------------------------------------------------------------------------------

WEIGHTED = "sum of w z / sum of w over the samples of each image"
DRAWN = "for each u, the first sample of that image at which the running sum of its normalised weights is u or more"
DENSITY = "log_joint minus the log of (the sum of exp(log_joint) over the grid, times area), image by image"


def average_case(log_w, z, is_extreme=False):
    scale = oracles.posterior_mean(log_w, z.double().abs()) * rounding(log_w)
    inputs = {"log_w": log_w, "z": z}
    return Case("todo3", "posterior_mean", inputs, oracles.posterior_mean, WEIGHTED, scale, is_extreme=is_extreme)


def resampling_case(log_w, z, u, is_extreme=False):
    inputs, scale = {"log_w": log_w, "z": z, "u": u.to(log_w.dtype)}, z.abs().max().item()
    return Case("todo3", "resample", inputs, oracles.resample, DRAWN, scale, is_extreme=is_extreme)


def random_resampling(draw, k, B, D, n):
    log_w = 1.5 * draw.normal(k, B)
    return resampling_case(log_w, 3 * draw.normal(k, B, D), off_ties(draw, log_w, n))


def grid_case(log_joint, area, is_extreme=False):
    size = log_joint.double().abs()
    return Case(
        "todo3",
        "grid_log_posterior",
        {"log_joint": log_joint},
        oracles.grid_log_posterior,
        DENSITY,
        size + size.amin(0) + 10,  # the log of the integral lies near the largest entry, within the logs of G and area
        {"area": area},
        is_extreme=is_extreme,
    )


def cell(draw):
    return float(draw.uniform(0.01, 0.2))


@check("todo3", "posterior_mean: values")
def posterior_mean_values(remote, draw):
    for k, B, D in (draw.sizes(3), draw.large(3)):
        expect(remote, draw, average_case(1.5 * draw.normal(k, B), 3 * draw.normal(k, B, D)))


@check("todo3", "posterior_mean: log weights from -1000 to 300, in float32")
def posterior_mean_offsets(remote, draw):
    for k, B, D in (draw.sizes(3, low=3), draw.large(3)):
        z = 3 * draw.normal(k, B, D).float()
        expect(remote, draw, average_case(levels(draw, k, B), z, is_extreme=True))


def on_a_grid(draw):
    """A linear-Gaussian model, points z [G, B] that hold all of its posterior, and the distance between two."""
    (B,) = draw.sizes(1)
    model = oracles.LinearGaussian(2 * draw.normal(B), float(draw.uniform(0.4, 0.8)))
    points = torch.linspace(-10, 10, 251, dtype=torch.float64)
    return model, points[:, None].expand(-1, B).contiguous(), 20 / 250


@check("todo3", "posterior_mean: the closed form of a linear-Gaussian model")
def posterior_mean_closed_form(remote, draw):
    """Points of a grid as samples, weighted by the joint density: the sums converge faster than any power."""
    model, z, _ = on_a_grid(draw)
    case = average_case(model.log_joint(z), z[:, :, None])
    case.oracle = lambda *_: model.posterior.mean[:, None]
    expect(remote, draw, case)


@check("todo3", "resample: values")
def resample_values(remote, draw):
    expect(remote, draw, random_resampling(draw, *draw.sizes(4)))
    expect(remote, draw, random_resampling(draw, *draw.large(4)))


@check("todo3", "resample: log weights from -1000 to 300, in float32")
def resample_offsets(remote, draw):
    for k, B, D, n in (draw.sizes(4, low=3), draw.large(4)):
        log_w = levels(draw, k, B)
        z = 3 * draw.normal(k, B, D).float()
        expect(remote, draw, resampling_case(log_w, z, off_ties(draw, log_w, n), is_extreme=True))


@check("todo3", "grid_log_posterior: values")
def grid_values(remote, draw):
    for G, B in (draw.sizes(2, low=3), draw.large(2)):
        expect(remote, draw, grid_case(2 * draw.normal(G, B) - 3, cell(draw)))
        expect(remote, draw, grid_case(levels(draw, G, B), cell(draw), is_extreme=True))


@check("todo3", "grid_log_posterior: the closed form of a linear-Gaussian model")
def grid_closed_form(remote, draw):
    model, z, step = on_a_grid(draw)
    case = grid_case(model.log_joint(z), step)
    case.oracle = lambda *_, **__: model.posterior.log_prob(z)
    expect(remote, draw, case)


@check("todo3", "shapes: one sample, k = B, one unit, images independent of each other")
def todo3_shapes(remote, draw):
    B, D = draw.sizes(2)
    for k in (1, B):
        expect(remote, draw, average_case(draw.normal(k, B), draw.normal(k, B, D)))
        expect(remote, draw, random_resampling(draw, k, B, D, B))
        expect(remote, draw, grid_case(draw.normal(k, B), cell(draw)))
    expect(remote, draw, average_case(draw.normal(B, 1), draw.normal(B, 1, 1)))
    expect(remote, draw, random_resampling(draw, B, 1, 1, 1))
    log_w, z, area = draw.normal(B + 1, B), draw.normal(B + 1, B, D), cell(draw)
    other = functools.partial(torch.mul, torch.linspace(-1, 1, B + 1)[:, None].double())

    def resampled(log_w):
        return resampling_case(log_w, z, off_ties(draw, log_w, D))

    for case_of in (lambda log_w: average_case(log_w, z), resampled, lambda log_w: grid_case(log_w, area)):
        expect_independence(remote, draw, case_of, log_w, 1, other)


@check("todo3", "the same twice; inputs and torch's settings left alone")
def todo3_side_effects(remote, draw):
    k, B, D, n = draw.sizes(4)
    expect_no_side_effects(remote, draw, average_case(draw.normal(k, B), draw.normal(k, B, D)))
    expect_no_side_effects(remote, draw, random_resampling(draw, k, B, D, n))
    expect_no_side_effects(remote, draw, grid_case(draw.normal(k, B), cell(draw)))
