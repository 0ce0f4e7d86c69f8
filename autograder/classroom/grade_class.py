"""Grades a class: python -m autograder class SUBMISSIONS --out DIR.

The store, DIR/graded, has a folder for each different file that was graded, named by the file's SHA-256 and the grader.
What is there is never graded again; everything else below DIR is made from it. Grading is distributed by dask, and each
result is stored as it comes, so that an end at any moment loses what was in flight and nothing else.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import logging
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from tqdm import tqdm

from autograder.classroom import gradebooks
from autograder.classroom import workers as judges
from autograder.classroom.collect import collect
from autograder.grading.assignment import Assignment
from autograder.grading.version import grader_version
from cli import UserError
from outputs import check_apart, owned_folder, write_atomically

CONNECT_SECONDS = 30
DEATHS = 2  # after so many deaths of workers or judges a submission is set aside


@dataclass(frozen=True)
class Options:
    """How to grade, as the command's options say."""

    assignment: Assignment
    modes: dict  # {a stage's option: its mode}
    voice: str = "student"
    lowest_level: int = 2
    dataset: str = "auto"  # of the stages


class Store:
    """Results by the content of what was graded and by everything that can change them."""

    def __init__(self, out, options):
        self.folder, self.options, self.version = out / "graded", options, grader_version(options.assignment)

    def path(self, key):
        how = (self.options.assignment.name, *self.options.modes.values(), self.options.dataset, self.options.voice)
        return self.folder / "-".join([key, *how, self.version])

    def results(self, key):
        """results.json as it was stored, or None."""
        try:
            return json.loads((self.path(key) / "results.json").read_bytes())
        except FileNotFoundError:
            return None

    def is_done(self, key):
        """Whether there is a result that is a mark: a failure of the grader is graded again."""
        results = self.results(key)
        return results is not None and not gradebooks.has_failed(results)

    def save(self, key, results, report):
        self.path(key).mkdir(parents=True, exist_ok=True)
        write_atomically(self.path(key) / "report.html", report)
        write_atomically(self.path(key) / "results.json", results)  # last: what counts as graded


def key_of(submission):
    """What a submission's results are stored under; a rejected one has nothing but its reason."""
    return hashlib.sha256(submission.rejected.encode()).hexdigest() if submission.rejected else submission.sha256


@contextlib.contextmanager
def locked(out):
    """UserError unless the folder is this command's, and no other works in it. The lock ends with this process."""
    with (owned_folder(out, "class", former=("graded", "students")) / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another command is grading into {out}; wait for its end, or give another --out") from None
        yield


def grade_class(submissions, out, options, jobs=None, scheduler=None, limit=None, roster=None, layout=None):
    """Grade what is missing in out, then write all of its tables and reports. Returns the list of gradebooks.Row."""
    for folder in (out, out / "graded", out / "students"):
        check_apart(folder, submissions, *([roster] if roster else []))
    collection = collect(submissions, options.assignment, layout)
    column = options.assignment.title
    known = gradebooks.read_roster(roster, column) if roster else None
    with locked(out):
        store = Store(out, options)
        entries, missing = [], {}
        for hand_in in tqdm(collection.hand_ins, "reading", unit=" submissions", leave=False, disable=None):
            submission, notes = hand_in.read()
            key = key_of(submission)
            entries.append((hand_in.student, key, submission.rejected, notes))
            if key not in missing and not store.is_done(key):
                missing[key] = hand_in
        if limit is not None:
            missing = dict(list(missing.items())[:limit])
        if missing:
            grade_missing(missing, store, jobs, scheduler)
        rows = [gradebooks.Row.make(*entry, store.results(entry[1]), store.path(entry[1])) for entry in entries]
        problems = gradebooks.match(rows, known) if known is not None else []
        problems += gradebooks.write(out, rows, options.assignment, known.column if known else None)
        from autograder.reports.class_summary import write_summary  # only now: it needs torch, for the misconceptions

        write_summary(out, options.assignment, rows, collection.unrecognised, problems)
    return rows


# Distribution ---------------------------------------------------------------------------------------------


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


def grade_missing(missing, store, jobs, scheduler):
    """Grade {key: HandIn} and store each result as it comes."""
    bar = tqdm(total=len(missing), desc="grading", unit=" submissions", disable=None, smoothing=0.05)
    try:
        with connected(jobs, scheduler) as client, bar:
            for key, results, report in graded(client, missing, store):
                store.save(key, results, report)
                bar.update()
    except KeyboardInterrupt:
        done = f"{bar.n} of {len(missing)} graded and kept"
        print(f"\nstopped: {done}; the same command goes on from there", file=sys.stderr)
        sys.exit(130)


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
    if key_of(submission) != key:
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
    return client.submit(judges.judge, job, submission.source, key=name, pure=False, retries=DEATHS - 1)


def outcome(future, hand_in, store):
    """The bytes of results.json and report.html; not a mark where worker or judge died."""
    try:
        return future.result()
    except (KilledWorker, judges.JudgeDied) as death:
        reason = "the worker died" if isinstance(death, KilledWorker) else str(death)
        return set_aside(hand_in, f"set aside: {reason}, {DEATHS} times", store.options)
    except judges.WrongWorker as error:
        raise UserError(str(error)) from None
    except (FutureCancelledError, CommClosedError):
        raise UserError("lost the scheduler; with another one, the same command goes on where it was") from None


def set_aside(hand_in, reason, options):
    from autograder.grading import grading

    submission, _ = hand_in.read()
    with tempfile.TemporaryDirectory() as folder:
        how = {"modes": options.modes, "voice": options.voice, "folder": Path(folder)}
        grading.set_aside(submission, reason, **how)
        return Path(folder, "results.json").read_bytes(), Path(folder, "report.html").read_bytes()
