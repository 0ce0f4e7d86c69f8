"""The model file: what is asked of it, how it is imported, built and tried, and its mistakes in one line.

The file has
    OBJECTIVES      what it trains, {name: its own defaults of the settings}, the usual one first
    build           build(settings) -> a model with fresh weights
    log_mean_exp    log_mean_exp(a, dim), for the test NLL
and its model
    d_latent        the width D of the noise
    log_weights     log_weights(x, eps)  [B, P], [k, B, D] -> [k, B]
    loss            loss(x, objective, k) -> one number to minimise, which draws its own noise
The objective "ae" is one without samples or likelihood, measured by autoencoder_objective(x), [B, P] -> [B].
A model with an encoder(x) -> mu, sigma of q(z | x) = N(mu, sigma^2) and a decoder(z) -> logits of p(x | z), under
the prior N(0, I), is also drawn, and its log_weights are compared with what these two say (has_networks).
"""

import ast
import contextlib
import functools
import hashlib
import sys
import textwrap
import traceback
import types
import warnings
from pathlib import Path

import torch

from cli import OUT_OF_MEMORY, UserError, is_out_of_memory, resolve


class Unfinished(UserError):
    """The model file still raises NotImplementedError where it was called."""


def load_model_file(path):
    """Import a model file, as import_file does; UserError also if it lacks a part of what the trainer asks of it."""
    module = import_file(path)
    require_names(module, ("OBJECTIVES", "build", "log_mean_exp"))
    if read_objectives(path) != module.OBJECTIVES:
        raise UserError(f"{Path(path).name}: write OBJECTIVES out, once: the settings read it without running the file")
    return module


def read_objectives(path):
    """OBJECTIVES of a model file, read without running it; {} where there are none, which load_model_file tells."""
    unreadable = (OSError, SyntaxError, ValueError, RecursionError, KeyError)
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(*unreadable):
        statements = ast.parse(resolve(path).read_bytes()).body
        assigned = {ast.unparse(s.targets[0]): s.value for s in statements if isinstance(s, ast.Assign)}
        return ast.literal_eval(assigned["OBJECTIVES"])
    return {}


def require_names(module, names):
    """UserError if the file lacks one of the names."""
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        name = Path(module.__file__).name
        raise UserError(f"{name} lacks {', '.join(missing)}; copy what it lacks from the file as it is handed out now")


def import_file(path):
    """Import a student's file from its bytes. Returns the module, with .sha256 of its code added.

    UserError, in one line, if the file is missing or does not import.
    """
    path = resolve(path)
    if not path.is_file():
        raise UserError(f"there is no model file at {path}; give one with --model FILE")
    source = path.read_bytes()
    file_sha256 = hashlib.sha256(source).hexdigest()
    module = types.ModuleType(f"model_{file_sha256[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where inspect and dataclasses look for a class's source
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise UserError(f"{path.name}, line {error.lineno}: {type(error).__name__}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise UserError(f"{path.name} does not import: {describe(error, path)}") from None
    module.sha256, module.file_sha256 = code_sha256(source), file_sha256
    return module


class WithoutDocstrings(ast.NodeTransformer):
    """Drops statements that are only a constant: docstrings, and strings in the place of comments."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else node


def code_sha256(source):
    """SHA-256 of what a file does: comments, docstrings and the layout do not count.

    Of the tree written out as code, which differs less from one Python to the next than the tree itself.
    """
    with contextlib.suppress(RecursionError):  # nested deeper than Python can write: then every byte counts
        source = ast.unparse(WithoutDocstrings().visit(ast.parse(source))).encode()
    return hashlib.sha256(source).hexdigest()


def is_trained_with(module, config):
    """Whether a run was trained with this code. Runs of earlier versions of the kit know the file's bytes alone."""
    return config["model_sha256"] in (module.sha256, module.file_sha256)


@contextlib.contextmanager
def explained(path):
    """Turn an exception inside the model file into one line; Unfinished for a TODO that is still open."""
    try:
        yield
    except UserError:
        raise
    except NotImplementedError as error:
        raise (Unfinished(str(error)) if raised_in(error, path) else UserError(describe(error, path))) from None
    except Exception as error:
        raise UserError(OUT_OF_MEMORY if is_out_of_memory(error) else describe(error, path)) from None


def raised_in(error, path):
    """Whether a raise of the model file itself stopped the call, not PyTorch, which has NotImplementedErrors too."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename == str(path) and "raise" in last.line


def describe(error, path):
    """What went wrong, and in which line of the model file."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f"{Path(path).name}, line {frames[-1].lineno}, in {frames[-1].name}: " if frames else ""
    lines = str(error).strip().splitlines() or [""]
    return f"{where}{type(error).__name__}: {textwrap.shorten(lines[0], 300)}"


def build_model(module, settings):
    """A freshly initialised model of the model file."""
    with explained(module.__file__):
        return module.build(settings)


def has_networks(model):
    """Whether it has an encoder(x) -> mu, sigma and a decoder(z) -> logits: what pictures are made with."""
    return hasattr(model, "encoder") and hasattr(model, "decoder")


def check_model(module, model, settings, x):
    """Try the objective on the images x [B, P], so that a mistake in the file is told before anything is trained."""
    with explained(module.__file__):
        if settings.objective != "ae":
            log_w = model.log_weights(x, torch.zeros(settings.train_k, len(x), model.d_latent, device=x.device))
            expect_shape("log_weights", log_w, (settings.train_k, len(x)))
        with wrapped(module, [f"{settings.objective}_objective"], functools.partial(expecting_shape, (len(x),))):
            loss = model.loss(x, settings.objective, settings.train_k)
        expect_shape("loss", loss, ())
        if not loss.requires_grad:
            raise UserError("loss returned a number without a gradient, so nothing can be trained; was it detached?")


@contextlib.contextmanager
def wrapped(module, names, wrapper):
    """While it is entered, those of the names that the module has mean wrapper(name, function) there."""
    functions = {name: getattr(module, name) for name in names if hasattr(module, name)}
    try:
        for name, function in functions.items():
            setattr(module, name, wrapper(name, function))
        yield
    finally:
        for name, function in functions.items():
            setattr(module, name, function)


def expecting_shape(shape, name, function):
    """The function, whose result must have that shape."""

    def call_and_expect(*arguments, **named):
        result = function(*arguments, **named)
        expect_shape(name, result, shape)
        return result

    return call_and_expect


def expect_shape(name, value, shape):
    if not isinstance(value, torch.Tensor):
        raise UserError(f"{name} returned a {type(value).__name__}: expected a tensor of shape {list(shape)}")
    if value.shape != shape:
        raise UserError(f"{name} returned shape {list(value.shape)}: expected {list(shape)}")
