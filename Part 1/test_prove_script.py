"""Tests of prove.py as a script: its exit codes, and the files that it refuses."""

import sys
from pathlib import Path

import prove as prover
import pytest
import torch
from common import run
from test_prove import latches


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run prove.py from an empty folder; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(weights):
        monkeypatch.setattr(sys, "argv", ["prove.py", "--weights", weights, "--out_dir", "out"])
        try:
            run(prover.main)
            code = 0
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return call


def test_the_exit_code_says_whether_all_ten_are_proved(call, tmp_path):
    torch.save(latches().state_dict(), "right.pth")
    code, out, _ = call("right.pth")
    assert code == 0
    assert out.count(": proved, lead >= 9.") == 10
    assert "Proved of right.pth, SHA-256" in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["proof.png"]

    (tmp_path / "out" / "proof.png").unlink()
    exchanged = latches()
    for parameter in exchanged.Wph, exchanged.bp:
        parameter[[2, 6]] = parameter[[6, 2]]
    torch.save(exchanged.state_dict(), "exchanged.pth")
    code, out, _ = call("exchanged.pth")
    assert code == 1
    assert "Not proved for the first digits [2, 6]" in out
    assert "Proved of" not in out
    assert not list((tmp_path / "out").iterdir())


def test_a_prover_that_a_found_lead_contradicts_says_so(call, monkeypatch):
    torch.save(latches().state_dict(), "right.pth")
    monkeypatch.setattr(prover, "search", lambda model, d: [9.0] * 50)
    with pytest.raises(ArithmeticError, match="the prover is wrong"):
        call("right.pth")


class Malicious:
    """A pickle that runs code when it is loaded."""

    def __reduce__(self):  # noqa: D105
        return print, ("code from the file was run",)


def test_files_that_hold_no_such_network_are_refused_in_one_line(call, tmp_path):
    good = latches().state_dict()
    torch.save(good, "good.pth")
    data = Path("good.pth").read_bytes()
    files = {"empty": b"", "cut": data[:-100], "random": bytes(range(256)) * 9}
    files["damaged"] = data.replace(good["W"].numpy().tobytes()[-400:], b"\1" * 400)
    assert files["damaged"] != data
    for name, content in files.items():
        Path(name).write_bytes(content)
    others = {
        "foreign": [1, 2, 3],
        "numbers": {**good, "b": 3},
        "pickled": {**good, "bp": Malicious()},
        "nan": {**good, "b": good["b"] * torch.nan},
        "infinite": {**good, "bp": good["bp"] + torch.inf},
        "double": {name: w.double() for name, w in good.items()},
        "no_bp": {name: w for name, w in good.items() if name != "bp"},
        "one_more": {**good, "bq": good["bp"]},
        "other_shape": {**good, "b": good["b"][1:]},
        "nine_digits": {**good, "Wph": good["Wph"][:9], "bp": good["bp"][:9]},
        "one_input": {**good, "W": good["W"][:, 9:]},
    }
    for name, content in others.items():
        torch.save(content, name)
    for name in ["missing", *files, *others]:
        code, out, err = call(name)
        assert code == 2, name
        assert err.startswith(f"prove.py: error: {name}: "), err
        assert err.count("\n") == 1, err
        assert "--weights must be an LSTM for ten digits" in err
        assert "code from the file" not in out
    assert not list((tmp_path / "out").iterdir())
