"""The hidden checks of the lab. Each draws fresh inputs and compares with an oracle.

A check is a function of the submission's file, remote in its sandbox, and of its own Draw; it returns where all is well
and raises Lost where not. Gradients are compared of log_weights alone. The sign of a principal component is free.
"""

import functools
import math

import torch

from autograder.assignments.hierarchical import ASSIGNMENT, oracles
from autograder.grading.assignment import Checks
from autograder.grading.invariants import expect_independence, expect_no_side_effects
from autograder.grading.judge import Case, describe_call, expect, value_fault
from autograder.grading.quadrature import gauss_hermite, tensor_grid
from autograder.grading.verdicts import Lost

CHECKS = Checks(ASSIGNMENT.points)
check = CHECKS.add


# Networks -------------------------------------------------------------------------------------------------

TWO_LAYERS, CONDITIONAL = "TwoLayerIWAE", "ConditionalIWAE"
NARROW, WIDE = (math.log(1e-3), 0.0), (0.0, math.log(1e3))  # of log(sigma)


def random_weights(draw, kind, keywords, smooth=1.0):
    """A state dict for the model. smooth scales what leaves the Gaussians, and what latents go into: with a small one
    all of them are near N(0, I), and what follows from them is nearly linear, so that quadrature converges fast."""
    weights = {}
    for name, weight in ASSIGNMENT.model(kind, keywords).state_dict().items():
        size = 1 / math.sqrt(weight.shape[-1]) if weight.ndim == 2 else 0.5
        part, layer, *_ = name.split(".")
        is_scaled = layer in ("mu", "log_sigma") or (part in ("q_z2", "p_z1", "decoder") and ".body.0.weight" in name)
        weights[name] = draw.normal(*weight.shape) * size * (smooth if is_scaled else 1)
    return weights


def two_layer_network(draw, P, D1, D2, smooth=1.0):
    keywords = {"d_data": P, "d1": D1, "d2": D2, "hidden1": draw.sizes(2), "hidden2": draw.sizes(2)}
    return keywords, random_weights(draw, TWO_LAYERS, keywords, smooth)


def conditional_network(draw, P, C, D, prior, smooth=1.0):
    keywords = {"d_data": P, "n_classes": C, "d_latent": D, "hidden": draw.sizes(2), "prior": prior}
    return keywords, random_weights(draw, CONDITIONAL, keywords, smooth)


def stretch(weights, part, inputs, low, high):
    """Change the head log_sigma of a Gaussian in place, so that on these inputs it goes from low to high."""
    networks, name = oracles.Networks(weights), f"{part}.log_sigma"
    values = networks.linear(name, networks.body(part, inputs))
    factor = (high - low) / (values.max() - values.min())
    weights[f"{name}.weight"] *= factor
    weights[f"{name}.bias"] = (weights[f"{name}.bias"] - values.min()) * factor + low


def one_hot(draw, B, C):
    """Labels of B images, all C classes among them if there are as many images, and no order.  [B, C]"""
    classes = torch.as_tensor(draw.random.permutation(B)) % C
    return torch.nn.functional.one_hot(classes, C).double()


def model_case(remote, task, kind, method, keywords, weights, inputs, oracle, right, scale, **options):
    """A call of a method of the model with these weights, which is made in the sandbox first."""
    remote.create(task, kind, keywords, weights, "float64")
    if options.get("gradients"):
        options["parameters"] = weights
    reference = ASSIGNMENT.model(kind, keywords, weights)
    return Case(task, f"{kind}.{method}", inputs, oracle, right, scale, model=reference, **options)


# TODO 1 ---------------------------------------------------------------------------------------------------

WEIGHT = (
    "log p(x | z1) + log p(z1 | z2) + log p(z2) - log q(z1 | x) - log q(z2 | z1) at z1 = mu1 + sigma1 * eps1 and "
    "z2 = mu2(z1) + sigma2(z1) * eps2, one number for each sample of each image"
)
IMAGES = "the logits of p(x | z1) at z1 = mu(z2) + sigma(z2) * eps1, z2 = eps2, where eps = (eps1, eps2)"


def two_layer_case(remote, x, eps, keywords, weights, **options):
    networks = oracles.Networks(weights)

    def oracle(x, eps):
        return oracles.two_layer_log_weights(networks, x, eps)[0]

    scale = oracles.two_layer_log_weights(networks, x, eps)[1]
    inputs = {"x": x, "eps": eps}
    how = (keywords, weights, inputs, oracle, WEIGHT, scale)
    return model_case(remote, "todo1", TWO_LAYERS, "log_weights", *how, **options)


def random_two_layer_case(remote, draw, k, B, D1, D2, P, **options):
    """log_weights of a random network, for random images and noise."""
    x, eps = draw.binary(B, P), draw.normal(k, B, D1 + D2)
    return two_layer_case(remote, x, eps, *two_layer_network(draw, P, D1, D2), **options)


def sample_case(remote, eps, keywords, weights, **options):
    networks = oracles.Networks(weights)
    _, z1 = oracles.ancestral(networks, eps)
    head = weights["decoder.head.weight"].abs()
    # Where z1 is large, the tanh of the first layer turns its rounding into that of the logits, at most as it is.
    first = weights["decoder.body.0.weight"].abs()
    scale = 1 + (z1.abs() @ first.T).amax() * head.sum(1)
    how = (keywords, weights, {"eps": eps}, lambda eps: oracles.ancestral(networks, eps)[0], IMAGES, scale)
    return model_case(remote, "todo1", TWO_LAYERS, "sample", *how, **options)


def random_sample_case(remote, draw, n, D1, D2, P):
    return sample_case(remote, draw.normal(n, D1 + D2), *two_layer_network(draw, P, D1, D2))


def extreme_two_layers(draw, k, B, D1, D2, P, part, ends):
    """x, eps, keywords and weights, where log(sigma) of one Gaussian goes from one end to the other."""
    x, eps = draw.binary(B, P), draw.normal(k, B, D1 + D2)
    keywords, weights = two_layer_network(draw, P, D1, D2)
    networks = oracles.Networks(weights)
    q_z1 = networks.gaussian("q_z1", x)
    z1 = q_z1.mean + q_z1.scale * eps[..., :D1]
    above = networks.gaussian("q_z2", z1)
    inputs = {"q_z1": x, "q_z2": z1, "p_z1": above.mean + above.scale * eps[..., D1:]}
    stretch(weights, part, inputs[part], *ends)
    return x, eps, keywords, weights


@check("todo1", "TwoLayerIWAE.log_weights: values")
def two_layers_values(remote, draw):
    for sizes in (draw.sizes(5, high=10), draw.large(5)):
        expect(remote, draw, random_two_layer_case(remote, draw, *sizes))
    k, B, D, P = draw.sizes(4, high=10)
    expect(remote, draw, random_two_layer_case(remote, draw, k, B, D, D, P))
    for part in ("q_z1", "q_z2", "p_z1"):
        for ends in (NARROW, WIDE):
            extremes = extreme_two_layers(draw, *draw.sizes(5, high=10), part, ends)
            expect(remote, draw, two_layer_case(remote, *extremes, is_extreme=True))


@check("todo1", "TwoLayerIWAE.log_weights: gradients to the networks' weights")
def two_layers_gradients(remote, draw):
    for sizes in (draw.sizes(5, high=10), draw.large(5)):
        expect(remote, draw, random_two_layer_case(remote, draw, *sizes, gradients=("parameters",)))


POINTS = 12  # along each axis: 144 samples, so few that a loop over them is done in time


@check("todo1", "TwoLayerIWAE.log_weights: the mean weight is p(x), by quadrature")
def two_layers_evidence(remote, draw):
    """With one unit in each layer, E_q[w] = p(x) can be integrated on both sides, whatever the networks are."""
    B, P = draw.sizes(2)
    noise, chances = tensor_grid(2, POINTS)  # [2, k], [k]
    eps = noise.T[:, None].expand(-1, B, -1).contiguous()  # [k, B, 2]
    x = draw.binary(B, P)
    case = two_layer_case(remote, x, eps, *two_layer_network(draw, P, 1, 1, smooth=0.1))
    expected = oracles.two_layer_evidence(oracles.Networks(case.model.state_dict()), x).log()
    expect_evidence(remote, draw, case, chances.log(), expected, "E_q[exp(log_w)] = p(x), the evidence")


def expect_evidence(remote, draw, case, log_weight, expected, right):
    """The quadrature of the weights, with the logarithms log_weight [k] of its own, against log p [B]."""
    answer = remote.call(case.task, case.target, case.inputs, seed=draw.seed())
    if answer.output.shape != (len(log_weight), len(expected)):
        expect(remote, draw, case)
    found = torch.logsumexp(log_weight[:, None] + answer.output, 0)  # [B]
    # What is left of the quadrature's error is far smaller than rounding, of log_w and of exp.
    if fault := value_fault(found, expected, case.scale.median()):
        expect(remote, draw, case)
        came_back = f"log weights whose mean weight is wrong: {fault[1].replace('of the right shape ', '')}"
        raise Lost("WRONG_VALUE", came_back, describe_call(remote, case), right)


@check("todo1", "TwoLayerIWAE.log_weights: where q is the exact posterior, every sample has log w = log p(x)")
def two_layers_exact_posterior(remote, draw):
    """Both layers are linear and Gaussian, and the image tells nothing: the posterior is p(z1) p(z2 | z1)."""
    k, B, D, P = draw.sizes(4, high=10)
    keywords = {"d_data": P, "d1": D, "d2": D, "hidden1": draw.sizes(1), "hidden2": []}
    weights = {n: torch.zeros_like(w) for n, w in random_weights(draw, TWO_LAYERS, keywords).items()}
    a, s, mean = draw.uniform(0.3, 1.5, D), draw.uniform(0.3, 1.5, D), draw.normal(D)
    sd, slope, offset, sd_above = oracles.exact_chain(a, s, mean)
    weights["p_z1.mu.weight"], weights["p_z1.mu.bias"], weights["p_z1.log_sigma.bias"] = a.diag(), mean, s.log()
    weights["q_z1.mu.bias"], weights["q_z1.log_sigma.bias"] = mean.clone(), sd.log()
    weights["q_z2.mu.weight"], weights["q_z2.mu.bias"] = slope.diag(), offset
    weights["q_z2.log_sigma.bias"] = sd_above.log()
    weights["decoder.head.bias"] = logits = draw.normal(P)
    x = draw.binary(B, P)
    case = two_layer_case(remote, x, draw.normal(k, B, 2 * D), keywords, weights)
    log_p = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(1)
    case.oracle = lambda *_: log_p.expand(k, B)
    case.right = "log p(x), the same number for every sample, since q is the exact posterior here"
    expect(remote, draw, case)


@check("todo1", "TwoLayerIWAE.log_weights: one sample, one unit, k = B, images independent of each other")
def two_layers_shapes(remote, draw):
    B, D1, D2, P = draw.sizes(4, high=10)
    for k in (1, B):
        expect(remote, draw, random_two_layer_case(remote, draw, k, B, D1, D2, P))
    expect(remote, draw, random_two_layer_case(remote, draw, D2, 1, 1, D1, P))
    network, x, eps = two_layer_network(draw, P, D1, D2), draw.binary(B, P), draw.normal(B, B, D1 + D2)

    def case_of(images):
        return two_layer_case(remote, images, eps, *network)

    expect_independence(remote, draw, case_of, x, 0, lambda first: 1 - first)


@check("todo1", "TwoLayerIWAE.sample: values")
def sample_values(remote, draw):
    for sizes in (draw.sizes(4, high=10), draw.large(4)):
        expect(remote, draw, random_sample_case(remote, draw, *sizes))
    n, D, P = draw.sizes(3, high=10)
    expect(remote, draw, random_sample_case(remote, draw, n, D, D, P))
    for ends in (NARROW, (0.0, math.log(30))):
        n, D1, D2, P = draw.sizes(4, high=10)
        eps = draw.outlying(n, D1 + D2)
        keywords, weights = two_layer_network(draw, P, D1, D2)
        stretch(weights, "p_z1", eps[:, D1:], *ends)
        expect(remote, draw, sample_case(remote, eps, keywords, weights, is_extreme=True))


@check("todo1", "TwoLayerIWAE.sample: one image, one unit, each independent of the others")
def sample_shapes(remote, draw):
    n, D1, D2, P = draw.sizes(4, high=10)
    expect(remote, draw, random_sample_case(remote, draw, 1, D1, D2, P))
    expect(remote, draw, random_sample_case(remote, draw, n, 1, D2, P))
    expect(remote, draw, random_sample_case(remote, draw, n, D1, 1, P))
    network = two_layer_network(draw, P, D1, D2)
    eps = draw.normal(n, D1 + D2)
    expect_independence(remote, draw, lambda eps: sample_case(remote, eps, *network), eps, 0, lambda first: -first)


@check("todo1", "the same twice; inputs and torch's settings left alone")
def todo1_side_effects(remote, draw):
    k, B, D1, D2, P = draw.sizes(5, high=10)
    expect_no_side_effects(remote, draw, random_two_layer_case(remote, draw, k, B, D1, D2, P))
    expect_no_side_effects(remote, draw, random_sample_case(remote, draw, B, D1, D2, P))


# TODO 2 ---------------------------------------------------------------------------------------------------

GIVEN_LABEL = (
    "log p(x | z, y) + log p(z | y) - log q(z | x, y) at z = mu + sigma * eps, one number for each sample of each "
    "image, with p(z | y) as model.prior(y) says"
)


def conditional_case(remote, x, eps, y, keywords, weights, **options):
    networks = oracles.Networks(weights)

    def oracle(x, eps, y):
        return oracles.conditional_log_weights(networks, x, eps, y)[0]

    scale = oracles.conditional_log_weights(networks, x, eps, y)[1]
    how = (keywords, weights, {"x": x, "eps": eps, "y": y}, oracle, GIVEN_LABEL, scale)
    return model_case(remote, "todo2", CONDITIONAL, "log_weights", *how, **options)


def random_conditional_case(remote, draw, k, B, D, C, P, prior, **options):
    x, eps, y = draw.binary(B, P), draw.normal(k, B, D), one_hot(draw, B, C)
    return conditional_case(remote, x, eps, y, *conditional_network(draw, P, C, D, prior), **options)


def expect_conditional_values(remote, draw, prior, parts):
    for sizes in (draw.sizes(5, high=10), draw.large(5)):
        expect(remote, draw, random_conditional_case(remote, draw, *sizes, prior))
    for part in parts:
        for ends in (NARROW, WIDE):
            k, B, D, C, P = draw.sizes(5, low=3, high=10)
            x, eps, y = draw.binary(B, P), draw.outlying(k, B, D), one_hot(draw, B, C)
            keywords, weights = conditional_network(draw, P, C, D, prior)
            stretch(weights, part, y if part == "p_z" else torch.cat([x, y], 1), *ends)
            expect(remote, draw, conditional_case(remote, x, eps, y, keywords, weights, is_extreme=True))


@check("todo2", "ConditionalIWAE.log_weights: values, prior standard")
def standard_values(remote, draw):
    expect_conditional_values(remote, draw, "standard", ("q_z",))


@check("todo2", "ConditionalIWAE.log_weights: values, prior label")
def label_values(remote, draw):
    expect_conditional_values(remote, draw, "label", ("q_z", "p_z"))


@check("todo2", "ConditionalIWAE.log_weights: gradients to the networks' weights")
def conditional_gradients(remote, draw):
    for prior in ("standard", "label"):
        for sizes in (draw.sizes(5, high=10), draw.large(5)):
            expect(remote, draw, random_conditional_case(remote, draw, *sizes, prior, gradients=("parameters",)))


@check("todo2", "ConditionalIWAE.log_weights: the mean weight is p(x | y), by quadrature")
def conditional_evidence(remote, draw):
    """With one latent unit, for the same images with every label."""
    for prior in ("standard", "label"):
        B, P, C = draw.sizes(3)
        points, weights = gauss_hermite(64)
        x, y = draw.binary(B, P).repeat(C, 1), torch.eye(C).double().repeat_interleave(B, 0)  # [C B, .]
        eps = points[:, None, None].expand(-1, len(x), 1).contiguous()
        case = conditional_case(remote, x, eps, y, *conditional_network(draw, P, C, 1, prior, smooth=0.2))
        expected = oracles.conditional_evidence(oracles.Networks(case.model.state_dict()), x, y).log()
        right = "E_q[exp(log_w)] = p(x | y), the evidence given the label"
        expect_evidence(remote, draw, case, weights.log(), expected, right)


@check("todo2", "ConditionalIWAE.log_weights: one sample, one class, k = B, images independent of each other")
def conditional_shapes(remote, draw):
    B, D, C, P = draw.sizes(4, high=10)
    for k in (1, B):
        expect(remote, draw, random_conditional_case(remote, draw, k, B, D, C, P, "label"))
    expect(remote, draw, random_conditional_case(remote, draw, D, 1, 1, C, P, "label"))
    expect(remote, draw, random_conditional_case(remote, draw, D, B, C, 1, P, "label"))
    network, x, eps = conditional_network(draw, P, C, D, "label"), draw.binary(B, P), draw.normal(B, B, D)
    y = one_hot(draw, B, C)

    def with_images(images):
        return conditional_case(remote, images, eps, y, *network)

    def with_labels(labels):
        return conditional_case(remote, x, eps, labels, *network)

    expect_independence(remote, draw, with_images, x, 0, lambda first: 1 - first)
    expect_independence(remote, draw, with_labels, y, 0, lambda first: first.roll(1, 1))


@check("todo2", "the same twice; inputs and torch's settings left alone")
def todo2_side_effects(remote, draw):
    for prior in ("standard", "label"):
        expect_no_side_effects(remote, draw, random_conditional_case(remote, draw, *draw.sizes(5, high=10), prior))


# TODO 3 ---------------------------------------------------------------------------------------------------

VARIANCE = "the variance of each column over the images, one number for each unit"
SCORES = "the centred rows, projected on the n directions of largest variance, the largest first; signs are free"


def activity_case(means, ddof=1, is_extreme=False):
    scale = means.double().square().mean(0)  # what a right form may subtract from each other
    oracle = functools.partial(oracles.activity, ddof=ddof)
    return Case("todo3", "activity", {"means": means}, oracle, VARIANCE, scale, is_extreme=is_extreme)


def ddof_of(remote, draw):
    """What the file subtracts from N in its variance: 0 and 1 are both right, and told apart by two images."""
    case = activity_case(torch.tensor([[1.0], [3.0]]).double())
    found = remote.call(case.task, case.target, case.inputs, seed=draw.seed()).output
    right = oracles.activity(case.inputs["means"], ddof=0)
    return 0 if found.shape == right.shape and torch.isclose(found, right, rtol=1e-4).all() else 1


def units(draw, N, D):
    """Posterior means of units that are dead, used a little and used much, about different centres.  [N, D]"""
    return draw.log_uniform(1e-3, 5, D) * draw.normal(N, D) + 2 * draw.normal(D)


def scores_and_rows(draw, N, D, ratio=0.6):
    """Orthogonal scores [N, r], whose sizes fall by the ratio from one to the next, and rows that have them [N, D]."""
    r = min(N - 1, D)
    centred = draw.normal(N, r)
    orthogonal, _ = torch.linalg.qr(centred - centred.mean(0))  # its columns have mean 0, as what they are made of
    directions, _ = torch.linalg.qr(draw.normal(D, r))  # [D, r]
    scores = orthogonal * 10 * ratio ** torch.arange(r)
    return scores, scores @ directions.T + 3 * draw.normal(D)


def components_case(remote, draw, N, D, n, is_extreme=False, ratio=0.6):
    """The scores are known, since the rows were made of them; their signs are taken from the file."""
    scores, rows = scores_and_rows(draw, N, D, ratio)
    expected = scores[:, :n]
    case = Case(
        "todo3", "principal_components", {"a": rows}, lambda a, n: expected, SCORES, 50.0, {"n": n},
        is_extreme=is_extreme,
    )  # fmt: skip
    found = remote.call(case.task, case.target, case.inputs, seed=draw.seed(), n=n).output
    if found.shape == expected.shape:
        signs = (found * expected).sum(0).sign()
        expected = expected * torch.where(signs == 0, 1, signs)
    return case


@check("todo3", "activity: values")
def activity_values(remote, draw):
    ddof = ddof_of(remote, draw)
    for N, D in (draw.sizes(2), draw.large(2)):
        expect(remote, draw, activity_case(units(draw, N, D), ddof))
    N, D = draw.sizes(2, low=3)
    expect(remote, draw, activity_case(torch.full((N, D), 0.75).double(), ddof))
    expect(remote, draw, activity_case(draw.log_uniform(1e-2, 1e2, N, D), ddof, is_extreme=True))


@check("todo3", "principal_components: values")
def components_values(remote, draw):
    N, D = draw.sizes(2, low=4)
    for n in (1, 2, min(N - 1, D)):
        expect(remote, draw, components_case(remote, draw, N, D, n))
    expect(remote, draw, components_case(remote, draw, *draw.large(2), 3))
    expect(remote, draw, components_case(remote, draw, 6, 35, 3))
    expect(remote, draw, components_case(remote, draw, 35, 6, 3))


@check("todo3", "shapes: two images, one unit, N = D, each unit by itself")
def todo3_shapes(remote, draw):
    N, D = draw.sizes(2, low=3)
    ddof = ddof_of(remote, draw)
    for shape in ((2, D), (N, 1), (N, N)):
        expect(remote, draw, activity_case(units(draw, *shape), ddof))
    expect_independence(
        remote, draw, lambda means: activity_case(means, ddof), units(draw, N, D), 1, lambda first: 3 * first
    )
    for N_, D_, n in ((2, D, 1), (N, 1, 1), (N, N, 2)):
        expect(remote, draw, components_case(remote, draw, N_, D_, n))


@check("todo3", "the same twice; inputs and torch's settings left alone")
def todo3_side_effects(remote, draw):
    N, D = draw.sizes(2, low=4)
    expect_no_side_effects(remote, draw, activity_case(units(draw, N, D), ddof_of(remote, draw)))
    expect_no_side_effects(remote, draw, components_case(remote, draw, N, D, 2))
