"""What check.py tries of the lab `pixels`: small inputs whose answers can be worked out by hand.

Each function is tried with right ones in the place of those that it calls, of the lab and of model.py.
"""

import math
from unittest.mock import patch

import torch
from torch.distributions import Normal

from checking import call, compare, expect, expect_gradients, expect_slopes, gradients

NAMES = "discretized_logistic bits_per_dim mixture_log_likelihood sample_logistic PixelVAE".split()

# TODO 1 ---------------------------------------------------------------------------------------------------

LEVELS = torch.arange(256.0)


def logistics(mu, s):
    """mu and log s as tensors."""
    return torch.tensor(mu), torch.tensor(s).log()


def check_discretized_logistic(file):
    function = file.discretized_logistic
    for x, mu, s, right, reason in (
        (100.0, 100.0, 1.0, math.log(math.tanh(1 / 4)), "sigmoid(1/2) - sigmoid(-1/2) = tanh(1/4)"),
        (100.0, 100.0, 10.0, math.log(math.tanh(1 / 40)), "sigmoid(1/20) - sigmoid(-1/20) = tanh(1/40)"),
        (
            128.0,
            128.5,
            0.1,
            math.log(1 / 2),
            "a very narrow logistic lies in the two bins that meet at mu",
        ),
        (7.0, 7.0, 0.01, 0.0, "a very narrow logistic lies in the bin about mu"),
        (0.0, 0.5, 30.0, math.log(1 / 2), "everything below 1/2 is level 0, however far below"),
        (255.0, 254.5, 30.0, math.log(1 / 2), "everything above 254.5 is level 255, however far above"),
        (0.0, 200.0, 3.0, -66.5, "log sigmoid(-66.5)"),
        (255.0, 20.0, 3.0, -78.1667, "log sigmoid(-78.1667)"),
        (10.0, 250.0, 4.0, -59.875 + math.log(1 - math.exp(-1 / 4)), "exp(-59.875) - exp(-60.125), nearly"),
        (250.0, 10.0, 4.0, -59.875 + math.log(1 - math.exp(-1 / 4)), "as far as that on the other side"),
    ):
        what = f"discretized_logistic(x = {x:g}, mu = {mu:g}, log_s = log {s:g})"
        inputs = torch.tensor([x]), *logistics([mu], [s])
        expect(what, function, inputs, [right], reason)
    for mu, s in ((3.0, 2.0), (127.5, 40.0), (250.0, 0.3), (-20.0, 30.0), (300.0, 30.0)):
        what = f"discretized_logistic of all levels, mu = {mu:g}, s = {s:g}"
        found = call(what, function, LEVELS, *logistics(mu, s))
        compare(f"{what}: the sum of the probabilities", found.double().exp().sum(), 1.0, "one of the 256 comes up")
    x, (mu, log_s) = torch.tensor([[0.0, 100.0, 255.0]]), logistics([[[5.0]], [[90.0]]], [[[3.0]], [[20.0]]])
    found = call("discretized_logistic", function, x, mu.expand(2, 4, 3), log_s.expand(2, 4, 3))
    one = call("discretized_logistic", function, x[0, 1], mu[1, 0, 0], log_s[1, 0, 0])
    what = "discretized_logistic of x [1, 3] with mu and log_s [2, 4, 3]"
    compare(what, found[1, :, 1], one.expand(4), "each number by itself, x as often as there are mu for it")
    what = "discretized_logistic(x = 250, mu = 10, log_s = log 4), its gradients"
    x, (mu, log_s) = torch.tensor(250.0), (number.requires_grad_() for number in logistics(10.0, 4.0))
    to_mu, to_log_s = gradients(what, function(x, mu, log_s), mu, log_s)
    compare(f"{what}: to mu", to_mu, 0.25, "mu has to come nearer, however far it is", close=1e-2)
    compare(f"{what}: to log_s", to_log_s, 58.995, "or s has to grow", close=1e-2)
    x, (mu, log_s) = torch.tensor([0.0, 90.0, 255.0]), logistics([4.0, 95.0, 250.0], [3.0, 8.0, 2.0])
    expect_slopes("discretized_logistic", lambda mu, log_s: function(x.double(), mu, log_s), mu=mu, log_s=log_s)


def check_bits_per_dim(file):
    def function(nll):
        return file.bits_per_dim(nll, n=3072)

    nll = 3072 * math.log(256) * torch.tensor([[1.0, 0.5], [0.25, 0.0]])
    reason = "uniform levels have 8 bits in each dimension, log 256 nats; half of the nats are half of the bits"
    expect(
        "bits_per_dim(3072 log 256 times [[1, 1/2], [1/4, 0]], n = 3072)",
        function,
        (nll,),
        [[8.0, 4.0], [2.0, 0.0]],
        reason,
    )


# TODO 2 ---------------------------------------------------------------------------------------------------


def exact_logistic(x, mu, log_s):
    """log P(x) by the definition, in float64: enough unless the level is far above mu."""
    level, mu, s = x.double(), mu.double(), log_s.double().exp()
    to_end, to_start = torch.sigmoid((level + 0.5 - mu) / s), torch.sigmoid((level - 0.5 - mu) / s)
    p = torch.where(x == 255, 1.0, to_end) - torch.where(x == 0, 0.0, to_start)
    return p.log().to(x.dtype)


def check_mixture_log_likelihood(file):
    with patch.multiple(file, discretized_logistic=exact_logistic, create=True):
        try_mixture(file.mixture_log_likelihood)


def try_mixture(function):
    x = torch.tensor([90.0, 0.0])
    mu, log_s = logistics([[88.0, 90.0, 93.0], [5.0, 1.0, 60.0]], [[2.7, 1.6, 3.3], [4.0, 2.0, 50.0]])
    p = exact_logistic(x[:, None], mu, log_s).exp()  # [2, 3]
    pi = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    right = torch.stack([sum(pi[i, m] * p[i, m] for m in range(3)) for i in range(2)]).log()
    what = "mixture_log_likelihood of 2 levels, logits = log of [[.2, .5, .3], [.1, .1, .8]]"
    expect(what, function, (x, pi.log(), mu, log_s), right, "the log of pi_1 P_1(x) + pi_2 P_2(x) + pi_3 P_3(x)")
    what += " + [[7], [-2]]"
    shift = torch.tensor([[7.0], [-2.0]])
    expect(what, function, (x, pi.log() + shift, mu, log_s), right, "the softmax is the same")
    one = [tensor[:, :1] for tensor in (pi.log(), mu, log_s)]
    expect("mixture_log_likelihood of one logistic", function, (x, *one), p[:, 0].log(), "its own log P(x)")
    four = [tensor.expand(4, 2, 3) for tensor in (pi.log(), mu, log_s)]
    what = "mixture_log_likelihood of x [2], and others [4, 2, 3]"
    expect(what, function, (x, *four), right.expand(4, 2), "x as often as there are mixtures for it")
    far = torch.tensor([10.0]), torch.zeros(1, 2), *logistics([[250.0, 250.0]], [[2.0, 2.0]])
    what = "mixture_log_likelihood of x = 10 with two equal logistics, mu = 250 and s = 2"
    right = [-119.75 + math.log(1 - math.exp(-1 / 2))]
    expect(what, function, far, right, "exp(-120) is 0 for float32, -120 is not")
    numbers = {"logits": pi.log(), "mu": mu, "log_s": log_s}
    expect_slopes("mixture_log_likelihood", lambda *inputs: function(x.double(), *inputs), **numbers)


def check_sample_logistic(file):
    function = file.sample_logistic
    middle, above = 0.5, 1 / (1 + math.exp(-1))
    for mu, s, u, right, reason in (
        (103.2, 2.5, middle, 103.0, "half of the levels lie below mu: 103.2, rounded"),
        (103.2, 2.5, above, 106.0, "the sigmoid is this at 1: mu + s = 105.7, rounded"),
        (103.2, 2.5, 1 - above, 101.0, "mu - s = 100.7, rounded"),
        (103.2, 20.0, above, 123.0, "mu + s = 123.2, rounded"),
        (103.2, 20.0, 0.01, 11.0, "103.2 - 20 log 99 = 11.3"),
        (3.0, 4.0, 0.01, 0.0, "3 - 4 log 99 = -15.4, which belongs to level 0"),
        (250.0, 8.0, 0.99, 255.0, "250 + 8 log 99 = 286.8, which belongs to level 255"),
    ):
        what = f"sample_logistic(mu = {mu:g}, log_s = log {s:g}, u = {u:.4f}), shapes [2, 1]"
        inputs = (torch.full((2, 1), number) for number in (mu, math.log(s), u))
        expect(what, function, inputs, [[right], [right]], reason)


# TODO 3 ---------------------------------------------------------------------------------------------------

SHAPE = 3, 4, 8
IMAGES = torch.arange(2.0 * math.prod(SHAPE)).mul(89).remainder(256).view(2, *SHAPE)  # [B, C, H, W]
EPS = torch.tensor(  # [k, B, D] = [4, 2, 3]
    [
        [[0.5, -1.0, 2.0], [0.1, 1.0, -1.0]],
        [[-1.5, 0.3, 0.0], [-0.1, -2.0, 0.5]],
        [[1.0, 1.0, -1.0], [0.0, 0.5, 2.0]],
        [[-0.2, -2.0, 0.4], [0.05, -0.7, -1.5]],
    ]
)


def small_model(file, part=""):
    """A PixelVAE with two logistics for each dimension. The weights whose names begin with part are waves, others 0."""
    model = file.PixelVAE(SHAPE, d_latent=3, components=2, channels=(1, 1), hidden=2)
    for name, weight in model.named_parameters():
        height = 0.8 if name.startswith("encoder") else 0.3
        wave = height * torch.sin(torch.arange(1.0, 1 + weight.numel())).view_as(weight)
        torch.nn.init.zeros_(weight) if not name.startswith(part) else weight.data.copy_(wave)
    return model


def log_density(z, mu, sigma):
    return Normal(mu, sigma).log_prob(z).sum(-1)


def exact_mixture(x, logits, mu, log_s):
    return torch.logsumexp(torch.log_softmax(logits, -1) + exact_logistic(x[..., None], mu, log_s), -1)


def check_log_weights(file):
    right = {
        "discretized_logistic": exact_logistic,
        "mixture_log_likelihood": exact_mixture,
        "gaussian_log_likelihood": log_density,
        "reparameterize": lambda mu, sigma, eps: mu + sigma * eps,
    }
    with patch.multiple(file, **right, create=True):
        try_log_weights(file)


def try_log_weights(file):
    model = small_model(file, "nothing")
    what = "log_weights of a model with all weights 0: images of 3 colours and 4 x 8 pixels, k = 4, B = 2, D = 3"
    reason = "q(z | x) is the prior here, so only log p(x | z) is left: 96 times log P(128) with mu = 127.5"
    p = 1 / (1 + math.exp(-1 / math.exp(2.5))) - 1 / 2
    same = torch.full((2, *SHAPE), 128.0)
    expect(what, model.log_weights, (same, EPS), torch.full((4, 2), 96 * math.log(p)), reason)
    model.decoder.head.bias.data[2::3] = -3.5  # log_s = -1
    right, s = math.log(1 - math.exp(-math.e)), math.exp(-1)
    what = "log_weights of a model with all weights 0 but those that make s = exp(-1); every level is 60"
    right, reason = 96 * (right - 67 / s), "96 log P(60), however small that is"
    expect(what, model.log_weights, (torch.full((2, *SHAPE), 60.0), EPS), torch.full((4, 2), right), reason)

    model = small_model(file)
    log_w = call("log_weights of 2 images and 4 samples", model.log_weights, IMAGES, EPS)
    alone = call("log_weights of one image", model.log_weights, IMAGES[1:], EPS[:, 1:])
    compare("log_weights, image 1", log_w[:, 1:], alone, "what image 1 gives alone: images are independent")
    alone = call("log_weights of one sample", model.log_weights, IMAGES, EPS[2:3])
    compare("log_weights, sample 2", log_w[2:3], alone, "what sample 2 gives alone: samples are independent")
    for part, right, reason in PARTS:
        what = f"log_weights where all weights are 0 but those of the {part or 'two networks'} (see small_model)"
        model = small_model(file, part)
        expect(what, model.log_weights, (IMAGES, EPS), right, reason)
    model.double()
    few = {name: weight for name, weight in model.named_parameters() if weight.numel() < 20}
    expect_gradients("log_weights", lambda: model.log_weights(IMAGES.double(), EPS.double()), few)


PARTS = (  # small_model's part, the log weights, what they show
    (
        "decoder",
        [[-631.7657, -633.0098], [-631.5422, -633.7996], [-632.1534, -632.7988], [-631.255, -633.5876]],
        "log p(x | z) alone, since q(z | x) is the prior here",
    ),
    (
        "encoder",
        [[-763.4858, -758.1088], [-761.2965, -756.6827], [-768.7485, -757.4369], [-761.3683, -757.8513]],
        "the same log p(x | z) for all samples, + log p(z) - log q(z | x)",
    ),
    (
        "",
        [[-635.7638, -634.8625], [-632.9494, -633.5792], [-641.2375, -634.0481], [-633.2351, -634.7702]],
        "each term was right on its own: are all three taken at the same sample z?",
    ),
)


CHECKS = {
    1: {"discretized_logistic": check_discretized_logistic, "bits_per_dim": check_bits_per_dim},
    2: {"mixture_log_likelihood": check_mixture_log_likelihood, "sample_logistic": check_sample_logistic},
    3: {"log_weights": check_log_weights},
}
