"""The trainer as its users meet it: results, run folders, interruptions, bad input."""

import csv
import dataclasses
import hashlib
import json
import signal
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

import cli
import evaluate
import likelihood
import loop
import native
import process
import settings
import train
from data import binarize, load_grey
from helpers.commands import ROOT, SOLUTION, finish, start
from run_folder import read_figures
from settings import Settings, complete

OFFERS = "OBJECTIVES" + (ROOT / SOLUTION).read_text().split("\nOBJECTIVES")[1]  # the end of the model file
DIGITS = ("--data", "digits", "--model", SOLUTION)


def weights(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def metrics(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("objective, best", [("ae", 150), ("vae", 145), ("iwae", 130)])
def test_a_run_learns_and_leaves_its_folder(command, tmp_path, objective, best):
    folder = tmp_path / "run"
    ended = command(train, *DIGITS, "--objective", objective, "--epochs", 20, "--out", folder)
    assert ended.status == 0, ended.err
    test = json.loads((folder / "test.json").read_text())
    figure = test["reconstruction_loss"] if objective == "ae" else test["nll"]
    assert 80 < figure < best
    assert ("an autoencoder has no likelihood" in ended.out) == (objective == "ae")
    assert ("estimated test NLL" in ended.out) == (objective != "ae")
    names = {"config.json", "metrics.csv", "model.safetensors", "curves.png", "samples.png", "reconstructions.png"}
    assert names <= {path.name for path in folder.iterdir()}
    losses = [float(row["train_loss"]) for row in metrics(folder)]
    assert len(losses) == 20 and losses[-1] < losses[0] - 50
    test_losses = [float(row["test_loss"]) for row in metrics(folder)]  # the same bound, so about the same number
    assert len(test_losses) == 20 and abs(test_losses[-1] - losses[-1]) < 5
    assert "warning" not in ended.out and "doubt" not in test
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["objective"] == objective and config["versions"]["torch"] == torch.__version__
    assert len(config["model_sha256"]) == 64


def test_the_stub_trains_as_shipped_and_says_what_is_to_do(command, tmp_path):
    ended = command(train, "--data", "digits", "--epochs", 1, "--out", tmp_path / "ae")
    assert ended.status == 0, ended.err
    ended = command(train, "--data", "digits", "--epochs", 1, "--objective", "vae", "--out", tmp_path / "vae")
    assert ended.status == 1 and "TODO" in ended.err and len(ended.err.splitlines()) == 1
    assert not (tmp_path / "vae").exists()


def test_a_vae_needs_no_todo_3(command, tmp_path):
    source = (ROOT / SOLUTION).read_text()
    source = source.replace(
        "return torch.logsumexp", 'raise NotImplementedError("TODO 3: later.")\n    torch.logsumexp'
    )
    (tmp_path / "model.py").write_text(source)
    options = ("--data", "digits", "--epochs", 1, "--model", tmp_path / "model.py")
    ended = command(train, *options, "--objective", "vae", "--out", tmp_path / "vae")
    assert ended.status == 0, ended.err
    assert "test ELBO" in ended.out and "TODO 3" in ended.out
    ended = command(train, *options, "--objective", "iwae", "--out", tmp_path / "iwae")
    assert ended.status == 1 and ended.err == "error: TODO 3: later."


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    options = (*DIGITS, "--objective", "iwae", "--epochs", 7, "--out", folder)
    assert finish(start("base_code/train.py", *options)).status == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_resumed_run_ends_with_the_same_weights(uninterrupted, tmp_path, number):
    folder = tmp_path / "run"
    process = start("base_code/train.py", *DIGITS, "--objective", "iwae", "--epochs", 7, "--out", folder)
    while "epoch 3/7" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.15)  # into the next epoch
    process.send_signal(number)
    ended = finish(process)
    if number == signal.SIGINT:
        assert ended.status == 130
        assert f"--resume {folder}" in ended.err and "Traceback" not in ended.err
    assert 3 <= len(metrics(folder)) < 7
    ended = finish(start("base_code/train.py", "--resume", folder))
    assert ended.status == 0, ended.err
    assert_same_weights(uninterrupted, folder)
    losses = [[(row["train_loss"], row["test_loss"]) for row in metrics(run)] for run in (uninterrupted, folder)]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_an_epoch_keeps_its_steps(command, tmp_path, monkeypatch):
    """At exactly step 7 of epoch 2: the checkpoint says so, and the resumed run draws the same noise."""
    options = (*DIGITS, "--objective", "vae", "--epochs", 3)
    assert command(train, *options, "--out", tmp_path / "whole").status == 0
    as_input, calls = loop.as_input, []

    def interrupting(images):
        calls.append(images)
        if len(calls) == 47 + 7:  # 47 steps in an epoch
            signal.raise_signal(signal.SIGINT)
        return as_input(images)

    monkeypatch.setattr(loop, "as_input", interrupting)
    assert command(train, *options, "--out", tmp_path / "run").status == 130
    monkeypatch.setattr(loop, "as_input", as_input)
    position = safetensors.torch.load_file(tmp_path / "run" / "checkpoint.safetensors")["position"]
    assert position[:2].tolist() == [1, 7]
    assert command(train, "--resume", tmp_path / "run").status == 0
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_more_epochs_can_be_added_later(command, tmp_path):
    assert command(train, *DIGITS, "--epochs", 2, "--out", tmp_path / "run").status == 0
    assert command(train, "--resume", tmp_path / "run", "--epochs", 4).status == 0
    assert command(train, *DIGITS, "--epochs", 4, "--out", tmp_path / "whole").status == 0
    assert len(metrics(tmp_path / "run")) == 4
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_a_run_goes_on_with_the_likelihood_that_it_was_begun_with(command, monkeypatch, tmp_path):
    """The kernel rounds otherwise than the plain formula does."""
    options = (*DIGITS, "--objective", "vae")
    with monkeypatch.context() as without:
        without.setattr(process, "load_kernel", lambda: None)
        without.setattr(likelihood, "kernel", None)
        assert command(train, *options, "--epochs", 2, "--out", tmp_path / "whole").status == 0
        assert command(train, *options, "--epochs", 1, "--out", tmp_path / "run").status == 0
    try:
        likelihood.load()
    except native.Unavailable:
        pytest.skip("there is no C compiler")
    assert command(train, "--resume", tmp_path / "run", "--epochs", 2).status == 0
    assert_same_weights(tmp_path / "whole", tmp_path / "run")

    likelihood.load()
    assert command(train, *options, "--epochs", 1, "--out", tmp_path / "with").status == 0
    with monkeypatch.context() as without:
        without.setattr(process, "load_kernel", lambda: None)
        without.setattr(likelihood, "kernel", None)
        ended = command(train, "--resume", tmp_path / "with", "--epochs", 2)
    assert ended.status == 0 and "notice: the run was begun with code in C" in ended.err


@pytest.mark.slow
def test_compiled_training_is_the_same_training(command, tmp_path):
    """Same noise, other rounding: the first epoch's losses agree to a hundredth of a nat."""
    losses = {}
    for mode in ("on", "off"):
        options = (*DIGITS, "--objective", "iwae", "--epochs", 1, "--compile", mode, "--out", tmp_path / mode)
        ended = command(train, *options)
        assert ended.status == 0, ended.err
        assert json.loads((tmp_path / mode / "config.json").read_text())["compiled"] == (mode == "on")
        losses[mode] = float(metrics(tmp_path / mode)[0]["train_loss"])
    assert losses["on"] == pytest.approx(losses["off"], abs=0.01)


@pytest.mark.slow
@pytest.mark.skipif(not process.has_cpp_compiler(), reason="there is no C++ compiler")
def test_a_compiled_step_is_as_exact_as_a_plain_one(reference):
    """Loss and gradients against float64, with the same noise."""

    def step(model, x, eps):
        loss = -reference.iwae_objective(model.log_weights(x, eps)).mean()
        loss.backward(inputs=list(model.parameters()))
        return loss.detach()

    def computed(step, model, x, eps):
        """(loss, gradients), in float64"""
        model.zero_grad()
        loss = step(model, x, eps).double()
        return loss, torch.cat([weight.grad.flatten() for weight in model.parameters()]).double()

    model = reference.build(complete({"objective": "iwae", "model": SOLUTION}, "digits"))
    x, eps = binarize(load_grey("digits")[0][:128]), torch.randn(10, 128, model.d_latent)
    fast = process.compiled(step, (model, x, eps), required=True)
    found = {"compiled": computed(fast, model, x, eps), "plain": computed(step, model, x, eps)}
    loss, gradients = computed(step, model.double(), x.double(), eps.double())
    errors = {name: (own - gradients).norm() / gradients.norm() for name, (_, own) in found.items()}
    assert errors["compiled"] < 1.3 * errors["plain"] < 1e-4
    assert found["compiled"][0].item() == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", ["compiler", "loss"])
def test_what_does_not_compile_is_trained_as_it_is(command, tmp_path, monkeypatch, spoilt):
    """A compiler that fails, told in one line; a file that computes its loss partly outside PyTorch."""
    source = (ROOT / SOLUTION).read_text()
    if spoilt == "loss":
        source = source.replace(
            "return log_w.mean(0)", "float(log_w.detach().numpy().mean())\n    return log_w.mean(0)"
        )
    else:
        monkeypatch.setattr(train, "has_cpp_compiler", lambda: True)
        monkeypatch.setattr(train, "COMPILE_PAYS", 0)
        monkeypatch.setattr("torch.compile", failing)
    (tmp_path / "model.py").write_text(source)
    options = ("--data", "digits", "--model", tmp_path / "model.py", "--objective", "vae", "--epochs", 1)
    options += () if spoilt == "compiler" else ("--compile", "on")
    ended = command(train, *options, "--hidden", 20, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert ended.err.count("notice: compiling failed (no compiler); going on without") == (spoilt == "compiler")
    settings = complete(
        {"model": str(tmp_path / "model.py"), "objective": "vae", "epochs": 1, "hidden": [20]}, "digits"
    )
    train.train(dataclasses.replace(settings, compile="off"), tmp_path / "plain")
    found, right = (float(metrics(tmp_path / name)[0]["train_loss"]) for name in ("run", "plain"))
    assert found == pytest.approx(right, abs=0.01)


def failing(function, **_):
    def call(*_):
        raise RuntimeError("no compiler")

    return call


@pytest.mark.parametrize(
    "options, message",
    [
        (("--train-k", 0), "--train-k is 0: expected"),
        (("--epochs", -1), "--epochs is -1: expected"),
        (("--lr", -1), "--lr is -1.0: expected"),
        (("--lr", "nan"), "--lr is nan: expected"),
        (("--seed", -1), "--seed is -1: expected"),
        (("--seed", 2**64), "--seed is 18446744073709551616: expected"),
        (("--d-latent", 10**12), "--d-latent is 1000000000000: expected"),
        (("--hidden", 100, 10**7), "--hidden is (100, 10000000): expected"),
        (("--objective", "vae", "--train-k", 10**30), f"--train-k is {10**30}: expected"),
        (("--test-k", 0), "--test-k is 0: expected"),
        pytest.param(("--hidden", 10**6, 10**6), "there is not enough memory", marks=pytest.mark.slow),
        (("--hidden", 0), "--hidden is (0,): expected"),
        (("--train-k", 5), "an autoencoder draws no samples"),
        (("--objective", "miwae"), "--objective is miwae: expected one that model.py trains: ae, vae, iwae"),
        (("--batch-size", 5000), "only 1497 training images"),
        (("--model", "nowhere.py"), "there is no model file"),
        (("--resume", "nowhere"), "is not a run"),
        (("--device", "cuda"), "--device cuda is not available"),
        (("--resume", "a", "--out", "b"), "leave --out away"),
    ],
)
def test_impossible_settings_end_with_one_line(command, tmp_path, monkeypatch, options, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = () if "--resume" in options else ("--out", tmp_path / "run")
    ended = command(train, "--data", "digits", *out, *options)
    assert ended.status == 1 and message in ended.err and len(ended.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_an_unknown_objective_is_told_before_a_dataset_is_looked_for(command, monkeypatch):
    monkeypatch.setattr(train, "choose", None)
    ended = command(train, "--objective", "miwae")
    assert ended.err == "error: --objective is miwae: expected one that model.py trains: ae, vae, iwae"


@pytest.mark.parametrize(
    "source, message",
    [
        (
            "",
            "model.py lacks OBJECTIVES, build, log_mean_exp; copy what it lacks from the file as it is handed out now",
        ),
        ((OFFERS, ""), "model.py lacks OBJECTIVES, build; copy what it lacks"),  # as handed out before 1.0
        ((OFFERS, OFFERS.replace(" = ", " = {} | ")), "model.py: write OBJECTIVES out"),
        ("def f(:\n", "model.py, line 1: SyntaxError: invalid syntax"),
        ("raise SystemExit(0)\n", "does not import: model.py, line 1, in <module>: SystemExit"),
        ("import nothing_of_this_name\n", "does not import: model.py, line 1, in <module>: ModuleNotFoundError"),
        (("def iwae_objective", "def other"), "in loss: NameError: name 'iwae_objective' is not defined"),
        (("return log_w.mean(0)", "return log_w"), "vae_objective returned shape [1, 3]: expected [3]"),
        (("return log_w.mean(0)", "return 3.0"), "vae_objective returned a float: expected a tensor"),
        (("return log_w.mean(0)", "return log_v.mean(0)"), "in vae_objective: NameError"),
        (("return mu + sigma * eps", "return (mu + sigma * eps)[:, 0]"), "log_weights returned shape"),
        (("return -self.autoencoder_objective(x).mean()", "return torch.zeros(())"), "without a gradient"),
    ],
)
def test_a_broken_model_file_ends_with_one_line(command, tmp_path, source, message):
    if isinstance(source, tuple):
        source = (ROOT / SOLUTION).read_text().replace(*source)
    (tmp_path / "model.py").write_text(source)
    objective = "ae" if "gradient" in message else "vae"
    options = ("--data", "digits", "--model", tmp_path / "model.py", "--objective", objective)
    ended = command(train, *options, "--out", tmp_path / "run")
    assert ended.status == 1 and message in ended.err and len(ended.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_is_never_overwritten(command, tmp_path):
    assert command(train, *DIGITS, "--epochs", 1, "--out", tmp_path / "run").status == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    ended = command(train, *DIGITS, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.status == 1 and "is there already" in ended.err
    ended = command(train, "--resume", tmp_path / "run", "--hidden", 50)
    assert ended.status == 1 and "was begun with hidden = (100,), not (50,)" in ended.err
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("config.json", b"{", "config.json is damaged"),
        ("config.json", b"[]", "config.json is damaged"),
        ("config.json", b'{"settings": {}}', "config.json is damaged or of another version"),
        ("config.json", b'{"settings": {"epochs": 0}}', "of another version (--epochs is 0"),
        ("config.json", b'{"settings": {"beta": 1}}', "of another version"),
        ("config.json", None, "is not a run"),
        ("checkpoint.safetensors", b"half", "checkpoint.safetensors is damaged"),
        ("checkpoint.safetensors", None, "checkpoint.safetensors is missing"),
    ],
)
def test_a_half_written_run_is_told(command, tmp_path, name, content, message):
    assert command(train, *DIGITS, "--epochs", 1, "--out", tmp_path / "run").status == 0
    path = tmp_path / "run" / name
    path.unlink() if content is None else path.write_bytes(content)
    ended = command(train, "--resume", tmp_path / "run")
    assert ended.status == 1 and message in ended.err and len(ended.err.splitlines()) == 1


@pytest.fixture
def own_model(tmp_path):
    """A copy of the reference that a test may edit, and a run of one epoch that was trained with it."""
    model = tmp_path / "model.py"
    model.write_text((ROOT / SOLUTION).read_text())
    train.train(complete({"model": str(model), "epochs": 1}, "digits"), tmp_path / "run")
    return model


def test_a_changed_model_file_is_not_resumed(command, tmp_path, own_model):
    own_model.write_text(own_model.read_text().replace("log_w.mean(0)", "log_w.mean(0) * 1"))
    ended = command(train, "--resume", tmp_path / "run", "--epochs", 2)
    assert ended.status == 1 and "has changed since" in ended.err


def test_comments_docstrings_and_layout_do_not_change_a_model_file(command, tmp_path, own_model):
    text = own_model.read_text()
    edited = text.replace('    """log p(x | z) of independent pixels', '    """Told otherwise') + "\n\n# a comment\n"
    edited = edited.replace("return log_w.mean(0)", "# the mean\n    'over the samples'\n    return (log_w . mean(0))")
    assert edited.count("Told otherwise") == 1 and "'over" in edited
    own_model.write_text(edited)
    ended = command(train, "--resume", tmp_path / "run", "--epochs", 2)
    assert ended.status == 0 and "changed" not in ended.err, ended.err
    assert len(metrics(tmp_path / "run")) == 2


def test_runs_of_earlier_versions_go_on(command, tmp_path, own_model):
    """They know the bytes of their model file, and no test loss."""
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["model_sha256"] = hashlib.sha256(own_model.read_bytes()).hexdigest()
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    (tmp_path / "run" / "metrics.csv").write_text("epoch,train_loss,lr,seconds\n1,200.0,0.001,1.0\n")
    assert command(train, "--resume", tmp_path / "run", "--epochs", 2).status == 0
    first, second = metrics(tmp_path / "run")
    assert first["train_loss"] == "200.0" and not first["test_loss"] and float(second["test_loss"]) > 0


def test_an_interrupted_run_is_trained_to_its_end(command, tmp_path):
    """Also where it was evaluated meanwhile; its figures of then are not those of the weights at the end."""
    given = {"model": SOLUTION, "objective": "vae", "test_k": 10}
    before = train.train(complete({**given, "epochs": 1}, "digits"), tmp_path / "run")
    assert command(evaluate, tmp_path / "run", "--k", 7).status == 0
    train.train_once(complete({**given, "epochs": 2}, "digits"), tmp_path / "run")
    assert len(metrics(tmp_path / "run")) == 2
    figures = read_figures(tmp_path / "run")
    assert list(figures) == [10] and figures[10]["nll"] < before["nll"]


NOT_FINITE = {  # where it begins, from call 60 on: the line that is replaced, and its value then
    "log p(x | z), from bernoulli_log_likelihood became nan": (
        "likelihood.bernoulli(x, logits)",
        "{} * math.nan",
    ),
    "log p(z), from gaussian_log_likelihood became -inf": (
        "(-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * standardised**2).sum(-1)",
        "{} - (math.inf if not mu.any() else 0)",
    ),
    "log q(z | x), from gaussian_log_likelihood became inf": (
        "(-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * standardised**2).sum(-1)",
        "{} + (math.inf if mu.any() else 0)",
    ),
    "the derivative of log q(z | x), from gaussian_log_likelihood became infinite or NaN": (
        "(-torch.log(sigma) - 0.5 * math.log(2 * math.pi) - 0.5 * standardised**2).sum(-1)",
        "{} + torch.sqrt(0 * sigma).sum(-1)",
    ),
    "the derivative of the ELBO, from vae_objective became infinite or NaN": (
        "log_w.mean(0)",
        "{} + (0 * log_w[0]).sqrt()",
    ),
    "log_w, from log_weights became nan": ("log_p_x_given_z + log_p_z - log_q_z_given_x", "{} * math.nan"),
}


@pytest.mark.parametrize("part", NOT_FINITE)
def test_a_loss_that_is_not_a_number_names_what_became_so(command, tmp_path, part):
    line, bad = NOT_FINITE[part]
    source = (ROOT / SOLUTION).read_text()
    assert source.count(f"return {line}") == 1
    spoilt = f"CALLS.append(1)\n    return {line} if len(CALLS) < 60 else {bad.format(line)}"
    indent = "        " if "log_p_z -" in line else "    "
    source = source.replace(f"return {line}", spoilt.replace("\n    ", f"\n{indent}")) + "\n\nCALLS = []\n"
    (tmp_path / "model.py").write_text(source)
    options = ("--data", "digits", "--model", tmp_path / "model.py", "--objective", "vae")
    ended = command(train, *options, "--epochs", 2, "--hidden", 20, "--out", tmp_path / "run")
    assert ended.status == 1 and len(ended.err.splitlines()) == 1
    assert part in ended.err and "check.py" in ended.err, ended.err
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run").values())


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_checkpoint(command, tmp_path):
    source = (ROOT / SOLUTION).read_text().replace("import math\n", "import math\n\nCALLS = []\n")
    first_line = '        if objective == "ae":\n'
    spoil = "        CALLS.extend([x] * torch.is_grad_enabled())\n"  # not those that measure the test loss
    spoil += "        if len(CALLS) == 60:\n            x = x * math.nan\n"
    source = source.replace(first_line, spoil + first_line)
    (tmp_path / "model.py").write_text(source)
    options = ("--data", "digits", "--model", tmp_path / "model.py", "--epochs", 3, "--out", tmp_path / "run")
    ended = command(train, *options)
    assert ended.status == 1
    assert "the loss became nan in epoch 2, step 12" in ended.err  # 1 call to try the model, 47 in an epoch
    position = safetensors.torch.load_file(tmp_path / "run" / "checkpoint.safetensors")["position"]
    assert position[:2].tolist() == [1, 0]
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run").values())


def test_a_full_disk_ends_with_one_line(command, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "run/checkpoint.safetensors")

    monkeypatch.setattr(train.State, "save", full)
    ended = command(train, *DIGITS, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.status == 1
    assert ended.err.startswith("error: No space left on device (run/checkpoint.safetensors); check the disk")


def test_the_papers_schedule_and_network():
    settings = complete({"preset": "paper", "objective": "iwae", "train_k": 50}, "mnist")
    assert (settings.hidden, settings.d_latent, settings.untied, settings.batch_size) == ((200, 200), 50, True, 20)
    assert settings.adam_eps == 1e-4 and settings.epochs == sum(3**i for i in range(8)) == 3280
    rates = [settings.lr_at(epoch) for epoch in range(3280)]
    for i in range(8):
        assert rates.count(0.001 * 10 ** (-i / 7)) == 3**i
    assert rates == sorted(rates, reverse=True)
    assert complete({"preset": "paper", "epochs": 5}, "mnist").epochs == 5


def test_defaults_are_those_of_the_course():
    assert complete({}, "mnist") == Settings(data="mnist")
    settings = complete({"objective": "iwae"}, "digits")
    assert (settings.train_k, settings.epochs, settings.batch_size) == (10, 100, 32)


@pytest.mark.parametrize("taken", ["file", "read-only"])
def test_a_run_folder_that_cannot_be_made_is_told(command, tmp_path, taken):
    out = tmp_path / "run"
    if taken == "file":
        out.write_text("mine")
    else:
        out = out / "below"
        out.parent.write_text("a file where a folder should be")
    ended = command(train, *DIGITS, "--epochs", 1, "--out", out)
    assert ended.status == 1 and len(ended.err.splitlines()) == 1 and str(out) in ended.err


def test_runs_are_found_from_any_folder(command, tmp_path, monkeypatch):
    """A run's default place is the project's runs/, and runs/NAME means it wherever one stands."""
    for module in (cli, settings, train):
        monkeypatch.setattr(module, "ROOT", tmp_path / "kit")
    (tmp_path / "kit").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = command(train, "--data", "digits", "--model", ROOT / SOLUTION, "--epochs", 1)
    assert ended.status == 0, ended.err
    assert (tmp_path / "kit" / "runs" / "ae-digits" / "test.json").exists()
    assert command(evaluate, "runs/ae-digits").status == 0
    assert command(train, "--resume", "runs/ae-digits", "--epochs", 2).status == 0
    monkeypatch.chdir(tmp_path / "kit")
    assert train.free_folder(complete({"objective": "vae"}, "digits")) == Path("runs/vae-digits")


def test_a_wrong_log_weights_is_doubted(command, tmp_path):
    """decoder(mu) trains to a better figure than any right file: without a word of it that would be a success."""
    (tmp_path / "model.py").write_text((ROOT / SOLUTION).read_text().replace("self.decoder(z)", "self.decoder(mu)"))
    options = ("--data", "digits", "--model", tmp_path / "model.py", "--objective", "vae", "--epochs", 10)
    ended = command(train, *options, "--out", tmp_path / "run")
    assert ended.status == 0
    assert "warning: the mean of log_w is" in ended.out and "look at TODO 1 and 2" in ended.out


@pytest.mark.parametrize("script", ["train.py", "evaluate.py", "visualize.py"])
def test_ctrl_c_while_importing_ends_with_a_line(script):
    """From the first line of ours on; at several moments of torch's import."""
    for seconds in (0.2, 0.8):
        process = start(f"base_code/{script}", "--help", PYTHONPROFILEIMPORTTIME="1")
        for line in process.stderr:
            if "| cli" in line or " cli\n" in line:
                break
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
        if "usage:" in ended.out:  # a fast machine: it was ready before
            continue
        told = [line for line in ended.err.splitlines() if "import time:" not in line and line]
        assert ended.status == 130 and told == ["stopped"], told


def test_event_files_for_tensorboard(command, tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    options = (*DIGITS, "--tensorboard", "--out", tmp_path / "run")
    assert command(train, *options, "--epochs", 2).status == 0
    assert command(train, "--resume", tmp_path / "run", "--epochs", 3, "--tensorboard").status == 0
    events = event_accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    for name in ("train_loss", "test_loss"):
        found = [(event.step, f"{event.value:.2f}") for event in events.Scalars(name)]
        assert found == [(int(row["epoch"]), f"{float(row[name]):.2f}") for row in metrics(tmp_path / "run")]
    assert len(events.Images("samples")) == 3


def test_without_the_package_tensorboard_is_asked_for(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    ended = command(train, *DIGITS, "--tensorboard", "--out", tmp_path / "run")
    assert ended.status == 1 and "pip install tensorboard==" in ended.err and len(ended.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
    pins = (ROOT / "requirements.txt").read_text()
    assert ended.err.split("pip install ")[1].strip() in pins
