"""Model files of labs: options of their own, a pair of losses, imports of the core, labels, 8-bit images."""

import json
import math
import signal

import pytest
import safetensors.torch
import torch

import evaluate
import loop
import train
import visualize
from cli import UserError
from data import load_one_hot
from helpers.commands import ROOT, SOLUTION
from model_file import UnfinishedCore, explained, load_model_file
from settings import complete

LAB = """
import torch
from model import IWAE as Base, gaussian_log_likelihood, log_mean_exp

OBJECTIVES = {"grouped": {"train_k": 2, "train_m": 3}, "plain": {}}
OPTIONS = {
    "train_m": (1, "groups of samples"),
    "beta": (0.5, "a weight"),
    "prior": ("standard", "which prior", ("standard", "label")),
    "sharp": (False, "another sign"),
}

class Model(Base):
    def losses(self, x, objective, k):
        eps = torch.randn(self.m * k, len(x), self.d_latent)
        bound = -log_mean_exp(self.log_weights(x, eps), 0).mean()
        return {"encoder": bound if objective == "plain" else self.beta * bound, "decoder": bound}

def build(settings):
    model = Model(d_latent=settings.d_latent, hidden=settings.hidden, tied=False)
    model.m, model.beta = settings.train_m, settings.beta
    assert settings.prior in ("standard", "label") and settings.sharp in (True, False)
    return model
"""


@pytest.fixture
def lab(tmp_path):
    """The lab's file, with the core's solution one folder above."""
    path = tmp_path / "kit" / "labs" / "lab.py"
    path.parent.mkdir(parents=True)
    path.write_text(LAB)
    (path.parent.parent / "model.py").write_bytes((ROOT / SOLUTION).read_bytes())
    return path


@pytest.fixture
def fit(command, lab, tmp_path):
    """Train the lab's file on the digits into a folder of tmp_path."""

    def run(name, *options):
        sizes = ("--data", "digits", "--hidden", 8, "--epochs", 1, "--test-k", 10, "--compile", "off")
        return command(train, *sizes, "--model", lab, "--out", tmp_path / name, *options)

    return run


def weights(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


# Options of its own ---------------------------------------------------------------------------------------


def test_options_of_a_model_file_reach_its_model_and_its_run(command, fit, tmp_path):
    ended = fit("run", "--beta", 0.25, "--prior", "label", "--sharp")
    assert ended.status == 0, ended.err
    assert "estimated test NLL" in ended.out and "warning" not in ended.out
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert settings["options"] == {"train_m": 3, "beta": 0.25, "prior": "label", "sharp": True}
    assert (settings["objective"], settings["train_k"]) == ("grouped", 2)
    ended = command(train, "--resume", tmp_path / "run", "--epochs", 2, "--prior", "label")
    assert ended.status == 0, ended.err
    ended = command(train, "--resume", tmp_path / "run", "--beta", 0.5)
    assert ended.status == 1 and "was begun with beta = 0.25, not 0.5" in ended.err
    assert command(evaluate, tmp_path / "run", "--k", 20).status == 0


def test_help_shows_what_the_model_file_offers(command, lab):
    ended = command(train, "--model", lab, "--help")
    assert ended.status == 0
    for text in (
        "{grouped,plain}",
        "of lab.py alone",
        "--train-m",
        "groups of samples (default: 1)",
        "{standard,label}",
    ):
        assert text in ended.out
    assert "--train-m" not in command(train, "--help").out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--train-m", 0), "--train-m is 0: expected a whole number from 1 to 1,000,000"),
        (("--beta", "nan"), "--beta is nan: expected a finite number"),
        (("--prior", "flat"), "invalid choice: 'flat'"),
        (("--model", SOLUTION, "--train-m", 3), "unrecognized arguments: --train-m 3"),
    ],
)
def test_a_wrong_value_is_told_in_a_line(fit, tmp_path, options, message):
    ended = fit("run", *options)
    assert ended.status in (1, 2) and message in ended.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('"epochs": (1, "no")', "OPTIONS: every model file has an option epochs"),
        ('"out": (1, "no")', "OPTIONS: every model file has an option out"),
        ('"size": 3', "OPTIONS: 'size' is 3, expected (default, help)"),
        ('"size": ("small", "free words")', "OPTIONS: 'size' is ('small', 'free words'), expected"),
    ],
)
def test_options_that_cannot_be_are_told(fit, lab, entry, message):
    lab.write_text(LAB.replace('"train_m": (1, "groups of samples")', entry))
    ended = fit("run")
    assert ended.status == 1 and message in ended.err


def test_runs_with_other_options_get_other_folders(lab):
    def name(**given):
        return train.free_folder(complete({"model": str(lab), **given}, "digits")).name

    assert name() == "grouped-k2-train-m3-digits"
    assert name(objective="plain") == "plain-digits"
    assert name(objective="plain", beta=0.25, prior="label", sharp=True) == "plain-beta0.25-prior-label-sharp-digits"


# A pair of losses -----------------------------------------------------------------------------------------


def test_each_loss_is_differentiated_for_its_own_part(lab):
    settings = complete({"model": str(lab), "hidden": [8], "beta": 0.25}, "digits")
    model = load_model_file(lab).build(settings)
    gradients = {}
    for objective in ("plain", "grouped"):
        model.zero_grad()
        torch.manual_seed(1)
        loss = loop.backward(model, torch.bernoulli(torch.full((5, 784), 0.3)), objective, 2)
        gradients[objective] = {name: weight.grad for name, weight in model.named_parameters()}
    assert loss > 0 and not loss.requires_grad
    for name, plain in gradients["plain"].items():
        expected = 0.25 * plain if name.startswith("encoder") else plain
        torch.testing.assert_close(gradients["grouped"][name], expected)


def test_a_pair_stopped_and_gone_on_with_ends_with_the_same_weights(command, fit, tmp_path, monkeypatch):
    assert fit("whole", "--epochs", 2).status == 0
    as_input, calls = loop.as_input, []

    def interrupting(images):
        calls.append(images)
        if len(calls) == 47 + 7:
            signal.raise_signal(signal.SIGINT)
        return as_input(images)

    monkeypatch.setattr(loop, "as_input", interrupting)
    assert fit("run", "--epochs", 2).status == 130
    assert command(train, "--resume", tmp_path / "run").status == 0
    whole, run = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(whole[name], run[name]) for name in whole)


@pytest.mark.slow
def test_a_pair_is_compiled_too(fit, tmp_path):
    losses = {}
    for mode in ("on", "off"):
        ended = fit(mode, "--compile", mode)
        assert ended.status == 0, ended.err
        losses[mode] = float((tmp_path / mode / "metrics.csv").read_text().splitlines()[1].split(",")[1])
    assert losses["on"] == pytest.approx(losses["off"], abs=0.01)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('return {"encoder"', 'return {"q"', "losses returned the keys q, decoder: expected a dictionary"),
        ("bound, ", "bound.detach(), ", "losses returned a number without a gradient"),
        ("bound, ", "bound[None], ", "losses returned shape [1]: expected []"),
        (
            "model.m, ",
            "model.extra = torch.nn.Linear(2, 2); model.m, ",
            "every parameter of the model in its encoder or",
        ),
        ("(x, eps), 0)", "(x, eps) - torch.inf, 0)", "the loss became inf in epoch 1, step 1"),
        ("bound}", "bound + (0 * self.decoder(eps)).abs().sqrt().sum()}", "gradient became infinite or NaN in epoch 1"),
    ],
)
def test_a_broken_pair_ends_with_one_line(fit, lab, old, new, message):
    lab.write_text(LAB.replace(old, new))
    ended = fit("run")
    assert ended.status == 1 and message in ended.err and len(ended.err.strip().splitlines()) == 1


# What it imports of the core ------------------------------------------------------------------------------


def test_a_changed_core_is_a_changed_model(command, fit, lab, tmp_path):
    assert fit("run").status == 0
    core = lab.parent.parent / "model.py"
    core.write_text(core.read_text() + "\n# a comment\n")
    assert command(train, "--resume", tmp_path / "run", "--epochs", 2).status == 0
    core.write_text(core.read_text() + "\nX = 1\n")
    ended = command(train, "--resume", tmp_path / "run", "--epochs", 3)
    assert ended.status == 1 and "has changed since" in ended.err


def test_an_unfinished_core_is_told_from_the_lab(fit, lab):
    (lab.parent.parent / "model.py").write_bytes((ROOT / "base_code" / "model.py").read_bytes())
    ended = fit("run")
    assert ended.status == 1 and "model.py, which lab.py imports, has TODO 2" in ended.err
    module = load_model_file(lab)
    with pytest.raises(UnfinishedCore), explained(module.__file__):
        module.log_mean_exp(torch.zeros(2), 0)


def test_a_core_that_does_not_import_is_told(lab):
    (lab.parent.parent / "model.py").write_text("def f(:\n")
    with pytest.raises(UserError, match=r"model.py, line 1: SyntaxError"):
        load_model_file(lab)


# Labels ---------------------------------------------------------------------------------------------------

CONDITIONAL = """
import torch
from torch import nn
from model import Encoder, Decoder, bernoulli_log_likelihood, log_mean_exp

OBJECTIVES = {"conditional": {}}

class Model(nn.Module):
    needs_labels = True

    def __init__(self):
        super().__init__()
        self.d_latent, self.encoder, self.decoder = 3, Encoder(794, 3, (8,), False), Decoder(13, 784, (8,))

    def logits(self, z, y):
        return self.decoder(torch.cat([z, y.expand(*z.shape[:-1], 10)], -1))

    def log_weights(self, x, eps, y):
        assert y.shape == (len(x), 10) and (y.sum(1) == 1).all()
        return bernoulli_log_likelihood(x.expand(len(eps), *x.shape), self.logits(eps, y))

    def loss(self, x, objective, k, y):
        return -log_mean_exp(self.log_weights(x, torch.randn(k, len(x), 3), y), 0).mean()

    def sample(self, eps, y):
        return self.logits(eps, y)

    def reconstruct(self, x, y):
        mu, _ = self.encoder(torch.cat([x, y], -1))
        return self.logits(mu, y)

def build(settings):
    return Model()
"""


def test_a_model_that_asks_gets_the_classes(command, fit, lab, tmp_path):
    lab.write_text(CONDITIONAL)
    ended = fit("run", "--visualize", "--epochs", 3)
    assert ended.status == 0, ended.err
    assert "estimated test NLL" in ended.out and "warning" not in ended.out
    assert "see curves.png, samples.png and reconstructions.png there" in ended.out
    assert command(evaluate, tmp_path / "run", "--k", 20).status == 0
    ended = command(visualize, tmp_path / "run")
    assert ended.status == 0 and "samples.png" in ended.out and "plane.png" not in ended.out
    classes = load_one_hot("digits")[0]
    assert classes.shape == (1497, 10) and classes.sum() == 1497


def test_the_classes_are_those_of_the_images(lab, tmp_path, monkeypatch):
    """However the images are mixed."""
    lab.write_text(CONDITIONAL)
    images = torch.arange(50, dtype=torch.uint8).repeat(784, 1).T.contiguous()
    labels = torch.nn.functional.one_hot(torch.arange(50) % 10, 10).float()
    settings = complete({"model": str(lab), "batch_size": 7}, "digits")
    seen = []

    def noting(model, x, objective, k, y):
        seen.append((x[:, 0].long() % 10 == y.argmax(1)).all())
        return torch.zeros(())

    monkeypatch.setattr(loop, "as_input", lambda images: images.float())
    model = torch.nn.Linear(1, 1)
    state = train.State(model, torch.optim.Adam(model.parameters()), torch.zeros(8))
    monkeypatch.setattr(loop, "backward", noting)
    with loop.StopRequest() as stop:
        loop.train_epoch(state, images, settings, stop, noting, labels)
    assert len(seen) == 8 and all(seen)


# 8-bit images ---------------------------------------------------------------------------------------------

PIXELS = """
import math
import torch
from torch import nn

OBJECTIVES = {"bound": {}}
DATA = ("patches",)

def log_mean_exp(a, dim):
    return torch.logsumexp(a, dim) - math.log(a.shape[dim])

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.d_latent, self.linear = 2, nn.Linear(2, 768)

    def mean(self, z):
        return 128 + 50 * self.linear(z).unflatten(-1, (3, 16, 16))

    def log_weights(self, x, eps):
        return torch.distributions.Normal(self.mean(eps), 50.0).log_prob(x).flatten(2).sum(-1)

    def loss(self, x, objective, k):
        assert x.shape[1:] == (3, 16, 16) and (x == x.round()).all() and x.max() > 1
        return -log_mean_exp(self.log_weights(x, torch.randn(k, len(x), 2)), 0).mean()

    def sample(self, eps):
        return self.mean(eps)

def build(settings):
    return Model()
"""


def test_8_bit_images_are_trained_evaluated_and_drawn(command, lab, tmp_path):
    lab.write_text(PIXELS)
    ended = command(train, "--model", lab, "--epochs", 1, "--test-k", 10, "--visualize", "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert "training bound of" in ended.out and "on patches into" in ended.out
    figures = json.loads((tmp_path / "run" / "test.json").read_text())
    assert figures["images"] == 416 and 5 < figures["bits_per_pixel"] < 10
    assert figures["bits_per_pixel"] == pytest.approx(figures["nll"] / 768 / math.log(2))
    assert command(visualize, tmp_path / "run").status == 0
    ended = command(train, "--model", lab, "--data", "digits", "--out", tmp_path / "other")
    assert ended.status == 2 and "invalid choice: 'digits' (choose from" in ended.err
