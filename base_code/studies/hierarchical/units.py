"""How many latent units are used, against the number of samples in training."""

import torch
from matplotlib.figure import Figure

from data import load_test
from studies.hierarchical.latents import ACTIVE, q_means
from studies.hierarchical.runs import trained
from studies.runs import dataset
from studies.tables import print_table

NUMBERS = (1, 5, 20)  # of samples per image while training


def study(lab, out, model_file):
    """Active units of both layers against k, the samples per image while training"""
    (x,) = load_test(dataset())
    activities = {k: activity_of_layers(lab, trained(lab, out, k), x) for k in NUMBERS}
    rows = [{"k": k, **{layer: shown(a) for layer, a in layers.items()}} for k, layers in activities.items()]
    print_table(f"units with an activity above {ACTIVE}, of {len(x):,} test images", rows)
    return [draw(out / "units.png", activities)]


@torch.no_grad()
def activity_of_layers(lab, model, x):
    """{layer: the activity of its units [D]}"""
    return {layer: lab.activity(means) for layer, means in q_means(model, x).items()}


def shown(activity):
    return f"{(activity > ACTIVE).sum().item()} of {len(activity)}"


def draw(path, activities):
    """The units' activities, the largest first."""
    layers = list(next(iter(activities.values())))
    figure = Figure(figsize=(5 * len(layers), 3.8), layout="constrained")
    for axes, layer in zip(figure.subplots(1, len(layers), squeeze=False)[0], layers):
        for k, found in activities.items():
            axes.plot(range(1, len(found[layer]) + 1), found[layer].sort(descending=True).values, "o-", ms=3, label=k)
        axes.axhline(ACTIVE, color="black", lw=0.8, ls="--")
        axes.set(yscale="log", xlabel=f"unit of {layer}, the most active first", ylabel="activity")
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.axes[0].legend(title="k in training", fontsize=9)
    figure.suptitle("variance over test images of each unit's mean; dashed: the paper's threshold", fontsize=10)
    figure.savefig(path, dpi=120)
    return path
