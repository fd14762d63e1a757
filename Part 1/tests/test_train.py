"""Tests of train.py and study_settings.py: flags, seeds, the loop, the data, the table."""

import csv

import numpy as np
import pytest
import torch

import study_settings
import train
from dataset import PalindromeDataset
from figures import training_figure
from networks import load_network, make_network

THREE_STEPS = ["--train_steps", "3", "--data_size", "300", "--input_length", "7", "--jobs", "1"]


def job(name, *flags, seed=0):
    args = train.parse_args([*THREE_STEPS, *map(str, flags)])
    return name, args.input_length[0] + 1, seed, args


def weights_of(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


@pytest.mark.parametrize(
    "flags",
    [
        *("--input_length 8", "--input_dim 1", "--num_hidden 64", "--data_size 299"),
        *("--portion_train 0.7", "--train_steps 4", "--batch_size 127", "--learning_rate 0.003"),
        *("--no-decay", "--max_norm 0.1", "--max_lag 50", "--bf 1", "--rnn_start identity"),
    ],
)
def test_each_flag_changes_the_weights(flags):
    of_one = {"--max_lag 50": "lstm", "--bf 1": "lstm", "--rnn_start identity": "rnn"}
    for name in "lstm", "rnn":
        (one, _), (other, _) = (train.train_and_test(job(name, *f.split())) for f in ("", flags))
        changed = not torch.equal(weights_of(one), weights_of(other))
        assert changed == (of_one.get(flags, name) == name), f"{flags}, {name}"


def test_starts_are_what_their_names_say():
    still = "--learning_rate", "1e-9"
    rnn, _ = train.train_and_test(job("rnn", "--rnn_start", "identity", *still))
    torch.testing.assert_close(rnn.Whh.detach(), torch.eye(128))
    rnn, _ = train.train_and_test(job("rnn", "--rnn_start", "orthogonal", *still))
    torch.testing.assert_close(rnn.Whh @ rnn.Whh.T, torch.eye(128), atol=1e-4, rtol=0)
    ranges = {"--bf=-1": (-1, -1), "--max_lag=0": (1, 1), "--max_lag=100": (0, 4.61)}
    for flags, (low, high) in ranges.items():
        lstm, _ = train.train_and_test(job("lstm", flags, *still))
        bf = lstm.b.detach().chunk(4)[2]
        assert low - 1e-4 <= bf.min() <= bf.max() <= high + 1e-4
        assert (bf.std() > 0.5) == (low < high)


def test_the_seed_decides_weights_palindromes_and_batches():
    models = [make_network("lstm", seed, "cpu") for seed in (0, 4)]
    assert not torch.equal(*map(weights_of, models))
    sets = [PalindromeDataset(7, 300, one_hot=True, seed=seed) for seed in (0, 4)]
    assert not torch.equal(sets[0].digits, sets[1].digits)
    same = [make_network("lstm", 0, "cpu") for _ in range(2)]
    for model, seed in zip(same, (0, 4), strict=True):
        train.train(model, sets[:1], 3, 0.01, seed=seed)
    assert not torch.equal(*map(weights_of, same)), "the batches do not depend on the seed"
    alone, (model, _) = make_network("lstm", 4, "cpu"), train.train_and_test(job("lstm", seed=4))
    train.train(alone, [sets[1].split(0.8)[0]], 3, 0.002, seed=4)
    assert torch.equal(weights_of(alone), weights_of(model)), "one of the three has another seed"


def test_two_processes_write_what_one_call_returns(script, tmp_path):
    torch.set_num_threads(1)  # as each job has
    flags = "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2
    done = script("train.py", *THREE_STEPS, *flags, "--jobs", 2, "--out_dir", "out")
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader((tmp_path / "out" / "t8.csv").read_text().splitlines()))
    expected = []
    for name in "lstm", "rnn":
        for seed in 4, 5:
            model, curve = train.train_and_test(job(name, "--eval_every", 2, seed=seed))
            expected += [{"network": name, "seed": seed} | row for row in curve]
            if seed == 4:  # the weights of the first seed are saved
                saved = load_network(tmp_path / "out" / f"{name}_t8.pth")
                assert torch.equal(weights_of(model), weights_of(saved))
    assert rows == [{key: str(value) for key, value in row.items()} for row in expected]
    assert len({row["loss"] for row in rows if row["step"] == "0"}) == 4


@pytest.mark.parametrize("decay", [True, False])
def test_the_loop_trains_as_a_textbook_does(decay):
    sets = [PalindromeDataset(n, 50, one_hot=True) for n in (4, 5, 6)]
    model, plain = (make_network("lstm", 0, "cpu", hidden=8) for _ in range(2))
    train.train(model, sets, 9, 0.02, decay=decay, batch_size=7, max_norm=0.1, seed=3)
    optimizer, rng = torch.optim.RMSprop(plain.parameters()), np.random.default_rng(3)
    for step in range(9):
        optimizer.param_groups[0]["lr"] = 0.02 * (9 - step) / 9 if decay else 0.02
        inputs, targets = sets[rng.integers(3)][torch.from_numpy(rng.integers(50, size=7))]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(plain(inputs)[0], targets).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
        optimizer.step()
    torch.testing.assert_close(model.state_dict(), plain.state_dict())


def test_training_solves_five_digits():
    args = train.parse_args(["--train_steps", "100"])
    for name in "lstm", "rnn":
        _, curve = train.train_and_test((name, 5, 0, args))
        assert (curve[-1]["step"], curve[-1]["accuracy"]) == (100, 1.0)
        assert curve[0]["loss"] > 2.2 > 0.1 > curve[-1]["loss"]


def test_the_curve_is_of_the_first_1000_unseen_and_its_last_point_of_all():
    args = train.parse_args(["--train_steps", "4", "--eval_every", "3"])
    palindromes = PalindromeDataset(7, 100_000, one_hot=True)
    train_set, test_set = palindromes.split(0.8)
    assert torch.equal(torch.cat([train_set.digits, test_set.digits]), palindromes.digits)

    def right(model, first):
        inputs, targets = test_set[:first]
        return (model(inputs)[0].argmax(dim=1) == targets).double().mean().item()

    fresh = make_network("lstm", 0, "cpu")
    model, curve = train.train_and_test(("lstm", 8, 0, args))
    assert [row["step"] for row in curve] == [0, 3, 4]
    assert curve[0]["accuracy"] == right(fresh, 1000) != right(fresh, 2000)
    assert curve[-1]["accuracy"] == right(model, 2000)
    assert train.accuracy(model, test_set, batch_size=300) == right(model, 2000)


def curves_of(*ends):
    """Rows of accuracy_rows.csv: all seeds reach 100 % at step 90, and dip before and after."""
    rows = []
    for seed, end in enumerate(ends):
        points = (0, 0.1), (70, 0.2), (79, 0.3), (80, 0.8), (90, 1.0), (100, end)
        head = {"T": 5, "network": "RNN", "flags": "--no-decay", "seed": seed}
        rows += [head | {"step": step, "accuracy": share} for step, share in points]
    return rows


def test_the_table_shows_the_worst_and_the_median_seed_the_last_fifth_and_who_solves_it():
    (line,) = study_settings.table(curves_of(1.0, 0.999, 0.9989))
    assert [*line.values()] == [5, "RNN", "--no-decay", "99.89", "99.90", "80.0", "2 of 3", 90]
    never = {"T": 5, "network": "RNN", "flags": "", "seed": 0, "step": 100, "accuracy": 0.9989}
    assert study_settings.table([never])[0]["all at 99.9 % by step"] == "not reached"


def test_a_row_of_the_table_is_trained_with_its_flags(call, tmp_path):
    one = "--only", "identity", "--seeds", 1, "--jobs", 1, "--out_dir", tmp_path
    call(study_settings.main, *one)
    (line,) = csv.DictReader((tmp_path / "accuracy.csv").read_text().splitlines())
    assert (line["T"], line["network"]) == ("20", "RNN")
    assert line["settings"] == "--rnn_start identity --learning_rate 0.0006"
    assert float(line["worst, %"]) > 98, "the fair rival learns 20 digits"
    args = train.parse_args(["--rnn_start=identity", "--learning_rate=0.0006", "--input_length=19"])
    assert (args.seed, args.train_steps, args.max_lag, args.decay) == (300, 500, 100, True)
    _, curve = train.train_and_test(("rnn", 20, 300, args))
    assert line["worst, %"] == f"{100 * curve[-1]['accuracy']:.2f}"


def test_the_figure_draws_each_seed_and_the_median():
    rows = [
        row | {"network": name}
        for name, ends in (("lstm", (1.0, 0.9, 0.2)), ("rnn", (0.1, 0.3, 0.4)))
        for row in curves_of(*ends)
    ]
    figure = training_figure(20, rows)
    (axes,), (legend,) = figure.axes, figure.legends
    last = [line.get_ydata()[-1] for line in axes.lines[:8]]
    assert last == pytest.approx([100, 90, 20, 90, 10, 30, 40, 30])
    assert [text.get_text() for text in legend.texts] == ["LSTM", "RNN"]
