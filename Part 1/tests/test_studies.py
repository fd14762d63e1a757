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
        (settings.measure, settings.EXPERIMENTS["rnn"][0] | {"input_length": [3, 5]}, "rnn", {}),
        (lengths.measure, TINY_LENGTHS, "rnn", {"rnn_init": "orthogonal"}),
        (gates.measure, PALINDROMES, "lstm", {"bf": 2.0}),
    ],
)
def test_the_last_row_is_of_the_network_that_settings_and_seed_say(measure, tiny, name, changed):
    by_hand, unseen = trained_by_hand(name, [6], 7, **changed)
    row = measure(tiny | TINY, 7)[-1]
    assert row["accuracy"] == evaluate(by_hand, unseen)["accuracy"]


def test_the_chosen_rate_is_the_middle_one_of_the_best():
    shares = {0.1: [0.9, 0.998], 0.2: [0.9, 0.9992], 0.3: [0.9, 1.0], 0.4: [0.8999, 1.0]}
    for rates, chosen in ((0.1, 0.2, 0.3, 0.4), 0.3), ((0.1, 0.2, 0.3), 0.2), ((0.1,), 0.1):
        rows = [{"rate": rate, "accuracy": share} for rate in rates for share in shares[rate]]
        assert lengths.best_rate(rows) == chosen, rates
    for row in read_csv(RESULTS / "lengths_rates.csv"):
        assert float(row["chosen"]) == lengths.CHOSEN[row["network"]][int(row["T"])]


def test_the_table_of_settings_is_of_the_last_step_and_of_the_last_fifth():
    rows = []
    for seed, *curve in (300, 0.2, 1.0, 0.3, 0.999), (301, 0.1, 0.999, 0.9, 0.4):
        for step, share in zip((0, 70, 80, 100), curve, strict=True):
            row = {"experiment": "rnn, 0.0006", "seed": seed, "T": 20, "network": "rnn"}
            rows.append(row | {"step": step, "accuracy": share})
    (line,) = settings.accuracy_table(rows)
    assert [*line.values()][:3] == [20, "RNN", "--learning_rate 0.0006"]
    assert [*line.values()][3:] == ["40.00", "69.95", "69.95", "1 of 2", "30.0"]


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
