"""What the judge is willing to compute for a sandbox: inputs that go together, and not too many numbers."""

import math

import pytest
import torch

from autograder.grading.trusted import MAX_NUMBERS, check

SIDE = math.isqrt(MAX_NUMBERS)


@pytest.mark.parametrize("shapes", [[(2, 5), (5,)], [(3,), (3, 4)], [(2, 3, 8), (6, 2, 3, 8, 4)], [(SIDE, SIDE)], [()]])
def test_inputs_go_together_as_they_are_or_with_a_last_axis(shapes):
    check(*map(torch.ones, shapes))


@pytest.mark.parametrize("shapes", [[(SIDE + 1, SIDE)], [(SIDE + 1, 1), (SIDE,)], [(SIDE + 1,), (1, SIDE + 1)]])
def test_a_product_of_axes_that_is_too_large_is_refused_however_it_comes_about(shapes):
    with pytest.raises(ValueError, match="too many numbers"):
        check(*map(torch.ones, shapes))


def test_shapes_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="go together"):
        check(torch.ones(2, 3), torch.ones(4, 3))
