"""Whether an answer is right, and what explains it if not: fresh inputs, tolerances, known misconceptions."""

import contextlib
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from autograder.grading.remote import Answer, RemoteFile
from autograder.grading.tensors import Tensors, vector_jacobian
from autograder.grading.verdicts import Lost

# float32 rounds each operation by at most 6e-8 of its result. The checked functions add up n < 100 terms, each after
# a few operations, so that an implementation in float32 is off by less than 160 roundings of the sum of the terms'
# sizes: 1e-5 of it. Every known wrong formula is off by a hundred times more on the inputs that the checks draw.
TOLERANCE = 1e-5

Fault = tuple[str, str]  # a verdict, and what is wrong


class Draw:
    """Fresh random inputs of one check, the same for the same seed."""

    def __init__(self, seed: int, check: str):
        self.random = np.random.default_rng([seed, zlib.crc32(check.encode())])

    def normal(self, *shape: int) -> Tensor:
        return torch.as_tensor(self.random.standard_normal(shape))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.as_tensor(self.random.uniform(low, high, shape))

    def binary(self, *shape: int) -> Tensor:
        return torch.as_tensor(self.random.integers(0, 2, shape)).double()

    def sizes(self, n: int, low: int = 2, high: int = 8) -> list[int]:
        """n different sizes, so that no axis can be taken for another."""
        return [int(size) for size in self.random.permutation(np.arange(low, high))[:n]]

    def large(self, n: int) -> list[int]:
        """n different sizes beyond what a file could have in it by mistake: two above 50, then some above 32."""
        return self.sizes(min(n, 2), 51, 56) + self.sizes(max(n - 2, 0), 33, 39)

    def outlying(self, *shape: int) -> Tensor:
        """Numbers from N(0, 1), the first of them -6 and the last 6."""
        numbers = self.normal(*shape)
        numbers.view(-1)[0], numbers.view(-1)[-1] = -6, 6
        return numbers

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers of all sizes between low and high, these two among them."""
        numbers = self.uniform(math.log(low), math.log(high), *shape).exp()
        numbers.view(-1)[0], numbers.view(-1)[-1] = low, high
        return numbers

    def seed(self) -> int:
        return int(self.random.integers(2**31))


@dataclass
class Case:
    """One call with its truth: the inputs, the right answer and how far from it rounding can lead."""

    task: str
    target: str
    inputs: Tensors
    oracle: Callable[..., Tensor]  # of the inputs
    right: str  # what a right answer satisfies, in words
    scale: Tensor | float = 1.0  # the size of the terms that the answer adds up; a tensor has the answer's shape
    keywords: dict = field(default_factory=dict)
    gradients: tuple[str, ...] = ()  # names of inputs, or ("parameters",)
    parameters: Tensors = field(default_factory=dict)  # of the oracle, for gradients = ("parameters",)
    model: torch.nn.Module | None = None  # the reference's with the same weights, where target is one of its methods
    gradient_scale: Callable[[Tensor], Tensors] | None = None  # the sizes of the gradients' terms, from the cotangent's
    is_extreme: bool = False  # right on moderate inputs a call before: what no formula reproduces is a clamp
    # (function, name of its input, keywords): what the target may call with its own first input
    inner: tuple[str, str, dict] | None = None

    def sources(self) -> Tensors:
        return self.parameters or {name: self.inputs[name] for name in self.gradients}


def expect(remote: RemoteFile, draw: Draw, case: Case) -> Answer:
    """Call, compare with the truth, and return the Answer; Lost with the misconception, if one explains it.

    With case.gradients only the gradients are compared: (cotangent * output).sum() with a random cotangent.
    """
    seed = draw.seed()
    inputs = {name: tensor.clone() for name, tensor in case.inputs.items()}
    expected, gradients, cotangent = truth(case, draw)
    answer = remote.call(case.task, case.target, inputs, case.gradients, cotangent, seed, **case.keywords)

    def fault_of(output: Tensor, output_gradients: Tensors) -> Fault | None:
        if shape := shape_fault(output, expected):
            return shape
        if case.gradients:
            scales = case.gradient_scale(cotangent.abs()) if case.gradient_scale and cotangent is not None else None
            return gradient_fault(output_gradients, gradients, case.inputs, scales)
        return value_fault(output, expected, case.scale)

    fault = fault_of(answer.output, answer.gradients)
    if not fault:
        return answer
    verdict, came_back = fault
    suspects = suspected(remote, case, answer, cotangent, seed)
    known = remote.assignment.misconceptions.values()
    named = explain(known, case, answer, cotangent, seed, fault_of, suspects)
    if named is None:
        others = {entry.explains: entry.id for entry in known if entry.function == suspects[0]}
        if "random" in others and verdict == "WRONG_VALUE":
            again = remote.call(case.task, case.target, inputs, seed=seed + 1, **case.keywords)
            is_random = again.output.shape == answer.output.shape and not torch.allclose(again.output, answer.output)
            named = others["random"] if is_random else None
        if named is None and case.is_extreme and verdict in ("WRONG_VALUE", "WRONG_GRADIENT"):
            named = others.get("extremes")
    numbers = (
        f"inputs {in_a_line(inputs)}; expected {in_a_line({'': expected})}; found {in_a_line({'': answer.output})}"
    )
    raise Lost(verdict, came_back, describe_call(remote, case), case.right, named, remote.printed(), numbers)


def truth(case: Case, draw: Draw) -> tuple[Tensor, Tensors, Tensor | None]:
    """The oracle's answer, its gradients and the cotangent of these; {} and None where no gradient is asked for."""
    for tensor in case.sources().values():
        tensor.requires_grad_()
    expected = case.oracle(*(tensor.double() for tensor in case.inputs.values()), **case.keywords)
    if not case.gradients:
        return expected.detach(), {}, None
    cotangent = draw.normal(*expected.shape)
    gradients = vector_jacobian(expected, case.sources(), cotangent)
    for tensor in case.sources().values():
        tensor.requires_grad_(False)
    return expected.detach(), gradients, cotangent


def shape_fault(found: Tensor, expected: Tensor) -> Fault | None:
    if found.shape == expected.shape:
        return None
    return "WRONG_SHAPE", f"a tensor of shape {list(found.shape)}, where {list(expected.shape)} is right"


def value_fault(found: Tensor, expected: Tensor, scale: Tensor | float) -> Fault | None:
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


def gradient_fault(found: Tensors, expected: Tensors, inputs: Tensors, scales: Tensors | None = None) -> Fault | None:
    """The same for gradients: one that is missing counts as zero.

    scales: the sizes of the terms of a gradient's entries, {name: tensor}; otherwise the largest entry of all stands
    for them. An exponential multiplies the rounding of its argument, eps * |a|, into the gradient; a few such roundings
    are allowed, which matters in float32 only.
    """
    largest = max(g.abs().max().item() for g in expected.values())
    rounding = max(torch.finfo(a.dtype).eps * a.nan_to_num(neginf=0.0).abs().max().item() for a in inputs.values())
    for name, right in expected.items():
        scale = (1 + (scales or {}).get(name, largest)) * (1 + 4 * rounding / TOLERANCE)
        g = found.get(name)
        if g is None and value_fault(torch.zeros_like(right), right, scale):
            return "WRONG_GRADIENT", f"a result without a gradient to {name}"
        if g is None:
            continue
        fault = shape_fault(g, right) or value_fault(g, right, scale)
        if fault:
            verdict = "NONFINITE" if fault[0] == "NONFINITE" else "WRONG_GRADIENT"
            return verdict, f"a wrong gradient to {name}: {fault[1]}"
    return None


def suspected(remote: RemoteFile, case: Case, answer: Answer, cotangent: Tensor | None, seed: int) -> list[str]:
    """The functions whose misconceptions may explain a wrong answer, the likeliest first.

    One that calls an inner function may hold the mistakes of that one too, and is not to blame where the submission's
    own inner function gives the same answer.
    """
    function = case.target.removeprefix("model.")
    if not case.inner:
        return [function]
    inner, name, keywords = case.inner
    (own, given), *_ = case.inputs.items()
    with contextlib.suppress(Lost):
        inputs = {name: given.detach().clone()}
        below = remote.call(case.task, inner, inputs, (name,) * len(case.gradients), cotangent, seed, **keywords)
        pairs = [(answer.output, below.output), (answer.gradients.get(own), below.gradients.get(name))]
        if all(a is b or (a is not None and b is not None and reproduces(a, b)) for a, b in pairs):
            return [inner]
    return [function, inner]


def explain(known, case, answer, cotangent, seed, fault_of, suspects):
    """The id of the first misconception that gives the same numbers, and the same gradients where they were asked.

    A formula without fault on these inputs explains nothing.
    """
    for entry, formula in candidates(known, case, suspects):
        inputs = {name: tensor.detach().clone() for name, tensor in case.inputs.items()}
        sources = {name: inputs[name].requires_grad_() for name in case.gradients if name in inputs}
        if case.model is not None and case.gradients:
            sources = dict(case.model.named_parameters())
        torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a traceback each time
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


def candidates(known, case, functions):
    """The known misconceptions of some functions, as functions of the case's inputs."""
    for function in functions:
        for entry in known:
            if entry.function == function:
                yield entry, entry.formula.__get__(case.model) if case.model is not None else entry.formula


def reproduces(found: Tensor, value: Tensor) -> bool:
    return found.shape == value.shape and torch.allclose(
        found.double(), value.double(), rtol=1e-4, atol=1e-6, equal_nan=True
    )


def describe_call(remote: RemoteFile, case: Case) -> str:
    """The call with the shapes of its inputs, and nothing of their content."""
    shapes = [f"{name} {list(tensor.shape)}" for name, tensor in case.inputs.items()]
    shapes += [f"{name}={value}" for name, value in case.keywords.items()]
    name, _, _ = remote.assignment.signatures[case.target].partition("(")
    return f"{name}({', '.join(shapes)})"


def in_a_line(tensors: Tensors) -> str:
    """Tensors in a line, for instructors: small ones in full."""
    parts = []
    for name, tensor in tensors.items():
        numbers = np.array2string(tensor.detach().double().numpy(), precision=5, threshold=24, edgeitems=2)
        parts.append(f"{name} {' '.join(numbers.split())}".strip())
    return ", ".join(parts)[:1500]
