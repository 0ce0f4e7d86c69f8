"""Two trainings at once compute in turns; one alone, on few threads or beside a stopped one is not held up."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import turns
from helpers.commands import ROOT

CPU = torch.device("cpu")
COMPUTES = """
import json, sys, time
sys.path.insert(0, "base_code")
import torch, turns
turns.SECONDS, turns.PATIENCE, turns.fills_the_cores = 0.05, float(sys.argv[1]), lambda: True
print("ready", flush=True)
sys.stdin.readline()
spans = []
with turns.in_turns(torch.device("cpu")), turns.in_turns(torch.device("cpu")):
    for _ in range(60):
        turns.pass_on()
        begin = time.monotonic()
        time.sleep(0.01)
        spans.append((begin, time.monotonic()))
        if len(sys.argv) > 2:
            print("computes", flush=True)
print(json.dumps(spans))
"""


@pytest.fixture
def computing(tmp_path):
    """start(patience) -> a process that computes in turns, once a line is written to it."""
    with contextlib.ExitStack() as stack:

        def start(patience=30.0, *options):
            command = [sys.executable, "-c", COMPUTES, str(patience), *options]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            environment = os.environ | {"TMPDIR": str(tmp_path)}
            process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


@pytest.mark.slow
def test_several_take_turns_and_none_waits_for_the_whole_of_another(computing):
    processes = [computing() for _ in range(3)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate() for process in processes]
    steps = sorted((*span, i) for i, (said, _) in enumerate(answers) for span in json.loads(said))
    assert all(before[1] <= after[0] for before, after in zip(steps[:-1], steps[1:]))
    switches = sum(before[2] != after[2] for before, after in zip(steps[:-1], steps[1:]))
    assert switches >= 12  # 180 steps of a hundredth of a second, in turns of a twentieth
    assert any("take turns" in errors for _, errors in answers)


@pytest.mark.slow
def test_one_that_is_stopped_does_not_stop_the_others(computing):
    stopped, other = computing(30.0, "tell"), computing(0.3)
    stopped.stdin.write("\n")
    stopped.stdin.flush()
    assert stopped.stdout.readline() == "computes\n"
    stopped.send_signal(signal.SIGSTOP)  # as Ctrl-Z does
    begin = time.monotonic()
    said, _ = other.communicate("\n")
    assert len(json.loads(said)) == 60
    assert 0.3 < time.monotonic() - begin < 10  # it waited once, not before every turn


@pytest.mark.parametrize("device", [CPU, torch.device("cuda")])
def test_where_nobody_is_in_the_way_no_turn_is_asked_for(monkeypatch, device):
    monkeypatch.setattr(turns, "fills_the_cores", lambda: device != CPU)
    with turns.in_turns(device):
        assert turns.current is None


def test_threads_that_fit_twice_are_in_nobodys_way(monkeypatch):
    monkeypatch.setattr(turns.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for threads, fills in {1: False, 4: False, 5: True, 8: True}.items():
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert turns.fills_the_cores() == fills


def test_where_no_lock_can_be_made_it_computes_without(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(turns.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    monkeypatch.setattr(turns, "fills_the_cores", lambda: True)
    monkeypatch.setattr(turns, "SECONDS", 0.0)
    with turns.in_turns(CPU):
        turns.pass_on()
        assert not turns.current.turn.is_locked
