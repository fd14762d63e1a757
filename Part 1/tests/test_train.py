"""Tests of train.py: data, training, accuracy."""

import math

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

import train
from dataset import PalindromeDataset
from lstm import LSTM


@pytest.fixture
def rates():
    """Return the learning rate of every step that any optimizer takes."""
    seen = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append(optimizer.param_groups[0]["lr"])
    )
    yield seen
    hook.remove()


def five_digits(n):
    return PalindromeDataset(4, n, one_hot=True)


def test_training_solves_5_digits_and_the_seed_decides_every_bit(script, tmp_path):
    outcomes = []
    for folder in "ab":
        done = script("train.py", "--input_length", 4, "--train_steps", 100, "--out_dir", folder)
        assert done.stderr == "", "progress bars belong on terminals only"
        rows = [row.split() for row in done.stdout.splitlines() if row.startswith("   5")]
        (lstm,) = (row for row in rows if row[1] == "lstm")
        assert lstm[2:6] == ["0", "800", "200", "100.00%"], "at the last step"
        files = [(tmp_path / folder / name).read_bytes() for name in ("t5.png", "t5.csv")]
        outcomes.append(([row[:-1] for row in rows], files))  # without the seconds
    assert outcomes[0] == outcomes[1]
    lines = (tmp_path / "a" / "t5.csv").read_text().splitlines()
    assert lines[0] == "network,seed,step,accuracy"
    assert lines[11].startswith("lstm,0,100,1.0")


@pytest.mark.parametrize("flags", ["--model rnn --rnn_init orthogonal", "--curriculum"])
def test_training_runs_with_its_other_flags(flags, script, tmp_path):
    tiny = "--input_length 8 2 8 --train_steps 3 --data_size 90 --seeds 2 --out_dir ."
    done = script("train.py", *tiny.split(), *flags.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 seeds: worst") == (2 if "rnn" in flags else 4)
    assert {path.name for path in tmp_path.iterdir()} == {"t3.png", "t3.csv", "t9.png", "t9.csv"}


@pytest.mark.parametrize("curriculum", [[], ["--curriculum"]])
def test_no_palindrome_of_the_test_was_trained_on(curriculum):
    args = train.parse_args(["--data_size", "1000", *curriculum])
    train_sets, test_set = train.make_data(8, 0, args)
    trained = {bytes(row) for dataset in train_sets for row in dataset.digits.numpy()}
    assert len(test_set) == 200
    assert trained.isdisjoint(map(bytes, test_set.digits.numpy()))


def test_each_network_has_its_own_learning_rate_unless_one_is_given(rates):
    tiny = ["--input_length", "2", "--train_steps", "1"]
    for flags in tiny, [*tiny, "--learning_rate", "0.5"]:
        args = train.parse_args(flags)
        for name in "lstm", "rnn":
            model = train.fresh_model(name, 3, 0, args)
            train.train_and_test(model, name, 3, 0, args)
    assert [20 * rate for rate in rates] == pytest.approx([1e-2, 1e-3, 0.5, 0.5])


def test_the_learning_rate_rises_over_20_steps_and_falls_to_zero_unless_told_otherwise(rates):
    train.train(LSTM(10, 16, 10), [five_digits(100)], 40, 8e-3)
    expected = [8e-3 * min(1, (step + 1) / 20) * (1 - step / 40) for step in range(40)]
    assert rates == pytest.approx(expected)
    rates.clear()
    train.train(LSTM(10, 16, 10), [five_digits(100)], 40, 8e-3, warmup=0, constant_rate=True)
    assert rates == 40 * [8e-3]


def test_the_start_of_the_gates_and_the_clipping_after_the_backward_pass():
    for init, least, most in ("chrono", 0, math.log(4)), ("forget", 1, 1):
        model = train.make_model("lstm", init, T=5, num_hidden=16)
        bf = model.b[32:48]
        assert least <= bf.min() <= bf.max() <= most + 1e-6
        train.train(model, [five_digits(100)], 1, 1e-2, max_norm=1e-3)
        norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()
        assert norm == pytest.approx(1e-3, rel=1e-3)


def test_no_gradient_is_left_over_from_the_step_before():
    one, _ = five_digits(10).split(0.1)
    model = LSTM(10, 16, 10)
    gradients_after = []
    for steps in 1, 3:  # the rate is so small that the weights stay where they are
        train.train(model, [one], steps, 1e-9, max_norm=1e9)
        gradients_after.append(model.W.grad.clone())
    torch.testing.assert_close(*gradients_after)


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
def test_every_palindrome_is_asked_once_and_its_answer_counted_beside_the_target(T):
    dataset = PalindromeDataset(T - 1, 90, one_hot=True)
    for first, batch_size in (None, 1000), (None, 40), (70, 40):
        digits = dataset.digits[:first, -1].long()
        expected = torch.bincount(digits, minlength=10).diag()
        expected[3, 0], expected[3, 3] = expected[3, 3], 0
        answers = train.count_answers(KnowsAllButThree(), dataset, first, batch_size)
        assert torch.equal(answers, expected)
        share = (digits != 3).float().mean().item()
        assert train.accuracy(KnowsAllButThree(), dataset, first) == pytest.approx(share)


def test_the_curve_is_of_the_first_1000_and_its_last_point_of_all():
    args = train.parse_args(["--input_length", "7", "--train_steps", "4", "--eval_every", "3"])
    _, test_set = train.make_data(8, 0, args)
    assert len(test_set) == 2000
    model = train.fresh_model("lstm", 8, 0, args)
    before = [train.accuracy(model, test_set, first) for first in (1000, None)]
    result = train.train_and_test(model, "lstm", 8, 0, args)
    curve = dict(result["curve"])
    assert list(curve) == [0, 3, 4]
    assert curve[0] == before[0] != before[1]
    assert curve[4] == train.accuracy(model, test_set)
    assert torch.equal(result["answers"], train.count_answers(model, test_set))
