"""Tests of train.py and studies/settings.py: flags, seeds, the loop, the data, the curves."""

import re
import statistics

import numpy as np
import pytest
import torch

import networks
import train
from common import BLUE, ORANGE, load
from conftest import drawn
from dataset import PalindromeDataset
from networks import from_weights, make_network
from studies import settings
from studies.runner import RESULTS, read_rows

COMMITTED = read_rows(RESULTS / "settings_rows.jsonl", settings.EXPERIMENTS, settings.COLUMNS)
THREE_STEPS = ["--train_steps", "3", "--data_size", "300", "--input_length", "7"]


def weights_of(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def trained(name, *flags, seed=0):
    args = train.parse_args([*THREE_STEPS, *flags])
    return train.train_and_test(name, args.input_length[0] + 1, seed, train.settings_of(args))


@pytest.mark.parametrize(
    "flags",
    [
        *("--input_length 8", "--input_dim 1", "--num_hidden 64", "--data_size 299"),
        *("--portion_train 0.7", "--train_steps 4", "--batch_size 127", "--learning_rate 0.003"),
        *("--no-decay", "--max_norm 0.1", "--bf 0", "--rnn_start identity"),
    ],
)
def test_each_flag_changes_the_weights(flags):
    of_one = {"--bf 0": "lstm", "--rnn_start identity": "rnn"}
    for name in "lstm", "rnn":
        (one, _), (other, _) = trained(name), trained(name, *flags.split())
        changed = not torch.equal(weights_of(one), weights_of(other))
        assert changed == (of_one.get(flags, name) == name), f"{flags}, {name}"


def test_the_preset_is_the_flags_that_it_names_and_a_given_flag_wins():
    preset, parse = ["--preset", "assignment"], train.parse_args
    named = ["--input_dim", "1", "--bf", "0", "--learning_rate", "0.001", "--no-decay"]
    assert vars(parse(preset)) == vars(parse(named)) | {"preset": "assignment"}
    given = ["--input_dim", "10", "--bf", "2", "--learning_rate", "0.002", "--decay"]
    assert vars(parse(preset + given)) == vars(parse(given)) | {"preset": "assignment"}


def test_the_script_writes_each_curve_and_the_weights_of_the_first_seed(call, tmp_path):
    flags = [*THREE_STEPS, "--input_length", 4, 7, "--eval_every", 2, "--seed", 4, "--seeds", 2]
    call("train", *flags, "--jobs", 2, "--out_dir", tmp_path)
    files = {"accuracy.png", *(f"{stem}_t{T}.pth" for stem in ("lstm", "rnn") for T in (5, 8))}
    files |= {"settings.txt", "t5.csv", "t8.csv"}
    assert {path.name for path in tmp_path.iterdir()} == files
    _, curve = trained("rnn", "--eval_every", "2", seed=5)
    lines = [f"rnn,5,{row['step']},{row['accuracy']},{row['loss']}" for row in curve]
    assert (tmp_path / "t8.csv").read_text().splitlines()[-4:] == lines
    model, _ = trained("rnn", seed=4)
    assert torch.equal(weights_of(model), weights_of(load(tmp_path / "rnn_t8.pth", from_weights)))


def test_finished_trainings_are_kept_and_other_settings_refused(call, tmp_path, monkeypatch):
    flags = [*THREE_STEPS, "--model", "rnn", "--seeds", 3, "--jobs", 1, "--out_dir", tmp_path]

    def stop_at_the_last(name, seed, *sizes):
        if seed == 302:
            raise KeyboardInterrupt
        return make_network(name, seed, *sizes)

    with monkeypatch.context() as patch:
        patch.setattr(networks, "make_network", stop_at_the_last)
        with pytest.raises(KeyboardInterrupt):
            call("train", *flags)
    kept = (tmp_path / "t8.csv").read_text()
    assert (kept.count("rnn,300"), kept.count("rnn,301")) == (4, 4)
    assert (tmp_path / "rnn_t8.pth").exists()
    holds = f"--out_dir {tmp_path}: holds a run with bf=None seeds=3 (now bf=1.0 seeds=2); take"
    with pytest.raises(SystemExit, match=f"^{re.escape(holds)} another folder$"):
        call("train", *flags, "--bf", 1, "--seeds", 2)
    assert (tmp_path / "t8.csv").read_text() == kept


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
    hundred_steps = train.settings_of(train.parse_args(["--train_steps", "100"]))
    for name in "lstm", "rnn":
        _, curve = train.train_and_test(name, 5, 0, hundred_steps)
        assert (curve[-1]["step"], curve[-1]["accuracy"]) == (100, 1.0)
        assert curve[0]["loss"] > 2.2 > 0.1 > curve[-1]["loss"]


def test_the_curve_is_of_the_first_unseen_palindromes_and_its_last_point_of_all():
    args = train.parse_args([*THREE_STEPS, "--eval_every", "2"])
    tiny = train.settings_of(args) | {"curve_size": 20, "early": 1}
    model, curve = train.train_and_test("lstm", 8, 0, tiny)
    palindromes = PalindromeDataset(7, 300, one_hot=True)
    train_set, test_set = palindromes.split(0.8)
    assert torch.equal(torch.cat([train_set.digits, test_set.digits]), palindromes.digits)
    inputs, targets = test_set[:]
    right = make_network("lstm", 0)(inputs[:20])[0].argmax(dim=1) == targets[:20]
    assert [row["step"] for row in curve] == [0, 1, 2, 3]
    assert curve[0]["accuracy"] == right.sum().item() / 20
    right = model(inputs)[0].argmax(dim=1) == targets
    assert curve[-1]["accuracy"] == right.sum().item() / 60
    assert train.accuracy(model, test_set, batch_size=59) == right.sum().item() / 60


def test_the_figure_shows_each_network_in_its_colour_and_the_median_bold():
    rows, curves = [], {5: [], 20: []}
    for (experiment, seed), own in COMMITTED.items():
        rows += [{"experiment": experiment, "seed": seed} | row for row in own if seed < 305]
    for row in rows:  # RNNs have their best rate at 20 digits
        best = "rnn, 0.001" if (row["T"], row["network"]) == (20, "rnn") else "defaults"
        if row["experiment"] == best:
            curves[row["T"]].append(row)
    figure = train.training_figure(settings.shown_curves(rows))
    for axes, (T, rows) in zip(figure.axes, curves.items(), strict=True):
        solved = 5 if T == 5 else 1
        assert axes.get_title() == f"{T} digits solved: 5 of 5 LSTMs, {solved} of 5 RNNs"
        lines = drawn(axes)
        for name, colour in ("lstm", BLUE), ("rnn", ORANGE):
            own, steps = {}, [*range(21), *range(30, 61 if T == 5 else 501, 10)]
            for row in rows:
                if row["network"] == name and row["step"] in steps:
                    own.setdefault(row["seed"], []).append(100 * row["accuracy"])
            medians = [statistics.median(shares) for shares in zip(*own.values(), strict=True)]
            assert lines.pop(name.upper()) == (colour, steps, pytest.approx(medians))
            thin = [ys for c, xs, ys in lines.values() if (c, xs) == (colour, steps)]
            assert thin == [pytest.approx(shares) for shares in own.values()]


def test_the_table_tells_the_last_accuracy_from_the_late_minimum_and_the_best_one():
    rows = []
    for seed, *curve in (300, 0.2, 1.0, 0.3, 0.999), (301, 0.1, 0.999, 0.9, 0.4):
        for step, share in zip((0, 70, 80, 100), curve, strict=True):
            row = {"experiment": "rnn", "seed": seed, "T": 20, "network": "rnn"}
            rows.append(row | {"step": step, "accuracy": share})
    (line,) = settings.accuracy_table(rows)
    expected = ["40.00", "69.95", "1 of 2", "30.0", "2 of 2"]
    assert [*line.values()][3:] == expected
