"""Tensors as the body of a message, in safetensors' form: written and read alike on both sides."""

import safetensors.torch
from torch import Tensor

MAX_HEADER = 64 * 2**10  # bytes of safetensors' own header, which a stranger may have written


def encode(tensors: dict[str, Tensor]) -> bytes:
    """{name: tensor} as bytes; nothing as no bytes."""
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}) if tensors else b""


def decode(body: bytes) -> dict[str, Tensor]:
    """{name: tensor} of a body; ValueError, or an error of safetensors, where it is none."""
    if not body:
        return {}
    if len(body) < 8 or int.from_bytes(body[:8], "little") > MAX_HEADER:
        raise ValueError("no tensors")
    return safetensors.torch.load(body)
