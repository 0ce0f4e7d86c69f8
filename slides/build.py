"""Builds decks: slides/NAME/NAME.html and NAME.pdf from NAME.md and its figures, with Marp.

python slides/build.py       those that are out of date
python slides/build.py NAME  this one

Needs Node.js, Chromium or Chrome (for the PDF), and once, in slides/: PUPPETEER_SKIP_DOWNLOAD=1 npm ci
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys

from decks import SLIDES, Deck, names

COMMON = ("theme.css", "marp.config.mjs", "package.json", "package-lock.json")
MARP = SLIDES / "node_modules" / ".bin" / "marp"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def sha256(paths):
    """{path in slides/: SHA-256} of those that exist."""
    found = [path for path in paths if path.exists()]
    return {path.relative_to(SLIDES).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def digests(deck):
    """Of what a deck is made of, and of what was made: {kind: {path in slides/: SHA-256}}"""
    sources = [deck.source, *(SLIDES / name for name in COMMON), *deck.figures]
    return {"sources": sha256(sources), "outputs": sha256(deck.outputs)}


def stale(deck):
    """Names of outputs that are not what was built, and of sources that have changed since; empty if up to date."""
    built = json.loads(deck.built.read_text()) if deck.built.exists() else {"sources": {}, "outputs": {}}
    changed = [set(found.items()) ^ set(built[kind].items()) for kind, found in digests(deck).items()]
    return sorted({name for pairs in changed for name, _ in pairs})


def find_browser():
    """The path of Chromium or Chrome, from $CHROME_PATH or $PATH; None if there is none."""
    return os.environ.get("CHROME_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


def requirements():
    """What is missing for a build, in one line; None if nothing is."""
    if not shutil.which("node"):
        return "Node.js is missing; install it (Debian: apt-get install nodejs npm)"
    if not MARP.exists():
        return "Marp is missing; run: cd slides && PUPPETEER_SKIP_DOWNLOAD=1 npm ci"
    if not find_browser():
        return "no Chromium or Chrome was found; install one (Debian: apt-get install chromium) or set CHROME_PATH"
    return None


def build(deck, output):
    """Write one of the deck's outputs; its ending tells Marp what to make."""
    options = ["--no-stdin", "--allow-local-files", "--browser-path", find_browser()]
    options += ["--config-file", SLIDES / "marp.config.mjs"]
    command = [MARP, *options, deck.source.name, "--output", output.name]
    ended = subprocess.run(command, cwd=deck.folder, capture_output=True, text=True)
    if ended.returncode or not output.exists():
        sys.exit(f"error: Marp could not build {output.name}:\n{ended.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=names(), help="the deck")
    name = parser.parse_args().name
    chosen = [Deck(name)] if name else [deck for deck in map(Deck, names()) if stale(deck)]
    if chosen and (missing := requirements()):
        sys.exit(f"error: {missing}")
    for deck in chosen:
        for output in deck.outputs:
            build(deck, output)
            print(f"wrote slides/{deck.name}/{output.name}")
        deck.built.write_text(json.dumps(digests(deck), indent=2) + "\n")


if __name__ == "__main__":
    main()
