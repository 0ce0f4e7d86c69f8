"""The core assignment: from an autoencoder to a VAE to an IWAE."""

from autograder.grading.assignment import Assignment, Beside, Stage, Task

ASSIGNMENT = Assignment(
    name="iwae",
    title="IWAE",
    file="base_code/model.py",
    source="solutions/model.py",
    tasks=(
        Task("todo1", "TODO 1", ("gaussian_log_likelihood", "reparameterize")),
        Task("todo2", "TODO 2", ("log_weights", "vae_objective"), ("gaussian_log_likelihood", "reparameterize")),
        Task("todo3", "TODO 3", ("log_mean_exp", "iwae_objective")),
        Task("nll", "test NLL"),
    ),
    signatures={
        "gaussian_log_likelihood": "gaussian_log_likelihood(z, mu, sigma)",
        "reparameterize": "reparameterize(mu, sigma, eps)",
        "vae_objective": "vae_objective(log_w)",
        "log_mean_exp": "log_mean_exp(a, dim)",
        "iwae_objective": "iwae_objective(log_w)",
        "model.log_weights": "IWAE.log_weights(x, eps)",
        "model.loss": "IWAE.loss(x, objective, k)",
        "IWAE": "IWAE(d_data, d_latent, hidden, tied)",
    },
    names=(
        "bernoulli_log_likelihood gaussian_log_likelihood reparameterize vae_objective log_mean_exp iwae_objective "
        "Encoder Decoder IWAE"
    ).split(),
    stages=(
        Stage(
            task="nll",
            option="nll",
            modes={"full": 5100, "short": 1500, "off": 0},
            help="train VAE and IWAE for 30 epochs, for 3, or not at all (default: full, 2 to 4 minutes a file)",
            figures={"vae": "VAE NLL", "iwae": "IWAE NLL"},
            quick="short",
            module="nll",
        ),
    ),
    has_notebook=True,
    data=("solutions/reference.json",),
)

# For the assignments whose file imports from this one's.
BESIDE = Beside(
    ASSIGNMENT.file,
    ASSIGNMENT.source,
    "gaussian_log_likelihood reparameterize vae_objective log_mean_exp iwae_objective".split(),
)
