"""What check.py tries of the lab `estimators`: small inputs whose answers can be worked out by hand."""

import math
from functools import partial

import torch

from checking import Wrong, call, compare, expect, expect_slopes, gradients

# TODO 1 ---------------------------------------------------------------------------------------------------

MU = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 0.0], [0.5, -1.0, 2.0]])  # [B, D]
SIGMA = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, math.e], [0.3, 1.0, 2.0]])
MOMENTS = "mu = [[0, 0, 0], [1, -2, 0], [0.5, -1, 2]], sigma = [[1, 1, 1], [1, 1, e], [0.3, 1, 2]]"
DIVERGENCES = torch.tensor([0.0, 2.5 + (math.e**2 - 1) / 2 - 1, 4.180826])


def check_gaussian_kl(file):
    function = file.gaussian_kl
    what, reason = f"gaussian_kl(mu, sigma), {MOMENTS}", "0 for the prior itself; 1/2 + 2 + ((e^2 - 1)/2 - 1); 4.1808"
    expect(what, function, (MU, SIGMA), DIVERGENCES, reason)
    narrow = torch.full((1, 1), 1e-3)
    what, right = "gaussian_kl([[0]], [[0.001]])", [(1e-6 - 1) / 2 - math.log(1e-3)]
    expect(what, function, (0 * narrow, narrow), right, "-1/2 + log 1000: a trained encoder can be as narrow as that")
    wide = torch.full((1, 1), 100.0)
    right = [(1e4 - 1) / 2 - math.log(100)]
    expect("gaussian_kl([[0]], [[100]])", function, (0 * wide, wide), right, "9999/2 - log 100")
    expect_slopes("gaussian_kl", function, mu=MU, sigma=SIGMA)


def check_vae_objective_kl(file):
    function = file.vae_objective_kl
    log_p = torch.tensor([[-100.0, -7.0, 2.0], [-300.0, -1.0, 0.0], [-200.0, -1.0, 0.0], [-200.0, 5.0, -6.0]])  # [k, B]
    right = torch.tensor([-200.0, -1.0, -1.0]) - DIVERGENCES
    what = f"vae_objective_kl(log_p, mu, sigma), k = 4, the means of log_p are -200, -1 and -1; {MOMENTS}"
    expect(what, function, (log_p, MU, SIGMA), right, "each mean minus that image's divergence")
    expect(f"{what}, one sample", function, (log_p[:1], MU, SIGMA), log_p[0] - DIVERGENCES, "one sample is its mean")
    right = torch.tensor([-2000.0, -10.0, -10.0]) - DIVERGENCES
    expect(f"{what}, log_p times 10", function, (10 * log_p, MU, SIGMA), right, "nothing here is clamped")
    expect_slopes("vae_objective_kl", function, log_p_x_given_z=log_p, mu=MU, sigma=SIGMA)


# TODO 2 ---------------------------------------------------------------------------------------------------

W = torch.tensor([[[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]], [[6.0, 1.0], [6.0, 4.0], [6.0, 1.0]]])  # [m, k, B] = [2, 3, 2]
SHOWN = "the weights of image 0 [[1, 3, 5], [6, 6, 6]], of image 1 [[2, 2, 2], [1, 4, 1]], m = 2 groups of k = 3"
LEVELS = torch.tensor([-1000.0, 300.0])
FAR = "log_w + [-1000, 300]"
APART = torch.tensor([0.0, -500.0])[:, None, None]  # of the groups


def log(*weights):
    return torch.tensor(weights).log()


def check_miwae_objective(file):
    function = file.miwae_objective
    right, reason = (log(3.0, 2.0) + log(6.0, 2.0)) / 2, "(log 3 + log 6)/2 and (log 2 + log 2)/2"
    what = f"miwae_objective(log_w), {SHOWN}"
    expect(what, function, (W.log(),), right, reason)
    expect(f"{what}, {FAR}", function, (W.log() + LEVELS,), right + LEVELS, f"{reason}, and the constants pass through")
    what += ", the second group 500 below"
    expect(what, function, (W.log() + APART,), right - 250, "the second group's bound is 500 less: 250 on average")
    expect_slopes("miwae_objective", function, log_w=W.log())


def check_ciwae_objective(file):
    log_w = W[0].log()  # [k, B]
    elbo, bound = log_w.mean(0), log(3.0, 2.0)
    for beta in (0.25, 0.9, 0.0, 1.0):
        function = partial(file.ciwae_objective, beta=beta)
        right, reason = beta * elbo + (1 - beta) * bound, f"{beta} log(15)/3 + {1 - beta:g} log 3; log 2"
        what = f"ciwae_objective(log of [[1, 2], [3, 2], [5, 2]], beta={beta})"
        expect(what, function, (log_w,), right, reason)
        right = right + LEVELS
        expect(f"{what}, {FAR}", function, (log_w + LEVELS,), right, f"{reason}, and the constants pass through")
    expect_slopes("ciwae_objective(log_w, beta=0.25)", partial(file.ciwae_objective, beta=0.25), log_w=log_w)


def check_piwae_objectives(file):
    function = file.piwae_objectives
    right = torch.stack([(log(3.0, 2.0) + log(6.0, 2.0)) / 2, log(4.5, 2.0)])  # [2, B]
    reason = "above, the encoder's: (log 3 + log 6)/2 and log 2; below, the decoder's: log 4.5 and log 2"
    what = f"piwae_objectives(log_w), {SHOWN}"
    expect(what, function, (W.log(),), right, reason)
    expect(f"{what}, {FAR}", function, (W.log() + LEVELS,), right + LEVELS, f"{reason}, and the constants pass through")
    expect_slopes("piwae_objectives", function, log_w=W.log())


# TODO 3 ---------------------------------------------------------------------------------------------------

WEIGHTS = torch.tensor([[1.0, 2.0, 1.0], [2.0, 2.0, 1e-9], [1.0, 4.0, 1e-9]])  # [k, B]; normalised below
NORMALISED = torch.tensor([[0.25, 0.25, 1.0], [0.5, 0.25, 0.0], [0.25, 0.5, 0.0]])
SAMPLES = "the weights [1, 2, 1], [2, 2, 4] and [1, 0, 0] of three images, k = 3"
OFFSETS = torch.tensor([0.0, -1000.0, 300.0])


def check_weighted_objective(file):
    function, log_w = file.weighted_objective, WEIGHTS.log()
    right, reason = (NORMALISED * log_w).sum(0), "log(2)/2; log(2)/2 + log(4)/2; 0"
    what = f"weighted_objective(log_w), {SAMPLES}"
    expect(what, function, (log_w,), right, reason)
    expect(f"{what}, log_w + [0, -1000, 300]", function, (log_w + OFFSETS,), right + OFFSETS, f"{reason}, and offsets")
    expect_gradient_of(what, function, NORMALISED, "each sample's normalised weight, which is a constant")


def expect_gradient_of(what, function, right, reason):
    """The gradient of function(log_w), for the weights above and far from them, to log_w must be the right one."""
    for offsets, where in ((0 * OFFSETS, ""), (OFFSETS, ", log_w + [0, -1000, 300]")):
        log_w = (WEIGHTS.log() + offsets).requires_grad_()
        found = call(what, function, log_w)
        if found.shape != log_w.shape[1:]:
            raise Wrong(what, f"a tensor of shape {list(found.shape)}", f"shape {list(log_w.shape[1:])}")
        (gradient,) = gradients(what, (function(log_w) * torch.tensor([1.0, 2.0, 3.0])).sum(), log_w)
        right_of_all = right * torch.tensor([1.0, 2.0, 3.0])
        compare(f"{what}{where}, the gradient of 1, 2 and 3 times its results", gradient, right_of_all, reason)


# TODO 4 ---------------------------------------------------------------------------------------------------

X = torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0, 1.0]])  # [B, P]
EPS = torch.tensor([[[1.0, -0.5], [0.3, 2.0]], [[0.0, 1.0], [-1.0, 0.5]], [[2.0, 0.2], [0.7, -1.5]]])  # [k, B, D]
CONSTANTS = "is it mu and sigma alone that are constants, and inside log q alone?"


def small_model(file):
    """An IWAE with weights that are easy to repeat: 5 pixels, 2 latent units, 3 hidden ones; in float64."""
    model = file.IWAE(d_data=5, d_latent=2, hidden=(3,)).double()
    with torch.no_grad():
        for number, weight in enumerate(model.parameters()):
            size = torch.arange(weight.numel(), dtype=torch.float64).view_as(weight)
            weight.copy_(torch.sin(1.7 * size + number) / 2)
    return model


def log_weights(model, x, eps, constants=None):
    """log p(x, z) - log q(z | x), by torch.distributions; constants: mu and sigma for log q, otherwise its own."""
    mu, sigma = model.encoder(x)
    z = mu + sigma * eps
    normal, bernoulli = torch.distributions.Normal, torch.distributions.Bernoulli
    log_p = bernoulli(logits=model.decoder(z)).log_prob(x.expand(len(eps), -1, -1)).sum(-1)
    return log_p + normal(0.0, 1.0).log_prob(z).sum(-1) - normal(*(constants or (mu, sigma))).log_prob(z).sum(-1)


def check_stopped_log_weights(file):
    model, x, eps = small_model(file), X.double(), EPS.double()
    with torch.no_grad():
        constants = model.encoder(x)
    what = (
        "stopped_log_weights of a small model: k = 3, B = 2, D = 2, 5 pixels (see small_model in checks/estimators.py)"
    )
    right = log_weights(model, x, eps)
    expect(what, model.stopped_log_weights, (x, eps), right, "the log weights; only gradients differ")
    cotangent = torch.arange(1.0, 7.0).view(3, 2)
    for part in ("decoder", "encoder"):
        weights = dict(getattr(model, part).named_parameters())
        reason = CONSTANTS if part == "encoder" else "the plain one: the decoder does not learn from log q"
        (found, right) = (
            gradients(what, (values * cotangent).sum(), *weights.values())
            for values in (model.stopped_log_weights(x, eps), log_weights(model, x, eps, constants))
        )
        for name, one, other in zip(weights, found, right):
            compare(f"{what}, its gradient to {part}.{name}", one, other, reason)
    expect_none_where_q_is_exact(small_model(file), x, eps)


def expect_none_where_q_is_exact(model, x, eps):
    """Where the decoder ignores z the posterior is the prior: if q is that too, the encoder has nothing to learn."""
    with torch.no_grad():
        for weight in (model.decoder.head.weight, *model.encoder.head.parameters()):
            weight.zero_()
    what = "stopped_log_weights where q is the posterior, the gradient to the encoder's "
    values = model.stopped_log_weights(x, eps)
    (found,) = gradients(what + "head", (values * torch.arange(1.0, 7.0).view(3, 2)).sum(), model.encoder.head.bias)
    compare(what + "head", found, 0 * found, f"0, for every draw: {CONSTANTS}")


def check_stl_objective(file):
    expect_gradient_of(f"stl_objective(log_w), {SAMPLES}", file.stl_objective, NORMALISED, "the normalised weights")


def check_dreg_objective(file):
    what, reason = f"dreg_objective(log_w), {SAMPLES}", "the squares of the normalised weights, which are constants"
    expect_gradient_of(what, file.dreg_objective, NORMALISED**2, reason)


# TODO 5 ---------------------------------------------------------------------------------------------------

DRAWS = torch.tensor(
    [[1.0, -0.001, 100.0], [3.0, -0.003, -300.0], [2.0, -0.002, 200.0], [2.0, -0.002, -200.0]]
)  # [R, n]


def check_signal_to_noise(file):
    what = "signal_to_noise of the draws [1, 3, 2, 2], [-0.001, -0.003, -0.002, -0.002] and [100, -300, 200, -200]"
    found = call(what, file.signal_to_noise, DRAWS)
    by_n, by_n_minus_1 = (DRAWS.mean(0).abs() / DRAWS.std(0, correction=c) for c in (0, 1))
    is_by_n = found.shape == by_n.shape and (found - by_n).abs().max() < (found - by_n_minus_1).abs().max()
    reason = "|mean| / standard deviation of each: 2, 0.002 and 50 divided by it; dividing by R is right too"
    compare(what, found, by_n if is_by_n else by_n_minus_1, reason)


# The verdicts ---------------------------------------------------------------------------------------------

NAMES = (
    "gaussian_kl vae_objective_kl miwae_objective ciwae_objective piwae_objectives weighted_objective stl_objective "
    "dreg_objective signal_to_noise IWAE"
).split()

# What a function calls of the same file, in a trusted form: its own mistake is told from a mistake of those.
STAND_INS = {
    "vae_objective_kl": {"gaussian_kl": lambda mu, sigma: ((mu**2 + sigma**2 - 1) / 2 - sigma.log()).sum(-1)},
    "piwae_objectives": {"miwae_objective": lambda log_w: (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)},
    "stl_objective": {"weighted_objective": lambda log_w: (log_w.softmax(0).detach() * log_w).sum(0)},
}
CHECKS = {
    1: {"gaussian_kl": check_gaussian_kl, "vae_objective_kl": check_vae_objective_kl},
    2: {
        "miwae_objective": check_miwae_objective,
        "ciwae_objective": check_ciwae_objective,
        "piwae_objectives": check_piwae_objectives,
    },
    3: {"weighted_objective": check_weighted_objective},
    4: {
        "stopped_log_weights": check_stopped_log_weights,
        "stl_objective": check_stl_objective,
        "dreg_objective": check_dreg_objective,
    },
    5: {"signal_to_noise": check_signal_to_noise},
}
