"""Tests of predict.py, of common.py and rows.py, and of what the scripts refuse."""

import importlib
import time

import pytest
import torch

import predict
from common import InputError, each, make_parser, number
from conftest import HERE
from rnn import VanillaRNN
from rows import add_study_flags, read_csv


def test_predict_answers_as_the_network_does(script, call, capsys, tmp_path):
    done = script("predict.py", "31415926")
    assert (done.stdout, done.stderr) == ("3\n", "")
    model = VanillaRNN(1, 5, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=2)
    torch.save(model.state_dict(), tmp_path / "it.pth")
    answer = model(torch.tensor([[[7.0], [0], [9], [4]]]))[0].argmax().item()
    call(predict.main, "7094", "--weights", tmp_path / "it.pth")
    assert capsys.readouterr().out == f"{answer}\n"


STUDIES = "study_memory", "study_gates", "study_settings", "study_start"
WRONG = [
    *(("predict", "123"), ("predict", "31x4"), ("predict", "3141", "--weights", "missing")),
    *(("study_proof", "--weights", "missing"), ("study_proof", "--out_dir", __file__)),
    *((study, "--rows", "missing") for study in STUDIES),
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_input_is_refused(words, refuse):
    name, *flags = words
    out_dir = () if name == "predict" else ("--out_dir", "out")
    refuse(importlib.import_module(name).main, *flags, words=[flags[-1]], out_dir=out_dir)


def work(job):
    """Sleep, and return random numbers of a seed, and the number of threads; in a worker."""
    seconds, seed = job
    time.sleep(seconds)
    if seed is None:
        raise InputError("no seed")
    return torch.Generator().manual_seed(seed).get_state().sum().item(), torch.get_num_threads()


def flags(*words):
    parser = make_parser("")
    add_study_flags(parser, ["it"], 0, 1)
    return parser.parse_args(["--device", "cpu", *words])


def test_each_gives_the_same_in_order_with_one_process_and_with_two(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    jobs = [(0.5, 1), (0, 2), (0, 3)]
    alone = list(each(work, jobs, flags("--jobs", "1")))
    assert [(job, threads) for job, (_, threads) in alone] == [(job, 1) for job in jobs]
    assert list(each(work, jobs, flags("--jobs", "2"))) == alone


def test_an_error_in_a_job_does_not_wait_for_a_long_one():
    start = time.monotonic()
    with pytest.raises(InputError, match="no seed"):
        list(each(work, [(300, 1), (0, None), (300, 2)], flags("--jobs", "2")))
    assert time.monotonic() - start < 100  # a second, but for two processes that start


TABLES = "", "name,share\n", "name\nrnn\n", "name,of\nrnn,1\n", "name,share\nrnn,nan\n"


@pytest.mark.parametrize("text", [*TABLES, "share,name\n1\n", "name,share\nrnn,2\n"])
def test_a_csv_without_such_rows_is_refused_by_file_and_column(text, tmp_path):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(InputError, match=r"rows\.csv: no .*share"):
        read_csv(tmp_path / "rows.csv", {"name": str, "share": number(float, 0, 1)})


together = pytest.mark.skipif(not (HERE.parent / "Part 2").exists(), reason="this part alone")


@together
def test_the_report_shows_the_equations_as_the_code_has_them():
    report = (HERE.parent / "README.md").read_text(encoding="utf-8")
    ends = tuple(f"  # ({n})" for n in range(1, 8))
    lines = (HERE / "lstm.py").read_text().splitlines()
    assert "\n".join(line.strip() for line in lines if line.endswith(ends)) in report


@together
@pytest.mark.parametrize("name", ["common.py", "rows.py", "conftest.py"])
def test_both_parts_hold_the_same_shared_files(name):
    assert (HERE / name).read_bytes() == (HERE.parent / "Part 2" / name).read_bytes()
