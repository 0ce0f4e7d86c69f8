"""A submission as the judge sees it: functions that are called in the sandbox, and what goes wrong with a call.

The judge never imports the submission. Whatever comes back is a stranger's word: sizes, names and types are checked
here, numbers in judge.py, and a forged answer is just a wrong answer.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from torch import Tensor

from autograder.grading import trusted
from autograder.grading.submission import Submission, start_sandbox
from autograder.grading.tensors import Tensors, oddity
from autograder.grading.verdicts import Lost, clean
from autograder.sandbox.errors import Broken, Unavailable
from autograder.sandbox.inside.bodies import decode, encode
from autograder.sandbox.process import Process
from autograder.sandbox.sandbox import Limits, Sandbox

WORKER_VERDICTS = ("EXCEPTION", "NOT_IMPLEMENTED", "MEMORY", "EXITED", "PROTOCOL", "NONFINITE")
TAKE_BACK = "take it back from the file as it was handed out"
CALL_SECONDS = 10.0
IMPORT_SECONDS = 30.0
MAX_COUNT = 10**6  # of lines or numbers that a stranger speaks of
PATIENCE = 120.0  # seconds of all imports and calls of a submission after which each gets a tenth of its time only
SLOW_SECONDS, MAX_SLOW = 1.0, 2  # a function that failed so slowly so often, or broke the sandbox, is not called again
START_PAUSES = (0, 0, 2, 10)  # seconds before each try to start a sandbox: what broke it may pass
# Settings of torch that change the numbers of other code. A seed that a call sets makes the noise of every training
# step the same; set once, at import, it changes nothing.
OTHERS_NUMBERS = ("default dtype", "default device", "gradient mode")


def chosen(names: Iterable[str], said: object) -> list[str]:
    """Those of the names that a stranger's list has."""
    return [name for name in names if isinstance(said, list) and name in said]


@dataclass
class Answer:
    """What a call returned."""

    output: Tensor
    gradients: Tensors = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # settings of torch that change the numbers of other code
    reduced: int = 0  # numbers in which an axis of the length that was counted has ended


class RemoteFile:
    """A submission whose functions can be called: in a sandbox, one process for each task, begun anew when it broke."""

    def __init__(
        self,
        submission: Submission,
        level: int | None = None,
        limits: Limits = Limits(),  # noqa: B008
        sandbox: Sandbox | None = None,
    ):
        """sandbox: one that was started before; otherwise one of this level and these limits is started now."""
        self.submission, self.level, self.limits = submission, level, limits
        self.assignment = submission.assignment
        self.sandbox: Sandbox | None = None
        self.process: Process | None = None  # that answers now, for one task
        self.task = ""
        self.functions: dict[str, Callable] = {}  # that stand in for others there
        self.created: Tensors | None = None  # the weights of `model` in that process
        self.failed_import: Lost | None = None  # what every check of the submission has lost
        self.failed_start: Lost | None = None  # the same
        self.slow_failures: dict[str, list[str]] = {}
        self.patience = PATIENCE
        self.missing: list[str] = []
        self.import_changed: list[str] = []
        if submission.rejected:
            self.failed_import = Lost("IMPORT_ERROR", submission.rejected)
        else:
            with contextlib.suppress(Unavailable, OSError):  # start() tries again
                self.sandbox = sandbox or start_sandbox(submission.assignment, level, limits)

    def close(self):
        if self.sandbox:
            self.sandbox.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open(self, task: str) -> None:
        """Make the process of a task ready: Lost where the file cannot be imported."""
        if self.failed_import:
            raise self.failed_import
        if self.process and self.process.is_open and self.task == task:
            return
        if self.process:
            self.process.close()
        assignment = self.assignment
        self.process, self.task, self.created = self.start(), task, None
        self.functions = assignment.trusted(task)
        own = trusted.signatures({name: self.functions[name] for name in assignment.task(task).trusted})
        header = {"do": "load", "file": assignment.file_name, "names": assignment.names, "trusted": own}
        begun = time.monotonic()
        try:
            source, seconds = self.submission.source, self.allowed(IMPORT_SECONDS)
            answer, _ = self.process.request(header, source, seconds, self.consult)
        except Broken as broken:
            self.fail_import(broken.verdict, f"importing the file: {broken.detail}")
        finally:
            self.patience -= time.monotonic() - begun
        if answer.get("ok") is not True:
            verdict = answer.get("verdict")
            if verdict != "EXITED" and not (verdict == "MEMORY" and answer.get("line")):
                verdict = "IMPORT_ERROR"
            self.fail_import(verdict, f"importing the file: {self.told(answer)}")
        self.missing = chosen(self.assignment.names, answer.get("missing"))
        self.import_changed = chosen(OTHERS_NUMBERS, answer.get("changed"))

    def allowed(self, seconds: float) -> float:
        """The time for an import or a call: a file that is slow, dies and is imported again comes to an end, too."""
        return seconds if self.patience > 0 else seconds / 10

    def fail_import(self, verdict: str, detail: str) -> NoReturn:
        advice = "a file that can be imported; what is to run goes below if __name__ == '__main__':"
        self.failed_import = Lost(verdict, detail, right=advice, printed=self.printed())
        raise self.failed_import

    def start(self) -> Process:
        """A fresh process; a sandbox that does not start is tried again, and is never the student's fault."""
        if self.failed_start:
            raise self.failed_start
        for pause in START_PAUSES:
            time.sleep(pause)
            try:
                if not (self.sandbox and self.sandbox.is_open):
                    self.sandbox = start_sandbox(self.assignment, self.level, self.limits)
                process = self.sandbox.start()
                self.load_beside(process)
                return process
            except (Unavailable, OSError) as error:
                reason = clean(error)
        self.failed_start = Lost("INFRA", f"the sandbox does not start: {reason}")
        raise self.failed_start

    def load_beside(self, process: Process) -> None:
        """Let the file that the submission imports stand in a fresh process; Unavailable where it does not.

        No line of the submission has run there. A process of an earlier task may have damaged the sandbox: close it, so
        that the next try is made in a new one.
        """
        beside = self.assignment.beside
        if beside is None:
            return
        stand_ins = trusted.signatures(beside.functions)
        header = {"do": "load", "file": beside.path.name, "names": [], "trusted": stand_ins}
        try:
            answer, _ = process.request(header, beside.handed_out, IMPORT_SECONDS)
            found = self.told(answer)
        except Broken as broken:
            answer, found = {}, broken.detail
        if answer.get("ok") is not True:
            process.sandbox.close()
            raise Unavailable(f"{beside.path.name} cannot be imported there: {found}")

    def consult(self, header: dict, body: bytes) -> tuple[dict, bytes]:
        """The answer to what the process asks in the course of a request."""
        return trusted.answer(self.functions, header, body)

    def printed(self) -> str:
        assert self.process, "open() comes first"
        return clean(self.process.output.text(ended=not self.process.is_open)[-600:], 600)

    @staticmethod
    def told(answer: dict) -> str:
        line = answer.get("line")
        where = f"line {line}: " if isinstance(line, int) and 0 < line < MAX_COUNT else ""
        return where + clean(answer.get("text", ""), 400)

    def request(self, target: str, header: dict, body: bytes, seconds: float | None = None) -> tuple[dict, Tensors]:
        """A request about a function: its answer, checked for failures. Lost for everything that goes wrong."""
        called = self.assignment.signatures.get(target, target)
        if len(self.slow_failures.get(target, [])) >= MAX_SLOW:
            raise Lost(
                self.slow_failures[target][0],
                "not called again, after it failed twice and took long or broke the sandbox",
                called,
            )
        if seconds is None:
            seconds = self.allowed(CALL_SECONDS)
        begun = time.monotonic()
        try:
            return self.answer(header, body, seconds)
        except Lost as lost:
            lost.called = called
            if time.monotonic() - begun > SLOW_SECONDS or not (self.sandbox and self.sandbox.is_open):
                self.slow_failures.setdefault(target, []).append(lost.verdict)
            raise
        finally:
            self.patience -= time.monotonic() - begun

    def answer(self, header: dict, body: bytes, seconds: float) -> tuple[dict, Tensors]:
        assert self.process, "open() comes first"
        try:
            answer, content = self.process.request(header, body, seconds, self.consult)
            tensors = decode(content)
        except Broken as broken:
            raise Lost(broken.verdict, broken.detail, printed=self.printed()) from None
        except Exception:  # of any kind: the bytes are a stranger's
            self.process.close()
            raise Lost("PROTOCOL", "the answer holds no tensors that can be read") from None
        if answer.get("ok") is True:
            return answer, tensors
        verdict = answer.get("verdict")
        if verdict not in WORKER_VERDICTS:
            verdict = "EXCEPTION"
        raise Lost(verdict, self.told(answer), printed=self.printed())

    def create(self, task: str, target: str, keywords: dict, weights: Tensors, dtype: str) -> None:
        """Make `model` of a class of the submission, with these weights, unless the process has it already."""
        self.open(task)
        if target in self.missing:
            raise Lost("IMPORT_ERROR", f"{self.assignment.file_name} has no class {target}; {TAKE_BACK}")
        if self.created is weights:
            return
        header = {"do": "create", "target": target, "keywords": keywords, "dtype": dtype}
        self.request(target, header, encode(weights))
        self.created = weights

    def call(
        self,
        task: str,
        target: str,
        inputs: Tensors,
        gradients: Iterable[str] = (),
        cotangent: Tensor | None = None,
        seed: int = 0,
        counted: int | None = None,
        **keywords,
    ) -> Answer:
        """Call a function with tensors {name: tensor}; with a cotangent, also its gradients. Returns an Answer."""
        self.open(task)
        if target in self.missing:
            text = f"{self.assignment.file_name} has no function {target}; {TAKE_BACK}"
            raise Lost("IMPORT_ERROR", text, self.assignment.signatures[target])
        header: dict = {"do": "call", "target": target, "arguments": list(inputs), "keywords": keywords}
        header |= {"gradients": list(gradients), "seed": seed, "counted": counted}
        tensors = dict(inputs)
        if cotangent is not None:
            tensors["cotangent"] = cotangent
        answer, tensors = self.request(target, header, encode(tensors))
        odd = [found for tensor in tensors.values() if (found := oddity(tensor))]
        if "output" not in tensors:
            odd.append(f"a {clean(answer.get('type'), 60)}")
        if odd:
            raise Lost("WRONG_TYPE", odd[0], self.assignment.signatures[target], "a tensor of floating-point numbers")
        tensors = {name: tensor.double() for name, tensor in tensors.items()}  # whatever mixture of types came
        output, reduced = tensors.pop("output"), answer.get("reduced")
        return Answer(
            output,
            {name.removeprefix("gradient."): tensor for name, tensor in tensors.items()},
            chosen(inputs, answer.get("edited")),
            chosen((*OTHERS_NUMBERS, "random seed"), answer.get("changed")),
            min(reduced, MAX_COUNT) if isinstance(reduced, int) else 0,
        )
