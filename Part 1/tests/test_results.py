"""Tests of the committed results: they have today's settings, and give the tables and figures."""

import csv
import re

import pytest
from PIL import Image

from conftest import HERE
from studies import runner

N_FILES = {"cells": 2, "gates": 2, "lengths": 3, "memory": 2, "settings": 2, "start": 5}


@pytest.fixture(params=N_FILES)
def study(request, call, monkeypatch):
    """Return a study's name, its settings and the report's jobs; from here on, no job can run."""
    found = []

    def look(name, doc, settings, seeds, measure, show):
        jobs = [(experiment, seed) for experiment, own in seeds.items() for seed in own]
        found.extend([name, settings, jobs])

    with monkeypatch.context() as patch:
        patch.setattr(runner, "study", look)
        call(f"studies.{request.param}")
    monkeypatch.setattr(runner, "run_jobs", lambda function, jobs, n: [])  # too few for any job
    return found


def test_committed_rows_are_those_of_the_reports_jobs_with_todays_settings(study):
    name, settings, jobs = study
    path = runner.RESULTS / f"{name}_rows.jsonl"
    assert [*runner.read_rows(path, settings)] == jobs
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(jobs)


def test_tables_and_figures_come_out_of_the_committed_rows(study, call, tmp_path):
    name, settings, _ = study
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
    for experiment in settings:  # one alone can be shown, too
        call(f"studies.{name}", "--only", experiment, "--seeds", 1, "--out_dir", tmp_path)


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
