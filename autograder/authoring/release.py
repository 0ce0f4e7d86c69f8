"""The release for students: their files and notebooks, made from solutions/, and the zip to hand out."""

import functools
import hashlib
import re

from autograder import ROOT, assignments
from autograder.authoring.markers import strip_solutions
from autograder.authoring.notebook import notebooks
from autograder.authoring.zips import zipped
from cli import UserError
from outputs import own_file, write_atomically

ZIP = ROOT / "dist" / "iwae-student.zip"
KEPT = ROOT / "dist" / "replaced"  # what the generated files held before, by its SHA-256

# What students get; everything else belongs to the instructor (solutions, autograder, tests) or to the
# maintainer (Makefile and CI, which need those).
STUDENT_FOLDERS = ("base_code", "assignment", "benchmarks")
STUDENT_FILES = ("CHANGELOG.md", "LICENSE", "requirements.txt")
STUDENT_SLIDES = ("*.pdf", "figures/*")  # of each assignment's deck; its HTML holds speaker notes
NOT_FOR_STUDENTS = ("benchmarks/class_speed.py", "benchmarks/class_results.json")
STUDENT_README = "base_code/README.md"  # becomes the README of the zip
STUDENTS_END = "\n# --- Not for students, from here on.\n"  # in requirements.txt


@functools.cache
def generated(only=None):
    """{path: content} of every file of all assignments, or of one, that is made from solutions/, as it must be."""
    chosen = [only] if only else [assignments.get(name) for name in assignments.NAMES]
    stubs = {
        each.student_file: strip_solutions(each.solution.read_text(encoding="utf-8"), each.source).encode()
        for each in chosen
    }
    return stubs | notebooks([each for each in chosen if each.has_notebook])


def student_files():
    """{path in the zip: content} of everything a student gets. Raises UserError where a solution would leak."""
    paths = [ROOT / name for name in STUDENT_FILES]
    for folder in STUDENT_FOLDERS:
        paths += (ROOT / folder).rglob("*")
    for name in assignments.NAMES:
        paths += [path for pattern in STUDENT_SLIDES for path in (ROOT / "slides" / name).glob(pattern)]
    files = {}
    for path in sorted(paths):
        name = path.relative_to(ROOT).as_posix()
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
        if path.is_file() and not hidden and name not in NOT_FOR_STUDENTS:
            files["README.md" if name == STUDENT_README else name] = path.read_bytes()
    files["requirements.txt"] = student_requirements(files["requirements.txt"].decode()).encode()
    for path, content in generated().items():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("solutions/"):
            files[name] = content
    for name, content in files.items():
        if re.search(rb"(BEGIN|END) SOLUTION", content):
            raise UserError(f"{name} holds a solution marker, so it cannot go to students")
    return files


def student_requirements(text):
    """The part of requirements.txt that students need: no autograder, no tests."""
    own, mark, _ = text.partition(STUDENTS_END)
    if not mark:
        raise UserError(f"requirements.txt: expected a line {STUDENTS_END.strip()!r}")
    return own


def zip_bytes():
    return zipped({f"iwae/{name}": content for name, content in student_files().items()})


def release(only=None):
    """Write the generated files and dist/iwae-student.zip, or the files of one assignment only.

    Returns the paths, and those of copies kept.
    """
    made = generated(only)
    contents = made if only else {**made, own_file(ZIP): zip_bytes()}  # all first: an error in a marker writes nothing
    kept = [keep(path) for path in made if path.exists() and path.read_bytes() != contents[path]]
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return list(contents), kept


def keep(path):
    """Copy a generated file that is about to change: somebody may have worked in it. Returns the copy's path."""
    content = path.read_bytes()
    copy = KEPT / f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}{path.suffix}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(copy, content)
    return copy


def check(only=None):
    """Change nothing; UserError if a generated file is not what solutions/ makes of it."""
    if not only:
        zip_bytes()
    for path, expected in generated(only).items():
        found = path.read_bytes() if path.exists() else b""
        if found == expected:
            continue
        pairs = zip(found.splitlines() + [b""], expected.splitlines() + [b""])
        line = next((n for n, (a, b) in enumerate(pairs, start=1) if a != b), 1)
        raise UserError(
            f"{path.relative_to(ROOT)} differs from what solutions/ makes of it, first in line {line}; "
            "edit the source in solutions/ and run: python -m autograder release"
        )
