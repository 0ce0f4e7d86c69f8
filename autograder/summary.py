"""summary.html: how the class did, what to teach again, and what needs a person. One file that loads nothing."""

import statistics
from collections import Counter
from dataclasses import dataclass

import jinja2

from autograder.misconceptions import BY_ID
from autograder.report import png
from autograder.sandbox import HERE
from run import write_atomically


@dataclass
class CheckLoss:
    """What the class lost in one check."""

    name: str
    points: float
    students: int
    mean: float  # points lost per student


def write_summary(out, rows, unrecognised, problems):
    """Write out/summary.html. problems: sentences on the gradebooks."""
    marked = [row for row in rows if row.status == "graded"]
    points = max((row.points for row in rows if row.points), default=0)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("summary.html.jinja").render(
        rows=sorted(rows, key=lambda row: row.listed.name.casefold()),
        counts=Counter(row.status for row in rows),
        scores=[row.score for row in marked],
        mean=statistics.mean(row.score for row in marked) if marked else None,
        median=statistics.median(row.score for row in marked) if marked else None,
        points=points,
        histogram=histogram([row.score for row in marked], points) if marked else None,
        scatter=scatter(marked),
        losses=losses(marked),
        misconceptions=misconceptions(marked),
        people=[row for row in rows if row.status in ("set aside", "rejected")],
        superseded=[row for row in rows if row.notes],
        unrecognised=unrecognised,
        problems=problems,
        copies=copies(marked),
    )
    write_atomically(out / "summary.html", html.encode(errors="replace"))


def losses(rows):
    """A CheckLoss for each check in which somebody lost points, the dearest first."""
    found = []
    for check in {check: None for row in rows for check in row.checks}:
        results = [row.checks[check] for row in rows if check in row.checks]
        lost = [points - score for _, score, points, *_ in results]
        if any(lost):
            name, _, points, *_ = results[0]
            found.append(CheckLoss(name, points, sum(x > 0 for x in lost), sum(lost) / len(results)))
    return sorted(found, key=lambda loss: -loss.mean)


def misconceptions(rows):
    """(Misconception, number of students who have it), the most frequent first."""
    counts = Counter(
        name for row in rows for name in {misconception for *_, misconception in row.checks.values()} if name in BY_ID
    )
    return [(BY_ID[name], count) for name, count in counts.most_common()]


def copies(rows):
    """Groups of students whose files are the same, byte for byte."""
    groups = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def histogram(scores, points):
    """The distribution of marks, as a PNG in base64."""
    figure, axes = axes_of(6.4, 2.6)
    width = max(1, round(points / 16))
    axes.hist(scores, bins=range(0, int(points) + width + 1, width), color="#3b6ea5", edgecolor="white", align="mid")
    axes.set(xlabel=f"points of {points:g}", ylabel="students", xlim=(0, points + width))
    axes.yaxis.get_major_locator().set_params(integer=True)
    return png(lambda file: figure.savefig(file, dpi=160))


def scatter(rows):
    """Test NLL of the VAE against the IWAE, as a PNG in base64; None where nothing was measured."""
    pairs = [(row.nll["vae"], row.nll["iwae"]) for row in rows if row.nll.get("vae") and row.nll.get("iwae")]
    if not pairs:
        return None
    figure, axes = axes_of(5, 4)
    low, high = min(min(pair) for pair in pairs), max(max(pair) for pair in pairs)
    axes.axline((low, low), slope=1, color="#999", linewidth=1, label="no better than the VAE")
    axes.scatter(*zip(*pairs), color="#3b6ea5", alpha=0.6)
    margin = 0.05 * (high - low) + 1
    axes.set(xlabel="VAE, nats", ylabel="IWAE, nats", xlim=(low - margin, high + margin))
    axes.set(ylim=(low - margin, high + margin))
    axes.legend()
    return png(lambda file: figure.savefig(file, dpi=160))


def axes_of(width, height):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
