"""A process that has imported what sandboxes need, from which they are forked: none of them waits for the imports."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from autograder.sandbox import folders
from autograder.sandbox.command import NOBODY, confinement, environment, forkserver_command
from autograder.sandbox.errors import Unavailable
from autograder.sandbox.sandbox import Limits, Sandbox, copy_files, remove

ENDING_SECONDS = 10.0
CLOSING_SECONDS = 2.0


class Forkserver:
    """A forkserver of one level, from which any number of sandboxes may be forked, by processes forked here as well."""

    def __init__(self, serve: str, files: Iterable[Path], level: int, holds: dict):
        """Of sandboxes with the same serve, files and level; Unavailable where these cannot be forked.

        holds: what a sandbox started afresh says that holds; one that is forked and says less is not used.
        """
        if level < 2:
            raise Unavailable("what is forked below level 2 could reach its forkserver")
        if level == 3 and any(folder.is_relative_to("/tmp") for folder in folders.visible_folders()):
            raise Unavailable("a sandbox with a /tmp of its own would not see the interpreter or the packages")
        self.level, self.limits, self.holds, self.is_usable = level, Limits(), holds, True
        self.folder = Path(tempfile.mkdtemp(prefix="forkserver-"))
        self.grader = self.folder / "grader"
        self.control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            copy_files(self.folder, files, None)
            self.process = subprocess.Popen(
                forkserver_command(self, {"serve": serve, "control": inside.fileno()}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[inside.fileno()],
                start_new_session=True,
                env=environment(self),
                cwd=self.folder / "work",
            )
        except BaseException:
            remove(self.folder)
            raise
        finally:
            inside.close()

    def fork(self, sandbox: Sandbox, inside: socket.socket) -> "Forked":
        """The first process of a sandbox, whose control socket's other end is inside. OSError where this has ended."""
        config = confinement(sandbox)
        config |= {"room": self.level == 3, "disk": sandbox.limits.disk, "environment": environment(sandbox)}
        config["user"] = None
        if os.geteuid() == 0:
            config["confine"]["user_id"] = sandbox.user_id
        elif self.level == 3:
            config["user"] = NOBODY
        ours, lifeline = socket.socketpair()
        descriptors = [inside.fileno(), sandbox.errors.fileno(), lifeline.fileno()]
        with lifeline:
            socket.send_fds(self.control, [json.dumps(config).encode()], descriptors)
        return Forked(ours)

    @property
    def is_alive(self) -> bool:
        return self.is_usable and self.process.poll() is None

    def close(self) -> None:
        self.control.close()  # which it takes as the order to end
        try:  # killed in its first milliseconds, bubblewrap would leave a process that waits for it for ever
            self.process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        remove(self.folder)


class Forked:
    """The first process of a sandbox, as subprocess.Popen has it. It ends with the process that holds this."""

    def __init__(self, lifeline):
        self.lifeline = lifeline

    def kill(self):
        with contextlib.suppress(OSError):
            self.lifeline.shutdown(socket.SHUT_WR)

    def wait(self):
        """Until all in the sandbox has ended."""
        self.lifeline.settimeout(ENDING_SECONDS)
        with self.lifeline, contextlib.suppress(OSError):
            self.lifeline.recv(1)
