"""Importance sampling: a rare event of a project, and the posterior of a latent (lab `importance`).

This is the one file of the lab that you edit: eight functions in three TODOs. Nothing here needs `model.py`.

Symbols, and the shape of each tensor (samples come first):

    t      durations of the ten tasks, in days [n, 10]     n simulated projects
    theta  mean duration of each task under p [10]         p is what we ask about
    lam    mean duration of each task under q [10]         q is what we sample from
    f      what is averaged, such as 1 where the project takes more than 70 days, else 0 [n]
    log_w  log importance weight, log p - log q [n], or [k, B] for k samples of each of B images
    z      latent [k, B, D]

The project: the PERT example of Owen 2013, Monte Carlo theory, methods and examples, chapter 9 (artowen.su.domains/mc).
"""

import math

import torch

# Ten tasks, each exponentially distributed with this mean in days. A task begins when all its predecessors have ended.
MEANS = torch.tensor([4.0, 4.0, 2.0, 5.0, 2.0, 3.0, 2.0, 3.0, 2.0, 2.0])
PREDECESSORS = ((), (0,), (0,), (1,), (1,), (2,), (2,), (2,), (4, 5, 6), (3, 7, 8))  # of tasks 0 to 9


def project_duration(t):
    """The day on which task 9, the last one, ends.  [n, 10] -> [n]

    A task ends its own duration after the latest of its predecessors has ended; task 0 begins on day 0.
    """
    raise NotImplementedError("TODO 1: go through the tasks in order, and keep the day on which each of them ends.")


def log_importance_ratio(t, theta, lam):
    """log p(t) - log q(t), summed over the tasks.  [n, 10], [10], [10] -> [n]

    An exponential of mean m has the density exp(-t / m) / m.
    """
    raise NotImplementedError("TODO 1: take the log-density of each task under p minus that under q, and sum.")


def importance_mean(f, log_w):
    """The estimate of E_p[f] from draws of q: the mean of f w.  [n], [n] -> []

    Unbiased for every q that reaches wherever f p is not 0; the weights are not normalised.
    """
    raise NotImplementedError("TODO 2: average f times the weight over the draws.")


def standard_error(f, log_w):
    """The estimated standard deviation of importance_mean(f, log_w), from the same draws, n >= 2.  [n], [n] -> []"""
    raise NotImplementedError("TODO 2: take the standard deviation of f w; the mean of n of them varies less.")


def effective_sample_size(log_w):
    """How many equally weighted samples these are worth, from 1 to k, for each image.  [k, B] -> [B]

    (sum_i w_i)^2 / sum_i w_i^2. A factor common to all weights of an image cancels, so underflow can be avoided.
    """
    raise NotImplementedError("TODO 2: use weights that sum to 1 over the samples, and cannot all underflow.")


def posterior_mean(log_w, z):
    """The self-normalised estimate of E[z | x] for each image.  [k, B], [k, B, D] -> [B, D]

    sum_i w_i z_i / sum_i w_i, so that weights known up to a factor are enough.
    """
    raise NotImplementedError("TODO 3: average z over the samples with the normalised weights of each image.")


def resample(log_w, z, u):
    """n approximate draws from the posterior of each image.  [k, B], [k, B, D], u [n, B] in (0, 1) -> [n, B, D]

    Sampling importance resampling, with replacement, by the inverse distribution function: for u, the first
    sample i, in the order given, at which the normalised weights 0 to i of that image add up to u or more.
    """
    raise NotImplementedError("TODO 3: look each u up in the running sums of its image's normalised weights.")


def grid_log_posterior(log_joint, area):
    """The log density of the posterior at the points of a grid, for each image.  [G, B], area of a cell -> [G, B]

    log_joint is log p(x | z) + log p(z) at the G points. The densities of an image, times area, sum to 1.
    """
    raise NotImplementedError("TODO 3: normalise over the points of the grid, and stay in logarithms.")
