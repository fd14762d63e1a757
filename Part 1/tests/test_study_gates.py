"""Tests of study_cells.py and study_gates.py: streams, constant gates, gates held still."""

import itertools

import pytest
import torch

import study_cells
import study_gates
from networks import make_network
from study_cells import BAR, Streams, Training
from study_gates import gates_of, hold, read


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
def test_a_constant_gate_stays_where_it_started_and_the_rest_learns(constant, monkeypatch):
    loop = study_cells.train

    def few_steps(model, train_sets, steps, rate, seed):
        return loop(model, train_sets, 5, rate, seed=seed)

    monkeypatch.setattr(study_cells, "train", few_steps)
    training = Training("streams", constant=constant, bf=1, g_reads_h=constant != "ifo")
    model, _ = study_cells.train_lstm(training, 7)
    for gate, values in gates_of(model, Streams(20, 50, 0)).items():
        start = torch.tensor(1.0 if gate == "f" else 0.0).sigmoid()
        assert (values.std(dim=(0, 1)) > 0).all() == (gate not in constant)
        assert gate not in constant or values.eq(start).all()
    assert (model.W[:128, :11] != make_network("lstm", 7, 11).W[:128, :11]).all()
    assert model.W[:128, 11:].any() == (constant != "ifo")


def wild_lstm():
    torch.manual_seed(3)
    model = make_network("lstm", 3, 11, hidden=16).requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def test_held_gates_have_their_values_and_the_rest_is_the_lstm():
    model, streams = wild_lstm(), Streams(20, 30, 0)
    x, _ = streams[:]
    torch.testing.assert_close(read(model, streams, hold({})), model(x)[0])
    for n, gate in enumerate("ifo", start=1):
        values, then = torch.rand(20, 16), wild_lstm()
        then.W[16 * n : 16 * n + 16] = 0  # a network in which the gate is constant
        then.b[16 * n : 16 * n + 16] = values[0].logit()
        held = read(model, streams, hold({gate: values[0]}))
        torch.testing.assert_close(held, then(x)[0], rtol=1e-3, atol=1e-3)
        change = hold({gate: values}, streams.since_bar)
        for t in range(20):
            assert torch.equal(change(t, {})[gate], values[streams.since_bar[:, t]])


def test_rows_and_figure_show_an_lstm_and_its_gates_at_means_over_other_streams(monkeypatch):
    monkeypatch.setattr(study_gates, "train_lstm", lambda training, seed: (wild_lstm(), None))
    rows = study_gates.measure(("streams", 300))
    model, asked, others = wild_lstm(), Streams(20, 2000, 2), Streams(20, 2000, 1)
    means, by_step = {}, {}
    for gate, values in gates_of(model, others).items():
        means[gate] = values.mean(dim=(0, 1))
        by_step[gate] = torch.stack([values[others.since_bar == n].mean(dim=0) for n in range(20)])
    shares = []
    for change in (
        *(hold({}), hold({"i": means["i"]}), hold({"f": means["f"]}), hold({"o": means["o"]})),
        *(hold({"f": torch.tensor(1.0)}), hold(means), hold(by_step, asked.since_bar)),
        hold(by_step, asked.since_bar.roll(1, 0)),
    ):
        right = read(model, asked, change).argmax(dim=1) == asked.targets
        shares.append(right.double().mean().item())
    held = [row for row in rows if row["length"] == 20 and "open" not in row["held"]]
    assert [row["share"] for row in held[:-1]] == shares
    (axes,) = study_gates.gates_figure(rows).axes
    gates, symbols = gates_of(model, asked), asked.symbols[0].tolist()
    for line in axes.lines:
        opened = gates[line.get_label()][0].mean(dim=1)
        assert line.get_ydata() == pytest.approx(opened.numpy())
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["bar" if symbol == BAR else str(symbol) for symbol in symbols]
    assert (len(axes.lines), len(axes.patches)) == (3, symbols.count(BAR))
