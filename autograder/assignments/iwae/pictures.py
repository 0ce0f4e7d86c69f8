"""Pictures of trainings: for one report, and for a class."""

import torch
from matplotlib.figure import Figure

from autograder.assignments.iwae import ASSIGNMENT
from visualize import decode, draw_panels, prior_grid, tile


def pictures(trainings):
    """The training losses, and samples of the trained models: {title: a function that draws into a file}.

    trainings: {objective: nll.Training}.
    """
    drawn = {}
    trained = {o.upper(): t for o, t in trainings.items() if any(x is not None for x in t.losses)}
    if trained:
        drawn["Training losses, as the submission computed them"] = lambda file: draw_losses(file, trained)
    panels = {}
    for name, training in trained.items():
        if training.weights:
            model = ASSIGNMENT.reference.IWAE()
            model.load_state_dict(training.weights)
            with torch.no_grad():
                panels[name] = tile(decode(model, prior_grid(model.d_latent)))
    if panels:
        drawn["Samples from the prior, decoded"] = lambda file: draw_panels(file, panels)
    return drawn


def draw_losses(file, trained):
    """The loss of each epoch. trained: {name: nll.Training}"""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, training in trained.items():
        label = name if training.nll is None else f"{name}, test NLL {training.nll:.1f}"
        losses = [float("nan") if loss is None else loss for loss in training.losses]
        axes.plot(range(1, len(losses) + 1), losses, marker=".", label=label)
    axes.set(xlabel="epoch", ylabel="train loss, nats per image")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(file, dpi=110)


def class_pictures(summaries):
    """The VAE's test NLL against the IWAE's: {title: a function that draws into a file}. summaries: of Run.summary()"""
    pairs = [(summary["vae"], summary["iwae"]) for summary in summaries if summary.get("vae") and summary.get("iwae")]
    return {"Test NLL": lambda file: draw_pairs(file, pairs)} if pairs else {}


def draw_pairs(file, pairs):
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    low, high = min(min(pair) for pair in pairs), max(max(pair) for pair in pairs)
    axes.axline((low, low), slope=1, color="#999", linewidth=1, label="no better than the VAE")
    axes.scatter(*zip(*pairs), color="#3b6ea5", alpha=0.6)
    margin = 0.05 * (high - low) + 1
    axes.set(xlabel="VAE, nats", ylabel="IWAE, nats", xlim=(low - margin, high + margin))
    axes.set(ylim=(low - margin, high + margin))
    axes.legend()
    figure.savefig(file, dpi=160)
