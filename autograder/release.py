"""The release for students: base_code/model.py, made from solutions/model.py, and the zip that is handed out.

In the source, each answer stands between `### BEGIN SOLUTION` and `### END SOLUTION`. The first line
after BEGIN is a comment, the stub's text: `# TODO 2: one sentence of help`. The release keeps that sentence in
`raise NotImplementedError("TODO 2: ...")` and drops the answer.
"""

import io
import re
import zipfile
from dataclasses import dataclass

from autograder import ROOT
from cli import UserError
from run import write_atomically

SOURCE = ROOT / "solutions" / "model.py"
STUB = ROOT / "base_code" / "model.py"
ZIP = ROOT / "dist" / "iwae-student.zip"

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HINT = re.compile(r"# (TODO \d: \S.*)")

# What students get; everything else belongs to the instructor (solutions, autograder, tests) or to the
# maintainer (Makefile and CI, which need those).
STUDENT_FOLDERS = ("base_code", "assignment", "slides", "benchmarks")
STUDENT_FILES = ("CHANGELOG.md", "LICENSE", "requirements.txt")
STUDENT_README = "base_code/README.md"  # becomes the README of the zip
ZIP_DATE = (2026, 1, 1, 0, 0, 0)  # the same files make the same zip


@dataclass
class Answer:
    """An open solution block: where it began, and the help that stays."""

    line: int
    hint: str | None = None


def strip_solutions(text, name):
    """The stub of a source text: each answer becomes a NotImplementedError with its sentence of help.

    Raises UserError, with the line, for a nested, unclosed or unopened block or one without help.
    """
    stub, answer = [], None
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        if code == BEGIN:
            if answer:
                raise UserError(f"{name}, line {number}: {BEGIN} inside the block that began in line {answer.line}")
            answer = Answer(number)
        elif code == END:
            if not answer:
                raise UserError(f"{name}, line {number}: {END} without {BEGIN}")
            if not answer.hint:
                raise UserError(f"{name}, line {answer.line}: expected a comment '# TODO n: ...' after {BEGIN}")
            stub.append(f'{indent}raise NotImplementedError("{answer.hint}")')
            answer = None
        elif "SOLUTION" in code and code.startswith("#"):
            raise UserError(f"{name}, line {number}: {code!r} is no marker; write {BEGIN!r} or {END!r}")
        elif not answer:
            stub.append(line)
        elif not answer.hint and number == answer.line + 1 and (match := HINT.fullmatch(code)):
            answer.hint = match[1].replace("\\", "\\\\").replace('"', '\\"')
    if answer:
        raise UserError(f"{name}, line {answer.line}: {BEGIN} is never closed")
    return "\n".join(stub) + "\n"


def stub_text():
    """base_code/model.py as it must be."""
    return strip_solutions(SOURCE.read_text(encoding="utf-8"), "solutions/model.py")


def student_files():
    """{path in the zip: content} of everything a student gets. Raises UserError where a solution would leak."""
    paths = [ROOT / name for name in STUDENT_FILES]
    for folder in STUDENT_FOLDERS:
        paths += (ROOT / folder).rglob("*")
    files = {}
    for path in sorted(paths):
        name = path.relative_to(ROOT).as_posix()
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
        if path.is_file() and not hidden:
            files["README.md" if name == STUDENT_README else name] = path.read_bytes()
    files["base_code/model.py"] = stub_text().encode()
    for name, content in files.items():
        if re.search(rb"(BEGIN|END) SOLUTION", content):
            raise UserError(f"{name} holds a solution marker, so it cannot go to students")
    return files


def zip_bytes():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(student_files().items()):
            info = zipfile.ZipInfo(f"iwae/{name}", ZIP_DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def release():
    """Write base_code/model.py and dist/iwae-student.zip. Returns the paths."""
    archive = zip_bytes()  # first: an error in a marker writes nothing
    write_atomically(STUB, stub_text().encode())
    ZIP.parent.mkdir(exist_ok=True)
    write_atomically(ZIP, archive)
    return STUB, ZIP


def check():
    """Change nothing; UserError if base_code/model.py is not what solutions/model.py makes of it."""
    zip_bytes()
    expected = stub_text()
    found = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    if found == expected:
        return
    pairs = zip(found.splitlines() + [""], expected.splitlines() + [""])
    line = next((n for n, (a, b) in enumerate(pairs, start=1) if a != b), 1)
    raise UserError(
        f"base_code/model.py differs from what solutions/model.py makes of it, first in line {line}; "
        "edit solutions/model.py and run: python -m autograder release"
    )
