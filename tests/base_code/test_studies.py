"""What the labs' studies call exact: closed forms of small projects, and of a model whose posterior is known."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.distributions import Bernoulli, Normal

from autograder.assignments.hierarchical import ASSIGNMENT as HIERARCHICAL
from autograder.assignments.importance import ASSIGNMENT, oracles
from studies.hierarchical import images
from studies.importance import project, vaes

ONE, PARALLEL, SERIAL = [()], [(), ()], [(), (0,)]
A, B, DAYS = 4.0, 2.5, 9.0


def means(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_one_task_is_exponential():
    assert project.tail(means(A), ONE, DAYS).item() == pytest.approx(math.exp(-DAYS / A), rel=1e-12)
    assert project.mean_duration(means(A), ONE).item() == pytest.approx(A, rel=1e-12)


def test_two_tasks_side_by_side_end_with_the_later():
    ended = (1 - math.exp(-DAYS / A)) * (1 - math.exp(-DAYS / B))
    assert project.tail(means(A, B), PARALLEL, DAYS).item() == pytest.approx(1 - ended, rel=1e-12)
    assert project.mean_duration(means(A, B), PARALLEL).item() == pytest.approx(A + B - 1 / (1 / A + 1 / B), rel=1e-12)


def test_two_tasks_in_a_row_add_up():
    right = (A * math.exp(-DAYS / A) - B * math.exp(-DAYS / B)) / (A - B)  # hypoexponential
    assert project.tail(means(A, B), SERIAL, DAYS).item() == pytest.approx(right, rel=1e-12)
    assert project.mean_duration(means(A, B), SERIAL).item() == pytest.approx(A + B, rel=1e-12)


def second_moment_of_one(lam):
    """The integral of p^2 / q from DAYS on, for one task of mean A and a proposal of mean lam."""
    rate = 2 / A - 1 / lam
    return lam / A**2 * math.exp(-DAYS * rate) / rate


def test_the_second_moment_is_the_integral_and_infinite_from_half_the_mean_on():
    for lam in (2.2, 4.0, 9.0, 30.0):
        found = project.second_moment(means(A), means(lam), ONE, DAYS).item()
        assert found == pytest.approx(second_moment_of_one(lam), rel=1e-10)
    assert project.second_moment(means(A), means(A / 2), ONE, DAYS).item() == math.inf


def test_the_best_factor_has_the_smallest_second_moment():
    best = minimize_scalar(second_moment_of_one, bounds=(2.1, 100), method="bounded", options={"xatol": 1e-8}).x
    assert project.best_factors(means(A), ONE, DAYS, 1).item() == pytest.approx(best / A, rel=1e-4)


def test_the_lab_s_project_is_that_of_the_judge_s_oracles():
    """Two derivations: there from the five paths and with scipy's exponential."""
    lab = ASSIGNMENT.reference
    theta = lab.MEANS.double()
    assert project.tail(theta, lab.PREDECESSORS, 70).item() == pytest.approx(oracles.tail_probability(70), rel=1e-6)
    for factors in ((2.0,) * 10, oracles.critical(3.0)):
        found = project.second_moment(theta, theta * means(*factors), lab.PREDECESSORS, 70).item()
        assert found == pytest.approx(oracles.second_moment(70, factors), rel=1e-6)
    assert project.best_factors(theta, lab.PREDECESSORS, 70, 10).tolist() == pytest.approx(oracles.BEST, abs=2e-3)


class Sloped:
    """A decoder from two latents to three pixels."""

    weights = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, -1.0]])

    def decoder(self, z):
        return z @ self.weights


def test_the_grid_holds_the_prior_and_its_joint_is_the_model_s():
    z, area = vaes.grid()
    assert (Normal(0.0, 1.0).log_prob(z).sum(-1).exp().sum() * area).item() == pytest.approx(1, abs=1e-5)
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    z = z[::5000]
    right = Bernoulli(logits=z @ Sloped.weights).log_prob(x[:, None]).sum(-1).T + Normal(0.0, 1.0).log_prob(z).sum(
        -1, keepdim=True
    )
    torch.testing.assert_close(vaes.log_joint(Sloped(), x, z), right, rtol=1e-5, atol=1e-4)


@torch.no_grad()
def test_the_samples_of_two_layers_and_their_mean_functions_are_of_the_same_latents():
    model = HIERARCHICAL.reference.TwoLayerIWAE(d1=4, d2=3, hidden1=(5,), hidden2=(5,))
    model.p_z1.log_sigma.bias.fill_(1.0)
    samples, means, still = images.samples_and_means(model).values()
    assert samples.unique().tolist() == [0, 1] and means.unique().numel() > 100
    assert (means - still).abs().max() > 0.01
    model.p_z1.log_sigma.bias.fill_(-30.0)  # no noise is left in z1
    model.decoder.head.weight *= 1e4  # and no doubt in the pixels
    samples, means, still = images.samples_and_means(model).values()
    torch.testing.assert_close(means, still, atol=1e-3, rtol=0)
    assert ((samples - means).abs() < 0.5).float().mean() > 0.99
