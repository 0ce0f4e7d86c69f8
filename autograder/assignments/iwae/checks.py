"""The hidden checks of the three TODOs. Each draws fresh inputs and compares with an oracle.

A check is a function of the submission's file, remote in its sandbox, and of its own Draw; it returns where all is well
and raises Lost where not. Inputs are float64 unless a check is about float32; judge.TOLERANCE says how near an answer
must be, and why.
"""

import functools
import math

import torch

from autograder.assignments.iwae import ASSIGNMENT, oracles
from autograder.assignments.iwae.inputs import random_weights, spread, stretch
from autograder.grading.assignment import Checks
from autograder.grading.invariants import expect_independence, expect_no_side_effects
from autograder.grading.judge import TOLERANCE, Case, describe_call, expect, value_fault
from autograder.grading.quadrature import gauss_hermite, tensor_grid, trapezoid
from autograder.grading.verdicts import Lost

CHECKS = Checks(ASSIGNMENT.points)
check = CHECKS.add


# TODO 1 ---------------------------------------------------------------------------------------------------

DENSITY = "the log-density of torch.distributions.Normal(mu, sigma) at z, summed over the last axis"
SAMPLE = "mu + sigma * eps, one sample for each of eps"


def gaussian_case(z, mu, sigma, gradients=(), is_extreme=False):
    inputs = {"z": z, "mu": mu, "sigma": sigma}
    exact = {name: tensor.double() for name, tensor in inputs.items()}
    return Case(
        "todo1",
        "gaussian_log_likelihood",
        inputs,
        oracles.gaussian_log_likelihood,
        DENSITY,
        oracles.gaussian_scale(**exact),
        gradients=gradients,
        gradient_scale=functools.partial(oracles.gaussian_gradient_scale, **exact),
        is_extreme=is_extreme,
    )


def moderate(draw, B, D):
    """mu and sigma [B, D]; sigma lies on both sides of 1, where mistakes about it cancel."""
    mu, sigma = 2 * draw.normal(B, D), draw.uniform(0.2, 3, B, D)
    sigma[0, 0], sigma[-1, -1] = draw.uniform(0.25, 0.4), draw.uniform(2, 3)
    return mu, sigma


def extreme(draw, B, D):
    """mu and sigma [B, D]; sigma goes from narrower to wider than that of any trained encoder."""
    sigma = draw.log_uniform(1e-3, 1e3, B, D)
    return 2 * sigma * draw.normal(B, D), sigma


def gaussian_inputs(draw, k, B, D, moments=moderate):
    """z [k, B, D], mu and sigma [B, D]"""
    mu, sigma = moments(draw, B, D)
    return mu + 2 * sigma * draw.normal(k, B, D), mu, sigma


def noise_case(draw, k, B, D, gradients=(), moments=moderate):
    mu, sigma = moments(draw, B, D)
    is_extreme = moments is extreme
    eps = draw.outlying(k, B, D) if is_extreme else draw.normal(k, B, D).clamp(-2, 2)
    inputs = {"mu": mu, "sigma": sigma, "eps": eps}
    scale = mu.abs() + (sigma * eps).abs()
    return Case(
        "todo1",
        "reparameterize",
        inputs,
        oracles.reparameterize,
        SAMPLE,
        scale,
        gradients=gradients,
        is_extreme=is_extreme,
    )


@check("todo1", "gaussian_log_likelihood: values")
def gaussian_values(remote, draw):
    k, B, D = draw.sizes(3)
    expect(remote, draw, gaussian_case(*gaussian_inputs(draw, k, B, D)))
    zeros, ones = torch.zeros(B, D).double(), torch.ones(B, D).double()
    expect(remote, draw, gaussian_case(2 * draw.normal(k, B, D), zeros, ones))
    far = 5 * draw.outlying(B, D)
    expect(remote, draw, gaussian_case(far + draw.normal(k, B, D), far, ones, is_extreme=True))
    expect(remote, draw, gaussian_case(*gaussian_inputs(draw, k, B, D, extreme), is_extreme=True))
    expect(remote, draw, gaussian_case(*gaussian_inputs(draw, *draw.large(3))))


@check("todo1", "gaussian_log_likelihood: gradients")
def gaussian_gradients(remote, draw):
    names, sizes = ("z", "mu", "sigma"), draw.sizes(3)
    expect(remote, draw, gaussian_case(*gaussian_inputs(draw, *sizes), names))
    expect(remote, draw, gaussian_case(*gaussian_inputs(draw, *sizes, extreme), names, is_extreme=True))
    expect(remote, draw, gaussian_case(*gaussian_inputs(draw, *draw.large(3)), names))


@check("todo1", "gaussian_log_likelihood: far from the mean, in float32")
def gaussian_far_away(remote, draw):
    """By 30 and 1000 standard deviations: the density is exp(-450) and exp(-500,000)."""
    sizes = draw.sizes(3)
    for distance, (k, B, D), moments in (
        (30, sizes, moderate),
        (1000, sizes, moderate),
        (30, sizes, extreme),
        (30, draw.large(3), moderate),
    ):
        mu, sigma = (tensor.float() for tensor in moments(draw, B, D))
        sign = draw.binary(k, B, D) * 2 - 1
        z = (mu + distance * sigma * sign * draw.uniform(1, 1.5, k, B, D)).float()
        expect(remote, draw, gaussian_case(z, mu, sigma, is_extreme=moments is extreme))


@check("todo1", "reparameterize: values")
def reparameterize_values(remote, draw):
    sizes = draw.sizes(3)
    expect(remote, draw, noise_case(draw, *sizes))
    expect(remote, draw, noise_case(draw, *sizes, moments=extreme))
    expect(remote, draw, noise_case(draw, *draw.large(3)))


@check("todo1", "reparameterize: gradients to mu and sigma")
def reparameterize_gradients(remote, draw):
    names, sizes = ("mu", "sigma"), draw.sizes(3)
    expect(remote, draw, noise_case(draw, *sizes, names))
    expect(remote, draw, noise_case(draw, *sizes, names, extreme))
    expect(remote, draw, noise_case(draw, *draw.large(3), names))


@check("todo1", "shapes: one sample, k = B, [B, D] without samples")
def todo1_shapes(remote, draw):
    B, D = draw.sizes(2)
    for k in (1, B):
        z, mu, sigma = gaussian_inputs(draw, k, B, D)
        expect(remote, draw, noise_case(draw, k, B, D))
        expect(remote, draw, gaussian_case(z, mu, sigma))
        expect(remote, draw, gaussian_case(z[0], mu, sigma))


@check("todo1", "the same twice; inputs and torch's settings left alone")
def todo1_side_effects(remote, draw):
    sizes = draw.sizes(3)
    expect_no_side_effects(remote, draw, gaussian_case(*gaussian_inputs(draw, *sizes)))
    expect_no_side_effects(remote, draw, noise_case(draw, *sizes))


# TODO 2 ---------------------------------------------------------------------------------------------------

WEIGHT = "log p(x | z) + log p(z) - log q(z | x) at z = mu + sigma * eps, one number for each sample of each image"
MEAN = "the mean of log_w over the samples, one number for each image"


def network(draw, P, D, tied, hidden=None, head=1.0):
    """The keywords of an IWAE with one hidden layer, and random weights for it."""
    keywords = {"d_data": P, "d_latent": D, "hidden": [hidden or draw.sizes(1)[0]], "tied": tied}
    return keywords, random_weights(draw, keywords, head)


def extreme_network(draw, x, eps, tied, log_sigma, logits=None):
    """The same, where log(sigma) of the images, and the logits of the samples, go from one end to the other."""
    keywords, weights = network(draw, x.shape[-1], eps.shape[-1], tied)
    oracle = oracles.Network(weights, tied)
    if tied:
        stretch(weights, "encoder.head", oracle.layers("encoder", x), *log_sigma)
    else:
        for i, ends in enumerate([(-30, 30), log_sigma]):
            rows = slice(i * eps.shape[-1], (i + 1) * eps.shape[-1])
            stretch(weights, "encoder.head", oracle.layers("encoder", x)[:, rows], *ends, rows)
    if logits:
        mu, sigma = oracle.encode(x)
        stretch(weights, "decoder.head", oracle.layers("decoder", mu + sigma * eps), *logits)
    return keywords, weights


def weights_case(remote, x, eps, keywords, weights, gradients=(), is_extreme=False):
    """log_weights of the network with these weights, made in the sandbox first."""
    oracle = oracles.Network(weights, keywords["tied"])
    remote.create("todo2", "IWAE", keywords, weights, "float64")
    mu, sigma = oracle.encode(x)
    z = mu + sigma * eps
    zeros = torch.zeros_like(z)
    scale = (
        oracle.log_likelihood(x, z).abs()
        + oracles.gaussian_scale(z, zeros, zeros + 1)
        + oracles.gaussian_scale(z, mu, sigma)
    )
    return Case(
        "todo2",
        "model.log_weights",
        {"x": x, "eps": eps},
        oracle.log_weights,
        WEIGHT,
        scale,
        {},
        gradients,
        weights if gradients else {},
        ASSIGNMENT.model("IWAE", keywords, weights),
        is_extreme=is_extreme,
    )


def random_case(remote, draw, k, B, D, P, tied, gradients=()):
    """log_weights of a random network, for random images and noise."""
    x, eps = draw.binary(B, P), draw.normal(k, B, D)
    return weights_case(remote, x, eps, *network(draw, P, D, tied), gradients)


def mean_case(log_w, gradients=(), is_extreme=False):
    return Case(
        "todo2",
        "vae_objective",
        {"log_w": log_w},
        lambda log_w: log_w.mean(0),
        MEAN,
        log_w.double().abs().mean(0),
        gradients=gradients,
        is_extreme=is_extreme,
    )


NARROW, WIDE = (math.log(1e-3), 0.0), (0.0, math.log(1e3))  # of log(sigma)
# A right form through probabilities loses log(1 - p) beyond 25, since p is 1 there, and log(p) below -100.
LOGITS = (-90.0, 25.0)


@check("todo2", "log_weights: values")
def log_weights_values(remote, draw):
    for tied in (True, False):
        k, B, D, P = draw.sizes(4, high=12)
        expect(remote, draw, random_case(remote, draw, k, B, D, P, tied))
        x, eps = draw.binary(B, P), draw.outlying(k, B, D)
        for ends, logits in ((NARROW, LOGITS), (WIDE, None)):
            extremes = extreme_network(draw, x, eps, tied, ends, logits)
            expect(remote, draw, weights_case(remote, x, eps, *extremes, is_extreme=True))
    expect(remote, draw, random_case(remote, draw, *draw.large(4), True))
    # Positive log weights: a wide q with more units than the image has pixels to explain, and samples near its mean.
    x, eps = draw.binary(B, 2), 1e-3 * draw.normal(k, B, 30)
    expect(remote, draw, weights_case(remote, x, eps, *extreme_network(draw, x, eps, True, WIDE), is_extreme=True))


@check("todo2", "log_weights: gradients to the network's weights")
def log_weights_gradients(remote, draw):
    for tied in (True, False):
        expect(remote, draw, random_case(remote, draw, *draw.sizes(4, high=12), tied, ("parameters",)))
    expect(remote, draw, random_case(remote, draw, *draw.large(4), True, ("parameters",)))


@check("todo2", "log_weights: the mean weight is p(x), by quadrature")
def log_weights_evidence(remote, draw):
    """With one latent unit, E_q[w] = p(x) can be integrated on both sides, whatever the network is."""
    B, P = draw.sizes(2)
    points, width = trapezoid(25.0, 501)  # of eps: wide enough for a q of standard deviation 0.3
    eps = points.view(-1, 1, 1).expand(-1, B, 1).contiguous()
    x = draw.binary(B, P)
    keywords, weights = network(draw, P, 1, True, head=0.25)
    case = weights_case(remote, x, eps, keywords, weights)
    answer = remote.call("todo2", case.target, {"x": x, "eps": eps}, seed=draw.seed())
    densities = torch.distributions.Normal(0.0, 1.0).log_prob(points) + math.log(width)
    if answer.output.shape != (len(points), B):
        expect(remote, draw, case)
    found = torch.logsumexp(densities[:, None] + answer.output, 0)  # [B]
    expected = oracles.Network(weights, True).evidence(x).log()
    # Both sums converge faster than any power of the step; what is left is rounding, of log_w and of exp.
    fault = value_fault(found, expected, case.scale.max())
    if fault:
        came_back = f"log weights whose mean weight is not p(x): {fault[1].replace('of the right shape ', '')}"
        raise Lost("WRONG_VALUE", came_back, describe_call(remote, case), "E_q[exp(log_w)] = p(x), the evidence")


@check("todo2", "log_weights: one sample, k = B, images independent of each other")
def log_weights_shapes(remote, draw):
    B, D, P = draw.sizes(3, high=12)
    for k in (1, B):
        expect(remote, draw, random_case(remote, draw, k, B, D, P, True))
    keywords, weights = network(draw, P, D, True)
    x, eps = draw.binary(B, P), draw.normal(B, B, D)

    def case_of(images):
        return weights_case(remote, images, eps, keywords, weights)

    expect_independence(remote, draw, case_of, x, 0, lambda first: 1 - first)


@check("todo2", "log_weights: encodes each image once")
def log_weights_encodes_once(remote, draw):
    """By the hidden units that were computed from pixels: there are far more of them than samples of all images."""
    k, B, D, P = draw.sizes(4, low=3, high=12)
    n_hidden = 2000
    x, eps = draw.binary(B, P), draw.normal(k, B, D)
    case = weights_case(remote, x, eps, *network(draw, P, D, True, n_hidden))
    answer = remote.call("todo2", case.target, case.inputs, seed=draw.seed(), counted=P)
    n_encoded = round(answer.reduced / n_hidden)
    if n_encoded > B:
        came_back = f"the encoder was given {n_encoded} images for a batch of {B} with k = {k}"
        right = "mu and sigma do not depend on the sample: encode each image once"
        raise Lost("WRONG_VALUE", came_back, describe_call(remote, case), right, "logw.encoder_per_sample")
    expect(remote, draw, case)


@check("todo2", "vae_objective: values")
def vae_values(remote, draw):
    k, B = draw.sizes(2, low=3)
    expect(remote, draw, mean_case(-draw.uniform(1, 10, k, B)))
    for log_w in (5 * draw.normal(k, B), spread(draw, k, B), 1e4 * draw.outlying(k, B)):
        expect(remote, draw, mean_case(log_w, is_extreme=True))
    expect(remote, draw, mean_case(spread(draw, *draw.large(2)).float()))


@check("todo2", "vae_objective: gradients")
def vae_gradients(remote, draw):
    for k, B in (draw.sizes(2, low=3), draw.large(2)):
        expect(remote, draw, mean_case(5 * draw.normal(k, B), ("log_w",)))


@check("todo2", "vae_objective: the ELBO of a model that is known in closed form")
def vae_elbo(remote, draw):
    """log w is quadratic in eps there, so that Gauss-Hermite quadrature of it is exact."""
    model = linear_gaussian(draw)
    points, weights = gauss_hermite(32)
    log_w = model.log_weights(points)[None].repeat(2, 1)  # [k, B]: k equal samples, an image for each point
    answer = expect(remote, draw, mean_case(log_w))
    expect_bound(answer.output, weights, model.elbo(), model.log_evidence(), "vae_objective", log_w)


@check("todo2", "vae_objective: one sample, k = B, images independent of each other")
def vae_shapes(remote, draw):
    (B,) = draw.sizes(1, low=3)
    for k in (1, B):
        expect(remote, draw, mean_case(5 * draw.normal(k, B)))
    expect_independence(remote, draw, mean_case, 5 * draw.normal(B + 1, B), 1, lambda first: first - 7)


@check("todo2", "the same twice; inputs and torch's settings left alone")
def todo2_side_effects(remote, draw):
    k, B, D, P = draw.sizes(4, high=12)
    expect_no_side_effects(remote, draw, mean_case(5 * draw.normal(k, B)))
    expect_no_side_effects(remote, draw, random_case(remote, draw, k, B, D, P, True))


def linear_gaussian(draw):
    """A model with one latent unit and an imperfect q: the bounds lie well apart."""
    x, s = float(draw.uniform(0.8, 2)), float(draw.uniform(0.4, 0.7))
    return oracles.LinearGaussian(x, s, float(draw.uniform(0, 0.5)) * x, float(draw.uniform(0.6, 0.9)))


def expect_bound(bounds, weights, elbo, log_evidence, target, log_w, k=1):
    """The quadrature of the bounds of all points: the ELBO for one sample, between it and log p(x) for more."""
    found = (weights @ bounds.double()).item()
    tolerance = TOLERANCE * (1 + (weights @ log_w.abs().mean(0)).item())
    called = f"{ASSIGNMENT.signatures[target]} over a grid of samples, log_w {list(log_w.shape)}"
    if k == 1 and abs(found - elbo) > tolerance:
        raise Lost("WRONG_VALUE", f"{found:.4f} on average", called, "the ELBO, which is known in closed form here")
    if k > 1 and not elbo + tolerance < found < log_evidence - tolerance:
        side = "below the ELBO" if found <= elbo + tolerance else "above log p(x)"
        raise Lost("WRONG_VALUE", f"an average {side}", called, f"ELBO < L_{k} < log p(x), Burda et al., theorem 1")


# TODO 3 ---------------------------------------------------------------------------------------------------

LOG_MEAN = "log(mean(exp(a))) along dim, which moves by c when a moves by c"
BOUND = "the log of the mean weight over the samples, one number for each image"
LECTURE = ((-300.0, -201.0, -200.0), (-200.0, -200.0, -300.0))  # and two columns that tell its mistakes apart


def stairs(draw, k, B):
    """Weights 120 nats apart in all, far below 0: what is shifted by the smallest overflows in float32.  [k, B]"""
    return (torch.linspace(-1060, -940, k)[:, None] + draw.normal(B)).float()


def log_mean_case(a, dim=0, gradients=(), is_extreme=False):
    return Case(
        "todo3",
        "log_mean_exp",
        {"a": a},
        oracles.log_mean_exp,
        LOG_MEAN,
        a.double().abs().nan_to_num(posinf=0.0).mean(dim),
        {"dim": dim},
        gradients,
        is_extreme=is_extreme,
    )


def bound_case(log_w, gradients=(), is_extreme=False):
    return Case(
        "todo3",
        "iwae_objective",
        {"log_w": log_w},
        oracles.log_mean_exp,
        BOUND,
        log_w.double().abs().mean(0),
        gradients=gradients,
        is_extreme=is_extreme,
        inner=("log_mean_exp", "a", {"dim": 0}),
    )


@check("todo3", "log_mean_exp: values, along any axis")
def log_mean_exp_values(remote, draw):
    shape = draw.sizes(3)
    for dim in (0, 1, 2, -1):
        expect(remote, draw, log_mean_case(2 * draw.normal(*shape), dim))
    expect(remote, draw, log_mean_case(2 * draw.normal(*draw.large(2))))


@check("todo3", "log_mean_exp: gradients, the softmax")
def log_mean_exp_gradients(remote, draw):
    for shape in (draw.sizes(2), draw.large(2)):
        for dim in (0, 1):
            expect(remote, draw, log_mean_case(2 * draw.normal(*shape), dim, ("a",)))


@check("todo3", "log_mean_exp: no underflow, no overflow in float32")
def log_mean_exp_offsets(remote, draw):
    k, B = draw.sizes(2)
    expect(remote, draw, log_mean_case(-draw.uniform(1, 10, k, B).float()))
    for offset in (0, -100, 100, -1000, 1000, -1e4, 1e4):
        a = (2 * draw.normal(k, B) + offset).float()
        expect(remote, draw, log_mean_case(a, is_extreme=True))
    expect(remote, draw, log_mean_case(stairs(draw, k, B), is_extreme=True))
    a = (spread(draw, k, B) + 1000).float()  # every column at its own level, some above 0 and some below
    for gradients in ((), ("a",)):
        expect(remote, draw, log_mean_case(a, gradients=gradients, is_extreme=True))
    expect(remote, draw, log_mean_case((spread(draw, *draw.large(2)) + 1000).float()))


@check("todo3", "log_mean_exp([-300, -200]), the lecture's example, and its gradient in float32")
def log_mean_exp_lecture(remote, draw):
    a = torch.tensor(LECTURE)
    expect(remote, draw, log_mean_case(a))
    expect(remote, draw, log_mean_case(a, gradients=("a",)))


@check("todo3", "log_mean_exp: an entry of -infinity")
def log_mean_exp_minus_infinity(remote, draw):
    """A weight of zero. It must not reach the other columns; its own may be NaN, since a right form computes
    a - log_softmax(a), -inf - (-inf) there."""
    k, B = draw.sizes(2, low=3)
    a = (5 * draw.normal(k, B)).float()
    a[0, 0] = -math.inf
    case = log_mean_case(a)
    answer = remote.call(case.task, case.target, case.inputs, seed=draw.seed(), dim=0)
    expected = oracles.log_mean_exp(a)
    if answer.output.shape != expected.shape:
        expect(remote, draw, case)
    own = slice(1, None) if answer.output[0].isnan() else slice(None)
    fault = value_fault(answer.output[own], expected[own], case.scale.nan_to_num(posinf=0.0).max())
    if fault:
        right = "the mean of the other weights and a zero; the other columns as without it"
        raise Lost(fault[0], fault[1], describe_call(remote, case) + " with a[0, 0] = -inf", right)


@check("todo3", "iwae_objective: values")
def iwae_values(remote, draw):
    k, B = draw.sizes(2)
    expect(remote, draw, bound_case(-draw.uniform(1, 10, k, B)))
    for log_w in (3 * draw.normal(k, B), stairs(draw, k, B), -spread(draw, k, B), spread(draw, k, B)):
        expect(remote, draw, bound_case(log_w, is_extreme=True))
    expect(remote, draw, bound_case(spread(draw, *draw.large(2)).float()))


@check("todo3", "iwae_objective: gradients, the normalised weights")
def iwae_gradients(remote, draw):
    for k, B in (draw.sizes(2), draw.large(2)):
        expect(remote, draw, bound_case(2 * draw.normal(k, B), ("log_w",)))


@check("todo3", "iwae_objective: ELBO < L_2 < log p(x), by quadrature")
def iwae_bound(remote, draw):
    model = linear_gaussian(draw)
    eps, chances = tensor_grid(2, 32)
    log_w = model.log_weights(eps)  # [k, B]: an image for each pair of points
    answer = expect(remote, draw, bound_case(log_w))
    expect_bound(answer.output, chances, model.elbo(), model.log_evidence(), "iwae_objective", log_w, k=2)


@check("todo3", "iwae_objective: one sample, k = B, images independent of each other")
def iwae_shapes(remote, draw):
    (B,) = draw.sizes(1)
    for k in (B, 1):
        expect(remote, draw, bound_case(2 * draw.normal(k, B)))
    expect_independence(remote, draw, bound_case, 2 * draw.normal(B + 1, B), 1, lambda first: first - 7)


@check("todo3", "the same twice; inputs and torch's settings left alone")
def todo3_side_effects(remote, draw):
    k, B = draw.sizes(2)
    expect_no_side_effects(remote, draw, log_mean_case(2 * draw.normal(k, B)))
    expect_no_side_effects(remote, draw, bound_case(2 * draw.normal(k, B)))
