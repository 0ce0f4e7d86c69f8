"""Run strangers' Python code in a process that sees nothing, harms nothing and always ends.

A Sandbox holds a zygote (zygote.py) that forks a fresh Process for each start(). A Process answers requests over
a socket until it is closed or breaks a limit; then Broken says how. Nothing that a Process says is trusted.

Levels, the best that works on the machine is probed:
3  bubblewrap: own namespaces, no network, only the interpreter's files to see
2  root without namespaces: a user id of its own, Landlock where the kernel has it
1  the same user: resource limits, and Landlock where the kernel has it; for practice
0  no Linux: a process and a time limit, nothing more
"""

import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from autograder import frames

HERE = Path(__file__).resolve().parent
LEVELS = {
    3: "level 3, bubblewrap",
    2: "level 2, a user id of its own",
    1: "level 1, same user: for practice only",
    0: "level 0, NOT SANDBOXED",
}
KEPT_OUTPUT = 32 * 2**10  # bytes from the beginning of what is printed, and as many from its end
MUCH_OUTPUT = 3 * 2**20  # what prints so much in a call without end is stuck in printing
INSIDE = "/grader"  # where a bubblewrap sandbox has the files that it runs


@dataclass(frozen=True)
class Limits:
    """Of one sandbox; torch survives these (it does not import with 600 MB, nor run with 3 processes)."""

    memory: int = 2 * 2**30  # bytes of address space for each process
    processes: int = 16
    disk: int = 64 * 2**20  # bytes of a file and, with bubblewrap, of everything written
    files: int = 256
    output: int = 256 * 2**20  # printed bytes in answer to one request
    start_seconds: float = 120.0  # importing torch on a busy machine
    threads: int = 1


class Broken(Exception):
    """A process that gives no more answers: (verdict, one sentence)."""

    @property
    def verdict(self):
        return self.args[0]

    @property
    def detail(self):
        return self.args[1]


class Unavailable(Exception):
    """The sandbox itself does not work: our failure, never the submission's."""


class Output:
    """What a process prints, drained all the time: its beginning and its end are kept. A flood closes the channel."""

    def __init__(self, descriptor, limit, channel):
        self.head, self.tail, self.dropped = bytearray(), bytearray(), 0
        self.limit, self.channel = limit, channel
        self.size = 0  # printed bytes since the last request began
        self.thread = threading.Thread(target=self.drain, args=(descriptor,), daemon=True)
        self.thread.start()

    def drain(self, descriptor):
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while part := pipe.read(2**16):
                self.size += len(part)
                self.keep(part)
                if self.is_flooded:
                    with contextlib.suppress(OSError):
                        self.channel.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for an answer
                    return

    def keep(self, part):
        room = KEPT_OUTPUT - len(self.head)
        self.head += part[:room]
        self.tail += part[room:]
        if len(self.tail) > 8 * KEPT_OUTPUT:  # not at every part: a copy each time would slow the judge
            self.dropped += len(self.tail) - KEPT_OUTPUT
            del self.tail[:-KEPT_OUTPUT]

    @property
    def is_flooded(self):
        return self.size > self.limit

    def text(self, ended):
        if ended:  # then the rest comes at once
            self.thread.join(1)
        tail = self.tail[-KEPT_OUTPUT:]
        dropped = self.dropped + len(self.tail) - len(tail)
        gap = f"\n… {dropped:,} bytes …\n".encode() if dropped else b""
        return (self.head + gap + tail).decode(errors="replace")


class Process:
    """One forked process in a sandbox; made by Sandbox.start()."""

    def __init__(self, sandbox, channel, output):
        self.sandbox, self.channel, self.output = sandbox, channel, output
        self.is_open = True

    def request(self, header, body=b"", seconds=10.0):
        """Send a request and wait for its answer, a header and a body. Broken where none comes; it is closed then."""
        deadline = time.monotonic() + seconds
        self.output.size = 0
        try:
            self.channel.settimeout(seconds)
            frames.send(self.channel, header, body)
            return frames.receive(self.channel, deadline)
        except TimeoutError:
            verdict, detail = "TIMEOUT", f"no answer within {seconds:.3g} seconds"
        except (EOFError, OSError):
            verdict, detail = "EXITED", "the process ended in the middle of the call"
        except frames.ProtocolError as error:
            verdict, detail = "PROTOCOL", f"the answer is not one of the grader's: {error}"
        status = self.close(has_ended=verdict == "EXITED" and not self.output.is_flooded)
        if self.output.is_flooded:
            verdict, detail = "OUTPUT_LIMIT", f"it printed more than {self.output.limit // 2**20} MiB"
        elif verdict == "TIMEOUT" and self.output.size > MUCH_OUTPUT:
            verdict, detail = "OUTPUT_LIMIT", f"{detail}, in which it printed {self.output.size // 2**20} MiB"
        elif status is not None and verdict != "PROTOCOL":
            code = os.waitstatus_to_exitcode(status)
            verdict = "EXITED"
            detail = f"the process ended itself with exit status {code}" if code >= 0 else died_of(-code)
        raise Broken(verdict, detail)

    def close(self, has_ended=False):
        """Kill the process and all that it started. Returns its wait status if it had ended before, else None."""
        if not self.is_open:
            return None
        self.is_open = False
        self.channel.close()
        return self.sandbox.stop(b"ended" if has_ended else b"stop")


def died_of(number):
    names = {s.value: s.name for s in signal.Signals}
    return f"the process was ended by signal {names.get(number, number)}"


class Sandbox:
    """A confined zygote. It starts at once, in the background; start() waits for it."""

    def __init__(self, serve, files, level=None, limits=Limits()):  # noqa: B008
        """serve: the name of the module, one of the files (paths), whose serve(channel) answers requests."""
        self.level = probe() if level is None else level
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
        self.user_id, self.claim = claim_user_id()
        self.is_ready = False
        self.control, inside = socket.socketpair()
        self.errors = (self.folder / "errors").open("w+b")
        try:
            copy_files(self.folder, files, self.user_id if self.level == 2 else None)
            self.process = subprocess.Popen(
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
        except BaseException:
            shutil.rmtree(self.folder)
            self.claim.close()
            raise
        finally:
            inside.close()

    def wait(self):
        """Wait until it is ready to start processes; Unavailable where it never is."""
        if self.is_ready:
            return
        try:
            frames.receive(self.control, time.monotonic() + self.limits.start_seconds)
        except (EOFError, OSError, frames.ProtocolError) as error:
            self.close()
            raise Unavailable(f"the sandbox did not start ({type(error).__name__}): {self.said}") from None
        self.is_ready = True

    def start(self):
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

    def stop(self, message):
        try:
            self.control.sendall(message)
            header, _ = frames.receive(self.control, time.monotonic() + 2)
            return header["status"]
        except (EOFError, OSError, frames.ProtocolError, KeyError):
            self.close()  # the process has stopped or killed the zygote, so the whole sandbox goes
            return None

    @property
    def is_open(self):
        return self.folder.exists()

    def close(self):
        """End everything inside, and remove its folder."""
        if not self.is_open:
            return
        self.control.close()
        self.process.kill()
        self.process.wait()
        if self.level == 2:
            kill_all = [*drop_to(self.user_id), "kill", "-KILL", "--", "-1"]
            subprocess.run(kill_all, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.errors.seek(0)
        self.said = self.errors.read()[-2000:].decode(errors="replace").strip() or "it said nothing"
        self.errors.close()
        self.claim.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


started = itertools.count()  # sandboxes of this process


def claim_user_id():
    """A user id that no other sandbox of this machine has now, and the socket whose name claims it while it is open.

    Shared, it would share the limits, and at level 2 the end of one sandbox would end the other. The next sandbox
    begins to look at another id: killed processes of the last one may still be going, and would count as its own.
    """
    claim = socket.socket(socket.AF_UNIX)
    first = os.getpid() * 16 + next(started)
    for i in range(20000):
        user_id = 40000 + (first + i) % 20000
        try:
            if sys.platform == "linux":  # elsewhere there are no such names, nor user ids to claim
                claim.bind(f"\0sandbox-user-{user_id}")
            return user_id, claim
        except OSError:
            continue
    raise Unavailable("no user id is free")


def copy_files(folder, files, owner):
    """grader/ with what runs inside, to be read only; work/ to be written (bubblewrap has its own in memory)."""
    folder.chmod(0o711)
    for name in ("grader", "work"):
        (folder / name).mkdir(mode=0o755)
    if owner is not None:
        os.chown(folder / "work", owner, owner)
        (folder / "work").chmod(0o700)
    for path in (HERE / "zygote.py", HERE / "frames.py", *files):
        shutil.copyfile(path, folder / "grader" / path.name)
        (folder / "grader" / path.name).chmod(0o644)


def python_path():
    """The folders of installed packages, torch's among them; resolved, as the sandbox sees no links to them."""
    known = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    found = [p for p in sys.path if p in known or Path(p).name in ("site-packages", "dist-packages")]
    return [str(Path(p).resolve()) for p in found]


def interpreter_folders():
    """What Python needs of this machine, besides /usr."""
    folders = {Path(sys.base_prefix).resolve(), *(Path(p).resolve() for p in python_path())}
    return sorted(str(f) for f in folders if not f.is_relative_to("/usr"))


def environment(sandbox):
    threads = str(sandbox.limits.threads)
    work = "/tmp" if sandbox.level == 3 else str(sandbox.folder / "work")
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": work,
        "TMPDIR": work,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TORCHDYNAMO_DISABLE": "1",  # there is no compiler inside: @torch.compile does nothing
    }


def command(sandbox, config):
    """The command line that starts the zygote at the sandbox's level. config is added to."""
    limits, level, folder = sandbox.limits, sandbox.level, sandbox.folder
    config |= {"python_path": python_path(), "alone": level >= 2, "landlock": None}
    config["limits"] = {"CORE": 0, "FSIZE": limits.disk, "NOFILE": limits.files}
    if level >= 1:
        config["limits"]["AS"] = limits.memory
    if level >= 2:  # at level 1 it would count all processes of the user
        config["limits"]["NPROC"] = limits.processes
    if 1 <= level <= 2:
        config["landlock"] = {
            "readable": ["/usr", "/lib", "/lib64", "/bin", "/proc", "/dev/urandom", "/sys/devices/system/cpu"]
            + [*interpreter_folders(), str(folder / "grader")],
            "writable": [str(folder / "work"), "/dev/null"],
        }
    grader = INSIDE if level == 3 else str(folder / "grader")
    python = [os.path.realpath(sys.executable), "-I", "-B", "-u", f"{grader}/zygote.py", json.dumps(config)]
    if level == 3:
        return [*bubblewrap(sandbox), *python]
    return [*drop_to(sandbox.user_id), *python] if level == 2 else python


def drop_to(user_id):
    """The prefix of a command: for good another user, without any capability."""
    who = ["--reuid", str(user_id), "--regid", str(user_id), "--clear-groups"]
    return ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


def bubblewrap(sandbox):
    """The prefix of a command: own namespaces and a view with nothing in it but Python and the grader's few files."""
    mounts = ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib64", "bin"):
        path = Path("/", name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            mounts += ["--ro-bind", str(path), str(path)]
    mounts += ["--ro-bind", str(sandbox.folder / "grader"), INSIDE, "--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm"):
        mounts += ["--perms", "1777", "--size", str(sandbox.limits.disk), "--tmpfs", folder]
    for folder in interpreter_folders():  # last: they may lie below /tmp
        for parent in reversed(Path(folder).parents[:-1]):  # another user must be able to pass through them
            if parent != Path("/tmp"):
                mounts += ["--perms", "0755", "--dir", str(parent)]
        mounts += ["--ro-bind", folder, folder]
    mounts += ["--remount-ro", "/", "--chdir", "/tmp"]
    unshared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    always = ["bwrap", *mounts, *unshared, "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # As root no user namespace, where root inside would be root outside: setpriv drops to another user.
        kept = [word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")]
        return [*always, *kept, *drop_to(sandbox.user_id)]
    return [*always, "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]


@functools.cache
def probe():
    """The best level that works on this machine."""
    return next(level for level in LEVELS if works(level))


def works(level):
    """Whether a sandbox of this level can run Python here."""
    if level == 0:
        return True
    if sys.platform != "linux" or (level == 2 and os.geteuid() != 0):
        return False
    tools = {3: "bwrap", 2: "setpriv", 1: "true"}
    if shutil.which(tools[level]) is None:
        return False
    try:
        with Sandbox("zygote", [], level) as sandbox:
            return sandbox.start().request({"probe": level}) == ({"probe": level}, b"")
    except (Unavailable, Broken, OSError):
        return False
