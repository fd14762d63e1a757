"""Tests of predict.py: what it prints, and what it refuses."""

import pytest
import torch

from common import save_state
from conftest import settings_for
from networks import NETWORKS, make_network
from predict import predict


def test_a_palindrome_is_completed_and_what_makes_none_or_is_none_is_said(call, capsys, tmp_path):
    model = make_network(settings_for("rnn"), 0)
    model.bp.data[4] = 9  # it answers 4 to everything
    save_state(tmp_path / "it.pth", model.state_dict())
    call("predict", "12345432")
    call("predict", "5111", "--weights", tmp_path / "it.pth")
    assert capsys.readouterr().out == "123454321\n51114\nThis is no palindrome.\n"
    for digits in "123", "31x4", "-1234", "١٢٣٤":
        with pytest.raises(SystemExit, match=r"^2$"):
            call("predict", "--", digits)
        assert f"error: argument digits: {digits!r} " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_answers_with_the_largest_logit(name):
    one_hot, scalar = (make_network(settings_for(name, f"--input_dim {n}"), 1) for n in (10, 1))
    for digits in torch.randint(10, (20, 1, 9), generator=torch.Generator().manual_seed(1)):
        for model, x in (one_hot, torch.eye(10)[digits]), (scalar, digits.unsqueeze(2).float()):
            assert predict(model, "".join(map(str, digits[0].tolist()))) == model(x)[0].argmax()
