"""The hidden checks of the lab. Each draws fresh inputs and compares with an oracle.

A check is a function of the submission's file, remote in its sandbox, and of its own Draw; it returns where all is well
and raises Lost where not. The numbers of groups, samples and images differ, but where a check is about equal ones; beta
is never 1/2. Of stl_objective and dreg_objective only what they differentiate to is compared.
"""

import functools
import math

import torch

from autograder.assignments.estimators import ASSIGNMENT, oracles
from autograder.assignments.iwae import oracles as core
from autograder.assignments.iwae.inputs import random_weights, spread
from autograder.grading import judge
from autograder.grading.assignment import Checks
from autograder.grading.invariants import expect_independence, expect_no_side_effects
from autograder.grading.judge import TOLERANCE, Case, describe_call
from autograder.grading.quadrature import tensor_grid
from autograder.grading.verdicts import Lost

CHECKS = Checks(ASSIGNMENT.points)
check = CHECKS.add


# What is drawn --------------------------------------------------------------------------------------------


def moments(draw, B, D):
    """mu and sigma [B, D]; sigma lies on both sides of 1, where mistakes about it cancel."""
    mu, sigma = 2 * draw.normal(B, D), draw.uniform(0.2, 3, B, D)
    sigma[0, 0], sigma[-1, -1] = draw.uniform(0.25, 0.4), draw.uniform(2, 3)
    return mu, sigma


def extreme_moments(draw, B, D):
    """mu and sigma [B, D]; sigma goes from narrower to wider than that of any trained encoder."""
    return 5 * draw.outlying(B, D), draw.log_uniform(1e-3, 1e3, B, D)


def groups(draw, m, k, B):
    """Log weights of moderate spread.  [m, k, B]"""
    return 2 * draw.normal(m, k, B) - 3


def distant(draw, m, k, B):
    """Log weights as a trained model has them, in float32: images at levels from -1000 to 300, and the groups and
    samples of each hundreds of nats apart.  [m, k, B]"""
    level = draw.uniform(-900, 200, B)
    level[0], level[-1] = -1000, 300
    below = draw.uniform(0, 300, m, 1, B) + draw.uniform(0, 4, m, k, B) * 10 ** draw.uniform(0, 2, m, k, B)
    return (level - below + below.flatten(0, 1).amin(0)).float()


def expect(remote, draw, case):
    """judge.expect. Where a function is wrong that calls another of its task, that one is looked at first."""
    try:
        return judge.expect(remote, draw, case)
    except Lost:
        names, how = set(case.gradients), {"is_extreme": case.is_extreme}
        if case.target == "vae_objective_kl":
            mu, sigma = (case.inputs[name] for name in ("mu", "sigma"))
            judge.expect(remote, draw, kl_case(mu, sigma, tuple(names & {"mu", "sigma"}), **how))
        if case.target == "piwae_objectives":
            judge.expect(remote, draw, miwae_case(case.inputs["log_w"], case.gradients, **how))
        raise


# TODO 1 ---------------------------------------------------------------------------------------------------

DIVERGENCE = "KL(N(mu, diag(sigma^2)) || N(0, I)), summed over the last axis, one number for each image"
ELBO = "the mean of log p(x | z) over the samples, minus the divergence, one number for each image"


def kl_case(mu, sigma, gradients=(), is_extreme=False):
    exact = {"mu": mu.double(), "sigma": sigma.double()}
    return Case(
        "todo1",
        "gaussian_kl",
        {"mu": mu, "sigma": sigma},
        oracles.gaussian_kl,
        DIVERGENCE,
        oracles.kl_scale(**exact),
        gradients=gradients,
        gradient_scale=functools.partial(oracles.kl_gradient_scale, **exact),
        is_extreme=is_extreme,
    )


def elbo_case(log_p, mu, sigma, gradients=(), is_extreme=False):
    exact = {"mu": mu.double(), "sigma": sigma.double()}

    def gradient_scale(cotangent):
        to_log_p = cotangent.expand(len(log_p), -1) / len(log_p)
        return {"log_p_x_given_z": to_log_p, **oracles.kl_gradient_scale(cotangent, **exact)}

    return Case(
        "todo1",
        "vae_objective_kl",
        {"log_p_x_given_z": log_p, "mu": mu, "sigma": sigma},
        lambda log_p, mu, sigma: log_p.mean(0) - oracles.gaussian_kl(mu, sigma),
        ELBO,
        log_p.double().abs().mean(0) + oracles.kl_scale(**exact),
        gradients=gradients,
        gradient_scale=gradient_scale,
        is_extreme=is_extreme,
    )


def random_elbo(draw, k, B, D, gradients=()):
    return elbo_case(-draw.uniform(1, 10, k, B), *moments(draw, B, D), gradients)


@check("todo1", "gaussian_kl: values")
def kl_values(remote, draw):
    B, D = draw.sizes(2, low=3)
    expect(remote, draw, kl_case(*moments(draw, B, D)))
    expect(remote, draw, kl_case(torch.zeros(B, D).double(), torch.ones(B, D).double()))
    expect(remote, draw, kl_case(*extreme_moments(draw, B, D), is_extreme=True))
    expect(remote, draw, kl_case(*moments(draw, *draw.large(2))))


@check("todo1", "gaussian_kl: gradients to mu and sigma")
def kl_gradients(remote, draw):
    for B, D in (draw.sizes(2), draw.large(2)):
        expect(remote, draw, kl_case(*moments(draw, B, D), ("mu", "sigma")))
    extremes = extreme_moments(draw, *draw.sizes(2))
    expect(remote, draw, kl_case(*extremes, ("mu", "sigma"), is_extreme=True))


@check("todo1", "vae_objective_kl: values")
def elbo_values(remote, draw):
    k, B, D = draw.sizes(3, low=3)
    expect(remote, draw, random_elbo(draw, k, B, D))
    far = spread(draw, k, B)
    expect(remote, draw, elbo_case(far.float(), *(t.float() for t in moments(draw, B, D)), is_extreme=True))
    expect(remote, draw, random_elbo(draw, *draw.large(3)))


@check("todo1", "vae_objective_kl: gradients to all its inputs")
def elbo_gradients(remote, draw):
    for k, B, D in (draw.sizes(3, low=3), draw.large(3)):
        expect(remote, draw, random_elbo(draw, k, B, D, ("log_p_x_given_z", "mu", "sigma")))


@check("todo1", "shapes: one sample, one unit, k = B, images independent of each other")
def todo1_shapes(remote, draw):
    B, D = draw.sizes(2, low=3)
    for k, n_units in ((1, D), (B, 1), (B, B)):
        expect(remote, draw, kl_case(*moments(draw, B, n_units)))
        expect(remote, draw, random_elbo(draw, k, B, n_units))
    mu, sigma = moments(draw, B, D)
    expect_independence(remote, draw, lambda mu: kl_case(mu, sigma), mu, 0, lambda first: first + 7)
    log_p = -draw.uniform(1, 10, B + 1, B)
    expect_independence(remote, draw, lambda a: elbo_case(a, mu, sigma), log_p, 1, lambda first: first - 7)


@check("todo1", "the same twice; inputs and torch's settings left alone")
def todo1_side_effects(remote, draw):
    k, B, D = draw.sizes(3, low=3)
    expect_no_side_effects(remote, draw, kl_case(*moments(draw, B, D)))
    expect_no_side_effects(remote, draw, random_elbo(draw, k, B, D))


# TODO 2 ---------------------------------------------------------------------------------------------------

GROUPS = "the k-sample bound of each of the m groups, averaged over the groups, one number for each image"
CONVEX = "beta times the mean of log_w plus (1 - beta) times the k-sample bound, one number for each image"
PAIR = "in the first row miwae_objective, in the second the bound of all m k samples"


def miwae_case(log_w, gradients=(), is_extreme=False):
    scale = log_w.double().abs().mean((0, 1))
    inputs = {"log_w": log_w}
    return Case("todo2", "miwae_objective", inputs, oracles.miwae, GROUPS, scale, {}, gradients, is_extreme=is_extreme)


def ciwae_case(log_w, beta, gradients=(), is_extreme=False):
    scale, keywords = log_w.double().abs().mean(0), {"beta": beta}
    inputs = {"log_w": log_w}
    return Case(
        "todo2", "ciwae_objective", inputs, oracles.ciwae, CONVEX, scale, keywords, gradients, is_extreme=is_extreme
    )


def piwae_case(log_w, gradients=(), is_extreme=False):
    return Case(
        "todo2",
        "piwae_objectives",
        {"log_w": log_w},
        oracles.piwae,
        PAIR,
        log_w.double().abs().mean((0, 1)).expand(2, -1),
        gradients=gradients,
        is_extreme=is_extreme,
    )


def first_group_case(log_w, gradients=(), is_extreme=False, beta=0.3):
    """ciwae_objective of log weights that came in groups."""
    return ciwae_case(log_w[0], beta, gradients, is_extreme)


def betas(draw):
    """On both sides of 1/2, and far from it."""
    return [round(float(draw.uniform(low, low + 0.25)), 3) for low in (0.05, 0.7)]


def expect_values(remote, draw, case_of):
    """Of a function of log weights in groups: moderate ones, and such as a trained model has."""
    expect(remote, draw, case_of(groups(draw, *draw.sizes(3, low=3))))
    expect(remote, draw, case_of(groups(draw, 2, 3, 5)))
    expect(remote, draw, case_of(distant(draw, *draw.sizes(3, low=3)), is_extreme=True))
    expect(remote, draw, case_of(distant(draw, *draw.large(3)), is_extreme=True))


def expect_gradients(remote, draw, case_of):
    expect(remote, draw, case_of(groups(draw, *draw.sizes(3, low=3)), ("log_w",)))
    expect(remote, draw, case_of(groups(draw, *draw.large(3)), ("log_w",)))
    expect(remote, draw, case_of(distant(draw, *draw.sizes(3, low=3)), ("log_w",), is_extreme=True))


@check("todo2", "miwae_objective: values")
def miwae_values(remote, draw):
    expect_values(remote, draw, miwae_case)


@check("todo2", "miwae_objective: gradients")
def miwae_gradients(remote, draw):
    expect_gradients(remote, draw, miwae_case)


@check("todo2", "ciwae_objective: values, beta on both sides of 1/2")
def ciwae_values(remote, draw):
    for beta in betas(draw):
        expect_values(remote, draw, functools.partial(first_group_case, beta=beta))
    for beta in (0.0, 1.0):
        expect(remote, draw, ciwae_case(groups(draw, *draw.sizes(3))[0], beta))


@check("todo2", "ciwae_objective: gradients")
def ciwae_gradients(remote, draw):
    for beta in betas(draw):
        expect_gradients(remote, draw, functools.partial(first_group_case, beta=beta))


@check("todo2", "piwae_objectives: values")
def piwae_values(remote, draw):
    expect_values(remote, draw, piwae_case)


@check("todo2", "piwae_objectives: gradients of both rows")
def piwae_gradients(remote, draw):
    expect_gradients(remote, draw, piwae_case)


@check("todo2", "shapes: one group, one sample, m = k = B, images independent of each other")
def todo2_shapes(remote, draw):
    n, B = draw.sizes(2)
    for case_of in (miwae_case, piwae_case):
        for m, k in ((1, n), (n, 1), (B, B), (1, 1)):
            expect(remote, draw, case_of(groups(draw, m, k, B)))
        expect_independence(remote, draw, case_of, groups(draw, n, n + 1, B), 2, lambda first: first - 7)
    for k in (1, B):
        expect(remote, draw, ciwae_case(groups(draw, 1, k, B)[0], 0.3))
    log_w = groups(draw, 1, n, B)[0]
    expect_independence(remote, draw, lambda a: ciwae_case(a, 0.3), log_w, 1, lambda first: first - 7)


@check("todo2", "the same twice; inputs and torch's settings left alone")
def todo2_side_effects(remote, draw):
    log_w = groups(draw, *draw.sizes(3))
    expect_no_side_effects(remote, draw, miwae_case(log_w))
    expect_no_side_effects(remote, draw, ciwae_case(log_w[0], 0.3))
    expect_no_side_effects(remote, draw, piwae_case(log_w))


# TODO 3 ---------------------------------------------------------------------------------------------------

SURROGATE = "the sum over the samples of normalised weight times log_w, where the weights are constants to the gradient"


def weighted_case(log_w, gradients=(), is_extreme=False):
    return Case(
        "todo3",
        "weighted_objective",
        {"log_w": log_w},
        oracles.weighted,
        SURROGATE,
        (core.normalised(log_w) * log_w.double().abs()).sum(0) * rounding(log_w),
        gradients=gradients,
        is_extreme=is_extreme,
    )


def rounding(log_w):
    """By what factor the tolerance grows where a right form rounds log weights of this size before it takes exp: the
    logarithm of their sum is as large as they are."""
    return 1 + 4 * torch.finfo(log_w.dtype).eps * log_w.abs().max().item() / TOLERANCE


@check("todo3", "weighted_objective: values")
def weighted_values(remote, draw):
    expect_values(remote, draw, lambda log_w, **how: weighted_case(log_w[0], **how))


@check("todo3", "weighted_objective: gradients, the normalised weights")
def weighted_gradients(remote, draw):
    expect_gradients(remote, draw, lambda log_w, *names, **how: weighted_case(log_w[0], *names, **how))


@check("todo3", "weighted_objective: on average its gradient is that of the bound, by quadrature")
def weighted_unbiased(remote, draw):
    for k in (2, 3):
        expect_unbiased(remote, draw, weighted_case, k, stopped=False)


@check("todo3", "shapes: one sample, k = B, images independent of each other")
def todo3_shapes(remote, draw):
    expect_shapes(remote, draw, weighted_case)


@check("todo3", "the same twice; inputs and torch's settings left alone")
def todo3_side_effects(remote, draw):
    expect_no_side_effects(remote, draw, weighted_case(groups(draw, *draw.sizes(3))[0]))


POINTS = {2: 32, 3: 16}  # along each axis of a grid for k samples: few enough for loops over the images


def expect_unbiased(remote, draw, case_of, k, stopped):
    """The gradients to an encoder (m, r), chained with what the file returns and averaged over all noise.

    All is known of the model: what the average must be is the derivative of the exact bound L_k. With log weights that
    are not stopped the decoder's c is compared too.
    """
    model = linear_gaussian(draw)
    noise, chances = tensor_grid(k, POINTS[k])
    log_w = model.log_weights(noise, stopped)  # [k, N]: an image for each point of the grid
    case = case_of(log_w.detach(), ("log_w",))
    answer = remote.call(case.task, case.target, case.inputs, case.gradients, chances, draw.seed())
    found = answer.gradients.get("log_w", torch.zeros_like(log_w))
    if answer.output.shape != chances.shape or found.shape != log_w.shape:
        expect(remote, draw, case)
    n = 2 if stopped else 3
    average = model.gradient((found * log_w).sum())[:n]
    right = model.gradient(model.bound(k))[:n]
    if (average - right).abs().max() > UNBIASED * right.abs().max():
        expect(remote, draw, case)
        found = f"{', '.join(f'{v:.3f}' for v in average)} on average over the noise, k = {k}"
        raise Lost("WRONG_GRADIENT", found, describe_call(remote, case), "the gradient of the bound, on average")


UNBIASED = 0.02  # of the gradient: what a grid of POINTS misses is a tenth of that


def linear_gaussian(draw):
    """A model with one latent unit and an imperfect q: estimators differ."""
    x, s = float(draw.uniform(0.8, 1.5)), float(draw.uniform(0.6, 0.8))
    return oracles.LinearGaussian(x, s, float(draw.uniform(0.1, 0.4)) * x, float(draw.uniform(0.65, 0.85)))


def expect_shapes(remote, draw, case_of, gradients=()):
    """Of a function of log weights [k, B]."""
    (B,) = draw.sizes(1)
    for k in (1, B):
        expect(remote, draw, case_of(groups(draw, 1, k, B)[0], gradients))
    log_w = groups(draw, 1, B + 1, B)[0]
    expect_independence(remote, draw, lambda a: case_of(a, gradients), log_w, 1, lambda first: first - 7)


# TODO 4 ---------------------------------------------------------------------------------------------------

STOPPED = "log p(x | z) + log p(z) - log q(z | x), where log q's own mu and sigma are constants and z is not"
STUCK = "each log weight's gradient is its normalised weight"
DOUBLY = "each log weight's gradient is the square of its normalised weight"


def surrogate_case(target, oracle, right, log_w, gradients=("log_w",), is_extreme=False):
    """Its gradients: no value of a surrogate is compared."""
    return Case("todo4", target, {"log_w": log_w}, oracle, right, gradients=gradients, is_extreme=is_extreme)


stl_case = functools.partial(surrogate_case, "stl_objective", oracles.weighted, STUCK)
dreg_case = functools.partial(surrogate_case, "dreg_objective", oracles.dreg, DOUBLY)


def network(draw, P, D):
    """The keywords of an IWAE with one hidden layer, and random weights for it."""
    keywords = {"d_data": P, "d_latent": D, "hidden": draw.sizes(1)}
    return keywords, random_weights(draw, {**keywords, "tied": False})


def exact_network(draw, P, D):
    """The same where q is the posterior: the decoder does not look at z, so that both are the prior."""
    keywords, weights = network(draw, P, D)
    for name in ("encoder.head.weight", "encoder.head.bias", "decoder.head.weight"):
        weights[name].zero_()
    return keywords, weights


def stopped_case(remote, x, eps, keywords, weights, part=None):
    """Values; or the gradients to the weights of a part, encoder or decoder."""
    oracle = oracles.Network(weights)
    remote.create("todo4", "IWAE", keywords, weights, "float64")
    return Case(
        "todo4",
        "model.stopped_log_weights",
        {"x": x, "eps": eps},
        oracle.stopped_log_weights,
        STOPPED,
        oracle.scale(x, eps),
        {},
        ("parameters",) if part else (),
        {name: weight for name, weight in weights.items() if part and name.startswith(part)},
        ASSIGNMENT.model("IWAE", keywords, weights),
    )


def random_stopped(remote, draw, k, B, D, P, part=None, network=network):
    return stopped_case(remote, draw.binary(B, P), draw.normal(k, B, D), *network(draw, P, D), part)


@check("todo4", "stopped_log_weights: values, those of log_weights")
def stopped_values(remote, draw):
    for k, B, D, P in (draw.sizes(4, high=12), draw.large(4)):
        expect(remote, draw, random_stopped(remote, draw, k, B, D, P))


@check("todo4", "stopped_log_weights: gradients to the encoder")
def stopped_encoder(remote, draw):
    for k, B, D, P in (draw.sizes(4, high=12), draw.large(4)):
        expect(remote, draw, random_stopped(remote, draw, k, B, D, P, "encoder"))


@check("todo4", "stopped_log_weights: gradients to the decoder")
def stopped_decoder(remote, draw):
    for k, B, D, P in (draw.sizes(4, high=12), draw.large(4)):
        expect(remote, draw, random_stopped(remote, draw, k, B, D, P, "decoder"))


@check("todo4", "stopped_log_weights: no gradient to the encoder, for any draw, where q is the posterior")
def stopped_exact_posterior(remote, draw):
    for k, B, D, P in (draw.sizes(4, high=12), draw.sizes(4, high=12)):
        expect(remote, draw, random_stopped(remote, draw, k, B, D, P, "encoder", exact_network))


@check("todo4", "stopped_log_weights: one sample, one image, k = B; the same twice")
def stopped_shapes(remote, draw):
    B, D, P = draw.sizes(3, high=12)
    for k, n_images in ((1, B), (B, 1), (B, B)):
        expect(remote, draw, random_stopped(remote, draw, k, n_images, D, P))
    keywords, weights = network(draw, P, D)
    x, eps = draw.binary(B, P), draw.normal(B, B, D)

    def case_of(images):
        return stopped_case(remote, images, eps, keywords, weights)

    expect_independence(remote, draw, case_of, x, 0, lambda first: 1 - first)
    expect_no_side_effects(remote, draw, case_of(x))


@check("todo4", "stl_objective: what it differentiates to")
def stl_gradients(remote, draw):
    expect_gradients(remote, draw, lambda log_w, *names, **how: stl_case(log_w[0], *names, **how))


@check("todo4", "dreg_objective: what it differentiates to")
def dreg_gradients(remote, draw):
    expect_gradients(remote, draw, lambda log_w, *names, **how: dreg_case(log_w[0], *names, **how))


@check("todo4", "dreg_objective: on average its gradient is that of the bound, by quadrature")
def dreg_unbiased(remote, draw):
    for k in (2, 3):
        expect_unbiased(remote, draw, dreg_case, k, stopped=True)


@check("todo4", "stl_objective, dreg_objective: one sample, k = B, images independent; the same twice")
def surrogate_shapes(remote, draw):
    for case_of in (stl_case, dreg_case):
        expect_shapes(remote, draw, case_of, ("log_w",))
        expect_no_side_effects(remote, draw, case_of(groups(draw, *draw.sizes(3))[0]))


# TODO 5 ---------------------------------------------------------------------------------------------------

RATIO = "the absolute value of the mean over the draws, divided by their standard deviation, for each parameter"


def ratio_case(gradients, ddof=1):
    def oracle(gradients):
        numbers = gradients.double().numpy()
        return torch.as_tensor(abs(numbers.mean(0)) / numbers.std(0, ddof=ddof))

    exact = gradients.double()
    # Rounding of the mean and of the deviation, relative to what they are of.
    size = (exact.square().mean(0) / exact.var(0, correction=0)).sqrt()
    return Case("todo5", "signal_to_noise", {"gradients": gradients}, oracle, RATIO, size + size**3)


def ddof_of(remote, draw):
    """What the file subtracts from R in its variance: 0 and 1 are both right, and told apart by two draws."""
    gradients = torch.tensor([[1.0], [4.0]]).double()
    case = ratio_case(gradients)
    found = remote.call(case.task, case.target, case.inputs, seed=draw.seed()).output
    right = ratio_case(gradients, 0).oracle(gradients)
    return 0 if found.shape == right.shape and torch.isclose(found, right, rtol=1e-4) else 1


def noisy_gradients(draw, R, n):
    """Parameters of different sizes, with signals of both signs, weaker and stronger than the noise.  [R, n]"""
    signal = draw.log_uniform(0.05, 5, n) * (2 * draw.binary(n) - 1)
    signal[0], signal[-1] = -draw.uniform(1, 2), draw.uniform(1, 2)
    return draw.log_uniform(1e-2, 1e2, n)[draw.uniform(0, 1, n).argsort()] * (draw.normal(R, n) + signal)


@check("todo5", "signal_to_noise: values")
def ratio_values(remote, draw):
    ddof = ddof_of(remote, draw)
    for R, n in (draw.sizes(2, low=4), draw.sizes(2, low=4), draw.large(2)):
        expect(remote, draw, ratio_case(noisy_gradients(draw, R, n), ddof))
    expect(remote, draw, ratio_case(noisy_gradients(draw, 9, 4).float(), ddof))


@check("todo5", "signal_to_noise: many draws, the ratio that is known")
def ratio_known(remote, draw):
    """Draws that are the quantiles of a normal distribution, of which mean and standard deviation are known."""
    ddof = ddof_of(remote, draw)
    (n,) = draw.sizes(1)
    R, mean, sd = 2001, draw.uniform(-3, 3, n), draw.log_uniform(0.1, 10, n)
    quantiles = math.sqrt(2) * torch.erfinv(2 * (torch.arange(R) + 0.5) / R - 1).double()  # [R]
    expect(remote, draw, ratio_case(mean * sd + sd * quantiles[:, None], ddof))


@check("todo5", "shapes: one parameter, two draws, R = n, parameters independent; the same twice")
def todo5_shapes(remote, draw):
    ddof = ddof_of(remote, draw)
    (R,) = draw.sizes(1, low=4)
    for shape in ((R, 1), (2, R), (R, R)):
        expect(remote, draw, ratio_case(noisy_gradients(draw, *shape), ddof))
    gradients = noisy_gradients(draw, R + 1, R)
    other = functools.partial(torch.add, torch.linspace(-1, 1, R + 1)[:, None].double())
    expect_independence(remote, draw, lambda g: ratio_case(g, ddof), gradients, 1, other)
    expect_no_side_effects(remote, draw, ratio_case(gradients, ddof))
