"""What the tests share."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: the tests run on the CPU
os.environ["OMP_NUM_THREADS"] = "1"  # the same bits in this process and in those that it starts

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

HERE = Path(__file__).resolve().parent
PICS = HERE.parent / "pics"


@pytest.fixture
def call(monkeypatch):
    """Return a function that runs a module of this part with flags: `sample`, `studies.runner`."""

    def call(name, *flags):
        monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
        monkeypatch.delitem(sys.modules, name, raising=False)  # runpy warns of a second copy
        return runpy.run_module(name, run_name="__main__")

    return call


@pytest.fixture
def figures(monkeypatch):
    """Return {file name: Figure}, which scripts fill; each must look like the committed one."""
    figures, save = {}, Figure.savefig

    def keep(figure, path):
        figures[path.name] = figure
        save(figure, path)
        now, committed = (np.array(Image.open(at), float) for at in (path, PICS / path.name))
        assert now.shape == committed.shape
        assert np.abs(now - committed).mean() < 4, "grey levels: the committed figure is another"

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def drawn(axes):
    """Return {label: (colour "#0072B2", xs, ys)} of the lines in matplotlib's axes.

    Points outside the limits of the axes would not be seen: they fail.
    """
    axes.get_xlim()  # sets the limits of both axes, if they are automatic
    found = {}
    for line in axes.lines:
        points = line.get_transform().transform(line.get_xydata())
        places = axes.transAxes.inverted().transform(points)  # 0 to 1 inside
        label = line.get_label()
        assert ((places > -1e-6) & (places < 1 + 1e-6)).all(), f"{label}: points are not in view"
        assert label not in found, f"two lines are {label}"
        found[label] = to_hex(line.get_color()).upper(), *line.get_xydata().T.tolist()
    return found


def frames(axes):
    """Return the first pixels (column, row) of the images that matplotlib's axes show framed."""
    return [tuple(map(round, patch.get_xy())) for patch in axes.patches]
