"""Tests of what settings.py, lengths.py and start.py train, and of what the last two show."""

import statistics

import pytest
import torch

from common import BLUE, GREEN, ORANGE
from conftest import drawn
from dataset import PalindromeDataset
from networks import make_network
from rnn import VanillaRNN
from studies import lengths, settings, start
from studies.runner import RESULTS, read_rows
from train import train

EXPERIMENTS = {
    settings: settings.EXPERIMENTS,
    lengths: lengths.CHOOSING | lengths.REPORTED,
    start: start.CHOOSING | start.REPORTED | start.MANY_RATES,
}
TINY = {"steps": 20, "size": 2000, "hidden_dim": 8, "rates": [0.01, 0.03]}
TINY |= {"train_steps": 20, "data_size": 2000, "num_hidden": 8, "learning_rate": 0.01}  # train.py's
TINY |= {"decay": False, "batch_size": 50, "max_norm": 0.5}


def committed(study):
    """Return {(experiment, seed): rows} of the report."""
    path = RESULTS / f"{study.__name__.removeprefix('studies.')}_rows.jsonl"
    return read_rows(path, EXPERIMENTS[study], study.COLUMNS)


def reported(study):
    """Return the rows that its figure shows."""
    rows = []
    for (experiment, seed), own in committed(study).items():
        if experiment in study.REPORTED:
            rows += [{"experiment": experiment, "seed": seed} | row for row in own]
    return rows


@pytest.mark.parametrize(
    ("study", "experiment", "T", "network", "its_start"),
    [
        (settings, "bf", 20, "lstm", {"bf": 1}),
        (lengths, "rates, RNN, orthogonal, T = 10", 10, "rnn", {"start": "orthogonal"}),
        (lengths, "LSTM, T = 5", 5, "lstm", {}),
        (start, "LSTM, bf = -2", 20, "lstm", {"bf": -2}),
    ],
)
def test_a_row_is_of_what_it_names_and_of_unseen_palindromes(
    study, experiment, T, network, its_start
):
    rows = study.measure(EXPERIMENTS[study][experiment][0] | TINY, 4)
    train_set, test_set = PalindromeDataset(T - 1, 2000, True, 4).split(0.8)
    inputs, targets = test_set[:]
    rates = [0.01] if study is settings else [0.01, 0.03]
    last = rows[-1:] if study is settings else rows  # of a curve, the last point
    for row, rate in zip(last, rates, strict=True):
        model = make_network(network, 4, hidden_dim=8, **its_start)
        train(model, [train_set], 20, rate, decay=False, batch_size=50, max_norm=0.5, seed=4)
        right = model(inputs)[0].argmax(dim=1) == targets
        assert row["accuracy"] == pytest.approx(right.double().mean().item())
        assert (row.get("rate", rate), row.get("T", T)) == (rate, T)
        assert row["network"].lower().startswith(network)


@pytest.mark.parametrize("shrink", [0.5, 0.9])
def test_the_trace_of_a_network_that_shrinks_its_state_is_known(shrink):
    model = VanillaRNN(10, 16, 10).double().requires_grad_(False)
    model.Whx.copy_(1e-4 * torch.eye(16, 10))  # so small that tanh is the identity
    model.Whh.copy_(shrink * torch.eye(16))
    digits = torch.randint(10, (5, 7))
    assert start.trace(model, digits) == pytest.approx(shrink**6, rel=1e-3)
    left = start.change_left(model, torch.Generator().manual_seed(0), 3)
    assert left.tolist() == pytest.approx(3 * [shrink**18], rel=1e-3)
    model.Whh[:2] = 0  # 0 and 1 are forgotten at once, so these two are told apart least
    assert start.trace(model, digits) < 1e-20 < start.trace(model, digits[:, -1:])


def test_the_committed_traces_are_those_of_today():
    known = committed(start)
    for experiment, (own, _) in start.REPORTED.items():
        (now,) = start.measure(own | {"steps": 1, "size": 100}, 300)
        (then,) = known[experiment, 300]
        trace = pytest.approx(now["trace"], rel=0.01)
        assert then == now | {"trace": trace, "accuracy": then["accuracy"]}


def test_each_reported_rate_is_the_best_of_those_tried_with_the_seeds_0_to_2():
    for study in lengths, start:
        known = committed(study)
        for name, (own, _) in study.REPORTED.items():
            rows = [row for seed in range(3) for row in known[f"rates, {name}", seed]]
            assert own["rates"] == [lengths.best_rate(rows)], name


def test_the_figure_of_lengths_shows_each_network_and_their_median_in_their_colour():
    rows, (axes,) = reported(lengths), lengths.lengths_figure(reported(lengths)).axes
    shown = drawn(axes)
    for network, colour in ("LSTM", BLUE), ("RNN", ORANGE), ("RNN, orthogonal", GREEN):
        shares = {T: [] for T in (5, 10, 15, 20, 30, 40)}
        for row in rows:
            if row["network"] == network:
                shares[row["T"]].append(100 * row["accuracy"])
        medians = [statistics.median(own) for own in shares.values()]
        assert shown.pop(network) == (colour, [*shares], pytest.approx(medians))
        ((xs, ys),) = ((xs, ys) for c, xs, ys in shown.values() if c == colour)
        places = [T for T, own in shares.items() for _ in own]
        assert xs == pytest.approx(places, abs=1)
        assert ys == pytest.approx([share for own in shares.values() for share in own])


def test_the_figure_of_traces_shows_each_network_and_counts_the_solved():
    rows, (axes,) = reported(start), start.start_figure(reported(start)).axes
    shown, texts = drawn(axes), {text.get_text(): text for text in axes.texts}
    for network, colour in ("LSTM", BLUE), ("RNN", ORANGE), ("LSTM, constant gates", GREEN):
        points = [(r["trace"], 100 * r["accuracy"]) for r in rows if r["network"] == network]
        assert shown[network] == (colour, *map(list, zip(*points, strict=True)))
    for low, high in (0, 0.001), (0.001, 0.1), (0.1, 10):
        own = [row["accuracy"] >= 0.999 for row in rows if low <= row["trace"] < high]
        x, _ = texts[f"{sum(own)} of {len(own)}\nsolved"].get_position()
        assert low < x < high
    for name, experiment in ("the usual RNN", "RNN, uniform"), ("LSTM, bf = 0", "LSTM, bf = 0"):
        own = [row for row in rows if row["experiment"] == experiment]
        x, y = (statistics.median(row[value] for row in own) for value in ("trace", "accuracy"))
        assert texts[name].xy == pytest.approx((x, 100 * y))
