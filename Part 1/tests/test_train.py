"""Tests of train.py: what each flag and the seed decide, the data, the learning, the accuracy."""

import csv

import pytest
import torch

import train
from dataset import PalindromeDataset
from lstm import LSTM
from networks import load_network

THREE_STEPS = ["--train_steps", "3", "--data_size", "300", "--input_length", "7"]


def trained(name, *flags, model_seed=None, data_seed=None, batch_seed=None):
    """Return the weights, one vector, of a network after a training of three steps."""
    args = train.parse_args([*THREE_STEPS, *map(str, flags)])
    T = args.input_length[0] + 1
    model = train.make_model(name, model_seed or args.seed, args)
    train_set, test_set = train.make_data(T, data_seed or args.seed, args)
    train.train_and_test(model, train_set, test_set, batch_seed or args.seed, args)
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


@pytest.mark.parametrize(
    "flags",
    [
        *("--input_length 8", "--input_dim 1", "--num_hidden 64", "--data_size 299"),
        *("--portion_train 0.7", "--train_steps 4", "--batch_size 127", "--learning_rate 0.002"),
        *("--decay", "--max_norm 0.1", "--seed 1"),
        *("--max_lag 50", "--max_lag 0", "--rnn_start orthogonal", "--rnn_start identity"),
    ],
)
def test_each_flag_and_the_seed_change_the_weights(flags):
    for name in "lstm", "rnn":
        alone = {"--max_lag": "lstm", "--rnn_start": "rnn"}.get(flags.split()[0], name)
        changed = not torch.equal(trained(name), trained(name, *flags.split()))
        assert changed == (alone == name), f"{flags}, {name}"


@pytest.mark.parametrize("part", ["model_seed", "data_seed", "batch_seed"])
def test_the_seed_decides_the_first_weights_the_palindromes_and_the_batches(part):
    assert not torch.equal(trained("lstm"), trained("lstm", **{part: 1}))


def test_the_script_trains_as_a_call_does_and_measures_where_it_should(script, tmp_path):
    flags = "--model", "lstm", "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2
    done = script("train.py", *THREE_STEPS, *flags, "--out_dir", "a")
    assert (done.returncode, done.stderr) == (0, ""), "progress bars belong on terminals only"
    names = " ".join(sorted(path.name for path in (tmp_path / "a").iterdir()))
    assert names == "accuracy.csv lstm_t5.pth lstm_t8.pth t5.csv t5.png t8.csv t8.png"
    model = load_network(tmp_path / "a" / "lstm_t8.pth")  # of the first seed
    weights = torch.cat([weight.detach().flatten() for weight in model.parameters()])
    assert torch.equal(weights, trained("lstm", "--seed", 4)), "same seed, same bits"
    rows = list(csv.DictReader((tmp_path / "a" / "t8.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["0", "2", "3"] * 2


def test_training_solves_five_digits():
    args = train.parse_args(["--train_steps", "100"])
    for name in "lstm", "rnn":
        model = train.make_model(name, 0, args)
        curve = train.train_and_test(model, *train.make_data(5, 0, args), 0, args)
        assert curve[-1] == (100, 1.0)


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


def test_the_curve_is_of_the_first_1000_and_its_last_point_of_all():
    args = train.parse_args(["--input_length", "7", "--train_steps", "4", "--eval_every", "3"])
    train_set, test_set = train.make_data(8, 0, args)
    model = train.make_model("lstm", 0, args)

    def right(first):
        inputs, targets = test_set[:first]
        return (model(inputs)[0].argmax(dim=1) == targets).double().mean().item()

    before = right(1000)
    assert before != right(2000)
    curve = train.train_and_test(model, train_set, test_set, 0, args)
    assert [step for step, _ in curve] == [0, 3, 4]
    assert (curve[0][1], curve[-1][1]) == (before, right(2000))
    assert train.accuracy(model, test_set, batch_size=300) == right(2000)


def test_the_table_shows_the_worst_and_the_median_seed_and_the_last_to_be_solved():
    curves = [[(0, 0.1), (10, 1.0), (20, end)] for end in (1.0, 0.9995, 0.5)]
    args = train.parse_args(["--decay", "--input_dim", "1", "--seeds", "3"])
    row = [*train.summary(5, "rnn", curves, args).values()]
    assert row == [5, "RNN", "--input_dim 1 --decay", "50.00", "99.95", "2 of 3", 10]
