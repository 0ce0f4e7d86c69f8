"""Gradients on a model with one latent unit, whose expectations are known from a grid over all noise."""

import numpy as np
import torch
from torch.distributions import Normal

from studies.estimators.ratios import BUDGET, SPLITS, draw, ratio, row
from studies.tables import print_table

X, S = 2.0, 0.7  # the image, and the standard deviation of x given z
M, R, C = 0.3, 0.8, 1.0  # q's mean and standard deviation; the decoder: x given z has the mean C z
NUMBERS = (1, 2, 3, 4, 8, 16, 32, 64)  # of samples, k
GRIDS = {1: 64, 2: 96, 3: 64}  # {k: points along each axis}
DRAWS = 10_000
NAMES = {"iwae": "IWAE", "stl": "STL", "dreg": "DReG"}


def study(lab, out, model_file):
    """A model whose expectations are exact: bias, signal and noise of each estimator"""
    moments = {(name, k): exact_moments(lab, name, k) for name in (*NAMES, "iwae-eq14", "not stopped") for k in GRIDS}
    rows = [
        {"estimator": name, **{f"k = {k}": f"{moments[name, k]['encoder'][0]:.4f}" for k in GRIDS}}
        for name in ("iwae", "iwae-eq14", "not stopped", "stl", "dreg")
    ]
    print_table("the expected gradient to q's mean, exactly; the bound's own is that of iwae", rows)
    curves = {label: {k: measured(lab, name, 1, k) for k in NUMBERS} for name, label in NAMES.items()}
    compared = [(name, 1, BUDGET) for name in (*NAMES, "ciwae")] + [("miwae", *split) for split in SPLITS[:-1]]
    compared += [("piwae", *split) for split in SPLITS[1:-1]]
    rows = [row(name, m, k, measured(lab, name, m, k)) for name, m, k in compared]
    print_table(f"{BUDGET} samples in each estimate, {DRAWS:,} draws of it; ciwae with beta = 1/2", rows)
    exact = {
        label: {k: {part: abs(mean) / sd for part, (mean, sd) in moments[name, k].items()} for k in GRIDS}
        for name, label in NAMES.items()
    }
    title = f"z ~ N(0, 1), x | z ~ N(z, 0.7²), x = {X:g}; lines: {DRAWS:,} draws, crosses: exact"
    return [draw(out / "exact.png", curves, title, exact)]


def gradients(lab, name, eps):
    """To q's mean and to C, of n images that differ in their noise alone.  [m, k, n] -> {part: [n, 1]}"""
    mean, sd, slope = (torch.full(eps.shape[-1:], v, dtype=eps.dtype, requires_grad=True) for v in (M, R, C))
    encoder, decoder = objectives(lab, name, *(log_weights(eps, mean, sd, slope, stopped) for stopped in (False, True)))
    (to_mean,) = torch.autograd.grad(encoder.sum(), mean, retain_graph=True)
    (to_slope,) = torch.autograd.grad(decoder.sum(), slope)
    return {"encoder": to_mean[:, None], "decoder": to_slope[:, None]}


def log_weights(eps, mean, sd, slope, stopped):
    """At z = mean + sd eps; stopped: with constants inside log q.  [m, k, n] -> [m, k, n]"""
    z = mean + sd * eps
    q = Normal(mean.detach(), sd.detach()) if stopped else Normal(mean, sd)
    return Normal(slope * z, S).log_prob(torch.tensor(X)) + Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)


def objectives(lab, name, log_w, stopped_log_w):
    """The encoder's and the decoder's, made with the student's functions.  [m, k, n] -> [n], [n]"""
    samples = log_w.flatten(0, 1)  # [m k, n]
    if name == "piwae":
        return lab.piwae_objectives(log_w).unbind()
    if name in ("stl", "dreg"):
        return getattr(lab, f"{name}_objective")(stopped_log_w.flatten(0, 1)), lab.iwae_objective(samples)
    bound = {
        "iwae": lab.iwae_objective,
        "iwae-eq14": lab.weighted_objective,
        "not stopped": lambda log_w: (torch.softmax(log_w, 0) * log_w).sum(0),
        "miwae": lambda _: lab.miwae_objective(log_w),
        "ciwae": lambda log_w: lab.ciwae_objective(log_w, 0.5),
    }[name](samples)
    return bound, bound


def exact_moments(lab, name, k):
    """Mean and standard deviation of one estimate, by Gauss-Hermite quadrature: {part: (mean, standard deviation)}"""
    points, weights = (torch.as_tensor(v) for v in np.polynomial.hermite_e.hermegauss(GRIDS[k]))
    weights = weights / weights.sum()
    eps = torch.cartesian_prod(*[points] * k).view(-1, k).T[None]  # [1, k, n]
    chances = torch.cartesian_prod(*[weights] * k).view(-1, k).prod(1)  # [n]
    found = {}
    for part, values in gradients(lab, name, eps).items():
        mean, square = chances @ values[:, 0], chances @ values[:, 0] ** 2
        found[part] = mean.item(), (square - mean**2).sqrt().item()
    return found


def measured(lab, name, m, k):
    noise = torch.Generator().manual_seed(k)
    eps = torch.randn(m, k, DRAWS, generator=noise, dtype=torch.float64)
    return {part: ratio(lab, draws) for part, draws in gradients(lab, name, eps).items()}
