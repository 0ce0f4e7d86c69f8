"""The test NLL: right, exact over chunks, and told in plain words."""

import json
import math
import shutil

import pytest
import torch
from conftest import ROOT, SOLUTION
from scipy.special import logsumexp

import evaluate
from run import load_run


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
        monkeypatch.setattr(evaluate, "chunk_sizes", lambda k, chunk=chunk: (chunk, 1))
        results.append(torch.stack(evaluate.estimate(reference, model, x, 64)))
    torch.testing.assert_close(results[0], results[1])
    eps = torch.randn(64, 1, 1, generator=torch.Generator().manual_seed(evaluate.NOISE_SEED)).double()
    log_w = model.log_weights(x, eps).detach().numpy()[:, 0]
    log_p, elbo, sample_size = results[0][:, 0].tolist()
    # The sums are kept in float32.
    assert log_p == pytest.approx(logsumexp(log_w) - math.log(64), rel=1e-6)
    assert elbo == pytest.approx(log_w.mean(), rel=1e-6)
    assert sample_size == pytest.approx(math.exp(2 * logsumexp(log_w) - logsumexp(2 * log_w)), rel=1e-4)


@pytest.mark.parametrize("k", [1, 7, 100, 5000, 8192, 10_000, 50_000, 4999])
def test_chunk_sizes(k):
    chunk, images = evaluate.chunk_sizes(k)
    assert k % chunk == 0 and chunk * images <= evaluate.ROWS


def test_the_command_prints_a_table_and_writes_test_json(command, trained):
    before = json.loads((trained["iwae"] / "test.json").read_text())
    ended = command(evaluate, trained["ae"], trained["vae"], trained["iwae"], "--k", 500)
    assert ended.status == 0, ended.err
    after = {name: json.loads((trained[name] / "test.json").read_text()) for name in ("ae", "vae", "iwae")}
    assert after["iwae"]["k"] == 500 and before["k"] == 100
    assert f"{after['iwae']['nll']:.2f} ± " in ended.out
    assert after["iwae"]["nll"] < before["nll"]  # a tighter bound
    assert after["iwae"]["bits_per_pixel"] == pytest.approx(after["iwae"]["nll"] / 784 / math.log(2))
    assert after["iwae"]["images"] == 300
    assert "nll" not in after["ae"] and f"{after['ae']['reconstruction_loss']:.2f}" in ended.out


def test_the_same_run_gives_the_same_figures(trained):
    config, module, model = load_run(trained["vae"])
    figures = [evaluate.measure(module, model, config["settings"], 50)["nll"] for _ in range(2)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize("k, message", [(0, "--k is 0"), (8209, "or a round one such as 8000")])
def test_an_impossible_k_ends_with_one_line(command, trained, k, message):
    ended = command(evaluate, trained["vae"], "--k", k)
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
