"""The lab `pixels`: likelihoods of 8-bit images, and bits per dimension."""

from autograder.assignments.iwae import BESIDE
from autograder.grading.assignment import Assignment, Task

ASSIGNMENT = Assignment(
    name="pixels",
    title="Likelihoods of pixels",
    file="base_code/labs/pixels.py",
    source="solutions/labs/pixels.py",
    tasks=(
        Task("todo1", "TODO 1", ("discretized_logistic", "bits_per_dim")),
        Task("todo2", "TODO 2", ("mixture_log_likelihood", "sample_logistic"), ("discretized_logistic",)),
        Task("todo3", "TODO 3", ("log_weights",), ("discretized_logistic", "mixture_log_likelihood")),
    ),
    signatures={
        "discretized_logistic": "discretized_logistic(x, mu, log_s)",
        "bits_per_dim": "bits_per_dim(nll, n)",
        "mixture_log_likelihood": "mixture_log_likelihood(x, logits, mu, log_s)",
        "sample_logistic": "sample_logistic(mu, log_s, u)",
        "PixelVAE": "PixelVAE(...)",
        "model.log_weights": "PixelVAE.log_weights(x, eps)",
    },
    names="discretized_logistic bits_per_dim mixture_log_likelihood sample_logistic PixelVAE".split(),
    has_notebook=True,
    beside=BESIDE,
)
