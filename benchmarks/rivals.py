"""The IWAE steps of other libraries, with the course's network: what `make bench` puts beside ours.

Each is written as the library's documentation says, at its best: encoded once per image, samples as one batch.
"""

import itertools
import warnings

import torch

warnings.filterwarnings("ignore", category=DeprecationWarning)


def steps(settings, batches):
    """{name: a function that takes one training step} for each library that is installed."""
    found = {}
    for name, make in {"pyro": pyro_step, "pythae": pythae_step}.items():
        try:
            found[name] = make(settings, itertools.cycle(batches))
        except ImportError:
            print(f"{name} is not installed: left out (pip install --requirement benchmarks/requirements.txt)")
    return found


def tanh_layers(sizes):
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers)


class Networks(torch.nn.Module):
    """The course's encoder and decoder: x -> mu, log(sigma), and z -> logits."""

    def __init__(self, settings, d_data=784):
        super().__init__()
        self.untied = settings.untied
        hidden, d_latent = settings.hidden, settings.d_latent
        self.encoder = tanh_layers((d_data, *hidden))
        self.encoder_head = torch.nn.Linear(hidden[-1], d_latent * (2 if settings.untied else 1))
        self.decoder = torch.nn.Sequential(
            tanh_layers((d_latent, *reversed(hidden))), torch.nn.Linear(hidden[0], d_data)
        )

    def encode(self, x):
        a = self.encoder_head(self.encoder(x))
        return a.chunk(2, -1) if self.untied else (torch.tanh(a), a)


def pyro_step(settings, batches):
    """Pyro's SVI with the Renyi bound at alpha = 0, which is the IWAE's, and vectorised particles."""
    import pyro
    import pyro.distributions as dist
    from pyro.infer import SVI, RenyiELBO

    pyro.clear_param_store()
    pyro.enable_validation(False)
    networks = Networks(settings)
    prior = dist.Normal(torch.zeros(settings.d_latent), 1.0).to_event(1)

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
    return lambda: inference.step(next(batches))


def pythae_step(settings, batches):
    """Pythae's IWAE model with encoder and decoder of our sizes, and Adam as its trainer has it."""
    from pythae.models import IWAE, IWAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    networks = Networks(settings)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.networks = networks

        def forward(self, x):
            mu, log_sigma = self.networks.encode(x)
            return ModelOutput(embedding=mu, log_covariance=2 * log_sigma)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.networks = networks.decoder

        def forward(self, z):
            return ModelOutput(reconstruction=self.networks(z).sigmoid())

    config = IWAEConfig(
        input_dim=(784,),
        latent_dim=settings.d_latent,
        number_samples=settings.train_k,
        reconstruction_loss="bce",
    )
    model = IWAE(config, Encoder(), Decoder())
    optimizer = torch.optim.Adam(networks.parameters(), lr=settings.lr)

    def step():
        optimizer.zero_grad()
        model({"data": next(batches)}).loss.backward()
        optimizer.step()

    return step
