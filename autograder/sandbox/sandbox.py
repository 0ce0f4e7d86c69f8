"""Run strangers' Python code in a process that sees nothing, harms nothing and always ends.

A Sandbox holds a zygote (zygote.py) that forks a fresh Process for each start(). A Process answers requests over
a socket until it is closed or breaks a limit; then Broken says how. Nothing that a Process says is trusted.

Levels, the best that works on the machine is probed:
3  bubblewrap: own namespaces, only the interpreter's files to see, and the filter of system calls
2  root without namespaces: a user id of its own, Landlock for files, and the filter
1  what of these the machine has, with resource limits; for practice
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

from autograder import ROOT
from autograder.sandbox import frames
from autograder.sandbox.confine import SYSTEM_CALLS

HERE = Path(__file__).resolve().parent
LEVELS = {
    3: "level 3, bubblewrap",
    2: "level 2, a user id of its own",
    1: "level 1, for practice only",
    0: "level 0, NOT SANDBOXED",
}
TOOLS = {3: ("bwrap", "setpriv"), 2: ("setpriv",), 1: (), 0: ()}
KEPT_OUTPUT = 32 * 2**10  # bytes of the beginning, and of the end
# Where the machine's memory ends, a sandbox goes first. Set from outside, so that nothing inside need be able to.
FIRST_TO_GO = ["sh", "-c", 'echo 1000 2> /dev/null > /proc/self/oom_score_adj; exec "$@"', "sh"]
INSIDE = "/grader"  # where a bubblewrap sandbox has the files that it runs
SECRETS = (ROOT / "solutions" / "model.py", HERE / "sandbox.py")  # some of what must not be readable inside


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
    """What a process prints, drained all the time; the first and the last 32 KiB are kept.

    However much is printed in the end: only a flood, more than the limit in one request, closes the channel.
    """

    def __init__(self, descriptor, limit, channel):
        self.head, self.tail, self.size = bytearray(), bytearray(), 0
        self.limit, self.channel, self.allowed, self.is_flooded = limit, channel, limit, False
        self.thread = threading.Thread(target=self.drain, args=(descriptor,), daemon=True)
        self.thread.start()

    def begin(self):
        """Of a request: from now on, as much as the limit may be printed."""
        self.allowed = self.size + self.limit

    def drain(self, descriptor):
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while part := pipe.read(2**16):
                self.keep(part)
                if self.size > self.allowed:
                    self.is_flooded = True
                    with contextlib.suppress(OSError):
                        self.channel.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for an answer
                    return

    def keep(self, part):
        self.size += len(part)
        room = KEPT_OUTPUT - len(self.head)
        self.head += part[:room]
        self.tail += part[room:]
        if len(self.tail) > 4 * KEPT_OUTPUT:  # seldom: small parts come by the thousand
            del self.tail[:-KEPT_OUTPUT]

    def text(self, ended):
        if ended:  # then the rest comes at once
            self.thread.join(1)
        tail = self.tail[-KEPT_OUTPUT:]
        dropped = self.size - len(self.head) - len(tail)
        gap = f"\n[... {dropped:,} bytes are left out here ...]\n".encode() if dropped > 0 else b""
        return (self.head + gap + tail).decode(errors="replace")


class Process:
    """One forked process in a sandbox; made by Sandbox.start()."""

    def __init__(self, sandbox, channel, output):
        self.sandbox, self.channel, self.output = sandbox, channel, output
        self.is_open = True

    def request(self, header, body=b"", seconds=10.0, consult=None):
        """Send a request and wait for its answer, a header and a body. Broken where none comes; it is closed then.

        consult: a function of header and body that answers what the process "ask"s in the meantime.
        """
        deadline = time.monotonic() + seconds
        try:
            self.output.begin()
            self.channel.settimeout(seconds)
            frames.send(self.channel, header, body)
            while True:
                answer = frames.receive(self.channel, deadline)
                if consult is None or "ask" not in answer[0]:
                    return answer
                frames.send(self.channel, *consult(*answer))
        except TimeoutError:
            verdict, detail = "TIMEOUT", f"no answer within {seconds:.3g} seconds"
        except (EOFError, OSError):
            verdict, detail = "EXITED", "the process ended in the middle of the call"
        except frames.ProtocolError as error:
            verdict, detail = "PROTOCOL", f"the answer is not one of the grader's: {error}"
        status = self.close(has_ended=verdict == "EXITED" and not self.output.is_flooded)
        if self.output.is_flooded:
            verdict = "OUTPUT_LIMIT"
            detail = f"it printed more than {self.output.limit // 2**20} MiB before it answered"
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
        self.processors, self.processor_claims = claim_processors(limits.threads)
        self.is_ready = False
        self.control, inside = socket.socketpair()
        self.errors = (self.folder / "errors").open("w+b")
        try:
            copy_files(self.folder, files, self.user_id if self.has_own_user else None)
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
            remove(self.folder)
            self.end_claims()
            raise
        finally:
            inside.close()

    def wait(self):
        """Wait until it is ready to start processes; Unavailable where it never is."""
        if self.is_ready:
            return
        try:
            self.holds, _ = frames.receive(self.control, time.monotonic() + self.limits.start_seconds)
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

    @property
    def has_own_user(self):
        """Whether it runs as another user of this machine, without namespaces."""
        return os.geteuid() == 0 and (self.level == 2 or (self.level == 1 and lies_open()))

    def close(self):
        """End everything inside, and remove its folder."""
        if not self.is_open:
            return
        self.control.close()
        self.process.kill()
        self.process.wait()
        if self.has_own_user:
            kill_all = [*drop_to(self.user_id), "kill", "-KILL", "--", "-1"]
            subprocess.run(kill_all, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.errors.seek(0)
        self.said = self.errors.read()[-2000:].decode(errors="replace").strip() or "it said nothing"
        self.errors.close()
        self.end_claims()
        remove(self.folder)

    def end_claims(self):
        for claim in (self.claim, *self.processor_claims):
            claim.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


started = itertools.count()  # sandboxes of this process


def claim(name):
    """A socket that claims the name on this machine while it is open; None where it is taken."""
    socket_of_name = socket.socket(socket.AF_UNIX)
    try:
        if sys.platform == "linux":  # elsewhere there are no such names
            socket_of_name.bind(f"\0{name}")
        return socket_of_name
    except OSError:
        socket_of_name.close()
        return None


def claim_user_id():
    """A user id that no other sandbox of this machine has now, and the claim.

    Shared, it would share the limits, and at level 2 the end of one sandbox would end the other. The next sandbox
    begins to look at another id: killed processes of the last one may still be going, and would count as its own.
    """
    first = os.getpid() * 16 + next(started)
    for i in range(20000):
        user_id = 40000 + (first + i) % 20000
        if taken := claim(f"sandbox-user-{user_id}"):
            return user_id, taken
    raise Unavailable("no user id is free")


def claim_processors(n):
    """n processors that no other sandbox of this machine has, and the claims; all where so many are not free.

    However many processes a submission starts, it then slows no other one.
    """
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if n >= len(known):
        return None, []
    claims = {}
    for processor in known:
        if len(claims) < n and (taken := claim(f"sandbox-processor-{processor}")):
            claims[processor] = taken
    if len(claims) == n:
        return list(claims), list(claims.values())
    for taken in claims.values():
        taken.close()
    return None, []


def remove(folder):
    """Remove what a submission may have filled with anything: folders nested beyond every limit, closed ones."""
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        if Path(folder).exists():
            subprocess.run([*command, "--", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def copy_files(folder, files, owner):
    """grader/ with what runs inside, to be read only; work/ to be written (bubblewrap has its own in memory)."""
    folder.chmod(0o711)
    for name in ("grader", "work"):
        (folder / name).mkdir(mode=0o755)
    if owner is not None:
        os.chown(folder / "work", owner, owner)
        (folder / "work").chmod(0o700)
    for path in (HERE / "zygote.py", HERE / "confine.py", HERE / "frames.py", *files):
        shutil.copyfile(path, folder / "grader" / path.name)
        (folder / "grader" / path.name).chmod(0o644)


def python_path():
    """The folders of installed packages, torch's among them; resolved, as the sandbox sees no links to them."""
    known = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    found = [p for p in sys.path if p in known or Path(p).name in ("site-packages", "dist-packages")]
    return [str(Path(p).resolve()) for p in found]


def visible_folders():
    """What Python needs of this machine: the system's libraries and programs, the interpreter's, installed packages."""
    prefixes = (Path("/usr"), Path(sys.base_prefix).resolve())
    folders = {prefix / name for prefix in prefixes for name in ("bin", "lib", "lib32", "lib64")}
    return sorted({folder for folder in folders if folder.is_dir()} | {Path(p) for p in python_path()})


def lies_open():
    """Whether another user of this machine can reach the interpreter and the packages."""
    folders = {parent for folder in visible_folders() for parent in (folder, *folder.parents)}
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def hidden_folders():
    """What no submission may see, wherever it lies: the kit, with its answers, and the course's data."""
    folders = {ROOT, Path(os.environ.get("IWAE_DATA") or ROOT).resolve()}
    return sorted(folder for folder in folders if folder.is_dir())


def without(folder, hidden):
    """The folder, or what it holds beside the hidden folders below it."""
    if folder in hidden:
        return []
    if not any(h.is_relative_to(folder) for h in hidden):
        return [folder]
    return [part for child in folder.iterdir() if not child.is_symlink() for part in without(child, hidden)]


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
    landlock = None
    config |= {"python_path": python_path(), "alone": level == 3 or sandbox.has_own_user}
    bounds = {"CORE": 0, "FSIZE": limits.disk, "NOFILE": limits.files}
    if level >= 1:
        bounds["AS"] = limits.memory
    if config["alone"]:  # otherwise it would count all processes of the user
        bounds["NPROC"] = limits.processes
    if 1 <= level <= 2:
        visible = [str(part) for folder in visible_folders() for part in without(folder, hidden_folders())]
        system = ["/lib", "/lib64", "/bin", "/proc", "/dev/urandom", "/sys/devices/system/cpu"]
        landlock = {
            "readable": [*system, *visible, str(folder / "grader")],
            "writable": [str(folder / "work"), "/dev/null"],
        }
    config["confine"] = {
        "limits": bounds,
        "processors": sandbox.processors,
        "landlock": landlock,
        "filtered": level >= 1,
    }
    grader = INSIDE if level == 3 else str(folder / "grader")
    python = [os.path.realpath(sys.executable), "-I", "-B", "-u", f"{grader}/zygote.py", json.dumps(config)]
    if level == 3:
        python = [*bubblewrap(sandbox), *python]
    elif sandbox.has_own_user:
        python = [*drop_to(sandbox.user_id), *python]
    return [*FIRST_TO_GO, *python] if level >= 1 else python


def drop_to(user_id):
    """The prefix of a command: for good another user, without any capability."""
    who = ["--reuid", str(user_id), "--regid", str(user_id), "--clear-groups"]
    return ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


def bubblewrap(sandbox):
    """The prefix of a command: own namespaces and a view with nothing in it but Python and the grader's few files."""
    mounts = []
    for name in ("lib", "lib64", "bin"):
        path = Path("/", name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            mounts += ["--ro-bind", str(path), str(path)]
    mounts += ["--ro-bind", str(sandbox.folder / "grader"), INSIDE, "--proc", "/proc", "--dev", "/dev"]
    if Path("/proc/keys").exists():  # the names of the judge's keys
        mounts += ["--ro-bind", "/dev/null", "/proc/keys"]
    for folder in ("/tmp", "/dev/shm"):
        mounts += ["--perms", "1777", "--size", str(sandbox.limits.disk), "--tmpfs", folder]
    mounts += view()  # last: these may lie below /tmp
    # /proc, where a process could change what the kernel does with it, and /dev, which has no size, as well.
    mounts += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    unshared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    always = ["bwrap", *mounts, *unshared, "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # As root no user namespace, where root inside would be root outside: setpriv drops to another user.
        kept = [word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")]
        return [*always, *kept, *drop_to(sandbox.user_id)]
    # The zygote is the first process: bubblewrap's own would have the same user, and no filter of system calls.
    return [*always, "--as-pid-1", "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]


def view():
    """The mounts of visible folders, with emptiness over hidden ones inside them, and over that what is visible again.

    An environment with the installed packages may lie in the kit, and the kit below the interpreter.
    """
    visible, hidden = visible_folders(), hidden_folders()
    mounts, covered = [], []
    for folder in sorted({*visible, *hidden}):  # what contains comes before what is contained
        for parent in reversed(folder.parents[:-1]):  # another user must be able to pass through them
            if folder in visible and parent != Path("/tmp"):
                mounts += ["--perms", "0755", "--dir", str(parent)]
        if folder not in hidden:
            mounts += ["--ro-bind", str(folder), str(folder)]
        elif any(folder.is_relative_to(other) for other in visible):
            mounts += ["--size", "65536", "--tmpfs", str(folder)]
            covered.append(str(folder))
    return mounts + [word for folder in covered for word in ("--remount-ro", folder)]


@functools.cache
def probe():
    """The best level that works on this machine."""
    return next(level for level in LEVELS if works(level))


def works(level):
    return not obstacle(level)


def obstacle(level):
    """Why a sandbox of this level cannot be had on this machine, in words; "" where it can."""
    if level == 0:
        return ""
    if sys.platform != "linux":
        return "this is no Linux"
    if level == 2 and os.geteuid() != 0:
        return "only root can become another user"
    if level == 2 and not lies_open():
        return f"no other user can reach the interpreter, {sys.base_prefix}: a folder of these is closed"
    if missing := [tool for tool in TOOLS[level] if shutil.which(tool) is None]:
        return f"{missing[0]} is not installed"
    try:
        with Sandbox("zygote", [], level) as sandbox:
            answer, _ = sandbox.start().request({"open": [str(path) for path in SECRETS]})
            holds = sandbox.holds
    except (Unavailable, Broken, OSError) as error:
        return f"it does not start here: {str(error).splitlines()[-1][:200]}"
    if level >= 2 and not holds["seccomp"]:
        return "system calls cannot be filtered: libseccomp2 is not installed, or the kernel has no seccomp"
    if level == 2 and not holds["landlock"]:
        return "the kernel has no Landlock, so that other users' files lie open"
    if answer != {"opened": []}:
        return f"{answer.get('opened')} can be read there"
    return ""


def enforced(level):
    """What a sandbox of this level enforces on this machine, in words: {what: how}. It is started for that."""
    limits = Limits()
    with Sandbox("zygote", [], level, limits) as sandbox:
        sandbox.wait()
        holds, has_own_user = sandbox.holds, sandbox.has_own_user or level == 3
        processor = "one of its own, as long as one is free" if sandbox.processors else "shared"
    landlock = f"only the interpreter's and its own (Landlock, ABI {holds['landlock']})"
    files = {3: "only the interpreter's and its own (mounts of its own, the kit hidden)", 0: "all that you can reach"}
    disk = "in /tmp, the same in /dev/shm" if level == 3 else "a file"
    return {
        "files": files.get(level, landlock if holds["landlock"] else files[0]),
        "user": f"{'one of its own' if has_own_user else 'yours'}{', without capabilities' if level else ''}",
        "system calls": f"{len(SYSTEM_CALLS)} allowed (seccomp)" if holds["seccomp"] else "not filtered",
        "keyring": "new and empty" if holds["keyring"] else "yours",
        "network": "none" if level == 3 or holds["seccomp"] else "yours",
        "processes": f"at most {limits.processes}" if has_own_user else "not limited",
        "processor": processor,
        "cgroup": "not used",
        "memory": f"{limits.memory // 2**20} MiB a process" if level else "not limited",
        "disk": f"{limits.disk // 2**20} MiB {disk}",
    }
