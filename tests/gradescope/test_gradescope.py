"""Gradescope's zip, in a copy of the folders that Gradescope documents."""

import io
import subprocess
import sys
import time
import zipfile

import pytest

from autograder.gradescope import build
from autograder.grading.version import grader_version
from autograder.sandbox.levels import probe
from cli import ROOT
from helpers import gradescope_folder, hostile, submissions
from helpers.gradescope_folder import run
from helpers.submissions import IWAE

pytestmark = pytest.mark.skipif(probe() < 2, reason="Gradescope runs as root; no sandbox of level 2 works here")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return gradescope_folder.made(tmp_path_factory.mktemp("autograder"), IWAE)


def scores(results):
    """{task: score}"""
    found = dict.fromkeys(("todo1", "todo2", "todo3", "nll"), 0)
    for test in results["tests"]:
        found[test["tags"][0]] += test["score"]
    return found


@pytest.mark.slow
def test_a_right_submission_gets_everything_without_a_network(root):
    results = run(root, {"model.py": submissions.SOLUTION, "notes.txt": "for my grader"})
    assert scores(results) == {"todo1": 20, "todo2": 30, "todo3": 30, "nll": 20}
    extra = results["extra_data"]
    assert extra["dataset"] == "digits" and extra["grader_version"] == grader_version(IWAE)


@pytest.mark.slow
def test_a_partial_submission_gets_its_tasks(root):
    text = submissions.SOLUTION + "\ndef vae_objective(log_w):\n    raise NotImplementedError('TODO 2')\n"
    text += "IWAE.log_weights = vae_objective\n"
    assert scores(run(root, {"model.py": text})) == {"todo1": 20, "todo2": 0, "todo3": 30, "nll": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"model.py": "import nothing_of_that_name\n"}, "No module named 'nothing_of_that_name'"),
        ({"model.py": next(h.text for h in hostile.BANK if h.name == "exits at import")}, "exit status 0"),
        ({"solution.py": submissions.SOLUTION}, "no model.py was handed in; found solution.py"),
    ],
    ids=["crashing", "hostile", "missing"],
)
def test_what_cannot_be_graded_gets_nothing_and_is_told_why(root, files, says):
    results = run(root, files)
    assert results["score"] == 0 and len(results["tests"]) == 30
    assert all(says in test["output"] for test in results["tests"])


@pytest.mark.slow
def test_the_time_limit_leaves_what_the_ledger_holds(root):
    text = submissions.SOLUTION + "\ndef log_mean_exp(a, dim=0):\n    while True: pass\n"
    began = time.monotonic()
    results = run(root, {"model.py": text}, AUTOGRADER_SECONDS="25")
    assert time.monotonic() - began < 40
    assert "Stopped after 2" in results["output"]
    assert scores(results)["todo1"] == 20 and results["tests"][-1]["extra_data"]["verdict"] == "NOT_RUN"


@pytest.mark.slow
def test_a_failure_of_the_grader_is_told(root):
    points = root / "source" / "autograder" / "assignments" / "iwae" / "points.toml"
    points.rename(root / "points.toml")
    try:
        results = run(root, {"model.py": submissions.SOLUTION})
    finally:
        (root / "points.toml").rename(points)
    assert results["score"] == 0 and "The grader itself failed" in results["output"]


def test_the_zip_holds_what_is_needed_and_nothing_else():
    with zipfile.ZipFile(io.BytesIO(build.zip_bytes(IWAE))) as archive:
        names = set(archive.namelist())
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        pins = archive.read("requirements.txt").decode()
    code = "import sys; from autograder import assignments; from autograder.gradescope import run; "
    code += "from autograder.grading import grading; one = assignments.get('iwae'); one.load(); "
    code += "one.part('pictures'); one.part('figures'); one.part('demo'); print(*("
    code += "m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)))"
    imported = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout
    needed = {f for path in imported.split() for f in names if path == str(ROOT / f)}
    data = {"autograder/assignments/iwae/points.toml", "autograder/reports/report.html.jinja"}
    data |= {"solutions/reference.json", "pyproject.toml"}
    inside = {f"autograder/sandbox/inside/{name}.py" for name in ("worker", "zygote", "forkserver")}
    inside |= {
        "autograder/authoring/__init__.py",
        "autograder/authoring/markers.py",
    }  # of what labs import from the core
    base_code = {f"base_code/{path.name}" for path in (ROOT / "base_code").glob("*.*") if path.suffix in (".py", ".c")}
    assert base_code <= names  # a model.py may import what lies beside it
    assert names - needed - base_code == data | inside | {"setup.sh", "run_autograder", "requirements.txt"}
    assert {path for path in imported.split() if path.startswith(f"{ROOT}/") and ".venv" not in path} <= {
        str(ROOT / name) for name in names
    }
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert "torch==" in pins and "+cpu" in pins and "pytest" not in pins and "distributed" not in pins
    assert build.zip_bytes(IWAE) == build.zip_bytes(IWAE)
