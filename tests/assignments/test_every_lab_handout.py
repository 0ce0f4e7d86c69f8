"""What holds for the handout of every lab: its points are the autograder's, and feedback points to its sections."""

import re

import pytest

from autograder import assignments
from cli import ROOT

LABS = [assignments.get(name) for name in assignments.NAMES if name != assignments.DEFAULT]
each_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


def handout(lab):
    return (ROOT / "assignment" / "labs" / f"{lab.name}.md").read_text(encoding="utf-8")


@each_lab
def test_feedback_points_to_sections(lab):
    pointers = [entry.read for entry in lab.misconceptions.values()]
    sections = {re.match(r"handout (?:and slides )?of the lab, ([^;]+)", pointer)[1] for pointer in pointers}
    assert sections <= set(re.findall(r"^## (.+)$", handout(lab), re.MULTILINE))


@each_lab
def test_the_points_are_those_of_the_autograder(lab):
    rows = re.findall(r"^\| TODO (\d) \| (.*?) \|.*\| (\d+) \|$", handout(lab), re.MULTILINE)
    expected = [(task.id[-1], task.functions, sum(lab.points[task.id].values())) for task in lab.tasks]
    assert [(n, tuple(re.findall(r"[\w.]+", names)), int(points)) for n, names, points in rows] == expected
    assert sum(int(points) for _, _, points in rows) == 100
