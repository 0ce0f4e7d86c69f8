"""Two trainings at once take turns: side by side, each with a thread on every core, they wait for each other.

While the threads of a product wait for the last of them they spin, for milliseconds, on cores that the other training
needs: both together took up to four times as long as one after the other. Spinning for less makes every step slower,
fewer threads round differently. In turns of a second each computes as if it were alone, and its results are the same.
"""

import contextlib
import functools
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

SECONDS = 1.0  # of a turn
PATIENCE = 30.0  # seconds that one waits for the others; after that they are stopped, or broken, and it goes on


class Turns:
    """This process's place among those of the same user that compute on all cores of this machine."""

    def __init__(self):
        import filelock  # here, since its own imports take as long as a small grading

        folder = Path(tempfile.gettempdir())
        # Who waits for the turn holds the queue, so that who has just had it comes after him.
        self.queue, self.turn = (
            filelock.FileLock(folder / f"iwae-course-{user()}-{name}.lock", PATIENCE, poll_interval=0.002)
            for name in ("queue", "turn")
        )
        self.failures, self.begun = (filelock.Timeout, OSError), 0.0

    def take(self):
        """Wait for a turn; without one, where it cannot be had."""
        asked = time.monotonic()
        with contextlib.suppress(*self.failures), self.queue:
            self.turn.acquire()
        self.begun = time.monotonic()
        if self.begun - asked > 0.1:
            tell()

    def pass_on(self):
        """Let the others compute, if the turn is over. Who could not have one once does not ask again."""
        if self.turn.is_locked and time.monotonic() - self.begun > SECONDS:
            self.turn.release()
            self.take()


current: Turns | None = None  # while in_turns is entered


@contextlib.contextmanager
def in_turns(device):
    """While it is entered, what computes on this device does so in turns with others, where they would be in the way.

    It may be entered within itself.
    """
    global current
    if current or device.type != "cpu" or not fills_the_cores():
        yield
        return
    current = Turns()
    current.take()
    try:
        yield
    finally:
        current.turn.release()
        current = None


def pass_on():
    """To be called between two steps. It costs nothing outside of in_turns, and for a process alone."""
    if current:
        current.pass_on()


def fills_the_cores():
    """Whether a second process such as this one would find no core for its threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return 2 * torch.get_num_threads() > cores


def user():
    return os.getuid() if hasattr(os, "getuid") else "all"  # Windows has a temporary folder for each user


@functools.cache
def tell():
    print("notice: another training or evaluation computes here as well; the two take turns", file=sys.stderr)
