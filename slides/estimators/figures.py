"""The figures and numbers of the deck `estimators`. They need MNIST and Omniglot, and a few minutes."""

import json
from functools import cache

import numpy as np
import scipy.stats
import torch
from matplotlib.figure import Figure
from torch.distributions import Normal

from autograder import ROOT
from autograder.assignments.estimators import ASSIGNMENT, oracles
from autograder.grading.quadrature import gauss_hermite
from data import load_binarized_test, load_grey
from studies.estimators import exact, question, signal_to_noise
from studies.estimators.ratios import BUDGET, SPLITS
from style import BLUE, GREEN, GREY, NAVY, ORANGE, SKY, YELLOW, canvas

lab = ASSIGNMENT.reference  # the solution
MISTAKES = ASSIGNMENT.misconceptions
WORK = ROOT / "runs" / "slides" / "estimators"
COLOURS = {"iwae": BLUE, "stl": ORANGE, "dreg": GREEN}
NAMES = exact.NAMES  # {objective: what the slides call it}


# One latent unit, where expectations are exact ------------------------------------------------------------

POSTERIOR = exact.X / (1 + exact.S**2), exact.S / (1 + exact.S**2) ** 0.5  # mean and standard deviation, for C = 1
EVIDENCE = oracles.LinearGaussian(exact.X, exact.S, exact.M, exact.R).log_evidence()
N = 20_000  # draws of an estimate
NUMBERS = exact.NUMBERS


def noise(m, k):
    """[m, k, N]"""
    generator = torch.Generator().manual_seed(m * 1000 + k)
    return torch.randn(m, k, N, generator=generator, dtype=torch.float64)


@cache
def draws(name, m, k):
    """Gradients to q's mean and to the decoder, of N draws of the noise: {part: [N]}"""
    return {part: values[:, 0] for part, values in exact.gradients(lab, name, noise(m, k)).items()}


def moments(values):
    """Mean, standard deviation and their ratio, as the student's function finds it."""
    return {
        "mean": values.mean().item(),
        "sd": values.std().item(),
        "ratio": lab.signal_to_noise(values[:, None]).item(),
    }


def bound(m, k):
    """The expectation of MIWAE's objective, from N draws of it."""
    log_w = exact.log_weights(noise(m, k), *map(torch.tensor, (exact.M, exact.R, exact.C)), False)
    return lab.miwae_objective(log_w).mean().item()


def log_axes(axes, ticks):
    """Against k, both axes logarithmic."""
    axes.set(xscale="log", yscale="log", xlabel="k")
    axes.set_xticks((1, 4, 16, 64), ("1", "4", "16", "64"))
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def cover():
    """One draw of the encoder's gradient, for more and more samples: the plain bound's, and DReG's."""
    figure = Figure(figsize=(11.55, 2.1), facecolor=NAVY)
    at = np.linspace(-6, 9, 400)
    for i, k in enumerate((1, 4, 16, 64)):
        axes = figure.add_axes((i / 4 + 0.01, 0.16, 0.23, 0.84))
        for name, color in (("iwae", "white"), ("dreg", YELLOW)):
            density = scipy.stats.gaussian_kde(draws(name, 1, k)["encoder"][:4000].numpy())(at)
            density[density < 0.002 * density.max()] = np.nan
            axes.fill_between(at, density / np.nanmax(density), color=color, alpha=0.35, linewidth=0)
            axes.plot(at, density / np.nanmax(density), color=color, linewidth=2)
        axes.axvline(0, color="white", linewidth=1, linestyle=":")
        axes.set(xlim=(-6, 9), ylim=(0, 1.08))
        axes.set_axis_off()
        axes.text(1.5, -0.19, f"k = {k}", color="white", ha="center", fontsize=15)
    return figure, {}


WAYS = {"sampled": ("log w, averaged", BLUE), "closed": ("closed form", ORANGE), "stopped": ("stopped log w", GREEN)}


def one_sample(way, m, r):
    """The ELBO from one sample at each point of a grid, its gradients to m and r, and the points' chances.  four [n]"""
    eps, chances = gauss_hermite(64)
    mean, sd, slope = (torch.full_like(eps, value, requires_grad=True) for value in (m, r, exact.C))
    if way == "closed":
        log_p = Normal(slope * (mean + sd * eps), exact.S).log_prob(torch.tensor(exact.X))
        value = lab.vae_objective_kl(log_p[None], mean[:, None], sd[:, None])
    else:
        value = exact.log_weights(eps[None, None], mean, sd, slope, way == "stopped")[0, 0]
    return value.detach(), *torch.autograd.grad(value.sum(), (mean, sd)), chances


def spread(values, chances):
    mean = chances @ values
    return mean.item(), (chances @ (values - mean) ** 2).sqrt().item()


def closed_form():
    """The noise of the ELBO and of its gradients, one sample, while q goes to the posterior."""
    figure, panels = canvas(11.6, 3.35, 1, 3)
    t = np.linspace(0, 1, 41)
    places = [(exact.M + a * (POSTERIOR[0] - exact.M), exact.R + a * (POSTERIOR[1] - exact.R)) for a in t]
    numbers = {}
    titles = ("the ELBO itself", "gradient to $\\mu$", "gradient to $\\sigma$")
    for way, (label, color) in WAYS.items():
        found = []
        for place in places:
            *values, chances = one_sample(way, *place)
            found.append([spread(each, chances) for each in values])
        found = np.array(found)  # [t, 3, 2]
        for i, axes in enumerate(panels):
            line = "--" if way == "stopped" and i == 0 else "-"
            axes.plot(t, found[:, i, 1], line, color=color, label=label)
        for end, row in (("start", found[0]), ("posterior", found[-1])):
            numbers.setdefault(end, {})[way] = {
                part: {"mean": mean, "sd": sd} for part, (mean, sd) in zip(("value", "mu", "sigma"), row)
            }
    for axes, title, top in zip(panels, titles, (3.9, 2.6, 5.2)):
        axes.set(title=title, ylim=(0, top), xlim=(0, 1), xticks=(0, 1), xticklabels=("our q", "posterior"))
        first, last = axes.get_xticklabels()
        first.set_ha("left"), last.set_ha("right")
    panels[0].set_ylabel("standard deviation")
    panels[0].legend(fontsize=14, loc="upper right")
    return figure, numbers | {"log_p": EVIDENCE}


def ratios():
    """Signal, noise and their ratio of the plain bound against k: the encoder's and the decoder's."""
    figure, panels = canvas(11.6, 3.3, 1, 3)
    found = {k: {part: moments(values) for part, values in draws("iwae", 1, k).items()} for k in NUMBERS}
    known = {k: exact.exact_moments(lab, "iwae", k) for k in exact.GRIDS}  # {part: (mean, sd)}
    for axes, part in zip(panels, ("encoder", "decoder")):
        for index, (key, label, color) in enumerate((("mean", "signal", BLUE), ("sd", "noise", GREY))):
            axes.plot(NUMBERS, [abs(found[k][part][key]) for k in NUMBERS], "-", color=color, label=label)
            axes.plot(list(known), [abs(one[part][index]) for one in known.values()], "x", color=color, markersize=9)
        axes.set(title=f"the {part}'s gradient")
    for part, color in (("encoder", BLUE), ("decoder", ORANGE)):
        panels[2].plot(NUMBERS, [found[k][part]["ratio"] for k in NUMBERS], color=color, label=part)
        exactly = [abs(one[part][0]) / one[part][1] for one in known.values()]
        panels[2].plot(list(known), exactly, "x", color=color, markersize=9)
    panels[2].set(title="signal to noise")
    for axes, ticks in zip(panels, ((0.1, 0.3, 1, 3), (0.3, 1, 3), (0.1, 0.3, 1, 3))):
        log_axes(axes, ticks)
        axes.legend(fontsize=14)
    slope = torch.tensor(exact.C, dtype=torch.float64, requires_grad=True)
    evidence = Normal(0.0, (slope**2 + exact.S**2).sqrt()).log_prob(torch.tensor(exact.X))
    return figure, {
        "draws": N,
        "x": exact.X,
        "of_log_p": torch.autograd.grad(evidence, slope)[0].item(),
        **{f"k_{k}": found[k] for k in NUMBERS},
        "exact": {
            f"k_{k}": {part: {"mean": mean, "sd": sd, "ratio": abs(mean) / sd} for part, (mean, sd) in one.items()}
            for k, one in known.items()
        },
    }


def groups():
    """A budget of 64 samples, split into m groups of k: the bound, and both parts' ratios."""
    figure, panels = canvas(11.6, 3.7, 1, 3)
    numbers = {}
    for m, k in SPLITS:
        found = {part: moments(values) for part, values in draws("miwae", m, k).items()}
        numbers[f"{m}x{k}"] = {"gap": EVIDENCE - bound(m, k), **found}
    labels = [f"{m}, {k}" for m, k in SPLITS]
    heights = [[one["gap"] for one in numbers.values()]]
    heights += [[one[part]["ratio"] for one in numbers.values()] for part in ("encoder", "decoder")]
    titles = ("log p(x) − the bound, nats", "encoder: signal to noise", "decoder: signal to noise")
    for axes, values, title in zip(panels, heights, titles):
        bars = axes.bar(labels, values, 0.65, color=[GREY, SKY, SKY, SKY, BLUE])
        axes.bar_label(bars, [f"{value:.3f}" if value < 0.1 else f"{value:.2f}" for value in values], fontsize=13)
        axes.set(title=title, xlabel="m, k", yticks=(), ylim=(0, 1.15 * max(values)))
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="x", length=0, labelsize=14)
    return figure, numbers


def convex():
    """CIWAE between the VAE and the IWAE of 64 samples: the bound, and the encoder's ratio, against beta."""
    figure, (left, right) = canvas(5.9, 4.6, 2, 1, sharex=True)
    iwae = draws("iwae", 1, BUDGET)
    vae = {
        part: values[:, 0] for part, values in exact.gradients(lab, "miwae", noise(1, BUDGET).transpose(0, 1)).items()
    }
    betas = np.linspace(0, 1, 101)
    loose, tight = EVIDENCE - bound(BUDGET, 1), EVIDENCE - bound(1, BUDGET)
    gaps = betas * loose + (1 - betas) * tight
    left.plot(betas, gaps, color=GREY)
    left.set(ylabel="gap, nats", ylim=(0, None))
    curves = {}
    for part, color in (("encoder", BLUE), ("decoder", ORANGE)):  # the gradient is as convex as the objective
        mixed = torch.stack([beta * vae[part] + (1 - beta) * iwae[part] for beta in betas], 1)
        curves[part] = lab.signal_to_noise(mixed)
        right.plot(betas, curves[part], color=color, label=part)
    right.set(xlabel="$\\beta$", ylabel="signal to noise", ylim=(0, None), xlim=(0, 1))
    right.legend(fontsize=14)
    return figure, {
        f"beta_{betas[i]:g}": {"gap": gaps[i], **{part: curve[i].item() for part, curve in curves.items()}}
        for i in (0, 5, 50, 100)
    }


def pair():
    """What the encoder's gradient becomes on average where both objectives of PIWAE reach it."""
    apart, whole = draws("piwae", 8, 8)["encoder"], draws("iwae", 1, BUDGET)["encoder"]
    return None, {"piwae": apart.mean().item(), "added up": (apart.mean() + whole.mean()).item()}


def equation_14():
    """Two samples: the value of equation 14's sum, and its gradient with and without the stop, against their gap."""
    figure, (left, right) = canvas(11.6, 3.1, 1, 2)
    gap = torch.linspace(-6, 6, 241, dtype=torch.float64)
    ways = {
        "bound": (lab.iwae_objective, BLUE, "-", "the bound"),
        "stopped": (lab.weighted_objective, GREEN, "--", "equation 14, stopped"),
        "not stopped": (MISTAKES["weighted.not_detached"].formula, ORANGE, "-", "not stopped"),
    }
    numbers = {}
    for name, (objective, color, line, label) in ways.items():
        log_w = torch.stack([gap, torch.zeros_like(gap)]).requires_grad_()  # [2, n]
        value = objective(log_w)
        (gradient,) = torch.autograd.grad(value.sum(), log_w)
        if name != "not stopped":
            left.plot(gap, value.detach(), line, color=color, label=label if name == "bound" else "equation 14")
        right.plot(gap, gradient[0], line, color=color, label=label)
        numbers[name] = {
            "value_of_equal": value[120].item(),
            "least": gradient[0].min().item(),
            "least_at": gap[gradient[0].argmin()].item(),
            "most": gradient[0].max().item(),
        }
    right.axhline(0, color="black", linewidth=0.8)
    left.set(title="value", xlabel="$\\log w_1 - \\log w_2$", ylabel="nats, $\\log w_2 = 0$")
    right.set(title="gradient to $\\log w_1$", xlabel="$\\log w_1 - \\log w_2$")
    for axes in (left, right):
        axes.legend(fontsize=14)
    return figure, numbers


LINES = {"vae": (GREY, "-"), "iwae": (BLUE, "-"), "iwae-eq14": (GREEN, "--"), "not stopped": (ORANGE, "-")}


def asked():
    """The question's four trainings on Omniglot: test NLL minus the VAE's."""
    images, x = load_grey("omniglot")[0][: question.TRAINED], load_binarized_test("omniglot")[: question.TESTED]
    curves = question.compared(lab, "omniglot", images, x)
    figure, axes = canvas(5.9, 4.3)
    numbers = {"images": len(images), "tested": len(x)}
    for (name, points), (color, line) in zip(curves.items(), LINES.values()):
        apart = [nll - vae for (_, nll), (_, vae) in zip(points, curves["vae"])]
        epochs = [epoch for epoch, _ in points]
        label = {"vae": "VAE", "iwae": "the bound", "iwae-eq14": "eq. 14, stopped", "not stopped": "not stopped"}[name]
        axes.plot(epochs, [each.mean().item() for each in apart], line, marker="o", color=color, label=label)
        error = (apart[-1].std() / len(x) ** 0.5).item()
        numbers[name] = {"nll": points[-1][1].mean().item(), "minus_vae": apart[-1].mean().item(), "error": error}
    axes.set(xscale="log", xlabel="epochs", ylabel="test NLL − the VAE's, nats")
    axes.set_xticks(epochs, map(str, epochs))
    axes.minorticks_off()
    axes.legend(fontsize=14)
    return figure, numbers | {"epochs": epochs[-1]}


def landing():
    """The gradient to q's mean as a function of the noise, plain and stopped: at our q, and at the posterior."""
    figure, panels = canvas(11.6, 2.95, 1, 2, sharey=True)
    eps, chances = gauss_hermite(64)
    numbers = {}
    for axes, title, place in zip(panels, ("our q", "q is the posterior"), ((exact.M, exact.R), POSTERIOR)):
        axes.fill_between(eps, 6 * Normal(0.0, 1.0).log_prob(eps).exp(), color=GREY, alpha=0.2, linewidth=0)
        for way, label, color in (("sampled", "plain", BLUE), ("stopped", "stopped", GREEN)):
            _, to_mean, _, _ = one_sample(way, *place)
            mean, sd = spread(to_mean, chances)
            axes.plot(eps, to_mean, color=color, label=f"{label}: {mean + 0:.2f} ± {sd:.2f}".replace("-0.00", "0.00"))
            numbers.setdefault(title, {})[way] = {"mean": mean, "sd": sd}
        axes.axhline(0, color="black", linewidth=0.8, zorder=0)
        axes.set(xlim=(-3, 3), ylim=(-7, 11), xlabel="$\\varepsilon$", title=title)
        axes.legend(fontsize=15)
    panels[0].set_ylabel("gradient to $\\mu$")
    return figure, numbers


def bias():
    """The expected gradient to q's mean against k: the bound's own, and STL's."""
    figure, axes = canvas(5.7, 4.4)
    numbers = {}
    for name in ("iwae", "stl"):
        color = COLOURS[name]
        means = {k: draws(name, 1, k)["encoder"].mean().item() for k in NUMBERS}
        known = {k: exact.exact_moments(lab, name, k)["encoder"][0] for k in exact.GRIDS}
        axes.plot(list(means), list(means.values()), color=color, label={"iwae": "the bound's", "stl": "STL's"}[name])
        axes.plot(list(known), list(known.values()), "x", color=color, markersize=10)
        numbers[name] = {f"k_{k}": value for k, value in means.items()}
    limit = (POSTERIOR[0] - exact.M) / exact.R**2  # the gradient of E[log q] under the posterior
    axes.axhline(limit, color=ORANGE, linewidth=1.5, linestyle=":", label="STL, k to infinity")
    log_axes(axes, (0.1, 0.3, 1, 3))
    axes.set_ylabel("expected gradient to $\\mu$")
    axes.legend()
    return figure, numbers | {"limit": limit}


def dreg():
    """Signal to noise of the encoder's gradient against k, and the expected gradients for few samples."""
    figure, axes = canvas(5.7, 4.2)
    measured = {}
    for name, color in COLOURS.items():
        found = {k: moments(draws(name, 1, k)["encoder"]) for k in NUMBERS}
        known = {k: exact.exact_moments(lab, name, k)["encoder"] for k in exact.GRIDS}
        line = "--" if name == "stl" else "-"
        axes.plot(NUMBERS, [one["ratio"] for one in found.values()], line, color=color, label=NAMES[name])
        axes.plot(list(known), [abs(mean) / sd for mean, sd in known.values()], "x", color=color, markersize=10)
        measured[name] = {f"k_{k}": one for k, one in found.items()}
    log_axes(axes, (0.2, 0.5, 1, 2, 5))
    axes.set_ylabel("encoder: signal to noise")
    axes.legend()
    names = ("iwae", "iwae-eq14", "not stopped", "stl", "dreg")
    expected = {
        name: {f"k_{k}": exact.exact_moments(lab, name, k)["encoder"][0] for k in exact.GRIDS} for name in names
    }
    return figure, {"expected": expected, "measured": measured}


# Trained networks -----------------------------------------------------------------------------------------

COMPARED = {
    "IWAE, 1 sample": ("iwae", 1, 1),
    "IWAE": ("iwae", 1, 64),
    "MIWAE, 8 of 8": ("miwae", 8, 8),
    "CIWAE, ½": ("ciwae", 1, 64),
    "STL": ("stl", 1, 64),
    "DReG": ("dreg", 1, 64),
}


def trained():
    """On MNIST: signal to noise of the encoder's gradient, and the NLL that DReG gains on the plain bound."""
    model = signal_to_noise.network(lab, "mnist", WORK / "iwae")
    x = load_binarized_test("mnist")[: signal_to_noise.IMAGES]
    found = {label: signal_to_noise.measured(lab, model, x, *one) for label, one in COMPARED.items()}
    figure, (left, right) = canvas(11.6, 3.0, 1, 2, width_ratios=(1.35, 1))
    colors = [GREY, BLUE, SKY, YELLOW, ORANGE, GREEN]
    values = [one["encoder"]["ratio"] for one in found.values()]
    bars = left.barh(list(found), values, 0.65, color=colors)
    signals = [f"{one['encoder']['ratio']:.2f},  |E g| = {one['encoder']['signal']:.0f}" for one in found.values()]
    left.bar_label(bars, signals, padding=5, fontsize=14)
    left.invert_yaxis()
    left.set(title="encoder: signal to noise, 64 samples", xlim=(0, 1.5 * max(values)))
    left.tick_params(axis="y", length=0)
    table = json.loads((ROOT / "solutions" / "labs" / "hierarchical-table.json").read_text())
    pairs = {one["pair"]: one for one in table["differences"]}
    gains = {k: pairs[f"DReG, 1 layer, against IWAE, 1 layer, k = {k}"] for k in (1, 5, 50)}
    labels = [str(k) for k in gains]
    right.bar(labels, [one["nats"] for one in gains.values()], 0.55, color=GREEN)
    errors = [2 * one["standard_error"] for one in gains.values()]
    right.errorbar(labels, [one["nats"] for one in gains.values()], errors, fmt="none", color="black", capsize=5)
    right.set(title="NLL: DReG better by, nats", xlabel="k", ylim=(0, 0.75))
    rows = {name: table["rows"][f"{name}, 1 layer"] for name in ("VAE", "IWAE", "DReG")}
    return figure, {
        "draws": signal_to_noise.DRAWS,
        "images": len(x),
        "ratios": found,
        "nll": {name: {f"k_{k}": row[k]["nll"] for k in labels} for name, row in rows.items()},
        "gains": {f"k_{k}": {"nats": one["nats"], "error": one["standard_error"]} for k, one in gains.items()},
        "times": {f"k_{k}": rows["DReG"][k]["train_seconds"] / rows["IWAE"][k]["train_seconds"] for k in labels},
        "epochs": rows["DReG"]["50"]["epochs"],
        "tested": rows["DReG"]["50"]["images"],
    }


# Numbers without a figure ---------------------------------------------------------------------------------


def mistakes():
    """What wrong answers give on the handout's own numbers: {id: number}, and {function: the right one}."""
    log_w = torch.tensor([[-1.0, -3.0, 0.0], [-2.0, -0.5, -4.0]]).double()[:, :, None]  # [2, 3, 1]
    inputs = {
        "gaussian_kl": (torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[0.3, 1.0, 2.0]])),
        "miwae_objective": (log_w,),
        "ciwae_objective": (log_w.view(6, 1), 0.3),
        "signal_to_noise": (torch.tensor([[1.0], [3.0], [2.0], [2.0]]),),
    }
    numbers = {name: getattr(lab, name)(*given).item() for name, given in inputs.items()}
    for id in ("kl.reversed", "miwae.swapped", "ciwae.swapped", "ratio.standard_error"):
        numbers[id] = MISTAKES[id].formula(*inputs[MISTAKES[id].function]).item()
    example = oracles.LinearGaussian(1.2, 0.7, 0.3, 0.8)
    eps = torch.tensor([0.5, -1.0, 1.5, 0.0], dtype=torch.float64)[:, None]  # [4, 1]

    def to_mean(objective, stopped=False):
        return example.gradient(objective(example.log_weights(eps, stopped)).sum())[0].item()

    def in_groups(objective):
        return lambda log_w: objective(log_w.view(2, 2, 1))

    numbers |= {
        "weighted_objective": to_mean(lab.weighted_objective),
        "weighted.not_detached": to_mean(MISTAKES["weighted.not_detached"].formula),
        "dreg_objective": to_mean(lab.dreg_objective, stopped=True),
        "dreg.stl": to_mean(MISTAKES["dreg.stl"].formula, stopped=True),
        "stopped.nothing": to_mean(lab.dreg_objective),
        "piwae_objectives": to_mean(in_groups(lambda log_w: lab.piwae_objectives(log_w)[0])),
        "piwae, both backward": to_mean(in_groups(lab.piwae_objectives)),
    }
    return None, numbers


DRAWN = (
    cover,
    closed_form,
    ratios,
    groups,
    convex,
    pair,
    equation_14,
    asked,
    landing,
    bias,
    dreg,
    trained,
    mistakes,
)
