"""What check.py tries of the lab `importance`: small inputs whose answers can be worked out by hand."""

import math
from functools import partial

import torch

from checking import call, compare, expect

# TODO 1 ---------------------------------------------------------------------------------------------------

THETA = torch.tensor([4.0, 4.0, 2.0, 5.0, 2.0, 3.0, 2.0, 3.0, 2.0, 2.0])
COUNT = torch.arange(1.0, 11.0)  # durations 1, 2, ..., 10
PATHS = ([0, 1, 3, 9], [0, 1, 4, 8, 9], [0, 2, 5, 8, 9], [0, 2, 6, 8, 9], [0, 2, 7, 9])


def check_project_duration(file):
    function = file.project_duration
    reason = "the longest path is 0, 1, 3, 9"
    expect("project_duration of the mean durations, [1, 10]", function, (THETA[None],), [15.0], reason)
    reason = "the longest path is 0, 2, 6, 8, 9: 1 + 3 + 7 + 9 + 10"
    expect("project_duration([[1, 2, ..., 10]])", function, (COUNT[None],), [30.0], reason)
    late = torch.ones(1, 10)
    late[0, 0] = 70.0
    reason = "everything waits for task 0, and the longest paths have four more tasks"
    expect("project_duration([[70, 1, ..., 1]])", function, (late,), [74.0], reason)
    t = torch.ones(5, 10)
    for row, path in zip(t, PATHS):
        row[path] = 10.0
    what = "project_duration of 5 projects, each with 10 days along another path and 1 day elsewhere"
    expect(what, function, (t,), [10.0 * len(path) for path in PATHS], "each project has a longest path of its own")


def check_log_importance_ratio(file):
    function = file.log_importance_ratio
    t = torch.stack([COUNT, THETA, torch.zeros(10)])  # [3, 10]
    what = "log_importance_ratio(t, theta, lam) with lam = theta, 3 projects"
    expect(what, function, (t, THETA, THETA.clone()), [0.0, 0.0, 0.0], "q is p here, so that every weight is 1")
    what = "log_importance_ratio(t, theta, 4 theta) with t = theta and t = 0"
    right = [10 * (math.log(4) - 1 + 1 / 4), 10 * math.log(4)]
    expect(what, function, (t[1:], THETA, 4 * THETA), right, "10 (log 4 - 1 + 1/4), and 10 log 4")
    lam = THETA.clone()
    lam[3] = 10.0
    what = (
        "log_importance_ratio(t, theta, lam) with lam = theta, but for task 3, whose mean is 5 under p and 10 under q"
    )
    right = [math.log(2) - 4 / 10, math.log(2) - 5 / 10, math.log(2)]
    expect(what, function, (t, THETA, lam), right, "its duration is 4, 5 and 0: log(10 / 5) - t / 5 + t / 10")
    ones = torch.ones(10)
    what = "log_importance_ratio(400 everywhere, theta = 1, lam = 2), shapes [1, 10], [10] and [10]"
    right = [10 * (math.log(2) - 400 + 200)]
    expect(what, function, (400 * ones[None], ones, 2 * ones), right, "exp(-400) is 0 for a computer, -400 is not")


# TODO 2 ---------------------------------------------------------------------------------------------------

F = torch.tensor([1.0, 0.0, 2.0, 0.0])
W = torch.tensor([0.5, 3.0, 4.0, 1.0])
SHOWN = "f = [1, 0, 2, 0], log_w = log of [0.5, 3, 4, 1]"


def check_importance_mean(file):
    function = file.importance_mean
    what = f"importance_mean(f, log_w), {SHOWN}"
    expect(what, function, (F, W.log()), 2.125, "the mean of 0.5, 0, 8 and 0")
    f, log_w = torch.tensor([3.0, 5.0]), torch.tensor([0.0, -1000.0])
    expect("importance_mean([3, 5], [0, -1000])", function, (f, log_w), 1.5, "the second weight is 0, and counts in n")
    expect("importance_mean([3], [0])", function, (f[:1], log_w[:1]), 3.0, "the mean of one draw is itself")


def check_standard_error(file):
    function = file.standard_error
    for what, f, log_w, terms in (
        (SHOWN, F, W.log(), [0.5, 0.0, 8.0, 0.0]),
        ("f = [3, 5], log_w = [0, -1000]", torch.tensor([3.0, 5.0]), torch.tensor([0.0, -1000.0]), [3.0, 0.0]),
    ):
        terms = torch.tensor(terms)
        what = f"standard_error(f, log_w), {what}"
        found = call(what, function, f, log_w)
        by_n, by_n_minus_1 = (terms.std(correction=c) / math.sqrt(len(terms)) for c in (0, 1))
        is_by_n = found.shape == () and abs(found - by_n) < abs(found - by_n_minus_1)
        reason = f"the standard deviation of {terms.tolist()} / sqrt({len(terms)}); dividing by n is right too"
        compare(what, found, by_n if is_by_n else by_n_minus_1, reason)


LEVELS = torch.tensor([0.0, -1000.0, 300.0])


def check_effective_sample_size(file):
    function = file.effective_sample_size
    w = torch.tensor([[1.0, 2.0, 1.0], [2.0, 2.0, 1e-9], [3.0, 2.0, 1e-9], [0.0, 2.0, 1e-9]])  # [k, B] = [4, 3]
    w[3, 0] = 1e-9
    right, reason = [36 / 14, 4.0, 1.0], "6^2 / (1 + 4 + 9); 4 where all count the same; 1 where one has all the weight"
    what = "effective_sample_size of the weights [1, 2, 3, 0], [2, 2, 2, 2], [1, 0, 0, 0] of three images"
    expect(what, function, (w.log(),), right, reason)
    what += ", log_w + [0, -1000, 300]"
    expect(what, function, (w.log() + LEVELS,), right, f"{reason}; a common factor cancels, however far it is from 1")
    expect(
        "effective_sample_size([[-7, 2]]), k = 1", function, (torch.tensor([[-7.0, 2.0]]),), [1.0, 1.0], "one sample"
    )


# TODO 3 ---------------------------------------------------------------------------------------------------

WEIGHTS = torch.tensor([[1.0, 4.0], [2.0, 1.0], [3.0, 3.0], [4.0, 2.0]])  # [k, B] = [4, 2], sums 10
Z = torch.arange(24.0).view(4, 2, 3).square()  # [k, B, D]
SAMPLES = "weights [1, 2, 3, 4] and [4, 1, 3, 2] of two images, z = the squares of 0 to 23 in the shape [4, 2, 3]"


def levels(log_w):
    """The same posteriors: one image far above the other, both beyond what exp can give."""
    return log_w + torch.tensor([-1000.0, 300.0])


def check_posterior_mean(file):
    function = file.posterior_mean
    right = torch.stack([sum(WEIGHTS[i, b] / 10 * Z[i, b] for i in range(4)) for b in range(2)])  # [B, D]
    what = f"posterior_mean(log_w, z), {SAMPLES}"
    expect(what, function, (WEIGHTS.log(), Z), right, "sum of weight x z / 10, for each image")
    expect(f"{what}, log_w + [-1000, 300]", function, (levels(WEIGHTS.log()), Z), right, "a common factor cancels")
    expect("posterior_mean of one sample", function, (WEIGHTS[:1].log(), Z[:1]), Z[0], "it is the mean")


def check_resample(file):
    function = file.resample
    # The running sums are .1 .3 .6 1 and .4 .5 .8 1.
    u = torch.tensor([[0.05, 0.95], [0.25, 0.35], [0.55, 0.75], [0.95, 0.45], [0.15, 0.85], [0.65, 0.05]])  # [n, B]
    index = torch.tensor([[0, 3], [1, 0], [2, 2], [3, 1], [1, 3], [3, 0]])
    right = torch.stack([Z[index[:, b], b] for b in range(2)], 1)  # [n, B, D]
    what = f"resample(log_w, z, u), {SAMPLES}, u = {[[round(v, 2) for v in row] for row in u.tolist()]}"
    reason = "the running sums are .1 .3 .6 1 and .4 .5 .8 1: the first sample whose sum has reached u"
    expect(what, function, (WEIGHTS.log(), Z, u), right, reason)
    expect(f"{what}, log_w + [-1000, 300]", function, (levels(WEIGHTS.log()), Z, u), right, "a common factor cancels")
    one = torch.full((1, 2), 0.5)
    expect("resample of one sample", function, (WEIGHTS[:1].log(), Z[:1], one), Z[:1], "there is no other")


def check_grid_log_posterior(file):
    function = partial(file.grid_log_posterior, area=0.5)
    log_joint, right = WEIGHTS.log(), (WEIGHTS / 10 / 0.5).log()
    what = "grid_log_posterior(log of [1, 2, 3, 4] and [4, 1, 3, 2] for two images, area=0.5)"
    reason = "exp of these, times 0.5, sums to 1 over the grid"
    expect(what, function, (log_joint,), right, reason)
    expect(f"{what}, log_joint + [-1000, 300]", function, (levels(log_joint),), right, "a common factor cancels")
    far = torch.tensor([[0.0], [-700.0]])
    what = "grid_log_posterior([[0], [-700]], area=0.5)"
    expect(what, function, (far,), far - math.log(0.5), "a log density may be far below what exp can give")


CHECKS = {
    1: {"project_duration": check_project_duration, "log_importance_ratio": check_log_importance_ratio},
    2: {
        "importance_mean": check_importance_mean,
        "standard_error": check_standard_error,
        "effective_sample_size": check_effective_sample_size,
    },
    3: {
        "posterior_mean": check_posterior_mean,
        "resample": check_resample,
        "grid_log_posterior": check_grid_log_posterior,
    },
}
