"""The latents of a trained model given an image: their means under q, and under the posterior by weighted samples."""

import torch

from model_file import has_networks

ACTIVE = 0.01  # a unit is active if its posterior mean varies more over the images (Burda et al., section 5.2)
SAMPLES = 50  # of z1, over which the mean of z2 under q is averaged
TOGETHER = 500  # images at a time


@torch.no_grad()
def q_means(model, x, *y):
    """{layer: the mean of its latents under q, for each image}.  [B, P], and labels [B, C] -> {name: [B, D]}"""
    parts = []
    for images, *labels in batches(model, x, *y):
        generator = torch.Generator(images.device).manual_seed(0)
        if has_networks(model):
            means = {"z": model.encoder(images)[0]}
        elif labels:
            means = {"z": model.q_z(torch.cat([images, *labels], -1))[0]}
        else:
            mu, sigma = model.q_z1(images)
            eps = torch.randn(SAMPLES, *mu.shape, device=mu.device, generator=generator)
            means = {"z1": mu, "z2": model.q_z2(mu + sigma * eps)[0].mean(0)}
        parts.append(means)
    return joined(parts)


@torch.no_grad()
def posterior_means(model, x, k):
    """{layer: the posterior mean of its latents} of a TwoLayerIWAE, from k samples of q weighted by w / sum of w."""
    parts = []
    for (images,) in batches(model, x):
        generator = torch.Generator(images.device).manual_seed(0)
        eps = torch.randn(k, len(images), model.d_latent, device=images.device, generator=generator)
        weights = torch.softmax(model.log_weights(images, eps), 0)[:, :, None]  # [k, B, 1]
        eps1, eps2 = eps.split((model.d1, model.d2), dim=-1)
        mu1, sigma1 = model.q_z1(images)
        z1 = mu1 + sigma1 * eps1  # the samples of log_weights: it is given the same noise
        mu2, sigma2 = model.q_z2(z1)
        parts.append({"z1": (weights * z1).sum(0), "z2": (weights * (mu2 + sigma2 * eps2)).sum(0)})
    return joined(parts)


def batches(model, *tensors):
    """Images, and labels where they are given, some at a time, on the model's device."""
    device = next(model.parameters()).device
    return zip(*((part.to(device) for part in tensor.split(TOGETHER)) for tensor in tensors))


def joined(parts):
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
