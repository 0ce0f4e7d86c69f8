"""What the judge is willing to compute for a sandbox: operations of not too many numbers, however they come about."""

import math

import pytest
import torch

from autograder.grading.trusted import MAX_NUMBERS, answer
from autograder.sandbox.inside.bodies import decode, encode

SIDE = math.isqrt(MAX_NUMBERS)
WIDE, HIGH = (1, SIDE + 1), (SIDE + 1, 1)

FUNCTIONS = {
    "density": lambda z, mu, sigma: (-(((z - mu) / sigma) ** 2) / 2 - sigma.log()).sum(-1),
    "mixture": lambda x, logits, mu: (logits.log_softmax(-1) - (x[..., None] - mu) ** 2).logsumexp(-1),
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a @ b,
    "sum": lambda a: a.sum(-1),
    "spread": lambda a: a[..., None].expand(*a.shape, SIDE).exp(),
}


def asked(name, *shapes, cotangent=None):
    """The tensors that the judge answers to a question about tensors of ones, or its error."""
    tensors = {str(i): torch.ones(shape) for i, shape in enumerate(shapes)}
    tensors |= {} if cotangent is None else {"cotangent": torch.ones(cotangent)}
    header, body = answer(FUNCTIONS, {"ask": name}, encode(tensors))
    return header.get("error") or decode(body)


@pytest.mark.parametrize("n", [1, 20, 60])
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("density", lambda n: [(n, n, n), (n,), (n,)]),
        ("density", lambda n: [(n,), (n, n, n), ()]),
        ("density", lambda n: [(n, n, n), (n, n), (n, n, n)]),
        ("mixture", lambda n: [(n, n), (n, n, n), (n,)]),
    ],
)
def test_what_a_right_answer_may_ask_is_answered_at_every_size_of_the_checks(name, shapes, n):
    """Parameters without the axes of the samples, too: nothing is guessed of what a function makes of its inputs."""
    inputs = shapes(n)
    expected = FUNCTIONS[name](*map(torch.ones, inputs))
    torch.testing.assert_close(asked(name, *inputs)["output"], expected)
    gradients = asked(name, *inputs, cotangent=expected.shape)
    assert [gradients[str(i)].shape for i in range(len(inputs))] == [torch.Size(shape) for shape in inputs]


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("add", [(SIDE + 1, SIDE), ()]),
        ("add", [WIDE, HIGH]),
        ("multiply", [HIGH, WIDE]),
        ("multiply", [(SIDE, 2), (2, SIDE)]),
        ("sum", [(MAX_NUMBERS + 1, 0)]),
        ("spread", [(SIDE + 1,)]),
        ("density", [WIDE, HIGH, ()]),
        ("mixture", [(SIDE + 1,), (SIDE + 1,), (SIDE + 1,)]),
    ],
)
def test_an_operation_of_too_many_numbers_is_refused_however_it_comes_about(name, shapes):
    assert asked(name, *shapes).endswith("too many numbers")
    assert asked(name, *shapes, cotangent=()).endswith("too many numbers")


def test_shapes_that_do_not_go_together_are_refused_in_torchs_own_words():
    assert "must match" in asked("add", (2, 3), (4, 3))


def test_what_is_no_floating_point_number_is_refused():
    header, _ = answer(FUNCTIONS, {"ask": "sum"}, encode({"0": torch.ones(3, dtype=torch.int64)}))
    assert header == {"error": "sum: expected tensors of floating-point numbers"}
