"""What nbgrader sees of the hand-ins: copies of the two expected files, with the answers in the released notebook."""

import os
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

from autograder.classroom import answers
from autograder.grading.assignment import Assignment
from autograder.grading.submission import MAX_SOURCE, Rejected, read_file

MAX_NOTEBOOK = 20 * 2**20


@dataclass
class NotebookHandIn:
    """A student's folder for the assignment. What a person must look at is told in sentences."""

    student: str
    folder: Path
    assignment: Assignment
    problems: list = field(default_factory=list)  # something could not be read
    notes: list = field(default_factory=list)

    @property
    def doubt(self):
        return answers.text_of("; ".join(self.problems + self.notes))  # a file's name may be no UTF-8

    def copy(self, released, target):
        """Make the folder that nbgrader sees: the notebook, always; the student's file and timestamp.txt where they can
        be read."""
        notebook, cells = nbformat.read(released, as_version=4), []
        code = timestamp = None
        try:
            check_folder(self.folder)
            code, cells, timestamp = self.read_code(), self.read_answers(), self.read_timestamp()
        except Rejected as reason:
            self.problems.append(str(reason))
        except OSError as error:
            self.problems.append(f"the folder cannot be read: {error.strerror}")
        answers.place(notebook, cells, self.doubt)
        target.mkdir(parents=True)
        nbformat.write(notebook, target / released.name)
        for name, content in ((self.assignment.file_name, code), ("timestamp.txt", timestamp)):
            if content is not None:
                (target / name).write_bytes(content)

    def read_code(self):
        try:
            return read_file(find(self.folder, self.assignment.file_name), MAX_SOURCE)
        except Rejected:  # the feedback on the code says so
            return None

    def read_answers(self):
        """The cells of the notebook; none, and a problem, where it cannot be read."""
        name = self.assignment.notebook.released.name
        path = find(self.folder, name)
        others = sorted(other.name for other in self.folder.iterdir() if other.suffix == ".ipynb" and other != path)
        if others:
            self.notes.append(f"not read: {', '.join(others)[:200]}")
        if path.name != name:
            self.notes.append(f"{path.name} is taken for {name}")
        try:
            if not os.path.lexists(path):
                raise Rejected("no notebook was handed in")
            return answers.read_cells(read_file(path, MAX_NOTEBOOK))
        except Rejected as reason:
            self.problems.append(f"the written answers could not be read: {reason}")
            return []

    def read_timestamp(self):
        """The content of timestamp.txt where nbgrader can read it."""
        path = self.folder / "timestamp.txt"
        if not os.path.lexists(path):
            return None
        try:
            content = read_file(path, 1000)
            if content.strip():
                parse_utc(content.decode().strip())
            return content
        except Exception as error:  # dateutil raises several
            self.problems.append(f"timestamp.txt cannot be read, so lateness is unknown: {error}")
            return None


def find(folder, name):
    """The file of that name; or the only one with a name that a browser or Windows makes of it: "Model (1).py"."""
    stem, suffix = name.split(".")
    alike = re.compile(rf"{stem}([\W_].*|\d*)\.{suffix}", re.IGNORECASE)
    if os.path.lexists(folder / name):
        return folder / name
    others = [path for path in folder.iterdir() if alike.fullmatch(path.name)]
    return others[0] if len(others) == 1 else folder / name


def check_folder(folder):
    """Rejected for the folder of a hand-in that is none, or lies behind a link."""
    name = f"{folder.parent.name}/{folder.name}"
    if folder.is_symlink() or folder.parent.is_symlink():
        raise Rejected(f"the folder {name} lies behind a link; put the folder itself there")
    if not folder.is_dir():
        raise Rejected(f"there is no folder {name}")


def copy_all(submitted, students, assignment, target):
    """Copy the hand-ins of the students whose names match the pattern. {student: NotebookHandIn}"""
    found = sorted(submitted.iterdir()) if submitted.is_dir() else []
    found = [path for path in found if fnmatchcase(path.name, students) and not path.name.startswith(".")]
    found = [path for path in found if path.is_dir() or path.is_symlink()]
    hand_ins = [NotebookHandIn(path.name, path / assignment.name, assignment) for path in found]
    for hand_in in hand_ins:
        hand_in.copy(assignment.notebook.released, target / hand_in.student / assignment.name)
    return {hand_in.student: hand_in for hand_in in hand_ins}
