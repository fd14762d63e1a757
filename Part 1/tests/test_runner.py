"""Tests of studies/runner.py: which rows are measured, which are kept, and what is shown."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from common import HERE  # conftest would give the processes of jobs one thread
from studies import runner

EXPERIMENTS = {
    "a": ({"rate": 0.1, "sizes": [1, 2]}, range(300, 302)),
    "b, long": ({"rate": 0.2, "sizes": [3]}, range(300, 301)),
}
JOBS = [("a", 300), ("a", 301), ("b, long", 300)]
COLUMNS = ("threads", "text", "share")
ROWS = "toy_rows.jsonl"
SLOW = """
import time
from studies.runner import study

def measure(settings, seed):
    time.sleep(300 if seed == 0 else 0)
    return [{"share": seed / 7}]

study("toy", "", {"a": ({}, range(3))}, ("share",), measure, lambda rows, out_dir: None)
"""


def measure(settings, seed):
    """Return two rows of a job, with each type of value that studies have."""
    row = {"threads": torch.get_num_threads(), "text": "", "share": seed / 7}
    return [row, row | {"text": "1", "share": settings["rate"]}]


def rows_of(*jobs):
    """Return the rows that must be shown of jobs (experiment, seed)."""
    rows = []
    for experiment, seed in jobs:
        for row in measure(EXPERIMENTS[experiment][0], seed):
            rows.append({"experiment": experiment, "seed": seed} | row | {"threads": 1})
    return rows


def line_of(job, **columns):
    """Return the line of a job, with these columns in the place of its own."""
    entry = {"experiment": job[0], "seed": job[1], "settings": EXPERIMENTS[job[0]][0]}
    entry["columns"] = {name: [row[name] for row in rows_of(job)] for name in COLUMNS}
    return json.dumps(entry | {"columns": entry["columns"] | columns})


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs a study with flags: the rows shown, and the seeds measured."""
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results")

    def run(*flags):
        shown, measured = [], []

        def note(settings, seed):
            measured.append((settings["rate"], seed))
            return measure(settings, seed)

        words = ["toy", "--jobs", 1, "--out_dir", tmp_path / "out", *flags]
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        runner.study("toy", "", EXPERIMENTS, COLUMNS, note, lambda rows, _: shown.extend(rows))
        return shown, measured

    return run


def test_one_process_and_two_write_the_same_and_each_job_has_one_thread(run, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    for n in "12":
        rows, _ = run("--jobs", n, "--out_dir", tmp_path / n)
        assert repr(rows) == repr(rows_of(*JOBS))  # repr tells 1 from 1.0 and "1"
    one, two = (sorted((tmp_path / n / ROWS).read_text().splitlines()) for n in "12")
    assert one == two == sorted(map(line_of, JOBS))


def test_flags_name_the_jobs_whose_rows_are_shown(run):
    for flags, jobs in (
        (["--only", "b, long", "--seed", 299, "--seeds", 2], [("b, long", 299), ("b, long", 300)]),
        (["--only", "a", "--seed", 7], [("a", 7), ("a", 8)]),
        (["--seeds", 1], [JOBS[0], JOBS[2]]),
    ):
        rows, _ = run(*flags)
        assert rows == rows_of(*jobs), flags


def test_committed_rows_win_then_the_last_line_does_and_again_measures_anew(run, tmp_path):
    known = {"results": [line_of(JOBS[0], text=["committed", ""])]}
    known["out"] = [line_of(JOBS[0]), line_of(JOBS[1]), line_of(JOBS[1], text=["new", ""])]
    for folder, lines in known.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ROWS).write_text("\n".join(lines))
    for measured in [(0.2, 300)], []:
        rows, now = run()
        assert now == measured
        assert [row["text"] for row in rows] == ["committed", "", "new", "", "", "1"]
    for _ in range(2):
        assert run("--again", "--only", "a") == (rows_of(*JOBS[:2]), [(0.1, 300), (0.1, 301)])
    assert (tmp_path / "results" / ROWS).read_text() == known["results"][0]


def test_lines_that_do_not_fit_are_named_and_measured_again(run, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    path, line = tmp_path / "out" / ROWS, line_of(JOBS[0])
    for bad, reason in (
        (line.replace('"threads": [1, 1], ', ""), "its columns are text, share"),
        (line.replace("[1, 1]", "[1, null]"), "values are missing"),
        (line.replace("[1, 2]", "[1, 3]"), "sizes was [1, 3], is [1, 2]"),
        (line[:40], "JSONDecodeError"),
    ):
        path.write_text("\n".join([line_of(JOBS[2]), bad, line_of(JOBS[1])]))
        assert run() == (rows_of(*JOBS), [(0.1, 300)]), bad
        (text,) = capsys.readouterr().err.splitlines()
        assert text.startswith(f"{path}: line 2, "), text
        assert reason in text
        assert run() == (rows_of(*JOBS), []), "the new line stands behind one without its end"
        capsys.readouterr()


def test_a_study_that_is_killed_in_a_slow_job_keeps_the_others(tmp_path):
    words = [sys.executable, "-c", SLOW, "--jobs", "2", "--out_dir", tmp_path]
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    path = tmp_path / ROWS
    process = subprocess.Popen(words, env=environment, start_new_session=True)
    try:
        while not path.exists() or path.read_bytes().count(b"\n") < 2:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers, too
        process.wait()
    kept = runner.read_rows(path, {"a": ({}, range(3))}, ("share",))
    assert kept == {("a", 1): [{"share": 1 / 7}], ("a", 2): [{"share": 2 / 7}]}


def test_wrong_flags_end_in_a_line_that_names_them(run, capsys):
    for flags in "--only c", "--seed x", "--seed -1", "--seeds 0", "--seeds 1000000000", "--jobs 0":
        with pytest.raises(SystemExit, match=r"^2$"):
            run(*flags.split())
        assert f"error: argument {flags.split()[0]}: " in capsys.readouterr().err.splitlines()[-1]
    for folder, reason in (__file__, "cannot be made"), (runner.HERE / "studies", "holds files of"):
        with pytest.raises(SystemExit) as stop:
            run("--out_dir", folder)
        assert stop.value.code.startswith(f"--out_dir {folder}: {reason}")


def test_both_parts_have_the_same_files():
    for name in "common.py", "studies/__init__.py", "studies/runner.py":
        assert (HERE / name).read_bytes() == (HERE.parent / "Part 2" / name).read_bytes(), name
