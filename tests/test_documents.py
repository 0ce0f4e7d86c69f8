"""What the documents state: figures come from files, and every path and link inside the project leads somewhere."""

import argparse
import json
import math
import re
import subprocess
import sys

import pytest
import torch

import settings
import speed_table
import train
from autograder.assignments.iwae import ASSIGNMENT
from autograder.assignments.iwae import figures as reference
from autograder.assignments.iwae.misconceptions import MISCONCEPTIONS
from decks import Deck, names
from helpers.commands import ROOT

HANDOUT = ROOT / "assignment" / "README.md"
DOCUMENTS = {  # and the folder from which their links start
    "README.md": ".",
    "CHANGELOG.md": ".",
    "CONTRIBUTING.md": ".",
    "base_code/README.md": ".",  # stands at the root of the students' zip
    "assignment/README.md": "assignment",
    "assignment/hints.md": "assignment",
    "assignment/labs/importance.md": "assignment/labs",
    "assignment/labs/importance-hints.md": "assignment/labs",
    "assignment/labs/pixels.md": "assignment/labs",
    "assignment/labs/pixels-hints.md": "assignment/labs",
    "assignment/labs/hierarchical.md": "assignment/labs",
    "assignment/labs/hierarchical-hints.md": "assignment/labs",
    "assignment/labs/estimators.md": "assignment/labs",
    "assignment/labs/estimators-hints.md": "assignment/labs",
    "assignment/iwae/iwae.ipynb": "assignment/iwae",
    "slides/README.md": "slides",
    **{deck.source.relative_to(ROOT).as_posix(): f"slides/{deck.name}" for deck in map(Deck, names())},
}


def test_readmes_table_is_made_from_the_reference():
    readme = (ROOT / "README.md").read_text()
    assert readme == reference.readme_with_table(readme)


def test_readmes_speed_table_is_made_from_the_results():
    readme = (ROOT / "README.md").read_text()
    results = json.loads(speed_table.RESULTS.read_text())
    assert readme == speed_table.readme_with_table(readme, results)


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


def test_feedback_points_to_sections_of_the_handout():
    sections = {re.match(r"handout and slides, ([^;]+)", entry.read)[1] for entry in MISCONCEPTIONS}
    assert len(sections) >= 6
    assert sections <= set(re.findall(r"^## (.+)$", HANDOUT.read_text(), re.MULTILINE))


def test_the_handouts_points_are_those_of_the_autograder():
    rows = re.findall(r"^\| (TODO \d|the trained models) \|.*\| (\d+) \|$", HANDOUT.read_text(), re.MULTILINE)
    points = {name: int(number) for name, number in rows}
    expected = {task: sum(checks.values()) for task, checks in ASSIGNMENT.points.items()}
    assert list(points.values()) == list(expected.values())


def test_the_handouts_figures_are_the_references():
    entries = json.loads(reference.REFERENCE.read_text())["results"]
    stated = 0
    for r in entries:
        if (r["data"], r["epochs"], r["tied"]) == ("mnist", reference.FULL_EPOCHS["mnist"], True):
            for figure in (r["train_loss"], r["test_nll"]["100"]):
                assert f"{figure['mean']:.1f} ± {figure['std']:.1f}" in HANDOUT.read_text()
                stated += 1
    assert stated == 4


def test_the_handouts_underflow_is_what_float32_does():
    a = torch.tensor([-300.0, -200.0])
    for value in (torch.log(a.exp().mean() + 1e-7), torch.logsumexp(a, 0) - math.log(2)):
        assert f" {value.item():.3f}" in HANDOUT.read_text()
    assert torch.exp(torch.tensor(-104.0)) == 0 and torch.exp(torch.tensor(89.0)).isinf()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_paths_lead_somewhere(document):
    text = (ROOT / document).read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert all((ROOT / DOCUMENTS[document] / link).exists() for link in links), links
    paths = re.findall(r"(?:python |--model |--requirement )([\w./-]+\.(?:py|txt))", text)
    paths += re.findall(r"`((?:\w+/)+[\w.]*)`", text)
    made = ("runs/", "data/", "dist/", "course/", "students/")  # by the commands
    for path in paths:
        assert path.startswith(made) or any((ROOT / folder / path).exists() for folder in (".", DOCUMENTS[document])), (
            path
        )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_can_be_pasted(document):
    """No comment behind a command, nor between two: cmd.exe and zsh, as delivered, take `#` for an argument."""
    text = (ROOT / document).read_text()
    if document.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    commands = re.findall(r"^    (?:\w|\.|#).*$", text, re.MULTILINE)
    assert not [command for command in commands if re.search(r"(^|\s)#", command)]


def test_the_documents_use_the_names_that_runs_get(monkeypatch):
    """Each runs/NAME of a student's document is what one of its train.py commands makes by itself."""
    monkeypatch.setattr(train, "ROOT", ROOT / "nowhere")
    for document in ("base_code/README.md", "assignment/README.md", "assignment/iwae/iwae.ipynb"):
        text = (ROOT / document).read_text()
        made = {"runs/", "runs/notebook"}
        for options in re.findall(r"base_code/train\.py([^`\n\\]*)", text):
            parser = argparse.ArgumentParser(add_help=False)
            settings.add_settings(parser, settings.chosen_model({}))
            given = vars(parser.parse_known_args(options.split())[0])
            for data in ("mnist", "digits"):
                made.add("runs/" + train.free_folder(settings.complete(given, data)).name)
        named = set(re.findall(r"runs/[\w-]*", text))
        assert named <= made, named - made


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
