"""Submissions in bad faith, and what their reports must show.

Each is appended to the stub, where no point may come of it, or to the reference, where only what it breaks is lost.
"""

from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox.command import environment
from autograder.sandbox.sandbox import Limits
from cli import ROOT
from helpers.submissions import SOLUTION, STUB, submission

# Variables of the environment that a sandbox shows: those that it is given, and two of the shell's.
SAFE = {*environment(type("Any", (), {"limits": Limits(), "level": 3, "folder": Path()})), "LC_CTYPE", "PWD"}


@dataclass(frozen=True)
class Hostile:
    name: str
    text: str
    verdicts: tuple = ()  # those of lost checks, but for NOT_IMPLEMENTED; at least one of them is there
    base: str = STUB
    tasks: tuple = ("todo1", "todo2", "todo3")  # in which points are lost
    says: str = ""  # something that the feedback must contain


def submission_of(hostile, port=9):
    """The Submission; it knows where the kit is, a port, and which variables of the environment may be there."""
    known = f"ROOT, PORT, SAFE = {str(ROOT)!r}, {port}, set({sorted(SAFE)!r})\n"
    text = hostile.text if "ROOT" not in hostile.text and "PORT" not in hostile.text else known + hostile.text
    return submission(text, hostile.base)


def broken(name, body, verdicts, says="", head=""):
    """The reference with a log_mean_exp of that body: TODO 3 suffers, nothing else."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    text = f"import os, signal, sys, ctypes, socket, threading\n{head}\ndef log_mean_exp(a, dim=0):\n{lines}\n"
    return Hostile(name, text, verdicts, SOLUTION, ("todo3",), says)


def at_import(name, text, verdicts, says=""):
    return Hostile(name, "import os, signal, sys, ctypes, socket, threading, time\n" + text, verdicts, STUB, says=says)


def rewritten(name, result, verdict="WRONG_TYPE"):
    """The reference, with a worker whose every answer to a call is replaced, computed from the true one."""
    text = f"""
import worker
import torch
true_call = worker.Worker.call
def call(self, header, tensors):
    answer, tensors = true_call(self, header, tensors)
    return {result}
worker.Worker.call = call
"""
    return Hostile(f"rewrites the worker: {name}", text, (verdict,), SOLUTION)


def answering(name, result, verdict="WRONG_TYPE"):
    """The reference, where every answer has other tensors, computed from the true ones in the worker."""
    result = f"(answer, {{name: {result} for name, tensor in tensors.items()}})"
    return rewritten(f"{name} in every answer", result, verdict)


def harmless(name, text):
    """Odd, but right: no point is lost."""
    return Hostile(name, text, (), SOLUTION, ())


CHANNELS = """
def channels():
    found = []
    for fd in range(3, 64):
        try:
            found.append(socket.socket(fileno=os.dup(fd)))
        except OSError:
            pass
    return found
"""

# What could carry something out of a sandbox: to its next grading, to another one or to the network.
DOORS = """
import ctypes, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
def call(intel, other, *arguments):
    return libc.syscall(other if arm else intel, *arguments)
# What each would have: a key, a segment, a queue, a socket ... -1 is a refusal.
doors = {
    "a key of the user": lambda: call(248, 217, b"user", b"note", b"kept", 4, -4),
    "a key of the session": lambda: call(248, 217, b"user", b"note", b"kept", 4, -3),
    "a search for keys": lambda: call(249, 218, b"user", b"note", None, -3),
    "a keyring's description": lambda: call(250, 219, 6, -4, 0, 0),
    "shared memory": lambda: libc.shmget(4711, 4096, 0o1666),
    "a queue": lambda: libc.msgget(4711, 0o1666),
    "a semaphore": lambda: libc.semget(4711, 1, 0o1666),
    "a POSIX queue": lambda: libc.mq_open(b"/note", os.O_CREAT | os.O_RDWR, 0o666, None),
    "memory without a name": lambda: os.memfd_create("note"),
    "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).fileno(),
    "TCP": lambda: socket.socket(socket.AF_INET6).fileno(),
    "a socket with a path": lambda: socket.socket(socket.AF_UNIX).fileno(),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).fileno(),
    "namespaces": lambda: libc.unshare(0x10000000 | 0x00020000),
    "a namespace by clone": lambda: call(56, 220, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0),
    "mounts": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
    "io_uring": lambda: call(425, 425, 8, ctypes.create_string_buffer(120)),
    "bpf": lambda: call(321, 280, 0, ctypes.create_string_buffer(72), 72),
    "perf": lambda: call(298, 241, ctypes.create_string_buffer(112), 0, -1, -1, 0),
    "page faults": lambda: call(323, 282, 1),
    "ptrace": lambda: libc.ptrace(16, os.getppid(), 0, 0),
    "another process's memory": lambda: libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0),
    "other processors": lambda: os.sched_setaffinity(0, range(os.cpu_count())) or 0,
    "another priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 19) or 0,
    "another user": lambda: libc.setuid(0),
}
opened = []
for name, door in doors.items():
    try:
        if door() != -1:
            opened.append(name)
    except OSError:
        pass
result = opened"""

BANK = [
    # ends, and does not end
    at_import("exits at import", "os._exit(0)", ("EXITED",), "exit status 0"),
    at_import("sys.exit at import", "sys.exit(0)", ("EXITED",), "sys.exit"),
    at_import("raises SystemExit with an odd argument", "raise SystemExit(object())", ("EXITED",)),
    at_import("endless loop at import", "while True: pass", ("TIMEOUT",)),
    at_import("kills itself at import", "os.kill(os.getpid(), signal.SIGKILL)", ("EXITED",), "SIGKILL"),
    harmless("exits in atexit", "import atexit, os\natexit.register(os._exit, 1)"),
    broken("endless loop", "while True: pass", ("TIMEOUT",)),
    broken(
        "endless loop without signals",
        "while True: signal.pause()",
        ("TIMEOUT",),
        head="""
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass""",
    ),
    broken("stops itself", "os.kill(os.getpid(), signal.SIGSTOP)", ("TIMEOUT",)),
    broken("segmentation fault", "ctypes.string_at(0)", ("EXITED",), "SIGSEGV"),
    broken("aborts", "os.abort()", ("EXITED",), "SIGABRT"),
    broken("exits with status 0", "os._exit(0)", ("EXITED",)),
    broken("closes every descriptor", "os.closerange(0, 256)", ("EXITED", "TIMEOUT")),
    broken("waits for input", "return a if input() else a", ("EXCEPTION",), "EOFError"),
    # resources
    broken("one large tensor", "return torch.zeros(2**33).sum() + a.sum(dim)", ("MEMORY",)),
    broken("one large array of bytes", "return bytearray(2**33)", ("MEMORY",)),
    broken("memory piece by piece", "pieces = []\nwhile True: pieces.append(bytearray(2**26))", ("MEMORY", "TIMEOUT")),
    broken(
        "200 forks",
        """
children = 0
for _ in range(200):
    try:
        if os.fork() == 0:
            signal.pause()
        children += 1
    except OSError:
        break
raise RuntimeError(f"contained: {children < 40}")""",
        ("EXCEPTION", "TIMEOUT"),  # below level 2 they are not limited, and take their time
        "contained: True",
    ),
    broken(
        "200 threads",
        """
for _ in range(200):
    threading.Thread(target=signal.pause, daemon=True).start()
""",
        ("EXCEPTION", "WRONG_TYPE"),
    ),
    broken("a fork that goes on", "os.fork()\nreturn torch.logsumexp(a, dim)", ("WRONG_VALUE", "PROTOCOL", "EXITED")),
    broken(
        "a daemon in its own session",
        """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True: signal.pause()
    os._exit(0)
os._exit(3)""",
        ("EXITED", "TIMEOUT"),
    ),
    broken(
        "a full disk",
        """
try:
    with open("file", "wb") as file:
        for _ in range(100):
            file.write(bytes(2**22))
except OSError as error:
    raise RuntimeError(f"contained {error.errno}")""",
        ("EXCEPTION",),
        "contained",
    ),
    # printing
    broken("prints without end", "while True: print('x' * 1000)", ("OUTPUT_LIMIT", "TIMEOUT")),
    harmless(
        "prints megabytes in every call",
        """
quiet = log_mean_exp
def log_mean_exp(a, dim=0):
    print("x" * 2**22)
    return quiet(a, dim)
""",
    ),
    broken(
        "escape sequences and workflow commands",
        r"""
print("\n::error::passed\n  ::error::again\n##[error]red ##vso[task.complete]\n\x1b[2J\x1b[31mred")
raise RuntimeError("\n::set-output name=score::100\n\x1b]0;title\x07\x1b[2Jdone \u202e backwards")""",
        ("EXCEPTION",),
    ),
    # the channel
    broken(
        "bytes to every descriptor",
        """
for fd in range(1, 64):
    try:
        os.write(fd, b"\\xff" * 64)
    except OSError:
        pass
return torch.logsumexp(a, dim)""",
        ("PROTOCOL", "TIMEOUT"),
    ),
    at_import(
        "forged answers",
        CHANNELS
        + """
import json, struct
answer = json.dumps({"ok": True, "verdict": "PASS", "type": "Tensor", "missing": [], "score": 100}).encode()
for channel in channels():
    try:
        channel.sendall((struct.pack(">IQ", len(answer), 0) + answer) * 200)
    except OSError:
        pass
""",
        ("WRONG_TYPE", "PROTOCOL"),
    ),
    broken(
        "a header that announces 2**63 bytes",
        """
import struct
for channel in channels():
    channel.sendall(struct.pack(">IQ", 100, 2**63))
while True: signal.pause()""",
        ("PROTOCOL",),
        head=CHANNELS,
    ),
    broken(
        "a header of deep JSON",
        """
import struct
text = b"[" * 60000
for channel in channels():
    channel.sendall(struct.pack(">IQ", len(text), 0) + text)
while True: signal.pause()""",
        ("PROTOCOL",),
        head=CHANNELS,
    ),
    broken(
        "tensors that are none",
        """
import struct
for channel in channels():
    channel.sendall(struct.pack(">IQ", 11, 1000) + b'{"ok":true}' + bytes([255]) * 1000)
while True: signal.pause()""",
        ("PROTOCOL",),
        head=CHANNELS,
    ),
    broken(
        "an answer byte by byte",
        """
import time
for channel in channels():
    while True:
        channel.sendall(bytes(1))
        time.sleep(0.05)""",
        ("TIMEOUT", "PROTOCOL"),
        head=CHANNELS,
    ),
    broken("160 MB of answer", "return torch.zeros(20_000_000, dtype=torch.float64)", ("PROTOCOL",)),
    # answers
    broken("NaN", "return torch.logsumexp(a, dim) * float('nan')", ("NONFINITE",)),
    broken("infinity", "return torch.logsumexp(a, dim) + float('inf')", ("NONFINITE",)),
    broken(
        "a tensor subclass",
        """
class Right(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return True
return torch.zeros(a.sum(dim).shape).as_subclass(Right)""",
        ("WRONG_TYPE",),
    ),
    broken(
        "an object that equals everything",
        """
class Right:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: True
return Right()""",
        ("WRONG_TYPE",),
    ),
    broken("a tuple", "return torch.logsumexp(a, dim), 1", ("WRONG_TYPE",), "tuple"),
    broken("nothing", "torch.logsumexp(a, dim)", ("WRONG_TYPE",), "NoneType"),
    broken("a numpy array", "return a.detach().numpy().mean(dim)", ("WRONG_TYPE",), "ndarray"),
    broken("whole numbers", "return torch.logsumexp(a, dim).long()", ("WRONG_TYPE",), "int64"),
    broken("complex numbers", "return torch.logsumexp(a, dim).to(torch.complex64)", ("WRONG_TYPE",)),
    broken("a sparse tensor", "return torch.logsumexp(a, dim).to_sparse()", ("EXCEPTION",)),
    broken("a meta tensor", "return torch.logsumexp(a, dim).to('meta')", ("EXCEPTION", "TIMEOUT")),
    broken(
        "a quantized tensor",
        "return torch.quantize_per_tensor(a.sum(dim).float(), 0.1, 0, torch.qint8)",
        ("EXCEPTION", "WRONG_TYPE"),
    ),
    broken(
        "a nested tensor", "return torch.nested.nested_tensor([a.sum(dim), a.sum(dim)])", ("EXCEPTION", "WRONG_TYPE")
    ),
    broken("one number expanded to 2**40", "return a.sum().expand(2**40)", ("EXCEPTION", "MEMORY", "PROTOCOL")),
    broken("one number expanded to 2**21", "return a.sum().expand(2**21)", ("WRONG_SHAPE",)),
    broken("100 dimensions", "return torch.logsumexp(a, dim).reshape(*[1] * 60, -1)", ("WRONG_TYPE",)),
    broken(
        "float32 and float64 in turns",
        """
global calls
calls += 1
right = torch.logsumexp(a, dim) - math.log(a.shape[dim])
return right.half() if calls % 2 else right + 1""",
        ("WRONG_VALUE",),
        head="calls = 0",
    ),
    broken(
        "another shape each time",
        """
global calls
calls += 1
return torch.zeros([3] * (calls % 5))""",
        ("WRONG_SHAPE",),
        head="calls = 0",
    ),
    Hostile("another signature", "def log_mean_exp(): return 1", ("EXCEPTION",), SOLUTION, ("todo3",), "TypeError"),
    broken(
        "right on the first call only",
        """
global calls
calls += 1
return torch.logsumexp(a, dim) - math.log(a.shape[dim]) if calls == 1 else a.mean(dim)""",
        ("WRONG_VALUE",),
        head="calls = 0",
    ),
    broken(
        "edits its input",
        """
a -= a.max()
return torch.logsumexp(a, dim) - math.log(a.shape[dim])""",
        ("WRONG_VALUE", "EXCEPTION"),
    ),
    # hunting for answers
    broken(
        "hunts through frames and gc",
        """
import gc
found = [o for o in gc.get_objects() if isinstance(o, torch.Tensor) and o.shape == a.sum(dim).shape]
frame = sys._getframe()
while frame:
    found += [v for n, v in frame.f_locals.items() if n in ("expected", "value", "right") and torch.is_tensor(v)]
    frame = frame.f_back
return (found + [a.sum(dim)])[0].double()""",
        ("WRONG_VALUE", "WRONG_SHAPE", "WRONG_GRADIENT"),
    ),
    at_import(
        "imports the kit",
        """
for name in ("autograder", "autograder.grading.judge", "solutions.model", "misconceptions", "checks", "judge", "tests"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise RuntimeError(f"leaked {name}")
raise RuntimeError("nothing there")
""",
        ("IMPORT_ERROR",),
        "nothing there",
    ),
    at_import(
        "looks around",
        """
inside = ("/solutions/model.py", "/autograder/grading/judge.py", "/tests", "/.git")
paths = [*(ROOT + name for name in inside), "/etc/passwd", "/root/.bashrc"]
seen = [path for path in paths if os.access(path, os.R_OK)]
for path in list(seen):
    try:
        open(path).close()
    except IsADirectoryError:
        try: os.listdir(path)
        except OSError: seen.remove(path)
    except OSError:
        seen.remove(path)
import glob
names = set(os.environ)
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        names |= {entry.split("=")[0] for entry in open(path).read().split("\\0") if entry}
    except OSError:
        pass
seen += sorted(names - SAFE)
raise RuntimeError(f"saw {seen}")
""",
        ("IMPORT_ERROR",),
        "saw []",
    ),
    at_import(
        "calls home",
        """
reached = []
for address in (("127.0.0.1", PORT), ("1.1.1.1", 53)):
    try:
        socket.create_connection(address, 1)
        reached.append(address)
    except OSError:
        pass
raise RuntimeError(f"reached {reached}")
""",
        ("IMPORT_ERROR",),
        "reached []",
    ),
    at_import("tries every door", DOORS + "\nraise RuntimeError(f'open {opened}')", ("IMPORT_ERROR",), "open []"),
    broken(
        "folders nested beyond every limit",
        """
for _ in range(1500):
    os.mkdir("a" * 100)
    os.chdir("a" * 100)
os.chmod(".", 0)
return torch.logsumexp(a, dim)""",
        ("WRONG_VALUE", "EXCEPTION"),
    ),
    broken(
        "files without content and without end",  # of which each takes memory that no limit of a process counts
        """
try:
    for i in range(20_000):
        open(f"file{i}", "x").close()
except OSError as error:
    raise RuntimeError(f"contained {error.errno}")
return a""",
        ("EXCEPTION", "WRONG_SHAPE", "TIMEOUT"),
    ),
    broken(
        "descriptors under way",  # for ever in a socket that only they hold; a user may have so many
        """
pairs = []
try:
    while True:
        pairs.append(socket.socketpair())
        for one in pairs[-1]:
            socket.send_fds(one, [b"x"], [end.fileno() for end in pairs[-1]] * 100)
except OSError as error:
    for pair in pairs[:3]:
        for one in pair: one.close()
    raise RuntimeError(f"contained {error.errno}")""",
        ("EXCEPTION",),
        "contained",
    ),
    broken(
        "terminals without end",
        """
terminals = []
try:
    while True:
        terminals.append(os.openpty())
except OSError as error:
    os.closerange(terminals[0][0], 256) if terminals else None
    raise RuntimeError(f"contained {error.errno}")""",
        ("EXCEPTION", "EXITED"),
    ),
    broken(
        "takes its parent's limits away",
        """
import resource
for name in ("NOFILE", "NPROC", "STACK", "CPU"):
    try:
        resource.prlimit(os.getppid(), getattr(resource, f"RLIMIT_{name}"), (1, 1) if name == "CPU" else (0, 0))
    except (OSError, ValueError):
        pass
return a""",
        ("WRONG_SHAPE", "EXITED"),
    ),
    at_import(
        "slows and stops whatever it may",
        """
for pid in {os.getppid(), *range(2, 60)} - {os.getpid()}:
    for act in (lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), lambda: os.setpriority(os.PRIO_PGRP, pid, 19),
                lambda: os.kill(pid, signal.SIGSTOP), lambda: os.killpg(pid, signal.SIGSTOP)):
        try: act()
        except OSError: pass
try: os.setpriority(os.PRIO_USER, os.getuid(), 19)
except OSError: pass
if os.fork() == 0:
    os.setsid()
while True:  # whoever becomes this user to end it, too
    try: os.kill(-1, signal.SIGSTOP)
    except OSError: pass""",
        ("TIMEOUT",),
    ),
    broken(
        "spinning processes",
        """
for _ in range(13):
    if os.fork() == 0:
        while True: pass
return torch.logsumexp(a, dim)""",
        ("WRONG_VALUE", "EXCEPTION", "TIMEOUT"),
    ),
    # attacks
    at_import(
        "patches the tools of the worker",
        """
import json, safetensors.torch
class Everything(dict):
    def __missing__(self, key): return True
json.dumps = lambda *a, **k: '{"ok": true}'
torch.allclose = torch.equal = torch.is_tensor = lambda *a, **k: True
torch.save = safetensors.torch.save = lambda *a, **k: b""
sys.modules["pytest"] = sys.modules["_pytest"] = Everything()
""",
        ("WRONG_TYPE", "PROTOCOL", "EXITED"),
    ),
    at_import(
        "rewrites the worker",
        """
import worker
worker.Worker.call = lambda self, header, tensors: ({"ok": True, "verdict": "PASS", "type": "Tensor"}, {
    "output": torch.zeros(3), "expected": torch.zeros(3)})
""",
        ("WRONG_SHAPE", "WRONG_VALUE"),
    ),
    rewritten("float8 output", '(answer, tensors | {"output": tensors["output"].to(torch.float8_e4m3fn)})'),
    rewritten("integer output", '(answer, tensors | {"output": tensors["output"].to(torch.int64)})'),
    answering("16 dimensions", "tensor.reshape(*[1] * 15, -1)", "WRONG_SHAPE"),
    Hostile(
        "an empty tensor of trillions of rows, written by hand",
        """
import json, safetensors.torch
def save(tensors, metadata=None):
    header = json.dumps({"output": {"dtype": "F32", "shape": [0, 2**40, 2**40], "data_offsets": [0, 0]}}).encode()
    return len(header).to_bytes(8, "little") + header
safetensors.torch.save = save
""",
        ("PROTOCOL", "WRONG_TYPE"),
        SOLUTION,
    ),
    answering("a bit", "tensor > 0"),
    answering("millions of numbers", "torch.zeros(2**22)", "WRONG_SHAPE"),
    rewritten("no names", '(answer, {"": torch.zeros(3), "output.": torch.zeros(3)})'),
    rewritten(
        "gradients of other shapes",
        """(answer, tensors | {name: torch.zeros(0, 3) for name in tensors if
        name != "output"})""",
        "WRONG_GRADIENT",
    ),
    rewritten(
        "gradients that are NaN",
        """(answer, {name: tensor if name == "output" else tensor * torch.nan
        for name, tensor in tensors.items()})""",
        "NONFINITE",
    ),
    rewritten(
        "a deep answer", '(answer | {"type": [[]] * 3, "edited": eval("[" * 80 + "]" * 80), "reduced": True}, {})'
    ),
    rewritten("complex gradients", "(answer, {name: tensor + 0j for name, tensor in tensors.items()})"),
    rewritten("a hundred axes", '(answer, tensors | {"output": torch.zeros([1] * 100)})'),
    rewritten("more numbers than there are", '(answer, {"output": torch.empty([0, 2**40, 2**20])})'),
    rewritten(
        "another type at every call",
        "(answer, {n: t.to(choose()) for n, t in tensors.items()})\n"
        "import itertools\nchoose = itertools.cycle([torch.float16, torch.float64, torch.bfloat16]).__next__",
        "WRONG_VALUE",
    ),
    rewritten(
        "gradients of another shape",
        "(answer, {n: t if n == 'output' else t[..., None] for n, t in tensors.items()} "
        "| {'output': tensors['output'] + 1})",
        "WRONG_VALUE",
    ),
    rewritten("odd words", '({"ok": True, "edited": 7, "changed": {"a": []}, "rows": 10**4000, "type": []}, {})'),
    rewritten(
        "a line far away", '({"ok": False, "verdict": "EXCEPTION", "line": 10**4000, "text": 3}, {})', "EXCEPTION"
    ),
    rewritten("odd answers", '({"ok": "yes", "verdict": ["PASS"], "line": "::", "text": {}}, {})', "EXCEPTION"),
    broken(
        "kills its parent", "os.kill(os.getppid(), signal.SIGKILL)\nwhile True: signal.pause()", ("TIMEOUT", "EXITED")
    ),
    broken(
        "stops its parent", "os.kill(os.getppid(), signal.SIGSTOP)\nwhile True: signal.pause()", ("TIMEOUT", "EXITED")
    ),
    broken(
        "traces its parent",
        """
libc = ctypes.CDLL(None, use_errno=True)
result = libc.ptrace(16, os.getppid(), 0, 0)
try:
    open(f"/proc/{os.getppid()}/mem", "rb")
    result = 0
except OSError:
    pass
raise RuntimeError(f"traced: {result == 0}")""",
        ("EXCEPTION",),
        "traced: False",
    ),
    broken(
        "becomes root",
        """
became = []
for call in (os.setuid, os.setgid):
    try:
        call(0)
        became.append(call.__name__)
    except OSError:
        pass
if ctypes.CDLL(None).unshare(0x10000000 | 0x00020000) == 0:
    became.append("namespace")
raise RuntimeError(f"became {became}")""",
        ("EXCEPTION",),
    ),
    Hostile(
        "steals the trusted functions of another task",
        """
import sys
def stolen(name):
    import linecache, os
    if "trusted" in sys.modules:
        with open("/tmp/trusted.py", "w") as file:
            file.write("".join(linecache.cache["trusted.py"][2]))
    namespace = {}
    exec(open("/tmp/trusted.py").read(), namespace)
    return namespace[name]
def gaussian_log_likelihood(z, mu, sigma):
    return stolen("gaussian_log_likelihood")(z, mu, sigma)
def reparameterize(mu, sigma, eps):
    return stolen("reparameterize")(mu, sigma, eps)
def vae_objective(log_w):
    return stolen("reparameterize")(0, 1, log_w).sum(0)
""",
        ("EXCEPTION",),
    ),
    Hostile(
        "prints the trusted functions that stand in for another task",
        """
import gc, inspect, linecache, sys
def log_weights(self, x, eps):
    text = "".join(str(lines) for lines in linecache.cache.values())
    for function in (gaussian_log_likelihood, reparameterize):
        text += inspect.getsource(function) + str(function.__code__.co_consts) + str(function.__closure__)
    frame = sys._getframe()
    while frame:
        text += str(frame.f_locals)
        frame = frame.f_back
    text += "".join(str(vars(o)) for o in gc.get_objects() if isinstance(o, type(sys)) and o.__name__ != "__main__")
    leaked = [word for word in ("standard" + "ised**2", "sigma * eps  # [B, D]" + " broadcasts") if word in text]
    raise RuntimeError(f"leaked {leaked}")
IWAE.log_weights = log_weights
""",
        ("EXCEPTION",),
        STUB,
        says="leaked []",
    ),
    Hostile(
        "asks the judge odd questions",
        """
import worker, frames, safetensors.torch
true_call = worker.Worker.call
huge = {str(i): torch.zeros([1] * i + [2**20] + [1] * (2 - i)) for i in range(3)}
odd = {str(i): torch.zeros(3, dtype=torch.int8) for i in range(3)}
empty = {str(i): torch.zeros(2**29, 0) for i in range(3)}  # the sum over the last axis is not
bodies = [b"", b"x" * 100, *map(safetensors.torch.save, (huge, odd, empty))]
def call(self, header, tensors):
    for name in ("gaussian_log_likelihood", "log_mean_exp", "load_model_file", ["x"], None, "__class__"):
        for body in bodies:
            frames.send(self.channel, {"ask": name}, body)
            answer, _ = frames.receive(self.channel)
            assert "error" in answer
    return true_call(self, header, tensors)
worker.Worker.call = call
""",
        (),
        SOLUTION,
        ("todo1", "todo3"),  # no question is awaited there
    ),
    Hostile(
        "asks the judge without end",
        """
import threading, worker, frames, safetensors.torch
def call(self, header, tensors):
    def read():
        while self.channel.recv(2**20): pass
    threading.Thread(target=read, daemon=True).start()
    body = safetensors.torch.save({str(i): torch.ones(3) for i in range(3)})
    while True: frames.send(self.channel, {"ask": "reparameterize"}, body)
worker.Worker.call = worker.Worker.create = call
""",
        ("TIMEOUT", "PROTOCOL"),
        SOLUTION,
    ),
    # exceptions
    broken("infinite recursion", "return log_mean_exp(a, dim)", ("EXCEPTION",), "RecursionError"),
    broken(
        "recursion through the stack",
        """
sys.setrecursionlimit(10**9)
def f(x): return [f(x) for _ in (1,)]
return f(a)""",
        ("EXITED", "MEMORY", "EXCEPTION", "TIMEOUT"),
    ),
    broken("BaseException", "raise BaseException('base')", ("EXCEPTION",), "BaseException: base"),
    broken("KeyboardInterrupt", "raise KeyboardInterrupt", ("EXCEPTION",), "KeyboardInterrupt"),
    broken("GeneratorExit", "raise GeneratorExit", ("EXCEPTION",)),
    broken(
        "an exception whose text exits",
        """
class Odd(Exception):
    def __str__(self): os._exit(0)
raise Odd""",
        ("EXITED",),
    ),
    broken(
        "an exception whose text raises",
        """
class Odd(Exception):
    def __str__(self): raise self
raise Odd""",
        ("EXCEPTION", "EXITED"),
    ),
    broken("an exception of a megabyte", "raise RuntimeError('x' * 2**20)", ("EXCEPTION",)),
    # the file
    Hostile("a syntax error", "def f(:\n", ("IMPORT_ERROR",), "import torch\n", says="line"),
    Hostile("an indentation error", "  x = 1\n   y = 2\n", ("IMPORT_ERROR",), "", says="line"),
    Hostile("100,000 nested parentheses", "x = " + "(" * 100_000, ("IMPORT_ERROR",), ""),
    Hostile(
        "a package that is not there", "import tensorflow_of_mine", ("IMPORT_ERROR",), "", says="tensorflow_of_mine"
    ),
    Hostile("not UTF-8", "", ("IMPORT_ERROR",), "# coding: no-such-coding\n", says="coding"),
    Hostile("no functions at all", "", ("IMPORT_ERROR",), "x = 1\n", says="take it back"),
    Hostile("functions that are numbers", "log_mean_exp = 3", ("IMPORT_ERROR",), SOLUTION, ("todo3",), "log_mean_exp"),
    Hostile(
        "another network",
        """
class Encoder(nn.Module):
    def __init__(self, d_data, d_latent, hidden, tied):
        super().__init__()
        self.net = nn.Linear(d_data, d_latent)
""",
        ("EXCEPTION",),
        SOLUTION,
        ("todo2",),
    ),
    harmless("global settings changed at import", "torch.set_printoptions(2)\ntorch.manual_seed(3)"),
    Hostile(
        "default dtype changed in a function",
        """
import math
def vae_objective(log_w):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    return log_w.mean(0)
""",
        ("WRONG_VALUE",),
        SOLUTION,
        ("todo2",),
        "default dtype",
    ),
]
