"""The deck of the lab `hierarchical`: its length, and its numbers, which are those measured."""

import pytest

from autograder.assignments.hierarchical import table
from helpers.decks import DeckText, plain

TEXT = DeckText("hierarchical")
NUMBERS = TEXT.numbers
TURNED = "orders[IWAE, 2 layers; VAE, 2 layers]"  # the one order that does not hold
# Slide: what it states, on the slide or in its notes, as a form that is filled from numbers.json.
QUOTES = {
    "A prior that is learned": [
        "z1 of {prior[images]:,} test images",
        "the left cloud is {prior[q]:.1f} nats from one with independent units, the middle one {prior[p]:.1f}, "
        "the right one {prior[independent]:.1f}.",
    ],
    "Is the mean weight p(x)?": [
        "$\\log p(x) = {evidence[exact]:.3f}$ by an integral",
        "| right | **{evidence[right][limit]:.3f}** | {evidence[right][one]:.3f} |",
        "| no $q(z_2 \\mid z_1)$ | {evidence[two.no_q_z2][limit]:.3f} | {evidence[two.no_q_z2][one]:.3f} |",
        "| {evidence[two.standard_for_z1][limit]:.3f} | {evidence[two.standard_for_z1][one]:.3f} |",
        "| {evidence[two.p_z1_at_mean][limit]:.3f} | {evidence[two.p_z1_at_mean][one]:.3f} |",
        "| *{evidence[two.z2_of_mean][limit]:.3f}* | {evidence[two.z2_of_mean][one]:.3f} |",
        "has the probability {evidence[P]:.2f}.",
    ],
    "From the top down": [
        "| between $z_2$ | {ancestral[variance][z2]:.0%} |",
        "| between $z_1$, given $z_2$ | {ancestral[variance][z1]:.0%} |",
        "| the pixels' own noise | {ancestral[variance][pixels]:.0%} |",
    ],
    "Samples and the mean function": [
        "The images vary {samples[lost]:.0%} less:",
        "over {samples[images]:,} images, added up",
    ],
    "What a label is worth": [
        "Label known: **{label_worth[given]:.2f}**; averaged over: **{label_worth[unknown]:.2f}**;",
        "classifies: {label_worth[accuracy]:.1%} of {label_worth[images]:,} images.",
        "{label_worth[samples]} samples for each label. The difference is {label_worth[worth]:.2f} nats on average and "
        "{label_worth[median]:.2f} in the median",
    ],
    "Active units": [
        "has {units[rescaled][after]} active units of $z_1$ in the place of {units[rescaled][before]}.",
        "by {units[rescaled][factor]}, divide",
        "counts {units[k_1][z2]}, {units[k_5][z2]} and {units[k_20][z2]} of 20 units of z2",
        "above 0.1 are {units[k_1][z2_above_0.1]}, {units[k_5][z2_above_0.1]} and {units[k_20][z2_above_0.1]}.",
    ],
    "Principal components": [
        "of {components[images]:,} test images, from {components[samples]} weighted samples each",
        "hold {components[z1][share]:.0%} of the variance in z1 and {components[z2][share]:.0%} in z2",
        "{components[neighbours]} nearest neighbours",
        "from the plane alone {components[z1][plane]:.0%} and {components[z2][plane]:.0%}",
        "from all units {components[z1][all]:.0%} and {components[z2][all]:.0%}.",
    ],
    "The paper's table": [
        "{paper_table[runs]} trainings, {paper_table[images]:,} test images, $k$ = {paper_table[k]}.",
        "after {paper_table[epochs]} epochs",
    ],
    "Which orders hold": [
        "at $k$ = 5 by 0.06 nats, at 50 by 0.37.",
        f"{{{TURNED}[k_5][nats]:.3f}} ± {{{TURNED}[k_5][error]:.3f}} and",
        f"and {{{TURNED}[k_50][nats]:.3f}} ± {{{TURNED}[k_50][error]:.3f}}",
        f"paper has {{{TURNED}[k_5][published]:+.2f}} and {{{TURNED}[k_50][published]:+.2f}}.",
        "{orders[unknown][k_1]:.2f}, {orders[unknown][k_5]:.2f} and {orders[unknown][k_50]:.2f} nats are left of "
        "{orders[conditional IWAE; IWAE, 1 layer][k_1][nats]:.2f}, "
        "{orders[conditional IWAE; IWAE, 1 layer][k_5][nats]:.2f} and "
        "{orders[conditional IWAE; IWAE, 1 layer][k_50][nats]:.2f}.",
    ],
    "Common mistakes": [
        "| {mistakes[two.standard_for_z1]:.1f} | {mistakes[log_weights]:.1f} |",
        "| {mistakes[two.no_q_z2]:.1f} | {mistakes[log_weights]:.1f} |",
        "| {mistakes[two.no_p_z1]:.1f} | {mistakes[log_weights]:.1f} |",
        "| {mistakes[two.no_q]:.1f} | {mistakes[log_weights]:.1f} |",
        "| {mistakes[activity.second_moment][0]:.3f} | {mistakes[activity][0]:.3f} |",
        "| {mistakes[activity.standard_deviation][2]:.3f} | {mistakes[activity][2]:.3f} |",
        "| {mistakes[components.standardised][0]:.2f} | {mistakes[principal_components][0]:.2f} |",
        "| {mistakes[components.whitened][0]:.2f} | {mistakes[principal_components][0]:.2f} |",
    ],
}


def test_the_deck_is_short():
    assert 10 <= len(TEXT.slides) <= 14


@pytest.mark.parametrize("title", QUOTES)
def test_numbers_are_those_measured(title):
    TEXT.states(title, QUOTES[title])


def test_the_table_is_the_measured_one():
    slide = plain(TEXT.slides["The paper's table"]).replace("*", "")
    for title in table.PUBLISHED:
        found = NUMBERS["paper_table"][title].values()
        cells = " | ".join(f"{each['nll']:.2f} ({each['published']:.2f})" for each in found)
        assert f"| {title.replace('conditional IWAE', 'conditional: log p(x given y)')} | {cells} |" in slide
        assert all(0.225 < each["error"] < 0.245 for each in found)
        assert all(2 < each["nll"] - each["published"] < 5 for each in found)


def test_every_order_holds_but_that_of_iwae_and_vae_with_two_layers():
    pairs = {name: found for name, found in NUMBERS["orders"].items() if ";" in name}
    for name, found in pairs.items():
        holds = [each["nats"] > 2 * each["error"] for each in found.values()]
        assert not any(holds) if name == "IWAE, 2 layers; VAE, 2 layers" else all(holds)
        assert all(0.025 < each["error"] < 0.045 for each in found.values())
        assert all(each["published"] > 0 for each in found.values())
    worse = pairs["IWAE, 2 layers; VAE, 2 layers"]
    assert (f"{-worse['k_5']['nats']:.2f}", f"{-worse['k_50']['nats']:.2f}") == ("0.06", "0.37")


def test_the_active_units_are_those_counted():
    slide = plain(TEXT.slides["Active units"])
    for title, counts in NUMBERS["units"]["table"].items():
        layer = "z2" if "2 layers" in title else "z"
        cells = " | ".join(str(counts[f"k_{k}"][layer]) for k in table.COLUMNS)
        name = f"$z_2$ of {title}" if layer == "z2" else title
        assert title == "conditional IWAE" or f"| {name} | {cells} |" in slide


def test_another_scale_of_z1_is_the_same_model():
    found = NUMBERS["units"]["rescaled"]
    assert found["change_below"] == 0.01 and found["factor"] == 0.01 and found["after"] < found["before"] / 2


def test_the_mean_weight_is_p_of_x_for_every_q_and_for_the_right_weight_alone():
    found = NUMBERS["evidence"]
    near = {id for id, each in found.items() if isinstance(each, dict) and abs(each["limit"] - found["exact"]) < 1e-5}
    assert near == {"right", "two.z2_of_mean"}


def test_a_label_is_worth_up_to_its_logarithm():
    found = NUMBERS["label_worth"]
    assert found["worth"] == pytest.approx(found["given"] - found["unknown"], abs=1e-3)
    assert found["worth"] < 2.303 and found["median"] == pytest.approx(2.303, abs=0.02)


@pytest.mark.parametrize("name", ["evidence", "paper_table", "orders", "mistakes"])
def test_numbers_that_need_no_training_are_measured_again(name):
    TEXT.measures_again(name)
