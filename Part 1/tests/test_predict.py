"""Tests of predict.py: what it prints, and what it refuses."""

import pytest

from common import save_state
from conftest import settings_for
from networks import make_network


def test_a_palindrome_is_completed_and_what_makes_none_or_is_none_is_said(call, capsys, tmp_path):
    call("predict", "12345432")
    for input_dim in 1, 10:
        model = make_network(settings_for("rnn", f"--input_dim {input_dim}"), 0)
        model.bp.data[4] = 9  # it answers 4 to everything
        save_state(tmp_path / "it.pth", model.state_dict())
        call("predict", "5111", "--weights", tmp_path / "it.pth")
    assert capsys.readouterr().out == "123454321\n" + 2 * "51114\nThis is no palindrome.\n"
    for digits in "123", "31x4", "-1234", "١٢٣٤":
        with pytest.raises(SystemExit, match=r"^2$"):
            call("predict", "--", digits)
        assert f"error: argument digits: {digits!r} " in capsys.readouterr().err.splitlines()[-1]
