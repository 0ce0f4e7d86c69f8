"""What people and gradebooks read: feedback in words, results.json (Gradescope's form), report.html, a table."""

import base64
import io
import time

import jinja2
import torch
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder import ROOT
from autograder.misconceptions import BY_ID
from autograder.misconceptions import reference as model_file
from autograder.sandbox import HERE
from autograder.student import VERDICTS

TASKS = {"todo1": "TODO 1", "todo2": "TODO 2", "todo3": "TODO 3", "nll": "test NLL"}


def explanation(grading, result):
    """The feedback on a lost check: pairs of a label and a text."""
    lost = result.lost
    if result.verdict == "NOT_IMPLEMENTED":
        return [("to do", lost.came_back)]
    lines = [("called", lost.called), ("came back", lost.came_back), ("right is", lost.right)]
    if lost.misconception:
        entry = BY_ID[lost.misconception]
        lines += [("likely", entry.why), ("read", entry.read)]
    lines.append(("printed", lost.printed))
    if grading.voice == "instructor":
        lines += [("seed", f"{grading.seed}, check {result.check.id}"), ("named", lost.misconception or "nothing")]
        lines.append(("numbers", lost.numbers))
    return [(label, text) for label, text in lines if text]


def feedback(grading, result):
    """The same as plain text. No line begins with what a stranger wrote."""
    if result.verdict in ("PASS", "NOT_RUN"):
        return VERDICTS[result.verdict]
    return f"{result.verdict}: {VERDICTS[result.verdict]}\n{laid_out(explanation(grading, result))}"


def laid_out(lines):
    """Labels in one column, texts in the other; no line begins with a text."""
    return "\n".join(f"  {label:10}" + text.replace("\n", f"\n  {'':10}") for label, text in lines)


def lost_groups(grading):
    """What was lost, told once for each reason: lists of Results with one misconception, or one answer."""
    groups = {}
    for result in grading.results.values():
        if result.lost:
            reason = result.lost.misconception or (result.verdict, result.lost.came_back)
            groups.setdefault(reason, []).append(result)
    return list(groups.values())


def heading(results):
    """The title of a group: its first check, and how many more it lost."""
    first, more = results[0].check, len(results) - 1
    others = f" (and {more} more check{'s' if more > 1 else ''})" if more else ""
    return f"{TASKS[first.task]}: {first.title}{others}"


def first_step(grading):
    """What to do first, in one sentence; None where every check passed."""
    for result in grading.results.values():
        if result.lost:
            came_back = " ".join(result.lost.came_back.split())[:200]
            return f"{TASKS[result.check.task]}, {result.check.title}: {came_back}"
    return None


def results_json(grading):
    """Gradescope's results.json. https://gradescope-autograders.readthedocs.io/en/latest/specs/"""
    first = first_step(grading)
    output = f"{grading.score} of {grading.points} points."
    if grading.has_failed:
        output += " The grader itself failed in a check: this is not a mark, grade again."
    measurement = grading.measurement
    return {
        "score": grading.score,
        "execution_time": round(time.monotonic() - grading.begun, 2),
        "output": output + (f" First: {first}" if first else ""),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": f"{TASKS[result.check.task]}: {result.check.title}",
                "number": str(number),
                "score": result.score,
                "max_score": result.check.points,
                "status": "passed" if result.verdict == "PASS" else "failed",
                "output": feedback(grading, result),
                "output_format": "text",
                "tags": [result.check.task],
                "visibility": "visible",
                "extra_data": {
                    "check": result.check.id,
                    "verdict": result.verdict,
                    "misconception": result.lost.misconception if result.lost else None,
                    "seconds": round(result.seconds, 3),
                },
            }
            for number, result in enumerate(grading.results.values(), start=1)
        ],
        "extra_data": {
            "submission_sha256": grading.submission.sha256,
            "grader_version": grading.version,
            "sandbox_level": grading.sandbox_level,
            "seed": grading.seed,
            "dataset": measurement.data if measurement else None,
            "nll": measurement.summary() if measurement else {"mode": "off"},
        },
    }


def html(grading):
    """report.html, in one file: no request leaves the reader's machine."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.jinja").render(
        grading=grading,
        results=list(grading.results.values()),
        tasks=task_scores(grading),
        names=TASKS,
        verdicts=VERDICTS,
        groups=[(heading(results), results[0], explanation(grading, results[0])) for results in lost_groups(grading)],
        first=first_step(grading),
        pictures=pictures(grading.measurement),
        extra=results_json(grading)["extra_data"],
    )


def task_scores(grading):
    """For each task of which something was graded: (name, score, points)."""
    scores = []
    for task, name in TASKS.items():
        results = [r for r in grading.results.values() if r.check.task == task and r.verdict != "NOT_RUN"]
        if results:
            scores.append((name, sum(r.score for r in results), sum(r.check.points for r in results)))
    return scores


def pictures(measurement):
    """The training losses, and samples of the trained models: {title: PNG as base64}."""
    if measurement is None or measurement.trainings is None:
        return {}
    from matplotlib.figure import Figure  # a second to import: only when needed

    from visualize import decode, draw_panels, prior_grid, tile

    drawn = {}
    trained = {o.upper(): t for o, t in measurement.trainings.items() if any(x is not None for x in t.losses)}
    if trained:
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, training in trained.items():
            label = name if training.nll is None else f"{name}, test NLL {training.nll:.1f}"
            losses = [float("nan") if loss is None else loss for loss in training.losses]
            axes.plot(range(1, len(losses) + 1), losses, marker=".", label=label)
        axes.set(xlabel="epoch", ylabel="train loss, nats per image")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
        drawn["Training losses, as the submission computed them"] = png(lambda file: figure.savefig(file, dpi=110))
    panels = {}
    for name, training in trained.items():
        if training.weights:
            model = model_file.IWAE()
            model.load_state_dict(training.weights)
            with torch.no_grad():
                panels[name] = tile(decode(model, prior_grid(model.d_latent)))
    if panels:
        drawn["Samples from the prior, decoded"] = png(lambda file: draw_panels(file, panels))
    return drawn


def png(draw):
    file = io.BytesIO()
    draw(file)
    return base64.b64encode(file.getvalue()).decode()


def print_table(grading):
    """The score table and the feedback on what was lost, for a terminal."""
    console = Console(highlight=False)
    failed = " — INFRA, not a mark" if grading.has_failed else ""
    path = grading.submission.path
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    title = f"{name}: {grading.score} of {grading.points} points{failed}"
    table = Table(title=escape(title), box=box.SIMPLE, title_style="bold", title_justify="left")
    table.add_column("task", no_wrap=True)
    table.add_column("check")
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in grading.results.values():
        colour = "green" if result.verdict == "PASS" else "yellow" if result.verdict == "NOT_IMPLEMENTED" else "red"
        points = f"{result.score}/{result.check.points}"
        row = (TASKS[result.check.task], escape(result.check.title), points, f"[{colour}]{result.verdict}[/]")
        table.add_row(*row)
    console.print(table)
    for results in lost_groups(grading):
        console.print(f"[bold]{escape(heading(results))}[/]", soft_wrap=True)
        console.print(escape(laid_out(explanation(grading, results[0]))), soft_wrap=True)
    console.print(escape(summary(grading)), soft_wrap=True)


def summary(grading):
    """The score of each task, how it was graded and what to do first."""
    scores = task_scores(grading)
    parts = ", ".join(f"{name} {score} of {points}" for name, score, points in scores)
    lines = [f"{grading.score} of {sum(points for _, _, points in scores)} points: {parts}"]
    missing = [name for name in TASKS.values() if name not in {name for name, _, _ in scores}]
    if missing:
        lines.append(f"not graded: {', '.join(missing)}")
    lines.append(f"sandbox {grading.sandbox_level}; seed {grading.seed}; grader {grading.version}")
    first = first_step(grading)
    if first:
        lines.append(f"first: {first}")
    return "\n".join(lines)
