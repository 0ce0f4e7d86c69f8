"""python base_code/lab.py NAME: tables and pictures from the student's functions, and what is not finished yet."""

import pytest
from PIL import Image, ImageChops, ImageSequence

import lab
from helpers.commands import ROOT, SOLUTION
from studies import hierarchical, runs
from studies.estimators import dreg, exact, question, signal_to_noise
from studies.importance import log_p, posterior, rare_event, vaes

DONE = ("--file", ROOT / "solutions/labs/importance.py", "--model", ROOT / SOLUTION)


@pytest.fixture
def small(monkeypatch):
    """Fewer draws and short trainings, on the digits."""
    for module, name, value in (
        (rare_event, "NUMBERS", (100, 1_000)),
        (rare_event, "REPETITIONS", 2),
        (rare_event, "PILOT", 5_000),
        (log_p, "WIDTHS", (2, 3)),
        (log_p, "NUMBERS", (10, 100)),
        (log_p, "REPETITIONS", 2),
        (vaes, "EPOCHS", {"digits": 6}),
        (vaes, "POINTS", 61),
        (posterior, "POINTS", 61),
        (vaes, "dataset", lambda: "digits"),
        (exact, "DRAWS", 100),
        (exact, "NUMBERS", (1, 64)),
        (signal_to_noise, "DRAWS", 4),
        (signal_to_noise, "EPOCHS", {"digits": 1}),
        (signal_to_noise, "dataset", lambda: "digits"),
        (question, "DATA", ("digits",)),
        (question, "STAGES", 2),
        (question, "TRAINED", 100),
        (question, "TESTED", 5),
        (dreg, "NUMBERS", (1, 2)),
        (dreg, "TRAINED", 200),
        (dreg, "TESTED", 5),
        (dreg, "EPOCHS", 2),
        (dreg, "dataset", lambda: "digits"),
        (hierarchical.runs, "EPOCHS", {"digits": 2}),
        (hierarchical.runs, "WATCHED_EPOCHS", {"digits": 6}),
        (hierarchical.runs, "SIZES", {"hidden": (20,), "d_latent": 4}),
        (hierarchical.units, "NUMBERS", (1, 5)),
        (runs, "dataset", lambda: "digits"),
        (hierarchical.units, "dataset", lambda: "digits"),
        (hierarchical.components, "dataset", lambda: "digits"),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.mark.slow
def test_all_parts_of_a_finished_file(small, run_lab):
    pictures = ("rare_event.png", "factors.png", "log_p.png", "posterior.png", "posterior.gif")
    ended, _ = run_lab("importance", *DONE, makes=pictures)
    assert "P(more than 70 days) = 3.2115e-05; mean duration 18.2101 days" in ended.out


@pytest.mark.slow
def test_all_parts_of_the_estimators(small, run_lab):
    pictures = ("exact.png", "signal_to_noise.png", "question.png", "dreg.png")
    run_lab("estimators", "--file", ROOT / "solutions/labs/estimators.py", makes=pictures)


@pytest.mark.slow
def test_all_parts_of_two_layers(small, run_lab):
    """The animation has a frame of each moment, and the samples change from one to the next."""
    pictures = ("components.png", "units.png", "images.png", "images.gif")
    _, out = run_lab("hierarchical", "--file", ROOT / "solutions/labs/hierarchical.py", makes=pictures)
    with Image.open(out / "images.gif") as animation:
        frames = [frame.convert("L") for frame in ImageSequence.Iterator(animation)]
    assert len(frames) == runs.MOMENTS
    assert all(ImageChops.difference(*pair).getbbox() for pair in zip(frames, frames[1:]))


@pytest.mark.slow
def test_a_part_that_is_not_finished_says_which_todo_and_the_others_go_on(command, small, tmp_path):
    text = (ROOT / "solutions/labs/importance.py").read_text()
    text += "\ndef resample(log_w, z, u):\n    raise NotImplementedError('TODO 3: draw again')\n"
    (tmp_path / "importance.py").write_text(text)
    given = ("--file", tmp_path / "importance.py", "--model", ROOT / SOLUTION, "--out", tmp_path / "out")
    ended = command(lab, "importance", *given)
    assert ended.status == 1 and ended.err.splitlines()[-1] == "not yet: TODO 3: draw again"
    assert (tmp_path / "out" / "log_p.png").exists() and not (tmp_path / "out" / "posterior.png").exists()


def test_a_stub_is_told_its_first_todo(command, tmp_path):
    ended = command(lab, "importance", "--part", "rare-event", "--out", tmp_path / "out")
    assert ended.status == 1 and ended.err.startswith("not yet: TODO 1: ")


def test_an_unfinished_core_is_told_apart_from_the_lab(command, small, tmp_path):
    lab_file = ("--file", ROOT / "solutions/labs/importance.py")
    ended = command(lab, "importance", "--part", "log-p", *lab_file, "--out", tmp_path / "out")
    assert ended.status == 1
    assert ended.err.startswith("not yet: base_code/model.py, which is trained here, has TODO 2: ")


def test_a_part_that_there_is_not_is_told_before_anything_is_written(command, tmp_path):
    ended = command(lab, "importance", "--part", "posteriors", "--out", tmp_path / "out")
    assert ended.status == 1 and "rare-event, log-p, posterior" in ended.err and not (tmp_path / "out").exists()
