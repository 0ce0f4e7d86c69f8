"""What nbgrader sees of the hand-ins: copies of the two expected files, with the answers in the released notebook."""

import os
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

from autograder import answers
from autograder.submission import MAX_SOURCE, Rejected, read_file

MAX_NOTEBOOK = 20 * 2**20


@dataclass
class HandIn:
    """A student's folder for the assignment. What a person must look at is told in sentences."""

    student: str
    folder: Path
    problems: list = field(default_factory=list)  # something could not be read
    notes: list = field(default_factory=list)

    @property
    def doubt(self):
        return answers.text_of("; ".join(self.problems + self.notes))  # a file's name may be no UTF-8

    def copy(self, released, target):
        """Make the folder that nbgrader sees: iwae.ipynb, always; model.py and timestamp.txt where they can be read."""
        notebook, cells = nbformat.read(released, as_version=4), []
        model = timestamp = None
        try:
            check_folder(self.folder)
            model, cells, timestamp = self.read_model(), self.read_answers(), self.read_timestamp()
        except Rejected as reason:
            self.problems.append(str(reason))
        except OSError as error:
            self.problems.append(f"the folder cannot be read: {error.strerror}")
        answers.place(notebook, cells, self.doubt)
        target.mkdir(parents=True)
        nbformat.write(notebook, target / "iwae.ipynb")
        for name, content in (("model.py", model), ("timestamp.txt", timestamp)):
            if content is not None:
                (target / name).write_bytes(content)

    def read_model(self):
        try:
            return read_file(find(self.folder, "model.py"), MAX_SOURCE)
        except Rejected:  # the feedback on the code says so
            return None

    def read_answers(self):
        """The cells of the notebook; none, and a problem, where it cannot be read."""
        path = find(self.folder, "iwae.ipynb")
        others = sorted(other.name for other in self.folder.iterdir() if other.suffix == ".ipynb" and other != path)
        if others:
            self.notes.append(f"not read: {', '.join(others)[:200]}")
        if path.name != "iwae.ipynb":
            self.notes.append(f"{path.name} is taken for iwae.ipynb")
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


def copy_all(submitted, students, assignment, released, target):
    """Copy the hand-ins of the students whose names match the pattern. {student: HandIn}"""
    found = sorted(submitted.iterdir()) if submitted.is_dir() else []
    found = [path for path in found if fnmatchcase(path.name, students) and not path.name.startswith(".")]
    hand_ins = [HandIn(path.name, path / assignment) for path in found if path.is_dir() or path.is_symlink()]
    for hand_in in hand_ins:
        hand_in.copy(released, target / hand_in.student / assignment)
    return {hand_in.student: hand_in for hand_in in hand_ins}
