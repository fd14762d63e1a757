"""Tests of studies/runner.py: what is trained, kept and shown, and what the report gets."""

import sys
import time

import pytest
import torch
from matplotlib.figure import Figure

import common
from studies import runner

EXPERIMENTS = {
    "a": ({"name": "a", "sizes": [1, 2]}, range(300, 302)),
    "b, long": ({"name": "b, long", "sizes": ()}, range(300, 301)),
}
A300, A301, B300 = JOBS = runner.jobs_of(EXPERIMENTS)
NAMES = [("a", 300), ("a", 301), ("b, long", 300)]  # of these jobs


def trained_rows(seed, text=""):
    return [{"text": text, "share": 1}, {"text": text, "share": seed / 7}]


def rows_of(*names):
    return [{"experiment": a, "seed": n} | row for a, n in names for row in trained_rows(n)]


def line_of(job, text="", **changed):
    experiment, settings, seed = job
    return runner.line_of(experiment, settings | changed, seed, trained_rows(seed, text))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs a study with flags: the rows shown, and the jobs trained."""
    for name in "results", "pics", "out":
        (tmp_path / name).mkdir()
        monkeypatch.setattr(runner, name.upper(), tmp_path / name, raising=False)
    monkeypatch.setattr(runner, "PAGES", [tmp_path / "page.md"])
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)  # a job has to have one

    def run(*flags, wait=lambda job: None):
        shown, trained = [], []

        def measure(settings, seed):
            trained.append((settings["name"], seed))
            wait(trained[-1])
            assert torch.get_num_threads() == 1
            return trained_rows(seed)

        def show(rows):
            shown.extend(rows)
            return {"toy.csv": rows[1::2], "toy.png": Figure(figsize=(len(rows), 1))}

        words = "toy", "--jobs", 1, "--out_dir", tmp_path / "out", *flags
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        runner.study("toy", "", EXPERIMENTS, measure, show)
        return shown, trained

    return run


def test_two_processes_write_what_one_does_and_no_line_waits_for_a_slow_job(run, tmp_path):
    path = tmp_path / "out" / "toy.jsonl"
    path.touch()

    def wait(job):
        end = time.monotonic() + 60
        while job == NAMES[0] and path.read_bytes().count(b"}\n") < 2:  # the lines of the others
            assert time.monotonic() < end
            time.sleep(0.1)

    rows, _ = run("--train", "--jobs", 2, wait=wait)
    assert repr(rows) == repr(rows_of(*NAMES))  # repr tells 1 from 1.0
    lines = path.read_text().splitlines(keepends=True)
    assert sorted(lines[1::2]) == sorted(map(line_of, JOBS))
    assert '"out_dir": "' in (tmp_path / "out" / "settings.json").read_text()


def test_only_what_is_named_is_trained_and_the_rest_is_listed(run, capsys):
    with pytest.raises(SystemExit, match=r"^only 0 of 3 jobs have rows$"):
        run()
    listed = "a: no rows for 2 seeds; --train trains them\nb, long: no rows for 1 seeds"
    assert capsys.readouterr().err.startswith(listed)
    assert run("--train", "b, long") == (rows_of(NAMES[2]), NAMES[2:])
    assert run() == (rows_of(NAMES[2]), []), "what is there is shown"
    names = [("b, long", 299), ("b, long", 300)]
    assert run("--train", "b, long", "--seeds", 299, 300) == (rows_of(*names), names[:1])
    assert run("--train", "a", "--seeds", 0)[1] == [("a", 0)]
    assert run("--train") == (rows_of(*NAMES), NAMES[:2])


def test_rows_are_found_by_settings_and_seed_and_of_several_the_last_own_one_counts(
    run, tmp_path, monkeypatch
):
    (tmp_path / "results" / "toy.jsonl").write_text("".join(line_of(job, "ours") for job in JOBS))
    own = line_of(A301, "older") + line_of(A301, "own") + line_of(B300, sizes=[0])
    (tmp_path / "out" / "toy.jsonl").write_text(own + line_of(A300, "torn")[:40])
    rows, trained = run("--train")
    assert ([row["text"] for row in rows[::2]], trained) == (["ours", "own", "ours"], [])
    key = runner.key_of({"n": 1, "on": True, "sizes": (1, 2)}, 3)
    assert key == runner.key_of({"sizes": [1.0, 2.0], "on": True, "n": 1.0}, 3)
    monkeypatch.setattr(runner, "BEFORE", {"warmup": 0})
    assert runner.key_of({"n": 1}, 3) == runner.key_of({"warmup": 0, "n": 1}, 3) != key
    others = {"n": 2}, {"n": 1, "warmup": 5}, {"n": 1, "new": 0}
    assert runner.key_of({"n": 1}, 3) not in [runner.key_of(settings, 3) for settings in others]


def test_a_torn_line_costs_only_its_own_job(run, tmp_path):
    path = tmp_path / "out" / "toy.jsonl"
    path.write_text(line_of(A301) + line_of(B300) + line_of(A300)[:40])
    assert run()[0] == rows_of(*NAMES[1:])
    assert run("--train") == (rows_of(*NAMES), NAMES[:1])
    assert run() == (rows_of(*NAMES), []), "the new line stands behind one without its end"


def test_report_puts_rows_tables_figures_and_cells_of_pages_into_their_places(run, tmp_path):
    results, page = tmp_path / "results" / "toy.jsonl", tmp_path / "page.md"
    mark = "<!-- results/toy.csv -->\n"
    table = f"{mark}| experiment | seed | text | share |\n|---|---|---|---|\n"
    other = "<!-- toy -->\n| a |\n"  # is left as it is
    text = f"A\n{table}| a | 301 |  | {{}} |\n| a | 300 |  | {{}} |\n\n{other}\n{table}B\n"
    page.write_text(text.format("", "old"))
    results.write_text(line_of(B300) + line_of(A300, sizes=0) + line_of(A300))
    before = results.read_bytes()
    with pytest.raises(SystemExit, match=r"^only 2 of 3 jobs have rows$"):
        run("--report")
    assert (results.read_bytes(), page.read_text()) == (before, text.format("", "old"))
    run("--train")
    assert (results.read_bytes(), page.read_text()) == (before, text.format("", "old"))
    assert not [*(tmp_path / "pics").iterdir()], "your own runs never touch the report"
    run("--report")
    assert results.read_text() == "".join(map(line_of, JOBS))
    assert (tmp_path / "results" / "toy.csv").read_text().count("\n") == 4
    assert (tmp_path / "pics" / "toy.png").exists()
    assert page.read_text() == text.format(301 / 7, 300 / 7)


def test_wrong_flags_and_folders_end_in_a_line_that_names_them(run, tmp_path, monkeypatch, capsys):
    for flags in "--train c", "--jobs x", "--seeds -1", "--report --seeds 0", "--report --train a":
        with pytest.raises(SystemExit, match=r"^2$"):
            run(*flags.split())
        assert f"error: argument {flags.split()[0]}: " in capsys.readouterr().err
    repository = tmp_path / "run" / "repository"  # which lies below a run/ of somebody else
    (repository / "pics").mkdir(parents=True)
    monkeypatch.setattr(common, "HERE", repository / "part")
    run("--train", "--out_dir", repository / "run" / "x")
    with pytest.raises(SystemExit, match=r"pics: inside the repository, only a folder run/ is all"):
        run("--out_dir", repository / "pics")
    with pytest.raises(SystemExit, match=r"test_runner.py: cannot be made \(File exists\)$"):
        run("--out_dir", __file__)
