"""Pyro: SVI with the Renyi bound at alpha = 0, which is the IWAE's, and vectorised particles."""

import itertools

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, RenyiELBO

from rivals.torch_networks import Networks


def step(settings, weights, batches):
    pyro.clear_param_store()
    pyro.enable_validation(False)
    networks = Networks(settings, weights)
    prior = dist.Normal(torch.zeros(settings.d_latent), 1.0).to_event(1)
    batches = itertools.cycle(torch.from_numpy(batches))

    def model(x):
        pyro.module("networks", networks)
        with pyro.plate("images", len(x)):
            z = pyro.sample("z", prior)
            pyro.sample("x", dist.Bernoulli(logits=networks.decoder(z)).to_event(1), obs=x)

    def guide(x):
        pyro.module("networks", networks)
        mu, log_sigma = networks.encode(x)
        with pyro.plate("images", len(x)):
            pyro.sample("z", dist.Normal(mu, log_sigma.exp()).to_event(1))

    bound = RenyiELBO(alpha=0, num_particles=settings.train_k, vectorize_particles=True, max_plate_nesting=1)
    inference = SVI(model, guide, pyro.optim.Adam({"lr": settings.lr}), bound)
    return lambda: inference.step(next(batches)) / settings.batch_size
