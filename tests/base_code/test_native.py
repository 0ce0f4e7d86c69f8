"""Code in C is built once, kept where nobody else can write, and never loaded broken; without it there is a reason."""

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import native
from helpers.commands import ROOT

SOURCE = "int answer(void) { return 42; }\n"
BUILD = "import sys, native; from pathlib import Path; print(native.library(Path(sys.argv[1])))"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="code in C is compiled on Linux only")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file in C, and a home of its own."""
    monkeypatch.delenv(native.BUILT, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "answer.c"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def without_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_it_is_built_once_for_the_user_alone(source, tmp_path, request):
    assert native.load(source).answer() == 42
    (built,) = (tmp_path / "cache" / "iwae-course").iterdir()
    assert built.parent.stat().st_mode & 0o777 == 0o700
    request.getfixturevalue("without_compiler")
    assert native.library(source) == built


def test_another_source_is_another_library(source):
    before = native.library(source)
    source.write_text(SOURCE.replace("42", "43"))
    assert native.library(source) != before
    assert native.load(source).answer() == 43


def test_a_broken_library_is_never_loaded(source, without_compiler, monkeypatch):
    with monkeypatch.context() as with_compiler:
        with_compiler.setenv("PATH", os.defpath)
        built = native.library(source)
    whole = built.read_bytes()
    built.write_bytes(whole[:5000])  # as by a full disk; loading it would end the process
    with pytest.raises(native.Unavailable, match="no C compiler"):
        native.load(source)
    monkeypatch.setenv("PATH", os.defpath)
    assert native.load(source).answer() == 42
    assert built.read_bytes()[:4] == b"\x7fELF" and built.stat().st_size == len(whole)


def test_without_a_compiler_there_is_a_reason(source, without_compiler):
    with pytest.raises(native.Unavailable, match="there is no C compiler, such as gcc"):
        native.load(source)


def test_a_compiler_that_fails_says_why(source):
    source.write_text("no C at all\n")
    with pytest.raises(native.Unavailable, match="failed: "):
        native.load(source)


def test_a_home_that_cannot_be_written_is_a_reason(source, tmp_path, monkeypatch):
    """As a file in the place of a folder, which stops root as well."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(native.Unavailable, match="cannot be kept"):
        native.load(source)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self")
    with pytest.raises(native.Unavailable, match="cannot be kept"):
        native.load(source)


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_folder_that_others_can_write_is_a_reason(source, tmp_path, mode):
    native.load(source)
    (tmp_path / "cache" / "iwae-course").chmod(mode)
    with pytest.raises(native.Unavailable, match="where only you can write"):
        native.load(source)


def test_a_link_to_another_folder_is_a_reason(source, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "cache" / "iwae-course").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(native.Unavailable, match="where only you can write"):
        native.load(source)


def test_other_systems_have_none(source, monkeypatch):
    for system in ("win32", "darwin"):
        monkeypatch.setattr(sys, "platform", system)
        with pytest.raises(native.Unavailable, match="on Linux only"):
            native.load(source)


def test_where_libraries_are_given_none_is_built(source, tmp_path, monkeypatch):
    monkeypatch.setenv(native.BUILT, str(tmp_path))
    with pytest.raises(native.Unavailable, match="holds no library"):
        native.load(source)
    monkeypatch.delenv(native.BUILT)
    built = native.library(source)
    monkeypatch.setenv(native.BUILT, str(built.parent))
    assert native.library(source) == built


def test_two_can_build_at_once(source, tmp_path):
    def build(_):
        command = [sys.executable, "-c", BUILD, source]
        return subprocess.run(command, cwd=ROOT / "base_code", capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(build, range(4)))
    assert len(paths) == 1
    assert ctypes.CDLL(paths.pop().strip()).answer() == 42
    assert len(list((tmp_path / "cache" / "iwae-course").iterdir())) == 1
