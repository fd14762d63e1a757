"""Tests of studies/settings.py, lengths.py and gates.py: what is trained, what tables say."""

import itertools

import pytest
import torch

from common import read_csv
from conftest import TINY, trained_by_hand
from networks import make_network
from studies import gates, lengths, settings
from studies.runner import RESULTS
from train import evaluate, train

TINY_LENGTHS = lengths.settings_for("RNN, orthogonal", 6, [0.01, 0.02]) | TINY
PALINDROMES = gates.EXPERIMENTS["palindromes"][0] | TINY | {"T": 6, "bf": 2.0}
STREAMS = gates.EXPERIMENTS["streams"][0] | TINY | {"T": 6, "bf": 2.0, "asked": 50}


@pytest.mark.parametrize(
    ("measure", "tiny", "name", "changed"),
    [
        (settings.measure, settings.EXPERIMENTS["lstm"][0] | {"input_length": [3, 5]}, "lstm", {}),
        (lengths.measure, TINY_LENGTHS, "rnn", {"rnn_init": "orthogonal"}),
        (gates.measure, PALINDROMES, "lstm", {"bf": 2.0}),
    ],
)
def test_the_last_row_is_of_the_network_that_settings_and_seed_say(measure, tiny, name, changed):
    by_hand, unseen = trained_by_hand(name, [6], 7, **changed)
    row = measure(tiny | TINY, 7)[-1]
    assert row["accuracy"] == evaluate(by_hand, unseen)["accuracy"]


def test_the_chosen_rates_are_those_of_the_table():
    for row in read_csv(RESULTS / "lengths_rates.csv"):
        assert float(row["chosen"]) == lengths.CHOSEN[row["network"]][int(row["T"])]


def test_streams_have_bars_where_they_may_and_ask_for_the_first_digit_after_the_last():
    inputs, targets = gates.streams(20, 3000, 5)[:]
    assert torch.equal(inputs.sum(dim=2), torch.ones(3000, 20))
    for symbols, target in zip(inputs.argmax(dim=2).tolist(), targets.tolist(), strict=True):
        bars = [n for n, symbol in enumerate(symbols) if symbol == gates.BAR]
        assert bars[0] == 0
        assert all(b - a > 1 for a, b in itertools.pairwise([*bars, 20]))
        assert target == symbols[bars[-1] + 1]
    assert 0.08 < inputs[:, 2:-1, gates.BAR].mean() < 0.1


@pytest.mark.parametrize(("frozen", "blind"), [("", ""), ("ifo", ""), ("", "g"), ("f", "go")])
def test_frozen_gates_and_blind_lines_stay_so_and_unseen_streams_are_asked(frozen, blind):
    model, unseen = gates.train_lstm(STREAMS | {"frozen": frozen, "blind": blind}, 7)
    torch.testing.assert_close(unseen[:], gates.streams(6, 50, STREAMS["asked_seed"])[:])
    for letter, W, b in zip("gifo", model.W.chunk(4), model.b.chunk(4), strict=True):
        assert W[:, :11].any() == b.ne(2 if letter == "f" else 0).any() == (letter not in frozen)
        assert W[:, 11:].any() == (letter not in frozen + blind)
    if not frozen + blind:
        by_hand = make_network(STREAMS | {"input_dim": 11}, 7)
        train(STREAMS, by_hand, [gates.streams(6, 900, 7)], 7)
        torch.testing.assert_close(model.state_dict(), by_hand.state_dict())
