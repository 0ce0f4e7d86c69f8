"""The first process inside a sandbox: confines itself, imports what is slow once, and forks on request.

Started by sandbox.py as `python -I zygote.py CONFIG`, CONFIG being JSON. It runs no stranger's code: each
`start` on its control socket brings a channel and an output pipe for a fresh child, which serves that channel;
`stop` (or `ended`) kills the child with all that it started, and answers how it had ended. A fork before torch has used
its threads is safe, and costs milliseconds where importing torch costs seconds.
"""

import ctypes
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import frames  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38


def limit_resources(limits):
    """Set resource limits by their names in the module resource: {"AS": bytes, ...}."""
    import resource

    for name, value in limits.items():
        limit = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    if Path("/proc/self/oom_score_adj").exists():
        Path("/proc/self/oom_score_adj").write_text("1000")  # where the machine's memory ends, this goes first


def restrict_files(readable, writable):
    """Landlock: from now on, no file but what lies below these paths. Returns the ABI, 0 where there is none.

    Since ABI 4 also no TCP, since ABI 6 no signals to processes outside.
    https://docs.kernel.org/userspace-api/landlock.html
    """
    create_ruleset, add_rule, restrict_self = 444, 445, 446  # system calls, the same on every architecture
    if sys.platform != "linux" or (abi := LIBC.syscall(create_ruleset, None, 0, 1)) < 1:
        return 0
    execute, write_file, read_file, read_dir = 1, 2, 4, 8
    n_rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)  # rights on files that the kernel knows
    everything = 2**n_rights - 1
    attributes = struct.pack("QQQ", everything, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = LIBC.syscall(create_ruleset, attributes[:size], size, 0)
    for path, rights in [(p, execute | read_file | read_dir) for p in readable] + [(p, everything) for p in writable]:
        if not Path(path).exists():
            continue
        if not Path(path).is_dir():
            rights &= execute | write_file | read_file
        parent = os.open(path, os.O_PATH)
        if LIBC.syscall(add_rule, ruleset, 1, struct.pack("=Qi", rights, parent), 0):
            raise OSError(ctypes.get_errno(), f"Landlock refused the path {path}")
        os.close(parent)
    if LIBC.syscall(restrict_self, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock refused the ruleset")
    os.close(ruleset)
    return abi


def start_child(serve, control, channel, output):
    """Fork. The child forgets the control socket, prints to output, and serves the channel until it closes."""
    pid = os.fork()
    if pid:
        os.close(channel)
        os.close(output)
        return pid
    try:
        if sys.platform == "linux":
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # it ends with the zygote
        control.close()
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        serve(socket.socket(fileno=channel))
    finally:
        os._exit(0)  # never back into the loop of the zygote
    return None


def stop_child(pid, alone, patience):
    """Kill the child and all that it started. Returns its own wait status, or None where it was still running.

    patience: seconds to wait for a child that has closed its channel, and so is about to end.
    """
    if patience and hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(pid)
        select.select([descriptor], [], [], patience)
        os.close(descriptor)
    ended, status = os.waitpid(pid, os.WNOHANG)
    try:
        if alone:  # every process that we may kill belongs to the sandbox
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    if not ended:
        os.waitpid(pid, 0)
    while rest := children():  # what it had started is ours now, as the subreaper
        for other in rest:
            os.kill(other, signal.SIGKILL)
        os.waitpid(-1, 0)
    return status if ended else None


def children():
    """The processes that are ours to wait for, on Linux."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def serve(channel):
    """Answer one request with itself: how sandbox.py tries a level out."""
    frames.send(channel, *frames.receive(channel))


def main():
    config = json.loads(sys.argv[1])
    sys.path += config["python_path"]
    control = socket.socket(fileno=config["control"])
    limit_resources(config["limits"])
    abi = 0
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if config["landlock"]:
        abi = restrict_files(**config["landlock"])
    serve = importlib.import_module(config["serve"]).serve
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a child can neither trace this process nor read its memory
    frames.send(control, {"hello": True, "landlock": abi})
    child = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 5, 2)
        if child is not None:
            status = stop_child(child, config["alone"], patience=1.0 if message == b"ended" else 0)
            child = None
            if message:
                frames.send(control, {"status": status})
        if message == b"start":
            child = start_child(serve, control, *descriptors)
        elif not message:
            return


if __name__ == "__main__":
    main()
