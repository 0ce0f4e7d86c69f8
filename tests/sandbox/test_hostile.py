"""Every hostile file gets a bounded, truthful report, and no point that an honest file would not get."""

import json
import os
import socket
import time
from pathlib import Path

import pytest

from autograder.assignments.iwae.checks import CHECKS
from autograder.grading import remote
from autograder.grading.submission import Submission, close_forkservers, files_inside, forkservers
from autograder.reports.feedback import feedback
from autograder.reports.results import results_json
from autograder.reports.terminal import closing_lines
from autograder.sandbox.levels import enforced, forkserver, works
from helpers import submissions
from helpers.gradings import OpenSandbox
from helpers.hostile import BANK, submission_of

pytestmark = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=[(3, False), (3, True), (2, False), (2, True), (1, False)],
    ids=lambda kind: f"level{kind[0]}{'-forked' if kind[1] else ''}",
)
def shared(request):
    """At each level sandboxes started afresh, and those that are forked, as for a class."""
    level, is_forked = request.param
    levels = [level for level in (3, 2, 1) if works(level)]
    if level not in levels:
        pytest.skip(f"sandbox level {level} does not work on this machine")
    if level != levels[0] and not request.config.option.thorough:
        pytest.skip("the bank at the lower levels: --thorough")
    if is_forked:
        forkservers[submissions.IWAE.name] = forkserver("worker", files_inside(submissions.IWAE), level)
        assert forkservers[submissions.IWAE.name]
    shared = OpenSandbox(submissions.IWAE, level)
    yield shared
    shared.close()
    close_forkservers()


@pytest.fixture(autouse=True)
def one_for_each_file(shared):
    """Of forked sandboxes each submission has its own, and what the last one did to their forkserver, too, shows."""
    if forkservers:
        shared.close()


@pytest.fixture
def impatient(monkeypatch):
    """Short deadlines: an honest call takes milliseconds."""
    monkeypatch.setattr(remote, "CALL_SECONDS", 1.5)
    monkeypatch.setattr(remote, "IMPORT_SECONDS", 3.0)


@pytest.fixture
def port():
    """A port of this machine on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def lost(grading):
    return [result for result in grading.results.values() if result.verdict not in ("PASS", "NOT_IMPLEMENTED")]


@pytest.mark.parametrize("hostile", BANK, ids=lambda hostile: hostile.name)
def test_a_hostile_file_is_contained(hostile, shared, impatient, port, pytestconfig):
    """Half of the bank in fresh sandboxes and the other half in forked ones; with --thorough all of it in both."""
    if BANK.index(hostile) % 2 != bool(forkservers) and not pytestconfig.option.thorough:
        pytest.skip("in the other kind of sandbox; --thorough: in both")
    if "kill(-1" in hostile.text and enforced(shared.level)["signals"] != "to its own processes":
        pytest.skip("this level would let the file stop whoever runs the tests")
    begun = time.monotonic()
    graded = shared.grade(submission_of(hostile, port))
    grading = graded.ledger
    assert time.monotonic() - begun < 60
    results = lost(grading)
    explained = [feedback(grading, result) for result in results]
    for result in grading.results.values():
        if result.check.task not in hostile.tasks:
            assert result.verdict == "PASS", explained
    if hostile.base != submissions.SOLUTION:
        assert grading.score == 0, explained
    found = {result.verdict for result in results}
    assert "INFRA" not in found, explained
    assert found.intersection(hostile.verdicts) or not hostile.verdicts, explained
    assert not hostile.tasks or not hostile.verdicts or results
    if hostile.name != "200 forks" or shared.level >= 2:  # below, the user's own processes would count
        assert hostile.says in "\n".join(explained)
    text = json.dumps(results_json(grading), ensure_ascii=False)
    assert len(text) < 200_000
    assert "\x1b" not in text and "\u202e" not in text and "\\u001b" not in text
    told = [*explained, closing_lines(grading)]
    assert not any(line.lstrip().startswith("::") for output in told for line in output.splitlines())
    assert not any("##[" in output or "##vso[" in output for output in told)  # CI reads these anywhere in a line
    if shared.level >= 2 and os.geteuid() == 0:
        deadline = time.monotonic() + 2  # killed processes need a moment to go
        while processes_of(graded.remote.sandbox.user_id) > 1:
            assert time.monotonic() < deadline, "something survived beside the zygote"


def test_a_thief_finds_no_trusted_function_of_an_earlier_task(shared, impatient):
    """Even where TODO 2, with the functions of TODO 1 inside, is graded first and in the same sandbox."""
    (thief,) = [hostile for hostile in BANK if "steals" in hostile.name]
    checks = sorted(CHECKS, key=lambda check: check.task == "todo1")
    grading = shared.grade(submissions.submission(thief.text, thief.base), checks=checks).ledger
    scores = {result.check.task: result.score for result in grading.results.values() if result.score}
    assert "todo1" not in scores


def test_a_slow_import_that_is_needed_again_and_again_comes_to_an_end(shared, monkeypatch):
    """Where every call ends the process: the judge has to be ready before it is itself ended, as one that failed."""
    monkeypatch.setattr(remote, "PATIENCE", 2.0)
    monkeypatch.setattr(remote, "IMPORT_SECONDS", 5.0)
    text = "import os, time\ntime.sleep(1)\nlog_mean_exp = iwae_objective = lambda *a, **k: os._exit(0)\n"
    begun = time.monotonic()
    graded = shared.grade(submissions.submission(text), [check for check in CHECKS if check.task == "todo3"])
    assert time.monotonic() - begun < 20
    assert {result.verdict for result in lost(graded.ledger)} - {"NOT_RUN"} <= {"EXITED", "TIMEOUT"}
    assert graded.remote.failed_import.verdict == "TIMEOUT"


def processes_of(user_id):
    """How many living processes the user has."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_zombie = folder.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
            count += (
                folder.stat().st_uid in (user_id, 0)
                and f"\nUid:\t{user_id}\t" in (folder / "status").read_text()
                and not is_zombie
            )
        except OSError:
            continue
    return count


def test_what_lies_beside_the_file_is_ignored(tmp_path, shared):
    for name in ("torch.py", "conftest.py", "sitecustomize.py", "frames.py", "worker.py", "math.py"):
        (tmp_path / name).write_text("raise SystemExit('imported')")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    (tmp_path / "results.json").write_text('{"score": 100}')
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "model.py").write_text(submissions.SOLUTION)
    grading = shared.grade(Submission.read(submissions.IWAE, tmp_path / "model.py")).ledger
    assert grading.score == 80
    assert json.loads((tmp_path / "results.json").read_text()) == {"score": 100}


def make_file(path, kind):
    text = submissions.SOLUTION
    contents = {
        "CRLF": text.replace("\n", "\r\n").encode(),
        "BOM": text.encode("utf-8-sig"),
        "UTF-16": text.encode("utf-16"),
        "empty": b"",
        "white space": b" \n\n",
        "NUL": text.encode() + b"\0",
        "latin-1, declared": ("# coding: latin-1\n# é\n" + text).encode("latin-1"),
        "latin-1, not declared": ("# é\n" + text).encode("latin-1"),
        "unreadable type": bytes(range(256)),
    }
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.with_name("real.py").write_text(text)
        path.symlink_to("real.py")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "1 GB":
        with path.open("wb") as file:
            file.truncate(2**30)
    elif kind != "none":
        path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    {
        "CRLF": None,
        "BOM": None,
        "latin-1, declared": None,
        "latin-1, not declared": None,
        "none": "there is no file",
        "folder": "is a folder",
        "link": "is a link",
        "pipe": "no regular file",
        "1 GB": "1,073,741,824 bytes",
        "empty": "is empty",
        "white space": "is empty",
        "UTF-16": "UTF-16; save it as UTF-8",
        "NUL": "NUL bytes",
        "unreadable type": "NUL bytes",
    }.items(),
    ids=lambda value: value if isinstance(value, str) and len(value) < 24 else "",
)
def test_odd_files_are_read_or_rejected_with_a_sentence(tmp_path, kind, says, shared):
    grading = shared.grade(Submission.read(submissions.IWAE, make_file(tmp_path / "model.py", kind))).ledger
    if says is None:
        assert grading.score == 80
        return
    assert grading.score == 0
    for result in grading.results.values():
        assert result.verdict == "IMPORT_ERROR"
        assert says in result.lost.came_back
