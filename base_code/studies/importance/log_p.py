"""log p(x) of a VAE, estimated with samples of the prior and with samples of q."""

import math

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from data import load_binarized_test
from studies.importance.vaes import grid, log_joint, log_likelihoods, log_mean_exp, trained_vae
from studies.tables import print_table

WIDTHS = (2, 10, 50)  # latent units D
NUMBERS = (10, 30, 100, 300, 1_000, 3_000, 10_000)  # of samples, N
IMAGES, REPETITIONS = 10, 10
ARTICLE_NUMBER, ARTICLE_IMAGES = 128, 500
ARTICLE_NLL = 87.08  # nats: what the article states for a network of its own
WAYS = {"prior": ("samples of the prior", "tab:orange"), "q": ("samples of q", "tab:blue")}


def study(lab, out, model_file):
    """log p(x) of a VAE: samples of the prior against samples of q, in D = 2, 10 and 50 dimensions"""
    rows, curves = [], {}
    for d_latent in WIDTHS:
        model, settings = trained_vae(out, model_file, d_latent)
        x = load_binarized_test(settings.data)  # [N, P]
        curves[d_latent] = deviations(model, x[:: len(x) // IMAGES][:IMAGES])
        rows.append(row(lab, model, x[:ARTICLE_IMAGES]))
    rows.append({"network": "the article's", "NLL, nats": ARTICLE_NLL, "bits a pixel": "0.160", "ESS": ""})
    print_table(f"with N = {ARTICLE_NUMBER} samples of q; ours: {ARTICLE_IMAGES} test images of {settings.data}", rows)
    return [draw(out / "log_p.png", curves)]


@torch.no_grad()
def row(lab, model, x):
    noise = torch.Generator().manual_seed(1)
    eps = torch.randn(ARTICLE_NUMBER, len(x), model.d_latent, generator=noise)
    log_w = model.log_weights(x, eps)  # [N, B]
    nll = -log_mean_exp(log_w).mean().item()
    return {
        "network": f"ours, D = {model.d_latent}",
        "NLL, nats": f"{nll:.2f}",
        "bits a pixel": f"{nll / x.shape[1] / math.log(2):.3f}",
        "ESS": f"{lab.effective_sample_size(log_w).mean().item():.1f} of {ARTICLE_NUMBER}",
    }


def log_weights(model, x, seed):
    """From the largest number of samples: {"prior": [N, B], "q": [N, B]}"""
    noise = torch.Generator().manual_seed(seed)
    z = torch.randn(max(NUMBERS), model.d_latent, generator=noise)
    eps = torch.randn(max(NUMBERS), len(x), model.d_latent, generator=noise)
    return {
        "prior": log_likelihoods(model, x, z),
        "q": torch.cat([model.log_weights(x, some) for some in eps.split(1_000)]),
    }


@torch.no_grad()
def deviations(model, x):
    """Estimates minus the best known log p(x), averaged over the images: {way: [repetitions, numbers]}

    Best known is, with two latent units, the sum over a grid; with more, the estimate from all samples of q.
    """
    found, weights = {way: [] for way in WAYS}, []
    for seed in tqdm(range(REPETITIONS), desc=f"D = {model.d_latent}", leave=False, disable=None):
        log_w = log_weights(model, x, seed)
        weights.append(log_w["q"])
        for way, values in log_w.items():
            found[way].append(torch.stack([log_mean_exp(values[:n]) for n in NUMBERS]))  # [numbers, B]
    best = log_mean_exp(torch.cat(weights))  # [B]
    if model.d_latent == 2:
        z, area = grid()
        best = torch.logsumexp(log_joint(model, x, z).double(), 0) + math.log(area)
    return {way: (torch.stack(values) - best).mean(-1) for way, values in found.items()}


def draw(path, curves):
    """Bias and spread of the estimate against the number of samples, for each D."""
    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    for axes, (d_latent, ways) in zip(figure.subplots(1, len(curves), sharey=True), curves.items()):
        for way, values in ways.items():
            label, colour = WAYS[way]
            mean, sd = values.mean(0), values.std(0)
            axes.plot(NUMBERS, mean, "o-", ms=3, color=colour, label=label)
            axes.fill_between(NUMBERS, mean - sd, mean + sd, color=colour, alpha=0.25, lw=0)
        axes.axhline(0, color="black", lw=0.8)
        axes.set(xscale="log", yscale="symlog", xlabel="N", title=f"D = {d_latent}")
    figure.axes[0].set_ylabel("estimate of log p(x) − best known, nats")
    figure.axes[0].legend(fontsize=9)
    figure.suptitle(
        f"mean over {IMAGES} test images; band: one standard deviation over {REPETITIONS} repetitions", fontsize=10
    )
    figure.savefig(path, dpi=120)
    return path
