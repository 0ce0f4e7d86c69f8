"""Images drawn from the models: with all noise, with that of the top layer alone, and by class."""

import torch

from data import CLASSES
from studies.hierarchical.runs import trained
from visualize import GRID, draw_panels, prior_grid, shade, tile


def study(lab, out, model_file):
    """Images from two layers, with and without the noise of z1, and from a model with labels, by class"""
    model = trained(lab, out)
    labelled = trained(lab, out, conditional="label")
    eps = prior_grid(model.d_latent)  # [N, D1 + D2]
    without = eps.clone()
    without[:, : model.d1] = 0
    y = torch.eye(CLASSES).repeat(GRID * GRID // CLASSES, 1)  # [N, C]: the classes in each row
    with torch.no_grad():
        panels = {
            "z2 and z1 drawn": model.sample(eps),
            "the same z2, z1 at its mean": model.sample(without),
            "a model with labels, its class in each column": labelled.sample(prior_grid(labelled.d_latent), y),
        }
    tiles = {f"means of p(x | z)\n{title}": tile(shade(logits)) for title, logits in panels.items()}
    return [draw_panels(out / "images.png", tiles)]
