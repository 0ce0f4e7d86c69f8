"""The training loop and its command line.

python base_code/train.py                                  the autoencoder, as handed out
python base_code/train.py --objective vae                  after TODO 1 and 2
python base_code/train.py --objective iwae --train-k 10    after TODO 3
"""

from cli import ROOT, UserError, find, run_command  # isort: skip  # first: Ctrl-C while torch is imported

import argparse
import contextlib
import csv
import dataclasses
import datetime
import io
import itertools
import math
import platform
import sys
from pathlib import Path

import numpy as np
import torch

import likelihood
from data import as_input, choose, load_grey, load_one_hot, load_test
from diagnose import culprit
from evaluate import measure, summary
from loop import Interrupted, NotFinite, State, StopRequest, backward, train_epoch
from model_file import (
    build_model,
    can_be_drawn,
    check_model,
    explained,
    is_trained_with,
    load_model_file,
    losses,
    needs_labels,
    reconstructs,
)
from outputs import write_atomically, write_json
from process import compiled, graphed, has_cpp_compiler, prepare_device
from run_folder import add_figures, read_config
from settings import Settings, add_settings, auto_data, choose_objective, chosen_model, complete, own_options
from turns import in_turns
from visualize import EventFile, TrainingView, draw_curves, draw_reconstructions, draw_samples, import_summary_writer

COMPILE_PAYS = 6e9  # decoded pixels of a whole run from which compiling saves more than the half minute it costs


TEST_IMAGES = 500  # on which the test loss of each epoch is measured
TEST_SEED = 11


def train(settings, folder, resume=False, visualize=False, tensorboard=False):
    """Train one run into its folder, then evaluate and draw it. Returns the test figures as a dictionary.

    The same settings give the same weights, whether the run was interrupted and resumed or not.
    Raises Interrupted after Ctrl-C, with everything saved.
    """
    if tensorboard:
        import_summary_writer()  # what is missing is told before anything is written
    module, images, labels, state, fast_backward = prepare(settings, folder, resume)
    if visualize and not can_be_drawn(state.model):
        print(f"notice: the model of {settings.model} cannot draw samples, so there are none to watch", file=sys.stderr)
        visualize = False
    rows = read_metrics(folder)[: state.epoch]
    test = [t.to(images.device) for t in load_test(settings.data, needs_labels(state.model))]  # x, and y if asked for
    if state.epoch < settings.epochs:
        (folder / "test.json").unlink(missing_ok=True)  # its figures are of weights that now change
    with StopRequest() as stop, in_turns(images.device), contextlib.ExitStack() as stack:
        views = [TrainingView(folder, state.model.d_latent)] if visualize else []
        views += [EventFile(folder, state.model.d_latent, state.epoch)] if tensorboard else []
        for view in views:
            stack.enter_context(contextlib.closing(view))
        while state.epoch < settings.epochs:
            try:
                with explained(module.__file__):
                    train_epoch(state, images, settings, stop, fast_backward, labels)
                    test_loss = fixed_loss(state.model, settings, *(t[:TEST_IMAGES] for t in test))
            except Interrupted:
                state.save(folder)
                raise
            except NotFinite as error:
                raise UserError(f"{error}{cause(error, module, state.model, settings)}") from None
            rows.append(end_epoch(state, settings, len(images), test_loss))
            write_metrics(folder, rows)
            state.save(folder)
            for view in views:
                view.show(state.model, rows[-1])
            if stop.is_set:
                raise Interrupted
    figures = measure(module, state.model, settings, settings.test_k)
    add_figures(folder, figures)
    draw_curves(folder / "curves.png", rows, figures)
    if can_be_drawn(state.model):
        draw_samples(folder / "samples.png", folder, settings, state.model)
    if reconstructs(state.model):
        draw_reconstructions(folder / "reconstructions.png", state.model, *(t[:50].cpu() for t in test))
    return figures


def train_once(settings, folder):
    """Train into the folder unless the run there is finished; one that was interrupted goes on."""
    is_finished = (folder / "test.json").exists() and len(read_metrics(folder)) >= settings.epochs
    if not is_finished:
        train(settings, folder, resume=(folder / "config.json").exists())


def fixed_loss(model, settings, x, *y):
    """The loss of test images x (classes y), with the same noise at every call, and none taken from the training's."""
    total = 0.0
    with torch.random.fork_rng([x.device] if x.device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(TEST_SEED)
        torch.set_grad_enabled(hasattr(model, "losses"))  # a pair may be made of gradients
        for batch in zip(*(t.split(settings.batch_size) for t in (x, *y))):  # no more memory than training takes
            loss, _ = losses(model, batch[0], settings.objective, settings.train_k, *batch[1:])[-1]
            total += loss.item() * len(batch[0])
    return total / len(x)


def cause(error, module, model, settings):
    """What made a loss NotFinite, and what to do, as the rest of its line: its batch is tried again."""
    torch.set_rng_state(error.random_state)
    x, *y = error.batch
    tried = (model, x, settings.objective, settings.train_k, *y)
    part = culprit(module, model, lambda: [loss for loss, _ in losses(*tried)])
    return (
        f"{f': {part}' if part else ''}; the last good checkpoint is kept; "
        "look for an overflow with base_code/check.py, or lower --lr"
    )


def prepare(settings, folder, resume):
    """Everything a training needs, checked before anything is written.

    Returns the model file's module, the train images (uint8 [N, P] or [N, C, H, W]), their one-hot classes (or None),
    the state and the backward of a full batch.
    """
    device = prepare_device(settings.device)
    module = load_model_file(settings.model)
    images = load_grey(settings.data)[0].to(device)
    if settings.batch_size > len(images):
        raise UserError(f"--batch-size {settings.batch_size}: {settings.data} has only {len(images)} training images")
    torch.manual_seed(settings.seed)
    model = build_model(module, settings).to(device)
    if settings.preset != "course":
        initialise_as_published(model, images)
    labels = load_one_hot(settings.data)[0].to(device) if needs_labels(model) else None
    example = [as_input(images[:3]), *([] if labels is None else [labels[:3]])]
    check_model(module, model, settings, *example)
    optimizer = torch.optim.Adam(model.parameters(), settings.lr, eps=settings.adam_eps, fused=device.type != "mps")
    n_steps = math.ceil(len(images) / settings.batch_size)
    state = State(model, optimizer, torch.zeros(n_steps, device=device))
    compile_it = pays_to_compile(settings, images)
    if resume:
        config = read_config(folder)
        if not is_trained_with(module, config):
            raise UserError(f"{settings.model} has changed since {folder} was begun; start a new run")
        compile_it = config["compiled"]  # compiled or not, a step rounds differently
        load_kernel_as_before(config)
    fast_backward = compiled_backward(model, settings, *example) if compile_it else backward
    if resume:
        state.load(folder)
    else:
        create_folder(folder, settings, module, device, compiled=fast_backward != backward)
        state.save(folder)
    return module, images, labels, state, fast_backward


def load_kernel_as_before(config):
    """The likelihood with its kernel only if the run was begun with it, since that rounds differently, too."""
    was_loaded = config.get("kernel")  # None in runs from before there was one
    if was_loaded is False:
        likelihood.kernel = None
    elif was_loaded and likelihood.kernel is None:
        reason = "the run was begun with code in C; without it the last digits of its weights differ"
        print(f"notice: {reason}", file=sys.stderr)


@torch.no_grad()
def initialise_as_published(model, images):
    """The paper's initial weights (Burda et al., section 5): those of Glorot and Bengio 2010, with biases of 0.

    The last bias of a decoder is such that each pixel begins at its mean in the train images, uint8 [N, P].
    """
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    if hasattr(model, "decoder") and hasattr(model.decoder, "head"):
        model.decoder.head.bias.copy_(torch.logit(images.float().mean(0) / 255, eps=0.001))


def pays_to_compile(settings, images):
    """Whether to compile: as the settings say or, on auto, where a C++ compiler is and the run is long enough."""
    if settings.compile != "auto":
        return settings.compile == "on"
    pixels = settings.epochs * images.numel() * settings.train_k
    return images.device.type == "cpu" and has_cpp_compiler() and pixels >= COMPILE_PAYS


def compiled_backward(model, settings, *example):
    """example: images and, where the model asks for them, their classes: as many as there are"""
    x, *y = (t.new_zeros(settings.batch_size, *t.shape[1:]) for t in example)
    tried = (model, x, settings.objective, settings.train_k, *y)
    fast = graphed if x.device.type == "cuda" else compiled
    fast_backward = fast(backward, tried, settings.compile == "on")
    model.zero_grad()
    return fast_backward


def end_epoch(state, settings, n_images, test_loss):
    """Count the epoch; print it, and return it as a row of metrics.csv."""
    sizes = torch.full_like(state.losses, settings.batch_size)  # images of each step
    sizes[-1] = n_images - (len(sizes) - 1) * settings.batch_size
    train_loss = (state.losses * sizes).sum().item() / n_images
    state.epoch += 1
    losses = f"train loss {train_loss:.2f} nats, test loss {test_loss:.2f}"
    print(f"epoch {state.epoch}/{settings.epochs}: {losses}, {state.seconds:.1f} s", flush=True)
    row = {
        "epoch": state.epoch,
        "train_loss": f"{train_loss:.4f}",
        "test_loss": f"{test_loss:.4f}",
        "lr": f"{settings.lr_at(state.epoch - 1):.6g}",
        "seconds": f"{state.seconds:.2f}",
    }
    state.step, state.seconds = 0, 0.0
    return row


def create_folder(folder, settings, module, device, compiled):
    """A new run folder with its config.json."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already; go on with --resume {folder}, or choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "settings": dataclasses.asdict(settings),
        "model_sha256": module.sha256,
        "device": str(device),
        "compiled": compiled,
        "kernel": likelihood.kernel is not None,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    write_json(folder / "config.json", config)


def read_metrics(folder):
    """The rows of metrics.csv, one for each complete epoch."""
    path = folder / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_metrics(folder, rows):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[-1])  # the first rows may be of an earlier version, with fewer columns
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / "metrics.csv", text.getvalue().encode())


def free_folder(settings):
    """runs/OBJECTIVE-DATA in the project, with what else tells runs apart; or the first of -2, -3, ... not taken."""
    own = own_options(chosen_model({"model": settings.model}))
    has_k = settings.objective == "iwae" or (own and settings.train_k > 1)
    name = settings.objective + (f"-k{settings.train_k}" if has_k else "")
    for option, (default, _, _) in own.items():
        value = getattr(settings, option)
        if value != default:
            shown = {bool: "", str: f"-{value}"}.get(type(value), f"{value}")
            name += f"-{option.replace('_', '-')}{shown}"
    name += "-untied" if settings.untied else ""
    name += f"-d{settings.d_latent}" if settings.d_latent != Settings.d_latent else ""
    base = ROOT / "runs" / f"{name}-{settings.data}"
    if base.is_relative_to(Path.cwd()):
        base = base.relative_to(Path.cwd())
    candidates = itertools.chain([base], (base.with_name(f"{base.name}-{i}") for i in itertools.count(2)))
    return next(folder for folder in candidates if not folder.exists())


def resumed_settings(folder, given):
    """The settings of a run to go on with. Only the number of epochs and the test k may change."""
    config = read_config(folder)
    before = config["settings"]
    asked = complete({**before.flat(), **given}, before.data)
    for name in set(given) - {"epochs", "test_k", "data"}:
        if getattr(asked, name) != getattr(before, name):
            raise UserError(
                f"{folder} was begun with {name} = {getattr(before, name)}, not {getattr(asked, name)}; "
                "leave that option out, or start a new run"
            )
    write_json(folder / "config.json", {**config, "settings": dataclasses.asdict(asked)})
    return asked


def named_model():
    """The model file of the command line or, with --resume, of the run: it has options of its own."""
    parser = argparse.ArgumentParser(add_help=False)
    for option in ("--model", "--resume"):
        parser.add_argument(option, nargs="?")
    named, _ = parser.parse_known_args()
    if named.resume and not named.model:
        with contextlib.suppress(UserError):  # that it is no run is told later
            named.model = read_config(find(named.resume))["settings"].model
    return chosen_model({"model": named.model} if named.model else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser, named_model())
    parser.add_argument("--out", type=Path, metavar="RUN", help="the run folder (default: runs/ and a name)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--visualize", action="store_true", help="watch the samples: in a window, or as samples.gif in the run folder"
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write event files for TensorBoard, into the run folder"
    )
    given = vars(parser.parse_args())
    out, resume, visualize, tensorboard = (given.pop(name) for name in ("out", "resume", "visualize", "tensorboard"))
    if resume and out:
        raise UserError("--resume goes on in its own folder; leave --out away")
    if resume:
        folder = find(resume)
        settings = resumed_settings(folder, given)
    else:
        choose_objective(given)  # one that there is not is told before a dataset is looked for
        settings = complete(given, choose(given.get("data", Settings.data), auto_data(chosen_model(given))))
        folder = out or free_folder(settings)
    print(f"training {settings.objective} of {settings.model} on {settings.data} into {folder}", flush=True)
    try:
        figures = train(settings, folder, resume is not None, visualize, tensorboard)
    except KeyboardInterrupt:
        saved = (folder / "checkpoint.safetensors").exists()
        go_on = f"stopped, and saved; go on with: python {sys.argv[0]} --resume {folder}"
        print("\n" + (go_on if saved else "stopped before the first step"), file=sys.stderr)
        sys.exit(130)
    print(summary(figures))
    if "doubt" in figures:
        print(f"warning: {figures['doubt']}")
    pictures = [name for name in ("curves.png", "samples.png", "reconstructions.png") if (folder / name).exists()]
    print(f"the run is in {folder}; see {' and'.join(', '.join(pictures).rsplit(',', 1))} there")


if __name__ == "__main__":
    run_command(main)
