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
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(jobs)

    call(f"studies.{study}", "--out_dir", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == STUDIES[study]
    for made in tmp_path.iterdir():
        if made.suffix == ".csv":
            assert made.read_bytes() == (runner.RESULTS / made.name).read_bytes(), made.name
        elif runner.PICS.exists():
            now, shown = (Image.open(path).convert("L") for path in (made, runner.PICS / made.name))
            assert now.size == shown.size, made.name
            assert ImageStat.Stat(ImageChops.difference(now, shown)).mean[0] < 2, made.name


def text_of(page):
    if not page.exists():
        pytest.skip("this part was copied alone")
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [REPORT, PAGE], ids=["report", "studies"])
def test_every_table_of_results_has_cells_of_its_csv(page):
    tables = re.findall(
        r"<!-- ((?:Part 1/studies/)?results/.*\.csv) -->\n((?:\|.*\n)+)", text_of(page)
    )
    assert tables
    for name, table in tables:
        head, _, *lines = [
            [c.strip() for c in line[1:-1].split("|")] for line in table.splitlines()
        ]
        known = [[row[column] for column in head] for row in read_csv(page.parent / name)]
        for line in lines:
            assert line in known, (name, line)


def numbers(cell):
    return {float(text) for text in re.findall(r"\d+(?:\.\d+)?", re.sub(r",(?=\d{3})", "", cell))}


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|", text_of(REPORT), re.MULTILINE)
    cells = {setting.split(" (")[0]: (ours, course) for setting, ours, course in rows}
    ours, course = parse_args([]), parse_args(["--preset", "assignment"])
    encodings = [{10: "one-hot", 1: "scalar"}[args.input_dim] for args in (ours, course)]
    assert all(word in cell for word, cell in zip(encodings, cells["input encoding"], strict=True))
    assert (ours.bf, course.bf, ours.decay, course.decay) == (None, 0, True, False)
    assert {1, 100} <= numbers(cells["forget-gate bias"][0])
    assert numbers(cells["forget-gate bias"][1]) == {0}
    for setting, flag in ("learning rate", "learning_rate"), ("warm-up", "warmup"):
        own = {getattr(network, flag) for network in NETWORKS.values()}
        assert own <= numbers(cells[setting][0]) | {0}
        assert numbers(cells[setting][1]) <= {getattr(course, flag)}
    assert [*map(numbers, cells["training steps"])] == [{ours.train_steps}, numbers(LONGER)]
