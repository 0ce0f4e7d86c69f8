"""Speed of the kit, as ratios over bare matrix products that are measured in the same run.

    python benchmarks/speed.py --model solutions/model.py

A training step (noise, forward, backward, Adam) is divided by the time of its layers' matrix products: forward
and both backward products of every layer, with the same shapes, torch.mm into outputs made beforehand. So the
ratio says what the rest costs, and 1 cannot be beaten. The evaluation is divided by its forward products. Where
pyro-ppl or pythae are installed (benchmarks/requirements.txt), their IWAE steps stand beside ours.
"""

import argparse
import datetime
import itertools
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "base_code"))
import evaluate  # noqa: E402
import loop  # noqa: E402
import rivals  # noqa: E402
from cli import run_command  # noqa: E402
from data import binarize, choose, load_binarized_test, load_grey  # noqa: E402
from model_file import build_model, explained, load_model_file  # noqa: E402
from outputs import write_json  # noqa: E402
from process import compiled, has_cpp_compiler, prepare_device  # noqa: E402
from settings import complete  # noqa: E402

RESULTS = Path(__file__).with_name("results.json")
SECONDS = 1.0  # of measuring, for each of ROUNDS rounds of each candidate
ROUNDS = 5
SCALES = {
    "base": {"batch_size": 128, "train_k": 10},
    "paper": {"batch_size": 100, "train_k": 50, "hidden": (200, 200), "d_latent": 50, "untied": True},
}
GOALS = {"base": 1.35, "paper": 1.2, "evaluation": 1.6}


def layers(settings, d_data=784):
    """(rows, inputs, outputs) of every linear layer of a step: the encoder sees B rows, the decoder k B."""
    sizes = (d_data, *settings.hidden, settings.d_latent * (2 if settings.untied else 1))
    encoder = [(settings.batch_size, *pair) for pair in itertools.pairwise(sizes)]
    sizes = (settings.d_latent, *reversed(settings.hidden), d_data)
    decoder = [(settings.batch_size * settings.train_k, *pair) for pair in itertools.pairwise(sizes)]
    return encoder, decoder


def matrix_products(shapes, backward):
    """A function that runs the bare products of the layers."""
    buffers = []
    for rows, n_in, n_out in shapes:
        x, weight, y = torch.randn(rows, n_in), torch.randn(n_out, n_in), torch.randn(rows, n_out)
        buffers.append((x, weight, y, torch.empty(rows, n_out), torch.empty(rows, n_in), torch.empty(n_out, n_in)))

    def products():
        for x, weight, _, out, _, _ in buffers:
            torch.mm(x, weight.T, out=out)
        if backward:
            for x, weight, y, _, d_x, d_weight in reversed(buffers):
                torch.mm(y, weight, out=d_x)
                torch.mm(y.T, x, out=d_weight)

    return products


def our_step(module, settings, images, compile_it):
    """One training step as train.py takes it, on batches that are binarised beforehand."""
    torch.manual_seed(0)
    model = build_model(module, settings)
    optimizer = torch.optim.Adam(model.parameters(), settings.lr, fused=True)
    batches = itertools.cycle(binarize(images[: 50 * settings.batch_size]).split(settings.batch_size))
    objective = settings.objective, settings.train_k
    backward = loop.backward
    if compile_it:
        backward = compiled(backward, (model, next(batches), *objective), required=True)

    def step():
        optimizer.zero_grad()
        backward(model, next(batches), *objective)
        optimizer.step()

    return step


def measure(candidates, rounds=ROUNDS):
    """{name: median seconds of a call}, the candidates taking turns so that all see the same machine."""
    times = {name: [] for name in candidates}
    for call in candidates.values():
        call()
    for _ in tqdm(range(rounds), desc="measuring", leave=False, disable=None):
        for name, call in candidates.items():
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                begin = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_steps(module, images, model_path):
    """The training step at both scales: {scale: {name: seconds}}"""
    results = {}
    for scale, given in SCALES.items():
        settings = complete({"objective": "iwae", "model": model_path, **given}, "mnist")
        encoder, decoder = layers(settings)
        candidates = {
            "matrix products": matrix_products(encoder + decoder, backward=True),
            "ours, plain": our_step(module, settings, images, compile_it=False),
        }
        if has_cpp_compiler():
            candidates["ours, compiled"] = our_step(module, settings, images, compile_it=True)
        batches = binarize(images[: 50 * settings.batch_size]).split(settings.batch_size)
        candidates |= rivals.steps(settings, batches)
        results[scale] = measure(candidates)
    return results


def measure_evaluation(module, x, model_path):
    """The test NLL with k = 5000 over the images x: {name: seconds}, and the memory it adds in MB."""
    settings = complete({"objective": "iwae", "model": model_path}, "mnist")
    k, rows = 5000, 5000
    model = build_model(module, settings)
    _, decoder = layers(settings)
    products = matrix_products([(rows, n_in, n_out) for _, n_in, n_out in decoder], backward=False)
    times = measure({"matrix products": products}, rounds=1)
    times["matrix products"] *= len(x) * k / rows
    before = peak_megabytes()
    begin = time.perf_counter()
    evaluate.estimate(module, model, x, k)
    return {**times, "ours": time.perf_counter() - begin}, peak_megabytes() - before


def measure_data(images):
    """Seconds to choose and binarise one batch of the base network: all that an epoch does outside its steps."""
    batch = torch.randperm(len(images))[: SCALES["base"]["batch_size"]]
    return measure({"data": lambda: binarize(images[batch])}, rounds=1)["data"]


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def print_ratios(title, times, goal):
    base = times["matrix products"]
    console = Console()
    console.print(f"\n{title}: goal {goal}")
    table = Table(box=box.SIMPLE)
    for heading in ("", "ms", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, seconds in times.items():
        table.add_row(name, f"{1e3 * seconds:.1f}", f"{seconds / base:.2f}")
    console.print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base_code/model.py", metavar="FILE", help="a finished model file")
    path = parser.parse_args().model
    prepare_device("cpu")
    module = load_model_file(path)
    name = choose("auto")
    images, test_images = load_grey(name)[0], load_binarized_test(name)

    with explained(module.__file__):
        evaluation, megabytes = measure_evaluation(module, test_images, path)  # first: its memory is a peak
        steps = measure_steps(module, images, path)
    data_share = measure_data(images) / min(seconds for n, seconds in steps["base"].items() if "ours" in n)
    for scale, times in steps.items():
        print_ratios(f"training step, {scale} network", times, GOALS[scale])
    print_ratios(f"test NLL of {len(test_images):,} images, k = 5000", evaluation, GOALS["evaluation"])
    print(f"the evaluation's memory: {megabytes:.0f} MB more than before it")
    print(f"choosing and binarising a batch: {data_share:.0%} of the base network's step")
    results = {
        "command": "python benchmarks/speed.py --model solutions/model.py",
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": {"processor": processor(), "threads": torch.get_num_threads()},
        "data": name,
        "seconds": {**{f"step, {scale}": times for scale, times in steps.items()}, "evaluation": evaluation},
        "evaluation_megabytes": megabytes,
        "data_share_of_step": data_share,
    }
    write_json(RESULTS, results)
    print(f"wrote {RESULTS}")


def processor():
    """The processor's name and vector instructions, without which ratios cannot be compared."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor()
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


if __name__ == "__main__":
    run_command(main)
