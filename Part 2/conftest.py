"""What the tests of Part 2 share."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from classifier import Classifier
from common import load
from gan import Generator

HERE = Path(__file__).parent


def script(name, *arguments, cwd):
    """Run a script as a user does, from another folder; return the finished process."""
    command = [sys.executable, HERE / name, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def assert_refused(process, *words):
    """Check that bad input ended in code 2 and one line, below the usage, that holds the words."""
    assert process.returncode == 2, process.stderr
    assert_one_line(process.stderr, *words)


def assert_one_line(error, *words):
    """Check that the error is argparse's usage, if any, and one line that holds the words."""
    *usage, line = error.splitlines()
    assert not usage or usage[0].startswith("usage: "), f"one line expected, got:\n{error}"
    assert all(row.startswith(" ") for row in usage[1:]), f"one line expected, got:\n{error}"
    assert ": error: " in line
    for word in words:
        assert word in line


@pytest.fixture
def offline(monkeypatch):
    """Let every attempt to open a connection fail at once."""

    def refuse(*_):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def committed():
    """Return the generator and the classifier that the repository holds."""
    generator = load(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    return generator, load(HERE / "mnist_classifier.pth", "cpu", Classifier.from_state_dict)
