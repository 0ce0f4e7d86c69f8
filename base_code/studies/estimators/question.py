"""A question: why did an IWAE lose to a VAE on silhouettes? With its own schedule, with and without the stop."""

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from data import choose, load_binarized_test, load_grey
from evaluate import estimate
from settings import complete
from studies.estimators.fits import difference, fit
from studies.tables import print_table

DATA = ("silhouettes", "omniglot", "digits")  # the first that can be had
STAGES = 5  # the question: 2^i epochs at 1e-4 * 10^(-i / 7), i = 0, 1, 2, ...
BATCH, K = 20, 5
TRAINED, TESTED = 4_100, 200  # images at most: all of the silhouettes that are for training
ARCHITECTURE = {"hidden": (200,), "d_latent": 50}
RUNS = {  # {objective: what it is}
    "vae": "VAE",
    "iwae": "IWAE, the bound itself",
    "iwae-eq14": "IWAE, equation 14 with the stop",
    "not stopped": "equation 14 without the stop",
}


def study(lab, out, model_file):
    """The question: VAE, IWAE, and equation 14 with and without the stop-gradient, on silhouettes"""
    data = choose("auto", DATA)
    images, x = load_grey(data)[0][:TRAINED], load_binarized_test(data)[:TESTED]
    curves = compared(lab, data, images, x)
    epochs, vae = curves["vae"][-1]
    last = {objective: points[-1][1] for objective, points in curves.items()}
    rows = [
        {
            "trained with": label,
            "test NLL, k = 500": f"{last[o].mean():.2f}",
            "minus the VAE's": difference(last[o], vae),
        }
        for o, label in RUNS.items()
    ]
    print_table(f"{len(images)} images of {data}, {epochs} epochs, k = {K}; {len(x)} test images", rows)
    return [draw_curves(out / "question.png", curves, data)]


def compared(lab, data, images, x):
    """The test NLL at the end of each stage: {objective: [(epochs, [B])]}"""
    rates = [1e-4 * 10 ** (-i / 7) for i in range(STAGES) for _ in range(2**i)]
    curves = {objective: [] for objective in RUNS}
    with tqdm(total=len(RUNS) * len(rates) * -(-len(images) // BATCH), leave=False, disable=None) as bar:
        for objective, label in RUNS.items():
            bar.set_description(label)
            torch.manual_seed(0)
            settings = complete({"objective": "iwae", "model": lab.__file__, **ARCHITECTURE}, data)
            model = not_stopping(lab).build(settings) if objective == "not stopped" else lab.build(settings)
            model.m = 1
            for epoch, _ in enumerate(fit(model, objective, K, images, rates, BATCH, bar), start=1):
                if epoch & (epoch + 1) == 0:  # the end of a stage
                    curves[objective].append((epoch, -estimate(lab, model, x, 500)[0]))
    return curves


def not_stopping(lab):
    """The model without the stop: what the question had."""

    class NotStopping(lab.IWAE):
        def objectives(self, x, eps, _):
            log_w = self.log_weights(x, eps)
            value = (torch.softmax(log_w, 0) * log_w).sum(0)
            return value, value

        @classmethod
        def build(cls, settings):
            return cls(d_latent=settings.d_latent, hidden=settings.hidden)

    return NotStopping


def draw_curves(path, curves, data):
    """Each NLL minus the VAE's, which all of them nearly hide: curves {objective: [(epochs, NLL [B])]}"""
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    epochs, vae = zip(*curves["vae"])
    for (objective, points), line in zip(curves.items(), ("-", "-", "--", ":"), strict=True):
        apart = [(nll - of_vae).mean().item() for (_, nll), of_vae in zip(points, vae)]
        axes.plot(epochs, apart, line, marker="o", ms=3, lw=2, label=RUNS[objective])
    axes.set(xscale="log", xlabel="epochs", ylabel="test NLL - the VAE's, nats", title=data)
    axes.set_xticks(epochs, map(str, epochs))
    axes.minorticks_off()
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return path
