"""The course's encoder and decoder as the torch libraries beside ours take them."""

import itertools

import torch


def tanh_layers(sizes):
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers)


class Networks(torch.nn.Module):
    """x -> mu, log(sigma), and z -> logits, with the given weights."""

    def __init__(self, settings, weights):
        super().__init__()
        self.untied = settings.untied
        hidden, d_latent, d_data = settings.hidden, settings.d_latent, weights[0][0].shape[1]
        self.encoder = tanh_layers((d_data, *hidden))
        self.encoder_head = torch.nn.Linear(hidden[-1], d_latent * (2 if settings.untied else 1))
        self.decoder = torch.nn.Sequential(
            tanh_layers((d_latent, *reversed(hidden))), torch.nn.Linear(hidden[0], d_data)
        )
        given = (torch.from_numpy(array) for layer in weights for array in layer)
        with torch.no_grad():
            for parameter, array in zip(self.parameters(), given, strict=True):
                parameter.copy_(array)

    def encode(self, x):
        a = self.encoder_head(self.encoder(x))
        return a.chunk(2, -1) if self.untied else (torch.tanh(a), a)
