"""The true posterior of two latent units, on a grid, and what q and its samples make of it."""

import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from data import load_binarized_test
from studies.animation import after, save_animation
from studies.importance.vaes import POINTS, grid, log_joint, vae_settings, vae_while_it_trains
from studies.tables import print_table
from visualize import SIDE, decode

IMAGES = 4  # test images
K, RESAMPLED = 1_000, 300  # samples of q, and how many are drawn from them
WINDOW = 6  # standard deviations of the posterior from its mean to the edge of the fine grid
NARROWEST = 0.05  # of the standard deviations: about a cell of the wide grid


def study(lab, out, model_file):
    """The true posterior of two latent units beside q; the means, samples and reconstructions of both"""
    x = load_binarized_test(vae_settings(model_file, 2).data)[:IMAGES]  # [B, P]
    moments = [(epochs, model, posteriors(lab, model, x)) for epochs, model in vae_while_it_trains(out, model_file)]
    limits = [union(images) for images in zip(*(found for _, _, found in moments))]
    frames = [draw(model, x, found, after(epochs), limits) for epochs, model, found in moments]
    epochs, model, found = moments[-1]
    figure = draw(model, x, found, after(epochs), [union([one]) for one in found])
    print_table("the posterior's mean, by the grid, and its estimates", [row(i, one) for i, one in enumerate(found)])
    figure.savefig(out / "posterior.png", dpi=120)
    return [out / "posterior.png", save_animation(out / "posterior.gif", frames)]


@torch.no_grad()
def posteriors(lab, model, x):
    """What posterior_of gives for each of the images x [B, P]. The wide grid is decoded once for all of them."""
    wide, area = grid()
    masses = lab.grid_log_posterior(log_joint(model, x, wide), area).exp() * area  # [G, B]
    return [posterior_of(lab, model, image, wide, mass) for image, mass in zip(x.split(1), masses.T)]


def posterior_of(lab, model, x, wide, mass):
    """The posterior of one image x [1, P] on a fine grid that holds its mass, q, and the student's estimates.

    The fine grid lies where the wide one, of points [G, 2], has its mass [G].
    """
    mean = mass @ wide  # [2]
    sd = (mass @ (wide - mean) ** 2).sqrt()  # [2]
    half = WINDOW * sd.max().clamp(min=NARROWEST).item()
    z, area = grid(mean, half)
    density = lab.grid_log_posterior(log_joint(model, x, z), area).squeeze(1).exp()  # [G]
    mu, sigma = model.encoder(x)  # [1, 2]
    noise = torch.Generator().manual_seed(2)
    eps = torch.randn(K, 1, 2, generator=noise)
    u = torch.rand(RESAMPLED, 1, generator=noise)
    samples, log_w = mu + sigma * eps, model.log_weights(x, eps)
    return {
        "centre": mean,
        "half": half,
        "held": mass[((wide - mean).abs() <= half).all(-1)].sum().item(),
        "density": density.view(POINTS, POINTS),
        "mean": (density * area) @ z,
        "mu": mu[0],
        "sigma": sigma[0],
        "snis": lab.posterior_mean(log_w, samples)[0],
        "resampled": lab.resample(log_w, samples, u)[:, 0],
        "ess": lab.effective_sample_size(log_w).item(),
    }


def union(moments):
    """The limits of both axes within which the windows of all the moments lie: [(low, high), (low, high)]"""
    low = torch.stack([one["centre"] - one["half"] for one in moments]).amin(0)
    high = torch.stack([one["centre"] + one["half"] for one in moments]).amax(0)
    return list(zip(low.tolist(), high.tolist()))


def row(number, one):
    return {
        "image": number,
        "mass in the window": f"{one['held']:.5f}",
        "ESS of q": f"{one['ess']:.0f} of {K}",
        "error of q's mean": f"{(one['mu'] - one['mean']).norm():.3f}",
        "self-normalised": f"{(one['snis'] - one['mean']).norm():.3f}",
    }


def draw(model, x, found, title, limits):
    """Above, the posterior's density with q over it; below, each image x [B, P] and what both means decode to."""
    figure = Figure(figsize=(3.2 * len(found), 5.4), layout="constrained")
    above, below = figure.subplots(2, len(found), height_ratios=(2.2, 1))
    for axes, one, (z1, z2) in zip(above, found, limits):
        draw_density(axes, one)
        axes.set(xlim=z1, ylim=z2, facecolor=colormaps["Greens"](0.0))
    above[0].set_ylabel("$z_2$")
    above[0].legend(fontsize=7)
    for axes, image, one in zip(below, x, found):
        means = decode(model, torch.stack([one["mu"], one["snis"]]))  # [2, P]
        axes.imshow(torch.cat([p.view(SIDE, SIDE) for p in (image, *means)], 1), cmap="gray", vmin=0, vmax=1)
        axes.set_title("x | decoded at q's mean | at the other", fontsize=8)
        axes.set_axis_off()
    figure.suptitle(f"p(z | x) exactly, in green, and q(z | x), {title}", fontsize=10)
    return figure


def draw_density(axes, one):
    (a, b), half = one["centre"].tolist(), one["half"]
    axes.imshow(one["density"].T, origin="lower", extent=(a - half, a + half, b - half, b + half), cmap="Greens")
    for size in (1, 2):
        axes.add_patch(Ellipse(one["mu"].tolist(), *(2 * size * one["sigma"]).tolist(), fill=False, ec="tab:blue"))
    axes.plot(*one["resampled"].T, ".", ms=1.5, color="black", alpha=0.4, label="resampled")
    axes.plot(*one["mu"], "x", color="tab:blue", label="q: mean, 1 and 2 sd")
    axes.plot(*one["snis"], "+", color="tab:red", ms=9, label="self-normalised mean")
    axes.set_xlabel("$z_1$")
    axes.set_title(f"ESS {one['ess']:.0f} of {K}\nthe window holds {one['held']:.2%}", fontsize=9)
