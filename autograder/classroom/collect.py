"""Finds each student's file in what an instructor downloads: a folder, or one zip, of a whole class.

Whose a file is, layouts.py says; here folders and zips are listed, and of each student's files the one to grade is
chosen. A student may have handed in a zip. Zips are read in memory, within limits, and nothing is extracted to disk.
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
from pathlib import Path, PurePosixPath

from autograder.classroom import layouts
from autograder.classroom.layouts import OLD, PLACES, Student, printable
from autograder.grading.assignment import Assignment
from autograder.grading.submission import MAX_SOURCE, Rejected, Submission, at_most, read_file
from cli import UserError

MAX_ZIP = 64 * 2**20  # bytes of a zip that a student handed in
MAX_ZIPS = 8  # of a student in one attempt
MAX_FILES = 200_000  # of a class; of a student's zip MAX_STUDENT_FILES
MAX_STUDENT_FILES = 20_000
MAX_DEPTH = 12  # of folders
ALONE = "hand in the file of the assignment alone"


@functools.cache
def made_of(name):
    """What browsers, Windows and macOS make of a file's name, and what Canvas makes of it, sorted into folders by hand.

    Two regular expressions.
    """
    stem, suffix = map(re.escape, name.split("."))
    renamed = rf"(copy of )?{stem}( - copy| copy)?( ?\(\d+\)|[ _-]\d+)?\.{suffix}(\.txt)?"
    return re.compile(renamed, re.IGNORECASE), re.compile(rf"[^_]+_(LATE_)?\d+_\d+_{stem}(-\d+)?\.{suffix}")


@dataclass(frozen=True)
class File:
    """A file of a folder or of a zip, not read yet."""

    path: PurePosixPath
    modified: tuple  # comparable within one folder or zip
    read: Callable  # bytes up to a limit, or Rejected
    assignment: Assignment  # for which it may have been handed in
    attempt: object = 0  # the platform's order of the attempts of a student
    called: str = ""  # the student's own name of it, where the platform put more before it

    @property
    def name(self):
        return self.path.name

    @property
    def likeness(self):
        """Of the name to the one that was asked for: 2 for itself, 1 with Canvas' prefix, 0 for what else was made of
        it, else None."""
        name = self.called or self.name
        renamed, prefixed = made_of(self.assignment.file_name)
        if name == self.assignment.file_name:
            return 2
        return 1 if prefixed.fullmatch(name) else 0 if renamed.fullmatch(name) else None

    @property
    def is_model(self):
        return self.likeness is not None

    @property
    def is_zip(self):
        return self.path.suffix.lower() == ".zip"

    @property
    def is_candidate(self):
        return self.is_model or self.is_zip

    @functools.cached_property
    def is_edited(self):
        """Whether it is not the file that was handed out. What cannot be read counts, so that its student is told."""
        try:
            source = self.read(MAX_SOURCE)
        except Rejected:
            return True
        return bool(source.strip()) and lines_of(source) != handed_out(self.assignment)

    @property
    def place(self):
        """The larger, the more the file lies where it was asked for."""
        folders = [name for name in self.path.parts[:-1] if not name.lower().endswith(".zip")]
        is_in_place = not folders or folders[-1] in PLACES
        is_old = any(OLD.fullmatch(name) for name in folders)
        return not is_old, is_in_place, -len(self.path.parts), self.assignment.name in folders

    @property
    def rank(self):
        """Sorts the best candidate last: the newest attempt, then the file in its place, then the newest."""
        return self.attempt, not self.is_zip, self.place, self.modified

    @property
    def worth(self):
        """The same, but first of all a file that was edited, and one that has the name that was asked for."""
        return self.is_edited, self.likeness, *self.rank


def lines_of(source):
    """The lines of a file, whatever an editor made of their ends."""
    return [line.rstrip() for line in source.removeprefix(b"\xef\xbb\xbf").strip().splitlines()]


@functools.cache
def handed_out(assignment):
    return lines_of(assignment.student_file.read_bytes())


@dataclass
class HandIn:
    """What one student handed in."""

    student: Student
    assignment: Assignment
    files: list = field(default_factory=list)

    def read(self):
        """(Submission, notes for a person). Read anew each time, so that a class is never in memory at once."""
        try:
            file, others = self.choose()
        except Rejected as reason:
            return Submission(self.assignment, Path(self.assignment.file_name), b"", str(reason)), []
        notes = []
        if file.likeness == 0:
            notes.append(f"graded {printable(file.path)}, though its name is not {self.assignment.file_name}")
        if others:
            names = ", ".join(sorted(printable(other.path) for other in others)[:5])
            why = preference(file, others)
            notes.append(f"several files: graded {why}, {printable(file.path)}; not graded: {names}")
        return Submission.take(self.assignment, Path(file.name), lambda: file.read(MAX_SOURCE)), notes

    def choose(self):
        """The file to grade, and those that it was preferred to. Rejected where there is none, or no saying which."""
        models, unopened = self.models()
        best, *others = sorted(models, key=lambda file: (file.worth, str(file.path)), reverse=True) or [None]
        if best is None:
            names = sorted(printable(file.path) for file in self.files)
            raise Rejected(f"no {self.assignment.file_name} was handed in{found(names) or '; the hand-in is empty'}")
        if best.likeness == 0 and any(other.is_edited for other in others):
            names = ", ".join(sorted(printable(file.path) for file in models)[:5])
            raise Rejected(f"no {self.assignment.file_name} was handed in, but several files that could be it: {names}")
        return best, others + unopened

    def models(self):
        """The files that could be graded, those in zips too, and the zips that are not opened: of older attempts."""
        models, unopened = [file for file in self.files if file.is_model], []
        zips = sorted((file for file in self.files if file.is_zip), key=lambda file: file.rank, reverse=True)
        for i, file in enumerate(zips):
            is_older = any(model.attempt > file.attempt and model.is_edited and model.likeness for model in models)
            if is_older or i >= MAX_ZIPS:
                unopened.append(file)
                continue
            try:
                models += [inside for inside in zip_files(file) if inside.is_model]
            except Rejected as reason:  # told if nothing better was handed in
                name, read = self.assignment.file_name, functools.partial(reject, str(reason))
                models.append(replace(file, called=name, read=read))
        return models, unopened


def reject(reason, _):
    raise Rejected(reason)


def preference(file, others):
    """Why a file was graded and no other, in words."""
    if file.is_edited and not any(other.is_edited for other in others):
        return "the only one that was edited"
    rivals = [other for other in others if other.is_edited == file.is_edited]
    if all(other.likeness != file.likeness for other in rivals):
        return f"the one that is called {file.assignment.file_name}"
    alike = [other for other in rivals if (other.attempt, other.place) == (file.attempt, file.place)]
    if not alike:
        return "the newest" if any(other.attempt != file.attempt for other in rivals) else "the one in its place"
    is_newest = all(other.modified < file.modified for other in alike)
    return "the newest" if is_newest else "one of several in like places and equally new"


@dataclass
class Collection:
    hand_ins: list
    unrecognised: list  # paths in words


def collect(path, assignment, layout=None):
    """The Collection of an assignment's files in a folder or a zip.

    UserError where nothing in it looks like a hand-in, or like several things.

    layout: one of layouts.LAYOUTS, where a person says what it is.
    """
    path = Path(path)
    if path.is_dir():
        files, folders, odd = folder_listing(path, assignment)
    elif path.is_file():
        files, folders, odd = zip_listing(path, assignment, MAX_FILES)
    else:
        raise UserError(f"there is nothing at {path}; expected a folder or a zip of submissions")
    try:
        reading = layouts.choose(files, folders, layout)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if not reading or not reading.students:
        tops = {path.parts[0] for path in [*(file.path for file in files), *odd]}
        names = [printable(line) for line in (reading.odd if reading else sorted(tops))]
        raise UserError(
            f"no submissions in {path}{f' as {layout}' if layout else ''}{found(names)}; expected a folder for each "
            "student, or a download of nbgrader, Moodle, Canvas or Gradescope; the file of one student is graded with "
            "`python -m autograder grade FILE`"
        )
    hand_ins = [HandIn(student, assignment, files) for student, files in reading.students.items()]
    left_out = [f"{path} ({why})" for path, why in odd.items() if not reading.holds(path)]
    unrecognised = {printable(line) for line in [*left_out, *reading.odd, *reading.strays(files)]}
    return Collection(sorted(hand_ins, key=lambda hand_in: hand_in.student.folder.casefold()), sorted(unrecognised))


def found(names):
    return f"; found {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else ""


# Folders and zips -----------------------------------------------------------------------------------------


def is_ignored(name):
    return name.startswith(".") or name in ("__MACOSX", "__pycache__", "node_modules", "site-packages", "venv")


def normalised(path):
    """One form of each name: macOS writes é as two characters."""
    return PurePosixPath(unicodedata.normalize("NFC", str(path)))


def folder_listing(root, assignment):
    """(files, paths of folders, {path: why it is left out}) of a folder. No link is followed."""
    files, folders, odd = [], set(), {}
    for top, names, file_names in os.walk(root):
        relative = PurePosixPath(Path(top).relative_to(root).as_posix())
        for name in list(names):
            is_link = (Path(top) / name).is_symlink()
            if is_ignored(name) or is_link or len(relative.parts) >= MAX_DEPTH:
                names.remove(name)
                if not is_ignored(name):
                    odd[normalised(relative / name)] = "a link" if is_link else "too deep"
        folders.update(normalised(relative / name) for name in names)
        for name in file_names:
            if not is_ignored(name):
                path = Path(top) / name
                read = functools.partial(read_file, path)
                files.append(File(normalised(relative / name), (path.lstat().st_mtime,), read, assignment))
        if len(files) + len(folders) > MAX_FILES:
            raise UserError(f"{root} holds more than {MAX_FILES:,} files; is it the folder of the submissions?")
    return files, folders, odd


def zip_listing(source, assignment, limit):
    """The same of a zip: a path, or the bytes of a zip as a BytesIO."""
    name = source.name if isinstance(source, Path) else "the zip"
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{name} is no zip that can be read: {error}") from None
    files, folders, odd = [], set(), {}
    for info in archive.infolist()[: limit + 1]:
        path = normalised(entry_name(info).replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", info.filename):
            odd[path] = "a path that leads out of the zip"
        elif not path.parts or any(is_ignored(part) for part in path.parts):
            continue
        elif len(path.parts) > MAX_DEPTH + 1:
            odd[PurePosixPath(*path.parts[: MAX_DEPTH + 1])] = "too deep"
        elif info.is_dir():
            folders.add(path)
        else:
            files.append(File(path, info.date_time, functools.partial(read_entry, archive, info), assignment))
        folders.update(parent for parent in path.parents if parent.parts and parent not in folders)
    if len(archive.infolist()) > limit:
        raise UserError(f"{name} holds more than {limit:,} files; is it a zip of submissions?")
    return files, folders, odd


def entry_name(info):
    """The name of a zip's entry. macOS writes UTF-8 without the flag that says so, and then zipfile reads cp437."""
    try:
        return info.filename if info.flag_bits & 0x800 else info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def zip_files(file):
    """The files inside a zip that a student handed in; Rejected where it cannot be read."""
    content = file.read(MAX_ZIP)
    if content.count(b"PK\1\2") > MAX_STUDENT_FILES:  # before zipfile makes an object of each
        raise Rejected(f"{printable(file.name)} holds too many files; {ALONE}")
    try:
        inside, _, odd = zip_listing(io.BytesIO(content), file.assignment, MAX_STUDENT_FILES)
    except UserError as error:
        raise Rejected(f"{printable(file.name)}: {error}") from None
    if odd and not any(f.is_model for f in inside):
        wanted, path = file.assignment.file_name, printable(next(iter(odd)))
        raise Rejected(f"{printable(file.name)} has no {wanted} but {path}, a path out of it")
    return [replace(f, path=file.path / f.path, attempt=file.attempt) for f in inside]


def read_entry(archive, info, limit):
    """The bytes of a zip's entry, or Rejected. Never more than the limit is decompressed, whatever the zip says."""
    name = printable(PurePosixPath(info.filename).name)
    if info.flag_bits & 1:
        raise Rejected(f"{name} is encrypted; hand it in without a password")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise Rejected(f"{name} is a link or no regular file; hand in the file itself")
    if info.file_size > limit:
        raise Rejected(f"{name} has {info.file_size:,} bytes; {at_most(limit)}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Rejected(f"{name} is compressed in an unusual way; {ALONE}")
    try:
        with archive.open(info) as file:
            content = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise Rejected(f"{name} is damaged in its zip ({printable(error)}); hand it in again") from None
    if len(content) > limit:
        raise Rejected(f"{name} is larger than its zip says; {at_most(limit)}")
    return content
