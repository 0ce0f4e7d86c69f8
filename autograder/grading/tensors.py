"""Tensors of messages, in safetensors' form: of those that a stranger sent, nothing but their sizes is known."""

import safetensors.torch
import torch

from autograder.sandbox.inside.frames import MAX_HEADER

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_DIMENSIONS = 16  # axes of a tensor that a stranger sends


def encode(tensors):
    """{name: tensor} as bytes; nothing as no bytes."""
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}) if tensors else b""


def decode(body):
    """Tensors of a body, whose own header is limited as ours is."""
    if not body:
        return {}
    if len(body) < 8 or int.from_bytes(body[:8], "little") > MAX_HEADER:
        raise ValueError("no tensors")
    return safetensors.torch.load(body)


def vector_jacobian(output, sources, cotangent):
    """The gradients of (cotangent * output).sum() to {name: tensor}; zeros for what it does not depend on."""
    if not output.requires_grad:
        return {name: torch.zeros_like(tensor) for name, tensor in sources.items()}
    gradients = torch.autograd.grad((output * cotangent).sum(), list(sources.values()), allow_unused=True)
    return {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(sources.items(), gradients)}
