"""The models of the lab, trained once and kept."""

import functools

from data import choose
from run_folder import load_run
from settings import complete
from train import train_once

EPOCHS = {"mnist": 4, "digits": 60}
K = 5  # samples per image while training, where one model is enough
SIZES = {"hidden": (100,), "d_latent": 20}  # 40 units in z1, 20 in z2
SCHEDULE = {"preset": "paper-short", "batch_size": 100, "test_k": 1, "compile": "off"}


@functools.cache
def dataset():
    """The dataset of all the models. To look for it can take seconds, and may print a notice: once is enough."""
    return choose("auto")


def trained(lab, out, k=K, **options):
    """The lab's model, trained with k samples per image into a folder below out; two layers unless options say else."""
    data = dataset()
    given = {"objective": "iwae", "train_k": k, "epochs": EPOCHS[data], "model": lab.__file__}
    settings = complete({**SIZES, **SCHEDULE, **given, **options}, data)
    name = "-".join(["iwae", f"k{k}", *options.values()])
    train_once(settings, out / name)
    return load_run(out / name, "cpu")[2]
