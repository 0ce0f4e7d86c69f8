"""The first process inside a sandbox: confines itself, imports what is slow once, and forks on request.

Started (command.py) as `python -I zygote.py CONFIG`, CONFIG being JSON. It runs no stranger's code: each
`start` on its control socket brings a channel and an output pipe for a fresh child, which serves that channel;
`stop` (or `ended`) kills the child with all that it started, and answers how it had ended. A fork before torch has used
its threads is safe, and costs milliseconds where importing torch costs seconds.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import confine  # noqa: E402
import frames  # noqa: E402

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


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
    """Answer which of the files of one request can be opened: how levels.py tries a level out."""
    header, _ = frames.receive(channel)
    frames.send(channel, {"opened": [path for path in header["open"] if can_be_opened(path)]})


def can_be_opened(path):
    try:
        Path(path).open("rb").close()
    except OSError:
        return False
    return True


def main():
    config = json.loads(sys.argv[1])
    sys.path += config["python_path"]
    live(socket.socket(fileno=config["control"]), config, lambda: importlib.import_module(config["serve"]).serve)


def live(control, config, load):
    """Give up what the config says, then fork for each request until the judge closes control. load() -> serve"""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    holds = confine.confine(**config["confine"])
    serve = load()
    gc.freeze()  # children need not look through torch's objects, nor get copies of them
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a child can neither trace this process nor read its memory
    frames.send(control, holds)
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
