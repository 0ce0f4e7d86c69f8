"""What only one sandbox of this machine has at a time: a user id, and processors."""

import itertools
import os
import socket
import sys

from autograder.sandbox.errors import Unavailable

started = itertools.count()  # sandboxes of this process


def claim(name: str) -> socket.socket | None:
    """A socket that claims the name on this machine while it is open; None where it is taken."""
    socket_of_name = socket.socket(socket.AF_UNIX)
    try:
        if sys.platform == "linux":  # elsewhere there are no such names
            socket_of_name.bind(f"\0{name}")
        return socket_of_name
    except OSError:
        socket_of_name.close()
        return None


def claim_user_id() -> tuple[int, socket.socket]:
    """A user id that no other sandbox of this machine has now, and the claim; the number after it is nobody's.

    Shared, it would share the limits, and at level 2 the end of one sandbox would end the other. The next sandbox
    begins to look at another id: killed processes of the last one may still be going, and would count as its own.
    """
    first = os.getpid() * 16 + next(started)
    for i in range(10000):
        user_id = 40000 + 2 * ((first + i) % 10000)
        if taken := claim(f"sandbox-user-{user_id}"):
            return user_id, taken
    raise Unavailable("no user id is free")


def claim_processors(n: int) -> tuple[list[int] | None, list[socket.socket]]:
    """n processors that no other sandbox of this machine has, and the claims; all where so many are not free.

    However many processes a submission starts, it then slows no other one.
    """
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if n >= len(known):
        return None, []
    claims: dict[int, socket.socket] = {}
    for processor in known:
        if len(claims) < n and (taken := claim(f"sandbox-processor-{processor}")):
            claims[processor] = taken
    if len(claims) == n:
        return list(claims), list(claims.values())
    for taken in claims.values():
        taken.close()
    return None, []
