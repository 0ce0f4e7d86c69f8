"""Speed of the kit, as ratios over bare matrix products that are measured in the same run; about ten minutes.

    python benchmarks/speed.py --model solutions/model.py

A training step (noise, forward, backward, Adam) is divided by the time of its layers' matrix products: forward
and both backward products of every layer, with the same shapes, torch.mm into outputs made beforehand. So the
ratio says what the rest costs. The evaluation is divided by its forward products.

Beside our step stand those of other libraries, where they are installed; one that is not is left out, with a line:

    pip install --requirement benchmarks/requirements.txt

Every candidate has the same network, batches and first weights, two threads, and a process of its own; they take
turns, so that all see the same machine, and must have learned the same after 100 steps. All of it is written to
benchmarks/results.json, and as a table into README.md where that has a place for it.
"""

import argparse
import dataclasses
import datetime
import itertools
import platform
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "base_code"))
from cli import UserError, run_command  # noqa: E402  # isort: skip  # first, as in train.py

import numpy as np  # noqa: E402
import torch  # noqa: E402

import evaluate  # noqa: E402
import loop  # noqa: E402
from candidate import COMPILED, PLAIN, PRODUCTS, RIVALS, timed  # noqa: E402
from candidates import THREADS, Candidates  # noqa: E402
from data import binarize, choose, load_binarized_test, load_grey  # noqa: E402
from model_file import build_model, explained, load_model_file  # noqa: E402
from outputs import write_json  # noqa: E402
from process import compiled, has_cpp_compiler, prepare_device  # noqa: E402
from settings import complete  # noqa: E402
from speed_table import print_table, write_readme  # noqa: E402

RESULTS = Path(__file__).with_name("results.json")
SECONDS = 1.0  # of measuring, in each round of each candidate
ROUNDS = 5
BATCHES = 50  # different ones, taken in turn
STEPS = 100  # after so many all losses are the same, up to TOLERANCE:
TOLERANCE = 0.02  # their noise; and pythae's loss has the bound's gradient, but is the weighted mean of log w
NETWORKS = {"base": {}, "paper": {"hidden": (200, 200), "d_latent": 50, "untied": True}}
MAIN = [("base", 128, 10), ("paper", 100, 50)]  # network, B, k; measured longer
PAPER_PRESET = ("paper", 20, 50)
PAPER_EPOCHS, PAPER_IMAGES = 3280, 60_000
SHAPES = [
    *MAIN,
    PAPER_PRESET,
    *(("base", 128, k) for k in (1, 5, 50, 100, 500)),
    *(("base", batch_size, 10) for batch_size in (20, 100, 500)),
]
EVALUATION = "evaluation, k = 5000"
GOALS = {"base, B = 128, k = 10": 1.3, "paper, B = 100, k = 50": 1.2, EVALUATION: 1.6}


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
        value = backward(model, next(batches), *objective)
        optimizer.step()
        return value

    return step


def median_seconds(call):
    """Of a call, in this process."""
    call()
    return statistics.median(timed(call, SECONDS))


def shape_name(network, batch_size, k):
    return f"{network}, B = {batch_size}, k = {k}"


def write_inputs(path, module, settings, images):
    """The weights to begin with and the binarised images, as every candidate reads them."""
    torch.manual_seed(0)  # as in our_step
    parameters = [parameter.detach().numpy() for parameter in build_model(module, settings).parameters()]
    arrays = {"images": binarize(images[: BATCHES * settings.batch_size]).numpy()}
    for i, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2])):
        arrays |= {f"weight{i}": weight, f"bias{i}": bias}
    np.savez(path, **arrays)


def measure_steps(module, images, model, rivals_python):
    """Training steps: ({shape: {name: seconds}}, {name: loss of the base network after STEPS}, {name: version})"""
    names = [PRODUCTS, PLAIN, *([COMPILED] if has_cpp_compiler() else []), *RIVALS]
    results, losses = {}, {}
    with tempfile.TemporaryDirectory() as work, Candidates(names, model, rivals_python) as candidates:
        inputs = str(Path(work) / "inputs.npz")
        for network, batch_size, k in SHAPES:
            given = {"batch_size": batch_size, "train_k": k, **NETWORKS[network]}
            settings = complete({"objective": "iwae", "model": model, **given}, "mnist")
            write_inputs(inputs, module, settings, images)
            shape = network, batch_size, k
            rounds, seconds = (ROUNDS, SECONDS) if shape in MAIN else (2, SECONDS / 2)
            steps = STEPS if shape == MAIN[0] else 2  # the first compiles
            asked = dataclasses.asdict(settings), inputs, steps, rounds, seconds
            results[shape_name(*shape)], found = candidates.measure(shape_name(*shape), *asked)
            if shape == MAIN[0]:
                losses = {name: loss for name, loss in found.items() if loss is not None}
                check_losses(losses)
    return results, losses, candidates.versions


def check_losses(losses):
    """Every library must have learned the same, else its time means nothing: UserError names one that has not."""
    for name, loss in losses.items():
        if not abs(loss / losses[PLAIN] - 1) < TOLERANCE:
            raise UserError(f"{name} has a loss of {loss:.1f} after {STEPS} steps, ours is {losses[PLAIN]:.1f}")


def measure_evaluation(module, x, model_path):
    """The test NLL with k = 5000 over the images x: {name: seconds}, and the memory it adds in MB."""
    settings = complete({"objective": "iwae", "model": model_path}, "mnist")
    k, rows = 5000, 5000
    model = build_model(module, settings)
    _, decoder = layers(settings)
    products = matrix_products([(rows, n_in, n_out) for _, n_in, n_out in decoder], backward=False)
    times = {PRODUCTS: median_seconds(products) * len(x) * k / rows}
    before = peak_megabytes()
    begin = time.perf_counter()
    evaluate.estimate(module, model, x, k)
    return {**times, PLAIN: time.perf_counter() - begin}, peak_megabytes() - before


def measure_data(images):
    """Seconds to choose and binarise one batch of the base network: all that an epoch does outside its steps."""
    batch = torch.randperm(len(images))[: MAIN[0][1]]
    return median_seconds(lambda: binarize(images[batch]))


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def paper_hours(steps):
    """{name: hours of the IWAE paper's whole schedule at batches of 20}, of training steps alone."""
    times = steps[shape_name(*PAPER_PRESET)]
    n_steps = PAPER_EPOCHS * PAPER_IMAGES / PAPER_PRESET[1]
    return {name: seconds * n_steps / 3600 for name, seconds in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base_code/model.py", metavar="FILE", help="a finished model file")
    parser.add_argument(
        "--rivals-python", default=sys.executable, metavar="PATH", help="the Python that has the other libraries"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    prepare_device("cpu")
    module = load_model_file(arguments.model)
    name = choose("auto")
    images, test_images = load_grey(name)[0], load_binarized_test(name)

    with explained(module.__file__):
        evaluation, megabytes = measure_evaluation(module, test_images, arguments.model)  # first: its memory is a peak
        steps, losses, versions = measure_steps(module, images, arguments.model, arguments.rivals_python)
    base = steps[shape_name(*MAIN[0])]
    results = {
        "command": "python benchmarks/speed.py --model solutions/model.py",
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version()}
        | {RIVALS[name][1] if name in RIVALS else "torch": version for name, version in versions.items()},
        "machine": {"processor": processor(), "threads": THREADS},
        "data": name,
        "seconds": {**steps, EVALUATION: evaluation},
        "loss_after_100_steps": losses,
        "evaluation_megabytes": megabytes,
        "data_share_of_step": measure_data(images) / min(base[n] for n in (PLAIN, COMPILED) if n in base),
        "paper_schedule_hours": paper_hours(steps),
    }
    write_json(RESULTS, results)
    print_results(results)
    print(f"wrote {RESULTS}" + (" and README's table" if write_readme(results) else ""))


def print_results(results):
    print_table(results)
    for shape, goal in GOALS.items():
        print(f"goal for {shape}: {goal}")
    print(f"the evaluation's memory: {results['evaluation_megabytes']:.0f} MB more than before it")
    print(f"choosing and binarising a batch: {results['data_share_of_step']:.0%} of the base network's step")
    losses = ", ".join(f"{name} {loss:.1f}" for name, loss in results["loss_after_100_steps"].items())
    print(f"the base network's loss after {STEPS} steps: {losses}")
    hours = ", ".join(f"{name} {hours:.1f} h" for name, hours in results["paper_schedule_hours"].items())
    print(f"the paper's whole schedule, {PAPER_EPOCHS} epochs of {PAPER_IMAGES:,} images, steps alone: {hours}")


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
