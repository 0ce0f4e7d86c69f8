"""Forks the first processes of sandboxes, zygotes, from one process that has imported what is slow.

Started (command.py) as `python -I forkserver.py CONFIG`. It runs no stranger's code and reads nothing that a sandbox
wrote: each message on its socket is the judge's, and brings a configuration and three descriptors. For each it forks a
keeper, and that the zygote, in namespaces of its own, which gives up all that a zygote started afresh gives up, before
the judge sends it anything. So a sandbox has from here only a copy of memory in which no submission ever was.

In common are that memory's addresses, stack canary, hash seed and pages as long as nobody writes to them. A submission
learns these, but none of the others that have them, forkserver, keepers and other sandboxes, reads a byte of it; the
judge's are its own. A keeper holds no more than its zygote and the judge's lifeline, and has another user id or lies
outside the namespaces, so that nothing inside can signal it.
"""

import contextlib
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
import zygote  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
MOUNTS, CGROUP, UTS, IPC, PROCESSES, NETWORK = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
USERS = 0x10000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXECUTION, REMOUNT, BIND = 1, 2, 4, 8, 32, 0x1000
RECURSIVE, PRIVATE, DETACH = 0x4000, 0x40000, 2
PROC = NO_SUID | NO_DEVICES | NO_EXECUTION
MAX_MESSAGE = 2**17


def main():
    config = json.loads(sys.argv[1])
    sys.path += config["python_path"]
    requests = socket.socket(fileno=config["control"])
    serve = importlib.import_module(config["serve"]).serve
    gc.freeze()
    LIBC.prctl(zygote.PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MAX_MESSAGE, 3)
        if not message:
            return
        with contextlib.suppress(OSError):  # no process is free: the judge sees its socket close
            in_child(keep, serve, message, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def in_child(function, *arguments):
    """Call it in a process forked from this one, which then ends. Returns its number."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(0)
    return pid


def keep(serve, message, control, errors, lifeline):
    """Start a zygote; end it, and with it all in its namespaces, when the judge closes the lifeline.

    lifeline closes at the judge's side when that is done, or when the zygote has ended by itself. At level 2 a keeper
    outlives its forkserver: nobody else would end what a submission has left.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(errors, 2)
    config = json.loads(message)
    close_all_but({0, 1, 2, control, lifeline})
    if config["room"]:
        unshare(MOUNTS | CGROUP | UTS | IPC | PROCESSES | NETWORK)
    pid = in_child(become_zygote, serve, config, control, lifeline)
    os.close(control)
    select.select([lifeline, os.pidfd_open(pid)], [], [])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)  # of the first process of a namespace: no other is left in it
    if not config["room"]:
        confine.end_all_of(config["confine"]["user_id"])


def become_zygote(serve, config, control, lifeline):
    os.close(lifeline)
    os.dup2(2, 1)
    if config["room"]:
        furnish(config["disk"])
    if config["user"] is not None:
        enter_user_namespace(config["user"])
    os.chdir(config["environment"]["HOME"])
    null = os.open("/dev/null", os.O_RDWR)  # one of its own: flags and locks of an open file outlive a process
    os.dup2(null, 0)
    os.close(null)
    os.environ.update(config["environment"])
    zygote.live(socket.socket(fileno=control), config, lambda: serve)


def close_all_but(kept):
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    for descriptor in set(range(highest + 1)) - kept:
        with contextlib.suppress(OSError):  # it was not open
            os.close(descriptor)


def furnish(disk):
    """Over what can be written, or tells of other processes, mounts of its own, such as bubblewrap's (command.py)."""
    mount(None, "/", None, RECURSIVE | PRIVATE)
    files = disk // 4096  # empty ones take memory as well, which bubblewrap cannot limit
    for folder in ("/tmp", "/dev/shm"):
        mount("tmpfs", folder, "tmpfs", NO_SUID | NO_DEVICES, f"mode=1777,size={disk},nr_inodes={files}")
    mount("devpts", "/dev/pts", "devpts", NO_SUID | NO_EXECUTION, "newinstance,ptmxmode=0666,mode=620")
    keys = os.open("/proc/keys", os.O_PATH) if Path("/proc/keys").exists() else None  # bubblewrap's, of no content
    mount("proc", "/proc", "proc", PROC)
    mount(None, "/proc", None, PROC | READ_ONLY | BIND | REMOUNT)  # the mount: the file system itself is read-write
    if keys is not None:
        mount(f"/proc/self/fd/{keys}", "/proc/keys", None, BIND)
        os.close(keys)


def enter_user_namespace(number):
    """For an ordinary user: from a user namespace with rights into one below it, as that number, where none follows.

    Its files in /proc are written through a mount that nobody but the holder of its descriptor reaches.
    """
    mount("proc", "/tmp", "proc", PROC)
    proc = os.open("/tmp", os.O_PATH)
    if LIBC.umount2(b"/tmp", DETACH):
        raise OSError(ctypes.get_errno(), "the writable /proc cannot be taken away")
    unshare(USERS)
    ids = f"{number} 0 1"
    for name, text in {"setgroups": "deny", "uid_map": ids, "gid_map": ids}.items():
        write(proc, f"self/{name}", text)
    write(proc, "sys/user/max_user_namespaces", "0")
    os.close(proc)


def write(folder, name, text):
    descriptor = os.open(name, os.O_WRONLY, dir_fd=folder)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def unshare(flags):
    if LIBC.unshare(flags):
        raise OSError(ctypes.get_errno(), "no namespaces of its own")


def mount(source, target, kind, flags, options=None):
    words = [word and word.encode() for word in (source, target, kind)]
    if LIBC.mount(*words, ctypes.c_ulong(flags), options and options.encode()):
        raise OSError(ctypes.get_errno(), f"{target} cannot be mounted")


if __name__ == "__main__":
    main()
