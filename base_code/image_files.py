"""Datasets in files that are not MNIST's: where they are looked for, what their bytes must be, and how they are read.

omniglot     characters of 8 alphabets, 28 x 28, made of OMNIGLOT's two small sets: not Burda's chardata.mat
silhouettes  Caltech 101 Silhouettes (Marlin et al. 2010), 28 x 28
frey         1,965 frames of one film of Brendan Frey's face, 28 x 20 grey levels
cifar10      CIFAR-10 (Krizhevsky 2009), 32 x 32 in colour
"""

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import torch

from cli import ROOT, UserError

FILES = {  # dataset: its file, and the SHA-256 of its bytes where that has been published
    "omniglot": ("omniglot_small_28.npz", "15090f1bf7299bb4ff3b0a711242af6a5a3e72dc3af5c63d26bc6f24fcf8627a"),
    "silhouettes": ("caltech101_silhouettes_28_split1.mat", None),
    "frey": ("frey_faces.npz", "3c70375e0a9c4751ad49ad5f1f692bd094c46f133cf4aa8ea77d1cb14e1efcd1"),
    "cifar10": ("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
}
SOURCES = {  # where a person can get it; what has a checksum there is downloaded
    "silhouettes": "https://people.cs.umass.edu/~marlin/data/caltech101_silhouettes_28_split1.mat",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
}
SECONDS = 10  # until a silent server counts as "no network"
FRAMES = 33  # of Frey's film in a block: of six blocks one is for the test, so that few test frames have twins
CIFAR_RECORD = 1 + 3 * 32 * 32  # bytes: the class, then red, green and blue


class MissingDataset(UserError):
    """A dataset that is neither here nor to be downloaded."""


def find(name):
    """The path of the file of a dataset: in $IWAE_DATA, in data/, or there after a download."""
    file_name, sha256 = FILES[name]
    folders = [ROOT / "data" / name]
    if os.environ.get("IWAE_DATA"):
        folders.insert(0, Path(os.environ["IWAE_DATA"]) / name)
    stored = next((folder / file_name for folder in folders if (folder / file_name).is_file()), None)
    return stored or download(name, sha256, ROOT / "data" / name)


def download(name, sha256, folder):
    """pooch verifies what it downloads before it gets its name."""
    import pooch  # only when needed: it takes a tenth of a second
    import requests

    file_name, source = FILES[name][0], SOURCES.get(name)
    where = f"{name} ({file_name}) is neither in $IWAE_DATA/{name} nor in {folder}"
    if not (sha256 and source):
        raise MissingDataset(where + (f"; it can be had from {source}" if source else ""))
    try:
        print(f"downloading {source}", file=sys.stderr)
        downloader = pooch.HTTPDownloader(progressbar=True, timeout=SECONDS)
        return Path(pooch.retrieve(source, f"sha256:{sha256}", file_name, folder, downloader=downloader))
    except (requests.RequestException, OSError, ValueError) as error:
        raise MissingDataset(f"{where}, and the download failed ({type(error).__name__})") from None


def read(name):
    """The bytes of the dataset's file; UserError if they are not the ones that were published."""
    path, sha256 = find(name), FILES[name][1]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise UserError(
            f"{path} is not the file that was published: it has SHA-256 {found[:12]}…, expected {sha256[:12]}…"
        )
    return content


def load_omniglot():
    """Test images are those of every fourth of the 20 who drew each character.  -> uint8 [3630, 784], [1210, 784]"""
    with np.load(io.BytesIO(read("omniglot"))) as arrays:
        images, drawer = torch.from_numpy(arrays["images"]).flatten(1), torch.from_numpy(arrays["drawer"])
    return images[drawer % 4 != 0], images[drawer % 4 == 0]


def load_silhouettes():
    """The split that comes with them, without its validation images.  -> uint8 [4100, 784], [2307, 784], 0 or 255"""
    import scipy.io

    try:
        arrays = scipy.io.loadmat(io.BytesIO(read("silhouettes")))
        parts = [torch.from_numpy(arrays[name]) for name in ("train_data", "test_data")]
    except Exception as error:  # of any kind: nothing is known of the bytes
        raise damaged("silhouettes", error) from None
    if not all(part.ndim == 2 and part.shape[1] == 784 and ((part == 0) | (part == 1)).all() for part in parts):
        raise damaged("silhouettes", "expected images of 784 pixels that are 0 or 1")
    # The file has Matlab's order, column after column, and a 0 where the object is.
    return tuple(((1 - part.to(torch.uint8)) * 255).view(-1, 28, 28).mT.flatten(1) for part in parts)


def damaged(name, reason):
    return UserError(f"{find(name)} is damaged ({reason}); delete it, and get it anew from {SOURCES[name]}")


def load_frey():
    """-> uint8 [1650, 1, 28, 20], [315, 1, 28, 20]"""
    with np.load(io.BytesIO(read("frey"))) as arrays:
        frames = torch.from_numpy(arrays["images"])[:, None]
    is_test = torch.arange(len(frames)) // FRAMES % 6 == 5
    return frames[~is_test], frames[is_test]


def load_cifar10():
    """-> uint8 [50000, 3, 32, 32], [10000, 3, 32, 32]"""
    records = []
    with tarfile.open(fileobj=io.BytesIO(read("cifar10")), mode="r:gz") as archive:
        for part in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
            content = archive.extractfile(f"cifar-10-batches-bin/{part}.bin").read()
            records.append(torch.from_numpy(np.frombuffer(content, np.uint8).copy()).view(-1, CIFAR_RECORD))
    pixels = [part[:, 1:].reshape(-1, 3, 32, 32) for part in records]
    return torch.cat(pixels[:5]), pixels[5]


LOADERS = {"omniglot": load_omniglot, "silhouettes": load_silhouettes, "frey": load_frey, "cifar10": load_cifar10}
