"""How well strangers' code can be confined on this machine.

The best level that works is probed:
3  bubblewrap: own namespaces, only the interpreter's files to see, and the filter of system calls
2  root without namespaces: a user id of its own, Landlock for files, and the filter
1  what of these the machine has, with resource limits; for practice
0  no Linux: a process and a time limit, nothing more
"""

import functools
import os
import shutil
import sys
from pathlib import Path

from autograder import ROOT
from autograder.sandbox.errors import Broken, Unavailable
from autograder.sandbox.folders import lies_open
from autograder.sandbox.forkserver import Forkserver
from autograder.sandbox.inside.confine import SYSTEM_CALLS
from autograder.sandbox.sandbox import Sandbox

LEVELS = {
    3: "level 3, bubblewrap",
    2: "level 2, a user id of its own",
    1: "level 1, for practice only",
    0: "level 0, NOT SANDBOXED",
}
TOOLS = {3: ("bwrap", "setpriv"), 2: ("setpriv",), 1: (), 0: ()}


@functools.cache
def probe() -> int:
    """The best level that works on this machine."""
    return next(level for level in LEVELS if works(level))


def works(level: int) -> bool:
    return not obstacle(level)


@functools.cache
def try_out(level: int) -> tuple[Sandbox, dict]:
    """A sandbox of this level, closed again, and the answer which of some files can be opened in it: none should be."""
    secrets = [Path(__file__).resolve(), *(ROOT / "solutions").rglob("*.py")]
    with Sandbox("zygote", [], level) as sandbox:
        answer, _ = sandbox.start().request({"open": [str(path) for path in secrets]})
    return sandbox, answer


def obstacle(level: int) -> str:
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
        sandbox, answer = try_out(level)
    except (Unavailable, Broken, OSError) as error:
        return f"it does not start here: {str(error).splitlines()[-1][:200]}"
    holds = sandbox.holds
    if level >= 2 and not holds["seccomp"]:
        return "system calls cannot be filtered: libseccomp2 is not installed, or the kernel has no seccomp"
    if level == 2 and not holds["landlock"]:
        return "the kernel has no Landlock, so that other users' files lie open"
    if answer != {"opened": []}:
        return f"{answer.get('opened')} can be read there"
    return ""


def forkserver(serve: str, files: list[Path], level: int) -> Forkserver | None:
    """One for sandboxes that have all that those of this level have which are started afresh; None where there is none.

    It gets ready in the background.
    """
    try:
        return Forkserver(serve, files, level, try_out(level)[0].holds)
    except (Unavailable, Broken, OSError):
        return None


def enforced(level: int) -> dict[str, str]:
    """What a sandbox of this level enforces on this machine, in words: {what: how}."""
    sandbox, _ = try_out(level)
    limits, holds, has_own_user = sandbox.limits, sandbox.holds, sandbox.has_own_user or level == 3
    processor = "one of its own, as long as one is free" if sandbox.processors else "shared"
    landlock = f"only the interpreter's and its own (Landlock, ABI {holds['landlock']})"
    files = {3: "only the interpreter's and its own (mounts of its own, the kit hidden)", 0: "all that you can reach"}
    disk = "in /tmp, the same in /dev/shm" if level == 3 else "a file"
    return {
        "files": files.get(level, landlock if holds["landlock"] else files[0]),
        "user": f"{'one of its own' if has_own_user else 'yours'}{', without capabilities' if level else ''}",
        "system calls": f"{len(SYSTEM_CALLS)} allowed (seccomp)" if holds["seccomp"] else "not filtered",
        "signals": "to its own processes" if has_own_user or holds["landlock"] >= 6 else "to all of your processes",
        "keyring": "new and empty" if holds["keyring"] else "yours",
        "network": "none" if level == 3 or holds["seccomp"] else "yours",
        "processes": f"at most {limits.processes}" if has_own_user else "not limited",
        "processor": processor,
        "cgroup": "not used",
        "memory": f"{limits.memory // 2**20} MiB a process" if level else "not limited",
        "disk": f"{limits.disk // 2**20} MiB {disk}",
    }
