"""The lab `estimators`: which bound, and which gradient, to train an IWAE with."""

from autograder.assignments.iwae import BESIDE
from autograder.grading.assignment import Assignment, Task

ASSIGNMENT = Assignment(
    name="estimators",
    title="Estimators",
    file="base_code/labs/estimators.py",
    source="solutions/labs/estimators.py",
    tasks=(
        Task("todo1", "TODO 1", ("gaussian_kl", "vae_objective_kl")),
        Task("todo2", "TODO 2", ("miwae_objective", "ciwae_objective", "piwae_objectives")),
        Task("todo3", "TODO 3", ("weighted_objective",)),
        Task("todo4", "TODO 4", ("stopped_log_weights", "stl_objective", "dreg_objective"), ("weighted_objective",)),
        Task("todo5", "TODO 5", ("signal_to_noise",)),
    ),
    signatures={
        "gaussian_kl": "gaussian_kl(mu, sigma)",
        "vae_objective_kl": "vae_objective_kl(log_p_x_given_z, mu, sigma)",
        "miwae_objective": "miwae_objective(log_w)",
        "ciwae_objective": "ciwae_objective(log_w, beta)",
        "piwae_objectives": "piwae_objectives(log_w)",
        "weighted_objective": "weighted_objective(log_w)",
        "model.stopped_log_weights": "IWAE.stopped_log_weights(x, eps)",
        "stl_objective": "stl_objective(stopped_log_w)",
        "dreg_objective": "dreg_objective(stopped_log_w)",
        "signal_to_noise": "signal_to_noise(gradients)",
        "IWAE": "IWAE(m, beta, d_data, d_latent, hidden)",
    },
    names=(
        "gaussian_kl vae_objective_kl miwae_objective ciwae_objective piwae_objectives weighted_objective "
        "stl_objective dreg_objective signal_to_noise IWAE"
    ).split(),
    has_notebook=True,
    beside=BESIDE,
)
