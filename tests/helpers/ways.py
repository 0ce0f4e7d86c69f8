"""The ways that a file is graded in a course: as a class, by nbgrader, by Gradescope."""

import json
import os
import re
from dataclasses import dataclass

import nbformat
import pytest
from tqdm import tqdm

from autograder.grading.verdicts import VERDICTS
from autograder.sandbox.levels import probe
from helpers import classes, gradescope_folder
from helpers.commands import copy_kit, finish, start

WAYS = {}


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
def by_class(folder, assignment, sources):
    files = {f"{name}/{assignment.file_name}": source for name, source in sources.items()}
    path, out = classes.in_folder(folder / "in", files), folder / "out"
    options = ["--assignment", assignment.name, "--out", out, "--lowest-level", 1]
    options += [word for stage in assignment.stages for word in (f"--{stage.option}", "off")]
    ended = finish(start("-m", "autograder", "class", path, *options), 5400)
    assert ended.status == 0, ended.out + ended.err
    return {name: read(json.loads((out / "students" / name / "results.json").read_text())) for name in sources}


@way
def by_gradescope(folder, assignment, sources):
    """Its quick training included, as far as a file comes to it."""
    if probe() < 2 or os.geteuid() != 0:
        pytest.skip("Gradescope runs as root")
    root = gradescope_folder.made(folder, assignment)
    return {
        name: read(gradescope_folder.run(root, {assignment.file_name: source.decode()}))
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
def by_nbgrader(folder, assignment, sources):
    """Without the trained stages."""
    from nbgrader.api import Gradebook

    name, file_name = assignment.name, f"{assignment.name}.ipynb"
    tasks = {task.id for task in assignment.tasks} - {stage.task for stage in assignment.stages}
    root = copy_kit(folder, "base_code", "assignment", "solutions", "autograder", "pyproject.toml")
    notebook = assignment.notebook.released.read_bytes()
    for student, source in sources.items():
        files = {assignment.file_name: source, file_name: notebook}
        classes.in_folder(root / "course/submitted" / student / name, files)
    variables = {"JUPYTER_CONFIG_PATH": str(root / "autograder"), "IWAE_NLL": "off"}
    for command in (("generate_assignment", name, "--force"), ("autograde", name), ("generate_feedback", name)):
        ended = finish(start("-m", "nbgrader", *command, cwd=root, **variables), 5400)
        assert ended.status == 0, ended.out + ended.err
    reports = {}
    with Gradebook(f"sqlite:///{root / 'course/gradebook.db'}") as gradebook:
        for submission in gradebook.assignment_submissions(name):
            path = root / "course/autograded" / submission.student.id / name / file_name
            cells = nbformat.read(path, 4).cells
            text = "\n".join(o.get("text", "") for cell in cells for o in cell.get("outputs", []))
            grades = [grade for grade in submission.notebooks[0].grades if grade.cell.name in tasks]
            assert {grade.cell.name for grade in grades} == tasks
            reports[submission.student.id] = Report(
                score=sum(grade.auto_score for grade in grades),
                lost={grade.cell.name for grade in grades if grade.auto_score < grade.max_score},
                verdicts=set(re.findall("|".join(VERDICTS), text)),
                text=text,
            )
    return reports
