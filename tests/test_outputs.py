"""Nothing that a person owns is deleted or overwritten, whatever a command is told to write into."""

import os

import pytest
from PIL import Image

import outputs
import visualize
from autograder import __main__ as autograder_main
from autograder.assignments.iwae import demo
from autograder.authoring import release
from autograder.classroom import grade_class as classroom
from autograder.classroom import gradebooks
from autograder.classroom import workers as judges
from autograder.gradescope import build as gradescope
from cli import UserError
from helpers import classes
from helpers.commands import SOLUTION, finish, start
from helpers.submissions import IWAE

OPTIONS = classroom.Options(IWAE, {"nll": "off"})
COMMANDS = {
    "class": (autograder_main, "class", "{students}", "--nll", "off", "--out"),
    "grade": (autograder_main, "grade", SOLUTION, "--nll", "off", "--report"),
    "grade, several": (autograder_main, "grade", SOLUTION, "base_code/model.py", "--nll", "off", "--report"),
    "demo": (autograder_main, "demo", "--out"),
    "reference": (autograder_main, "reference", "--work"),
    "visualize": (visualize, "{run}", "--out"),
}
FOREIGN = {  # what a person has
    "a thesis": {"thesis.txt": b"years of work"},
    "reports": {"results.json": b"{}", "report.html": b"by hand"},
    "an earlier class": {"graded/x/results.json": b"{}", "students/ana/results.json": b"{}"},
    "runs": {"VAE/config.json": b"{}", "autoencoder/notes.txt": b"", "IWAE/model.safetensors": b""},
    "another command's": {".made-by-another": b"", "samples.png": b"a picture"},
    "a hidden file": {".git/config": b""},
}


def contents(folder):
    """{path: bytes} of all that lies below, without following links; None for a folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_is_not_the_commands_is_refused_in_a_line(command, tmp_path, monkeypatch, trained, name, foreign):
    monkeypatch.setattr("autograder.assignments.iwae.figures.choose", lambda _: "mnist")
    students = classes.in_folder(tmp_path / "students", classes.plain({"s1": b"# s1"}))
    classes.in_folder(tmp_path / "out", FOREIGN[foreign])
    before = contents(tmp_path)
    module, *arguments = COMMANDS[name]
    ended = command(module, *(a.format(students=students, run=trained["vae"]) for a in arguments), tmp_path / "out")
    assert ended.status == 1 and "did not put there" in ended.err and len(ended.err.splitlines()) == 1, ended.err
    assert contents(tmp_path) == before


def test_pytest_refuses_a_report_folder_too(tmp_path):
    classes.in_folder(tmp_path, FOREIGN["reports"])
    before = contents(tmp_path)
    ended = finish(start("-m", "pytest", "autograder/", "--nll", "off", "--report", tmp_path))
    assert ended.status != 0 and "did not put there" in ended.err and "Traceback" not in ended.err, ended.err
    assert contents(tmp_path) == before


def test_a_folder_is_taken_again_and_what_is_added_to_it_stays(tmp_path):
    out = outputs.owned_folder(tmp_path / "new" / "out", "class")
    (out / "thesis.txt").write_text("years of work")
    assert outputs.owned_folder(out, "class") == out and (out / "thesis.txt").exists()
    with pytest.raises(UserError, match="thesis.txt"):
        outputs.owned_folder(out, "demo")
    (tmp_path / "link").symlink_to(out)
    outputs.owned_folder(tmp_path / "link", "class")
    (tmp_path / "empty").mkdir()
    outputs.owned_folder(tmp_path / "empty", "demo")


def test_how_to_go_on_with_a_folder_from_before_the_marks(tmp_path):
    classes.in_folder(tmp_path, FOREIGN["an earlier class"])
    with pytest.raises(UserError, match="touch ") as error:
        outputs.owned_folder(tmp_path, "class", former=("graded", "students"))
    os.utime(os.open(str(error.value).rpartition("touch ")[2], os.O_CREAT))  # as touch does
    outputs.owned_folder(tmp_path, "class")


def odd_places(folder):
    (folder / "file").write_bytes(b"mine")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    return "file", "dangling", "circle", "file/below"


def test_what_can_be_no_folder_is_an_error_in_a_line(command, tmp_path):
    for name in odd_places(tmp_path):
        before = contents(tmp_path)
        ended = command(autograder_main, "grade", SOLUTION, "--nll", "off", "--report", tmp_path / name)
        assert ended.status == 1 and len(ended.err.splitlines()) == 1 and name.split("/")[0] in ended.err, ended.err
        assert contents(tmp_path) == before


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_class_is_never_graded_into_or_above_its_submissions(tmp_path, monkeypatch, packed):
    monkeypatch.chdir(tmp_path)
    read = classes.in_folder(tmp_path / "course" / "students", classes.plain({"s1": b"# s1"}))
    if packed:
        read = tmp_path / "course" / "students.zip"
        read.write_bytes(classes.zipped(classes.plain({"s1": b"# s1"})))
    (tmp_path / "link").symlink_to("course")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "students").symlink_to(read if read.is_dir() else read.parent)
    (tmp_path / "elsewhere" / ".made-by-class").touch()
    (tmp_path / "course" / ".made-by-class").touch()  # not even where the folder is the command's
    inside = [] if packed else ["course/students", "course/students/out", "link/students/new/out"]
    before = contents(tmp_path)
    for out in ["course", "link", ".", "course/students/..", "elsewhere", *inside]:
        with pytest.raises(UserError, match="lies in"):
            classroom.grade_class(read, tmp_path / out, OPTIONS)
        with pytest.raises(UserError, match="lies in"):
            classroom.grade_class(outputs.Path("link") / read.name, outputs.Path(out), OPTIONS)
    assert contents(tmp_path) == before


def test_a_roster_in_the_output_folder_would_be_overwritten(tmp_path):
    path = classes.in_folder(tmp_path / "in", classes.plain({"a": b"a"}))
    (outputs.owned_folder(tmp_path / "out", "class") / "canvas.csv").write_text("Name\na\n")
    with pytest.raises(UserError, match="canvas.csv lies in"):
        classroom.grade_class(path, tmp_path / "out", OPTIONS, roster=tmp_path / "out" / "canvas.csv")


def test_of_the_students_folders_only_the_commands_own_give_way(tmp_path, monkeypatch):
    monkeypatch.setattr(judges, "judge", classes.fatal)
    options, out = classroom.Options(IWAE, {"nll": "off"}, lowest_level=1), tmp_path / "out"
    path = classes.in_folder(tmp_path / "in", classes.plain({name: name.encode() for name in ("ana", "bo", "cy")}))
    classroom.grade_class(path, out, options, jobs=1)
    classes.in_folder(out, {"thesis.txt": b"", "students/notes.txt": b"", "students/bo/notes.txt": b""})
    (out / "students" / "link").symlink_to(path)
    (out / "students" / "cy" / ".report.html.123").touch()  # of a command that was killed
    for name in ("bo", "cy"):
        (path / name / "model.py").unlink()
        (path / name).rmdir()
    before = contents(path)
    classroom.grade_class(path, out, options, jobs=1)
    assert {entry.name for entry in (out / "students").iterdir()} == {"ana", "bo", "link", "notes.txt"}
    assert {entry.name for entry in (out / "students" / "bo").iterdir()} == {"notes.txt", *gradebooks.REPORTS}
    assert (out / "thesis.txt").exists() and contents(path) == before


@pytest.mark.slow
def test_the_demo_runs_again_over_its_own_and_leaves_what_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "choose", lambda _: "digits")
    monkeypatch.setattr(demo, "EPOCHS", {"digits": 1})
    monkeypatch.setattr(demo, "grade", lambda *_, **__: None)
    monkeypatch.setattr(demo, "print_grading", lambda _: None)
    for _ in range(2):
        demo.demo(tmp_path / "demo")
        (tmp_path / "demo" / "thesis.txt").write_text("years of work")
    assert (tmp_path / "demo" / "comparison.png").exists() and (tmp_path / "demo" / "thesis.txt").exists()
    (tmp_path / "demo" / "VAE" / "notes.txt").write_text("on this run")
    with pytest.raises(UserError, match="VAE is there already"):
        demo.demo(tmp_path / "demo")
    assert (tmp_path / "demo" / "VAE" / "notes.txt").exists()


# Single files ---------------------------------------------------------------------------------------------


def test_a_zip_or_picture_of_somebody_else_is_refused(command, trained, tmp_path):
    (tmp_path / "mine.zip").write_bytes(b"PK: photographs")
    Image.new("L", (9, 9)).save(tmp_path / "mine.png")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="mine.zip is there already"):
        gradescope.build(IWAE, tmp_path / "mine.zip")
    ended = command(visualize, trained["ae"], trained["vae"], "--out", tmp_path / "mine.png")
    assert ended.status == 1 and "mine.png is there already" in ended.err
    assert contents(tmp_path) == before
    for _ in range(2):
        gradescope.build(IWAE, tmp_path / "new.zip")
        assert command(visualize, trained["ae"], trained["vae"], "--out", tmp_path / "new.png").status == 0


def test_what_somebody_wrote_into_a_generated_file_is_kept(tmp_path, monkeypatch):
    model, archive = tmp_path / "base_code" / "model.py", tmp_path / "dist" / "student.zip"
    monkeypatch.setattr(release, "generated", lambda only: {model: b"the stub"})
    monkeypatch.setattr(release, "zip_bytes", lambda: release.zipped({"README.md": b""}))
    monkeypatch.setattr(release, "ZIP", archive)
    monkeypatch.setattr(release, "KEPT", tmp_path / "dist" / "replaced")
    classes.in_folder(tmp_path, {"base_code/model.py": b"my own answers"})
    wrote, (kept,) = release.release()
    assert wrote == [model, archive] and model.read_bytes() == b"the stub" and kept.read_bytes() == b"my own answers"
    assert release.release() == (wrote, [])  # nothing changes, so nothing is kept
    archive.write_bytes(b"PK: photographs")
    model.write_bytes(b"more answers")
    with pytest.raises(UserError, match="student.zip is there already"):
        release.release()
    assert model.read_bytes() == b"more answers"
