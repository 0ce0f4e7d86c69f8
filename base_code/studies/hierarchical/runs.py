"""The models of the lab: their sizes and their schedule."""

from settings import complete
from studies import runs

EPOCHS = {"mnist": 4, "digits": 60}
K = 5  # samples per image while training, where one model is enough
SIZES = {"hidden": (100,), "d_latent": 20}  # 40 units in z1, 20 in z2
SCHEDULE = {"preset": "paper-short", "batch_size": 100, "test_k": 1, "compile": "off"}


def trained(lab, out, k=K, **options):
    """The lab's model, trained with k samples per image into a folder below out; two layers unless options say else."""
    data = runs.dataset()
    given = {"objective": "iwae", "train_k": k, "epochs": EPOCHS[data], "model": lab.__file__}
    settings = complete({**SIZES, **SCHEDULE, **given, **options}, data)
    name = "-".join(["iwae", f"k{k}", *options.values()])
    return runs.trained(settings, out / name)
