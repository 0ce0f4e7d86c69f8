"""Candidates take turns: each is a process of candidate.py that computes only while it is asked."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from candidate import RIVALS
from cli import UserError

THREADS = 2  # of every candidate
FIXED = {"OMP_NUM_THREADS": str(THREADS), "NPROC": str(THREADS), "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


class Lost(Exception):
    """A candidate that ended; the message is its last words."""


class Candidate:
    """The process of one candidate. version is its library's; Lost where it ends instead of answering."""

    def __init__(self, name, model, python):
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  as long as the process
        self.process = subprocess.Popen(
            [python, Path(__file__).with_name("candidate.py"), name, model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | FIXED,
        )

    def started(self):
        """Its library's version; Lost where it is not installed."""
        answer = self.answer()
        if "missing" in answer:
            raise Lost(answer["missing"])
        return answer["version"]

    def ask(self, **question):
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said before it ended is read by answer
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            status = f"ended with exit status {self.process.wait()}"  # -9: often for want of memory
            raise Lost((self.errors.read().strip().splitlines() or [status])[-1])
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


class Candidates:
    """All that are installed, as a context: they end with it. A rival that is lost is left out, with a line."""

    def __init__(self, names, model, rivals_python):
        self.versions = {}
        self.running = {
            name: Candidate(name, model, rivals_python if name in RIVALS else sys.executable) for name in names
        }

    def __enter__(self):
        self.versions = self.each(Candidate.started)
        return self

    def __exit__(self, *_):
        for candidate in self.running.values():
            candidate.close()

    def each(self, call):
        """{name: call(candidate)}, one after the other."""
        answers = {}
        for name, candidate in list(self.running.items()):
            try:
                answers[name] = call(candidate)
            except Lost as reason:
                if name not in RIVALS:
                    raise UserError(f"{name}: {reason}") from None
                print(f"{name} is left out: {reason}", flush=True)
                self.running.pop(name).close()
        return answers

    def measure(self, title, settings, inputs, steps, rounds, seconds):
        """({name: median seconds of a step}, {name: loss after so many steps})"""
        print(f"measuring: {title}", flush=True)
        losses = self.each(lambda candidate: candidate.ask(settings=settings, inputs=inputs, steps=steps)["loss"])
        times = {name: [] for name in self.running}
        for _ in tqdm(range(rounds), desc=title, leave=False, disable=None):
            for name, values in self.each(lambda candidate: candidate.ask(seconds=seconds)["times"]).items():
                times[name] += values
        return {name: statistics.median(times[name]) for name in self.running}, losses
