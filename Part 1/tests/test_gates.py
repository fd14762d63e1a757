"""Tests of studies/gates.py: streams, constant gates, what is trained and what is asked."""

import itertools

import pytest
import torch

from dataset import PalindromeDataset
from networks import make_network
from studies.gates import BAR, PALINDROMES, STREAMS, Streams, measure, train_lstm
from train import accuracy, train

TINY = {"T": 6, "size": 300, "portion_train": 0.7, "one_hot": False, "hidden_dim": 16, "bf": 2.0}
TINY |= {"steps": 3, "rate": 0.02, "decay": False, "batch_size": 7, "max_norm": 0.1}
TINY |= {"long": 9, "asked": 50, "asked_seed": 3}


def test_streams_have_bars_where_they_may_and_ask_for_the_first_digit_after_the_last():
    streams = Streams(20, 3000, 5)
    for symbols, target in zip(streams.symbols.tolist(), streams.targets.tolist(), strict=True):
        bars = [n for n, symbol in enumerate(symbols) if symbol == BAR]
        assert bars[0] == 0
        assert all(b - a > 1 for a, b in itertools.pairwise([*bars, 20]))
        assert target == symbols[bars[-1] + 1]
    assert 0.08 < (streams.symbols[:, 2:-1] == BAR).double().mean() < 0.1
    inputs, targets = streams[:2]
    assert torch.equal(inputs.argmax(dim=2), streams.symbols[:2])
    assert torch.equal(targets, streams.targets[:2])


@pytest.mark.parametrize("base", [PALINDROMES, STREAMS], ids=["palindromes", "streams"])
def test_a_row_is_of_the_lstm_that_its_settings_and_its_seed_say(base):
    data, unseen = PalindromeDataset(5, 300, False, 7).split(0.7)
    long = PalindromeDataset(8, 50, False, 3)
    if base is STREAMS:
        data, unseen, long = Streams(6, 300, 7), Streams(6, 50, 3), Streams(9, 50, 3)
    plain = make_network("lstm", 7, 11 if base is STREAMS else 1, 16, bf=2.0)
    train(plain, [data], 3, 0.02, decay=False, batch_size=7, max_norm=0.1, seed=7)
    model, asked = train_lstm(base | TINY, 7)
    torch.testing.assert_close(model.state_dict(), plain.state_dict())
    torch.testing.assert_close(asked[:], unseen[:])
    shares = {6: accuracy(model, unseen), 9: accuracy(model, long)}
    rows = [{"length": length, "share": share} for length, share in shares.items()]
    assert measure(base | TINY, 7) == rows


@pytest.mark.parametrize("constant", ["", "i", "f", "o", "ifo"])
def test_a_constant_gate_stays_where_it_started_and_the_rest_learns(constant):
    model, _ = train_lstm(STREAMS | TINY | {"constant": constant}, 7)
    fresh = make_network("lstm", 7, 11, 16, bf=2.0)
    gates = zip("gifo", model.W.chunk(4), model.b.chunk(4), fresh.b.chunk(4), strict=True)
    for gate, W, b, start in gates:
        assert W.any() == (gate not in constant), gate
        assert b.ne(start).all() == b.ne(start).any() == (gate not in constant), gate


def test_an_lstm_with_constant_gates_learns_five_digits():
    five = PALINDROMES | {"T": 5, "long": 5, "steps": 100, "constant": "ifo"}
    assert measure(five, 0) == 2 * [{"length": 5, "share": 1.0}]
