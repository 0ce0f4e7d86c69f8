"""Short trainings of the lab's model on binary images, and the NLL that they reach."""

import torch

from data import binarize
from loop import backward
from studies.importance.vaes import log_mean_exp

TOGETHER = 20_000  # samples of all images that are decoded at once


def fit(model, objective, k, images, rates, batch_size, bar):
    """Train for an epoch at each of the learning rates; yields after each. bar counts the steps. uint8 images [N, P]"""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        for batch in torch.randperm(len(images)).split(batch_size):
            optimizer.zero_grad()
            backward(model, binarize(images[batch]), objective, k)
            optimizer.step()
            bar.update()
        yield


@torch.no_grad()
def nll(model, x, k):
    """-log p(x) of each image, from k samples, with the same noise for every model.  [B, P] -> [B]"""
    noise = torch.Generator().manual_seed(5)
    parts = []
    for images in x.split(max(1, TOGETHER // k)):
        eps = torch.randn(k, len(images), model.d_latent, generator=noise)
        parts.append(-log_mean_exp(model.log_weights(images, eps)))
    return torch.cat(parts)


def difference(first, second):
    """The mean of first - second over the images, and its standard error, in text.  two [B]"""
    apart = first - second
    return f"{apart.mean():+.2f}±{apart.std() / len(apart) ** 0.5:.2f}"
