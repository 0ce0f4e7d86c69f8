"""The marks, verdicts and named mistakes of every file of the bank, with one seed, as JSON: to compare two checkouts.

    PYTHONPATH=.:base_code:tests python tests/helpers/marks.py > marks.json

The same command in each, then `diff`. Ten minutes.
"""

import json
import sys

from tqdm import tqdm

from autograder.grading import remote
from helpers import submissions
from helpers.gradings import OpenSandbox
from helpers.hostile import BANK, submission_of

SEED = 1


def files():
    """{name: Submission}: wrong, right, partly right and hostile ones."""
    return (
        {"stub": submissions.submission(base=submissions.STUB)}
        | {f"wrong: {entry.id}": submissions.wrong(entry) for entry in submissions.IWAE.misconceptions.values()}
        | {f"right: {name}": submissions.submission(text) for name, text in submissions.RIGHT.items()}
        | {f"cheap: {name}": submissions.submission(text) for name, (*_, text) in submissions.CHEAP.items()}
        | {f"clamped: {name}": submissions.submission(text) for name, text in submissions.CLAMPED.items()}
        | {f"partly: {name}": submissions.submission(text) for name, (text, _) in submissions.PARTLY_RIGHT.items()}
        | {f"hostile: {entry.name}": submission_of(entry) for entry in BANK}
    )


def main():
    remote.CALL_SECONDS, remote.IMPORT_SECONDS = 3.0, 6.0  # an honest call takes milliseconds
    marks, sandbox = {}, OpenSandbox(submissions.IWAE)
    for name, submission in tqdm(files().items()):
        ledger = sandbox.grade(submission, seed=SEED).ledger
        results = {id: [result.verdict, result.score, result.misconception] for id, result in ledger.results.items()}
        marks[name] = {"score": ledger.score, **results}
    sandbox.close()
    json.dump(marks, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
