"""The marks, verdicts and named mistakes of every file of the bank, with one seed, as JSON: to compare two checkouts.

    PYTHONPATH=.:base_code:tests python tests/helpers/marks.py > marks.json

The same command in each, then `diff`. Ten minutes.
"""

import json
import sys

from tqdm import tqdm

from autograder.grading import remote
from autograder.grading.remote import RemoteFile
from autograder.grading.submission import start_sandbox
from cli import ROOT
from helpers import submissions
from helpers.gradings import run_grading
from helpers.hostile import BANK

SEED = 1


def files():
    """{name: Submission}: wrong, right, partly right and hostile ones."""
    known = f"ROOT, PORT, SAFE = {str(ROOT)!r}, 9, set()\n"
    return (
        {"stub": submissions.submission(base=submissions.STUB)}
        | {f"wrong: {entry.id}": submissions.wrong(entry) for entry in submissions.IWAE.misconceptions.values()}
        | {f"right: {name}": submissions.submission(text) for name, text in submissions.RIGHT.items()}
        | {f"cheap: {name}": submissions.submission(text) for name, (*_, text) in submissions.CHEAP.items()}
        | {f"clamped: {name}": submissions.submission(text) for name, text in submissions.CLAMPED.items()}
        | {f"partly: {name}": submissions.submission(text) for name, (text, _) in submissions.PARTLY_RIGHT.items()}
        | {f"hostile: {entry.name}": submissions.submission(known + entry.text, entry.base) for entry in BANK}
    )


def main():
    remote.CALL_SECONDS, remote.IMPORT_SECONDS = 3.0, 6.0  # an honest call takes milliseconds
    marks, sandbox = {}, None
    for name, submission in tqdm(files().items()):
        if not sandbox or not sandbox.is_open:
            sandbox = start_sandbox(submissions.IWAE)
        graded = RemoteFile(submission, sandbox=sandbox)
        ledger = run_grading(graded, seed=SEED).ledger
        sandbox = graded.sandbox or sandbox
        results = {id: [result.verdict, result.score, result.misconception] for id, result in ledger.results.items()}
        marks[name] = {"score": ledger.score, **results}
    sandbox.close()
    json.dump(marks, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
