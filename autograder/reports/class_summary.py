"""summary.html: how the class did, what to teach again, and what needs a person. One file that loads nothing."""

import statistics
from collections import Counter
from dataclasses import dataclass

from autograder.reports.html import page, png
from outputs import write_atomically


@dataclass
class CheckLoss:
    """What the class lost in one check."""

    name: str
    points: float
    students: int
    mean: float  # points lost per student


def write_summary(out, assignment, rows, unrecognised, problems):
    """Write out/summary.html. problems: sentences on the gradebooks."""
    marked = [row for row in rows if row.status == "graded"]
    points = max((row.ledger.points for row in rows if row.ledger), default=0)
    html = page(
        "class_summary.html.jinja",
        rows=sorted(rows, key=lambda row: row.listed.name.casefold()),
        counts=Counter(row.status for row in rows),
        scores=[row.score for row in marked],
        mean=statistics.mean(row.score for row in marked) if marked else None,
        median=statistics.median(row.score for row in marked) if marked else None,
        points=points,
        histogram=histogram([row.score for row in marked], points) if marked else None,
        pictures=pictures(assignment, marked),
        losses=losses(marked),
        misconceptions=misconceptions(assignment, marked),
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
    for check in {check: None for row in rows for check in row.ledger.results}:
        results = [row.ledger.results[check] for row in rows if check in row.ledger.results]
        lost = [result.check.points - result.score for result in results]
        if any(lost):
            first = results[0]
            loss = CheckLoss(first.title, first.check.points, sum(x > 0 for x in lost), sum(lost) / len(results))
            found.append(loss)
    return sorted(found, key=lambda loss: -loss.mean)


def misconceptions(assignment, rows):
    """(Misconception, number of students who have it), the most frequent first."""
    known = assignment.misconceptions
    counts = Counter(
        name for row in rows for name in {r.misconception for r in row.ledger.results.values()} if name in known
    )
    return [(known[name], count) for name, count in counts.most_common()]


def pictures(assignment, rows):
    """Those that the stages draw of a class: {title: PNG as base64}."""
    drawn = {}
    for stage in assignment.stages:
        summaries = [row.ledger.stages[stage.option] for row in rows]
        drawn |= assignment.part(stage.module).class_pictures(summaries)
    return {title: png(draw) for title, draw in drawn.items()}


def copies(rows):
    """Groups of students whose files are the same, byte for byte."""
    groups = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def histogram(scores, points):
    """The distribution of marks, as a PNG in base64."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    width = max(1, round(points / 16))
    axes.hist(scores, bins=range(0, int(points) + width + 1, width), color="#3b6ea5", edgecolor="white", align="mid")
    axes.set(xlabel=f"points of {points:g}", ylabel="students", xlim=(0, points + width))
    axes.yaxis.get_major_locator().set_params(integer=True)
    return png(lambda file: figure.savefig(file, dpi=160))
