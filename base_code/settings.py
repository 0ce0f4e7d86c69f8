"""The settings of a run: one dataclass, its options on the command line, and its defaults."""

import argparse
import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import ROOT, UserError, resolve
from model_file import read_literal

PRESET_NAMES = ("course", "paper", "paper-short")
LARGEST = 1_000_000  # for every number of things; what is beyond cannot be meant


def setting(default, help_text, **argparse_options):
    """A field of Settings that is also an option of the command line."""
    return field(default=default, metadata={"help": help_text, "argparse": argparse_options})


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result of a training run. A model file's own settings are attributes, too."""

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
    data: str = setting("auto", "dataset; auto: the first that can be had", metavar="NAME")
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda", "mps"))
    compile: str = setting(
        "auto", "torch.compile, or a CUDA graph; auto: for a long run on the CPU", choices=("auto", "on", "off")
    )
    model: str = setting("base_code/model.py", "the model file", metavar="FILE")
    preset: str = setting("course", "paper: the IWAE paper's run; paper-short: a short one", choices=PRESET_NAMES)
    options: dict[str, Any] = field(default_factory=dict, hash=False)  # the model file's own, {setting: value}

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

    def __getattr__(self, name: str) -> Any:
        """What is no field: a setting of the model file's own."""
        try:
            return self.__dict__["options"][name]
        except KeyError:
            raise AttributeError(f"there is no setting {name}") from None

    def flat(self) -> dict[str, Any]:
        """{setting: value}, the model file's own among them."""
        values = dataclasses.asdict(self)
        return values | values.pop("options")

    @property
    def adam_eps(self) -> float:
        return 1e-4 if self.preset == "paper" else 1e-8

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0.

        The paper's schedule (Burda et al., section 5): lr * 10^(-i/7) for 3^i epochs, i = 0 ... 7. The short one
        begins at lr and ends at a tenth of it.
        """
        if self.preset == "course":
            return self.lr
        if self.preset == "paper-short":
            return self.lr * 10 ** (-epoch / max(self.epochs - 1, 1))
        ends = [sum(3**j for j in range(i + 1)) for i in range(8)]  # 1, 4, 13, ... 3280
        stage = sum(epoch >= end for end in ends)
        return self.lr * 10 ** (-min(stage, 7) / 7)


PUBLISHED = {"hidden": (200, 200), "d_latent": 50, "untied": True}
PRESETS = {
    "course": {},
    "paper": {**PUBLISHED, "batch_size": 20, "epochs": 3280},
    "paper-short": {**PUBLISHED, "batch_size": 100, "epochs": 30, "lr": 3e-3},
}
DATASETS = {
    "mnist": {},
    "digits": {"epochs": 100, "batch_size": 32},
    "omniglot": {"epochs": 100},
    "silhouettes": {"epochs": 100},
    "patches": {"epochs": 20, "batch_size": 64},
    "frey": {"epochs": 100, "batch_size": 64},
    "cifar10": {"batch_size": 64},
}
BINARY = ("mnist", "digits", "omniglot", "silhouettes")  # of which "auto" is the first two
FIELDS = [f.name for f in dataclasses.fields(Settings)]
OTHERS = ("help", "out", "resume", "visualize", "tensorboard")  # options of train.py that are no settings


def offered_data(model: Path) -> tuple[str, ...]:
    """The datasets that a model file trains on: its DATA or, without one, those of binary images."""
    named = tuple(read_literal(model, "DATA"))
    unknown = [name for name in named if name not in DATASETS]
    if unknown:
        raise UserError(f"{model.name}, DATA: there is no dataset {unknown[0]!r}, only {', '.join(DATASETS)}")
    return named or BINARY


def auto_data(model: Path) -> tuple[str, ...]:
    """Those of which `auto` is the first that can be had."""
    return offered_data(model) if read_literal(model, "DATA") else BINARY[:2]


def choose_objective(given: dict) -> tuple[str, dict]:
    """The objective of the options that were given, else the model file's first, and its own defaults there."""
    model = chosen_model(given)
    objectives = read_literal(model, "OBJECTIVES")
    objective = given.get("objective", next(iter(objectives), Settings.objective))
    if objectives:
        offered = f"one that {model.name} trains: {', '.join(objectives)}"
        require(objective in objectives, "objective", objective, offered)
    return objective, objectives.get(objective, {})


def chosen_model(given: dict) -> Path:
    return resolve(given.get("model", Settings.model))


def own_options(model: Path) -> dict[str, tuple]:
    """{setting: (its default, help, choices or ())} of the model file's own; UserError where it cannot have them."""
    options, entries = {}, read_literal(model, "OPTIONS")
    if not isinstance(entries, dict):
        raise UserError(f"{model.name}, OPTIONS: expected a dictionary")
    for name, entry in entries.items():
        default, help_text, choices = (*entry, (), None)[:3] if isinstance(entry, tuple) else (None, None, None)
        is_whole = isinstance(name, str) and isinstance(help_text, str) and isinstance(choices, tuple)
        if not (is_whole and (isinstance(default, int | float) or default in choices)):
            raise UserError(
                f"{model.name}, OPTIONS: {name!r} is {entry!r}, expected (default, help) or, of words, "
                "(default, help, choices)"
            )
        if name in (*FIELDS, *OTHERS):
            raise UserError(f"{model.name}, OPTIONS: every model file has an option {name}; choose another name")
        options[name] = default, help_text, choices
    return options


def check_option(name: str, value: Any, default: Any, choices: tuple) -> None:
    """UserError unless it is a value of an own setting that has this default."""
    if choices:
        require(value in choices, name, value, f"one of {', '.join(map(str, choices))}")
    elif isinstance(default, bool):
        require(isinstance(value, bool), name, value, "True or False")
    elif isinstance(default, int):
        least = min(1, default)
        is_count = isinstance(value, int) and least <= value <= LARGEST
        require(is_count, name, value, f"a whole number from {least} to {LARGEST:,}")
    else:
        require(isinstance(value, int | float) and math.isfinite(value), name, value, "a finite number")


def complete(given: dict, dataset: str) -> Settings:
    """Settings from the options that were given; the dataset, objective and preset set the other defaults."""
    preset, model = given.get("preset", "course"), chosen_model(given)
    objective, defaults = choose_objective(given)
    offered = own_options(model)
    unknown = [name for name in {**defaults, **given} if name not in offered and name not in FIELDS]
    if unknown:
        raise UserError(f"--{unknown[0].replace('_', '-')}: {model.name} has no such option")
    own_defaults = {name: default for name, (default, _, _) in offered.items()}
    # From the root, so that a run can be read from any folder, and on another machine.
    named = model.relative_to(ROOT).as_posix() if model.is_relative_to(ROOT) else str(model)
    own = {**given, "objective": objective, "data": dataset, "model": named}
    values = {**own_defaults, **DATASETS[dataset], **defaults, **PRESETS[preset], **own}
    options = {name: values.pop(name) for name in offered}
    for name, (default, _, choices) in offered.items():
        check_option(name, options[name], default, choices)
    return Settings(**values, options=options)


def require(condition: object, name: str, found: object, expected: str) -> None:
    if not condition:
        raise UserError(f"--{name.replace('_', '-')} is {found}: expected {expected}")


def require_count(name: str, found: int) -> None:
    require(1 <= found <= LARGEST, name, found, f"a whole number from 1 to {LARGEST:,}")


def add_settings(parser: argparse.ArgumentParser, model: Path) -> None:
    """One option for each field of Settings, and for each setting of the model file's own.

    An option that is not given leaves no trace in the result.
    """
    for f in dataclasses.fields(Settings):
        if f.metadata:
            default = " ".join(map(str, f.default)) if isinstance(f.default, tuple) else f.default
            add_option(
                parser, f.name, default, f.metadata["help"], **{**f.metadata["argparse"], **asked(f.name, model)}
            )
    own = parser.add_argument_group(f"of {model.name} alone")
    for name, (default, help_text, choices) in own_options(model).items():
        kind: dict[str, Any] = {"action": "store_true"} if isinstance(default, bool) else {"type": type(default)}
        add_option(own, name, default, help_text, **kind, **({"choices": choices} if choices else {}))


def add_option(parser, name: str, default: Any, help_text: str, **options) -> None:
    shown = "" if isinstance(default, bool) else f" (default: {default})"
    option = "--" + name.replace("_", "-")
    parser.add_argument(option, default=argparse.SUPPRESS, help=help_text.replace("%", "%%") + shown, **options)


def asked(name: str, model: Path) -> dict[str, Any]:
    """What the model file says of the values of a setting, as options of argparse."""
    if name == "objective" and (objectives := read_literal(model, "OBJECTIVES")):
        return {"metavar": f"{{{','.join(objectives)}}}"}
    return {"choices": ("auto", *offered_data(model)), "metavar": None} if name == "data" else {}
