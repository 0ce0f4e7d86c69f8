"""A lab that imports from the core: what `model` is there while the lab is graded, and in the judge."""

import dataclasses
import textwrap
from pathlib import Path

import pytest
import torch

from autograder import assignments
from autograder.assignments.iwae import BESIDE
from autograder.grading.assignment import Assignment, Task
from autograder.grading.remote import RemoteFile
from autograder.grading.submission import Submission, start_sandbox
from autograder.grading.verdicts import Lost
from autograder.grading.version import kit_files

TINY = """
import torch
import model
from model import IWAE, gaussian_log_likelihood, log_mean_exp

def bound(log_w):
    return log_mean_exp(log_w, dim=1)

def density(z, mu, sigma):
    return gaussian_log_likelihood(z, mu, sigma)

class Network(IWAE):
    pass
"""
LOG_W = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1)) - 500


def lab(source):
    return Assignment(
        name="tiny",
        title="Tiny",
        file="base_code/labs/tiny.py",
        source=str(source),
        tasks=(Task("todo1", "TODO 1", ("bound",)), Task("todo2", "TODO 2", ("density",), ("bound",))),
        signatures={"bound": "bound(log_w)", "density": "density(z, mu, sigma)"},
        names=("bound", "density"),
        beside=BESIDE,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("solutions") / "labs" / "tiny.py"
    path.parent.mkdir()
    path.write_text(TINY)
    (path.parent.parent / "model.py").write_bytes(BESIDE.solution.read_bytes())
    return lab(path)


@pytest.fixture(scope="module")
def opened(tiny):
    with start_sandbox(tiny) as sandbox:
        yield sandbox


def remote(tiny, opened, appended=""):
    return RemoteFile(Submission(tiny, Path("tiny.py"), (TINY + textwrap.dedent(appended)).encode()), sandbox=opened)


def bound(file, task="todo1"):
    cotangent = torch.arange(15.0).view(3, 5)
    return file.call(task, "bound", {"log_w": LOG_W}, ["log_w"], cotangent), cotangent


@pytest.mark.parametrize(
    "appended",
    [
        "",
        "\nbound = lambda log_w: model.log_mean_exp(log_w, 1)",
        "\nbound = lambda log_w: torch.vmap(log_mean_exp)(log_w)",
        "\nCONSTANT = log_mean_exp(torch.zeros(2, 1))\nbound = lambda log_w: log_mean_exp(log_w, -2) + CONSTANT",
    ],
)
def test_the_core_is_answered_by_the_judge(tiny, opened, appended):
    answer, cotangent = bound(remote(tiny, opened, appended))
    right = LOG_W.double().requires_grad_()
    expected = right.exp().log().logsumexp(1) - torch.tensor(4.0).log()
    (gradient,) = torch.autograd.grad(expected, right, cotangent.double())
    torch.testing.assert_close(answer.output, expected.detach(), rtol=1e-6, atol=1e-4)
    torch.testing.assert_close(answer.gradients["log_w"], gradient, rtol=1e-3, atol=1e-4)


def test_the_judge_imports_the_solution_with_the_cores_solution(tiny):
    assert tiny.reference.bound(LOG_W).shape == (3, 5)
    assert {"bound", *BESIDE.trusted} == set(tiny.trusted("todo2"))


def test_what_it_takes_goes_to_gradescope_and_into_the_version():
    importing = dataclasses.replace(assignments.get("importance"), beside=BESIDE)
    assert {"solutions/model.py", "autograder/authoring/markers.py"} <= set(kit_files(importing))


def test_the_core_in_the_sandbox_is_the_one_that_is_handed_out(tiny, opened):
    """Without a word of its solutions, whatever the instructor has done to base_code/model.py."""
    text = """
    import inspect, linecache
    def bound(log_w):
        lines = inspect.getsource(model) + "".join(str(lines) for lines in linecache.cache.values())
        raise RuntimeError(f"{'TODO 2: encode' in lines} {'log' + 'sumexp(a' in lines} {IWAE is model.IWAE}")
    """
    with pytest.raises(Lost) as lost:
        bound(remote(tiny, opened, text))
    assert lost.value.came_back.endswith("RuntimeError: True False True")


def test_what_a_task_does_to_the_core_ends_with_it(tiny, opened):
    """Also where it writes over a file that the core imports: the next task is not the grader's failure."""
    text = """
    def bound(log_w):
        model.log_mean_exp = None
        import likelihood
        try:
            open(likelihood.__file__, "w").write("import os; os._exit(3)")
        except OSError:
            pass
        return log_w.sum(1)
    """
    file = remote(tiny, opened, text)
    bound(file)
    answer, _ = bound(file, "todo2")  # where the judge's bound stands in
    assert answer.output.shape == (3, 5) and answer.output.max() < -400


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("model.log_mean_exp(log_w, 10**9)", "log_mean_exp"),
        ("model.log_mean_exp(log_w, 7)", "log_mean_exp"),
        ("model.log_mean_exp()", "missing"),
        ("Network().log_weights(log_w, log_w)", "TODO 2"),
        ("model.nothing", "nothing"),
    ],
)
def test_a_wrong_call_of_the_core_is_the_students(tiny, opened, call, said):
    with pytest.raises(Lost) as lost:
        bound(remote(tiny, opened, f"\ndef bound(log_w):\n    return {call}\n"))
    assert lost.value.verdict == "EXCEPTION" and said in lost.value.came_back
