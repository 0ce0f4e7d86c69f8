"""A student's file, read once, and the sandbox that will import it. Without torch, so that it is there at once."""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import native
from autograder import ROOT
from autograder.grading.assignment import Assignment
from autograder.sandbox.levels import probe
from autograder.sandbox.sandbox import Limits, Sandbox

MAX_SOURCE = 256 * 2**10


def start_sandbox(assignment: Assignment, level: int | None = None, limits: Limits = Limits()) -> Sandbox:  # noqa: B008
    """A sandbox whose processes are workers, at the best level where none is given; it gets ready in the background."""
    # Inside, all that lies beside the student's file when it is handed out: it may import any of them. A file of
    # another assignment comes later, from remote.py: here it may hold somebody's solutions.
    others = {assignment.student_file} | ({assignment.beside.path} if assignment.beside else set())
    beside = [path for path in (ROOT / "base_code").glob("*.py") if path not in others]
    beside += native.libraries()
    return Sandbox("worker", beside, probe() if level is None else level, limits)


class Rejected(Exception):
    """A file that cannot be a submission, in one sentence."""


@dataclass(frozen=True)
class Submission:
    """A student's file, read once. rejected says why it cannot be graded, if so; then source is empty."""

    assignment: Assignment
    path: Path
    source: bytes
    rejected: str = ""

    @classmethod
    def read(cls, assignment: Assignment, path: Path | str) -> Self:
        path = Path(path)
        return cls.take(assignment, path, lambda: read_file(path, MAX_SOURCE))

    @classmethod
    def take(cls, assignment: Assignment, path: Path, read: Callable[[], bytes]) -> Self:
        """read: a function that returns the file's bytes, or raises Rejected."""
        try:
            source = read()
            check_source(path.name, source)
            return cls(assignment, path, source)
        except Rejected as reason:
            return cls(assignment, path, b"", str(reason))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.source).hexdigest()

    @property
    def key(self):
        """What its results are stored under: a rejected file has nothing but its reason."""
        return hashlib.sha256(self.rejected.encode()).hexdigest() if self.rejected else self.sha256


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of limited size; no link is followed, no pipe is waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Rejected(f"there is no file {path}") from None
    except OSError as error:
        reason = "it is a link; hand in the file itself" if path.is_symlink() else error.strerror
        raise Rejected(f"{path.name} cannot be opened: {reason}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise Rejected(f"{path.name} is {kind}; hand in the file itself")
        if status.st_size > limit:
            raise Rejected(f"{path.name} has {status.st_size:,} bytes; {at_most(limit)}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def at_most(limit):
    if limit == MAX_SOURCE:
        return f"expected the file of the assignment, at most {limit:,}"
    return f"at most {limit:,} are read"


def check_source(name: str, source: bytes) -> None:
    """Rejected, with advice, for what can be no Python file."""
    if source[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Rejected(f"{name} is saved as UTF-16; save it as UTF-8")
    if b"\0" in source:
        raise Rejected(f"{name} holds NUL bytes, so it is no Python file; save it as UTF-8 text")
    if not source.strip():
        raise Rejected(f"{name} is empty; hand in the file that you edited")
