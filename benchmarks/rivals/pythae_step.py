"""Pythae: its IWAE model with encoder and decoder of our sizes, and Adam as its trainer has it."""

import itertools

import torch
from pythae.models import IWAE, IWAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder

from rivals.torch_networks import Networks


class Encoder(BaseEncoder):
    def __init__(self, networks):
        super().__init__()
        self.networks = networks

    def forward(self, x):
        mu, log_sigma = self.networks.encode(x)
        return ModelOutput(embedding=mu, log_covariance=2 * log_sigma)


class Decoder(BaseDecoder):
    def __init__(self, networks):
        super().__init__()
        self.networks = networks.decoder

    def forward(self, z):
        return ModelOutput(reconstruction=self.networks(z).sigmoid())


def step(settings, weights, batches):
    networks = Networks(settings, weights)
    config = IWAEConfig(
        input_dim=(batches.shape[-1],),
        latent_dim=settings.d_latent,
        number_samples=settings.train_k,
        reconstruction_loss="bce",
    )
    model = IWAE(config, Encoder(networks), Decoder(networks))
    optimizer = torch.optim.Adam(networks.parameters(), lr=settings.lr)
    batches = itertools.cycle(torch.from_numpy(batches))

    def take():
        optimizer.zero_grad()
        loss = model({"data": next(batches)}).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    return take
