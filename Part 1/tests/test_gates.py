"""Tests of studies/cells.py and gates.py: streams, constant gates, gates held still."""

import itertools

import pytest
import torch

from networks import make_network
from studies import gates
from studies.cells import BAR, TRAININGS, Streams, Training, train_lstm
from studies.gates import changes_of, gates_of, hold, read
from studies.runner import RESULTS, read_rows


def test_streams_have_bars_where_they_may_and_ask_for_the_first_digit_after_the_last():
    streams = Streams(20, 3000, 5)
    columns = streams.symbols.tolist(), streams.since_bar.tolist(), streams.targets.tolist()
    for symbols, since_bar, target in zip(*columns, strict=True):
        bars = [n for n, symbol in enumerate(symbols) if symbol == BAR]
        assert bars[0] == 0
        assert all(b - a > 1 for a, b in itertools.pairwise([*bars, 20]))
        assert target == symbols[bars[-1] + 1]
        assert since_bar == [n - max(bar for bar in bars if bar <= n) for n in range(20)]
    assert 0.08 < (streams.symbols[:, 2:-1] == BAR).double().mean() < 0.1
    assert not torch.equal(streams.symbols, Streams(20, 3000, 6).symbols)
    inputs, targets = streams[:2]
    assert torch.equal(inputs.argmax(dim=2), streams.symbols[:2])
    assert torch.equal(targets, streams.targets[:2])


@pytest.mark.parametrize("constant", ["", "i", "f", "o", "ifo"])
def test_a_constant_gate_stays_where_it_started_and_the_rest_learns(constant):
    training = Training("streams", constant, bf=1, steps=5, g_reads_h=constant != "ifo")
    model, _ = train_lstm(training, 7)
    for gate, values in gates_of(model, Streams(20, 50, 0)).items():
        start = torch.tensor(1.0 if gate == "f" else 0.0).sigmoid()
        moves = (values - start).abs().amax(dim=(0, 1)) > 1e-5
        assert moves.eq(gate not in constant).all(), gate
    assert (model.W[:128, :11] != make_network("lstm", 7, 11).W[:128, :11]).all()
    assert model.W[:128, 11:].any() == (constant != "ifo")


def wild_lstm():
    model = make_network("lstm", 3, 11, hidden_dim=16).requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def test_held_gates_have_their_values_and_the_rest_is_the_lstm():
    model, streams = wild_lstm(), Streams(20, 30, 0)
    x, _ = streams[:]
    torch.testing.assert_close(read(model, streams, hold({})), model(x)[0])
    for n, gate in enumerate("ifo", start=1):
        values, then = torch.rand(16), wild_lstm()
        then.W[16 * n : 16 * n + 16] = 0  # a network in which the gate is constant
        then.b[16 * n : 16 * n + 16] = values.logit()
        held = read(model, streams, hold({gate: values}))
        torch.testing.assert_close(held, then(x)[0], rtol=1e-3, atol=1e-3)


def test_gates_are_held_at_means_over_other_streams_than_those_asked():
    model, asked, others = wild_lstm(), Streams(20, 2000, 2), Streams(20, 2000, 1)
    changes = changes_of(model, TRAININGS["streams"], asked)
    for gate, values in gates_of(model, others).items():
        mean = values.mean(dim=(0, 1))
        by_step = torch.stack([values[others.since_bar == n].mean(dim=0) for n in range(20)])
        for name, expected in (
            (f"{gate} at its mean", mean),
            ("all three at their means", mean),
            ("all, by steps since the bar", by_step[asked.since_bar[:, 5]]),
            ("all, by another stream's bars", by_step[asked.since_bar.roll(1, 0)[:, 5]]),
        ):
            torch.testing.assert_close(changes[name](5, {})[gate], expected)


def test_rows_have_the_form_of_the_committed_ones(monkeypatch):
    monkeypatch.setattr(gates, "train_lstm", lambda training, seed: (wild_lstm(), None))
    rows = gates.measure(("streams", 300))
    known = read_rows(RESULTS / "gates_rows.jsonl", gates.SETTINGS)["streams", 300]
    assert [row | {"share": 0} for row in rows] == [row | {"share": 0} for row in known]
