"""What the tests share."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: the tests run on the CPU
os.environ["OMP_NUM_THREADS"] = "1"  # the same bits in this process and in those that it starts

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

import common

HERE = Path(__file__).resolve().parent
PICS = HERE.parent / "pics"

if common.HERE != HERE:  # both parts have modules of this name
    pytest.exit('test one part at a time: pytest "Part 1"', 4)


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
        assert np.abs(now - committed).mean() < 4, "grey levels: the committed figure is another"

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def drawn(axes):
    """Return {label: (colour "#0072B2", xs, ys)} of the lines in matplotlib's axes, all in view."""
    axes.get_xlim()  # sets the limits of both axes, if they are automatic
    found = {}
    for line in axes.lines:
        points = line.get_xydata()
        places = axes.transAxes.inverted().transform(line.get_transform().transform(points))
        assert ((places > -1e-6) & (places < 1 + 1e-6)).all(), f"{line}: points are not in view"
        found[line.get_label()] = to_hex(line.get_color()).upper(), *points.T.tolist()
    assert len(found) == len(axes.lines), "two lines have the same label"
    return found


def frames(axes):
    """Return the first pixels (column, row) of the images that matplotlib's axes show framed."""
    return [tuple(map(round, patch.get_xy())) for patch in axes.patches]


def weights_of(network):
    """Return all weights of a network in one vector."""
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def lines_of(study):
    """Return the committed lines of a study, read without the runner."""
    text = (HERE / "studies" / "results" / f"{study}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def columns_of(study, experiment):
    """Return the columns of an experiment's seeds."""
    return [line["columns"] for line in lines_of(study) if line["experiment"] == experiment]
