"""The judge's side of a call: a submission, its functions called in the sandbox, and what is wrong with an answer.

The judge never imports the submission. Whatever comes back is a stranger's word: sizes, names, types and numbers
are checked, and a forged answer is just a wrong answer.
"""

import ast
import math
import re
import time
import zlib
from dataclasses import dataclass, field

import numpy as np
import safetensors
import safetensors.torch
import torch

from autograder import ROOT
from autograder.frames import MAX_HEADER
from autograder.misconceptions import MISCONCEPTIONS, reference
from autograder.sandbox import Broken, Limits, Unavailable
from autograder.submission import start_sandbox
from run import MODEL_NAMES

VERDICTS = {  # what each says of a check
    "PASS": "passed",
    "WRONG_VALUE": "a number is wrong",
    "WRONG_GRADIENT": "the value may be right, its gradient is wrong",
    "WRONG_SHAPE": "the result has another shape",
    "WRONG_TYPE": "the result is not a tensor of floating-point numbers",
    "NONFINITE": "infinite or NaN where the right answer is finite",
    "NOT_IMPLEMENTED": "not started",
    "IMPORT_ERROR": "model.py cannot be read or imported",
    "EXCEPTION": "the call raised an exception",
    "TIMEOUT": "no answer in time",
    "MEMORY": "it asked for more memory than there is",
    "EXITED": "the process ended itself",
    "OUTPUT_LIMIT": "it printed too much",
    "PROTOCOL": "it wrote into the grader's channel",
    "INFRA": "the grader itself failed: this is not a mark, grade again",
    "NOT_RUN": "not graded",
}
TASKS = {  # the functions that are graded, and those of earlier tasks that are replaced by trusted ones meanwhile,
    # so that a mistake costs no points of a later task
    "todo1": (("gaussian_log_likelihood", "reparameterize"), ()),
    "todo2": (("log_weights", "vae_objective"), ("gaussian_log_likelihood", "reparameterize")),
    "todo3": (("log_mean_exp", "iwae_objective"), ()),
    "nll": ((), ()),
}
SIGNATURES = {
    "gaussian_log_likelihood": "gaussian_log_likelihood(z, mu, sigma)",
    "reparameterize": "reparameterize(mu, sigma, eps)",
    "vae_objective": "vae_objective(log_w)",
    "log_mean_exp": "log_mean_exp(a, dim)",
    "iwae_objective": "iwae_objective(log_w)",
    "model.log_weights": "IWAE.log_weights(x, eps)",
    "model.loss": "IWAE.loss(x, objective, k)",
    "IWAE": "IWAE(d_data, d_latent, hidden, tied)",
}
WORKER_VERDICTS = ("EXCEPTION", "NOT_IMPLEMENTED", "MEMORY", "EXITED", "PROTOCOL", "NONFINITE")
CALL_SECONDS = 10.0
IMPORT_SECONDS = 30.0
PATIENCE = 120.0  # seconds of all calls of a submission after which each gets a second only
SLOW_SECONDS, MAX_SLOW = 1.0, 2  # a function that failed so slowly so often, or broke the sandbox, is not called again
SETTINGS = ("default dtype", "default device", "gradient mode", "number of threads", "deterministic algorithms") + (
    "anomaly detection",
    "random seed",
)
# float32 rounds each operation by at most 6e-8 of its result. The checked functions add up n < 100 terms, each after
# a few operations, so that an implementation in float32 is off by less than 160 roundings of the sum of the terms'
# sizes: 1e-5 of it. Every known wrong formula is off by a hundred times more on the inputs that the checks draw.
TOLERANCE = 1e-5


class Lost(Exception):
    """A check that is lost: its verdict, and what the feedback says."""

    def __init__(self, verdict, came_back, called="", right="", misconception=None, printed="", numbers=""):
        super().__init__(verdict, came_back)
        self.verdict, self.called, self.came_back, self.right = verdict, called, came_back, right
        self.misconception, self.printed, self.numbers = misconception, printed, numbers


class Draw:
    """Fresh random inputs of one check, the same for the same seed."""

    def __init__(self, seed, check):
        self.random = np.random.default_rng([seed, zlib.crc32(check.encode())])

    def normal(self, *shape):
        return torch.as_tensor(self.random.standard_normal(shape))

    def uniform(self, low, high, *shape):
        return torch.as_tensor(self.random.uniform(low, high, shape))

    def binary(self, *shape):
        return torch.as_tensor(self.random.integers(0, 2, shape)).double()

    def sizes(self, n, low=2, high=8):
        """n different sizes, so that no axis can be taken for another."""
        return [int(size) for size in self.random.permutation(np.arange(low, high))[:n]]

    def spread(self, k, B):
        """Log weights as a trained model has them: images at levels from -10 to -2000, and the samples of each of
        them from near its level to a thousand below.  [k, B]"""
        level = 10 ** self.uniform(1, 3.3, B)
        level[0], level[-1] = 10, 2000
        below = 10 ** self.uniform(-0.5, 3, k, B)
        below[0], below[-1] = self.uniform(0, 1, B), self.uniform(500, 1000, B)
        order = self.uniform(0, 1, k, B).argsort(0)
        return -(level + below).gather(0, order)

    def seed(self):
        return int(self.random.integers(2**31))


def clean(text, limit=1000):
    """A stranger's text for people and logs: no control characters, no escape sequences, limited."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", str(text)[: 4 * limit])
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()
    return text if len(text) <= limit else text[:limit] + " …"


def trusted_source(names):
    """The source of some functions of solutions/model.py, with its imports and nothing else of it."""
    text = (ROOT / "solutions" / "model.py").read_text(encoding="utf-8")
    wanted = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "name", None) in names
    ]
    return "\n\n".join(ast.get_source_segment(text, node) for node in wanted)


def decode(body):
    """Tensors of a safetensors body, whose own header is limited as ours is."""
    if not body:
        return {}
    if len(body) < 8 or int.from_bytes(body[:8], "little") > MAX_HEADER:
        raise ValueError("no tensors")
    return safetensors.torch.load(body)


@dataclass
class Answer:
    """What a call returned."""

    output: torch.Tensor
    gradients: dict = field(default_factory=dict)
    edited: list = field(default_factory=list)
    changed: list = field(default_factory=list)
    rows: int = 0


class Student:
    """A submission whose functions can be called: in a sandbox, one process for each task, begun anew when it broke."""

    def __init__(self, submission, level=None, limits=Limits(), sandbox=None):  # noqa: B008
        """sandbox: one that was started before; otherwise one of this level and these limits is started now."""
        self.submission, self.level, self.limits = submission, level, limits
        self.sandbox, self.process, self.task, self.created = None, None, None, None
        self.held_trusted = set()  # trusted functions that have been in the sandbox
        self.failed_import = None  # what every check of the submission has lost
        self.slow_failures = {}
        self.named = set()  # misconceptions
        self.patience = PATIENCE
        self.import_changed = []
        if submission.rejected:
            self.failed_import = Lost("IMPORT_ERROR", submission.rejected)
        else:
            self.sandbox = sandbox or start_sandbox(level, limits)

    def close(self):
        if self.sandbox:
            self.sandbox.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open(self, task):
        """Make the process of a task ready: Lost where the file cannot be imported."""
        if self.failed_import:
            raise Lost(*self.failed_import.args, printed=self.failed_import.printed)
        if self.process and self.process.is_open and self.task == task:
            return
        if self.process:
            self.process.close()
        graded, replaced = TASKS[task]
        if self.held_trusted & set(graded):
            self.sandbox.close()  # what served one task as a collaborator is the answer of another
            self.held_trusted = set()
        self.process, self.task, self.created = self.start(), task, None
        self.held_trusted |= set(replaced)
        header = {
            "do": "load",
            "trusted": trusted_source(replaced) if replaced else "",
            "replaced": replaced,
            "names": MODEL_NAMES,
        }
        try:
            answer, _ = self.process.request(header, self.submission.source, IMPORT_SECONDS)
        except Broken as broken:
            self.fail_import(broken.verdict, f"importing the file: {broken.detail}")
        if answer.get("ok") is not True:
            verdict = answer.get("verdict")
            if verdict != "EXITED" and not (verdict == "MEMORY" and answer.get("line")):
                verdict = "IMPORT_ERROR"
            self.fail_import(verdict, f"importing the file: {self.told(answer)}")
        self.missing = [name for name in MODEL_NAMES if name in str(answer.get("missing"))]
        self.import_changed = [name for name in SETTINGS if name in str(answer.get("changed"))]

    def fail_import(self, verdict, detail):
        self.failed_import = Lost(verdict, detail, printed=self.printed())
        raise self.failed_import

    def start(self):
        """A fresh process; a sandbox that does not start is tried once more, and is never the student's fault."""
        for _ in range(2):
            try:
                if not self.sandbox.is_open:
                    self.sandbox = start_sandbox(self.level, self.limits)
                return self.sandbox.start()
            except Unavailable as error:
                reason = clean(error)
        raise Lost("INFRA", f"the sandbox does not start: {reason}")

    def printed(self):
        return clean(self.process.output.text(ended=not self.process.is_open)[-600:], 600)

    @staticmethod
    def told(answer):
        line = answer.get("line")
        where = f"line {line}: " if isinstance(line, int) else ""
        return where + clean(answer.get("text", ""), 400)

    def request(self, target, header, body, seconds=None):
        """A request about a function: its answer, checked for failures. Lost for everything that goes wrong."""
        called = SIGNATURES.get(target, target)
        if len(self.slow_failures.get(target, [])) >= MAX_SLOW:
            raise Lost(
                self.slow_failures[target][0],
                "not called again, after it failed twice and took long or broke the sandbox",
                called,
            )
        if seconds is None:
            seconds = CALL_SECONDS if self.patience > 0 else 1.0
        begun = time.monotonic()
        try:
            return self.answer(header, body, seconds)
        except Lost as lost:
            lost.called = called
            if time.monotonic() - begun > SLOW_SECONDS or not self.sandbox.is_open:
                self.slow_failures.setdefault(target, []).append(lost.verdict)
            raise
        finally:
            self.patience -= time.monotonic() - begun

    def answer(self, header, body, seconds):
        try:
            answer, content = self.process.request(header, body, seconds)
            tensors = decode(content)
        except Broken as broken:
            raise Lost(broken.verdict, broken.detail, printed=self.printed()) from None
        except (safetensors.SafetensorError, ValueError, KeyError):
            self.process.close()
            raise Lost("PROTOCOL", "the answer holds no tensors that can be read") from None
        if answer.get("ok") is True:
            return answer, tensors
        verdict = answer.get("verdict")
        if verdict not in WORKER_VERDICTS:
            verdict = "EXCEPTION"
        raise Lost(verdict, self.told(answer), printed=self.printed())

    def create(self, task, keywords, weights, dtype):
        """Make the submission's IWAE with these weights, unless the process has it already."""
        self.open(task)
        if "IWAE" in self.missing:
            raise Lost("IMPORT_ERROR", "model.py has no class IWAE; take it back from the file as it was handed out")
        if self.created is weights:
            return
        header = {"do": "create", "target": "IWAE", "keywords": keywords, "dtype": dtype}
        self.request("IWAE", header, safetensors.torch.save(weights))
        self.created = weights

    def call(self, task, target, inputs, gradients=(), cotangent=None, seed=0, counted=None, **keywords):
        """Call a function with tensors {name: tensor}; with a cotangent, also its gradients. Returns an Answer."""
        self.open(task)
        if target in self.missing:
            text = f"model.py has no function {target}; take it back from the file as it was handed out"
            raise Lost("IMPORT_ERROR", text, SIGNATURES[target])
        header = {"do": "call", "target": target, "arguments": list(inputs), "keywords": keywords}
        header |= {"gradients": list(gradients), "seed": seed, "counted": counted}
        tensors = {name: tensor.contiguous() for name, tensor in inputs.items()}
        if cotangent is not None:
            tensors["cotangent"] = cotangent
        answer, tensors = self.request(target, header, safetensors.torch.save(tensors))
        output = tensors.pop("output", None)
        if output is None or not output.dtype.is_floating_point:
            found = f"a tensor of {output.dtype}" if output is not None else f"a {clean(answer.get('type'), 60)}"
            raise Lost("WRONG_TYPE", found, SIGNATURES[target], "a tensor of floating-point numbers")
        return Answer(
            output,
            {name.removeprefix("gradient."): tensor for name, tensor in tensors.items()},
            [name for name in inputs if name in str(answer.get("edited"))],
            [name for name in SETTINGS if name in str(answer.get("changed"))],
            answer["rows"] if isinstance(answer.get("rows"), int) else 0,
        )


@dataclass
class Case:
    """One call with its truth: the inputs, the right answer and how far from it rounding can lead."""

    task: str
    target: str
    inputs: dict
    oracle: object  # a function of the inputs
    right: str  # what a right answer satisfies, in words
    scale: object = 1.0  # the size of the terms that the answer adds up, a number or a tensor of the answer's shape
    keywords: dict = field(default_factory=dict)
    gradients: tuple = ()  # names of inputs, or ("parameters",)
    parameters: dict = field(default_factory=dict)  # of the oracle, for gradients = ("parameters",)
    model: object = None  # the reference's IWAE with the same weights, where target is one of its methods

    def sources(self):
        return self.parameters or {name: self.inputs[name] for name in self.gradients}


def expect(student, draw, case):
    """Call, compare with the truth, and return the Answer; Lost with the misconception, if one explains it.

    With case.gradients only the gradients are compared: (cotangent * output).sum() with a random cotangent.
    """
    seed = draw.seed()
    inputs = {name: tensor.clone() for name, tensor in case.inputs.items()}
    expected, gradients, cotangent = truth(case, draw)
    answer = student.call(case.task, case.target, inputs, case.gradients, cotangent, seed, **case.keywords)

    def fault_of(output, output_gradients):
        if shape := shape_fault(output, expected):
            return shape
        if case.gradients:
            return gradient_fault(output_gradients, gradients, case.inputs)
        return value_fault(output, expected, case.scale)

    fault = fault_of(answer.output, answer.gradients)
    if not fault:
        return answer
    verdict, came_back = fault
    named = explain(case, answer, cotangent, seed, fault_of, student.named)
    if named is None and case.target in ("reparameterize", "model.log_weights") and verdict == "WRONG_VALUE":
        again = student.call(case.task, case.target, inputs, seed=seed + 1, **case.keywords)
        if again.output.shape == answer.output.shape and not torch.allclose(again.output, answer.output):
            named = "reparam.ignores_eps" if case.target == "reparameterize" else "logw.own_noise"
    student.named.add(named)
    numbers = f"inputs {summary(inputs)}; expected {summary({'': expected})}; found {summary({'': answer.output})}"
    raise Lost(verdict, came_back, describe_call(case), case.right, named, student.printed(), numbers)


def truth(case, draw):
    """The oracle's answer, its gradients and the cotangent of these (None where no gradient is asked for)."""
    for tensor in case.sources().values():
        tensor.requires_grad_()
    expected = case.oracle(*case.inputs.values(), **case.keywords)
    if not case.gradients:
        return expected.detach(), None, None
    cotangent = draw.normal(*expected.shape)
    gradients = vector_jacobian(expected, case.sources(), cotangent)
    for tensor in case.sources().values():
        tensor.requires_grad_(False)
    return expected.detach(), gradients, cotangent


def vector_jacobian(output, sources, cotangent):
    """The gradients of (cotangent * output).sum(); zeros for what it does not depend on."""
    if not output.requires_grad:
        return {name: torch.zeros_like(tensor) for name, tensor in sources.items()}
    gradients = torch.autograd.grad((output * cotangent).sum(), list(sources.values()), allow_unused=True)
    return {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(sources.items(), gradients)}


def shape_fault(found, expected):
    if found.shape == expected.shape:
        return None
    return "WRONG_SHAPE", f"a tensor of shape {list(found.shape)}, where {list(expected.shape)} is right"


def value_fault(found, expected, scale):
    """None, or the verdict and what is wrong with numbers of the right shape."""
    if not found.isfinite().all():
        bad = found[~found.isfinite()].flatten()[0].item()
        return "NONFINITE", f"{bad} in {(~found.isfinite()).sum()} of {found.numel()} entries"
    tolerance = TOLERANCE * (1 + torch.as_tensor(scale, dtype=torch.float64))
    error = (found.double() - expected).abs()
    if (error <= tolerance).all():
        return None
    worst = (error / tolerance).argmax() if error.ndim else 0
    off = error.flatten()[worst].item()
    return "WRONG_VALUE", f"a tensor of the right shape {list(found.shape)}, off by up to {off:.3g}"


def gradient_fault(found, expected, inputs):
    """The same for gradients: one that is missing counts as zero.

    An exponential multiplies the rounding of its argument, eps * |a|, into the gradient; a few such roundings
    are allowed, which matters in float32 only.
    """
    scale = max(g.abs().max().item() for g in expected.values())
    rounding = max(torch.finfo(a.dtype).eps * a.nan_to_num(neginf=0.0).abs().max().item() for a in inputs.values())
    scale = (1 + scale) * (1 + 4 * rounding / TOLERANCE)
    for name, right in expected.items():
        g = found.get(name)
        if g is None and right.abs().max() > TOLERANCE * (1 + scale):
            return "WRONG_GRADIENT", f"a result without a gradient to {name}"
        if g is None:
            continue
        fault = shape_fault(g, right) or value_fault(g, right, scale)
        if fault:
            verdict = "NONFINITE" if fault[0] == "NONFINITE" else "WRONG_GRADIENT"
            return verdict, f"a wrong gradient to {name}: {fault[1]}"
    return None


def explain(case, answer, cotangent, seed, fault_of, named_before):
    """The id of the first misconception that gives the same numbers, and the same gradients where they were asked.

    A formula without fault on these inputs explains nothing.
    """
    for entry, formula in candidates(case, named_before):
        inputs = {name: tensor.detach().clone() for name, tensor in case.inputs.items()}
        sources = {name: inputs[name].requires_grad_() for name in case.gradients if name in inputs}
        if case.model is not None and case.gradients:
            sources = dict(case.model.named_parameters())
        torch.manual_seed(seed)
        try:
            value = formula(*inputs.values(), **case.keywords)
        except Exception:  # a formula for other shapes
            continue
        if not reproduces(answer.output, value.detach()):
            continue
        gradients = {}
        if cotangent is not None and value.shape == cotangent.shape:
            gradients = vector_jacobian(value, sources, cotangent)
        same = all(reproduces(answer.gradients.get(n, torch.zeros_like(g)), g) for n, g in gradients.items())
        if same and fault_of(value.detach(), gradients):
            return entry.id
    return None


def candidates(case, named_before):
    """The misconceptions of a function, as functions of the case's inputs.

    iwae_objective calls the submission's own log_mean_exp, so that function's are tried as well, and first those
    that were named before.
    """
    functions = [case.target.removeprefix("model.")]
    if functions == ["iwae_objective"]:
        functions.append("log_mean_exp")
    entries = [entry for function in functions for entry in MISCONCEPTIONS if entry.function == function]
    for entry in sorted(entries, key=lambda entry: entry.id not in named_before):
        yield entry, entry.formula.__get__(case.model) if case.model is not None else entry.formula


def reproduces(found, value):
    return found.shape == value.shape and torch.allclose(
        found.double(), value.double(), rtol=1e-4, atol=1e-6, equal_nan=True
    )


def describe_call(case):
    """The call with the shapes of its inputs, and nothing of their content."""
    shapes = [f"{name} {list(tensor.shape)}" for name, tensor in case.inputs.items()]
    shapes += [f"{name}={value}" for name, value in case.keywords.items()]
    return f"{case.target.replace('model', 'IWAE')}({', '.join(shapes)})"


def summary(tensors):
    """Tensors in a line, for instructors: small ones in full."""
    parts = []
    for name, tensor in tensors.items():
        numbers = np.array2string(tensor.detach().double().numpy(), precision=5, threshold=24, edgeitems=2)
        parts.append(f"{name} {' '.join(numbers.split())}".strip())
    return ", ".join(parts)[:1500]


def random_model(draw, d_data, d_latent, hidden, tied, head=1.0):
    """Weights for the submission's IWAE: (keywords, weights as a state dict, the reference's IWAE with them).

    head scales those of the encoder's head: with small ones q stays near N(0, 1).
    """
    keywords = {"d_data": d_data, "d_latent": d_latent, "hidden": list(hidden), "tied": tied}
    model = reference.IWAE(d_data, d_latent, tuple(hidden), tied).double()
    weights = {}
    for name, weight in model.state_dict().items():
        size = 1 / math.sqrt(weight.shape[-1]) if weight.ndim == 2 else 0.5
        weights[name] = draw.normal(*weight.shape) * size * (head if name.startswith("encoder.head") else 1)
    model.load_state_dict(weights)
    return keywords, weights, model
