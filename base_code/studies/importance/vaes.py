"""The VAEs of the lab, trained once and kept, their log p(x | z), and a grid of two latent units."""

import math

import torch
from torch.nn import functional as F

from model_file import Unfinished
from settings import complete
from studies.runs import dataset, trained, while_it_trains

EPOCHS = {"mnist": 6, "digits": 60}
REACH, POINTS = 6.0, 241  # the grid: [-6, 6] along each axis
TOGETHER = 10_000  # latents that are decoded at once


def vae_settings(model_file, d_latent):
    data = dataset()
    given = {"objective": "vae", "model": model_file, "hidden": (200,), "untied": True, "d_latent": d_latent}
    return complete({**given, "epochs": EPOCHS[data], "test_k": 1, "compile": "off"}, data)


def trained_vae(out, model_file, d_latent):
    """The VAE with D latent units, and its settings. Its run is in the folder out."""
    settings = vae_settings(model_file, d_latent)
    return trained_core(settings, out / f"vae-{d_latent}"), settings


def trained_core(settings, folder):
    """The core's model of the run in the folder, which is trained unless it is finished."""
    try:
        return trained(settings, folder)
    except Unfinished as todo:  # its TODOs have the same numbers as the lab's
        raise Unfinished(f"{settings.model}, which is trained here, has {todo}") from None


def vae_while_it_trains(out, model_file):
    """(epochs, the VAE with D = 2) at moments of its training."""
    return while_it_trains(vae_settings(model_file, 2), out / "vae-2", trained_core)


def log_likelihoods(model, x, z):
    """log p(x | z) of every image at every latent.  [B, P], [N, D] -> [N, B]"""
    parts = []
    for some in z.split(TOGETHER):
        logits = model.decoder(some)  # [n, P]
        parts.append(logits @ x.T - F.softplus(logits).sum(-1, keepdim=True))  # [n, B]
    return torch.cat(parts)


def grid(centre=(0.0, 0.0), half=REACH):
    """A square of two latents about its centre: points [G, 2], and the area of a cell."""
    steps = torch.linspace(-half, half, POINTS)
    return torch.cartesian_prod(steps, steps) + torch.as_tensor(centre), (2 * half / (POINTS - 1)) ** 2


def log_joint(model, x, z):
    """log p(x, z) of every image at every latent.  [B, P], [N, 2] -> [N, B]"""
    log_prior = -0.5 * (z**2).sum(-1, keepdim=True) - math.log(2 * math.pi)  # [N, 1]
    return log_likelihoods(model, x, z) + log_prior


def log_mean_exp(log_w):
    """[N, ...] -> [...], added up in float64."""
    return torch.logsumexp(log_w.double(), 0) - math.log(len(log_w))
