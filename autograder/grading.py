"""Grade one submission: run the checks one by one, and keep the ledger, results.json, as true as it can be."""

import contextlib
import secrets
import time
from dataclasses import dataclass, replace

import torch

from autograder import ROOT, report
from autograder.checks import CHECKS, Check
from autograder.judge import Draw
from autograder.nll import NEEDS, NLL_CHECKS, Measurement
from autograder.sandbox import LEVELS
from autograder.student import Lost, Student
from autograder.submission import Submission
from autograder.version import grader_version
from run import write_atomically, write_json
from settings import require

SOLUTION = ROOT / "solutions" / "model.py"


@dataclass
class Result:
    """What is known of one check."""

    check: Check
    verdict: str = "NOT_RUN"
    lost: Lost | None = None
    seconds: float = 0.0

    @property
    def score(self):
        return self.check.points if self.verdict == "PASS" else 0


class Grading:
    """The checks of one submission, called through its Student, whom the caller closes."""

    def __init__(self, student, nll="full", seed=None, folder=None, voice="student", dataset="auto"):
        """nll: "full", "short" or "off", on the dataset. folder: where results.json and report.html go, if anywhere."""
        self.student, self.submission = student, student.submission
        self.nll, self.folder, self.voice = nll, folder, voice
        self.seed = secrets.randbits(32) if seed is None else seed
        require(self.seed >= 0, "seed", self.seed, "0 or more")
        self.version = grader_version()
        checks = CHECKS if nll == "off" else CHECKS + NLL_CHECKS
        self.results = {check.id: Result(check) for check in checks}
        self.begun = time.monotonic()
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.measurement = None
        if nll != "off":
            seed = Draw(self.seed, "nll").seed()
            self.measurement = Measurement(self.submission, nll, seed, student.level, dataset)
        self.write()

    @property
    def checks(self):
        return [result.check for result in self.results.values()]

    @property
    def score(self):
        return sum(result.score for result in self.results.values())

    @property
    def points(self):
        return sum(check.points for check in self.checks)

    @property
    def sandbox_level(self):
        return LEVELS[self.student.sandbox.level] if self.student.sandbox else "not needed: the file was not run"

    @property
    def has_failed(self):
        """Whether the grader itself failed somewhere, so that the score is no mark."""
        return any(result.verdict == "INFRA" for result in self.results.values())

    def run(self, check):
        """Run one check, write the ledger, and return its Result."""
        result = self.results[check.id]
        begun = time.monotonic()
        if check.task == "nll" and self.measurement.trainings is None:
            self.measurement.lacking = self.lacking()
            self.student.close()  # the training has sandboxes of its own
        result.lost = self.attempt(check)
        result.verdict = result.lost.verdict if result.lost else "PASS"
        result.seconds = time.monotonic() - begun
        self.write()
        return result

    def attempt(self, check):
        """Run one check. Returns what was lost, or None."""
        try:
            if check.task == "nll":
                check.run(self.measurement, Draw(self.seed, check.id))
            else:
                with one_thread():
                    check.run(self.student, Draw(self.seed, check.id))
        except Lost as lost:
            return lost
        except Exception as error:
            if check.task != "nll" and self.reference_passes(check):
                return Lost("WRONG_TYPE", "an answer that cannot be compared with a right one")
            return Lost("INFRA", f"the grader failed: {type(error).__name__}: {error}")
        return None

    def reference_passes(self, check):
        """Whether the reference passes the check with these inputs: then what failed here is the file's fault."""
        try:
            with Student(Submission.read(SOLUTION)) as reference:
                check.run(reference, Draw(self.seed, check.id))
        except Exception:  # our own mistake is never the student's
            return False
        return True

    def lacking(self):
        """{objective: Lost} of those that need a function which has not passed its checks. These may not have run."""
        if self.student.failed_import:
            return dict.fromkeys(NEEDS, self.student.failed_import)
        lacking = {}
        for objective, needs in NEEDS.items():
            for result in (self.results[name] for name in needs):
                lost = self.attempt(result.check) if result.verdict == "NOT_RUN" else result.lost
                if lost:
                    title = f"{report.TASKS[result.check.task]}, {result.check.title}"
                    lacking[objective] = Lost(lost.verdict, f"not trained, since it needs what is lost in {title}")
                    break
        return lacking

    def write(self):
        if self.folder:
            write_json(self.folder / "results.json", report.results_json(self))

    def write_html(self):
        if self.folder:
            write_atomically(self.folder / "report.html", report.html(self).encode())


@contextlib.contextmanager
def one_thread():
    """For the small tensors of a check: more threads would mostly wait, at the cost of whatever else runs here."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def set_aside(submission, reason, **options):
    """The Grading, not a mark, of a submission that could not be graded."""
    with Student(replace(submission, rejected=reason)) as student:
        grading = Grading(student, **options)
    for result in grading.results.values():
        result.verdict, result.lost = "INFRA", Lost("INFRA", reason)
    grading.write()
    grading.write_html()
    return grading


def grade(submission, sandbox=None, **options):
    """Grade a submission to the end, in a sandbox that was started before or in a new one. Returns the Grading."""
    with Student(submission, sandbox=sandbox) as student:
        grading = Grading(student, **options)
        for check in grading.checks:
            grading.run(check)
        grading.write_html()
    return grading
