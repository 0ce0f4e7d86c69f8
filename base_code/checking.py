"""How check.py tries a function of model.py: calls it, compares the result, and measures slopes."""

import contextlib

import torch

from cli import UserError

CLOSE = 1e-4  # float32 carries seven digits
SLOPE_CLOSE = 1e-2  # a slope that is measured by a step of STEP carries four digits at best
STEP = 1e-3

SETTINGS = {  # torch's global settings: how to read each, and how to put it back
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (torch.get_default_device, torch.set_default_device),
    "gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "random seed": (torch.initial_seed, torch.manual_seed),
}


class Wrong(UserError):
    """A call that came back wrong: the call, what came back, and what a right answer satisfies."""


@contextlib.contextmanager
def settings_kept(what, free=()):
    """Wrong if one of torch's settings, except the free ones, changes inside. They are put back."""
    before = {name: read() for name, (read, _) in SETTINGS.items() if name not in free}
    try:
        yield
    finally:
        changed = [name for name in before if SETTINGS[name][0]() != before[name]]
        for name in changed:
            SETTINGS[name][1](before[name])
    if changed:
        found = f"torch's {' and '.join(changed)} was changed"
        raise Wrong(what, found, "torch's settings left alone: take out the line that changes them")


def call(what, function, *inputs):
    """function(*inputs), a tensor. It is called twice: it must give the same again, and change nothing else."""
    inputs, copies = [x.clone() for x in inputs], [x.clone() for x in inputs]
    with settings_kept(what):
        first, second = function(*inputs), function(*inputs)
    for result in (first, second):
        if not isinstance(result, torch.Tensor):
            found = "None; is a return missing?" if result is None else f"a {type(result).__name__}"
            raise Wrong(what, found, "a tensor")
    if not all(torch.allclose(x, copy, equal_nan=True) for x, copy in zip(inputs, copies)):
        raise Wrong(what, "a result, but an input was changed in place", "inputs as they were: x = x + 1, not x += 1")
    if first.shape == second.shape and not torch.allclose(first, second, rtol=CLOSE, atol=CLOSE, equal_nan=True):
        raise Wrong(what, "another result when it is called again", "the same for the same inputs, without new noise")
    return first


def expect(what, function, inputs, right, reason):
    """Call function(*inputs) and compare what it returns with the right result."""
    compare(what, call(what, function, *inputs), right, reason)


def compare(what, found, right, reason, close=CLOSE):
    """Compare a tensor with the right one, which is a tensor or nested lists of numbers."""
    found, right = found.detach().double(), torch.as_tensor(right, dtype=torch.float64)
    if found.shape != right.shape:
        raise Wrong(what, f"a tensor of shape {list(found.shape)}", f"shape {list(right.shape)}; {reason}")
    differs = ~torch.isclose(found, right, rtol=close, atol=close, equal_nan=True)
    if differs.any():
        raise Wrong(what, *shown(found, right, differs, reason))


def shown(found, right, differs, reason):
    """Both tensors in text: whole if they are small, else the first number that differs."""
    if max(len(numbers(found)), len(numbers(right))) < 100:
        return numbers(found), f"{numbers(right)}; {reason}"
    place = differs.nonzero()[0].tolist()
    found, right = found[tuple(place)], right[tuple(place)]
    return f"{numbers(found)} at {place}, among others", f"{numbers(right)} at {place}; {reason}"


def numbers(tensor):
    """A tensor as nested lists of rounded numbers, in text."""
    return str(tensor.double().mul(1e4).round().div(1e4).tolist())


def expect_slopes(what, function, **inputs):
    """The gradients of function(*inputs) to its inputs must be its slopes, measured with float64."""
    inputs = {name: x.double().requires_grad_() for name, x in inputs.items()}
    expect_gradients(what, lambda: function(*inputs.values()), inputs)


def expect_gradients(what, compute, tensors):
    """The gradient of compute() to each of the tensors, {name: tensor}, must be the slope that small steps show.

    The slope is that of 1 x the first result + 2 x the second + ..., so that no two results can be exchanged.
    """

    def total():
        result = compute()
        return (result * torch.arange(1, result.numel() + 1).view_as(result)).sum()

    for (name, x), found in zip(tensors.items(), gradients(what, total(), *tensors.values())):
        reason = f"the slope that small steps of {name} show; is something detached, or under no_grad?"
        compare(f"{what}, its gradient to {name}", found, slopes(total, x), reason, SLOPE_CLOSE)


def gradients(what, output, *tensors):
    """The gradient of output's sum to each of the tensors, which is 0 where none arrives."""
    if not output.requires_grad:
        raise Wrong(what, "a result without a gradient", "one that can be differentiated; what cuts the gradient off?")
    found = torch.autograd.grad(output.sum(), tensors, allow_unused=True)
    return [torch.zeros_like(x) if gradient is None else gradient for x, gradient in zip(tensors, found)]


@torch.no_grad()
def slopes(total, x):
    """(total at x + step - total at x - step) / (2 step), for each number of x in turn."""
    result = torch.zeros_like(x)
    for i in range(x.numel()):
        number = x.view(-1)[i]  # a view: what is added to it is added to x
        value = number.clone()
        number.copy_(value + STEP)
        above = total()
        number.copy_(value - STEP)
        result.view(-1)[i] = (above - total()) / (2 * STEP)
        number.copy_(value)
    return result
