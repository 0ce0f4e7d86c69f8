"""The paper's table: every row trained and measured on the same test images, by processes side by side.

What is finished is kept, each run in a folder of its own: an interrupted call goes on where it was stopped.
"""

import contextlib
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from fnmatch import fnmatch

import torch

from autograder.assignments.hierarchical import table
from cli import UserError, told
from data import choose, load_test
from evaluate import chunk_sizes, estimate
from model_file import import_file, needs_labels
from outputs import owned_folder
from run_folder import load_run, read_config
from settings import complete
from studies.hierarchical.latents import ACTIVE, q_means
from train import read_metrics, train_once

LABS = "solutions/labs"


@dataclass(frozen=True)
class Run:
    """A model that is trained: a row and a column of the table."""

    name: str  # of its folder
    lab: str  # whose model file it is
    objective: str
    train_k: int
    given: dict = field(hash=False)  # further settings
    cost: float  # of a training step, in steps of the one-layer VAE with one sample, roughly

    def settings(self, common):
        given = {"model": f"{LABS}/{self.lab}.py", "objective": self.objective, "train_k": self.train_k}
        return complete({**common, **given, **self.given}, common["data"])


def rows():
    """{title of a row: {k: Run}}. With one sample the VAE's bound is the IWAE's: one run for both."""
    made = {}
    for title, lab, objective, given, cost in (
        ("VAE, 1 layer", "hierarchical", "vae", {"layers": 1}, 1),
        ("IWAE, 1 layer", "hierarchical", "iwae", {"layers": 1}, 1),
        ("DReG, 1 layer", "estimators", "dreg", {}, 1.2),
        ("VAE, 2 layers", "hierarchical", "vae", {"layers": 2}, 1.5),
        ("IWAE, 2 layers", "hierarchical", "iwae", {"layers": 2}, 1.5),
        ("conditional IWAE", "hierarchical", "iwae", {"conditional": "label"}, 1.2),
    ):
        short = title.replace(",", "").replace(" ", "-").lower()
        runs = {k: Run(f"{short}-k{k}", lab, objective, k, given, cost * k) for k in table.COLUMNS}
        made[title] = runs | {1: made[title.replace("IWAE", "VAE")][1]} if title.startswith("IWAE") else runs
    return made


def measure_table(work, workers=None, minutes=None, k=5000, images=None, only=("*",), **given):
    """Train and measure all runs below the folder work, the longest first, and write the table of what is done.

    workers: processes, one for each core by default. minutes: then stop, with all saved. images: of the test set, from
    its first on; all by default. only: names of runs, with * for anything. given: settings of all runs.
    """
    chunk_sizes(k)
    owned_folder(work, "table")
    compiled = "on" if given.get("device") == "cuda" else "auto"
    common = {"preset": "paper-short", "device": "cpu", "compile": compiled, "seed": 0, "test_k": 1, **given}
    common["data"] = choose(given.get("data", "auto"))
    runs = {run.name: run for row in rows().values() for run in row.values()}
    chosen = [run for run in runs.values() if any(fnmatch(run.name, pattern) for pattern in only)]
    chosen.sort(key=lambda run: -run.cost)
    begun, failed, is_cut_short = time.monotonic(), [], False
    print(f"{len(chosen)} runs on {common['data']}, {common['device']}, into {work}", flush=True)
    spawn = multiprocessing.get_context("spawn")  # a fork would share torch's threads
    stop = spawn.Event()
    with ProcessPoolExecutor(workers or os.cpu_count(), spawn, initializer=start_worker, initargs=(stop,)) as pool:
        futures = {pool.submit(one_run, work, run, common, k, images): run for run in chosen}
        try:
            for future in as_completed(futures, minutes and 60 * minutes):
                with told(futures[future].name, failed):
                    print(f"{(time.monotonic() - begun) / 60:6.2f} min: {outcome(future)}", flush=True)
                table.write(work, rows())
        except (KeyboardInterrupt, TimeoutError):
            is_cut_short = True
            stop.set()
            for future in futures:
                future.cancel()
            print("stopping; what was done is kept, and the same command goes on", file=sys.stderr, flush=True)
    print(table.write(work, rows()))
    if is_cut_short:
        raise KeyboardInterrupt
    if failed:
        raise UserError(f"{len(failed)} of {len(chosen)} runs failed: {', '.join(failed)}")


def outcome(future):
    """What a run says of itself; what failed in it is told like a mistake that the user can mend: the others go on."""
    try:
        return future.result()
    except (UserError, OSError):
        raise
    except Exception as error:
        raise UserError(f"{type(error).__name__}: {error}") from None


# In a process of the pool ---------------------------------------------------------------------------------


def start_worker(stop):
    """Ctrl-C is the parent's, which sets stop."""
    global is_stopped
    is_stopped = stop.is_set
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # out of the terminal's reach: a second signal would stop a run before it is saved
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)  # as many processes as cores, of one thread each, waste the least
    threading.Thread(target=watch, args=(stop,), daemon=True).start()


def watch(stop):
    """Interrupt the run where it can go on later; where the parent is gone, end at once."""
    while not stop.wait(0.5):
        if not multiprocessing.parent_process().is_alive():
            os._exit(1)
    os.kill(os.getpid(), signal.SIGINT)


def one_run(work, run, common, k, images):
    """Train and measure a run below the folder work, unless that is done. Returns what to tell of it."""
    folder, settings = work / run.name, run.settings(common)
    if (folder / "config.json").exists() and read_config(folder)["settings"] != settings:
        raise UserError(f"{folder} was begun with other settings; give another --work")
    if is_stopped():
        return f"{run.name} not begun"
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (work / f"{run.name}.log").open("a") as log, contextlib.redirect_stdout(log):
            train_once(settings, folder)
            result = table.read_result(folder)
            if not result or (result["k"], result["limit"]) != (k, images):
                result = measure(folder, settings, k, images)
    except KeyboardInterrupt:
        return f"{run.name} stopped"
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    nll = f"NLL {result['nll']:.2f} ± {result['standard_error']:.2f}"
    return f"{run.name}: {nll}, trained {result['train_seconds']:.0f} s, measured {result['test_seconds']:.0f} s"


def measure(folder, settings, k, n_images):
    """The test NLL with k samples, log p of each image, and the active units: kept in the folder."""
    config, module, model = load_run(folder, settings.device)
    x, *y = (t[:n_images] for t in load_test(settings.data, needs_labels(model)))  # [N, P], [N, C]
    begun = time.monotonic()
    arrays, accuracy = {"log_p": estimate(module, model, x, k, *y)[0]}, {}
    if y:
        arrays |= without_labels(module, model, x, k)
        accuracy = {"accuracy": (arrays["log_p_given_y"].argmax(0) == y[0].argmax(1)).double().mean().item()}
    lab = import_file(f"{LABS}/hierarchical.py")
    means = q_means(model, x, *y)
    log_p, rows_ = arrays["log_p"], read_metrics(folder)
    result = {
        "nll": -log_p.mean().item(),
        "standard_error": (log_p.std() / len(x) ** 0.5).item(),
        **accuracy,
        "k": k,
        "images": len(x),
        "limit": n_images,
        "active": {name: int((lab.activity(mean) > ACTIVE).sum()) for name, mean in means.items()},
        "units": {name: mean.shape[1] for name, mean in means.items()},
        "epochs": len(rows_),
        "train_loss": float(rows_[-1]["train_loss"]),
        "train_seconds": sum(float(row["seconds"]) for row in rows_),
        "test_seconds": time.monotonic() - begun,
        "seed": settings.seed,
        "preset": settings.preset,
        "device": device_name(config["device"]),
        "versions": config["versions"],
        "date": config["date"],
    }
    table.write_result(folder, result, {name: array.numpy() for name, array in arrays.items()})
    return result


def without_labels(module, model, x, k):
    """log p(x) of a model of images given labels, with k samples in all, and log p(x | y) of each label."""
    n, labels = model.n_classes, torch.eye(model.n_classes)
    given = [estimate(module, model, x, k // n, label.expand(len(x), -1))[0] for label in labels]
    log_p_given_y = torch.stack(given)  # [C, N]
    return {"log_p_given_y": log_p_given_y, "log_p_without_labels": module.log_mean_exp(log_p_given_y, 0)}


def device_name(device):
    return torch.cuda.get_device_name() if device.startswith("cuda") else f"{platform.machine()} {device}"
