# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From an autoencoder to a VAE to an IWAE
#
# This notebook shows what your `model.py` does: why an autoencoder is no generative model, what the ELBO misses, how
# $k$ samples win some of it back, and what underflow would have done to all of it. It takes about an hour beside the
# three TODOs. You write code in `base_code/model.py` alone, in an editor; the [handout](../README.md) explains it. Here
# you run cells, look, and answer five questions.
#
# Everything is trained on the small handwritten digits inside scikit-learn, half a minute for each model. The last
# part is the experiment on MNIST.

# %%
import io
import math
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import torch
from IPython.display import display

KIT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "base_code" / "train.py").is_file())
sys.path.insert(0, str(KIT / "base_code"))

from data import binarize, load_binarized_test, load_grey
from evaluate import estimate
from model_file import load_model_file
from run_folder import load_run
from settings import complete
from train import train_once
from visualize import decode, prior_grid, tile

MODEL = next(path for path in (Path.cwd() / "model.py", KIT / "base_code" / "model.py") if path.is_file())
EPOCHS = 100
plt.rcParams.update({"figure.dpi": 110, "image.cmap": "gray", "axes.spines.top": False, "axes.spines.right": False})


# %% [markdown]
# After you have edited `model.py`, run the next cell again: it reads the file afresh.

# %%
model_file = load_model_file(MODEL)
print("using", MODEL)


# %%
class OneLine(io.TextIOBase):
    """Shows only the last line that was printed, so that 100 epochs do not fill the page."""

    shown = None

    def write(self, text):
        if text.strip():
            line = {"text/plain": text.strip()}
            self.shown = self.shown or display(line, raw=True, display_id=True)
            self.shown.update(line, raw=True)


def trained(objective, **settings):
    """A model trained on the digits with your model.py: taken from runs/notebook where it is there already."""
    settings = complete({"objective": objective, "model": str(MODEL), "epochs": EPOCHS, **settings}, "digits")
    name = f"{objective}-D{settings.d_latent}-epochs{EPOCHS}-{model_file.sha256[:8]}"
    folder = KIT / "runs" / "notebook" / name
    with redirect_stdout(OneLine()):
        train_once(settings, folder)
    return load_run(folder)[2].requires_grad_(False)


def show(pictures, height=3.2):
    """Pictures side by side: {title: tensor [height, width]}."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(height * len(pictures), height), squeeze=False)
    for axis, (title, picture) in zip(axes[0], pictures.items()):
        axis.imshow(picture, vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    figure.tight_layout()
    plt.show()


# %% [markdown]
# ## 1. The data
#
# A grey level between 0 and 1 is taken as the probability that a pixel is 1. In training, every epoch draws new binary
# images from it; the test images are drawn once and for all. So `x` holds zeros and ones, and each pixel is a coin.

# %%
grey = load_grey("digits")[0]  # uint8 [N, P]
x_test = load_binarized_test("digits")  # [N, P]
print(f"{len(grey)} training images, {len(x_test)} test images of {grey.shape[1]} pixels")
torch.manual_seed(0)
show({"grey levels": tile(grey[:50] / 255), "binarised": tile(binarize(grey[:50])), "again": tile(binarize(grey[:50]))})

# %% [markdown]
# ## 2. An autoencoder, and why its samples are bad
#
# It works without any TODO. Left: test images, and below each its reconstruction. Right: latents drawn from $N(0, I)$,
# decoded. What the decoder's pictures show are the means of $p(x \mid z)$, the probabilities of the pixels.

# %%
autoencoder = trained("ae")
mu = autoencoder.encoder(x_test)[0]
pairs = torch.stack([x_test[:50].view(5, 10, -1), decode(autoencoder, mu[:50]).view(5, 10, -1)], dim=1)
samples = decode(autoencoder, prior_grid(autoencoder.d_latent))
show({"reconstructions": tile(pairs.reshape(100, -1)), "samples from the prior": tile(samples)})


# %% [markdown]
# The reconstructions are fine; of the samples, few are digits. The next picture shows why: where the encoder puts the
# test images, and where the prior draws its latents, in the first two of the ten units.


# %%
def draw_codes(axis, codes, title):
    draws = torch.randn(len(codes), codes.shape[1], generator=torch.Generator().manual_seed(1))
    axis.scatter(*draws[:, :2].T, s=5, alpha=0.5, label="draws from the prior")
    axis.scatter(*codes[:, :2].T, s=5, alpha=0.5, label="test images")
    axis.set(title=title, xlabel="$z_1$", ylabel="$z_2$", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
    axis.legend(fontsize=7, loc="upper right")


figure, axis = plt.subplots(figsize=(4, 4))
draw_codes(axis, mu, "autoencoder")
distance = torch.cdist(prior_grid(autoencoder.d_latent), mu).min(1).values.mean()
print(f"a draw from the prior is {distance:.2f} away from the nearest code of a test image, on average;")
print(f"a code is {torch.cdist(mu, mu).fill_diagonal_(math.inf).min(1).values.mean():.2f} away from the next")
plt.show()

# %% [markdown] answer="question-1" points=3
# **Question 1 (3 points).** The autoencoder reconstructs well, yet few of its samples are digits. Which term is missing
# from its objective, and what would that term have done to the cloud of codes?
#
# ### BEGIN SOLUTION
# The objective holds log p(x | z) alone. Nothing compares the codes with the prior: no log p(z) - log q(z | x), that is,
# no KL(q || p). That term pulls the codes, taken together, towards N(0, I), and spreads each image over a region of its
# own instead of a point, so that the decoder learns what lies between.
#
# Rubric: 1 point for naming the prior (or KL) term; 1 for saying that the codes of all images together must cover the
# prior; 1 for saying that q(z | x) becomes a region, not a point.
# ### END SOLUTION

# %% [markdown]
# ## 3. TODO 1: a density, and samples of it
#
# Edit `base_code/model.py`; then run this. It is the quick check, which tries small inputs only.

# %%
check = [sys.executable, KIT / "base_code" / "check.py", "--model", MODEL]
print(subprocess.run(check, capture_output=True, text=True).stdout)

# %% [markdown]
# If `reparameterize` and `gaussian_log_likelihood` belong together, then the histogram of samples follows the density,
# and the gradient of an average over samples arrives at `sigma`: for $z = \mu + \sigma \epsilon$, the derivative of
# $E[z^2] = \mu^2 + \sigma^2$ with respect to $\sigma$ is $2 \sigma$.

# %%
model_file = load_model_file(MODEL)
torch.manual_seed(0)
mean, deviation = torch.tensor([[0.5]]), torch.tensor([[0.3]], requires_grad=True)  # [B, D] = [1, 1]
z = model_file.reparameterize(mean, deviation, torch.randn(20000, 1, 1))  # [k, B, D]
(slope,) = torch.autograd.grad((z**2).mean(), deviation)
print(f"d E[z^2] / d sigma: from the samples {slope.item():.3f}, exactly {2 * 0.3:.3f}")

grid = torch.linspace(-1, 2, 300)[:, None, None]
density = model_file.gaussian_log_likelihood(grid, mean, deviation).exp()
figure, axis = plt.subplots(figsize=(5, 2.6))
axis.hist(z.detach().flatten(), bins=80, density=True, alpha=0.5, label="samples")
axis.plot(grid.flatten(), density.detach().flatten(), label="exp(gaussian_log_likelihood)")
axis.set(xlabel="$z$", ylabel="density")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# The next cell, and three more like it below, are where your `model.py` is graded after you have handed it in. Leave
# them as they are. Here they do nothing.

# %% graded="todo1"
# TODO 1 of model.py is graded here (20 points).
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo1")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. TODO 2: log weights and the ELBO
#
# With TODO 2 done, a VAE can be trained. First the model that shows most: two latent units, so that everything can be
# drawn, and computed.

# %%
model_file = load_model_file(MODEL)
plane_vae = trained("vae", d_latent=2)

# %% [markdown]
# With two latents the integral over all of them is a sum over a fine grid, so $\log p(x)$ and the true posterior
# $p(z \mid x)$ are known, up to the grid's small error. Contours: the true posterior of four test images. Dashed ellipse: `q(z | x)` of the encoder,
# one and two standard deviations.

# %%
AXIS = torch.linspace(-4, 4, 201)  # to four standard deviations of the prior
GRID = torch.cartesian_prod(AXIS, AXIS)  # [N, 2]
CELL = (AXIS[1] - AXIS[0]) ** 2
IMAGES = x_test[[3, 8, 14, 30]]  # [B, P]


def log_joint_on_grid(model, x):
    """log p(x | z) + log p(z) at every point of the grid.  [B, P] -> [N, B]"""
    logits = model.decoder(GRID)  # [N, P]
    log_p_x_given_z = x @ logits.T - torch.nn.functional.softplus(logits).sum(-1)  # [B, N]
    log_p_z = torch.distributions.Normal(0.0, 1.0).log_prob(GRID).sum(-1)  # [N]
    return (log_p_x_given_z + log_p_z).T


def log_evidence(model, x):
    """log p(x), by adding up the grid.  [B, P] -> [B]"""
    return torch.logsumexp(log_joint_on_grid(model, x), 0) + math.log(CELL)


def draw_posteriors(model, title):
    figure, axes = plt.subplots(1, len(IMAGES), figsize=(11, 2.9))
    log_joint = log_joint_on_grid(model, IMAGES)  # [N, B]
    for i, axis in enumerate(axes):
        posterior = (log_joint[:, i] - log_joint[:, i].max()).exp().view(len(AXIS), len(AXIS)).T
        axis.contourf(AXIS, AXIS, posterior, levels=[0.01, 0.1, 0.3, 0.6, 1.01], cmap="Blues")
        mu, sigma = (t[0] for t in model.encoder(IMAGES[i : i + 1]))
        angle = torch.linspace(0, 2 * math.pi, 100)
        for width in (1, 2):
            axis.plot(mu[0] + width * sigma[0] * angle.cos(), mu[1] + width * sigma[1] * angle.sin(), "C1--", lw=1)
        axis.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel="$z_1$", ylabel="$z_2$" if i == 0 else "")
        inset = axis.inset_axes([0.68, 0.68, 0.32, 0.32])
        inset.imshow(IMAGES[i].view(28, 28))
        inset.set_axis_off()
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    plt.show()


draw_posteriors(plane_vae, "VAE: true posterior (blue) and q (dashed)")

# %% [markdown]
# The gap between the ELBO and $\log p(x)$ is exactly $\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))$: how badly the ellipse fits the
# blue. Your `vae_objective`, averaged over many samples, against the grid:

# %%
torch.manual_seed(0)
log_w = plane_vae.log_weights(IMAGES, torch.randn(5000, len(IMAGES), 2))  # [k, B]
elbo, exact = model_file.vae_objective(log_w), log_evidence(plane_vae, IMAGES)
for i in range(len(IMAGES)):
    print(f"image {i}: log p(x) = {exact[i]:8.2f}   ELBO = {elbo[i]:8.2f}   gap = {exact[i] - elbo[i]:6.2f} nats")

# %% graded="todo2"
# TODO 2 of model.py is graded here (30 points).
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo2")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Underflow
#
# Before TODO 3, see what it must survive. Two log weights, $a = c + (0, 1)$, and an offset $c$ that moves both. The right
# answer moves with $c$, and its gradient does not change at all.


# %%
def naive(a):
    return a.exp().mean(0).log()


def with_epsilon(a):
    return (a.exp().mean(0) + 1e-7).log()


offsets = torch.linspace(-120, 100, 400)
figure, (values, gradients) = plt.subplots(1, 2, figsize=(10, 3.2))
values.plot(offsets, offsets + math.log((1 + math.e) / 2), "C0", lw=2, label="right")  # for these two entries, by hand
gradients.plot(offsets, torch.full_like(offsets, math.e / (1 + math.e)), "C0", lw=2, label="right")
for function, style in ((naive, "C1--"), (with_epsilon, "C3:")):
    a = (torch.tensor([0.0, 1.0])[:, None] + offsets).requires_grad_()  # [2, offsets]
    value = function(a)
    (gradient,) = torch.autograd.grad(value.sum(), a)
    values.plot(offsets, value.detach(), style, lw=2, label=function.__name__)
    gradients.plot(offsets, gradient[1], style, lw=2, label=function.__name__)
values.set(xlabel="offset $c$", ylabel="log mean exp", title="value: where a line ends, it is infinite")
gradients.set(xlabel="offset $c$", ylabel="derivative for the larger entry", title="gradient: 0 or NaN, nothing learns")
values.legend(fontsize=8)
plt.show()

# %% [markdown]
# And where do real log weights lie? Those of the four images above:

# %%
print(f"log weights from {log_w.min():.0f} to {log_w.max():.0f}; exp of the smallest: {log_w.min().exp():.3g}")

# %% [markdown]
# ## 6. TODO 3: the k-sample bound
#
# With TODO 3 done: $L_k$ for more and more samples, computed by your `iwae_objective`, and $\log p(x)$ from the grid. At
# $k = 1$ it is the ELBO. Each point is an average over 10,000 samples: for large $k$ few groups of $k$ are left, so that it
# may lie a little off; and where $q$ misses the posterior, even 1,000 samples fall short.

# %%
model_file = load_model_file(MODEL)
ks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def bound(model, x, k):
    """L_k of each image: the mean of the objective over 10,000 / k groups of k samples.  [B, P] -> [B]"""
    torch.manual_seed(0)
    log_w = model.log_weights(x, torch.randn(10_000, len(x), model.d_latent))  # [10000, B]
    groups = log_w.view(-1, k, len(x)).transpose(0, 1).reshape(k, -1)  # [k, 10000 / k * B]
    return model_file.iwae_objective(groups).view(-1, len(x)).mean(0)


curves = torch.stack([bound(plane_vae, IMAGES, k) for k in ks])  # [ks, B]
figure, axis = plt.subplots(figsize=(6, 3.4))
for i in range(len(IMAGES)):
    axis.semilogx(ks, curves[:, i] - exact[i], marker="o", ms=3, label=f"image {i}")
axis.axhline(0, color="black", lw=1)
axis.set(
    xlabel="samples $k$",
    ylabel="$L_k - \\log p(x)$ in nats",
    title="on average never above the line, and ever closer to it",
)
axis.legend(fontsize=8)
plt.show()

# %% [markdown] answer="question-2" points=3
# **Question 2 (3 points).** For one and the same trained model, the estimated test NLL falls from $k = 100$ to
# $k = 5000$. Why? In which direction is either estimate wrong, and for which model is it more wrong?
#
# ### BEGIN SOLUTION
# The estimate is -L_k, and L_k <= L_{k+1} <= log p(x): the logarithm is concave, so the logarithm of a noisy mean is too
# low on average (Jensen). The model does not change; the bound on its log-likelihood gets tighter. Every such estimate
# of the NLL is therefore too high. The error is about Var(w) / (2 k E[w]^2) for large k, so it is larger where q fits the
# posterior badly.
#
# Rubric: 1 point for Jensen (or theorem 1) with the right direction, NLL too high; 1 for saying that the model is the
# same; 1 for linking the size of the error to the spread of the weights, that is to how well q fits.
# ### END SOLUTION

# %% graded="todo3"
# TODO 3 of model.py is graded here (30 points).
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo3")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. VAE against IWAE
#
# The same network with ten latents, trained with both objectives; the autoencoder's samples from above beside theirs.

# %%
models = {"VAE": trained("vae"), "IWAE, k = 10": trained("iwae")}
pictures = {"autoencoder": tile(samples)}
for name, model in models.items():
    log_p, _, sample_size = estimate(model_file, model, x_test, 100)
    pictures[
        f"{name}\ntest NLL (k = 100) {-log_p.mean():.1f} nats, effective sample size {sample_size.mean():.1f} of 100"
    ] = tile(decode(model, prior_grid(model.d_latent)))
show(pictures, height=4)

# %% [markdown]
# What do the weights look like? For one test image, 2000 log weights of each model. The *effective sample size*,
# $(\sum w)^2 / \sum w^2$, says how many of the samples really count.

# %%
torch.manual_seed(0)
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), sharex=True, sharey=True)
for axis, (name, model) in zip(axes, models.items()):
    log_w = model.log_weights(x_test[:1], torch.randn(2000, 1, model.d_latent)).squeeze(1)  # [k]
    weights = (log_w - log_w.logsumexp(0)).exp()
    axis.hist(log_w, bins=60, color="C0" if name == "VAE" else "C1")
    axis.axvline(model_file.vae_objective(log_w[:, None]).item(), color="black", ls="--", label="ELBO: the mean")
    axis.axvline(model_file.iwae_objective(log_w[:, None]).item(), color="black", label="$L_{2000}$: log mean weight")
    axis.set(title=f"{name}: effective sample size {1 / (weights**2).sum():.1f} of 2000", xlabel="log weight")
    axis.legend(fontsize=7)
plt.show()

# %% [markdown]
# The IWAE is trained with another bound, and learns another $q$. The two-latent models again:

# %%
plane_iwae = trained("iwae", d_latent=2)
draw_posteriors(plane_vae, "VAE: true posterior (blue) and q (dashed)")
draw_posteriors(plane_iwae, "IWAE, k = 10: true posterior (blue) and q (dashed)")
for name, model in (("VAE", plane_vae), ("IWAE", plane_iwae)):
    print(f"{name:5} test log p(x), by the grid: {log_evidence(model, x_test).mean():.2f} nats")

# %% [markdown] answer="question-3" points=3
# **Question 3 (3 points).** Compare the posteriors of the two models. The base network is *tied*: `mu = tanh(a)` and
# `sigma = exp(a)` from one head. Which ellipses can such an encoder not draw? What does the VAE's decoder do about it, and
# why need the IWAE's do less?
#
# ### BEGIN SOLUTION
# mu far on the positive side comes with a large sigma (a > 0 means sigma > 1), a negative mu with a small one, and |mu|
# stays below 1: no narrow q with mu > 0, no wide q with mu near -1. The ELBO punishes every sample of q that explains the
# image badly, so the VAE's decoder shapes its posteriors to fit what q can draw, at the price of a worse model. The
# k-sample bound needs only some good samples among k: q may be wider than the posterior, and the decoder is freer.
#
# Rubric: 1 point for the restriction (sigma tied to mu, |mu| < 1); 1 for the VAE's model being bent to fit q; 1 for the
# bound of k samples forgiving a bad q.
# ### END SOLUTION

# %% [markdown]
# ### Walk through the latents
#
# Move two of the ten latents of the IWAE; the others stay 0. (The sliders need a running notebook.)


# %%
def draw_latent(z1=0.0, z2=0.0, first=0, second=1):
    z = torch.zeros(1, 10)
    z[0, second], z[0, first] = z2, z1
    show({f"z[{first}] = {z1:.1f}, z[{second}] = {z2:.1f}": decode(models["IWAE, k = 10"], z).view(28, 28)}, height=2.4)


sliders = ipywidgets.interact(draw_latent, z1=(-3.0, 3.0, 0.1), z2=(-3.0, 3.0, 0.1), first=(0, 9), second=(0, 9))
# %% [markdown]
# ## 8. The experiment
#
# On MNIST, in a terminal; a few minutes for each:
#
#     python base_code/train.py --objective vae
#     python base_code/train.py --objective iwae --train-k 10
#     python base_code/train.py --objective vae --untied
#     python base_code/train.py --objective iwae --train-k 10 --untied
#     python base_code/evaluate.py runs/vae-mnist runs/iwae-k10-mnist runs/vae-untied-mnist runs/iwae-k10-untied-mnist --k 5000
#
# (Where MNIST cannot be had, the names end in `-digits`.) The train loss stands in the last line of each run's `metrics.csv`; `train.py` prints the NLL at $k = 100$ itself.

# %% [markdown] answer="table" points=5
# **Your table (5 points).** Fill it with your own numbers; the questions below are about it.
#
# | objective | train k | train loss | test NLL, k = 100 | test NLL, k = 5000 |
# |---|---|---|---|---|
# | VAE | 1 | | | |
# | IWAE | 10 | | | |
# | VAE, untied | 1 | | | |
# | IWAE, untied | 10 | | | |
#
# ### BEGIN SOLUTION
# The reference: train loss 165.1, 139.5, 114.4, 110.8; NLL with k = 100: 143.5, 128.3, 109.9, 108.2; with k = 5000: 141.6,
# 124.0, 109.2, 107.3.
#
# Rubric: 1 point for each row whose numbers are the student's own and within 3 nats of these; 1 for a k = 5000 column that
# is below the k = 100 column throughout.
# ### END SOLUTION

# %% [markdown] answer="question-4" points=3
# **Question 4 (3 points).** With two heads (`--untied`) both models are much better, and the gap between them all but
# closes. Explain it with the Jensen gap.
#
# ### BEGIN SOLUTION
# With a head for mu and one for sigma, q can fit the posterior far better, so the weights vary little and the gap
# log p(x) - ELBO = KL(q || posterior) is small. What is not lost cannot be won back by more samples: L_10 is hardly above
# L_1, and both train nearly the same model. Both get better because the decoder no longer has to serve a bad q.
#
# Rubric: 1 point for a better q means a smaller gap (KL, variance of the weights); 1 for little left to gain with k;
# 1 for why both models improve.
# ### END SOLUTION

# %% [markdown] answer="question-5" points=3
# **Question 5 (3 points).** The gradient of $L_k$ is $E[\sum_i \tilde w_i \nabla \log w_i]$ with normalised weights
# $\tilde w_i$. Somebody writes `loss = -(w_tilde * log_w).sum(0).mean()`. Why must `w_tilde` be detached there, why not
# inside `log_mean_exp`, and is that loss the bound?
#
# ### BEGIN SOLUTION
# The derivative of log mean exp already has the form sum w_tilde * d log w: differentiating the logarithm of the mean
# produces w_tilde as a factor. In the hand-written loss w_tilde is meant as that factor, a constant; if it is
# differentiated too, a second term, sum log w * d w_tilde, appears that does not belong to the gradient. Inside log_mean_exp
# nothing is written by hand: autograd computes the right derivative of the right value. Even detached, the loss is not the
# bound: its value is the weighted mean of log w, not the log of the mean weight; only its gradient is right.
#
# Rubric: 1 point for the extra term (w_tilde depends on the parameters too); 1 for autograd giving it right in
# log_mean_exp; 1 for the value not being the bound.
# ### END SOLUTION

# %% graded="nll"
# A VAE and an IWAE are trained with your model.py here, and their test NLL is measured (20 points).
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("nll")
### END HIDDEN TESTS

# %% [markdown]
# ## Handing in
#
# Hand in two files: this notebook, and your `base_code/model.py`. Your code is graded from `model.py` alone; from the
# notebook, the table and your five answers are read.
