"""The hostile bank in each way that a file is graded: as a class, by nbgrader, by Gradescope. 15 minutes each.

python -m pytest tests/test_hostile_ways.py --thorough -k nbgrader
"""

import json
import os
import re
import sys
from dataclasses import dataclass

import nbformat
import pytest
from tqdm import tqdm

from autograder.grading.verdicts import COMMAND, VERDICTS
from autograder.sandbox.levels import probe
from helpers import classes, gradescope_folder, submissions
from helpers.commands import ROOT, copy_kit, finish, start
from helpers.hostile import BANK, submission_of
from helpers.submissions import IWAE

pytestmark = pytest.mark.slow
WAYS = {}
TASKS = {task.id for task in IWAE.tasks} - {stage.task for stage in IWAE.stages}


@dataclass
class Report:
    """What one way made of one file."""

    score: float
    lost: set  # tasks that lack a point
    verdicts: set  # of the checks that are lost
    text: str


def way(function):
    WAYS[function.__name__.removeprefix("by_")] = function


@way
def by_class(folder, sources):
    path, out = classes.in_folder(folder / "in", classes.plain(sources)), folder / "out"
    ended = finish(start("-m", "autograder", "class", path, "--out", out, "--nll", "off", "--lowest-level", 1), 5400)
    assert ended.status == 0, ended.out + ended.err
    return {name: read(json.loads((out / "students" / name / "results.json").read_text())) for name in sources}


@way
def by_gradescope(folder, sources):
    """Its quick training included, as far as a file comes to it."""
    if probe() < 2 or os.geteuid() != 0:
        pytest.skip("Gradescope runs as root")
    root = gradescope_folder.made(folder)
    return {
        name: read(gradescope_folder.run(root, {"model.py": source.decode()}))
        for name, source in tqdm(sources.items(), desc="gradescope", disable=None)
    }


def read(results):
    """The Report of a results.json."""
    tests = [test for test in results["tests"] if test["extra_data"]["verdict"] != "PASS"]
    return Report(
        score=results["score"],
        lost={test["tags"][0] for test in tests},
        verdicts={test["extra_data"]["verdict"] for test in tests},
        text="\n".join([results["output"], *(test["output"] for test in results["tests"])]),
    )


@way
def by_nbgrader(folder, sources):
    from nbgrader.api import Gradebook

    root = copy_kit(folder, "base_code", "assignment", "solutions", "autograder", "pyproject.toml")
    notebook = (root / "assignment/iwae/iwae.ipynb").read_bytes()
    for name, source in sources.items():
        classes.in_folder(root / "course/submitted" / name / "iwae", {"model.py": source, "iwae.ipynb": notebook})
    variables = {"JUPYTER_CONFIG_PATH": str(root / "autograder"), "IWAE_NLL": "off"}
    for command in (("generate_assignment", "iwae", "--force"), ("autograde", "iwae"), ("generate_feedback", "iwae")):
        ended = finish(start("-m", "nbgrader", *command, cwd=root, **variables), 5400)
        assert ended.status == 0, ended.out + ended.err
    reports = {}
    with Gradebook(f"sqlite:///{root / 'course/gradebook.db'}") as gradebook:
        for submission in gradebook.assignment_submissions("iwae"):
            path = root / "course/autograded" / submission.student.id / "iwae/iwae.ipynb"
            cells = nbformat.read(path, 4).cells
            text = "\n".join(o.get("text", "") for cell in cells for o in cell.get("outputs", []))
            grades = [grade for grade in submission.notebooks[0].grades if grade.cell.name in TASKS]
            assert {grade.cell.name for grade in grades} == TASKS
            reports[submission.student.id] = Report(
                score=sum(grade.auto_score for grade in grades),
                lost={grade.cell.name for grade in grades if grade.auto_score < grade.max_score},
                verdicts=set(re.findall("|".join(VERDICTS), text)),
                text=text,
            )
    return reports


@pytest.fixture(scope="module", params=WAYS)
def reports(request, tmp_path_factory):
    """[(Hostile, Report)] of one way, at the best level of this machine."""
    if not request.config.option.thorough:
        pytest.skip("a quarter of an hour: --thorough")
    hostile = {f"h{number}": one for number, one in enumerate(BANK)}
    sources = {name: submission_of(one).source for name, one in hostile.items()}
    found = WAYS[request.param](tmp_path_factory.mktemp(request.param), sources)
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
