"""Tests of studies/settings.py, lengths.py and gates.py: what is trained, what tables say."""

import functools
import itertools

import pytest
import torch

from common import read_csv
from conftest import TINY, trained_by_hand
from networks import make_network
from studies import gates, lengths, settings
from studies.runner import RESULTS
from train import measure_accuracy, train

TINY_LENGTHS = lengths.settings_for("RNN, orthogonal, warm-up", 6, [0.01, 0.02]) | TINY
TINY_LENGTHS |= {"optimizer": "Adam", "frozen": ["Whh"], "max_norm": 99.0, "gradient_at": 10}
ADAM = functools.partial(torch.optim.Adam, betas=(0.0, 0.99))
FROZEN = {"rnn_init": "orthogonal", "max_norm": 99.0}
FROZEN["optimizer"] = lambda weights, lr: ADAM([w for w in weights if w.shape != (16, 16)], lr)
PALINDROMES = gates.EXPERIMENTS["palindromes"][0] | TINY | {"T": 6, "bf": 2.0}
STREAMS = gates.EXPERIMENTS["streams"][0] | TINY | {"T": 6, "bf": 2.0, "asked": 50}


def test_the_last_row_is_of_the_network_that_settings_and_seed_say():
    lstm = settings.EXPERIMENTS["lstm"][0] | TINY
    for measure, tiny, name, changed in (
        (settings.measure, lstm | {"input_length": [3, 5]}, "lstm", {}),
        (lengths.measure, TINY_LENGTHS, "rnn", FROZEN),
        (gates.measure, PALINDROMES, "lstm", {"bf": 2.0}),
    ):
        by_hand, unseen = trained_by_hand(name, [6], 7, **changed)
        assert measure(tiny, 7)[-1]["accuracy"] == measure_accuracy(by_hand, unseen)


def test_gradients_are_of_their_step_and_rates_are_chosen_by_the_rule():
    after_ten, unseen = trained_by_hand("rnn", [6], 7, **FROZEN, train_steps=10)
    row = lengths.measure(TINY_LENGTHS, 7)[-1]
    assert row.items() >= lengths.path_of(after_ten, unseen).items()
    _, h = after_ten(unseen[:256][0])
    assert row["slope"] == pytest.approx((1 - h * h).mean().item())
    rows = [row | {"experiment": "a", "gradient": share} for share in (0.5, 6.0, 0.01)]
    (line,) = lengths.summary_table(rows, ["gradient", "none"])
    assert [*line.values()][2:4] == ["0.5 (0.01 to 6)", ""]
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
    assert 0.22 < (inputs[:, 1].argmax(dim=1) == targets).double().mean() < 0.28, "a guess"


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
