"""The deck of the lab `pixels`: its length, and its numbers, which are those measured."""

import pytest

from autograder.assignments.pixels import oracles
from helpers.decks import DeckText, plain

TEXT = DeckText("pixels")
NUMBERS = TEXT.numbers
# Slide: what it states, on the slide or in its notes, as a form that is filled from numbers.json.
QUOTES = {
    "From a bit to a byte": [
        "in *china* {levels[china][at_255]:.1%} are 255, in *flower* {levels[flower][at_0]:.0%} are 0",
    ],
    "A density is not a probability": [
        "at $\\sigma = 0.01$: {spikes[density][sigma_0.01]:.2f} “bits”; at 0.001: *{spikes[density][sigma_0.001]:.2f}*",
        "its bins: **{spikes[bins][sigma_0.01]:.2f}**",
        "reports {spikes[density][sigma_0.01]:.2f} bits per dimension of",
        "at sigma = 0.1 they are {spikes[noise][sigma_0.1]:.1f}",
    ],
    "A probability for each grey level": [
        "$\\log P(100)$ = {bins[example]:.4f}",
        "At $s = 0.01$: {bins[density_at_0.01]:.0f} and {bins[p_at_0.01]:.2f}",
        "that is log P = {bins[at_1]:.4f}",
    ],
    "The two edges": [
        "the sum is {edges[sum_without]:.4f}; with them it is {edges[sum]:.0f}",
        "the two ends have {edges[s_1000][at_0]:.3f} each",
        "for mu = 250 and s = 30 it is {edges[mean_of_250]:.1f}",
        "mu = 10, s = 4 gives {edges[zero]:.4f}; x = 255, mu = 240, s = 6 gives {edges[last]:.4f}",
        "{in_training[edges]:.1%} of all numbers are 0 or 255",
        "without edges costs {in_training[bits_without_edges]:.2f} more bits per dimension",
    ],
    "Far from the centre": [
        "from {far[lost][above_in_single]} scales on the difference is exactly 0",
        "has plenty of: {far[lost][below_in_single]} scales",
        "{in_training[patches]} of {in_training[of]} test patches hold a number whose difference is 0",
        "to {far[lost][above_in_double]} and {far[lost][below_in_double]} scales",
        "log P = {far[example][value]:.4f}, gradients {far[example][to_mu]:.1f} and {far[example][to_log_s]:.2f}",
    ],
    "Bits per dimension": [
        "| {article[MNIST, binary][stated]} | {article[MNIST, binary][nats]:.3f} |",
        "| **{article[MNIST, binary][bits]:.3f}** | 1 |",
        "| {article[CIFAR-10][stated]} | {article[CIFAR-10][nats]:.3f} | ***{article[CIFAR-10][bits]:.3f}*** |",
        "In bits it is {article[CIFAR-10][bits]:.2f}:",
        "uniform levels have {article[CIFAR-10][uniform_nats]:,.1f} nats",
    ],
    "What it is compared with": [
        "still {codecs[histogram][own_train]:.2f} with china's own training part",
        "({codecs[histogram][own_test]:.2f} with the levels of its test part itself)",
        "PNG of an *empty* patch: {codecs[PNG][constant]:.2f}.",
        "{codecs[PNG][constant]:.2f} bits of PNG's {codecs[PNG, each patch][both]:.2f}",
        "Noise needs {codecs[PNG][noise]:.2f} bits as PNG",
    ],
    "A mixture": [
        "*now and then* two peaks: five need **{weights[gain][mean]:.3f} bits** less",
        "log P is {mixtures[patch_100][M_1]:.1f} by one logistic, {mixtures[patch_100][M_5]:.1f} by five",
        "five are better for {mixtures[five_better]:.0%} of the numbers only",
        "the tenth that gains most gains {mixtures[best_tenth]:.1f} nats each",
        "Patch by patch {weights[gain][mean]:.3f} +- {weights[gain][error]:.3f} bits per dimension less",
        "(Jensen), {mistakes[mixture.mean_of_logs]:.4f} for {mistakes[mixture_log_likelihood]:.4f} on the handout's",
        "the best alone has {mistakes[mixture.best_only]:.4f}",
    ],
    "The weights of a VAE of pixels": [
        "costs {weights[M_1][kl][both]:.2f} and {weights[M_5][kl][both]:.2f} bits per dimension",
        "-2985.11 for every eps",
    ],
    "Drawing grey levels": [
        "by {samples[levels][test]:.1f} levels in the test patches, by {samples[levels][M_5][means]:.1f} in means, "
        "*by {samples[levels][M_5][draws]:.1f} in draws*",
        "with one logistic {samples[levels][M_1][means]:.1f} in means and {samples[levels][M_1][draws]:.1f} in draws",
    ],
    "What was measured": [
        "and an empty file has {codecs[PNG][constant]:.2f}",
        "nats per patch: {weights[M_1][nats][nll]:.1f} and {weights[M_5][nats][nll]:.1f}",
    ],
    "Common mistakes": [
        "| {mistakes[logistic.no_edges]:.3f} | {mistakes[edge]:.3f} |",
        "| {mistakes[logistic.log_variance]:.3f} | {mistakes[inside]:.3f} |",
        "| {mistakes[logistic.density]:.1f} | {mistakes[narrow]:.3f} |",
        "| {mistakes[logistic.epsilon]:.1f} | {mistakes[far]:.1f} |",
        "| {mistakes[bits.nats]:.3f} | {mistakes[bits_per_dim]:.3f} |",
        "| {mistakes[mixture.mean_of_logs]:.3f} | {mistakes[mixture_log_likelihood]:.3f} |",
        "| {mistakes[sample.mirrored]:.0f} | {mistakes[sample_logistic]:.0f} |",
        "| {mistakes[weights.colour_mean]:.1f} | {mistakes[log_weights]:.1f} |",
    ],
}


def test_the_deck_is_short():
    assert 10 <= len(TEXT.slides) <= 14


@pytest.mark.parametrize("title", QUOTES)
def test_numbers_are_those_measured(title):
    TEXT.states(title, QUOTES[title])


def test_the_table_far_from_the_centre():
    rows = NUMBERS["far"]["rows"]
    slide = plain(TEXT.slides["Far from the centre"]).replace("*", "").replace("`", "")
    for name, title in (
        ("log of the difference", "log of the difference"),
        ("log of the difference + 1e-7", "the same + 1e-7"),
        ("yours", "sum of three stable logarithms"),
    ):
        cells = [f"{rows[x][name]['value']}, {rows[x][name]['gradient']}" for x in ("x_140", "x_160", "x_60")]
        assert f"| {title} | {' | '.join(cells)} |".replace("-0.000", "0.000") in slide
    for x in (140, 160, 60):
        value, gradient, _ = oracles.log_probability(float(x), 128.0, 0.0)
        assert rows[f"x_{x}"]["yours"] == {"value": f"{value:.2f}", "gradient": f"{gradient:.3f}"}


def test_the_density_of_narrow_gaussians_is_no_code():
    """It falls by log2 10 = 3.3 bits for each factor of ten; the bins stay at 8, and noise is never below them."""
    found = NUMBERS["spikes"]
    assert found["density"]["sigma_0.01"] - found["density"]["sigma_0.001"] == pytest.approx(3.3219, abs=1e-3)
    assert all(bits == pytest.approx(8, abs=1e-6) for bits in list(found["bins"].values())[:4])
    assert all(found["noise"][name] >= bits for name, bits in found["bins"].items())


def test_how_much_the_vaes_gain():
    table, weights = NUMBERS["table"], NUMBERS["weights"]
    png = [table["PNG, each patch"] - weights[name]["nll"]["both"] for name in ("M_1", "M_5")]
    assert "by {:.2f} and {:.2f} bits, and an empty".format(*png) in plain(TEXT.slides["What was measured"])
    gains = [weights[name]["minus_elbo"]["both"] - weights[name]["nll"]["both"] for name in ("M_1", "M_5")]
    slide = plain(TEXT.slides["The weights of a VAE of pixels"])
    assert "500 samples gain more than that, {:.2f} and {:.2f}:".format(*gains) in slide


def test_how_many_nats_more_than_uniform_levels():
    found = NUMBERS["article"]["CIFAR-10"]
    assert round(-found["log_p"] - found["uniform_nats"], -2) == 3400


def test_hardly_a_batch_is_without_a_lost_number():
    found = NUMBERS["in_training"]
    assert (1 - found["patches"] / found["of"]) ** 64 < 0.01


def test_twice_the_bits():
    for name in ("PNG, each photograph", "WebP, each patch", "WebP, each photograph"):
        found = NUMBERS["codecs"][name]
        assert found["china"] / found["flower"] == pytest.approx(2, rel=0.3)


def test_the_parts_of_the_bits():
    slide = plain(TEXT.slides["The weights of a VAE of pixels"])
    for components, title in ((1, "one logistic"), (5, "five logistics")):
        found = {name: each["both"] for name, each in NUMBERS["weights"][f"M_{components}"].items() if name != "nats"}
        assert found["minus_log_p_x_given_z"] + found["kl"] == pytest.approx(found["minus_elbo"], abs=1e-6)
        cells = [f"{found[name]:.3f}" for name in ("minus_log_p_x_given_z", "kl", "minus_elbo", "nll")]
        assert f"| {title} | {' | '.join(cells)} |" in slide


@pytest.mark.parametrize("name", ["levels", "bins", "edges", "article", "mistakes"])
def test_numbers_that_need_no_training_are_measured_again(name):
    TEXT.measures_again(name)
