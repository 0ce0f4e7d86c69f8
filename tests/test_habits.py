"""The pins of the kit agree: those of requirements.txt, of the lock file and of pre-commit."""

import re

import yaml

from helpers.commands import ROOT


def pins(name):
    """{package: version} of a file of exact pins, each package in the one form that all its spellings have."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines if line]
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_the_lock_has_the_pins_and_what_they_bring():
    direct, locked = pins("requirements.txt"), pins("requirements.lock")
    assert direct.items() <= locked.items()
    assert len(locked) > 2 * len(direct)


def test_pre_commit_has_the_same_ruff():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["rev"] == f"v{pins('requirements.txt')['ruff']}"
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-check", "ruff-format"]
