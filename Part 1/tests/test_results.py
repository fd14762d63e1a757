"""Tests of the committed results: they have today's settings, and give the tables and figures."""

import csv
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

import train
from conftest import HERE
from studies import runner

N_FILES = {"gates": 2, "lengths": 2, "memory": 2, "settings": 2, "start": 2}


@pytest.mark.parametrize("name", N_FILES)
def test_committed_rows_are_of_todays_jobs_and_give_the_tables_and_figures(
    name, call, monkeypatch, tmp_path
):
    found = []
    with monkeypatch.context() as patch:
        patch.setattr(runner, "study", lambda *arguments: found.extend(arguments))
        call(f"studies.{name}")
    _, _, experiments, columns, _, _ = found
    path = runner.RESULTS / f"{name}_rows.jsonl"
    jobs = [(experiment, seed) for experiment, (_, own) in experiments.items() for seed in own]
    assert sorted(runner.read_rows(path, experiments, columns)) == sorted(jobs)
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(jobs)

    monkeypatch.setattr(runner, "run_jobs", lambda function, jobs, n: [])  # nothing is measured
    call(f"studies.{name}", "--out_dir", tmp_path)
    files = [*tmp_path.iterdir()]
    assert len(files) == N_FILES[name]
    for made in files:
        if made.suffix == ".csv":
            assert made.read_bytes() == (runner.RESULTS / made.name).read_bytes(), made.name
        else:
            now, shown = Image.open(made), Image.open(HERE.parent / "pics" / made.name)
            assert now.text["Rows"] == shown.text["Rows"], f"{made.name} shows other rows"
            assert now.size == shown.size, f"{made.name} was drawn by other code"
    for experiment in [*experiments][::20]:  # one alone can be shown, too
        call(f"studies.{name}", "--only", experiment, "--seeds", 1, "--out_dir", tmp_path)


def test_rows_do_not_count_once_a_default_or_a_constant_is_another(tmp_path):
    part = shutil.copytree(HERE, tmp_path / "part", ignore=shutil.ignore_patterns("run", "tests"))
    for file, old, new in (
        ("train.py", 'default=128, help="hidden', 'default=64, help="hidden'),
        ("studies/lengths.py", '"steps": 1000', '"steps": 999'),
    ):
        text = (part / file).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (part / file).write_text(text.replace(old, new), encoding="utf-8")
    code = """from studies import lengths, runner, settings
both = lengths.CHOOSING | lengths.REPORTED
for name, known in ("settings", settings.EXPERIMENTS), ("lengths", both):
    columns = getattr(globals()[name], "COLUMNS")
    print(len(runner.read_rows(runner.RESULTS / f"{name}_rows.jsonl", known, columns)))"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=part, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n40\n", "those of 3,000 steps do count"
    assert done.stderr.count("num_hidden was 128, is 64") == 180
    assert done.stderr.count("steps was 1000, is 999") == 325


@pytest.mark.parametrize("folder", [HERE.parent, HERE / "studies"], ids=["report", "studies"])
def test_every_table_of_results_has_cells_of_its_csv(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    tables = re.findall(r"<!-- ((?:Part 1/studies/)?results/\S+\.csv) -->\s*((?:\|.*\n)+)", text)
    assert tables
    for name, table in tables:
        with open(folder / name, newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file)]
        cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]
        known = [[row[column] for column in cells[0]] for row in rows]
        for line in cells[2:]:
            assert line in known, (name, line)


def test_the_settings_in_the_report_are_the_defaults_and_the_preset():
    text = (HERE.parent / "README.md").read_text(encoding="utf-8")
    part_1, _ = text.split("## Part II", 1)
    ours, course = train.parse_args([]), train.parse_args(["--preset", "assignment"])
    with open(runner.RESULTS / "accuracy.csv", newline="", encoding="utf-8") as file:
        solved = {row["settings"]: row["solved (99.9 %)"] for row in csv.DictReader(file)}
    for start, flag, change in (
        ("numbers for", "input_dim", "--input_dim 1"),
        ("forget gates", "bf", "--bf 0"),
        ("learning rate", "learning_rate", "--no-decay --learning_rate 0.001"),
    ):
        (line,) = re.findall(rf"^\| {start}[^|]*\|(.*)\|$", part_1, re.MULTILINE)
        *cells, alone = line.split("|")
        assert alone.strip() == solved[change]
        if flag != "bf":
            found = [float(re.search(r"[\d.]+", cell).group()) for cell in cells]
            assert found == [getattr(ours, flag), getattr(course, flag)]
    assert f"| training steps | {ours.train_steps} |" in part_1
    assert (ours.bf, course.bf, ours.decay, course.decay) == (None, 0, True, False)
