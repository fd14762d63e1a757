"""Tests of Part 1. Scripts run as a user runs them: in a process of their own, from elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from dataset import PalindromeDataset
from lstm import LSTM, Recurrence
from rnn import VanillaRNN
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, linear
from torch.utils.data import DataLoader

HERE = Path(__file__).resolve().parent


def run_python(*arguments, cwd):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


# The networks


def torch_forward(model, x, state):
    """Logits and state from torch.nn.LSTM or torch.nn.RNN with the weights of our model."""
    if isinstance(model, LSTM):
        H = model.Wph.shape[1]
        order = [1, 2, 0, 3]  # torch's gates are i, f, g, o; ours g, i, f, o
        W, b = (torch.cat([w.split(H)[n] for n in order]) for w in (model.W, model.b))
        Wx, Wh = W[:, :-H], W[:, -H:]
        theirs = nn.LSTM(W.shape[1] - H, H, batch_first=True)
        state = tuple(s.unsqueeze(0) for s in state)
    else:
        Wx, Wh, b = model.Whx, model.Whh, model.bh
        theirs = nn.RNN(*Wx.t().shape, batch_first=True)
        state = state.unsqueeze(0)
    weights = {"weight_ih_l0": Wx, "weight_hh_l0": Wh, "bias_ih_l0": b, "bias_hh_l0": 0 * b}
    h, state = functional_call(theirs.to(x), weights, (x, state))
    return linear(h[:, -1], model.Wph, model.bp), state


@pytest.mark.parametrize("network", [LSTM, VanillaRNN])
@pytest.mark.parametrize("shape", [(3, 50, 10, 17), (1, 1, 1, 1), (5, 7, 1, 4)])
def test_values_and_gradients_agree_with_torch(network, shape):
    B, T, D, H = shape
    torch.manual_seed(0)
    model = network(D, H, 10).double()
    for parameter in model.parameters():  # biases too: a bias of 0 hides a bias that is left out
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    names = "hc" if network is LSTM else "h"
    states = [torch.randn(B, H, dtype=torch.float64, requires_grad=True) for _ in names]

    def outcome(forward):
        p, new = forward(x, tuple(states) if network is LSTM else states[0])
        new = torch.stack([s.view(B, H) for s in new] if network is LSTM else [new.view(B, H)])
        loss = cross_entropy(p, torch.arange(B)) + new.sin().sum()
        return [p, new, *torch.autograd.grad(loss, [x, *states, *model.parameters()])]

    ours = outcome(model)
    theirs = outcome(lambda *inputs: torch_forward(model, *inputs))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_the_backward_pass_written_by_hand_is_the_derivative():
    torch.manual_seed(0)
    T, D, H, B = 4, 3, 2, 5
    shapes = [(T, D, B), (4 * H, D + H), (4 * H,), (H, B), (H, B)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(Recurrence.apply, inputs)


@pytest.mark.parametrize("network", [LSTM, VanillaRNN])
def test_pieces_equal_the_whole(network):
    model = network(10, 16, 10).double()
    x = torch.randn(4, 23, 10, dtype=torch.float64)
    logits, _ = model(x)
    state = None
    for piece in x.split([1, 15, 7], dim=1):
        in_pieces, state = model(piece, state)
    torch.testing.assert_close(in_pieces, logits, rtol=0, atol=1e-12)


def test_no_state_is_a_state_of_zeros():
    model = LSTM(10, 16, 10).double()
    x = torch.randn(4, 5, 10, dtype=torch.float64)
    zeros = torch.zeros(4, 16, dtype=torch.float64, requires_grad=True)
    without, given = (
        torch.autograd.grad(model(x, state)[0].sin().sum(), model.parameters())
        for state in (None, (zeros, zeros))
    )
    for one, other in zip(without, given, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [LSTM, VanillaRNN])
def test_output_is_logits(network):
    logits, _ = network(10, 16, 10)(torch.randn(64, 5, 10))
    assert not torch.allclose(logits.sum(dim=1), torch.ones(64)), (
        "logits expected, got probabilities: is there a softmax in forward?"
    )


def test_initial_gates():
    torch.manual_seed(0)
    _, bi, bf, _ = LSTM(10, 1000, 10).b.chunk(4)
    assert (bi == 0).all()
    assert (bf == 1).all()
    _, bi, bf, _ = LSTM(10, 1000, 10, max_lag=100).b.chunk(4)
    assert torch.equal(bi, -bf)
    lag = bf.exp()
    assert lag.min() >= 1
    assert 45 < lag.mean() < 56
    assert lag.max() <= 100.001


# The data


@pytest.mark.parametrize("T", [2, 3, 5, 20, 35, 36, 37, 38, 1001])
def test_palindromes_are_distinct_and_read_the_same_both_ways(T):
    dataset = PalindromeDataset(T - 1, 500)
    assert len(dataset) == min(500, 10 ** ((T + 1) // 2))
    assert dataset.digits.shape == (len(dataset), T)
    assert torch.equal(dataset.digits, dataset.digits.flip(1))
    assert len(set(map(bytes, dataset.digits.numpy()))) == len(dataset)
    assert dataset.digits.unique().tolist() == list(range(10))
    if len(dataset) == 500:  # each digit that is free is uniform: 50 of each, give or take 6 sigma
        counts = torch.nn.functional.one_hot(dataset.digits.long()).sum(dim=0)
        assert counts.min() >= 10
        assert counts.max() <= 92


def test_asked_for_more_than_there_are_it_takes_all_and_says_so(capsys):
    digits = PalindromeDataset(4, 100_000).digits.long()
    numbers = digits[:, :3] @ torch.tensor([100, 10, 1])
    assert numbers.sort().values.tolist() == list(range(1000))
    assert "T=5 has only 1,000 palindromes" in capsys.readouterr().out
    with pytest.raises(ValueError, match="at least 1"):
        PalindromeDataset(0, 5)


def test_items_work_in_a_dataloader():
    for one_hot, width in (True, 10), (False, 1):
        dataset = PalindromeDataset(19, 30, one_hot)
        inputs, targets = next(iter(DataLoader(dataset, batch_size=30)))
        assert inputs.shape == (30, 19, width)
        assert inputs.dtype == torch.float32
        assert targets.shape == (30,)
        assert targets.dtype == torch.int64
        value = inputs.argmax(dim=-1) if one_hot else inputs.squeeze(-1).long()
        assert torch.equal(value, dataset.digits[:, :19].long())
        assert torch.equal(targets, value[:, 0]), "the last digit mirrors the first"
        at_once, _ = dataset[torch.arange(30)]
        assert torch.equal(at_once, inputs)


def test_split_has_no_palindrome_on_both_sides():
    dataset = PalindromeDataset(4, 1000)
    train, test = dataset.split(0.8)
    assert (len(train), len(test), len(dataset)) == (800, 200, 1000)
    sides = [set(map(bytes, part.digits.numpy())) for part in (train, test)]
    assert not sides[0] & sides[1]


def test_the_seed_decides_the_palindromes():
    a, b, c = (PalindromeDataset(39, 50, seed=seed).digits for seed in (7, 7, 8))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


# The scripts


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
    lines = done.stderr.splitlines()
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
