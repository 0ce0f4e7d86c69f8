"""The core's answers that are right on some inputs only: each is caught, and named where it is a known mistake."""

import pytest

from helpers import submissions
from helpers.gradings import lost, names
from helpers.submissions import IWAE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", submissions.CHEAP)
def test_what_is_right_on_some_inputs_alone_is_caught(name, grade_in, pytestconfig):
    task, misconception, text = submissions.CHEAP[name]
    for seed in range(pytestconfig.option.draws):
        results = lost(grade_in(submissions.submission(text), seed=seed))
        assert {result.check.task for result in results} == {task}, seed
        if misconception:
            assert misconception in {result.lost.misconception for result in results}


@pytest.mark.parametrize(("name", "line"), submissions.CLAMPED, ids=lambda value: value)
def test_a_clamp_is_caught_in_its_task_and_named(name, line, grade_in, pytestconfig):
    task = IWAE.task_of(IWAE.misconceptions[name].function)
    checks = [check for check in IWAE.checks if check.task == task.id]
    for seed in range(pytestconfig.option.draws):
        grading = grade_in(submissions.submission(submissions.CLAMPED[name, line]), seed=seed, checks=checks)
        assert name in names(grading).values(), seed


@pytest.mark.parametrize("name", submissions.PARTLY_RIGHT)
def test_what_is_right_in_some_cases_only_loses_the_checks_of_the_others(name, grade_in, pytestconfig):
    text, ids = submissions.PARTLY_RIGHT[name]
    tasks = {check.task for check in IWAE.checks if check.id in ids}
    for seed in range(pytestconfig.option.draws):
        checks = [check for check in IWAE.checks if check.task in tasks]
        grading = grade_in(submissions.submission(text), seed=seed, checks=checks)
        assert {id for id in ids if grading.results[id].verdict == "PASS"} == set(), seed
        if "encodes" in name:
            assert names(grading)["log_weights_encodes_once"] == "logw.encoder_per_sample"
