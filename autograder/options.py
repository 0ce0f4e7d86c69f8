"""The grader's options, declared once for `pytest autograder/` and `python -m autograder`. Without torch."""

from collections.abc import Callable
from pathlib import Path

from autograder import assignments


def stages():
    """Every stage that has an option: those of all assignments, by its name."""
    every = [stage for name in assignments.NAMES for stage in assignments.get(name).stages]
    return {stage.option: stage for stage in every}.values()


def add_assignment_option(add: Callable, default: str) -> None:
    """add: argparse's add_argument, or pytest's addoption."""
    names = ", ".join(assignments.NAMES)
    add("--assignment", choices=assignments.NAMES, metavar="NAME", help=f"one of {names} (default: {default})")


def add_grading_options(add):
    """How to grade."""
    add_assignment_option(add, f"what the file's name says, else {assignments.DEFAULT}")
    for stage in stages():
        default, *_ = stage.modes
        add(f"--{stage.option}", choices=tuple(stage.modes), default=default, help=stage.help)
    add(
        "--feedback", choices=("student", "instructor"), default="student",
        help="instructor: with seeds, inputs and numbers (default: student)"
    )  # fmt: skip


def add_single_options(add):
    """What only the grading of single files has."""
    add(
        "--report", type=Path, metavar="DIR",
        help="write results.json and report.html into this new, empty or own folder; several files: below it"
    )  # fmt: skip
    add("--seed", type=int, help="repeat a grading with the inputs of its seed (default: a fresh one)")


def modes(options):
    """{a stage's option: its mode} of parsed options."""
    return {stage.option: getattr(options, stage.option) for stage in stages()}
