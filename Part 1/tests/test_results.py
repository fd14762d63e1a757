"""Tests of the committed results: they have today's settings, and give tables, figures, pages."""

import re

import pytest
from PIL import Image, ImageChops, ImageStat

from common import HERE, read_csv
from networks import NETWORKS
from studies import runner
from studies.settings import LONGER
from train import parse_args

STUDIES = {  # {study: its files}
    "gates": {"gates.csv"},
    "lengths": {"lengths.csv", "lengths_rates.csv", "defaults.csv"},
    "memory": {"memory.csv", "memory.png", "clock.csv"},
    "settings": {"accuracy.csv", "accuracy.png"},
}
REPORT, PAGE = HERE.parent / "README.md", HERE / "studies" / "README.md"


@pytest.mark.parametrize("study", STUDIES)
def test_committed_rows_are_todays_and_make_the_tables_and_figures(
    study, call, monkeypatch, tmp_path
):
    found = []
    with monkeypatch.context() as patch:
        patch.setattr(runner, "study", lambda *arguments: found.extend(arguments))
        call(f"studies.{study}")
    experiments, path = found[2], runner.RESULTS / f"{study}_rows.jsonl"
    jobs = [(experiment, seed) for experiment, (_, own) in experiments.items() for seed in own]
    rows, reasons = runner.read_rows(path, experiments)
    assert ([*rows], reasons) == (jobs, {})

    call(f"studies.{study}", "--out_dir", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == STUDIES[study]
    for made in tmp_path.iterdir():
        if made.suffix == ".csv":
            assert made.read_bytes() == (runner.RESULTS / made.name).read_bytes(), made.name
        else:
            now, shown = (Image.open(path).convert("L") for path in (made, runner.PICS / made.name))
            assert now.size == shown.size, made.name
            assert ImageStat.Stat(ImageChops.difference(now, shown)).mean[0] < 2, made.name


@pytest.mark.parametrize("page", [REPORT, PAGE], ids=["report", "studies"])
def test_every_table_of_results_has_cells_of_its_csv(page):
    mark_and_table = r"<!-- ((?:Part 1/studies/)?results/.*\.csv) -->\n((?:\|.*\n)+)"
    tables = re.findall(mark_and_table, page.read_text(encoding="utf-8"))
    stale = []
    for name, table in tables:
        head, _, *lines = (line[2:-2].split(" | ") for line in table.splitlines())
        known = [[row[column] for column in head] for row in read_csv(page.parent / name)]
        stale += [(name, line) for line in lines if line not in known]
    assert tables
    assert stale == []


def numbers(cell):
    return {float(text) for text in re.findall(r"\d+(?:\.\d+)?", re.sub(r",(?=\d{3})", "", cell))}


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    report = REPORT.read_text(encoding="utf-8")
    ours, course = parse_args([]), parse_args(["--preset", "assignment"])
    rates = {network.learning_rate for network in NETWORKS.values()}
    warmups = {network.warmup for network in NETWORKS.values()}
    for setting, own, template in (
        ("input encoding", {ours.input_dim}, {course.input_dim}),
        ("forget-gate bias", {1, 100, 2018}, {course.bf}),
        ("learning rate", rates, {course.learning_rate}),
        ("warm-up", warmups, {course.warmup}),
        ("training steps", {ours.train_steps}, numbers(LONGER)),
    ):
        cells = re.findall(rf"^\| {setting}[^|]* \|([^|]*)\|([^|]*)\|$", report, re.MULTILINE)
        assert [(numbers(cell), numbers(other)) for cell, other in cells] == [(own, template)]
