"""Tests of train.py and study_settings.py: flags, seeds, the loop, the data, curves, the table."""

import itertools

import numpy as np
import pytest
import torch

import study_settings
import train
from common import grouped
from conftest import HERE
from dataset import PalindromeDataset
from networks import load_network, make_network
from runner import read_rows
from study_settings import SETTINGS

THREE_STEPS = ["--train_steps", "3", "--data_size", "300", "--input_length", "7"]


def weights_of(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def trained(name, *flags, seed=0):
    args = train.parse_args([*THREE_STEPS, *flags])
    return train.train_and_test(name, args.input_length[0] + 1, seed, args)


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
        (one, _), (other, _) = trained(name), trained(name, *flags.split())
        changed = not torch.equal(weights_of(one), weights_of(other))
        assert changed == (of_one.get(flags, name) == name), f"{flags}, {name}"


def test_the_seed_decides_weights_palindromes_and_batches():
    model, _ = trained("lstm", seed=4)
    for seeds in itertools.product((0, 4), repeat=3):
        other = make_network("lstm", seeds[0])
        train_set, _ = PalindromeDataset(7, 300, one_hot=True, seed=seeds[1]).split(0.8)
        train.train(other, [train_set], 3, 0.002, seed=seeds[2])
        same = torch.equal(weights_of(model), weights_of(other))
        assert same == (seeds == (4, 4, 4)), seeds


def test_the_script_writes_the_same_with_one_process_and_with_two(call, tmp_path):
    flags = [*THREE_STEPS, "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2]
    for n in "12":
        call("train.py", *flags, "--jobs", n, "--out_dir", tmp_path / n)
    model, _ = trained("rnn", seed=4)  # the weights of the first seed are saved
    assert torch.equal(weights_of(model), weights_of(load_network(tmp_path / "2" / "rnn_t8.pth")))
    _, curve = trained("rnn", "--eval_every", "2", seed=5)
    lines = [f"rnn,5,{row['step']},{row['accuracy']},{row['loss']}" for row in curve]
    for n in "12":
        text = (tmp_path / n / "t8.csv").read_text()
        assert text.splitlines()[-3:] == lines
    assert text == (tmp_path / "1" / "t8.csv").read_text()
    assert {"t5.csv", "accuracy.png", "lstm_t5.pth"} < {
        path.name for path in (tmp_path / n).iterdir()
    }


@pytest.mark.parametrize("decay", [True, False])
def test_the_loop_trains_as_a_textbook_does(decay):
    sets = [PalindromeDataset(n, 50, one_hot=True) for n in (4, 5, 6)]
    model, plain = (make_network("lstm", 0, hidden=8) for _ in range(2))
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
    palindromes = PalindromeDataset(7, 100_000, one_hot=True)
    train_set, test_set = palindromes.split(0.8)
    assert torch.equal(torch.cat([train_set.digits, test_set.digits]), palindromes.digits)

    def right(model, first):
        inputs, targets = test_set[:first]
        return (model(inputs)[0].argmax(dim=1) == targets).double().mean().item()

    fresh = make_network("lstm", 0)
    model, curve = trained("lstm", "--eval_every", "2", "--data_size", "100000")
    assert [row["step"] for row in curve] == [0, 2, 3]
    assert curve[0]["accuracy"] == right(fresh, 1000) != right(fresh, 2000)
    assert curve[-1]["accuracy"] == right(model, 2000)
    assert train.accuracy(model, test_set, batch_size=300) == right(model, 2000)


# What each setting is good for


@pytest.fixture(scope="module")
def committed():
    rows = read_rows([HERE / "results" / "accuracy_rows.csv"], SETTINGS)
    return {key: own for (key,), own in grouped(rows, "experiment").items()}


@pytest.mark.parametrize("experiment", SETTINGS)
def test_committed_curves_are_those_of_the_flags(experiment, committed, monkeypatch):
    what, changes, _ = SETTINGS[experiment]
    args, shares, accuracy = train.parse_args(f"{what} {changes}".split()), [], train.accuracy
    curves = grouped(committed[experiment], "T", "network", "seed")
    trainings = {(n + 1, network) for n in args.input_length for network in args.model}
    assert {(T, network) for T, network, _ in curves} == trainings
    steps = [*range(0, args.train_steps, args.eval_every), args.train_steps]
    assert all([row["step"] for row in curve] == steps for curve in curves.values())

    def remember(*args):
        shares.append(accuracy(*args))
        if len(shares) == 2:
            raise InterruptedError
        return shares[0]

    monkeypatch.setattr(train, "accuracy", remember)
    with pytest.raises(InterruptedError):
        study_settings.measure((experiment, 300))
    known = [row["accuracy"] for row in committed[experiment][:2]]
    assert shares == pytest.approx(known, abs=0.05), "a curve begins otherwise today"


def test_the_figure_draws_each_seed_and_the_median_of_the_defaults(committed, tmp_path):
    study_settings.show(committed["decay"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["accuracy.csv"]  # no empty figure
    rows = [row for row in committed["defaults"] if row["T"] == 20]
    (axes,) = train.training_figure({20: rows}).axes
    for network, lines in ("lstm", axes.lines[:41]), ("rnn", axes.lines[41:82]):
        curves = grouped([row for row in rows if row["network"] == network], "seed").values()
        shares = [[100 * row["accuracy"] for row in curve] for curve in curves]
        expected = [*shares, np.median(shares, axis=0).tolist()]
        assert [[*line.get_ydata()] for line in lines] == pytest.approx(np.array(expected))
        assert lines[-1].get_label() == network.upper()
