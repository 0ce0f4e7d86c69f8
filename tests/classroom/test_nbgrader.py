"""A course by nbgrader's own commands, from source to exported marks: students who are honest, careless or neither."""

import csv
import json
import os
import re

import bs4
import nbformat
import pytest

from autograder.grading.submission import Submission
from helpers import submissions
from helpers.commands import ROOT, copy_kit, finish, start
from helpers.submissions import IWAE

pytestmark = pytest.mark.slow

KIT = ("base_code", "assignment", "solutions", "autograder", "pyproject.toml")
SECRET = "a passage that only ada wrote"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TYPED = "We have a<b and c>d, $k < l$, `if x<y:` and <b>bold</b>.\n\n```python\nvector<int> v\n```\n"
ATTACKS = """
<script>alert(1)</script> <img src=x onerror=alert(1)> <svg onload=alert(1)> <iframe src=//evil.example></iframe>
[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](&#106;avascript:alert(1)) [d](data:text/html,x) [e][x]
<javascript:alert(1)> ![f](javascript:alert(1)) ![g](https://evil.example/track.png)
[h](vbscript:x) [i]( java\tscript:x)

[x]: javascript:alert(1)

```mermaid
</pre><script>alert(1)</script>
```
"""
SHADOWS = ("jinja2.py", "torch.py", "rich.py", "sitecustomize.py", "conftest.py", "ipython_config.py", "autograder.py")
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
    answers = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
    graded = [i for i, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("locked")]
    if student == "ada":
        answers[0].source = f"{SECRET}\n\n{TYPED}"
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
    elif student == "attacker":
        cells.insert(0, nbformat.v4.new_code_cell("import os\nos.kill(os.getpid(), 9)"))
        answers[0].source = ATTACKS
    elif student == "odd-metadata":
        for i, cell in enumerate(cells):
            cell.metadata["nbgrader"] = [{"grade_id": 7}, [], "x", {"grade_id": "todo1", "points": -1}][i % 4]
    elif student == "stripped":
        answers[0].source += "\n\nthe first answer ![picture](attachment:image.png) ![none](attachment:none.png)"
        answers[0]["attachments"] = {"image.png": {"image/png": PIXEL}}
        cells.insert(cells.index(answers[1]) + 1, nbformat.v4.new_raw_cell("the second, in a cell of its own"))
        for cell in cells:
            del cell["id"]
            cell.metadata = {}
    return book


STUDENTS = {  # what is handed in beside the notebook
    "ada": submissions.SOLUTION,
    "wrong": submissions.wrong(IWAE.misconceptions["logw.no_prior"]).source.decode(),
    "forger": submissions.STUB,
    "missing-cells": submissions.SOLUTION,
    "doubled-cell": submissions.wrong(IWAE.misconceptions["lme.naive"]).source.decode(),
    "attacker": submissions.SOLUTION,
    "odd-metadata": submissions.SOLUTION,
    "no-model": None,
    "not-a-notebook": submissions.SOLUTION,
    "stripped": submissions.SOLUTION,
    "renamed": submissions.SOLUTION,
    "empty": None,
}
UNREAD = {"not-a-notebook", "empty", "renamed", "link"}  # each is told at the end


def spoil(root, submitted):
    """What lies in the folders of some students."""
    (submitted / "no-model/iwae/model.py").symlink_to(root / "solutions" / "model.py")  # a link is no file
    (submitted / "not-a-notebook/iwae/iwae.ipynb").write_text("{")
    (submitted / "empty/iwae/iwae.ipynb").unlink()
    renamed = submitted / "renamed/iwae"
    text = (renamed / "iwae.ipynb").read_text().replace("YOUR ANSWER HERE", "mine \\ud800", 1)
    (renamed / "Iwae (1).ipynb").write_text("\ufeff" + text)
    (renamed / "iwae.ipynb").unlink()
    (renamed / "timestamp.txt").write_text("yesterday")
    (submitted / "link").symlink_to(submitted / "ada")
    attacker = submitted / "attacker/iwae"
    for name in SHADOWS:
        (attacker / name).write_text(f"open({str(root / 'owned')!r}, 'a').write({name!r})\n")
    (attacker / "notes.txt").symlink_to(root / "solutions" / "model.py")
    (attacker / "folder").symlink_to(root / "course")
    (attacker / "iwae_files").mkdir()
    os.mkfifo(attacker / "pipe")


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
    spoil(root, root / "course" / "submitted")
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
    for student in set(STUDENTS) - {"no-model", "empty"}:
        expected[student] = grade_in(
            Submission.read(IWAE, course[0] / f"course/submitted/{student}/iwae/model.py")
        ).score
    assert exported == expected | {"no-model": 0, "empty": 0, "link": None}
    assert len(set(expected.values())) > 2 and expected["ada"] == 80 and expected["forger"] == 0


def test_written_answers_wait_for_a_person_unless_there_is_nothing_to_read(course):
    with (course[0] / "grades.csv").open() as file:
        written = {row["student_id"]: row["written"] for row in csv.DictReader(file)}
    assert {student for student, mark in written.items() if mark == ""} == {
        "ada",
        "attacker",
        "stripped",
        "forger",
    } | UNREAD
    assert written["wrong"] == written["missing-cells"] == "0.0"


def test_who_needs_a_person_is_named_at_the_end(course):
    assert course[1].status != 0
    assert set(re.findall(r"error processing assignment '\w+' for student '([\w-]+)'", course[1].err)) == UNREAD
    assert "timestamp.txt cannot be read" in course[1].err and "Iwae (1).ipynb is taken" in course[1].err


def feedback(course):
    return {path.parts[-3]: path.read_text() for path in course[0].glob("course/feedback/*/iwae/iwae.html")}


def test_feedback_explains(course):
    pages = feedback(course)
    assert set(STUDENTS) == set(pages)
    assert "log p(z)" in pages["wrong"] and "WRONG_VALUE" in pages["wrong"]
    assert not re.search(r"Rubric|def gaussian_log_likelihood", "".join(pages.values()))
    assert "model.py" in pages["no-model"] and "mine ?" in pages["renamed"]


def test_answers_are_shown_as_they_were_typed(course):
    page = bs4.BeautifulSoup(feedback(course)["ada"], "html.parser").get_text()
    for text in (SECRET, "a<b and c>d", "$k < l$", "if x<y:", "<b>bold</b>", "vector<int> v"):
        assert text in page


def test_a_notebook_without_metadata_keeps_its_answers_and_pictures(course):
    page = feedback(course)["stripped"]
    assert f'src="data:image/png;base64,{PIXEL}"' in page and "[picture: none]" in page
    assert (
        page.index("the first answer")
        < page.index("Question 2")
        < page.index("the second, in")
        < page.index("VAE against")
    )


FORMGRADER = """
import sys
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
app = FormgradeExtension()
app.initialize([])
resources = {"base_url": "", "submission_id": "1", "index": 0, "total": 1, "notebook_path": ""}
print(HTMLExporter(config=app.config).from_filename(sys.argv[1], resources=resources)[0])
"""


def test_nothing_in_an_answer_is_live(course):
    notebook = course[0] / "course/autograded/attacker/iwae/iwae.ipynb"
    formgrader = finish(
        start("-c", FORMGRADER, notebook, cwd=course[0], JUPYTER_CONFIG_PATH=str(course[0] / "autograder"))
    )
    assert "Full credit" in formgrader.out, formgrader.err
    for html in (feedback(course)["attacker"], formgrader.out):
        page = bs4.BeautifulSoup(html, "html.parser")
        answer = page.find("div", class_="nbgrader_cell").find("div", class_="text_cell_render")
        assert "onerror=alert(1)" in answer.get_text()
        assert {tag.name for tag in answer.find_all()} <= {"p", "a", "pre", "code", "span", "div", "hr", "em"}
        assert {link.get("href") for link in answer.find_all("a")} <= {None, "https://evil.example/track.png"}
        assert not [name for tag in answer.find_all() for name in tag.attrs if name.startswith("on")]


def test_nothing_beside_the_two_files_is_run_or_copied(course):
    assert not (course[0] / "owned").exists()
    for step in ("autograded", "feedback"):
        files = {path.name for path in (course[0] / "course" / step).rglob("*") if not path.is_dir()}
        assert files <= {"iwae.ipynb", "iwae.html", "model.py", "timestamp.txt"}
    assert not (course[0] / "course/autograded/link/iwae").exists()


def test_a_model_file_in_the_source_folder_would_be_a_trap(course):
    """nbgrader writes files of the source folder over the submitted ones, so the notebook is alone there."""
    assert [path.name for path in (ROOT / "solutions" / "iwae").iterdir() if path.suffix == ".py"] == []
    submitted, autograded = (course[0] / f"course/{step}/wrong/iwae/model.py" for step in ("submitted", "autograded"))
    assert submitted.read_text() == autograded.read_text() != submissions.SOLUTION
