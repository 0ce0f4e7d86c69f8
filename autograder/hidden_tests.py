"""What the graded cells of a notebook call: the same judge as pytest autograder/, on the file handed in.

IWAE_SUBMISSION is the path of that file, IWAE_ASSIGNMENT the assignment's name (else the file's name tells), and IWAE_
with a stage's option in capitals, as IWAE_NLL, how it is graded: as `--nll` says, and full by default.
"""

import contextlib
import functools
import io
import os
from pathlib import Path

from autograder import assignments
from autograder.grading.grading import grade
from autograder.grading.submission import Submission
from autograder.reports.feedback import feedback


@functools.cache
def graded():
    """The Ledger of the whole grading, done when the first cell asks.

    Silent: nbgrader takes any word on stderr for 0 points.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        path = Path(os.environ["IWAE_SUBMISSION"])
        assignment = assignments.choose(os.environ.get("IWAE_ASSIGNMENT"), path)
        given = {stage.option: os.environ.get(f"IWAE_{stage.option.upper()}") for stage in assignment.stages}
        modes = {option: mode for option, mode in given.items() if mode}
        return grade(Submission.read(assignment, path), modes=modes)


def grade_task(task):
    """Print the feedback on one task, and return its points as the float that nbgrader wants at a cell's end.

    RuntimeError where the grader itself failed: nbgrader then leaves that student without a mark.
    """
    ledger = graded()
    if ledger.has_failed:
        raise RuntimeError("INFRA: this is no mark; grade that student again")
    results = [result for result in ledger.results.values() if result.task.id == task]
    for result in results:
        print(f"{result.score} of {result.check.points}  {result.check.title}")
        if result.score < result.check.points:
            print(feedback(ledger, result))
    if not results:
        print(f"{ledger.assignment.task(task).title}: not graded")
    return float(sum(result.score for result in results))
