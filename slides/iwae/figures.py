"""The figures and numbers of the deck `iwae`. They need MNIST, and about an hour where nothing is trained yet."""

import math
from functools import cache

import numpy as np
import scipy.stats
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch.distributions import Normal

from autograder import ROOT
from autograder.assignments.iwae import oracles
from autograder.assignments.iwae.figures import Experiment, run_one
from autograder.assignments.iwae.nll import FULL_EPOCHS, TRAIN_K
from autograder.grading import quadrature
from data import binarize, load_binarized_test, load_grey
from model_file import load_model_file
from run_folder import load_run
from settings import complete
from style import BLUE, GREEN, GREY, NAVY, ORANGE, SKY, YELLOW, canvas, draw_ellipses, draw_mass, show_image
from train import train_once
from visualize import decode, prior_grid, tile

MODEL = "solutions/model.py"
WORK = ROOT / "runs"


# Models and weights ---------------------------------------------------------------------------------------


@cache
def reference_model(objective, untied=False):
    """The model file's module and a trained reference model, seed 0."""
    experiment = Experiment("mnist", objective, TRAIN_K[objective], FULL_EPOCHS["mnist"], untied)
    run_one(WORK / "reference", experiment, 0)
    return load_run(WORK / "reference" / experiment.folder(0), "cpu")[1:]


@cache
def own_model(name, **given):
    """The same for a model that only the slides need."""
    folder = WORK / "slides" / f"mnist-{name}"
    train_once(complete({"model": MODEL, **given}, "mnist"), folder)
    return load_run(folder, "cpu")[1:]


def autoencoder_model():
    return own_model("ae")


def plane_model(objective, untied):
    """Two latent units, so that the true posterior can be computed on a grid."""
    name = f"{objective}-plane" + ("-untied" if untied else "")
    return own_model(name, objective=objective, d_latent=2, untied=untied)


@cache
def test_images(n):
    """The first n binarised test images.  [n, P]"""
    return load_binarized_test("mnist")[:n]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def log_weights_under(module, model, x, mu, sigma, eps):
    """The model file's log_weights, but for a q of our choice.  [B, P], two [B, D], [k, B, D] -> [k, B]"""
    z = module.reparameterize(mu, sigma, eps)  # [k, B, D]
    log_p_x_given_z = module.bernoulli_log_likelihood(x, model.decoder(z))  # [k, B]
    log_p_z = module.gaussian_log_likelihood(z, torch.zeros_like(mu), torch.ones_like(mu))  # [k, B]
    return log_p_x_given_z + log_p_z - module.gaussian_log_likelihood(z, mu, sigma)


@torch.no_grad()
def sample_log_weights(module, model, x, k, q=None, seed=1):
    """log_w under the encoder's q, or under q = (mu, sigma).  [B, P] -> [k, B]"""
    mu, sigma = q or model.encoder(x)
    noise, log_w = generator(seed), torch.empty(k, len(x))
    for part in log_w.split(max(1, 8192 // len(x))):
        eps = torch.randn(len(part), *mu.shape, generator=noise)
        part.copy_(log_weights_under(module, model, x, mu, sigma, eps))
    return log_w


@cache
def many_log_weights(objective):
    """log_w of 5000 samples for each of 500 test images, under a trained model's own q.  [5000, 500]"""
    return sample_log_weights(*reference_model(objective), test_images(500), 5000)


def effective_sample_size(log_w):
    """(sum w)^2 / sum w^2 over the samples.  [k, ...] -> [...]"""
    return (2 * torch.logsumexp(log_w, 0) - torch.logsumexp(2 * log_w, 0)).exp()


def by_k(ks, values):
    return {f"k_{k}": float(value) for k, value in zip(ks, values)}


# Figures: one function each, which returns the figure and the numbers that the slides quote ---------------


def cover():
    """Draws of the trained IWAE in the colours of the title slide."""
    _, model = reference_model("iwae")
    figure = Figure(figsize=(11.55, 2.1), facecolor=NAVY)
    axes = figure.add_axes((0, 0, 1, 1))
    images = decode(model, prior_grid(model.d_latent)[:22]).view(2, 11, 28, 28)
    picture = images.permute(0, 2, 1, 3).reshape(2 * 28, 11 * 28)
    show_image(axes, picture, cmap=LinearSegmentedColormap.from_list("navy", [NAVY, "white"]))
    return figure, {}


def generate():
    """Three images as the trained IWAE makes them: a latent, the pixels' probabilities, the pixels."""
    _, model = reference_model("iwae")
    z = prior_grid(model.d_latent)[1:4]
    probabilities = decode(model, z)
    pixels = binarize(probabilities, generator(1))
    figure, axes = canvas(6.2, 4.8, 3, 3, "compressed", height_ratios=(0.7, 1, 1))
    for column, (top, middle, bottom) in enumerate(axes.T):
        top.bar(range(model.d_latent), z[column].numpy(), color=ORANGE)
        top.axhline(0, color="black", linewidth=0.8)
        top.set(ylim=(-2.7, 2.7), xticks=[], yticks=[])
        top.spines[:].set_visible(False)
        show_image(middle, probabilities[column].view(28, 28))
        show_image(bottom, pixels[column].view(28, 28))
    labels = ["$z \\sim N(0, I)$", "pixel\nprobabilities", "$x \\sim p(x \\mid z)$"]
    for first, label in zip(axes[:, 0], labels):
        first.text(-0.25, 0.5, label, transform=first.transAxes, ha="right", va="center")
    return figure, {}


def autoencoder():
    """Reconstructions of the autoencoder, its samples, and where its latents lie."""
    _, model = autoencoder_model()
    x = test_images(2000)
    with torch.no_grad():
        mu = model.encoder(x)[0]
    pairs = torch.stack([x[:18].view(3, 6, -1), decode(model, mu[:18]).view(3, 6, -1)], 1)  # [3, 2, 6, P]
    figure, (left, middle, right) = canvas(11.6, 4.2, 1, 3, "compressed")
    show_image(left, tile(pairs.reshape(-1, 784), 6), "reconstructions below")
    show_image(middle, tile(decode(model, prior_grid(model.d_latent)[:36]), 6), "decoded draws of $N(0, I)$")
    draws = torch.randn(2000, model.d_latent, generator=generator())
    right.scatter(*draws[:, :2].T, s=5, color=SKY, label="$N(0, I)$", rasterized=True)
    right.scatter(*mu[:, :2].T, s=5, color="black", label="images", rasterized=True)
    right.set(aspect="equal", xlim=(-3.9, 3.9), ylim=(-4.5, 3.3), xlabel="$z_1$", ylabel="$z_2$")
    right.set_title("two of ten latent units")
    right.legend(loc="lower center", markerscale=4, ncols=2, columnspacing=0.8, handletextpad=0.1, borderpad=0)
    inside = math.erf(1 / math.sqrt(2)) ** model.d_latent  # tanh: no image is encoded outside (-1, 1)
    return figure, {"prior_inside_cube": inside}


def prior_sampling():
    """How well latents from the prior explain one test image, and latents from q."""
    module, model = reference_model("iwae")
    x, k = test_images(1), 100_000
    prior = (torch.zeros(1, model.d_latent), torch.ones(1, model.d_latent))
    with torch.no_grad():
        q = model.encoder(x)
        z = [module.reparameterize(*which, torch.randn(k, 1, 10, generator=generator())) for which in (prior, q)]
        fits = [
            torch.cat([module.bernoulli_log_likelihood(x, model.decoder(p)) for p in each.split(8192)]) for each in z
        ]
    figure, axes = canvas(5.6, 4.6)
    bins = np.linspace(-700, -50, 131)
    for fit, color, label in zip(fits, (SKY, ORANGE), ("$z \\sim p(z)$", "$z \\sim q(z \\mid x)$")):
        axes.hist(fit[:, 0].numpy(), bins, color=color, alpha=0.8, label=label, histtype="stepfilled")
    axes.set(
        xlabel="$\\log p(x \\mid z)$ in nats",
        yticks=[],
        xlim=(-700, -50),
        title="100,000 latents of each kind",
        xticks=(-600, -400, -200),
    )
    axes.spines["left"].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(0.0, 0.42))
    inset = axes.inset_axes([0.0, 0.58, 0.27, 0.4])
    show_image(inset, x.view(28, 28))
    weights = torch.softmax(fits[0][:, 0].double(), 0)
    return figure, {
        "draws": k,
        "median_log_likelihood": {"prior": fits[0].median().item(), "q": fits[1].median().item()},
        "share_of_the_best": weights.max().item(),
        "effective_sample_size": effective_sample_size(fits[0].double()).item(),
    }


TASKS, MEAN, DEADLINE, SHIFTED_MEAN = 10, 3.0, 70.0, 7.0  # days
PROJECTS, REPEATS = 1000, 2000


def rare_event_estimates():
    """The exact P(T > 70), and many estimates of it: two [REPEATS], plain and with the shifted proposal."""
    random = np.random.default_rng(0)
    draws = random.standard_exponential((REPEATS, PROJECTS, TASKS)).sum(-1)  # a sum of unit exponentials
    plain = (MEAN * draws > DEADLINE).mean(1)
    total = SHIFTED_MEAN * draws
    # p / q is the product over the tasks of (7/3) exp(-t/3 + t/7): it depends on the total alone.
    log_w = TASKS * math.log(SHIFTED_MEAN / MEAN) - total * (1 / MEAN - 1 / SHIFTED_MEAN)
    shifted = np.where(total > DEADLINE, np.exp(log_w), 0).mean(1)
    return scipy.stats.gamma.sf(DEADLINE, TASKS, scale=MEAN), plain, shifted


def rare_event_variance_ratio():
    """Var[plain] / Var[shifted] of one simulated project, in closed form."""
    p = scipy.stats.gamma.sf(DEADLINE, TASKS, scale=MEAN)
    # E_q[w^2; T > 70] = E_p[w; T > 70]: w is exponential in T, so this is another Gamma's tail.
    rate = 2 / MEAN - 1 / SHIFTED_MEAN
    second_moment = (SHIFTED_MEAN / MEAN / MEAN / rate) ** TASKS * scipy.stats.gamma.sf(DEADLINE, TASKS, scale=1 / rate)
    return p * (1 - p) / (second_moment - p**2)


def rare_event():
    """Plain Monte Carlo against importance sampling for a project of ten tasks that rarely takes over 70 days."""
    exact, plain, shifted = rare_event_estimates()
    errors = [estimates.std() / exact for estimates in (plain, shifted)]
    figure, (left, right) = canvas(11.6, 3.7, 1, 2)
    days = np.linspace(0.1, 140, 500)
    for mean, color, label in ((MEAN, BLUE, "$p$: 3 days a task"), (SHIFTED_MEAN, ORANGE, "$q$: 7 days a task")):
        left.plot(days, scipy.stats.gamma.pdf(days, TASKS, scale=mean), color=color, label=label)
    left.axvspan(DEADLINE, 140, color=YELLOW, alpha=0.2, linewidth=0)
    left.text(DEADLINE + 3, 0.0405, "late", color="#7A5200")
    left.set(xlabel="days for ten tasks", yticks=[], xlim=(0, 140), ylim=(0, 0.046))
    left.spines["left"].set_visible(False)
    left.legend(loc="upper left", bbox_to_anchor=(DEADLINE / 140, 0.85), borderpad=0)
    shown = 150
    heights = np.random.default_rng(1).uniform(-0.32, 0.32, shown)
    for y, estimates, color in ((1, plain, BLUE), (0, shifted, ORANGE)):
        right.scatter(estimates[:shown], y + heights, s=22, color=color, alpha=0.6, linewidth=0)
    right.axvline(exact, color="black", linewidth=1.5, label="exact")
    labels = [f"{name}\nerror {error:.0%}" for name, error in zip(("plain", "shifted"), errors)]
    right.set(yticks=(1, 0), yticklabels=labels, ylim=(-0.55, 1.75), xlim=(-0.0002, 0.0042))
    right.set(xlabel="estimate of $P(T > 70)$", xticks=(0, 0.001, 0.002, 0.003, 0.004))
    right.tick_params(axis="y", length=0)
    right.legend(loc="upper right")
    numbers = {"exact": exact, "projects": PROJECTS, "repeats": REPEATS, "plain_zero": (plain == 0).mean()}
    numbers |= {"plain_relative_error": errors[0], "shifted_relative_error": errors[1]}
    ratios = {"variance_ratio": rare_event_variance_ratio(), "measured_variance_ratio": plain.var() / shifted.var()}
    return figure, numbers | ratios


def logarithm():
    """Jensen's inequality with two weights: the logarithm of their mean, and the mean of their logarithms."""
    figure, axes = canvas(4.8, 4.5)
    w, two = np.linspace(0.08, 2.2, 300), np.array([0.2, 1.8])
    loss = -np.log(two).mean()
    axes.plot(w, np.log(w), color="black")
    axes.plot(two, np.log(two), "o--", color=GREY, linewidth=1.8, markersize=9)
    axes.plot(1, 0, "o", color=GREEN, markersize=11)
    axes.plot(1, -loss, "o", color=ORANGE, markersize=11)
    axes.annotate("log of the mean", (1, 0), (1.12, 0.25), color=GREEN, ha="right", va="bottom")
    axes.annotate("mean of the logs", (1, -loss), (1.1, -loss - 0.08), color=ORANGE, va="top")
    axes.set(xlabel="$w\\, /\\, p(x)$", ylabel="logarithm", xlim=(0, 2.25), ylim=(-2.5, 0.95))
    return figure, {"weights": two.tolist(), "lost": loss}


EXAMPLE = oracles.LinearGaussian(x=1.5, s=0.5, m=0.5, r=0.7)


def example_posterior():
    """Mean and standard deviation of p(z | x) in the linear-Gaussian example."""
    precision = 1 + 1 / EXAMPLE.s**2
    return EXAMPLE.x / EXAMPLE.s**2 / precision, precision**-0.5


def elbo_gap():
    """The linear-Gaussian example: q beside the true posterior, and log p(x) as ELBO + KL."""
    mean, std = example_posterior()
    kl = math.log(std / EXAMPLE.r) + (EXAMPLE.r**2 + (EXAMPLE.m - mean) ** 2) / (2 * std**2) - 0.5
    log_p, elbo = EXAMPLE.log_evidence(), EXAMPLE.elbo()
    figure, (left, right) = canvas(11.6, 3.1, 1, 2, width_ratios=(1.2, 1))
    z = np.linspace(-3, 3.2, 400)
    curves = ((0, 1, GREY, "$p(z)$"), (EXAMPLE.m, EXAMPLE.r, ORANGE, "$q(z | x)$"), (mean, std, GREEN, "$p(z | x)$"))
    for centre, width, color, label in curves:
        left.plot(z, scipy.stats.norm.pdf(z, centre, width), color=color, label=label)
    left.set(xlabel="$z$", yticks=[], ylim=(0, 1))
    left.spines["left"].set_visible(False)
    left.legend(loc="upper left")
    right.barh((1, 0), (-log_p, -elbo), color=(GREEN, ORANGE), height=0.55)
    right.barh(0, kl, left=-log_p, height=0.55, facecolor="white", edgecolor=ORANGE, hatch="//", linewidth=2)
    right.text(-log_p + kl / 2, 0.42, f"KL = {kl:.2f}", ha="center", va="bottom")
    right.set(yticks=(1, 0), yticklabels=(f"$-\\log p(x)$ = {-log_p:.2f}", f"$-$ELBO = {-elbo:.2f}"), xlabel="nats")
    right.tick_params(axis="y", length=0)
    right.set(xlim=(0, 3.7), ylim=(-0.4, 1.4))
    return figure, {"log_p": log_p, "elbo": elbo, "kl": kl, "posterior_mean": mean, "posterior_std": std}


def fit_q(module, model, x, tied, steps=400, samples=8):
    """The q of the best ELBO for each image alone, without an encoder's compromise.  [B, P] -> mu, sigma [B, D]

    tied: among those that the tied network can express.
    """
    with torch.no_grad():
        mu, sigma = model.encoder(x)
    start = torch.atanh(mu.clamp(-0.999, 0.999)) if tied else mu
    free = [start.clone().requires_grad_(), sigma.log().clone().requires_grad_()][: 1 if tied else 2]
    optimizer, noise = torch.optim.Adam(free), generator(4)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        mu, sigma = (torch.tanh(free[0]), torch.exp(free[0])) if tied else (free[0], torch.exp(free[1]))
        eps = torch.randn(samples, *mu.shape, generator=noise)
        loss = -module.vae_objective(log_weights_under(module, model, x, mu, sigma, eps)).sum()
        free_gradients = torch.autograd.grad(loss, free)  # not loss.backward(): the decoder stays as it is
        for parameter, gradient in zip(free, free_gradients):
            parameter.grad = gradient
        optimizer.step()
    return mu.detach(), sigma.detach()


def gap_levels(untied):
    """Mean -log p(x) and -ELBO of a trained VAE on 100 test images: the encoder's q, and the best for each image."""
    module, model = reference_model("vae", untied)
    x, k = test_images(100), 2000
    best = fit_q(module, model, x, tied=False)
    log_w = {
        "encoder": sample_log_weights(module, model, x, k),
        "gaussian": sample_log_weights(module, model, x, k, best),
    }
    if not untied:
        log_w["tied"] = sample_log_weights(module, model, x, k, fit_q(module, model, x, tied=True))
    levels = {name: -each.mean().item() for name, each in log_w.items()}
    return levels | {"log_p": -module.iwae_objective(log_w["gaussian"]).mean().item()}


def amortisation():
    """What the gap between ELBO and log p(x) is made of, for both VAEs."""
    figure, axes = canvas(11.6, 3.3)
    numbers, names = {}, []
    for y, name in ((1, "tied"), (0, "untied")):
        levels = gap_levels(name == "untied")
        ends = [levels["log_p"], levels["gaussian"], levels.get("tied", levels["gaussian"]), levels["encoder"]]
        gaps = dict(zip(("q is Gaussian", "q is tied", "q is amortised"), np.diff(ends).tolist()))
        for (label, gap), start, color in zip(gaps.items(), ends, (SKY, YELLOW, "#B8B8B8")):
            axes.barh(y, gap, left=start - ends[0], color=color, height=0.55, label=label if y else None)
            if gap > 0:
                axes.text(start - ends[0] + gap / 2, y, f"{gap:.1f}", ha="center", va="center")
        names.append(f"{name} VAE\n$-\\log p(x)$ = {levels['log_p']:.0f}")
        numbers[name] = {"levels": levels, "gaps": gaps}
    axes.set(yticks=(1, 0), yticklabels=names, xlabel="gap of the ELBO, nats per image", ylim=(-0.45, 1.95))
    axes.tick_params(axis="y", length=0)
    axes.legend(ncols=3, loc="upper left", bbox_to_anchor=(0, 1.05))
    return figure, numbers


@cache
def example_weights(n=2_000_000):
    """w / p(x) in the linear-Gaussian example, under q.  [n]"""
    eps = torch.randn(n, generator=generator(), dtype=torch.float64)
    return (EXAMPLE.log_weights(eps) - EXAMPLE.log_evidence()).exp().numpy()


def jensen():
    """The mean of k weights around p(x), for three k: the narrower, the smaller what the logarithm loses."""
    figure, axes = canvas(11.6, 3.0, 1, 3, sharex=True)
    numbers = {"relative_variance": example_weights().var()}
    for panel, k, color in zip(axes, (1, 10, 100), (SKY, BLUE, ORANGE)):
        means = example_weights().reshape(-1, k).mean(1)
        gap = -np.log(means).mean()
        panel.hist(means, np.linspace(0, 4, 81), color=color, density=True, histtype="stepfilled")
        panel.axvline(1, color="black", linewidth=1.5)
        panel.text(4, panel.get_ylim()[1] * 0.8, f"lost:\n{gap:.3f} nats", ha="right", va="center")
        panel.set(yticks=[], title=f"k = {k}", xlabel="mean of k weights / $p(x)$", xlim=(0, 4))
        panel.spines["left"].set_visible(False)
        numbers[f"gap_{k}"] = gap
    return figure, numbers


def small_bounds():
    """L_1, L_2 and L_3 of the linear-Gaussian example by Gauss-Hermite quadrature."""
    grids = (quadrature.tensor_grid(k, 100) for k in (1, 2, 3))
    return [(measure * oracles.log_mean_exp(EXAMPLE.log_weights(points), 0)).sum().item() for points, measure in grids]


def bound():
    """L_k against k where log p(x) is known, and the prediction from the variance."""
    w = example_weights()
    ks = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000]
    log_p = EXAMPLE.log_evidence()
    values = [log_p + np.log(w[: len(w) // k * k].reshape(-1, k).mean(1)).mean() for k in ks]
    figure, axes = canvas(5.6, 4.6)
    axes.axhline(log_p, color=GREEN, label="$\\log p(x)$")
    fine = np.geomspace(3, 1000, 100)
    axes.plot(fine, log_p - w.var() / (2 * fine), "--", color=GREY, linewidth=1.8, label="$\\log p(x)$ − var / 2k")
    axes.plot(ks, values, "o-", color=ORANGE, label="$L_k$", markersize=8)
    axes.annotate("ELBO", (1, values[0]), (1.35, values[0]), va="center")
    axes.set(xscale="log", xlabel="k", ylabel="nats", ylim=(-3.65, -1.8))
    axes.set_xticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    axes.legend(loc="lower right")
    exact = small_bounds()
    return figure, {
        "log_p": log_p,
        "elbo": exact[0],
        "L_2": exact[1],
        "L_3": exact[2],
        **by_k(ks, values),
    }


def gradient_weights():
    """What each of ten samples counts in the gradient of L_10, for a typical test image of both IWAEs."""
    figure, axes = canvas(4.9, 4.7, 2, 1, sharex=True, sharey=True)
    numbers = {}
    for panel, name in zip(axes, ("tied", "untied")):
        log_w = sample_log_weights(*reference_model("iwae", name == "untied"), test_images(500), 10)
        sizes = effective_sample_size(log_w)
        weights = torch.softmax(log_w[:, (sizes - sizes.median()).abs().argmin()], 0)  # typical: the median size
        panel.bar(range(1, 11), weights.numpy(), color=ORANGE)
        panel.axhline(0.1, color=BLUE)
        panel.set(ylim=(0, 1), ylabel="$\\tilde{w}_i$", title=f"IWAE, {name}")
        numbers[name] = {"effective_sample_size": sizes.median().item(), "largest": weights.max().item()}
    axes[0].text(10.4, 0.13, "VAE: 1/k", color=BLUE, ha="right", va="bottom")
    axes[1].set(xticks=range(1, 11), xlabel="sample i")
    return figure, numbers


def log_weights():
    """Log weights around log p(x), and effective sample sizes, of both trained models on 500 test images."""
    figure, (left, right) = canvas(11.6, 3.6, 1, 2)
    numbers = {}
    for objective, color in (("vae", BLUE), ("iwae", ORANGE)):
        module, log_w = reference_model(objective)[0], many_log_weights(objective)
        look = {"color": color, "alpha": 0.6, "histtype": "stepfilled"}
        numbers |= dict(zip(("samples", "images"), log_w.shape))
        centred = log_w - module.iwae_objective(log_w)
        left.hist(centred.flatten().numpy(), np.linspace(-200, 10, 106), density=True, **look)
        size = effective_sample_size(log_w)
        right.hist(size.numpy(), np.geomspace(1, 1000, 31), label=objective.upper(), **look)
        numbers[objective] = {
            "median_log_w": centred.median().item(),
            "std_log_w": log_w.std(0).mean().item(),
            "effective_sample_size": size.median().item(),
            "lowest_log_w": log_w.min().item(),
            "highest_log_w": log_w.max().item(),
        }
    left.axvline(0, color="black", linewidth=1.5)
    left.set(xlabel="$\\log w - \\log p(x)$, nats", yticks=[], xlim=(-200, 10))
    right.set(xscale="log", xlabel="effective sample size, of 5000", ylabel="test images")
    right.set_xticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    right.legend()
    return figure, numbers


@torch.no_grad()
def posterior_on_grid(module, model, x, centre, half_width, n=161):
    """p(z | x) of a model with two latent units, on n x n points around centre [2].  [1, P] -> z [n*n, 2], [n*n]"""
    steps = torch.linspace(-half_width, half_width, n)
    z = centre + torch.cartesian_prod(steps, steps)
    log_p = torch.cat([module.bernoulli_log_likelihood(x, model.decoder(part)) for part in z.split(8192)])
    log_p = log_p + module.gaussian_log_likelihood(z, torch.zeros_like(z), torch.ones_like(z))
    return z, torch.softmax(log_p.double(), 0)


def draw_posterior(axes, module, model, x, color, half_width=1.25):
    """The true posterior as areas that hold 50 and 95 % of its mass, and q as ellipses of 1 and 2 sigma."""
    z, mass = posterior_on_grid(module, model, x, torch.zeros(2), 4.0)
    centre = (mass.float()[:, None] * z).sum(0)
    z, mass = posterior_on_grid(module, model, x, centre, half_width)
    draw_mass(axes, z, mass)
    with torch.no_grad():
        draw_ellipses(axes, *model.encoder(x), color)
    limits = [(c - half_width, c + half_width) for c in centre.tolist()]
    axes.set(aspect="equal", xlim=limits[0], ylim=limits[1], xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    show_image(axes.inset_axes([0.0, 0.74, 0.26, 0.26]), x.view(28, 28))


def posteriors():
    """q against the true posterior for three test images: VAE and IWAE, tied and untied, with two latent units."""
    images = test_images(50)[[1, 4, 12]]
    figure, axes = canvas(11.6, 4.2, 2, 6)
    for row, untied in zip(axes, (False, True)):
        for objective, color, panels in (("vae", BLUE, row[:3]), ("iwae", ORANGE, row[3:])):
            for panel, x in zip(panels, images[:, None]):
                draw_posterior(panel, *plane_model(objective, untied), x, color)
        row[0].set_ylabel("untied" if untied else "tied")
    axes[0, 1].set_title("VAE")
    axes[0, 4].set_title("IWAE")
    return figure, {}


def samples():
    """Draws from the prior, decoded, and how much they vary: the autoencoder, the VAE and the IWAE."""
    figure, axes = canvas(11.6, 4.2, 1, 3, "compressed")
    models = {"autoencoder": autoencoder_model(), "VAE": reference_model("vae"), "IWAE": reference_model("iwae")}
    numbers = {"test images": load_grey("mnist")[1].div(255).var(0).sum().item()}
    many = torch.randn(10_000, 10, generator=generator())
    for panel, (name, (_, model)) in zip(axes, models.items()):
        show_image(panel, tile(decode(model, prior_grid(model.d_latent)[:36]), 6), name)
        numbers[name] = decode(model, many).var(0).sum().item()
    for name in ("VAE", "IWAE"):  # Burda et al., section 5.2: a unit is active if mu varies over the images
        with torch.no_grad():
            variance = models[name][1].encoder(test_images(10_000))[0].var(0)
        numbers[f"active units, {name}"] = (variance > 0.01).sum().item()
    return figure, numbers


def test_nll():
    """The estimated test NLL against the number of samples, for both trained models."""
    ks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2500, 5000]
    figure, axes = canvas(6.2, 4.6)
    numbers = {}
    for objective, color in (("vae", BLUE), ("iwae", ORANGE)):
        module, log_w = reference_model(objective)[0], many_log_weights(objective)
        values = [-module.log_mean_exp(log_w.view(-1, k, log_w.shape[1]), 1).mean().item() for k in ks]
        axes.plot(ks, values, "o-", color=color, label=objective.upper(), markersize=7)
        numbers[objective] = by_k(ks, values)
    axes.set(xscale="log", xlabel="k of the estimate", ylabel="test NLL, nats")
    axes.set_xticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    axes.legend()
    return figure, numbers


def tied():
    """mu and sigma of each unit and image: on one curve in the tied network, where they should be in the untied."""
    figure, axes = canvas(11.6, 3.7, 1, 2, sharex=True, sharey=True)
    numbers, x = {}, test_images(500)
    for panel, name in zip(axes, ("tied", "untied")):
        module, model = reference_model("vae", name == "untied")
        with torch.no_grad():
            mu, sigma = model.encoder(x)
        panel.scatter(mu.flatten(), sigma.flatten(), s=6, color=BLUE, alpha=0.5, linewidth=0, rasterized=True)
        numbers[name] = {"std_log_w": sample_log_weights(module, model, x, 500).std(0).mean().item()}
    axes[0].set(title="tied: $\\mu = \\tanh a$, $\\sigma = e^a$", xlabel="$\\mu$", ylabel="$\\sigma$")
    axes[1].set(title="untied: two heads", xlabel="$\\mu$")
    axes[0].set(yscale="log", ylim=(0.02, 4), xlim=(-4, 4))
    axes[0].set_yticks((0.1, 1), ("0.1", "1"))
    return figure, numbers


SNR_KS, SNR_REPEATS = (1, 3, 10, 30, 100, 300, 1000), 50_000


def example_gradients(k, repeats, noise):
    """Estimates of the gradient of L_k in the example: by m of q, and by the prior's mean.  two [repeats]

    With z = m + r eps, log w changes with m by (x - z) / s^2 - z, and with the prior's mean (at 0) by z.
    """
    eps = torch.randn(k, repeats, generator=noise, dtype=torch.float64)
    z = EXAMPLE.m + EXAMPLE.r * eps
    weights = torch.softmax(EXAMPLE.log_weights(eps), 0)  # [k, repeats]
    return (weights * ((EXAMPLE.x - z) / EXAMPLE.s**2 - z)).sum(0), (weights * z).sum(0)


def signal_to_noise():
    """|mean| / standard deviation of the gradient's estimates, for the encoder and the decoder of the example."""
    noise, ratios = generator(), []
    for k in SNR_KS:
        chunks = [example_gradients(k, SNR_REPEATS // 20, noise) for _ in range(20)]
        ratios.append([abs(g.mean().item()) / g.std().item() for g in map(torch.cat, zip(*chunks))])
    encoder, decoder = np.array(ratios).T
    slopes = [np.polyfit(np.log(SNR_KS[2:]), np.log(each[2:]), 1)[0] for each in (encoder, decoder)]
    figure, axes = canvas(5.6, 4.6)
    for values, slope, color, name in zip((decoder, encoder), slopes[::-1], (GREEN, ORANGE), ("decoder", "encoder")):
        axes.plot(
            SNR_KS, values, "o-", color=color, markersize=8, label=f"{name}, slope {slope:+.2f}".replace("-", "−")
        )
    axes.set(xscale="log", yscale="log", xlabel="k", ylabel="signal-to-noise ratio")
    axes.set_xticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    axes.legend(loc="center right")
    numbers = {"encoder_slope": slopes[0], "decoder_slope": slopes[1], "repeats": SNR_REPEATS}
    return figure, numbers | {name: by_k(SNR_KS, v) for name, v in (("encoder", encoder), ("decoder", decoder))}


# Numbers without a figure ---------------------------------------------------------------------------------


def underflow():
    """Three ways to the log-mean-exp of (-300, -200) in float32: {name: [value, gradient]}."""
    module = load_model_file(MODEL)
    ways = {
        "naive": lambda a: a.exp().mean().log(),
        "guarded": lambda a: (a.exp().mean() + 1e-7).log(),
        "right": lambda a: module.log_mean_exp(a, 0),
    }
    numbers = {}
    for name, way in ways.items():
        a = torch.tensor([-300.0, -200.0], requires_grad=True)
        value = way(a)
        value.backward()
        numbers[name] = [str(round(value.item(), 3)), [str(round(g, 3)) for g in a.grad.tolist()]]  # JSON has no nan
    return None, numbers


def density():
    """Wrong Gaussian log-densities beside the right one, at sigma = 2: {name: [at the mean, integral of exp]}."""
    module, sigma, half_log_2pi = load_model_file(MODEL), torch.tensor([2.0]), 0.5 * math.log(2 * math.pi)
    z, width = quadrature.trapezoid(40.0, 4001)
    right = module.gaussian_log_likelihood(z[:, None], torch.zeros(1), sigma)
    ways = {"right": right, "no constant": right + half_log_2pi, "wrong sign": right + 2 * sigma.log()}
    return None, {name: [log_p.max().item(), log_p.exp().sum().item() * width] for name, log_p in ways.items()}


def detached():
    """The ELBO's mean gradient by mu in the example: reparameterized, and with z cut off from mu and sigma."""
    module = load_model_file(MODEL)
    n = 1_000_000
    numbers = {"samples": n, "exact": (EXAMPLE.x - EXAMPLE.m) / EXAMPLE.s**2 - EXAMPLE.m}
    for name in ("reparameterized", "detached"):
        mu, sigma = torch.tensor([[EXAMPLE.m]], requires_grad=True), torch.tensor([[EXAMPLE.r]])
        z = module.reparameterize(mu, sigma, torch.randn(n, 1, 1, generator=generator()))  # [n, 1, 1]
        z = z.detach() if name == "detached" else z
        log_p_z = module.gaussian_log_likelihood(z, torch.zeros(1, 1), torch.ones(1, 1))
        log_q_z_given_x = module.gaussian_log_likelihood(z, mu, sigma)
        log_w = Normal(z, EXAMPLE.s).log_prob(torch.tensor(EXAMPLE.x)).sum(-1) + log_p_z - log_q_z_given_x  # [n, 1]
        elbo = module.vae_objective(log_w).sum()
        elbo.backward()
        numbers[name] = {"elbo": elbo.item(), "gradient": mu.grad.item()}
    return None, numbers


DRAWN = (
    cover,
    generate,
    autoencoder,
    prior_sampling,
    rare_event,
    logarithm,
    elbo_gap,
    amortisation,
    jensen,
    bound,
    gradient_weights,
    log_weights,
    posteriors,
    samples,
    test_nll,
    tied,
    signal_to_noise,
    underflow,
    density,
    detached,
)
