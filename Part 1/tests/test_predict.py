"""Tests of predict.py: what it prints, and what it refuses."""

import pytest

from conftest import settings_for
from networks import make_network, save_network


def test_a_palindrome_is_completed_and_what_makes_none_or_is_none_is_said(call, capsys, tmp_path):
    call("predict", "12345432")
    for input_dim in 1, 10:
        model = make_network(settings_for("rnn", f"--input_dim {input_dim}"), 0)
        model.bp.data[4] = 9  # it answers 4 to everything
        save_network(tmp_path / "it.pth", model)
        call("predict", "5111", "--weights", tmp_path / "it.pth")
    wrong = "51114\nThe network is wrong: this is no palindrome.\n"
    assert capsys.readouterr().out == "123454321\n" + 2 * wrong
    for digits in "123", "31x4", "-1234", "١٢٣٤", "12344321":
        with pytest.raises(SystemExit, match=r"^2$"):
            call("predict", "--", digits)
        line = capsys.readouterr().err.splitlines()[-1]
        assert "error: argument digits: " in line
        assert digits in line
