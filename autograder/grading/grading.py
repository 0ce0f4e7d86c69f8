"""Grade one submission: run the checks one by one, and keep the ledger, results.json, as true as it can be."""

import contextlib
import secrets
import time
from dataclasses import replace
from pathlib import Path

import torch

from autograder.grading.assignment import Check
from autograder.grading.judge import Draw
from autograder.grading.ledger import Ledger, Result
from autograder.grading.remote import RemoteFile
from autograder.grading.submission import Submission
from autograder.grading.verdicts import Lost
from autograder.grading.version import grader_version
from autograder.reports.html import html
from autograder.reports.results import results_json
from autograder.sandbox.levels import LEVELS
from autograder.sandbox.sandbox import Sandbox
from outputs import write_atomically, write_json
from settings import require


class Grading:
    """The checks of one submission, called through its RemoteFile, whom the caller closes."""

    def __init__(
        self,
        remote: RemoteFile,
        modes: dict[str, str] | None = None,
        seed: int | None = None,
        folder: Path | None = None,
        voice: str = "student",
        dataset: str = "auto",
    ):
        """modes: {a stage's option: how it is graded}; its first mode where none is given. The stages use the dataset.

        folder: where results.json and report.html go, if anywhere.
        """
        self.remote, self.submission, self.folder = remote, remote.submission, folder
        assignment = self.submission.assignment
        seed = secrets.randbits(32) if seed is None else seed
        require(seed >= 0, "seed", seed, "0 or more")
        self.begun, checks, runs = time.monotonic(), list(assignment.checks), {}
        for stage in assignment.running(modes):
            part, own_seed = assignment.part(stage.module), Draw(seed, stage.task).seed()
            runs[stage.task] = part.Run(self.submission, stage.mode(modes), own_seed, remote.level, dataset)
            checks += part.CHECKS
        self.ledger = Ledger(
            assignment,
            self.submission.path,
            {check.id: Result(check, assignment.task(check.task)) for check in checks},
            self.submission.sha256,
            grader_version(assignment),
            seed,
            self.sandbox_level,
            voice,
            runs=runs,
        )
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def checks(self) -> list[Check]:
        return self.ledger.checks

    @property
    def sandbox_level(self) -> str:
        sandbox = self.remote.sandbox
        return LEVELS[sandbox.level] if sandbox else "not needed: the file was not run"

    def run(self, check: Check) -> Result:
        """Run one check, write the ledger, and return its Result."""
        result, stage = self.ledger.results[check.id], self.ledger.runs.get(check.task)
        begun = time.monotonic()
        if stage and not stage.has_begun:
            stage.begin(self.remote.failed_import, self.lost_of)
            self.remote.close()  # the stage has sandboxes of its own
        result.lost = self.attempt(check)
        result.verdict = result.lost.verdict if result.lost else "PASS"
        result.seconds = time.monotonic() - begun
        self.write()
        return result

    def attempt(self, check: Check) -> Lost | None:
        """Run one check. Returns what was lost, or None."""
        stage = self.ledger.runs.get(check.task)
        try:
            if stage:
                check.run(stage, Draw(self.ledger.seed, check.id))
            else:
                with one_thread():
                    check.run(self.remote, Draw(self.ledger.seed, check.id))
        except Lost as lost:
            return lost
        except Exception as error:
            if not stage and self.reference_passes(check):
                return Lost("WRONG_TYPE", "an answer that cannot be compared with a right one")
            return Lost("INFRA", f"the grader failed: {type(error).__name__}: {error}")
        return None

    def reference_passes(self, check: Check) -> bool:
        """Whether the reference passes the check with these inputs: then what failed here is the file's fault."""
        assignment = self.submission.assignment
        try:
            with RemoteFile(Submission.read(assignment, assignment.solution)) as reference:
                check.run(reference, Draw(self.ledger.seed, check.id))
        except Exception:  # our own mistake is never the student's
            return False
        return True

    def lost_of(self, id: str) -> tuple[Check, Lost | None]:
        """(Check, what was lost in it or None) of a check by its id, which may not have run."""
        result = self.ledger.results[id]
        lost = self.attempt(result.check) if result.verdict == "NOT_RUN" else result.lost
        return result.check, lost

    def write(self) -> None:
        ledger = self.ledger
        ledger.seconds, ledger.sandbox_level = time.monotonic() - self.begun, self.sandbox_level
        ledger.dataset = next((run.data for run in ledger.runs.values()), None)
        for stage in ledger.assignment.stages:
            run = ledger.runs.get(stage.task)
            ledger.stages[stage.option] = run.summary() if run else {"mode": "off"}
        if self.folder:
            write_json(self.folder / "results.json", results_json(self.ledger))

    def write_html(self) -> None:
        if self.folder:
            write_atomically(self.folder / "report.html", html(self.ledger).encode())


@contextlib.contextmanager
def one_thread():
    """For the small tensors of a check: more threads would mostly wait, at the cost of whatever else runs here.

    And the smallest numbers count, whatever a training in this process has set.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def set_aside(submission: Submission, reason: str, **options) -> Ledger:
    """The Ledger, not a mark, of a submission that could not be graded."""
    with RemoteFile(replace(submission, rejected=reason)) as remote:
        grading = Grading(remote, **options)
    for result in grading.ledger.results.values():
        result.verdict, result.lost = "INFRA", Lost("INFRA", reason)
    grading.write()
    grading.write_html()
    return grading.ledger


def grade(submission: Submission, sandbox: Sandbox | None = None, **options) -> Ledger:
    """Grade a submission to the end, in a sandbox that was started before or in a new one. Returns the Ledger."""
    with RemoteFile(submission, sandbox=sandbox) as remote:
        grading = Grading(remote, **options)
        for check in grading.checks:
            grading.run(check)
        grading.write_html()
    return grading.ledger
