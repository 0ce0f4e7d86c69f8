"""Builds the deck: slides/iwae.html and slides/iwae.pdf from iwae.md and figures/, with Marp.

python slides/build.py

Needs Node.js, Chromium or Chrome (for the PDF), and once, in slides/: PUPPETEER_SKIP_DOWNLOAD=1 npm ci
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE / "built.json"
OUTPUTS = ("iwae.html", "iwae.pdf")
MARP = HERE / "node_modules" / ".bin" / "marp"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sources():
    """What the deck is made of: {path in slides/: SHA-256}."""
    figures = sorted(path.relative_to(HERE).as_posix() for path in (HERE / "figures").glob("*.svg"))
    names = ["iwae.md", "marp.config.mjs", "package.json", "package-lock.json", *figures]
    return {name: sha256(HERE / name) for name in names}


def stale():
    """Names of outputs that are not what was built, and of sources that have changed since; empty if up to date."""
    built = json.loads(BUILT.read_text())
    now = {"sources": sources(), "outputs": {name: sha256(HERE / name) for name in OUTPUTS}}
    changed = [set(now[kind].items()) ^ set(built[kind].items()) for kind in now]
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


def build(name):
    """Write one of OUTPUTS; its ending tells Marp what to make."""
    command = [MARP, "--no-stdin", "--allow-local-files", "--browser-path", find_browser(), "iwae.md", "--output", name]
    ended = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if ended.returncode or not (HERE / name).exists():
        sys.exit(f"error: Marp could not build {name}:\n{ended.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    if missing := requirements():
        sys.exit(f"error: {missing}")
    for name in OUTPUTS:
        build(name)
        print(f"wrote slides/{name}")
    digests = {"sources": sources(), "outputs": {name: sha256(HERE / name) for name in OUTPUTS}}
    BUILT.write_text(json.dumps(digests, indent=2) + "\n")


if __name__ == "__main__":
    main()
