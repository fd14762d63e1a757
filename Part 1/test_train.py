"""Tests of Part 1's scripts: train.py, gradients.py, benchmark.py, memory.py."""

import argparse
import copy
import math
import subprocess
import sys
from pathlib import Path

import benchmark
import gradients
import memory
import pytest
import torch
import train
from common import run
from dataset import PalindromeDataset
from lstm import LSTM
from torch.optim.optimizer import register_optimizer_step_pre_hook

HERE = Path(__file__).resolve().parent


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run a script's main from an empty folder; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(script, *flags):
        monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *map(str, flags)])
        try:
            run(script.main)
            code = 0
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def rates():
    """The learning rate of every step that any optimizer takes."""
    seen = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append(optimizer.param_groups[0]["lr"])
    )
    yield seen
    hook.remove()


# Training


def test_training_solves_5_digits_and_the_seed_decides_every_bit(tmp_path):
    flags = ["--input_length", "4", "--train_steps", "100", "--out_dir"]
    outcomes = []
    for name in "ab":
        command = [sys.executable, HERE / "train.py", *flags, name]  # as a user does
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stderr == "", "progress bars belong on terminals only"
        rows = (row.split() for row in done.stdout.splitlines())
        lstm, rnn = (row[:-1] for row in rows if row[1] in ("lstm", "rnn"))  # without seconds
        assert lstm[:6] == ["5", "lstm", "0", "800", "200", "100.00%"], "at the last step"
        assert rnn[:2] == ["5", "rnn"]
        outcomes.append((lstm, rnn, (tmp_path / name / "t5.png").read_bytes()))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "flags", [["--model", "rnn", "--rnn_init", "orthogonal"], ["--curriculum", "--input_dim", 1]]
)
def test_training_runs_with_its_other_flags(flags, call, tmp_path):
    tiny = ["--input_length", 8, 2, "--train_steps", 3, "--data_size", 90, "--seeds", 2]
    code, out, _ = call(train, *tiny, *flags, "--out_dir", ".")
    assert code == 0
    assert out.count("2 seeds: worst") == (2 if "rnn" in flags else 4)
    assert {path.name for path in tmp_path.iterdir()} == {"t3.png", "t9.png"}


@pytest.mark.parametrize("curriculum", [False, True])
def test_no_palindrome_of_the_test_was_trained_on(curriculum):
    args = argparse.Namespace(
        input_dim=10, data_size=1000, portion_train=0.8, curriculum=curriculum
    )
    train_sets, test_set = train.make_data(7, 0, args)
    trained = {bytes(row) for dataset in train_sets for row in dataset.digits.numpy()}
    assert len(test_set) == 200
    assert trained.isdisjoint(map(bytes, test_set.digits.numpy()))


def test_each_network_has_its_own_learning_rate_unless_one_is_given(call, rates):
    tiny = ["--input_length", 2, "--train_steps", 1, "--out_dir", "."]
    call(train, *tiny)
    call(train, *tiny, "--learning_rate", 0.5)
    assert [20 * rate for rate in rates] == pytest.approx([1e-2, 1e-3, 0.5, 0.5]), "LSTM, RNN"


def test_the_gradient_is_clipped_after_the_backward_pass_and_the_gates_begin_as_asked():
    data = PalindromeDataset(4, 100, one_hot=True)
    for init, least, most in ("chrono", 0, math.log(4)), ("forget", 1, 1):
        model = train.make_model("lstm", 10, 16, init, T=5)
        bf = model.b[32:48]
        assert least <= bf.min() <= bf.max() <= most + 1e-6
        train.train(model, [data], None, train_steps=1, max_norm=1e-3)
        norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()
        assert norm == pytest.approx(1e-3, rel=1e-3)


def test_no_gradient_is_left_over_from_the_step_before():
    one, _ = PalindromeDataset(4, 10, one_hot=True).split(0.1)
    model = LSTM(10, 16, 10)
    gradients_after = []
    for steps in 1, 3:  # so short that they are at the same place
        train.train(model, [one], None, steps, learning_rate=1e-9, max_norm=1e9)
        gradients_after.append(model.W.grad.clone())
    torch.testing.assert_close(*gradients_after)


def test_the_learning_rate_rises_over_20_steps_and_falls_to_zero(rates):
    data = PalindromeDataset(4, 100, one_hot=True)
    train.train(LSTM(10, 16, 10), [data], None, train_steps=40, learning_rate=8e-3)
    expected = [8e-3 * min(1, (step + 1) / 20) * (1 - step / 40) for step in range(40)]
    assert rates == pytest.approx(expected)


class KnowsAllButThree(torch.nn.Module):
    """Answers with the first digit that it read, but never 3; reads 40 digits at a time at most."""

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, state=None):
        """The state is the answer."""
        assert x.shape[1] <= 40, "a long sequence needs no more memory than a piece of it"
        logits = x[:, 0].clone() if state is None else state
        logits[:, 3] = 0
        return logits, logits


@pytest.mark.parametrize("T", [5, 41, 100])
def test_every_palindrome_is_asked_once_and_its_answer_counted_beside_the_right_digit(T):
    dataset = PalindromeDataset(T - 1, 90, one_hot=True)
    for first, batch_size in (None, 1000), (None, 40), (70, 40):
        digits = dataset.digits[:first, -1].long()
        expected = torch.bincount(digits, minlength=10).diag()
        expected[3, 0], expected[3, 3] = expected[3, 3], 0
        answers = train.count_answers(KnowsAllButThree(), dataset, first, batch_size)
        assert torch.equal(answers, expected)
        accuracy = train.evaluate(KnowsAllButThree(), dataset, first, batch_size)
        assert accuracy == pytest.approx((digits != 3).float().mean().item())


def test_the_curve_is_of_the_first_1000_and_the_last_point_of_all():
    dataset = PalindromeDataset(5, 1000, one_hot=True)
    model = LSTM(10, 8, 10)
    before = copy.deepcopy(model)
    dataset.digits = torch.cat([dataset.digits, torch.full((500, 6), 9, dtype=torch.uint8)])
    history = train.train(model, [dataset], dataset, train_steps=2, eval_every=2)
    curve, last = train.evaluate(before, dataset, first=1000), train.evaluate(model, dataset)
    assert history["test"] == [(0, curve), (2, last)]
    assert curve != train.evaluate(before, dataset)
    assert torch.equal(history["answers"], train.count_answers(model, dataset))


# The other scripts


def test_the_gradient_reaches_the_first_digit_in_the_lstm_and_in_an_orthogonal_rnn(call, tmp_path):
    flags = "--lengths", 5, 20, "--seeds", 2, "--out_dir", "."
    code, out, _ = call(gradients, *flags)
    assert code == 0
    assert (tmp_path / "gradients.png").exists()
    medians = {tuple(row[:-3]): float(row[-3]) for row in map(str.split, out.splitlines()[3:])}
    assert medians["20", "RNN"] < 1e-3
    assert medians["20", "RNN"] < medians["5", "RNN"] < 1
    assert 0.03 < medians["20", "LSTM,", "chrono"] < 1
    assert 0.3 < medians["20", "RNN,", "orthogonal"] < 1
    _, trained, _ = call(gradients, *flags, "--train_steps", 2)
    assert not set(trained.splitlines()[3:]) & set(out.splitlines()[3:])


def test_benchmark_compares_the_contenders(call, tmp_path):
    tiny = ["--rounds", 1, "--lengths", 3, "--read", 2, "--batch_size", 2, "--num_hidden", 4]
    code, out, _ = call(benchmark, *tiny)
    assert code == 0
    for name in benchmark.CONTENDERS:
        assert out.count(f"  {name} ") == 2, "one for training, one for reading"
    assert not list(tmp_path.iterdir())


def test_short_sequences_teach_long_memory(call, tmp_path):
    flags = ["--train_steps", 500, "--max_length", 20, "--lengths", 20, 500, "--direct_lengths", 6]
    code, out, _ = call(memory, *flags, "--direct_steps", 5, "--out_dir", ".")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if " short " in line]
    assert [(row[0], row[3]) for row in rows] == [("20", "100.00%"), ("500", "100.00%")]
    assert (tmp_path / "memory.png").exists()


# Bad input

BAD_NUMBERS = ["0", "-1", "nan", "inf", "text", "1e999", "9" * 30]


@pytest.mark.parametrize(
    ("script", "numbers", "others"),
    [
        (
            train,
            "train_steps num_hidden batch_size learning_rate max_norm data_size portion_train "
            "eval_every input_length seeds input_dim",
            [
                *("--model gru", "--model lstm lstm", "--model", "--init zero"),
                *("--input_length 4 4", "--input_length 1", "--input_length"),
                *("--portion_train 1", "--data_size 1"),
                "--portion_train 0.0001 --input_length 4",
            ],
        ),
        (gradients, "lengths seeds data_size", ["--lengths 2", "--lengths", "--train_steps -1"]),
        (memory, "direct_steps train_steps max_length lengths direct_lengths seeds", []),
        (benchmark, "lengths batch_size read num_hidden rounds", []),
    ],
)
def test_wrong_flags_end_in_one_line_and_code_2(script, numbers, others, call, tmp_path):
    (tmp_path / "file").write_text("mine")
    wrong = [f"--{name} {bad}" for name in numbers.split() for bad in BAD_NUMBERS] + others
    wrong += ["--seed -1", "--seed 1.5", "--seed " + "9" * 30, "--unknown 1", "--see 1"]
    wrong += ["--device abacus", "--device meta"]
    wrong += [] if torch.cuda.is_available() else ["--device cuda"]
    if script is not benchmark:
        wrong += ["--out_dir file", "--out_dir file/folder", "--out_dir /proc/folder"]
    for flags in wrong:
        out_dir = [] if script is benchmark else ["--out_dir", "out"]
        code, _, error = call(script, *out_dir, *flags.split())
        *usage, line = error.splitlines()  # argparse's own usage stands above the error
        assert code == 2, flags
        assert all(row.startswith(("usage: ", " ")) for row in usage), error
        assert line.startswith(f"{script.__name__}.py: error: "), line
        name, _, value = flags.partition(" ")
        assert name in line or value.split()[0] in line, line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_both_parts_hold_the_same_common_file():
    other = HERE.parent / "Part 2" / "common.py"
    assert (HERE / "common.py").read_bytes() == other.read_bytes()
