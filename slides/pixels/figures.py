"""The figures and numbers of the deck `pixels`. They need no download, and minutes where no VAE is trained yet."""

import math
from functools import cache

import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import avg_pool2d, pad

from autograder import ROOT
from autograder.assignments.pixels import ASSIGNMENT
from data import load_grey
from evaluate import estimate
from studies.pixels import bits, logistic, vaes
from studies.pixels.logistic import LEVELS
from style import BLUE, GREEN, GREY, NAVY, ORANGE, SKY, canvas

lab = ASSIGNMENT.reference  # the solution
MISTAKES = ASSIGNMENT.misconceptions
WORK = ROOT / "runs" / "slides" / "pixels"
TRAIN, TEST = load_grey("patches")  # uint8 [N, C, H, W]
N = TEST[0].numel()
COLOURS = dict(zip(bits.PHOTOGRAPHS, (SKY, ORANGE)))
OF_MIXTURE = {1: BLUE, 5: GREEN}  # components


def log_p_of_levels(mu, s):
    """log P of the 256 levels under one logistic.  two numbers -> [256]"""
    return lab.discretized_logistic(LEVELS.double(), *(torch.tensor([a]).double() for a in (mu, math.log(s))))


def shares():
    """How often each level occurs in the test patches of each photograph.  {name: [256]}"""
    parts = zip(bits.PHOTOGRAPHS, TEST.chunk(len(bits.PHOTOGRAPHS)))
    return {name: torch.bincount(part.flatten(), minlength=256).double() / part.numel() for name, part in parts}


# A distribution over levels -------------------------------------------------------------------------------


def levels():
    """How often each level occurs in the two photographs."""
    figure, axes = canvas(5.6, 4.4)
    for name, share in shares().items():
        axes.step(LEVELS, 100 * share, where="mid", color=COLOURS[name], linewidth=1.5, label=name)
    axes.set(xlabel="level", ylabel="of the test patches, %", xlim=(-3, 258), yscale="log")
    axes.set_xticks((0, 64, 128, 192, 255))
    axes.legend(loc="upper center")
    return figure, {name: {"at_0": share[0].item(), "at_255": share[255].item()} for name, share in shares().items()}


def narrow(sigma, t):
    """log density at t of 256 Gaussians of equal weight, one at each level.  t [N] -> [N]"""
    return torch.logsumexp(Normal(LEVELS.double(), sigma).log_prob(t[:, None]), 1) - math.log(256)


def spikes():
    """A Gaussian at each level: bits per dimension of the test patches by its density, and by its bins."""
    figure, (left, right) = canvas(11.6, 3.5, 1, 2, width_ratios=(1, 1.35))
    t = torch.linspace(98, 102, 1601).double()
    left.fill_between(t, (256 * narrow(0.1, t).exp()), color=ORANGE, alpha=0.35, linewidth=0)
    left.plot(t, 256 * narrow(0.1, t).exp(), color=ORANGE)
    left.bar((99, 100, 101), 1, 1, facecolor="none", edgecolor=BLUE, linewidth=2.5)
    left.set(xlabel="$x$", xlim=(98.4, 101.6), xticks=(99, 100, 101), ylabel="256 times the density")
    share = torch.stack(list(shares().values())).mean(0)  # of the levels; both have as many patches
    sigmas = torch.logspace(-4, 2, 61).double().tolist()
    u = (torch.arange(20).double() + 0.5) / 20 - 0.5  # of the noise that makes levels continuous
    found = {"density": [], "noise": [], "bins": []}
    for sigma in sigmas:
        ends = torch.special.ndtr((LEVELS.double()[:-1, None] + 0.5 - LEVELS.double()) / sigma).mean(1)  # F at 254 ends
        p = torch.diff(ends, prepend=torch.zeros(1), append=torch.ones(1))
        noisy = narrow(sigma, (LEVELS.double()[:, None] + u).flatten()).view(256, -1).mean(1)
        for name, log_p in (("density", narrow(sigma, LEVELS.double())), ("noise", noisy), ("bins", p.log())):
            found[name].append(lab.bits_per_dim(-(share * log_p).sum(), 1).item())
    for values, color in zip(found.values(), (ORANGE, GREEN, BLUE)):
        right.plot(sigmas, values, color=color)
    right.text(0.02, 2.2, "density", color=ORANGE)
    right.text(0.12, 13, "density, noise added to $x$", color=GREEN)
    right.text(1.5e-4, 8.7, "bins", color=BLUE)
    right.axhline(0, color="black", linewidth=1)
    right.set(xscale="log", xlabel="$\\sigma$, grey levels", ylabel="“bits per dimension”", ylim=(-5, 16))
    right.set_yticks((-4, 0, 4, 8, 12, 16), ("−4", "0", "4", "8", "12", "16"))
    at = [f"sigma_{10**power:g}" for power in range(-4, 3)]
    return figure, {name: dict(zip(at, values[::10])) for name, values in found.items()}


MU, S, X = 103.2, 2.5, 100.0  # the handout's example


def bins():
    """A bin of the sigmoid is the probability of a level; and how far from the density it is."""
    figure, (left, middle, right) = canvas(11.6, 3.1, 1, 3)
    t = torch.linspace(88, 118, 400)
    left.plot(t, torch.sigmoid((t - MU) / S), color="black")
    ends = torch.tensor([X - 0.5, X + 0.5])
    for end, height in zip(ends.tolist(), torch.sigmoid((ends - MU) / S).tolist()):
        left.plot((end, end, 88), (0, height, height), color=BLUE, linewidth=1.5)
    left.set(xlabel="$t$", title="$F(t)$", xlim=(88, 118), ylim=(0, 1.02), xticks=(90, 100, 110))
    some = range(88, 119)
    heights = log_p_of_levels(MU, S).exp()[list(some)].tolist()
    middle.bar(some, heights, 0.8, color=[BLUE if level == X else "#B8B8B8" for level in some])
    middle.set(xlabel="$x$", title="$P(x)$", xticks=(90, 100, 110))
    scales = torch.logspace(-2, 1, 61).double()
    density = 1 / (4 * scales)  # at the centre
    p = [log_p_of_levels(X, s)[int(X)].exp().item() for s in scales.tolist()]
    right.plot(scales, density, color=ORANGE, label="density")
    right.plot(scales, p, color=BLUE, label="$P$")
    right.set(xscale="log", yscale="log", xlabel="$s$", title="at $x = \\mu$", ylim=(0.02, 40))
    right.legend(loc="upper right")
    return figure, {
        "example": log_p_of_levels(MU, S)[int(X)].item(),
        "at_1": log_p_of_levels(X, 1.0)[int(X)].item(),
        "density_at_0.01": density[0].item(),
        "p_at_0.01": p[0],
        "halves": log_p_of_levels(128.5, 0.01)[128].exp().item(),
    }


def edges():
    """What lies outside belongs to 0 and to 255; and very wide logistics."""
    figure, (left, right) = canvas(11.6, 3.1, 1, 2, width_ratios=(1, 1.2))
    whole = log_p_of_levels(0.3, 2.0).exp()
    without = (
        MISTAKES["logistic.no_edges"]
        .formula(LEVELS.double(), torch.tensor(0.3).double(), torch.tensor(2.0).double().log())
        .exp()
    )
    some = list(range(12))
    left.bar(some, whole[some].tolist(), 0.8, color=BLUE, label="with edges")
    left.bar(some, without[some].tolist(), 0.8, color="none", edgecolor=ORANGE, linewidth=2, label="without")
    left.set(xlabel="$x$", title="$\\mu = 0.3$, $s = 2$", xticks=(0, 5, 10))
    left.legend(loc="upper right")
    numbers = {"sum": whole.sum().item(), "sum_without": without.sum().item()}
    for s, color in zip((10.0, 50.0, 1000.0), (SKY, BLUE, GREEN)):
        p = log_p_of_levels(127.5, s).exp()
        right.step(LEVELS, p, where="mid", color=color, label=f"s = {s:g}")
        numbers[f"s_{s:g}"] = {"at_0": p[0].item(), "sum": p.sum().item()}
    right.set(xlabel="$x$", title="$\\mu = 127.5$", yscale="log", xticks=(0, 64, 128, 192, 255), ylim=(5e-5, 3))
    right.legend(loc="upper center", ncols=3, columnspacing=1)
    mean = (log_p_of_levels(250.0, 30.0).exp() * LEVELS).sum().item()
    return figure, numbers | {
        "mean_of_250": mean,
        "zero": log_p_of_levels(10.0, 4.0)[0].item(),
        "last": log_p_of_levels(240.0, 6.0)[255].item(),
    }


# Far from the centre --------------------------------------------------------------------------------------

CENTRE, SCALE = 128.0, 1.0
LOOKS = (BLUE, "-"), (ORANGE, "-"), (GREY, "--")  # of the three forms


def far():
    """log P and its gradient to mu in single precision, by three forms."""
    figure, (left, right) = canvas(11.6, 2.4, 1, 2)
    found = logistic.forms(lab, LEVELS, CENTRE, SCALE)
    for (value, gradient), (color, style) in zip(found.values(), LOOKS):
        left.plot(LEVELS, value.where(value.isfinite(), torch.nan), color=color, linestyle=style)
        right.plot(LEVELS, gradient, color=color, linestyle=style)
    left.set(xlabel="$x$", title=r"$\log P(x)$", ylim=(-135, 8))
    left.set_yticks((0, -50, -100), ("0", "−50", "−100"))
    right.set(xlabel="$x$", title=r"$\partial \log P(x) \, / \, \partial \mu$", ylim=(-1.3, 1.3))
    right.set_yticks((-1, 0, 1), ("−1", "0", "1"))
    left.text(205, -60, "stable", color=BLUE)
    left.text(100, -95, "difference", color=ORANGE)
    left.text(196, -9, "+ 1e-7", color=GREY)
    for axes in (left, right):
        axes.set_xticks((0, 64, 128, 192, 255))
    numbers = {"rows": {}, "lost": {}}
    for x in (140, 160, 60):
        numbers["rows"][f"x_{x}"] = {
            name: {"value": f"{value[x]:.2f}", "gradient": f"{gradient[x]:.3f}"}  # JSON has no nan
            for name, (value, gradient) in found.items()
        }
    for precision, dtype in (("single", torch.float32), ("double", torch.float64)):
        for side, sign in (("above", 1), ("below", -1)):
            x = CENTRE + sign * torch.arange(1000, dtype=dtype)
            value = logistic.forms(lab, x, CENTRE, SCALE)["log of the difference"][0]
            numbers["lost"][f"{side}_in_{precision}"] = int(value.isinf().int().argmax())  # scales from mu
    example = with_both_gradients(128.0, 10.0, 0.5)
    return figure, numbers | {"example": example}


def with_both_gradients(x, mu, s):
    """log P in single precision, and its gradients to mu and log_s."""
    mu, log_s = torch.tensor(mu, requires_grad=True), torch.tensor(s).log().requires_grad_()
    value = lab.discretized_logistic(torch.tensor(x), mu, log_s)
    to_mu, to_log_s = torch.autograd.grad(value, (mu, log_s))
    return {"value": value.item(), "to_mu": to_mu.item(), "to_log_s": to_log_s.item()}


# Bits per dimension ---------------------------------------------------------------------------------------


def article():
    """The article's figures, and what its log-likelihoods are in bits."""
    return None, {
        name: {
            "log_p": log_p,
            "stated": stated,
            "nats": -log_p / n,
            "bits": lab.bits_per_dim(torch.tensor(-log_p, dtype=torch.float64), n).item(),
            "uniform_nats": n * math.log(256),
        }
        for name, (log_p, n, stated) in bits.ARTICLE.items()
    }


BASELINES = {
    "uniform levels": "uniform levels",
    "histogram of each colour": "histogram",
    "PNG, a file for each patch": "PNG, each patch",
    "PNG, one for each photograph": "PNG, each photograph",
    "WebP, lossless, a file for each patch": "WebP, each patch",
    "WebP, lossless, one for each photograph": "WebP, each photograph",
}


@cache
def baselines():
    """{short name: bits per dimension of each test patch [N]}"""
    return {BASELINES[name]: found for name, found in bits.baselines(lab, TRAIN, TEST)}


def of_photographs(found):
    """The mean of all patches, and of each photograph's."""
    parts = zip(bits.PHOTOGRAPHS, found.chunk(len(bits.PHOTOGRAPHS)))
    return {name: part.mean().item() for name, part in parts} | {"both": found.mean().item()}


def codecs():
    """The test part of the two photographs, and what each needs without a network."""
    figure, (china, flower, right) = canvas(11.6, 4.6, 1, 3, width_ratios=(1, 1, 4.4))
    for axes, name, patches in zip((china, flower), bits.PHOTOGRAPHS, TEST.chunk(2)):
        small = avg_pool2d(bits.strip(patches) / 255, 2)
        axes.imshow(small.movedim(0, -1).numpy())
        axes.set_axis_off()
        axes.set_title(name, color=COLOURS[name])
    numbers = {name: of_photographs(found) for name, found in baselines().items()}
    for y, means in zip(range(len(numbers), 0, -1), numbers.values()):
        for shift, name in zip((0.2, -0.2), bits.PHOTOGRAPHS):
            right.barh(y + shift, means[name], 0.36, color=COLOURS[name])
            right.text(means[name] + 0.1, y + shift, f"{means[name]:.2f}", va="center", fontsize=13)
    right.set(yticks=range(len(numbers), 0, -1), yticklabels=numbers, xlabel="bits per dimension", xlim=(0, 9.3))
    right.tick_params(axis="y", length=0)
    noise = torch.randint(256, TEST[0].shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for name, options in bits.CODECS.items():
        numbers[name] = {
            "constant": bits.coded_bits(torch.full_like(TEST[0], 128), **options) / N,
            "noise": bits.coded_bits(noise, **options) / N,
        }
    own, of_test = TRAIN.chunk(2)[0], TEST.chunk(2)[0]  # china's
    for name, part in (("own_train", own), ("own_test", of_test)):
        nll = bits.histogram_nll(part, of_test)
        numbers["histogram"][name] = lab.bits_per_dim(nll, N).mean().item()
    return figure, numbers


# The VAEs -------------------------------------------------------------------------------------------------


@cache
def vae(components):
    """The lab's VAE with so many logistics."""
    return vaes.trained(lab, WORK / f"vae-{components}", components)


@cache
def measured(components):
    """Nats of each test patch: log p(x) with k = 500 samples, the ELBO, and KL(q || p).  three [N]"""
    model = vae(components)
    log_p, elbo, _ = estimate(lab, model, TEST.float(), vaes.TEST_K)
    with torch.no_grad():
        q = Independent(Normal(*model.encoder(TEST.float())), 1)
    return log_p, elbo, kl_divergence(q, Independent(Normal(torch.zeros_like(q.mean), 1.0), 1)).double()


def weights():
    """What the bits of the VAEs are made of."""
    numbers = {}
    for components in vaes.MIXTURES:
        log_p, elbo, kl = (lab.bits_per_dim(nats, N) for nats in measured(components))
        parts = {"nll": -log_p, "minus_elbo": -elbo, "kl": kl, "minus_log_p_x_given_z": -elbo - kl}
        numbers[f"M_{components}"] = {name: of_photographs(found) for name, found in parts.items()}
        numbers[f"M_{components}"]["nats"] = {"nll": -measured(components)[0].mean().item()}
    gain = lab.bits_per_dim(measured(5)[0] - measured(1)[0], N)
    return None, numbers | {"gain": {"mean": gain.mean().item(), "error": (gain.std() / len(gain) ** 0.5).item()}}


def table():
    """Bits per dimension of the test patches by all that was measured, and the article's."""
    figure, axes = canvas(11.6, 4.6)
    found = {name: (means.mean().item(), GREY) for name, means in baselines().items()}
    for components in vaes.MIXTURES:
        name = f"VAE, {components} logistic{'s' * (components > 1)}"
        found[name] = -lab.bits_per_dim(measured(components)[0], N).mean().item(), OF_MIXTURE[components]
    found["the article’s VAE, CIFAR-10"] = article()[1]["CIFAR-10"]["bits"], ORANGE
    found = dict(sorted(found.items(), key=lambda item: -item[1][0]))
    for y, (value, color) in zip(range(len(found), 0, -1), found.values()):
        axes.barh(y, value, 0.7, color=color)
        axes.text(value + 0.08, y, f"{value:.2f}", va="center")
    axes.set(yticks=range(len(found), 0, -1), yticklabels=found, xlabel="bits per dimension", xlim=(0, 10.4))
    axes.tick_params(axis="y", length=0)
    return figure, {name: value for name, (value, _) in found.items()}


SHOWN = (100, 0, 8), vaes.PLACES[1], vaes.PLACES[0]  # patch, row, column: the first was searched for its two peaks


def mixtures():
    """P of the 256 levels of three dimensions by one logistic and by five."""
    figure, panels = canvas(11.6, 3.2, 1, 3, sharey=True)
    numbers = {}
    for axes, (patch, i, j) in zip(panels, SHOWN):
        x = TEST[patch : patch + 1].float()
        level = int(x[0, vaes.GREEN, i, j])
        numbers[f"patch_{patch}"] = {"level": level}
        for components in vaes.MIXTURES:
            log_p = vaes.log_p_of_levels(lab, vae(components), x, i, j)
            axes.plot(LEVELS, log_p.exp(), color=OF_MIXTURE[components], label=f"M = {components}")
            numbers[f"patch_{patch}"][f"M_{components}"] = log_p[level].item()
        axes.axvline(level, color="black", linewidth=1.5, linestyle=":")
        axes.set(yscale="log", ylim=(1e-5, 2), xlabel="level of green", xticks=(0, 64, 128, 192, 255))
        axes.set_title(f"{bits.PHOTOGRAPHS[patch * 2 // len(TEST)]}, patch {patch}")
    panels[0].set_ylabel("$P$")
    panels[1].legend(loc="upper right")
    gain = log_p_of_test(5) - log_p_of_test(1)
    return figure, numbers | {
        "five_better": (gain > 0).double().mean().item(),
        "nats": gain.double().mean().item(),
        "best_tenth": gain.flatten().topk(gain.numel() // 10).values.mean().item(),
    }


@torch.no_grad()
def log_p_of_test(components):
    """log P of every dimension of the test patches, at z = mu of q.  [N, C, H, W]"""
    model, x = vae(components), TEST.float()
    return lab.mixture_log_likelihood(x, *(a[0] for a in model.decoder(model.encoder(x)[0][None])))


SOME = [20, 70, 92, 100, 116, 125, 133, 140, 158, 180, 204, 230, 300, 413]  # test patches that are shown


def graininess(images):
    """How far neighbours in a row differ on average, in grey levels.  [n, C, H, W] -> a number"""
    return images.diff(dim=-1).abs().mean().item()


@torch.no_grad()
def samples():
    """Means and draws of p(x | z), for test patches and for the prior."""
    figure, axes = canvas(11.6, 4.4)
    some = TEST[SOME].float()
    z = torch.randn(len(some), vae(5).d_latent, generator=torch.Generator().manual_seed(3))
    rows, numbers = {"test patches": some}, {"levels": {"test": graininess(TEST.float())}}
    for name, latents in (("", vae(5).encoder(some)[0]), ("prior: ", z)):
        rows[f"{name}means"] = vae(5).sample(latents)
        rows[f"{name}draws"] = vaes.drawn(lab, vae(5), latents)
    axes.imshow(mosaic(rows.values(), (1.0, 1.0, 1.0)))
    axes.set_yticks([4 * (9 + 18 * i) for i in range(len(rows))], rows)
    axes.set(xticks=[])
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    for components in vaes.MIXTURES:
        mu, _ = vae(components).encoder(TEST.float())
        images = {"means": vae(components).sample(mu), "draws": vaes.drawn(lab, vae(components), mu)}
        numbers["levels"][f"M_{components}"] = {name: graininess(found) for name, found in images.items()}
    return figure, numbers


def mosaic(rows, background):
    """Rows of patches as one picture with gaps.  several [n, 3, H, W] -> [height, width, 3], 0 ... 1"""
    lines = [torch.cat(list(pad(row / 255, (1, 1, 1, 1), value=-1.0)), 2) for row in rows]
    picture = torch.cat(lines, 1).movedim(0, -1)
    picture = torch.where(picture < 0, torch.tensor(background), picture)
    return picture.repeat_interleave(4, 0).repeat_interleave(4, 1).numpy()  # else a page's renderer blurs it


@torch.no_grad()
def cover():
    """Test patches, and below each the mean and a draw that its latent is decoded to."""
    figure = Figure(figsize=(11.55, 2.48), facecolor=NAVY)
    axes = figure.add_axes((0, 0, 1, 1))
    some = TEST[SOME].float()
    z = vae(5).encoder(some)[0]
    axes.imshow(mosaic((some, vae(5).sample(z), vaes.drawn(lab, vae(5), z)), to_rgb(NAVY)))
    axes.set_axis_off()
    return figure, {}


@torch.no_grad()
def in_training():
    """How many dimensions of the test patches the other forms lose in the trained VAE, in single precision."""
    _, mu, log_s = (a[0, ..., 0] for a in vae(1).decoder(vae(1).encoder(TEST.float())[0][None]))
    x = TEST.float()
    p = logistic.difference(x, mu, log_s.exp())
    edges = (x == 0) | (x == 255)
    no_edges = MISTAKES["logistic.no_edges"].formula(x, mu, log_s)
    more = (lab.discretized_logistic(x, mu, log_s) - no_edges).flatten(1).sum(1)
    return None, {
        "lost": (p <= 0).double().mean().item(),
        "patches": (p <= 0).flatten(1).any(1).sum().item(),
        "of": len(TEST),
        "edges": edges.double().mean().item(),
        "bits_without_edges": lab.bits_per_dim(more.mean(), N).item(),
    }


# Numbers without a figure ---------------------------------------------------------------------------------


def mistakes():
    """What wrong answers give on the handout's own numbers: {id: number}, and {function: the right one}."""
    level = {
        "edge": (0.0, 10.0, math.log(4)),
        "inside": (100.0, 103.2, math.log(2.5)),
        "narrow": (128.0, 128.5, math.log(0.01)),
        "far": (0.0, 200.0, math.log(3)),
    }
    numbers = {}
    for name, id in (
        ("edge", "logistic.no_edges"),
        ("inside", "logistic.log_variance"),
        ("narrow", "logistic.density"),
        ("far", "logistic.epsilon"),
    ):
        given = [torch.tensor(a) for a in level[name]]
        numbers[name] = lab.discretized_logistic(*given).item()
        numbers[id] = MISTAKES[id].formula(*given).item()
    nll, n = torch.tensor(3072 * math.log(256), dtype=torch.float64), 3072
    numbers["bits_per_dim"] = lab.bits_per_dim(nll, n).item()
    numbers["bits.nats"] = MISTAKES["bits.nats"].formula(nll, n).item()
    mixture = [torch.tensor(a) for a in (90.0, (0.5, 0, -0.3), (88.0, 90, 93), (1, 0.5, 1.2))]
    numbers["mixture_log_likelihood"] = lab.mixture_log_likelihood(*mixture).item()
    for id in ("mixture.mean_of_logs", "mixture.best_only"):
        numbers[id] = MISTAKES[id].formula(*mixture).item()
    drawn = [torch.tensor(a) for a in (3.0, math.log(4), 0.9)]
    numbers["sample_logistic"] = lab.sample_logistic(*drawn).item()
    numbers["sample.mirrored"] = MISTAKES["sample.mirrored"].formula(*drawn).item()
    model = lab.PixelVAE()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    x, eps = torch.full((1, 3, 16, 16), 128.0), torch.zeros(1, 1, 32)
    with torch.no_grad():
        numbers["log_weights"] = model.log_weights(x, eps).item()
        numbers["weights.colour_mean"] = MISTAKES["weights.colour_mean"].formula(model, x, eps).item()
    return None, numbers


DRAWN = (
    cover,
    levels,
    spikes,
    bins,
    edges,
    far,
    in_training,
    article,
    codecs,
    mixtures,
    weights,
    samples,
    table,
    mistakes,
)
