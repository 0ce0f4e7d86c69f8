"""The settings of a run: one dataclass, its options on the command line, and its defaults."""

import argparse
import dataclasses
import math
from dataclasses import dataclass, field

from cli import ROOT, UserError, resolve
from model_file import read_objectives

LARGEST = 1_000_000  # for every number of things; what is beyond cannot be meant


def setting(default, help_text, **argparse_options):
    """A field of Settings that is also an option of the command line."""
    return field(default=default, metadata={"help": help_text, "argparse": argparse_options})


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result of a training run."""

    objective: str = setting("ae", "what to train", metavar="{ae,vae,iwae}")
    train_k: int = setting(1, "samples per image while training (iwae: 10)", type=int)
    test_k: int = setting(100, "samples per image for the test NLL", type=int)
    epochs: int = setting(30, "passes over the training images (digits: 100; paper: 3280)", type=int)
    batch_size: int = setting(128, "images per step (digits: 32; paper: 20)", type=int)
    hidden: tuple[int, ...] = setting((100,), "hidden units, one number for each layer", type=int, nargs="+")
    d_latent: int = setting(10, "latent units D", type=int)
    untied: bool = setting(False, "a head for mu and one for sigma, in place of the tied one", action="store_true")
    lr: float = setting(1e-3, "Adam's learning rate", type=float)
    seed: int = setting(0, "seed of the weights, the order of the images and the noise", type=int)
    data: str = setting("auto", "dataset; auto: mnist where it can be had", choices=("auto", "mnist", "digits"))
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda", "mps"))
    compile: str = setting("auto", "torch.compile; auto: where a long run pays for it", choices=("auto", "on", "off"))
    model: str = setting("base_code/model.py", "the model file", metavar="FILE")
    preset: str = setting("course", "paper: the IWAE paper's one-layer experiment", choices=("course", "paper"))

    def __post_init__(self):
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a list, where it comes from argparse or JSON
        for name in ("train_k", "test_k", "epochs", "batch_size", "d_latent"):
            require_count(name, getattr(self, name))
        in_range = self.hidden and 1 <= min(self.hidden) <= max(self.hidden) <= LARGEST
        require(in_range, "hidden", self.hidden, f"whole numbers from 1 to {LARGEST:,}")
        require(self.lr > 0 and math.isfinite(self.lr), "lr", self.lr, "a number above 0")
        require(0 <= self.seed < 2**64, "seed", self.seed, "0 or more, and less than 2^64")
        if self.objective == "ae" and self.train_k != 1:
            raise UserError(f"--train-k {self.train_k}: an autoencoder draws no samples; add --objective vae or iwae")

    @property
    def adam_eps(self) -> float:
        return 1e-4 if self.preset == "paper" else 1e-8

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0.

        The paper's schedule (Burda et al., section 5): lr * 10^(-i/7) for 3^i epochs, i = 0 ... 7.
        """
        if self.preset != "paper":
            return self.lr
        ends = [sum(3**j for j in range(i + 1)) for i in range(8)]  # 1, 4, 13, ... 3280
        stage = sum(epoch >= end for end in ends)
        return self.lr * 10 ** (-min(stage, 7) / 7)


PRESETS = {
    "course": {},
    "paper": {"hidden": (200, 200), "d_latent": 50, "untied": True, "batch_size": 20, "epochs": 3280},
}
DATASETS = {"mnist": {}, "digits": {"epochs": 100, "batch_size": 32}}


def choose_objective(given: dict) -> tuple[str, dict]:
    """The objective of the options that were given, else the model file's first, and its own defaults there."""
    model = resolve(given.get("model", Settings.model))
    objectives = read_objectives(model)
    objective = given.get("objective", next(iter(objectives), Settings.objective))
    if objectives:
        offered = f"one that {model.name} trains: {', '.join(objectives)}"
        require(objective in objectives, "objective", objective, offered)
    return objective, objectives.get(objective, {})


def complete(given: dict, dataset: str) -> Settings:
    """Settings from the options that were given; the dataset, objective and preset set the other defaults."""
    preset, model = given.get("preset", "course"), resolve(given.get("model", Settings.model))
    objective, defaults = choose_objective(given)
    if model.is_relative_to(ROOT):  # so that a run can be read from any folder, and on another machine
        model = model.relative_to(ROOT).as_posix()
    own = {**given, "objective": objective, "data": dataset, "model": str(model)}
    return Settings(**{**DATASETS[dataset], **defaults, **PRESETS[preset], **own})


def require(condition: object, name: str, found: object, expected: str) -> None:
    if not condition:
        raise UserError(f"--{name.replace('_', '-')} is {found}: expected {expected}")


def require_count(name: str, found: int) -> None:
    require(1 <= found <= LARGEST, name, found, f"a whole number from 1 to {LARGEST:,}")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """One option for each field of Settings; an option that is not given leaves no trace in the result."""
    for f in dataclasses.fields(Settings):
        default = " ".join(map(str, f.default)) if isinstance(f.default, tuple) else f.default
        shown = "" if f.type is bool else f" (default: {default})"
        option = "--" + f.name.replace("_", "-")
        parser.add_argument(
            option, default=argparse.SUPPRESS, help=f.metadata["help"] + shown, **f.metadata["argparse"]
        )
