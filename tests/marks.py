"""The marks, verdicts and named mistakes of every file of the bank, with one seed, as JSON: to compare two checkouts.

    PYTHONPATH=.:tests python tests/marks.py > marks.json

The same command in each, then `diff`. Ten minutes.
"""

import json
import sys

from conftest import run_grading
from tqdm import tqdm

import submissions
from autograder import student
from autograder.misconceptions import MISCONCEPTIONS
from autograder.student import Student
from autograder.submission import start_sandbox
from cli import ROOT
from hostile import BANK

SEED = 1


def files():
    """{name: Submission}: wrong, right, partly right and hostile ones."""
    known = f"ROOT, PORT, SAFE = {str(ROOT)!r}, 9, set()\n"
    return (
        {"stub": submissions.submission(base=submissions.STUB)}
        | {f"wrong: {entry.id}": submissions.wrong(entry) for entry in MISCONCEPTIONS}
        | {f"right: {name}": submissions.submission(text) for name, text in submissions.RIGHT.items()}
        | {f"cheap: {name}": submissions.submission(text) for name, (*_, text) in submissions.CHEAP.items()}
        | {f"clamped: {name}": submissions.submission(text) for name, text in submissions.CLAMPED.items()}
        | {f"partly: {name}": submissions.submission(text) for name, (text, _) in submissions.PARTLY_RIGHT.items()}
        | {f"hostile: {entry.name}": submissions.submission(known + entry.text, entry.base) for entry in BANK}
    )


def main():
    student.CALL_SECONDS, student.IMPORT_SECONDS = 3.0, 6.0  # an honest call takes milliseconds
    marks, sandbox = {}, None
    for name, submission in tqdm(files().items()):
        if not sandbox or not sandbox.is_open:
            sandbox = start_sandbox()
        graded = Student(submission, sandbox=sandbox)
        grading = run_grading(graded, seed=SEED)
        sandbox = graded.sandbox or sandbox
        results = {
            id: [result.verdict, result.score, result.lost.misconception if result.lost else None]
            for id, result in grading.results.items()
        }
        marks[name] = {"score": grading.score, **results}
    sandbox.close()
    json.dump(marks, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
