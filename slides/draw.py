"""Draws the figures of a deck and measures its numbers, all with the kit's own code.

python slides/draw.py NAME         every figure into slides/NAME/figures/, and numbers.json beside them
python slides/draw.py NAME FIGURE  only this one, or several

slides/NAME/figures.py draws them. Trained models are taken from runs/, and trained first where they are missing.
"""

import argparse
import datetime
import json
import platform
import sys

import matplotlib
import torch
from tqdm import tqdm

from decks import SLIDES, Deck, names
from style import STYLE

sys.path.insert(0, str(SLIDES.parent))
import autograder  # noqa: E402, F401  makes base_code importable

from cli import UserError, run_command  # noqa: E402  isort: skip
from model_file import import_file  # noqa: E402
from outputs import write_json  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=names(), help="the deck")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="what to draw (default: all)")
    given = parser.parse_args()
    deck = Deck(given.name)
    by_name = {function.__name__: function for function in import_file(deck.script).DRAWN}
    if unknown := set(given.figures) - set(by_name):
        raise UserError(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    matplotlib.rcParams.update(STYLE)
    deck.numbers.parent.mkdir(exist_ok=True)
    numbers = json.loads(deck.numbers.read_text()) if deck.numbers.exists() else {}
    for name in (bar := tqdm(given.figures or list(by_name), unit=" figures")):
        bar.set_postfix_str(name)
        figure, numbers[name] = by_name[name]()
        if figure:
            figure.savefig(deck.numbers.with_name(f"{name}.svg"), metadata={"Date": None}, dpi=150)
    numbers["date"] = datetime.date.today().isoformat()
    numbers["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    write_json(deck.numbers, {name: numbers[name] for name in [*by_name, "date", "versions"] if name in numbers})


if __name__ == "__main__":
    run_command(main)
