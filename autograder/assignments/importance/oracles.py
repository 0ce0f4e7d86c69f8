"""Independent truth for the checks of the lab: path sums, torch.distributions, a Markov chain, direct formulas.

Nothing here comes from solutions/labs/importance.py; tests/assignments/importance/ checks that file against these.
"""

import functools

import numpy as np
import scipy.linalg
import torch
from torch.distributions import Exponential, Normal

from autograder.assignments.iwae import oracles as core

THETA = (4, 4, 2, 5, 2, 3, 2, 3, 2, 2)  # mean durations in days, Owen's table
PATHS = ((1, 2, 4, 10), (1, 2, 5, 9, 10), (1, 3, 6, 9, 10), (1, 3, 7, 9, 10), (1, 3, 8, 10))  # from task 1 to task 10
CRITICAL = PATHS[0]  # the longest at the mean durations


def project_duration(t):
    """The longest of the five paths.  [n, 10] -> [n]"""
    return torch.stack([t[:, [task - 1 for task in path]].sum(1) for path in PATHS]).amax(0)


def log_importance_ratio(t, theta, lam):
    """log p(t) - log q(t), from torch.distributions.  [n, 10], [10], [10] -> [n]"""
    p, q = Exponential(1 / theta, validate_args=False), Exponential(1 / lam, validate_args=False)
    return p.log_prob(t).sum(1) - q.log_prob(t).sum(1)


def ratio_scale(t, theta, lam):
    """The size of the terms that it adds up.  [n, 10], [10], [10] -> [n]"""
    return (theta.log().abs() + lam.log().abs() + t / theta + t / lam).sum(1)


@functools.cache
def tail_probability(days, theta=THETA):
    """P(the project takes more than so many days), exact, where task j has the mean theta[j].

    With exponential durations the set of finished tasks is a Markov chain in continuous time: every running task ends
    at its own rate. The answer is the probability that after so many days the chain is not in its last state.
    """
    before = {task: {path[i - 1] for path in PATHS for i in range(1, len(path)) if path[i] == task} for task in DONE}
    states = [frozenset()]
    for state in states:  # which grows while it is gone through
        states += [new for task in ready(state, before) if (new := state | {task}) not in states]
    index = {state: i for i, state in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    for state, i in index.items():
        for task in ready(state, before):
            generator[i, index[state | {task}]] = 1 / theta[task - 1]
            generator[i, i] -= 1 / theta[task - 1]
    return float(1 - scipy.linalg.expm(generator * days)[0, index[DONE]])


DONE = frozenset(range(1, 11))


def ready(state, before):
    """The tasks that run in a state: their predecessors have ended, they have not."""
    return [task for task in sorted(DONE - state) if before[task] <= state]


def second_moment(days, factors):
    """E_q[(1{D > days} w)^2], exact, where q stretches the mean of task j by factors[j] > 1/2.

    p^2 / q is a product of exponentials again, up to a constant: with s = factors[j], of mean theta s / (2 s - 1) and
    with the constant s^2 / (2 s - 1). At s <= 1/2 it has no finite integral, and the variance is infinite.
    """
    s = np.array(factors, dtype=float)
    constant = np.prod(s**2 / (2 * s - 1))
    return constant * tail_probability(days, tuple(np.array(THETA) * s / (2 * s - 1)))


def standard_deviation(days, factors):
    """The exact standard deviation of one draw 1{D > days} w of that q."""
    return (second_moment(days, factors) - tail_probability(days) ** 2) ** 0.5


def effective_sample_size(log_w):
    """(sum w)^2 / sum w^2.  [k, B] -> [B]"""
    w = core.normalised(log_w)
    return w.sum(0) ** 2 / (w**2).sum(0)


def posterior_mean(log_w, z):
    """sum w z / sum w.  [k, B], [k, B, D] -> [B, D]"""
    return torch.einsum("kb,kbd->bd", core.normalised(log_w), z)


def resample(log_w, z, u):
    """By numpy's binary search in each image's running sum.  [k, B], [k, B, D], [n, B] -> [n, B, D]"""
    reached = core.normalised(log_w).cumsum(0).numpy()  # [k, B]
    columns = [z[np.searchsorted(reached[:, b], u[:, b].numpy()), b] for b in range(z.shape[1])]  # B of [n, D]
    return torch.stack(columns, 1)


def grid_log_posterior(log_joint, area):
    """log_joint minus the log of its integral, by numpy.  [G, B] -> [G, B]"""
    a = log_joint.double().numpy()
    return torch.as_tensor(a - np.logaddexp.reduce(a, 0, keepdims=True) - np.log(area))


class LinearGaussian:
    """z ~ N(0, 1), x | z ~ N(z, s^2): the posterior is N(x / (1 + s^2), s^2 / (1 + s^2)).  x [B]"""

    def __init__(self, x, s):
        self.x, self.s = x, s
        self.posterior = Normal(x / (1 + s**2), s / (1 + s**2) ** 0.5)

    def log_joint(self, z):
        """log p(x | z) + log p(z).  [G, B] -> [G, B]"""
        return Normal(z, self.s).log_prob(self.x) + Normal(0.0, 1.0).log_prob(z)


def draws(n, factors, seed):
    """n projects of the q that stretches the means by these factors, the same for a seed: t [n, 10], theta, lam [10]"""
    theta = torch.tensor(THETA, dtype=torch.float64)
    lam = theta * torch.tensor(factors, dtype=torch.float64)
    e = torch.as_tensor(np.random.default_rng(seed).exponential(size=(n, len(THETA))))
    return lam * e, theta, lam


def critical(factor):
    """The factors of a q that stretches the critical path alone."""
    return tuple(factor if task in CRITICAL else 1.0 for task in range(1, 11))


# The q with the smallest variance for 70 days of all that stretch each task by a factor of its own: where the gradient
# of second_moment is 0, which tests/assignments/importance/test_importance_exact.py tells.
BEST = (3.976, 3.533, 1.175, 6.704, 1.139, 1.451, 1.046, 1.333, 1.224, 1.606)
