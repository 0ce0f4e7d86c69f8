# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which bound, and which gradient
#
# This notebook shows what your `base_code/labs/estimators.py` does: first on a model where every expectation is known
# exactly, then on networks. It takes about an hour beside the five TODOs. You write code in that file alone, in an editor; the
# [handout](../labs/estimators.md) explains it. Here you run cells, look, move sliders, and answer five questions.

# %%
import sys
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import torch

KIT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "base_code" / "train.py").is_file())
sys.path.insert(0, str(KIT / "base_code"))

from model_file import import_file
from outputs import owned_folder
from studies.estimators import PARTS, exact
from studies.notebook import show_pictures, students_file

LAB = students_file("estimators.py")
OUT = owned_folder(KIT / "runs" / "lab-estimators", "lab")
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})


def show(part):
    """Run a part of `python base_code/lab.py estimators`, and show its pictures; or say which TODO it waits for."""
    show_pictures(PARTS[part].study, lab, OUT, None)


# %% [markdown]
# After you have edited your file, run the next cell again: it reads the file afresh, and your core, `model.py`, with it.

# %%
lab = import_file(LAB)
print("using", LAB)

# %% [markdown]
# ## 1. TODO 1: the divergence in closed form
#
# The ELBO's second term needs no samples. Below, its two ways for one latent unit with a Gaussian $q$: the histogram is of
# $\log q(z \mid x) - \log p(z)$ at single samples, the line is your `gaussian_kl`.

# %%
lab = import_file(LAB)


def compare_divergences(mu=1.0, sigma=0.5):
    z = mu + sigma * torch.randn(20_000)
    sampled = torch.distributions.Normal(mu, sigma).log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z)
    closed = lab.gaussian_kl(torch.tensor([[mu]]), torch.tensor([[sigma]])).item()
    plt.figure(figsize=(5, 2.4))
    plt.hist(sampled, bins=100, density=True, alpha=0.6)
    plt.axvline(closed, color="black", lw=1, label=f"closed form {closed:.3f}, mean of samples {sampled.mean():.3f}")
    plt.legend(fontsize=8)
    plt.show()


sliders = ipywidgets.interact(compare_divergences, mu=(-3.0, 3.0, 0.1), sigma=(0.1, 3.0, 0.1))

# %% [markdown] answer="question-1" points=3
# **Question 1 (3 points).** The closed form takes noise out of the ELBO. Why is it not used inside the IWAE's bound? And does
# the closed form always give the *gradient* with less noise? Think of a $q$ that is the posterior already.
#
# ### BEGIN SOLUTION
# Inside the log-mean-exp every sample needs its own weight p(x, z) / q(z | x): with an average divergence in its place the
# weights are no longer importance weights, the mean of them is not p(x), and the bound is lost. And no: where q is the
# posterior, log p(x | z) + log p(z) - log q(z | x) is constant, so that the path-wise gradient of the sampled form (with the
# score stopped) has no noise at all, while that of the closed form still has the noise of log p(x | z), which nothing cancels.
#
# Rubric: 1 point for weights of single samples inside the logarithm; 1 for no bound, or E[w] = p(x) lost; 1 for the
# cancellation of noise between the sampled terms near the posterior.
# ### END SOLUTION

# %% [markdown]
# The next cell, and four more like it below, are where your file is graded after you have handed it in. Leave them as they
# are. Here they do nothing.

# %% graded="todo1"
# TODO 1 of estimators.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo1")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. TODO 2: groups, a combination, a pair
#
# With a budget of samples, how shall they be grouped? Below, on a model with one latent unit, the estimates of the bound for
# $m$ groups of $k$ samples: their mean and their spread over 10,000 draws, and $\log p(x)$.

# %%
lab = import_file(LAB)


def bounds_of_groups(budget=64):
    splits = [(budget // k, k) for k in (1, 2, 4, 8, 16, 32, 64) if k <= budget]
    parameters = [torch.tensor([v]).double() for v in (exact.M, exact.R, exact.C)]
    values = [
        lab.miwae_objective(exact.log_weights(torch.randn(m, k, 10_000).double(), *parameters, stopped=False))
        for m, k in splits
    ]
    deviation = (exact.C**2 + exact.S**2) ** 0.5
    evidence = torch.distributions.Normal(0.0, deviation).log_prob(torch.tensor(exact.X)).item()
    plt.figure(figsize=(5, 2.8))
    plt.errorbar(range(len(splits)), [v.mean() for v in values], [v.std() for v in values], fmt="o", ms=4, capsize=3)
    plt.axhline(evidence, color="black", lw=1, label="log p(x)")
    plt.xticks(range(len(splits)), [f"{m} × {k}" for m, k in splits])
    plt.xlabel("m groups × k samples")
    plt.legend(fontsize=8)
    plt.show()


sliders = ipywidgets.interact(bounds_of_groups, budget=[1, 4, 16, 64])

# %% [markdown] answer="question-2" points=3
# **Question 2 (3 points).** A published trainer of PIWAE calls `encoder_loss.backward()`, then sets the *decoder's* gradients to
# zero, calls `decoder_loss.backward()`, and steps both optimisers. With what is each part trained? It also normalises the weights
# over the groups where the samples are meant, and its figures are for $m = k = 8$. What test would have shown that?
#
# ### BEGIN SOLUTION
# The second backward adds to the encoder's gradients, which were not reset: the encoder is trained with the sum of the two
# objectives, MIWAE + IWAE. The decoder's gradients come from the second backward alone: it is right. With m = k an exchanged
# axis leaves every shape and the distribution of the samples as they are; a test with m different from k, on given log
# weights, compares numbers that differ.
#
# Rubric: 1 point for the encoder's sum; 1 for the decoder being right; 1 for a test with unequal m and k on given numbers.
# ### END SOLUTION

# %% graded="todo2"
# TODO 2 of estimators.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo2")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. TODO 3: equation 14, and one missing word
#
# Somebody trained a VAE and an IWAE on silhouettes of objects: 120 nats for the VAE, 133 for the IWAE. The code differentiated
# equation 14's sum as it stood. The next cell trains four networks (a few minutes, with a bar), on OMNIGLOT or on
# the digits where the silhouettes are not there.

# %%
show("question")

# %% [markdown] answer="question-3" points=3
# **Question 3 (3 points).** For the same network and the same noise, the loss that equation 14's sum gives is the same number with
# and without the stop, and lower than the IWAE's. Explain both. And what does the gradient without the stop push the samples to do?
#
# ### BEGIN SOLUTION
# The stop changes no value, only gradients: the value is sum w log w_i in both cases. It equals the estimate of the bound plus
# log k minus the entropy of the weights, which is at most log k: the surrogate is larger than the bound's estimate, so the
# loss is lower. Without the stop one maximises that value: beside the bound it rewards weights of low entropy, one sample that
# has all the weight. That drives q to samples of very unequal quality instead of to the posterior.
#
# Rubric: 1 point for values that are not changed by detach; 1 for log k minus the entropy; 1 for the reward of unequal weights.
# ### END SOLUTION

# %% graded="todo3"
# TODO 3 of estimators.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo3")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. TODO 4: stop the score
#
# On the model with one latent unit every expectation is an integral over a grid. First the expected gradient to $q$'s mean, then
# signal and noise; crosses are exact, lines are drawn.

# %%
lab = import_file(LAB)
show("exact")

# %% [markdown] answer="question-4" points=3
# **Question 4 (3 points).** In the table, which estimators are biased for $k = 2$ and $3$, and why is none for $k = 1$? STL has the
# largest ratio of all in the figure. Is it the best estimator?
#
# ### BEGIN SOLUTION
# Biased: equation 14 without the stop, and STL. For k = 1 the single normalised weight is 1 and constant, so that the sums have
# one term, w and w^2 are the same, and the stopped score has expectation 0. For k > 1 the weight of a sample depends on the
# sample, so that weight times score does not average to 0; DReG accounts for it, STL drops it. STL's ratio is large because
# its mean gradient is too long, and it points where another objective is larger: a strong signal of something else. It can
# train well all the same, but it does not maximise the bound.
#
# Rubric: 1 point for both names; 1 for the weight that is constant at k = 1; 1 for bias against ratio.
# ### END SOLUTION

# %% graded="todo4"
# TODO 4 of estimators.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo4")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. TODO 5: signal to noise on a trained network
#
# The gradients of a trained network for ten test images, drawn 200 times for each estimator (three minutes, with a bar).

# %%
lab = import_file(LAB)
show("signal-to-noise")

# %% [markdown]
# DReG against the plain gradient of the same bound, with equal seeds and schedules (three minutes). After a training as short as
# this, two seeds lie further apart than the two gradients: it takes many more epochs and seeds to tell them apart by their NLL.

# %%
show("dreg")

# %% [markdown] answer="question-5" points=3
# **Question 5 (3 points).** From $k = 1$ to $64$ the IWAE's ratio falls for the encoder and grows for the decoder. Why does the
# encoder's *signal* fall? Which estimators of 64 samples would you choose for encoder and decoder, and what do you give up?
#
# ### BEGIN SOLUTION
# As k grows, the bound approaches log p(x) for every q, so that it depends on q less and less: the expected gradient to the
# encoder goes to 0 like 1/k, its noise only like 1/sqrt(k). The decoder's expected gradient goes to that of log p(x), which is
# not 0, and its noise falls. A choice: DReG for the encoder, whose ratio does not fall, with the bound of all samples for the
# decoder; or groups for the encoder (PIWAE). Given up: with groups, the encoder is trained for a looser bound, k smaller;
# with DReG, some more time for a step.
#
# Rubric: 1 point for a bound that no longer depends on q; 1 for a pair that gives the encoder groups or DReG and the decoder all
# samples; 1 for what is given up.
# ### END SOLUTION

# %% graded="todo5"
# TODO 5 of estimators.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo5")
### END HIDDEN TESTS

# %% [markdown]
# ## Handing in
#
# Hand in two files: this notebook, and your `base_code/labs/estimators.py`. Your code is graded from that file alone; from the
# notebook, your five answers are read.
