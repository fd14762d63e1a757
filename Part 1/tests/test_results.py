"""Tests of the committed results: they have today's settings, and give tables, figures, pages."""

import importlib
import re

import pytest
from PIL import Image, ImageChops, ImageStat

from networks import NETWORKS
from studies import runner
from studies.settings import LONGER
from train import parse_args

STUDIES = {  # {study: its files}
    "gates": {"gates.csv", "gates.png"},
    "lengths": {"lengths.csv", "lengths.png", "lengths_rates.csv", "defaults.csv"},
    "memory": {"memory.csv", "memory.png", "clock.csv"},
    "settings": {"accuracy.csv", "accuracy.png"},
}


@pytest.mark.parametrize("study", STUDIES)
def test_committed_rows_are_todays_and_make_the_tables_and_figures(study, call, tmp_path):
    experiments = importlib.import_module(f"studies.{study}").EXPERIMENTS
    jobs = [(experiment, seed) for experiment, (_, own) in experiments.items() for seed in own]
    rows, reasons = runner.read_rows(runner.RESULTS / f"{study}_rows.jsonl", experiments)
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


def test_every_table_on_the_pages_has_the_cells_of_its_csv(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, **_: written.append(text))
    runner.put_in_place(tmp_path)
    assert written == [page.read_text(encoding="utf-8") for page in runner.PAGES]
    for text in written:
        assert "results/accuracy.csv -->\n| T | network |" in text


def numbers(cell):
    return {float(text) for text in re.findall(r"\d+(?:\.\d+)?", re.sub(r",(?=\d{3})", "", cell))}


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    report = runner.PAGES[0].read_text(encoding="utf-8")
    ours, course = parse_args([]), parse_args(["--preset", "assignment"])
    defaults = [network.defaults for network in NETWORKS.values()]
    for setting, own, template in (
        ("input encoding", {ours.input_dim}, {course.input_dim}),
        ("forget-gate bias", {1, 100, 2018}, {course.bf}),
        ("learning rate", {each["learning_rate"] for each in defaults}, {course.learning_rate}),
        ("warm-up", {each["warmup"] for each in defaults}, {course.warmup}),
        ("training steps", {ours.train_steps}, numbers(LONGER)),
    ):
        cells = re.findall(rf"^\| {setting}[^|]* \|([^|]*)\|([^|]*)\|$", report, re.MULTILINE)
        assert [(numbers(cell), numbers(other)) for cell, other in cells] == [(own, template)]
