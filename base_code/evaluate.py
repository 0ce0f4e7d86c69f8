"""Test NLL of trained runs by importance sampling, for any number of samples k, in constant memory.

python base_code/evaluate.py runs/vae-mnist runs/iwae-k10-mnist --k 5000
"""

from cli import run_command, told  # isort: skip  # first: Ctrl-C while torch is imported

import argparse
import math
import sys
import time

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F
from tqdm import tqdm

from data import load_test
from model_file import explained, has_networks, needs_labels
from run_folder import add_figures, labels, load_run, unique
from settings import require, require_count
from turns import in_turns, pass_on

# Samples x images of so many pixels that are decoded at once, 31 MB for each tensor: with half of it, Python between
# the products takes a tenth of them; with twice of it, some processors wait for their memory.
ROWS, PIXELS = 10_000, 784
NOISE_SEED = 1
DOUBT_IMAGES, DOUBT_K = 100, 50  # of the comparison that finds a wrong log_weights: a blink


def chunk_sizes(k, rows=ROWS):
    """Samples and images at a time: the largest divisor of k up to rows, and as many images as then fit.

    Equal chunks make the log-mean-exp of the chunks' log-mean-exps exact.
    """
    require_count("k", k)
    chunk = max(n for n in range(1, min(k, rows) + 1) if k % n == 0)
    require(chunk >= min(k, 100), "k", k, f"a number up to {rows}, or a round one such as {round(k, -3)}")
    return chunk, max(1, rows // chunk)


def is_finished(log_mean_exp):
    try:
        log_mean_exp(torch.zeros(2, 1), 0)
    except NotImplementedError:
        return False
    return True


def unknown(a, dim):
    return torch.full_like(a.select(dim, 0), math.nan)


@torch.no_grad()
def estimate(module, model, x, k, *y):
    """Per image: log p(x) estimated with k samples, the ELBO, and the effective sample size.  -> three [B]

    x: images [B, P] or [B, C, H, W]; y: their one-hot classes [B, C], where the model asks for them.
    log p(x) = log_mean_exp(log_w) over the k samples (Burda et al., equation 8), with the model file's own
    log_weights and log_mean_exp; the effective sample size is (sum w)^2 / sum w^2. What needs log_mean_exp
    is NaN while that is unfinished.
    """
    log_mean_exp = module.log_mean_exp if is_finished(module.log_mean_exp) else unknown
    chunk, batch_size = chunk_sizes(k, max(100, ROWS * PIXELS // max(PIXELS, x[0].numel())))
    device = next(model.parameters()).device
    generator = noise(device)
    # Per chunk and image: log-mean-exp of log_w, the same of 2 log_w, and mean of log_w. Made once, outside the
    # loop: small tensors that outlive the large ones between them would keep the memory from being used again.
    sums = torch.empty(3, k // chunk, len(x), device=device)
    progress = tqdm(total=len(x), desc=f"test, k = {k}", unit=" images", leave=False, disable=None)
    with in_turns(device), progress as bar:
        for start in range(0, len(x), batch_size):
            images, *classes = (t[start : start + batch_size].to(device) for t in (x, *y))  # [b, P]
            for i in range(k // chunk):
                pass_on()
                eps = torch.randn(chunk, len(images), model.d_latent, device=device, generator=generator)
                log_w = model.log_weights(images, eps, *classes)  # [chunk, b]
                now = slice(start, start + len(images))
                sums[0, i, now] = log_mean_exp(log_w, 0)
                sums[1, i, now] = log_mean_exp(2 * log_w, 0)
                sums[2, i, now] = log_w.mean(0)
            bar.update(len(images))
    log_p, log_mean_square = log_mean_exp(sums[0], 0), log_mean_exp(sums[1], 0)  # [B]
    sample_size = k * (2 * log_p - log_mean_square).exp()
    return log_p.double().cpu(), sums[2].mean(0).double().cpu(), sample_size.double().cpu()


@torch.no_grad()
def reconstruction_loss(model, x):
    """The autoencoder's loss of each image, in nats.  [B, P] -> [B]"""
    device = next(model.parameters()).device
    return torch.cat([-model.autoencoder_objective(images.to(device)).cpu() for images in x.split(1000)]).double()


def noise(device):
    return torch.Generator(device).manual_seed(NOISE_SEED)


@torch.no_grad()
def doubt(module, model, x, *y):
    """Why the file's estimate cannot be that of its model, as a sentence; None where nothing says so."""
    device = next(model.parameters()).device
    x, *y = (t[:DOUBT_IMAGES].to(device) for t in (x, *y))  # [B, P]
    eps = torch.randn(DOUBT_K, len(x), model.d_latent, device=device, generator=noise(device))  # [k, B, D]
    log_w = model.log_weights(x, eps, *y)  # [k, B]
    if has_networks(model) and (reason := doubt_of_log_weights(model, x, eps, log_w)):
        return reason
    if is_finished(module.log_mean_exp):
        log_p, lowest, highest = module.log_mean_exp(log_w, 0), log_w.min(0).values, log_w.max(0).values
        if ((log_p > highest + 0.01) | (log_p < lowest - 0.01)).any():
            return "log_mean_exp gives a mean weight that is not between the smallest and the largest; look at TODO 3"
    return None


def doubt_of_log_weights(model, x, eps, log_w):
    """Why log_w [k, B] of images x and noise eps [k, B, D] cannot be that of the model's encoder and decoder.

    The ELBO by another way: E_q[log p(x | z)] from samples, minus KL(q || p) in closed form (Kingma and Welling,
    appendix B). Like the mean of log_w it is right on average, so the two differ by Monte Carlo error alone.
    """
    mu, sigma = (t.expand_as(eps) for t in model.encoder(x))  # [k, B, D]
    z = torch.normal(mu, sigma, generator=noise(x.device))  # the same noise again: less is left to chance
    logits = model.decoder(z)  # [k, B, P]
    log_p = -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)  # [k, B]
    elbo = log_p - kl_divergence(Normal(mu[0], sigma[0], False), Normal(0.0, 1.0)).sum(-1)  # [k, B]
    found, right, difference = log_w.mean().item(), elbo.mean().item(), log_w - elbo
    standard_error = (difference.var(0).mean() / difference.numel()).sqrt().item()
    # Six standard errors, and a nat for what rounding adds: no right file comes near.
    if math.isfinite(found) and not abs(found - right) <= 1 + 6 * standard_error:  # also where right is NaN
        return (
            f"the mean of log_w is {found:.1f} nats, but the ELBO of this encoder and decoder is {right:.1f} (both on "
            f"{len(x)} test images), so what follows from log_w is no likelihood; look at TODO 1 and 2"
        )
    return None


def measure(module, model, settings, k):
    """What is known of a trained model on the test set, as a dictionary of plain numbers.

    "doubt", a sentence, is there where the model file's own functions cannot have estimated what they should.
    """
    x, *y = load_test(settings.data, needs_labels(model))
    start = time.perf_counter()
    figures = {"objective": settings.objective, "data": settings.data, "images": len(x)}
    with explained(module.__file__):
        if settings.objective == "ae":
            figures["reconstruction_loss"] = reconstruction_loss(model, x).mean().item()
            return {**figures, "seconds": time.perf_counter() - start}
        log_p, elbo, sample_size = estimate(module, model, x, k, *y)
        reason = doubt(module, model, x, *y)
    figures |= {"k": k, "elbo": elbo.mean().item(), "seconds": time.perf_counter() - start}
    if reason:
        figures["doubt"] = reason
    if log_p.isnan().all():  # log_mean_exp is not finished
        return figures
    return figures | {
        "nll": -log_p.mean().item(),
        "standard_error": (log_p.std() / math.sqrt(len(x))).item(),
        "bits_per_pixel": -log_p.mean().item() / x[0].numel() / math.log(2),
        "effective_sample_size": sample_size.mean().item(),
    }


def summary(figures):
    """The test figures in one sentence."""
    if figures["objective"] == "ae":
        loss = figures["reconstruction_loss"]
        return f"test reconstruction loss {loss:.2f} nats; an autoencoder has no likelihood, so no NLL"
    if "nll" not in figures:
        return f"test ELBO {figures['elbo']:.2f} nats; the test NLL needs log_mean_exp (TODO 3)"
    return (
        f"estimated test NLL {figures['nll']:.2f} nats (standard error {figures['standard_error']:.2f}, "
        f"k = {figures['k']}, {figures['images']:,} images of {figures['data']})"
    )


COLUMNS = {  # heading: how a run's figures fill it
    "k": "{k}",
    "NLL": "{nll:.2f} ± {standard_error:.2f}",
    "bits/px": "{bits_per_pixel:.4f}",
    "ELBO": "{elbo:.1f}",
    "ESS": "{effective_sample_size:.1f}",
    "reconst.": "{reconstruction_loss:.2f}",
    "s": "{seconds:.0f}",
}


def print_table(figures_of_runs):
    """One line for each run: {name: figures}. A column that no run can fill is left out."""
    cells = {}
    for heading, form in COLUMNS.items():
        column = []
        for figures in figures_of_runs.values():
            try:
                column.append(form.format(**figures))
            except KeyError:
                column.append("-")
        if set(column) != {"-"}:
            cells[heading] = column
    table = Table(title="Test set, nats per image", box=box.SIMPLE)
    table.add_column("run", overflow="fold")
    for heading in cells:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in zip(figures_of_runs, *cells.values()):
        table.add_row(*row)
    Console().print(table)
    for name, figures in figures_of_runs.items():
        if "doubt" in figures:
            print(f"warning: {name}: {figures['doubt']}")


def main():
    parser = argparse.ArgumentParser(
        description="Estimate the test NLL of trained runs by importance sampling. Adds it to test.json of each run, "
        "beside the figures with other k."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, made by train.py --out")
    parser.add_argument("--k", type=int, help="samples per image (default: the largest --test-k of the runs)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    arguments = parser.parse_args()
    if arguments.k is not None:
        chunk_sizes(arguments.k)  # an impossible k is told before anything is loaded
    runs, figures, failed = {}, {}, []
    for folder in unique(arguments.runs):
        with told(folder, failed):
            runs[folder] = load_run(folder, arguments.device)
    k = arguments.k or max((config["settings"].test_k for config, _, _ in runs.values()), default=None)
    names = labels(runs)
    for folder, (config, module, model) in runs.items():
        with told(folder, failed):
            figures[names[folder]] = measure(module, model, config["settings"], k)
            add_figures(folder, figures[names[folder]])
    if figures:
        print_table(figures)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)
