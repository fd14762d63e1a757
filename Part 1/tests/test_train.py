"""Tests of train.py and studies/settings.py: flags, seeds, the loop, the data, the curves."""

import itertools

import numpy as np
import pytest
import torch

import train
from common import load
from dataset import PalindromeDataset
from networks import from_weights, make_network
from studies import settings
from studies.runner import RESULTS, read_rows
from studies.settings import SETTINGS

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
        *("--no-decay", "--max_norm 0.1", "--max_lag 50", "--bf 0", "--rnn_start identity"),
    ],
)
def test_each_flag_changes_the_weights(flags):
    of_one = {"--max_lag 50": "lstm", "--bf 0": "lstm", "--rnn_start identity": "rnn"}
    for name in "lstm", "rnn":
        (one, _), (other, _) = trained(name), trained(name, *flags.split())
        changed = not torch.equal(weights_of(one), weights_of(other))
        assert changed == (of_one.get(flags, name) == name), f"{flags}, {name}"


def test_the_preset_is_the_flags_that_it_names_and_a_given_flag_wins():
    preset, parse = ["--preset", "assignment"], train.parse_args
    named = ["--input_dim", "1", "--bf", "0", "--learning_rate", "0.001", "--no-decay"]
    assert vars(parse(preset)) == vars(parse(named)) | {"preset": "assignment"}
    given = ["--input_dim", "10", "--bf", "2", "--learning_rate", "0.002", "--decay"]
    for words in preset + given, given + preset:  # some of the given ones are the defaults
        assert vars(parse(words)) == vars(parse(given)) | {"preset": "assignment"}
    flags = [*THREE_STEPS, "--max_lag", "50", "--learning_rate", "0.002"]
    forgets_slowly = train.fresh_network("lstm", 0, parse([*preset, *flags]))
    expected = make_network("lstm", 0, input_dim=1, max_lag=50)
    assert torch.equal(weights_of(forgets_slowly), weights_of(expected))


def test_the_seed_decides_weights_palindromes_and_batches():
    model, _ = trained("lstm", seed=4)
    other = make_network("lstm", 4, max_lag=100)
    train_set, _ = PalindromeDataset(7, 300, one_hot=True, seed=4).split(0.8)
    train.train(other, [train_set], 3, 0.002, seed=4)
    assert torch.equal(weights_of(model), weights_of(other))


def test_the_script_writes_each_curve_and_the_weights_of_the_first_seed(call, tmp_path):
    flags = [*THREE_STEPS, "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2]
    call("train", *flags, "--jobs", 2, "--out_dir", tmp_path)
    files = {"accuracy.png", *(f"{stem}_t{T}.pth" for stem in ("lstm", "rnn") for T in (5, 8))}
    assert {path.name for path in tmp_path.iterdir()} == files | {"t5.csv", "t8.csv"}
    _, curve = trained("rnn", "--eval_every", "2", seed=5)
    lines = [f"rnn,5,{row['step']},{row['accuracy']},{row['loss']}" for row in curve]
    assert (tmp_path / "t8.csv").read_text().splitlines()[-4:] == lines
    model, _ = trained("rnn", seed=4)
    assert torch.equal(weights_of(model), weights_of(load(tmp_path / "rnn_t8.pth", from_weights)))


@pytest.mark.parametrize("decay", [True, False])
def test_the_loop_trains_as_a_textbook_does(decay):
    sets = [PalindromeDataset(n, 50, one_hot=True) for n in (4, 5, 6)]
    model, plain = (make_network("lstm", 0, hidden_dim=8) for _ in range(2))
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
        share = (model(inputs)[0].argmax(dim=1) == targets).double().mean().item()
        return pytest.approx(share, abs=0.0015)

    fresh = make_network("lstm", 0, max_lag=100)
    model, curve = trained("lstm", "--eval_every", "2", "--data_size", "100000")
    assert [row["step"] for row in curve] == [0, 1, 2, 3]
    assert curve[0]["accuracy"] == right(fresh, 1000)
    assert curve[0]["accuracy"] != right(fresh, 2000)
    assert curve[-1]["accuracy"] == right(model, 2000)
    assert train.accuracy(model, test_set, batch_size=1999) == right(model, 2000)


@pytest.mark.parametrize("experiment", SETTINGS)
def test_committed_curves_have_the_steps_of_the_flags_and_begin_as_today(experiment, monkeypatch):
    args = train.parse_args(" ".join(SETTINGS[experiment]).split())
    steps = sorted({*range(21), *range(0, args.train_steps + 1, args.eval_every)})
    points = [*itertools.product([n + 1 for n in args.input_length], args.model, steps)]
    committed = read_rows(RESULTS / "settings_rows.jsonl", SETTINGS)
    for rows in (rows for (name, _), rows in committed.items() if name == experiment):
        assert [(row["T"], row["network"], row["step"]) for row in rows] == points

    def measure_once(model, train_sets, steps, rate, *, watch, **others):
        watch(0, 2.3)

    monkeypatch.setattr(train, "train", measure_once)
    for seed in 300, 301, 302:
        first_points = committed[experiment, seed][:: len(steps)]
        for now, known in zip(settings.measure((experiment, seed)), first_points, strict=True):
            assert known == now | {"accuracy": pytest.approx(now["accuracy"], abs=0.005)}
