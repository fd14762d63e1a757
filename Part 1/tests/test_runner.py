"""Tests of runner.py and predict.py: jobs, rows, files, and what is refused."""

import sys

import pytest
import torch

from rnn import VanillaRNN
from runner import study

JOBS = [("a", 300), ("a", 301), ("b, long", 300)]


def measure(job):
    """Return two rows of a job, with random numbers of its seed."""
    experiment, seed = job
    row = {"experiment": experiment, "seed": seed, "threads": torch.get_num_threads()}
    numbers = torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist()
    return [row | {"share": number} for number in numbers]


def rows_of(*jobs):
    return [row | {"threads": 1} for job in jobs for row in measure(job)]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs a study with flags, and returns the rows that it shows."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # the default of --jobs

    def run(*flags):
        shown, words = [], ["study_toy.py", "--out_dir", tmp_path, *flags]
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        study("toy", "", {"a": 2, "b, long": 1}, measure, lambda rows, _: shown.extend(rows))
        return shown

    return run


def test_rows_are_the_same_with_one_process_and_with_two(run, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    for n in 1, 2:
        assert run("--jobs", n, "--out_dir", tmp_path / str(n)) == rows_of(*JOBS)
    one, two = ((tmp_path / n / "toy_rows.csv").read_bytes() for n in "12")
    assert one == two
    assert one.startswith(b"experiment,seed,threads,share\na,300,1,0.")


def test_old_rows_are_kept_and_only_what_they_lack_is_run(run, tmp_path):
    path, early = tmp_path / "toy_rows.csv", ("b, long", 299)
    assert run("--only", "b, long", "--seed", 299, "--seeds", 2) == rows_of(early, JOBS[2])
    before = path.read_text()
    with pytest.raises(SystemExit, match=r"toy_rows.csv: exists"):
        run("--only", "a")
    assert path.read_text() == before
    assert run("--resume") == rows_of(*JOBS[:2], early, JOBS[2])
    assert path.read_text().startswith(before)


def test_shown_rows_are_neither_measured_nor_written(run, tmp_path, capsys):
    run("--only", "a", "a")
    moved = (tmp_path / "toy_rows.csv").rename(tmp_path / "moved.csv")
    assert run("--rows", moved, moved) == rows_of(*JOBS[:2])
    with pytest.raises(SystemExit, match=r"^--only \['b, long'\]: there are no such rows$"):
        run("--rows", moved, "--only", "b, long")
    for flags in ["--resume"], ["--seeds", 1]:
        with pytest.raises(SystemExit):
            run("--rows", moved, *flags)
        assert f"{flags[0]}: does not go with --rows" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [moved]


HEADER = "experiment,seed,share\n"
FOREIGN = f"{HEADER}c,300,1\n"
DOUBLED = f"{HEADER}a,300,1\na,301,1\na,300,1\n"


@pytest.mark.parametrize("text", ["", HEADER, f"{HEADER}a,300\n", "share\n1\n", FOREIGN, DOUBLED])
def test_rows_that_are_not_of_the_study_end_in_one_line(text, run, tmp_path):
    path = tmp_path / "toy_rows.csv"
    path.write_text(text)
    for flags in ("--rows", path), ("--resume",):
        with pytest.raises(SystemExit, match=r"^\S*toy_rows.csv: holds no whole rows.*$"):
            run(*flags)
    assert path.read_text() == text


def test_predict_answers_as_the_network_does(call, capsys, tmp_path):
    digits = torch.tensor([[7, 0, 9, 4]])
    for inputs, x in (1, digits.unsqueeze(2).float()), (10, torch.eye(10)[digits]):
        model = VanillaRNN(inputs, 5, 10)
        torch.nn.init.normal_(model.Whx, std=2)
        torch.save(model.state_dict(), tmp_path / "it.pth")
        call("predict.py", "7094", "--weights", tmp_path / "it.pth")
        assert capsys.readouterr().out == f"{model(x)[0].argmax()}\n"
    call("predict.py", "31415926")
    assert capsys.readouterr().out == "3\n"


def test_wrong_input_ends_in_one_line_that_names_it(call, capsys, tmp_path):
    for script, *flags in (
        ("predict.py", "31x4"),
        ("train.py", "--train_steps", "0"),
        ("study_proof.py", "--out_dir", tmp_path, "--weights", __file__),
    ):
        with pytest.raises(SystemExit, match=r"^2$"):
            call(script, *flags)
        assert flags[-1] in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit, match=r"^missing: holds no network"):
        call("predict.py", "3141", "--weights", "missing")
    with pytest.raises(SystemExit, match=f"^--out_dir {__file__}: "):
        call("train.py", "--out_dir", __file__)
