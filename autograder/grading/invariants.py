"""What holds for every graded function, whatever it computes."""

from collections.abc import Callable

import torch
from torch import Tensor

from autograder.grading.judge import Case, Draw, describe_call, expect
from autograder.grading.remote import RemoteFile
from autograder.grading.verdicts import Lost


def expect_no_side_effects(remote: RemoteFile, draw: Draw, case: Case) -> None:
    """Two calls on the same inputs give the same right answer, change no input and no setting that others depend on."""
    outputs = []
    for seed in (draw.seed(), draw.seed()):
        inputs = {name: tensor.clone() for name, tensor in case.inputs.items()}
        answer = remote.call(case.task, case.target, inputs, seed=seed, **case.keywords)
        outputs.append(answer.output)
        called, right = describe_call(remote, case), "the inputs and torch's settings as they were"
        if answer.edited:
            raise Lost("WRONG_VALUE", f"it changed its input {' and '.join(answer.edited)} in place", called, right)
        if changed := answer.changed or remote.import_changed:
            when = "the call" if answer.changed else "importing the file"
            raise Lost("WRONG_VALUE", f"{when} changed torch's global {' and '.join(changed)}", called, right)
    first, second = outputs
    if first.shape != second.shape or not torch.allclose(first, second, rtol=1e-5, atol=1e-5, equal_nan=True):
        raise Lost("WRONG_VALUE", "two calls with the same inputs returned different numbers", called, "the same twice")
    expect(remote, draw, case)


def expect_independence(
    remote: RemoteFile, draw: Draw, case_of: Callable[[Tensor], Case], tensor: Tensor, axis: int, other: Callable
) -> None:
    """Right for the tensor, and where the first along its axis is another: no other's number may change with it."""
    first, rest = tensor.narrow(axis, 0, 1), tensor.narrow(axis, 1, tensor.shape[axis] - 1)
    for changed in (tensor, torch.cat([other(first), rest], axis)):
        expect(remote, draw, case_of(changed))
