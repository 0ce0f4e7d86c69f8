"""The hostile bank in each way that a file is graded: as a class, by nbgrader, by Gradescope. 15 minutes each.

python -m pytest tests/test_hostile_ways.py --thorough -k nbgrader
"""

import re
import sys

import pytest

from autograder.grading.verdicts import COMMAND
from helpers import submissions
from helpers.commands import ROOT
from helpers.hostile import BANK, submission_of
from helpers.submissions import IWAE
from helpers.ways import WAYS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=WAYS)
def reports(request, tmp_path_factory):
    """[(Hostile, Report)] of one way, at the best level of this machine."""
    if not request.config.option.thorough:
        pytest.skip("a quarter of an hour: --thorough")
    hostile = {f"h{number}": one for number, one in enumerate(BANK)}
    sources = {name: submission_of(one).source for name, one in hostile.items()}
    found = WAYS[request.param](tmp_path_factory.mktemp(request.param), IWAE, sources)
    assert found.keys() == sources.keys()
    return [(hostile[name], report) for name, report in found.items()]


def objections(hostile, report):
    """What is wrong with the report of that file, in words."""
    may_lose = {*hostile.tasks, "nll"} if hostile.tasks else set()
    text = report.text.replace(sys.prefix, "")  # a library's warning names its file, which may lie in ROOT/.venv
    rules = {
        "points": hostile.base == submissions.SOLUTION or report.score == 0,
        "the tasks that it breaks": report.lost <= may_lose,
        "a verdict of its own": "INFRA" not in report.verdicts,
        "the verdict": not hostile.verdicts or report.verdicts.intersection(hostile.verdicts),
        "text": hostile.says in report.text,
        "nothing of the kit": str(ROOT) not in text and "def gaussian_log_likelihood" not in text,
        "no control characters": not re.search("[\x1b\u202e]", report.text) and not COMMAND.search(report.text),
    }
    return [name for name, holds in rules.items() if not holds]


def test_no_hostile_file_gains_or_harms(reports):
    wrong = {hostile.name: (objections(hostile, report), report) for hostile, report in reports}
    assert {name: found for name, found in wrong.items() if found[0]} == {}
