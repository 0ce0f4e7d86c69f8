"""The deck of the lab `importance`: its length, and its numbers, which are those measured."""

import pytest

from helpers.decks import DeckText, plain

TEXT = DeckText("importance")
NUMBERS = TEXT.numbers
# Slide: what it states, on the slide or in its notes, as a form that is filled from numbers.json.
QUOTES = {
    "The project": [
        "With mean durations {project[at_the_means]:.0f} days; on average **{project[mean]:.1f}**",
        "once in {project[one_in]:,.0f} projects",
        "with {project[states]} states: P(D > 70) = {project[exact]:.4e}",
    ],
    "The estimate and its error": [
        "| {estimates[plain][hits]:.4%} | {estimates[all × 2][hits]:.1%} | {estimates[all × 4][hits]:.1%} | "
        "{estimates[critical × 4][hits]:.1%} |",
        "| {estimates[plain][relative_sd]:.1f} | {estimates[all × 2][relative_sd]:.1f} | "
        "{estimates[all × 4][relative_sd]:.1f} | {estimates[critical × 4][relative_sd]:.1f} |",
    ],
    "The effective sample size": [
        "| plain | 100% | {estimates[plain][ess_fw]:.3%} |",
        "| all × 2 | {estimates[all × 2][ess_w]:.1%} | {estimates[all × 2][ess_fw]:.2%} |",
        "| all × 4 | {estimates[all × 4][ess_w]:.3%} | {estimates[all × 4][ess_fw]:.3%} |",
        "| critical × 4 | {estimates[critical × 4][ess_w]:.1%} | {estimates[critical × 4][ess_fw]:.2%} |",
        "| each its own | {estimates[each its own][ess_w]:.1%} | **{estimates[each its own][ess_fw]:.1%}** |",
        "common factor is {hit_rates[best_common]:.2f}, the best for the critical path {hit_rates[best_critical]:.2f}",
    ],
    "A defensive mixture": [
        "{mixture[off_the_path][of_the_second_moment]:.0%} of its second moment",
        "{mixture[runs]} runs of {mixture[draws]:,} draws",
        "{mixture[all × 4][below]:.0%} of the runs are too low",
        "cover the truth in {mixture[all × 4][covered]:.0%} of them",
        "a run shows {mixture[critical × 4][scatter]:.1%}, the truth is {mixture[critical × 4][error]:.1%}",
        "(largest: {mixture[critical × 4][largest_weight]:.0f})",
        "(largest met: {mixture[mixture][largest_weight]:.1f})",
    ],
    "log p(x) is a rare event too": [
        "{log_p[D_2][nll]:.2f} nats for D = 2, {log_p[D_10][nll]:.2f} for D = 10, {log_p[D_50][nll]:.2f} for D = 50",
    ],
    "The posterior on a grid": [
        "{posteriors[compared][samples]:,} samples of $q$",
        "for {posteriors[compared][more_than_1_nat]} of {posteriors[compared][images]} images",
        "{posteriors[samples]:,} samples. Image 1",
        "q lies {posteriors[image_1][errors][mu]:.3f} from",
        "the self-normalised mean {posteriors[image_1][errors][estimate]:.3f}",
        "Image 8000: {posteriors[image_8000][errors][mu]:.1f},",
        "and {posteriors[image_8000][errors][estimate]:.1f} after weighting",
        "alone tells, {posteriors[compared][ess]:.1f} of {posteriors[compared][samples]:,}.",
        "log p(x) is {posteriors[compared][grid]:.2f} by the grid and {posteriors[compared][q]:.2f} by q",
        "median error is {posteriors[compared][median]:.3f}",
        "the median ESS {posteriors[compared][median_ess]:,.0f} of {posteriors[compared][samples]:,}",
    ],
    "Self-normalised weights": [
        "its mean is {weighted[truth]:.3f}",
        "{weighted[samples]:,} weighted samples, worth {weighted[effective_sample_size]:,.0f}, resampled",
        "For k = 1 it is {weighted[k_1]:.3f}",
        "for k = 10 it is {weighted[k_10]:.3f}",
    ],
    "Underflow": [
        "as they are | {underflow[naive][0]} | `{underflow[naive][1]}` |",
        "**of all images** | {underflow[one shift][0]} | `{underflow[one shift][1]}` |",
        "| right | {underflow[right][0]} | {underflow[right][1]} |",
    ],
    "Common mistakes": [
        "| {mistakes[duration.sum]:.0f} | {mistakes[project_duration]:.0f} |",
        "| {mistakes[ratio.inverted]:.0f} | {mistakes[importance_mean]:.6f} |",
        "| {mistakes[ratio.no_constant]:.8f} | {mistakes[importance_mean]:.6f} |",
        "| {mistakes[mean.no_weights]:.3f} | {mistakes[importance_mean]:.6f} |",
        "| {mistakes[mean.self_normalised]:.3f} | {mistakes[importance_mean]:.6f} |",
        "| {mistakes[error.binomial]:.3f} | {mistakes[standard_error]:.6f} |",
        "| {mistakes[average.softmax_over_images]:.2f} | {mistakes[posterior_mean]:.2f} |",
        "| {mistakes[grid.no_area]:.3f} | {mistakes[grid_log_posterior]:.3f} |",
        "exceeds 70 days {mistakes[sum_exceeds]:.0f} times as often",
    ],
}


def test_the_deck_is_short():
    assert 8 <= len(TEXT.slides) <= 12


@pytest.mark.parametrize("title", QUOTES)
def test_numbers_are_those_measured(title):
    TEXT.states(title, QUOTES[title])


def test_the_numbers_of_draws_are_told_in_millions():
    draws = {name: each["n_for_1_percent"] / 1e6 for name, each in NUMBERS["estimates"].items()}
    row = " | ".join(f"{draws[name]:.1f} million" for name in ("plain", "all × 2", "all × 4", "critical × 4"))
    assert f"| {row} |" in TEXT.slides["The estimate and its error"]
    slide = plain(TEXT.slides["The effective sample size"])
    assert f"needs {draws['all × 4'] / draws['all × 2']:.1f} times the draws of all × 2" in slide
    assert f"takes {1000 * draws['each its own']:.0f} thousand draws" in slide


def test_how_far_log_p_is_too_low():
    low = {(d, way): -NUMBERS["log_p"][f"D_{d}"][way]["N_10000"]["bias"] for d in (2, 10, 50) for way in ("prior", "q")}
    slide = plain(TEXT.slides["log p(x) is a rare event too"])
    prior, q = ([low[d, way] for d in (2, 10, 50)] for way in ("prior", "q"))
    assert "prior: {:.1f}, {:.0f} and {:.0f} nats too low".format(*prior) in slide
    assert "With $q$: {1:.1f} and {2:.1f} in ten and fifty dimensions; in two {0:.1f}, for".format(*q) in slide


def test_the_image_that_q_misses():
    found = NUMBERS["posteriors"]["compared"]
    off = f"{-found['off']:.0f} nats"
    assert off in TEXT.slides["log p(x) is a rare event too"]
    assert f"*{off}* for image {found['missed']}." in TEXT.slides["The posterior on a grid"]
    assert abs(found["every_tenth"] - found["off"] / 10) < 0.1  # of ten images it has nearly all
    assert found["ess"] < 2
    windows = [each["held"] for name, each in NUMBERS["posteriors"].items() if name.startswith("image_")]
    assert len(windows) == 4 and min(windows) > 0.9999


def test_the_hidden_error_is_as_the_slide_tells():
    """One draw in two million carries most of the second moment; what 300 runs show is far below the truth."""
    found = NUMBERS["mixture"]
    assert 1 / found["off_the_path"]["of_q"] == pytest.approx(2e6, rel=0.2)
    exact = (1 + NUMBERS["estimates"]["critical × 4"]["relative_sd"] ** 2) * NUMBERS["project"]["exact"] ** 2
    assert found["off_the_path"]["second_moment"] == pytest.approx(exact, rel=0.1)  # the sampling finds all of it
    assert found["critical × 4"]["scatter"] < found["critical × 4"]["error"] / 2
    assert found["mixture"]["scatter"] == pytest.approx(found["mixture"]["error"], rel=0.15)
    assert found["mixture"]["largest_weight"] <= 10


@pytest.mark.parametrize("name", ["project", "weighted", "underflow", "mistakes"])
def test_numbers_that_need_no_training_are_measured_again(name):
    TEXT.measures_again(name)
