"""Tests of study_start.py: the trace, the starts, what is trained, the tables."""

from types import SimpleNamespace

import pytest
import torch

import study_start
from conftest import HERE
from dataset import PalindromeDataset
from rnn import VanillaRNN
from rows import read_csv
from starts import fresh, trace
from study_start import EXPERIMENTS, Job
from train import accuracy, train


@pytest.mark.parametrize("shrink", [0.5, 0.9])
def test_the_trace_of_a_network_that_shrinks_its_state_is_known(shrink):
    model = VanillaRNN(10, 16, 10).double()
    with torch.no_grad():
        model.Whx.copy_(1e-4 * torch.eye(16, 10))  # so small that tanh is the identity
        model.Whh.copy_(shrink * torch.eye(16))
    digits = torch.randint(10, (5, 7))
    assert trace(model, digits) == pytest.approx(shrink**6, rel=1e-3)
    with torch.no_grad():  # 0 and 1 are forgotten at once, so these two are told apart least
        model.Whh[:2] = 0
        assert trace(model, digits) < 1e-20 < trace(model, digits[:, -1:])


def test_starts_are_what_their_names_say():
    def Whh(start, size):
        return fresh("RNN", start, size, 3).Whh.detach()

    permutation = Whh("permutation", 1.0)
    assert permutation.sum(0).eq(1).all()
    assert permutation.sum(1).eq(1).all()
    assert Whh("shift", 1.0)[1:, :-1].equal(torch.eye(127))
    assert Whh("signs", 0.75).diag().unique().tolist() == [-0.75, 0.75]
    assert torch.linalg.eigvals(Whh("gaussian", 0.8)).abs().max() == pytest.approx(0.8, abs=0.1)
    torch.testing.assert_close(Whh("uniform", 2.2), 2.2 * Whh("uniform", 1.0))
    kept = torch.linalg.eigvals(Whh("directions", 8.0))
    assert ((kept - 1).abs() < 1e-4).sum() == 8
    for start, size, low, high in ("bf", -2.0, -2, -2), ("lag", 3.0, 0, 1.1), ("half", 4.0, -4, 4):
        bf = fresh("LSTM", start, size, 3).b.detach().chunk(4)[2]
        assert low <= bf.min() <= bf.max() <= high
        assert bf.mean() == pytest.approx((low + high) / 2, abs=0.2)


def test_a_row_is_that_of_the_fresh_network_and_of_its_own_training():
    job = Job("known", "RNN", "identity", 0.9, 8, 4, 0.01, 7)
    (row,) = study_start.measure(job)
    model = fresh("RNN", "identity", 0.9, 7)
    assert row["trace"] > 0.1, "the identity leaves a trace"
    train_set, test_set = PalindromeDataset(7, 100_000, one_hot=True, seed=7).split(0.8)
    train(model, [train_set], 4, 0.01, seed=7)
    assert row["accuracy"] == accuracy(model, test_set)


def test_the_committed_rows_are_of_all_jobs():
    path = HERE / "results" / "start_rows.csv"
    rows = study_start.grouped(read_csv(path, study_start.COLUMNS), *Job._fields)
    args = SimpleNamespace(seed=300, seeds=None)
    assert {*rows} == {job for name in EXPERIMENTS for job in study_start.jobs_of(name, args)}


def test_tables_count_on_the_right_side_of_each_bin_and_show_the_worst():
    def rows(experiment, *pairs, rate=0.1):
        head = {"experiment": experiment, "network": "RNN", "start": "a", "size": 1.0, "T": 20}
        head |= {"steps": 5, "rate": rate}
        return [head | {"seed": n, "trace": t, "accuracy": a} for n, (t, a) in enumerate(pairs)]

    known = rows("known", (0.0099, 0.5), (0.01, 0.99), (0.0999, 0.9899), (0.25, 1.0))
    (line,) = study_start.bins_table(known)
    assert [*line.values()] == ["RNN", "0 of 1", "1 of 2", "", "1 of 1"]
    (line,) = study_start.starts_table(known)
    assert [line[f"{name}, %"] for name in ("worst", "median", "best")] == ["50.0", "99.0", "100.0"]
    both = rows("rates", (1.0, 0.3), (1.0, 0.2)) + rows("rates", (1.0, 0.7), rate=0.02)
    (line,) = study_start.rates_table(both)
    assert [*line.items()][2:] == [("0.02", "70.0"), ("0.1", "20.0")]
