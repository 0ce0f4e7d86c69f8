"""What is known of a grading: the result of each check, and what led to it. Every report is made from it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.grading.assignment import Assignment, Check, Task
from autograder.grading.verdicts import Lost


@dataclass
class Result:
    """What is known of one check."""

    check: Check
    task: Task
    verdict: str = "NOT_RUN"
    lost: Lost | None = None
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return self.check.points if self.verdict == "PASS" else 0

    @property
    def title(self) -> str:
        """The check's, after its task's."""
        return f"{self.task.title}: {self.check.title}"

    @property
    def misconception(self) -> str | None:
        return self.lost.misconception if self.lost else None


@dataclass
class Ledger:
    """The results of one submission, and what led to them."""

    assignment: Assignment
    path: Path  # of the submission
    results: dict[str, Result]  # {check's id: Result}
    sha256: str
    version: str
    seed: int
    sandbox_level: str
    voice: str = "student"  # or "instructor": whom the feedback is for
    seconds: float = 0.0
    dataset: str | None = None  # that the stages used
    stages: dict[str, dict] = field(default_factory=dict)  # {a stage's option: what is known of it, numbers and words}
    runs: dict[str, Any] = field(default_factory=dict)  # {a stage's task: its Run}, in the process that grades

    @property
    def checks(self) -> list[Check]:
        return [result.check for result in self.results.values()]

    @property
    def score(self) -> float:
        return sum(result.score for result in self.results.values())

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def has_failed(self) -> bool:
        """Whether the grader itself failed somewhere, so that the score is no mark."""
        return any(result.verdict == "INFRA" for result in self.results.values())

    @property
    def is_mark(self) -> bool:
        """Whether the score is one: every check was run, and none failed of itself."""
        return not self.has_failed and all(result.verdict != "NOT_RUN" for result in self.results.values())

    def of_task(self, task: Task) -> list[Result]:
        """The Results of a task that was graded."""
        results = [result for result in self.results.values() if result.task is task]
        return [result for result in results if result.verdict != "NOT_RUN"]

    @property
    def task_scores(self) -> list[tuple[Task, float, float]]:
        """[(Task, score, points)] of the tasks of which something was graded."""
        graded = [(task, self.of_task(task)) for task in self.assignment.tasks]
        return [
            (task, sum(r.score for r in results), sum(r.check.points for r in results))
            for task, results in graded
            if results
        ]
