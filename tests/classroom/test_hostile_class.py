"""The hostile bank as one class, and one by one as Gradescope would grade it: as each file by itself. Half an hour.

python -m pytest tests/classroom/test_hostile_class.py --all-levels
"""

import json

import pytest

from autograder.sandbox.levels import works
from cli import ROOT
from helpers import classes, submissions
from helpers.commands import finish, start
from helpers.hostile import BANK

pytestmark = pytest.mark.slow

POINTS = {task.id: sum(submissions.IWAE.points[task.id].values()) for task in submissions.IWAE.tasks}


def source(hostile):
    known = f"ROOT, PORT, SAFE = {str(ROOT)!r}, 9, set()\n"
    return submissions.submission(known + hostile.text, hostile.base).source


@pytest.fixture(scope="module", params=[3, 1], ids=lambda level: f"level{level}")
def graded(request, tmp_path_factory):
    """{name: (Hostile, results.json)} of the class command."""
    if not request.config.option.all_levels:
        pytest.skip("half an hour: --all-levels")
    if request.param != 3 and works(3):
        pytest.skip("the class command takes the best level of a machine")
    folder = tmp_path_factory.mktemp("hostile")
    names = {f"h{number}": hostile for number, hostile in enumerate(BANK)}
    path = classes.in_folder(folder / "in", classes.plain({name: source(h) for name, h in names.items()}))
    out = folder / "out"
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
