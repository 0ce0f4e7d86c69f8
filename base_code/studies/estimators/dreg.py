"""DReG against the plain gradient of the same bound, with the same schedule, noise and weights to begin with."""

import time

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from data import load_binarized_test, load_grey
from evaluate import estimate
from settings import complete
from studies.estimators.fits import difference, fit
from studies.runs import dataset
from studies.tables import print_table

NUMBERS = (1, 5, 20)  # of samples, k
SEEDS = (0, 1)
EPOCHS, BATCH = 6, 100
TRAINED, TESTED = 6_000, 200  # images at most
FASTEST, SLOWEST = 3e-3, 3e-4  # learning rates of the first and of the last epoch
ARCHITECTURE = {"hidden": (200, 200), "d_latent": 50}  # the paper's one-layer network


def study(lab, out, model_file):
    """DReG against the plain bound: the test NLL after a short training, and its time, k = 1, 5 and 20"""
    data = dataset()
    images, x = load_grey(data)[0][:TRAINED], load_binarized_test(data)[:TESTED]
    rates = [FASTEST * (SLOWEST / FASTEST) ** (epoch / (EPOCHS - 1)) for epoch in range(EPOCHS)]
    steps = EPOCHS * -(-len(images) // BATCH)
    found, seconds = {}, {}
    with tqdm(total=len(NUMBERS) * len(SEEDS) * 2 * steps, leave=False, disable=None) as bar:
        for k in NUMBERS:
            for objective in ("iwae", "dreg"):
                bar.set_description(f"{objective}, k = {k}")
                begin = time.perf_counter()
                runs = [trained(lab, data, objective, k, seed, images, rates, bar) for seed in SEEDS]
                seconds[objective, k] = time.perf_counter() - begin
                found[objective, k] = torch.stack([-estimate(lab, model, x, 1_000)[0] for model in runs])  # [seeds, B]
    gains = {k: found["dreg", k] - found["iwae", k] for k in NUMBERS}
    rows = [
        {
            "k": k,
            "plain": f"{found['iwae', k].mean():.2f}",
            "DReG": f"{found['dreg', k].mean():.2f}",
            "DReG - plain": difference(found["dreg", k].mean(0), found["iwae", k].mean(0)),
            "of each seed": ", ".join(f"{gain.mean():+.2f}" for gain in gains[k]),
            "time / plain's": f"{seconds['dreg', k] / seconds['iwae', k]:.2f}",
        }
        for k in NUMBERS
    ]
    title = f"{EPOCHS} epochs of {len(images)} images of {data}; {len(x)} test images"
    print_table(f"test NLL, k = 1000; {title}", rows)
    return [draw(out / "dreg.png", gains, title)]


def trained(lab, data, objective, k, seed, images, rates, bar):
    torch.manual_seed(seed)
    settings = complete({"objective": objective, "train_k": k, "model": lab.__file__, **ARCHITECTURE}, data)
    model = lab.build(settings)
    for _ in fit(model, objective, k, images, rates, BATCH, bar):
        pass
    return model


def draw(path, gains, title):
    """DReG's NLL minus the plain one's for each seed, with the standard error over the images: gains {k: [seeds, B]}"""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, seed in enumerate(SEEDS):
        means = [gain[number].mean().item() for gain in gains.values()]
        errors = [(gain[number].std() / gain.shape[1] ** 0.5).item() for gain in gains.values()]
        axes.errorbar(list(gains), means, errors, fmt="o-", ms=3, capsize=2, label=f"seed {seed}")
    axes.axhline(0, color="black", lw=0.8)
    axes.set(xscale="log", xlabel="k", ylabel="NLL of DReG - of the plain bound, nats")
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return path
