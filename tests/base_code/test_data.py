"""Datasets: what is loaded is right, and nothing damaged is ever trusted."""

import gzip
import hashlib
import http.server
import os
import socket
import threading
import time
from pathlib import Path

import pytest
import torch

import data
from cli import UserError
from helpers.commands import ROOT, local_mnist, start


@pytest.fixture
def empty_machine(monkeypatch, tmp_path):
    """No dataset anywhere, and the kit's own data folder in a temporary place. Returns the place for MNIST."""
    monkeypatch.delenv("IWAE_DATA", raising=False)
    monkeypatch.setattr(data, "ROOT", tmp_path)
    monkeypatch.setattr(data, "MNIST_MIRRORS", ())
    return tmp_path / "data" / "mnist"


@pytest.fixture
def small_mnist(monkeypatch):
    """Stand-ins for the MNIST files, with their own hashes: {file name: compressed bytes}"""
    files, hashes = {}, {}
    for name, count in zip(data.MNIST_FILES, (5, 3)):
        content = bytes(16) + bytes(range(256)) * 49 * count  # 784 = 49 * 16 pixels
        content = content[: 16 + 784 * count]
        files[name], hashes[name] = gzip.compress(content), hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(data, "MNIST_FILES", hashes)
    return files


@pytest.fixture
def mirror():
    """A web server on this machine that serves {path: bytes}; returns (its address, that dictionary)."""
    served = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = served.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content or b"")

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", served
    server.shutdown()


@pytest.fixture
def silent_server():
    """The address of a server that takes connections and never answers, as a broken network does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def local_mnist_labels():
    folder = Path(os.environ.get("IWAE_DATA", ROOT / "data")) / "mnist"
    return all((folder / name).is_file() for name in data.MNIST_LABEL_FILES)


def test_digits_are_images_of_the_right_form():
    train, test = data.load_grey("digits")
    assert train.shape == (1497, 784) and test.shape == (300, 784)
    for images in (train, test):
        assert images.dtype == torch.uint8 and images.min() == 0 and images.max() == 255
        border = images.view(-1, 28, 28).clone()
        border[:, 4:-4, 4:-4] = 0
        assert border.sum() == 0


@pytest.mark.skipif(not local_mnist(), reason="MNIST is not on this machine")
def test_mnist_is_what_was_published():
    train, test = data.load_grey("mnist")
    assert train.shape == (60000, 784) and test.shape == (10000, 784)
    assert (train / 255).mean().item() == pytest.approx(0.1307, abs=1e-4)  # the figure that everybody normalises with


def test_labels_belong_to_the_images():
    """Means of each class's images, from the train set, find the class of most test images."""
    for name in ["digits", *(["mnist"] if local_mnist_labels() else [])]:
        train, test = (grey / 255 for grey in data.load_grey(name))
        train_classes, test_classes = data.load_labels(name)
        assert len(train_classes) == len(train) and len(test_classes) == len(test)
        means = torch.stack([train[train_classes == c].mean(0) for c in range(10)])
        assert (torch.cdist(test, means).argmin(1) == test_classes).float().mean() > 0.8


def test_labels_that_cannot_be_had_do_not_hinder_the_images(empty_machine, small_mnist):
    empty_machine.mkdir(parents=True)
    for name, content in small_mnist.items():
        (empty_machine / name).write_bytes(content)
    assert data.choose("auto") == "mnist" and len(data.load_grey("mnist")[1]) == 3
    with pytest.raises(data.MissingDataset, match="a label file of MNIST is neither in"):
        data.load_labels("mnist")


def test_binarize_draws_each_pixel_with_its_probability():
    grey = torch.arange(256, dtype=torch.uint8).repeat(20_000, 1)
    probability = torch.arange(256) / 255
    slack = 5 * (probability * (1 - probability) / 20_000).sqrt()  # five standard errors
    for images in (grey, grey / 255):
        drawn = data.binarize(images)
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        assert ((drawn.mean(0) - probability).abs() <= slack).all()
    assert (data.binarize(grey) != data.binarize(grey)).any()


def test_the_test_set_is_binarised_the_same_for_everybody():
    torch.manual_seed(1)
    first = data.load_binarized_test("digits")
    torch.manual_seed(2)
    assert torch.equal(first, data.load_binarized_test("digits"))


def test_an_unknown_name_is_an_error():
    every = "mnist, digits, patches, omniglot, silhouettes, frey, cifar10"
    for load, names in ((data.load_grey, every), (data.load_labels, "mnist, digits")):
        with pytest.raises(UserError, match=f"no dataset 'cifar'; expected {names} or auto"):
            load("cifar")


def test_auto_takes_digits_with_a_notice_where_mnist_cannot_be_had(empty_machine, capsys):
    assert data.choose("auto") == "digits"
    assert "notice: MNIST is neither in" in capsys.readouterr().err
    assert [len(classes) for classes in data.load_labels("auto")] == [1497, 300]
    with pytest.raises(UserError, match="no mirror could be reached"):
        data.load_grey("mnist")


@pytest.mark.slow
def test_the_decision_falls_within_15_seconds_of_silence(silent_server, tmp_path):
    """In a process of its own, so that waiting for hanging connections at its end counts too."""
    code = (
        "import sys, pathlib; sys.path.insert(0, 'base_code'); import data; "
        f"data.ROOT = pathlib.Path({str(tmp_path)!r}); print(data.choose('auto'))"
    )
    begin = time.monotonic()
    process = start("-c", code, IWAE_DATA="", https_proxy=silent_server, HTTPS_PROXY=silent_server)
    out, _ = process.communicate(timeout=60)
    assert out == "digits\n"
    assert time.monotonic() - begin < 15 + 5  # and 5 for the imports


def test_download_from_the_first_mirror_that_has_it(empty_machine, small_mnist, mirror, monkeypatch):
    address, served = mirror
    monkeypatch.setattr(data, "MNIST_MIRRORS", (address + "gone/", address + "broken/", address + "good/"))
    for name, content in small_mnist.items():
        served[f"/broken/{name}"] = content[:-9]
        served[f"/good/{name}"] = content
    train, test = data.load_grey("auto")
    assert len(train) == 5 and len(test) == 3
    assert {path.name: path.read_bytes() for path in empty_machine.iterdir()} == small_mnist
    served.clear()
    assert torch.equal(data.load_grey("mnist")[0], train)  # from the files now


def test_a_failed_download_leaves_nothing(empty_machine, small_mnist, mirror, monkeypatch):
    address, served = mirror
    monkeypatch.setattr(data, "MNIST_MIRRORS", (address,))
    served |= {f"/{name}": gzip.compress(b"something else") for name in small_mnist}
    assert data.choose("auto") == "digits"
    assert list(empty_machine.iterdir()) == []


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-20], lambda c: c[:40] + b"x" + c[41:], lambda c: b"", lambda c: b"no"]
)
def test_a_damaged_file_is_an_error_that_names_it(empty_machine, small_mnist, damage):
    empty_machine.mkdir(parents=True)
    for name, content in small_mnist.items():
        (empty_machine / name).write_bytes(damage(content))
    with pytest.raises(UserError, match="train-images-idx3-ubyte.gz is (damaged|not MNIST's file).*delete it"):
        data.load_grey("auto")


def test_iwae_data_comes_first(empty_machine, small_mnist, tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere" / "mnist"
    folder.mkdir(parents=True)
    for name, content in small_mnist.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("IWAE_DATA", str(folder.parent))
    assert data.choose("auto") == "mnist"
    assert not empty_machine.exists()
