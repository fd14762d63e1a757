"""Tests of studies/collapse.py and settings.py: rows, tables, and what is drawn."""

import subprocess
import sys
from shutil import copytree, ignore_patterns

import pytest

from common import BLUE, ORANGE
from conftest import HERE, drawn
from studies import collapse, loops, runner, settings
from studies.runner import RESULTS


def rows_of(experiment, seed, distances, shares):
    return [
        {"experiment": experiment, "seed": seed, "epoch": epoch, "frechet_distance": distance}
        | {"confident": 0.3, "commonest_digit": share, "samples": ""}
        for epoch, (distance, share) in enumerate(zip(distances, shares, strict=True), start=1)
    ]


def test_the_table_shows_what_the_rows_say():
    rows = rows_of("delay 10", 0, [9] * 5 + [10] * 4 + [20], [1, *[0.2499] * 9])
    rows += rows_of("delay 10", 1, [9] * 5 + [100] * 4 + [300], [1] * 9 + [0.25])
    (line,) = collapse.collapse_table(rows)
    expected = ["delay 10", 2, "12 to 140", "1 to 10", "1 of 2", 10, "20 to 300", "25"]
    assert [*line.values()] == expected


def test_the_figure_of_delays_shows_each_seed_at_its_delay_and_distance():
    rows = []
    names = [*collapse.DOSES, *collapse.OTHERS]
    for n, name in enumerate(names):
        for seed in range(3):
            share = 0.3 if (n + seed) % 2 else 0.2
            shares = [0.1] * 9 + [share, 0.5 - share]  # after epoch 11, it is the other way round
            rows += rows_of(name, seed, [100 * n + 10 * seed + 5] * 11, shares)
    left, right = collapse.delay_figure(rows).axes
    labels = [label.get_text().replace("\n", " ") for label in right.get_xticklabels()]
    others = ["mean of 9 batches", "half of its fakes late", "its weights late"]
    assert labels == [*others, "fakes and weights late", "its momentum"]
    for axes, first, places in (left, 0, [0, 1, 2, 3, 5, 10]), (right, 6, [*range(5)]):
        found = drawn(axes)
        for label, colour, odd in ("collapsed at epoch 10", ORANGE, 1), ("not collapsed", BLUE, 0):
            got_colour, xs, ys = found[label]
            assert got_colour == colour
            expected = {
                100 * (first + n) + 10 * seed + 5: place
                for n, place in enumerate(places)
                for seed in range(3)
                if (first + n + seed) % 2 == odd
            }
            assert sorted(ys) == pytest.approx(sorted(expected))
            assert xs == pytest.approx([expected[round(y)] for y in ys], abs=0.2)
    assert drawn(left)["mean"][1:] == ([0, 1, 2, 3, 5, 10], [15, 115, 215, 315, 415, 515])


STUDIES = {  # {study: (its module, its tables and figures)}
    "collapse": (collapse, ["collapse.csv", "delay.png"]),
    "settings": (settings, ["settings.csv"]),
}


@pytest.mark.parametrize("study", STUDIES)
def test_the_committed_rows_are_those_of_the_report_and_give_its_files(
    call, figures, tmp_path, monkeypatch, study
):
    module, files = STUDIES[study]
    experiments = module.EXPERIMENTS
    jobs = runner.read_rows(RESULTS / f"{study}_rows.jsonl", experiments, module.COLUMNS)
    assert [*jobs] == [(name, seed) for name, (_, seeds) in experiments.items() for seed in seeds]
    for (name, _), own in jobs.items():
        first, last = (experiments[name][0][key] for key in ("measured_from", "n_epochs"))
        epochs = [*range(1, 11), *range(15, last + 1, 5)]
        assert [row["epoch"] for row in own] == [epoch for epoch in epochs if epoch >= first]
    monkeypatch.setattr(loops, "measure", pytest.fail)
    call(f"studies.{study}", "--out_dir", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*files}
    for file in tmp_path.glob("*.csv"):
        assert file.read_bytes() == (RESULTS / file.name).read_bytes()


@pytest.mark.parametrize(
    ("file", "old", "new", "left"),
    [  # left: how many rows of settings.py still count
        ("train.py", 'lr_d", type=rate, default=4e-4', 'lr_d", type=rate, default=4e-2', 6),
        ("train.py", "MEASURE_SEED, BATCHNORM_SEED = 4000", "MEASURE_SEED, BATCHNORM_SEED = 7", 0),
        ("studies/settings.py", "--lr 0.0008", "--lr 0.008", 26),
    ],
)
def test_rows_do_not_count_once_a_default_or_a_constant_is_another(tmp_path, file, old, new, left):
    part = copytree(HERE, tmp_path / "part", ignore=ignore_patterns("data", "run", "tests"))
    text = (part / file).read_text(encoding="utf-8")
    assert old in text
    (part / file).write_text(text.replace(old, new), encoding="utf-8")
    code = """from studies import runner, settings
path = runner.RESULTS / "settings_rows.jsonl"
print(len(runner.read_rows(path, settings.EXPERIMENTS, settings.COLUMNS)))"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=part, capture_output=True, text=True)
    assert done.stdout == f"{left}\n"
    assert len(done.stderr.splitlines()) == 29 - left, "each row that does not count is named"
