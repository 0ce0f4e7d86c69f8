"""What the graded cells of the notebook call: the same judge as pytest autograder/, on the model.py handed in.

IWAE_SUBMISSION is the path of that file, IWAE_NLL the mode of the trained models: full (the default), short or off.
"""

import contextlib
import functools
import io
import os
from pathlib import Path

from autograder import report
from autograder.grading import grade
from autograder.submission import Submission


@functools.cache
def grading():
    """The whole grading, done when the first cell asks. Silent: nbgrader takes any word on stderr for 0 points."""
    with contextlib.redirect_stderr(io.StringIO()):
        submission = Submission.read(Path(os.environ["IWAE_SUBMISSION"]))
        return grade(submission, nll=os.environ.get("IWAE_NLL", "full"))


def grade_task(task):
    """Print the feedback on one task, and return its points as the float that nbgrader wants at a cell's end.

    RuntimeError where the grader itself failed: nbgrader then leaves that student without a mark.
    """
    if grading().has_failed:
        raise RuntimeError("INFRA: this is no mark; grade that student again")
    results = [result for result in grading().results.values() if result.check.task == task]
    for result in results:
        print(f"{result.score} of {result.check.points}  {result.check.title}")
        if result.score < result.check.points:
            print(report.feedback(grading(), result))
    if not results:
        print("the trained models were not graded")
    return float(sum(result.score for result in results))
