"""The lab's oracles: against simulation, by-hand numbers and a second derivation; and the solution against them."""

import pytest
import torch

from autograder.assignments.importance import ASSIGNMENT, oracles
from autograder.assignments.importance.checks import LIMIT, N_DRAWS, many_projects

SOLUTION = ASSIGNMENT.reference
PLAIN = (1.0,) * 10


def test_the_oracles_have_the_project_of_the_students_file():
    assert torch.equal(SOLUTION.MEANS, torch.tensor(oracles.THETA).float())
    steps = {(path[i] - 1, path[i + 1] - 1) for path in oracles.PATHS for i in range(len(path) - 1)}
    assert steps == {(before, task) for task, tasks in enumerate(SOLUTION.PREDECESSORS) for before in tasks}


@pytest.mark.parametrize("days, probability", [(15, 0.628139314), (30, 0.0670203699), (50, 0.00159182479)])
def test_the_markov_chain_agrees_with_simulation(days, probability):
    """And with an earlier derivation of ours by uniformisation, to its digits."""
    assert oracles.tail_probability(days) == pytest.approx(probability, rel=1e-8)
    late = oracles.project_duration(oracles.draws(200_000, PLAIN, seed=0)[0]) > days
    assert late.double().mean().item() == pytest.approx(probability, abs=4 * (probability / 200_000) ** 0.5)


def test_the_rare_event_is_rare():
    assert oracles.tail_probability(70) == pytest.approx(3.211525481e-05, rel=1e-8)


@pytest.mark.parametrize("factors", [(2.0,) * 10, oracles.critical(2.0)])
def test_the_second_moment_agrees_with_simulation(factors):
    """For a milder event, where the moment's own estimate is good."""
    t, theta, lam = oracles.draws(400_000, factors, seed=1)
    squares = ((oracles.project_duration(t) > 30) * oracles.log_importance_ratio(t, theta, lam).exp()).square()
    error = squares.std().item() / len(t) ** 0.5
    assert oracles.second_moment(30, factors) == pytest.approx(squares.mean().item(), abs=4 * error)


def test_plain_sampling_has_the_variance_of_a_proportion():
    p = oracles.tail_probability(70)
    assert oracles.standard_deviation(70, PLAIN) == pytest.approx((p * (1 - p)) ** 0.5)


def test_no_factor_near_the_best_is_better():
    best = oracles.standard_deviation(70, oracles.BEST)
    assert best / oracles.tail_probability(70) == pytest.approx(3.936, abs=1e-3)
    for task in range(10):
        for change in (0.99, 1.01):
            near = tuple(s * (change if i == task else 1) for i, s in enumerate(oracles.BEST))
            assert oracles.standard_deviation(70, near) > best


def test_the_noise_of_the_checks_is_no_unlucky_one():
    t, theta, lam, exact, tolerance = many_projects()
    found = ((oracles.project_duration(t) > 70) * oracles.log_importance_ratio(t, theta, lam).exp()).mean().item()
    assert len(t) == N_DRAWS and abs(found - exact) < tolerance / LIMIT
    assert tolerance < exact / 2  # what forgets the weights is off by thousands of that


def test_the_solution_agrees_with_the_oracles():
    t, theta, lam = oracles.draws(100, oracles.BEST, seed=2)
    torch.testing.assert_close(SOLUTION.project_duration(t), oracles.project_duration(t))
    found = SOLUTION.log_importance_ratio(t, theta, lam)
    torch.testing.assert_close(found, oracles.log_importance_ratio(t, theta, lam))
    log_w, z, u = 3 * torch.randn(7, 5).double(), torch.randn(7, 5, 3).double(), torch.rand(9, 5).double()
    for name, inputs in {
        "effective_sample_size": (log_w,),
        "posterior_mean": (log_w, z),
        "resample": (log_w, z, u),
        "grid_log_posterior": (log_w, 0.1),
    }.items():
        torch.testing.assert_close(getattr(SOLUTION, name)(*inputs), getattr(oracles, name)(*inputs))


def test_the_linear_gaussian_posterior_is_normalised_joint():
    """p(z | x) = p(x | z) p(z) / p(x), with p(x) = N(0, 1 + s^2) in closed form."""
    x, z = torch.tensor([1.2, -0.4]).double(), torch.linspace(-2, 2, 9)[:, None].double().expand(-1, 2)
    model = oracles.LinearGaussian(x, 0.7)
    log_evidence = torch.distributions.Normal(0.0, (1 + 0.7**2) ** 0.5).log_prob(x)
    torch.testing.assert_close(model.log_joint(z) - log_evidence, model.posterior.log_prob(z))
