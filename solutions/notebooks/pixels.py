# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Likelihoods of pixels, and bits per dimension
#
# This notebook shows what your `base_code/labs/pixels.py` does: first one distribution over the 256 grey levels, then what a
# bit per dimension is worth, then two VAEs of colour patches. It takes about an hour beside the three TODOs, and ten minutes of
# training. You write code in that file alone, in an editor; the [handout](../labs/pixels.md) explains it. Here you run cells,
# look, move sliders, and answer five questions.

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
from studies.notebook import show_pictures, students_file
from studies.pixels import PARTS

LAB = students_file("pixels.py")
OUT = owned_folder(KIT / "runs" / "lab-pixels", "lab")
LEVELS = torch.arange(256.0)
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})


def show(part):
    """Run a part of `python base_code/lab.py pixels`, and show its pictures; or say which TODO it waits for."""
    show_pictures(PARTS[part].study, lab, OUT, "base_code/model.py")


# %% [markdown]
# After you have edited your file, run the next cell again: it reads the file afresh.

# %%
lab = import_file(LAB)
print("using", LAB)

# %% [markdown]
# ## 1. TODO 1: one logistic, 256 levels
#
# Move the centre and the scale. What lies outside of 0 … 255 is added to the edges, so that the probabilities sum to 1.

# %%
lab = import_file(LAB)


def draw_logistic(mu=100.0, log_s=2.0):
    try:
        log_p = lab.discretized_logistic(LEVELS, torch.full_like(LEVELS, mu), torch.full_like(LEVELS, log_s))
    except NotImplementedError as todo:
        return print("not yet:", todo)
    plt.figure(figsize=(6, 2.5))
    plt.bar(LEVELS, log_p.exp(), width=1)
    plt.title(f"sum {log_p.exp().sum():.6f}, P(0) = {log_p[0].exp():.2g}, P(255) = {log_p[255].exp():.2g}", fontsize=9)
    return plt.show()


sliders = ipywidgets.interact(draw_logistic, mu=(-50.0, 300.0, 0.5), log_s=(-3.0, 8.0, 0.1))

# %% [markdown]
# Far from the centre: your form, and two that one finds in public code, in float32.

# %%
show("logistic")

# %% [markdown] answer="question-1" points=3
# **Question 1 (3 points).** Show that $\sigma(a) - \sigma(b) = \sigma(a)\,\sigma(-b)\,(1 - e^{b-a})$. What do the two other
# forms of the picture do to a network that has just been initialised, and why does `+ 1e-7` hide the trouble rather than cure it?
#
# ### BEGIN SOLUTION
# sigma(a) - sigma(b) = 1/(1+e^-a) - 1/(1+e^-b) = (e^-b - e^-a) / ((1+e^-a)(1+e^-b)). Divide numerator and denominator by e^-b:
# (1 - e^(b-a)) / ((1+e^-a)(1+e^b)), which is sigma(a) sigma(-b) (1 - e^(b-a)). At first most pixels are many scales away from
# their mu. The plain logarithm gives -inf and NaN gradients: one such pixel spoils the whole step. With + 1e-7 the value is
# finite, -16.1, but constant: its gradient is 0, so those pixels are not learned from at all, and the loss is too small.
#
# Rubric: 1 point for the identity; 1 for -inf and NaN; 1 for the constant with gradient 0.
# ### END SOLUTION

# %% [markdown] answer="question-2" points=3
# **Question 2 (3 points).** Let $\mu = 127.5$ and make $s$ very large. To what does the distribution tend? Is there any
# logistic, discretized in this way, that gives all 256 levels the same probability?
#
# ### BEGIN SOLUTION
# Half of the logistic's mass lies to the left of all levels and half to the right: P(0) and P(255) tend to 1/2, all the others to
# 0. No: for the inner levels to be equal s has to be large, but then the edges have nearly everything. (A mixture of many
# logistics comes as near to uniform as one likes.)
#
# Rubric: 1 point for one half at each edge; 1 for the reason, the mass outside; 1 for no.
# ### END SOLUTION

# %% [markdown]
# The next cell, and two more like it below, are where your file is graded after you have handed it in. Leave them as they
# are. Here they do nothing.

# %% graded="todo1"
# TODO 1 of pixels.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo1")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. What is a bit per dimension worth?
#
# The test patches come from the right-hand fifth of two photographs, which no training patch has seen. What do codecs need
# for them? And what does your `bits_per_dim` say to an article's figures?

# %%
show("bits")

# %% [markdown] answer="question-3" points=3
# **Question 3 (3 points).** What is wrong with the article's figure for CIFAR-10, and what follows for its model? Find a reason
# why PNG needs so many more bits when each patch is a file of its own.
#
# ### BEGIN SOLUTION
# 20437 / 3072 = 6.65 are nats: log 2 was forgotten. In bits it is 9.60, more than the 8 bits of the raw image, which a
# model with 1/256 for each level has: coded with it, the images grow. (Its figure for MNIST is in bits.) A file has a header and
# checksums, some 60 bytes or 0.6 bits per dimension of a patch; and the codec cannot learn from neighbouring patches.
#
# Rubric: 1 point for log 2, with 9.60; 1 for worse than uniform; 1 for header or context.
# ### END SOLUTION

# %% [markdown]
# ## 3. TODO 2: mixtures, and draws from them
#
# Two logistics: move the weight and the distance. The bars are your `mixture_log_likelihood`, the dots 2,000 draws made
# with your `sample_logistic`.

# %%
lab = import_file(LAB)


def draw_mixture(logit=0.0, distance=60.0, log_s=1.5):
    logits, mu = torch.tensor([0.0, logit]), torch.tensor([120 - distance / 2, 120 + distance / 2])
    log_s = torch.full((2,), log_s)
    try:
        log_p = lab.mixture_log_likelihood(LEVELS, *(a.expand(256, 2) for a in (logits, mu, log_s)))
        which = torch.distributions.Categorical(logits=logits).sample((2000,))
        x = lab.sample_logistic(mu[which], log_s[which], torch.rand(2000).clamp(1e-6, 1 - 1e-6))
    except NotImplementedError as todo:
        return print("not yet:", todo)
    plt.figure(figsize=(6, 2.5))
    plt.bar(LEVELS, log_p.exp(), width=1, alpha=0.6)
    plt.plot(LEVELS, torch.bincount(x.long(), minlength=256) / 2000, ".", ms=3, color="C3")
    plt.title(f"sum {log_p.exp().sum():.6f}", fontsize=9)
    return plt.show()


sliders = ipywidgets.interact(draw_mixture, logit=(-4.0, 4.0, 0.1), distance=(0.0, 200.0, 1.0), log_s=(-1.0, 4.0, 0.1))

# %% graded="todo2"
# TODO 2 of pixels.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo2")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. TODO 3: two VAEs of colour patches
#
# One logistic for each number of the image, and a mixture of five. Training needs the three TODOs of your `model.py` and takes
# some minutes, once.

# %%
lab = import_file(LAB)
show("vae")

# %% [markdown] answer="question-4" points=3
# **Question 4 (3 points).** The draws of $p(x \mid z)$ are grainy, its means are smooth. Which of the two shows what the model
# says about images? Where does the grain come from, and what would a model need to have less of it?
#
# ### BEGIN SOLUTION
# The draws: a sample of the model is a draw of z and then of x given z; a mean is no sample. Given z the dimensions are
# independent, so whatever the latents do not determine becomes independent noise in every dimension, as wide as s says. Less
# grain needs dependence given z (each pixel given those before it, as in PixelCNN, or the colours of a pixel given each
# other), or latents that say more, at their price in KL.
#
# Rubric: 1 point for the draws; 1 for independence given z; 1 for a remedy.
# ### END SOLUTION

# %% [markdown] answer="question-5" points=3
# **Question 5 (3 points).** Compare the two VAEs with the histogram and with the codecs, photograph by photograph. Why do the
# photographs differ so much? Why are five logistics better than one, and would the same hold for the squared error of the means?
#
# ### BEGIN SOLUTION
# The flower's background is smooth and nearly predictable; china's tree and bushes are fine texture. Five logistics can be
# narrow and have heavy or lopsided tails, or two peaks at an edge; one has to be wide enough for its rare large errors and pays
# for it everywhere. The squared error looks at the mean alone and is not a likelihood: it need not become smaller.
#
# Rubric: 1 point for smooth against texture; 1 for shape (tails, peaks, skew); 1 for squared error seeing means alone.
# ### END SOLUTION

# %% graded="todo3"
# TODO 3 of pixels.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo3")
### END HIDDEN TESTS

# %% [markdown]
# ## Handing in
#
# Hand in two files: this notebook, and your `base_code/labs/pixels.py`. Your code is graded from that file alone; from the
# notebook, your five answers are read.
