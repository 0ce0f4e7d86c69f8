"""Short trainings of the lab's model on binary images, and how far apart two of them are."""

import torch

from data import binarize
from loop import backward


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


def difference(first, second):
    """The mean of first - second over the images, and its standard error, in text.  two [B]"""
    apart = first - second
    return f"{apart.mean():+.2f}±{apart.std() / len(apart) ** 0.5:.2f}"
