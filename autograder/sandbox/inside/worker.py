"""Inside the sandbox: imports a submission and answers requests to call its functions.

It knows nothing of the assignment, and shares its process with the submission: whatever it answers, the judge
takes for a stranger's word. Requests are {"do": "load" | "create" | "call" | "prepare" | "epoch" | "weights", ...}
with tensors as a safetensors body; answers are {"ok": true, ...}, or {"ok": false, "verdict", "text", "line"}.
"""

import contextlib
import inspect
import linecache
import opcode
import os
import sys
import types
from pathlib import Path

import bodies
import frames
import torch
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

ALONE = "only {} is handed in: other files of your own, and packages that the kit does not need, are not there"
SETTINGS = {  # torch's global settings: how to read each of them, and how to set it
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (torch.get_default_device, torch.set_default_device),
    "gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "random seed": (torch.initial_seed, torch.manual_seed),
}


def serve(channel):
    """Answer requests until the judge closes the channel."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))  # a forkserver imported torch with a number of its own
    worker = Worker(channel)
    while True:
        try:
            header, body = frames.receive(channel)
        except (EOFError, OSError):
            return
        try:
            answer, tensors = worker.answer(header, body)
            content = bodies.encode(tensors)
        except SystemExit as exit:
            answer, content = {"ok": False, "verdict": "EXITED", "text": f"it called sys.exit({exit.code!r})"}, b""
        except BaseException as error:
            answer, content = describe(error, worker.file_name), b""
        try:
            frames.send(channel, answer, content)
        except frames.ProtocolError as error:
            frames.send(channel, {"ok": False, "verdict": "PROTOCOL", "text": str(error)})


def describe(error, file_name):
    """An exception as an answer: its kind and text, and the last line of the submission that it passed."""
    verdict = "EXCEPTION"
    if isinstance(error, NotImplementedError) and is_raised_by_submission(error, file_name):
        verdict = "NOT_IMPLEMENTED"
    elif isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        verdict = "MEMORY"
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == file_name:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    if verdict != "NOT_IMPLEMENTED" or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if lacks_a_file(error):
        text = f"{text[:1500]}; {ALONE.format(file_name)}"
    return {"ok": False, "verdict": verdict, "text": text[:2000], "line": line}


def is_raised_by_submission(error, file_name):
    """Whether it comes from a raise statement of the submission, and not from what the submission calls."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code  # of the raise, or of the call into compiled code that raised
    return code.co_filename == file_name and code.co_code[trace.tb_lasti] == opcode.opmap["RAISE_VARARGS"]


def lacks_a_file(error):
    """Whether it asked for a file that is not there, or for a name that a module beside this one does not have."""
    if isinstance(error, ImportError):
        return error.path is None or Path(error.path).parent == Path(__file__).parent
    return isinstance(error, FileNotFoundError)


class Worker:
    """A submission, and the objects that were created from it."""

    def __init__(self, channel):
        self.channel, self.file_name, self.owner = channel, "", ""

    def answer(self, header, body):
        handler = getattr(self, header["do"])
        return handler(header, body if header["do"] == "load" else bodies.decode(body))

    def load(self, header, source):
        """Import a file from its bytes; then let the judge answer in the place of some of its functions.

        The last file to come is the submission; it can import one that came before.
        """
        self.settings = {name: read() for name, (read, _) in SETTINGS.items()}
        self.file_name = header["file"]
        self.module = execute(Path(self.file_name).stem, self.file_name, source)
        changed = self.restore(self.settings)
        for name, arguments in header["trusted"].items():
            setattr(self.module, name, stand_in(self.channel, name, arguments))
        missing = [name for name in header["names"] if not callable(getattr(self.module, name, None))]
        return {"ok": True, "missing": missing, "changed": sorted(changed)}, {}

    def restore(self, settings):
        """Give torch's settings back; returns the names of those that had been changed."""
        changed = {name for name, (read, _) in SETTINGS.items() if read() != settings[name]}
        for name in changed:
            SETTINGS[name][1](settings[name])
        return changed

    def create(self, header, weights):
        """Make the object `model` of a class, with these weights. Its methods are known as the class's, too."""
        self.owner = header["target"]
        self.model = getattr(self.module, header["target"])(**header["keywords"])
        self.model.to(getattr(torch, header["dtype"])).load_state_dict(weights)
        return {"ok": True}, {}

    def call(self, header, tensors):
        """Call a function, or a method of `model`, with the tensors that the header names.

        The answer has its output and, where a cotangent came along, the gradients of (cotangent * output).sum().
        """
        function = self.module
        for name in header["target"].split("."):
            function = self.model if name in ("model", self.owner) else getattr(function, name)
        inputs = {name: tensors[name] for name in header["arguments"]}
        before = {name: tensor.clone() for name, tensor in inputs.items()}
        sources = {name: inputs[name].requires_grad_() for name in header["gradients"] if name in inputs}
        if "parameters" in header["gradients"]:
            sources |= dict(self.model.named_parameters())
        torch.default_generator.manual_seed(header["seed"])  # torch.manual_seed formats a traceback each time
        settings = {name: read() for name, (read, _) in SETTINGS.items()}
        counter = CountReduced(header["counted"]) if header["counted"] else None
        with counter or contextlib.nullcontext():
            output = function(*inputs.values(), **header["keywords"])
        answer = {"ok": True, "changed": sorted(self.restore(settings)), "reduced": counter.count if counter else 0}
        if type(output) not in (torch.Tensor, torch.nn.Parameter):
            return answer | {"type": type(output).__name__[:100]}, {}
        result = {"output": output.detach()}
        cotangent = tensors.get("cotangent")
        if cotangent is not None and output.requires_grad and output.shape == cotangent.shape:
            # Of the sum: with the cotangent as grad_outputs, torch imports sympy, which takes a second.
            total = (output * cotangent).sum()
            gradients = torch.autograd.grad(total, list(sources.values()), allow_unused=True)
            result |= {f"gradient.{n}": g for n, g in zip(sources, gradients) if g is not None}
        answer["edited"] = [name for name in inputs if not same(inputs[name].detach(), before[name])]
        return answer | {"type": "Tensor", "shape": list(output.shape), "dtype": str(output.dtype)}, result

    def prepare(self, header, tensors):
        """Make ready to train `model` on images, uint8 [N, P]."""
        from loop import State, StopRequest  # only here: the training loop needs more than torch
        from process import prepare_device
        from settings import Settings

        prepare_device("cpu")
        self.images, self.training = tensors["images"], Settings(**header["settings"])
        optimizer = torch.optim.Adam(self.model.parameters(), self.training.lr, fused=True)
        n_steps = -(-len(self.images) // self.training.batch_size)
        self.state, self.stop = State(LossAlone(self.model), optimizer, torch.zeros(n_steps)), StopRequest()
        torch.manual_seed(self.training.seed)
        return {"ok": True}, {}

    def epoch(self, header, _):
        """Train for one epoch."""
        from cli import UserError
        from loop import train_epoch

        torch.set_num_threads(header["threads"])
        try:
            train_epoch(self.state, self.images, self.training, self.stop)
        except UserError as error:  # the loss became NaN
            return {"ok": False, "verdict": "NONFINITE", "text": str(error).split(";")[0]}, {}
        loss = self.state.losses.mean().item()
        self.state.epoch, self.state.step, self.state.seconds = self.state.epoch + 1, 0, 0.0
        return {"ok": True, "loss": loss}, {}

    def weights(self, *_):
        return {"ok": True}, {name: tensor.float() for name, tensor in self.model.state_dict().items()}


class LossAlone(torch.nn.Module):
    """A model with nothing but the loss that the judge replays: whatever else a trainer would ask it for is no part."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def loss(self, *arguments):
        return self.model.loss(*arguments)


def stand_in(channel, name, arguments):
    """A function that the judge computes, with its gradients. Nothing of it is in here.

    arguments: {name: the default of a whole number, or None for a tensor}
    """
    defaults = {a: inspect.Parameter.empty if default is None else default for a, default in arguments.items()}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(a, kind, default=default) for a, default in defaults.items()])

    def ask(numbers, tensors):
        copies = {n: t.clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}  # none shares memory
        frames.send(channel, {"ask": name, "numbers": numbers}, bodies.encode(copies))
        answer, body = frames.receive(channel)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return bodies.decode(body)

    def function(*positional, **keywords):
        given = signature.bind(*positional, **keywords)
        given.apply_defaults()
        numbers = {a: int(value) for a, value in given.arguments.items() if arguments[a] is not None}
        tensors = [torch.as_tensor(value) for a, value in given.arguments.items() if arguments[a] is None]
        return Asked.apply(lambda **tensors: ask(numbers, tensors), *tensors)

    return function


class Asked(torch.autograd.Function):
    """ask(inputs as "0", "1", ...) brings {"output": tensor}; with a cotangent, gradients under the inputs' names."""

    @staticmethod
    def forward(ask, *inputs):
        return ask(**{str(i): tensor for i, tensor in enumerate(inputs)})["output"]

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.ask, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    @once_differentiable  # the judge's gradients have none of their own: an error, not silence
    def backward(ctx, cotangent):
        inputs = {str(i): tensor for i, tensor in enumerate(ctx.saved_tensors)}
        gradients = ctx.ask(**inputs, cotangent=cotangent)
        return None, *(gradients[name] for name in inputs)

    @staticmethod
    def vmap(info, in_dims, ask, *inputs):
        calls = [
            Asked.apply(ask, *(x if dim is None else x.select(dim, i) for x, dim in zip(inputs, in_dims[1:])))
            for i in range(info.batch_size)
        ]
        return torch.stack(calls), 0


class CountReduced(TorchFunctionMode):
    """Counts the numbers that come out of operations into which an axis of one length goes, and none comes out.

    Of images by weights these are the hidden units of each image, however the product is written.
    """

    def __init__(self, length):
        super().__init__()
        self.length, self.count = length, 0

    def __torch_function__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        if isinstance(result, torch.Tensor) and self.length not in result.shape:
            operands = [a for a in arguments if isinstance(a, torch.Tensor) and a.numel() != result.numel()]  # no views
            if any(self.length in operand.shape for operand in operands):
                self.count += result.numel()
        return result


def same(a, b):
    return a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())


def execute(name, file_name, source):
    """A module from source bytes; tracebacks and inspect find its lines."""
    module = types.ModuleType(name)
    module.__file__ = file_name
    sys.modules[name] = module
    code = compile(source, file_name, "exec", dont_inherit=True)
    lines = source.decode("utf-8-sig", errors="replace").splitlines(keepends=True)
    linecache.cache[file_name] = (len(source), None, lines, file_name)
    exec(code, module.__dict__)
    return module
