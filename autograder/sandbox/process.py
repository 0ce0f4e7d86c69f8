"""One process in a sandbox, as the judge sees it: its requests, what it prints, and how it ended."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from autograder.sandbox.errors import Broken
from autograder.sandbox.inside import frames

Consult = Callable[[dict, bytes], tuple[dict, bytes]]
KEPT_OUTPUT = 32 * 2**10  # bytes of the beginning, and of the end


class Output:
    """What a process prints, drained all the time; the first and the last 32 KiB are kept.

    However much is printed in the end: only a flood, more than the limit in one request, closes the channel.
    """

    def __init__(self, descriptor: int, limit: int, channel: socket.socket):
        self.head, self.tail, self.size = bytearray(), bytearray(), 0
        self.limit, self.channel, self.allowed, self.is_flooded = limit, channel, limit, False
        self.thread = threading.Thread(target=self.drain, args=(descriptor,), daemon=True)
        self.thread.start()

    def begin(self):
        """Of a request: from now on, as much as the limit may be printed."""
        self.allowed = self.size + self.limit

    def drain(self, descriptor):
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while part := pipe.read(2**16):
                self.keep(part)
                if self.size > self.allowed:
                    self.is_flooded = True
                    with contextlib.suppress(OSError):
                        self.channel.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for an answer
                    return

    def keep(self, part):
        self.size += len(part)
        room = KEPT_OUTPUT - len(self.head)
        self.head += part[:room]
        self.tail += part[room:]
        if len(self.tail) > 4 * KEPT_OUTPUT:  # seldom: small parts come by the thousand
            del self.tail[:-KEPT_OUTPUT]

    def text(self, ended: bool) -> str:
        if ended:  # then the rest comes at once
            self.thread.join(1)
        tail = self.tail[-KEPT_OUTPUT:]
        dropped = self.size - len(self.head) - len(tail)
        gap = f"\n[... {dropped:,} bytes are left out here ...]\n".encode() if dropped > 0 else b""
        return (self.head + gap + tail).decode(errors="replace")


class Process:
    """One forked process in a sandbox; made by Sandbox.start()."""

    def __init__(self, sandbox, channel, output):
        self.sandbox, self.channel, self.output = sandbox, channel, output
        self.is_open = True

    def request(
        self, header: dict, body: bytes = b"", seconds: float = 10.0, consult: Consult | None = None
    ) -> tuple[dict, bytes]:
        """Send a request and wait for its answer, a header and a body. Broken where none comes; it is closed then.

        consult: a function of header and body that answers what the process "ask"s in the meantime.
        """
        deadline = time.monotonic() + seconds
        try:
            self.output.begin()
            self.channel.settimeout(seconds)
            frames.send(self.channel, header, body)
            while True:
                answer = frames.receive(self.channel, deadline)
                if consult is None or "ask" not in answer[0]:
                    return answer
                frames.send(self.channel, *consult(*answer))
        except TimeoutError:
            verdict, detail = "TIMEOUT", f"no answer within {seconds:.3g} seconds"
        except (EOFError, OSError):
            verdict, detail = "EXITED", "the process ended in the middle of the call"
        except frames.ProtocolError as error:
            verdict, detail = "PROTOCOL", f"the answer is not one of the grader's: {error}"
        status = self.close(has_ended=verdict == "EXITED" and not self.output.is_flooded)
        if self.output.is_flooded:
            verdict = "OUTPUT_LIMIT"
            detail = f"it printed more than {self.output.limit // 2**20} MiB before it answered"
        elif status is not None and verdict != "PROTOCOL":
            code = os.waitstatus_to_exitcode(status)
            verdict = "EXITED"
            detail = f"the process ended itself with exit status {code}" if code >= 0 else died_of(-code)
        raise Broken(verdict, detail)

    def close(self, has_ended: bool = False) -> int | None:
        """Kill the process and all that it started. Returns its wait status if it had ended before, else None."""
        if not self.is_open:
            return None
        self.is_open = False
        self.channel.close()
        return self.sandbox.stop(b"ended" if has_ended else b"stop")


def died_of(number: int) -> str:
    names = {s.value: s.name for s in signal.Signals}
    return f"the process was ended by signal {names.get(number, number)}"
