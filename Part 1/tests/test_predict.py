"""Tests of predict.py: what it prints, and what it refuses."""

import pytest
import torch

from common import save_state
from conftest import settings_for
from networks import NETWORKS, make_network
from predict import predict


def test_a_palindrome_is_completed_and_what_makes_none_is_said(call, capsys, tmp_path):
    model = make_network(settings_for("rnn"), 0)
    model.bp.data[4] = 9  # it answers 4 to everything
    save_state(tmp_path / "it.pth", model.state_dict())
    call("predict", "12345432")
    call("predict", "5111", "--weights", tmp_path / "it.pth")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["123454321", "51114", "This is no palindrome."]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("input_dim", [1, 10])
def test_any_network_answers_with_the_largest_logit(name, input_dim):
    model = make_network(settings_for(name, f"--input_dim {input_dim}"), 1)
    for digits in torch.randint(10, (20, 1, 9), generator=torch.Generator().manual_seed(1)):
        x = torch.eye(10)[digits] if input_dim == 10 else digits.unsqueeze(2).float()
        logits, _ = model(x)
        assert predict(model, "".join(map(str, digits[0].tolist()))) == logits.argmax()


def test_digits_that_are_none_end_in_a_line_that_names_them(call, capsys):
    for digits in "123", "31x4", "-1234", "١٢٣٤":
        with pytest.raises(SystemExit, match=r"^2$"):
            call("predict", "--", digits)
        assert f"error: argument digits: {digits!r} " in capsys.readouterr().err.splitlines()[-1]
