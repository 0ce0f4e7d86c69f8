"""Your own quick check of model.py: for each TODO, whether it is not started, wrong or fine. Takes seconds.

    python base_code/check.py

It tries a few small inputs whose answers can be worked out by hand. Passing is necessary, not sufficient: the
course's own checks use other inputs.
"""

import argparse
import math
import sys
import traceback

import torch
from rich.console import Console
from rich.markup import escape

from cli import UserError, run_command
from run import Unfinished, explained, load_model_file

CLOSE = 1e-4  # float32 carries seven digits; the answers here are below 1000


class Wrong(Exception):
    """A call that came back wrong: the call, what came back, and what a right answer satisfies."""


def expect(call, found, right, reason):
    """Compare a result with the right one, which is a tensor or nested lists of numbers."""
    right = torch.as_tensor(right, dtype=torch.float32)
    if not isinstance(found, torch.Tensor):
        what = "None; is a return missing?" if found is None else f"a {type(found).__name__}"
        raise Wrong(call, what, f"a tensor of shape {list(right.shape)}")
    if found.shape != right.shape:
        raise Wrong(call, f"a tensor of shape {list(found.shape)}", f"shape {list(right.shape)}; {reason}")
    if not torch.allclose(found.detach().float(), right, rtol=CLOSE, atol=CLOSE):
        raise Wrong(call, show(found), f"{show(right)}; {reason}")


def show(tensor):
    """A small tensor as nested lists of rounded numbers."""
    text = str(torch.as_tensor(tensor).detach().double().mul(1e4).round().div(1e4).tolist())
    return text if len(text) < 120 else f"shape {list(tensor.shape)}, from {tensor.min():.4f} to {tensor.max():.4f}"


def gradient(call, output, inputs):
    """The gradients of output's sum."""
    if not isinstance(output, torch.Tensor) or not output.requires_grad:
        raise Wrong(call, "a result without a gradient", "one that training can differentiate; was it detached?")
    gradients = torch.autograd.grad(output.sum(), inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(gradients, inputs)]


def check_gaussian_log_likelihood(model_file):
    log_likelihood = model_file.gaussian_log_likelihood
    zeros, ones = torch.zeros(2, 2, 3), torch.ones(2, 2, 3)
    expect(
        "gaussian_log_likelihood(zeros, zeros, ones), all of shape [2, 2, 3]",
        log_likelihood(zeros, zeros, ones),
        torch.full((2, 2), -2.756816),
        "a standard normal has density 0.3989 at its mean, in each of 3 dimensions",
    )
    for sigma in (0.3, 2.5):
        z = torch.linspace(-25, 25, 20001)[:, None]  # [N, 1]
        call = f"gaussian_log_likelihood(z, 0.5, {sigma}) on a fine grid of z"
        density = log_likelihood(z, torch.full_like(z, 0.5), torch.full_like(z, sigma)).exp()
        expect(
            call + ", and the sum of its exp times the grid's step",
            density.sum() * 0.0025,
            1,
            "a density integrates to 1",
        )
        deviation = ((z[:, 0] - 0.5).square() * density).sum().mul(0.0025).sqrt()
        expect(call + ", and the standard deviation of that density", deviation, sigma, "which sigma is")


def check_reparameterize(model_file):
    mu, sigma = torch.tensor([[0.5, -1.0], [0.0, 2.0]]), torch.tensor([[0.3, 2.5], [1.0, 0.1]])  # [2, 2]
    start = "reparameterize(mu, sigma, eps) with sigma = [[0.3, 2.5], [1.0, 0.1]] and "
    mu.requires_grad_(), sigma.requires_grad_()
    for value, reason in ((0.0, "without noise each sample is mu"), (1.0, "1 is one standard deviation above mu")):
        call = f"{start}eps = {value} everywhere, k = 3, z - mu of it"
        z = model_file.reparameterize(mu, sigma, torch.full((3, 2, 2), value))
        expect(call, z - mu if isinstance(z, torch.Tensor) else z, (value * sigma).expand(3, 2, 2), reason)
    d_mu, d_sigma = gradient(start + "eps = 1 everywhere, k = 3", z, (mu, sigma))
    expect(
        start + "eps = 1, the gradient of z.sum() to mu", d_mu, torch.full((2, 2), 3.0), "k = 3 samples move with mu"
    )
    expect(start + "eps = 1, the gradient of z.sum() to sigma", d_sigma, torch.full((2, 2), 3.0), "and with sigma")


def plain_model(model_file, head_bias=0.0, pixel_bias=0.0):
    """An IWAE for 6 pixels and one latent unit whose weights are all 0, so that its answers are known."""
    model = model_file.IWAE(d_data=6, d_latent=1, hidden=(4,))
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.encoder.head.bias.fill_(head_bias)
        model.decoder.head.bias.fill_(pixel_bias)
    return model


def check_log_weights(model_file):
    eps = torch.tensor([0.0, 1.0, -2.0]).view(3, 1, 1).expand(3, 2, 1)  # k = 3 samples of 2 images
    x = torch.tensor([[1.0] * 6, [0.0] * 6])
    expect(
        "log_weights of a model with all weights 0 (6 pixels, mu = 0, sigma = 1)",
        plain_model(model_file).log_weights(x, eps),
        torch.full((3, 2), 6 * math.log(0.5)),
        "q(z | x) is the prior here, so only log p(x | z) is left: 6 pixels of probability 1/2",
    )
    log_w = plain_model(model_file, pixel_bias=2.0).log_weights(x, eps)
    expect(
        "log_weights of the same model with every logit 2, for an image of ones and one of zeros",
        log_w,
        torch.tensor([-0.76157, -12.76157]).expand(3, 2),
        "log p(x | z) is 6 log(0.8808) and 6 log(0.1192): each image keeps its own column",
    )
    expect(
        "log_weights of the same model with mu = tanh(0.5), sigma = exp(0.5), eps = 0, 1, -2",
        plain_model(model_file, head_bias=0.5).log_weights(x, eps),
        torch.tensor([0.393224, -1.227819, -1.519535]).view(3, 1).expand(3, 2) + 6 * math.log(0.5),
        "log p(z) - log q(z | x) is 0.3932, -1.2278 and -1.5195 at the three samples",
    )
    model = plain_model(model_file, head_bias=0.5)
    call = "log_weights of that model, the gradient of its sum to the encoder's bias"
    (d_bias,) = gradient(call, model.log_weights(x, eps), (model.encoder.head.bias,))
    expect(call, d_bias, [-19.2463], "z = mu + sigma * eps passes the gradient of log p(z) on to mu and sigma")


def check_vae_objective(model_file):
    expect(
        "vae_objective([[-1, -2, 0], [-3, -6, 0]]), k = 2 and B = 3",
        model_file.vae_objective(torch.tensor([[-1.0, -2.0, 0.0], [-3.0, -6.0, 0.0]])),
        [-2.0, -4.0, 0.0],
        "the mean over the 2 samples, for each image",
    )


def check_log_mean_exp(model_file):
    log_mean_exp = model_file.log_mean_exp
    a = torch.tensor([[0.0, 1.0], [math.log(3), 1.0], [math.log(5), 1.0]])  # the means of exp are 3 and e
    for offset in (0.0, -200.0, -1000.0, 1000.0):
        expect(
            f"log_mean_exp([[0, 1], [log 3, 1], [log 5, 1]] + {offset:g}, dim=0)",
            log_mean_exp(a + offset, dim=0),
            torch.tensor([math.log(3), 1.0]) + offset,
            f"the means of exp are 3 and e, and an offset passes through (here {offset:g})",
        )
    expect("log_mean_exp of the same, transposed, dim=1", log_mean_exp(a.T, dim=1), [math.log(3), 1.0], "dim matters")
    expect(
        "log_mean_exp of the same, with 500 subtracted from the second column only",
        log_mean_exp(a - torch.tensor([0.0, 500.0]), dim=0),
        [math.log(3), -499.0],
        "each column that is averaged needs a shift of its own",
    )
    a = torch.tensor([[-3000.0], [-200.0]], requires_grad=True)
    call = "log_mean_exp([[-3000], [-200]])"
    (d_a,) = gradient(call, log_mean_exp(a, dim=0), (a,))
    expect(f"the gradient of {call}", d_a, [[0.0], [1.0]], "all of it goes to the larger entry")


def check_iwae_objective(model_file):
    log_w = torch.tensor([[0.0, -500.0, -7.0], [math.log(3), -500.0, -7.0]], requires_grad=True)  # k = 2, B = 3
    call = "iwae_objective([[0, -500, -7], [log 3, -500, -7]]), k = 2 and B = 3"
    bound = model_file.iwae_objective(log_w)
    expect(
        call, bound, [math.log(2), -500.0, -7.0], "the mean weight of the first image is 2, of the others e^-500, e^-7"
    )
    (d_log_w,) = gradient(call, bound, (log_w,))
    right = [[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]
    expect("the gradient of " + call, d_log_w, right, "each sample counts in proportion to its weight")


CHECKS = {
    1: {"gaussian_log_likelihood": check_gaussian_log_likelihood, "reparameterize": check_reparameterize},
    2: {"log_weights": check_log_weights, "vae_objective": check_vae_objective},
    3: {"log_mean_exp": check_log_mean_exp, "iwae_objective": check_iwae_objective},
}


def verdict(name, check, model_file):
    """("fine" | "not started" | "waits" | "wrong", the lines that explain it) of the function with that name"""
    try:
        with explained(model_file.__file__):
            try:
                check(model_file)
            except Wrong as wrong:
                return "wrong", list(zip(("called", "came back", "expected"), wrong.args))
    except Unfinished as unfinished:
        own = traceback.extract_tb(unfinished.__context__.__traceback__)[-1].name == name  # or one that it calls
        return ("not started" if own else "waits"), [("to do" if own else "first", str(unfinished))]
    except UserError as error:
        return "wrong", [("stopped by", str(error))]
    return "fine", []


COLOURS = {"fine": "green", "not started": "yellow", "waits": "yellow", "wrong": "red"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base_code/model.py", metavar="FILE", help="default: base_code/model.py")
    model_file = load_model_file(parser.parse_args().model)
    console = Console(highlight=False, soft_wrap=True)
    unfinished = set()
    for todo, checks in CHECKS.items():
        for name, check in checks.items():
            word, explanation = verdict(name, check, model_file)
            console.print(f"TODO {todo}  {name:25} [{COLOURS[word]}]{word}[/]")
            for label, text in explanation:
                console.print(f"          {label:11} {escape(text)}")
            if name == "log_weights" and word == "wrong" and 1 in unfinished:
                console.print(f"          {'but':11} fix TODO 1 first: this may follow from it")
            if word != "fine":
                unfinished.add(todo)
    sys.exit(1 if unfinished else 0)


if __name__ == "__main__":
    run_command(main)
