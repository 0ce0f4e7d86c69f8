"""Where a command may write: into what it made itself. Nothing that a person owns is deleted or overwritten."""

import json
import os
import shlex
from pathlib import Path

from cli import UserError

MARK = "Made by a command of the IWAE course kit"  # in the comment of a zip, in the text of a picture


def owned_folder(folder, command, former=()):
    """Make the folder, marked as the command's, or take one that is; UserError where it is anybody else's.

    An empty folder is nobody's. former: names by which a folder of the command from before the marks is known.
    """
    marker = folder / f".made-by-{command}"
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"{folder} is a link that leads nowhere; give a new or an empty folder")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a new or an empty folder")
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if found and marker.name not in found:
        names = ", ".join(name if name.isprintable() else repr(name) for name in sorted(found)[:3])
        names += ", …" if len(found) > 3 else ""
        advice = "give a new or an empty folder"
        if former and found.issuperset(former):
            advice += f"; or, if an earlier version of {command} made all of it, run: touch {shlex.quote(str(marker))}"
        raise UserError(f"{folder} holds what {command} did not put there ({names}); {advice}")
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return folder


def own_file(path):
    """The path of a file to write; UserError where a file lies there that no command wrote."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file")
    if path.exists() and MARK.encode() not in path.read_bytes():
        raise UserError(f"{path} is there already, and no command of this kit wrote it; move it, or give another name")
    return path


def remove_own(folder, names):
    """Remove a folder if all that it holds are files of these names, whole or half written; else leave it as it is."""
    if folder.is_symlink() or not folder.is_dir():
        return
    files = list(folder.iterdir())
    if all(is_own(file, names) for file in files):
        for file in files:
            file.unlink()
        folder.rmdir()


def is_own(file, names):
    """Whether write_atomically can have made it."""
    return file.is_file() and not file.is_symlink() and any(
        file.name == name or (file.name.startswith(f".{name}.") and file.suffix[1:].isdigit()) for name in names
    )  # fmt: skip


def check_apart(out, *inputs):
    """UserError where the folder out and something that is read lie one in the other, whatever links lead there."""
    for path in inputs:
        if is_inside(out, path):
            raise UserError(f"{out} is or lies in {path}, which is only read; give a folder outside")
        if is_inside(path, out):
            raise UserError(f"{path} lies in {out}, which is written; give another folder")


def is_inside(path, folder):
    """Whether they are the same or path lies below folder. Compared are not names but what they lead to."""
    path = Path(os.path.realpath(path))  # unlike resolve(), also where links lead in a circle
    return folder.exists() and any(p.samefile(folder) for p in (path, *path.parents) if p.exists())


def write_atomically(path, content):
    """Write bytes to a temporary file, then rename it: a crash or a full disk leaves the old file whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, content):
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
