"""Tests of studies/ablations.py, lengths.py and gates.py: what is trained, what tables say."""

import itertools

import pytest
import torch

from common import BLUE, GREEN, GREY, ORANGE, read_csv
from conftest import TINY, drawn, trained_by_hand
from networks import make_network
from studies import ablations, gates, lengths
from studies.runner import RESULTS
from train import measure_accuracy, train

PALINDROMES = gates.palindromes() | TINY | {"T": 6, "bf": 2.0}
STREAMS = gates.streams() | TINY | {"T": 6, "bf": 2.0, "tested": 50}
ORTHOGONAL = lengths.experiment(lengths.ORTHOGONAL, 6, [0.01, 0.02])[0] | TINY


def test_the_last_row_is_of_the_network_that_settings_and_seed_say():
    lstm = ablations.EXPERIMENTS["LSTM"][0] | TINY
    for measure, tiny, name, changed in (
        (ablations.measure, lstm | {"input_length": [3, 5]}, "lstm", {"bf": "chrono"}),
        (lengths.measure, ORTHOGONAL, "rnn", {"rnn_init": "orthogonal"}),
        (gates.measure, PALINDROMES, "lstm", {"bf": 2.0}),
    ):
        by_hand, unseen = trained_by_hand(name, [6], 7, **{"rnn_init": "orthogonal"} | changed)
        assert measure(tiny, 7)[-1]["accuracy"] == measure_accuracy(by_hand, unseen)


def test_leaky_units_keep_a_share():
    torch.manual_seed(0)
    leaky, h = lengths.LeakyRNN(10, 12, 10), torch.randn(3, 12)
    x = torch.randn(3, 1, 10)
    _, new = super(lengths.LeakyRNN, leaky).forward(x, h)  # that of the plain RNN
    torch.testing.assert_close(leaky(x, h)[1], leaky.f * h + (1 - leaky.f) * new)
    f = lengths.LeakyRNN(10, 1000, 10).f
    assert f.quantile(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx(
        [1 / 2, 50.5 / 51.5, 100 / 101], abs=0.02
    )
    assert "f" not in dict(leaky.named_parameters())


def test_each_change_at_eighty_digits_reaches_the_network_that_is_trained(monkeypatch):
    trained = []
    monkeypatch.setattr(lengths, "train", lambda settings, model, *_: trained.append(model))
    for name in "LSTM", "LSTM, frozen gates", "RNN, leaky", "RNN, leaky, i = 0.5":
        lengths.measure(lengths.EIGHTY[f"80: {name}"][0] | {"T": 6, "data_size": 100}, 1)
    free, frozen, leaky, half = trained
    shut = [rows.any().item() for rows in frozen.W.chunk(4)]  # of g, i, f, o
    assert (shut, free.W.chunk(4)[1].any().item()) == ([True, False, False, False], True)
    torch.testing.assert_close(leaky.i, 1 - leaky.f)
    assert half.i == 0.5


def curve(experiment, *ends):
    """Return rows of an experiment whose seeds end so, and are at 0.99 from step 20 on."""
    points = [(seed, step) for seed in range(len(ends)) for step in (10, 20, 100)]
    rows = [
        {"experiment": experiment, "seed": seed, "T": 20, "step": step} for seed, step in points
    ]
    for row in rows:
        early = {10: 0.98, 20: 0.99}
        row["accuracy"] = early.get(row["step"], ends[row["seed"]])
    return rows


def test_rates_are_those_of_the_rules():
    for row in read_csv(RESULTS / "lengths_rates.csv"):
        network, T = row["network"].split(", T = ")
        (leaky,) = lengths.EIGHTY["80: RNN, leaky, learning rate 0.064"][0]["rates"]
        chosen = lengths.CHOSEN[network][int(T)] if network in lengths.CHOSEN else leaky
        assert float(row["chosen"]) == chosen
    ranks = {}  # {network: of each rate, successes, minus the steps to 99 %, minus the rate}
    for row in read_csv(RESULTS / "choice.csv"):
        network, rate = row["network"].split(" at ")
        solved, steps = row["solved (99.9 %)"].split()[0], row["steps to 99 % (median)"] or 10**9
        ranks.setdefault(network, []).append((int(solved), -int(steps), -float(rate)))
    for network, of_rates in ranks.items():
        assert ablations.REPORTED[network][0]["learning_rate"] == -max(of_rates)[2]
    assert lengths.best_rate({1: 99.96, 2: 100.0, 3: 99.98, 4: 99.96, 5: 99.94}) == 2


def test_a_table_has_the_end_of_each_curve_and_a_figure_each_network():
    (line,) = ablations.accuracy_table(curve("LSTM", 0.999, 0.5, 1.0))
    assert [*line.values()] == [20, "LSTM", "50.00", "99.90", "2 of 3", 20]
    rows = []
    for n, (name, chosen) in enumerate(lengths.CHOSEN.items()):
        for T in chosen:
            row = {"experiment": f"{name}, T = {T}", "rate": 0.001}
            rows += [row | {"seed": s, "accuracy": (s + n + T) / 100} for s in (0, 1, 5)]
    (axes,) = lengths.lengths_figure(rows).axes
    lines = drawn(axes)
    chance = next(name for name, line in lines.items() if line[0] == GREY)
    assert lines.pop(chance) == (GREY, [0, 1], [10, 10])
    for n, (name, color) in enumerate(lengths.COLORS.items()):
        medians = pytest.approx([1 + n + T for T in lengths.CHOSEN[name]])
        assert lines.pop(name) == (
            color,
            pytest.approx([k + 0.05 * (n - 1) for k in range(len(lengths.CHOSEN[name]))]),
            medians,
        )
    dots = sorted((color, ys) for color, _, ys in lines.values())
    assert [color for color, _ in dots] == 4 * [BLUE] + 4 * [GREEN] + 4 * [ORANGE]
    assert dots[0][1] == pytest.approx([10, 11, 15])


def test_streams_have_bars_where_they_may_and_ask_for_the_first_digit_after_the_last():
    inputs, targets = gates.random_streams(20, 3000, 5)[:]
    assert torch.equal(inputs.sum(dim=2), torch.ones(3000, 20))
    for symbols, target in zip(inputs.argmax(dim=2).tolist(), targets.tolist(), strict=True):
        bars = [n for n, symbol in enumerate(symbols) if symbol == gates.BAR]
        assert bars[0] == 0
        assert all(b - a > 1 for a, b in itertools.pairwise([*bars, 20]))
        assert target == symbols[bars[-1] + 1]
    assert 0.08 < inputs[:, 2:-1, gates.BAR].mean() < 0.1
    assert 0.22 < (inputs[:, 1].argmax(dim=1) == targets).double().mean() < 0.28, "a guess"


@pytest.mark.parametrize("frozen", ["", "ifo", "f"])
def test_frozen_gates_stay_so_and_unseen_streams_are_tested(frozen):
    model, unseen = gates.train_lstm(STREAMS | {"frozen": frozen}, 7)
    expected = gates.random_streams(6, 50, STREAMS["tested_seed"])[:]
    torch.testing.assert_close(unseen[:], expected)
    for letter, W, b in zip("gifo", model.W.chunk(4), model.b.chunk(4), strict=True):
        assert W[:, :11].any() == b.ne(2 if letter == "f" else 0).any() == (letter not in frozen)
        assert W[:, 11:].any() == (letter not in frozen)
    if not frozen:
        by_hand = make_network(STREAMS | {"input_dim": 11}, 7)
        train(STREAMS, by_hand, [gates.random_streams(6, 900, 7)], 7)
        torch.testing.assert_close(model.state_dict(), by_hand.state_dict())
