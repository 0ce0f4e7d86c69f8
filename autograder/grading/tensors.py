"""Tensors in the judge's hands: which of a stranger's it computes with, and gradients."""

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_DIMENSIONS = 16
MAX_SIZE = 2**24  # numbers along an axis


def oddity(tensor: Tensor) -> str:
    """What keeps the judge from computing with a stranger's tensor, in words; "" where nothing does."""
    if tensor.dtype not in FLOATS:
        return f"a tensor of {tensor.dtype}"
    if tensor.ndim > MAX_DIMENSIONS:
        return f"a tensor with {tensor.ndim} axes"
    if tensor.ndim and max(tensor.shape) > MAX_SIZE:
        return f"a tensor of size {max(tensor.shape)}"
    return ""


def vector_jacobian(output: Tensor, sources: Tensors, cotangent: Tensor) -> Tensors:
    """The gradients of (cotangent * output).sum() to {name: tensor}; zeros for what it does not depend on."""
    if not output.requires_grad:
        return {name: torch.zeros_like(tensor) for name, tensor in sources.items()}
    gradients = torch.autograd.grad((output * cotangent).sum(), list(sources.values()), allow_unused=True)
    return {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(sources.items(), gradients)}
