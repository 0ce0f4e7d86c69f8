"""What several tests share: the reference model file, the dataset at hand, and ways to run the commands."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from autograder.grading import Grading
from autograder.student import Student
from autograder.submission import start_sandbox
from cli import run_command
from run import load_model_file
from settings import complete
from train import train

ROOT = Path(__file__).resolve().parent.parent
SOLUTION = "solutions/model.py"


def local_mnist():
    """Whether MNIST is on this machine already; the tests download nothing."""
    folders = [Path(os.environ.get("IWAE_DATA", ROOT / "data")), ROOT / "data"]
    return any((folder / "mnist" / "train-images-idx3-ubyte.gz").is_file() for folder in folders)


def pytest_addoption(parser):
    parser.addoption("--draws", type=int, default=1, help="fresh inputs for each right or wrong answer")
    parser.addoption("--class-size", type=int, default=5, help="submissions of the class; from 25 on in all layouts")
    parser.addoption("--all-levels", action="store_true", help="the hostile bank at every sandbox level that works")


def pytest_report_header():
    if local_mnist():
        return "dataset: mnist"
    return "dataset: digits; MNIST is neither in $IWAE_DATA nor in data/, so what needs it uses digits or is skipped"


@pytest.fixture(scope="session")
def reference():
    """The reference solution as a module."""
    return load_model_file(SOLUTION)


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


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


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command's main in this process: command(train, "--epochs", 1) -> Ended"""

    def call(module, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, arguments)])
        status = 0
        try:
            run_command(module.main)
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        if isinstance(status, str):  # sys.exit("error: ..."), which Python prints when the process ends
            return Ended(1, captured.out, captured.err + status)
        return Ended(status, captured.out, captured.err)

    return call


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


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Run folders of the reference on digits, a few epochs each: {"ae": ..., "vae": ..., "iwae": ..., "plane": ...}"""
    folder = tmp_path_factory.mktemp("trained")
    given = {"model": SOLUTION, "epochs": 5}
    for name, more in {
        "ae": {},
        "vae": {"objective": "vae"},
        "iwae": {"objective": "iwae"},
        "plane": {"objective": "vae", "d_latent": 2},
    }.items():
        train(complete({**given, **more}, "digits"), folder / name)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def sandbox():
    """One sandbox for many submissions of our own: each still runs in fresh processes of it."""
    with start_sandbox() as sandbox:
        yield sandbox


def run_grading(student, checks=None, **options):
    """A Grading without NLL that has run the checks, or all. The student's sandbox stays open for the next."""
    grading = Grading(student, "off", **options)
    for check in grading.checks if checks is None else checks:
        grading.run(check)
    if student.process:
        student.process.close()
    return grading


@pytest.fixture
def grade_in(sandbox):
    """Grade a Submission in the shared sandbox: grade_in(submission, seed=1) -> Grading"""

    def grade(submission, **options):
        return run_grading(Student(submission, sandbox=sandbox), **options)

    return grade
