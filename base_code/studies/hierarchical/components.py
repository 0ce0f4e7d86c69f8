"""The two layers on a plane each: principal components of their posterior means, coloured by class."""

from matplotlib.figure import Figure

from data import load_labels, load_test
from studies.hierarchical.latents import posterior_means
from studies.hierarchical.runs import trained
from studies.runs import dataset

IMAGES, SAMPLES = 2_000, 100  # test images, and samples of q for each posterior mean


def study(lab, out, model_file):
    """Principal components of the posterior means of z1 and of z2, coloured by class"""
    model = trained(lab, out)
    (x,) = load_test(dataset())
    means = posterior_means(model, x[:IMAGES], SAMPLES)
    classes = load_labels(dataset())[1][:IMAGES]
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    for axes, (layer, mean) in zip(figure.subplots(1, 2), means.items()):
        scores = lab.principal_components(mean, 2)  # [N, 2]
        dots = axes.scatter(*scores.T, s=4, c=classes, cmap="tab10", vmin=-0.5, vmax=9.5)
        shares = lab.principal_components(mean, min(mean.shape)).var(0)
        axes.set_title(f"{layer}: {shares[:2].sum() / shares.sum():.0%} of the variance", fontsize=10)
        axes.set(xlabel="principal component 1", ylabel="principal component 2")
    figure.colorbar(dots, ax=figure.axes, ticks=range(10), label="class")
    figure.suptitle(f"posterior means of {len(classes):,} test images, {SAMPLES} weighted samples each", fontsize=10)
    figure.savefig(out / "components.png", dpi=120)
    return [out / "components.png"]
