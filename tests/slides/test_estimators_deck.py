"""The deck of the lab `estimators`: its length, and its numbers, which are those measured."""

import json
import math

import pytest

from cli import ROOT
from helpers.decks import DeckText, plain

TEXT = DeckText("estimators")
NUMBERS = TEXT.numbers
OBJECTIVES = {"bound, eq. 14": "iwae", "not stopped": "not stopped", "STL": "stl", "**DReG**": "dreg"}
# Slide: what it states, on the slide or in its notes, as a form that is filled from numbers.json.
QUOTES = {
    "The divergence in closed form": [
        "log w = log p(x) = {closed_form[log_p]:.3f} for every z",
        "{closed_form[posterior][closed][value][sd]:.3f} in the closed form's",
        "at our q: {closed_form[start][sampled][mu][sd]:.3f} plain, {closed_form[start][closed][mu][sd]:.3f} in closed",
        "noise of the three, {closed_form[start][stopped][mu][sd]:.3f},",
    ],
    "Signal to noise": [
        "Lines: {ratios[draws]:,} draws",
        "gradient of log p(x), {ratios[of_log_p]:.3f}; for k = 1 it is {ratios[exact][k_1][decoder][mean]:.3f}",
        "ratio is {ratios[exact][k_1][encoder][ratio]:.2f} for k = 1 and {ratios[k_64][encoder][ratio]:.2f} for k = 64",
        "the decoder's {ratios[exact][k_1][decoder][ratio]:.2f} and {ratios[k_64][decoder][ratio]:.2f}.",
    ],
    "Groups of samples": ["64 groups of 1 its mean is {groups[64x1][decoder][mean]:.2f} and has the wrong sign"],
    "A convex combination": [
        "encoder's ratio: {convex[beta_0][encoder]:.2f} for $\\beta = 0$, {convex[beta_0.05][encoder]:.2f} for",
        "$\\beta = 0.05$, {convex[beta_0.5][encoder]:.2f} for $\\beta = 0.5$",
        "The gap at beta = 0.05 is {convex[beta_0.05][gap]:.2f} nats",
    ],
    "A pair of objectives": ["on average {pair[added up]:.2f} in place of {pair[piwae]:.2f}"],
    "Equation 14 and the stop-gradient": [
        "it goes down to {equation_14[not stopped][least]:.2f}, for a sample 2.4 nats poorer",
        "up to {equation_14[not stopped][most]:.2f}.",
    ],
    "A question, and what was missed": [
        "i = 0 to 4: {asked[epochs]} epochs",
        "ran on {asked[images]:,} images of Omniglot",
        "of {asked[tested]} test images",
        "VAE: {asked[vae][nll]:.2f} nats",
        "the bound {asked[iwae][minus_vae]:.2f} ± {asked[iwae][error]:.2f}",
        "stopped {asked[iwae-eq14][minus_vae]:.2f} ± {asked[iwae-eq14][error]:.2f}",
        "not stopped {asked[not stopped][minus_vae]:.2f} ± {asked[not stopped][error]:.2f}",
    ],
    "Sticking the landing": ["under the posterior, {bias[limit]:.3f}, which"],
    "The doubly reparameterized gradient": [
        "at k = 64: plain {dreg[measured][iwae][k_64][ratio]:.2f}, DReG {dreg[measured][dreg][k_64][ratio]:.2f}.",
    ],
    "On MNIST": [
        "ten test images, {trained[draws]} draws",
        "{trained[epochs]} epochs, {trained[tested]:,} test images",
        "wins by {trained[gains][k_1][nats]:.2f}, {trained[gains][k_5][nats]:.2f} and "
        "{trained[gains][k_50][nats]:.2f} nats for k = 1, 5 and 50",
        "took {trained[times][k_1]:.2f}, {trained[times][k_5]:.2f} and {trained[times][k_50]:.2f} times as long",
    ],
    "Common mistakes": [
        "| {mistakes[kl.reversed]:.4f} | {mistakes[gaussian_kl]:.4f} |",
        "| {mistakes[miwae.swapped]:.4f} | {mistakes[miwae_objective]:.4f} |",
        "| {mistakes[ciwae.swapped]:.4f} | {mistakes[ciwae_objective]:.4f} |",
        "| {mistakes[piwae, both backward]:.4f} | {mistakes[piwae_objectives]:.4f} |",
        "| {mistakes[weighted.not_detached]:.4f} | {mistakes[weighted_objective]:.4f} |",
        "| {mistakes[dreg.stl]:.4f} | {mistakes[dreg_objective]:.4f} |",
        "| {mistakes[stopped.nothing]:.4f} | {mistakes[dreg_objective]:.4f} |",
        "| {mistakes[ratio.standard_error]:.4f} | {mistakes[signal_to_noise]:.4f} |",
    ],
}


def test_the_deck_is_short():
    assert 10 <= len(TEXT.slides) <= 14


@pytest.mark.parametrize("title", QUOTES)
def test_numbers_are_those_measured(title):
    TEXT.states(title, QUOTES[title])


def test_the_signal_of_the_encoder_falls_faster_than_its_noise():
    first, last = (NUMBERS["ratios"][k]["encoder"] for k in ("k_1", "k_64"))
    signal, noise = first["mean"] / last["mean"], first["sd"] / last["sd"]
    assert f"signal falls to 1/{signal:.0f}, its noise to 1/{noise:.1f}." in plain(TEXT.slides["Signal to noise"])


def test_lines_of_draws_pass_through_the_exact_crosses():
    """Within four standard errors of the mean of the draws."""
    found = NUMBERS["ratios"]
    for k, parts in found["exact"].items():
        for part, one in parts.items():
            assert abs(found[k][part]["mean"] - one["mean"]) < 4 * one["sd"] / found["draws"] ** 0.5


def test_the_closed_form_is_quieter_in_the_gradients_and_louder_in_the_value():
    for place in (NUMBERS["closed_form"]["start"], NUMBERS["closed_form"]["posterior"]):
        noise = {way: [place[way][part]["sd"] for part in ("value", "mu", "sigma")] for way in place}
        assert noise["closed"][0] > noise["sampled"][0] + 0.1
        assert all(s < c < p for p, c, s in list(zip(noise["sampled"], noise["closed"], noise["stopped"]))[1:])
        for part in ("value", "mu", "sigma"):
            assert len({round(place[way][part]["mean"], 8) + 0 for way in place}) == 1
    assert max(part["sd"] for part in NUMBERS["closed_form"]["posterior"]["stopped"].values()) < 1e-12


def test_expected_gradients_are_those_of_the_table():
    slide = TEXT.slides["The doubly reparameterized gradient"]
    expected = NUMBERS["dreg"]["expected"]
    for label, name in OBJECTIVES.items():
        assert f"| {label} | " + " | ".join(f"{expected[name][f'k_{k}']:.4f}" for k in (1, 2, 3)) + " |" in slide
    assert all(math.isclose(expected["iwae"][k], expected["dreg"][k], rel_tol=2e-6) for k in expected["iwae"])


def test_what_the_missing_stop_costs():
    found = NUMBERS["asked"]
    cost = found["not stopped"]["nll"] - found["iwae-eq14"]["nll"]
    gains = [found[name]["minus_vae"] for name in ("iwae", "iwae-eq14", "not stopped")]
    stated = "the bound {:.2f} nats, stopped {:.2f}, not stopped {:.2f}. The mistake costs {:.2f}:".format(*gains, cost)
    assert stated in plain(TEXT.slides["A question, and what was missed"])


def test_how_far_stl_is_off():
    times = NUMBERS["bias"]["stl"]["k_64"] / NUMBERS["bias"]["iwae"]["k_64"]
    assert f"at $k = 64$ the mean is {times:.0f} times the bound's" in TEXT.slides["Sticking the landing"]


def test_what_is_told_of_trained_networks():
    slide, trained = TEXT.slides["On MNIST"], NUMBERS["trained"]
    table = json.loads((ROOT / "solutions" / "labs" / "hierarchical-table.json").read_text())
    for name, row in trained["nll"].items():
        assert f"| {name} | " + " | ".join(f"{row[f'k_{k}']:.2f}" for k in (1, 5, 50)) + " |" in slide
        assert [table["rows"][f"{name}, 1 layer"][k]["nll"] for k in ("1", "5", "50")] == list(row.values())
    stl, dreg = (trained["ratios"][name]["encoder"] for name in ("STL", "DReG"))
    apart = (
        f"ratio is {stl['ratio'] / dreg['ratio']:.1f} times DReG's, and its mean {stl['signal'] / dreg['signal']:.1f}"
    )
    assert apart in plain(slide)
    assert all(gain["nats"] > 4 * gain["error"] for gain in trained["gains"].values())


@pytest.mark.parametrize("name", ["closed_form", "equation_14", "landing", "mistakes"])
def test_numbers_that_need_no_training_are_measured_again(name):
    TEXT.measures_again(name)
