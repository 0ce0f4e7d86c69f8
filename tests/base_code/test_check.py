"""The student's quick check: not started, waits, wrong or fine, for the right function."""

import inspect
import re

import pytest
import torch

import check
import checking
from autograder.assignments.iwae.misconceptions import MISCONCEPTIONS
from helpers import submissions
from helpers.commands import ROOT, SOLUTION, finish, start
from model_file import import_file

FUNCTIONS = [name for checks in check.CHECKS.values() for name in checks]


def test_it_asks_for_what_the_grader_asks_for():
    assert submissions.IWAE.names == check.NAMES


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


@pytest.fixture
def judged(tmp_path):
    """Judge a model file's source, in this process: judged(source) -> {function: (verdict, explanation)}"""

    def judge(source):
        path = tmp_path / "model.py"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        with checking.settings_kept("importing the file", free=("random seed",)):
            model_file = import_file(path)
        return {name: (word, "\n".join(map(": ".join, lines))) for _, name, word, lines in check.verdicts(model_file)}

    return judge


def assert_only_wrong(found, function):
    """That function alone is called wrong; what calls it is fine or waits for it."""
    words = {name: word for name, (word, _) in found.items()}
    assert words.pop(function) == "wrong", found[function]
    assert {word for name, word in words.items() if name not in CALLERS.get(function, ())} == {"fine"}, found
    assert "wrong" not in words.values(), found


CALLERS = {
    "reparameterize": ["log_weights"],
    "gaussian_log_likelihood": ["log_weights"],
    "log_mean_exp": ["iwae_objective"],
}


UNSEEN = {"iwae.clamped"}  # it shows below -1000, where the check's stand-in for log_mean_exp has ended
# Right on the hidden checks' logits, which a sigmoid resolves; check.py warns that in training larger ones become NaN.
FRAGILE = {"cross-entropy of probabilities", "the logs of probabilities, by einsum"}


@pytest.mark.parametrize("entry", [e for e in MISCONCEPTIONS if e.id not in UNSEEN], ids=lambda entry: entry.id)
def test_a_misconception_is_wrong_where_it_is(judged, entry):
    found = judged(submissions.wrong(entry).source)
    assert_only_wrong(found, entry.function)
    assert re.fullmatch("called: .+\ncame back: .+\nexpected: .+", found[entry.function][1])


@pytest.mark.parametrize("name", submissions.RIGHT)
def test_a_right_answer_is_fine(judged, name):
    found = judged(submissions.submission(submissions.RIGHT[name]).source)
    if name in FRAGILE:
        assert_only_wrong(found, "log_weights")
        assert "logit" in found["log_weights"][1]
    else:
        assert {word for word, _ in found.values()} == {"fine"}, found


# Each is the reference with one piece replaced.
DENSITY = "(-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * standardised**2).sum(-1)"
GAUSSIAN = "standardised = (z - mu) / sigma"
SAMPLE = "mu + sigma * eps"
ENCODE = "mu, sigma = self.encoder(x)"
DECODE = "bernoulli_log_likelihood(x, self.decoder(z))"
DRAW = "z = reparameterize(mu, sigma, eps)"
TERMS = "log_p_x_given_z + log_p_z - log_q_z_given_x\n"
MEAN = "log_w.mean(0)"
LOG_MEAN = "torch.logsumexp(a, dim) - math.log(a.shape[dim])"
BOUND = "log_mean_exp(log_w, dim=0)"
MISTAKES = {
    "gaussian_log_likelihood": [
        (GAUSSIAN, f"sigma = sigma.clamp(min=0.1); {GAUSSIAN}"),
        (GAUSSIAN, f"sigma = sigma.clamp(max=3); {GAUSSIAN}"),
        (GAUSSIAN, f"sigma = (2 * sigma.log()).clamp(-4, 4).mul(0.5).exp(); {GAUSSIAN}"),
        (GAUSSIAN, f"sigma = sigma + 1e-5; {GAUSSIAN}"),
        (GAUSSIAN, f"mu = mu.detach(); {GAUSSIAN}"),
        (GAUSSIAN, f"sigma = sigma.detach(); {GAUSSIAN}"),
        (GAUSSIAN, f"z = z.detach(); {GAUSSIAN}"),
        (GAUSSIAN, "z -= mu; standardised = z / sigma"),
        (GAUSSIAN, f"torch.set_default_dtype(torch.float64); {GAUSSIAN}"),
        (GAUSSIAN, f"torch.manual_seed(0); {GAUSSIAN}"),
        (DENSITY, f"{DENSITY}.squeeze()"),
        (DENSITY, f"torch.nan_to_num({DENSITY})"),
        (DENSITY, f"{DENSITY}.clamp(min=-100)"),
        (DENSITY, f"torch.from_numpy({DENSITY}.detach().numpy())"),
        (DENSITY, "torch.log(torch.exp(-0.5 * standardised**2) / (sigma * math.sqrt(2 * math.pi)) + 1e-30).sum(-1)"),
        (DENSITY, "torch.exp(-0.5 * standardised**2).div(sigma * math.sqrt(2 * math.pi)).double().log().sum(-1)"),
        (DENSITY, DENSITY.replace("2)).sum(-1)", "2).mean(-1)").replace("sigma)", "sigma.prod(-1, True))")),
        (DENSITY, "-torch.log(sigma).mean(-1) - 0.9189385 * z.shape[-1] - 0.5 * (standardised**2).sum(-1)"),
        (DENSITY, "-torch.log(sigma).sum(-1) - 0.9189385 * 3 - 0.5 * (standardised**2).sum(-1)"),
        (DENSITY, "-torch.log(sigma).sum() - 0.9189385 * z.shape[-1] - 0.5 * (standardised**2).sum(-1)"),
        (f"return {DENSITY}", DENSITY),
        (f"return {DENSITY}", "exit(3)"),
        ("-torch.log(sigma) - 0.5", "-0.5"),
        ("0.5 * standardised**2", "standardised**2"),
        ("= (z - mu) / sigma", "= (z - mu) / sigma**0.5"),
        (DENSITY, DENSITY.replace(".sum", ".mean")),
    ],
    "reparameterize": [
        (SAMPLE, "mu + sigma.exp() * eps"),
        (SAMPLE, "(mu + sigma * eps).detach()"),
        (SAMPLE, "mu.detach() + sigma * eps"),
        (SAMPLE, "mu + sigma * torch.randn_like(eps)"),
        (SAMPLE, "mu + sigma * eps + 0.01 * torch.randn_like(eps)"),
        (SAMPLE, "mu.expand_as(eps)"),
        (SAMPLE, "mu + sigma * eps.abs()"),
        (SAMPLE, "mu + sigma * eps.round()"),
        (SAMPLE, "mu + sigma * eps.clamp(-3, 3)"),
        (SAMPLE, "mu + sigma * eps.flip(0)"),
        (SAMPLE, "mu + sigma * eps.flip(1)"),
        (SAMPLE, "mu + sigma.clamp(min=0.1) * eps"),
        (SAMPLE, "mu + sigma.clamp(max=3) * eps"),
        (SAMPLE, "(mu + sigma * eps).squeeze()"),
        (SAMPLE, "torch.nan_to_num(mu + sigma * eps)"),
        (SAMPLE, "mu.mean(0) + sigma * eps"),
        (SAMPLE, "torch.tensor((mu + sigma * eps).tolist())"),
    ],
    "log_weights": [
        ("+ log_p_z - log_q_z", "- log_q_z"),
        ("+ log_p_z - log_q_z_given_x", "+ log_p_z"),
        ("- log_q_z_given_x\n", "+ log_q_z_given_x\n"),
        (DRAW, f"{DRAW}.detach()"),
        (DRAW, "z = reparameterize(mu, sigma.detach(), eps)"),
        (DRAW, "z = reparameterize(mu, sigma, eps.flip(0))"),
        (DRAW, "z = reparameterize(mu, sigma, eps.flip(1))"),
        (DRAW, "z = reparameterize(mu, sigma, eps + 0.01 * torch.randn_like(eps))"),
        (DRAW, f"sigma = sigma.clamp(min=0.1); {DRAW}"),
        (DRAW, f"sigma = sigma.clamp(max=3); {DRAW}"),
        (DRAW, f"sigma = sigma**2; {DRAW}"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(mu))"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(eps))"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(z.detach()))"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(z).detach())"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(z.flip(1)))"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(z.mean(0)))"),
        (DECODE, "bernoulli_log_likelihood(x, self.decoder(z.transpose(0, 1).reshape(eps.shape)))"),
        (DECODE, "bernoulli_log_likelihood(x.flip(0), self.decoder(z))"),
        (DECODE, "(1 - x - self.decoder(z).sigmoid()).abs().log().sum(-1)"),  # log(0) where the sigmoid is 1
        (DECODE, "bernoulli_log_likelihood(x, F.dropout(self.decoder(z), 0.1))"),
        (ENCODE, "mu, sigma = self.encoder(x.flip(0))"),
        (ENCODE, "mu, sigma = (m.mean(0, keepdim=True).expand_as(m) for m in self.encoder(x))"),
        (ENCODE, "mu, sigma = (m.detach() for m in self.encoder(x))"),
        (ENCODE, "mu, sigma = self.encoder(1 - x)"),
        (ENCODE, "torch.set_grad_enabled(False); mu, sigma = self.encoder(x)"),
        (ENCODE, "x -= 0; x *= 0.5; mu, sigma = self.encoder(x)"),
        ("(z, mu, sigma)  # [k, B]", "(z, mu.detach(), sigma.detach())"),
        (TERMS, "log_p_x_given_z + 0.5 * (log_p_z - log_q_z_given_x)\n"),
        (TERMS, "log_p_x_given_z + log_p_z - log_q_z_given_x.detach()\n"),
        (TERMS, "torch.nan_to_num(log_p_x_given_z + log_p_z - log_q_z_given_x)\n"),
        (TERMS, "(log_p_x_given_z + log_p_z - log_q_z_given_x).clamp(min=-100)\n"),
        (TERMS, "(log_p_x_given_z + log_p_z - log_q_z_given_x).squeeze()\n"),
        (TERMS, "(log_p_x_given_z.exp() * (log_p_z - log_q_z_given_x).exp()).log()\n"),
    ],
    "vae_objective": [
        (MEAN, "log_w.sum(0)"),
        (MEAN, "log_w.mean()"),
        (MEAN, "log_w.sum(0) / 2"),
        (MEAN, "log_w.sum(0) / 4"),
        (MEAN, "log_w.sum(0) / log_w.shape[1]"),
        (MEAN, "(log_w.max(0).values + log_w.min(0).values) / 2"),
        (MEAN, "log_w[:3].mean(0)"),
        (MEAN, "log_w.mean(0).squeeze()"),
        (MEAN, "log_w.mean(0).detach()"),
        (MEAN, "log_w.nanmean(0)"),
        (MEAN, "log_w.clamp(min=-500).mean(0)"),
        (MEAN, "log_w.mean(0).tolist()"),
    ],
    "log_mean_exp": [
        (LOG_MEAN, "a.exp().mean(dim).log()"),
        (LOG_MEAN, "a.double().exp().mean(dim).log()"),
        (LOG_MEAN, "(a.exp().mean(dim) + 1e-7).log()"),
        (LOG_MEAN, "torch.nan_to_num(a.exp().mean(dim).log(), neginf=-200)"),
        (LOG_MEAN, "torch.where(a.amax(dim) < -80, a.amax(dim), a.exp().mean(dim).log())"),
        (LOG_MEAN, "torch.logsumexp(a, dim)"),
        (LOG_MEAN, f"torch.where(a.amax(dim) < -80, {LOG_MEAN}, a.exp().mean(dim).log())"),  # a gradient of 0 times inf
        (LOG_MEAN, "torch.logsumexp(a, dim) - math.log(2)"),
        (LOG_MEAN, "torch.logsumexp(a, dim) - math.log(4)"),
        (LOG_MEAN, f"({LOG_MEAN}).squeeze()"),
        (LOG_MEAN, f"({LOG_MEAN}).detach()"),
        (LOG_MEAN, f"torch.nan_to_num({LOG_MEAN})"),
        ("torch.logsumexp(a, dim)", "torch.logsumexp(a, 0)"),
        ("torch.logsumexp(a, dim)", "((a - a.max()).exp().sum(dim).log() + a.max())"),
        ("torch.logsumexp(a, dim)", "((a - a.mean(dim, True)).exp().sum(dim).log() + a.mean(dim))"),
        ("torch.logsumexp(a, dim)", "((a - a.median(dim, True)[0]).exp().sum(dim).log() + a.median(dim)[0])"),
        ("torch.logsumexp(a, dim)", "a.clamp(min=-300).logsumexp(dim)"),
        ("return torch.logsumexp(a, dim)", "a -= 1; return 1 + torch.logsumexp(a, dim)"),
    ],
    "iwae_objective": [
        (BOUND, "log_w.mean(0)"),
        (BOUND, "(torch.softmax(log_w, 0).detach() * log_w).sum(0)"),
        (BOUND, "torch.logsumexp(log_w, 0) - math.log(2)"),
        (BOUND, "torch.logsumexp(log_w, 0) - math.log(4)"),
        (BOUND, "log_mean_exp(log_w[:2])"),
        (BOUND, "log_mean_exp(log_w).squeeze()"),
        (BOUND, "log_mean_exp(log_w).detach()"),
        (BOUND, "torch.nan_to_num(log_mean_exp(log_w))"),
        (BOUND, "log_mean_exp(log_w.clamp(min=-100))"),
        (BOUND, "log_mean_exp(log_w - log_w.max()) + log_w.max().detach()"),
        (BOUND, "log_mean_exp(log_w, 0, 1)"),
    ],
}


@pytest.mark.parametrize(
    "function, right, wrong", [(name, *pieces) for name, mistakes in MISTAKES.items() for pieces in mistakes]
)
def test_a_mistake_is_told_where_it_is(judged, function, right, wrong):
    source = submissions.SOLUTION
    start = source.index(f"def {function}(")
    assert right in source[start:]
    found = judged(source[:start] + source[start:].replace(right, wrong, 1))
    assert_only_wrong(found, function)


def test_a_mistake_of_the_caller_is_told_beside_that_of_the_called(judged):
    """With trusted stand-ins for what it calls, once that is known to be wrong or missing."""
    source = submissions.SOLUTION.replace("mu + sigma * eps", "mu + sigma**2 * eps")
    source = source.replace("self.decoder(z)", "self.decoder(mu)")
    source = source.replace("return torch.logsumexp(a, dim) -", 'raise NotImplementedError("TODO 3: later.")  #')
    found = judged(source.replace("return log_mean_exp(log_w, dim=0)", "return log_mean_exp(log_w, 0).mean()"))
    assert {name for name, (word, _) in found.items() if word == "wrong"} == {
        "reparameterize",
        "log_weights",
        "iwae_objective",
    }


def test_what_does_not_call_a_wrong_function_is_fine(judged):
    text = submissions.RIGHT["log_weights by torch.distributions"] + "\ndef reparameterize(mu, sigma, eps): return mu"
    found = judged(submissions.submission(text).source)
    assert found["reparameterize"][0] == "wrong" and found["log_weights"][0] == "fine"


@pytest.mark.parametrize("stand_ins", check.STAND_INS.values(), ids=list(check.STAND_INS))
def test_the_stand_ins_are_right(stand_ins, reference):
    for name, stand_in in stand_ins.items():
        inputs = {
            "z": torch.randn(4, 2, 3),
            "eps": torch.randn(4, 2, 3),
            "mu": torch.randn(2, 3),
            "a": torch.randn(4, 2),
        }
        inputs["sigma"] = torch.rand(2, 3) + 0.1
        given = [inputs[parameter] for parameter in inspect.signature(stand_in).parameters if parameter in inputs]
        torch.testing.assert_close(stand_in(*given).float(), getattr(reference, name)(*given), rtol=1e-5, atol=1e-5)


def test_a_raise_that_was_left_is_told_with_its_line(judged):
    stub = "raise NotImplementedError("
    source = submissions.STUB
    place = source.index(stub, source.index("def vae_objective"))
    end = source.index("\n", place)
    for edited in (
        source[:end] + "\n    return log_w.mean(0)" + source[end:],  # below it
        source[:place] + "mean = log_w.mean(0)\n    " + source[place:],  # above it, and nothing is returned
        source[:place] + "if len(log_w) > 1:\n        " + source[place:end] + "\n    return log_w" + source[end:],
    ):
        word, text = judged(edited)["vae_objective"]
        assert word == "wrong"
        line = edited[: edited.index(stub, edited.index("def vae_objective"))].count("\n") + 1
        assert f"line {line} still raises NotImplementedError: delete that line" in text
    assert judged(source)["vae_objective"][0] == "not started"


def test_pytorchs_own_not_implemented_error_is_wrong(judged):
    """An operation that is missing for a kind of tensor, not a TODO that is not started."""
    source = submissions.SOLUTION.replace("mu + sigma * eps", "torch.ones(2, device='meta').cpu()")
    word, text = judged(source)["reparameterize"]
    assert word == "wrong" and "in reparameterize: NotImplementedError: " in text


def test_printing_is_shown_in_one_line_and_costs_nothing(command, tmp_path):
    source = submissions.SOLUTION.replace("return log_w.mean(0)", "print('[/red] log_w', log_w); return log_w.mean(0)")
    (tmp_path / "model.py").write_text(source)
    ended = command(check, "--model", tmp_path / "model.py")
    assert ended.status == 0 and ended.out.count("log_w tensor") == 1
    assert verdicts(ended.out) == dict.fromkeys(FUNCTIONS, "fine")


def test_a_changed_setting_of_torch_is_told_in_one_line(command, tmp_path):
    text = "torch.set_default_dtype(torch.float64)"
    (tmp_path / "model.py").write_bytes(submissions.submission(text).source)
    ended = command(check, "--model", tmp_path / "model.py")
    assert ended.status == 1 and torch.get_default_dtype() == torch.float32
    assert ended.err.startswith("error: model.py: torch's default dtype was changed") and ended.err.count("\n") == 0


def test_the_command_takes_seconds(tmp_path):
    (tmp_path / "model.py").write_text(submissions.SOLUTION.replace("self.decoder(z)", "self.decoder(mu)"))
    ended = finish(start("base_code/check.py", "--model", tmp_path / "model.py"), timeout=60)
    assert ended.status == 1 and ended.err == ""
    assert verdicts(ended.out) == {**dict.fromkeys(FUNCTIONS, "fine"), "log_weights": "wrong"}


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
