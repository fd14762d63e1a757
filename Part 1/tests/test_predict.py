"""Tests of predict.py: what it prints, and what it refuses."""

import re

import pytest
import torch

from common import save_state
from conftest import settings_for
from networks import NETWORKS, make_network
from predict import PIECE

NOT_BEGUN = "No palindrome begins with these digits; the network answers {} to them."


@pytest.fixture
def say(call, capsys):
    def say(*flags):
        call("predict", *flags)
        return capsys.readouterr().out.splitlines()

    return say


def test_a_palindrome_is_completed_and_what_makes_none_is_said(say, tmp_path):
    assert say("12345432") == ["123454321"]
    assert say("7007") == ["70077", NOT_BEGUN.format(7)]
    model = make_network(settings_for("rnn"), 0)
    model.bp.data[4] = 9  # it answers 4 to everything
    save_state(tmp_path / "it.pth", model.state_dict())
    wrong = ["51114", "That is wrong: the palindrome ends with 5."]
    assert say("5111", "--weights", tmp_path / "it.pth") == wrong


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("input_dim", [1, 10])
def test_any_network_answers_as_if_it_read_all_digits_at_once(name, input_dim, say, tmp_path):
    model = make_network(settings_for(name, f"--input_dim {input_dim}"), 1)
    save_state(tmp_path / "it.pth", model.state_dict())
    generator = torch.Generator().manual_seed(1)
    for length in 4, 9, PIECE, PIECE + 1, 2500:
        digits = torch.randint(10, (1, length), generator=generator)
        x = torch.eye(10)[digits] if input_dim == 10 else digits.unsqueeze(2).float()
        logits, _ = model(x)
        text, answer = "".join(map(str, digits[0].tolist())), logits.argmax().item()
        lines = say(text, "--weights", tmp_path / "it.pth")
        assert lines == [f"{text}{answer}", NOT_BEGUN.format(answer)]


def test_digits_and_files_that_are_none_end_in_a_line_that_names_them(say, capsys, tmp_path):
    for digits in "123", "31x4", "-1234", "١٢٣٤":
        with pytest.raises(SystemExit, match=r"^2$"):
            say("--", digits)
        assert f"error: argument digits: {digits!r} " in capsys.readouterr().err.splitlines()[-1]
    save_state(tmp_path / "few.pth", {"bh": torch.zeros(3)})
    save_state(tmp_path / "nan.pth", {"bh": torch.tensor(torch.nan)})
    save_state(tmp_path / "module.pth", torch.nn.Linear(1, 1))  # it could hold any code
    for path, reason in (
        (tmp_path / "few.pth", "does not hold what is needed here (KeyError: 'Wph')"),
        (tmp_path / "nan.pth", "does not hold what is needed here (ValueError: bh is not finite)"),
        (tmp_path / "module.pth", "is no file of weights, or a damaged one"),
        (tmp_path / "none.pth", "cannot be read (No such file or directory)"),
    ):
        with pytest.raises(SystemExit, match=f"^{re.escape(f'{path}: {reason}')}$"):
            say("1234", "--weights", path)
