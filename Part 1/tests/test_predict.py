"""Tests of predict.py: what it prints, and what it refuses."""

from pathlib import Path

import pytest
import torch

from common import save_state
from networks import make_network
from predict import PIECE

NOT_BEGUN = "No palindrome begins with these digits; the network answers {} to them."


@pytest.fixture
def say(call, capsys):
    """Return a function that runs predict.py with flags, and returns the lines that it prints."""

    def say(*flags):
        call("predict", *flags)
        return capsys.readouterr().out.splitlines()

    return say


def test_a_palindrome_is_completed_and_where_none_begins_that_is_said(say):
    assert say("12345432") == ["123454321"]
    assert say("123455432") == ["1234554321"]
    assert say("7007") == ["70077", NOT_BEGUN.format(7)]


def test_an_answer_that_makes_no_palindrome_is_called_wrong(say, tmp_path):
    model = make_network("rnn", 0)
    model.bp.data[4] = 9  # it answers 4 to everything
    save_state(tmp_path / "it.pth", model.state_dict())
    wrong = ["51114", "That is wrong: the palindrome ends with 5."]
    assert say("5111", "--weights", tmp_path / "it.pth") == wrong
    assert say("4111", "--weights", tmp_path / "it.pth") == ["41114"]


@pytest.mark.parametrize("network", ["lstm", "rnn"])
@pytest.mark.parametrize("inputs", [1, 10])
def test_any_network_answers_as_if_it_read_all_digits_at_once(network, inputs, say, tmp_path):
    model = make_network(network, 1, inputs)
    save_state(tmp_path / "it.pth", model.state_dict())
    generator = torch.Generator().manual_seed(1)
    for length in 4, 9, PIECE + 1, 5000:
        digits = torch.randint(10, (1, length), generator=generator)
        x = torch.eye(10)[digits] if inputs == 10 else digits.unsqueeze(2).float()
        logits, _ = model(x)
        text, answer = "".join(map(str, digits[0].tolist())), logits.argmax().item()
        lines = say(text, "--weights", tmp_path / "it.pth")
        assert lines == [f"{text}{answer}", NOT_BEGUN.format(answer)]


def test_wrong_input_ends_in_a_line_that_names_it(say, capsys, tmp_path):
    for digits in "123", "31x4", "-1234", "١٢٣٤":
        with pytest.raises(SystemExit, match=r"^2$"):
            say("--", digits)
        assert f"error: argument digits: {digits!r} " in capsys.readouterr().err.splitlines()[-1]
    path, not_finite = tmp_path / "it.pth", tmp_path / "nan.pth"
    save_state(path, make_network("lstm", 0, input_dim=3).state_dict())
    save_state(not_finite, make_network("lstm", 0, bf=torch.nan).state_dict())
    for file in tmp_path / "missing", Path(__file__), path, not_finite:
        with pytest.raises(SystemExit) as stop:
            say("1234", "--weights", file)
        (line,) = stop.value.code.splitlines()
        known = "does not hold what is needed here" if file.exists() else "cannot be read (No such"
        assert line.startswith(f"{file}: {known}")
