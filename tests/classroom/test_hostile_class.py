"""The hostile bank as one class: no file gains a point, or fails another's grading. Ten minutes.

python -m pytest tests/classroom/test_hostile_class.py --all-levels
"""

import json

import pytest

from helpers import classes, submissions
from helpers.commands import finish, start
from helpers.hostile import BANK, submission_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def graded(request, tmp_path_factory):
    """{name: (Hostile, results.json)} of the class command, at the best level of this machine."""
    if not request.config.option.all_levels:
        pytest.skip("ten minutes: --all-levels")
    folder = tmp_path_factory.mktemp("hostile")
    names = {f"h{number}": hostile for number, hostile in enumerate(BANK)}
    sources = {name: submission_of(hostile).source for name, hostile in names.items()}
    path, out = classes.in_folder(folder / "in", classes.plain(sources)), folder / "out"
    ended = finish(start("-m", "autograder", "class", path, "--out", out, "--nll", "off", "--lowest-level", 1), 3600)
    assert ended.status == 0, ended.out + ended.err
    return {name: (hostile, read(out / "students" / name)) for name, hostile in names.items()}


def read(folder):
    return json.loads((folder / "results.json").read_text())


def test_no_hostile_file_gains_or_stops_a_class(graded):
    wrong = {}
    for name, (hostile, results) in graded.items():
        verdicts = {test["extra_data"]["verdict"] for test in results["tests"]}
        kept = {test["tags"][0] for test in results["tests"] if test["status"] != "passed"}
        if "INFRA" in verdicts or not kept <= set(hostile.tasks):
            wrong[name] = (verdicts, kept)
        if hostile.base != submissions.SOLUTION and results["score"]:
            wrong[name] = results["score"]
        if hostile.tasks and hostile.verdicts and not verdicts.intersection(hostile.verdicts):
            wrong[name] = verdicts
    assert wrong == {}
