"""Grading as an instructor does it: the commands, the ledger, the reports, and what a failure of ours looks like."""

import json
import re
import signal
import tomllib

import pytest

import native
from autograder.assignments.iwae import nll
from autograder.assignments.iwae.checks import CHECKS
from autograder.assignments.iwae.misconceptions import MISCONCEPTIONS
from autograder.grading import version
from autograder.grading.assignment import Check
from autograder.grading.grading import Grading
from autograder.grading.remote import RemoteFile
from autograder.grading.submission import files_inside, forkservers
from autograder.grading.version import grader_version, kit_files
from autograder.reports.html import png
from autograder.sandbox.errors import Unavailable
from autograder.sandbox.levels import forkserver, probe
from autograder.sandbox.sandbox import Sandbox
from cli import ROOT
from helpers import submissions
from helpers.commands import finish, start
from helpers.gradings import run_grading
from helpers.submissions import IWAE

FIELDS = {  # of Gradescope's results.json, https://gradescope-autograders.readthedocs.io/en/latest/specs/
    "score", "execution_time", "output", "output_format", "visibility", "stdout_visibility", "tests", "extra_data"
}  # fmt: skip
TEST_FIELDS = {
    "score", "max_score", "status", "name", "number", "output", "output_format", "tags", "visibility", "extra_data"
}  # fmt: skip


def grade(*arguments):
    return finish(start("-m", "autograder", "grade", *arguments))


def pytest_grade(*arguments):
    return finish(start("-m", "pytest", "autograder/", "--nll", "off", *arguments))


def read(folder):
    return json.loads((folder / "results.json").read_text())


def test_the_points_are_those_of_the_course():
    assert {task: sum(points.values()) for task, points in IWAE.points.items()} == {
        "todo1": 20,
        "todo2": 30,
        "todo3": 30,
        "nll": 20,
    }
    ids = {task: {c.id for c in CHECKS + nll.CHECKS if c.task == task} for task in IWAE.points}
    assert ids == {task: set(points) for task, points in IWAE.points.items()}


def test_every_misconception_explains_itself_once():
    assert len(IWAE.misconceptions) == len(MISCONCEPTIONS)
    for entry in MISCONCEPTIONS:
        assert entry.read
        assert 1 <= len(re.findall(r"[.!?](?= |$)|: ", entry.why)) <= 5, entry.id


def test_pytest_on_the_untouched_stub_is_tidy(tmp_path):
    ended = pytest_grade("--report", tmp_path / "report")
    assert ended.status == 1
    assert "Traceback" not in ended.out + ended.err
    assert "0 of 80 points" in ended.out
    assert "first: TODO 1, gaussian_log_likelihood" in ended.out
    results = read(tmp_path / "report")
    assert results["score"] == 0
    assert {t["extra_data"]["verdict"] for t in results["tests"]} == {"NOT_IMPLEMENTED"}


@pytest.mark.slow
def test_pytest_on_the_reference_gives_all_points_and_leaves_nothing_behind(tmp_path):
    command = ("-m", "pytest", "autograder/", "--nll", "off", "--submission", "solutions/model.py")
    ended = finish(start(*command, TMPDIR=str(tmp_path)))
    assert ended.status == 0
    assert "80 of 80 points" in ended.out
    assert not list(tmp_path.glob("sandbox-*"))


@pytest.mark.slow
def test_pytest_grades_one_task_and_nothing_else(tmp_path):
    ended = pytest_grade("--submission", "solutions/model.py", "-m", "todo3", "--report", tmp_path)
    assert ended.status == 0
    assert "30 of 30 points: TODO 3 30 of 30" in ended.out
    verdicts = {t["tags"][0]: t["extra_data"]["verdict"] for t in read(tmp_path)["tests"]}
    assert verdicts == {"todo1": "NOT_RUN", "todo2": "NOT_RUN", "todo3": "PASS"}


@pytest.mark.slow
def test_the_command_grades_several_files_and_ends_with_0(tmp_path):
    (tmp_path / "model.py").write_text(submissions.SOLUTION.replace("0.5 * standardised**2", "standardised**2"))
    (tmp_path / "other.py").write_text("import nothing_of_that_name\n")
    files = [tmp_path / "model.py", tmp_path / "other.py", tmp_path / "missing.py"]
    ended = grade(*files, "--nll", "off", "--report", tmp_path / "reports")
    assert ended.status == 0, ended.err
    assert "gauss.no_half" not in ended.out, "ids are for instructors"
    assert "The factor 1/2 before the square is missing." in ended.out
    assert "line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'" in ended.out
    assert "there is no file" in ended.out
    scores = {path.parent.name: json.loads(path.read_text())["score"] for path in tmp_path.rglob("results.json")}
    assert scores == {tmp_path.name: 68, "other": 0, "missing": 0}


def test_results_json_is_gradescopes(tmp_path, sandbox):
    results = graded(submissions.wrong(IWAE.misconceptions["lme.naive"]), sandbox, tmp_path, seed=3)
    assert set(results) == FIELDS
    assert results["score"] == sum(t["score"] for t in results["tests"])
    for number, test in enumerate(results["tests"], start=1):
        assert set(test) == TEST_FIELDS
        assert test["number"] == str(number)
        assert test["score"] == (test["max_score"] if test["status"] == "passed" else 0)
        assert set(test["extra_data"]) == {"check", "verdict", "misconception", "seconds"}
    extra = results["extra_data"]
    keys = {"submission_sha256", "grader_version", "sandbox_level", "seed", "assignment", "dataset", "nll"}
    assert set(extra) == keys
    assert extra["seed"] == 3
    assert extra["grader_version"] == grader_version(IWAE)
    named = {t["extra_data"]["misconception"] for t in results["tests"]}
    assert named == {None, "lme.naive"}


def graded(submission, sandbox, folder, **options):
    run_grading(RemoteFile(submission, sandbox=sandbox), folder=folder, **options).write_html()
    return read(folder)


def replace_checks(monkeypatch, run):
    """One check in the place of all."""
    monkeypatch.setitem(vars(IWAE), "checks", (Check("gaussian_values", "todo1", "its title", run, 5),))


def test_the_same_seed_repeats_a_grading(tmp_path, sandbox):
    wrong = submissions.wrong(IWAE.misconceptions["gauss.no_half"])
    outputs = []
    for seed in (5, 5, 6):
        results = graded(wrong, sandbox, tmp_path, seed=seed, voice="instructor")
        outputs.append([t["output"] for t in results["tests"]])
    assert outputs[0] == outputs[1] != outputs[2]
    assert "expected [[" in outputs[0][0]


def test_students_are_not_told_the_expected_numbers(tmp_path, sandbox):
    results = graded(submissions.wrong(IWAE.misconceptions["gauss.no_half"]), sandbox, tmp_path)
    assert not any("expected [" in t["output"] or "inputs" in t["output"].split("\n")[1:2] for t in results["tests"])


def test_the_html_report_escapes_and_loads_nothing(tmp_path, sandbox):
    text = "def vae_objective(log_w):\n    raise ValueError('<script>alert(1)</script>')\n"
    graded(submissions.submission(text), sandbox, tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
    assert not re.search(r"""(src|href)=["'](?!data:)""", html)


def test_the_ledger_is_written_before_the_first_check(tmp_path, sandbox, monkeypatch):
    seen = []

    def look(remote, draw):
        seen.append(read(tmp_path))

    replace_checks(monkeypatch, look)
    graded(submissions.submission(), sandbox, tmp_path)
    assert [t["extra_data"]["verdict"] for t in seen[0]["tests"]] == ["NOT_RUN"]
    assert seen[0]["score"] == 0


@pytest.mark.slow
def test_a_killed_judge_leaves_a_valid_ledger(tmp_path):
    for i, lines in enumerate((1, 9)):
        folder = tmp_path / str(i)
        process = start("-m", "pytest", "autograder/", "--nll", "off", "-v", "--report", folder,
                        "--submission", "solutions/model.py", PYTHONUNBUFFERED="1")  # fmt: skip
        for _ in range(lines + 6):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        results = read(folder)
        verdicts = [t["extra_data"]["verdict"] for t in results["tests"]]
        assert set(verdicts) <= {"PASS", "NOT_RUN"}
        assert results["score"] == sum(t["score"] for t in results["tests"])


def test_a_sandbox_that_does_not_start_is_no_mark(tmp_path, sandbox, monkeypatch):
    def fail(*_):
        raise Unavailable("no room")

    monkeypatch.setattr("autograder.sandbox.sandbox.Sandbox.start", fail)
    slept = []
    monkeypatch.setattr("autograder.grading.remote.time.sleep", slept.append)
    results = graded(submissions.submission(), sandbox, tmp_path)
    assert {t["extra_data"]["verdict"] for t in results["tests"]} == {"INFRA"}
    assert "not a mark" in results["output"]
    assert 10 < sum(slept) < 60, "once for all checks"


@pytest.mark.parametrize("error", [Unavailable("no room"), OSError("out of processes")])
def test_a_sandbox_that_starts_in_the_end_is_enough(error, sandbox, monkeypatch):
    start, failures = Sandbox.start, iter([error, error, error])

    def fail_first(self):
        for failure in failures:
            raise failure
        return start(self)

    monkeypatch.setattr(Sandbox, "start", fail_first)
    monkeypatch.setattr("autograder.grading.remote.START_PAUSES", (0, 0, 0, 0))
    assert lost_by("", sandbox) is None


def test_a_mistake_of_the_graders_is_no_mark(tmp_path, sandbox, monkeypatch):
    def broken(remote, draw):
        raise ZeroDivisionError("ours")

    replace_checks(monkeypatch, broken)
    results = graded(submissions.submission(), sandbox, tmp_path)
    assert results["tests"][0]["extra_data"]["verdict"] == "INFRA"
    assert "ZeroDivisionError: ours" in results["tests"][0]["output"]


def test_what_fails_on_a_file_and_not_on_the_reference_is_the_files_fault(tmp_path, sandbox, monkeypatch):
    def odd(remote, draw):
        if b"odd" in remote.submission.source:
            raise OverflowError("an answer that no judge foresaw")

    replace_checks(monkeypatch, odd)
    results = graded(submissions.submission("# odd"), sandbox, tmp_path)
    assert results["tests"][0]["extra_data"]["verdict"] == "WRONG_TYPE"
    assert "OverflowError" not in results["tests"][0]["output"]


def test_the_version_is_of_all_that_can_change_a_mark(monkeypatch):
    names = kit_files(IWAE)
    grading = ("grading/judge.py", "grading/trusted.py", "sandbox/command.py", "sandbox/inside/worker.py")
    subject = ("assignments/iwae/checks.py", "assignments/iwae/oracles.py", "assignments/iwae/points.toml")
    assert {f"autograder/{name}" for name in grading + subject} < set(names)
    assert {"solutions/model.py", "solutions/reference.json", "base_code/loop.py"} < set(names)
    assert not any("class" in name or name == "base_code/model.py" for name in names)
    before = grader_version(IWAE)
    monkeypatch.setattr(version, "kit_files", lambda _: names[:-1])
    assert grader_version.__wrapped__(IWAE) != before
    assert before.startswith(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] + "+")


# What a file may do besides, and what it is told ----------------------------------------------------------


def lost_by(text, sandbox, check_id="log_mean_exp_values"):
    """What the reference with this text below it loses in one check; None where it passes."""
    (check,) = [check for check in CHECKS if check.id == check_id]
    remote = RemoteFile(submissions.submission(text), sandbox=sandbox)
    return run_grading(remote, [check]).ledger.results[check_id].lost


def in_call(body):
    return f"right = log_mean_exp\ndef log_mean_exp(a, dim=0):\n    {body}\n    return right(a, dim)\n"


def test_a_file_can_import_all_that_lies_beside_it_and_what_that_imports(sandbox):
    names = sorted(path.stem for path in (ROOT / "base_code").glob("*.py"))
    text = f"import {', '.join(names)}\nfrom evaluate import *\nimport matplotlib.pyplot, sklearn.decomposition\n"
    assert lost_by(text + "assert model.IWAE is IWAE\n", sandbox) is None


def test_code_in_c_is_what_the_judge_has_built_and_cannot_be_written(sandbox):
    if not native.libraries() or sandbox.level < 2:
        pytest.skip("there is no compiler here, or no sandbox that keeps its files")
    body = "import os, likelihood, native; likelihood.load(); path = native.library(likelihood.SOURCE); "
    body += "assert path.parent.samefile(os.path.dirname(native.__file__)); "
    body += "assert not os.access(path, os.W_OK) and not os.access(path.parent, os.W_OK); print('loaded')"
    assert lost_by(in_call(body), sandbox) is None


@pytest.mark.parametrize(
    "text",
    [
        "import helpers",
        "from helpers.mine import f",
        "from . import helpers",
        "from data import of_mine",
        "weights = open('weights.pt')",
        in_call("import helpers"),
    ],
)
def test_who_needs_another_file_is_told_that_one_is_handed_in(text, sandbox):
    assert "only model.py is handed in" in lost_by(text, sandbox).came_back


def test_a_name_that_a_package_does_not_have_is_no_missing_file(sandbox):
    assert "handed in" not in lost_by("from torch import of_mine", sandbox).came_back


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("torch.autograd.set_detect_anomaly(True)", None),
        ("torch.use_deterministic_algorithms(True)", None),
        ("torch.set_num_threads(3)\ntorch.set_printoptions(2)\ntorch.manual_seed(3)", None),
        (in_call("torch.autograd.set_detect_anomaly(True); torch.set_num_threads(3)"), None),
        ("torch.set_default_dtype(torch.float64)", "default dtype"),
        ("torch.set_default_device('meta')", "default device"),
        ("torch.set_grad_enabled(False)", "gradient mode"),
        (in_call("torch.set_default_dtype(torch.float64)"), "default dtype"),
        (in_call("torch.manual_seed(3)"), "random seed"),  # each step of a training would draw the same noise
    ],
)
def test_settings_cost_points_where_they_change_the_numbers_of_others(text, changed, sandbox):
    lost = lost_by(text, sandbox, "todo3_side_effects")
    assert lost is None if changed is None else changed in lost.came_back
    assert lost_by(text, sandbox, "log_mean_exp_gradients") is None  # they are restored


@pytest.mark.parametrize(
    ("body", "verdict", "says"),
    [
        ("raise NotImplementedError('TODO 3: later')", "NOT_IMPLEMENTED", "TODO 3: later"),
        ("raise NotImplementedError", "NOT_IMPLEMENTED", "NotImplementedError"),
        ("(lambda: todo('in a helper'))()", "NOT_IMPLEMENTED", "in a helper"),
        ("torch.func.vmap(todo)(a)", "NOT_IMPLEMENTED", "line"),
        ("a.to('meta').cpu()", "EXCEPTION", "meta tensor"),
        ("torch.logsumexp(a.to_sparse(), dim)", "EXCEPTION", "SparseCPU"),
        ("torch.ones(3, dtype=torch.uint16).median()", "EXCEPTION", "not implemented for 'UInt16'"),
        ("nn.Module()(a)", "EXCEPTION", "forward"),
        ("again(lambda: a.to('meta').cpu())", "EXCEPTION", "NotImplementedError: Cannot copy out of meta tensor"),
    ],
)
def test_only_what_the_file_itself_raises_is_not_started(body, verdict, says, sandbox):
    helpers = """
def todo(text):
    raise NotImplementedError(text)
def again(function):
    try:
        return function()
    except NotImplementedError:
        raise
"""
    lost = lost_by(helpers + in_call(body), sandbox)
    assert lost.verdict == verdict
    assert says in lost.came_back


# The test NLL ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    server = forkserver("worker", files_inside(IWAE), probe())
    yield server
    if server:
        server.close()


@pytest.fixture
def quick(monkeypatch, server):
    """The digits, whatever is on this machine; sandboxes that need not import torch, as for a class."""
    monkeypatch.setattr(nll, "choose", lambda name: "digits")
    monkeypatch.setitem(forkservers, IWAE.name, server)


def measured(submission):
    return nll.Run(submission, "short", seed=1)


def verdicts(run):
    found = {}
    for check in nll.CHECKS:
        try:
            check.run(run, None)
            found[check.id] = "PASS"
        except nll.Lost as lost:
            found[check.id] = lost.verdict
    return found


def test_the_bands_are_wide_enough_for_every_right_answer():
    results = json.loads(nll.REFERENCE.read_text())["results"]
    for mode, epochs in nll.EPOCHS.items():
        for data in ("mnist", "digits"):
            for objective in ("vae", "iwae"):
                low, high = nll.band(data, mode, objective)
                (entry,) = [
                    r for r in results
                    if (r["data"], r["objective"], r["tied"], r["epochs"]) == (data, objective, True, epochs[data])
                ]  # fmt: skip
                spread = entry["test_nll"]["100"]
                assert low < min(spread["values"]) and max(spread["values"]) < high
                assert (high - low) / 2 > 7 * spread["std"]


@pytest.mark.slow
def test_the_reference_trains_to_the_reference_band(quick):
    run = measured(submissions.submission())
    assert set(verdicts(run).values()) == {"PASS"}
    summary = run.summary()
    assert summary["vae"] - summary["iwae"] > 9
    assert len(summary["train_loss"]["iwae"]) == nll.SHORT_EPOCHS["digits"]
    assert re.fullmatch(r"short, on digits; VAE \d+\.\d nats; IWAE \d+\.\d nats", run.facts())
    assert len([png(draw) for draw in run.pictures().values()]) == 2


@pytest.mark.slow
def test_an_unfinished_file_is_not_trained(monkeypatch):
    monkeypatch.setattr(nll, "load_grey", None)
    assert set(verdicts(measured(submissions.submission(base=submissions.STUB))).values()) == {"NOT_IMPLEMENTED"}


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("", set()),
        ("def iwae_objective(log_w): raise NotImplementedError('TODO 3')", {"iwae"}),
        ("def vae_objective(log_w): return log_w.sum(0)", {"vae"}),
        ("def reparameterize(mu, sigma, eps): return (mu + sigma * eps).detach()", {"vae", "iwae"}),
    ],
)
def test_an_objective_is_not_trained_without_the_functions_that_it_needs(text, lacking, sandbox):
    """Whatever weights the file brings along; and the same where those checks were run before."""
    remote = RemoteFile(submissions.submission(text), sandbox=sandbox)
    grading = Grading(remote, {"nll": "short"}, dataset="digits")
    run = grading.ledger.runs["nll"]
    for checks in ((), CHECKS):
        for check in checks:
            grading.run(check)
        run.lacking = {}
        run.begin(None, grading.lost_of)
        assert set(run.lacking) == lacking
    assert all("needs what is lost in TODO" in lost.came_back for lost in run.lacking.values())
    remote.process.close()


def test_what_lacks_a_function_is_not_trained(monkeypatch):
    monkeypatch.setattr(nll.Run, "train_together", None)
    run = measured(submissions.submission())
    run.lacking = {objective: nll.Lost("NOT_IMPLEMENTED", "not trained") for objective in nll.NEEDS}
    assert set(verdicts(run).values()) == {"NOT_IMPLEMENTED"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        ("return 0 * sum(p.sum() for p in self.parameters())", "WRONG_VALUE"),
        ("return float('nan') * sum(p.sum() for p in self.parameters())", "NONFINITE"),
        ("IWAE.state_dict = huge\n    return 0 * sum(p.sum() for p in self.parameters())", "NONFINITE"),
        ("return torch.tensor(0.0)", "EXCEPTION"),
        ("return torch.zeros(3)", "WRONG_SHAPE"),
        ("while len(x) > 3: pass\n    return torch.zeros(())", "TIMEOUT"),
        ("return 0.5 * honest(self, x, objective, k)", "WRONG_VALUE"),  # trains as well, but is another loss
        (
            "loss = honest(self, x, objective, k)\n    return loss.detach() + 0.9 * (loss - loss.detach())",
            "WRONG_GRADIENT",
        ),
        ("return honest(self, x, 'vae', 3)", "WRONG_VALUE"),  # an IWAE by name
    ],
)
def test_training_that_is_fake_or_broken_loses_the_nll(loss, verdict, quick, monkeypatch):
    text = f"honest = IWAE.loss\ndef loss(self, x, objective, k):\n    {loss}\nIWAE.loss = loss\n"
    text += """
def huge(self):  # finite weights that no number can be computed with
    weights = nn.Module.state_dict(self)
    return {n: t if n == "encoder.body.0.weight" else torch.full_like(t, 3e38) for n, t in weights.items()}
"""
    monkeypatch.setitem(nll.SHORT_EPOCHS, "digits", 1)
    monkeypatch.setattr(nll, "references", lambda *_: {"vae": 128.3, "iwae": 109.9})
    monkeypatch.setitem(nll.TRAIN_SECONDS, "short", 20 if verdict != "TIMEOUT" else 4)
    assert set(verdicts(measured(submissions.submission(text))).values()) == {verdict}


TRAINS_OTHERWISE = """
import sys, types
sys.path[:0] = ["autograder/sandbox/inside", "base_code"]
import torch, worker
class Model(torch.nn.Module):
    d_latent = 1
    needs_labels = True
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(4, 1), torch.nn.Linear(1, 4)
    def loss(self, x, objective, k):
        print("loss")
        return self.decoder(self.encoder(x)).square().mean()
    def losses(self, *arguments):
        print("losses")
worker = worker.Worker(None)
worker.model = Model()
worker.prepare({"settings": {"objective": "vae", "batch_size": 2}}, {"images": torch.zeros(3, 4, dtype=torch.uint8)})
print(worker.epoch({"threads": 1}, None)[0]["ok"])
"""


def test_only_the_loss_that_is_replayed_is_trained_with():
    """A trainer would ask a model file for more, such as `losses`: that is no way to train with something else."""
    ended = finish(start("-c", TRAINS_OTHERWISE))
    assert ended.out.split() == ["loss", "loss", "True"], ended.err
