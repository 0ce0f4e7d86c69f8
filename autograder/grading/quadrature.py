"""Points and weights of integrals that are known to the last digits: truth for checks, whatever they are about."""

import math

import numpy as np
import torch
from torch import Tensor


def trapezoid(end: float, n: int) -> tuple[Tensor, float]:
    """n points from -end to end, and the distance between two of them."""
    return torch.linspace(-end, end, n, dtype=torch.float64), 2 * end / (n - 1)


def gauss_hermite(n: int) -> tuple[Tensor, Tensor]:
    """Points and weights with which sum(weight * f(point)) is the mean of f under N(0, 1).  two [n]"""
    points, weights = np.polynomial.hermite_e.hermegauss(n)
    return torch.as_tensor(points), torch.as_tensor(weights / math.sqrt(2 * math.pi))


def tensor_grid(k: int, n: int) -> tuple[Tensor, Tensor]:
    """The same of k independent N(0, 1), with n points along each axis.  [k, n^k], [n^k]"""
    points, weights = gauss_hermite(n)
    grids = torch.meshgrid(*[points] * k, indexing="ij")
    products = torch.stack(torch.meshgrid(*[weights] * k, indexing="ij")).prod(0)
    return torch.stack([grid.flatten() for grid in grids]), products.flatten()
