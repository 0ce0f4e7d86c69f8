"""On Gradescope: grade what lies in submission/ into results/results.json, within its ten minutes.

A zero-score report comes first. Then a process of its own grades, and writes the ledger after each check; whatever
becomes of it, by the end there is a report that says so. Stages run in their quick mode on the digits: they come with
scikit-learn, so that no network is needed, and fit into the 768 MB and half a processor that Gradescope gives.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from autograder import ROOT, assignments  # first: it makes base_code importable
from autograder.classroom.collect import HandIn, Student, folder_listing

SECONDS = 540  # of Gradescope's 600


def main():
    root, name, *order = Path(sys.argv[1]), *sys.argv[2:]
    results = root / "results"
    if order == ["grade"]:
        grade(root, assignments.get(name))
        return
    began = time.monotonic()
    results.mkdir(exist_ok=True)
    write(results, {"score": 0, "tests": []}, "The grader was stopped before it began. This is not a mark.")
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder.gradescope.run", root, name, "grade"], start_new_session=True
    )
    try:
        status = process.wait(float(os.environ.get("AUTOGRADER_SECONDS", SECONDS)))
        sentence = f"The grader itself failed (exit status {status}). This is not a mark: tell your instructor."
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        status, seconds = None, time.monotonic() - began
        sentence = f"Stopped after {seconds:.0f} seconds. What had not been graded by then has no points: "
        sentence += "is there an endless loop, or something very slow?"
    if status != 0:
        ledger = json.loads((results / "results.json").read_text(encoding="utf-8"))
        write(results, ledger, sentence)


def write(results, content, sentence):
    """Put the sentence before the report's output."""
    output = f"{sentence} {content.get('output', '')}".strip()
    temporary = results / ".results.json"
    temporary.write_text(json.dumps(content | {"output": output, "output_format": "text"}), encoding="utf-8")
    temporary.replace(results / "results.json")


def grade(root, assignment):
    files, _, _ = folder_listing(root / "submission", assignment)
    submission, notes = HandIn(Student("submission"), assignment, files).read()
    from autograder.grading import grading
    from autograder.sandbox.folders import lies_open
    from autograder.sandbox.levels import probe

    if os.geteuid() == 0:  # this copy of the kit is for Gradescope alone, so that nobody else has to read it
        ROOT.chmod(0o700)
    # Without bubblewrap and Landlock, another user and the closed folder are enough: a submission is alone here.
    if probe() < 2 and not (probe() == 1 and os.geteuid() == 0 and lies_open()):
        sys.exit("no sandbox of level 2 or better works here: does this run as root?")
    modes = {stage.option: stage.quick for stage in assignment.stages}
    found = grading.grade(submission, modes=modes, dataset="digits", folder=root / "results")
    print(*notes, f"{found.score} of {found.points} points", sep="\n")
    sys.exit("the grader failed in a check" if found.has_failed else 0)


if __name__ == "__main__":
    main()
