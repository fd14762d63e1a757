"""What the tests share."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: the tests run on the CPU

import runpy
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture
def call(monkeypatch):
    """Return a function that runs a module of this part with flags: `sample` or `studies.map`."""

    def call(name, *flags):
        monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
        monkeypatch.delitem(sys.modules, name, raising=False)  # runpy warns of a second copy
        return runpy.run_module(name, run_name="__main__")

    return call
