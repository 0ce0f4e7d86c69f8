"""The release: what students get holds the task, and none of the answers."""

import io
import json
import re
import subprocess
import sys
import zipfile

import pytest

from autograder.authoring import markers, release
from cli import UserError
from helpers.commands import copy_kit
from helpers.submissions import IWAE

BLOCK = """\
def f(x):
    ### BEGIN SOLUTION
    # TODO 1: say "hello".
    return x
    ### END SOLUTION
"""


def test_an_answer_becomes_its_sentence_of_help():
    stub = markers.strip_solutions(BLOCK, "model.py")
    assert stub == 'def f(x):\n    raise NotImplementedError("TODO 1: say \\"hello\\".")\n'
    compile(stub, "model.py", "exec")


@pytest.mark.parametrize(
    "broken, message",
    [
        (BLOCK.replace("    return x\n", "    ### BEGIN SOLUTION\n"), "line 4: .* inside the block .* line 2"),
        (BLOCK.replace("    ### END SOLUTION\n", ""), "line 2: .* never closed"),
        (BLOCK.replace("    ### BEGIN SOLUTION\n", ""), "line 4: .* without"),
        (BLOCK.replace('    # TODO 1: say "hello".\n', ""), "line 2: expected a comment"),
        (BLOCK.replace("### BEGIN", "## BEGIN"), "line 2: .* is no marker"),
    ],
)
def test_a_broken_marker_is_an_error_with_its_line(broken, message):
    with pytest.raises(UserError, match=message):
        markers.strip_solutions(broken, "model.py")


@pytest.mark.slow
def test_the_stub_is_up_to_date():
    release.check()


@pytest.mark.slow
def test_check_fails_after_an_edit_and_changes_nothing(tmp_path):
    name, old, new = "assignment/iwae/iwae.ipynb", "Fill it with your own numbers", "Fill it with numbers"
    copy_kit(tmp_path, "base_code", "assignment", "solutions", "autograder", "pyproject.toml", *release.STUDENT_FILES)
    made = tmp_path / name
    edited = made.read_text().replace(old, new)
    made.write_text(edited)
    command = [sys.executable, "-m", "autograder", "release", "--check"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    line = edited[: edited.index(new)].count("\n") + 1
    assert ended.returncode == 1
    assert f"{name} differs" in ended.stderr and f"first in line {line}" in ended.stderr
    assert made.read_text() == edited
    assert not (tmp_path / "dist").exists()


@pytest.fixture(scope="module")
def student_zip():
    return zipfile.ZipFile(io.BytesIO(release.zip_bytes()))


def test_the_zip_holds_no_answer(student_zip):
    names = student_zip.namelist()
    assert not [name for name in names if re.search(r"/(solutions|autograder|tests)/", name)]
    answers = [line.strip() for line in IWAE.solution.read_text().splitlines()]
    stub = {line.strip() for line in release.generated()[IWAE.student_file].decode().splitlines()}
    answers = [line.encode() for line in answers if line not in stub and "SOLUTION" not in line and line]
    assert len(answers) > 10
    for name in names:
        content = student_zip.read(name)
        assert b"SOLUTION" not in content, name
        if name.endswith(".py"):
            assert not [line for line in content.splitlines() if line.strip() in answers], name


def test_the_zip_is_the_same_every_time(student_zip):
    assert release.zip_bytes() == release.zip_bytes()


def test_every_path_that_the_zips_readme_names_is_there(student_zip):
    readme = student_zip.read("iwae/README.md").decode()
    for path in re.findall(r"(?:python |\]\(|--requirement )([\w./-]+\.(?:py|md|txt))", readme):
        assert f"iwae/{path}" in student_zip.namelist(), path
    assert "    make " not in readme and "pytest" not in readme and "solutions" not in readme


def test_the_zip_asks_for_the_students_packages_only(student_zip):
    asked = student_zip.read("iwae/requirements.txt").decode()
    names = set(re.findall(r"^([\w-]+)==", asked, re.MULTILINE))
    assert not names & {"pytest", "nbgrader", "distributed", "jinja2", "hypothesis", "ruff", "psutil"}
    imported = set()
    for name in student_zip.namelist():
        if name.startswith("iwae/base_code/") and name.endswith(".py"):
            imported |= set(re.findall(r"^ *(?:import|from) (\w+)", student_zip.read(name).decode(), re.MULTILINE))
        if name.endswith(".ipynb"):
            cells = json.loads(student_zip.read(name))["cells"]
            code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
            imported |= set(re.findall(r"^ *(?:import|from) (\w+)", code, re.MULTILINE))
    modules = {name.replace("-", "_") for name in names} | {
        "sklearn",
        "PIL",
        "IPython",
    }  # of scikit-learn, pillow, ipykernel
    own = {
        part.removesuffix(".py") for name in student_zip.namelist() if "/base_code/" in name for part in name.split("/")
    }
    assert imported <= modules | own | sys.stdlib_module_names, imported - modules - own - sys.stdlib_module_names


def test_requirements_without_their_mark_are_no_release():
    with pytest.raises(UserError, match="requirements.txt: expected a line"):
        release.student_requirements("torch==1.0\n")


@pytest.mark.slow
def test_the_zip_trains_an_autoencoder(student_zip, tmp_path):
    student_zip.extractall(tmp_path)
    command = [sys.executable, "base_code/train.py", "--data", "digits", "--epochs", "1"]
    ended = subprocess.run(command, cwd=tmp_path / "iwae", capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "test reconstruction loss" in ended.stdout
