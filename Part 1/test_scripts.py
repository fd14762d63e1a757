"""Tests of the other scripts, of common.py, and of what all scripts refuse."""

import sys
from pathlib import Path

import pytest
import torch

import ablation
import benchmark
import common
import gradients
import memory
import prove
import train
from lstm import LSTM

HERE = Path(__file__).resolve().parent


def test_the_gradient_reaches_the_first_digit_in_the_lstm_and_in_an_orthogonal_rnn(
    script, tmp_path
):
    done = script("gradients.py", "--lengths", 5, 20, "--seeds", 2, "--out_dir", ".")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"gradients.png", "gradients.csv"}
    rows = [line.split(",") for line in (tmp_path / "gradients.csv").read_text().splitlines()[1:]]
    medians = {(row[0], row[1]): float(row[2]) for row in rows}
    assert medians["20", "rnn"] < 1e-3
    assert medians["20", "rnn"] < medians["5", "rnn"] < 1
    assert 0.03 < medians["20", "lstm_chrono"] < 1
    assert 0.3 < medians["20", "rnn_orthogonal"] < 1


def test_benchmark_compares_the_contenders(script, tmp_path):
    done = script("benchmark.py", "--rounds", 1, "--lengths", 3)
    assert done.returncode == 0, done.stderr
    for name in "nn.LSTM", "LSTM", "RNN", "products":
        assert done.stdout.count(f"  {name} ") == 3, "one for training, two for reading"
    assert not list(tmp_path.iterdir())


# memory.py


def small_memory(monkeypatch, *flags):
    """Run memory.py with few and short trainings."""
    monkeypatch.setattr(memory, "STEPS", (1, 2, 3, 4))
    monkeypatch.setattr(memory, "SEEDS", range(2))
    monkeypatch.setattr(sys, "argv", ["memory.py", "--out_dir", "out", *flags])
    memory.main()


def test_memory_trains_each_network_once_and_none_for_longer_than_it_needs(
    monkeypatch, tmp_path, capsys
):
    asked = []

    def measure(network, **key):
        asked.append((network, *key.values()))
        right = network == "lstm" and key["steps"] > 1
        return {"accuracy": 1.0 if right else 0.2, "seconds": 1.0}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "measure", measure)
    small_memory(monkeypatch, "--networks", "lstm", "rnn")
    assert len(asked) == len(set(asked)) == 2 * 2 * (3 + 4), "the LSTM is right after 2 and 3 steps"
    table = capsys.readouterr().out.splitlines()
    for network, end in ("lstm", "2 | 1"), ("rnn", "more than 4 | "):
        rows = [row for row in table if f"| {network} |" in row and row.endswith(f"| {end} |")]
        assert len(rows) == 2, "one for each way of training"
    assert "| mixed | lstm | worst | 20.00% | 100.00% | 100.00% |  |" in table
    before = list(asked)
    small_memory(monkeypatch, "--networks", "lstm", "rnn")
    assert asked == before, "what is in the csv files is not trained again"
    names = {"memory.png", "memory_lstm.csv", "memory_rnn.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


def test_the_grid_takes_the_smallest_of_the_best_learning_rates(monkeypatch, tmp_path, capsys):
    def measure(network, **key):
        return {"accuracy": float(key["learning_rate"] in (1e-3, 1e-2)), "seconds": 1.0}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "measure", measure)
    small_memory(monkeypatch, "--grid")
    rows = capsys.readouterr().out.splitlines()
    assert sum(row.endswith("| 0.001 |") for row in rows) == 8


def test_short_palindromes_teach_long_memory(monkeypatch):
    monkeypatch.setattr(memory, "LONGEST", 10)
    measured = memory.measure("lstm_chrono", "mixed", 1e-2, 300, 0, "cpu")
    assert measured["accuracy"] > 0.6, "at T = 1,000, where chance is 0.1"


def test_memory_saves_the_networks_of_the_proof_and_the_seed_decides_their_bits(script, tmp_path):
    for folder in "ab":
        flags = f"--save_dir {folder} --steps 2 --lengths 5 50 --out_dir out"
        done = script("memory.py", *flags.split())
        assert done.returncode == 0, done.stderr
        assert len([row for row in done.stdout.splitlines() if "%" in row]) == 4
    for name in "palindrome_rnn.pth", "palindrome_lstm.pth":
        files = [(tmp_path / folder / name).read_bytes() for folder in "ab"]
        assert files[0] == files[1]
        assert len(files[0]) < 400_000
        prove.read_network(tmp_path / "a" / name)


# ablation.py


@pytest.mark.parametrize("name", ["input and forget at 1", "all three at 1"])
def test_a_held_gate_stays_at_1_and_the_rest_is_trained(name, monkeypatch):
    models = []

    def train_five_steps(model, *others):
        before = model.W.detach().clone()
        train.train_and_test(model, *others)
        models.append((before, model))

    monkeypatch.setattr(ablation, "train_and_test", train_five_steps)
    monkeypatch.setattr(ablation, "summary", lambda results: None)
    ablation.run_seeds(20, "--train_steps 5", [0], ablation.VARIANTS[name])
    [(before, model)] = models
    x, h = torch.randn(7, 10), torch.randn(7, 128)
    z = torch.nn.functional.linear(torch.cat([x, h], dim=1), model.W, model.b)
    for n, gate in enumerate(ablation.GATES):
        held = gate in ablation.VARIANTS[name]
        assert (torch.sigmoid(z.chunk(4, dim=1)[n]) == 1).all() == held
        assert torch.equal(model.W.chunk(4)[n], before.chunk(4)[n]) == held


def test_the_starts_of_the_biases(monkeypatch):
    seen = []
    monkeypatch.setattr(ablation, "train_and_test", lambda model, *_: seen.append(model.b.data))
    monkeypatch.setattr(ablation, "summary", lambda results: None)
    for name, biases in ablation.VARIANTS.items():
        if name.startswith("none"):
            ablation.run_seeds(20, "", [0], biases)
    (_, bi, bf, _), *others = (b.view(4, 128) for b in seen)
    assert torch.equal(bi, -bf)
    assert bf.std() > 0.1
    no, one = 0 * bi, 0 * bf + 1
    expected = (no, bf), (bi, one), (no, one)
    for b, both in zip(others, expected, strict=True):
        assert torch.equal(b[1:3], torch.stack(both))


def test_ablation_prints_its_tables(monkeypatch, capsys):
    asked = []

    def small(argv):
        asked.append(train.parse_args([*argv, "--data_size", "100"]))
        return asked[-1]

    monkeypatch.setattr(ablation, "parse_args", small)
    monkeypatch.setattr(sys, "argv", ["ablation.py", "--steps", "1", "--seeds", "2"])
    ablation.main()
    rows = capsys.readouterr().out.splitlines()
    gates = len(ablation.VARIANTS)
    at_80 = gates + 2
    expected = len(ablation.SETTINGS) + 6 + gates + at_80
    assert sum("of 2 |" in row for row in rows) == expected
    assert sum("| 80 |" in row for row in rows) == at_80
    template = asked[len(ablation.SETTINGS) + 2 + 1]  # after the settings' table and ours
    assert (template.input_dim, template.init, template.max_norm) == (1, "forget", 10)
    assert (template.learning_rate, template.warmup, template.constant_rate) == (0.001, 0, True)

    flags = ["--only", "gates", "--rows", "all three at 1", "none; bf = 1, bi = 0"]
    monkeypatch.setattr(sys, "argv", ["ablation.py", "--steps", "1", "--seeds_at_80", "1", *flags])
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--learning_rate", "0.003"])
    ablation.main()
    assert asked[-1].learning_rate == 0.003
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines() if " of " in row]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        (f"| {name}", T, f"0 of {n}") for T, n in (("20", 10), ("80", 1)) for name in flags[3:]
    ]


# Bad input

BAD_NUMBERS = ["0", "-1", "nan", "inf", "text", "1e999", "9" * 30]


@pytest.mark.parametrize(
    ("module", "numbers", "others"),
    [
        (
            train,
            "train_steps num_hidden batch_size learning_rate max_norm data_size portion_train "
            "eval_every input_length seeds input_dim",
            [
                *("--model gru", "--model", "--init zero", "--input_length 1", "--input_length"),
                *("--portion_train 1", "--data_size 1", "--portion_train 0.0001 --input_length 4"),
            ],
        ),
        (gradients, "lengths seeds", ["--lengths 2", "--lengths"]),
        (
            memory,
            "steps lengths",
            [
                *("--networks gru", "--save_dir file", "--grid --save_dir new"),
                *("--seed 1", "--steps 5 --grid", "--lengths 20"),
            ],
        ),
        (
            ablation,
            "steps seeds seeds_at_80 learning_rate",
            [
                *("--only this", "--seed -1", "--rows this"),
                *("--learning_rate 1 --only template", "--rows none --only settings"),
            ],
        ),
        (benchmark, "lengths rounds", []),
    ],
)
def test_wrong_flags_end_in_one_line_and_code_2(module, numbers, others, refuse, tmp_path):
    (tmp_path / "file").write_text("mine")
    wrong = [f"--{name} {bad}" for name in numbers.split() for bad in BAD_NUMBERS] + others
    wrong += ["--unknown 1", "--round 1"]
    if module not in (ablation, benchmark):
        wrong += ["--seed -1", "--seed 1.5", "--seed " + "9" * 30]
        wrong += ["--device abacus", "--device meta"]
        wrong += ["--out_dir file", "--out_dir file/folder", "--out_dir /proc/folder"]
    for flags in wrong:
        name, _, value = flags.partition(" ")
        words = [value.split()[0]] if name in ("--out_dir", "--save_dir") else [name]
        refuse(module.main, *flags.split(), words=words)


def test_a_damaged_table_is_named(refuse, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "memory_rnn.csv").write_text("way,seed\nalone,many\n")
    refuse(memory.main, "--out_dir", "run", words=["memory_rnn.csv"])


# common.py


def test_a_bug_shows_its_traceback_and_a_lack_of_memory_one_line(capsys, tmp_path):
    for bug in RuntimeError("CUDA error: an illegal memory access"), KeyError("bug"), OSError(5):

        def main(bug=bug):
            raise bug

        with pytest.raises(type(bug)):
            common.run(main)
    with pytest.raises(SystemExit) as stop:
        common.run(lambda: torch.empty(10**15))
    assert stop.value.code == 2
    assert "out of memory" in capsys.readouterr().err

    path = tmp_path / "lstm.pth"
    torch.save(LSTM(10, 4, 10).state_dict(), path)
    for bug in AttributeError, TypeError, AssertionError:

        def build(weights, bug=bug):
            raise bug("ours")

        with pytest.raises(bug):
            common.load_model(path, "cpu", build)
    with pytest.raises(common.InputError, match="another model"):
        common.load_model(path, "cpu", lambda weights: LSTM(10, 5, 10).load_state_dict(weights))


def test_a_failed_save_leaves_the_old_file_whole(tmp_path):
    target = tmp_path / "weights.pth"
    target.write_bytes(b"old")
    for problem, raised in (OSError(28, "No space left"), common.InputError), (KeyError, KeyError):

        def write(file, problem=problem):
            file.write(b"new")
            raise problem

        with pytest.raises(raised):
            common.save(target, write)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]


def test_help_shows_the_docstring_and_the_defaults(script):
    shown = script("train.py", "--help").stdout
    assert "    python train.py --input_length 39 --curriculum" in shown
    assert "(default: 500)" in shown
    assert "None" not in shown


def test_both_parts_hold_the_same_shared_files():
    for name in "common.py", "conftest.py":
        assert (HERE / name).read_bytes() == (HERE.parent / "Part 2" / name).read_bytes()
