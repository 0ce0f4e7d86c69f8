"""The notebook of an assignment, built from its text: with the answers for nbgrader, and the students' release."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat

from autograder import ROOT
from cli import UserError


def notebooks(chosen):
    """{path: content} of both notebooks of each assignment, as they must be: the same text makes the same bytes."""
    sources = {each: source_notebook(each, each.notebook.text.read_text(encoding="utf-8")) for each in chosen}
    return {each.notebook.source: source for each, source in sources.items()} | released(sources)


def source_notebook(assignment, text):
    """The notebook with answers and hidden tests, from its text.

    A cell that is marked `answer="ID" points=N` there is written by students and graded by hand; a cell marked
    `graded="TASK"` holds a hidden test and has the points of that task in points.toml.
    """
    notebook = jupytext.reads(text, "py:percent")
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        marks, cell.metadata, cell.id = cell.metadata, {}, f"cell-{number}"  # an id of its own would be random
        if "answer" in marks:
            cell.metadata["nbgrader"] = nbgrader_marks(marks["answer"], marks["points"], by_hand=True)
        elif "graded" in marks:
            points = sum(assignment.points[marks["graded"]].values())
            cell.metadata["nbgrader"] = nbgrader_marks(marks["graded"], points, by_hand=False)
    return nbformat.writes(notebook).encode() + b"\n"


def nbgrader_marks(grade_id, points, by_hand):
    """nbgrader's metadata of a graded cell. https://nbgrader.readthedocs.io/en/stable/contributor_guide/metadata.html"""
    return {
        "schema_version": 3,
        "grade_id": grade_id,
        "grade": True,
        "points": points,
        "solution": by_hand,
        "locked": not by_hand,
        "task": False,
    }


def released(sources):
    """{path: content} that nbgrader makes for students, without answers and hidden tests, of {assignment: source}."""
    if not sources:  # of which nbgrader would make an error
        return {}
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        for assignment, source in sources.items():
            place = course / assignment.notebook.source.relative_to(ROOT)
            place.parent.mkdir(parents=True)
            place.write_bytes(source)
        for name in ("autograder", "base_code"):
            shutil.copytree(ROOT / name, course / name, ignore=lambda *_: ["__pycache__"])
        ended = subprocess.run(
            [sys.executable, "-m", "nbgrader", "generate_assignment", "*"],  # each start of nbgrader takes 8 seconds
            cwd=course, env={**os.environ, "JUPYTER_CONFIG_PATH": str(course / "autograder")}, capture_output=True,
            text=True,
        )  # fmt: skip
        made = {each.notebook.released: course / each.notebook.released.relative_to(ROOT) for each in sources}
        missing = [str(path.relative_to(course)) for path in made.values() if not path.exists()]
        if ended.returncode or missing:
            raise UserError(
                f"nbgrader could not make {', '.join(missing) or 'the notebooks'}:\n{ended.stderr.strip()[-2000:]}"
            )
        return {path: place.read_bytes() for path, place in made.items()}
