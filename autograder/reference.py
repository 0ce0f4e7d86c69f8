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

import torch
from tqdm import tqdm

from autograder import ROOT
from cli import UserError
from data import choose
from evaluate import measure
from run import load_run, write_json
from settings import complete
from train import read_metrics, train

REFERENCE = ROOT / "solutions" / "reference.json"
README = ROOT / "README.md"
TABLE_BEGIN, TABLE_END = "<!-- reference table: begin -->\n", "<!-- reference table: end -->\n"
MODEL = "solutions/model.py"
TEST_KS = (100, 5000)
EXPERIMENTS = [  # dataset, objective, train k, untied, seeds
    ("mnist", "vae", 1, False, 5),
    ("mnist", "iwae", 10, False, 5),
    ("digits", "vae", 1, False, 5),
    ("digits", "iwae", 10, False, 5),
    ("mnist", "vae", 1, True, 1),
    ("mnist", "iwae", 10, True, 1),
]


def one_thread():
    """For a worker process: as many processes as cores, of one thread each, waste the least."""
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)


def run_one(work, experiment, seed):
    """Train one run below the folder work unless it is there already, and measure it with every test k."""
    dataset, objective, train_k, untied, _ = experiment
    folder = work / f"{dataset}-{objective}-{'untied' if untied else 'tied'}-seed{seed}"
    done = folder / "reference.json"
    if not done.exists():
        given = {"objective": objective, "train_k": train_k, "untied": untied, "seed": seed, "model": MODEL}
        settings = complete(given, dataset)
        train(settings, folder, resume=(folder / "config.json").exists())
        _, module, model = load_run(folder)
        test_nll = {str(k): measure(module, model, settings, k)["nll"] for k in TEST_KS}
        rows = read_metrics(folder)
        figures = {
            "train_loss": float(rows[-1]["train_loss"]),
            "test_nll": test_nll,
            "seconds": sum(float(row["seconds"]) for row in rows),
            "epochs": settings.epochs,
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
    dataset, objective, train_k, untied, seeds = experiment
    return {
        "data": dataset,
        "objective": objective,
        "train_k": train_k,
        "tied": not untied,
        "epochs": runs[0]["epochs"],
        "batch_size": runs[0]["batch_size"],
        "seeds": seeds,
        "train_loss": spread([run["train_loss"] for run in runs]),
        "test_nll": {str(k): spread([run["test_nll"][str(k)] for run in runs]) for k in TEST_KS},
        "train_seconds": spread([run["seconds"] for run in runs]),
    }


def measure_reference(work):
    """Train every experiment below the folder work, and write solutions/reference.json and README's table.

    An interrupted call goes on where it was: finished runs are kept in work.
    """
    if choose("auto") != "mnist":
        raise UserError("the reference needs MNIST; set IWAE_DATA to a folder that holds mnist/, or go online")
    jobs = [(experiment, seed) for experiment in EXPERIMENTS for seed in range(experiment[-1])]
    spawn = multiprocessing.get_context("spawn")  # a fork would share torch's threads
    with ProcessPoolExecutor(torch.get_num_threads(), spawn, initializer=one_thread) as pool:
        futures = {job: pool.submit(run_one, work, *job) for job in jobs}
        for future in tqdm(as_completed(futures.values()), total=len(jobs), desc="reference runs"):
            future.result()
    results = [summarise(e, [futures[e, seed].result() for seed in range(e[-1])]) for e in EXPERIMENTS]
    reference = {
        "command": "python -m autograder reference",
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": {"processor": platform.machine(), "processes": torch.get_num_threads(), "threads": 1},
        "results": results,
    }
    write_json(REFERENCE, reference)
    README.write_text(readme_with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


def table():
    """README's table of the reference figures, in Markdown."""
    reference = json.loads(REFERENCE.read_text())
    lines = [
        "| data | network | objective | train k | train loss | test NLL, k = 100 | test NLL, k = 5000 | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in reference["results"]:
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
