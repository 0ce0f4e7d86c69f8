"""A rare event by importance sampling: the student's estimates beside the exact values of each proposal."""

import math

import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from studies.importance import project
from studies.tables import print_table

DAYS = 70.0  # the event: the project takes longer
NUMBERS = (1_000, 10_000, 100_000, 1_000_000)  # of draws
REPETITIONS = 5
CRITICAL = torch.tensor([1, 1, 0, 1, 0, 0, 0, 0, 0, 1])  # 1 for the tasks of the path with the longest mean
SWEEP = torch.linspace(1.0, 5.0, 41, dtype=torch.float64)  # common factors
PILOT = 100_000  # draws with which factors are chosen
SMALLEST = 0.55  # of the factors that are tried: at 1/2 and below, the variance is infinite


def study(lab, out, model_file):
    """P(the project takes more than 70 days), by plain Monte Carlo and by importance sampling"""
    theta = lab.MEANS.double()  # [10]
    exact = project.tail(theta, lab.PREDECESSORS, DAYS).item()
    mean = project.mean_duration(theta, lab.PREDECESSORS).item()
    print(f"exactly: P(more than {DAYS:.0f} days) = {exact:.5g}; mean duration {mean:.4f} days", flush=True)
    sweep = [event_sample_size(lab, theta, theta * factor) for factor in bar(SWEEP, "factors of all")]
    common = torch.full_like(theta, SWEEP[int(np.argmax(sweep))])
    separate = climb(lab, theta, common)
    best = project.best_factors(theta, lab.PREDECESSORS, DAYS, len(theta))
    proposals = {
        "plain": torch.ones_like(theta),
        "all x 4": torch.full_like(theta, 4.0),
        "critical x 4": 1 + 3 * CRITICAL,
        f"all x {common[0]:.2f}, yours": common,
        "each own, yours": separate,
    }
    estimates = {name: repeated(lab, theta, theta * proposals[name]) for name in bar(proposals, "estimates")}
    best_common = project.best_factors(theta, lab.PREDECESSORS, DAYS, 1)
    optima = {f"all x {best_common.item():.2f}, best": best_common.expand_as(theta), "each own, best": best}
    rows = [row(lab, name, theta, factors, exact) for name, factors in {**proposals, **optima}.items()]
    print_table(f"each proposal, exactly, and {NUMBERS[1]:,} of its draws with your functions", rows)
    tasks = enumerate(zip(theta.tolist(), separate.tolist(), best.tolist()))
    print_table(
        "a factor for each task: by your effective sample size, and the optimum",
        [
            {"task": i, "mean": mean, "yours": f"{own:.2f}", "optimal": f"{right:.2f}"}
            for i, (mean, own, right) in tasks
        ],
    )
    return [
        draw_estimates(out / "rare_event.png", lab, theta, proposals, estimates, exact),
        draw_factors(out / "factors.png", lab, theta, sweep, exact),
    ]


def bar(values, description):
    return tqdm(values, desc=description, leave=False, disable=None)


def sampled(lab, theta, lam, n, seed=0):
    """f = 1{D > 70 days} and log_w of n draws from the proposal with means lam.  -> [n], [n]"""
    noise = torch.empty(n, len(theta)).exponential_(generator=torch.Generator().manual_seed(seed))
    t = noise * lam.float()  # [n, 10]
    f = (lab.project_duration(t) > DAYS).float()
    return f, lab.log_importance_ratio(t, theta.float(), lam.float())


def repeated(lab, theta, lam):
    """{n: [(estimate, standard error), one for each repetition]}"""
    found = {n: [] for n in NUMBERS}
    for seed in range(REPETITIONS):
        f, log_w = sampled(lab, theta, lam, max(NUMBERS), seed)
        for n in NUMBERS:
            pair = lab.importance_mean(f[:n], log_w[:n]), lab.standard_error(f[:n], log_w[:n])
            found[n].append(tuple(value.item() for value in pair))
    return found


def exact_sd(lab, theta, lam, exact):
    """The standard deviation of one draw of f w, exactly."""
    return math.sqrt(project.second_moment(theta, lam, lab.PREDECESSORS, DAYS).item() - exact**2)


def event_sample_size(lab, theta, lam, n=PILOT):
    """The effective sample size of the weights f w, as a share of the n draws; 0 where f is 0 in all of them."""
    f, log_w = sampled(lab, theta, lam, n)
    happened = log_w[f > 0]
    return lab.effective_sample_size(happened[:, None]).item() / n if len(happened) else 0.0


def climb(lab, theta, factors):
    """From these factors [10], change one after the other as long as the effective sample size of f w grows."""
    best = event_sample_size(lab, theta, theta * factors)
    for step in bar((1.5, 1.5, 1.2, 1.2, 1.1), "a factor for each task"):
        for task in range(len(theta)):
            for change in (step, 1 / step):
                tried = factors.clone()
                tried[task] *= change
                if tried[task] > SMALLEST and (size := event_sample_size(lab, theta, theta * tried)) > best:
                    factors, best = tried, size
    return factors


def row(lab, name, theta, factors, exact):
    lam, n = theta * factors, NUMBERS[1]
    sd = exact_sd(lab, theta, lam, exact) / exact
    f, log_w = sampled(lab, theta, lam, n)
    estimate, error = lab.importance_mean(f, log_w).item(), lab.standard_error(f, log_w).item()
    return {
        "proposal": name,
        "hits": f"{project.tail(lam, lab.PREDECESSORS, DAYS).item():.2g}",
        "sd / P": f"{sd:.1f}",
        "n for 1%": f"{(100 * sd) ** 2:.1e}",
        "1e5 P, yours": f"{1e5 * estimate:.2f}±{1e5 * error:.2f}",
        "ESS w": f"{lab.effective_sample_size(log_w[:, None]).item() / n:.1%}",
        "f w": f"{event_sample_size(lab, theta, lam):.2%}",
    }


def draw_estimates(path, lab, theta, proposals, estimates, exact):
    """Estimates with two standard errors to each side against n; the band is two exact ones about the exact value."""
    figure = Figure(figsize=(3.1 * len(proposals), 3.6), layout="constrained")
    for axes, (name, factors) in zip(figure.subplots(1, len(proposals), sharey=True), proposals.items()):
        sd = exact_sd(lab, theta, theta * factors, exact)
        n = np.geomspace(min(NUMBERS) / 2, max(NUMBERS) * 2)
        axes.fill_between(n, exact - 2 * sd / n**0.5, exact + 2 * sd / n**0.5, color="tab:green", alpha=0.2, lw=0)
        axes.axhline(exact, color="tab:green")
        for number, pairs in estimates[name].items():
            apart = number * 1.25 ** (np.arange(len(pairs)) - (len(pairs) - 1) / 2)
            values, errors = np.array(pairs).T
            axes.errorbar(apart, values, 2 * errors, fmt="o", ms=3, lw=1, color="tab:blue")
        axes.set(xscale="log", xlabel="n", ylim=(-0.5 * exact, 3 * exact))
        axes.set_title(name, fontsize=10)
    figure.axes[0].set_ylabel(f"P(more than {DAYS:.0f} days)")
    figure.suptitle("your estimates ± 2 estimated standard errors; green: exact ± 2 exact standard errors", fontsize=10)
    figure.savefig(path, dpi=120)
    return path


def draw_factors(path, lab, theta, sweep, exact):
    """The effective sample size of f w against the common factor: estimated [len(SWEEP)], and exact.

    exact: the probability of the event.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    shares = [exact**2 / project.second_moment(theta, theta * s, lab.PREDECESSORS, DAYS) for s in SWEEP]
    axes.plot(SWEEP, shares, color="tab:green", label="exact")
    axes.plot(SWEEP, sweep, ".", color="tab:blue", label=f"yours, n = {PILOT:,}")
    axes.axvline(SWEEP[int(np.argmax(sweep))], color="tab:blue", lw=0.8, ls="--", label="the largest of yours")
    axes.set(xlabel="factor of all means", ylabel="effective sample size of f w, share of n", yscale="log")
    axes.legend(fontsize=9)
    figure.savefig(path, dpi=120)
    return path
