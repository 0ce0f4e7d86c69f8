# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Importance weights: a rare event, and the posterior that an encoder only approximates
#
# This notebook shows what your `base_code/labs/importance.py` does: first where everything is known exactly, then on a VAE.
# It takes about an hour beside the three TODOs. You write code in that file alone, in an editor; the
# [handout](../labs/importance.md) explains it. Here you run cells, look, move sliders, and answer five questions.

# %%
import math
import sys
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import torch

KIT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "base_code" / "train.py").is_file())
sys.path.insert(0, str(KIT / "base_code"))

from cli import UserError
from data import load_binarized_test
from model_file import import_file
from outputs import owned_folder
from studies.importance import PARTS, project
from studies.importance.posterior import draw_density, posteriors
from studies.importance.rare_event import CRITICAL, DAYS, event_sample_size, exact_sd, sampled
from studies.importance.vaes import trained_vae
from studies.notebook import show_pictures, students_file

LAB = students_file("importance.py")
MODEL = students_file("model.py")
OUT = owned_folder(KIT / "runs" / "lab-importance", "lab")
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})


def show(part):
    """Run a part of `python base_code/lab.py importance`, and show its pictures; or say which TODO it waits for."""
    show_pictures(PARTS[part].study, lab, OUT, str(MODEL))


# %% [markdown]
# After you have edited your file, run the next cell again: it reads the file afresh.

# %%
lab = import_file(LAB)
print("using", LAB)

# %% [markdown]
# ## 1. TODO 1: a project, and how long it takes
#
# Ten tasks take times of their own, each exponential with a known mean. A task begins when all its predecessors have
# ended; the project ends with the last task. Its mean duration is not the 15 days that the longest path has on average:

# %%
theta = lab.MEANS  # in days
exact_mean = project.mean_duration(theta.double(), lab.PREDECESSORS).item()
exact = project.tail(theta.double(), lab.PREDECESSORS, DAYS).item()
torch.manual_seed(0)
days = lab.project_duration(torch.empty(200_000, 10).exponential_() * theta)
figure, axis = plt.subplots(figsize=(6, 2.8))
axis.hist(days, bins=100, density=True, alpha=0.6)
axis.axvline(exact_mean, color="black", lw=1, label=f"exact mean {exact_mean:.2f} days")
axis.axvline(DAYS, color="C3", lw=1, label=f"{DAYS:.0f} days: beyond with P = {exact:.2e}")
axis.set(xlabel="days", ylabel="density")
axis.legend(fontsize=8)
plt.show()
print(f"200,000 draws: mean {days.mean():.2f}; {(days > DAYS).sum()} of them above {DAYS:.0f} days")

# %% [markdown] answer="question-1" points=3
# **Question 1 (3 points).** The longest path takes 15 days on average, the project 18.2. Where do the three days come from?
# And how many plain draws would you need for the probability of more than 70 days to within one per cent?
#
# ### BEGIN SOLUTION
# The maximum of several paths is at least each of them, and on average strictly more: E[max] >= max of the E (Jensen, the
# maximum is convex). The relative standard deviation of one plain draw is sqrt((1 - P) / P), about 176, so that one per cent
# needs (100 * 176)^2, about 3 * 10^8 draws.
#
# Rubric: 1 point for the maximum of random paths being larger than the path with the largest mean; 1 for the formula of the
# relative error; 1 for about 3 * 10^8.
# ### END SOLUTION

# %% [markdown]
# The next cell, and two more like it below, are where your file is graded after you have handed it in. Leave them as they
# are. Here they do nothing.

# %% graded="todo1"
# TODO 1 of importance.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo1")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. TODO 2: draw from another distribution, and weigh
#
# Draw the times with longer means, $\lambda_j = s_j \theta_j$, and weigh each draw by $w = p(t) / q(t)$. Choose the factor of
# all tasks, or of those on the path with the longest mean; and $n$. What your functions estimate stands beside what is
# exact. (The sliders need a running notebook.)

# %%
lab = import_file(LAB)


def try_proposal(factor=2.0, critical_only=False, log10_n=4.0, seed=0):
    factors = 1 + (factor - 1) * (CRITICAL if critical_only else torch.ones(10))
    lam, n = (theta * factors).double(), round(10**log10_n)
    f, log_w = sampled(lab, theta.double(), lam, n, seed)
    print(
        f"yours:   {lab.importance_mean(f, log_w):.3e} ± {lab.standard_error(f, log_w):.1e}; {f.mean():.1%} of the draws hit"
    )
    sd = exact_sd(lab, theta.double(), lam, exact)
    if math.isinf(sd):
        print("exactly: the variance is infinite: a factor of 1/2 or less leaves tails of p to which q hardly comes")
    else:
        print(f"exactly: {exact:.3e} ± {sd / n**0.5:.1e}")
    share = lab.effective_sample_size(log_w[:, None]).item() / n
    print(f"effective sample size: of w {share:.2%}, of f w {event_sample_size(lab, theta.double(), lam, n):.3%} of n")


sliders = ipywidgets.interact(try_proposal, factor=(0.3, 6.0, 0.1), log10_n=(3.0, 6.0, 0.5), seed=(0, 9))

# %% [markdown]
# Several proposals, with repetitions; and the factors that your own effective sample size finds (half a minute):

# %%
show("rare-event")

# %% [markdown] answer="question-2" points=3
# **Question 2 (3 points).** With all means times 4 the event happens in almost half of the draws, with all means times 2 in
# three of a hundred. Yet times 2 is the better proposal. Why? And why is it better still to lengthen only the critical tasks?
#
# ### BEGIN SOLUTION
# What counts is not how often the event happens under q but how much f w varies. Times 4 in ten tasks makes the weights of the
# hits vary by orders of magnitude: a few hits with large weights decide the sum. The best q is proportional to f p: it makes
# the event likely by changing as little as it can. Long projects are long mostly because of the critical tasks; lengthening
# the others only adds variance to the weights.
#
# Rubric: 1 point for the variance of f w as the measure; 1 for the spread of the weights growing with every task that is
# changed; 1 for q close to f p.
# ### END SOLUTION

# %% [markdown] answer="question-3" points=3
# **Question 3 (3 points).** For all means times 4 and $n = 1000$, look at the error bars and at the green band. What is wrong
# with the estimated standard error? How could you notice it without knowing the exact value?
#
# ### BEGIN SOLUTION
# The estimated standard error is computed from the same draws. The large weights that make up most of the variance are rare,
# and most runs have not seen one: then both the estimate and its error are too small, so most runs are too low and their
# bars do not reach the truth. Signs: the mean of w is far from 1, the effective sample size is a handful, one draw has a
# large share of the sum, repetitions disagree by more than their bars.
#
# Rubric: 1 point for estimate and error being too small together; 1 for the rare large weights that were not drawn; 1 for a
# diagnostic that works (mean of w, effective sample size, largest share, repetitions).
# ### END SOLUTION

# %% graded="todo2"
# TODO 2 of importance.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo2")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. log p(x) of a VAE is a rare event too
#
# $p(x) = E_{p(z)}[p(x \mid z)]$: for most draws of the prior, $p(x \mid z)$ is next to nothing. The encoder's $q(z \mid x)$ is
# the proposal. Three VAEs are trained for this with your `model.py`, which needs its TODO 1 and 2 (two minutes, once); below,
# what the estimate with $N$ samples is off by, for samples of the prior and of $q$.

# %%
show("log-p")

# %% [markdown] answer="question-4" points=3
# **Question 4 (3 points).** Why do the curves lie below 0, and why do those of the prior fall so far with D? For D = 2 the
# samples of $q$ end below those of the prior: what must have happened for at least one image?
#
# ### BEGIN SOLUTION
# The logarithm is concave: the log of a noisy mean is on average below the log of the mean (Jensen). With more latent units
# the region where p(x | z) is large becomes an ever smaller part of the prior, so that among N draws none may lie there: the
# estimate is then far too low. In two dimensions the prior's draws cover the plane; but q can be narrow and in the wrong
# place, so that none of its samples come near the posterior of some image, and the estimate stays nats too low whatever N is.
#
# Rubric: 1 point for Jensen with the right direction; 1 for the shrinking share of the prior (curse of dimensionality); 1 for
# q missing the posterior of an image.
# ### END SOLUTION

# %% [markdown]
# ## 4. TODO 3: the true posterior of two latent units
#
# With two latent units everything is known up to the fineness of a grid. Choose a test image: in green the true posterior;
# ellipses, $q$ at one and two standard deviations; dots, samples of $q$ drawn again in proportion to their weights.

# %%
lab = import_file(LAB)
model = None
try:
    model, settings = trained_vae(OUT, str(MODEL), 2)
    x_test = load_binarized_test(settings.data)
except UserError as todo:
    print("not yet:", todo)


@torch.no_grad()
def draw_image(image=0):
    if model is None:
        return
    one = posteriors(lab, model, x_test[image : image + 1])[0]
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), width_ratios=(3, 1))
    draw_density(axes[0], one)
    axes[0].legend(fontsize=7)
    axes[1].imshow(x_test[image].view(28, 28), cmap="gray")
    axes[1].set_axis_off()
    plt.show()


sliders = ipywidgets.interact(draw_image, image=(0, 99))

# %% [markdown]
# The same for four images while the VAE is trained: the last moment as a picture, all of them as an animation.

# %%
show("posterior")

# %% [markdown] answer="question-5" points=3
# **Question 5 (3 points).** The self-normalised mean is biased, the plain importance estimate is not. Why is it used here all
# the same? And why must resampling draw *with* replacement?
#
# ### BEGIN SOLUTION
# The posterior is known up to p(x) only: w = p(x, z) / q(z | x) has the mean p(x), not 1, and p(x) must be estimated too. The
# quotient of two estimates is biased, by about 1/k, and the bias vanishes with k. Drawn without replacement, a sample of
# large weight could appear only once: in the limit of drawing all k samples one gets q itself, not the posterior.
#
# Rubric: 1 point for the unknown p(x); 1 for a quotient of estimates whose bias falls with k; 1 for what goes wrong without
# replacement.
# ### END SOLUTION

# %% graded="todo3"
# TODO 3 of importance.py is graded here.
### BEGIN HIDDEN TESTS
from autograder.hidden_tests import grade_task

grade_task("todo3")
### END HIDDEN TESTS

# %% [markdown]
# ## Handing in
#
# Hand in two files: this notebook, and your `base_code/labs/importance.py`. Your code is graded from that file alone; from the
# notebook, your five answers are read.
