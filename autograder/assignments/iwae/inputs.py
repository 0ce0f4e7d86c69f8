"""What the checks give to a submission: random networks, and log weights as a trained one has them."""

import math

from autograder.assignments.iwae import ASSIGNMENT


def random_weights(draw, keywords, head=1.0):
    """Weights for the IWAE that the keywords make, a state dict.

    head scales those of the encoder's head: with small ones q stays near N(0, 1).
    """
    model = ASSIGNMENT.reference.IWAE(**keywords)
    weights = {}
    for name, weight in model.state_dict().items():
        size = 1 / math.sqrt(weight.shape[-1]) if weight.ndim == 2 else 0.5
        weights[name] = draw.normal(*weight.shape) * size * (head if name.startswith("encoder.head") else 1)
    return weights


def stretch(weights, layer, values, low, high, rows=slice(None)):
    """Change some rows of a linear layer in place, so that their outputs, now these values, go from low to high."""
    factor = (high - low) / (values.max() - values.min())
    weights[f"{layer}.weight"][rows] *= factor
    bias = weights[f"{layer}.bias"]
    bias[rows] = (bias[rows] - values.min()) * factor + low


def spread(draw, k, B):
    """Log weights as a trained model has them: images at levels from -10 to -2000, and the samples of each of them
    from near its level to a thousand below.  [k, B]"""
    level = 10 ** draw.uniform(1, 3.3, B)
    level[0], level[-1] = 10, 2000
    below = 10 ** draw.uniform(-0.5, 3, k, B)
    below[0], below[-1] = draw.uniform(0, 1, B), draw.uniform(500, 1000, B)
    order = draw.uniform(0, 1, k, B).argsort(0)
    return -(level + below).gather(0, order)
