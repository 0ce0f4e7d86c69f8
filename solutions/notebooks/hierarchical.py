# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two stochastic layers, labels, and what the units are used for
#
# This notebook shows what your `base_code/labs/hierarchical.py` does: first where p(x) is known, then on digits. It takes about
# an hour beside the three TODOs, and some ten minutes of training. You write code in that file alone, in an editor; the
# [handout](../labs/hierarchical.md) explains it. Here you run cells, look, move sliders, and answer five questions.

# %%
import sys
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch.distributions import Bernoulli, Normal

KIT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "base_code" / "train.py").is_file())
sys.path.insert(0, str(KIT / "base_code"))

from data import load_test
from model_file import import_file
from outputs import owned_folder
from studies.hierarchical import PARTS
from studies.hierarchical.runs import trained
from studies.notebook import show_pictures, students_file, unless_todo
from studies.runs import dataset
from visualize import shade, tile

LAB = students_file("hierarchical.py")
OUT = owned_folder(KIT / "runs" / "lab-hierarchical", "lab")
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})


def show(part):
    """Run a part of `python base_code/lab.py hierarchical`, and show its pictures; or say which TODO it waits for."""
    show_pictures(PARTS[part].study, lab, OUT, "base_code/model.py")


# %% [markdown]
# After you have edited your file, run the next cell again: it reads the file afresh.

# %%
lab = import_file(LAB)
print("using", LAB)

# %% [markdown]
# ## 1. TODO 1: is the mean weight p(x)?
#
# A model so small that $p(x)$ can be integrated: one unit in each layer, three pixels, random networks. The integral is a sum
# over a grid of $z_1$ and $z_2$; beside it, the mean of your weights for more and more samples.

# %%
lab = import_file(LAB)


@torch.no_grad()
def draw_mean_weight(network=0, seed=0):
    torch.manual_seed(network)
    model, x = lab.TwoLayerIWAE(3, 1, 1, (4,), (4,)).double(), torch.tensor([[1.0, 0.0, 1.0]]).double()
    for part in (model.q_z1, model.q_z2):
        part.log_sigma.bias += 0.7  # a wide q: no weight is large
    z2, z1 = (grid[..., None] for grid in torch.meshgrid(*[torch.linspace(-8, 8, 401).double()] * 2, indexing="ij"))
    log_joint = Normal(0, 1).log_prob(z2) + Normal(*model.p_z1(z2)).log_prob(z1)
    log_joint = log_joint[..., 0] + Bernoulli(logits=model.decoder(z1)).log_prob(x).sum(-1)  # [401, 401]
    exact = torch.logsumexp(log_joint.flatten(), 0) + 2 * torch.log(z1[0, 1, 0] - z1[0, 0, 0])
    eps = torch.randn(50_000, 1, 2, generator=torch.Generator().manual_seed(seed)).double()
    try:
        log_w = model.log_weights(x, eps)[:, 0]
    except NotImplementedError as todo:
        return print("not yet:", todo)
    n = torch.arange(1, len(log_w) + 1)
    plt.figure(figsize=(6, 2.8))
    plt.plot(n, torch.logcumsumexp(log_w, 0) - n.log(), label="log of your mean weight")
    plt.axhline(exact, color="black", lw=1, ls="--", label=f"log p(x) = {exact:.4f}")
    plt.xscale("log")
    plt.xlabel("samples")
    plt.legend(fontsize=8)
    return plt.show()


sliders = ipywidgets.interact(draw_mean_weight, network=(0, 9), seed=(0, 9))

# %% [markdown] answer="question-1" points=3
# **Question 1 (3 points).** Suppose `q_z2` is given $\mu_1(x)$ in the place of the sample $z_1$, both to draw $z_2$ and to score
# it. Does the picture above notice? Why, or why not? And what gets worse?
#
# ### BEGIN SOLUTION
# It does not notice. q(z2 | mu1(x)) is a density of z2 given x, as good as any: z2 is drawn from it and divided by it, so the
# mean weight is p(x, z1, z2) integrated, which is p(x). But z2 then knows nothing of the z1 that it belongs to, while in the
# posterior the two depend on each other: this q is further from it, the weights vary more, and the bound is looser.
#
# Rubric: 1 point for no; 1 for the mean weight being p(x) for every q that is sampled and scored alike; 1 for a q that is
# further from the posterior, with more varied weights or a looser bound.
# ### END SOLUTION

# %% [markdown]
# ## 2. From the top down
#
# The lab's model is trained with your functions (a minute or two, once). Each row has one $z_2$; the first image is decoded at
# the mean of $z_1$, the others at draws of $z_1$. Scale the noise of $z_1$ by the slider: 1 is the model.

# %%
lab = import_file(LAB)
model = unless_todo(trained, lab, OUT)


@torch.no_grad()
def draw_samples(scale=1.0, seed=0):
    if model is None:
        return
    noise = torch.Generator().manual_seed(seed)
    eps2 = torch.randn(4, model.d2, generator=noise).repeat_interleave(10, 0)
    eps1 = scale * torch.randn(4, 10, model.d1, generator=noise)
    eps1[:, 0] = 0
    plt.figure(figsize=(6, 2.6))
    plt.imshow(tile(shade(model.sample(torch.cat([eps1.flatten(0, 1), eps2], 1)))), cmap="gray")
    plt.axis("off")
    plt.show()


sliders = ipywidgets.interact(draw_samples, scale=(0.0, 2.0, 0.1), seed=(0, 9))

# %% [markdown] answer="question-2" points=3
# **Question 2 (3 points).** What does $z_2$ decide in these images, and what $z_1$? With a scale of 0 the images are smoother.
# Why are they no samples of the model all the same, and how could one tell from many of them, without looking at a single one?
#
# ### BEGIN SOLUTION
# z2 decides the coarse part: in a row the images are of one kind, often of one class. z1, given z2, decides the stroke: slant,
# width, details, and sometimes the class. The model draws z1 from p(z1 | z2), and the noise is a part of it: at the mean all
# images with the same z2 are one image. Over many images they vary too little: the variance of a pixel over them lacks
# the part that z1 has, and their distribution is not that of the data.
#
# Rubric: 1 point for what each layer decides; 1 for the noise of z1 as a part of the model; 1 for too little variance.
# ### END SOLUTION

# %% [markdown]
# The next cell, and two more like it below, are where your file is graded after you have handed it in. Leave them as they
# are. Here they do nothing.

# %% graded="todo1"
# TODO 1 of hierarchical.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo1")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. TODO 2: images with labels
#
# Samples of both models, and the mean function beside them; then, as an animation, those of two layers while they train.

# %%
lab = import_file(LAB)
show("images")

# %% [markdown]
# What each of the ten labels makes of a test image: $\log p(x \mid y)$ with 500 samples, less that of the best label.

# %%
labelled = unless_todo(trained, lab, OUT, conditional="label")
x_test, y_test = load_test(dataset(), with_labels=True)


@torch.no_grad()
def draw_labels(image=0):
    if labelled is None:
        return
    x, y = x_test[image].expand(10, -1), torch.eye(10)
    eps = torch.randn(500, 10, labelled.d_latent, generator=torch.Generator().manual_seed(0))
    log_p = lab.log_mean_exp(labelled.log_weights(x, eps, y), 0)  # [10]
    figure, axes = plt.subplots(1, 2, figsize=(6, 2.4), width_ratios=(1, 2.5))
    axes[0].imshow(x_test[image].view(28, 28), cmap="gray")
    axes[0].set_axis_off()
    colors = ["C1" if true else "C0" for true in y_test[image]]
    axes[1].bar(range(10), log_p - log_p.max() + 50, bottom=-50, color=colors)
    axes[1].set(xticks=range(10), ylim=(-50, 2), xlabel="label; orange: the true one", ylabel="nats")
    known, unknown = log_p[y_test[image] == 1].item(), lab.log_mean_exp(log_p, 0).item()
    figure.suptitle(f"log p(x | y) of the true label {known:.2f}, log p(x) {unknown:.2f}", fontsize=9)
    plt.show()


sliders = ipywidgets.interact(draw_labels, image=(0, 99))

# %% [markdown] answer="question-3" points=3
# **Question 3 (3 points).** For most images $\log p(x)$ lies 2.30 nats below $\log p(x \mid y)$ of the true label; for some it
# lies above it. Explain both. Why may a table not set $-\log p(x \mid y)$ of one model beside $-\log p(x)$ of another?
#
# ### BEGIN SOLUTION
# p(x) is the mean of p(x | y) over ten labels. Where one label has next to all of the sum, p(x) is a tenth of it: log 10 = 2.30
# less. Where the model takes the image for another digit, some other label has a larger p(x | y), and if it is more than ten times
# larger the mean is above that of the true label. The first number is of a task in which the label is given, up to 2.30 nats of help; only after averaging
# over the labels are both log likelihoods of the same thing, the image alone.
#
# Rubric: 1 point for a tenth of a sum with one large term; 1 for an image that another label explains better; 1 for what is
# known being different, or averaging over the labels before one compares.
# ### END SOLUTION

# %% graded="todo2"
# TODO 2 of hierarchical.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo2")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. TODO 3: what the units are used for
#
# The variance over images of each unit's mean, for models trained with 1, 5 and 20 samples; then both layers on a plane each.

# %%
lab = import_file(LAB)
show("units")
show("components")

# %% [markdown] answer="question-4" points=3
# **Question 4 (3 points).** Measure $z_1$ in other units: multiply means and sigmas of $q(z_1 \mid x)$ and of $p(z_1 \mid z_2)$ by
# $c$, and divide by $c$ the weights with which `q_z2` and the decoder take $z_1$ in. What happens to `log_w`, and what to the
# activity of $z_1$? What follows for the threshold 0.01? Why can the same not be done to $z_2$?
#
# ### BEGIN SOLUTION
# Both densities of z1 are divided by c for each unit, so that their quotient, and log_w, stay as they are; the variances are
# multiplied by c^2. So the number of active units of z1 can be anything, for one and the same model: the threshold means nothing
# there. The prior of z2 is N(0, I), which is not learned and fixes the scale: a unit has to be moved against a variance of 1.
#
# Rubric: 1 point for log_w unchanged; 1 for c^2 and a count that means nothing; 1 for the fixed prior of z2.
# ### END SOLUTION

# %% [markdown] answer="question-5" points=3
# **Question 5 (3 points).** In the handout's table one order of the paper does not hold. Which one, and how large is the
# difference beside its standard error? Why is the standard error of a difference so much smaller than that of a cell? Name a
# cause that the table cannot exclude.
#
# ### BEGIN SOLUTION
# With two layers and k = 5 or 50 the IWAE is worse than the VAE, by 0.06 and 0.37 nats, with standard errors of 0.03. The
# two models are measured on the same images, and both find the same images hard: what differs from image to image cancels in
# the difference. Not excluded: 70 epochs of a fast schedule for the paper's 3280, a single seed, the learning rate, which was
# chosen for all rows together.
#
# Rubric: 1 point for the order and its size; 1 for pairing; 1 for a cause, such as epochs, seed or schedule.
# ### END SOLUTION

# %% graded="todo3"
# TODO 3 of hierarchical.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo3")
### END HIDDEN TESTS

# %% [markdown]
# ## Handing in
#
# Hand in two files: this notebook, and your `base_code/labs/hierarchical.py`. Your code is graded from that file alone; from the
# notebook, your five answers are read.
