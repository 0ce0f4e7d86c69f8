"""The student's quick check of the labs: not started, fine, or wrong for the right function."""

import importlib

import pytest

import check
import checking
from autograder import assignments
from helpers import submissions
from model_file import import_file

LABS = [assignments.get(name) for name in check.LABS]
MISTAKES = [(lab, entry) for lab in LABS for entry in lab.misconceptions.values()]
FIRST = submissions.first_of_each(MISTAKES, lambda _, entry: entry.function)
RIGHT = [(lab, name) for lab in LABS for name in submissions.RIGHT_OF[lab.name]]


def named(value):
    return getattr(value, "id", None) or getattr(value, "name", value)


@pytest.fixture
def judged(tmp_path):
    """Judge a lab's source, in this process: judged(lab, source) -> {function: verdict}"""

    def judge(lab, source):
        path = tmp_path / lab.file_name
        path.write_bytes(source)
        if lab.beside:  # with the core's solution beside it
            (tmp_path / lab.beside.path.name).write_bytes(lab.beside.solution.read_bytes())
        with checking.settings_kept("importing the file", free=("random seed",)):
            file = import_file(path)
        checks = importlib.import_module(f"checks.{lab.name}")
        found = check.verdicts(file, checks.CHECKS, getattr(checks, "STAND_INS", {}))
        return {name: word for _, name, word, _ in found}

    return judge


def test_every_lab_has_its_check():
    assert {*check.LABS, assignments.DEFAULT} == set(assignments.NAMES)


@pytest.mark.parametrize("lab", LABS, ids=named)
def test_the_stub_is_not_started_and_the_solution_fine(lab, command):
    stub, solution = command(check, lab.name), command(check, lab.name, "--model", lab.solution)
    n = sum(len(task.functions) for task in lab.tasks)
    assert (stub.status, stub.out.count("not started")) == (1, n)
    assert (solution.status, solution.out.count("fine")) == (0, n)


@pytest.mark.slow
@pytest.mark.parametrize(("lab", "entry"), MISTAKES, ids=named)
def test_a_misconception_is_wrong_where_it_is(lab, entry, judged, pytestconfig):
    if entry not in FIRST and not pytestconfig.option.thorough:
        pytest.skip("the first of each function; --thorough: every one")
    found = judged(lab, submissions.wrong(entry, lab).source)
    assert found.pop(entry.function) == "wrong"
    assert set(found.values()) <= {"fine", "waits"}


@pytest.mark.slow
@pytest.mark.parametrize(("lab", "name"), RIGHT, ids=named)
def test_a_right_answer_is_fine(lab, name, judged):
    text = submissions.RIGHT_OF[lab.name][name]
    found = judged(lab, submissions.appended_to(lab, lab.solution.read_text(encoding="utf-8"), text).source)
    assert set(found.values()) == {"fine"}, found
