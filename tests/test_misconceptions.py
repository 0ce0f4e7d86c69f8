"""Every known wrong answer loses points in its own task only, and is named; every right answer loses none."""

import pytest

import submissions
from autograder.misconceptions import MISCONCEPTIONS
from autograder.report import feedback

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


@pytest.mark.parametrize("entry", MISCONCEPTIONS, ids=lambda entry: entry.id)
def test_a_misconception_is_caught_in_its_task_and_named(entry, grade_in):
    grading = grade_in(submissions.wrong(entry))
    results = lost(grading)
    assert {result.check.task for result in results} == {TASK[entry.function]}, grading.seed
    named = {result.lost.misconception for result in results}
    assert entry.id in named, [feedback(grading, result) for result in results]


@pytest.mark.parametrize("name", submissions.RIGHT)
def test_a_right_answer_gets_all_points(name, grade_in, pytestconfig):
    for seed in range(pytestconfig.option.draws):
        grading = grade_in(submissions.submission(submissions.RIGHT[name]), seed)
        assert not lost(grading), [feedback(grading, result) for result in lost(grading)]
