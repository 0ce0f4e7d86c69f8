"""Messages between the judge and a sandboxed process: a JSON header and a body of bytes, both of limited size.

A frame is 4 bytes of header length, 8 of body length, the header and the body. The judge trusts nothing that it
receives: each size is checked before anything is read, and the deadline holds for the whole frame.
"""

import json
import socket
import struct
import time

MAX_HEADER = 64 * 2**10
MAX_BODY = 64 * 2**20
LENGTHS = struct.Struct(">IQ")


class ProtocolError(Exception):
    """Bytes that are not a frame, or a frame that is too large."""


def send(channel: socket.socket, header: dict, body: bytes = b"") -> None:
    """Send a JSON-able dictionary and bytes over a socket."""
    text = json.dumps(header).encode()
    check_lengths(len(text), len(body))
    channel.sendall(LENGTHS.pack(len(text), len(body)) + text)
    if body:  # without one the frame is complete: the other side may have answered and gone by now
        channel.sendall(body)


def receive(channel: socket.socket, deadline: float | None = None) -> tuple[dict, bytes]:
    """The header and the body of the next frame. deadline: a time.monotonic() after which TimeoutError is raised.

    EOFError where the other side has gone, ProtocolError where the bytes are no frame.
    """
    header_length, body_length = LENGTHS.unpack(read(channel, LENGTHS.size, deadline))
    check_lengths(header_length, body_length)
    try:
        header = json.loads(read(channel, header_length, deadline))
    except (ValueError, RecursionError):
        raise ProtocolError("the header is not JSON") from None
    if not isinstance(header, dict):
        raise ProtocolError("the header is not a JSON object")
    return header, read(channel, body_length, deadline)


def check_lengths(header: int, body: int) -> None:
    if header > MAX_HEADER or body > MAX_BODY:
        raise ProtocolError(f"a message of {header + body:,} bytes; the limits are {MAX_HEADER:,} and {MAX_BODY:,}")


def read(channel: socket.socket, length: int, deadline: float | None) -> bytes:
    content = bytearray()
    while len(content) < length:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:  # also where the next bytes are there at once, without end
                raise TimeoutError
            channel.settimeout(left)
        part = channel.recv(min(length - len(content), 2**20))
        if not part:
            raise EOFError
        content += part
    return bytes(content)
