"""Code in C: compiled where there is a compiler, kept for the next time, and loaded if it is whole and our own."""

import contextlib
import ctypes
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

# Arithmetic as it is written, so that NaN and infinity stay what they are: no -ffast-math.
FLAGS = "-O3 -march=native -fno-math-errno -fno-trapping-math -shared -fPIC".split()
BUILT = "IWAE_NATIVE"  # the environment's name of a folder with libraries that are built already: none is built then
SECONDS = 60  # for the compiler; it takes half a second


class Unavailable(Exception):
    """There is no library, and why, in words."""


def load(source):
    """The library made of a C file. Unavailable where there is none."""
    try:
        return ctypes.CDLL(str(library(source)))
    except OSError as error:  # a home without execution, another machine's linker
        raise Unavailable(f"what was compiled does not load ({error})") from None


def library(source):
    """The path of the library made of a C file, built if need be. Unavailable where it cannot be had."""
    try:
        if BUILT in os.environ:
            folder, prefix = Path(os.environ[BUILT]), f"{source.stem}-"
        else:
            folder, prefix = private_folder(), f"{source.stem}-{key(source)}-"
        if path := find(folder, prefix):
            return path
        if BUILT in os.environ:
            raise Unavailable(f"{folder} holds no library of {source.name}")
        return build(source, folder, prefix)
    except OSError as error:
        raise Unavailable(f"code in C cannot be kept ({error.strerror}: {error.filename})") from None


def libraries():
    """The paths of all that can be had, of the C files beside this one."""
    found = []
    for source in sorted(Path(__file__).parent.glob("*.c")):
        with contextlib.suppress(Unavailable):
            found.append(library(source))
    return found


def key(source):
    """Of the source and the processor that a library is made for: a home may be that of several machines."""
    first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    seen_by_native = [line for line in first.splitlines() if line.startswith(("model", "flags", "Features", "CPU "))]
    return hashlib.sha256("\n".join([source.read_text(), *FLAGS, *seen_by_native]).encode()).hexdigest()[:16]


def private_folder():
    """Where libraries are kept. Unavailable unless it is ours, and ours alone to write: what lies there is run."""
    if sys.platform != "linux":
        raise Unavailable("code in C is compiled on Linux only")
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "iwae-course"
    except RuntimeError:
        raise Unavailable("code in C cannot be kept, since you have no home folder") from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise Unavailable(f"{folder} is not a folder where only you can write")
    return folder


def find(folder, prefix):
    """A library whose name begins so and ends with the digest of its content: one that was cut off would crash."""
    for path in folder.glob(f"{prefix}*.so"):
        if path.stem.endswith(digest(path)):
            return path
    return None


def build(source, folder, prefix):
    """Compile into the folder, atomically."""
    candidates = (shlex.split(os.environ.get("CC", "")), ["cc"], ["gcc"], ["clang"])
    compiler = next((words for words in candidates if words and shutil.which(words[0])), None)
    if compiler is None:
        raise Unavailable("there is no C compiler, such as gcc")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = Path(scratch) / "built.so"
        command = [*compiler, *FLAGS, str(source.resolve()), "-o", str(built), "-lm"]
        try:
            subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            raise Unavailable(f"{compiler[0]} failed: {said[-1] if said else 'it said nothing'}") from None
        path = folder / f"{prefix}{digest(built)}.so"
        os.replace(built, path)
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
