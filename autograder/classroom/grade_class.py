"""Grades a class: python -m autograder class SUBMISSIONS --out DIR.

The store, DIR/graded, has a folder for each different file that was graded, named by the file's SHA-256 and the grader.
What is there is never graded again; everything else below DIR is made from it. Grading is distributed by dask, and each
result is stored as it comes, so that an end at any moment loses what was in flight and nothing else.
"""

import contextlib
import fcntl
import json
import sys
from dataclasses import dataclass, replace

from tqdm import tqdm

from autograder.classroom import gradebooks
from autograder.classroom.collect import collect
from autograder.grading.assignment import Assignment
from autograder.grading.version import grader_version
from autograder.reports.results import read_results
from cli import UserError
from outputs import check_apart, owned_folder, write_atomically


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
        options = self.options
        modes = [stage.mode(options.modes) for stage in options.assignment.stages]
        how = (options.assignment.name, *modes, options.dataset, options.voice)
        return self.folder / "-".join([key, *how, self.version])

    def read(self, key):
        """The Ledger of what was stored and what its report says first; or (None, "")."""
        try:
            results = json.loads((self.path(key) / "results.json").read_bytes())
        except FileNotFoundError:
            return None, ""
        return read_results(results, self.options.assignment), results["output"]

    def is_done(self, key):
        """Whether there is a mark: a failure of the grader is graded again."""
        ledger, _ = self.read(key)
        return ledger is not None and ledger.is_mark

    def save(self, key, results, report):
        self.path(key).mkdir(parents=True, exist_ok=True)
        write_atomically(self.path(key) / "report.html", report)
        write_atomically(self.path(key) / "results.json", results)  # last: what counts as graded


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
    if options.dataset == "auto" and options.assignment.running(options.modes):
        from data import choose  # torch takes seconds to import

        options = replace(options, dataset=choose("auto"))  # one for the whole class, on whatever machines
    with locked(out):
        store = Store(out, options)
        entries, missing = [], {}
        for hand_in in tqdm(collection.hand_ins, "reading", unit=" submissions", leave=False, disable=None):
            submission, notes = hand_in.read()
            key = submission.key
            entries.append((hand_in.student, key, submission.rejected, notes))
            if key not in missing and not store.is_done(key):
                missing[key] = hand_in
        if limit is not None:
            missing = dict(list(missing.items())[:limit])
        if missing:
            grade_missing(missing, store, jobs, scheduler)
        rows = [gradebooks.Row(*entry, store.path(entry[1]), *store.read(entry[1])) for entry in entries]
        problems = gradebooks.match(rows, known) if known is not None else []
        problems += gradebooks.write(out, rows, options.assignment, known.column if known else None)
        from autograder.reports.class_summary import write_summary  # only now: it needs torch, for the misconceptions

        write_summary(out, options.assignment, rows, collection.unrecognised, problems)
    return rows


def grade_missing(missing, store, jobs, scheduler):
    """Grade {key: HandIn} and store each result as it comes."""
    from autograder.classroom.distribution import connected, graded  # dask takes a second to import

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
