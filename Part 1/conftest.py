"""What the tests share."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: the tests run on the CPU

import runpy
import sys
from pathlib import Path

import pytest
import torch
from matplotlib.colors import to_hex

import common
from dataset import PalindromeDataset
from networks import make_network
from train import parse_args, settings_of, train

if Path(__file__).resolve().parent != common.HERE:  # both parts have modules of this name
    pytest.exit('test one part at a time: pytest "Part 1"', 4)
torch.set_num_threads(1)  # as many as a job has
TINY = {"num_hidden": 16, "data_size": 900, "portion_train": 0.7, "train_steps": 20}
TINY |= {"batch_size": 7, "learning_rate": 0.02, "decay": False, "warmup": 1, "max_norm": 0.5}


@pytest.fixture
def call(monkeypatch):
    """Return a function that runs a module of this part with flags: `train` or `studies.memory`."""

    def call(name, *flags):
        monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
        monkeypatch.delitem(sys.modules, name, raising=False)  # runpy warns of a second copy
        return runpy.run_module(name, run_name="__main__")

    return call


def settings_for(name, flags=""):
    """Return the settings of a network with these flags of train.py."""
    return settings_of(parse_args(flags.split()), name)


def trained_by_hand(name, lengths, seed, **changed):
    """Return a network of TINY settings, trained as a study has to do, and unseen palindromes."""
    settings = settings_for(name) | TINY | changed
    splits = [PalindromeDataset(T - 1, 900, True, seed).split(0.7) for T in lengths]
    model = make_network(settings, seed)
    train_sets = [train_set for train_set, _ in splits]
    return train(settings, model, train_sets, seed), splits[-1][1]


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
