"""A deck as the tests read it: its slides by title, and the numbers that were measured for it."""

import json
import re

import pytest

from decks import Deck
from model_file import import_file


class DeckText:
    """A deck's source, cut into slides."""

    def __init__(self, name):
        self.deck = Deck(name)
        self.source = self.deck.source.read_text(encoding="utf-8")
        self.numbers = json.loads(self.deck.numbers.read_text())
        front, _, slides = self.source.removeprefix("---\n").partition("\n---\n")
        self.front = front
        self.slides = {re.search(r"^# (.+)$", one, re.MULTILINE)[1]: one for one in slides.split("\n---\n")}

    def states(self, title, forms):
        """Assert that a slide, or its notes, hold each of these forms, filled with the measured numbers."""
        for form in forms:
            assert form.format(**self.numbers) in plain(self.slides[title])

    def measures_again(self, name):
        """Assert that a figure's function finds the numbers that were measured, up to rounding."""
        functions = {function.__name__: function for function in import_file(self.deck.script).DRAWN}
        _, measured = functions[name]()
        assert_close(json.loads(json.dumps(measured)), self.numbers[name])


def plain(text):
    """Text with an ASCII minus and no space before a per cent sign, as Python formats numbers; one line."""
    return re.sub(r"\s+", " ", text.replace("−", "-").replace(" %", "%"))


def assert_close(found, wanted):
    """Nested dictionaries and lists, with the same numbers up to rounding."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            assert_close(found[key], wanted[key])
    elif isinstance(wanted, list):
        for pair in zip(found, wanted, strict=True):
            assert_close(*pair)
    else:
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5) if isinstance(wanted, float) else found == wanted
