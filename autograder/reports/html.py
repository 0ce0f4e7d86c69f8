"""report.html: one file, from which no request leaves the reader's machine."""

import base64
import io
from pathlib import Path

import jinja2

from autograder.grading.verdicts import VERDICTS
from autograder.reports.feedback import explanation, first_step, heading, lost_groups


def page(template, **values):
    """A page of one of this folder's templates."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template).render(**values)


def html(ledger):
    """The page of one Ledger."""
    one = ledger.assignment
    return page(
        "report.html.jinja",
        ledger=ledger,
        results=list(ledger.results.values()),
        tasks=[(task.title, *scores) for task, *scores in ledger.task_scores],
        verdicts=VERDICTS,
        groups=[(heading(results), results[0], explanation(ledger, results[0])) for results in lost_groups(ledger)],
        first=first_step(ledger),
        pictures=pictures(ledger),
        stages=[(one.task(stage.task), ledger.runs.get(stage.task)) for stage in one.stages],
    )


def pictures(ledger):
    """Those of what the stages made: {title: PNG as base64}."""
    return {title: png(draw) for run in ledger.runs.values() for title, draw in run.pictures().items()}


def png(draw):
    file = io.BytesIO()
    draw(file)
    return base64.b64encode(file.getvalue()).decode()
