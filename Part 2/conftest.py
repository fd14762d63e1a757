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
from PIL import Image

import common

HERE = Path(__file__).resolve().parent


@pytest.fixture
def call(monkeypatch):
    """Return a function that runs a module of this part with flags: `sample` or `studies.map`."""

    def call(name, *flags):
        monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
        monkeypatch.delitem(sys.modules, name, raising=False)  # runpy warns of a second copy
        return runpy.run_module(name, run_name="__main__")

    return call


@pytest.fixture
def figures(monkeypatch):
    """Return {file name: Figure}, which scripts fill; each must show the committed rows."""
    figures, save = {}, common.save_figure

    def keep(path, figure, rows):
        figures[path.name] = figure
        save(path, figure, rows)
        now, shown = (Image.open(at / path.name) for at in (path.parent, HERE.parent / "pics"))
        assert now.text["Rows"] == shown.text["Rows"], "the committed figure shows other rows"

    monkeypatch.setattr(common, "save_figure", keep)
    return figures


def drawn(axes):
    """Return {label: (colour "#0072B2", xs, ys)} of the lines and bars in matplotlib's axes.

    Without a label, a line is "_child0" or alike, bars are "_container0". A bar's point is the
    middle of its top. Points and images outside the limits of the axes would not be seen: they
    fail.
    """
    axes.get_xlim()  # sets the limits of both axes, if they are automatic
    found = {}
    for line in axes.lines:
        only_markers = line.get_linestyle() == "None"
        colour = line.get_markeredgecolor() if only_markers else line.get_color()
        assert line.get_label() not in found, f"two lines are {line.get_label()}"
        found[line.get_label()] = colour, line.get_xydata(), line.get_transform()
    for bars in axes.containers:
        tops = [(bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height()) for bar in bars]
        found[bars.get_label()] = bars[0].get_facecolor(), np.array(tops), axes.transData
    for n, image in enumerate(axes.images):
        corners = np.reshape(image.get_extent(), (2, 2)).T
        found[f"image {n}"] = "black", corners, axes.transData
    for label, (colour, points, transform) in found.items():
        places = axes.transAxes.inverted().transform(transform.transform(points))  # 0 to 1 inside
        assert ((places > -1e-6) & (places < 1 + 1e-6)).all(), f"{label}: points are not in view"
        found[label] = to_hex(colour).upper(), *points.T.tolist()
    return found
