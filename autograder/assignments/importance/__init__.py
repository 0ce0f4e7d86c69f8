"""The lab `importance`: a rare event by importance sampling, and the posterior from weighted samples."""

from autograder.assignments.iwae import BESIDE
from autograder.grading.assignment import Assignment, Task

ASSIGNMENT = Assignment(
    name="importance",
    title="Importance sampling",
    file="base_code/labs/importance.py",
    source="solutions/labs/importance.py",
    tasks=(
        Task("todo1", "TODO 1", ("project_duration", "log_importance_ratio")),
        Task("todo2", "TODO 2", ("importance_mean", "standard_error", "effective_sample_size")),
        Task("todo3", "TODO 3", ("posterior_mean", "resample", "grid_log_posterior")),
    ),
    signatures={
        "project_duration": "project_duration(t)",
        "log_importance_ratio": "log_importance_ratio(t, theta, lam)",
        "importance_mean": "importance_mean(f, log_w)",
        "standard_error": "standard_error(f, log_w)",
        "effective_sample_size": "effective_sample_size(log_w)",
        "posterior_mean": "posterior_mean(log_w, z)",
        "resample": "resample(log_w, z, u)",
        "grid_log_posterior": "grid_log_posterior(log_joint, area)",
    },
    names=(
        "project_duration log_importance_ratio importance_mean standard_error effective_sample_size posterior_mean "
        "resample grid_log_posterior"
    ).split(),
    has_notebook=True,
    beside=BESIDE,
)
