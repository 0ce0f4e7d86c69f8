"""The decks: a folder of slides/ each, and in it NAME.md, its figures, and what is built of them."""

from dataclasses import dataclass
from pathlib import Path

SLIDES = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Deck:
    """Where the parts of a deck are."""

    name: str

    @property
    def folder(self):
        return SLIDES / self.name

    @property
    def source(self):
        return self.folder / f"{self.name}.md"

    @property
    def script(self):
        """Its DRAWN: one function for each figure, which returns the figure, or None, and the numbers measured."""
        return self.folder / "figures.py"

    @property
    def figures(self):
        return sorted((self.folder / "figures").glob("*.svg"))

    @property
    def numbers(self):
        """Every number that its slides state, {name of a figure's function: numbers}, with date and versions."""
        return self.folder / "figures" / "numbers.json"

    @property
    def outputs(self):
        return [self.folder / f"{self.name}.{ending}" for ending in ("html", "pdf")]

    @property
    def built(self):
        """SHA-256 of the sources and of what was built from them."""
        return self.folder / "built.json"


def names():
    """Of all decks."""
    return sorted(folder.name for folder in SLIDES.iterdir() if Deck(folder.name).source.is_file())
