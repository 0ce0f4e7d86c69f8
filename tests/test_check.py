"""The student's quick check: not started, wrong or fine, for the right task."""

import re

import pytest
from conftest import ROOT, SOLUTION

import check

FUNCTIONS = [name for checks in check.CHECKS.values() for name in checks]


def verdicts(out):
    """{function: verdict} of the printed lines."""
    return dict(re.findall(r"^TODO \d  (\w+) +(fine|wrong|not started|waits)", out, re.MULTILINE))


def test_the_stub_is_not_started(command):
    ended = command(check)
    assert ended.status == 1
    assert verdicts(ended.out) == dict.fromkeys(FUNCTIONS, "not started")


def test_the_reference_is_fine(command):
    ended = command(check, "--model", SOLUTION)
    assert ended.status == 0
    assert verdicts(ended.out) == dict.fromkeys(FUNCTIONS, "fine")


@pytest.mark.parametrize(
    "function, right, wrong",
    [
        ("reparameterize", "mu + sigma * eps", "mu + sigma.exp() * eps"),
        ("reparameterize", "mu + sigma * eps", "(mu + sigma * eps).detach()"),
        ("reparameterize", "mu + sigma * eps", "mu + sigma * torch.randn_like(eps)"),
        ("reparameterize", "mu + sigma * eps", "mu.expand_as(eps)"),
        ("gaussian_log_likelihood", "-torch.log(sigma) - 0.5", "-0.5"),
        ("gaussian_log_likelihood", "0.5 * standardised**2", "standardised**2"),
        ("gaussian_log_likelihood", "= (z - mu) / sigma", "= (z - mu) / sigma**0.5"),
        (
            "gaussian_log_likelihood",
            ".sum(-1)\n    ### END SOLUTION\n\n\ndef rep",
            ".mean(-1)\n    ### END\n\n\ndef rep",
        ),
        ("log_weights", "+ log_p_z - log_q", "- log_q"),
        ("log_weights", "+ log_p_z - log_q_z_given_x", "+ log_p_z"),
        ("log_weights", "- log_q_z_given_x", "+ log_q_z_given_x"),
        ("log_weights", "z = reparameterize(mu, sigma, eps)", "z = reparameterize(mu, sigma, eps).detach()"),
        ("vae_objective", "log_w.mean(0)", "log_w.sum(0)"),
        ("vae_objective", "log_w.mean(0)", "log_w.mean()"),
        ("log_mean_exp", "torch.logsumexp(a, dim) - math.log(a.shape[dim])", "a.exp().mean(dim).log()"),
        ("log_mean_exp", "torch.logsumexp(a, dim) - math.log(a.shape[dim])", "(a.exp().mean(dim) + 1e-7).log()"),
        ("log_mean_exp", "torch.logsumexp(a, dim) - math.log(a.shape[dim])", "torch.logsumexp(a, dim)"),
        ("log_mean_exp", "torch.logsumexp(a, dim)", "torch.logsumexp(a, 0)"),
        ("log_mean_exp", "torch.logsumexp(a, dim)", "((a - a.max()).exp().sum(dim).log() + a.max())"),
        ("log_mean_exp", "torch.logsumexp(a, dim)", "((a - a.mean(dim, True)).exp().sum(dim).log() + a.mean(dim))"),
        ("iwae_objective", "return log_mean_exp(log_w, dim=0)", "return log_w.mean(0)"),
        (
            "iwae_objective",
            "return log_mean_exp(log_w, dim=0)",
            "return (torch.softmax(log_w, 0).detach() * log_w).sum(0)",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(command, tmp_path, function, right, wrong):
    source = (ROOT / SOLUTION).read_text()
    assert source.count(right) >= 1
    (tmp_path / "model.py").write_text(source.replace(right, wrong, 1))
    ended = command(check, "--model", tmp_path / "model.py")
    assert ended.status == 1
    found = verdicts(ended.out)
    assert found[function] == "wrong"
    assert "came back" in ended.out and "expected" in ended.out
    follow = {"reparameterize": {"log_weights"}, "gaussian_log_likelihood": {"log_weights"}}
    follow["log_mean_exp"] = {"iwae_objective"}
    assert {name for name, word in found.items() if word != "fine"} <= {function} | follow.get(function, set())


def test_an_exception_is_told_with_its_line(command, tmp_path):
    source = (ROOT / SOLUTION).read_text().replace("return log_w.mean(0)", "return log_v.mean(0)")
    (tmp_path / "model.py").write_text(source)
    line = source[: source.index("log_v")].count("\n") + 1
    ended = command(check, "--model", tmp_path / "model.py")
    assert f"model.py, line {line}, in vae_objective: NameError" in ended.out


def test_todo_2_waits_for_todo_1(command, tmp_path):
    source = (ROOT / SOLUTION).read_text()
    source = source.replace("return mu + sigma * eps", 'raise NotImplementedError("TODO 1: later.")')
    (tmp_path / "model.py").write_text(source)
    found = verdicts(command(check, "--model", tmp_path / "model.py").out)
    assert found["reparameterize"] == "not started" and found["log_weights"] == "waits"


def test_a_finished_function_waits_for_an_unfinished_one_of_its_own_todo(command, tmp_path):
    source = (ROOT / SOLUTION).read_text()
    source = source.replace("return torch.logsumexp(a, dim) -", 'raise NotImplementedError("TODO 3: later.")  #')
    (tmp_path / "model.py").write_text(source)
    found = verdicts(command(check, "--model", tmp_path / "model.py").out)
    assert found["log_mean_exp"] == "not started" and found["iwae_objective"] == "waits"
