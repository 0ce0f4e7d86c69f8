"""Your own quick check: for each TODO, whether it is not started, waits, is wrong or fine. Takes seconds.

    python base_code/check.py
    python base_code/check.py importance

The first is for model.py, the second for that lab's file in base_code/labs/.

It tries a few small inputs whose answers can be worked out by hand, and compares gradients with measured slopes.
Passing is necessary, not sufficient: the course's own checks use other inputs.

"waits" means that a function is right as far as it goes, but calls another one that is not right yet.
"""

import argparse
import ast
import importlib
import io
import linecache
import math
import sys
import traceback
from contextlib import nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from statistics import NormalDist

import torch
from rich.console import Console
from rich.markup import escape
from torch.distributions import AffineTransform, Normal, TransformedDistribution

from checking import Wrong, call, compare, expect, expect_gradients, expect_slopes, gradients, numbers, settings_kept
from cli import ROOT, UserError, run_command
from model_file import Unfinished, UnfinishedCore, explained, import_file, require_names

NAMES = (
    "bernoulli_log_likelihood gaussian_log_likelihood reparameterize vae_objective log_mean_exp iwae_objective "
    "Encoder Decoder IWAE"
).split()
NAN = torch.tensor([[math.nan], [1.0]])
NAN_REASON = "NaN tells that something broke before; hiding it lets training go on with nonsense"


# TODO 1 ---------------------------------------------------------------------------------------------------


def check_gaussian_log_likelihood(model_file):
    log_likelihood = model_file.gaussian_log_likelihood
    zeros, ones = torch.zeros(4, 2, 3), torch.ones(4, 2, 3)
    what = "gaussian_log_likelihood(zeros, zeros, ones), all of shape [4, 2, 3]"
    reason = "a standard normal has density 0.3989 at its mean, in each of 3 dimensions"
    expect(what, log_likelihood, (zeros, zeros, ones), torch.full((4, 2), 3 * math.log(0.398942)), reason)

    for sigma in (0.3, 2.5, 0.001, 1000.0):
        z = torch.linspace(-10 * sigma, 10 * sigma, 401)[:, None]  # [N, 1]
        step = 20 * sigma / 400
        what = f"exp of gaussian_log_likelihood(z, 0, {sigma:g}), for a fine grid of z"
        density = call(what, log_likelihood, z, torch.zeros_like(z), torch.full_like(z, sigma)).exp()
        area = density.double().sum() * step
        compare(f"{what}: their sum times the grid's step", area, 1.0, "a density integrates to 1")
        deviation = ((z.squeeze(1) / sigma).square() * density).double().sum().mul(step).sqrt()
        compare(f"{what}: its standard deviation / sigma", deviation, 1.0, "sigma is the standard deviation")

    mu = torch.tensor([[0.5, -1.0, 3.0], [0.0, 2.0, -0.7]])  # [2, 3]
    sigma = torch.tensor([[0.3, 2.5, 1.0], [1.0, 0.4, 8.0]])
    z = torch.tensor([[[0.2, 1.5, 1.0], [2.0, 1.5, -9.0]], [[0.9, -4.0, 3.0], [-20.0, 2.2, 7.0]]])  # [2, 2, 3]
    right = [
        [sum(math.log(NormalDist(m, s).pdf(v)) for v, m, s in zip(*image)) for image in zip(sample, mu, sigma)]
        for sample in z
    ]
    what = f"gaussian_log_likelihood(z, mu, sigma) with z = {numbers(z)}, mu = {numbers(mu)}, sigma = {numbers(sigma)}"
    expect(what, log_likelihood, (z, mu, sigma), right, "the sum over the 3 units of log(NormalDist(mu, sigma).pdf(z))")

    z, zero, one = torch.full((1, 1, 1), 100.0), torch.zeros(1, 1), torch.ones(1, 1)
    what = "gaussian_log_likelihood(100, 0, 1), shapes [1, 1, 1], [1, 1] and [1, 1]"
    reason = "exp(-5000) is 0 for a computer, its logarithm need not be: take it on paper. Only the last axis goes"
    expect(what, log_likelihood, (z, zero, one), [[-5000.9189]], reason)
    (d_z,) = gradients(what, log_likelihood(z.requires_grad_(), zero, one), z)
    compare(f"{what}, its gradient to z", d_z, [[[-100.0]]], "the density falls faster the farther z is from mu")
    what = "gaussian_log_likelihood(inf, 0, 1)"
    expect(
        what,
        log_likelihood,
        (zero[None] + math.inf, zero, one),
        [[-math.inf]],
        "no finite number may hide that overflow",
    )

    z = torch.tensor([[[0.2, 1.5, 1.0], [2.0, 1.5, -9.0]], [[0.9, -4.0, 3.0], [-1.0, 2.2, 7.0]]])
    expect_slopes("gaussian_log_likelihood", log_likelihood, z=z, mu=mu, sigma=sigma)


def check_reparameterize(model_file):
    reparameterize = model_file.reparameterize
    mu = torch.tensor([[1.0, 0.0, -2.0], [0.0, 0.0, 5.0]])  # [2, 3]
    sigma = torch.tensor([[0.5, 1.0, 3.0], [0.2, 10.0, 2.0]])
    for eps, right, reason in (
        (0.0, [[1, 0, -2], [0, 0, 5]], "without noise each sample is mu"),
        (1.0, [[1.5, 1, 1], [0.2, 10, 7]], "1 is one standard deviation above mu"),
        (-4.0, [[-1, -4, -14], [-0.8, -40, -3]], "-4 is four standard deviations below mu"),
    ):
        what = f"reparameterize(mu = {numbers(mu)}, sigma = {numbers(sigma)}, eps = {eps:g} everywhere), k = 4"
        right = torch.tensor(right).expand(4, 2, 3)
        expect(what, reparameterize, (mu, sigma, torch.full((4, 2, 3), eps)), right, reason)

    eps = torch.zeros(4, 2, 3)
    eps[2, 1, 0], eps[3, 0, 2] = 3.0, -0.25
    right = mu.expand(4, 2, 3).clone()
    right[2, 1, 0], right[3, 0, 2] = 0.6, -2.75
    what = "reparameterize of the same mu and sigma, eps = 0 but for eps[2, 1, 0] = 3 and eps[3, 0, 2] = -0.25"
    expect(what, reparameterize, (mu, sigma, eps), right, "sample i of image b uses the noise eps[i, b], and no other")

    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    for size in (0.001, 1000.0):
        what = f"reparameterize(0, {size:g}, 1), shapes [1, 1], [1, 1] and [1, 1, 1]"
        expect(what, reparameterize, (zero, size * one, one[None]), [[[size]]], "sigma may be small and large")
    what = "reparameterize(0, 1, NaN)"
    expect(what, reparameterize, (zero, one, one[None] * math.nan), [[[math.nan]]], NAN_REASON)

    eps = torch.tensor([[[1.0, -2.0, 0.5], [0.3, -1.0, 2.0]], [[-0.7, 1.5, 0.0], [1.2, 0.4, -2.5]]])
    expect_slopes("reparameterize", lambda mu, sigma: reparameterize(mu, sigma, eps.double()), mu=mu, sigma=sigma)


# TODO 2 ---------------------------------------------------------------------------------------------------

X = torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0, 1.0]])  # [B, P] = [2, 5]
EPS = torch.tensor(  # [k, B, D] = [4, 2, 3]
    [
        [[0.5, -1.0, 2.0], [0.1, 1.0, -1.0]],
        [[-1.5, 0.3, 0.0], [-0.1, -2.0, 0.5]],
        [[1.0, 1.0, -1.0], [0.0, 0.5, 2.0]],
        [[-0.2, -2.0, 0.4], [0.05, -0.7, -1.5]],
    ]
)


def small_model(model_file, encoder=False, decoder=False, **sizes):
    """An IWAE with most weights 0, so that its answers are known: mu = 0, sigma = 1, and every logit is 0.

    encoder: mu = (1.5, -2, 0.5) and sigma = (20, 0.003, 1) for an image whose first pixel is 1.
    decoder: the logits are (2, -1, 0.5, 1, -3) tanh(0.5 z_1 - 0.2 z_2 + 0.3 z_3).
    """
    model = model_file.IWAE(**{"d_data": 5, "d_latent": 3, "hidden": (1,), "tied": False, **sizes})
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        if encoder:
            model.encoder.body[0].weight[0, 0] = 20.0  # tanh(20) = 1: the hidden unit is the first pixel
            model.encoder.head.weight[:, 0] = torch.tensor([1.5, -2.0, 0.5, math.log(20), math.log(0.003), 0.0])
        if decoder:
            model.decoder.body[0].weight[0] = torch.tensor([0.5, -0.2, 0.3])
            model.decoder.head.weight[:, 0] = torch.tensor([2.0, -1.0, 0.5, 1.0, -3.0])
    return model


def check_log_weights(model_file):
    model = small_model(model_file, d_data=784, d_latent=5)
    what = "log_weights of a model with all weights 0: 784 pixels, k = 4, B = 2, D = 5"
    reason = "q(z | x) is the prior here, so only log p(x | z) is left, 784 log(1/2)"
    expect(
        what,
        model.log_weights,
        (torch.ones(2, 784), torch.ones(4, 2, 5)),
        torch.full((4, 2), 784 * math.log(0.5)),
        reason,
    )
    model = small_model(model_file, d_latent=1, tied=True)
    what = "log_weights of a model with all weights 0: 5 pixels, k = B = D = 1"
    expect(what, model.log_weights, (X[:1], EPS[:1, :1, :1]), [[5 * math.log(0.5)]], "5 log(1/2)")

    model = small_model(model_file, encoder=True, decoder=True)
    what = "log_weights of 2 images and 4 samples"
    log_w = call(what, model.log_weights, X, EPS)
    alone = call("log_weights of one image", model.log_weights, X[1:], EPS[:, 1:])
    compare(f"{what}, image 1", log_w[:, 1:], alone, "what image 1 gives alone: images are independent")
    alone = call("log_weights of one sample", model.log_weights, X, EPS[2:3])
    compare(f"{what}, sample 2", log_w[2:3], alone, "what sample 2 gives alone: samples are independent")

    right = [[-7.0245, -3.4737], [-2.0599, -4.1982], [-3.4657, -4.1982], [-5.0443, -3.4015]]
    reason = "log p(x | z) alone, since q(z | x) is the prior here: the logits of each sample differ"
    what = "log_weights where mu = 0 and sigma = 1 (see small_model in check.py)"
    expect(what, small_model(model_file, decoder=True).log_weights, (X, EPS), right, reason)

    right = [[-3.4657, -13.5182], [-3.4657, -6.7862], [-3.4657, -10.4011], [-3.4657, -10.5371]]
    reason = "5 log(1/2) + log p(z) - log q(z | x); the last two are equal for image 0, where q is the prior"
    what = "log_weights where all logits are 0 (see small_model in check.py)"
    expect(what, small_model(model_file, encoder=True).log_weights, (X, EPS), right, reason)

    right = [[-7.0245, -15.7072], [-2.0599, -7.4291], [-3.4657, -12.5642], [-5.0443, -12.4313]]
    reason = "each term was right on its own: are all three taken at the same sample z?"
    what = "log_weights where mu, sigma and the logits all matter (see small_model in check.py)"
    expect(what, model.log_weights, (X, EPS), right, reason)

    sure = small_model(model_file)
    torch.nn.init.constant_(sure.decoder.head.bias, 40.0)
    what, reason = "log_weights where every logit is 40", "-40 for each pixel that is 0; sigmoid(40) is rounded to 1"
    expect(what, sure.log_weights, (X, EPS), [[-80.0, -40.0]] * 4, reason)

    model.double()
    compute = partial(model.log_weights, X.double(), EPS.double())
    expect_gradients("log_weights", compute, dict(model.named_parameters()))
    expect_one_encoding(small_model(model_file))
    expect_nothing_hidden(small_model(model_file))


def expect_one_encoding(model):
    """mu and sigma do not depend on the sample, so the encoder has to see each image only once."""
    sizes = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[:-1].numel()))
    model.log_weights(X, EPS)
    if sum(sizes) > len(X):
        found = f"right log weights, but the encoder was given {sum(sizes)} images"
        raise Wrong("log_weights of 2 images, k = 4", found, "each image encoded once, whatever k is: 2 images")


def expect_nothing_hidden(model):
    """An infinite term must reach the log weight."""
    torch.nn.init.constant_(model.decoder.head.bias, -math.inf)
    log_w = call("log_weights", model.log_weights, torch.ones(2, 5), EPS)
    if log_w.isfinite().any():
        what = "log_weights of images that the decoder calls impossible, every logit -inf"
        raise Wrong(what, "finite numbers", "-inf or NaN: to hide it lets training go on with nonsense")


def check_vae_objective(model_file):
    objective = model_file.vae_objective
    log_w = torch.tensor([[-1.0, -200.0, 9.0], [-4.0, -300.0, 0.0], [4.0, -100.0, 0.0], [-11.0, -1000.0, -1.0]])
    what = f"vae_objective({numbers(log_w)}), k = 4 and B = 3"
    expect(what, objective, (log_w,), [-3.0, -400.0, 2.0], "the mean over the 4 samples, for each image")
    expect("vae_objective([[-7]]), k = B = 1", objective, (torch.tensor([[-7.0]]),), [-7.0], "one number per image")
    expect("vae_objective([[NaN], [1]])", objective, (NAN,), [math.nan], NAN_REASON)
    expect_slopes("vae_objective", objective, log_w=log_w)


# TODO 3 ---------------------------------------------------------------------------------------------------

A = torch.tensor([[1.0, 2.0, 1.0], [2.0, 2.0, 1.0], [3.0, 2.0, 1.0], [6.0, 2.0, 5.0]]).log()  # [4, 3]
SHOWN = "log of [[1, 2, 1], [2, 2, 1], [3, 2, 1], [6, 2, 5]]"
MEANS = torch.tensor([3.0, 2.0, 2.0]).log()  # of each column


def check_log_mean_exp(model_file):
    log_mean_exp = model_file.log_mean_exp
    reason = "the means of exp are 3, 2 and 2"
    for offset in (0.0, -200.0, -1000.0, 1000.0):
        what, also = f"log_mean_exp(a + {offset:g}), a = {SHOWN}", f", and {offset:g} passes through"
        expect(what, log_mean_exp, (A + offset,), MEANS + offset, reason + also)
    for dim in (1, -1):
        what = f"log_mean_exp(a.T, dim={dim})"
        expect(what, partial(log_mean_exp, dim=dim), (A.T,), MEANS, f"{reason} along that axis")
    what = "log_mean_exp(two copies of a, shape [2, 4, 3], dim=1)"
    expect(what, partial(log_mean_exp, dim=1), (A.expand(2, 4, 3),), MEANS.expand(2, 3), reason)

    levels = torch.tensor([0.0, -500.0, 400.0])
    what = "log_mean_exp(a + [0, -500, 400]), one offset for each column"
    expect(what, log_mean_exp, (A + levels,), MEANS + levels, "each column that is averaged needs a shift of its own")
    far = torch.tensor([[-3000.0], [-2000.0], [-200.0], [-201.0]])
    what = "log_mean_exp([[-3000], [-2000], [-200], [-201]])"
    expect(what, log_mean_exp, (far,), [-201.0730], "exp of the largest must neither overflow nor underflow")
    (d_far,) = gradients(what, log_mean_exp(far.requires_grad_()), far)
    right = [[0.0], [0.0], [0.7311], [0.2689]]
    compare(f"{what}, its gradient", d_far, right, "each entry counts in proportion to its exp")
    zero_weight = torch.cat((torch.full((4, 1), -math.inf), A), dim=1)
    zero_weight[1:, 0] = 0.0
    found = call("log_mean_exp", log_mean_exp, zero_weight)
    what = "log_mean_exp(a beside a column with an entry of -inf), the other columns"
    compare(what, found[1:], MEANS, "a weight of zero must not reach them")
    expect("log_mean_exp([[-7]])", log_mean_exp, (torch.tensor([[-7.0]]),), [-7.0], "only the axis dim goes")
    expect("log_mean_exp([-7, -7])", log_mean_exp, (torch.tensor([-7.0, -7.0]),), -7.0, "one axis may be all there is")
    expect("log_mean_exp([[NaN], [1]])", log_mean_exp, (NAN,), [math.nan], NAN_REASON)
    expect_slopes("log_mean_exp", log_mean_exp, a=A)


def check_iwae_objective(model_file):
    objective = model_file.iwae_objective
    levels = torch.tensor([0.0, -500.0, -7.0])
    log_w = A + levels
    what = f"iwae_objective(a + [0, -500, -7]), k = 4 and B = 3, a = {SHOWN}"
    expect(what, objective, (log_w,), MEANS + levels, "the mean weights of the images are 3, 2 e^-500 and 2 e^-7")
    (d_log_w,) = gradients(what, objective(log_w.requires_grad_()), log_w)
    right = A.exp() / A.exp().sum(0)
    compare(f"{what}, its gradient", d_log_w, right, "each sample counts in proportion to its weight")
    one = torch.tensor([[-7.0, 3.0]])
    expect("iwae_objective([[-7, 3]]), k = 1 and B = 2", objective, (one,), [-7.0, 3.0], "the mean of one is itself")
    expect("iwae_objective([[-7]]), k = B = 1", objective, (one[:, :1],), [-7.0], "one number per image")
    expect("iwae_objective([[NaN], [1]])", objective, (NAN,), [math.nan], NAN_REASON)
    expect_slopes("iwae_objective", objective, log_w=log_w)


# The verdicts ---------------------------------------------------------------------------------------------

CHECKS = {
    1: {"gaussian_log_likelihood": check_gaussian_log_likelihood, "reparameterize": check_reparameterize},
    2: {"log_weights": check_log_weights, "vae_objective": check_vae_objective},
    3: {"log_mean_exp": check_log_mean_exp, "iwae_objective": check_iwae_objective},
}


def normal(mu, sigma):
    """The standard normal, stretched and moved."""
    return TransformedDistribution(Normal(torch.zeros_like(mu), torch.ones_like(mu)), AffineTransform(mu, sigma))


# What a function calls, in a trusted form: its own mistake is told from a mistake of those.
STAND_INS = {
    "log_weights": {
        "gaussian_log_likelihood": lambda z, mu, sigma: normal(mu, sigma).log_prob(z).sum(-1),
        "reparameterize": lambda mu, sigma, eps: AffineTransform(mu, sigma)(eps),
    },
    # In float64 exp(-700) is not 0 yet: enough for the numbers above, not for those of real images.
    "iwae_objective": {"log_mean_exp": lambda a, dim=0: a.double().exp().mean(dim).log()},
}


def verdicts(model_file, checks=CHECKS, stand_ins=STAND_INS):
    """(TODO, function, "fine" | "not started" | "waits" | "wrong", the lines that explain it) of each function"""
    not_fine = []
    for todo, functions in checks.items():
        for name, check in functions.items():
            word, lines = verdict(name, check, model_file)
            unready = [callee for callee in stand_ins.get(name, ()) if callee in not_fine]
            if word != "fine" and unready:
                word, lines = verdict(name, check, model_file, stand_ins[name])
                if word == "fine":
                    word, lines = "waits", [("first", f"get {' and '.join(unready)} right; nothing else is wrong here")]
            if word != "fine":
                not_fine.append(name)
            yield todo, name, word, lines


def verdict(name, check, model_file, stand_ins=()):
    """How the check of one function ends, with some other functions of the model file replaced meanwhile."""
    own, printed = dict(vars(model_file)), io.StringIO()
    torch.manual_seed(8191)  # nobody's choice, so that a seed which the file sets inside a function shows
    vars(model_file).update(stand_ins)
    try:
        with redirect_stdout(printed), uncompiled(), settings_kept(name), explained(model_file.__file__):
            check(model_file)
        word, lines = "fine", []
    except Wrong as wrong:
        word, lines = "wrong", list(zip(("called", "came back", "expected"), wrong.args))
    except UnfinishedCore as unfinished:
        word, lines = "waits", [("first", str(unfinished))]
    except Unfinished as unfinished:
        word, lines = unfinished_verdict(unfinished, model_file.__file__)
    except UserError as error:
        word, lines = "wrong", [("stopped by", str(error))]
    except SystemExit:
        word, lines = "wrong", [("stopped by", "exit(), which ends the whole program: take it out")]
    finally:
        vars(model_file).update(own)
    if text := printed.getvalue().strip().splitlines():
        lines.append(("printed", f"{text[0]} ({len(text)} lines; take print out before you train, it slows that down)"))
    return word, lines


def uncompiled():
    """Run what is decorated with torch.compile as it is written: to compile for each small shape takes a minute."""
    if "torch._dynamo" in sys.modules:  # takes two seconds to import, so only if the model file did
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


def unfinished_verdict(unfinished, path):
    """Not started, or code with the stub's raise left beside it."""
    line = traceback.extract_tb(unfinished.__context__.__traceback__)[-1].lineno
    if has_code("".join(linecache.getlines(path)), line):
        text = f"line {line} still raises NotImplementedError: delete that line when your code returns its result"
        return "wrong", [("stopped by", text)]
    return "not started", [("to do", f"line {line}, {unfinished}")]


def has_code(source, line):
    """Whether the function around that line holds more than its docstring and a raise."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    body = [node for node in functions if node.lineno <= line <= node.end_lineno][-1].body  # the innermost comes last
    docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return any(not isinstance(statement, ast.Raise) for statement in body[docstring:])


# The command ----------------------------------------------------------------------------------------------

COLOURS = {"fine": "green", "not started": "yellow", "waits": "yellow", "wrong": "red"}


LABS = sorted(path.stem for path in (ROOT / "base_code" / "checks").glob("[!_]*.py"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lab", nargs="?", choices=LABS, metavar="LAB", help=f"{' or '.join(LABS)}; none: model.py")
    parser.add_argument("--model", metavar="FILE", help="default: base_code/model.py, or the lab's file")
    arguments = parser.parse_args()
    path, names, checks, stand_ins = arguments.model or "base_code/model.py", NAMES, CHECKS, STAND_INS
    if lab := arguments.lab:
        path, module = arguments.model or f"base_code/labs/{lab}.py", importlib.import_module(f"checks.{lab}")
        checks, stand_ins = module.CHECKS, getattr(module, "STAND_INS", {})
        names = getattr(module, "NAMES", [name for functions in checks.values() for name in functions])
    console = Console(highlight=False, soft_wrap=True)
    try:
        with settings_kept("importing the file", free=("random seed",)):
            model_file = import_file(path)
            require_names(model_file, names)
    except Wrong as wrong:
        raise UserError(f"{Path(path).name}: {'; expected '.join(wrong.args[1:])}") from None
    words = set()
    for todo, name, word, lines in verdicts(model_file, checks, stand_ins):
        console.print(f"TODO {todo}  {name:25} [{COLOURS[word]}]{word}[/]")
        for label, text in lines:
            console.print(f"          {label:11} {escape(text)}")
        words.add(word)
    sys.exit(0 if words == {"fine"} else 1)


if __name__ == "__main__":
    run_command(main)
