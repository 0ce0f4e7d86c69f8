"""Trusted functions that stand in for those of earlier tasks. The judge computes them; the sandbox only asks.

So there is nothing in the sandbox that a submission could read, keep or print.
"""

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from autograder.grading.tensors import Tensors, oddity, vector_jacobian
from autograder.sandbox.inside.bodies import decode, encode

MAX_NUMBERS = 2**22  # of an operation's inputs, broadcast: what a stranger can make the judge compute with


def signatures(functions: Mapping[str, Callable]) -> dict[str, dict[str, int | None]]:
    """{function: {argument: its default, or None for a tensor}}: all that the sandbox knows of them.

    An argument with a default is a whole number, as an axis; all others are tensors.
    """
    return {
        name: {p.name: None if p.default is p.empty else p.default for p in inspect.signature(f).parameters.values()}
        for name, f in functions.items()
    }


def answer(functions: Mapping[str, Callable], header: dict, body: bytes) -> tuple[dict, bytes]:
    """The answer to a question from the sandbox, header and body, about functions that the judge has by their names.

    {"ask": function, "numbers": {argument: whole number}} with its inputs as tensors "0", "1", ... brings its "output"
    and, where a "cotangent" came along, the gradients of (cotangent * output).sum() to them. A question that cannot be
    answered brings {"error": text}.
    """
    name, numbers = header["ask"], header.get("numbers", {})
    if not isinstance(name, str) or name not in functions:
        return {"error": "the grader has no such function"}, b""
    try:
        check_numbers(numbers, signatures(functions)[name])
        tensors = decode(body)
        cotangent = tensors.pop("cotangent", None)
        inputs = [tensors[str(i)] for i in range(len(tensors))]
        if any(map(oddity, inputs)):
            raise TypeError("expected tensors of floating-point numbers")
        with Limited():
            tensors = computed(functools.partial(functions[name], **numbers), inputs, cotangent)
        return {}, encode(tensors)
    except Exception as error:  # of any kind: the inputs are a stranger's
        return {"error": f"{name}: {error}"[:1000]}, b""


def check_numbers(numbers: dict, arguments: dict[str, int | None]) -> None:
    """An error unless each is a small whole number for an argument that takes one."""
    if any(arguments[name] is None or type(n) is not int or abs(n) > MAX_NUMBERS for name, n in numbers.items()):
        raise TypeError("expected whole numbers")


class Limited(TorchFunctionMode):
    """Refuses an operation of too many numbers before it is computed; its gradients have as many.

    Each operation by itself: what becomes of the shapes of its inputs is a function's own affair. A mixture gives its
    pixels a last axis more, a Gaussian does not, and the limit of the one would wrong the other.
    """

    def __torch_function__(self, operation, types, arguments=(), keywords=None):
        keywords = keywords or {}
        tensors = [x for x in itertools.chain(arguments, keywords.values()) if isinstance(x, Tensor)]
        if numbers_together([tensor.shape for tensor in tensors]) > MAX_NUMBERS:
            raise ValueError("too many numbers")
        return operation(*arguments, **keywords)


def numbers_together(shapes: Sequence[Sequence[int]]) -> int:
    """How many numbers arrays of these shapes have when they are broadcast; where they cannot be, at most."""
    try:
        sizes: Sequence[int] = np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:  # they do not go together, or are multiplied as matrices
        sizes = list(itertools.chain(*shapes))
    return math.prod(max(size, 1) for size in sizes)  # a sum over an empty axis has as many


def computed(function: Callable[..., Tensor], inputs: list[Tensor], cotangent: Tensor | None) -> Tensors:
    """{"output": tensor}, or with a cotangent {"0": gradient to the first input, ...}."""
    if cotangent is None:
        with torch.no_grad():
            return {"output": function(*inputs)}
    sources = {str(i): tensor.requires_grad_() for i, tensor in enumerate(inputs)}
    output = function(*inputs)
    if cotangent.shape != output.shape:
        raise ValueError("expected a cotangent of the output's shape")
    return vector_jacobian(output, sources, cotangent)
