"""Tests of Part 1's scripts, run as a user runs them: in a process of their own, from elsewhere."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).resolve().parent


def run_python(*arguments, cwd):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_training_solves_5_digits_and_the_seed_decides_every_bit(tmp_path):
    flags = ["--input_length", 4, "--train_steps", 100]
    outcomes = []
    for name in "ab":
        done = run_python(HERE / "train.py", *flags, "--out_dir", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", "progress bars belong on terminals only"
        row = done.stdout.splitlines()[-1].split()
        assert row[:5] == ["5", "0", "800", "200", "100.00%"], "accuracy at the last step"
        outcomes.append((row[5], (tmp_path / name / "t5.png").read_bytes()))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("flags", [["--model", "rnn"], ["--curriculum", "--input_dim", 1]])
def test_training_runs_with_its_other_flags(flags, tmp_path):
    tiny = ["--input_length", 8, 2, "--train_steps", 3, "--data_size", 90, "--seeds", 2]
    done = run_python(HERE / "train.py", *tiny, *flags, "--out_dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("worst of 2 seeds") == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_the_gradient_is_clipped_and_the_gates_begin_as_asked(tmp_path):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from dataset import PalindromeDataset
from train import make_model, train
data = PalindromeDataset(4, 100, one_hot=True)
for init in "chrono", "forget":
    model = make_model("lstm", 10, 16, init, T=5)
    print(model.b[32:48].min().item(), model.b[32:48].max().item())
    train(model, [data], data, train_steps=1, max_norm=1e-3)
    print(torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item())
"""
    done = run_python("-c", code, HERE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    chrono, norm, forget, norm_again = (
        [float(n) for n in row.split()] for row in done.stdout.splitlines()
    )
    assert 0 <= chrono[0] < chrono[1] <= math.log(4) + 1e-6, "bf = log U(1, T - 1)"
    assert forget == [1, 1]
    assert norm + norm_again == pytest.approx([1e-3, 1e-3], rel=1e-3), "clipped after backward?"


def test_the_learning_rate_rises_over_20_steps_and_falls_to_zero(tmp_path):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from dataset import PalindromeDataset
from train import make_model, train
class Spy(torch.optim.RMSprop):
    def step(self, closure=None):
        print(self.param_groups[0]["lr"])
        return super().step(closure)
torch.optim.RMSprop = Spy
data = PalindromeDataset(4, 100, one_hot=True)
train(make_model("lstm", 10, 16, "chrono", 5), [data], data, train_steps=40, learning_rate=8e-3)
"""
    done = run_python("-c", code, HERE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = [8e-3 * min(1, (step + 1) / 20) * (1 - step / 40) for step in range(40)]
    assert [float(rate) for rate in done.stdout.split()] == pytest.approx(expected)


def test_short_sequences_teach_long_memory(tmp_path):
    flags = ["--train_steps", 500, "--max_length", 20, "--lengths", 20, 500, "--direct_lengths", 6]
    flags += ["--direct_steps", 5]
    done = run_python(HERE / "memory.py", *flags, "--out_dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if " short " in line]
    assert [(row[0], row[3]) for row in rows] == [("20", "100.00%"), ("500", "100.00%")]
    assert [path.name for path in tmp_path.iterdir()] == ["memory.png"]


def test_a_long_sequence_needs_no_more_memory_than_a_short_one(tmp_path):
    code = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from dataset import PalindromeDataset
from lstm import LSTM
from train import evaluate
for T in 1_000, 20_000:  # all at once, the second would take a gigabyte
    evaluate(LSTM(10, 128, 10), PalindromeDataset(T - 1, 16, one_hot=True))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    done = run_python("-c", code, HERE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    short, long = map(int, done.stdout.split())
    assert long < short + 30, "MB at most"


# Runs a script's main once for each list of flags, in one process: importing torch takes seconds.
IN_ONE_PROCESS = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
script = importlib.import_module(sys.argv[2])
from common import run
for flags in sys.argv[3].split("|"):
    sys.argv = [script.__name__ + ".py", "--out_dir", "out", *flags.split()]
    try:
        run(script.main)
        code = 0
    except SystemExit as end:
        code = end.code
    print(f"code {code} after: {flags}", file=sys.stderr)
"""


def assert_one_line_and_code_2(script, wrong, tmp_path):
    (tmp_path / "file").write_text("mine")
    wrong = [*wrong, "--out_dir file", "--out_dir file/folder", "--out_dir /proc/folder"]
    wrong += ["--seed -1", "--seed 1.5", "--seed " + "9" * 30, "--unknown 1"]
    wrong += ["--device abacus", "--device meta", "--train", "--train_steps"]
    wrong += [] if torch.cuda.is_available() else ["--device cuda"]
    done = run_python("-c", IN_ONE_PROCESS, HERE, script, "|".join(wrong), cwd=tmp_path)
    usage = ("usage: ", " ")  # argparse's own lines above the error
    lines = [line for line in done.stderr.splitlines() if not line.startswith(usage)]
    assert len(lines) == 2 * len(wrong), done.stderr
    for flags, line, code in zip(wrong, lines[::2], lines[1::2], strict=True):
        assert code == f"code 2 after: {flags}", line
        assert line.startswith(f"{script}.py: error: "), line
        name, _, value = flags.partition(" ")
        assert name in line or value.split()[0] in line, line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


BAD_NUMBERS = ["0", "-1", "nan", "inf", "text", "1e999", "9" * 30]


def test_wrong_flags_of_train(tmp_path):
    names = "train_steps num_hidden batch_size learning_rate max_norm data_size portion_train"
    names += " eval_every input_length seeds input_dim"
    wrong = [f"--{name} {bad}" for name in names.split() for bad in BAD_NUMBERS]
    wrong += ["--model gru", "--init zero", "--input_length 4 4", "--input_length 1"]
    wrong += ["--input_length", "--portion_train 1", "--data_size 1"]
    wrong += ["--portion_train 0.0001 --input_length 4"]
    assert_one_line_and_code_2("train", wrong, tmp_path)


def test_benchmark_compares_the_contenders(tmp_path):
    tiny = ["--rounds", 1, "--lengths", 3, "--batch_size", 2, "--num_hidden", 4]
    done = run_python(HERE / "benchmark.py", *tiny, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, _, _, _, *rows = done.stdout.splitlines()  # settings, versions, hardware, header
    for name in "ours", "nn.LSTM", "eight linears":
        assert sum(f"  {name} " in row for row in rows) == 2, "one for training, one for reading"
    assert not list(tmp_path.iterdir())


def test_wrong_flags_of_memory(tmp_path):
    names = "direct_steps train_steps max_length lengths direct_lengths seeds"
    wrong = [f"--{name} {bad}" for name in names.split() for bad in BAD_NUMBERS]
    assert_one_line_and_code_2("memory", wrong, tmp_path)


def test_both_parts_hold_the_same_common_file():
    other = HERE.parent / "Part 2" / "common.py"
    assert (HERE / "common.py").read_bytes() == other.read_bytes()
