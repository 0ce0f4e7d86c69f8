"""The reference figures: train the reference solution with several seeds and write solutions/reference.json.

README's table is made from that file.
"""

import datetime
import json
import multiprocessing
import os
import platform
import statistics
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import torch
from tqdm import tqdm

from autograder import ROOT
from autograder.assignments.iwae.nll import FULL_EPOCHS, REFERENCE, SHORT_EPOCHS
from cli import UserError
from data import choose
from evaluate import measure
from outputs import owned_folder, write_atomically, write_json
from run_folder import load_run
from settings import complete
from train import read_metrics, train_once

README = ROOT / "README.md"
TABLE_BEGIN, TABLE_END = "<!-- reference table: begin -->\n", "<!-- reference table: end -->\n"
MODEL = "solutions/model.py"


@dataclass(frozen=True)
class Experiment:
    """A setting that is trained with several seeds."""

    data: str
    objective: str
    train_k: int
    epochs: int
    untied: bool = False
    seeds: int = 5

    @property
    def is_short(self):
        return self.epochs == SHORT_EPOCHS[self.data]

    @property
    def test_ks(self):
        return (100,) if self.is_short else (100, 5000)

    def folder(self, seed):
        network = "untied" if self.untied else "tied"
        return f"{self.data}-{self.objective}-{network}{'-short' if self.is_short else ''}-seed{seed}"


EXPERIMENTS = [
    *(
        Experiment(data, objective, train_k, epochs[data])
        for epochs in (FULL_EPOCHS, SHORT_EPOCHS)
        for data in ("mnist", "digits")
        for objective, train_k in (("vae", 1), ("iwae", 10))
    ),
    Experiment("mnist", "vae", 1, FULL_EPOCHS["mnist"], untied=True, seeds=1),
    Experiment("mnist", "iwae", 10, FULL_EPOCHS["mnist"], untied=True, seeds=1),
]


def one_thread():
    """For a worker process: as many processes as cores, of one thread each, waste the least."""
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)


def run_one(work, experiment, seed):
    """Train one run below the folder work unless it is there already, and measure it with every test k."""
    folder = work / experiment.folder(seed)
    done = folder / "reference.json"
    if not done.exists():
        names = ("objective", "train_k", "untied", "epochs")
        given = {name: getattr(experiment, name) for name in names} | {"seed": seed, "model": MODEL}
        settings = complete(given, experiment.data)
        train_once(settings, folder)
        _, module, model = load_run(folder)
        test_nll = {str(k): measure(module, model, settings, k)["nll"] for k in experiment.test_ks}
        rows = read_metrics(folder)
        figures = {
            "train_loss": float(rows[-1]["train_loss"]),
            "test_nll": test_nll,
            "seconds": sum(float(row["seconds"]) for row in rows),
            "batch_size": settings.batch_size,
        }
        write_json(done, figures)
    return json.loads(done.read_text())


def spread(values):
    """Mean and standard deviation (None for a single value) of what the seeds gave."""
    return {
        "mean": statistics.mean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "values": values,
    }


def summarise(experiment, runs):
    """One entry of reference.json: what the seeds of an experiment gave."""
    return {
        "data": experiment.data,
        "objective": experiment.objective,
        "train_k": experiment.train_k,
        "tied": not experiment.untied,
        "epochs": experiment.epochs,
        "batch_size": runs[0]["batch_size"],
        "seeds": experiment.seeds,
        "train_loss": spread([run["train_loss"] for run in runs]),
        "test_nll": {str(k): spread([run["test_nll"][str(k)] for run in runs]) for k in experiment.test_ks},
        "train_seconds": spread([run["seconds"] for run in runs]),
    }


def measure_reference(work):
    """Train every experiment below the folder work, and write solutions/reference.json and README's table.

    An interrupted call goes on where it was: finished runs are kept in work.
    """
    if choose("auto") != "mnist":
        raise UserError("the reference needs MNIST; set IWAE_DATA to a folder that holds mnist/, or go online")
    owned_folder(work, "reference", former=[EXPERIMENTS[0].folder(0)])
    jobs = [(experiment, seed) for experiment in EXPERIMENTS for seed in range(experiment.seeds)]
    spawn = multiprocessing.get_context("spawn")  # a fork would share torch's threads
    with ProcessPoolExecutor(torch.get_num_threads(), spawn, initializer=one_thread) as pool:
        futures = {job: pool.submit(run_one, work, *job) for job in jobs}
        for future in tqdm(as_completed(futures.values()), total=len(jobs), desc="reference runs"):
            future.result()
    results = [summarise(e, [futures[e, seed].result() for seed in range(e.seeds)]) for e in EXPERIMENTS]
    reference = {
        "command": "python -m autograder reference",
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": {"processor": platform.machine(), "processes": torch.get_num_threads(), "threads": 1},
        "results": results,
    }
    write_json(REFERENCE, reference)
    write_atomically(README, readme_with_table(README.read_text(encoding="utf-8")).encode())


def table():
    """README's table of the reference figures, in Markdown."""
    reference = json.loads(REFERENCE.read_text())
    lines = [
        "| data | network | objective | train k | train loss | test NLL, k = 100 | test NLL, k = 5000 | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in reference["results"]:
        if result["epochs"] != FULL_EPOCHS[result["data"]]:
            continue
        numbers = [result["train_loss"], result["test_nll"]["100"], result["test_nll"]["5000"]]
        cells = [f"{n['mean']:.1f}" + (f" ± {n['std']:.1f}" if n["std"] is not None else "") for n in numbers]
        network = "tied" if result["tied"] else "untied"
        start = f"| {result['data']} | {network} | {result['objective'].upper()} | {result['train_k']} |"
        lines.append(f"{start} {' | '.join(cells)} | {result['seeds']} |")
    versions = reference["versions"]
    lines += [
        "",
        f"Nats per image, mean ± standard deviation over seeds; measured on {reference['date']} with torch "
        f"{versions['torch']} and Python {versions['python']} by `{reference['command']}`.",
    ]
    return "\n".join(lines) + "\n"


def readme_with_table(readme):
    """README's text with the table in its place."""
    before, rest = readme.split(TABLE_BEGIN)
    _, after = rest.split(TABLE_END)
    return before + TABLE_BEGIN + table() + TABLE_END + after
