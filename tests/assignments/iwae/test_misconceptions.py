"""Every known wrong answer loses points in its own task only, and is named; every right answer loses none."""

from functools import partial

import pytest

from autograder.assignments.iwae.checks import CHECKS
from autograder.assignments.iwae.misconceptions import MISCONCEPTIONS
from autograder.reports.feedback import feedback
from helpers import submissions

pytestmark = pytest.mark.slow

TASK = {
    "gaussian_log_likelihood": "todo1",
    "reparameterize": "todo1",
    "log_weights": "todo2",
    "vae_objective": "todo2",
    "log_mean_exp": "todo3",
    "iwae_objective": "todo3",
}


def lost(grading):
    return [result for result in grading.results.values() if result.verdict != "PASS"]


def names(grading):
    return {result.check.id: result.lost.misconception for result in lost(grading) if result.lost}


@pytest.mark.parametrize("entry", MISCONCEPTIONS, ids=lambda entry: entry.id)
def test_a_misconception_is_caught_in_its_task_and_named(entry, grade_in, pytestconfig):
    for seed in range(pytestconfig.option.draws):
        grading = grade_in(submissions.wrong(entry), seed=seed)
        results = lost(grading)
        assert {result.check.task for result in results} == {TASK[entry.function]}, seed
        named = {result.lost.misconception for result in results}
        assert entry.id in named, [seed, *(feedback(grading, result) for result in results)]
        backwards = [check for check in reversed(CHECKS) if check.task == TASK[entry.function]]
        again = grade_in(submissions.wrong(entry), seed=seed, checks=backwards)
        assert names(again) == names(grading), "what is named must not depend on the checks that ran before"


@pytest.mark.parametrize("name", submissions.CHEAP)
def test_what_is_right_on_some_inputs_alone_is_caught(name, grade_in, pytestconfig):
    task, misconception, text = submissions.CHEAP[name]
    for seed in range(pytestconfig.option.draws):
        results = lost(grade_in(submissions.submission(text), seed=seed))
        assert {result.check.task for result in results} == {task}, seed
        if misconception:
            assert misconception in {result.lost.misconception for result in results}


@pytest.mark.parametrize("name", submissions.RIGHT)
def test_a_right_answer_gets_all_points(name, grade_in, pytestconfig):
    """In the tasks of the functions that it replaces; the rest is the reference's, which is graded here as well."""
    text = submissions.RIGHT[name]
    tasks = {task for function, task in TASK.items() if f"def {function}(" in text} or set(TASK.values())
    checks = [check for check in CHECKS if check.task in tasks]
    for seed in range(pytestconfig.option.draws):
        grading = grade_in(submissions.submission(text), seed=seed, checks=checks)
        results = [grading.results[check.id] for check in checks]
        assert all(result.verdict == "PASS" for result in results), [seed, *map(partial(feedback, grading), results)]


@pytest.mark.parametrize(("name", "line"), submissions.CLAMPED, ids=lambda value: value)
def test_a_clamp_is_caught_in_its_task_and_named(name, line, grade_in, pytestconfig):
    (task,) = {TASK[entry.function] for entry in MISCONCEPTIONS if entry.id == name}
    checks = [check for check in CHECKS if check.task == task]
    for seed in range(pytestconfig.option.draws):
        grading = grade_in(submissions.submission(submissions.CLAMPED[name, line]), seed=seed, checks=checks)
        assert name in names(grading).values(), seed


@pytest.mark.parametrize("name", submissions.PARTLY_RIGHT)
def test_what_is_right_in_some_cases_only_loses_the_checks_of_the_others(name, grade_in, pytestconfig):
    text, ids = submissions.PARTLY_RIGHT[name]
    tasks = {check.task for check in CHECKS if check.id in ids}
    for seed in range(pytestconfig.option.draws):
        checks = [check for check in CHECKS if check.task in tasks]
        grading = grade_in(submissions.submission(text), seed=seed, checks=checks)
        assert {id for id in ids if grading.results[id].verdict == "PASS"} == set(), seed
        if "encodes" in name:
            assert names(grading)["log_weights_encodes_once"] == "logw.encoder_per_sample"
