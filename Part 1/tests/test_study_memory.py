"""Tests of study_memory.py and maps.py: a clock is told from a memory that stands."""

import argparse
import cmath
import itertools
import math

import pytest
import torch

import study_memory
from figures import memory_figure
from rows import save_csv


class Clock(torch.nn.Module):
    """Keeps a first digit as one of ten directions, and turns it with each further digit.

    Digits 0 to 4 are kept in a plane, 5 to 9 in the same or, if `apart`, in a second one.
    """

    def __init__(self, angle, low_angle=None, length=1.0):
        super().__init__()
        planes, apart = [low_angle or angle, angle], low_angle is not None
        self.turn = torch.zeros(4, 4)
        for n, degrees in enumerate(planes):
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            both = slice(2 * n, 2 * n + 2)
            self.turn[both, both] = length * torch.tensor([[cos, sin], [-sin, cos]])
        hours = torch.arange(10) * 2 * math.pi / 10
        self.digits = torch.zeros(10, 4)
        self.digits[:, 2:] = torch.stack([hours.cos(), hours.sin()], dim=1)
        if apart:
            self.digits[:5] = self.digits[:5].roll(2, dims=1)
        self.Wph = self.digits @ torch.linalg.matrix_power(self.turn / length, 18)  # right at 20
        self.bp = torch.zeros(10)

    def forward(self, x, state=None):
        """Return logits and state."""
        state = x[:, -1] @ self.digits if state is None else state @ self.turn
        return state @ self.Wph.T, state


@pytest.fixture
def rows_of(monkeypatch):
    """Return a function that returns the rows of a network, as if it had been trained."""

    def rows_of(model, name="rnn_20", seed=300):
        monkeypatch.setattr(study_memory, "train_network", lambda *job: model)
        args = argparse.Namespace(device=torch.device("cpu"))
        return study_memory.measure((name, seed, args))

    return rows_of


def network_of(rows):
    (network,) = study_memory.networks(rows)
    return network


def shares(network, what):
    return {T: network.values[what, "5 to 9", T] for T in study_memory.SHOWN}


def test_a_clock_is_right_again_when_it_is_turned_back_by_as_many_digits(rows_of):
    clock = network_of(rows_of(Clock(108)))
    assert shares(clock, "own") == {T: float(T % 10 == 0) for T in range(10, 61)}
    assert set(shares(clock, "undone").values()) == {1.0}
    assert clock.values["one too many", "5 to 9", 21] == 0
    assert clock.right == 1
    assert (clock.memory, clock.knows) == ("turns", "all ten")
    assert clock.angles == pytest.approx([108], abs=1e-3)
    places = [key[1:] for key in clock.values if key[0] == "x"]
    (digit,) = {digit for digit, T in places if T > 20}
    hands = [complex(*(clock.values[axis, digit, T] for axis in "xy")) for T in (20, 21, 22, 23)]
    for before, after in itertools.pairwise(hands):
        assert math.degrees(cmath.phase(after / before)) == pytest.approx(108, abs=0.1)
    still = network_of(rows_of(Clock(0)))
    assert (still.memory, set(shares(still, "own").values())) == ("stands", {1.0})


def test_only_what_lasts_is_a_clock(rows_of):
    assert network_of(rows_of(Clock(108, length=0.983))).memory == "turns"
    assert network_of(rows_of(Clock(108, length=0.979))).angles == []


def test_the_maps_have_not_seen_the_digits_that_are_asked(rows_of):
    apart = network_of(rows_of(Clock(108, low_angle=36)))  # who saw 0 to 4 knows nothing of 108
    assert apart.values["undone", "5 to 9", 21] < 0.5
    still = network_of(rows_of(Clock(108, low_angle=360)))  # 0 to 4 are always right
    assert (still.values["own", "5 to 9", 21], still.values["own", "5 to 9", 20]) == (0, 1)


def test_figure_and_tables_show_the_first_network_that_knows_all_ten_digits(rows_of):
    blind = Clock(108)
    blind.Wph = torch.zeros(10, 4)
    rows = rows_of(Clock(36), seed=302) + rows_of(blind) + rows_of(Clock(108), seed=301)
    rows += rows_of(Clock(0), "lstm_20")
    (_, first), (_, lstm) = study_memory.drawn(rows)
    assert (first.seed, lstm.name) == (301, "lstm_20")
    top, bottom = memory_figure([("RNN, T = 20", first), ("LSTM, T = 20", lstm)]).axes[1::2]
    lines = {line.get_label(): [*line.get_ydata()] for line in top.lines}
    assert lines["own"] == [100.0 * (T % 10 == 0) for T in range(10, 61)]
    assert lines["undone"] == [100.0] * 51
    assert [[*line.get_ydata()] for line in bottom.lines[:-1]] == [[100.0] * 51]  # no undone
    assert top.get_title(loc="left").endswith("T = 20: right at 10, 20, 30, 40, 50, 60")
    (title,) = memory_figure(study_memory.drawn(rows_of(blind))).axes[1::2]
    assert "no network knows all ten digits" in title.get_title(loc="left")

    cells = [[*row.values()] for row in study_memory.table(rows)]
    turns = ["RNN, T = 20", "all ten", "turns", 2]
    assert cells[:2] == [
        [*turns, "own", 100, 0, 100, 0, 100, 100, 0, 2, "", ""],
        [*turns, "undone", *[100] * 6, 2, 0, 0, ""],
    ]
    assert cells[2][:5] == ["RNN, T = 20", "fewer", "turns", 1, "own"]
    assert cells[-1][1:5] == ["all ten", "stands", 1, "own"]


def test_who_turns_by_whole_hours_is_counted(rows_of):
    def hours(angle, name, **other):
        own, *_ = study_memory.table(rows_of(Clock(angle, **other), name))
        return own["by whole hours"]

    assert [hours(angle, "rnn_tens") for angle in (108, 108.7, 108.8, 0)] == [1, 1, 0, ""]
    assert [hours(angle, "rnn_fifteens") for angle in (96, 108, 180)] == [1, 0, 0]
    assert hours(108, "rnn_20") == ""
    assert hours(100, "rnn_tens", low_angle=36) == 0, "one of two angles is no whole hour"
    assert study_memory.TRAININGS["rnn_all"].hour == 360


def trained(monkeypatch, name, seed=3, **changes):
    """Return the network of a training that is short but for its changes."""
    short = study_memory.TRAININGS[name]._replace(**{"steps": 3, "size": 300} | changes)
    monkeypatch.setitem(study_memory.TRAININGS, name, short)
    return study_memory.train_network(name, seed, "cpu")


def test_each_setting_of_a_training_arrives(monkeypatch):
    base = trained(monkeypatch, "rnn_20").Whh.detach()
    for change in (
        {"seed": 4},
        {"steps": 4},
        {"size": 200},
        {"lengths": (10,)},
        {"rate": 0.002},
        {"decay": True},
        {"max_norm": 0.1},
        {"start": "identity"},
    ):
        monkeypatch.undo()
        assert not torch.equal(base, trained(monkeypatch, "rnn_20", **change).Whh), change
    assert torch.equal(trained(monkeypatch, "identity", steps=0).Whh, torch.eye(128))
    assert trained(monkeypatch, "lstm_proof", steps=0).b[256:384].eq(1).all()
    assert trained(monkeypatch, "lstm_20", steps=0).b[256:384].max() > 3


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("rnn_20,", "rnn_21,", "training"),
        (",300,", ",-1,", "seed"),
        (",20,own,all,1.0", ",20,own,all,nan", "value"),
        ("what", "which", "what"),
    ],
)
def test_damaged_rows_are_refused(old, new, column, rows_of, refuse, tmp_path):
    path, rows = tmp_path / "rows.csv", rows_of(Clock(108))
    save_csv(path, rows)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    refuse(study_memory.main, "--rows", path, words=[path, column])
