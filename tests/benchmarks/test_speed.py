"""The benchmark of a training step: it runs without the other libraries, and believes no library blindly."""

import importlib.util

import pytest

import speed
import speed_table
from candidate import PLAIN, PRODUCTS
from cli import UserError
from data import load_grey
from helpers.commands import ROOT
from model_file import load_model_file

LIBRARIES = {"JAX jit": "jax", "TensorFlow tf.function": "tensorflow", "pyro": "pyro", "pythae": "pythae"}
MODEL = str(ROOT / "solutions" / "model.py")


@pytest.mark.slow
def test_libraries_that_are_not_installed_are_left_out_with_a_line(monkeypatch, capsys):
    shapes = [("base", 128, 10), ("base", 20, 1)]
    for name, value in {"SHAPES": shapes, "SECONDS": 0.01, "ROUNDS": 1, "has_cpp_compiler": lambda: False}.items():
        monkeypatch.setattr(speed, name, value)
    images = load_grey("digits")[0].repeat(5, 1)
    times, losses, versions = speed.measure_steps(load_model_file(MODEL), images, MODEL, speed.sys.executable)
    assert list(times) == ["base, B = 128, k = 10", "base, B = 20, k = 1"]
    said = capsys.readouterr().out
    for name, library in LIBRARIES.items():
        assert (
            (name in versions) == (importlib.util.find_spec(library) is not None) == (f"{name} is left out" not in said)
        )
    for of_shape in times.values():
        assert of_shape[PLAIN] > 0 and of_shape[PRODUCTS] > 0
    assert 100 < losses[PLAIN] < 350  # from 543 at the start


def test_a_library_that_learns_something_else_is_an_error():
    speed.check_losses({PLAIN: 218.2, "JAX jit": 218.4})
    for loss in (210.0, float("nan")):
        with pytest.raises(UserError, match="JAX jit"):
            speed.check_losses({PLAIN: 218.2, "JAX jit": loss})


def test_the_table_has_each_shape_and_an_empty_cell_for_what_was_left_out():
    shapes = {"k = 1": {PRODUCTS: 0.002, PLAIN: 0.003, "JAX jit": 0.004}, "k = 500": {PRODUCTS: 0.2, PLAIN: 0.3}}
    header, *rows = speed_table.rows({"seconds": shapes})
    assert header == ["", "matrix products, ms", PLAIN, "JAX jit"]
    assert rows == [["k = 1", "2.0", "1.50", "2.00"], ["k = 500", "200.0", "1.50", ""]]


def test_growth_with_k_and_with_the_batch_is_measured():
    assert {k for network, batch_size, k in speed.SHAPES if (network, batch_size) == ("base", 128)} == {
        1, 5, 10, 50, 100, 500
    }  # fmt: skip
    assert {20, 100, 500} <= {batch_size for network, batch_size, k in speed.SHAPES if (network, k) == ("base", 10)}
