"""The hidden checks as tests: one for each check of autograder/checks.py and autograder/nll.py."""

import pytest

from autograder.checks import CHECKS
from autograder.nll import NLL_CHECKS
from autograder.report import feedback


def parameters(checks):
    return [pytest.param(check, id=check.id, marks=getattr(pytest.mark, check.task)) for check in checks]


def run(grading, check):
    result = grading.run(check)
    if result.verdict != "PASS":
        pytest.fail(feedback(grading, result), pytrace=False)


@pytest.mark.parametrize("check", parameters(CHECKS))
def test_functions(check, grading):
    run(grading, check)


@pytest.mark.parametrize("check", parameters(NLL_CHECKS))
def test_training(check, grading, pytestconfig):
    if grading.nll == "off":
        pytest.skip("--nll off")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # for the progress bar
        run(grading, check)
