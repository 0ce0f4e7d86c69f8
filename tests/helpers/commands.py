"""Where things are, copies of the kit, and its commands as processes of their own."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cli import ROOT

SOLUTION = "solutions/model.py"


def copy_kit(folder, *names):
    """A copy of some files and folders of the kit, for commands that write."""
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def start(*arguments, cwd=ROOT, **variables):
    """Start a command of the kit as a process of its own: start("base_code/train.py", "--epochs", 1)"""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, timeout=300):
    out, err = process.communicate(timeout=timeout)
    return Ended(process.returncode, out, err)


def local_mnist():
    """Whether MNIST is on this machine already; the tests download nothing."""
    folders = [Path(os.environ.get("IWAE_DATA", ROOT / "data")), ROOT / "data"]
    return any((folder / "mnist" / "train-images-idx3-ubyte.gz").is_file() for folder in folders)
