"""The deck of the core: its length, and its numbers, which are those measured."""

import json
import re

import pytest
import torch

from autograder.assignments.iwae import ASSIGNMENT
from autograder.assignments.iwae import figures as reference
from helpers.decks import DeckText

TEXT = DeckText("iwae")
BY_TITLE, NUMBERS = TEXT.slides, TEXT.numbers

# Slide: what it states, on the slide or in its notes, as a form that is filled from numbers.json.
QUOTES = {
    "An autoencoder is not a generative model": ["{autoencoder[prior_inside_cube]:.1%}"],
    "Maximum likelihood is intractable": [
        "{prior_sampling[draws]:,} draws",
        "carries {prior_sampling[share_of_the_best]:.0%}",
        "median {prior_sampling[median_log_likelihood][prior]:.0f}",
        "median {prior_sampling[median_log_likelihood][q]:.0f}",
        "effective sample size is {prior_sampling[effective_sample_size]:.1f}",
    ],
    "A rare event": [
        "{rare_event[projects]:,} projects",
        "distribution: {rare_event[exact]:.5f}",
        "{rare_event[repeats]:,} of them",
        "in {rare_event[plain_zero]:.0%}",
        "worth {rare_event[variance_ratio]:.0f} plain ones",
        "measured: {rare_event[measured_variance_ratio]:.0f}",
    ],
    "The ELBO": ["{logarithm[weights][0]} and {logarithm[weights][1]} times", "{logarithm[lost]:.2f} nats too low"],
    "The gap is a KL divergence": [
        "N({elbo_gap[posterior_mean]:.1f}, {elbo_gap[posterior_std]:.3f}^2)",
        "log p(x) = {elbo_gap[log_p]:.2f}, ELBO = {elbo_gap[elbo]:.2f}",
    ],
    "Amortised inference": ["The tie costs {amortisation[tied][gaps][q is tied]:.1f} of"],
    "The Jensen gap is a variance": [
        "single weight is {jensen[relative_variance]:.2f}",
        "(measured {jensen[gap_10]:.3f})",
        "(measured {jensen[gap_100]:.4f})",
        "{jensen[gap_1]:.2f} nats, the KL",
    ],
    "The k-sample bound": ["| {bound[elbo]:.3f} | {bound[L_2]:.3f} | {bound[L_3]:.3f} | {bound[log_p]:.3f} |"],
    "The Gaussian density": [
        "| {density[right][0]:.3f} | {density[right][1]:.2f} |",
        "| {density[no constant][0]:.3f} | {density[no constant][1]:.2f} |",
        "| {density[wrong sign][0]:.3f} | {density[wrong sign][1]:.2f} |",
    ],
    "Underflow": [
        "| `{underflow[naive][0]}` | `{underflow[naive][1][0]}` |",
        "| {underflow[guarded][0]} | (0, 0) |",
        "| {underflow[right][0]} | (0, 1) |",
        "from {log_weights[vae][lowest_log_w]:.0f} to {log_weights[vae][highest_log_w]:.0f}",
    ],
    "Reparameterization": [
        "| {detached[reparameterized][elbo]:.2f} | {detached[reparameterized][gradient]:.2f} (exact: 3.50)",
        "| {detached[detached][elbo]:.2f} | {detached[detached][gradient]:.2f} |",
    ],
    "Samples side by side": [
        "{samples[VAE]:.1f} in the VAE, {samples[IWAE]:.1f} in the IWAE",
        "images have {samples[test images]:.1f}, and the autoencoder's draws {samples[autoencoder]:.1f}",
    ],
    "The test NLL is a bound too": ["{test_nll[iwae][k_1]:.0f} against {test_nll[vae][k_1]:.0f} nats"],
    "The weights of a trained model": [
        "{log_weights[samples]:,} samples",
        "{log_weights[vae][effective_sample_size]:.1f} effective ones in the VAE",
        "{log_weights[iwae][effective_sample_size]:.1f} in the IWAE",
        "is {log_weights[vae][std_log_w]:.0f} nats in the VAE and {log_weights[iwae][std_log_w]:.0f} in the IWAE",
    ],
    "The tied network": [
        "deviation of {tied[untied][std_log_w]:.1f} nats, tied {tied[tied][std_log_w]:.1f}",
        "{amortisation[tied][gaps][q is tied]:.1f} nats were the tie's",
    ],
    "Tighter bounds are not always better": ["{signal_to_noise[repeats]:,} gradients for each k"],
}


def test_the_lecture_has_its_length():
    assert 23 <= len(BY_TITLE) <= 28 and "50 minutes" in TEXT.front


@pytest.mark.parametrize("title", QUOTES)
def test_numbers_are_those_measured(title):
    TEXT.states(title, QUOTES[title])


def test_the_sizes_that_are_told_in_words():
    rare = NUMBERS["rare_event"]
    assert rare["measured_variance_ratio"] == pytest.approx(rare["variance_ratio"], rel=0.1)
    samples, nll, ratios = NUMBERS["samples"], NUMBERS["test_nll"], NUMBERS["signal_to_noise"]
    assert 2.5 < samples["IWAE"] / samples["VAE"] < 3.5  # three times
    assert samples["active units, VAE"] == samples["active units, IWAE"] == 10
    assert [k for k in nll["iwae"] if nll["iwae"][k] < nll["vae"][k]][0] == "k_5"
    assert ratios["encoder_slope"] == pytest.approx(-0.5, abs=0.1)
    assert ratios["decoder_slope"] == pytest.approx(0.5, abs=0.1)
    gaps = {name: each["gaps"] for name, each in NUMBERS["amortisation"].items()}
    total = {name: sum(each.values()) for name, each in gaps.items()}
    assert f"of {total['tied']:.1f} nats" in BY_TITLE["Amortised inference"]
    assert f"{gaps['untied']['q is amortised']:.1f} nats of {total['untied']:.1f}" in BY_TITLE["Amortised inference"]
    exact = (1.5 - 0.5) / 0.5**2 - 0.5
    assert NUMBERS["detached"]["exact"] == exact and f"{exact:.2f}" in BY_TITLE["Reparameterization"]


@pytest.mark.parametrize("name", ["rare_event", "elbo_gap", "jensen", "bound", "underflow", "density", "detached"])
def test_numbers_that_need_no_training_are_measured_again(name):
    TEXT.measures_again(name)


def test_the_ends_of_float32():
    assert torch.exp(torch.tensor(-104.0)) == 0 and torch.exp(torch.tensor(89.0)).isinf()
    assert all(f"`exp({end})`" in BY_TITLE["Underflow"] for end in (-104, 89))


def test_the_table_of_results_is_the_reference():
    slide = BY_TITLE["What to expect"]
    results = {
        (r["objective"], r["tied"]): r
        for r in json.loads(reference.REFERENCE.read_text())["results"]
        if r["data"] == "mnist" and r["epochs"] == 30
    }
    for (objective, tied), r in results.items():
        cells = [r["train_loss"], r["test_nll"]["100"], r["test_nll"]["5000"]]
        cells = [f"{c['mean']:.1f}" + (f" ± {c['std']:.1f}" if c["std"] is not None else "") for c in cells]
        row = ["tied" if tied else "untied", f"{objective.upper()}, k = {r['train_k']}", *cells]
        assert f"| {' | '.join(row)} |" in slide.replace("**", "")
        assert 120 < r["train_seconds"]["mean"] < 390  # two to six minutes
    nll = {key: r["test_nll"]["100"]["mean"] for key, r in results.items()}
    assert f"*{nll['vae', True] - nll['iwae', True]:.0f} nats*" in slide
    assert f"{nll['vae', False] - nll['iwae', False]:.1f} nats remain" in slide


def test_the_points_are_those_of_the_autograder():
    points = re.findall(r"^\| (?:TODO \d|training) .*\| (\d+) \|$", BY_TITLE["What you implement"], re.MULTILINE)
    assert [int(number) for number in points] == [sum(checks.values()) for checks in ASSIGNMENT.points.values()]
