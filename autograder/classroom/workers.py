"""Judges where dask's workers run: for each submission a process of its own, with a sandbox of its own.

A worker keeps one process that has imported torch and the checks, which takes seconds, and forks a judge from it for
each submission, which takes milliseconds. The same for sandboxes: that process keeps a forkserver. The worker itself
imports neither torch nor anything of a submission.
"""

import contextlib
import functools
import gc
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from autograder import ROOT, assignments
from autograder.grading.submission import Submission, keep_forkserver
from autograder.sandbox.errors import Unavailable
from autograder.sandbox.inside import frames
from autograder.sandbox.levels import probe
from autograder.sandbox.sandbox import remove
from cli import UserError

BASE_SECONDS = 900  # for a submission without stages: more than the limits of all requests to a sandbox together
START_SECONDS = 180.0  # for importing torch, on a busy machine
LOCAL = threading.local()  # a Judges for each thread of a worker


class JudgeDied(Exception):
    """A judge that gave no report, in one sentence."""


class WrongWorker(Exception):
    """A worker that must not grade, in one sentence."""


def dask_setup(worker):
    """Called by dask in a worker of the command's own cluster: Ctrl-C is for the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def judge(job, source):
    """dask's task: grade a submission's bytes. Returns the bytes of results.json and of report.html.

    job: "assignment", "name", "rejected", "modes", "dataset", "voice", "version", "lowest_level".
    """
    judges = getattr(LOCAL, "judges", None)
    if judges is None or not judges.is_alive:
        judges = LOCAL.judges = Judges()
    judges.check(job)
    return judges.judge(job, source)


def seconds_of(job):
    """The time for a judge."""
    stages = assignments.get(job["assignment"]).stages
    return BASE_SECONDS + sum(stage.modes[stage.mode(job["modes"])] for stage in stages)


class Judges:
    """The process that forks judges, as a worker sees it."""

    def __init__(self):
        self.control, inside = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autograder.classroom.workers", str(inside.fileno())],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # a core has a worker of its own
            stdin=subprocess.DEVNULL,
            pass_fds=[inside.fileno()],
            start_new_session=True,  # Ctrl-C is the command's
        )
        inside.close()
        self.hello, _ = self.receive(START_SECONDS, "the judge did not start")

    @property
    def is_alive(self):
        return self.process.poll() is None

    def check(self, job):
        where = f"the worker on {socket.gethostname()}"
        found = self.hello["versions"].get(job["assignment"], "without this assignment")
        if found != job["version"]:
            raise WrongWorker(f"{where} has grader {found}, this command {job['version']}: give both the same kit")
        if self.hello["level"] < job["lowest_level"]:
            raise WrongWorker(
                f"{where} has only sandbox level {self.hello['level']}: install bubblewrap there, or accept it with "
                f"--lowest-level {self.hello['level']}"
            )

    def judge(self, job, source):
        frames.send(self.control, job, source)
        header, body = self.receive(seconds_of(job), "the judge ended without a report")
        if header["problem"]:
            raise WrongWorker(f"on {socket.gethostname()}, {header['problem']}")
        if not header["results"]:
            raise JudgeDied(f"the judge ended without a report, {header['status']}")
        return body[: header["results"]], body[header["results"] :]

    def receive(self, seconds, sentence):
        try:
            return frames.receive(self.control, time.monotonic() + seconds)
        except TimeoutError:
            sentence = f"the judge took more than {seconds:.0f} seconds"
        except (EOFError, OSError):
            pass
        self.close()
        raise JudgeDied(sentence)

    def close(self):
        self.control.close()  # which it takes as the order to kill its judge and end
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


# In that process ------------------------------------------------------------------------------------------


def main():
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # submissions find what they find elsewhere
    folder = tempfile.mkdtemp(prefix="judges-")
    try:
        Path(folder).chmod(0o711)  # a sandbox's other user must pass
        tempfile.tempdir = folder  # so that what killed judges leave goes with this process
        from autograder.grading import grading  # noqa: F401  and all that it needs
        from autograder.grading.version import grader_version

        for assignment in map(assignments.get, assignments.NAMES):
            assignment.load()
        gc.freeze()  # judges need not look through torch's objects, nor get copies of them
        with contextlib.suppress(EOFError, OSError):  # the worker has gone
            versions = {name: grader_version(assignments.get(name)) for name in assignments.NAMES}
            frames.send(control, {"versions": versions, "level": probe()})
            while True:
                serve_one(control, *frames.receive(control))
    finally:
        remove(folder)


def serve_one(control, job, source):
    """Fork a judge and wait for its end, or for the worker's: then the judge goes as well. EOFError if so."""
    assignment = assignments.get(job["assignment"])
    if assignment.running(job["modes"]) and (problem := data_problem(job["dataset"])):
        frames.send(control, {"results": 0, "problem": problem}, b"")
        return
    keep_forkserver(assignment)
    warm_up(assignment)
    alive, ours = os.pipe()  # closes when the judge ends
    pid = os.fork()
    if pid == 0:
        try:
            os.close(alive)
            control.close()
            write_report(job, source)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(ours)
    select.select([control, alive], [], [])
    os.close(alive)
    if select.select([control], [], [], 0)[0]:  # the worker has gone: it sends nothing while it waits
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise EOFError
    send_report(control, os.waitpid(pid, 0)[1], Path(tempfile.gettempdir(), f"report-{pid}"))


@functools.cache
def warm_up(assignment):
    """Grade the solution once: what torch sets up at first use takes each judge a quarter of a second otherwise."""
    from autograder.grading.grading import grade

    with contextlib.suppress(Unavailable, OSError):  # a judge says so
        grade(Submission.read(assignment, assignment.solution), modes=assignment.without_stages())
    gc.collect()
    gc.freeze()


def data_problem(dataset):
    """What is wrong with the dataset on this machine, in one line, or None."""
    from data import check_stored, choose

    try:
        check_stored()
        if dataset not in ("auto", "digits") and choose("auto") != dataset:
            return f"there is no {dataset}, which the command's machine has"
    except UserError as error:
        return str(error)
    return None


def write_report(job, source):
    """Grade, and leave the report in a folder that is named after this process."""
    from autograder.grading.grading import grade

    submission = Submission(assignments.get(job["assignment"]), Path(job["name"]), source, job["rejected"])
    folder = Path(tempfile.gettempdir(), f"report-{os.getpid()}")
    grade(submission, modes=job["modes"], dataset=job["dataset"], folder=folder, voice=job["voice"])


def send_report(control, status, folder):
    results = report = b""
    if status == 0:
        results, report = (folder / "results.json").read_bytes(), (folder / "report.html").read_bytes()
    shutil.rmtree(folder, ignore_errors=True)
    ended = f"exit status {os.waitstatus_to_exitcode(status)}"
    frames.send(control, {"results": len(results), "status": ended, "problem": None}, results + report)


if __name__ == "__main__":
    main()
