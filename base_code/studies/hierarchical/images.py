"""Images drawn from the models: samples beside the mean function, also while it trains, and samples by class."""

import torch

from data import CLASSES, binarize
from studies.animation import after, save_animation
from studies.hierarchical.runs import trained, while_it_trains
from visualize import GRID, PRIOR_SEED, draw_panels, panels_figure, prior_grid, shade, tile


def study(lab, out, model_file):
    """Samples of two layers beside their mean function, also while it trains, and of a model with labels, by class"""
    labelled = trained(lab, out, conditional="label")
    y = torch.eye(CLASSES).repeat(GRID * GRID // CLASSES, 1)  # [N, C]: the classes in each row
    with torch.no_grad():
        by_class = tile(shade(labelled.sample(prior_grid(labelled.d_latent), y)))
    panels = samples_and_means(trained(lab, out))
    drawn = draw_panels(out / "images.png", {**panels, "means of p(x | z, y)\na class in each column": by_class})
    return [drawn, animate(out / "images.gif", while_it_trains(lab, out))]


@torch.no_grad()
def samples_and_means(model):
    """Images from the same latents: {title: drawn, as their means, and as their means at the mean of z1}."""
    eps = prior_grid(model.d_latent)  # [N, D1 + D2]
    still = torch.cat([torch.zeros_like(eps[:, : model.d1]), eps[:, model.d1 :]], 1)
    means = shade(model.sample(eps))
    return {
        "samples\nz2, z1 and x drawn": tile(binarize(means, torch.Generator().manual_seed(PRIOR_SEED))),
        "the mean function of p(x | z1)\nz2 and z1 drawn": tile(means),
        "the mean function of p(x | z1)\nz2 drawn, z1 at its mean": tile(shade(model.sample(still))),
    }


def animate(path, moments):
    """The samples and the mean function of (epochs, model) at moments of its training, from the same noise."""
    figures = []
    for epochs, model in moments:
        figures.append(panels_figure(samples_and_means(model)))
        figures[-1].suptitle(after(epochs), fontsize=12)
    return save_animation(path, figures)
