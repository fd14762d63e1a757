"""Tests of train.py: flags, the loop, the curves, what a run leaves."""

import functools
import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from common import BLUE, GREY, HERE, ORANGE, duration, grouped, read_csv
from conftest import TINY, drawn, settings_for
from dataset import PalindromeDataset
from networks import NETWORKS, load_network, make_network
from train import DECIDE, parse_args, summary, train, train_and_test, training_figure

TEN_STEPS = "--train_steps 10 --data_size 300"
CONCERNED = {  # {networks: flags that change what they learn}
    "lstm rnn": "--input_dim 1, --num_hidden 64, --data_size 299, --portion_train 0.7, --no-decay, "
    "--train_steps 11, --batch_size 127, --max_norm 0.1, --learning_rate 0.003, --warmup 50",
    "lstm": "--bf 0, --learning_rate 0.001",  # the RNN's default
    "rnn": "--rnn_init orthogonal, --learning_rate 0.004",  # the LSTM's
}


CURVE = {"eval_early": 1, "eval_every": 4, "eval_size": 30}


@functools.cache
def weights_of(name, flags=""):
    model, _ = train_and_test(settings_for(name, f"{TEN_STEPS} {flags}") | CURVE, 8, 0)
    return torch.cat([weight.flatten() for weight in model.state_dict().values()])


def test_each_flag_that_decides_is_tried():
    flags = {word for flags in CONCERNED.values() for word in re.findall("--(?:no-)?(\\w+)", flags)}
    assert flags >= {*DECIDE, *NETWORKS["lstm"].flags, *NETWORKS["rnn"].flags}


@pytest.mark.parametrize("networks", CONCERNED)
def test_each_flag_changes_the_weights_of_the_networks_that_it_concerns(networks):
    for flags in CONCERNED[networks].split(", "):
        both = "lstm", "rnn"
        changed = [name for name in both if not weights_of(name).equal(weights_of(name, flags))]
        assert changed == networks.split(), flags


def test_the_preset_is_its_flags_a_given_flag_wins_and_the_folder_names_what_is_changed():
    preset = "--preset template"
    named = "--input_dim 1 --bf 0 --learning_rate 0.001 --no-decay --warmup 0 --train_steps 10000"
    given = "--input_dim 10 --bf chrono --learning_rate 0.002 --decay --warmup 7 --train_steps 9"
    for name in NETWORKS:
        assert settings_for(name, preset) == settings_for(name, named)
        assert settings_for(name, f"{preset} {given}") == settings_for(name, given)
        free = "--input_length 3 --seed 1 --seeds 9 --eval_every 7 --jobs 2 --out_dir x"
        assert settings_for(name, free) == settings_for(name), "what does not decide a training run"
        own = {"network", *DECIDE, *NETWORKS[name].flags}
        assert settings_for(name).keys() == own
    for flags, folder in (
        ("--jobs 7 --seeds 3", "run"),
        ("--input_length 39 4 39 --seeds 1", "run/input_length=4-39,seeds=1"),
        ("--preset template --bf 1", "run/bf=1.0,preset=template"),
        ("--seeds 1 --out_dir /mine", "/mine"),
    ):
        assert parse_args(flags.split()).out_dir == HERE / folder


def test_a_run_leaves_each_networks_own_curve_and_weights(call, tmp_path, capsys):
    steps = "--train_steps 25 --data_size 300"
    flags = f"{steps} --eval_early 1 --eval_every 4 --eval_size 30 --input_length 7 4 --seeds 2"
    call("train", *flags.split(), "--jobs", 1, "--out_dir", tmp_path)
    first, *_, summary_of_rnn, last = capsys.readouterr().out.splitlines()
    expected = "training lstm, rnn at T = 5, 8, seeds 300 to 301, 1 at a time: about 1 minute"
    assert first == expected
    files = {f"{name}_t{T}.pth" for name in ("lstm", "rnn") for T in (5, 8)}
    files |= {"accuracy.png", "curves.csv", "settings.json"}
    assert {path.name for path in tmp_path.iterdir()} == files
    rows = grouped(read_csv(tmp_path / "curves.csv"), "T", "network", "seed")
    assert len(rows) == 8
    for name in "lstm", "rnn":
        settings = settings_for(name, steps)
        saved = json.loads((tmp_path / "settings.json").read_text())["networks"][name]
        assert saved == settings, "its own rate, too, which no flag gave"
        settings |= CURVE
        for seed in 300, 301:
            model, curve = train_and_test(settings, 8, seed)
            found = [[float(row[key]) for key in curve[0]] for row in rows["8", name, str(seed)]]
            assert found == [[*point.values()] for point in curve]
            if seed == 300:
                saved = load_network(tmp_path / f"{name}_t8.pth").state_dict()
                torch.testing.assert_close(saved, model.state_dict())
    ends = [100 * float(rows["8", "rnn", seed][-1]["accuracy"]) for seed in ("300", "301")]
    assert summary_of_rnn.startswith(f"rnn, T = 8: worst accuracy, % {min(ends):.2f}, ")
    assert last.endswith(str(tmp_path))


def test_a_summary_has_the_worst_the_median_and_those_that_solve_it():
    shares = 0.5, 0.999, 1.0, 0.99899
    cells = summary([{"accuracy": share} for share in shares])
    assert [*cells.values()] == ["50.00", "99.90", "2 of 4"]
    times = 5, 61, 119 * 60, 7201
    assert [*map(duration, times)] == ["1 minute", "2 minutes", "119 minutes", "3 hours"]


@pytest.mark.parametrize(("decay", "warmup", "used"), [(True, 3, 3), (False, 50, 4), (True, 0, 0)])
def test_the_loop_trains_as_a_textbook_does(decay, warmup, used):
    sets = [PalindromeDataset(n, 50, one_hot=True) for n in (4, 5, 6)]
    settings = settings_for("lstm") | TINY | {"train_steps": 40, "decay": decay, "warmup": warmup}
    model, plain = (make_network(settings, 0) for _ in range(2))
    assert train(settings, model, sets, 3) is model
    optimizer, rng = torch.optim.RMSprop(plain.parameters()), np.random.default_rng(3)
    for step in range(40):
        rate = 0.02 * (step + 1) / (used + 1) if step < used else 0.02
        optimizer.param_groups[0]["lr"] = rate * (40 - step) / 40 if decay else rate
        inputs, targets = sets[rng.integers(3)][torch.from_numpy(rng.integers(50, size=7))]
        optimizer.zero_grad()
        F.cross_entropy(plain(inputs)[0], targets).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
    torch.testing.assert_close(model.state_dict(), plain.state_dict())


@pytest.mark.parametrize("name", NETWORKS)
def test_training_solves_five_digits(name):
    settings = settings_for(name, "--train_steps 100") | CURVE | {"eval_every": 50}
    _, curve = train_and_test(settings, 5, 0)
    assert curve[-1]["accuracy"] == 1


def test_the_curve_is_of_some_unseen_palindromes_and_its_end_of_all():
    settings = settings_for("rnn", f"{TEN_STEPS} --no-decay")
    settings |= {"eval_early": 2, "eval_every": 4, "eval_size": 20}
    _, test_set = PalindromeDataset(7, 300, True, seed=3).split(0.8)
    sizes = {0: 20, 1: 20, 2: 20, 4: 20, 8: 20, 10: 60}
    _, curve = train_and_test(settings, 8, 3)
    for point, (step, size) in zip(curve, sizes.items(), strict=True):
        model, _ = train_and_test(settings | {"train_steps": step}, 8, 3)
        inputs, targets = test_set[:size]
        logits, _ = model(inputs)
        accuracy = (logits.argmax(dim=1) == targets).double().mean().item()
        assert point == {"step": step, "accuracy": accuracy}


def test_the_figure_shows_each_network_in_its_colour_and_counts_those_that_end_solved():
    accuracies = {  # {(T, network): those of each seed after 0, 60 and 61 steps}
        (5, "lstm"): [[0.1, 1.0, 1.0], [0.3, 0.999, 1.0]],
        (5, "rnn"): [[0.2, 1.0, 0.999]],
        (20, "lstm"): [[0.1, 1.0, 0.9], [0.2, 0.4, 1.0], [0.3, 0.6, 0.999]],
        (20, "rnn"): [[0.2, 1.0, 0.998], [0.0, 0.2, 0.2]],
    }
    rows = []
    for (T, network), seeds in accuracies.items():
        for seed, shares in enumerate(seeds):
            for step, share in zip((0, 60, 61), shares, strict=True):
                row = {"T": T, "network": network, "seed": seed, "step": step}
                rows.append(row | {"accuracy": share})
    five, twenty = training_figure(rows).axes
    assert five.get_title() == "5 digits solved: 2 of 2 LSTMs, 1 of 1 RNNs"
    assert twenty.get_title() == "20 digits solved: 2 of 3 LSTMs, 0 of 2 RNNs"
    for axes, T, steps in (five, 5, [0, 60]), (twenty, 20, [0, 60, 61]):
        lines = drawn(axes)
        assert (GREY, [0, 1], [10, 10]) in lines.values(), "chance"
        for network, color in ("lstm", BLUE), ("rnn", ORANGE):
            shares = 100 * np.array(accuracies[T, network])[:, : len(steps)]
            bold = color, steps, pytest.approx(np.median(shares, axis=0))
            assert lines.pop(network.upper()) == bold
            thin = [ys for c, xs, ys in lines.values() if (c, xs) == (color, steps)]
            assert thin == [pytest.approx(own) for own in shares]


def test_the_figure_of_a_short_run_shows_all_that_was_measured():
    row = {"T": 20, "network": "rnn", "seed": 0}
    rows = [row | {"step": step, "accuracy": step / 30} for step in range(31)]
    (axes,) = training_figure(rows).axes
    assert drawn(axes)["RNN"][1] == [*range(31)]


def test_a_flag_of_a_network_that_is_not_trained_is_refused(capsys):
    for flag, flags in ("bf", "--model rnn --bf 1"), ("rnn_init", "--model lstm --rnn_init scaled"):
        with pytest.raises(SystemExit, match=r"^2$"):
            parse_args(flags.split())
        assert f"argument --{flag}: " in capsys.readouterr().err
    parse_args(["--model", "rnn", "--preset", "template"])  # which sets bf for LSTMs
