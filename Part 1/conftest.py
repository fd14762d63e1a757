"""Refuses a run of both parts' tests in one process, where their scripts' names would collide."""

import pytest


def pytest_sessionstart(session):
    """Say what to run instead; a bare `pytest` names both parts, see .pytest.ini."""
    if all(any(part in arg for arg in session.config.args) for part in ("Part 1", "Part 2")):
        pytest.exit('one part at a time: pytest "Part 1" && pytest "Part 2"', returncode=2)
