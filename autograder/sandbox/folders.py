"""Which folders of this machine a sandbox shows, and which it hides."""

import os
import sys
import sysconfig
from pathlib import Path

from autograder import ROOT


def python_path() -> list[str]:
    """The folders of installed packages, torch's among them; resolved, as the sandbox sees no links to them."""
    known = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    found = [p for p in sys.path if p in known or Path(p).name in ("site-packages", "dist-packages")]
    return [str(Path(p).resolve()) for p in found]


def visible_folders() -> list[Path]:
    """What Python needs of this machine: the system's libraries and programs, the interpreter's, installed packages."""
    prefixes = (Path("/usr"), Path(sys.base_prefix).resolve())
    folders = {prefix / name for prefix in prefixes for name in ("bin", "lib", "lib32", "lib64")}
    return sorted({folder for folder in folders if folder.is_dir()} | {Path(p) for p in python_path()})


def lies_open() -> bool:
    """Whether another user of this machine can reach the interpreter and the packages."""
    folders = {parent for folder in visible_folders() for parent in (folder, *folder.parents)}
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def hidden_folders() -> list[Path]:
    """What no submission may see, wherever it lies: the kit, with its answers, and the course's data."""
    folders = {ROOT, Path(os.environ.get("IWAE_DATA") or ROOT).resolve()}
    return sorted(folder for folder in folders if folder.is_dir())


def without(folder: Path, hidden: list[Path]) -> list[Path]:
    """The folder, or what it holds beside the hidden folders below it."""
    if folder in hidden:
        return []
    if not any(h.is_relative_to(folder) for h in hidden):
        return [folder]
    return [part for child in folder.iterdir() if not child.is_symlink() for part in without(child, hidden)]
