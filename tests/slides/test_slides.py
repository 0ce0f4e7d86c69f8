"""The lecture: built from its sources, self-contained, its numbers measured, and nothing beyond a slide's edge."""

import html.parser
import importlib.util
import json
import os
import re
import subprocess

import pytest
import torch

from autograder.assignments.iwae import ASSIGNMENT
from autograder.assignments.iwae import figures as reference
from helpers.commands import ROOT

SLIDES = ROOT / "slides"
SOURCE = (SLIDES / "iwae.md").read_text(encoding="utf-8")
NUMBERS = json.loads((SLIDES / "figures" / "numbers.json").read_text())
BY_TITLE = {
    re.search(r"^# (.+)$", slide, re.MULTILINE)[1]: slide for slide in SOURCE.split("</style>")[1].split("\n---\n")
}

# Slide: what it states, on the slide or in its notes, as a form that is filled from numbers.json.
QUOTES = {
    "An autoencoder is not a generative model": ["{autoencoder[prior_inside_cube]:.1%}"],
    "Maximum likelihood is intractable": [
        "{prior_sampling[draws]:,} draws",
        "carries {prior_sampling[share_of_the_best]:.0%}",
        "median {prior_sampling[median_log_likelihood][prior]:.0f}",
        "median {prior_sampling[median_log_likelihood][q]:.0f}",
        "effective sample size is {prior_sampling[effective_sample_size]:.1f}",
    ],
    "A rare event": [
        "{rare_event[projects]:,} projects",
        "distribution: {rare_event[exact]:.5f}",
        "{rare_event[repeats]:,} of them",
        "in {rare_event[plain_zero]:.0%}",
        "worth {rare_event[variance_ratio]:.0f} plain ones",
        "measured: {rare_event[measured_variance_ratio]:.0f}",
    ],
    "The ELBO": ["{logarithm[weights][0]} and {logarithm[weights][1]} times", "{logarithm[lost]:.2f} nats too low"],
    "The gap is a KL divergence": [
        "N({elbo_gap[posterior_mean]:.1f}, {elbo_gap[posterior_std]:.3f}^2)",
        "log p(x) = {elbo_gap[log_p]:.2f}, ELBO = {elbo_gap[elbo]:.2f}",
    ],
    "Amortised inference": ["The tie costs {amortisation[tied][gaps][q is tied]:.1f} of"],
    "The Jensen gap is a variance": [
        "single weight is {jensen[relative_variance]:.2f}",
        "(measured {jensen[gap_10]:.3f})",
        "(measured {jensen[gap_100]:.4f})",
        "{jensen[gap_1]:.2f} nats, the KL",
    ],
    "The k-sample bound": ["| {bound[elbo]:.3f} | {bound[L_2]:.3f} | {bound[L_3]:.3f} | {bound[log_p]:.3f} |"],
    "The Gaussian density": [
        "| {density[right][0]:.3f} | {density[right][1]:.2f} |",
        "| {density[no constant][0]:.3f} | {density[no constant][1]:.2f} |",
        "| {density[wrong sign][0]:.3f} | {density[wrong sign][1]:.2f} |",
    ],
    "Underflow": [
        "| `{underflow[naive][0]}` | `{underflow[naive][1][0]}` |",
        "| {underflow[guarded][0]} | (0, 0) |",
        "| {underflow[right][0]} | (0, 1) |",
        "from {log_weights[vae][lowest_log_w]:.0f} to {log_weights[vae][highest_log_w]:.0f}",
    ],
    "Reparameterization": [
        "| {detached[reparameterized][elbo]:.2f} | {detached[reparameterized][gradient]:.2f} (exact: 3.50)",
        "| {detached[detached][elbo]:.2f} | {detached[detached][gradient]:.2f} |",
    ],
    "Samples side by side": [
        "{samples[VAE]:.1f} in the VAE, {samples[IWAE]:.1f} in the IWAE",
        "images have {samples[test images]:.1f}, and the autoencoder's draws {samples[autoencoder]:.1f}",
    ],
    "The test NLL is a bound too": ["{test_nll[iwae][k_1]:.0f} against {test_nll[vae][k_1]:.0f} nats"],
    "The weights of a trained model": [
        "{log_weights[samples]:,} samples",
        "{log_weights[vae][effective_sample_size]:.1f} effective ones in the VAE",
        "{log_weights[iwae][effective_sample_size]:.1f} in the IWAE",
        "is {log_weights[vae][std_log_w]:.0f} nats in the VAE and {log_weights[iwae][std_log_w]:.0f} in the IWAE",
    ],
    "The tied network": [
        "deviation of {tied[untied][std_log_w]:.1f} nats, tied {tied[tied][std_log_w]:.1f}",
        "{amortisation[tied][gaps][q is tied]:.1f} nats were the tie's",
    ],
    "Tighter bounds are not always better": ["{signal_to_noise[repeats]:,} gradients for each k"],
}


def load(name):
    """A script of slides/ as a module."""
    spec = importlib.util.spec_from_file_location(f"slides_{name}", SLIDES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(text):
    """Text with an ASCII minus and no space before a per cent sign, as Python formats numbers; one line."""
    return re.sub(r"\s+", " ", text.replace("−", "-").replace(" %", "%"))


def test_the_built_deck_is_that_of_its_sources():
    stale = load("build").stale()
    assert not stale, f"changed since the deck was built: {', '.join(stale)}; run python slides/build.py"


def test_the_lecture_has_its_length():
    minutes = [float(note) for note in re.findall(r"^<!--\nMinutes: ([\d.]+)\n\n\w", SOURCE, re.MULTILINE)]
    titles = re.findall(r"^# (.+)$", SOURCE, re.MULTILINE)
    assert len(minutes) == len(titles) == len(BY_TITLE)  # notes on every slide, and each title once
    assert 23 <= len(titles) <= 28
    assert sum(minutes) == 50


def test_every_figure_is_shown_and_every_shown_figure_exists():
    shown = re.findall(r"!\[[^\]]{20,}\]\(figures/([\w.]+)\)", SOURCE)  # with a description for who cannot see it
    figures = {path.name: path for path in (SLIDES / "figures").glob("*.svg")}
    assert len(shown) == len(re.findall(r"!\[", SOURCE)) and set(shown) == set(figures)
    assert all(path.stat().st_size < 150_000 for path in figures.values())


@pytest.mark.parametrize("title", QUOTES)
def test_numbers_are_those_measured(title):
    for form in QUOTES[title]:
        assert form.format(**NUMBERS) in plain(BY_TITLE[title])


def test_the_sizes_that_are_told_in_words():
    rare = NUMBERS["rare_event"]
    assert rare["measured_variance_ratio"] == pytest.approx(rare["variance_ratio"], rel=0.1)
    samples, nll, ratios = NUMBERS["samples"], NUMBERS["test_nll"], NUMBERS["signal_to_noise"]
    assert 2.5 < samples["IWAE"] / samples["VAE"] < 3.5  # three times
    assert samples["active units, VAE"] == samples["active units, IWAE"] == 10
    assert [k for k in nll["iwae"] if nll["iwae"][k] < nll["vae"][k]][0] == "k_5"
    assert ratios["encoder_slope"] == pytest.approx(-0.5, abs=0.1)
    assert ratios["decoder_slope"] == pytest.approx(0.5, abs=0.1)
    gaps = {name: each["gaps"] for name, each in NUMBERS["amortisation"].items()}
    total = {name: sum(each.values()) for name, each in gaps.items()}
    assert f"of {total['tied']:.1f} nats" in BY_TITLE["Amortised inference"]
    assert f"{gaps['untied']['q is amortised']:.1f} nats of {total['untied']:.1f}" in BY_TITLE["Amortised inference"]
    exact = (1.5 - 0.5) / 0.5**2 - 0.5
    assert NUMBERS["detached"]["exact"] == exact and f"{exact:.2f}" in BY_TITLE["Reparameterization"]


@pytest.mark.parametrize("name", ["rare_event", "elbo_gap", "jensen", "bound", "underflow", "density", "detached"])
def test_numbers_that_need_no_training_are_measured_again(name):
    _, measured = getattr(load("figures"), name)()
    assert_close(json.loads(json.dumps(measured)), NUMBERS[name])


def assert_close(found, wanted):
    """Nested dictionaries and lists, with the same numbers up to rounding."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            assert_close(found[key], wanted[key])
    else:
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5) if isinstance(wanted, float) else found == wanted


def test_the_ends_of_float32():
    assert torch.exp(torch.tensor(-104.0)) == 0 and torch.exp(torch.tensor(89.0)).isinf()
    assert all(f"`exp({end})`" in BY_TITLE["Underflow"] for end in (-104, 89))


def test_a_build_without_its_tools_says_what_to_install(monkeypatch, tmp_path):
    build = load("build")
    monkeypatch.setattr(build, "MARP", tmp_path / "marp")
    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert "nodejs" in build.requirements()
    monkeypatch.setattr(build.shutil, "which", lambda name: "/usr/bin/node" if name == "node" else None)
    assert "npm ci" in build.requirements()
    build.MARP.touch()
    assert "chromium" in build.requirements()


def test_the_table_of_results_is_the_reference():
    slide = BY_TITLE["What to expect"]
    results = {
        (r["objective"], r["tied"]): r
        for r in json.loads(reference.REFERENCE.read_text())["results"]
        if r["data"] == "mnist" and r["epochs"] == 30
    }
    for (objective, tied), r in results.items():
        cells = [r["train_loss"], r["test_nll"]["100"], r["test_nll"]["5000"]]
        cells = [f"{c['mean']:.1f}" + (f" ± {c['std']:.1f}" if c["std"] is not None else "") for c in cells]
        row = ["tied" if tied else "untied", f"{objective.upper()}, k = {r['train_k']}", *cells]
        assert f"| {' | '.join(row)} |" in slide.replace("**", "")
        assert 120 < r["train_seconds"]["mean"] < 390  # two to six minutes
    nll = {key: r["test_nll"]["100"]["mean"] for key, r in results.items()}
    assert f"*{nll['vae', True] - nll['iwae', True]:.0f} nats*" in slide
    assert f"{nll['vae', False] - nll['iwae', False]:.1f} nats remain" in slide


def test_the_points_are_those_of_the_autograder():
    points = re.findall(r"^\| (?:TODO \d|training) .*\| (\d+) \|$", BY_TITLE["What you implement"], re.MULTILINE)
    assert [int(number) for number in points] == [sum(checks.values()) for checks in ASSIGNMENT.points.values()]


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


def test_the_html_requests_nothing():
    requests = Requests()
    requests.feed((SLIDES / "iwae.html").read_text(encoding="utf-8"))
    assert len(requests.found) > 20  # the figures and fonts
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
def test_nothing_reaches_beyond_a_slide(tmp_path):
    browser = load("build").find_browser()
    if not browser:
        pytest.skip("no Chromium or Chrome here to lay the slides out")
    page = tmp_path / "iwae.html"
    page.write_text((SLIDES / "iwae.html").read_text(encoding="utf-8").replace("</body>", MEASURE + "</body>"))
    options = ["--headless", "--disable-gpu", "--virtual-time-budget=10000", f"--user-data-dir={tmp_path}"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium's sandbox does not start as root
    command = [browser, *options, "--window-size=1280,720", "--dump-dom", page.as_uri()]
    document = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert re.search(r'data-sections="(\d+)"', document)[1] == str(len(BY_TITLE))
    assert re.search(r'data-beyond="([^"]*)"', document)[1] == ""
