"""The test NLL: right, exact over chunks, and told in plain words."""

import json
import math
import re
import shutil

import pytest
import torch
from scipy.special import logsumexp

import evaluate
from data import load_binarized_test
from helpers.commands import ROOT, SOLUTION
from model_file import load_model_file
from run_folder import load_run, read_figures


@pytest.fixture
def tiny(reference):
    """A model of 6 pixels and one latent unit, and images for it."""
    model = reference.IWAE(d_data=6, d_latent=1, hidden=(4,)).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model, (torch.rand(7, 6) < 0.5).double()


@pytest.fixture
def in_double(monkeypatch):
    """Noise in float64, for a model in float64."""
    randn = torch.randn
    monkeypatch.setattr(evaluate.torch, "randn", lambda *shape, **options: randn(*shape, **options).double())


def test_the_estimate_is_the_likelihood(reference, tiny, in_double):
    """log p(x) of each image on a grid over z: 8,000 samples come within five standard errors.

    Here q is the prior, so that the weights are bounded and a standard error means what it says.
    """
    model, x = tiny
    torch.nn.init.zeros_(model.encoder.head.weight)
    torch.nn.init.zeros_(model.encoder.head.bias)
    z = torch.linspace(-40, 40, 40_001, dtype=torch.float64).view(-1, 1, 1)
    log_joint = reference.bernoulli_log_likelihood(x, model.decoder(z)) - z[:, 0].square() / 2
    log_p = torch.logsumexp(log_joint, 0) + math.log(80 / 40_000) - math.log(2 * math.pi) / 2
    estimate, elbo, sample_size = evaluate.estimate(reference, model, x, 8000)
    # The relative standard error of the mean weight is sqrt(1/ESS - 1/k).
    slack = 5 * (1 / sample_size - 1 / 8000).sqrt()
    assert ((estimate - log_p).abs() <= slack).all()
    assert (elbo < estimate).all() and (sample_size > 100).all() and (sample_size <= 8000).all()


def test_chunks_change_nothing(reference, tiny, in_double, monkeypatch):
    """The same noise in one chunk and in four, and the plain formulas of scipy over all samples at once."""
    model, x = tiny
    x = x[:1]  # one image at a time, so that the noise is drawn in the same order
    results = []
    for chunk in (64, 16):
        monkeypatch.setattr(evaluate, "chunk_sizes", lambda *_, chunk=chunk: (chunk, 1))
        results.append(torch.stack(evaluate.estimate(reference, model, x, 64)))
    torch.testing.assert_close(results[0], results[1])
    eps = torch.randn(64, 1, 1, generator=torch.Generator().manual_seed(evaluate.NOISE_SEED)).double()
    log_w = model.log_weights(x, eps).detach().numpy()[:, 0]
    log_p, elbo, sample_size = results[0][:, 0].tolist()
    # The sums are kept in float32.
    assert log_p == pytest.approx(logsumexp(log_w) - math.log(64), rel=1e-6)
    assert elbo == pytest.approx(log_w.mean(), rel=1e-6)
    assert sample_size == pytest.approx(math.exp(2 * logsumexp(log_w) - logsumexp(2 * log_w)), rel=1e-4)


@pytest.mark.parametrize("k", [1, 7, 100, 5000, 10_000, 20_000, 50_000, 4999])
def test_chunk_sizes(k):
    chunk, images = evaluate.chunk_sizes(k)
    assert k % chunk == 0 and chunk * images <= evaluate.ROWS


@pytest.fixture
def copies(trained, tmp_path):
    """Run folders that a test may change, by their names in trained."""
    return {name: shutil.copytree(folder, tmp_path / "copies" / name) for name, folder in trained.items()}


@pytest.mark.slow
def test_the_command_prints_a_table_and_keeps_the_figures_of_each_k(command, copies):
    before = json.loads((copies["iwae"] / "test.json").read_text())
    ended = command(evaluate, copies["ae"], copies["vae"], copies["iwae"], "--k", 500)
    assert ended.status == 0, ended.err
    figures = read_figures(copies["iwae"])
    assert list(figures) == [100, 500] and figures[100] == before
    assert f"{figures[500]['nll']:.2f} ± " in ended.out
    assert figures[500]["nll"] < before["nll"]  # a tighter bound
    assert figures[500]["bits_per_pixel"] == pytest.approx(figures[500]["nll"] / 784 / math.log(2))
    assert figures[500]["images"] == 300
    (autoencoder,) = read_figures(copies["ae"]).values()
    assert "nll" not in autoencoder and f"{autoencoder['reconstruction_loss']:.2f}" in ended.out
    assert "warning" not in ended.out
    assert command(evaluate, copies["iwae"], "--k", 100).status == 0
    again = read_figures(copies["iwae"])
    assert list(again) == [100, 500] and again[500] == figures[500] and again[100]["nll"] == before["nll"]


def test_one_table_has_one_k(command, copies):
    """Where none is given: the largest that the runs were trained to be tested with."""
    config = json.loads((copies["iwae"] / "config.json").read_text())
    config["settings"]["test_k"] = 200
    (copies["iwae"] / "config.json").write_text(json.dumps(config))
    ended = command(evaluate, copies["vae"], copies["iwae"])
    assert ended.status == 0 and [line.split()[1] for line in ended.out.splitlines() if "±" in line] == ["200", "200"]


def test_runs_of_one_name_in_two_folders_are_two_rows(command, copies, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # a name that does not fit would be folded
    other = shutil.copytree(copies["vae"], tmp_path / "other" / "iwae")
    ended = command(evaluate, copies["iwae"], other, f"{other}/", "--k", 5)
    rows = re.findall(r"\d\d\d\.\d\d ±", ended.out)
    assert ended.status == 0 and len(rows) == 2, ended.out
    assert "copies/iwae" in ended.out.replace("\n", "") and "other/iwae" in ended.out.replace("\n", "")


def test_a_bad_run_does_not_lose_the_table_of_the_others(command, copies, tmp_path):
    (copies["plane"] / "model.safetensors").write_bytes(b"half")
    (copies["ae"] / "test.json").write_text("{")
    ended = command(evaluate, copies["plane"], copies["vae"], tmp_path / "nowhere", copies["ae"], "--k", 5)
    assert ended.status == 1 and len(re.findall(r"\d\d\d\.\d\d ±", ended.out)) == 1
    lines = ended.err.splitlines()
    assert len(lines) == 3 and all(line.startswith("error: ") for line in lines)
    told = "".join(lines)
    assert "model.safetensors is damaged" in told and "nowhere is not a run" in told and "test.json is damaged" in told


WRONG = {  # a model file whose figures are no likelihoods: what is replaced, and where it sends
    "decoder-mu": ("self.decoder(z)", "self.decoder(mu)", "TODO 1 and 2"),
    "no-prior": ("log_p_x_given_z + log_p_z", "log_p_x_given_z", "TODO 1 and 2"),
    "signs": ("+ log_p_z - log_q_z_given_x", "- log_p_z + log_q_z_given_x", "TODO 1 and 2"),
    "variance": ("(z - mu) / sigma", "(z - mu) / sigma**2", "TODO 1 and 2"),
    "sum": ("- math.log(a.shape[dim])", "", "TODO 3"),
}
RIGHT = {
    "as-it-is": ("", ""),
    "detach": ("self.decoder(z)", "self.decoder(z.detach())"),  # it trains badly, and is estimated well
    "constants": (" - 0.5 * math.log(2 * math.pi)", ""),  # they cancel
    "signs": ("mu + sigma * eps", "mu - sigma * eps"),
    "divergence": ("+ log_p_z - log_q_z_given_x", "- (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).sum(-1)"),
}


@pytest.mark.parametrize("name", [*(f"wrong-{name}" for name in WRONG), *(f"right-{name}" for name in RIGHT)])
def test_doubt_falls_on_what_is_no_likelihood_and_on_nothing_else(command, trained, tmp_path, name):
    """The weights are a right file's, after five epochs: what is wrong shows although nothing was trained with it."""
    # The other decoders hardly look at z yet, so that decoder(mu) is nearly right for them.
    kind, _, name = name.partition("-")
    old, new, *expected = (WRONG if kind == "wrong" else RIGHT)[name]
    source = (ROOT / SOLUTION).read_text()
    assert old in source
    (tmp_path / "model.py").write_text(source.replace(old, new) if old else source)
    module = load_model_file(tmp_path / "model.py")
    for run in ("iwae",) if kind == "wrong" else ("vae", "iwae", "plane"):
        config, _, model = load_run(trained[run])
        model.__class__ = module.IWAE
        settings = config["settings"]
        doubt = evaluate.doubt(module, model, load_binarized_test(settings.data))
        assert (doubt is not None) == (kind == "wrong"), (run, doubt)
        assert all(todo in doubt for todo in expected)


def test_the_same_run_gives_the_same_figures(trained):
    config, module, model = load_run(trained["vae"])
    figures = [evaluate.measure(module, model, config["settings"], 50)["nll"] for _ in range(2)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize("run", ["vae", "ae"])
@pytest.mark.parametrize(
    "k, message",
    [(0, "--k is 0"), (-1, "--k is -1"), (20_011, "or a round one such as 20000"), (10**20, "--k is 1000000")],
)
def test_an_impossible_k_ends_with_one_line(command, trained, run, k, message):
    ended = command(evaluate, trained[run], "--k", k)
    assert ended.status == 1 and message in ended.err and len(ended.err.splitlines()) == 1


def test_weights_of_another_network_are_told(command, trained, tmp_path):
    shutil.copytree(trained["plane"], tmp_path / "run")
    shutil.copy(trained["vae"] / "model.safetensors", tmp_path / "run")
    ended = command(evaluate, tmp_path / "run")
    assert ended.status == 1 and "do not fit the model file" in ended.err and len(ended.err.splitlines()) == 1


def test_a_changed_model_file_is_noticed_and_used(command, trained, tmp_path):
    shutil.copytree(trained["vae"], tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["settings"]["model"] = str(tmp_path / "model.py")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.py").write_text((ROOT / SOLUTION).read_text().replace(" - math.log(a.shape[dim])", ""))
    ended = command(evaluate, tmp_path / "run")
    assert ended.status == 0 and "has changed since" in ended.err
    figures = [json.loads((run / "test.json").read_text())["nll"] for run in (trained["vae"], tmp_path / "run")]
    assert figures[1] < figures[0]  # the missing log k flatters: the file's own formula is what is measured
