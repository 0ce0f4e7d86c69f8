"""What the grader knows of a subject: one Assignment, a frozen value. Without torch, so that it is there at once."""

import functools
import importlib
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autograder import ROOT


@dataclass(frozen=True)
class Task:
    """What is graded together, whatever else in the file is wrong."""

    id: str  # the tag of its checks, and their marker for pytest -m
    title: str
    functions: tuple[str, ...] = ()  # that are graded
    trusted: tuple[str, ...] = ()  # functions of other tasks: the grader's own stand in for them meanwhile


@dataclass(frozen=True)
class Stage:
    """A task whose checks look at what the submission makes in a long run, as a training."""

    task: str
    option: str  # of the command line
    modes: dict[str, int]  # what the option can be, the default first and "off" last: seconds that it takes at most
    help: str
    figures: dict[str, str]  # {a figure of its summary: the heading of that column in grades.csv}
    quick: str  # the mode that fits into a web platform's ten minutes
    module: str  # of the assignment's folder: its CHECKS, and the class Run of what they are given

    def mode(self, modes: dict[str, str] | None) -> str:
        """The one that was chosen in {option: mode}, or the default."""
        return (modes or {}).get(self.option, next(iter(self.modes)))


@dataclass(frozen=True)
class Check:
    """One of the hidden checks."""

    id: str
    task: str
    title: str
    run: Callable  # (remote file, draw) -> None, or Lost; a check of a stage gets its Run in the remote file's place
    points: float


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that learners give."""

    id: str
    function: str  # of the student's file
    formula: Callable[..., Any]  # with that function's signature
    why: str  # it is wrong, in two sentences
    read: str  # where
    explains: str = ""  # what no formula reproduces: "extremes", where moderate inputs were right, or "random" numbers


@dataclass(frozen=True)
class Notebook:
    """The files of a notebook."""

    text: Path  # from which the others are made
    source: Path  # alone in its folder: nbgrader hands out whatever lies beside it
    released: Path  # what students get


class Checks(list[Check]):
    """The checks of a module, which its functions register with: @CHECKS.add(task, title)."""

    def __init__(self, points: dict[str, dict[str, float]]):
        """points: {task: {check: points}}"""
        super().__init__()
        self.points = points

    def add(self, task, title):
        def register(function):
            id = function.__name__
            self.append(Check(id, task, title, function, self.points[task][id]))
            return function

        return register


class Misconceptions(list[Misconception]):
    """The misconceptions of a module, whose formulas register with: @MISCONCEPTIONS.add(id, function, why, read)."""

    def add(self, id, function, why, read, explains=""):
        def register(formula):
            self.append(Misconception(id, function, formula, why, read, explains))
            return formula

        return register


@dataclass(frozen=True, eq=False)
class Beside:
    """Another assignment's file, from which the students' file imports. It is no part of what they hand in.

    While they are graded, that file stands in the sandbox as it is handed out, and the grader answers in the place of
    what is unfinished there: nothing of a solution is in reach, and a student's own mistakes in it cost nothing.
    """

    file: str  # from the project's root; its stem is the module's name
    source: str  # the same with solutions
    trusted: Sequence[str]  # its functions for which the grader's own stand in; no task has one of these names

    @property
    def path(self) -> Path:
        return ROOT / self.file

    @property
    def solution(self) -> Path:
        return ROOT / self.source

    @functools.cached_property
    def handed_out(self) -> bytes:
        """Made of the source, whatever has been done to the file since."""
        from autograder.authoring.markers import strip_solutions

        return strip_solutions(self.solution.read_text(encoding="utf-8"), self.source).encode()

    @functools.cached_property
    def reference(self) -> ModuleType:
        """The solution as a module."""
        from model_file import import_file

        return import_file(self.solution)

    @functools.cached_property
    def functions(self) -> dict[str, Callable]:
        return {name: getattr(self.reference, name) for name in self.trusted}


@dataclass(frozen=True, eq=False)
class Assignment:
    """A subject. What needs torch is imported from its folder, autograder/assignments/NAME/, when it is asked for."""

    name: str
    title: str  # the column of a gradebook
    file: str  # what students edit and hand in, from the project's root
    source: str  # the same with solutions
    tasks: tuple[Task, ...]
    signatures: dict[str, str]  # {what is called: how the feedback writes it}
    names: Sequence[str]  # what the file must offer
    stages: tuple[Stage, ...] = ()
    has_notebook: bool = False
    data: tuple[str, ...] = ()  # further files that can change a mark, from the project's root
    beside: Beside | None = None  # what the students' file imports of another assignment

    @property
    def student_file(self) -> Path:
        return ROOT / self.file

    @property
    def file_name(self) -> str:
        return self.student_file.name

    @property
    def solution(self) -> Path:
        return ROOT / self.source

    @property
    def data_files(self) -> list[Path]:
        return [ROOT / name for name in self.data]

    @property
    def folder(self) -> Path:
        return ROOT / "autograder" / "assignments" / self.name

    def model(self, kind: str, keywords: dict[str, Any], weights: dict[str, Any] | None = None) -> Any:
        """The reference's object of a class, in float64, with these weights (a state dict) or with fresh ones."""
        model = getattr(self.reference, kind)(**keywords).double()
        if weights is not None:
            model.load_state_dict(weights)
        return model

    def task(self, id: str) -> Task:
        return next(task for task in self.tasks if task.id == id)

    def trusted(self, task: str) -> dict[str, Callable]:
        """{name: the grader's own function} of all that stands in while a task is graded."""
        own = {name: getattr(self.reference, name) for name in self.task(task).trusted}
        return own | (self.beside.functions if self.beside else {})

    def task_of(self, function):
        """The Task in which a function is graded."""
        return next(task for task in self.tasks if function in task.functions)

    @property
    def notebook(self) -> Notebook:
        """Where the files of its notebook are."""
        return Notebook(
            ROOT / "solutions" / "notebooks" / f"{self.name}.py",
            ROOT / "solutions" / self.name / f"{self.name}.ipynb",
            ROOT / "assignment" / self.name / f"{self.name}.ipynb",
        )

    @functools.cached_property
    def points(self) -> dict[str, dict[str, float]]:
        """{task: {check: points}}"""
        return tomllib.loads((self.folder / "points.toml").read_text(encoding="utf-8"))

    @functools.cached_property
    def reference(self) -> ModuleType:
        """The solution as a module."""
        from model_file import import_file

        return import_file(self.solution)

    @functools.cached_property
    def checks(self) -> tuple[Check, ...]:
        """Those of the functions, without the stages'."""
        return tuple(self.part("checks").CHECKS)

    @functools.cached_property
    def misconceptions(self) -> dict[str, Misconception]:
        """{id: Misconception}"""
        return {entry.id: entry for entry in self.part("misconceptions").MISCONCEPTIONS}

    def without_stages(self) -> dict[str, str]:
        """The modes in which no stage runs, for the functions alone."""
        return {stage.option: "off" for stage in self.stages}

    def running(self, modes: dict[str, str] | None) -> list[Stage]:
        """The stages that run in the modes {option: mode}; these look at a dataset."""
        return [stage for stage in self.stages if stage.mode(modes) != "off"]

    def load(self):
        """Import all that a grading needs, for processes that will be forked."""
        stages = [self.part(stage.module) for stage in self.stages]
        return self.reference, self.beside and self.beside.functions, self.checks, self.misconceptions, stages

    def part(self, module: str) -> ModuleType:
        """A module of the assignment's folder."""
        return importlib.import_module(f"autograder.assignments.{self.name}.{module}")
