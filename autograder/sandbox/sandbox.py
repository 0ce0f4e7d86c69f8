"""Run strangers' Python code in processes that see nothing, harm nothing and always end.

A Sandbox holds a zygote (inside/zygote.py) that forks a fresh Process for each start(). A Process answers requests over
a socket until it is closed or breaks a limit; then Broken says how. Nothing that a Process says is trusted.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.sandbox.claims import claim_processors, claim_user_id
from autograder.sandbox.command import command, environment
from autograder.sandbox.errors import Unavailable
from autograder.sandbox.folders import lies_open
from autograder.sandbox.inside import confine, frames
from autograder.sandbox.process import Output, Process

if TYPE_CHECKING:
    from autograder.sandbox.forkserver import Forked, Forkserver


@dataclass(frozen=True)
class Limits:
    """Of one sandbox; torch survives these (it does not import with 600 MB, nor run with 3 processes)."""

    memory: int = 2 * 2**30  # bytes of address space for each process
    processes: int = 16
    disk: int = 64 * 2**20  # bytes of a file and, with bubblewrap, of everything written
    files: int = 256
    output: int = 512 * 2**20  # bytes printed in one request: a second of the judge's own time
    start_seconds: float = 120.0  # importing torch on a busy machine
    threads: int = 1


class Sandbox:
    """A confined zygote. It starts at once, in the background; start() waits for it."""

    def __init__(
        self,
        serve: str,
        files: Iterable[Path],
        level: int,
        limits: Limits = Limits(),  # noqa: B008
        forkserver: "Forkserver | None" = None,
    ):
        """serve: the name of the module, one of the files (paths), whose serve(channel) answers requests.

        forkserver: of the same files and level, from which it is forked instead of started afresh.
        """
        self.level, self.limits, self.forkserver = level, limits, forkserver
        self.folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
        self.grader = forkserver.grader if forkserver else self.folder / "grader"  # of the files that it runs
        self.user_id, self.claim = claim_user_id()
        self.processors, self.processor_claims = claim_processors(limits.threads)
        self.is_ready = False
        self.control, inside = socket.socketpair()
        self.errors = (self.folder / "errors").open("w+b")
        self.process: subprocess.Popen | Forked
        try:
            copy_files(self.folder, [] if forkserver else files, self.user_id if self.has_own_user else None)
            if forkserver:
                self.process = forkserver.fork(self, inside)
            else:
                self.process = self.start_afresh(serve, inside)
        except BaseException:
            remove(self.folder)
            self.end_claims()
            raise
        finally:
            inside.close()

    def start_afresh(self, serve: str, inside: socket.socket) -> subprocess.Popen:
        return subprocess.Popen(
            command(self, {"serve": serve, "control": inside.fileno()}),
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
            pass_fds=[inside.fileno()],
            close_fds=True,
            start_new_session=True,  # Ctrl-C is the judge's, who then closes the sandbox
            env=environment(self),
            cwd=self.folder / "work",
        )

    def wait(self) -> None:
        """Wait until it is ready to start processes; Unavailable where it never is."""
        if self.is_ready:
            return
        try:
            self.holds, _ = frames.receive(self.control, time.monotonic() + self.limits.start_seconds)
            if self.forkserver and self.holds != self.forkserver.holds:
                raise frames.ProtocolError("it does not hold what one that is started afresh does")
        except (EOFError, OSError, frames.ProtocolError) as error:
            self.close()
            if self.forkserver:
                self.forkserver.is_usable = False  # the next one is started afresh
            raise Unavailable(f"the sandbox did not start ({type(error).__name__}): {self.said}") from None
        self.is_ready = True

    def start(self) -> Process:
        """A fresh Process. Unavailable where the sandbox has been damaged: make a new one."""
        self.wait()
        channel, inside = socket.socketpair()
        reader, writer = os.pipe()
        try:
            socket.send_fds(self.control, [b"start"], [inside.fileno(), writer])
        except OSError:
            self.close()
            raise Unavailable("the sandbox has ended") from None
        finally:
            inside.close()
            os.close(writer)
        return Process(self, channel, Output(reader, self.limits.output, channel))

    def stop(self, message: bytes) -> int | None:
        try:
            self.control.sendall(message)
            header, _ = frames.receive(self.control, time.monotonic() + 2)
            return header["status"]
        except (EOFError, OSError, frames.ProtocolError, KeyError):
            self.close()  # the process has stopped or killed the zygote, so the whole sandbox goes
            return None

    @property
    def is_open(self) -> bool:
        return self.folder.exists()

    @property
    def has_own_user(self) -> bool:
        """Whether it runs as another user of this machine, without namespaces."""
        return os.geteuid() == 0 and (self.level == 2 or (self.level == 1 and lies_open()))

    def close(self) -> None:
        """End everything inside, and remove its folder."""
        if not self.is_open:
            return
        self.control.close()
        self.process.kill()
        self.process.wait()
        if self.has_own_user:
            end_all_of = [sys.executable, "-I", "-S", confine.__file__, str(self.user_id)]
            subprocess.run(end_all_of, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.errors.seek(0)
        self.said = self.errors.read()[-2000:].decode(errors="replace").strip() or "it said nothing"
        self.errors.close()
        self.end_claims()
        remove(self.folder)

    def end_claims(self) -> None:
        for claim in (self.claim, *self.processor_claims):
            claim.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def copy_files(folder: Path, files: Iterable[Path], owner: int | None) -> None:
    """grader/ with what runs inside, to be read only; work/ to be written (bubblewrap has its own in memory)."""
    folder.chmod(0o711)
    for name in ("grader", "work"):
        (folder / name).mkdir(mode=0o755)
    if owner is not None:
        os.chown(folder / "work", owner, owner)
        (folder / "work").chmod(0o700)
    for path in (*Path(__file__).with_name("inside").glob("[!_]*.py"), *files):
        shutil.copyfile(path, folder / "grader" / path.name)
        (folder / "grader" / path.name).chmod(0o644)


def remove(folder: Path | str) -> None:
    """Remove what a submission may have filled with anything: folders nested beyond every limit, closed ones."""
    for program in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        if Path(folder).exists():
            subprocess.run([*program, "--", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
