"""The sandbox alone: what a process inside can see and do at each level, and how it ends."""

import contextlib
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.sandbox import claims as claims_module
from autograder.sandbox import folders
from autograder.sandbox.errors import Broken, Unavailable
from autograder.sandbox.inside import frames
from autograder.sandbox.levels import forkserver, probe, works
from autograder.sandbox.sandbox import Limits, Sandbox
from cli import ROOT
from helpers.hostile import DOORS

WORKER = Path(__file__).parents[1] / "helpers" / "run_python.py"
LEVELS = [3, 2, 1, 0]


def open_sandbox(level, server=None, **limits):
    return Sandbox("run_python", [WORKER], level, Limits(**limits), server)


@contextlib.contextmanager
def opened_forkserver(level):
    server = forkserver("run_python", [WORKER], level)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(
    scope="module",
    params=[*((level, False) for level in LEVELS), (3, True), (2, True)],
    ids=lambda kind: f"level{kind[0]}{'-forked' if kind[1] else ''}",
)
def sandbox(request):
    level, is_forked = request.param
    if not works(level):
        pytest.skip(f"level {level} does not work on this machine")
    limits = {"output": 2**20, "disk": 2**20, "memory": 2**29}
    with (
        opened_forkserver(level) if is_forked else contextlib.nullcontext() as server,
        open_sandbox(level, server, **limits) as sandbox,
    ):
        yield sandbox


@pytest.fixture
def process(sandbox):
    process = sandbox.start()
    yield process
    process.close()


def run(process, python, seconds=10.0, body=b""):
    return process.request({"python": python}, body, seconds)[0]["result"]


def test_a_process_answers_and_keeps_its_state(process):
    assert run(process, "import sys; sys.kept = 5; result = 2 + 3") == 5
    assert run(process, "import sys; result = sys.kept") == 5
    body = os.urandom(2**21)
    assert process.request({"python": "pass"}, body)[1] == body


def test_the_next_process_is_a_fresh_one(sandbox):
    for _ in range(3):
        process = sandbox.start()
        assert run(process, "import sys; result = hasattr(sys, 'kept'); sys.kept = 1") is False
        process.close()


@pytest.mark.parametrize(
    ("python", "verdict", "says"),
    [
        ("while True: pass", "TIMEOUT", "within 0.5 seconds"),
        ("import os; os._exit(7)", "EXITED", "exit status 7"),
        ("import os; os.kill(os.getpid(), 11)", "EXITED", "SIGSEGV"),
        ("channel.close()", "EXITED", "ended"),
        ("while True: print('x' * 10_000)", "OUTPUT_LIMIT", "1 MiB"),
        ("while True: print()", "TIMEOUT", "within 0.5 seconds"),
        ("channel.sendall(bytes([255]) * 100)", "PROTOCOL", "the limits are"),
        ("channel.sendall(b'\\0\\0\\0\\x02' + bytes(8) + b'[]')", "PROTOCOL", "not a JSON object"),
        ("channel.sendall(b'\\0\\0\\0\\x02' + bytes(8) + b'x]')", "PROTOCOL", "not JSON"),
    ],
)
def test_a_process_that_breaks_the_rules_is_ended_and_told(sandbox, python, verdict, says):
    process = sandbox.start()
    with pytest.raises(Broken) as broken:
        run(process, python, 0.5)
        run(process, "pass", 0.5)
    assert broken.value.verdict == verdict
    assert says in broken.value.detail
    assert not process.is_open
    fresh = sandbox.start()
    assert run(fresh, "result = 1") == 1
    fresh.close()


@pytest.mark.parametrize("step", [900_000, 50])
def test_of_what_was_printed_the_beginning_and_the_end_are_kept(sandbox, step):
    """In all it may be more than the limit, which is for one request."""
    process = sandbox.start()
    for request in range(4):
        run(process, f"for i in range(0, 900_000, {step}): print({request}, 'x' * {step - 2})")
    run(process, "import sys; print('out', flush=True); print('err', file=sys.stderr)")
    process.close()
    text = process.output.text(ended=True)
    assert text.startswith("0 x") and text.endswith("out\nerr\n")
    n_lines = 900_000 // step
    left_out = 4 * n_lines * (step + 1) + len("out\nerr\n") - 2**16
    assert f"\n[... {left_out:,} bytes are left out here ...]\n" in text
    assert len(text) < 2**16 + 100
    assert len(process.output.tail) < 2**18


def test_little_that_was_printed_is_kept_whole(sandbox):
    process = sandbox.start()
    run(process, "print('é' * 20_000)")
    process.close()
    assert process.output.text(ended=True) == "é" * 20_000 + "\n"


def test_no_variable_and_no_input_of_the_judge(process, monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    assert run(process, "import os; result = 'SECRET' in os.environ") is False
    assert run(process, "result = input()").startswith("EOFError")


def test_packages_are_found_wherever_they_are_installed(tmp_path, monkeypatch):
    """Below /tmp, too, where a sandbox has a /tmp of its own."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "package_of_a_test.py").write_text("x = 5")
    tmp_path.chmod(0o755)
    monkeypatch.setattr(folders, "python_path", lambda: [str(packages)])
    with open_sandbox(probe()) as sandbox:
        assert run(sandbox.start(), "import package_of_a_test; result = package_of_a_test.x") == 5


def test_memory_is_limited(process):
    if process.sandbox.level == 0:
        pytest.skip("level 0 has no limits")
    assert run(process, "result = len(bytearray(2**30))").startswith("MemoryError")


def test_files_are_limited(process):
    python = """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    open('file', 'wb').write(bytes(2**22))
finally:
    os.remove('file')"""
    assert run(process, python).startswith("OSError")


def test_no_channel_leads_out_of_it(process):
    """Where a file could leave what it found for its next grading, or for another one."""
    if process.sandbox.level == 0:
        pytest.skip("level 0 has every channel")
    assert run(process, DOORS) == []


def test_the_names_of_the_judges_keys_are_not_shown(process):
    if process.sandbox.level < 3:
        pytest.skip("below level 3 the user's own keys have names in /proc")
    assert run(process, "result = open('/proc/keys').read()") in (
        "",
        "PermissionError: [Errno 13] Permission denied: '/proc/keys'",
    )


def test_no_process_outside_the_filter_can_be_reached(process):
    """Nor the judge: bubblewrap's own first process had the same user, and as root capabilities pass Landlock."""
    if process.sandbox.level == 0:
        pytest.skip("level 0 shares the user")
    python = f"""
import os
pids = {{int(name) for name in os.listdir("/proc") if name.isdigit()}} if {process.sandbox.level == 3} else set()
result = []
for pid in (pids | {{os.getppid(), {os.getpid()}}}) - {{os.getpid()}}:
    for name, flags in (("mem", os.O_RDWR), ("mem", os.O_RDONLY), ("environ", 0), ("cwd", 0), ("fd/1", os.O_WRONLY)):
        try:
            os.close(os.open(f"/proc/{{pid}}/{{name}}", flags))
            result.append(f"{{pid}} {{name}}")
        except OSError:
            pass"""
    assert run(process, python) == []


def test_nothing_but_the_scratch_folders_can_be_written(process):
    """Not /dev, which has no limit; nor what would have the kernel end another process before this one."""
    if process.sandbox.level == 0:
        pytest.skip("level 0 limits nothing")
    python = """
import os, subprocess, sys
script = "open('/proc/self/oom_score_adj', 'w').write('0')"  # a new program: then /proc/self is its own
result = [subprocess.run([sys.executable, "-I", "-S", "-c", script], stderr=subprocess.DEVNULL).returncode == 0]
for folder in ("/", "/dev", "/dev/pts", "/proc", "/usr", "/run", "/var/tmp"):
    try:
        open(folder + "/mine", "w").close()
        result.append(folder)
    except OSError:
        pass"""
    assert run(process, python) == [False]
    assert run(process, "result = open('/proc/self/oom_score_adj').read()") == "1000\n"


def test_the_kit_is_hidden_wherever_it_lies(sandbox, tmp_path, monkeypatch):
    """In a folder of the interpreter, say, and with an environment of its own that has the packages."""
    if sandbox.level == 0:
        pytest.skip("level 0 hides nothing")
    prefix, kit = tmp_path / "prefix", tmp_path / "prefix" / "kit"
    packages = kit / ".venv" / "site-packages"
    files = {kit / "solutions" / "model.py", kit / "course" / "gradebook.db", kit / ".git" / "HEAD"}
    shown = {prefix / "library.py", packages / "package.py"}
    for path in files | shown:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 5")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    system = folders.visible_folders()
    monkeypatch.setattr(folders, "ROOT", kit)
    monkeypatch.setattr(folders, "visible_folders", lambda: [*system, prefix, packages])
    with open_sandbox(sandbox.level) as other:
        process = other.start()
        python = "from pathlib import Path\nresult = Path({!r}).read_text()"
        for path in files:
            text = run(process, python.format(str(path)))
            assert text.startswith(("FileNotFoundError", "PermissionError")), path
        for path in shown:
            assert run(process, python.format(str(path))) == "x = 5"
        assert "Error" in run(process, f"open({str(kit / 'mine')!r}, 'w')")


def test_what_a_submission_leaves_never_stops_the_grader(sandbox):
    """Folders below folders, deeper than Python's recursion and than any path, and closed."""
    with open_sandbox(sandbox.level) as other:
        python = """
import os
for _ in range(1500):
    os.mkdir("a" * 100)
    os.chdir("a" * 100)
open("file", "w").close()
os.chmod(".", 0)"""
        assert run(other.start(), python) is None
    assert not other.folder.exists()


def test_the_kit_and_the_home_cannot_be_read(process):
    if process.sandbox.level == 0:
        pytest.skip("level 0 hides nothing")
    for path in (ROOT / "solutions" / "model.py", ROOT / "autograder" / "sandbox" / "levels.py", Path("/etc/passwd")):
        assert run(process, f"result = open({str(path)!r}).read()").startswith(("FileNotFoundError", "PermissionError"))
    assert run(process, "open('mine', 'w').write('x'); result = open('mine').read()") == "x"
    assert "Error" in run(process, "open('/usr/mine', 'w')")


def test_no_network(process):
    if process.sandbox.level == 0:
        pytest.skip("level 0 shares the network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        python = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2); result = 'in'"
        assert "Error" in run(process, python)


def test_the_judge_cannot_be_signalled(process):
    if process.sandbox.level == 0:
        pytest.skip("level 0 shares the user")
    result = run(process, f"import os, signal; os.kill({os.getpid()}, signal.SIGTERM)")
    assert result.startswith(("PermissionError", "ProcessLookupError"))


def test_forks_are_limited_and_none_survives(sandbox):
    if sandbox.level < 2:
        pytest.skip("below level 2 the number of processes is not limited")
    process = sandbox.start()
    python = """
import os, signal
result = 0
try:
    while result < 100:
        if os.fork() == 0:
            os.setsid()
            signal.pause()
        result += 1
except BlockingIOError:
    pass"""
    assert 0 < run(process, python) < 20
    process.close()
    for _ in range(2):  # with a survivor there would be no room for these
        fresh = sandbox.start()
        assert 0 < run(fresh, python) < 20
        fresh.close()


def test_a_daemon_does_not_survive_its_process(sandbox, tmp_path):
    if sandbox.level == 0:
        pytest.skip("level 0 promises nothing")
    process = sandbox.start()
    python = """
import os, signal
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writer, str(os.getpid()).encode())
        signal.pause()
    os._exit(0)
result = int(os.read(reader, 100))"""
    pid = run(process, python)
    process.close()
    fresh = sandbox.start()
    assert run(fresh, f"import os; os.kill({pid}, 0)").startswith("ProcessLookupError")
    fresh.close()


def test_closing_ends_everything():
    with open_sandbox(probe()) as sandbox:
        process = sandbox.start()
        run(process, "import os, signal\nif os.fork() == 0:\n    os.setsid()\n    signal.pause()")
        folder = sandbox.folder
    assert not folder.exists()
    assert not is_alive(sandbox.process.pid)
    with pytest.raises(Broken):
        process.request({"python": "pass"})


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_sandbox_whose_first_process_was_killed_says_so():
    with open_sandbox(probe()) as sandbox:
        process = sandbox.start()
        assert run(process, "result = 1") == 1
        os.kill(sandbox.process.pid, signal.SIGKILL)
        sandbox.process.wait()
        with pytest.raises(Broken):
            while True:  # it takes a moment to reach what is inside
                process.request({"python": "pass"})
        with pytest.raises((Unavailable, OSError)):
            sandbox.start()


def test_a_worker_that_does_not_import_is_our_failure(tmp_path):
    (tmp_path / "broken_worker.py").write_text("import no_such_module\n")
    with (
        Sandbox("broken_worker", [tmp_path / "broken_worker.py"], probe()) as sandbox,
        pytest.raises(Unavailable, match="no_such"),
    ):
        sandbox.start()


def closed_folder(path):
    """The nearest folder above that other users may not enter, if any."""
    return next((p for p in path.resolve().parents if not p.stat().st_mode & 0o001), None)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("user", "level"), [(0, 2), (65534, 3), (65534, 1)])
def test_the_same_as_root_and_as_an_ordinary_user(user, level, tmp_path, pytestconfig):
    """This file at one level, where all reach the interpreter; with --thorough the forkserver's and the bank too."""
    if closed_folder(ROOT):
        pytest.skip(f"the kit lies in {closed_folder(ROOT)}, which no other user may enter")
    home = closed_folder(Path(sys.base_prefix))
    script = 'exec "$@"'
    if home:
        kept = f"mount --bind {sys.base_prefix} $0 && mount -t tmpfs -o mode=755 none {home}"
        script = f'{kept} && mkdir -p {sys.base_prefix} && mount --move $0 {sys.base_prefix} && exec "$@"'
    tmp_path.chmod(0o755)
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, str(tmp_path)]
    command += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    files = ["tests/sandbox/test_sandbox.py"]
    if pytestconfig.option.thorough:
        files += ["tests/sandbox/test_forkserver.py", "tests/sandbox/test_hostile.py"]
    command += [sys.executable, "-m", "pytest", *files, "-k", f"level{level}", "-p", "no:cacheprovider"]
    command += ["--thorough"] if pytestconfig.option.thorough else []
    environment = {**os.environ, "HOME": "/nonexistent", "TMPDIR": "/tmp", "PYTEST_ADDOPTS": ""}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if "unshare failed" in ended.stderr:
        pytest.skip("this container cannot make a mount namespace")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if f"level {level} does not work" in ended.stdout:
        pytest.skip(f"level {level} does not work here as user {user}")


def test_the_best_level_is_probed():
    assert probe() == max(level for level in LEVELS if works(level))


def test_a_frame_arrives_whole_or_not_at_all():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frames.send(ours, {"a": 1}, b"body")
        assert frames.receive(theirs) == ({"a": 1}, b"body")
        with pytest.raises(frames.ProtocolError, match="limits"):
            frames.send(ours, {"a": "x" * frames.MAX_HEADER})
        ours.sendall(struct.pack(">IQ", 2, 0) + b"{")
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            frames.receive(theirs, time.monotonic() + 0.2)
        assert time.monotonic() - begun < 2
        ours.close()
        with pytest.raises(EOFError):
            frames.receive(theirs)


def test_a_deadline_holds_where_bytes_come_without_end():
    class Endless:
        def settimeout(self, seconds):
            assert seconds > 0

        def recv(self, n):
            return bytes(1)

    with pytest.raises(TimeoutError):
        frames.read(Endless(), 2**40, time.monotonic() + 0.1)


def test_a_frame_without_a_body_can_be_answered_before_its_sender_returns():
    """By a peer that goes at once, which made a probe of the sandbox fail now and then."""

    class Hasty:
        def sendall(self, part):
            assert part and not self.has_answered, "the other side has gone"
            self.has_answered = True

        has_answered = False

    frames.send(Hasty(), {"a": 1})


def test_each_sandbox_has_processors_of_its_own_while_there_are_enough(monkeypatch):
    taken = set()

    class Claim:
        def __init__(self, name):
            self.name = name
            taken.add(name)

        def close(self):
            taken.remove(self.name)

    monkeypatch.setattr(claims_module, "claim", lambda name: None if name in taken else Claim(name))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5, 6}, raising=False)
    first, claims = claims_module.claim_processors(2)
    second, _ = claims_module.claim_processors(2)
    assert (first, second) == ([0, 1], [4, 5])
    assert claims_module.claim_processors(2) == (None, [])  # one is left, and stays free
    assert len(taken) == 4
    for claim in claims:
        claim.close()
    assert claims_module.claim_processors(2)[0] == [0, 1]
    assert claims_module.claim_processors(5) == (None, [])  # it wants all there are


def test_no_two_sandboxes_share_a_user_id(monkeypatch):
    """Wherever they begin to look: process ids that differ by 625 begin at the same one."""
    monkeypatch.setattr(claims_module, "started", itertools.repeat(0))
    claimed = [claims_module.claim_user_id() for _ in range(3)]
    try:
        assert sys.platform != "linux" or len({user_id for user_id, _ in claimed}) == 3
    finally:
        for _, claim in claimed:
            claim.close()
    again, claim = claims_module.claim_user_id()
    claim.close()
    assert again == claimed[0][0]


def test_the_next_sandbox_has_another_user_id():
    """What was killed in the last one may still be going."""
    ids = []
    for _ in range(3):
        user_id, claim = claims_module.claim_user_id()
        claim.close()
        ids.append(user_id)
    assert len(set(ids)) == 3


def test_packages_that_are_reached_through_a_link_are_found(tmp_path, monkeypatch):
    """As in an environment that is a link to another folder."""
    packages = next(Path(p) for p in folders.python_path() if (Path(p) / "safetensors").is_dir())
    (tmp_path / "site-packages").symlink_to(packages)
    others = [p for p in sys.path if Path(p).resolve() != packages]
    monkeypatch.setattr(sys, "path", [*others, str(tmp_path / "site-packages")])
    with open_sandbox(probe()) as sandbox:
        process = sandbox.start()
        assert run(process, "import safetensors; result = safetensors.__name__") == "safetensors"
