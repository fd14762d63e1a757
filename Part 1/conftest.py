"""What the tests share."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: the tests run on the CPU

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

HERE = Path(__file__).resolve().parent
torch.set_num_threads(1)  # as many as a job has


@pytest.fixture
def call(monkeypatch):
    """Return a function that runs a module of this part with flags: `train` or `studies.memory`."""

    def call(name, *flags):
        monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
        monkeypatch.delitem(sys.modules, name, raising=False)  # runpy warns of a second copy
        return runpy.run_module(name, run_name="__main__")

    return call


def drawn(axes):
    """Return {label: (colour "#0072B2", xs, ys)} of the lines and dots in matplotlib's axes.

    Points outside the limits of the axes would not be seen: they fail.
    """
    axes.get_xlim()  # sets the limits of both axes, if they are automatic
    found = {}
    for line in axes.lines:
        only_markers = line.get_linestyle() == "None"
        colour = line.get_markeredgecolor() if only_markers else line.get_color()
        assert line.get_label() not in found, f"two lines are {line.get_label()}"
        found[line.get_label()] = colour, line.get_xydata(), line.get_transform()
    for dots in axes.collections:
        if isinstance(dots, PathCollection):  # a scatter
            points = np.array(dots.get_offsets())
            found[dots.get_label()] = dots.get_facecolor()[0], points, axes.transData
    for label, (colour, points, transform) in found.items():
        places = axes.transAxes.inverted().transform(transform.transform(points))  # 0 to 1 inside
        assert ((places > -1e-6) & (places < 1 + 1e-6)).all(), f"{label}: points are not in view"
        found[label] = to_hex(colour).upper(), *points.T.tolist()
    return found
