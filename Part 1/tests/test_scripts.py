"""Tests of memory.py, rates.py and predict.py, of common.py, and of what all scripts refuse."""

import argparse
import csv

import pytest
import torch

import memory
import networks
import predict
import prove
import rates
import train
from conftest import HERE
from rnn import VanillaRNN


@pytest.mark.parametrize("angle", [0.0, 30.0, 99.0, 153.0])
def test_the_turn_of_the_states_is_the_angle_of_the_eigenvalue(angle):
    torch.manual_seed(0)
    cos, sin = torch.tensor(angle).deg2rad().cos(), torch.tensor(angle).deg2rad().sin()
    model = VanillaRNN(10, 2, 10).requires_grad_(False)
    model.Whh[:] = torch.stack([cos, -sin, sin, cos]).view(2, 2)
    model.Whx.zero_()
    states = [0.01 * torch.nn.functional.normalize(torch.randn(70, 2), dim=1)]  # tanh is linear
    for _ in range(12):
        states.append(model(torch.zeros(70, 1, 10), states[-1])[1])
    turn = memory.turn_of(torch.stack(states[1:]), torch.randint(10, (12, 70)))
    assert turn == pytest.approx([angle] * 3, abs=0.1)
    assert memory.leading_angle(model) == pytest.approx(angle, abs=0.1)
    assert memory.right_again(90) == [24, 28, 32, 36, 40]
    assert memory.right_again(99) == [31, 38]


class Rings(torch.nn.Module):
    """Keeps the first digit as one of ten directions, turns it with each digit, and reads it off.

    The answers are right after 3 digits, and then after every tenth; the state is always clear.
    """

    def forward(self, x, state=None):
        """Return logits and state, both one-hot."""
        state = x[:, -1] if state is None else state.roll(1, dims=1)
        return state.roll(-2, dims=1), state


def test_a_turning_memory_is_seen_by_a_readout_at_all_lengths_and_by_its_own_at_few():
    digits = torch.randint(10, (4000, 60), generator=torch.Generator().manual_seed(0))
    view = memory.look(Rings(), digits)
    assert [T for T, share in view["right"].items() if share == 1] == [4, 14, 24, 34, 44, 54]
    assert all(share == 1 for share in view["readout"].values())
    assert memory.readout(torch.randn(4000, 1000), digits[:, 0]) < 0.2, "tested on its own fit"


@pytest.fixture
def short(monkeypatch):
    """Let the trainings of memory.py take three steps, and let few sequences be read."""
    few = {name: each._replace(steps=3) for name, each in memory.TRAININGS.items()}
    small = {"TRAININGS": few, "WATCHED": (1, 2), "ASKED": (10, 19, 20, 21, 40, 60)}
    small |= {"N_FIT": 90, "N_TEST": 60, "N_DRAWN": 50}
    for name, value in small.items():
        monkeypatch.setattr(memory, name, value)


def test_each_setting_of_a_training_and_the_seed_change_its_weights(short, monkeypatch, tmp_path):
    changes = {"network": "LSTM, bf = 1", "mixed": True, "steps": 2, "learning_rate": 2e-3}
    changes |= {"decay": True, "max_norm": 0.1}
    lstm = memory.TRAININGS["lstm"]
    variants = {name: lstm._replace(**{name: value}) for name, value in changes.items()}
    variants |= {"lstm": lstm, "untrained": lstm._replace(steps=0)}
    monkeypatch.setattr(memory, "TRAININGS", variants)
    args = argparse.Namespace(out_dir=tmp_path, device="cpu")
    weights = {name: memory.trained(name, 0, args).W for name in variants}
    weights["seed"] = memory.trained("lstm", 1, args).W
    assert not torch.equal(memory.trained("untrained", 1, args).W, weights["untrained"])
    unchanged = weights.pop("lstm")
    for name, W in weights.items():
        assert not torch.equal(W, unchanged), name


def test_memory_draws_its_figure_and_trains_nothing_twice(short, tmp_path, call, monkeypatch):
    flags = "--trainings", "rnn_mixed", "lstm", "--seed", 5, "--seeds", 2, "--out_dir", tmp_path
    call(memory.main, *flags)
    assert {path.name for path in tmp_path.glob("lstm*")} == {"lstm-seed5.pth", "lstm-seed6.pth"}
    assert len(list(tmp_path.iterdir())) == 13  # 8 files of weights, 4 tables, the figure
    monkeypatch.setattr(memory, "train", None)  # a training would crash
    call(memory.main, *flags)


def test_every_network_is_trained_with_every_rate_and_seed(tmp_path, call, monkeypatch):
    trained = []

    def spy(model, train_sets, steps, rate, *, seed):
        trained.append((sum(w.double().sum().item() for w in model.parameters()), rate, seed))

    monkeypatch.setattr(rates, "train", spy)
    monkeypatch.setattr(rates, "accuracy", lambda model, test_set: 0.5)
    call(rates.main, "--seeds", 2, "--seed", 7, "--out_dir", tmp_path)
    assert len(set(trained)) == len(trained) == 6 * 7 * 2
    rows = list(csv.DictReader((tmp_path / "rates.csv").read_text().splitlines()))
    found = [(float(row["rate"]), int(row["seed"])) for row in rows]
    assert found == [(rate, seed) for _, rate, seed in trained]


def test_gates_at_1_stay_there_and_the_rest_is_trained():
    model = networks.make_network("LSTM, gates at 1", 0, "cpu")
    before = model.W.detach().clone()
    train.train(model, [train.PalindromeDataset(4, 100, one_hot=True)], 3)
    assert (torch.sigmoid(model.W @ torch.randn(138) + model.b)[128:] == 1).all()
    assert torch.equal(model.W[128:], before[128:])
    assert not torch.equal(model.W[:128], before[:128])


def test_predict_answers_as_the_network_does(script, tmp_path):
    done = script("predict.py", "31415926")
    assert (done.stdout, done.stderr) == ("3\n", "")
    model = VanillaRNN(1, 5, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=2)
    torch.save(model.state_dict(), tmp_path / "it.pth")
    answer = model(torch.tensor([[[7.0], [0], [9], [4]]]))[0].argmax().item()
    assert script("predict.py", "7094", "--weights", "it.pth").stdout == f"{answer}\n"


WRONG = {  # calls; the error names the last word of each
    "train": "--train_steps 0, --num_hidden 1.5, --batch_size text, --learning_rate nan, "
    "--data_size 1, --portion_train 1, --eval_every 0, --input_length 1, --seeds -1, --seed -1, "
    "--input_dim 2, --model gru, --rnn_start zero, --max_lag -1, --train_step 5, --device abacus",
    "memory": "--trainings gru, --seeds 0, --unknown 1, --out_dir file",
    "rates": "--seeds 0, --seeds 1e9, --out_dir file",
    "prove": "--weights missing, --out_dir file",
    "predict": "123, 31x4, 3141 --weights missing",
}


@pytest.mark.parametrize("module", [train, memory, rates, prove, predict])
def test_wrong_flags_end_in_one_line_and_code_2(module, refuse, tmp_path):
    (tmp_path / "file").write_text("mine")
    for flags in WRONG[module.__name__].split(", "):
        words = flags.split()
        out_dir = () if module is predict else ("--out_dir", "out")
        refuse(module.main, *words, words=[words[-1]], out_dir=out_dir)


def test_the_report_shows_the_equations_as_the_code_has_them():
    report = (HERE.parent / "README.md").read_text(encoding="utf-8")
    ends = tuple(f"  # ({n})" for n in range(1, 8))
    lines = (HERE / "lstm.py").read_text().splitlines()
    assert "\n".join(line.strip() for line in lines if line.endswith(ends)) in report


def test_both_parts_hold_the_same_shared_files():
    for name in "common.py", "conftest.py":
        assert (HERE / name).read_bytes() == (HERE.parent / "Part 2" / name).read_bytes()
