"""Tests of train.py: what each flag and the seed decide, the loop, the data, the table."""

import csv

import numpy as np
import pytest
import torch

import train
from dataset import PalindromeDataset
from figures import training_figure
from networks import load_network, make_network

THREE_STEPS = ["--train_steps", "3", "--data_size", "300", "--input_length", "7"]


def trained(name, *flags, seed=0):
    """Return the weights, one vector, and the curve of a network after three steps."""
    args = train.parse_args([*THREE_STEPS, *map(str, flags)])
    model, curve = train.train_and_test(name, args.input_length[0] + 1, seed, args)
    return torch.cat([weight.detach().flatten() for weight in model.parameters()]), curve


@pytest.mark.parametrize(
    "flags",
    [
        *("--input_length 8", "--input_dim 1", "--num_hidden 64", "--data_size 299"),
        *("--portion_train 0.7", "--train_steps 4", "--batch_size 127", "--learning_rate 0.003"),
        *("--no-decay", "--max_norm 0.1", "--max_lag 50", "--max_lag 0"),
    ],
)
def test_each_flag_changes_the_weights(flags):
    for name in "lstm", "rnn":
        changed = not torch.equal(trained(name)[0], trained(name, *flags.split())[0])
        assert changed == (name == "lstm" or "max_lag" not in flags), f"{flags}, {name}"


def test_the_script_trains_and_measures_each_seed_as_a_call_does(call, tmp_path):
    flags = "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2
    call(train.main, *THREE_STEPS, *flags, "--out_dir", tmp_path)
    assert {"accuracy.csv", "t5.png", "t8.png"} <= {path.name for path in tmp_path.iterdir()}
    rows = list(csv.DictReader((tmp_path / "t8.csv").read_text().splitlines()))
    expected = []
    for name in "lstm", "rnn":
        for seed in 4, 5:
            weights, curve = trained(name, "--eval_every", 2, seed=seed)
            expected += [{"network": name, "seed": seed} | row for row in curve]
            if seed == 4:  # the weights of the first seed are saved
                model = load_network(tmp_path / f"{name}_t8.pth")
                assert torch.equal(weights, torch.cat([w.flatten() for w in model.parameters()]))
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
        _, curve = train.train_and_test(name, 5, 0, args)
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
    model, curve = train.train_and_test("lstm", 8, 0, args)
    assert [row["step"] for row in curve] == [0, 3, 4]
    assert curve[0]["accuracy"] == right(fresh, 1000) != right(fresh, 2000)
    assert curve[-1]["accuracy"] == right(model, 2000)
    assert train.accuracy(model, test_set, batch_size=300) == right(model, 2000)


def curves_of(*ends):
    curves = []
    for n, end in enumerate(ends):  # the first is at 100 % by step 10, the others by step 90
        points = (0, 0.1), (10, float(n == 0)), (70, 0.9), (80, 0.8), (90, 1.0), (100, end)
        curves.append([{"step": step, "accuracy": share} for step, share in points])
    return curves


def test_the_table_shows_the_worst_and_the_median_seed_and_the_dips():
    flags = ["--no-decay", "--input_dim", "1", "--seeds", "3", "--train_steps", "100"]
    args = train.parse_args(flags)
    row = [*train.summary(5, "rnn", curves_of(1.0, 0.9995, 0.95), args).values()]
    settings = "--input_dim 1 --train_steps 100 --no-decay"
    assert row == [5, "RNN", settings, "95.00", "99.95", "80.0", "2 of 3", 90]
    never = [[{"step": 100, "accuracy": 0.1}]]
    assert train.summary(5, "rnn", never, args)["all at 99.9 % by step"] == "not reached"


def test_the_figure_draws_each_seed_and_the_median():
    rows = [
        {"network": name, "seed": seed} | row
        for name, ends in (("lstm", (1.0, 0.9, 0.2)), ("rnn", (0.1, 0.3, 0.4)))
        for seed, curve in enumerate(curves_of(*ends))
        for row in curve
    ]
    figure = training_figure(20, rows, 0.999)
    (axes,), (legend,) = figure.axes, figure.legends
    last = [line.get_ydata()[-1] for line in axes.lines[:8]]
    assert last == pytest.approx([100, 90, 20, 90, 10, 30, 40, 30])
    assert [text.get_text() for text in legend.texts] == ["LSTM", "RNN"]
