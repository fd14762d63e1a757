"""Tests of memory.py: the network that it saves, and what its figures show."""

import sys

import memory
import pytest
import torch
from common import run
from dataset import encode
from lstm import LSTM
from prove import read_network


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Run memory.py with tiny settings from an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)

    def call(*flags):
        tiny = "memory.py --direct_lengths --max_length 6 --train_steps 3 --lengths 5 --out_dir out"
        monkeypatch.setattr(sys, "argv", [*tiny.split(), *flags])
        try:
            run(memory.main)
        except SystemExit as end:
            return end.code
        return 0

    return call


def test_the_seed_decides_every_bit_of_the_saved_network_which_is_that_of_the_first_run(
    call, tmp_path, capsys
):
    assert call("--save", "one/a.pth", "--seeds", "2") == 0
    assert "T=5: worst of 2 seeds" in capsys.readouterr().out
    assert call("--save", "one/b.pth") == 0
    files = [(tmp_path / "one" / name).read_bytes() for name in ("a.pth", "b.pth")]
    assert files[0] == files[1]
    assert len(files[0]) < 400_000
    assert isinstance(read_network(tmp_path / "one" / "a.pth"), LSTM)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"memory.png", "states.png"}


def test_direct_training_runs_with_each_seed(call, capsys):
    flags = {"--direct_lengths": 5, "--direct_steps": 1, "--direct_seeds": 2, "--seed": 3}
    assert call(*(str(part) for flag in flags.items() for part in flag)) == 0
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    expected = [["5", name, seed] for name in ("rnn", "lstm") for seed in "34"]
    assert [row for row in rows if row[:1] == ["5"] and row[1] != "short"] == expected


def test_wrong_flags_end_in_code_2(call, capsys, tmp_path):
    (tmp_path / "file").write_text("mine")
    for flags in ("--save", "."), ("--save", "file/x.pth"), ("--direct_seeds", "0"):
        assert call(*flags) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("memory.py: error: ")
        assert flags[0] in line or "file" in line
    assert (tmp_path / "file").read_text() == "mine"


def test_the_states_are_those_after_as_many_digits():
    torch.manual_seed(0)
    model = LSTM(10, 6, 10)
    h, first = memory.states(memory.fast(model), seed=5, moments=(1, 3, 50))
    digits = memory.palindromes(51, 500, seed=5).digits
    assert torch.equal(first, digits[:, 0].long())
    for n in 1, 3, 50:
        with torch.no_grad():
            _, (expected, _) = model(encode(digits[:, :n], one_hot=True))
        torch.testing.assert_close(h[n], expected, rtol=0, atol=1e-6)


def test_the_distances_are_between_and_within_the_first_digits():
    first = torch.arange(10).repeat(2)
    centre = torch.tensor([3.0, -3.0]).repeat(10).unsqueeze(1)
    h = torch.cat([centre, torch.zeros(20, 1)], dim=1)
    h[:10, 1], h[10:, 1] = 0.5, -0.5
    assert memory.distances(h, first) == pytest.approx((3, 0.5))
