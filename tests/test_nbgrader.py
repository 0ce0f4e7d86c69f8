"""A course of nine students by nbgrader's own commands, from source to exported marks."""

import csv
import json
import re

import nbformat
import pytest
from conftest import ROOT, copy_kit, finish, start

import submissions
from autograder.misconceptions import BY_ID
from autograder.submission import Submission

KIT = ("base_code", "assignment", "solutions", "autograder", "pyproject.toml")
SECRET = "a passage that only ada wrote"
FORGERY = """
import builtins, sys
class Any:
    def __getattr__(self, name): return lambda *a, **k: 100.0
sys.modules["autograder"] = sys.modules["autograder.hidden_tests"] = Any()
builtins.float = lambda *a: 100.0
get_ipython().input_transformers_post.append(lambda lines: ["100.0\\n"])
"""


def edited(book, student):
    """What one student made of the released notebook."""
    book = nbformat.from_dict(json.loads(json.dumps(book)))
    cells = book.cells
    graded = [i for i, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("locked")]
    if student == "ada":
        answer = next(cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "question-1")
        answer.source = f"{SECRET} <script>alert(1)</script>"
    elif student == "forger":
        cells.insert(0, nbformat.v4.new_code_cell(FORGERY))
        for i in graded:
            cells[i + 1].source = "100.0"
            cells[i + 1].metadata.nbgrader.points = 1000
    elif student == "missing-cells":
        for i in reversed(graded):
            del cells[i]
    elif student == "doubled-cell":
        for i in (graded[1], graded[0]):
            twin = nbformat.from_dict(json.loads(json.dumps(cells[i])))
            twin.id += "-twin"
            cells.append(twin)
    elif student == "dead-kernel":
        cells.insert(0, nbformat.v4.new_code_cell("import os\nos.kill(os.getpid(), 9)"))
    elif student == "odd-metadata":
        for i, cell in enumerate(cells):
            cell.metadata["nbgrader"] = [{"grade_id": 7}, [], "x", {"grade_id": "todo1", "points": -1}][i % 4]
    return book


STUDENTS = {  # what is handed in beside the notebook
    "ada": submissions.SOLUTION,
    "wrong": submissions.wrong(BY_ID["logw.no_prior"]).source.decode(),
    "forger": submissions.STUB,
    "missing-cells": submissions.SOLUTION,
    "doubled-cell": submissions.wrong(BY_ID["lme.naive"]).source.decode(),
    "dead-kernel": submissions.SOLUTION,
    "odd-metadata": submissions.SOLUTION,
    "no-model": None,
    "not-a-notebook": submissions.SOLUTION,
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course after the commands of README's section on nbgrader, and how the autograde of many students ended."""
    root = copy_kit(tmp_path_factory.mktemp("course"), *KIT)
    variables = {"JUPYTER_CONFIG_PATH": str(root / "autograder"), "IWAE_NLL": "off"}

    def nbgrader(*arguments):
        return finish(start("-m", "nbgrader", *arguments, cwd=root, **variables))

    generated = nbgrader("generate_assignment", "iwae", "--force")
    assert generated.status == 0, generated.err
    release = nbformat.read(root / "assignment" / "iwae" / "iwae.ipynb", 4)
    for student, text in STUDENTS.items():
        folder = root / "course" / "submitted" / student / "iwae"
        folder.mkdir(parents=True)
        nbformat.write(edited(release, student), folder / "iwae.ipynb")
        if text is not None:
            (folder / "model.py").write_text(text)
    folder = root / "course" / "submitted"
    (folder / "no-model" / "iwae" / "model.py").symlink_to(root / "solutions" / "model.py")  # a link is no file
    (folder / "not-a-notebook" / "iwae" / "iwae.ipynb").write_text("{")
    alone = nbgrader("autograde", "iwae", "--student", "ada")
    assert alone.status == 0, alone.err
    rest = nbgrader("autograde", "iwae")
    for command in (("generate_feedback", "iwae"), ("export", "--to", "grades.csv")):
        result = nbgrader(*command)
        assert result.status == 0, result.err
    return root, rest


def marks(course):
    """The exported points of the code; None where there is no mark."""
    with (course[0] / "grades.csv").open() as file:
        return {row["student_id"]: float(row["code"]) if row["code"] else None for row in csv.DictReader(file)}


def test_the_release_is_the_one_of_the_kit(course):
    assert (course[0] / "assignment/iwae/iwae.ipynb").read_bytes() == (ROOT / "assignment/iwae/iwae.ipynb").read_bytes()


def test_the_exported_marks_equal_single_grading(course, grade_in):
    exported = marks(course)
    expected = {}
    for student in set(STUDENTS) - {"no-model", "not-a-notebook"}:
        expected[student] = grade_in(Submission.read(course[0] / f"course/submitted/{student}/iwae/model.py")).score
    assert exported == expected | {"no-model": 0, "not-a-notebook": None}
    assert len(set(expected.values())) > 2 and expected["ada"] == 80 and expected["forger"] == 0


def test_an_unreadable_notebook_fails_alone_and_is_named(course):
    assert course[1].status != 0
    failed = re.findall(r"error processing assignment '\w+' for student '([\w-]+)'", course[1].err)
    assert failed == ["not-a-notebook"]


def test_feedback_explains_and_runs_nothing(course):
    feedback = {path.parts[-3]: path.read_text() for path in course[0].glob("course/feedback/*/iwae/iwae.html")}
    assert set(STUDENTS) - set(feedback) == {"not-a-notebook"}
    assert SECRET in feedback["ada"] and "<script>alert" not in feedback["ada"]
    assert "log p(z)" in feedback["wrong"] and "WRONG_VALUE" in feedback["wrong"]
    assert not re.search(r"Rubric|def gaussian_log_likelihood", "".join(feedback.values()))
    assert "model.py" in feedback["no-model"]


def test_a_model_file_in_the_source_folder_would_be_a_trap(course):
    """nbgrader writes files of the source folder over the submitted ones, so the notebook is alone there."""
    assert [path.name for path in (ROOT / "solutions" / "iwae").iterdir() if path.suffix == ".py"] == []
    submitted, autograded = (course[0] / f"course/{step}/wrong/iwae/model.py" for step in ("submitted", "autograded"))
    assert submitted.read_text() == autograded.read_text() != submissions.SOLUTION
