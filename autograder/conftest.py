"""pytest autograder/ grades a submission: its options, its report, and one Grading for the whole run."""

from pathlib import Path

import pytest

from autograder import assignments, options
from autograder.grading.submission import Submission, keep_forkserver, start_sandbox
from cli import UserError
from outputs import owned_folder

GRADING = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("grading")
    group.addoption(
        "--submission", type=Path, metavar="FILE", help="the file to grade (default: the one that was handed out)"
    )
    options.add_grading_options(group.addoption)
    options.add_single_options(group.addoption)


def chosen_assignment(config):
    return assignments.choose(config.option.assignment, config.option.submission)


def pytest_configure(config):
    assignment = chosen_assignment(config)
    for task in assignment.tasks:
        config.addinivalue_line("markers", f"{task.id}: grade this task only")
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
    submission = Submission.read(assignment, config.option.submission or assignment.student_file)
    if assignment.running(options.modes(config.option)):  # more than one sandbox
        keep_forkserver(assignment)
    # It gets ready while this process imports torch.
    sandbox = None if submission.rejected else start_sandbox(assignment)
    from autograder.grading.grading import Grading
    from autograder.grading.remote import RemoteFile

    remote, given = RemoteFile(submission, sandbox=sandbox), config.option
    try:
        config.stash[GRADING] = Grading(remote, options.modes(given), given.seed, given.report, given.feedback)
    except (UserError, OSError) as error:
        remote.close()
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc):
    """A test for each check of the assignment."""
    if "check" in metafunc.fixturenames:
        assignment = chosen_assignment(metafunc.config)
        checks = assignment.checks + tuple(c for s in assignment.stages for c in assignment.part(s.module).CHECKS)
        marked = [pytest.param(check, id=check.id, marks=getattr(pytest.mark, check.task)) for check in checks]
        metafunc.parametrize("check", marked)


def pytest_collection_finish(session):
    """Before the first check: with damaged data no stage can be graded."""
    grading = session.config.stash.get(GRADING, None)
    if grading and any(item.get_closest_marker(task) for task in grading.ledger.runs for item in session.items):
        from data import check_stored

        try:
            check_stored()
        except UserError as error:
            grading.remote.close()
            del session.config.stash[GRADING]  # so that no score is shown
            raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config):
    if GRADING in config.stash:
        config.stash[GRADING].remote.close()


def pytest_report_header(config):
    if GRADING in config.stash:
        ledger = config.stash[GRADING].ledger
        return f"grading {ledger.path}; sandbox {ledger.sandbox_level}; seed {ledger.seed}"
    return None


def pytest_terminal_summary(terminalreporter, config):
    if GRADING not in config.stash:
        return
    from autograder.reports.terminal import closing_lines

    grading = config.stash[GRADING]
    grading.write_html()
    terminalreporter.section("score")
    terminalreporter.write_line(closing_lines(grading.ledger))
    if grading.folder:
        terminalreporter.write_line(f"reports: {grading.folder / 'report.html'}, {grading.folder / 'results.json'}")


@pytest.fixture
def grading(pytestconfig):
    return pytestconfig.stash[GRADING]
