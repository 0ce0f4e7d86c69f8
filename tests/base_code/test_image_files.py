"""Datasets in files: what is read is right, what is damaged or absent is told."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import image_files
import numpy as np
import pytest
import scipy.io
import torch

import data
from autograder.assignments.pixels import ASSIGNMENT
from cli import UserError
from studies.pixels import bits


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """Put a file of a dataset where IWAE_DATA is: stored(name, bytes), by its own checksum."""
    monkeypatch.setenv("IWAE_DATA", str(tmp_path))
    monkeypatch.setattr(image_files, "ROOT", tmp_path / "nowhere")

    def store(name, content):
        file_name, sha256 = image_files.FILES[name]
        known = sha256 and hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(image_files.FILES, name, (file_name, known))
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file_name).write_bytes(content)

    return store


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def mat(**arrays):
    file = io.BytesIO()
    scipy.io.savemat(file, arrays)
    return file.getvalue()


def test_patches_are_split_by_place():
    train, test = data.load_grey("patches")
    assert train.dtype == test.dtype == torch.uint8
    assert train.shape == (16_600, 3, 16, 16) and test.shape == (416, 3, 16, 16)
    from sklearn.datasets import load_sample_images

    photograph = torch.tensor(load_sample_images().images[1]).movedim(-1, 0)
    assert torch.equal(test[208], photograph[:, :16, 512:528]) and torch.equal(train[8_300], photograph[:, :16, :16])
    assert torch.equal(train[8_301], photograph[:, :16, 5:21])
    (x,) = data.load_test("patches")
    assert x.dtype == torch.float32 and torch.equal(x, test.float())


def test_silhouettes_stand_upright_and_are_binary(stored):
    image = np.ones((28, 28), np.uint8)
    image[3, 10:20] = 0  # a horizontal bar of the object
    stored(
        "silhouettes", mat(train_data=np.tile(image.T.reshape(1, 784), (5, 1)), test_data=np.ones((2, 784), np.uint8))
    )
    train, test = data.load_grey("silhouettes")
    assert train.shape == (5, 784) and (test == 0).all()
    assert torch.equal(train[0].view(28, 28), torch.from_numpy((1 - image) * np.uint8(255)))
    assert torch.equal(data.binarize(train), train / 255)


@pytest.mark.parametrize("content", [b"no", b"", mat(train_data=np.ones((2, 784))), mat(train_data=7, test_data=8)])
def test_silhouettes_that_cannot_be_are_told(stored, content):
    stored("silhouettes", content)
    with pytest.raises(UserError, match="split1.mat is damaged .*get it anew from https://people.cs.umass.edu"):
        data.load_grey("silhouettes")


def test_omniglot_and_frey_are_split_by_drawer_and_by_block(stored):
    drawer = np.repeat(np.arange(1, 21, dtype=np.uint8), 2)
    stored("omniglot", npz(images=np.tile(drawer[:, None, None], (1, 28, 28)), drawer=drawer))
    train, test = data.load_grey("omniglot")
    assert train.shape == (30, 784) and set(test.unique().tolist()) == {4, 8, 12, 16, 20}
    frames = np.arange(400) // 2
    stored("frey", npz(images=np.tile(frames.astype(np.uint8)[:, None, None], (1, 28, 20))))
    train, test = data.load_grey("frey")
    assert test.shape == (66, 1, 28, 20) and len(train) == 334
    assert test[0, 0, 0, 0] == 165 // 2 and train.float().mean() != test.float().mean()


def cifar10_archive(parts):
    """The bytes of CIFAR-10's archive of six parts, uint8 [N, 3, 32, 32]: the class of each image, then its planes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for part, images in zip([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], parts):
            content = b"".join(b"\7" + image.tobytes() for image in images)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{part}.bin")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def test_cifar10_is_read_from_its_archive(stored):
    images = np.random.default_rng(1).integers(0, 256, (6, 2, 3, 32, 32), dtype=np.uint8)
    stored("cifar10", cifar10_archive(images))
    train, test = data.load_grey("cifar10")
    assert torch.equal(train, torch.from_numpy(images[:5].reshape(-1, 3, 32, 32)))
    assert torch.equal(test, torch.from_numpy(images[5]))


@pytest.fixture
def real_cifar10():
    """A hundred of CIFAR-10's training images, uint8 [100, 32, 32, 3]."""
    path = Path(os.environ.get("IWAE_DATA", data.ROOT / "data")) / "cifar10" / "cifar10_tiny100.npz"
    if not path.is_file():
        pytest.skip("no images of CIFAR-10 here")
    return np.load(path)["images"]


def test_real_images_of_cifar10_stay_photographs(real_cifar10, stored):
    """Read in a wrong order they would be noise, which no codec makes small; all are below the article's 9.60 bits."""
    planes = np.ascontiguousarray(real_cifar10.transpose(0, 3, 1, 2))
    stored("cifar10", cifar10_archive(np.array_split(planes[:96], 6)))
    train, test = data.load_grey("cifar10")
    assert len(train) == 80 and np.array_equal(test.movedim(1, -1), real_cifar10[80:96])
    found = {name: each.mean().item() for name, each in bits.baselines(ASSIGNMENT.reference, train, test)}
    assert found["uniform levels"] == pytest.approx(8)
    by_codec = [found[f"{name}, a file for each patch"] for name in ("PNG", "WebP, lossless")]
    assert 4 < by_codec[1] < by_codec[0] < 7 < found["histogram of each colour"] < 8.2
    wrong = test.movedim(1, -1).reshape(test.shape)
    assert bits.coded_bits(wrong[0], **bits.CODECS["PNG"]) > 1.1 * bits.coded_bits(test[0], **bits.CODECS["PNG"])


def test_a_file_of_other_bytes_is_told(stored, monkeypatch):
    stored("frey", b"something else")
    monkeypatch.setitem(image_files.FILES, "frey", ("frey_faces.npz", "0" * 64))
    with pytest.raises(UserError, match="frey_faces.npz is not the file that was published"):
        data.load_grey("frey")


def test_what_is_nowhere_is_told_and_auto_takes_the_next(stored, monkeypatch, capsys):
    with pytest.raises(data.MissingDataset, match=r"silhouettes .* is neither in .*can be had from https://people"):
        data.load_grey("silhouettes")
    assert data.choose("auto", ("silhouettes", "omniglot", "digits")) == "digits"
    assert capsys.readouterr().err.count("notice: using") == 2
    monkeypatch.setattr("pooch.retrieve", unreachable)
    with pytest.raises(data.MissingDataset, match="the download failed"):
        data.load_grey("cifar10")


def unreachable(*_, **__):
    raise OSError


def test_every_dataset_has_its_defaults():
    import settings

    assert set(settings.DATASETS) == {"mnist", "digits", "patches", *image_files.FILES}
