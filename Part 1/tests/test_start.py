"""Tests of studies/start.py: the trace, the starts, and what is trained."""

import pytest
import torch

from rnn import VanillaRNN
from studies import start
from studies.runner import RESULTS, read_rows
from studies.start import EXPERIMENTS, trace


@pytest.mark.parametrize("shrink", [0.5, 0.9])
def test_the_trace_of_a_network_that_shrinks_its_state_is_known(shrink):
    model = VanillaRNN(10, 16, 10).double().requires_grad_(False)
    model.Whx.copy_(1e-4 * torch.eye(16, 10))  # so small that tanh is the identity
    model.Whh.copy_(shrink * torch.eye(16))
    digits = torch.randint(10, (5, 7))
    assert trace(model, digits) == pytest.approx(shrink**6, rel=1e-3)
    model.Whh[:2] = 0  # 0 and 1 are forgotten at once, so these two are told apart least
    assert trace(model, digits) < 1e-20 < trace(model, digits[:, -1:])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_committed_traces_are_of_fresh_networks(experiment, monkeypatch):
    trained = []

    def forget(model, train_sets, *settings, seed):
        trained.append((*settings, seed))
        for parameter in model.parameters():
            parameter.data.zero_()

    monkeypatch.setattr(start, "train", forget)
    monkeypatch.setattr(start, "accuracy", lambda model, data: len(trained))
    rows = start.measure((experiment, 300))
    known = read_rows(RESULTS / "start_rows.jsonl", EXPERIMENTS)[experiment, 300]
    assert trained == [(row["steps"], row["rate"], 300) for row in known]
    assert [row["accuracy"] for row in rows] == [*range(1, len(rows) + 1)]  # after the training
    for row, old in zip(rows, known, strict=True):
        assert row["trace"] == pytest.approx(old["trace"], rel=0.01), old
        assert row | {"trace": 0, "accuracy": 0} == old | {"trace": 0, "accuracy": 0}
