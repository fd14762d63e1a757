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
    start: start.EXPERIMENTS,
}
TINY = {"steps": 20, "size": 2000, "hidden_dim": 8, "rates": [0.01, 0.03]}
TINY |= {"train_steps": 20, "data_size": 2000, "num_hidden": 8, "learning_rate": 0.01}  # train.py's
TINY |= {"decay": False, "batch_size": 50, "max_norm": 0.5}


def committed(study):
    """Return {(experiment, seed): rows} of the report."""
    path = RESULTS / f"{study.__name__.removeprefix('studies.')}_rows.jsonl"
    return read_rows(path, EXPERIMENTS[study], study.COLUMNS)


def rows_of(study, experiments):
    """Return the committed rows of these experiments, as the study's show gets them."""
    rows = []
    for (experiment, seed), own in committed(study).items():
        if experiment in experiments:
            rows += [{"experiment": experiment, "seed": seed} | row for row in own]
    return rows


@pytest.mark.parametrize(
    ("study", "experiment", "T", "network", "its_start"),
    [
        (settings, "bf", 20, "lstm", {"bf": 0}),
        (lengths, "rates, RNN, orthogonal, T = 10", 10, "rnn", {"start": "orthogonal"}),
        (lengths, "LSTM, T = 5", 5, "lstm", {}),
        (start, "LSTM, forgets (bf = -1)", 20, "lstm", {"bf": -1}),
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
    model.Whh[:2] = 0  # 0 and 1 are forgotten at once, so these two are told apart least
    assert start.trace(model, digits) < 1e-20 < start.trace(model, digits[:, -1:])


def test_the_committed_rows_are_of_the_traces_and_rates_of_today():
    known = committed(start)
    for experiment, (own, _) in start.EXPERIMENTS.items():
        (now,) = start.measure(own | {"steps": 1, "size": 100, "rates": [0.0003]}, 0)
        assert own["rates"] == [0.0003, 0.0006, 0.001, 0.002]
        for rate, then in zip(own["rates"], known[experiment, 0], strict=True):
            trace = pytest.approx(now["trace"], rel=0.01)
            assert then == now | {"trace": trace, "rate": rate, "accuracy": then["accuracy"]}


def test_each_reported_rate_is_the_middle_one_of_those_whose_mean_is_best():
    means = {10: 0.9994, 9: 0.9994, 8: 0.9994, 7: 0.9996, 5: 0.9997, 4: 0.9998, 3: 1.0, 1: 0.5}
    rows = [{"rate": n, "accuracy": mean + x} for n, mean in means.items() for x in (-0.1, 0.1)]
    assert lengths.best_rate(rows) == 4, "3, 4, 5 and 7 are best"
    known = committed(lengths)
    for name, (own, _) in lengths.REPORTED.items():
        seeds = range(lengths.CHOOSE[own["label"]])
        choosing = f"rates, {name}".removesuffix(", 3000 steps")
        rows = [row for seed in seeds for row in known[choosing, seed]]
        assert own["rates"] == [lengths.best_rate(rows)], name


def test_a_start_counts_each_seed_at_its_best_rate_wherever_that_is():
    rows = []
    for seed, *shares in (0, 0.9, 1.0, 0.1), (1, 0.999, 0.2, 0.3), (2, 0.4, 0.6, 0.5):
        row = {"network": "RNN", "start": "a", "seed": seed, "trace": 10.0**-seed}
        rows += [row | {"accuracy": share} for share in shares]
    (line,) = start.start_table(rows)
    assert [*line.values()] == ["RNN", "a", "0.1", "60.00", "99.90", "2 of 3", "2 of 9"]


def test_the_table_of_lengths_counts_the_seeds_that_solve_each_of_them():
    rows = []
    for name in "LSTM, T = 5", "LSTM, 62 units, T = 80", "LSTM, 62 units, T = 80, 3000 steps":
        (rate,), label = (lengths.REPORTED[name][0][key] for key in ("rates", "label"))
        row = {"experiment": name, "network": label, "T": 0, "rate": rate}
        rows += [row | {"accuracy": share} for share in (0.9989, 0.9991, len(name) / 20)]
    one, two = lengths.lengths_table(rows)
    columns = "T = 5", "T = 80", "T = 80, 3000 steps"
    assert one == {"network": "LSTM", columns[0]: "1 of 3 (0.0006)", columns[1]: "", columns[2]: ""}
    cells = "", "2 of 3 (0.001)", "2 of 3 (0.001)"
    assert two == {"network": "LSTM, 62 units"} | dict(zip(columns, cells, strict=True))


def test_the_figure_of_traces_shows_each_network_and_counts_the_solved():
    rows = start.at_best_rate(rows_of(start, start.EXPERIMENTS))
    (axes,) = start.start_figure(rows).axes
    shown, texts = drawn(axes), {text.get_text(): text for text in axes.texts}
    assert len(rows) == 63
    for network, colour in ("LSTM", BLUE), ("RNN", ORANGE), ("LSTM, constant gates", GREEN):
        points = [(r["trace"], 100 * r["accuracy"]) for r in rows if r["network"] == network]
        assert shown[network] == (colour, *map(list, zip(*points, strict=True)))
    for low, high in (0, 1e-6), (1e-6, 0.001), (0.001, 10):
        own = [row["accuracy"] >= 0.999 for row in rows if low <= row["trace"] < high]
        x, _ = texts[f"{sum(own)} of {len(own)}\nsolved"].get_position()
        assert low < x < high
    for name, label in ("RNN, the usual", "the usual RNN"), ("LSTM, forgets (bf = -1)", "forgets"):
        own = [row for row in rows if row["experiment"] == name]
        x, y = (statistics.median(row[value] for row in own) for value in ("trace", "accuracy"))
        assert texts[label].xy == pytest.approx((x, 100 * y))
