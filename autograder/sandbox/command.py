"""The command line that starts a sandbox: bubblewrap or setpriv, and what the first process inside gives up itself."""

import json
import os
import sys
from pathlib import Path

from autograder.sandbox import folders

# Where the machine's memory ends, a sandbox goes first. Set from outside, so that nothing inside need be able to.
FIRST_TO_GO = ["sh", "-c", 'echo 1000 2> /dev/null > /proc/self/oom_score_adj; exec "$@"', "sh"]
NOBODY = 65534  # an ordinary user inside bubblewrap
INSIDE = "/grader"  # where a bubblewrap sandbox has the files that it runs


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
        "IWAE_NATIVE": grader_folder(sandbox),  # nor for C: what the judge has built lies there, to be read only
    }


def grader_folder(sandbox):
    """Where the files that it runs lie, as the sandbox sees it."""
    return INSIDE if sandbox.level == 3 else str(sandbox.grader)


def command(sandbox, config):
    """The command line that starts the zygote at the sandbox's level. config is added to."""
    config |= confinement(sandbox)
    zygote = python(sandbox, "zygote.py", config)
    if sandbox.level == 3:
        # As root no user namespace, where root inside would be root outside: setpriv drops to another user.
        kept = ["SETUID", "SETGID", "SETPCAP"] if os.geteuid() == 0 else []
        dropped = drop_to(sandbox.user_id) if kept else ["--disable-userns", *user_namespace(NOBODY)]
        zygote = [*bubblewrap(sandbox, kept), *dropped, *zygote]
    elif sandbox.has_own_user:
        zygote = [*drop_to(sandbox.user_id), *zygote]
    return [*FIRST_TO_GO, *zygote] if sandbox.level >= 1 else zygote


def forkserver_command(server, config):
    """The command line that starts a forkserver: at level 3 in the view of a sandbox, with the rights to make rooms."""
    config |= {"python_path": folders.python_path()}
    process = python(server, "forkserver.py", config)
    if server.level == 3:
        rights = ["SYS_ADMIN", "KILL", "SETUID", "SETGID", "SETPCAP"]  # mounts; another user's end; another user
        space = [] if os.geteuid() == 0 else ["--cap-add", "CAP_SETFCAP", *user_namespace(0)]  # to make one below it
        process = [*bubblewrap(server, rights), *space, *process]
    return [*FIRST_TO_GO, *process]


def python(sandbox, script, config):
    path = f"{grader_folder(sandbox)}/{script}"
    return [os.path.realpath(sys.executable), "-I", "-B", "-u", path, json.dumps(config)]


def confinement(sandbox) -> dict:
    """What the zygote of the sandbox gives up."""
    limits, level = sandbox.limits, sandbox.level
    landlock = None
    alone = level == 3 or sandbox.has_own_user
    bounds = {"CORE": 0, "FSIZE": limits.disk, "NOFILE": limits.files}
    if level >= 1:
        bounds["AS"] = limits.memory
    if alone:  # otherwise it would count all processes of the user
        bounds["NPROC"] = limits.processes
    if 1 <= level <= 2:
        hidden = folders.hidden_folders()
        visible = [str(part) for folder in folders.visible_folders() for part in folders.without(folder, hidden)]
        system = ["/lib", "/lib64", "/bin", "/proc", "/dev/urandom", "/sys/devices/system/cpu"]
        landlock = {
            "readable": [*system, *visible, str(sandbox.grader)],
            "writable": [str(sandbox.folder / "work"), "/dev/null"],
        }
    confine = {
        "limits": bounds,
        "processors": sandbox.processors,
        "landlock": landlock,
        "filtered": level >= 1,
    }
    return {"python_path": folders.python_path(), "alone": alone, "confine": confine}


def drop_to(user_id: int) -> list[str]:
    """The prefix of a command: for good another user, without any capability."""
    who = ["--reuid", str(user_id), "--regid", str(user_id), "--clear-groups"]
    return ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


def bubblewrap(sandbox, capabilities):
    """The prefix of a command: own namespaces and a view with nothing in it but Python and the grader's few files."""
    mounts = []
    for name in ("lib", "lib64", "bin"):
        path = Path("/", name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            mounts += ["--ro-bind", str(path), str(path)]
    mounts += ["--ro-bind", str(sandbox.grader), INSIDE, "--proc", "/proc", "--dev", "/dev"]
    if Path("/proc/keys").exists():  # the names of the judge's keys
        mounts += ["--ro-bind", "/dev/null", "/proc/keys"]
    for folder in ("/tmp", "/dev/shm"):
        mounts += ["--perms", "1777", "--size", str(sandbox.limits.disk), "--tmpfs", folder]
    mounts += view()  # last: these may lie below /tmp
    # /proc, where a process could change what the kernel does with it, and /dev, which has no size, as well.
    mounts += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    unshared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    always = ["bwrap", *mounts, *unshared, "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    return always + [word for name in capabilities for word in ("--cap-add", f"CAP_{name}")]


def user_namespace(user_id: int) -> list[str]:
    # What is started is the first process: bubblewrap's own would have the same user, and no filter of system calls.
    return ["--as-pid-1", "--unshare-user", "--uid", str(user_id), "--gid", str(user_id)]


def view() -> list[str]:
    """The mounts of visible folders, with emptiness over hidden ones inside them, and over that what is visible again.

    An environment with the installed packages may lie in the kit, and the kit below the interpreter.
    """
    visible, hidden = folders.visible_folders(), folders.hidden_folders()
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
