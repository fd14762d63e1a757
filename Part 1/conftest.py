"""What the tests of both parts share; each part holds this same file."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: the tests run on the CPU

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import common

HERE = Path(__file__).resolve().parent


def pytest_configure():
    """Refuse to test both parts in one process, where their scripts' names would collide."""
    if common.HERE.resolve() != HERE:  # it was imported by the other part's conftest.py
        pytest.exit('one part at a time: pytest "Part 1" && pytest "Part 2"', returncode=2)


@pytest.fixture(autouse=True)
def same_threads():
    """Undo what `each` does to this process: it computes with one thread from then on."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def script(tmp_path):
    """Return a function that runs a script as a user does, from another folder."""

    def script(name, *flags):
        command = [sys.executable, HERE / name, *map(str, flags)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    return script


@pytest.fixture
def call(monkeypatch):
    """Return a function that calls a script's main in this process, with flags: faster."""

    def call(main, *flags):
        monkeypatch.setattr(sys, "argv", ["script.py", *map(str, flags)])
        common.run(main)

    return call


@pytest.fixture
def refuse(call, monkeypatch, capsys, tmp_path):
    """Return a function that checks that a script refuses its flags and changes no file.

    The exit code must be 2, after one line (below argparse's usage, if any) with all words in it.
    """
    monkeypatch.chdir(tmp_path)

    def files():
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    def refuse(main, *flags, words, out_dir=("--out_dir", "out")):
        before = files()
        with pytest.raises(SystemExit) as stop:
            call(main, *out_dir, *flags)
        *usage, line = capsys.readouterr().err.splitlines()
        assert stop.value.code == 2, line
        assert all(row.startswith(("usage: ", " ")) for row in usage), usage
        assert line.startswith("script.py: error: "), line
        assert all(str(word) in line for word in words), line
        assert files() == before

    return refuse
