"""What the documents state: figures come from files, and every path and link inside the project leads somewhere."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT

from autograder import reference

DOCUMENTS = ["README.md", "CHANGELOG.md", "base_code/README.md"]


def test_readmes_table_is_made_from_the_reference():
    readme = (ROOT / "README.md").read_text()
    assert readme == reference.readme_with_table(readme)


def test_the_reference_figures_are_the_courses():
    """The two headline figures, within the 3 nats that the course allows; and the IWAE ahead on both datasets."""
    entries = json.loads(reference.REFERENCE.read_text())["results"]
    results = {
        (r["data"], r["objective"], r["tied"]): r for r in entries if r["epochs"] == reference.FULL_EPOCHS[r["data"]]
    }
    nll = {key: result["test_nll"]["100"]["mean"] for key, result in results.items()}
    assert nll["mnist", "vae", True] == pytest.approx(143, abs=3)
    assert nll["mnist", "iwae", True] == pytest.approx(128, abs=3)
    assert nll["digits", "iwae", True] < nll["digits", "vae", True] - 5
    for result in results.values():
        assert result["test_nll"]["5000"]["mean"] < result["test_nll"]["100"]["mean"]  # a tighter bound
        assert result["seeds"] == len(result["train_loss"]["values"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_paths_lead_somewhere(document):
    text = (ROOT / document).read_text()
    root = ROOT  # the student's README stands at the root of the zip
    paths = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    paths += re.findall(r"(?:python |--model |--requirement )([\w./-]+\.(?:py|txt))", text)
    paths += re.findall(r"`((?:\w+/)+[\w.]*)`", text)
    made = ("runs/", "data/", "dist/")  # by the commands
    for path in paths:
        assert path.startswith(made) or (root / path).exists(), path


@pytest.mark.parametrize("script", ["train", "evaluate", "visualize", "check"])
def test_help_explains(script):
    ended = subprocess.run(
        [sys.executable, f"base_code/{script}.py", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0 and "usage:" in ended.stdout and len(ended.stdout) > 300


def test_the_instructors_commands_are_those_of_the_readme():
    help_text = subprocess.run(
        [sys.executable, "-m", "autograder", "--help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    commands = re.findall(r"python -m autograder (\w+)", (ROOT / "README.md").read_text())
    assert commands and all(f"\n    {command}" in help_text for command in commands)
