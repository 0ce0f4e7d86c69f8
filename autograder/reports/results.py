"""results.json: what Gradescope shows, and what a class's tables are made from."""

from autograder.reports.feedback import feedback, first_step


def results_json(ledger):
    """Gradescope's results.json. https://gradescope-autograders.readthedocs.io/en/latest/specs/"""
    first = first_step(ledger)
    output = f"{ledger.score} of {ledger.points} points."
    if ledger.has_failed:
        output += " The grader itself failed in a check: this is not a mark, grade again."
    return {
        "score": ledger.score,
        "execution_time": round(ledger.seconds, 2),
        "output": output + (f" First: {first}" if first else ""),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": result.title,
                "number": str(number),
                "score": result.score,
                "max_score": result.check.points,
                "status": "passed" if result.verdict == "PASS" else "failed",
                "output": feedback(ledger, result),
                "output_format": "text",
                "tags": [result.check.task],
                "visibility": "visible",
                "extra_data": {
                    "check": result.check.id,
                    "verdict": result.verdict,
                    "misconception": result.misconception,
                    "seconds": round(result.seconds, 3),
                },
            }
            for number, result in enumerate(ledger.results.values(), start=1)
        ],
        "extra_data": {
            "submission_sha256": ledger.sha256,
            "grader_version": ledger.version,
            "sandbox_level": ledger.sandbox_level,
            "seed": ledger.seed,
            "assignment": ledger.assignment.name,
            "dataset": next((run.data for run in ledger.runs.values() if run), None),
            **{option: run.summary() if run else {"mode": "off"} for option, run in ledger.runs.items()},
        },
    }
