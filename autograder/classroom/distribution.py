"""Grading what is missing with dask: on the cores of this machine, or by the workers of a scheduler."""

import contextlib
import importlib.util
import logging
import signal
import tempfile
from pathlib import Path

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError

from autograder.classroom import workers
from cli import UserError

CONNECT_SECONDS = 30
DEATHS = 2  # after so many deaths of workers or judges a submission is set aside


@contextlib.contextmanager
def connected(jobs, scheduler):
    """A client of the scheduler, or of a cluster on this machine: a process for each core, or as many as jobs."""
    if scheduler is None:
        with local_cluster(jobs) as client:
            yield client
        return
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UserError(f"no scheduler answers at {scheduler}: {str(error).splitlines()[0]}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise UserError(f"{scheduler} has no workers; start some in the kit's folder: "
                            f"python -m dask worker {scheduler} --nthreads 1") from None  # fmt: skip
        for worker, kit in client.run(importlib.util.find_spec, "autograder").items():
            if kit is None:  # it would die of the first task
                raise UserError(f"the worker {worker} has no kit: start it in the kit's folder")
        yield client


@contextlib.contextmanager
def local_cluster(jobs):
    """A client of a cluster of this machine.

    Encrypted, as whoever could speak to it, a submission at sandbox level 2 say, would have all its rights.
    """
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.preload": ["autograder.classroom.workers"],
    }
    # For these two seconds Ctrl-C does nothing: workers that are just starting would die of it with a traceback.
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with dask.config.set(settings):
            cluster = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=None,
                security=True,
                silence_logs=logging.CRITICAL,
            )
    finally:
        signal.signal(signal.SIGINT, on_interrupt)
    with cluster, Client(cluster) as client:
        yield client


def graded(client, missing, store):
    """Yield (key, results.json, report.html) in the order in which they come.

    No more is in flight than there are threads: so memory does not grow with the class, and who dies with a worker is
    its own submission and never one that waited behind it.
    """
    waiting, running = iter(missing.items()), {}
    stream = as_completed()

    def fill():
        threads = max(1, sum(client.nthreads().values()))
        while len(running) < threads and (entry := next(waiting, None)):
            future = submit(client, store, *entry)
            running[future.key] = entry
            stream.add(future)

    fill()
    for future in stream:
        key, hand_in = running.pop(future.key)
        yield key, *outcome(future, hand_in, store)
        future.release()
        fill()


def submit(client, store, key, hand_in):
    submission, _ = hand_in.read()
    if submission.key != key:
        raise UserError(f"the file of {hand_in.student.name} changed while it was graded; run the same command again")
    job = {
        "assignment": submission.assignment.name,
        "name": submission.path.name,
        "rejected": submission.rejected,
        "modes": store.options.modes,
        "dataset": store.options.dataset,
        "voice": store.options.voice,
        "version": store.version,
        "lowest_level": store.options.lowest_level,
    }
    name = f"grade-{store.path(key).name}"
    return client.submit(workers.judge, job, submission.source, key=name, pure=False, retries=DEATHS - 1)


def outcome(future, hand_in, store):
    """The bytes of results.json and report.html; not a mark where worker or judge died."""
    try:
        return future.result()
    except (KilledWorker, workers.JudgeDied) as death:
        reason = "the worker died" if isinstance(death, KilledWorker) else str(death)
        return set_aside(hand_in, f"set aside: {reason}, {DEATHS} times", store.options)
    except workers.WrongWorker as error:
        raise UserError(str(error)) from None
    except (FutureCancelledError, CommClosedError):
        raise UserError("lost the scheduler; with another one, the same command goes on where it was") from None


def set_aside(hand_in, reason, options):
    from autograder.grading import grading

    submission, _ = hand_in.read()
    with tempfile.TemporaryDirectory() as folder:
        how = {"modes": options.modes, "dataset": options.dataset, "voice": options.voice}
        grading.set_aside(submission, reason, folder=Path(folder), **how)
        return Path(folder, "results.json").read_bytes(), Path(folder, "report.html").read_bytes()
