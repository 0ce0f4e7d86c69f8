"""Commands start at once: what is slow to import waits until it is needed."""

import subprocess
import sys

import pytest

from cli import ROOT

SLOW = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "jupytext", "nbformat", "distributed", "rich"}


@pytest.mark.parametrize(
    "start",
    {
        "help": "from autograder import __main__",
        "the class command": "import autograder; from autograder.classroom import grade_class",
        "the zip for Gradescope": "import autograder; from autograder.gradescope import build",
        "the version": "import autograder; from autograder import assignments; from autograder.grading import version; "
        "print(version.grader_version(assignments.get(assignments.DEFAULT)))",
    }.items(),
    ids=lambda start: start[0],
)
def test_starting_imports_nothing_slow(start):
    _, code = start
    code += "; import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pathlib" in ended.stderr.split()
    assert SLOW.isdisjoint(ended.stderr.split())
