"""results.json: what Gradescope shows, and what a class's tables are made from."""

from autograder.grading.assignment import Check
from autograder.grading.ledger import Ledger, Result
from autograder.grading.verdicts import Lost
from autograder.reports.feedback import feedback, first_step


def read_results(results, assignment):
    """The Ledger that results.json was made from: its results without words and pictures."""
    extra = results["extra_data"]
    return Ledger(
        assignment,
        path=None,
        results={test["extra_data"]["check"]: read_result(test, assignment) for test in results["tests"]},
        sha256=extra["submission_sha256"],
        version=extra["grader_version"],
        seed=extra["seed"],
        sandbox_level=extra["sandbox_level"],
        seconds=results["execution_time"],
        dataset=extra["dataset"],
        stages={stage.option: extra[stage.option] for stage in assignment.stages},
    )


def read_result(test, assignment):
    extra, task = test["extra_data"], assignment.task(test["tags"][0])
    title = test["name"].removeprefix(f"{task.title}: ")
    lost = None
    if extra["verdict"] not in ("PASS", "NOT_RUN"):
        lost = Lost(extra["verdict"], "", misconception=extra["misconception"])
    return Result(Check(extra["check"], task.id, title, None, test["max_score"]), task, extra["verdict"], lost)


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
            "dataset": ledger.dataset,
            **ledger.stages,
        },
    }
