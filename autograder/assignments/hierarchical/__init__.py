"""The lab `hierarchical`: two stochastic layers, labels, and what the latent units are used for."""

from autograder.assignments.iwae import BESIDE
from autograder.grading.assignment import Assignment, Task

ASSIGNMENT = Assignment(
    name="hierarchical",
    title="Hierarchical models",
    file="base_code/labs/hierarchical.py",
    source="solutions/labs/hierarchical.py",
    tasks=(
        Task("todo1", "TODO 1", ("TwoLayerIWAE.log_weights", "TwoLayerIWAE.sample")),
        Task("todo2", "TODO 2", ("ConditionalIWAE.log_weights",)),
        Task("todo3", "TODO 3", ("activity", "principal_components")),
    ),
    signatures={
        "TwoLayerIWAE.log_weights": "TwoLayerIWAE.log_weights(x, eps)",
        "TwoLayerIWAE.sample": "TwoLayerIWAE.sample(eps)",
        "ConditionalIWAE.log_weights": "ConditionalIWAE.log_weights(x, eps, y)",
        "activity": "activity(means)",
        "principal_components": "principal_components(a, n)",
        "TwoLayerIWAE": "TwoLayerIWAE(d_data, d1, d2, hidden1, hidden2)",
        "ConditionalIWAE": "ConditionalIWAE(d_data, n_classes, d_latent, hidden, prior)",
    },
    names=("TwoLayerIWAE", "ConditionalIWAE", "activity", "principal_components"),
    has_notebook=True,
    beside=BESIDE,
)
