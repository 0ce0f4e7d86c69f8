"""The fixtures that several tests share: the reference model file, commands, trained runs, an open sandbox."""

import sys

import pytest
import torch

import lab
from autograder.grading.remote import RemoteFile
from autograder.grading.submission import start_sandbox
from cli import run_command
from helpers.commands import SOLUTION, Ended, local_mnist
from helpers.gradings import run_grading
from helpers.submissions import IWAE
from model_file import load_model_file
from settings import complete
from train import train


def pytest_addoption(parser):
    parser.addoption("--draws", type=int, default=1, help="fresh inputs for each right or wrong answer")
    parser.addoption("--class-size", type=int, default=5, help="submissions of the class; from 25 on in all layouts")
    parser.addoption(
        "--thorough",
        action="store_true",
        help="the whole hostile bank at every sandbox level that works; every known mistake, in the whole file",
    )


def pytest_report_header():
    if local_mnist():
        return "dataset: mnist"
    return "dataset: digits; MNIST is neither in $IWAE_DATA nor in data/, so what needs it uses digits or is skipped"


@pytest.fixture(scope="session")
def reference():
    """The reference solution as a module."""
    return load_model_file(SOLUTION)


@pytest.fixture(autouse=True)
def fresh_torch():
    """The same seed for each test, and denormal numbers: a training in this process leaves them flushed to zero."""
    torch.manual_seed(0)
    torch.set_flush_denormal(False)


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


@pytest.fixture
def run_lab(command, tmp_path):
    """Run all parts of a lab: run_lab(name, *options, makes=pictures) -> (Ended, the folder of the pictures)"""

    def run(*arguments, makes):
        out = tmp_path / "out"
        ended = command(lab, *arguments, "--out", out)
        assert ended.status == 0, ended.err
        for name in makes:
            assert (out / name).stat().st_size > 10_000
        return ended, out

    return run


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
    with start_sandbox(IWAE) as sandbox:
        yield sandbox


@pytest.fixture
def grade_in(sandbox):
    """Grade a Submission in the shared sandbox: grade_in(submission, seed=1) -> Ledger"""

    def grade(submission, **options):
        return run_grading(RemoteFile(submission, sandbox=sandbox), **options).ledger

    return grade
