"""Finds each student's model.py in what an instructor downloads: a folder, or one zip, of a whole class.

Read are one folder per student, nbgrader's submitted/, and the downloads of Moodle, Canvas and Gradescope; a student
may have handed in a zip. Zips are read in memory, within limits, and nothing is extracted to disk. What fits no layout
is listed, never guessed at.
"""

import functools
import io
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

from autograder.submission import MAX_SOURCE, Rejected, Submission, at_most, read_file
from cli import UserError

MAX_ZIP = 64 * 2**20  # bytes of a zip that a student handed in
MAX_METADATA = 256 * 2**20  # Gradescope's submission_metadata.yml repeats every report
MAX_FILES = 200_000  # of a class; of a student's zip MAX_STUDENT_FILES
MAX_STUDENT_FILES = 20_000
MAX_DEPTH = 6  # of folders
ASSIGNMENT = "iwae"  # nbgrader's name of this assignment

METADATA = "submission_metadata.yml"
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)_(LATE_)?(?P<id>\d+)_(?P<attempt>\d+)_(?P<file>.+)", re.DOTALL)
MODEL = re.compile(r"model\.py|[^_]+_(LATE_)?\d+_\d+_model(-\d+)?\.py")  # Canvas numbers what is handed in again


@dataclass(frozen=True)
class File:
    """A file of a folder or of a zip, not read yet."""

    path: PurePosixPath
    modified: tuple  # comparable within one folder or zip
    read: Callable  # bytes up to a limit, or Rejected
    attempt: object = 0  # the platform's order of the attempts of a student

    @property
    def name(self):
        return self.path.name

    @property
    def is_model(self):
        return bool(MODEL.fullmatch(self.name))

    @property
    def is_zip(self):
        return self.path.suffix.lower() == ".zip"

    def rank(self):
        """Sorts the best candidate last: the newest attempt, then the file that lies where it was asked for."""
        depth = len(self.path.parts)
        return self.attempt, -depth, ASSIGNMENT in self.path.parts, not self.is_zip, self.modified


@dataclass(frozen=True)
class Student:
    """Who handed in, as far as the download tells. The names of the fields are those of the gradebooks."""

    name: str
    email: str = ""
    login: str = ""
    sis_id: str = ""
    canvas_id: str = ""
    moodle_id: str = ""  # of the participant in one assignment
    section: str = ""

    @property
    def folder(self):
        """A name for a folder, the same in every run, whatever the student is called."""
        unique = self.moodle_id or self.canvas_id or (self.sis_id or self.email if not self.login else "")
        full = unicodedata.normalize("NFC", f"{self.name}_{unique}" if unique else self.name)
        safe = re.sub(r"[^\w.@+-]", "_", full).lstrip(".-")[:60]
        return safe if safe and safe == full else f"{safe}-{sha256(full.encode(errors='replace')).hexdigest()[:8]}"


@dataclass
class HandIn:
    """What one student handed in."""

    student: Student
    files: list = field(default_factory=list)

    def read(self):
        """(Submission, notes for a person). Read anew each time, so that a class is never in memory at once."""
        try:
            file, others = self.choose()
        except Rejected as reason:
            return Submission(Path("model.py"), b"", str(reason)), []
        notes = []
        if others:
            names = ", ".join(sorted(printable(other.path) for other in others)[:5])
            is_newest = any(other.rank()[1:-1] == file.rank()[1:-1] for other in others)
            why = "the newest" if is_newest else "the one in its place"
            notes.append(f"several files: graded {why}, {printable(file.path)}; not graded: {names}")
        return Submission.take(Path(file.name), lambda: file.read(MAX_SOURCE)), notes

    def choose(self):
        """The model.py to grade, and the candidates that it was preferred to."""
        candidates = sorted((f for f in self.files if f.is_model or f.is_zip), key=File.rank, reverse=True)
        for i, file in enumerate(candidates):
            older = [f for f in candidates[i + 1 :] if f.is_model or f.attempt < file.attempt]
            if file.is_model:
                return file, older
            inside = [f for f in zip_files(file) if f.is_model]
            if inside:
                best, *others = sorted(inside, key=File.rank, reverse=True)
                return best, others + older
        names = sorted(printable(file.path) for file in self.files)
        found = f"found {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else "the hand-in is empty"
        raise Rejected(f"no model.py was handed in; {found}")


@dataclass
class Collection:
    hand_ins: list
    unrecognised: list  # paths in words


def collect(path):
    """The Collection of a folder or a zip. UserError where nothing in it looks like a hand-in."""
    path = Path(path)
    if path.is_dir():
        files, folders, odd = folder_listing(path)
    elif path.is_file():
        files, folders, odd = zip_listing(path, MAX_FILES)
    else:
        raise UserError(f"there is nothing at {path}; expected a folder or a zip of submissions")
    files, folders = unwrapped(files, folders)
    metadata = next((file for file in files if str(file.path) == METADATA), None)
    hand_ins, rest = gradescope(metadata, files) if metadata else others(files, folders)
    unrecognised = sorted({printable(name) for name in [*odd, *rest]})
    if not hand_ins:
        found = f"; found {', '.join(unrecognised[:5])}" if unrecognised else ""
        raise UserError(
            f"no submissions in {path}{found}; expected a folder for each student, or a download of nbgrader, Moodle, "
            "Canvas or Gradescope"
        )
    return Collection(sorted(hand_ins, key=lambda hand_in: hand_in.student.folder.casefold()), unrecognised)


def printable(text):
    """A stranger's file name in one line, for people."""
    return "".join(c if c.isprintable() else "�" for c in str(text))[:200]


# Folders and zips -----------------------------------------------------------------------------------------


def is_ignored(name):
    return name.startswith(".") or name in ("__MACOSX", "__pycache__")


def folder_listing(root):
    """(files, paths of folders, what is left out) of a folder. No link is followed."""
    files, folders, odd = [], set(), []
    for top, names, file_names in os.walk(root):
        relative = PurePosixPath(Path(top).relative_to(root).as_posix())
        for name in list(names):
            if is_ignored(name) or len(relative.parts) >= MAX_DEPTH or (Path(top) / name).is_symlink():
                names.remove(name)
                if not is_ignored(name) and len(relative.parts) == 0:
                    odd.append(f"{name} (a link)")
        folders.update(relative / name for name in names)
        for name in file_names:
            if not is_ignored(name):
                path = Path(top) / name
                files.append(File(relative / name, (path.lstat().st_mtime,), functools.partial(read_file, path)))
        if len(files) + len(folders) > MAX_FILES:
            raise UserError(f"{root} holds more than {MAX_FILES:,} files; is it the folder of the submissions?")
    return files, folders, odd


def zip_listing(source, limit):
    """The same of a zip: a path, or the bytes of a zip as a BytesIO."""
    name = source.name if isinstance(source, Path) else "the zip"
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{name} is no zip that can be read: {error}") from None
    files, folders, odd = [], set(), []
    for info in archive.infolist()[: limit + 1]:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", info.filename):
            odd.append(f"{info.filename} (a path that leads out of the zip)")
        elif not path.parts or any(is_ignored(part) for part in path.parts) or len(path.parts) > MAX_DEPTH + 1:
            continue
        elif info.is_dir():
            folders.add(path)
        else:
            files.append(File(path, info.date_time, functools.partial(read_entry, archive, info)))
        folders.update(parent for parent in path.parents if parent.parts and parent not in folders)
    if len(archive.infolist()) > limit:
        raise UserError(f"{name} holds more than {limit:,} files; is it a zip of submissions?")
    return files, folders, odd


def zip_files(file):
    """The files inside a zip that a student handed in; Rejected where it cannot be read."""
    content = file.read(MAX_ZIP)
    if content.count(b"PK\1\2") > MAX_STUDENT_FILES:  # before zipfile makes an object of each
        raise Rejected(f"{printable(file.name)} holds too many files; hand in model.py alone")
    try:
        inside, _, odd = zip_listing(io.BytesIO(content), MAX_STUDENT_FILES)
    except UserError as error:
        raise Rejected(f"{printable(file.name)}: {error}") from None
    if odd and not any(f.is_model for f in inside):
        raise Rejected(f"{printable(file.name)} has no model.py but {printable(odd[0])}")
    return [replace(f, path=file.path / f.path) for f in inside]


def read_entry(archive, info, limit):
    """The bytes of a zip's entry, or Rejected. Never more than the limit is decompressed, whatever the zip says."""
    name = printable(PurePosixPath(info.filename).name)
    if info.flag_bits & 1:
        raise Rejected(f"{name} is encrypted; hand in model.py without a password")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise Rejected(f"{name} is a link or no regular file; hand in the file itself")
    if info.file_size > limit:
        raise Rejected(f"{name} has {info.file_size:,} bytes; {at_most(limit)}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Rejected(f"{name} is compressed in an unusual way; hand in model.py alone")
    try:
        with archive.open(info) as file:
            content = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise Rejected(f"{name} is damaged in its zip ({printable(error)}); hand it in again") from None
    if len(content) > limit:
        raise Rejected(f"{name} is larger than its zip says; {at_most(limit)}")
    return content


# Layouts --------------------------------------------------------------------------------------------------


def unwrapped(files, folders):
    """Without the one folder around everything that a download often has."""
    tops = {file.path.parts[0] for file in files} | {folder.parts[0] for folder in folders}
    if len(tops) != 1 or any(len(file.path.parts) == 1 for file in files):
        return files, folders
    inside = {file.path.parts[1]: False for file in files} | {f.parts[1]: True for f in folders if len(f.parts) == 2}
    is_platform = any(name == METADATA or MOODLE.fullmatch(name) or CANVAS.fullmatch(name) for name in inside)
    many_folders = len(inside) > 1 and all(inside.values()) and ASSIGNMENT not in inside
    if not (tops == {"submitted"} or is_platform or many_folders):
        return files, folders
    files = [replace(file, path=PurePosixPath(*file.path.parts[1:])) for file in files]
    return files, {PurePosixPath(*folder.parts[1:]) for folder in folders if len(folder.parts) > 1}


def others(files, folders):
    """The hand-ins of Moodle, Canvas, nbgrader and plain folders, and the paths that are none of these."""
    found, unrecognised = {}, set()
    for name in {folder.parts[0] for folder in folders}:
        if moodle := MOODLE.fullmatch(name):
            found[name] = HandIn(Student(moodle["name"], moodle_id=moodle["id"]))
        elif "_assignsubmission_" in name:  # a text that was typed in, comments
            unrecognised.add(name)
        else:
            found[name] = HandIn(Student(name, login=name))
    for file in files:
        top, *below = file.path.parts
        if below and top in found:
            found[top].files.append(replace(file, path=PurePosixPath(*below)))
        elif not below and (moodle := MOODLE.fullmatch(top)):
            student = Student(moodle["name"], moodle_id=moodle["id"])
            found.setdefault(student, HandIn(student)).files.append(replace(file, path=PurePosixPath(moodle["file"])))
        elif not below and (canvas := CANVAS.fullmatch(top)):
            student = Student(canvas["name"], canvas_id=canvas["id"])
            found.setdefault(student, HandIn(student)).files.append(replace(file, attempt=int(canvas["attempt"])))
        else:
            unrecognised.add(top)
    return list(found.values()), unrecognised


def gradescope(metadata, files):
    """The hand-ins of Gradescope's export: one for each submitter, the members of a group included."""
    import yaml  # only here: grading on Gradescope itself goes without

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        described = yaml.load(metadata.read(MAX_METADATA), loader)
        submissions = {
            str(name): ([entry_student(s) for s in entry.get(":submitters") or []], str(entry.get(":created_at", "")))
            for name, entry in described.items()
        }
    except (Rejected, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{METADATA} cannot be read: {str(error).splitlines()[0]}; export the submissions again"
        ) from None
    found, unrecognised = {}, []
    for name, (submitters, created) in submissions.items():
        for student in submitters or [Student(name)]:
            hand_in = found.setdefault(student.email or student.sis_id or student, HandIn(student))
            hand_in.files += [
                replace(file, path=PurePosixPath(*file.path.parts[1:]), attempt=created or "0")
                for file in files
                if file.path.parts[0] == name and len(file.path.parts) > 1
            ]
    unrecognised = {file.path.parts[0] for file in files} - {METADATA, *submissions}
    return list(found.values()), unrecognised


def entry_student(entry):
    email, sis_id = (str(entry.get(key) or "").strip() for key in (":email", ":sid"))
    return Student(str(entry.get(":name") or email or sis_id), email=email, sis_id=sis_id)
