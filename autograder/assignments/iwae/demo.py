"""The demo: autoencoder, VAE and IWAE from the reference, a few epochs each, in a table and a picture; then grading."""

from autograder import ROOT
from autograder.assignments.iwae import ASSIGNMENT
from autograder.grading.grading import grade
from autograder.grading.submission import Submission
from autograder.reports.terminal import print_table as print_grading
from data import choose
from evaluate import print_table
from outputs import owned_folder, remove_own
from settings import complete
from train import train
from visualize import draw_comparison

EPOCHS = {"mnist": 3, "digits": 50}  # within three minutes in all, on two cores
OBJECTIVES = {"autoencoder": "ae", "VAE": "vae", "IWAE": "iwae"}
RUN_FILES = (
    "config.json metrics.csv checkpoint.safetensors model.safetensors test.json curves.png samples.png "
    "reconstructions.png"
).split()


def demo(out):
    """Train the three models into out, print their test figures and draw their samples side by side.

    An earlier demo's runs there give way. Then grade the untouched stub and the reference, without the test NLL.
    """
    owned_folder(out, "demo", former=OBJECTIVES)
    for name in OBJECTIVES:
        remove_own(out / name, RUN_FILES)
    dataset = choose("auto")
    figures = {}
    for name, objective in OBJECTIVES.items():
        print(f"\n{name} on {dataset}")
        settings = complete({"objective": objective, "model": "solutions/model.py", "epochs": EPOCHS[dataset]}, dataset)
        figures[name] = train(settings, out / name)
    print_table(figures)
    path = draw_comparison([out / name for name in OBJECTIVES], out / "comparison.png")
    print(f"the samples of all three, side by side: {path}")
    for name in ("base_code/model.py", "solutions/model.py"):
        print(f"\ngrading {name}, without training: python -m autograder grade {name} --nll off")
        print_grading(grade(Submission.read(ASSIGNMENT, ROOT / name), modes={"nll": "off"}))
