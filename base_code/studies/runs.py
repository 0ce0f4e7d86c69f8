"""The models of the labs' studies, trained once and kept, and the dataset that they are trained on."""

import functools

from data import choose
from run_folder import load_run
from train import train_once


@functools.cache
def dataset():
    """That of all the models. To look for it can take seconds, and may print a notice: once is enough."""
    return choose("auto")


def trained(settings, folder):
    """The model of the run in the folder, which is trained unless it is finished."""
    train_once(settings, folder)
    return load_run(folder, "cpu")[2]
