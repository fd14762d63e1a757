"""Tests of studies/start.py and lengths.py: the trace, the rates, and what is trained."""

import pytest
import torch

from rnn import VanillaRNN
from studies import lengths, start
from studies.lengths import best_rate
from studies.runner import RESULTS, read_rows
from studies.start import CHOSEN, SETTINGS, trace

COMMITTED = read_rows(RESULTS / "start_rows.jsonl", SETTINGS)


@pytest.mark.parametrize("shrink", [0.5, 0.9])
def test_the_trace_of_a_network_that_shrinks_its_state_is_known(shrink):
    model = VanillaRNN(10, 16, 10).double().requires_grad_(False)
    model.Whx.copy_(1e-4 * torch.eye(16, 10))  # so small that tanh is the identity
    model.Whh.copy_(shrink * torch.eye(16))
    digits = torch.randint(10, (5, 7))
    assert trace(model, digits) == pytest.approx(shrink**6, rel=1e-3)
    model.Whh[:2] = 0  # 0 and 1 are forgotten at once, so these two are told apart least
    assert trace(model, digits) < 1e-20 < trace(model, digits[:, -1:])


@pytest.mark.parametrize("experiment", SETTINGS)
def test_the_committed_traces_are_of_fresh_networks(experiment, monkeypatch):
    trained = []

    def forget(model, train_sets, *settings, seed):
        trained.append((*settings, seed))
        for parameter in model.parameters():
            parameter.data.zero_()

    monkeypatch.setattr(start, "train", forget)
    monkeypatch.setattr(start, "accuracy", lambda model, data: len(trained))
    seed = 0 if experiment == "rates" else 300
    rows = start.measure((experiment, seed))
    known = COMMITTED[experiment, seed]
    assert trained == [(start.STEPS, row["rate"], seed) for row in known]
    assert [row["accuracy"] for row in rows] == [*range(1, len(rows) + 1)]  # after the training
    for row, old in zip(rows, known, strict=True):
        assert row["trace"] == pytest.approx(old["trace"], rel=0.01), old
        assert row | {"trace": 0, "accuracy": 0} == old | {"trace": 0, "accuracy": 0}


def test_each_start_has_the_rate_that_is_best_on_the_seeds_0_to_2():
    rows = [row for seed in range(3) for row in COMMITTED["rates", seed]]
    groups = start.starts_of(rows, "rates")
    assert {name: best_rate(some) for name, some in groups.items()} == CHOSEN


def test_each_length_has_the_rate_that_is_best_on_the_seeds_0_to_2():
    committed = read_rows(RESULTS / "lengths_rows.jsonl", lengths.SETTINGS)
    for network, chosen in lengths.CHOSEN.items():
        for T, rate in chosen.items():
            name = f"{lengths.CHOOSING}{network}, T = {T}"
            rows = [row for seed in range(3) for row in committed[name, seed]]
            assert rate == best_rate(rows)
            best = best_rate([row for row in rows if row["rate"] in lengths.SCAN])
            at_an_end = best in (lengths.SCAN[0], lengths.SCAN[-1])
            _, _, tried = lengths.SETTINGS[name]
            assert len(tried) == len(lengths.SCAN) + at_an_end, "one further rate is tried"


def test_the_best_rate_has_the_best_worst_seed_then_the_best_mean_then_is_the_lowest():
    shares = {0.1: (1.0, 0.2), 0.2: (0.5, 0.3), 0.3: (0.3, 0.6), 0.4: (0.6, 0.3)}
    rows = [{"rate": rate, "accuracy": share} for rate, own in shares.items() for share in own]
    assert best_rate(rows) == 0.3


def test_a_row_is_that_of_a_training_at_its_own_length_rate_and_start(monkeypatch):
    seen = []

    def look(model, train_sets, steps, rate, seed):
        seen.append((type(model), train_sets[0].digits.shape[1], steps, rate, seed))

    monkeypatch.setattr(lengths, "train", look)
    monkeypatch.setattr(lengths, "accuracy", lambda model, data: 0.5)
    rows = lengths.measure(("rates, RNN, orthogonal, T = 10", 4))
    assert [row["rate"] for row in rows] == [*lengths.SETTINGS["rates, RNN, orthogonal, T = 10"][2]]
    assert seen == [(VanillaRNN, 10, 1000, row["rate"], 4) for row in rows]
