"""What puts a figure in bits per dimension in its place: uniform levels, a histogram, two lossless codecs."""

import io
import math

import torch
from matplotlib.figure import Figure
from PIL import Image

from data import load_grey
from studies.tables import print_table

PHOTOGRAPHS = ("china", "flower")  # the order of their patches
ARTICLE = {  # what the article states: log-likelihood in nats, dimensions, its figure
    "MNIST, binary": (-87.08, 28 * 28, "0.160"),
    "CIFAR-10": (-20437.0, 3 * 32 * 32, "6.65"),
}


def study(lab, out, model_file):
    """Bits per dimension of the test patches by the histogram, PNG and WebP; and the article's figures again"""
    train, test = load_grey("patches")
    print_table("bits per dimension of the test patches", [row(*baseline) for baseline in baselines(lab, train, test)])
    rows = [article_row(lab, name, *stated) for name, stated in ARTICLE.items()]
    print_table("the article's figures, and your bits_per_dim of its log-likelihoods", rows)
    return [draw_patches(out / "patches.png", test)]


def baselines(lab, train, test):
    """(name, bits per dimension of each test patch [N]) of all that needs no network."""
    n = test[0].numel()
    uniform = torch.full((len(test),), n * math.log(256.0))
    yield "uniform levels", lab.bits_per_dim(uniform, n)
    yield "histogram of each colour", lab.bits_per_dim(histogram_nll(train, test), n)
    for name, options in CODECS.items():
        sizes = torch.tensor([coded_bits(patch, **options) for patch in test])
        yield f"{name}, a file for each patch", sizes / n
        strips = [strip(patches) for patches in test.chunk(len(PHOTOGRAPHS))]
        whole = torch.tensor([coded_bits(picture, **options) / picture.numel() for picture in strips])
        yield f"{name}, one for each photograph", whole.repeat_interleave(len(test) // len(strips))


CODECS = {
    "PNG": {"format": "PNG", "optimize": True},
    "WebP, lossless": {"format": "WebP", "lossless": True, "quality": 100, "method": 6},
}


def histogram_nll(train, test):
    """Nats of each test image where every colour's levels are drawn from the training images', one of each added.

    uint8 [N, C, H, W] -> [N]
    """
    total = torch.zeros(len(test))
    for colour in range(test.shape[1]):
        counts = torch.bincount(train[:, colour].flatten(), minlength=256) + 1.0
        nll = -(counts / counts.sum()).log()  # [256]
        total += nll[test[:, colour].flatten(1).long()].sum(1)
    return total


def coded_bits(image, **options):
    """The size in bits of a file that holds the image, uint8 [C, H, W]."""
    file = io.BytesIO()
    Image.fromarray(image.movedim(0, -1).contiguous().numpy()).save(file, **options)
    return 8 * len(file.getvalue())


def strip(patches):
    """Patches of one photograph, which lie side by side in eight columns, as one picture.  [N, C, h, w] -> [C, H, W]"""
    rows = patches.unflatten(0, (-1, 8))  # [rows, 8, C, h, w]
    return rows.permute(2, 0, 3, 1, 4).flatten(3).flatten(1, 2)


def row(name, bits):
    """A line of the table: each photograph's mean, and that of all."""
    parts = zip(PHOTOGRAPHS, bits.chunk(len(PHOTOGRAPHS)))
    return {"": name, **{name: f"{part.mean():.2f}" for name, part in parts}, "both": f"{bits.mean():.3f}"}


def article_row(lab, name, log_p, n, stated):
    yours = lab.bits_per_dim(torch.tensor([-log_p]), n).item()
    uniform = 1 if "binary" in name else 8
    return {
        "": name,
        "log p, nats": f"{log_p:g}",
        "n": n,
        "it states": stated,
        "yours": f"{yours:.3f}",
        "uniform": uniform,
    }


def draw_patches(path, test):
    """The test part of both photographs, put together again from its patches."""
    figure = Figure(figsize=(4.4, 6.4), layout="constrained")
    for axes, name, patches in zip(figure.subplots(1, 2), PHOTOGRAPHS, test.chunk(2)):
        axes.imshow(strip(patches).movedim(0, -1).numpy())
        axes.set_title(name)
        axes.set_axis_off()
    figure.savefig(path, dpi=120)
    return path
