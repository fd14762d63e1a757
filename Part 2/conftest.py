"""What the tests of Part 2 share."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoint import load
from classifier import Classifier
from gan import Generator

HERE = Path(__file__).parent


def script(name, *arguments, cwd):
    """Run a script as a user does, from another folder; return the finished process."""
    command = [sys.executable, HERE / name, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def assert_refused(process, *words):
    """Check that bad input ended in code 2 and one line that holds the words."""
    assert process.returncode == 2, process.stderr
    assert process.stderr.count("\n") == 1, f"one line expected, got:\n{process.stderr}"
    for word in words:
        assert word in process.stderr


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
