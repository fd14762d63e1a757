"""Tests of study_start.py: the trace, the starts, what is trained, the figure."""

import pytest
import torch

import study_start
from common import grouped
from conftest import HERE
from rnn import VanillaRNN
from runner import read_rows
from study_start import DRAWN, EXPERIMENTS, start_figure, trace


@pytest.mark.parametrize("shrink", [0.5, 0.9])
def test_the_trace_of_a_network_that_shrinks_its_state_is_known(shrink):
    model = VanillaRNN(10, 16, 10).double().requires_grad_(False)
    model.Whx.copy_(1e-4 * torch.eye(16, 10))  # so small that tanh is the identity
    model.Whh.copy_(shrink * torch.eye(16))
    digits = torch.randint(10, (5, 7))
    assert trace(model, digits) == pytest.approx(shrink**6, rel=1e-3)
    model.Whh[:2] = 0  # 0 and 1 are forgotten at once, so these two are told apart least
    assert trace(model, digits) < 1e-20 < trace(model, digits[:, -1:])


@pytest.fixture(scope="module")
def committed():
    rows = read_rows([HERE / "results" / "start_rows.csv"], EXPERIMENTS)
    return grouped(rows, "experiment", "seed")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_committed_traces_are_of_fresh_networks(experiment, committed, monkeypatch):
    trained = []

    def forget(model, train_sets, *settings, seed):
        trained.append((*settings, seed))
        for parameter in model.parameters():
            parameter.data.zero_()

    monkeypatch.setattr(study_start, "train", forget)
    monkeypatch.setattr(study_start, "accuracy", lambda model, data: len(trained))
    rows, known = study_start.measure((experiment, 300)), committed[experiment, 300]
    assert trained == [(row["steps"], row["rate"], 300) for row in known]
    assert [row["accuracy"] for row in rows] == [*range(1, len(rows) + 1)]  # after the training
    for row, old in zip(rows, known, strict=True):
        assert row["trace"] == pytest.approx(old["trace"], rel=0.01), old
        assert row | {"trace": 0, "accuracy": 0} == old | {"trace": 0, "accuracy": 0}


def test_the_figure_has_a_dot_for_each_network(committed, tmp_path):
    rows = [row for (experiment, _), own in committed.items() for row in own if experiment in DRAWN]
    kinds = start_figure(rows).axes[0].collections
    dots = sorted(dot for kind in kinds for dot in kind.get_offsets().tolist())
    assert dots == sorted([row["trace"], 100 * row["accuracy"]] for row in rows)
    study_start.show(committed["rates, LSTM", 300], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["start_rates.csv"]  # no empty figure
