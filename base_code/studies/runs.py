"""The models of the labs' studies, trained once and kept, and the dataset that they are trained on."""

import dataclasses
import functools
import shutil

from data import choose
from run_folder import load_run
from train import train_once

MOMENTS = 6  # of a training that is watched


@functools.cache
def dataset():
    """That of all the models. To look for it can take seconds, and may print a notice: once is enough."""
    return choose("auto")


def trained(settings, folder):
    """The model of the run in the folder, which is trained unless it is finished."""
    train_once(settings, folder)
    return load_run(folder, "cpu")[2]


def while_it_trains(settings, folder, trained=trained):
    """(epochs, the model) at moments of its training: runs that each go on where the last one stands.

    The last of them is the run in the folder, the others lie beside it. The learning rate must not depend on epochs.
    """
    before = None
    for moment in range(1, MOMENTS + 1):
        epochs = settings.epochs * moment // MOMENTS
        part = folder if epochs == settings.epochs else folder.with_name(f"{folder.name}-epoch-{epochs}")
        if before and not part.exists():
            half_copied = folder.with_name(f".{folder.name}-copy")
            shutil.rmtree(half_copied, ignore_errors=True)
            shutil.copytree(before, half_copied)
            half_copied.rename(part)
        yield epochs, trained(dataclasses.replace(settings, epochs=epochs), part)
        before = part
