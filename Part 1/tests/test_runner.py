"""Tests of studies/runner.py: what is measured, kept and shown, and what the report gets."""

import sys
import time

import pytest
import torch

import common
from common import save_table
from studies import runner

EXPERIMENTS = {
    "a": ({"name": "a", "sizes": [1, 2]}, range(300, 302)),
    "b, long": ({"name": "b, long", "sizes": []}, range(300, 301)),
}
JOBS = [("a", 300), ("a", 301), ("b, long", 300)]
ROWS = "toy_rows.jsonl"


def measured_rows(seed, text=""):
    return [{"text": text, "share": 1}, {"text": text, "share": seed / 7}]


def rows_of(*jobs):
    return [{"experiment": a, "seed": n} | row for a, n in jobs for row in measured_rows(n)]


def line_of(job, text="", **changed):
    return runner.line_of(job, EXPERIMENTS[job[0]][0] | changed, measured_rows(job[1], text))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs a study with flags: the rows shown, and the jobs measured."""
    for name in "results", "pics", "out":
        (tmp_path / name).mkdir()
        monkeypatch.setattr(runner, name.upper(), tmp_path / name, raising=False)
    monkeypatch.setattr(runner, "PAGES", [tmp_path / "page.md"])
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)  # a job has to have one

    def run(*flags, wait=lambda job: None):
        shown, measured = [], []

        def measure(settings, seed):
            measured.append((settings["name"], seed))
            wait(measured[-1])
            assert torch.get_num_threads() == 1
            return measured_rows(seed)

        def show(rows, out_dir):
            shown.extend(rows)
            save_table(out_dir / "toy.csv", rows[1::2])  # one of each job
            (out_dir / "toy.png").write_text(f"a picture of {len(rows)} rows")

        words = "toy", "--jobs", 1, "--out_dir", tmp_path / "out", *flags
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        runner.study("toy", "", EXPERIMENTS, measure, show, lambda own: 300 * len(own["name"]))
        return shown, measured

    return run


def test_two_processes_write_what_one_does_and_no_line_waits_for_a_slow_job(run, tmp_path):
    path = tmp_path / "out" / ROWS
    path.touch()

    def wait(job):
        end = time.monotonic() + 60
        while job == JOBS[0] and path.read_bytes().count(b"}\n") < 2:  # the lines of the others
            assert time.monotonic() < end
            time.sleep(0.1)

    rows, _ = run("--all", "--jobs", 2, wait=wait)
    assert repr(rows) == repr(rows_of(*JOBS))  # repr tells 1 from 1.0
    lines = path.read_text().splitlines(keepends=True)
    assert sorted(lines[1::2]) == sorted(map(line_of, JOBS))


def test_only_what_is_named_is_measured_and_the_rest_is_listed(run, capsys):
    with pytest.raises(SystemExit, match=r"^0 of 3 jobs have rows$"):
        run()
    assert capsys.readouterr().err.splitlines() == [
        "a: 2 seeds, no rows; 10.0 core-minutes",
        "b, long: 1 seeds, no rows; 35.0 core-minutes",
        "These are left out; --only or --all measures them.",
    ]
    assert run("--only", "b, long") == (rows_of(JOBS[2]), JOBS[2:])
    assert run() == (rows_of(JOBS[2]), []), "what is there is shown"
    jobs = [("b, long", 299), ("b, long", 300)]
    assert run("--only", "b, long", "--seed", 299, "--seeds", 2) == (rows_of(*jobs), jobs[:1])
    assert run("--only", "a", "--seed", 0)[1] == [("a", 0), ("a", 1)]
    assert run("--all", "--seeds", 1) == (rows_of(JOBS[0], JOBS[2]), JOBS[:1])
    assert run("--all") == (rows_of(*JOBS), JOBS[1:2])


def test_rows_of_ones_own_win_and_of_them_the_last(run, tmp_path, capsys):
    (tmp_path / "results" / ROWS).write_text("".join(line_of(job, "committed") for job in JOBS))
    (tmp_path / "out" / ROWS).write_text(line_of(JOBS[1], "older") + line_of(JOBS[1], "own"))
    assert run("--again", "--only", "b, long")[1] == JOBS[2:]
    rows, measured = run("--again")
    assert (rows, measured) == (run()[0], []), "--again alone names nothing"
    assert [row["text"] for row in rows[::2]] == ["committed", "own", ""]
    assert "a: 2 seeds, has rows; 10.0 core-minutes\n" in capsys.readouterr().err


def test_lines_that_are_torn_or_old_do_not_count(run, tmp_path, monkeypatch, capsys):
    path = tmp_path / "out" / ROWS
    changed = line_of(JOBS[0], sizes=[1, 3]), "sizes was [1, 3], is [1, 2]"
    for bad, reason in changed, (line_of(JOBS[0])[:40], "no rows"):
        path.write_text(line_of(JOBS[1]) + line_of(JOBS[2]) + bad)
        assert run()[0] == rows_of(*JOBS[1:])
        assert capsys.readouterr().err.startswith(f"a: 1 seeds, {reason}; 5.0 core-minutes\n")
        assert run("--all") == (rows_of(*JOBS), JOBS[:1])
        assert run() == (rows_of(*JOBS), []), "the new line stands behind one without its end"
        capsys.readouterr()
    monkeypatch.setattr(runner, "ADDED", {"warmup": 0})
    old = {"rate": 0.1}
    assert runner.differences(old, old) == runner.differences(old, old | {"warmup": 0}) == ""
    assert runner.differences(old, old | {"warmup": 5}) == "warmup was 0, is 5"
    assert runner.differences(old, {"decay": 0}) == "rate was 0.1, is None, decay was None, is 0"


def test_report_puts_rows_tables_figures_and_cells_of_pages_into_their_places(run, tmp_path):
    results, page = tmp_path / "results" / ROWS, tmp_path / "page.md"
    mark = "<!-- results/toy.csv -->\n"
    table = f"{mark}| experiment | seed | text | share |\n|---|---|---|---|\n"
    other = "<!-- toy -->\n| a |\n"  # is left as it is
    text = f"A\n{table}| a | 301 |  | {{}} |\n| a | 300 |  | {{}} |\n\n{other}\n{table}B\n"
    page.write_text(text.format("", "old"))
    stale = line_of(JOBS[0], sizes=0) + line_of(("a", 9)) + line_of(JOBS[0]).replace("a", "gone", 1)
    results.write_text(line_of(JOBS[2]) + stale + line_of(JOBS[0]))
    before = results.read_bytes()
    with pytest.raises(SystemExit, match=r"^2 of 3 jobs have rows$"):
        run("--report")
    assert (results.read_bytes(), page.read_text()) == (before, text.format("", "old"))
    run("--report", "--all")
    assert results.read_text() == "".join(map(line_of, JOBS))
    for place in tmp_path / "results", tmp_path / "out" / "report":
        assert len(common.read_csv(place / "toy.csv")) == 3
    assert (tmp_path / "pics" / "toy.png").read_text() == "a picture of 6 rows"
    with pytest.raises(ValueError, match="b"):  # what cannot be written leaves the old file
        common.save_csv(page, [{"a": 2}, {"b": 3}])
    assert page.read_text() == text.format(301 / 7, 300 / 7)


def test_wrong_flags_and_folders_end_in_a_line_that_names_them(run, tmp_path, monkeypatch, capsys):
    for flags in "--only c", "--seeds 0", "--jobs x", "--report --seed 0", "--report --only a":
        with pytest.raises(SystemExit, match=r"^2$"):
            run(*flags.split())
        assert f"error: argument {flags.split()[0]}: " in capsys.readouterr().err
    (tmp_path / "repository" / "pics").mkdir(parents=True)
    monkeypatch.setattr(common, "HERE", tmp_path / "repository" / "part")
    run("--all", "--out_dir", tmp_path / "repository" / "run" / "x")
    with pytest.raises(SystemExit, match=r"pics: inside the repository, only a folder run/ is all"):
        run("--out_dir", tmp_path / "repository" / "pics")
    with pytest.raises(SystemExit, match=r"test_runner.py: cannot be made \(File exists\)$"):
        run("--out_dir", __file__)
