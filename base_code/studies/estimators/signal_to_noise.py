"""Signal and noise of the estimators' gradients on a trained network."""

import torch
from tqdm import tqdm

from data import load_binarized_test
from model_file import PARTS
from model_file import trained as trained_weights
from settings import complete
from studies.estimators.ratios import BUDGET, SPLITS, draw, ratio, row
from studies.runs import dataset, trained
from studies.tables import print_table

EPOCHS = {"mnist": 4, "digits": 40}
IMAGES = 10  # the gradient is that of their mean objective
DRAWS = 200
NUMBERS = (1, 4, 16, 64)  # of samples, k
NAMES = {"iwae": "IWAE", "stl": "STL", "dreg": "DReG"}


def study(lab, out, model_file):
    """Signal to noise of each estimator on a trained network, encoder and decoder apart"""
    data = dataset()
    model = network(lab, data, out / "iwae")
    x = load_binarized_test(data)[:IMAGES]
    compared = [(name, 1, k) for name in NAMES for k in NUMBERS] + [("ciwae", 1, BUDGET)]
    compared += [("miwae", *split) for split in SPLITS[:-1]] + [("piwae", *split) for split in SPLITS[1:-1]]
    found = {
        (name, m, k): measured(lab, model, x, name, m, k)
        for name, m, k in tqdm(compared, desc=f"{DRAWS} draws of each", leave=False, disable=None)
    }
    rows = [row(*key, one) for key, one in found.items()]
    print_table(f"{DRAWS} draws, {IMAGES} test images of {data}; ciwae with beta = {model.beta}", rows)
    curves = {label: {k: found[name, 1, k] for k in NUMBERS} for name, label in NAMES.items()}
    title = f"a network trained on {data}: mean over the parameters, {DRAWS} draws, error bars by halves"
    return [draw(out / "signal_to_noise.png", curves, title)]


def network(lab, data, folder):
    """The one whose gradients are measured: trained with the plain bound, k = 10."""
    given = {"objective": "iwae", "model": lab.__file__, "train_k": 10, "test_k": 1, "compile": "off"}
    return trained(complete({**given, "epochs": EPOCHS[data]}, data), folder)


def measured(lab, model, x, name, m, k):
    """{part: what ratio gives} of the gradients of one estimator."""
    torch.manual_seed(m * 1000 + k)
    model.m = m
    weights = {part: trained_weights(getattr(model, part)) for part in PARTS}
    draws = {part: torch.empty(DRAWS, sum(w.numel() for w in weights[part])) for part in PARTS}
    for number in range(DRAWS):
        eps = torch.randn(m * k, len(x), model.d_latent)
        for part, objective in zip(PARTS, model.objectives(x, eps, name)):
            gradients = torch.autograd.grad(objective.mean(), weights[part], retain_graph=part == PARTS[0])
            torch.cat([g.flatten() for g in gradients], out=draws[part][number])
    return {part: ratio(lab, values) for part, values in draws.items()}
