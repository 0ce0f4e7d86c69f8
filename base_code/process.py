"""The process that computes: its device, fast settings of the CPU, and torch.compile."""

import ctypes
import functools
import os
import platform
import shutil
import sys

import torch

import likelihood
import native
from cli import UserError


def prepare_device(name):
    """The torch device of a --device option; on a CPU, also what makes every step much faster."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(candidate for candidate in ("cuda", "mps", "cpu") if available[candidate])
    if not available[name]:
        raise UserError(f"--device {name} is not available here; use --device cpu, or auto")
    flush_denormals()
    # Large tensors in pages of 2 MB, where Linux has them: looking up small ones takes up to a twentieth of a step.
    # torch asks for this at its first tensor.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if platform.libc_ver()[0] == "glibc":
        # Keep the memory of freed tensors: handing it back and asking again costs a third of a step, and more than
        # that above 32 MB. So nothing is mapped by itself, and the heap keeps 2 GB.
        m_trim_threshold, m_mmap_max = -1, -4
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)
    if name == "cpu":
        load_kernel()
    return torch.device(name)


def flush_denormals():
    """Count the smallest numbers as 0, in every thread that computes.

    Importance weights of e^-90 and their gradients are denormal numbers, which a CPU multiplies up to a hundred times
    more slowly, and nothing depends on them. A thread takes the setting over from the one that starts it, so those that
    have computed before, such as in a notebook, must be told.
    """
    torch.set_flush_denormal(True)
    if run_in_each := likelihood.openmp():
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: torch.set_flush_denormal(True))
        run_in_each(function, None, torch.get_num_threads(), 0)


@functools.cache
def load_kernel():
    """The likelihood in one pass from now on; once a notice, where the user can do something for it."""
    try:
        likelihood.load()
    except native.Unavailable as reason:
        if sys.platform == "linux" and native.BUILT not in os.environ:  # not where nobody expects a compiler
            print(f"notice: {reason}; so a step takes about a quarter longer", file=sys.stderr)


def has_cpp_compiler():
    """Whether torch.compile can build for the CPU here."""
    return sys.platform != "win32" and shutil.which(os.environ.get("CXX", "g++")) is not None


def compiled(function, example, required=False):
    """torch.compile(function) for inputs of one shape, tried on the example; function itself where that fails.

    required: fail with a UserError instead. The example's random numbers are given back.
    """
    import torch._dynamo.config
    import torch._inductor.config

    torch._dynamo.config.trace_autograd_ops = True  # forward and backward in one graph, where both are in the function
    torch._inductor.config.fallback_random = True  # plain PyTorch's noise, which is also drawn faster on a CPU
    torch._inductor.config.cpp.use_decompose_tanh = True  # in one exponential, as exact here
    torch._inductor.config.cpp_wrapper = True  # what calls the kernels is no Python either
    # An axis shorter than a vector, such as D, else makes torch start its threads anew for each row (in 2.13).
    torch._inductor.config.cpp.enable_loop_tail_vec = False
    print("compiling: up to a minute", flush=True)
    fast = torch.compile(function, dynamic=False, backend=inductor)
    random_state = torch.get_rng_state()
    try:
        fast(*example)  # compiled only when first used
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if required:
            raise UserError(f"--compile on: compiling failed ({reason}); use --compile off") from None
        print(f"notice: compiling failed ({reason}); going on without", file=sys.stderr)
        return function
    finally:
        torch.set_rng_state(random_state)
    return fast


def inductor(module, inputs):
    """The usual backend of torch.compile, for a graph in which the likelihood has taken in the layer before it."""
    likelihood.take_in_linear(module)
    return torch._inductor.compile(module, inputs)


def graphed(function, example, required=False):
    """function(model, ...), which leaves gradients in the model's parameters, as a CUDA graph for inputs of one shape.

    Its kernels, recorded on the example, are then started all at once: one by one, Python takes longer to start them
    than the GPU to run them. Python in it does not run again, so that its numbers stay those of the example; tensors
    and their random numbers are new in each call. The rest is as with compiled.
    """
    model, *given = example
    kept = [value.clone() if isinstance(value, torch.Tensor) else value for value in given]
    random_state = torch.cuda.get_rng_state()
    try:
        warm_up = torch.cuda.Stream()  # what is set up at the first call must not be recorded
        warm_up.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warm_up):
            for _ in range(3):
                model.zero_grad()
                function(model, *kept)
        torch.cuda.current_stream().wait_stream(warm_up)
        model.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = function(model, *kept)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        if required:
            raise UserError(f"--compile on: no CUDA graph can be made ({reason}); use --compile off") from None
        print(f"notice: no CUDA graph can be made ({reason}); going on without", file=sys.stderr)
        return function
    finally:
        torch.cuda.set_rng_state(random_state)
    gradients = [(weight, weight.grad) for weight in model.parameters() if weight.grad is not None]

    def replay(model, *arguments):
        for own, new in zip(kept, arguments):
            if isinstance(own, torch.Tensor):
                own.copy_(new)
        graph.replay()
        for weight, gradient in gradients:  # which zero_grad took away
            weight.grad = gradient
        return result

    return replay
