"""python -m autograder table: its rows, the paired differences, and that a call goes on where one was stopped."""

import json

import numpy as np
import pytest

from autograder.assignments.hierarchical import figures, table
from cli import ROOT, UserError

TINY = {"epochs": 1, "data": "digits", "k": 10, "images": 20, "workers": 1}


def test_the_rows_are_the_published_ones_and_with_one_sample_the_bounds_are_one():
    rows = figures.rows()
    assert rows.keys() == table.PUBLISHED.keys()
    assert all(tuple(sorted(runs)) == table.COLUMNS for runs in rows.values())
    for layers in ("1 layer", "2 layers"):
        assert rows[f"IWAE, {layers}"][1] is rows[f"VAE, {layers}"][1]
    assert {title for pair in table.PAIRS for title in pair} <= rows.keys()
    assert len({run.name for runs in rows.values() for run in runs.values()}) == 16


def result(nll, images=4):
    made = {"nll": nll, "standard_error": 1.0, "epochs": 30, "train_loss": nll, "train_seconds": 9, "test_seconds": 1}
    made |= {"k": 5000, "images": images, "active": {"z": 3}, "units": {"z": 50}, "seed": 0, "preset": "paper-short"}
    return made | {"device": "x86_64 cpu", "versions": {"torch": "2", "python": "3"}, "date": "2026-01-01T00:00:00"}


@pytest.fixture
def work(tmp_path):
    """A folder with three runs, two of them on the same images."""
    log_p = np.array([-90.0, -80.0, -100.0, -70.0])
    for name, numbers in (
        ("vae-1-layer-k1", log_p),
        ("iwae-1-layer-k5", log_p + [1.0, 2.0, 1.0, 2.0]),
        ("iwae-1-layer-k50", log_p[:2] + 3),
    ):
        (tmp_path / name).mkdir()
        table.write_result(tmp_path / name, result(-numbers.mean(), len(numbers)), {"log_p": numbers})
    return tmp_path


def test_differences_are_paired_over_the_same_images(work):
    table.write(work, figures.rows())
    (row,) = json.loads((work / "table.json").read_text())["differences"]
    assert row["pair"] == "IWAE, 1 layer, k = 5 against k = 1" and row["nats"] == 1.5
    assert row["standard_error"] == pytest.approx(np.std([1, 2, 1, 2], ddof=1) / 2)


def test_the_table_has_ours_beside_the_published(work):
    text = table.write(work, figures.rows())
    assert "| **IWAE, 1 layer** | 30 | 85.00 ± 1.00 | 83.50 ± 1.00 | 82.00 ± 1.00 |" in text
    assert "| Burda et al., 2015 | 3280 | 86.76 | 85.54 | 84.78 |" in text
    assert (work / "table.md").read_text() == text and len((work / "table.csv").read_text().splitlines()) == 5


@pytest.mark.slow
def test_a_call_trains_measures_and_goes_on(tmp_path, capsys):
    work = tmp_path / "table"
    figures.measure_table(work, only=("conditional-iwae-k1",), **TINY)
    found = work / "conditional-iwae-k1" / "result.json"
    first = json.loads(found.read_text())
    assert first["images"] == 20 and 0 <= first["accuracy"] <= 1 and first["units"] == {"z": 50}
    arrays = np.load(found.with_name("log_p.npz"))
    assert arrays["log_p"].shape == arrays["log_p_without_labels"].shape == (20,)
    assert (arrays["log_p_without_labels"] <= arrays["log_p_given_y"].max(0)).all()
    figures.measure_table(work, only=("conditional-iwae-k1",), **TINY)
    assert json.loads(found.read_text()) == first, "what is done is not done again"
    figures.measure_table(work, only=("conditional-iwae-k1",), **{**TINY, "images": None})
    assert json.loads(found.read_text())["images"] == 300
    with pytest.raises(UserError, match="1 of 1 runs failed"):
        figures.measure_table(work, only=("conditional-iwae-k1",), **{**TINY, "epochs": 2})
    assert "begun with other settings" in capsys.readouterr().err


MEASURED = json.loads((ROOT / "solutions" / "labs" / "hierarchical-table.json").read_text())
HANDOUT = (ROOT / "assignment" / "labs" / "hierarchical.md").read_text(encoding="utf-8")


def gains(first, second, *ks):
    """(nats, standard error) by which the first row is better than the second, for each k."""
    found = {row["pair"]: (row["nats"], row["standard_error"]) for row in MEASURED["differences"]}
    return [found[f"{first}, against {second}, k = {k}"] for k in ks]


@pytest.mark.parametrize(
    "first, second, ks",
    [
        ("IWAE, 1 layer", "VAE, 1 layer", (5, 50)),
        ("VAE, 2 layers", "VAE, 1 layer", (1, 5, 50)),
        ("IWAE, 2 layers", "IWAE, 1 layer", (1, 5, 50)),
        ("DReG, 1 layer", "IWAE, 1 layer", (5, 50)),
        ("conditional IWAE", "IWAE, 1 layer", (1, 5, 50)),
    ],
)
def test_the_paper_s_orders_hold_in_what_was_measured(first, second, ks):
    assert all(nats > 2 * error for nats, error in gains(first, second, *ks))


def test_more_samples_are_better_in_every_row():
    rows = [row for row in MEASURED["differences"] if "against k =" in row["pair"]]
    assert len(rows) == 12 and all(row["nats"] > 2 * row["standard_error"] for row in rows)


def test_labels_gain_more_than_the_label_that_they_tell():
    unknown = [row for row in MEASURED["differences"] if "label unknown" in row["pair"]]
    assert len(unknown) == 3 and all(row["nats"] > 2 * row["standard_error"] for row in unknown)


def test_the_handout_s_table_is_what_was_measured():
    for title, (papers, reproduction) in table.PUBLISHED.items():
        results = [MEASURED["rows"][title][str(k)] for k in table.COLUMNS]
        cells = [f"{r['nll']:.2f} ({published:.2f})" for r, published in zip(results, papers or reproduction)]
        assert f"| {title} | {' | '.join(cells)} |" in HANDOUT
        assert {(r["k"], r["images"], r["epochs"], r["preset"]) for r in results} == {(5000, 10_000, 70, "paper-short")}
        assert all(0.225 < r["standard_error"] < 0.245 for r in results)
        if papers:
            assert all(r["nll"] - published < 5 for r, published in zip(results, papers))
