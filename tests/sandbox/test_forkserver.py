"""Sandboxes of one forkserver: they share nothing that one of them can change, and end with their judge."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from autograder.sandbox import folders
from autograder.sandbox.claims import claim_user_id
from autograder.sandbox.errors import Broken, Unavailable
from autograder.sandbox.inside import confine
from autograder.sandbox.levels import forkserver, works
from autograder.sandbox.sandbox import Limits, Sandbox

WORKER = Path(__file__).parents[1] / "helpers" / "run_python.py"
LEAVE = """
import ctypes, fcntl, gc, os, random, signal, sys, torch
for folder in {folders!r}:
    with open(folder + "/note", "w") as file:
        file.write("kept")
for descriptor in (0, 1, 2, channel.fileno()):
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK | os.O_APPEND)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGUSR1)
    except OSError:
        pass
sys.kept = os.environ["NOTE"] = "kept"
torch.manual_seed(4711); random.seed(4711)
torch.ones(2, dtype=torch.float64).__class__.kept = 1
master, terminal = os.openpty()
try:
    os.nice(3)
except OSError:
    pass
os.umask(0o077)
gc.disable()
for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    signal.pause()
for pid in [-1, os.getppid(), *range(1, 40)]:
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL) if pid != os.getpid() and pid > 0 else ():
        try:
            os.kill(pid, number)
        except OSError:
            pass
result = os.getpid()
"""
FIND = """
import fcntl, gc, os, signal, sys, torch
result = dict(
    notes=[name for folder in {folders!r} for name in os.listdir(folder)],
    flags=[fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in (0, 1, 2, channel.fileno())],
    signal=[fcntl.fcntl(descriptor, fcntl.F_GETSIG) for descriptor in (0, 1, 2)],
    sys=hasattr(sys, "kept"),
    environment=sorted(os.environ.items()) if {level} == 3 else sorted(os.environ),
    random=torch.rand(1).item() if {is_seeded} else 0,
    torch=hasattr(torch.Tensor, "kept"),
    terminals=os.listdir("/dev/pts") if {level} == 3 else [],
    mask=os.umask(0),
    nice=os.getpriority(os.PRIO_PROCESS, 0),
    collected=gc.isenabled(),
    handlers=[str(signal.getsignal(number)) for number in range(1, 32)],
    processes=len([name for name in os.listdir("/proc") if name.isdigit()]) if {level} == 3 else 0,
    descriptors=sorted(os.listdir("/proc/self/fd")),
    session=os.getsid(0) == os.getpid(),
    host=os.uname().nodename,
    locked=[],
)
for descriptor in (0, 1, 2) if {is_locked} else ():
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        result["locked"].append(str(error))
"""


def run(process, python):
    return process.request({"python": python}, seconds=10.0)[0]["result"]


@pytest.fixture(scope="module", params=[3, 2], ids=lambda level: f"level{level}")
def server(request, tmp_path_factory):
    if not works(request.param):
        pytest.skip(f"level {request.param} does not work on this machine")
    worker = tmp_path_factory.mktemp("worker") / "imports_torch.py"
    worker.write_text(f"import torch\n{WORKER.read_text()}")
    server = forkserver("imports_torch", [worker], request.param)
    assert server
    server.files = [worker]
    yield server
    server.close()


def opened(server, is_forked=True):
    return Sandbox("imports_torch", server.files, server.level, Limits(), server if is_forked else None)


@pytest.mark.slow
@pytest.mark.parametrize("are_together", [False, True])
def test_nothing_of_one_submission_reaches_another(server, are_together):
    """One after the other, and at the same time; and what a forked one finds is what a fresh one finds."""
    shown = ["/tmp", "/dev/shm"] if server.level == 3 else ["."]
    how = {"folders": shown, "level": server.level, "is_seeded": True, "is_locked": True}

    def found(sandbox):
        return run(sandbox.start(), FIND.format(**how))

    with opened(server) as sandbox:
        before = found(sandbox)
    how["is_locked"] = not are_together  # a lock on /dev/null is everybody's, while its holder lives
    with opened(server) as first:
        process = first.start()
        run(process, LEAVE.format(**how))
        if not are_together:
            first.close()
        with opened(server) as second:
            after = found(second)
    assert after == before
    how |= {"is_seeded": False, "is_locked": False}
    with opened(server, is_forked=False) as fresh, opened(server) as other:
        a, b = found(fresh), found(other)
        assert fresh.holds == other.holds
    assert a["processes"] >= b["processes"]  # as root bubblewrap has a process of its own there
    for seen in (a, b):
        del seen["processes"], seen["descriptors"]
    assert a == b


@pytest.mark.slow
def test_a_forked_sandbox_has_the_credentials_of_a_fresh_one(server):
    python = """
import os, resource
names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
         "Seccomp_filters", "SigBlk", "SigIgn")
lines = [line.split() for line in open("/proc/self/status")]
mounts = [line.split() for line in open("/proc/self/mountinfo")]
limits = [name for name in dir(resource) if name.startswith("RLIMIT")]
result = dict(
    status={name[:-1]: words for name, *words in lines if name[:-1] in names},
    limits={name: resource.getrlimit(getattr(resource, name)) for name in limits},
    mounts={words[4]: words[5].split(",")[0] for words in mounts},  # the last is the one that is seen
    spaces={name: os.readlink("/proc/self/ns/" + name) for name in ("mnt", "pid", "ipc", "net", "uts", "user")},
)
"""
    with opened(server, is_forked=False) as fresh, opened(server) as one, opened(server) as two:
        sandboxes = [fresh, one, two]
        seen = [run(sandbox.start(), python) for sandbox in sandboxes]
    for found, sandbox in zip(seen, sandboxes):
        user_id = str(sandbox.user_id if os.geteuid() == 0 else 65534)
        assert [found["status"].pop(name) for name in ("Uid", "Gid")] == [[user_id] * 4] * 2
    spaces, mounts = ([found.pop(name) for found in seen] for name in ("spaces", "mounts"))
    assert seen[0] == seen[1] == seen[2]
    for name in spaces[0] if server.level == 3 else ():
        if name != "user" or os.geteuid() != 0:
            assert len({str(Path("/proc/self/ns", name).readlink()), *(space[name] for space in spaces)}) == 4, name
    for found in mounts if server.level == 3 else ():
        assert {path for path, mode in found.items() if mode == "rw"} == {
            path for path, mode in mounts[0].items() if mode == "rw"
        }


def open_a_sandbox(server, ready):
    with opened(server) as sandbox:
        run(
            sandbox.start(),
            "import os, signal\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        break",
        )
        ready.send(sandbox.folder)
        time.sleep(60)


def descendants(pid):
    return psutil.Process(pid).children(recursive=True)


def wait_for_the_end(processes):
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


@pytest.mark.slow
def test_a_sandbox_ends_with_its_judge(server):
    """A process forked from the one that has the forkserver, which goes on."""
    before = set(descendants(os.getpid()))
    ready, theirs = multiprocessing.Pipe()
    judge = multiprocessing.get_context("fork").Process(target=open_a_sandbox, args=(server, theirs))
    judge.start()
    ready.recv()
    started = set(descendants(os.getpid())) - before - {psutil.Process(judge.pid)}
    assert len(started) >= 4  # a keeper, a zygote and two more
    judge.kill()
    judge.join()
    wait_for_the_end(started)
    with opened(server) as sandbox:
        assert run(sandbox.start(), "result = 1") == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_survives_the_process_that_has_the_forkserver(server, tmp_path, number):
    script = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from pathlib import Path
from autograder.sandbox.levels import forkserver
from autograder.sandbox.sandbox import Limits, Sandbox
files = [Path({str(WORKER)!r})]
server = forkserver("run_python", files, {server.level})
with Sandbox("run_python", files, {server.level}, Limits(), server) as sandbox:
    sandbox.start().request({{"python": "import os, signal\\nif os.fork() == 0: os.setsid()"}})
    print("ready", flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    for folder in (tmp_path, *tmp_path.parents):  # another user must pass
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"ready\n"
    started = descendants(process.pid)
    assert len(started) >= 4
    process.send_signal(number)
    process.wait()
    wait_for_the_end(started)


@pytest.mark.slow
def test_a_forkserver_that_has_ended_is_told_at_once(server):
    other = forkserver("imports_torch", server.files, server.level)
    other.close()
    with pytest.raises(OSError):
        Sandbox("imports_torch", [], server.level, Limits(), other)


@pytest.mark.slow
def test_a_sandbox_ends_with_its_forkserver_or_its_judge(server):
    """At level 2 it ends with its judge, for which its keeper waits; a level with namespaces waits for nobody."""
    other = forkserver("imports_torch", server.files, server.level)
    with Sandbox("imports_torch", [], server.level, Limits(), other) as sandbox:
        process = sandbox.start()
        daemon = "import os, signal\nif os.fork() == 0:\n    os.setsid()\n    signal.pause()\nresult = 1"
        assert run(process, daemon) == 1
        started = descendants(other.process.pid)
        assert len(started) >= 4  # keeper, zygote, process, daemon
        other.process.kill()
        other.process.wait()
        if server.level == 3:
            wait_for_the_end(started)
            with pytest.raises(Broken):
                run(process, "result = 1")
        else:
            os.kill(started[1].pid, signal.SIGSTOP)  # the zygote, which its child can stop, too
            sandbox.control.close()  # as if the judge had been killed
            sandbox.process.kill()
            wait_for_the_end(started)
    other.close()


@pytest.mark.slow
def test_where_no_process_is_free_the_other_sandboxes_go_on(server, tmp_path):
    """Another user's processes may take up what the machine or a container has."""
    (tmp_path / "fails_once.py").write_text("""
import os
from imports_torch import serve
forks, fork = iter([True, False]), os.fork
def me():  # a sandbox counts its processes anew
    return os.getpid(), os.readlink("/proc/self/ns/pid")
def fork_or_fail():
    if me() == server and not next(forks, True):
        raise BlockingIOError(11, "no process is free")
    return fork()
server, os.fork = me(), fork_or_fail
""")
    files = [*server.files, tmp_path / "fails_once.py"]
    other = forkserver("fails_once", files, server.level)
    with Sandbox("fails_once", [], server.level, Limits(), other) as first:
        process = first.start()
        with Sandbox("fails_once", [], server.level, Limits(), other) as second, pytest.raises(Unavailable):
            second.start()
        assert run(process, "result = 1") == 1
        with Sandbox("fails_once", [], server.level, Limits(), other) as third:
            assert run(third.start(), "result = 1") == 1
    other.close()


@pytest.mark.slow
def test_judges_at_the_same_time_get_sandboxes_of_their_own(server):
    """Processes that share the forkserver's one control socket."""
    ready, theirs = multiprocessing.Pipe()

    def judge(number):
        for _ in range(4):
            with opened(server) as sandbox:
                mark = "import os\nname = '/tmp/mark' if {0} == 3 else 'mark'\n"
                process = sandbox.start()
                run(process, (mark + "open(name, 'x').write('{1}')").format(server.level, number))
                theirs.send(run(process, mark.format(server.level) + "result = open(name).read()") == str(number))

    judges = [multiprocessing.get_context("fork").Process(target=judge, args=(number,)) for number in range(4)]
    for process in judges:
        process.start()
    for process in judges:
        process.join()
    found = [ready.recv() for _ in range(16) if ready.poll()]
    assert found == [True] * 16


@pytest.mark.slow
def test_many_sandboxes_one_after_another_leave_nothing(server):
    def held():
        psutil.wait_procs(descendants(server.process.pid), timeout=1)  # keepers go a moment after what they kept
        gc.collect()
        numbers = [os.getpid(), server.process.pid, *(process.pid for process in descendants(server.process.pid))]
        folders = [Path(f"/proc/{number}") for number in numbers]
        mounts = [len((folder / "mountinfo").read_text().splitlines()) for folder in folders]
        return len(descendants(os.getpid())), mounts, [len(list((folder / "fd").iterdir())) for folder in folders]

    def use():
        with opened(server) as sandbox:
            assert run(sandbox.start(), "import os\nos.fork()\nresult = 1") == 1
        assert not sandbox.folder.exists()

    use()
    before = held()
    for _ in range(30):
        use()
    processes, *held_by_each = held()
    assert processes <= before[0] and held_by_each == list(before[1:])  # those of an earlier test may have gone since


@pytest.mark.slow
def test_nothing_of_one_submission_lies_in_the_memory_of_another(server):
    """Nor what the judge told of the other: its folder, its user."""
    letters = "".join(chr(ord(letter) + 1) for letter in "jfsmdm0371")
    search = f"""
mark = "".join(chr(ord(letter) - 1) for letter in {letters!r}).encode() * 3
found = []
for line in open("/proc/self/maps"):
    bounds, access, *_, last = line.split()
    if access.startswith("rw") and last != "[vvar]":
        begin, end = (int(bound, 16) for bound in bounds.split("-"))
        import ctypes
        content = ctypes.string_at(begin, end - begin)
        at = content.find(mark)
        while at >= 0:
            found.append(begin + at)
            at = content.find(mark, at + 1)
result = len(found)"""
    leave = f"kept = [''.join(chr(ord(letter) - 1) for letter in {letters!r}).encode() * 300 for _ in range(1000)]"
    with opened(server) as first:
        process = first.start()
        assert run(process, leave + "\nimport sys\nsys.kept = kept") is None
        several = run(process, search)
        with opened(server) as second:
            once = run(second.start(), search)
    with opened(server) as third:
        assert run(third.start(), search) <= once < 50 < several


@pytest.mark.slow
def test_empty_files_are_limited(server):
    """They fill no disk in memory, but memory."""
    if server.level == 2:
        pytest.skip("they are on a disk")
    python = """
import os
result = []
for folder in ("/tmp", "/dev/shm"):
    try:
        for i in range(30_000):
            open(f"{folder}/{i}", "x").close()
    except OSError as error:
        result.append(error.strerror)"""
    with opened(server) as sandbox:
        assert run(sandbox.start(), python) == ["No space left on device"] * 2


@pytest.mark.slow
def test_whoever_ends_the_processes_of_a_user_cannot_be_stopped_by_them():
    """Where Landlock is too old to keep their signals in, and nothing is left of them."""
    if os.geteuid() != 0:
        pytest.skip("only root ends another user's processes")
    user_id, claim = claim_user_id()
    script = f"""
import os, signal
os.setresgid(*[{user_id}] * 3)
os.setresuid(*[{user_id}] * 3)
for _ in range(3):
    os.fork()
os.write(1, b".")
while True:
    try:
        os.kill(-1, signal.SIGSTOP)
    except OSError:
        pass
"""
    with claim:
        for _ in range(3):
            process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
            assert process.stdout.read(1) == b"."
            started = [psutil.Process(process.pid), *descendants(process.pid)]
            subprocess.run([sys.executable, "-I", "-S", confine.__file__, str(user_id)], timeout=20, check=True)
            process.wait(10)
            process.stdout.close()
            wait_for_the_end(started)


def test_none_below_level_2_and_none_that_would_hide_the_packages(tmp_path, monkeypatch):
    assert forkserver("run_python", [WORKER], 1) is None
    monkeypatch.setattr(folders, "python_path", lambda: ["/tmp/site-packages"])
    assert forkserver("run_python", [WORKER], 3) is None


@pytest.mark.slow
def test_one_that_holds_less_is_not_used(server):
    other = forkserver("imports_torch", server.files, server.level)
    other.holds = {**other.holds, "seccomp": False}
    with (
        Sandbox("imports_torch", [], server.level, Limits(), other) as sandbox,
        pytest.raises(Unavailable, match="ProtocolError"),
    ):
        sandbox.start()
    assert not other.is_usable
    other.close()
