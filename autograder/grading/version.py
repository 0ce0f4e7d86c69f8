"""Which files can change a mark, found by their imports, and the version that their content makes. Without torch."""

import ast
import functools
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder import ROOT
from autograder.grading.assignment import Assignment


@functools.cache
def kit_files(assignment: Assignment) -> list[str]:
    """The names of all files that can change a mark of an assignment, from the project's root; also Gradescope's zip.

    These are the grader, the assignment's folder and solution, that of the file beside it, what any of them imports,
    and the students' folder without the file that is handed in.
    """
    folder = ROOT / "autograder" / "assignments" / assignment.name
    sources = {assignment.solution} | ({assignment.beside.solution} if assignment.beside else set())
    own = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    inside = (ROOT / "autograder" / "sandbox" / "inside").glob("*.py")  # copied, so that nothing here imports them all
    code = [ROOT / "autograder" / "grading" / "grading.py", *inside, *(path for path in own if path.suffix == ".py")]
    files = [path for path in (ROOT / "base_code").iterdir() if path.suffix in (".py", ".c")]
    students = [path for path in files if path != assignment.student_file]
    found = {*own, *students, *with_imports(code), *sources, *assignment.data_files}
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def with_imports(paths: Iterable[Path]) -> set[Path]:
    """The Python files with their packages, and all files of autograder/ that they import, also inside of functions."""
    found: set[Path] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [*imported(path.read_bytes()), *path.parent.glob("__init__.py")]
    return found


def imported(source: bytes) -> Iterator[Path]:
    """The files of autograder/ that a file's source names in its imports, and the packages around them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            for i in range(1, len(parts) + 1 if parts[0] == "autograder" else 1):
                module = ROOT.joinpath(*parts[:i])
                yield from (path for path in (module.with_suffix(".py"), module / "__init__.py") if path.is_file())


def package_version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@functools.cache
def grader_version(assignment: Assignment) -> str:
    """The kit's version, and a digest of every file that can change a mark of an assignment."""
    digest = hashlib.sha256()
    for name in kit_files(assignment):
        digest.update((ROOT / name).read_bytes())
    return f"{package_version()}+{digest.hexdigest()[:12]}"
