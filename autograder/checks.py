"""The hidden checks of the three TODOs. Each draws fresh inputs and compares with an oracle.

A check is a function of the student and of its own Draw; it returns where all is well and raises Lost where not.
Inputs are float64 unless a check is about float32; judge.TOLERANCE says how near an answer must be, and why.
"""

import math
import tomllib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from autograder import oracles
from autograder.judge import TOLERANCE, Case, describe_call, expect, random_model, value_fault
from autograder.sandbox import HERE
from autograder.student import SIGNATURES, Lost

POINTS = tomllib.loads((HERE / "points.toml").read_text(encoding="utf-8"))
CHECKS = []


@dataclass(frozen=True)
class Check:
    id: str
    task: str  # "todo1", "todo2", "todo3" or "nll"
    title: str
    run: Callable  # (student, draw) -> None, or Lost; a check of the NLL gets its measurements in the student's place

    @property
    def points(self):
        return POINTS[self.task][self.id]


def check(task, title):
    def register(function):
        CHECKS.append(Check(function.__name__, task, title, function))
        return function

    return register


# TODO 1 ---------------------------------------------------------------------------------------------------

DENSITY = "the log-density of torch.distributions.Normal(mu, sigma) at z, summed over the last axis"
SAMPLE = "mu + sigma * eps, one sample for each of eps"


def gaussian_case(z, mu, sigma, gradients=()):
    inputs = {"z": z, "mu": mu, "sigma": sigma}
    exact = {name: tensor.double() for name, tensor in inputs.items()}
    scale = oracles.gaussian_scale(**exact)
    return Case(
        "todo1", "gaussian_log_likelihood", inputs, oracles.gaussian_log_likelihood, DENSITY, scale, gradients=gradients
    )


UNITS = (1 / 250, 250)  # in which sigma, and all else, is small or large: it then reaches from 0.001 to 1000


def moments(draw, B, D, unit=1):
    """mu and sigma [B, D]; in units of one sigma lies on both sides of 1, where mistakes about it cancel."""
    mu, sigma = 2 * draw.normal(B, D), draw.uniform(0.25, 4, B, D)
    sigma[0, 0], sigma[-1, -1] = draw.uniform(0.25, 0.4), draw.uniform(2, 4)
    return unit * mu, unit * sigma


def gaussian_inputs(draw, k, B, D, unit=1):
    """z [k, B, D], mu and sigma [B, D]."""
    mu, sigma = moments(draw, B, D, unit)
    return mu + 2 * sigma * draw.normal(k, B, D), mu, sigma


def noise_case(draw, k, B, D, gradients=(), unit=1):
    mu, sigma = moments(draw, B, D, unit)
    inputs = {"mu": mu, "sigma": sigma, "eps": draw.normal(k, B, D)}
    scale = mu.abs() + (sigma * inputs["eps"]).abs()
    return Case("todo1", "reparameterize", inputs, oracles.reparameterize, SAMPLE, scale, gradients=gradients)


@contextmanager
def clamping(misconception):
    """What is lost in here, where sigma is far from 1 and all was right near it, is a matter of its range."""
    try:
        yield
    except Lost as lost:
        lost.misconception = misconception
        raise


@check("todo1", "gaussian_log_likelihood: values")
def gaussian_values(student, draw):
    k, B, D = draw.sizes(3)
    z, mu, sigma = gaussian_inputs(draw, k, B, D)
    expect(student, draw, gaussian_case(z, mu, sigma))
    expect(student, draw, gaussian_case(z, torch.zeros(B, D).double(), torch.ones(B, D).double()))
    expect(student, draw, gaussian_case(*gaussian_inputs(draw, *draw.large_sizes(3))))
    sigma = draw.wide(B, D)
    mu = 2 * sigma * draw.normal(B, D)
    with clamping("gauss.clamped_sigma"):
        expect(student, draw, gaussian_case(mu + 2 * sigma * draw.normal(k, B, D), mu, sigma))


@check("todo1", "gaussian_log_likelihood: gradients")
def gaussian_gradients(student, draw):
    gradients = ("z", "mu", "sigma")
    for sizes in (draw.sizes(3), draw.large_sizes(3)):
        expect(student, draw, gaussian_case(*gaussian_inputs(draw, *sizes), gradients=gradients))
    with clamping("gauss.clamped_sigma"):
        for unit in UNITS:
            expect(student, draw, gaussian_case(*gaussian_inputs(draw, *draw.sizes(3), unit), gradients=gradients))


@check("todo1", "gaussian_log_likelihood: far from the mean, in float32")
def gaussian_far_away(student, draw):
    k, B, D = draw.sizes(3)
    _, mu, sigma = gaussian_inputs(draw, k, B, D)
    mu, sigma = mu.float(), sigma.float()
    sign = draw.binary(k, B, D) * 2 - 1
    for distance in (30, 1000):  # standard deviations: the density is exp(-450) and exp(-500,000)
        z = (mu + distance * sigma * sign * draw.uniform(1, 1.5, k, B, D)).float()
        expect(student, draw, gaussian_case(z, mu, sigma))


@check("todo1", "reparameterize: values")
def reparameterize_values(student, draw):
    for sizes in (draw.sizes(3), draw.large_sizes(3)):
        for _ in range(2):  # of the same sizes: the answer is no memory of the first
            expect(student, draw, noise_case(draw, *sizes))
    with clamping("reparam.clamped_sigma"):
        for unit in UNITS:
            expect(student, draw, noise_case(draw, *draw.sizes(3), unit=unit))


@check("todo1", "reparameterize: gradients to mu and sigma")
def reparameterize_gradients(student, draw):
    gradients = ("mu", "sigma")
    for sizes in (draw.sizes(3), draw.large_sizes(3)):
        expect(student, draw, noise_case(draw, *sizes, gradients))
    with clamping("reparam.clamped_sigma"):
        for unit in UNITS:
            expect(student, draw, noise_case(draw, *draw.sizes(3), gradients, unit))


@check("todo1", "shapes: one sample, k = B, [B, D] without samples")
def todo1_shapes(student, draw):
    B, D = draw.sizes(2)
    for k in (1, B):
        z, mu, sigma = gaussian_inputs(draw, k, B, D)
        expect(student, draw, noise_case(draw, k, B, D))
        expect(student, draw, gaussian_case(z, mu, sigma))
        expect(student, draw, gaussian_case(z[0], mu, sigma))


@check("todo1", "the same twice; inputs and torch's settings left alone")
def todo1_side_effects(student, draw):
    sizes = draw.sizes(3)
    expect_no_side_effects(student, draw, gaussian_case(*gaussian_inputs(draw, *sizes)))
    expect_no_side_effects(student, draw, noise_case(draw, *sizes))


# Settings of torch that change the numbers of other code. A seed that a call sets makes the noise of every training
# step the same; set once, at import, it changes nothing.
OTHERS_NUMBERS = ("default dtype", "default device", "gradient mode")


def expect_no_side_effects(student, draw, case):
    """Two calls on the same inputs give the same right answer, change no input and no setting that others depend on."""
    outputs = []
    for seed in (draw.seed(), draw.seed()):
        inputs = {name: tensor.clone() for name, tensor in case.inputs.items()}
        answer = student.call(case.task, case.target, inputs, seed=seed, **case.keywords)
        outputs.append(answer.output)
        called, right = describe_call(case), "the inputs and torch's settings as they were"
        if answer.edited:
            raise Lost("WRONG_VALUE", f"it changed its input {' and '.join(answer.edited)} in place", called, right)
        in_call = [name for name in answer.changed if name in (*OTHERS_NUMBERS, "random seed")]
        changed = in_call or [name for name in student.import_changed if name in OTHERS_NUMBERS]
        if changed:
            when = "the call" if in_call else "importing the file"
            raise Lost("WRONG_VALUE", f"{when} changed torch's global {' and '.join(changed)}", called, right)
    first, second = outputs
    if first.shape != second.shape or not torch.allclose(first, second, rtol=1e-5, atol=1e-5, equal_nan=True):
        raise Lost("WRONG_VALUE", "two calls with the same inputs returned different numbers", called, "the same twice")
    expect(student, draw, case)


# TODO 2 ---------------------------------------------------------------------------------------------------

WEIGHT = "log p(x | z) + log p(z) - log q(z | x) at z = mu + sigma * eps, one number for each sample of each image"
MEAN = "the mean of log_w over the samples, one number for each image"


def weights_case(student, draw, k, B, D, P, tied, gradients=(), x=None, eps=None, head=1.0, wide=False):
    """log_weights of a network with random weights, made in the sandbox first."""
    keywords, weights, model = random_model(draw, P, D, draw.sizes(1), tied, head, wide)
    network = oracles.Network(weights, tied)
    x = draw.binary(B, P) if x is None else x
    eps = draw.normal(k, B, D) if eps is None else eps
    student.create("todo2", keywords, weights, "float64")
    mu, sigma = network.encode(x)
    z = mu + sigma * eps
    zeros = torch.zeros_like(z)
    scale = (
        network.log_likelihood(x, z).abs()
        + oracles.gaussian_scale(z, zeros, zeros + 1)
        + oracles.gaussian_scale(z, mu, sigma)
    )
    parameters = weights if gradients else {}
    inputs = {"x": x, "eps": eps}
    case = Case(
        "todo2", "model.log_weights", inputs, network.log_weights, WEIGHT, scale, {}, gradients, parameters, model
    )
    return case, network


def mean_case(log_w, gradients=()):
    scale = log_w.abs().mean(0)
    return Case(
        "todo2", "vae_objective", {"log_w": log_w}, lambda log_w: log_w.mean(0), MEAN, scale, gradients=gradients
    )


@check("todo2", "log_weights: values")
def log_weights_values(student, draw):
    for tied in (True, False):
        expect(student, draw, weights_case(student, draw, *draw.sizes(4, high=12), tied)[0])
    expect(student, draw, weights_case(student, draw, *draw.large_sizes(4), True)[0])
    with clamping("logw.clamped"):
        for tied in (True, False):
            expect(student, draw, weights_case(student, draw, *draw.sizes(4, high=12), tied, wide=True)[0])


@check("todo2", "log_weights: gradients to the network's weights")
def log_weights_gradients(student, draw):
    for tied in (True, False):
        expect(student, draw, weights_case(student, draw, *draw.sizes(4, high=12), tied, ("parameters",))[0])
    expect(student, draw, weights_case(student, draw, *draw.large_sizes(4), True, ("parameters",))[0])


@check("todo2", "log_weights: the mean weight is p(x), by quadrature")
def log_weights_evidence(student, draw):
    """With one latent unit, E_q[w] = p(x) can be integrated on both sides, whatever the network is."""
    B, P = draw.sizes(2)
    points, width = oracles.trapezoid(25.0, 1001)  # of eps: wide enough for a q of standard deviation 0.3
    eps = points.view(-1, 1, 1).expand(-1, B, 1).contiguous()
    x = draw.binary(B, P)
    case, network = weights_case(student, draw, len(points), B, 1, P, True, x=x, eps=eps, head=0.25)
    answer = student.call("todo2", case.target, {"x": x, "eps": eps}, seed=draw.seed())
    weights = torch.distributions.Normal(0.0, 1.0).log_prob(points) + math.log(width)
    if answer.output.shape != (len(points), B):
        expect(student, draw, case)
    found = torch.logsumexp(weights[:, None] + answer.output.double(), 0)  # [B]
    expected = network.evidence(x).log()
    # Both sums converge faster than any power of the step; what is left is rounding, of log_w and of exp.
    fault = value_fault(found, expected, case.scale.max())
    if fault:
        came_back = f"log weights whose mean weight is not p(x): {fault[1].replace('of the right shape ', '')}"
        raise Lost("WRONG_VALUE", came_back, describe_call(case), "E_q[exp(log_w)] = p(x), the evidence")


@check("todo2", "log_weights: one sample, k = B, images independent of each other")
def log_weights_shapes(student, draw):
    B, D, P = draw.sizes(3, high=12)
    for k in (1, B):
        case, _ = weights_case(student, draw, k, B, D, P, True)
        expect(student, draw, case)
    one, _ = weights_case(student, draw, k, B, D, P, True)
    expect_independence(student, draw, one, "x", 1)


@check("todo2", "log_weights: encodes each image once")
def log_weights_encodes_once(student, draw):
    k, B, D, P = draw.sizes(4, low=3, high=12)
    case, _ = weights_case(student, draw, k, B, D, P, True)
    answer = student.call("todo2", case.target, case.inputs, seed=draw.seed(), counted="encoder")
    if answer.rows > B:
        came_back = f"the encoder was given {answer.rows} images for a batch of {B} with k = {k}"
        right = "mu and sigma do not depend on the sample: encode each image once"
        raise Lost("WRONG_VALUE", came_back, describe_call(case), right, "logw.encoder_per_sample")
    expect(student, draw, case)


@check("todo2", "vae_objective: values")
def vae_values(student, draw):
    k, B = draw.sizes(2, low=3)
    expect(student, draw, mean_case(draw.spread(k, B)))
    expect(student, draw, mean_case(5 * draw.normal(k, B)))
    expect(student, draw, mean_case(draw.spread(*draw.large_sizes(2))))


@check("todo2", "vae_objective: gradients")
def vae_gradients(student, draw):
    for sizes in (draw.sizes(2, low=3), draw.large_sizes(2)):
        expect(student, draw, mean_case(5 * draw.normal(*sizes), ("log_w",)))


@check("todo2", "vae_objective: the ELBO of a model that is known in closed form")
def vae_elbo(student, draw):
    """log w is quadratic in eps there, so that Gauss-Hermite quadrature of it is exact."""
    model = linear_gaussian(draw)
    points, weights = oracles.gauss_hermite(32)
    log_w = model.log_weights(points)[None].repeat(2, 1)  # [k, B]: k equal samples, an image for each point
    answer = expect(student, draw, mean_case(log_w))
    expect_bound(answer.output, weights, model.elbo(), model.log_evidence(), "vae_objective", log_w)


@check("todo2", "vae_objective: one sample, k = B, images independent of each other")
def vae_shapes(student, draw):
    (B,) = draw.sizes(1, low=3)
    for k in (1, B):
        expect(student, draw, mean_case(5 * draw.normal(k, B)))
    expect_independence(student, draw, mean_case(5 * draw.normal(B + 1, B)), "log_w", 1)


@check("todo2", "the same twice; inputs and torch's settings left alone")
def todo2_side_effects(student, draw):
    k, B, D, P = draw.sizes(4, high=12)
    expect_no_side_effects(student, draw, mean_case(5 * draw.normal(k, B)))
    expect_no_side_effects(student, draw, weights_case(student, draw, k, B, D, P, True)[0])


def expect_independence(student, draw, case, name, axis):
    """Changing image 0 changes no number of another image (images lie along `axis` of the output)."""
    expect(student, draw, case)
    seed = draw.seed()
    changed = {n: tensor.clone() for n, tensor in case.inputs.items()}
    image = changed[name][0] if name == "x" else changed[name][:, 0]
    image.copy_(1 - image if name == "x" else image - 7)
    before = student.call(case.task, case.target, case.inputs, seed=seed, **case.keywords).output
    after = student.call(case.task, case.target, changed, seed=seed, **case.keywords).output
    others = [output.movedim(axis, 0)[1:] if output.ndim > axis else output[1:] for output in (before, after)]
    if not torch.allclose(*others, rtol=TOLERANCE, atol=TOLERANCE):
        came_back = "the numbers of the other images changed when one image was changed"
        raise Lost("WRONG_VALUE", came_back, describe_call(case), "each image has its own number")


def linear_gaussian(draw):
    """A model with one latent unit and an imperfect q: the bounds lie well apart."""
    x, s = float(draw.uniform(0.8, 2)), float(draw.uniform(0.4, 0.7))
    return oracles.LinearGaussian(x, s, float(draw.uniform(0, 0.5)) * x, float(draw.uniform(0.6, 0.9)))


def expect_bound(bounds, weights, elbo, log_evidence, target, log_w, k=1):
    """The quadrature of the bounds of all points: the ELBO for one sample, between it and log p(x) for more."""
    found = (weights @ bounds.double()).item()
    tolerance = TOLERANCE * (1 + (weights @ log_w.abs().mean(0)).item())
    called = f"{SIGNATURES[target]} over a grid of samples, log_w {list(log_w.shape)}"
    if k == 1 and abs(found - elbo) > tolerance:
        raise Lost("WRONG_VALUE", f"{found:.4f} on average", called, "the ELBO, which is known in closed form here")
    if k > 1 and not elbo + tolerance < found < log_evidence - tolerance:
        side = "below the ELBO" if found <= elbo + tolerance else "above log p(x)"
        raise Lost("WRONG_VALUE", f"an average {side}", called, f"ELBO < L_{k} < log p(x), Burda et al., theorem 1")


# TODO 3 ---------------------------------------------------------------------------------------------------

LOG_MEAN = "log(mean(exp(a))) along dim, which moves by c when a moves by c"
BOUND = "the log of the mean weight over the samples, one number for each image"
LECTURE = (-300.0, -200.0)


def log_mean_case(a, dim=0, gradients=()):
    scale = a.double().abs().nan_to_num(posinf=0.0).mean(dim)
    return Case("todo3", "log_mean_exp", {"a": a}, oracles.log_mean_exp, LOG_MEAN, scale, {"dim": dim}, gradients)


def bound_case(log_w, gradients=()):
    scale = log_w.double().abs().mean(0)
    return Case("todo3", "iwae_objective", {"log_w": log_w}, oracles.log_mean_exp, BOUND, scale, gradients=gradients)


@check("todo3", "log_mean_exp: values, along any axis")
def log_mean_exp_values(student, draw):
    shape = draw.sizes(3)
    for dim in (0, 1, 2, -1):
        expect(student, draw, log_mean_case(2 * draw.normal(*shape), dim))
        expect(student, draw, log_mean_case(2 * draw.normal(*draw.large_sizes(3)), dim))


@check("todo3", "log_mean_exp: gradients, the softmax")
def log_mean_exp_gradients(student, draw):
    for shape in (draw.sizes(2), draw.large_sizes(2)):
        for dim in (0, 1):
            expect(student, draw, log_mean_case(2 * draw.normal(*shape), dim, ("a",)))


@check("todo3", "log_mean_exp: no underflow, no overflow in float32")
def log_mean_exp_offsets(student, draw):
    k, B = draw.sizes(2)
    for offset in (100, -100, 1000, -1000, 1e4, -1e4):
        a = (2 * draw.normal(k, B) + offset).float()
        expect(student, draw, log_mean_case(a))
    a = (draw.spread(k, B) + 1000).float()  # every column at its own level, some above 0 and some below
    expect(student, draw, log_mean_case(a))
    expect(student, draw, log_mean_case(a, gradients=("a",)))


@check("todo3", "log_mean_exp([-300, -200]), the lecture's example, and its gradient in float32")
def log_mean_exp_lecture(student, draw):
    a = torch.tensor(LECTURE)[:, None]
    expect(student, draw, log_mean_case(a))
    expect(student, draw, log_mean_case(a, gradients=("a",)))


@check("todo3", "log_mean_exp: an entry of -infinity")
def log_mean_exp_minus_infinity(student, draw):
    """A weight of zero. It must not reach the other columns; its own may be NaN, since a right form computes
    a - log_softmax(a), -inf - (-inf) there."""
    k, B = draw.sizes(2, low=3)
    a = (5 * draw.normal(k, B)).float()
    a[0, 0] = -math.inf
    case = log_mean_case(a)
    answer = student.call(case.task, case.target, case.inputs, seed=draw.seed(), dim=0)
    expected = oracles.log_mean_exp(a)
    if answer.output.shape != expected.shape:
        expect(student, draw, case)
    own = slice(1, None) if answer.output[0].isnan() else slice(None)
    fault = value_fault(answer.output[own], expected[own], case.scale.nan_to_num(posinf=0.0).max())
    if fault:
        right = "the mean of the other weights and a zero; the other columns as without it"
        raise Lost(fault[0], fault[1], describe_call(case) + " with a[0, 0] = -inf", right)


@check("todo3", "iwae_objective: values")
def iwae_values(student, draw):
    k, B = draw.sizes(2)
    expect(student, draw, bound_case(3 * draw.normal(k, B)))
    expect(student, draw, bound_case(draw.spread(k, B)))
    for log_w in (3 * draw.normal(*draw.large_sizes(2)), draw.spread(*draw.large_sizes(2))):
        expect(student, draw, bound_case(log_w))


@check("todo3", "iwae_objective: gradients, the normalised weights")
def iwae_gradients(student, draw):
    for sizes in (draw.sizes(2), draw.large_sizes(2)):
        expect(student, draw, bound_case(2 * draw.normal(*sizes), ("log_w",)))


@check("todo3", "iwae_objective: ELBO < L_2 < log p(x), by quadrature")
def iwae_bound(student, draw):
    model = linear_gaussian(draw)
    points, weights = oracles.gauss_hermite(32)
    n = len(points)
    log_w = torch.stack([model.log_weights(points).repeat_interleave(n), model.log_weights(points).repeat(n)])
    answer = expect(student, draw, bound_case(log_w))
    pairs = (weights[:, None] * weights).flatten()
    expect_bound(answer.output, pairs, model.elbo(), model.log_evidence(), "iwae_objective", log_w, k=2)


@check("todo3", "iwae_objective: one sample, k = B, images independent of each other")
def iwae_shapes(student, draw):
    (B,) = draw.sizes(1)
    for k in (1, B):
        expect(student, draw, bound_case(2 * draw.normal(k, B)))
    expect_independence(student, draw, bound_case(2 * draw.normal(B + 1, B)), "log_w", 1)


@check("todo3", "the same twice; inputs and torch's settings left alone")
def todo3_side_effects(student, draw):
    k, B = draw.sizes(2)
    expect_no_side_effects(student, draw, log_mean_case(2 * draw.normal(k, B)))
    expect_no_side_effects(student, draw, bound_case(2 * draw.normal(k, B)))
