"""The lab's handout states numbers that are computed here."""

import re

import torch

from autograder.assignments.importance import ASSIGNMENT, oracles
from cli import ROOT

TEXT = (ROOT / "assignment" / "labs" / "importance.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
COUNT = torch.arange(1.0, 11.0)[None].double()
THETA = torch.tensor([oracles.THETA]).double()


def test_the_table_of_tasks_is_the_files():
    means, waits = (
        [cell.strip() for cell in re.search(rf"^\| {row} \|(.*)\|$", TEXT, re.MULTILINE)[1].split("|")]
        for row in ("mean, days", "waits for")
    )
    assert [float(mean) for mean in means] == ASSIGNMENT.reference.MEANS.tolist()
    assert [tuple(map(int, re.findall(r"\d", before))) for before in waits] == list(ASSIGNMENT.reference.PREDECESSORS)


def test_durations():
    late = torch.ones(1, 10).double()
    late[0, 0] = 70
    found = [oracles.project_duration(t).item() for t in (COUNT, THETA, late)]
    assert found == [30, 15, 74]
    assert "give 30, and the mean durations give 15" in WORDS and "the project takes 74." in WORDS


def test_log_ratios():
    found = [oracles.log_importance_ratio(t, THETA[0], 4 * THETA[0]).item() for t in (THETA, COUNT)]
    assert "it is {:.4f}, and for durations of 1, 2, …, 10 days it is {:.4f}.".format(*found) in WORDS


def test_the_fixed_noise():
    code = re.search(r"((?:    e = .+\n)+)", TEXT)[1]
    names = {"torch": torch}
    exec("\n".join(line.strip() for line in code.splitlines()), names)
    t = 2 * THETA * names["e"]
    duration, log_w = oracles.project_duration(t), oracles.log_importance_ratio(t, THETA[0], 2 * THETA[0])
    *first, last = (f"{d:.1f}" for d in duration.tolist())
    assert f"{', '.join(first)} and {last} days, the first log weight is {log_w[0]:.4f}" in WORDS
    terms = (duration > 40) * log_w.exp()
    by_n_minus_1, by_n = (terms.std(correction=c) / 6**0.5 for c in (1, 0))
    assert f"the estimate {terms.mean():.6f}, and its standard error {by_n_minus_1:.6f} (or {by_n:.6f} with" in WORDS
    size = oracles.effective_sample_size(log_w[:, None]).item()
    assert f"weights of the noise above, as a column `log_w[:, None]`, {size:.4f}" in WORDS


def test_the_table_of_proposals_is_exact():
    p = oracles.tail_probability(70)
    assert f"= {p:.4e}" in WORDS and round(1 / p, -3) == 31_000
    for name, factors in {
        "$p$ itself": (1,) * 10,
        "all means × 2": (2,) * 10,
        "all means × 4": (4,) * 10,
        "the longest path × 4: tasks 0, 1, 3, 9": oracles.critical(4),
    }.items():
        lam = tuple(theta * s for theta, s in zip(oracles.THETA, factors))
        of_q, relative = oracles.tail_probability(70, lam), oracles.standard_deviation(70, factors) / p
        size = 1.0
        for s in factors:
            size *= (2 * s - 1) / s**2
        often = f"{of_q:.2e}" if of_q < 1e-3 else f"{of_q:.5f}"
        assert f"| {name} | {often} | {relative:.1f} | {size:.5f} | {relative**2 / 100:.1f} million |" in TEXT


def test_small_numbers():
    log = torch.tensor([[1.0, 1], [2, 2], [3, 3]]).log()
    assert f"36/14 = {oracles.effective_sample_size(log)[0]:.4f}" in WORDS
    two, z = torch.tensor([[1.0], [3.0]]).double().log(), torch.tensor([[[0.0]], [[1.0]]]).double()
    assert f"give {oracles.posterior_mean(two, z).item():.2f}, with 1000" in WORDS
    densities = oracles.grid_log_posterior(torch.tensor([[1.0], [2], [3], [4]]).log(), 0.5)
    assert f"log 0.8 = {densities.max():.4f}" in WORDS
