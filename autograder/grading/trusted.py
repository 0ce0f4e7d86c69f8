"""Trusted functions that stand in for those of earlier tasks. The judge computes them; the sandbox only asks.

So there is nothing in the sandbox that a submission could read, keep or print.
"""

import inspect
import math
from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from autograder.grading.tensors import Tensors, oddity, vector_jacobian
from autograder.sandbox.inside.bodies import decode, encode

MAX_NUMBERS = 2**22  # of all inputs broadcast together: what a stranger can make the judge compute with


def signatures(reference: ModuleType, names: Iterable[str]) -> dict[str, list[str]]:
    """{function: names of its arguments} of the reference: all that the sandbox knows of them."""
    return {name: list(inspect.signature(getattr(reference, name)).parameters) for name in names}


def answer(reference: ModuleType, names: Iterable[str], header: dict, body: bytes) -> tuple[dict, bytes]:
    """The answer to a question from the sandbox, header and body, about functions of the reference with these names.

    {"ask": function} with its inputs as tensors "0", "1", ... brings its "output" and, where a "cotangent" came along,
    the gradients of (cotangent * output).sum() to them. A question that cannot be answered brings {"error": text}.
    """
    name = header["ask"]
    if not isinstance(name, str) or name not in names:
        return {"error": "the grader has no such function"}, b""
    try:
        tensors = decode(body)
        cotangent = tensors.pop("cotangent", None)
        inputs = [tensors[str(i)] for i in range(len(tensors))]
        check(*inputs)
        return {}, encode(computed(getattr(reference, name), inputs, cotangent))
    except Exception as error:  # of any kind: the inputs are a stranger's
        return {"error": f"{name}: {error}"[:1000]}, b""


def check(*tensors: Tensor) -> None:
    """An error unless these are numbers, and so few that anything can be computed with them."""
    if any(oddity(tensor) for tensor in tensors):
        raise TypeError("expected tensors of floating-point numbers")
    sizes = np.broadcast_shapes(*(tuple(tensor.shape) for tensor in tensors))  # torch's imports for a second
    if math.prod(max(size, 1) for size in sizes) > MAX_NUMBERS:  # a sum over an empty axis has as many numbers
        raise ValueError("too many numbers")


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
