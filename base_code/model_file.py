"""The model file: what is asked of it, how it is imported, built and tried, and its mistakes in one line.

The file has
    OBJECTIVES      what it trains, {name: its own defaults of the settings}, the usual one first
    build           build(settings) -> a model with fresh weights
    log_mean_exp    log_mean_exp(a, dim), for the test NLL
and may have
    OPTIONS         settings of its own, {name: (default, help)} or, of words or of few numbers, {name: (default, help,
                    choices)}: options of train.py, whose values build gets as settings.name
    DATA            the names of the datasets that it trains on, the usual one first; without it those of binary images
These three are written out, once, since they are read without running the file. A lab's file imports what it needs of
the core's, model.py, by `from model import ...` at its top.

Its model has
    d_latent        the width D of the noise
    log_weights     log_weights(x, eps)  [B, P], [k, B, D] -> [k, B]
    loss            loss(x, objective, k) -> one number to minimise, which draws its own noise
or, in the place of loss,
    losses          losses(x, objective, k) -> {"encoder": loss, "decoder": loss}: each minimised by the parameters of
                    model.encoder, of model.decoder alone; the decoder's is shown. One tensor for both costs one pass.
Images x are 0s and 1s [B, P]; of an 8-bit dataset they are grey levels, floats 0 ... 255 [B, C, H, W].
A model with needs_labels = True gets y, the one-hot classes [B, C], as a last argument of all of these functions:
log_weights(x, eps, y), loss(x, objective, k, y), losses(x, objective, k, y), sample(eps, y), reconstruct(x, y).

The objective "ae" is one without samples or likelihood, measured by autoencoder_objective(x), [B, P] -> [B].
A model with an encoder(x) -> mu, sigma of q(z | x) = N(mu, sigma^2) and a decoder(z) -> logits of p(x | z), under
the prior N(0, I), is also drawn, and its log_weights are compared with what these two say (has_networks). One that is
more than this, as every model of 8-bit images or labels, is drawn with
    sample          sample(eps) of the prior, [n, D] -> logits [n, P], of 8-bit images their means [n, C, H, W]
    reconstruct     reconstruct(x) -> the same of the images
as far as it has them.
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

from cli import OUT_OF_MEMORY, ROOT, UserError, is_out_of_memory, resolve


class Unfinished(UserError):
    """The model file still raises NotImplementedError where it was called."""


class UnfinishedCore(Unfinished):
    """The core's file does, which a lab's imports."""


PARTS = ("encoder", "decoder")  # of the model, for each of which a pair of losses has one
LITERALS = {"OBJECTIVES": {}, "OPTIONS": {}, "DATA": ()}  # what is read without running the file, and its default


def load_model_file(path):
    """Import a model file, as import_file does; UserError also if it lacks a part of what the trainer asks of it."""
    module = import_file(path)
    require_names(module, ("OBJECTIVES", "build", "log_mean_exp"))
    for name, default in LITERALS.items():
        if read_literal(path, name) != getattr(module, name, default):
            raise UserError(f"{Path(path).name}: write {name} out, once: the settings read it without running the file")
    return module


def read_literal(path, name):
    """OBJECTIVES, OPTIONS or DATA of a model file, read without running it; empty where it has none."""
    unreadable = (OSError, SyntaxError, ValueError, RecursionError, KeyError)
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(*unreadable):
        statements = ast.parse(resolve(path).read_bytes()).body
        assigned = {ast.unparse(s.targets[0]): s.value for s in statements if isinstance(s, ast.Assign)}
        return ast.literal_eval(assigned[name])
    return LITERALS[name]


def require_names(module, names):
    """UserError if the file lacks one of the names."""
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        name = Path(module.__file__).name
        raise UserError(f"{name} lacks {', '.join(missing)}; copy what it lacks from the file as it is handed out now")


def import_file(path):
    """Import a student's file from its bytes. Returns the module, with .sha256 of its code added.

    A lab's file may `import model`, or names from it, at its top: the core's file, as core_of finds it. What that does
    counts in .sha256 too. UserError, in one line, if a file is missing or does not import.
    """
    path = resolve(path)
    if not path.is_file():
        raise UserError(f"there is no model file at {path}; give one with --model FILE")
    source = path.read_bytes()
    core = import_file(core_of(path)) if imports_core(source) and core_of(path) != path else None
    with standing_for_model(core):
        module = execute(path, source)
    module.sha256, module.file_sha256 = code_sha256(source), hashlib.sha256(source).hexdigest()
    if core:
        module.sha256 = hashlib.sha256(f"{module.sha256} {core.sha256}".encode()).hexdigest()
    return module


def imports_core(source):
    """Whether a file imports the core's file, by the name `model`."""
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(SyntaxError, ValueError, RecursionError):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "model":
                return True
            if isinstance(node, ast.Import) and any(alias.name == "model" for alias in node.names):
                return True
    return False


def core_of(path):
    """The core's file for a lab's: model.py beside it or one folder above, as in base_code; else base_code/model.py"""
    return next(
        (folder / "model.py" for folder in (path.parent, path.parent.parent) if (folder / "model.py").is_file()),
        ROOT / "base_code" / "model.py",
    )


@contextlib.contextmanager
def standing_for_model(core):
    """While it is entered, `import model` gives that module; nothing changes for None."""
    before = sys.modules.get("model")
    try:
        if core:
            sys.modules["model"] = core
        yield
    finally:
        sys.modules.pop("model", None)
        if before:
            sys.modules["model"] = before


def execute(path, source):
    """The module of a file, from its bytes. UserError where it does not import."""
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
        raise unfinished(error, Path(path)) from None
    except Exception as error:
        raise UserError(OUT_OF_MEMORY if is_out_of_memory(error) else describe(error, path)) from None


def unfinished(error, path):
    """What to raise for a NotImplementedError: PyTorch has them too, and the core's TODOs have a lab's numbers."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    if last.filename == str(path) and "raise" in last.line:
        return Unfinished(str(error))
    if last.filename == str(core_of(path)) and "raise" in last.line:
        return UnfinishedCore(f"{Path(last.filename).name}, which {path.name} imports, has {error}")
    return UserError(describe(error, path))


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


def needs_labels(model):
    """Whether its functions take the classes of the images, too."""
    return getattr(model, "needs_labels", False)


def has_networks(model):
    """Whether it is an encoder(x) -> mu, sigma and a decoder(z) -> logits, under the prior N(0, I), and no more."""
    is_more = hasattr(model, "sample") or needs_labels(model)
    return hasattr(model, "encoder") and hasattr(model, "decoder") and not is_more


def can_be_drawn(model):
    """Whether there is something to draw samples with."""
    return hasattr(model, "sample") or has_networks(model)


def reconstructs(model):
    """Whether there is something to reconstruct images with."""
    return hasattr(model, "reconstruct") or has_networks(model)


def losses(model, x, objective, k, *y):
    """What training minimises: [(loss, the parameters that it changes)], the loss that is shown last.

    y: the classes, one-hot [B, C], where the model asks for them.
    """
    weights = trained(model)
    if not hasattr(model, "losses"):
        return [(model.loss(x, objective, k, *y), weights)]
    pair = model.losses(x, objective, k, *y)
    if pair["encoder"] is pair["decoder"]:  # one pass for both
        return [(pair["decoder"], weights)]
    return [(pair[part], trained(getattr(model, part))) for part in PARTS]


def trained(model):
    return [weight for weight in model.parameters() if weight.requires_grad]


def check_model(module, model, settings, x, *y):
    """Try the objective on images x and their classes y, so that a mistake in the file is told before any training."""
    with explained(module.__file__):
        if settings.objective != "ae":
            log_w = model.log_weights(x, torch.zeros(settings.train_k, len(x), model.d_latent, device=x.device), *y)
            expect_shape("log_weights", log_w, (settings.train_k, len(x)))
        offered = "losses" if hasattr(model, "losses") else "loss"
        with wrapped(module, [f"{settings.objective}_objective"], functools.partial(expecting_shape, (len(x),))):
            found = getattr(model, offered)(x, settings.objective, settings.train_k, *y)
        if offered == "losses":
            expect_pair(model, found)
        for loss in found.values() if offered == "losses" else [found]:
            expect_shape(offered, loss, ())
            if not loss.requires_grad:
                raise UserError(
                    f"{offered} returned a number without a gradient, so nothing can be trained; was it detached?"
                )


def expect_pair(model, pair):
    """UserError unless it is a loss for each of the two parts, to one of which every parameter belongs."""
    if not isinstance(pair, dict) or set(pair) != set(PARTS):
        found = f"the keys {', '.join(map(str, pair))}" if isinstance(pair, dict) else f"a {type(pair).__name__}"
        raise UserError(f"losses returned {found}: expected a dictionary with the keys {', '.join(PARTS)}")
    of_parts = [id(weight) for part in PARTS for weight in trained(getattr(model, part))]
    if sorted(of_parts) != sorted(map(id, trained(model))):
        raise UserError("losses: expected every parameter of the model in its encoder or in its decoder")


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
