"""The log-likelihood of binary pixels in one pass: an operator of torch around likelihood.c, and the plain formula.

The plain formula goes over the pixels four times forward and three times backward, with an exponential and a
logarithm for each. The kernel does it once, and keeps what the backward pass needs: the residual x - sigmoid(logits).
It is used after load(), for float32 on a CPU; whatever else comes gets the plain formula.

In a compiled step, take_in_linear() goes further where the logits are the output of a linear layer: the kernel adds the
layer's bias, and the layer's gradients come from the residual itself. The gradient to a row of logits is its residual
times one number, which is multiplied into the layer's few inputs instead of its many outputs.
"""

import ctypes
import sys
from pathlib import Path

import torch
from torch.autograd import forward_ad
from torch.nn import functional as F

import native

SPLIT = 2**15  # numbers from which several threads pay, as elsewhere in torch
SOURCE = Path(__file__).with_name("likelihood.c")
OPERATORS = torch.library.Library("iwae", "DEF")
kernel = None  # the function in C, after load()
parallel = None  # openmp(), of torch's own library: two would get in their way


def bernoulli(x, logits):
    """The sum over the pixels of x * logits - softplus(logits).  [B, P], [..., B, P] -> [..., B]"""
    if not is_for_kernel(x, logits):
        return (x * logits - F.softplus(logits)).sum(-1)
    if torch.is_grad_enabled() and logits.requires_grad:
        return torch.ops.iwae.bernoulli_with_residual(x, logits)[0]
    return torch.ops.iwae.bernoulli(x, logits)


def is_for_kernel(x, logits):
    """Whether the kernel is loaded, was made for such tensors, and gives the derivatives that are wanted."""
    if kernel is None or (x.requires_grad and torch.is_grad_enabled()):
        return False
    for tensor in (x, logits):
        is_plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
        if not (is_plain and tensor.dtype == torch.float32 and tensor.device.type == "cpu" and tensor.numel() > 0):
            return False
    if x.ndim == 0 or x.shape != logits.shape[logits.ndim - x.ndim :]:
        return False
    is_transformed = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0  # vmap, jvp
    return torch.compiler.is_compiling() or not is_transformed


def load():
    """Use the kernel from now on, in this process. native.Unavailable where that cannot be."""
    global kernel, parallel
    function = native.load(SOURCE).log_likelihood
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = [pointer] * 5 + [integer] * 3 + [pointer, ctypes.c_int]
    function.restype = None
    gomp_parallel = openmp()
    parallel = ctypes.cast(gomp_parallel, pointer) if gomp_parallel else None
    kernel = function


def openmp():
    """GOMP_parallel of the OpenMP that torch runs in, which runs a function in each thread; None where it has none."""
    return getattr(ctypes.CDLL(torch._C.__file__), "GOMP_parallel", None) if sys.platform == "linux" else None


def run(x, logits, residual, bias=None):
    """The sums that the kernel makes. It writes the residual, too, unless that is None; then it adds a bias before."""
    x, logits = x.contiguous(), logits.contiguous()
    sums, pixels = logits.new_empty(logits.shape[:-1]), logits.shape[-1]
    threads = torch.get_num_threads() if parallel and logits.numel() >= SPLIT else 1
    pointers = (tensor if tensor is None else tensor.data_ptr() for tensor in (x, logits, bias, sums, residual))
    kernel(*pointers, sums.numel(), x.numel() // pixels, pixels, parallel, threads)
    return sums


def run_with_residual(x, logits):
    residual = torch.empty_like(logits, memory_format=torch.contiguous_format)
    return run(x, logits, residual), residual


def setup_context(ctx, inputs, output):
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(inputs[0], output[1])


def backward(ctx, grad, grad_residual):
    """To the logits alone: x gets the plain formula."""
    return None, gradient(*ctx.saved_tensors, grad, grad_residual)


def gradient(x, residual, grad, grad_residual):
    """To the logits. grad_residual comes where a gradient is differentiated again."""
    result = None if grad is None else grad.unsqueeze(-1) * residual
    if grad_residual is not None:
        p = x - residual  # sigmoid(logits)
        second = -grad_residual * p * (1 - p)
        result = second if result is None else result + second
    return result


def run_of_linear(x, h, weight, bias):
    products = F.linear(h, weight).contiguous()  # whose memory the residual takes
    return run(x, products, products, bias), products


def setup_of_linear(ctx, inputs, output):
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs[:3], output[1])


def backward_of_linear(ctx, grad, grad_residual):
    """To h, weight and bias of logits = h @ weight.T + bias."""
    x, h, weight, residual = ctx.saved_tensors
    if grad_residual is None:  # the gradient to a row of logits is its residual times its grad, never written out
        to_h = grad.unsqueeze(-1) * (residual @ weight)
        inputs, outputs, to_bias = grad.unsqueeze(-1) * h, residual, grad.flatten() @ residual.reshape(-1, len(weight))
    else:
        inputs, outputs = h, gradient(x, residual, grad, grad_residual)
        to_h, to_bias = outputs @ weight, outputs.reshape(-1, len(weight)).sum(0)
    to_weight = outputs.reshape(-1, len(weight)).T @ inputs.reshape(-1, weight.shape[1])
    return None, to_h, to_weight, to_bias


def take_in_linear(module):
    """Let the operator compute its logits, in a module of torch.compile where a linear layer made them for it alone."""
    for node in module.graph.find_nodes(op="call_function", target=torch.ops.iwae.bernoulli_with_residual):
        x, logits = node.args
        if (
            logits.target is F.linear
            and len(logits.users) == 1
            and len(logits.args) == 3
            and logits.args[2] is not None
        ):
            node.target, node.args = torch.ops.iwae.bernoulli_of_linear, (x, *logits.args)
            module.graph.erase_node(logits)
    module.recompile()


# The operators, with their autograd and their shapes, so that torch.compile need not look into them.
OPERATORS.define("bernoulli(Tensor x, Tensor logits) -> Tensor")
OPERATORS.impl("bernoulli", lambda x, logits: run(x, logits, None), "CPU")
torch.library.register_fake("iwae::bernoulli", lambda x, logits: logits.new_empty(logits.shape[:-1]), lib=OPERATORS)
OPERATORS.define("bernoulli_with_residual(Tensor x, Tensor logits) -> (Tensor, Tensor)")
OPERATORS.impl("bernoulli_with_residual", run_with_residual, "CPU")
torch.library.register_fake(
    "iwae::bernoulli_with_residual",
    lambda x, logits: (logits.new_empty(logits.shape[:-1]), logits.new_empty(logits.shape)),
    lib=OPERATORS,
)
torch.library.register_autograd("iwae::bernoulli_with_residual", backward, setup_context=setup_context, lib=OPERATORS)
OPERATORS.define("bernoulli_of_linear(Tensor x, Tensor h, Tensor weight, Tensor bias) -> (Tensor, Tensor)")
OPERATORS.impl("bernoulli_of_linear", run_of_linear, "CPU")
torch.library.register_fake(
    "iwae::bernoulli_of_linear",
    lambda x, h, weight, bias: (h.new_empty(h.shape[:-1]), h.new_empty(h.shape[:-1] + weight.shape[:1])),
    lib=OPERATORS,
)
torch.library.register_autograd(
    "iwae::bernoulli_of_linear", backward_of_linear, setup_context=setup_of_linear, lib=OPERATORS
)
