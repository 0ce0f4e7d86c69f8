"""The process that computes: what is set is set in every thread."""

import sys

import pytest

from helpers.commands import finish, start

FLUSHES = """
import torch
torch.set_num_threads(3)

def flushed():  # a hundred parts, of which each thread computes some
    return (torch.full((100, 10_000), 1e-30) * 1e-10 == 0).all(1).sum().item()

before = flushed()
import process
process.prepare_device("cpu")
print(before, flushed())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the thread that asks")
def test_the_smallest_numbers_are_zero_in_threads_that_have_computed_before():
    """As in a notebook whose earlier cells used them."""
    ended = finish(start("-c", FLUSHES, PYTHONPATH="base_code"))
    assert ended.status == 0, ended.err
    assert ended.out.split() == ["0", "100"]
