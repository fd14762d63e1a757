"""Tests of predict.py, of common.py, of what all scripts refuse, and of a script on a terminal."""

import os
import sys

import pytest
import torch

import common
import gates
import memory
import predict
import prove
import train
from conftest import HERE
from rnn import VanillaRNN


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
    train: "--train_steps 0, --num_hidden 1.5, --learning_rate nan, --portion_train 1, "
    "--seed -1, --input_dim 2, --model gru, --max_lag -1, --train_step 5, --device abacus",
    memory: "--trainings gru, --out_dir file",
    gates: "--seeds 0, --out_dir file",
    prove: "--weights missing, --out_dir file",
    predict: "123, 31x4, 3141 --weights missing",
}


@pytest.mark.parametrize("module", WRONG)
def test_wrong_flags_end_in_one_line_and_code_2(module, refuse, tmp_path):
    (tmp_path / "file").write_text("mine")
    for flags in WRONG[module].split(", "):
        words = flags.split()
        out_dir = () if module is predict else ("--out_dir", "out")
        refuse(module.main, *words, words=[words[-1]], out_dir=out_dir)


def test_train_shows_its_progress_on_a_terminal(call, tmp_path, monkeypatch):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    parent, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (40, 120))
    monkeypatch.setattr(sys, "stderr", os.fdopen(terminal, "w"))  # so tqdm draws its bar
    call(train.main, "--train_steps", 5, "--input_length", 4, "--out_dir", tmp_path)
    assert b" 0/5 " in os.read(parent, 1000)


def test_a_full_disk_ends_in_one_line_and_leaves_nothing(refuse, tmp_path, monkeypatch):
    def full(temporary, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(common.os, "replace", full)
    flags = "--train_steps", 1, "--data_size", 10, "--input_length", 4, "--model", "rnn"
    refuse(train.main, *flags, words=["rnn_t5.pth", "No space left"])
    assert not list(tmp_path.rglob(".tmp*"))


def test_the_report_shows_the_equations_as_the_code_has_them():
    report = (HERE.parent / "README.md").read_text(encoding="utf-8")
    ends = tuple(f"  # ({n})" for n in range(1, 8))
    lines = (HERE / "lstm.py").read_text().splitlines()
    assert "\n".join(line.strip() for line in lines if line.endswith(ends)) in report


def test_both_parts_hold_the_same_shared_files():
    for name in "common.py", "conftest.py":
        assert (HERE / name).read_bytes() == (HERE.parent / "Part 2" / name).read_bytes()
