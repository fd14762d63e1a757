"""Tests of memory.py: a clock is told from a memory that stands; each training is the one named."""

import argparse
import csv
import math

import torch

import memory
from conftest import HERE
from dataset import PalindromeDataset
from networks import load_network, make_network

ANGLE = 108  # ten hours, three of them with each digit


class Clock(torch.nn.Module):
    """Keeps the first digit as one of ten directions in a plane and turns it with each digit."""

    def __init__(self, angle):
        super().__init__()
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        self.turn = torch.tensor([[cos, sin], [-sin, cos]])
        hours = torch.arange(10) * 2 * math.pi / 10
        self.digits = torch.stack([hours.cos(), hours.sin()], dim=1)
        self.Wph = self.digits @ torch.linalg.matrix_power(self.turn, 18)  # right after 19 digits
        self.bp = torch.zeros(10)

    def forward(self, x, state=None):
        """Return logits and state."""
        state = x[:, -1] @ self.digits if state is None else state @ self.turn
        return state @ self.Wph.T, state


def test_a_clock_is_right_again_when_it_is_turned_back_and_only_then(monkeypatch):
    digits = torch.randint(10, (2000, 100), generator=torch.Generator().manual_seed(0))
    clock, fitted, fit_maps = Clock(ANGLE), [], memory.fit_maps

    def spy(h):
        fitted.append((h[0, :, :2].float() @ clock.digits.T).argmax(dim=1))  # the first digits
        return fit_maps(h)

    def right(model, h, first):
        asked.append(set(first.tolist()))
        return share_right(model, h, first)

    asked, share_right = [], memory.right
    monkeypatch.setattr(memory, "fit_maps", spy)
    monkeypatch.setattr(memory, "right", right)
    view = memory.look(clock, digits)
    first = digits[: memory.N_FIT, 0]
    assert [each.tolist() for each in fitted] == [first.tolist(), first[first < 5].tolist()]
    strict = 2 * len(memory.IN_TABLE) + 1  # the control
    assert asked == [set(range(10))] * 2 * len(memory.SHOWN) + [set(range(5, 10))] * strict
    assert [T for T, share in view["own"].items() if share > 0.5] == [10, 20, 30, 40, 50, 60]
    assert {*view["undone"].values(), *view["strict undone"].values()} == {1.0}
    assert view["strict own"] == {10: 1, 19: 0, 20: 1, 21: 0, 40: 1, 60: 1}
    assert view["one too many"] == 0
    assert (view["states"], memory.angles_of(view["map"])) == (10, [ANGLE])
    row = memory.seed_row("rnn_20", 300, view)
    assert (row["memory"], row["own 21"], row["undone 21"]) == ("turns", 0, 100)
    still = memory.seed_row("rnn_20", 301, memory.look(Clock(0), digits))
    assert (still["memory"], still["angles"], still["own 21"]) == ("stands", "0", 100)
    own, *rest = memory.table_rows("rnn_20", [row, still, row | {"own 19": 30.0, "undone 60": 40}])
    assert [*own.values()][1:] == ["1: stands", "own", *[100] * 6, 0, ""]
    assert [[*each.values()][1:] for each in rest] == [
        ["2: turns", "own", 100, 15, 100, 0, 100, 100, 100, ""],
        ["2: turns", "undone", *[100] * 5, 70, 60, 0],
    ]


def test_each_training_is_the_one_that_its_row_names(monkeypatch, tmp_path):
    calls = []

    def spy(model, train_sets, steps, rate, *, decay, max_norm, seed):
        calls.append((model.state_dict(), train_sets, steps, rate, decay, max_norm, seed))
        return model

    monkeypatch.setattr(memory, "train", spy)
    args = argparse.Namespace(out_dir=tmp_path, device="cpu")
    for name, training in memory.TRAININGS.items():
        memory.trained(name, 3, args)
        weights, train_sets, *settings = calls[-1]
        assert settings == [training.steps, training.rate, training.decay, training.max_norm, 3]
        assert [each.digits.shape[1] for each in train_sets] == [*training.lengths]
        T = training.lengths[-1]
        whole = PalindromeDataset(T - 1, training.size, one_hot=True, seed=3)
        assert torch.equal(train_sets[-1].digits, whole.digits[: int(0.8 * training.size)])
        starts = {"max_lag": training.max_lag, "start": training.start}
        fresh = make_network(training.network, 3, "cpu", **starts).state_dict()
        assert all(torch.equal(fresh[key], weights[key]) for key in fresh)


def test_each_seed_has_its_row_and_nothing_is_trained_twice(call, refuse, tmp_path, monkeypatch):
    def shorten(steps):
        few = {name: each._replace(steps=steps) for name, each in memory.TRAININGS.items()}
        monkeypatch.setattr(memory, "TRAININGS", few)

    shorten(3)
    monkeypatch.setattr(memory, "N_FIT", 200)
    monkeypatch.setattr(memory, "N_TEST", 150)
    flags = "--trainings", "rnn_20", "lstm_20", "--seed", 5, "--seeds", 2, "--out_dir", tmp_path
    call(memory.main, *flags)
    rows = list(csv.DictReader((tmp_path / "memory_seeds.csv").read_text().splitlines()))
    names = [f"{row['training']}-seed{row['seed']}" for row in rows]
    assert names == ["rnn_20-seed5", "rnn_20-seed6", "lstm_20-seed5", "lstm_20-seed6"]
    digits = torch.randint(10, (350, 100), generator=torch.Generator().manual_seed(0))[200:]
    for name, row in zip(names, rows, strict=True):
        logits, _ = load_network(tmp_path / f"{name}.pth")(torch.eye(10)[digits[:, :19]])
        share = (logits.argmax(dim=1) == digits[:, 0]).double().mean().item()
        assert float(row["right"]) == round(100 * share, 1)
    assert (tmp_path / "memory.png").stat().st_size > 10_000

    monkeypatch.setattr(memory, "train", None)  # a training would crash
    call(memory.main, *flags)
    shorten(4)
    refuse(memory.main, *flags, words=["rnn_20-seed5.pth", "steps=4"])


def test_the_reports_say_of_the_clocks_what_the_seeds_show():
    reports = (HERE.parent / "README.md", HERE / "README.md")
    said = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in reports)
    names = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    names = (names + "fifteen sixteen seventeen eighteen nineteen twenty").split()
    seeds = {name: [] for name in memory.TRAININGS}
    for row in csv.DictReader((HERE / "results" / "memory_seeds.csv").read_text().splitlines()):
        shares = {key: float(row[key]) for key in row if key.split()[0] in ("own", "undone", "one")}
        seeds[row["training"]].append(row | shares)
    turning = {name: [row for row in seeds[name] if row["memory"] == "turns"] for name in seeds}
    clocks = turning["rnn_20"]

    assert all(abs(row[f"undone {T}"] - row["own 20"]) <= 2 for row in clocks for T in (19, 21, 40))
    still, own, undone = memory.table_rows("rnn_20", seeds["rnn_20"])
    before = f"{own['T = 19']}, {own['T = 21']} and {own['T = 40']} %"
    words = f"rise at T = 19, 21 and 40 from {before} to the {own['T = 20']} % that they have at 20"
    assert f"{words}, each within two points; undoing" in said
    assert f"undoing one digit too many leaves {undone['one too many']} %" in said
    assert f"The other four stand still, and know little: {still['T = 20']} %" in said
    halves = sum({*row["angles"].split()} <= {"0", "180"} for row in clocks)
    assert f"the {names[len(clocks)]} RNNs that turn ({names[halves]} only to and fro)" in said
    for name, hour, words in (
        ("rnn_tens", 36, "{0} of twenty RNNs turn, nine by half a turn, {1} by other multiples of"),
        ("rnn_tens", 36, "{1} of the {0} RNNs of T = 10, 20, 30, 40"),
        ("rnn_twelves", 30, "{1} of the {0} of T = 12, 24, 36"),
    ):
        angles = [{int(angle) for angle in row["angles"].split()} for row in turning[name]]
        assert all(angle % hour == 0 for each in angles for angle in each)
        others = names[sum(not each <= {0, 180} for each in angles)]
        assert words.format(names[len(angles)], others) in said
    assert f"{names[20 - len(turning['rnn_all'])]} of twenty RNNs stand" in said
    assert max(float(row["right"]) for row in clocks if row["states"] in [*"23456"]) < 50
    states = [int(row["states"].split()[0]) for row in clocks if float(row["right"]) > 99]
    assert f"the {names[len(states)]} that know all ten have {min(states)} states or more" in said
