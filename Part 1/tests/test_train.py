"""Tests of train.py: what each flag and the seed decide, the loop, the data, the table."""

import csv

import pytest
import torch

import train
from dataset import PalindromeDataset
from figures import training_figure
from lstm import LSTM
from networks import load_network

THREE_STEPS = ["--train_steps", "3", "--data_size", "300", "--input_length", "7"]


def trained(name, *flags, seed=None):
    """Return the weights, one vector, and the curve of a network after three steps."""
    args = train.parse_args([*THREE_STEPS, *map(str, flags)])
    seed = args.seed if seed is None else seed
    model = train.make_model(name, seed, args)
    sets = train.make_data(args.input_length[0] + 1, seed, args)
    curve = train.train_and_test(model, *sets, seed, args)
    return torch.cat([weight.detach().flatten() for weight in model.parameters()]), curve


@pytest.mark.parametrize(
    "flags",
    [
        *("--input_length 8", "--input_dim 1", "--num_hidden 64", "--data_size 299"),
        *("--portion_train 0.7", "--train_steps 4", "--batch_size 127", "--learning_rate 0.003"),
        *("--no-decay", "--max_norm 0.1", "--seed 1", "--max_lag 50", "--max_lag 0"),
    ],
)
def test_each_flag_and_the_seed_change_the_weights(flags):
    for name in "lstm", "rnn":
        changed = not torch.equal(trained(name)[0], trained(name, *flags.split())[0])
        assert changed == (name == "lstm" or "max_lag" not in flags), f"{flags}, {name}"


def test_the_script_trains_and_measures_each_seed_as_a_call_does(call, tmp_path):
    flags = "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2
    call(train.main, *THREE_STEPS, *flags, "--out_dir", tmp_path)
    names = " ".join(sorted(path.name for path in tmp_path.iterdir()))
    files = "lstm_t5.pth lstm_t8.pth rnn_t5.pth rnn_t8.pth t5.csv t5.png t8.csv t8.png"
    assert names == f"accuracy.csv {files}"
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
    assert [row["step"] for row in rows] == ["0", "2", "3"] * 4
    assert len({row["loss"] for row in rows if row["step"] == "0"}) == 4


def test_the_loop_is_rmsprop_with_a_falling_rate_on_batches_of_all_sets(monkeypatch):
    rates, lengths = [], []

    class Spy(torch.optim.RMSprop):
        def step(self):
            rates.append(self.param_groups[0]["lr"])
            super().step()

    monkeypatch.setattr(torch.optim, "RMSprop", Spy)
    model = LSTM(10, 8, 10)
    model.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    sets = [PalindromeDataset(n, 50, one_hot=True) for n in (4, 5, 6)]
    assert train.train(model, sets, 20, 0.02) is model
    assert rates == pytest.approx([0.02 * (20 - n) / 20 for n in range(20)])
    assert set(lengths) == {4, 5, 6}
    train.train(model, sets, 5, 0.02, decay=False)
    assert rates[20:] == [0.02] * 5


def test_training_solves_five_digits():
    args = train.parse_args(["--train_steps", "100"])
    for name in "lstm", "rnn":
        model = train.make_model(name, 0, args)
        curve = train.train_and_test(model, *train.make_data(5, 0, args), 0, args)
        assert (curve[-1]["step"], curve[-1]["accuracy"]) == (100, 1.0)
        assert curve[0]["loss"] > 2.2
        assert curve[-1]["loss"] < 0.1


def test_no_palindrome_of_the_test_was_trained_on():
    for T, portion in (5, 0.8), (8, 0.8), (20, 0.3):
        args = train.parse_args(["--data_size", "1000", "--portion_train", str(portion)])
        train_set, test_set = train.make_data(T, 0, args)
        seen, unseen = (set(map(bytes, part.digits.numpy())) for part in (train_set, test_set))
        assert (len(seen), len(unseen)) == (1000 * portion, 1000 - 1000 * portion)
        assert not seen & unseen


def test_the_gradient_is_of_this_step_alone_and_is_clipped_after_the_backward_pass():
    five_digits = PalindromeDataset(4, 10, one_hot=True)
    one, _ = five_digits.split(0.1)
    model = LSTM(10, 16, 10)
    gradients = []
    for steps in 1, 3:  # the rate is so small that the weights stay where they are
        train.train(model, [one], steps, 1e-9, max_norm=1e9)
        gradients.append(model.W.grad.clone())
    torch.testing.assert_close(*gradients)
    train.train(model, [one], 1, 1e-9, max_norm=1e-3)
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_the_curve_is_of_the_first_1000_unseen_and_its_last_point_of_all():
    args = train.parse_args(["--input_length", "7", "--train_steps", "4", "--eval_every", "3"])
    train_set, test_set = train.make_data(8, 0, args)
    model = train.make_model("lstm", 0, args)

    def right(first):
        inputs, targets = test_set[:first]
        return (model(inputs)[0].argmax(dim=1) == targets).double().mean().item()

    before = right(1000)
    assert before != right(2000)
    curve = train.train_and_test(model, train_set, test_set, 0, args)
    assert [row["step"] for row in curve] == [0, 3, 4]
    assert (curve[0]["accuracy"], curve[-1]["accuracy"]) == (before, right(2000))
    assert train.accuracy(model, test_set, batch_size=300) == right(2000)


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
