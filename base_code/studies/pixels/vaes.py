"""VAEs of colour patches, with one logistic and with a mixture of five: their test NLL, samples and likelihoods."""

import torch
from matplotlib.figure import Figure
from torch.distributions import Categorical

from data import load_grey
from evaluate import estimate
from model_file import load_model_file
from settings import complete
from studies import runs
from studies.pixels.bits import ARTICLE, PHOTOGRAPHS, baselines, row
from studies.tables import print_table

MIXTURES = (1, 5)  # components
EPOCHS, TEST_K = 10, 500
COLUMNS = 10  # of the pictures
PLACES = ((0, 8, 8), (125, 4, 11), (140, 12, 3), (230, 8, 8), (300, 4, 11), (380, 12, 3))  # test patch, row, column
GREEN = 1
LEVELS = torch.arange(256.0)


def study(lab, out, model_file):
    """One logistic against five: bits per dimension of the test patches, samples of p(x | z) beside its means"""
    train, test = load_grey("patches")
    models, bits, rows = {}, [], [row(*baseline) for baseline in baselines(lab, train, test)]
    module, n = load_model_file(lab.__file__), test[0].numel()
    for components in MIXTURES:
        models[components] = model = trained(lab, out / f"vae-{components}", components)
        log_p, elbo, _ = estimate(module, model, test.float(), TEST_K)
        bits.append(lab.bits_per_dim(-log_p, n))
        name = f"VAE, {components} logistic{'s' if components > 1 else ''}"
        rows.append(row(f"{name}, k = {TEST_K}", bits[-1]))
        rows.append(row(f"{name}, minus its ELBO", lab.bits_per_dim(-elbo, n)))
        print(f"{name}: test NLL {with_error(-log_p, 1)} nats, {with_error(bits[-1], 3)} bits per dimension")
    print(f"the last minus the first, patch by patch: {with_error(bits[-1] - bits[0], 3)} bits per dimension")
    print_table("bits per dimension of the test patches", rows)
    (stated_log_p, stated_n, stated), uniform = ARTICLE["CIFAR-10"], 8
    yours = lab.bits_per_dim(torch.tensor(-stated_log_p), stated_n)
    print(f"the article, on CIFAR-10: {stated}, which is {yours:.2f} by your bits_per_dim; uniform levels: {uniform}")
    return [
        draw_samples(out / "samples.png", lab, models, test.float()),
        draw_likelihoods(out / "likelihoods.png", lab, models, test.float()),
    ]


def with_error(values, digits):
    """The mean of numbers and its standard error, in text."""
    return f"{values.mean():.{digits}f} ± {values.std() / len(values) ** 0.5:.{digits}f}"


def trained(lab, folder, components):
    """The model of the run in the folder, which is trained unless it is finished."""
    given = {"objective": "vae", "model": lab.__file__, "components": components, "compile": "off"}
    return runs.trained(complete({**given, "epochs": EPOCHS, "test_k": 1}, "patches"), folder)


@torch.no_grad()
def drawn(lab, model, z, seed=0):
    """Images drawn from p(x | z): a component of each dimension's mixture, then a level.  [n, D] -> [n, C, H, W]"""
    logits, mu, log_s = (a[0] for a in model.decoder(z[None]))  # each [n, C, H, W, M]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        component = Categorical(logits=logits).sample()[..., None]
        u = torch.rand(mu.shape[:-1]).clamp(1e-6, 1 - 1e-6)
    mu, log_s = (a.gather(-1, component).squeeze(-1) for a in (mu, log_s))
    return lab.sample_logistic(mu, log_s, u)


@torch.no_grad()
def draw_samples(path, lab, models, test):
    """Of each model, the means and draws of p(x | z), for z = mu of the test patches above, and for z of the prior."""
    noise = torch.Generator().manual_seed(3)
    some = test[:: len(test) // COLUMNS][:COLUMNS]
    rows = {"test patches": some}
    for components, model in models.items():
        z = torch.randn(COLUMNS, model.d_latent, generator=noise)
        mu, _ = model.encoder(some)
        for name, latents in (("", mu), ("prior's ", z)):
            rows[f"M = {components}, {name}means"] = model.sample(latents)
            rows[f"M = {components}, {name}draws"] = drawn(lab, model, latents)
    figure = Figure(figsize=(COLUMNS * 0.8 + 1.6, len(rows) * 0.82), layout="constrained")
    for axes, (name, images) in zip(figure.subplots(len(rows), 1), rows.items()):
        padded = torch.nn.functional.pad(images, (1, 1, 1, 1), value=255.0)
        axes.imshow((torch.cat(list(padded), 2).movedim(0, -1) / 255).numpy())
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    figure.savefig(path, dpi=120)
    return path


@torch.no_grad()
def log_p_of_levels(lab, model, x, i, j):
    """log P of the 256 levels of the green of a patch's pixel, at z = mu of q.  [1, C, H, W] -> [256]"""
    mixture = [a[0, 0, GREEN, i, j] for a in model.decoder(model.encoder(x)[0][None])]  # logits, mu, log_s [M]
    return lab.mixture_log_likelihood(LEVELS, *(a.expand(256, -1) for a in mixture))


@torch.no_grad()
def draw_likelihoods(path, lab, models, test):
    """P of the 256 levels of a pixel's green at z = mu, by each model, and the level that it has."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, (patch, i, j) in zip(figure.subplots(2, len(PLACES) // 2).flat, PLACES):
        x = test[patch : patch + 1]
        for components, model in models.items():
            log_p = log_p_of_levels(lab, model, x, i, j)
            axes.plot(LEVELS, log_p.exp(), lw=1, label=f"M = {components}: log P = {log_p[int(x[0, GREEN, i, j])]:.2f}")
        axes.axvline(x[0, GREEN, i, j], color="black", lw=0.8, ls=":")
        photograph = PHOTOGRAPHS[patch * len(PHOTOGRAPHS) // len(test)]
        axes.set_title(f"{photograph}, patch {patch}, green at ({i}, {j})", fontsize=9)
        axes.set(yscale="log", ylim=(1e-5, 1))
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    return path
