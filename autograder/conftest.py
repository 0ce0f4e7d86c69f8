"""pytest autograder/ grades a submission: its options, its report, and one Grading for the whole run."""

from pathlib import Path

import pytest

from autograder import ROOT
from autograder.submission import Submission, start_sandbox
from cli import UserError
from outputs import owned_folder

GRADING = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("grading")
    group.addoption("--submission", default=ROOT / "base_code" / "model.py", type=Path, metavar="FILE",
                    help="the file to grade (default: base_code/model.py)")  # fmt: skip
    group.addoption("--nll", choices=("full", "short", "off"), default="full",
                    help="train for 30 epochs, for 3, or not at all (default: full, 6 to 8 minutes)")  # fmt: skip
    group.addoption("--report", type=Path, metavar="DIR", help="write results.json and report.html into this folder")
    group.addoption("--feedback", choices=("student", "instructor"), default="student",
                    help="instructor: with seeds, inputs and numbers (default: student)")  # fmt: skip
    group.addoption("--seed", type=int, help="repeat a grading with the inputs of its seed (default: a fresh one)")


def pytest_configure(config):
    for task in ("todo1", "todo2", "todo3", "nll"):
        config.addinivalue_line("markers", f"{task}: grade this task only")
    config.option.reportchars = "N"  # the score below says it all, better than pytest's list of failures
    if config.option.collectonly or config.option.help:
        return
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("one process grades a submission: leave --numprocesses away")
    try:
        if config.option.report:
            owned_folder(config.option.report, "grade", former=("results.json", "report.html"))
    except (UserError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    submission = Submission.read(config.option.submission)
    sandbox = None if submission.rejected else start_sandbox()  # gets ready while this process imports torch
    from autograder.grading import Grading
    from autograder.student import Student

    student = Student(submission, sandbox=sandbox)
    options = config.option
    try:
        config.stash[GRADING] = Grading(student, options.nll, options.seed, options.report, options.feedback)
    except (UserError, OSError) as error:
        student.close()
        raise pytest.UsageError(str(error)) from None


def pytest_collection_finish(session):
    """Before the first check: with damaged data no training can be graded."""
    grading = session.config.stash.get(GRADING, None)
    if grading and grading.nll != "off" and any(item.get_closest_marker("nll") for item in session.items):
        from data import check_stored

        try:
            check_stored()
        except UserError as error:
            grading.student.close()
            del session.config.stash[GRADING]  # so that no score is shown
            raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config):
    if GRADING in config.stash:
        config.stash[GRADING].student.close()


def pytest_report_header(config):
    if GRADING in config.stash:
        grading = config.stash[GRADING]
        return f"grading {grading.submission.path}; sandbox {grading.sandbox_level}; seed {grading.seed}"
    return None


def pytest_terminal_summary(terminalreporter, config):
    if GRADING not in config.stash:
        return
    from autograder.report import summary

    grading = config.stash[GRADING]
    grading.write_html()
    terminalreporter.section("score")
    terminalreporter.write_line(summary(grading))
    if grading.folder:
        terminalreporter.write_line(f"reports: {grading.folder / 'report.html'}, {grading.folder / 'results.json'}")


@pytest.fixture
def grading(pytestconfig):
    return pytestconfig.stash[GRADING]
