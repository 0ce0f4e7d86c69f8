"""The demo and the reference command, with fewer epochs: the same code as `make demo`."""

import json

import numpy as np
import pytest
from PIL import Image

from autograder.assignments.iwae import demo
from autograder.assignments.iwae import figures as reference

pytestmark = pytest.mark.slow


def test_the_demo_prints_its_tables_and_draws_its_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "choose", lambda _: "digits")
    monkeypatch.setattr(demo, "EPOCHS", {"digits": 2})
    demo.demo(tmp_path / "demo")
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in ("autoencoder", "VAE", "IWAE"))
    picture = np.asarray(Image.open(tmp_path / "demo" / "comparison.png").convert("L"), dtype=float)
    assert picture.std() > 20
    for name in demo.OBJECTIVES:  # all of it gives way to the next demo
        assert {path.name for path in (tmp_path / "demo" / name).iterdir()} == set(demo.RUN_FILES)
    assert "base_code/model.py: 0 of 80 points" in out
    assert "solutions/model.py: 80 of 80 points" in out


def test_reference_runs_are_kept_and_summarised(tmp_path, monkeypatch):
    experiment = reference.Experiment("digits", "vae", 1, epochs=2, seeds=2)
    monkeypatch.setattr(reference.Experiment, "test_ks", (10, 200))
    runs = [reference.run_one(tmp_path, experiment, seed) for seed in range(2)]
    result = reference.summarise(experiment, runs)
    losses = [run["train_loss"] for run in runs]
    assert result["train_loss"]["values"] == losses and losses[0] != losses[1]
    assert result["train_loss"]["mean"] == sum(losses) / 2
    assert result["test_nll"]["200"]["mean"] < result["test_nll"]["10"]["mean"]
    assert result["epochs"] == 2 and result["batch_size"] == 32
    assert reference.run_one(tmp_path, experiment, 0) == runs[0]  # not trained again
    json.dumps(result)
