"""The hidden checks of the lab. Each draws fresh inputs and compares with an oracle.

A check is a function of the submission's file, remote in its sandbox, and of its own Draw; it returns where all is well
and raises Lost where not. No number to be rounded lies near a tie.
"""

import functools
import math

import torch

from autograder.assignments.pixels import ASSIGNMENT, oracles
from autograder.grading.assignment import Checks
from autograder.grading.invariants import expect_independence, expect_no_side_effects
from autograder.grading.judge import TOLERANCE, Case, describe_call, expect, value_fault
from autograder.grading.quadrature import trapezoid
from autograder.grading.verdicts import Lost

CHECKS = Checks(ASSIGNMENT.points)
check = CHECKS.add

ROUNDING = 4 * torch.finfo(torch.float32).eps  # of a few operations in single precision, which is right too
RARE = 1e-4  # below such a probability some right forms put the density in the place of the bin's probability


# What is drawn --------------------------------------------------------------------------------------------


def grey(draw, *shape):
    """Grey levels, 0, 1, 254 and 255 among them where there is room."""
    x = draw.uniform(0, 256, *shape).floor()
    for place, level in zip((0, -1, x.numel() // 2, x.numel() // 3), (0, 255, 1, 254)):
        x.view(-1)[place] = level
    return x


def near(draw, x, *shape, widths=(0.05, 100)):
    """mu and log_s [shape], narrow and wide, under which the levels x, which broadcast, have a probability of 7e-4 and
    more."""
    log_s = draw.log_uniform(*widths, *shape).log()
    # Not around 1, where log_s is 0 and mistakes about it cancel.
    return x + draw.uniform(-0.5, 0.5, *shape) + draw.uniform(-2.5, 2.5, *shape) * log_s.exp(), log_s


def far(draw, x, *shape):
    """mu and log_s [shape] that lie 20 scales and more from the levels x, up to thousands of them."""
    log_s = draw.log_uniform(0.05, 5, *shape).log()
    side = draw.binary(*shape) * 2 - 1
    side.view(-1)[0], side.view(-1)[-1] = 1, -1  # so that 0 and 255 are as far as this, too
    return x + side * draw.uniform(100, 250, *shape), log_s


# How far from the truth a right form may be ---------------------------------------------------------------


def rounding(x, mu, log_s):
    """The relative error of P(x) by the difference of two sigmoids in single precision.  [...]

    It rounds the ends of the bin, and the difference by a part of 1, where P is not so small that it takes another way.
    """
    p = oracles.discretized_logistic(x, mu, log_s).detach().exp()
    return ROUNDING * ((x.abs() + mu.abs() + 1) / log_s.exp() + 1 / p.clamp(min=RARE / 10))


def density(x, mu, log_s):
    """The error of log P(x), and of its gradient to log_s, where the density at x stands for the bin.  two [...]

    Far from mu the probability of the bin is the density at x times sinh(h) / h, with h = 1 / (2 s), and its
    logarithm's derivative to log_s lacks h coth(h) - 1.
    """
    p = oracles.discretized_logistic(x, mu, log_s).detach().exp()
    h = (1 / (2 * log_s.exp())).expand_as(p)
    log_ratio = h + torch.log(-torch.expm1(-2 * h)) - torch.log(2 * h)
    is_rare = (p < RARE) & (x > 0) & (x < 255)
    return torch.where(is_rare, log_ratio, 0), torch.where(is_rare, h / torch.tanh(h) - 1, 0)


def logistic_scale(x, mu, log_s):
    """The tolerance of log P(x), in judge.TOLERANCE.  [...]"""
    value = oracles.discretized_logistic(x, mu, log_s).detach()
    return value.abs() + log_s.abs() + (rounding(x, mu, log_s) + density(x, mu, log_s)[0]) / TOLERANCE


def logistic_gradient_scale(cotangent, x, mu, log_s):
    """The same of its gradients, for a cotangent of these sizes."""
    relative = 1 + rounding(x, mu, log_s) / TOLERANCE
    to_mu = cotangent * relative / log_s.exp()
    to_log_s = (1 + (x - mu).abs() / log_s.exp()) * relative + density(x, mu, log_s)[1] / TOLERANCE
    return {"mu": to_mu.sum_to_size(mu.shape), "log_s": (cotangent * to_log_s).sum_to_size(log_s.shape)}


def responsibilities(x, logits, mu, log_s):
    """Each component's share of the probability, and log pi.  two [..., M]"""
    log_pi = torch.log_softmax(logits, -1)
    return torch.softmax(log_pi + oracles.discretized_logistic(x[..., None], mu, log_s), -1).detach(), log_pi


def mixture_scale(x, logits, mu, log_s):
    share, log_pi = responsibilities(x, logits, mu, log_s)
    each = logistic_scale(x[..., None], mu, log_s) + log_pi.abs()
    return (share * each).sum(-1)


def mixture_gradient_scale(cotangent, x, logits, mu, log_s):
    """A gradient is a component's share times that of its logistic; a share is as uncertain as two of the values."""
    share, _ = responsibilities(x, logits, mu, log_s)
    each = logistic_scale(x[..., None], mu, log_s)
    unsure = share * (1 + each + (share * each).sum(-1, keepdim=True))
    to_mu, to_log_s = 1 / log_s.exp(), 1 + (x[..., None] - mu).abs() / log_s.exp()
    own = logistic_gradient_scale(torch.ones_like(share), x[..., None], *torch.broadcast_tensors(mu, log_s))
    sizes = unsure, unsure * to_mu + share * own["mu"], unsure * to_log_s + share * own["log_s"]
    inputs = {"logits": logits, "mu": mu, "log_s": log_s}
    return {
        name: (cotangent[..., None] * size).sum_to_size(tensor.shape)
        for (name, tensor), size in zip(inputs.items(), sizes)
    }


# TODO 1 ---------------------------------------------------------------------------------------------------

BIN = "the log of the logistic's probability of the bin from x - 1/2 to x + 1/2; that of 0 and of 255 has no outer end"
BITS = "nll / (n log 2), each number by itself"


def logistic_case(x, mu, log_s, gradients=(), is_extreme=False):
    inputs = {"x": x, "mu": mu, "log_s": log_s}
    exact = {name: tensor.double() for name, tensor in inputs.items()}
    return Case(
        "todo1",
        "discretized_logistic",
        inputs,
        oracles.discretized_logistic,
        BIN,
        logistic_scale(**exact),
        gradients=gradients,
        gradient_scale=functools.partial(logistic_gradient_scale, **exact),
        is_extreme=is_extreme,
    )


def random_logistic(draw, *shape, gradients=()):
    x = grey(draw, *shape)
    return logistic_case(x, *near(draw, x, *shape), gradients)


def far_logistics(draw, *shape, gradients=()):
    """Cases of levels far from mu, in double and in single precision."""
    x = grey(draw, *shape)
    inputs = x, *far(draw, x, *shape)
    for dtype in (torch.float64, torch.float32):
        yield logistic_case(*(tensor.to(dtype) for tensor in inputs), gradients, is_extreme=True)


def bits_case(nll, n):
    def oracle(nll, n):
        return nll * math.log2(math.e) / n

    return Case("todo1", "bits_per_dim", {"nll": nll}, oracle, BITS, nll.double().abs() / n, {"n": n})


GRADIENTS = ("mu", "log_s")


@check("todo1", "discretized_logistic: values, with the levels 0 and 255")
def logistic_values(remote, draw):
    for shape in (draw.sizes(1, low=5), draw.sizes(2, low=3), draw.large(1)):
        expect(remote, draw, random_logistic(draw, *shape))


@check("todo1", "discretized_logistic: the 256 probabilities sum to 1")
def logistic_sums(remote, draw):
    """Of distributions that lie within the levels, at their ends and outside, from a single level to flat."""
    x = torch.arange(256.0).double()[:, None]
    mu = torch.cat([draw.uniform(-40, 0, 2), draw.uniform(0, 255, 3), draw.uniform(255, 300, 2)])
    log_s = draw.log_uniform(0.05, 1000, len(mu)).log()
    case = logistic_case(x, mu, log_s)
    expect_a_distribution(remote, draw, case)


def expect_a_distribution(remote, draw, case):
    """The exponentials of the answer [256, n] sum to 1 over the levels; where they do not, the values tell why."""
    answer = remote.call(case.task, case.target, case.inputs, seed=draw.seed())
    if answer.output.shape == case.scale.shape:
        sums = answer.output.exp().sum(0)
        # Where a form takes the density for the bins of P < 1e-5, there are at most two that matter on either side.
        if value_fault(sums, torch.ones_like(sums), 5.0) is None:
            return
    expect(remote, draw, case)
    came_back = f"256 probabilities that sum to {sums[(sums - 1).abs().argmax()]:.6f}"
    raise Lost("WRONG_VALUE", came_back, describe_call(remote, case), "exactly one of the 256 levels comes up")


@check("todo1", "discretized_logistic: gradients to mu and log_s")
def logistic_gradients(remote, draw):
    for shape in (draw.sizes(2, low=3), draw.large(1)):
        expect(remote, draw, random_logistic(draw, *shape, gradients=GRADIENTS))


@check("todo1", "discretized_logistic: far from mu, in float64 and in float32")
def logistic_far(remote, draw):
    """Where the probability is exp(-20) and less, and each of the two sigmoids rounds to 1, or to 0."""
    for case in far_logistics(draw, *draw.sizes(2, low=4)):
        expect(remote, draw, case)


@check("todo1", "discretized_logistic: finite gradients far from mu, that lead back")
def logistic_far_gradients(remote, draw):
    for case in far_logistics(draw, *draw.sizes(2, low=4), gradients=GRADIENTS):
        expect(remote, draw, case)


@check("todo1", "bits_per_dim: values")
def bits_values(remote, draw):
    for shape in (draw.sizes(1), draw.sizes(2), draw.large(1)):
        n = int(draw.uniform(20, 4000))
        expect(remote, draw, bits_case(n * draw.uniform(0.5, 9, *shape), n))
    expect(remote, draw, bits_case(draw.uniform(60, 4000), 784))
    expect(remote, draw, bits_case(draw.normal(*draw.sizes(1)), 1))


@check("todo1", "shapes: one number, x [B, C, H, W] against mu [k, B, C, H, W], each number by itself")
def todo1_shapes(remote, draw):
    k, B, C, H, W = draw.sizes(5)
    x = grey(draw, B, C, H, W)
    mu, log_s = near(draw, x, k, B, C, H, W)
    expect(remote, draw, logistic_case(x, mu, log_s))
    expect(remote, draw, logistic_case(x, mu[0], log_s[0, 0]))
    for level in (0.0, 255.0, 100.0):
        x = torch.tensor(level).double()
        expect(remote, draw, logistic_case(x, *near(draw, x)))
    x = grey(draw, B, C)
    mu, log_s = near(draw, x, B, C)
    expect_independence(remote, draw, lambda mu: logistic_case(x, mu, log_s), mu, 0, lambda first: first + 1)
    expect_independence(remote, draw, lambda nll: bits_case(nll, 784), draw.normal(B), 0, lambda first: first + 9)


@check("todo1", "the same twice; inputs and torch's settings left alone")
def todo1_side_effects(remote, draw):
    B, C, n = draw.sizes(3)
    expect_no_side_effects(remote, draw, random_logistic(draw, B, C))
    expect_no_side_effects(remote, draw, bits_case(draw.uniform(1, 9, B, C), n))


# TODO 2 ---------------------------------------------------------------------------------------------------

MIXED = "the log of the sum over m of pi_m P_m(x), where pi is the softmax of logits over the last axis"
DRAWN = "mu + s log(u / (1 - u)), rounded to the nearest whole number from 0 to 255"


def mixture_case(x, logits, mu, log_s, gradients=(), is_extreme=False):
    inputs = {"x": x, "logits": logits, "mu": mu, "log_s": log_s}
    exact = {name: tensor.double() for name, tensor in inputs.items()}
    return Case(
        "todo2",
        "mixture_log_likelihood",
        inputs,
        oracles.mixture_log_likelihood,
        MIXED,
        mixture_scale(**exact),
        gradients=gradients,
        gradient_scale=functools.partial(mixture_gradient_scale, **exact),
        is_extreme=is_extreme,
    )


def random_mixture(draw, M, *shape, of=None, gradients=()):
    """M logistics of which each gives the levels a probability that counts, with weights of all sizes."""
    x = grey(draw, *(of or shape))
    mu, log_s = near(draw, x[..., None], *shape, M, widths=(1, 30))
    return mixture_case(x, 1.5 * draw.normal(*shape, M) + 1, mu, log_s, gradients)


def far_mixture(draw, M, *shape, gradients=()):
    x = grey(draw, *shape)
    mu, log_s = far(draw, x[..., None], *shape, M)
    # The second logistic is as far and as wide as the first, so that more than one of them counts.
    mu[..., 1], log_s[..., 1] = mu[..., 0], log_s[..., 0]
    inputs = x, draw.normal(*shape, M), mu, log_s.clamp(min=0)
    return mixture_case(*(tensor.float() for tensor in inputs), gradients, is_extreme=True)


MIXTURE_GRADIENTS = ("logits", "mu", "log_s")


@check("todo2", "mixture_log_likelihood: values, of logistics that overlap")
def mixture_values(remote, draw):
    (large,) = draw.large(1)
    for M, *shape in (draw.sizes(2, low=3), draw.sizes(3, low=3), [large, *draw.sizes(1)], [3, large]):
        expect(remote, draw, random_mixture(draw, M, *shape))


@check("todo2", "mixture_log_likelihood: the 256 probabilities sum to 1")
def mixture_sums(remote, draw):
    M, n = draw.sizes(2)
    x = torch.arange(256.0).double()[:, None]
    mu, log_s = draw.uniform(-20, 275, n, M), draw.log_uniform(1, 200, n, M).log()
    case = mixture_case(x, 2 * draw.normal(n, M) - 1, mu, log_s)
    expect_a_distribution(remote, draw, case)


@check("todo2", "mixture_log_likelihood: gradients to logits, mu and log_s")
def mixture_gradients(remote, draw):
    for M, *shape in (draw.sizes(3), [3, *draw.large(1)]):
        expect(remote, draw, random_mixture(draw, M, *shape, gradients=MIXTURE_GRADIENTS))


@check("todo2", "mixture_log_likelihood: far from every logistic, in float32")
def mixture_far(remote, draw):
    for gradients in ((), MIXTURE_GRADIENTS):
        expect(remote, draw, far_mixture(draw, *draw.sizes(3), gradients=gradients))


def sample_case(mu, log_s, u):
    return Case("todo2", "sample_logistic", {"mu": mu, "log_s": log_s, "u": u}, oracles.sample_logistic, DRAWN)


def random_samples(draw, *shape, widths=(0.5, 20), low=1e-4):
    """Uniform numbers of which none leads so near a tie that rounding in single precision could decide."""
    mu, log_s = draw.uniform(-10, 265, *shape), draw.log_uniform(*widths, *shape).log()
    u = draw.uniform(low, 1 - low, *shape)
    while (near_a_tie := is_near_a_tie(mu, log_s, u)).any():
        u = torch.where(near_a_tie, draw.uniform(low, 1 - low, *shape), u)
    return sample_case(mu, log_s, u)


def is_near_a_tie(mu, log_s, u):
    t = oracles.inverse(mu, log_s, u)
    unsure = ROUNDING * (mu.abs() + t.abs() + log_s.exp() * (1 / (u * (1 - u)) + log_s.abs() + 10))
    return ((t - t.floor()) - 0.5).abs() < 1e-3 + unsure


@check("todo2", "sample_logistic: values")
def sample_values(remote, draw):
    for shape in (draw.sizes(2, low=3), draw.sizes(3), draw.large(1)):
        expect(remote, draw, random_samples(draw, *shape))
    expect(remote, draw, random_samples(draw, *draw.sizes(2), widths=(20, 300), low=0.05))


@check("todo2", "sample_logistic: as often as discretized_logistic says")
def sample_frequencies(remote, draw):
    """The middles of N equal intervals for u: each level comes up N P(x) times, give or take one at either end."""
    N, n = 2000, 3
    mu, log_s = draw.uniform(0, 255, n), draw.log_uniform(1, 40, n).log()
    mu[0], mu[-1] = draw.uniform(-5, 5), draw.uniform(250, 260)
    u = ((torch.arange(N) + 0.5) / N).double()[:, None].expand(N, n).contiguous()
    case = sample_case(mu.expand(N, n).contiguous(), log_s.expand(N, n).contiguous(), u)
    found = remote.call(case.task, case.target, case.inputs, seed=draw.seed()).output
    x = torch.arange(256.0).double()[:, None]  # a column for each of the n
    if found.shape == u.shape:
        counts = (found[None] == x[..., None].transpose(1, 2)).sum(1)  # [256, n]
        expected = N * oracles.discretized_logistic(x, mu, log_s).exp()
        if ((counts - expected).abs() < 3).all():
            return
    expect(remote, draw, case)
    came_back = "levels that do not come up as often as their probabilities say"
    raise Lost("WRONG_VALUE", came_back, describe_call(remote, case), DRAWN)


@check("todo2", "shapes: one logistic, M = B, x [B, C, H, W] against mu [k, B, C, H, W, M], each level by itself")
def todo2_shapes(remote, draw):
    k, M, B, C, W = draw.sizes(5, high=7)
    expect(remote, draw, random_mixture(draw, M, k, B, C, 2, W, of=(B, C, 2, W)))
    for components in (1, B):
        expect(remote, draw, random_mixture(draw, components, B))
        expect(remote, draw, random_mixture(draw, components, B, 1))
    expect(remote, draw, random_mixture(draw, C))
    expect(remote, draw, random_samples(draw, 1))
    case = random_mixture(draw, C, B, 3)
    x, logits, mu, log_s = case.inputs.values()
    expect_independence(
        remote, draw, lambda logits: mixture_case(x, logits, mu, log_s), logits, 0, lambda first: first.flip(-1)
    )


@check("todo2", "the same twice; inputs and torch's settings left alone")
def todo2_side_effects(remote, draw):
    M, B, C = draw.sizes(3)
    expect_no_side_effects(remote, draw, random_mixture(draw, M, B, C))
    expect_no_side_effects(remote, draw, random_samples(draw, B, C))


# TODO 3 ---------------------------------------------------------------------------------------------------

WEIGHT = "log p(x | z) + log p(z) - log q(z | x) at z = mu + sigma * eps, one number for each sample of each image"


def network(draw, shape, D, M, log_s=1.0, spread=0.3):
    """The keywords of a small PixelVAE, and random weights for it: mu of the logistics all over the levels, their
    scales about exp(2.5 + log_s)."""
    keywords = {"shape": list(shape), "d_latent": D, "components": M, "channels": draw.sizes(2), "hidden": 9}
    weights = {}
    for name, weight in ASSIGNMENT.reference.PixelVAE(**keywords).state_dict().items():
        fan_in = weight[0].numel() if name.startswith("encoder") else weight.shape[0] * 4 if weight.ndim == 4 else D
        size = 0.3 if weight.ndim == 1 else 1 / math.sqrt(fan_in if weight.ndim != 2 else weight.shape[1])
        weights[name] = size * draw.normal(*weight.shape)
    weights["decoder.head.weight"] *= spread
    weights["decoder.head.bias"][2::3] += log_s
    return keywords, weights


def weights_case(remote, x, eps, keywords, weights, gradients=(), is_extreme=False):
    """log_weights of the network with these weights, made in the sandbox first."""
    oracle = oracles.Network(weights, keywords["shape"], keywords["components"])
    remote.create("todo3", "PixelVAE", keywords, weights, "float64")
    mu, sigma = oracle.encode(x)
    z = mu + sigma * eps
    scale = mixture_scale(x, *oracle.decode(z)).flatten(-3).sum(-1) + (z**2 + eps**2 + sigma.log().abs() + 2).sum(-1)
    return Case(
        "todo3",
        "model.log_weights",
        {"x": x, "eps": eps},
        oracle.log_weights,
        WEIGHT,
        scale,
        {},
        gradients,
        weights if gradients else {},
        ASSIGNMENT.model("PixelVAE", keywords, weights),
        is_extreme=is_extreme,
    )


def random_weights(remote, draw, k, B, D, M, C=3, gradients=()):
    shape = C, 4, 8
    x, eps = grey(draw, B, *shape), draw.normal(k, B, D)
    return weights_case(remote, x, eps, *network(draw, shape, D, M), gradients)


@check("todo3", "log_weights: values, of colour images and mixtures")
def log_weights_values(remote, draw):
    for C in (3, 1):
        k, B, D, M = draw.sizes(4, high=6)
        expect(remote, draw, random_weights(remote, draw, k, B, D, M, C))
    expect(remote, draw, random_weights(remote, draw, 2, 3, *draw.large(1), 1, 1))


@check("todo3", "log_weights: values, of many samples and many images")
def log_weights_many(remote, draw):
    (n,) = draw.large(1)
    expect(remote, draw, random_weights(remote, draw, n, 1, 2, 1, 1))
    expect(remote, draw, random_weights(remote, draw, 1, n, 2, 1, 1))


@check("todo3", "log_weights: gradients to the network's weights")
def log_weights_gradients(remote, draw):
    k, B, D, M = draw.sizes(4, high=6)
    expect(remote, draw, random_weights(remote, draw, k, B, D, M, gradients=("parameters",)))


@check("todo3", "log_weights: images far from what the network says")
def log_weights_far(remote, draw):
    """Narrow logistics: log P of most dimensions is below -100, beyond what exp can give in single precision."""
    k, B, D, M = draw.sizes(4, high=6)
    shape = 2, 4, 4
    x, eps = grey(draw, B, *shape), draw.outlying(k, B, D)
    expect(remote, draw, weights_case(remote, x, eps, *network(draw, shape, D, M, log_s=-3), is_extreme=True))


@check("todo3", "log_weights: the mean weight is p(x), by quadrature")
def log_weights_evidence(remote, draw):
    """With one latent unit, E_q[w] = p(x) can be integrated on both sides, whatever the network is."""
    B, shape = 2, (1, 4, 4)
    points, width = trapezoid(10.0, 101)
    eps = points.view(-1, 1, 1).expand(-1, B, 1).contiguous()
    keywords, weights = network(draw, shape, 1, 1, spread=0.1)
    weights["encoder.head.weight"] *= 0.1  # so that q stays near N(0, 1)
    weights["encoder.head.bias"] *= 0.1
    weights["decoder.body.0.weight"] *= 0.5
    x = grey(draw, B, *shape)
    case = weights_case(remote, x, eps, keywords, weights)
    answer = remote.call("todo3", case.target, {"x": x, "eps": eps}, seed=draw.seed())
    if answer.output.shape != (len(points), B):
        expect(remote, draw, case)
    log_normal = torch.distributions.Normal(0.0, 1.0).log_prob(points) + math.log(width)
    found = torch.logsumexp(log_normal[:, None] + answer.output, 0)  # [B]
    expected = oracles.Network(weights, shape, 1).log_evidence(x)
    if fault := value_fault(found, expected, case.scale[len(points) // 2].max()):
        came_back = f"log weights whose mean weight is not p(x): {fault[1].replace('of the right shape ', '')}"
        raise Lost("WRONG_VALUE", came_back, describe_call(remote, case), "E_q[exp(log_w)] = p(x), the evidence")


@check("todo3", "log_weights: one sample, k = B, images independent of each other")
def log_weights_shapes(remote, draw):
    B, D = draw.sizes(2, high=6)
    for k in (1, B):
        expect(remote, draw, random_weights(remote, draw, k, B, D, 2, 1))
    shape = 1, 4, 4
    keywords, weights = network(draw, shape, D, 2)
    x, eps = grey(draw, B, *shape), draw.normal(B, B, D)

    def case_of(images):
        return weights_case(remote, images, eps, keywords, weights)

    expect_independence(remote, draw, case_of, x, 0, lambda first: 255 - first)


@check("todo3", "the same twice; inputs and torch's settings left alone")
def todo3_side_effects(remote, draw):
    k, B, D = draw.sizes(3, high=6)
    expect_no_side_effects(remote, draw, random_weights(remote, draw, k, B, D, 2, 1))
