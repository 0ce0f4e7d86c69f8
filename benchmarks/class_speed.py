"""Speed of grading a class, without training, against plain sequential grading that is measured in the same run.

    python benchmarks/class_speed.py

Sequential grading is the loop of `python -m autograder grade FILE FILE ...`. The class command is run with 1 and 2
processes of its own, and with 1 and 2 workers of a scheduler over loopback. A rate counts from the first result to the
last, so that starting up, which is given apart, does not depend on the size of the class. Memory is that of the command
itself, for a small and a large class. All of it takes some eight minutes on two cores.
"""

import argparse
import contextlib
import datetime
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch
from rich import box
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]
from autograder.assignments.iwae import ASSIGNMENT as CORE  # noqa: E402
from autograder.grading.grading import grade  # noqa: E402  first: it makes base_code importable
from autograder.grading.submission import Submission, start_sandbox  # noqa: E402
from cli import run_command  # noqa: E402
from outputs import write_json  # noqa: E402
from speed import processor  # noqa: E402

RESULTS = Path(__file__).with_name("class_results.json")
GOALS = {"per minute, 2 processes": 100, "overhead": 0.1}


def make_class(folder, n):
    """n students whose files are right and all different."""
    source = (ROOT / "solutions" / "model.py").read_text(encoding="utf-8")
    for i in range(n):
        (folder / f"student{i:03}").mkdir(parents=True)
        (folder / f"student{i:03}" / "model.py").write_text(f"{source}\n# {i}\n", encoding="utf-8")
    return folder


def sequential(submissions, out):
    """Seconds for each submission after the first."""
    ends = []
    for path in sorted(submissions.glob("*/model.py")):
        grade(Submission.read(CORE, path), start_sandbox(CORE), modes={"nll": "off"}, folder=out / path.parent.name)
        ends.append(time.perf_counter())
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def class_command(submissions, out, *arguments, workers):
    """(seconds for each submission after the first of each worker, seconds in all, peak memory of the command in MB)"""
    begin = time.time()
    process = psutil.Popen(
        [sys.executable, "-m", "autograder", "class", submissions, "--out", out, "--nll", "off", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, process.memory_info().rss)
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"the class command ended with exit status {process.returncode}")
    ends = sorted(path.stat().st_mtime for path in out.glob("graded/*/results.json"))
    return (ends[-1] - ends[workers - 1]) / (len(ends) - workers), time.time() - begin, peak / 2**20


@contextlib.contextmanager
def scheduler(n_workers):
    """The address of a scheduler with workers, all started as the README says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address, quiet = f"tcp://127.0.0.1:{port}", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    commands = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    commands += [[*dask, "worker", address, "--nthreads", "1", "--no-dashboard"]] * n_workers
    processes = [subprocess.Popen(command, cwd=ROOT, **quiet) for command in commands]
    try:
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=24, help="submissions of each measurement")
    parser.add_argument("--sizes", type=int, nargs=2, default=(20, 100), help="of the classes for memory")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        results = measure(Path(work), arguments)
    write_json(RESULTS, results)
    print_results(results)
    print(f"wrote {RESULTS}")


def measure(work, arguments):
    submissions = make_class(work / "submissions", arguments.size)
    seconds, totals, memory = {}, {}, {}

    def run(name, workers, *options):
        print(f"{name} ...", flush=True)
        seconds[name], totals[name], _ = class_command(submissions, work / "out", *options, workers=workers)
        shutil.rmtree(work / "out")

    print(f"{arguments.size} submissions: sequential ...", flush=True)
    seconds["sequential"] = sequential(submissions, work / "sequential")
    run("1 process", 1, "--jobs", 1)
    run("2 processes", 2, "--jobs", 2)
    for n in (1, 2):
        with scheduler(n) as address:
            run(f"scheduler and {n} worker{'s' if n > 1 else ''}", n, "--scheduler", address)
    print("sequential again ...", flush=True)
    seconds["sequential again"] = sequential(submissions, work / "sequential")
    for size in arguments.sizes:
        print(f"memory for {size} submissions ...", flush=True)
        *_, memory[size] = class_command(make_class(work / str(size), size), work / f"out{size}", workers=1)
    plain = (seconds["sequential"] + seconds["sequential again"]) / 2
    return {
        "command": "python benchmarks/class_speed.py",
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": {"processor": processor(), "cores": os.cpu_count()},
        "size": arguments.size,
        "seconds_per_submission": seconds,
        "per_minute": {name: 60 / value for name, value in seconds.items()},
        "ratio_to_sequential": {name: value / plain for name, value in seconds.items()},
        "seconds_in_all": totals,
        "megabytes": memory,
        "goals": GOALS,
    }


def print_results(results):
    table = Table(box=box.SIMPLE)
    for heading in ("", "submissions per minute", "time / sequential", "seconds in all"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, ratio in results["ratio_to_sequential"].items():
        total = results["seconds_in_all"].get(name)
        cells = (f"{results['per_minute'][name]:.1f}", f"{ratio:.2f}", f"{total:.0f}" if total else "")
        table.add_row(name, *cells)
    Console().print(table)
    for size, megabytes in results["megabytes"].items():
        print(f"the command's memory for {size} submissions: {megabytes:.0f} MB")


if __name__ == "__main__":
    run_command(main)
