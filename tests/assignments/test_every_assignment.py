"""What holds for every assignment: the stub gets nothing, right answers get everything, known mistakes are named."""

from functools import partial

import pytest

from autograder import assignments
from autograder.grading.submission import Submission
from autograder.reports.feedback import feedback
from helpers import submissions
from helpers.gradings import OpenSandbox, lost, names

ALL = [assignments.get(name) for name in assignments.NAMES]
MISTAKES = [(assignment, entry) for assignment in ALL for entry in assignment.misconceptions.values()]
FIRST = submissions.first_of_each(MISTAKES, lambda assignment, entry: assignment.task_of(entry.function).id)
RIGHT = [(assignment, name) for assignment in ALL for name in submissions.RIGHT_OF[assignment.name]]


def called(value):
    """An Assignment, a Misconception or the name of a right answer in a test's name."""
    return getattr(value, "id", None) or getattr(value, "name", value)


@pytest.fixture(scope="module")
def grade():
    """Grade a Submission in the sandbox of its assignment: grade(submission, seed=1) -> Ledger"""
    sandboxes = {assignment: OpenSandbox(assignment) for assignment in ALL}

    def grade(submission, **options):
        return sandboxes[submission.assignment].grade(submission, **options).ledger

    yield grade
    for sandbox in sandboxes.values():
        sandbox.close()


@pytest.mark.parametrize("assignment", ALL, ids=lambda assignment: assignment.name)
def test_the_stub_gets_nothing_and_the_reference_everything(assignment, grade):
    stub = grade(Submission.read(assignment, assignment.student_file))
    assert stub.score == 0 and {result.verdict for result in stub.results.values()} == {"NOT_IMPLEMENTED"}
    reference = grade(Submission.read(assignment, assignment.solution))
    assert reference.score == reference.points > 0
    assert {check.task for check in reference.checks} == {task.id for task in assignment.tasks if task.functions}


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "entry"), MISTAKES, ids=called)
def test_a_misconception_is_caught_in_its_task_and_named(assignment, entry, grade, pytestconfig):
    """The first of each task, or with --thorough all, in the whole file and once more backwards; others until named."""
    submission = submissions.wrong(entry, assignment)
    task = assignment.task_of(entry.function).id
    own = [check for check in assignment.checks if check.task == task]
    for seed in range(pytestconfig.option.draws):
        if not (entry in FIRST or pytestconfig.option.thorough):
            ledger = grade(submission, seed=seed, checks=own, until=partial(names_it, entry))
            assert entry.id in names(ledger).values(), [seed, *told(ledger)]
            continue
        ledger = grade(submission, seed=seed)
        assert {result.check.task for result in lost(ledger)} == {task}, seed
        assert entry.id in names(ledger).values(), [seed, *told(ledger)]
        again = grade(submission, seed=seed, checks=own[::-1])
        assert names(again) == names(ledger), "what is named must not depend on the checks that ran before"


def names_it(entry, result):
    return result.misconception == entry.id


def told(ledger):
    return [feedback(ledger, result) for result in lost(ledger) if result.lost]


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "name"), RIGHT, ids=called)
def test_a_right_answer_gets_all_points(assignment, name, grade, pytestconfig):
    """In the tasks of the functions that it replaces; the rest is the reference's, which is graded above."""
    text = submissions.RIGHT_OF[assignment.name][name]
    replaced = {task.id for task in assignment.tasks if any(f"def {name}(" in text for name in task.functions)}
    checks = [check for check in assignment.checks if check.task in replaced or not replaced]
    submission = submissions.appended_to(assignment, assignment.solution.read_text(encoding="utf-8"), text)
    for seed in range(pytestconfig.option.draws):
        ledger = grade(submission, seed=seed, checks=checks)
        results = [ledger.results[check.id] for check in checks]
        assert all(result.verdict == "PASS" for result in results), [seed, *map(partial(feedback, ledger), results)]
