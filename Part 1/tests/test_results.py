"""Tests of the committed results: tables and figures are those of the committed rows."""

import csv
import re

import pytest
from PIL import Image

import runner
from conftest import HERE

STUDIES = sorted(path.name for path in HERE.glob("study_*.py") if path.name != "study_proof.py")


@pytest.mark.parametrize("script", STUDIES)
def test_tables_and_figures_come_out_of_rows_of_todays_experiments(
    script, call, tmp_path, monkeypatch
):
    studies = []
    monkeypatch.setattr(runner, "study", lambda *arguments: studies.append(arguments))
    call(script)
    monkeypatch.undo()
    ((name, _, experiments, _, _),) = studies
    path = HERE / "results" / f"{name}_rows.csv"
    with open(path, encoding="utf-8") as file:
        jobs = dict.fromkeys((row["experiment"], int(row["seed"])) for row in csv.DictReader(file))
    assert [*jobs] == [(name, 300 + n) for name, count in experiments.items() for n in range(count)]

    call(script, "--rows", path, "--out_dir", tmp_path)
    for made in tmp_path.iterdir():
        if made.suffix == ".csv":
            assert made.read_bytes() == (HERE / "results" / made.name).read_bytes(), made.name
        else:
            now, shown = Image.open(made), Image.open(HERE.parent / "pics" / made.name)
            assert now.text["Rows"] == shown.text["Rows"], f"{made.name} shows other rows"
            assert now.size == shown.size, f"{made.name} was drawn by other code"


@pytest.mark.parametrize("folder", [HERE.parent, HERE], ids=["report", "Part 1"])
def test_every_table_of_results_has_cells_of_its_csv(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    tables = re.findall(r"<!-- ((?:Part 1/)?results/\S+\.csv) -->\s*((?:\|.*\n)+)", text)
    assert tables
    for name, table in tables:
        with open(folder / name, newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file)]
        cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]
        known = [[row[column] for column in cells[0]] for row in rows]
        for line in cells[2:]:
            assert line in known, (name, line)
