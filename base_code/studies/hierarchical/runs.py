"""The models of the lab: their sizes and their schedule."""

from settings import complete
from studies import runs

EPOCHS = {"mnist": 4, "digits": 60}
WATCHED_EPOCHS = {"mnist": 6, "digits": 60}
K = 5  # samples per image while training, where one model is enough
SIZES = {"hidden": (100,), "d_latent": 20}  # 40 units in z1, 20 in z2
SCHEDULE = {"preset": "paper-short", "batch_size": 100, "test_k": 1, "compile": "off"}


def settings(lab, k=K, **options):
    """Those of the lab's model, trained with k samples per image; two layers unless options say else."""
    data = runs.dataset()
    given = {"objective": "iwae", "train_k": k, "epochs": EPOCHS[data], "model": lab.__file__}
    return complete({**SIZES, **SCHEDULE, **given, **options}, data)


def trained(lab, out, k=K, **options):
    """The lab's model, trained into a folder below out."""
    name = "-".join(["iwae", f"k{k}", *map(str, options.values())])
    return runs.trained(settings(lab, k, **options), out / name)


def while_it_trains(lab, out):
    """(epochs, the model of two layers) at moments of its training, whose learning rate stays what it is."""
    constant = settings(lab, preset="course", epochs=WATCHED_EPOCHS[runs.dataset()])
    return runs.while_it_trains(constant, out / "iwae-watched")
