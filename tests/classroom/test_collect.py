"""What instructors have: the layouts of downloads, what is in students' zips, and which of their files counts."""

import os
import re
import stat
import unicodedata
import zipfile

import pytest

from autograder.__main__ import report_folders
from autograder.classroom import collect
from autograder.grading.submission import MAX_SOURCE
from cli import UserError
from helpers import classes
from helpers.commands import ROOT
from helpers.submissions import IWAE

NAMES = ["Ana Silva", "Bo Li", "Çelik Öz", "Dee O'Hara", "=cmd() Eve"]
STRAYS = ("Thumbs.db", "desktop.ini", "roster.csv", "gradebook.db", "Grades.csv", "README", "marks.xlsx")
STUB = (ROOT / "base_code" / "model.py").read_bytes()


def read_all(path):
    return {hand_in.student.name: hand_in.read() for hand_in in collect.collect(path, IWAE).hand_ins}


def sources(path, layout=None):
    """{name: source, or None where the student has no file}"""
    hand_ins = collect.collect(path, IWAE, layout).hand_ins
    return {hand_in.student.name: hand_in.read()[0].source.decode() or None for hand_in in hand_ins}


def inside(wrappers, files):
    return {f"{wrappers}{name}": content for name, content in files.items()}


def download(folder, files, packed=False):
    if not packed:
        return classes.in_folder(folder / "download", files)
    path = folder / "download.zip"
    path.write_bytes(classes.zipped(files))
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("wrappers", ["", "hw/", "hw/2026/"])
@pytest.mark.parametrize("layout", classes.LAYOUTS)
def test_a_download_is_read_as_it_is(tmp_path, layout, wrappers, packed):
    students = {name: f"# {name}\n".encode() for name in NAMES}
    strays = [*STRAYS, "slides.zip"]
    files = inside(wrappers, classes.LAYOUTS[layout](students)) | dict.fromkeys(strays, b"")
    path = download(tmp_path, files, packed)
    before = sorted(tmp_path.rglob("*"))
    expected = set(students.values())
    found = read_all(path)
    assert {submission.source for submission, _ in found.values()} == expected
    for name, (submission, _) in found.items():  # each student has their own
        letters = re.sub(r"[^a-z]", "", submission.source.decode()[2:].lower())
        assert re.sub(r"[^a-z]", "", name.lower()) == letters
    assert collect.collect(path, IWAE).unrecognised == sorted(strays)
    assert sorted(tmp_path.rglob("*")) == before, "something was extracted"


def test_of_several_attempts_the_newest_counts_and_is_told(tmp_path):
    files = {
        "li_100_11_model.py": b"old",
        "li_LATE_100_30_model-2.py": b"newest",
        "li_100_12_model-1.py": b"middle",
        "li_100_31_notes.txt": b"",
        "oz_LATE_200_13_work.zip": classes.zipped({"model.py": b"in a zip"}),
        "oz_LATE_200_12_model.py": b"old",
    }
    found = read_all(classes.in_folder(tmp_path, files))
    submission, notes = found["li"]
    assert submission.source == b"newest"
    assert "the newest" in notes[0] and "li_100_11_model.py" in notes[0]
    submission, notes = found["oz"]
    assert submission.source == b"in a zip" and "oz_LATE_200_12_model.py" in notes[0]


def test_of_a_students_files_the_one_in_its_place_counts(tmp_path):
    files = {"ana/model.py": b"right", "ana/old/model.py": b"", "bo/lab1/model.py": b"no", "bo/iwae/model.py": b"right"}
    for submission, notes in read_all(classes.in_folder(tmp_path, files)).values():
        assert submission.source == b"right" and "not graded" in notes[0]


def test_what_fits_no_layout_is_listed_and_never_graded(tmp_path):
    files = {"Ana_12_assignsubmission_file_/model.py": b"a", "model.py": b"whose?", "list.xlsx": b"",
             "Ana_12_assignsubmission_onlinetext_/onlinetext.html": b""}  # fmt: skip
    collection = collect.collect(classes.in_folder(tmp_path, files), IWAE)
    assert [hand_in.student.name for hand_in in collection.hand_ins] == ["Ana"]
    assert collection.unrecognised == ["Ana_12_assignsubmission_onlinetext_", "list.xlsx", "model.py"]


def test_a_group_and_who_handed_in_nothing(tmp_path):
    metadata = {
        "submission_1": {":submitters": [{":name": "Ana"}, {":name": "Bo"}], ":created_at": "2026-11-01"},
        "submission_2": {":submitters": [{":name": "Bo"}], ":created_at": "2026-11-02"},
        "submission_3": {":submitters": [{":name": "Cy"}], ":created_at": "2026-11-02"},
    }
    files = {"submission_1/model.py": b"1", "submission_2/model.py": b"2", "submission_9/model.py": b"9"}
    files["submission_metadata.yml"] = classes.yaml.safe_dump(metadata).encode()
    path = classes.in_folder(tmp_path, files)
    found = read_all(path)
    assert {name: submission.source for name, (submission, _) in found.items()} == {"Ana": b"1", "Bo": b"2", "Cy": b""}
    assert "no model.py" in found["Cy"][0].rejected
    assert collect.collect(path, IWAE).unrecognised == ["submission_9"]


def link(info):
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def encrypted(content):
    """Set the flag bit in the local and in the central header."""
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.index(mark) + offset
        content = content[:at] + bytes([content[at] | 1]) + content[at + 1 :]
    return content


def lying_bomb():
    """100 MB of zeros in an entry that says it has 10 bytes."""
    content = classes.zipped({"model.py": bytes(10**8)})
    return content.replace((10**8).to_bytes(4, "little"), (10).to_bytes(4, "little"))


ODD_ZIPS = {
    "a bomb": (classes.zipped({"model.py": bytes(10**8)}), "100,000,000 bytes"),
    "a bomb that lies": (lying_bomb(), "damaged|larger than"),
    "encrypted": (encrypted(classes.zipped({"model.py": b"x"})), "encrypted"),
    "a link": (classes.zipped({"model.py": b"/etc/passwd"}, link), "a link"),
    "a path out": (classes.zipped({"../model.py": b"x"}), "no model.py"),
    "an absolute path": (classes.zipped({"/model.py": b"x"}), "no model.py"),
    "no zip": (b"Rar!", "no zip"),
    "cut short": (classes.zipped({"model.py": b"x" * 1000})[:-30], "no zip"),
    "damaged": (classes.zipped({"model.py": os.urandom(1000)}).replace(b"PK\3\4", b"PK\3\5", 1), "damaged"),
    "another name": (classes.zipped({"modell.py": b"x"}), "no model.py"),
    "nothing": (classes.zipped({}), "no model.py"),
    "too many files": (classes.zipped({f"{n}": b"" for n in range(30_000)}), "too many files"),
    "NUL bytes": (classes.zipped({"model.py": b"\0"}), "NUL bytes"),
}


@pytest.mark.parametrize("name", ODD_ZIPS)
def test_an_odd_zip_is_rejected_with_a_sentence(tmp_path, name):
    content, says = ODD_ZIPS[name]
    classes.in_folder(tmp_path, {"ana/hand-in.zip": content, "bo/model.py": b"right"})
    found = read_all(tmp_path)
    submission, _ = found["ana"]
    assert submission.source == b"" and re.search(says, submission.rejected), submission.rejected
    assert found["bo"][0].source == b"right"


def test_odd_files_are_rejected_with_a_sentence(tmp_path):
    classes.in_folder(tmp_path, {"big/model.py": bytes(MAX_SOURCE + 1), "none/notes.txt": b"", "empty/model.py": None})
    for name in ("link", "pipe"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / "model.py").symlink_to(ROOT / "solutions" / "model.py")
    os.mkfifo(tmp_path / "pipe" / "model.py")
    (tmp_path / "outside").symlink_to(ROOT)
    reasons = {name: submission.rejected for name, (submission, _) in read_all(tmp_path).items()}
    says = {"big": "bytes", "none": "found notes.txt", "empty": "empty", "link": "link", "pipe": "no regular file"}
    assert set(reasons) == set(says)
    assert all(says[name] in reason for name, reason in reasons.items()), reasons
    assert collect.collect(tmp_path, IWAE).unrecognised == ["outside (a link)"]


@pytest.mark.parametrize(
    ("files", "says"),
    [({}, "no submissions"), ({"model.py": b"x"}, "found model.py"), ({"submission_metadata.yml": b"{"}, "cannot be")],
)
def test_a_folder_without_submissions_is_an_error_in_a_line(tmp_path, files, says):
    with pytest.raises(UserError, match=says):
        collect.collect(classes.in_folder(tmp_path, files), IWAE)


# Whose it is ----------------------------------------------------------------------------------------------


def own(of, *names):
    """A file for each of the students, with nothing but the name in it."""
    return {of.format(name, number): name.encode() for number, name in enumerate(names, 1)}


REPO, MOODLE = "{}/repo/base_code/model.py", "{}_{}_assignsubmission_file_/model.py"
FLAT, CANVAS = "{}_{}_assignsubmission_file_model.py", "{}_{}_9_model.py"
FORGED_FOLDER = "Eve_7_assignsubmission_file_"
SUBMITTED = own("course/submitted/{}/iwae/model.py", "ana", "bo")
CLASSES = {  # nobody's file is empty
    "the instructor's own files": own("{}/model.py", "ana", "bo", "cy") | {"model.py": b"", "base_code/model.py": b""},
    "a folder of slides": own("hw/{}/model.py", "ana", "bo") | {"slides/figures/iwae.pdf": b"", "slides.zip": b""},
    "sections": own("A/{}/model.py", "ana", "bo") | own("B/{}/model.py", "cy", "di"),
    "sections of clones": own(f"A/{REPO}", "ana", "bo") | own(f"B/{REPO}", "cy", "di"),
    "clones": own(REPO, "ana", "bo") | {"ana/repo/assignment/README.md": b"", "ana/repo/solutions/x.py": b""},
    "clones with names of their own": own("{0}/iwae-{0}/base_code/model.py", "ana", "bo", "cy"),
    "some work in folders": own(REPO, "ana", "bo") | own("{}/model.py", "cy") | own("{}/a/b/model.py", "di"),
    "one student": own("{}/model.py", "ana"),
    "one student, in folders": own("{}/base_code/model.py", "ana") | {"ana/assignment/README.md": b""},
    "one student, as folders are called": own("submissions/{}/model.py", "ana"),
    "called as the assignment": own("iwae/{}/model.py", "ana", "bo"),
    "nbgrader's course": SUBMITTED | {"course/gradebook.db": b"", "course/autograded/ana/iwae/model.py": b""},
    "nbgrader with other assignments": SUBMITTED | own("course/submitted/{}/ps1/model.py", "ana", "bo"),
    "sections of Moodle": own(f"A/{MOODLE}", "ana", "bo") | own("B/{}_7_assignsubmission_file_/model.py", "cy"),
    "one student of Moodle": own(f"hw/{MOODLE}", "ana"),
    "Moodle's flat files": own(FLAT, "ana", "bo", "Ana Maria_5 de_la Cruz"),
    "a folder beside Moodle's": own(MOODLE, "ana", "bo") | own("{}/model.py", "cy"),
    "sections of Canvas": own(f"A/{CANVAS}", "ana", "van_der_berg") | own("B/{}_7{}_9_model.py", "cy", "di"),
    "Gradescope's metadata of a student": own("{}/model.py", "ana", "bo") | {"ana/submission_metadata.yml": b"{"},
    "Moodle's name in a student's folder": own("{}/model.py", "ana") | own(f"{{}}/{FORGED_FOLDER}/model.py", "bo"),
    "Canvas' name in a student's folder": own("{}/model.py", "ana", "bo") | {"bo/ana_1_99_model.py": b""},
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("name", CLASSES)
def test_whose_a_file_is_shows_in_all_paths_at_once(tmp_path, name, packed):
    expected = {content.decode() for content in CLASSES[name].values() if content and content != b"{"}
    path = download(tmp_path, CLASSES[name] | dict.fromkeys(STRAYS, b""), packed)
    assert sources(path) == {student: student for student in expected}
    assert set(STRAYS) <= set(collect.collect(path, IWAE).unrecognised)


@pytest.mark.parametrize("wrappers", ["", "hw/"])
def test_who_has_no_file_has_a_row(tmp_path, wrappers):
    files = own("{}/model.py", "ana", "bo") | {"cy/model.py": None, "di/notes.txt": b""}
    found = sources(classes.in_folder(tmp_path / "class", inside(wrappers, files)))
    assert found == {"ana": "ana", "bo": "bo", "cy": None, "di": None}
    nobody = classes.in_folder(tmp_path / "nobody", {"ana/model.py": None, "bo/notes.txt": b""})
    assert sources(nobody) == {"ana": None, "bo": None}


TWO_READINGS = {  # files, and for each layout that is offered how many students there are then
    "sections, or folders of two": (
        own("A/{}/model.py", "ana", "bo") | own("B/{}/model.py", "cy"), {"folders-1": 2, "folders-2": 3}
    ),
    "a section, and a student": (
        own("A/{}/model.py", "ana", "bo", "cy") | own("{}/model.py", "di"), {"folders-1": 2, "folders-2": 3}
    ),
    "a student in two sections": (
        own("A/{}/model.py", "ana", "bo") | own("B/{}/model.py", "ana", "cy"), {"folders-1": 2, "folders-2": 3}
    ),
    "one student": (own("hw/{}/model.py", "ana"), {"folders-1": 1, "folders-2": 1}),
    "one of two without a file": ({"hw/ana/x.txt": b"", "hw/bo/model.py": b"bo"}, {"folders-1": 1, "folders-2": 2}),
    "versions, or a class": ({"model.py": b"", **own("{}/model.py", "x", "y")}, {"folders-1": 2}),
    "a student's name for a file": ({"ana/bo_1_2_model.py": b""}, {"folders-1": 1, "canvas": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", TWO_READINGS)
def test_where_there_are_two_readings_a_person_chooses(tmp_path, name):
    files, offered = TWO_READINGS[name]
    classes.in_folder(tmp_path, files)
    with pytest.raises(UserError, match="--layout NAME") as caught:
        collect.collect(tmp_path, IWAE)
    for layout, count in offered.items():
        assert f"{layout} ({count} student" in str(caught.value) and "\n" not in str(caught.value)
        assert len(collect.collect(tmp_path, IWAE, layout).hand_ins) == count


@pytest.mark.parametrize(
    ("layout", "says"),
    [("folder", "expected one of folders-1"), ("gradescope", "no submissions in .* as gradescope; found ana")],
)
def test_a_layout_that_is_none_is_an_error_in_a_line(tmp_path, layout, says):
    with pytest.raises(UserError, match=says):
        collect.collect(classes.in_folder(tmp_path, own("{}/model.py", "ana")), IWAE, layout)


ONE_STUDENTS = [
    {"model.py": b""},
    {"model.py": b"", "old/model.py": b""},
    {"assignment/a.md": b"", "base_code/model.py": b""},
]


@pytest.mark.parametrize("files", ONE_STUDENTS)
def test_the_files_of_one_student_are_no_class(tmp_path, files):
    with pytest.raises(UserError, match="python -m autograder grade FILE"):
        collect.collect(classes.in_folder(tmp_path, files), IWAE)


def test_the_kit_is_no_class():
    with pytest.raises(UserError, match="no submissions"):
        collect.collect(ROOT, IWAE)


BY_EVE = "eve_222_assignsubmission_file_ana_1_assignsubmission_file_model.py"
FORGED = {  # files, what is read of them, and what a person is told
    "Moodle": (own(FLAT, "ana", "bo") | {BY_EVE: b"eve's"}, {"ana": "ana", "bo": "bo"}, "eve_222_.*two students"),
    "Moodle, one who handed in nothing": ({"bo_2_assignsubmission_file_model.py": b"bo", BY_EVE: b""},
                                          {"bo": "bo"}, "eve_222_.*two students"),
    "Moodle, and a file of one's own": (
        own(FLAT, "ana", "bo") | {"eve_222_assignsubmission_file_model.py": b"eve", BY_EVE: b"no"},
        {"ana": "ana", "bo": "bo", "eve": "eve"}, "eve_222_.*two students",
    ),
    "Moodle, Canvas' name": (
        own(FLAT, "ana", "bo") | {"eve_222_assignsubmission_file_ana_1_9_model.py": b"eve"},
        {"ana": "ana", "bo": "bo", "eve": "eve"}, None,
    ),
    "Canvas": (own(CANVAS, "ana", "bo") | {"eve_222_13_Ana Silva_1_14_model.py": b"eve's"}, {"ana": "ana", "bo": "bo"},
               "eve_222_13_.*two students"),
    "Canvas, Moodle's name": (
        own(CANVAS, "ana", "bo") | {"eve_222_13_ana_1_assignsubmission_file_model.py": b"eve's"},
        {"ana": "ana", "bo": "bo", "eve": None}, None,
    ),
    "Canvas, a name that ends in a number": (own(CANVAS, "ana", "bo") | {"eve_2_111_12_model.py": b"?"},
                                             {"ana": "ana", "bo": "bo"}, "eve_2_111_12_model.py.*two students"),
    "one id, two names": (own(CANVAS, "ana", "bo") | own("{}_333_9_model.py", "cy", "eve"), {"ana": "ana", "bo": "bo"},
                          "cy, eve: one id, 333"),
}  # fmt: skip


@pytest.mark.parametrize("wrappers", ["", "hw/"])
@pytest.mark.parametrize("name", FORGED)
def test_a_file_named_like_anothers_brings_nobody_a_mark(tmp_path, name, wrappers):
    files, expected, says = FORGED[name]
    path = classes.in_folder(tmp_path, inside(wrappers, files))
    assert sources(path) == expected
    told = collect.collect(path, IWAE).unrecognised
    assert re.search(says, told[0]) if says else not told


def test_students_of_one_name_stay_apart_and_one_id_is_one_student(tmp_path):
    files = own("{}_{}_assignsubmission_file_/model.py", "Li Wei") | own(
        "{}_7_assignsubmission_file_/model.py", "Li Wei"
    )
    files["Li Wei_7_assignsubmission_file_notes.txt"] = b""
    hand_ins = collect.collect(classes.in_folder(tmp_path, files), IWAE).hand_ins
    assert [(h.student.moodle_id, len(h.files)) for h in hand_ins] == [("1", 1), ("7", 2)]
    assert len({hand_in.student.folder for hand_in in hand_ins}) == 2


def test_what_is_in_a_students_zip_changes_nobodys_name(tmp_path):
    evil = {
        "submission_metadata.yml": b"{}", "ana_1_assignsubmission_file_/model.py": b"no", "ana_1_2_model.py": b"no",
        "submitted/ana/iwae/model.py": b"no", "model.py": b"eve",
    }  # fmt: skip
    classes.in_folder(tmp_path, own("{}/model.py", "ana") | {"eve/work.zip": classes.zipped(evil)})
    assert sources(tmp_path) == {"ana": "ana", "eve": "eve"}


# Names ----------------------------------------------------------------------------------------------------


class WithoutFlag(zipfile.ZipInfo):
    """An entry whose name is in an encoding that the zip does not tell."""

    encoding = "utf-8"

    def _encodeFilenameFlags(self):  # noqa: N802 (zipfile's)
        return self.filename.encode(self.encoding), self.flag_bits


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_accents_in_a_zip_without_the_flag(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(WithoutFlag, "encoding", encoding)
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for name in ("Zoé", "Müller", "Ana"):
            archive.writestr(WithoutFlag(f"{name}/model.py"), name)
    assert sources(tmp_path / "class.zip") == {"Zoé": "Zoé", "Müller": "Müller", "Ana": "Ana"}


def test_names_have_one_form_of_their_accents(tmp_path):
    classes.in_folder(tmp_path, {"Jose\u0301/model.py": b"1", "Zoe\u0308/model.py": b"2"})
    assert set(sources(tmp_path)) == {"Jos\u00e9", "Zo\u00eb"}


RENAMED = ["Model.py", "MODEL.PY", "model (1).py", "model(2).py", "model-1.py", "model_1.py", "Copy of model.py",
           "model - Copy.py", "model copy.py", "model.py.txt"]  # fmt: skip
RIGHT = {"model.py": b"right"}
CHOICES = {  # the files of a student, of which the right one has to be taken, and what a person is told
    **{name: ({name: b"right"}, f"graded {re.escape(name)}, though its name") for name in RENAMED},
    "X.ZIP": ({"X.ZIP": classes.zipped(RIGHT)}, None),
    "model.py and another name": (RIGHT | {"model (1).py": b"no"}, "called model.py"),
    "model.py in a zip and another name": ({"Model.py": b"no", "a.zip": classes.zipped(RIGHT)}, "called model.py"),
    "the stub and another name": ({"model.py": STUB, "model (1).py": b"right"}, "though its name"),
    "the stub by an editor": ({"model.py": STUB.replace(b"\n", b" \r\n"), "x/model.py": b"right"}, "was edited"),
    "the stub in its place": ({"base_code/model.py": STUB, "model.py": STUB, "old/model.py": b"right"}, "was edited"),
    "the stub outside of a zip": ({"model.py": STUB, "a.zip": classes.zipped({"x/model.py": b"right"})}, "was edited"),
    "an empty file": ({"model.py": b"", "old/model.py": b"right"}, "was edited"),
    "a backup": ({"backup/model.py": b"no", "base_code/model.py": b"right"}, "in its place"),
    "an old folder": ({"old/model.py": b"no", "a/b/base_code/model.py": b"right"}, "in its place"),
    "a folder deep down": ({"x/model.py": b"no", "repo/iwae/base_code/model.py": b"right"}, "in its place"),
    "on top": (RIGHT | {"base_code/model.py": b"no"}, "in its place"),
    "a virtual environment": ({"x/model.py": b"right"} | dict.fromkeys(
        ["venv/lib/model.py", "env/site-packages/timm/model.py", "node_modules/model.py"], b"no"), None),
    "copies that programs make": ({"x/y/model.py": b"right"} | dict.fromkeys(
        ["__MACOSX/model.py", ".ipynb_checkpoints/model.py", "x/.git/model.py"], b"no"), None),
    "a zip that cannot be read": ({"base_code/model.py": b"right", "data.zip": b"no zip"}, "not graded: data.zip"),
    "two zips": ({"a.zip": classes.zipped({"old/model.py": b"no"}), "b.zip": classes.zipped(RIGHT)}, "in its place"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOICES)
def test_of_a_students_files_the_right_one_is_taken_and_told(tmp_path, name):
    files, says = CHOICES[name]
    submission, notes = read_all(classes.in_folder(tmp_path, inside("ana/", files) | own("{}/model.py", "bo")))["ana"]
    assert submission.source == b"right"
    assert re.search(says, "; ".join(notes)) if says else not notes


def test_two_files_alike_are_never_chosen_from_in_silence(tmp_path):
    files = {
        "ana/x/model.py": b"1",
        "ana/y/model.py": b"2",
        "bo/model (1).py": b"1",
        "bo/model (2).py": b"2",
        "cy/model.py": b"",
    }
    classes.in_folder(tmp_path, files)
    os.utime(tmp_path / "ana" / "x" / "model.py", (0, 0))
    found = read_all(tmp_path)
    submission, notes = found["ana"]
    assert submission.source == b"2" and "graded the newest, y/model.py; not graded: x/model.py" in notes[0]
    assert "several files that could be it: model (1).py, model (2).py" in found["bo"][0].rejected


def test_an_attempt_with_the_stub_does_not_replace_an_edited_one(tmp_path):
    files = {"li_100_11_model.py": b"edited", "li_100_12_model-1.py": STUB, "oz_2_3_model.py": b"oz"}
    submission, notes = read_all(classes.in_folder(tmp_path, files))["li"]
    assert submission.source == b"edited" and "not graded: li_100_12_model-1.py" in notes[0]


def test_reports_of_several_files_have_folders_of_their_own(tmp_path):
    files = [tmp_path / name / "model.py" for name in ("s-2", "s", "s", "S", "Jose\u0301", "Jos\u00e9")]
    names = [folder.name for folder in report_folders(files, tmp_path)]
    assert names[:2] == ["s-2", "s"]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(files)
