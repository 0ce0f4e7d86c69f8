"""The figures and numbers of the deck `hierarchical`. They need MNIST, and minutes where its models are not trained."""

import json
import math
from functools import cache

import torch
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from autograder import ROOT
from autograder.assignments.hierarchical import ASSIGNMENT, oracles, table
from autograder.assignments.hierarchical.figures import without_labels
from autograder.grading.quadrature import tensor_grid
from data import CLASSES, binarize, load_labels, load_test
from studies.hierarchical.latents import ACTIVE, joined, posterior_means, q_means
from studies.hierarchical.runs import trained
from studies.hierarchical.units import NUMBERS, activity_of_layers
from style import BLUE, GREEN, GREY, NAVY, ORANGE, SKY, canvas, show_image
from visualize import SIDE, shade, tile

lab = ASSIGNMENT.reference  # the solution
MISTAKES = ASSIGNMENT.misconceptions
WORK = ROOT / "runs" / "slides" / "hierarchical"
TABLE = json.loads((ROOT / "solutions" / "labs" / "hierarchical-table.json").read_text())  # measured on a GPU


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


EPOCHS = 12  # three times those of the lab


@cache
@torch.enable_grad()
def two_layers():
    """The lab's model."""
    return trained(lab, WORK, epochs=EPOCHS)


@cache
@torch.enable_grad()
def labelled():
    """The lab's model of images with labels, a mean and a sigma of the prior for each."""
    return trained(lab, WORK, conditional="label", epochs=EPOCHS)


@cache
def test_set():
    """x [N, P], y [N, C] and the classes [N] of the test images."""
    return *load_test("mnist", with_labels=True), load_labels("mnist")[1]


# Two layers -----------------------------------------------------------------------------------------------

COLUMNS = 12  # of images on the title slide


@torch.no_grad()
def cover():
    """Images of the model in the colours of the title slide: in each column one z2, with two draws of z1."""
    model = two_layers()
    eps = torch.cat([noise(2 * COLUMNS, model.d1), noise(COLUMNS, model.d2, seed=1).repeat(2, 1)], 1)
    figure = Figure(figsize=(11.55, 2.0), facecolor=NAVY)
    axes = figure.add_axes((0, 0, 1, 1))
    navy = LinearSegmentedColormap.from_list("navy", [NAVY, "white"])
    images = shade(model.sample(eps)).view(2, COLUMNS, SIDE, SIDE).permute(0, 2, 1, 3)
    axes.imshow(images.reshape(2 * SIDE, COLUMNS * SIDE).numpy(), cmap=navy, vmin=0, vmax=1)
    axes.set_axis_off()
    return figure, {}


def dependence(z):
    """How many nats a Gaussian with the covariance of z [n, D] is from one whose units are independent."""
    return -0.5 * torch.logdet(torch.corrcoef(z.T.double())).item()


@torch.no_grad()
def prior():
    """z1 as q makes it of images, as the model draws it, and as independent units would: on one plane."""
    model, (x, _, _) = two_layers(), test_set()
    mu, sigma = joined([dict(zip(("mu", "sigma"), model.q_z1(images))) for images in x.split(1000)]).values()
    of_q = mu + sigma * noise(*mu.shape)
    below, spread = model.p_z1(noise(len(x), model.d2, seed=1))
    of_p = below + spread * noise(*below.shape, seed=2)
    independent = of_q.mean(0) + of_q.std(0) * noise(*of_q.shape, seed=3)
    sets = {"$q(z_1 | x)$, test images": of_q, "$p(z_1)$, two layers": of_p, "units independent": independent}
    planes = lab.principal_components(torch.cat([*sets.values()]), 2).split(len(x))
    figure, panels = canvas(11.6, 3.7, 1, 3, sharex=True, sharey=True)
    for axes, title, plane, color in zip(panels, sets, planes, (ORANGE, BLUE, GREY)):
        axes.plot(*plane[:1500].T, ".", color=color, markersize=3.5, alpha=0.5, markeredgewidth=0, rasterized=True)
        axes.set(title=title, xticks=[], yticks=[], xlabel="first component")
    panels[0].set_ylabel("second component")
    names = ("q", "p", "independent")
    return figure, {"images": len(x), **{name: dependence(z) for name, z in zip(names, sets.values())}}


def graph():
    """The model from the top down, and q from the image up."""
    figure, axes = canvas(4.6, 5.0)
    for x, color, name in ((0, BLUE, "p"), (2.4, ORANGE, "q")):
        for y, node in ((4, "$z_2$"), (2, "$z_1$"), (0, "$x$")):
            is_given = name == "q" and y == 0
            axes.scatter(x, y, s=2300, facecolor=color if is_given else "white", edgecolor=color, linewidth=3, zorder=2)
            axes.text(x, y, node, ha="center", va="center", fontsize=22, color="white" if is_given else "black")
        look = {"arrowstyle": "-|>", "color": color, "linewidth": 3, "mutation_scale": 25, "shrinkA": 26, "shrinkB": 26}
        for y in (4, 2):
            ends = ((x, y - 2), (x, y)) if name == "p" else ((x, y), (x, y - 2))
            axes.annotate("", *ends, arrowprops=look)
    terms = ("$N(0, I)$", "$p(z_1 | z_2)$", "$p(x | z_1)$"), ("", "$q(z_2 | z_1)$", "$q(z_1 | x)$")
    for x, words, color in zip((0.15, 2.55), terms, (BLUE, ORANGE)):
        for y, word in zip((4.7, 3, 1), words):
            axes.text(x if y < 4 else x - 0.15, y, word, color=color, va="center", ha="left" if y < 4 else "center")
    axes.set(xlim=(-0.7, 4.1), ylim=(-0.6, 5.0))
    axes.set_axis_off()
    return figure, {}


def small_model():
    """One unit in each layer and three pixels: z1 = 1.2 z2 + 0.5 + 0.6 noise, and an imperfect q.  -> model, x"""
    model = ASSIGNMENT.model("TwoLayerIWAE", {"d_data": 3, "d1": 1, "d2": 1, "hidden1": (1,), "hidden2": ()})
    weights = {
        "p_z1.mu.weight": 1.2,
        "p_z1.mu.bias": 0.5,
        "p_z1.log_sigma.bias": math.log(0.6),
        "q_z1.mu.bias": 1.2,
        "q_z1.log_sigma.bias": math.log(1.2),
        "q_z2.mu.weight": 0.6,
        "q_z2.mu.bias": -0.3,
        "q_z2.log_sigma.bias": math.log(0.6),
        "decoder.body.0.weight": 1,
    }
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(weights.get(name, 0))
        model.decoder.head.weight.copy_(torch.tensor([[3], [-2], [2]]))
    return model, torch.tensor([[1.0, 0.0, 1.0]]).double()


VERSIONS = {  # {id of the wrong answer, or "": what the figure calls it, its colour, how far above its line}
    "": ("right", GREEN, 0.08),
    "two.no_q_z2": (r"no $q(z_2 | z_1)$", ORANGE, 0),
    "two.standard_for_z1": (r"$N(0, I)$ for $p(z_1 | z_2)$", BLUE, 0),
    "two.p_z1_at_mean": (r"$p(z_1 | \cdot)$ at $\mu_2$", GREY, 0),
    "two.z2_of_mean": (r"$q(z_2 | \cdot)$ at $\mu_1$", SKY, -0.08),
}


@torch.no_grad()
def evidence():
    """The logarithm of the mean weight against the number of samples, right and wrong, beside log p(x)."""
    model, x = small_model()
    exact = oracles.two_layer_evidence(oracles.Networks(model.state_dict()), x).log().item()
    points, chances = tensor_grid(2, 80)  # [2, n], [n]
    eps = noise(100_000, 1, 2).double()
    n = torch.arange(1, len(eps) + 1)
    shown = (10 ** torch.linspace(1, 5, 200)).long() - 1
    figure, axes = canvas(7.0, 4.6)
    numbers = {"exact": exact, "P": math.exp(exact)}
    for id, (name, color, above) in VERSIONS.items():
        log_weights = MISTAKES[id].formula.__get__(model) if id else model.log_weights
        running = torch.logcumsumexp(log_weights(x, eps)[:, 0], 0) - n.log()
        limit = torch.logsumexp(chances.log() + log_weights(x, points.T[:, None])[:, 0], 0).item()
        axes.plot(n[shown], running[shown], color=color)
        axes.text(1.3e5, limit + above, name, color=color, va="center")
        numbers[id or "right"] = {"limit": limit, "one": log_weights(x, torch.ones(1, 1, 2).double()).item()}
    axes.axhline(exact, color="black", linewidth=1.2, linestyle="--")
    axes.text(9e4, exact + 0.03, r"$\log p(x)$", ha="right", va="bottom")
    axes.set(xscale="log", xlabel="samples", ylabel="log of the mean weight", ylim=(-1.9, 0.6), xlim=(10, 1e5))
    return figure, numbers


# Samples --------------------------------------------------------------------------------------------------

ROWS, DRAWS = 5, 9  # z2 on the slide, and draws of z1 for each


@torch.no_grad()
def ancestral():
    """One z2 in each row: decoded at the mean of z1, then at draws of it."""
    model = two_layers()
    eps2 = noise(ROWS, model.d2, seed=3).repeat_interleave(DRAWS + 1, 0)
    eps1 = noise(ROWS, DRAWS + 1, model.d1, seed=4)
    eps1[:, 0] = 0
    images = shade(model.sample(torch.cat([eps1.flatten(0, 1), eps2], 1)))
    figure, (left, right) = canvas(8.2, 4.3, 1, 2, "compressed", width_ratios=(1, DRAWS))
    images = images.view(ROWS, DRAWS + 1, -1)
    show_image(left, tile(images[:, 0], 1), "mean")
    show_image(right, tile(images[:, 1:].flatten(0, 1), DRAWS), "draws of $z_1$, the same $z_2$ in a row")
    return figure, {"z2": ROWS, "draws": DRAWS, "variance": shares_of_variance(model)}


@torch.no_grad()
def shares_of_variance(model, n=1000, draws=30):
    """How much of the variance of a drawn image's pixels, added up, is decided by z2, by z1 and by the pixels."""
    within, means, own = 0.0, [], 0.0
    for some in noise(n, model.d2, seed=5).split(100):
        eps2 = some.repeat_interleave(draws, 0)
        eps = torch.cat([noise(len(eps2), model.d1, seed=len(means) + 6), eps2], 1)
        probability = shade(model.sample(eps)).view(len(some), draws, -1)
        own += (probability * (1 - probability)).mean((0, 1)).sum().item() * len(some) / n
        within += probability.var(1).mean(0).sum().item() * len(some) / n
        means.append(probability.mean(1))
    between = torch.cat(means).var(0).sum().item() - within / draws  # a mean of draws has some of their variance
    parts = {"z2": between, "z1": within, "pixels": own}
    return {name: part / sum(parts.values()) for name, part in parts.items()}


@torch.no_grad()
def samples():
    """Draws of the model, the mean function at the same latents, and that at the mean of z1."""
    model, side = two_layers(), 6
    eps = noise(side * side, model.d_latent, seed=8)
    still = torch.cat([torch.zeros(side * side, model.d1), eps[:, model.d1 :]], 1)
    drawn, mean = shade(model.sample(eps)), shade(model.sample(still))
    pixels = binarize(drawn, torch.Generator().manual_seed(0))
    figure, panels = canvas(11.6, 4.1, 1, 3, "compressed")
    titles = ("$x$ drawn", "mean of $p(x | z_1)$", "the same at the mean of $z_1$")
    for axes, images, title in zip(panels, (pixels, drawn, mean), titles):
        show_image(axes, tile(images, side), title)
    many = noise(2000, model.d_latent, seed=9)
    still = torch.cat([torch.zeros(len(many), model.d1), many[:, model.d1 :]], 1)
    variances = [shade(model.sample(each)).var(0).sum().item() for each in (many, still)]
    return figure, {"images": len(many), "lost": 1 - variances[1] / variances[0]}


# Labels ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def labels():
    """Images of the model with labels: a class in each column, the same noise in each row."""
    model = labelled()
    eps = noise(4, model.d_latent, seed=2).repeat_interleave(CLASSES, 0)
    images = shade(model.sample(eps, torch.eye(CLASSES).repeat(4, 1)))
    figure, axes = canvas(8.4, 3.6, layout="compressed")
    show_image(axes, tile(images, CLASSES))
    return figure, {}


IMAGES, K = 1000, 1000  # test images, and samples of q for each, a tenth of them for each label


@cache
def given_each_label():
    """Of the first test images: log p(x | y) for each label y [C, N], and log p(x) [N], in nats."""
    x, _, _ = test_set()
    found = without_labels(lab, labelled(), x[:IMAGES], K)
    return found["log_p_given_y"], found["log_p_without_labels"]


def label_worth():
    """log p(x | y) for the ten labels: an image whose label is clear, and two that are taken for another."""
    given, log_p = given_each_label()
    x, _, classes = test_set()
    classes = classes[:IMAGES]
    guessed = given.argmax(0)
    of_label = given.gather(0, classes[None])[0]
    wrong = (guessed != classes).nonzero()[:, 0]
    chosen = [0, *wrong[(given.amax(0) - of_label)[wrong].argsort()[[len(wrong) // 2, -1]]].tolist()]
    figure, panels = canvas(11.6, 3.3, 1, 6, "constrained", width_ratios=(1, 2.1) * 3)
    numbers = {"images": IMAGES, "samples": K // CLASSES}
    for picture, axes, i in zip(panels[::2], panels[1::2], chosen):
        show_image(picture, x[i].view(SIDE, SIDE))
        nats = given[:, i] - given[:, i].max()
        colors = [ORANGE if y == classes[i] else BLUE for y in range(CLASSES)]
        axes.bar(range(CLASSES), nats + 45, bottom=-45, color=colors)
        axes.set(ylim=(-45, 2), xticks=range(CLASSES), xlabel="label $y$", yticks=(-40, -20, 0))
        axes.tick_params(axis="x", length=0, labelsize=13)
        numbers[f"image_{i}"] = {
            "class": classes[i].item(),
            "guessed": guessed[i].item(),
            "lower": -nats[classes[i]].item(),
        }
    panels[1].set_ylabel(r"$\log p(x | y)$ below the best")
    return figure, numbers | {
        "given": of_label.mean().item(),
        "unknown": log_p.mean().item(),
        "worth": (of_label - log_p).mean().item(),
        "median": (of_label - log_p).median().item(),
        "accuracy": (guessed == classes).double().mean().item(),
    }


# Latents --------------------------------------------------------------------------------------------------


def units():
    """The activity of all units against the samples in training; and what is left of it on another scale of z1."""
    x, _, _ = test_set()
    figure, panels = canvas(6.4, 4.4, 1, 2, sharey=True)
    numbers = {"images": len(x)}
    for k, color in zip(NUMBERS, (SKY, BLUE, NAVY)):
        layers = activity_of_layers(lab, trained(lab, WORK, k), x)
        for axes, (layer, found) in zip(panels, layers.items()):
            axes.plot(
                range(1, len(found) + 1), found.sort(descending=True).values, "o-", ms=4, color=color, label=f"k = {k}"
            )
            axes.set(yscale="log", xlabel="unit", title=f"$z_{layer[-1]}$")
        above = (layers["z2"] > 0.1).sum().item()
        numbers[f"k_{k}"] = {layer: active(found) for layer, found in layers.items()} | {"z2_above_0.1": above}
    for axes in panels:
        axes.axhline(ACTIVE, color=ORANGE, linewidth=1.5, linestyle="--")
    panels[0].set_ylabel("activity")
    panels[1].legend(loc="upper right", fontsize=13)
    rows = TABLE["rows"]
    counted = {title: {f"k_{k}": rows[title][str(k)]["active"] for k in table.COLUMNS} for title in rows}
    return figure, numbers | {"rescaled": rescaled(two_layers(), x), "table": counted}


def active(activity):
    return (activity > ACTIVE).sum().item()


@torch.no_grad()
def rescaled(model, x, factor=0.01):
    """The same model with z1 measured in other units: how much log w changes, and how many units of z1 are active."""
    other = lab.TwoLayerIWAE(784, model.d1, model.d2, *hidden_of(model))
    other.load_state_dict(model.state_dict())
    for part in (other.q_z1, other.p_z1):
        part.mu.weight *= factor
        part.mu.bias *= factor
        part.log_sigma.bias += math.log(factor)
    for part in (other.q_z2, other.decoder):
        part.body[0].weight /= factor
    x_few, eps = x[:100], noise(5, 100, model.d_latent)
    change = (other.log_weights(x_few, eps) - model.log_weights(x_few, eps)).abs().max().item()
    counts = [active(lab.activity(q_means(each, x)["z1"])) for each in (model, other)]
    return {
        "factor": factor,
        "change_below": 0.01 if change < 0.01 else change,
        "before": counts[0],
        "after": counts[1],
    }


def hidden_of(model):
    """hidden1 and hidden2 of a TwoLayerIWAE."""
    return [
        [layer.out_features for layer in part.body if hasattr(layer, "out_features")]
        for part in (model.q_z1, model.q_z2)
    ]


def components():
    """Principal components of the posterior means of both layers, coloured by class."""
    n, shown, samples, neighbours = 2000, 1000, 100, 10
    x, _, classes = test_set()
    means = posterior_means(two_layers(), x[:n], samples)
    figure, panels = canvas(11.6, 4.4, 1, 2)
    numbers = {"images": n, "samples": samples, "neighbours": neighbours}
    for axes, (layer, mean) in zip(panels, means.items()):
        scores = lab.principal_components(mean, min(mean.shape))
        share = (scores[:, :2].var(0).sum() / scores.var(0).sum()).item()
        look = {"c": classes[:shown], "cmap": "tab10", "s": 16, "linewidth": 0, "antialiased": False}
        axes.scatter(*scores[:shown, :2].T.numpy(), rasterized=True, **look)
        axes.set(title=f"$z_{layer[-1]}$: {share:.0%} of the variance".replace("%", " %"), xticks=[], yticks=[])
        axes.set(xlabel="first component", ylabel="second component")
        known = KNeighborsClassifier(neighbours)
        accuracy = {d: cross_val_score(known, scores[:, :d], classes[:n], cv=5).mean() for d in (2, mean.shape[1])}
        numbers[layer] = {"share": share, "plane": accuracy[2], "all": accuracy[mean.shape[1]]}
    for digit in range(CLASSES):
        panels[1].plot([], [], "o", color=colormaps["tab10"](digit), label=digit)
    panels[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=14, handletextpad=0.2)
    return figure, numbers


# The paper's table ----------------------------------------------------------------------------------------


def paper_table():
    """The table that was measured: NLL of each row, the published figure, and the labels that are right."""
    numbers = {}
    for title, (papers, reproduction) in table.PUBLISHED.items():
        results = TABLE["rows"][title]
        numbers[title] = {
            f"k_{k}": {
                "nll": results[str(k)]["nll"],
                "published": published,
                "error": results[str(k)]["standard_error"],
            }
            for k, published in zip(table.COLUMNS, papers or reproduction)
        }
    ours = [result for row in TABLE["rows"].values() for result in row.values()]
    return None, numbers | {
        "runs": len({result["run"] for result in ours}),
        **{name: ours[0][name] for name in ("epochs", "images", "k")},
        "accuracy": [TABLE["rows"]["conditional IWAE"][str(k)]["accuracy"] for k in table.COLUMNS],
    }


COMPARED = {  # {pair of rows: what the slide calls it}
    ("IWAE, 1 layer", "VAE, 1 layer"): "IWAE\nover VAE,\n1 layer",
    ("IWAE, 2 layers", "VAE, 2 layers"): "IWAE\nover VAE,\n2 layers",
    ("IWAE, 2 layers", "IWAE, 1 layer"): "IWAE:\n2 layers\nover 1",
    ("VAE, 2 layers", "VAE, 1 layer"): "VAE:\n2 layers\nover 1",
    ("DReG, 1 layer", "IWAE, 1 layer"): "DReG\nover IWAE,\n1 layer",
    ("conditional IWAE", "IWAE, 1 layer"): "labels\nover none,\n1 layer",
}


def published_gain(first, second, k):
    """By how much the first row's NLL is lower, in the paper or, of rows that it lacks, in the reproduction."""
    pair = [table.PUBLISHED[row] for row in (first, second)]
    source = 0 if all(papers for papers, _ in pair) else 1
    better, worse = (each[source][table.COLUMNS.index(k)] for each in pair)
    return worse - better


def orders():
    """By how much one row is better than another, measured on the same images, beside what was published."""
    found = {row["pair"]: row for row in TABLE["differences"]}
    figure, axes = canvas(11.6, 4.0)
    axes.axhline(0, color="black", linewidth=1)
    numbers = {"hold": 0, "pairs": 0}
    for x, (first, second) in enumerate(COMPARED):
        numbers[f"{first}; {second}"] = {}
        for place, k in zip((-0.24, 0, 0.24), table.COLUMNS):
            pair = f"{first}, against {second}, k = {k}"
            if pair not in found:
                continue  # with one sample VAE and IWAE are one run
            nats, error, published = (
                found[pair]["nats"],
                found[pair]["standard_error"],
                published_gain(first, second, k),
            )
            holds = nats > 2 * error
            color = BLUE if holds else ORANGE
            axes.errorbar(x + place, nats, 2 * error, fmt="o", color=color, markersize=9)
            axes.plot(x + place, published, "D", markerfacecolor="white", markeredgecolor=GREY, markersize=8, zorder=1)
            axes.text(x + place, -0.95, k, ha="center", va="center", fontsize=13, color=GREY)
            numbers[f"{first}; {second}"][f"k_{k}"] = {"nats": nats, "error": error, "published": published}
            numbers["hold"] += holds
            numbers["pairs"] += 1
    unknown = [row["nats"] for name, row in found.items() if "label unknown" in name]
    for place, nats in zip((-0.24, 0, 0.24), unknown):
        axes.plot(len(COMPARED) - 1 + place, nats, "x", color=BLUE, markersize=9, markeredgewidth=2.5)
    axes.plot([], [], "o", color=BLUE, markersize=9, label="ours, 70 epochs, ± 2 standard errors")
    axes.plot([], [], "D", markerfacecolor="white", markeredgecolor=GREY, markersize=8, label="published, 3280 epochs")
    axes.plot([], [], "x", color=BLUE, markersize=9, markeredgewidth=2.5, label="ours, label unknown")
    axes.legend(loc="upper left", fontsize=14)
    axes.text(-0.62, -0.95, "k", ha="center", va="center", fontsize=13, color=GREY, style="italic")
    axes.set(ylabel="nats better", ylim=(-1.3, 4.9), xlim=(-0.75, len(COMPARED) - 0.5))
    axes.set_xticks(range(len(COMPARED)), COMPARED.values(), fontsize=14)
    axes.tick_params(axis="x", length=0)
    return figure, numbers | {"unknown": dict(zip((f"k_{k}" for k in table.COLUMNS), unknown))}


# Numbers without a figure ---------------------------------------------------------------------------------


@torch.no_grad()
def mistakes():
    """What wrong answers give on the handout's own numbers: {id: number}, and {function: the right one}."""
    model = lab.TwoLayerIWAE()
    for weight in model.parameters():
        weight.zero_()
    model.p_z1.mu.bias.fill_(1)
    x, eps = torch.zeros(1, 784), torch.zeros(1, 1, 150)  # z1 = 0 in all units, and so is z2
    numbers = {"log_weights": model.log_weights(x, eps).item()}
    for id in ("two.standard_for_z1", "two.no_q_z2", "two.no_p_z1", "two.no_q"):
        numbers[id] = MISTAKES[id].formula(model, x, eps).item()
    means = torch.tensor([[0, 1, 0.05], [0, -1, -0.05], [0.3, 2, 0.1], [0.1, -2, -0.1]])
    rows = torch.tensor([[2, 0, 1], [0, 1, 3], [-1, 2, 0], [4, -1, 2], [1, 1, -2]]).float()
    numbers["activity"] = lab.activity(means).tolist()
    for id in ("activity.second_moment", "activity.standard_deviation"):
        numbers[id] = MISTAKES[id].formula(means).tolist()
    numbers["principal_components"] = lab.principal_components(rows, 2).var(0).tolist()
    for id in ("components.uncentred", "components.standardised", "components.whitened"):
        numbers[id] = MISTAKES[id].formula(rows, 2).var(0).tolist()
    return None, numbers


DRAWN = (
    cover,
    prior,
    graph,
    evidence,
    ancestral,
    samples,
    labels,
    label_worth,
    units,
    components,
    paper_table,
    orders,
    mistakes,
)
