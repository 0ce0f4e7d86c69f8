"""What a run needs around its training: the model file, the device and the run folder."""

import ast
import contextlib
import ctypes
import hashlib
import json
import os
import platform
import shutil
import sys
import textwrap
import traceback
import types
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from cli import OUT_OF_MEMORY, UserError, find, is_out_of_memory, resolve
from outputs import write_json
from settings import Settings

MODEL_NAMES = (
    "bernoulli_log_likelihood gaussian_log_likelihood reparameterize vae_objective log_mean_exp iwae_objective "
    "Encoder Decoder IWAE"
).split()


# The model file -------------------------------------------------------------------------------------------


class Unfinished(UserError):
    """The model file still raises NotImplementedError where it was called."""


def load_model_file(path):
    """Import a student's model.py from its bytes. Returns the module, with .sha256 of its code added.

    UserError, in one line, if the file is missing, does not import or lacks a name.
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
    missing = [name for name in MODEL_NAMES if not callable(getattr(module, name, None))]
    if missing:
        raise UserError(f"{path.name} lacks {', '.join(missing)}; take them back from the file as it was handed out")
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


def build_model(module, settings, d_data=784):
    """A freshly initialised IWAE of the model file."""
    with explained(module.__file__):
        return module.IWAE(d_data, settings.d_latent, tuple(settings.hidden), not settings.untied)


def check_model(module, model, settings, x):
    """Try the objective on the images x [B, P], so that a mistake in the file is told before anything is trained."""
    with explained(module.__file__):
        if settings.objective != "ae":
            log_w = model.log_weights(x, torch.zeros(settings.train_k, len(x), settings.d_latent, device=x.device))
            expect_shape("log_weights", log_w, (settings.train_k, len(x)))
            bound = {"vae": module.vae_objective, "iwae": module.iwae_objective}[settings.objective]
            expect_shape(bound.__name__, bound(log_w), (len(x),))
        loss = model.loss(x, settings.objective, settings.train_k)
        expect_shape("loss", loss, ())
        if not loss.requires_grad:
            raise UserError("loss returned a number without a gradient, so nothing can be trained; was it detached?")


def expect_shape(name, value, shape):
    if not isinstance(value, torch.Tensor):
        raise UserError(f"{name} returned a {type(value).__name__}: expected a tensor of shape {list(shape)}")
    if value.shape != shape:
        raise UserError(f"{name} returned shape {list(value.shape)}: expected {list(shape)}")


# The process ----------------------------------------------------------------------------------------------


def prepare_device(name):
    """The torch device of a --device option; on a CPU, also two settings that make every step much faster."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(candidate for candidate in ("cuda", "mps", "cpu") if available[candidate])
    if not available[name]:
        raise UserError(f"--device {name} is not available here; use --device cpu, or auto")
    # Importance weights of e^-90 and their gradients are denormal numbers, which a CPU multiplies up to
    # a hundred times more slowly. Nothing depends on them: count them as 0.
    torch.set_flush_denormal(True)
    if platform.libc_ver()[0] == "glibc":
        # Keep the memory of freed tensors up to 32 MB: handing it back and asking again costs a third of a step.
        m_trim_threshold, m_mmap_threshold = -1, -3
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_threshold, 32 * 2**20)
        libc.mallopt(m_trim_threshold, 2**31 - 1)
    return torch.device(name)


def has_cpp_compiler():
    """Whether torch.compile can build for the CPU here."""
    return sys.platform != "win32" and shutil.which(os.environ.get("CXX", "g++")) is not None


def compiled(function, example, required=False):
    """torch.compile(function) for inputs of one shape, tried on the example; function itself where that fails.

    required: fail with a UserError instead. The example's random numbers are given back.
    """
    import torch._inductor.config

    torch._inductor.config.fallback_random = True  # plain PyTorch's noise, which is also drawn faster on a CPU
    print("compiling: up to a minute", flush=True)
    fast = torch.compile(function, dynamic=False)
    random_state = torch.get_rng_state()
    try:
        result = fast(*example)
        if result.requires_grad:
            result.sum().backward()  # compiled only when first used
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if required:
            raise UserError(f"--compile on: compiling failed ({reason}); use --compile off") from None
        print(f"notice: compiling failed ({reason}); going on without", file=sys.stderr)
        return function
    finally:
        torch.set_rng_state(random_state)
    return fast


# The run folder -------------------------------------------------------------------------------------------


def read_config(folder):
    """config.json of a run, with its settings as Settings."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise UserError(f"{folder} is not a run: it holds no config.json; train.py makes one")
    try:
        config = json.loads(path.read_text())
        config["settings"] = Settings(**config["settings"])
        if not {"model_sha256", "compiled"} <= config.keys():
            raise KeyError("model_sha256 or compiled")
        return config
    except (ValueError, KeyError, TypeError, UserError) as error:
        raise UserError(f"{path} is damaged or of another version ({error}); train the run again") from None


def read_figures(folder):
    """The test figures of a run: {k: figures}, {None: figures} of an autoencoder, empty where there are none yet.

    In test.json those of the training's end come first, and below "other_k" those of later evaluations.
    """
    path = Path(folder) / "test.json"
    try:
        first = json.loads(path.read_text())
        others = first.pop("other_k", {})
        return {first.get("k"): first} | {int(k): figures for k, figures in others.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it, and evaluate the run again") from None


def add_figures(folder, figures):
    """Keep test figures beside those of other k."""
    first, *others = (read_figures(folder) | {figures.get("k"): figures}).values()
    content = {**first, "other_k": {str(other["k"]): other for other in others}} if others else first
    write_json(Path(folder) / "test.json", content)


def read_tensors(path):
    if not path.is_file():
        raise UserError(f"{path} is missing: the run was stopped before it saved anything; train it again")
    try:
        return safetensors.torch.load(path.read_bytes())
    except (safetensors.SafetensorError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); train the run again") from None


def load_weights(model, tensors, folder):
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UserError(f"the weights in {folder} do not fit the model file: {reason}") from None


def labels(folders):
    """A short name for each run folder: its own, or its path where another has the same name. {folder: label}"""
    names = [Path(folder).name for folder in folders]
    return {f: Path(f).name if names.count(Path(f).name) == 1 else str(f) for f in folders}


def unique(folders):
    """Each run folder once, however it is written, found from here or from the project's root."""
    return list({find(folder).resolve(): find(folder) for folder in folders}.values())


def load_run(folder, device="auto"):
    """A trained run: its config, its model file's module and the model with the run's weights, on the device."""
    folder = find(folder)
    config = read_config(folder)
    settings = config["settings"]
    module = load_model_file(settings.model)
    if not is_trained_with(module, config):
        now = "its weights are used with the file as it is now"
        print(f"notice: {settings.model} has changed since {folder} was trained; {now}", file=sys.stderr)
    device = prepare_device(device)
    model = build_model(module, settings).to(device)
    load_weights(model, read_tensors(Path(folder) / "model.safetensors"), folder)
    return config, module, model.eval()
