"""The run folder: its settings, test figures and weights, and the run that they make."""

import json
import sys
from pathlib import Path

import safetensors
import safetensors.torch

from cli import UserError, find
from model_file import build_model, is_trained_with, load_model_file
from outputs import write_json
from process import prepare_device
from settings import Settings


def read_config(folder):
    """config.json of a run, with its settings as Settings."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise UserError(f"{folder} is not a run: it holds no config.json; train.py makes one")
    try:
        config = json.loads(path.read_text())
        config["settings"] = Settings(**config["settings"])
        if not {"model_sha256", "compiled"} <= config.keys():
            raise KeyError("model_sha256 or compiled")
        return config
    except (ValueError, KeyError, TypeError, UserError) as error:
        raise UserError(f"{path} is damaged or of another version ({error}); train the run again") from None


def read_figures(folder):
    """The test figures of a run: {k: figures}, {None: figures} of an autoencoder, empty where there are none yet.

    In test.json those of the training's end come first, and below "other_k" those of later evaluations.
    """
    path = Path(folder) / "test.json"
    try:
        first = json.loads(path.read_text())
        others = first.pop("other_k", {})
        return {first.get("k"): first} | {int(k): figures for k, figures in others.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it, and evaluate the run again") from None


def add_figures(folder, figures):
    """Keep test figures beside those of other k."""
    first, *others = (read_figures(folder) | {figures.get("k"): figures}).values()
    content = {**first, "other_k": {str(other["k"]): other for other in others}} if others else first
    write_json(Path(folder) / "test.json", content)


def read_tensors(path):
    if not path.is_file():
        raise UserError(f"{path} is missing: the run was stopped before it saved anything; train it again")
    try:
        return safetensors.torch.load(path.read_bytes())
    except (safetensors.SafetensorError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); train the run again") from None


def load_weights(model, tensors, folder):
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UserError(f"the weights in {folder} do not fit the model file: {reason}") from None


def labels(folders):
    """A short name for each run folder: its own, or its path where another has the same name. {folder: label}"""
    names = [Path(folder).name for folder in folders]
    return {f: Path(f).name if names.count(Path(f).name) == 1 else str(f) for f in folders}


def unique(folders):
    """Each run folder once, however it is written, found from here or from the project's root."""
    return list({find(folder).resolve(): find(folder) for folder in folders}.values())


def load_run(folder, device="auto"):
    """A trained run: its config, its model file's module and the model with the run's weights, on the device."""
    folder = find(folder)
    config = read_config(folder)
    settings = config["settings"]
    module = load_model_file(settings.model)
    if not is_trained_with(module, config):
        now = "its weights are used with the file as it is now"
        print(f"notice: {settings.model} has changed since {folder} was trained; {now}", file=sys.stderr)
    device = prepare_device(device)
    model = build_model(module, settings).to(device)
    load_weights(model, read_tensors(Path(folder) / "model.safetensors"), folder)
    return config, module, model.eval()
