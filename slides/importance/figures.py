"""The figures and numbers of the deck `importance`. They need MNIST, and minutes where no VAE is trained yet."""

import math
from functools import cache

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch.distributions import Normal

from autograder import ROOT
from autograder.assignments.importance import ASSIGNMENT, oracles
from data import load_binarized_test
from studies.importance import log_p as log_p_study
from studies.importance import project as chain
from studies.importance import rare_event, vaes
from style import BLUE, GREEN, GREY, NAVY, ORANGE, SKY, YELLOW, canvas, draw_ellipses, draw_mass, show_image
from visualize import decode

lab = ASSIGNMENT.reference  # the solution
MISTAKES = ASSIGNMENT.misconceptions
MODEL = "solutions/model.py"
WORK = ROOT / "runs" / "slides" / "importance"

DAYS = rare_event.DAYS
P = oracles.tail_probability(DAYS)
THETA = lab.MEANS.double()  # [10]
PROPOSALS = {
    "plain": (1.0,) * 10,
    "all × 2": (2.0,) * 10,
    "all × 4": (4.0,) * 10,
    "critical × 4": oracles.critical(4.0),
    "each its own": oracles.BEST,
}
COLOURS = dict(zip(PROPOSALS, (GREY, SKY, BLUE, ORANGE, GREEN)))


# The rare event -------------------------------------------------------------------------------------------


def relative_sd(factors):
    """The standard deviation of one draw of f w over P, exactly."""
    return oracles.standard_deviation(DAYS, factors) / P


def hits(factors):
    """The share of the proposal's draws that are late, exactly."""
    return oracles.tail_probability(DAYS, tuple(np.array(oracles.THETA) * factors))


PLACES = (
    (0, 0),
    (1, 1.1),
    (1, -1.1),
    (3, 2.6),
    (2.1, 1),
    (2.1, 0),
    (2.1, -1),
    (2.1, -2),
    (3, 0),
    (4, 0),
)  # of the tasks


def draw_tasks(axes):
    """The project as a graph: tasks with their means in days, the critical path in orange."""
    critical = [task - 1 for task in oracles.CRITICAL]
    for task, before in enumerate(lab.PREDECESSORS):
        for start in before:
            color = ORANGE if {start, task} <= set(critical) else GREY
            look = {"arrowstyle": "-|>", "color": color, "linewidth": 1.8, "shrinkA": 15, "shrinkB": 15}
            axes.annotate("", PLACES[task], PLACES[start], arrowprops=look)
        axes.scatter(*PLACES[task], s=820, color=ORANGE if task in critical else GREY, zorder=2)
        axes.text(*PLACES[task], f"{lab.MEANS[task]:.0f}", color="white", ha="center", va="center")
        axes.text(PLACES[task][0], PLACES[task][1] + 0.31, f"task {task}", ha="center", va="bottom", fontsize=12)
    axes.set(xlim=(-0.4, 4.4), ylim=(-2.4, 3.2))
    axes.set_axis_off()


def project():
    """The ten tasks, and how probable it is that the project takes more than so many days."""
    figure, (left, right) = canvas(11.6, 3.9, 1, 2, width_ratios=(1.15, 1))
    draw_tasks(left)
    days = np.arange(0.0, 81.0, 2)
    right.plot(days, [oracles.tail_probability(day) for day in days], color=BLUE)
    right.plot(DAYS, P, "o", color=ORANGE, markersize=10)
    right.text(DAYS - 4, P, f"{1e5 * P:.2f} · $10^{{-5}}$", ha="right", va="center", color=ORANGE)
    right.set(yscale="log", xlabel="days $d$", ylabel="$P(D > d)$", xlim=(0, 80), ylim=(3e-6, 2))
    mean = chain.mean_duration(THETA, lab.PREDECESSORS).item()
    return figure, {
        "exact": P,
        "one_in": 1 / P,
        "mean": mean,
        "states": len(chain.generator(THETA, lab.PREDECESSORS)),
        "at_the_means": oracles.project_duration(THETA[None]).item(),
    }


def estimates():
    """Estimates with their errors against n, beside the exact value and the exact error."""
    names = list(PROPOSALS)[:4]
    figure, panels = canvas(11.6, 2.65, 1, 4, sharey=True)
    n = np.geomspace(500, 2e6)
    for axes, name in zip(panels, names):
        factors = torch.tensor(PROPOSALS[name], dtype=torch.float64)
        band = 2e5 * P * relative_sd(PROPOSALS[name]) / n**0.5
        axes.fill_between(n, 1e5 * P - band, 1e5 * P + band, color=GREEN, alpha=0.2, linewidth=0)
        axes.axhline(1e5 * P, color=GREEN, linewidth=1.5)
        for number, pairs in rare_event.repeated(lab, THETA, THETA * factors).items():
            apart = number * 1.35 ** (np.arange(len(pairs)) - (len(pairs) - 1) / 2)
            values, errors = 1e5 * np.array(pairs).T
            axes.errorbar(apart, values, 2 * errors, fmt="o", markersize=4, linewidth=1.3, color=COLOURS[name])
        axes.set(xscale="log", xlabel="n", ylim=(-1, 9.5), title=name, xlim=(500, 2e6))
        axes.set_xticks((1e3, 1e4, 1e5, 1e6))
    panels[0].set_ylabel("$10^5 \\, P(D > 70)$")
    return figure, {
        name: {
            "hits": hits(factors),
            "relative_sd": relative_sd(factors),
            "n_for_1_percent": (100 * relative_sd(factors)) ** 2,
            "ess_w": math.prod((2 * s - 1) / s**2 for s in factors),  # of n: (E w)^2 / E w^2
            "ess_fw": 1 / (1 + relative_sd(factors) ** 2),
        }
        for name, factors in PROPOSALS.items()
    }


def hit_rates():
    """How many draws one per cent takes, against the share of them that are late."""
    figure, axes = canvas(5.6, 4.5)
    for name, family in (("all", lambda s: (s,) * 10), ("critical", oracles.critical)):
        color = COLOURS[f"{name} × 4"]
        curve = [family(s) for s in np.linspace(1, 6, 41)]
        axes.plot([*map(hits, curve)], [(100 * relative_sd(each)) ** 2 for each in curve], color=color, label=name)
        for s in (2, 3, 4):
            point = hits(family(s)), (100 * relative_sd(family(s))) ** 2
            axes.plot(*point, "o", color=color, markersize=8)
            shift = (-11, 9) if name == "all" else (0, -24)
            axes.annotate(f"× {s}", point, shift, textcoords="offset points", ha="center", color=color, fontsize=13)
    best = PROPOSALS["each its own"]
    axes.plot(hits(best), (100 * relative_sd(best)) ** 2, "*", color=GREEN, markersize=18, label="each its own")
    axes.set(xscale="log", yscale="log", xlabel="share of draws with $D > 70$", ylabel="n for 1 %", ylim=(6e4, 1e9))
    axes.legend(loc="lower left")
    common, critical = (chain.best_factors(THETA, lab.PREDECESSORS, DAYS, 1).item(), best_critical())
    return figure, {"best_common": common, "best_critical": critical}


def best_critical():
    """The best factor for the critical path alone."""
    factors = np.linspace(2, 3, 1001)
    return float(factors[np.argmin([relative_sd(oracles.critical(s)) for s in factors])])


N, RUNS = 10_000, 300  # draws in each of many runs
SHARE = 0.1  # of the plain project in the defensive mixture


def sampled(name, n, seed):
    """Durations and log weights of n draws; of "mixture" too, a tenth of p and nine of critical × 4.  -> t, log_w"""
    factors = PROPOSALS["critical × 4" if name == "mixture" else name]
    t, theta, lam = oracles.draws(n, factors, seed)  # [n, 10]
    if name == "mixture":
        plain = np.random.default_rng([seed, 1]).random(n) < SHARE
        t[plain] *= theta / lam
        log_ratio = lab.log_importance_ratio(t, theta, lam)
        return t, -torch.logaddexp(torch.full_like(log_ratio, math.log(SHARE)), math.log(1 - SHARE) - log_ratio)
    return t, lab.log_importance_ratio(t, theta, lam)


def estimated(name, n, seed):
    """The estimate of P, its estimated standard error, and the largest weight."""
    t, log_w = sampled(name, n, seed)
    f = (lab.project_duration(t) > DAYS).double()
    return lab.importance_mean(f, log_w).item(), lab.standard_error(f, log_w).item(), log_w.max().exp().item()


def off_the_path(n=1_000_000):
    """Late projects of critical × 4 whose critical path is short: their share of q, of P and of E_q[(f w)^2].

    Drawn from three proposals together, each weighted by the mixture of the three.
    """
    others = tuple(5.0 if s == 1 else 1.0 for s in oracles.critical(4))
    families = [PROPOSALS["critical × 4"], others, PROPOSALS["all × 2"]]
    parts = [oracles.draws(n, factors, seed) for seed, factors in enumerate(families)]
    t = torch.cat([part[0] for part in parts])  # [3 n, 10]
    theta = parts[0][1]
    ratios = [lab.log_importance_ratio(t, theta, lam) for _, _, lam in parts]  # log p - log q, three of [3 n]
    log_w = math.log(3) - torch.logsumexp(-torch.stack(ratios), 0)  # log p minus that of the mixture
    late = (lab.project_duration(t) > DAYS).double()
    short = late * (t[:, [task - 1 for task in oracles.CRITICAL]].sum(1) < 40)
    moments = [(each * torch.exp(log_w + ratios[0])).mean() for each in (short, late)]
    return {
        "of_the_second_moment": (moments[0] / moments[1]).item(),
        "second_moment": moments[1].item(),
        "of_p": (short * log_w.exp()).mean().item() / P,
        "of_q": (short * torch.exp(log_w - ratios[0])).mean().item(),
    }


def mixture():
    """Many runs of two proposals and of the defensive mixture: the error that they show, and the one they have."""
    figure, (left, right) = canvas(11.6, 3.4, 1, 2, sharey=True, width_ratios=(1.5, 1))
    names = ("all × 4", "critical × 4", "mixture")
    exact = {name: relative_sd(PROPOSALS[name]) for name in names[:2]}
    many = [estimated("mixture", 200_000, RUNS + seed)[1] * 200_000**0.5 / P for seed in range(10)]
    exact["mixture"] = np.square(many).mean() ** 0.5  # no closed form: of two million draws
    numbers = {"draws": N, "runs": RUNS, "off_the_path": off_the_path()}
    heights = np.random.default_rng(0).uniform(-0.32, 0.32, RUNS)
    for y, name in zip((2, 1, 0), names):
        color = COLOURS.get(name, GREEN)
        values, errors, largest = np.array([estimated(name, N, seed) for seed in range(RUNS)]).T
        left.scatter(1e5 * values, y + heights, s=14, alpha=0.6, linewidth=0, color=color, rasterized=True)
        error, scatter = exact[name] / N**0.5, values.std(ddof=1) / P
        right.barh(y + 0.17, 100 * scatter, 0.3, color=color)
        right.barh(y - 0.17, 100 * error, 0.3, facecolor="white", edgecolor=color, hatch="//", linewidth=2)
        for height, size, word in ((0.17, scatter, "shown"), (-0.17, error, "true")):
            right.text(100 * size + 1, y + height, f"{word}: {size:.1%}".replace("%", " %"), va="center", fontsize=14)
        numbers[name] = {
            "relative_sd": exact[name],
            "error": error,
            "scatter": scatter,
            "covered": (np.abs(values - P) <= 2 * errors).mean(),
            "below": (values < P).mean(),
            "largest_weight": largest.max(),
        }
    left.axvline(1e5 * P, color="black", linewidth=1.5)
    left.set(yticks=(2, 1, 0), yticklabels=names, ylim=(-0.5, 2.5), xlim=(0, 8))
    left.set_xlabel("estimate of $10^5 \\, P(D > 70)$")
    right.set(xlabel="standard deviation of a run, %", xlim=(0, 85))
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
    return figure, numbers


# A VAE ----------------------------------------------------------------------------------------------------


@cache
def vae(d_latent):
    """The lab's VAE with D latent units, and its test images [N, P]."""
    model, settings = vaes.trained_vae(WORK, MODEL, d_latent)
    return model, load_binarized_test(settings.data)


def log_p():
    """Bias and spread of the estimate of log p(x), by samples of the prior and of q, for three D."""
    figure, panels = canvas(11.6, 3.5, 1, 3, sharey=True)
    numbers = {"images": log_p_study.IMAGES, "repetitions": log_p_study.REPETITIONS}
    ns = np.array(log_p_study.NUMBERS)
    for axes, d_latent in zip(panels, log_p_study.WIDTHS):
        model, x = vae(d_latent)
        off = log_p_study.deviations(model, x[:: len(x) // log_p_study.IMAGES][: log_p_study.IMAGES])
        numbers[f"D_{d_latent}"] = {}
        for (way, values), color, name in zip(off.items(), (SKY, ORANGE), ("prior", "q")):
            mean, sd = values.mean(0), values.std(0)
            axes.fill_between(ns, mean - sd, mean + sd, color=color, alpha=0.3, linewidth=0)
            axes.plot(ns, mean, "o-", color=color, markersize=6, label=f"samples of {'the ' * (way == 'prior')}{name}")
            found = zip(ns.tolist(), mean.tolist(), sd.tolist())
            numbers[f"D_{d_latent}"][way] = {f"N_{n}": {"bias": m, "sd": s} for n, m, s in found}
        row = log_p_study.row(lab, model, x[: log_p_study.ARTICLE_IMAGES])
        numbers[f"D_{d_latent}"]["nll"] = float(row["NLL, nats"])
        axes.axhline(0, color="black", linewidth=1)
        axes.set(xscale="log", yscale="symlog", xlabel="N", title=f"D = {d_latent}", ylim=(-400, 3))
        axes.set_xticks((10, 100, 1000, 10000))
        axes.set_yticks((-100, -10, -1, 0, 1), ("−100", "−10", "−1", "0", "1"))
    panels[0].set_ylabel("error, nats")
    panels[1].legend(loc="center", bbox_to_anchor=(0.5, 0.42))
    return figure, numbers


EXAMPLE = oracles.LinearGaussian(torch.tensor([1.2]).double(), 0.7)
Q = Normal(torch.tensor(0.3).double(), 0.8)


def example_samples(k, images, seed=0):
    """k samples of q for each of several images, all the same x.  -> log_w [k, B], z [k, B, 1]"""
    z = Q.mean + Q.stddev * torch.randn(k, images, generator=torch.Generator().manual_seed(seed)).double()
    return EXAMPLE.log_joint(z) - Q.log_prob(z), z[:, :, None]


def weighted():
    """Weighted samples of q where the posterior is known: resampled ones, and the bias of the posterior's mean."""
    figure, (left, right) = canvas(11.6, 2.9, 1, 2, width_ratios=(1.2, 1))
    log_w, z = example_samples(2_000, 1)
    drawn = lab.resample(log_w, z, torch.rand(2_000, 1, generator=torch.Generator().manual_seed(1)).double())
    grid = torch.linspace(-2.5, 3, 300).double()
    left.hist(drawn.flatten().numpy(), 45, density=True, color="#B8B8B8", label="resampled")
    left.plot(grid, Q.log_prob(grid).exp(), color=ORANGE, label="$q$")
    left.plot(grid, EXAMPLE.posterior.log_prob(grid).exp(), color=GREEN, label="posterior")
    left.set(xlabel="$z$", yticks=[], xlim=(-2.5, 3))
    left.spines["left"].set_visible(False)
    left.legend(loc="upper left")
    ks, truth = (1, 2, 3, 5, 10, 20, 50, 100), EXAMPLE.posterior.mean.item()
    means = [lab.posterior_mean(*example_samples(k, 400_000 // k, 2)).mean().item() for k in ks]
    right.axhline(truth, color=GREEN, linewidth=1.8)
    right.text(100, truth + 0.02, "posterior mean", color=GREEN, ha="right", va="bottom")
    right.axhline(Q.mean, color=ORANGE, linewidth=1.8)
    right.text(100, Q.mean + 0.02, "mean of $q$", color=ORANGE, ha="right", va="bottom")
    right.plot(ks, means, "o-", color="black", markersize=7)
    right.set(xscale="log", xlabel="k", ylabel="average estimate", ylim=(0.2, 0.95))
    right.set_xticks((1, 10, 100), ("1", "10", "100"))
    size = lab.effective_sample_size(log_w).item()
    numbers = {"truth": truth, "mean_of_q": Q.mean.item(), "samples": len(z), "effective_sample_size": size}
    return figure, numbers | {f"k_{k}": mean for k, mean in zip(ks, means)}


EVERY, K_MANY, K = 100, 5_000, 1_000


@cache
@torch.no_grad()
def compared():
    """log p(x) of every hundredth test image by the grid and by samples of q, and their ESS: three [B]"""
    model, x = vae(2)
    x = x[::EVERY]
    z, area = vaes.grid()
    exact = torch.logsumexp(vaes.log_joint(model, x, z).double(), 0) + math.log(area)
    noise = torch.Generator().manual_seed(0)
    log_w = model.log_weights(x, torch.randn(K_MANY, len(x), 2, generator=noise))
    return exact, vaes.log_mean_exp(log_w), lab.effective_sample_size(log_w)


@torch.no_grad()
def window(model, x):
    """A square around the posterior of one image x [1, P] and its q: points [G, 2], the mass [G], how much it holds."""
    z, area = vaes.grid()
    wide = lab.grid_log_posterior(vaes.log_joint(model, x, z), area).exp()[:, 0] * area
    mean = wide @ z
    sd = (wide @ (z - mean) ** 2).sqrt().clamp(min=0.05)
    mu, sigma = (each[0] for each in model.encoder(x))
    low, high = torch.minimum(mean - 5 * sd, mu - 4 * sigma), torch.maximum(mean + 5 * sd, mu + 4 * sigma)
    centre, half = (low + high) / 2, (high - low).max().item() / 2
    held = wide[((z - centre).abs() <= half).all(1)].sum().item()
    z, area = vaes.grid(centre, half)
    return z, lab.grid_log_posterior(vaes.log_joint(model, x, z), area).exp()[:, 0] * area, held


@torch.no_grad()
def posteriors():
    """The true posterior in the plane, q and what is resampled from it: three test images, and one that q misses."""
    model, images = vae(2)
    exact, by_q, size = compared()
    off = by_q - exact
    missed = off.argmin()
    chosen = [0, 1, 2, missed.item() * EVERY]
    figure, (above, below) = canvas(11.6, 4.3, 2, 4, "compressed", height_ratios=(2.9, 1))
    numbers = {}
    for axes, strip, number in zip(above, below, chosen):
        x = images[number : number + 1]  # [1, P]
        z, mass, held = window(model, x)
        mu, sigma = model.encoder(x)  # [1, 2]
        noise = torch.Generator().manual_seed(1)
        eps = torch.randn(K, 1, 2, generator=noise)
        samples, log_w = mu + sigma * eps, model.log_weights(x, eps)
        drawn = lab.resample(log_w, samples, torch.rand(300, 1, generator=noise))[:, 0]
        draw_mass(axes, z, mass)
        draw_ellipses(axes, mu, sigma, ORANGE)
        axes.plot(*drawn.T, ".", color="black", markersize=3, alpha=0.5, markeredgewidth=0, rasterized=True)
        found = lab.effective_sample_size(log_w).item()
        axes.set_title(f"image {number}: ESS {found:.0f}", fontsize=15)
        axes.set(aspect="equal", xlim=z[[0, -1], 0].tolist(), ylim=z[[0, -1], 1].tolist(), xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        mean = mass @ z
        pictures = [x[0], *decode(model, torch.stack([mu[0], mean]))]
        show_image(strip, torch.cat([picture.view(28, 28) for picture in pictures], 1))
        estimate = lab.posterior_mean(log_w, samples)[0]
        errors = {"mu": (mu[0] - mean).norm().item(), "estimate": (estimate - mean).norm().item()}
        numbers[f"image_{number}"] = {"held": held, "ess": found, "errors": errors}
    return figure, numbers | {
        "samples": K,
        "compared": {
            "images": len(off),
            "samples": K_MANY,
            "grid": exact.mean().item(),
            "q": by_q.mean().item(),
            "missed": chosen[-1],
            "off": off[missed].item(),
            "every_tenth": off[::10].mean().item(),  # which are the images of log_p
            "ess": size[missed].item(),
            "more_than_1_nat": (off < -1).sum().item(),
            "median": off.median().item(),
            "median_ess": size.median().item(),
        },
    }


def cover():
    """Exact posteriors of six test images in the colours of the title slide, with q around them."""
    model, images = vae(2)
    figure = Figure(figsize=(11.55, 2.1), facecolor=NAVY)
    for i in range(6):
        axes = figure.add_axes((i / 6 + 0.01, 0, 1 / 6 - 0.02, 1))
        z, mass, _ = window(model, images[i : i + 1])
        side = math.isqrt(len(mass))
        extent = (*z[[0, -1], 0].tolist(), *z[[0, -1], 1].tolist())
        navy = LinearSegmentedColormap.from_list("navy", [NAVY, "white"])
        picture = mass.view(side, side).T[::3, ::3]
        axes.imshow(picture, origin="lower", extent=extent, cmap=navy)
        with torch.no_grad():
            draw_ellipses(axes, *model.encoder(images[i : i + 1]), YELLOW)
        centre, half = z.mean(0), (extent[1] - extent[0]) / 3
        axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
        axes.set_axis_off()
    return figure, {}


# Numbers without a figure ---------------------------------------------------------------------------------


def underflow():
    """Effective sample sizes of the weights 1, 2, 3, at two heights 1300 nats apart, in float32: three ways."""
    log_w = torch.tensor([[1.0], [2.0], [3.0]]).log() + torch.tensor([[0.0, -1300.0]])  # [3, 2]
    ways = {
        "naive": MISTAKES["ess.underflow"].formula,
        "one shift": MISTAKES["ess.one_shift"].formula,
        "right": lab.effective_sample_size,
    }
    return None, {
        name: [f"{size:.2f}" for size in way(log_w).tolist()] for name, way in ways.items()
    }  # JSON has no nan


def mistakes():
    """What wrong answers give on the handout's own numbers: {id: number}, and {function: the right one}."""
    n = torch.arange(60)
    t = 2 * lab.MEANS * ((n * 5 % 13 + 1) / 5).reshape(6, 10)  # the handout's six projects
    f, log_w = (lab.project_duration(t) > 40).float(), lab.log_importance_ratio(t, lab.MEANS, 2 * lab.MEANS)
    inputs = {
        "project_duration": (torch.arange(1.0, 11.0)[None],),
        "importance_mean": (f, log_w),
        "standard_error": (f, log_w),
        "posterior_mean": (torch.tensor([[1.0], [3.0]]).log(), torch.tensor([[[0.0]], [[1.0]]])),
        "grid_log_posterior": (torch.tensor([[1.0], [2.0], [3.0], [4.0]]).log(), 0.5),
    }
    numbers = {name: getattr(lab, name)(*given).flatten()[-1].item() for name, given in inputs.items()}
    for id in (
        *("duration.sum", "mean.no_weights", "mean.self_normalised", "error.binomial"),
        *("average.softmax_over_images", "grid.no_area"),
    ):
        numbers[id] = MISTAKES[id].formula(*inputs[MISTAKES[id].function]).flatten()[-1].item()
    for id in ("ratio.inverted", "ratio.no_constant"):
        numbers[id] = lab.importance_mean(f, MISTAKES[id].formula(t, lab.MEANS, 2 * lab.MEANS)).item()
    in_a_row = [(), *((i,) for i in range(9))]
    return None, numbers | {"sum_exceeds": chain.tail(THETA, in_a_row, DAYS).item() / P}


DRAWN = (
    cover,
    project,
    estimates,
    hit_rates,
    mixture,
    log_p,
    weighted,
    posteriors,
    underflow,
    mistakes,
)
