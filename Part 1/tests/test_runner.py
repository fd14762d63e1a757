"""Tests of studies/runner.py: which rows are measured, which are kept, and what is shown."""

import sys

import pytest
import torch

from common import HERE  # conftest would give the processes of jobs one thread
from studies import runner

SETTINGS = {"a": ("rate", 0.1), "b, long": ("rate", 0.2)}
SEEDS = {"a": range(300, 302), "b, long": range(300, 301)}
JOBS = [("a", 300), ("a", 301), ("b, long", 300)]
ROWS = "toy_rows.jsonl"


def measure(job):
    """Return two rows of a job, with each type of value that studies have."""
    experiment, seed = job
    row = {"experiment": experiment, "seed": seed, "threads": torch.get_num_threads()}
    return [row | {"text": "", "share": seed / 7}, row | {"text": "1", "share": 1.0}]


def rows_of(*jobs):
    return [row | {"threads": 1} for job in jobs for row in measure(job)]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs a study with flags: the rows shown, and the jobs measured."""
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results")

    def run(*flags, settings=SETTINGS):
        shown, measured = [], []

        def note(job):
            measured.append(job)
            return measure(job)

        words = ["toy", "--jobs", 1, "--out_dir", tmp_path / "out", *flags]
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        runner.study("toy", "", settings, SEEDS, note, lambda rows, _: shown.extend(rows))
        return shown, measured

    return run


def test_one_process_and_two_write_the_same_and_each_job_has_one_thread(run, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    for n in "12":
        rows, _ = run("--jobs", n, "--out_dir", tmp_path / n)
        assert rows == rows_of(*JOBS)
    assert (tmp_path / "1" / ROWS).read_bytes() == (tmp_path / "2" / ROWS).read_bytes()


def test_flags_name_the_jobs_whose_rows_are_shown(run):
    for flags, jobs in (
        (["--only", "b, long", "--seed", 299, "--seeds", 2], [("b, long", 299), ("b, long", 300)]),
        (["--only", "a", "--seed", 7], [("a", 7), ("a", 8)]),
        (["--seeds", 1], [JOBS[0], JOBS[2]]),
        ([], JOBS),
    ):
        rows, _ = run(*flags)
        assert rows == rows_of(*jobs), flags


def test_committed_rows_come_first_and_only_what_is_missing_is_measured(run, tmp_path):
    committed, own = ([row | {"text": name} for row in rows_of(JOBS[0])] for name in "AB")
    for folder, rows in ("results", committed), ("out", own):
        (tmp_path / folder).mkdir()
        runner.add_rows(tmp_path / folder / ROWS, JOBS[0], SETTINGS, rows)
    before = (tmp_path / "results" / ROWS).read_bytes()
    rest = rows_of(*JOBS[1:])
    assert run() == (committed + rest, JOBS[1:])
    assert run() == (committed + rest, [])
    assert run("--again") == (own + rest, [])
    assert run("--again", "--out_dir", tmp_path / "new") == (rows_of(*JOBS), JOBS)
    assert (tmp_path / "results" / ROWS).read_bytes() == before


@pytest.mark.parametrize("folder", ["results", "out"])
def test_what_was_made_with_other_settings_is_measured_again(folder, run, tmp_path):
    run("--out_dir", tmp_path / folder)
    changed = SETTINGS | {"a": ("rate", 0.3)}
    assert run(settings=changed) == (rows_of(*JOBS), JOBS[:2])
    assert run(settings=changed) == (rows_of(*JOBS), [])
    assert run(settings=SETTINGS) == (rows_of(*JOBS), [])


def test_a_file_that_is_cut_or_damaged_anywhere_is_completed(run, tmp_path, capsys):
    run()
    path = tmp_path / "out" / ROWS
    whole = path.read_bytes()
    for place in range(len(whole)):
        before, after = whole[:place], whole[place:]
        n = before.count(b"\n")
        complete = after.startswith(b"\n")  # a line without its \n still has all its rows
        torn = before[-1:] not in (b"", b"\n") and not complete
        for content, lost, damaged in (
            (before, JOBS[n + complete :], torn),
            (before + b"\0" + after, [JOBS[n]], True),
        ):
            path.write_bytes(content)
            capsys.readouterr()
            rows, measured = run()
            assert measured == lost, content
            assert repr(rows) == repr(rows_of(*JOBS)), content  # repr tells 1 from 1.0 and "1"
            assert ("is damaged and left out" in capsys.readouterr().err) == damaged, content
            assert run() == (rows, []), content


def test_wrong_flags_end_in_a_line_that_names_them(run, capsys):
    for flags in "--only c", "--seed x", "--seed -1", "--seeds 0", "--jobs 0":
        with pytest.raises(SystemExit, match=r"^2$"):
            run(*flags.split())
        assert f"error: argument {flags.split()[0]}: " in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit) as stop:
        run("--out_dir", __file__)
    assert stop.value.code.startswith(f"--out_dir {__file__}: cannot be made")


def test_both_parts_have_the_same_files():
    for name in "common.py", "studies/__init__.py", "studies/runner.py":
        assert (HERE / name).read_bytes() == (HERE.parent / "Part 2" / name).read_bytes(), name
