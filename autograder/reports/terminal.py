"""The score and the feedback in a terminal."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder import ROOT
from autograder.reports.feedback import explanation, first_step, heading, laid_out, lost_groups


def print_table(ledger):
    """The score table and the feedback on what was lost, for a terminal."""
    console = Console(highlight=False)
    failed = " — INFRA, not a mark" if ledger.has_failed else ""
    path = ledger.path
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    title = f"{name}: {ledger.score} of {ledger.points} points{failed}"
    table = Table(title=escape(title), box=box.SIMPLE, title_style="bold", title_justify="left")
    table.add_column("task", no_wrap=True)
    table.add_column("check")
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in ledger.results.values():
        colour = "green" if result.verdict == "PASS" else "yellow" if result.verdict == "NOT_IMPLEMENTED" else "red"
        points = f"{result.score}/{result.check.points}"
        table.add_row(result.task.title, escape(result.check.title), points, f"[{colour}]{result.verdict}[/]")
    console.print(table)
    for results in lost_groups(ledger):
        console.print(f"[bold]{escape(heading(results))}[/]", soft_wrap=True)
        console.print(escape(laid_out(explanation(ledger, results[0]))), soft_wrap=True)
    console.print(escape(closing_lines(ledger)), soft_wrap=True)


def closing_lines(ledger):
    """The score of each task, how it was graded and what to do first."""
    scores = ledger.task_scores
    parts = ", ".join(f"{task.title} {score} of {points}" for task, score, points in scores)
    lines = [f"{ledger.score} of {sum(points for _, _, points in scores)} points: {parts}"]
    missing = [task.title for task in ledger.assignment.tasks if task not in [graded for graded, _, _ in scores]]
    if missing:
        lines.append(f"not graded: {', '.join(missing)}")
    lines.append(f"sandbox {ledger.sandbox_level}; seed {ledger.seed}; grader {ledger.version}")
    first = first_step(ledger)
    if first:
        lines.append(f"first: {first}")
    return "\n".join(lines)
