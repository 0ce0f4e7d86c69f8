"""Datasets as tensors of grey levels, and the binarisation of those whose models are of binary images.

A dataset is a name. Binary: "mnist", "digits" (the handwritten digits inside scikit-learn, no download), "omniglot" or
"silhouettes", uint8 [N, 784]; grey / 255 is the probability that a binarised pixel is 1. 8-bit images, which are never
binarised: "patches" (of two photographs inside scikit-learn), "frey" or "cifar10", uint8 [N, C, H, W].
"""

import gzip
import hashlib
import itertools
import os
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import image_files
import numpy as np
import torch
from image_files import MissingDataset
from torch.nn import functional as F

from cli import ROOT, UserError

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
MNIST_FILES = {  # file name: SHA-256 of its decompressed bytes
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
}
MNIST_LABEL_FILES = {
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MNIST_HEADER_BYTES = 16
MNIST_LABEL_HEADER_BYTES = 8
MIRROR_PATIENCE = 8  # seconds until silent mirrors count as "no network"
TEST_SEED = 2015
CLASSES = 10  # of mnist and of digits
PATCHES_SPLIT = 512  # of 640 columns: training patches to the left, test patches to the right


def choose(name, offered=("mnist", "digits")):
    """ "auto" becomes the first that is offered and is here or can be downloaded, with a notice if it is not the first.

    The last one is not looked for: what follows tells if it cannot be had either.
    """
    if name != "auto":
        return name
    for candidate, following in itertools.pairwise(offered):
        try:
            find(candidate)
            return candidate
        except MissingDataset as reason:
            instead = "the digits of scikit-learn" if following == "digits" else following
            print(f"notice: {reason}\nnotice: using {instead} instead (--data {following})", file=sys.stderr)
    return offered[-1]


def find(name):
    """MissingDataset unless what a dataset needs is here, or could be downloaded."""
    if name == "mnist":
        for file_name in MNIST_FILES:
            find_mnist(file_name)
    elif name in image_files.FILES:
        image_files.find(name)


def load_grey(name):
    """The grey levels of the train and the test images, two uint8 tensors [N, 784], of 8-bit images [N, C, H, W].

    Raises MissingDataset when the dataset cannot be had, UserError when its file is damaged.
    """
    own = {"mnist": load_mnist, "digits": load_digits, "patches": load_patches}
    return call_loader(own | image_files.LOADERS, name)


def load_labels(name):
    """The classes 0 ... 9 of the same images, two int64 tensors [N]. Raises what load_grey raises."""
    return call_loader({"mnist": load_mnist_labels, "digits": load_digits_labels}, name)


def load_one_hot(name):
    """The same classes as two float tensors [N, 10], each row with a 1 at its class."""
    return tuple(F.one_hot(classes, CLASSES).float() for classes in load_labels(name))


def call_loader(loaders, name):
    """What the loader of that dataset gives."""
    name = choose(name)
    if name not in loaders:
        raise UserError(f"there is no dataset {name!r}; expected {', '.join(loaders)} or auto")
    return loaders[name]()


def binarize(images, generator=None):
    """Draw each pixel anew: 1 with its probability.  grey levels (uint8) or probabilities [..., P] -> 0s and 1s

    Works on the device of the images; the generator, if any, must live there too.
    """
    if images.dtype != torch.uint8:
        return torch.bernoulli(images, generator=generator)
    # One of 255 equally likely levels lies below grey with probability grey / 255, exactly.
    level = torch.randint(255, images.shape, dtype=torch.uint8, device=images.device, generator=generator)
    return (level < images).float()


def as_input(images, generator=None):
    """Grey levels as a model gets them: binarised anew [B, P]; 8-bit images [B, C, H, W] as they are, in floats."""
    return binarize(images, generator) if images.ndim == 2 else images.float()


def load_binarized_test(name):
    """The test images [N, 784] of 0s and 1s, drawn once with a fixed seed: the same for every model."""
    return load_test(name)[0]


def load_test(name, with_labels=False):
    """The test images as a model gets them, the same for every model; then, if asked for, their classes, one-hot."""
    images = as_input(load_grey(name)[1], torch.Generator().manual_seed(TEST_SEED))
    return (images, load_one_hot(name)[1]) if with_labels else (images,)


def load_digits():
    """1,797 real digits of 8 x 8 pixels enlarged to 20 x 20, with a border of 4 like MNIST's."""
    from sklearn.datasets import load_digits as load_sklearn_digits  # a second to import: only when needed

    small = torch.tensor(load_sklearn_digits().images / 16, dtype=torch.float32)  # [1797, 8, 8]
    large = F.interpolate(small[:, None], size=(20, 20), mode="bicubic", align_corners=False)
    contrast = (2 * large - 0.5).clamp(0, 1)  # nearer to black and white, as MNIST is
    grey = (F.pad(contrast, (4, 4, 4, 4)) * 255).round().to(torch.uint8).flatten(1)  # [1797, 784]
    return split_digits(grey)


def load_digits_labels():
    from sklearn.datasets import load_digits as load_sklearn_digits

    return split_digits(torch.tensor(load_sklearn_digits().target, dtype=torch.int64))


def split_digits(tensor):
    """Train and test set: every sixth image is a test image, so that both have the same writers."""
    is_test = torch.arange(len(tensor)) % 6 == 0
    return tensor[~is_test], tensor[is_test]


def load_patches():
    """16 x 16 colour patches of two photographs, the test patches from the right-hand part of each, 1 in 5 columns.

    Those do not overlap. The others lie 5 pixels apart: the photographs are JPEGs, whose blocks of 8 x 8 they so cross
    in every way.
    """
    from sklearn.datasets import load_sample_images

    photographs = torch.stack([torch.tensor(image).movedim(-1, 0) for image in load_sample_images().images])
    parts = (photographs[..., :PATCHES_SPLIT], 5), (photographs[..., PATCHES_SPLIT:], 16)
    cut = (part.unfold(2, 16, step).unfold(3, 16, step) for part, step in parts)  # [2, 3, rows, columns, 16, 16]
    return tuple(patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 16, 16) for patches in cut)


def load_mnist():
    """60,000 train and 10,000 test images."""
    files = [read_verified(find_mnist(file_name)) for file_name in MNIST_FILES]
    pixels = [np.frombuffer(content, np.uint8, offset=MNIST_HEADER_BYTES) for content in files]
    return tuple(torch.from_numpy(p.copy()).view(-1, 784) for p in pixels)


def load_mnist_labels():
    files = [read_verified(find_mnist(file_name)) for file_name in MNIST_LABEL_FILES]
    classes = [np.frombuffer(content, np.uint8, offset=MNIST_LABEL_HEADER_BYTES) for content in files]
    return tuple(torch.from_numpy(c.astype(np.int64)) for c in classes)


def find_mnist(file_name):
    """The path of one file: in $IWAE_DATA, in data/, or there after a download."""
    return stored_mnist(file_name) or download_mnist(file_name, ROOT / "data" / "mnist")


def stored_mnist(file_name):
    """The path of one file where it is already, in $IWAE_DATA or in data/; else None."""
    folders = [ROOT / "data" / "mnist"]
    if os.environ.get("IWAE_DATA"):
        folders.insert(0, Path(os.environ["IWAE_DATA"]) / "mnist")
    return next((folder / file_name for folder in folders if (folder / file_name).is_file()), None)


def check_stored():
    """UserError where a file of MNIST that is here already is damaged."""
    for file_name in MNIST_FILES:
        if path := stored_mnist(file_name):
            read_verified(path)


def read_verified(path):
    """The decompressed bytes of an MNIST file; UserError if they are not the ones that were published."""
    try:
        decompressed = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run again to download it anew") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    found, expected = hashlib.sha256(decompressed).hexdigest(), (MNIST_FILES | MNIST_LABEL_FILES)[path.name]
    if found != expected:
        raise UserError(
            f"{path} is not MNIST's file: its content has SHA-256 {found[:12]}…, expected {expected[:12]}…; "
            "delete it and run again to download it anew"
        )
    return decompressed


def download_mnist(file_name, folder):
    """Download into a temporary folder beside the goal, verify, then rename: nothing unverified gets the name."""
    import pooch  # only when needed, as below: they take a tenth of a second
    import requests

    what = "MNIST" if file_name in MNIST_FILES else "a label file of MNIST"
    where = f"{what} is neither in $IWAE_DATA/mnist nor in {folder}"
    mirrors = answering_mirrors(file_name)
    if not mirrors:
        raise MissingDataset(f"{where}, and no mirror could be reached")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as temporary:
            part = Path(temporary) / file_name
            for mirror in mirrors:
                try:
                    print(f"downloading {mirror}{file_name}", file=sys.stderr)
                    pooch.HTTPDownloader(progressbar=True, timeout=10)(mirror + file_name, str(part), None)
                    read_verified(part)
                except (requests.RequestException, UserError, ValueError) as error:
                    print(f"notice: that mirror failed: {error}", file=sys.stderr)
                    continue
                os.replace(part, folder / file_name)
                return folder / file_name
    except OSError as error:
        raise MissingDataset(f"{where}, and a download cannot be stored there ({error.strerror})") from None
    raise MissingDataset(f"{where}, and every mirror failed")


def answering_mirrors(file_name):
    """The mirrors that answer within MIRROR_PATIENCE seconds, in their order.

    All are asked at once, in daemon threads: a name server that never answers cannot be given a time limit.
    """
    import requests

    answers = {}

    def ask(mirror):
        try:
            answers[mirror] = requests.head(mirror + file_name, timeout=MIRROR_PATIENCE, allow_redirects=True).ok
        except requests.RequestException:
            answers[mirror] = False

    threads = [threading.Thread(target=ask, args=(mirror,), daemon=True) for mirror in MNIST_MIRRORS]
    deadline = time.monotonic() + MIRROR_PATIENCE
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return [mirror for mirror in MNIST_MIRRORS if answers.get(mirror)]
