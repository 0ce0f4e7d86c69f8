"""Every deck: built from its sources, self-contained, the feedback's slides in it, nothing beyond a slide's edge."""

import html.parser
import json
import os
import re
import subprocess

import pytest

import build
from autograder import assignments
from decks import SLIDES, Deck, names
from helpers.commands import ROOT
from helpers.decks import DeckText

every_deck = pytest.mark.parametrize("name", names())


@every_deck
def test_the_built_deck_is_that_of_its_sources(name):
    stale = build.stale(Deck(name))
    assert not stale, f"changed since the deck was built: {', '.join(stale)}; run python slides/build.py"


@every_deck
def test_every_slide_has_notes_and_the_minutes_are_told(name):
    text = DeckText(name)
    minutes = [float(note) for note in re.findall(r"^<!--\nMinutes: ([\d.]+)\n\n\w", text.source, re.MULTILINE)]
    titles = re.findall(r"^# (.+)$", text.source, re.MULTILINE)
    assert len(minutes) == len(titles) == len(text.slides)  # and each title once
    assert f" {sum(minutes):g} minutes, with speaker notes" in text.front
    built = " | ".join(f"`{output.relative_to(ROOT).as_posix()}`" for output in Deck(name).outputs)
    assert f"| {built} | {len(titles)} | {sum(minutes):g} |" in (ROOT / "README.md").read_text()


@every_deck
def test_every_figure_is_shown_and_every_shown_figure_exists(name):
    source, figures = DeckText(name).source, {path.name: path for path in Deck(name).figures}
    shown = re.findall(r"!\[[^\]]{20,}\]\(figures/([\w.]+)\)", source)  # with a description for who cannot see it
    assert len(shown) == len(re.findall(r"!\[", source)) and set(shown) == set(figures)
    assert all(path.stat().st_size < 150_000 for path in figures.values())


@every_deck
def test_feedback_names_slides_of_the_deck(name):
    """As in "handout and slides, Underflow": the section of the handout and the slide have the same title."""
    pointers = [entry.read for entry in assignments.get(name).misconceptions.values()]
    slides = {found[1] for read in pointers if (found := re.search(r"\bslides(?: of the lab)?, ([^;]+)", read))}
    assert slides and slides <= set(DeckText(name).slides)


def test_a_build_without_its_tools_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "MARP", tmp_path / "marp")
    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert "nodejs" in build.requirements()
    monkeypatch.setattr(build.shutil, "which", lambda name: "/usr/bin/node" if name == "node" else None)
    assert "npm ci" in build.requirements()
    build.MARP.touch()
    assert "chromium" in build.requirements()


class Requests(html.parser.HTMLParser):
    """Collects what a browser would fetch to show a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "srcset", "data", "poster") or (name in ("href", "xlink:href") and tag != "a"):
                self.found.append(value)
            elif name == "style":
                self.handle_data(value)

    def handle_data(self, data):
        self.found += re.findall(r"(?:url\(|@import )\s*['\"]?([^'\")]+)", data)


@every_deck
def test_the_html_requests_nothing(name):
    requests = Requests()
    requests.feed(Deck(name).outputs[0].read_text(encoding="utf-8"))
    assert len(requests.found) > len(Deck(name).figures)  # the figures and fonts
    assert [url[:80] for url in requests.found if not url.startswith(("data:", "#"))] == []


def test_the_lock_names_no_host():
    lock = json.loads((SLIDES / "package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in lock.values())
    assert all("integrity" in package for name, package in lock.items() if name)


MEASURE = """
<style>svg.bespoke-marp-slide { content-visibility: visible !important; }</style>
<script>addEventListener('load', () => document.fonts.ready.then(() => {
  const beyond = []
  for (const section of document.querySelectorAll('section')) {
    const page = section.getBoundingClientRect(), margin = page.height * 24 / 720
    for (const element of section.querySelectorAll('h1, p, li, table, pre, blockquote, img, mjx-container')) {
      const box = element.getBoundingClientRect()
      const inside = box.height > 0 && box.bottom <= page.bottom - margin && box.right <= page.right - margin
      if (!inside || element.scrollWidth > element.clientWidth + 1 && element.tagName == 'PRE')
        beyond.push(section.id + ' ' + element.tagName + ' ' + element.textContent.slice(0, 30))
    }
  }
  document.documentElement.dataset.sections = document.querySelectorAll('section').length
  document.documentElement.dataset.beyond = beyond.join('; ')
}))</script>
"""


@pytest.mark.slow
@every_deck
def test_nothing_reaches_beyond_a_slide(name, tmp_path):
    browser = build.find_browser()
    if not browser:
        pytest.skip("no Chromium or Chrome here to lay the slides out")
    page = tmp_path / "deck.html"
    page.write_text(Deck(name).outputs[0].read_text(encoding="utf-8").replace("</body>", MEASURE + "</body>"))
    options = ["--headless", "--disable-gpu", "--virtual-time-budget=10000", f"--user-data-dir={tmp_path}"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium's sandbox does not start as root
    command = [browser, *options, "--window-size=1280,720", "--dump-dom", page.as_uri()]
    document = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert re.search(r'data-sections="(\d+)"', document)[1] == str(len(DeckText(name).slides))
    assert re.search(r'data-beyond="([^"]*)"', document)[1] == ""
