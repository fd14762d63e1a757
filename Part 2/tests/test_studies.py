"""Tests of the studies' rows, tables and figures: collapse, settings and quality."""

import json
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image

from classifier import load_classifier
from common import BLUE, ORANGE, load, read_csv
from conftest import drawn, frames
from gan import Generator
from latent import COMMITTED, draw_samples
from metrics import Comparison
from mnist import load_mnist
from studies import collapse, loops, quality, runner, settings
from studies.runner import RESULTS
from train import ADDED

GENERATOR = load(COMMITTED, Generator.from_state_dict)
STUDIES = {  # {study: (its module, its tables and figures)}
    "collapse": (collapse, {"collapse.csv", "stale.png"}),
    "settings": (settings, {"settings.csv"}),
}


def rows_of(experiment, seed, distances, shares):
    return [
        {"experiment": experiment, "seed": seed, "epoch": epoch, "frechet_distance": distance}
        | {"confident": 0.3, "commonest_digit": share, "samples": ""}
        for epoch, (distance, share) in enumerate(zip(distances, shares, strict=True), start=1)
    ]


def lines_of(study):
    """Return the committed lines of a study, read without the runner."""
    lines = (RESULTS / f"{study}_rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_table_of_collapse_shows_what_the_rows_say():
    rows = rows_of("some name", 0, [9] * 5 + [10] * 4 + [20], [1, *[0.2499] * 9])
    rows += rows_of("some name", 1, [9] * 5 + [100] * 4 + [300], [1] * 9 + [0.25])
    (line,) = collapse.collapse_table(rows)
    expected = ["some name", 2, "12 to 140", "1 to 10", "1 of 2", 10, "20 to 300", "25"]
    assert [*line.values()] == expected


def test_the_table_of_settings_shows_what_the_rows_say():
    rows = []
    for seed, distance in (0, 5.04), (1, 3.0):
        rows += [
            {"experiment": "some name", "seed": seed, "epoch": epoch, "frechet_distance": distance}
            | {"confident": 0.9, "coverage": "" if epoch > 10 else 0.5, "specks": 0.1}
            for epoch in (5, 10, 20)
        ]
    (line,) = settings.settings_table(rows)
    assert [*line.values()] == [
        "some name",
        2,
        "3.0 to 5.0",
        "90.0",
        "50.0",
        "10.0",
        "3.0 to 5.0",
    ] + [""] * 4


def test_stale_png_shows_each_seed_at_its_staleness_and_distance():
    names, rows = [*collapse.DOSES, *collapse.OTHER_CHANGES], []
    for n, name in enumerate(names):
        for seed in range(3):
            share = 0.3 if (n + seed) % 2 else 0.2
            shares = [0.1] * 9 + [share, 0.5 - share]  # after epoch 11, it is the other way round
            rows += rows_of(name, seed, [100 * n + 10 * seed + 5] * 11, shares)
    left, right = collapse.stale_figure(rows).axes
    for axes, first, places in (left, 0, [0, 1, 2, 3, 5, 10]), (right, 6, [*range(5)]):
        found = drawn(axes)
        for label, colour, odd in (
            ("mode collapse at epoch 10", ORANGE, 1),
            ("no mode collapse", BLUE, 0),
        ):
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
    labels = [label.get_text().replace("\n", " ") for label in right.get_xticklabels()]
    assert labels == [
        "nine times the batch",
        "half of the fakes stale",
        "stale weights",
        "stale gradients",
        "momentum of D",
    ]


@pytest.mark.parametrize("study", STUDIES)
def test_the_committed_rows_are_those_of_the_report_and_give_its_files(
    call, figures, tmp_path, monkeypatch, study
):
    module, files = STUDIES[study]
    jobs = [(name, seed) for name, (_, seeds) in module.EXPERIMENTS.items() for seed in seeds]
    assert [(line["experiment"], line["seed"]) for line in lines_of(study)] == jobs
    for line in lines_of(study):
        own, columns = module.EXPERIMENTS[line["experiment"]][0], line["columns"]
        assert ADDED | line["settings"] == own
        epochs = [*range(1, 11), *range(15, own["n_epochs"] + 1, 5)]
        assert columns["epoch"] == [n for n in epochs if n >= own["measured_from"]]
        if "stale fakes" in line["experiment"]:
            assert own["stale_fakes"] == int(line["experiment"].split()[2]), "what its name says"
    monkeypatch.setattr(loops, "measure", pytest.fail)
    call(f"studies.{study}", "--out_dir", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == files
    for file in tmp_path.glob("*.csv"):
        assert file.read_bytes() == (RESULTS / file.name).read_bytes()


def test_rows_count_until_a_setting_is_another_one_and_cost_what_their_epochs_do():
    for module, _ in STUDIES.values():
        for own, _ in module.EXPERIMENTS.values():
            old = {name: value for name, value in own.items() if name not in ADDED}
            assert runner.differences(old, own) == ""
            for name, value in own.items():
                changed = own | {name: "another"}
                assert (
                    runner.differences(old, changed)
                    == f'{name} was {json.dumps(value)}, is "another"'
                )
            three = own | {"n_epochs": 3, "measured_from": 2}
            assert loops.seconds(three) == 3 * (17 if own["fakes"] == 64 else 42) + 2 * 10


def test_distance_png_shows_each_training_under_its_name_over_its_minutes(call, figures, tmp_path):
    call("studies.quality", "--only", "distance", "--out_dir", tmp_path)
    (axes,) = figures["distance.png"].axes
    found = drawn(axes)
    expected = {"our training": [("#000000", 42, read_csv(RESULTS / "quality.csv"))]}
    for study, name, label, colour, seconds in (
        ("settings", "our training, 100 epochs", "our training", "#000000", 42),
        (
            "settings",
            "simultaneous updates, generator's rate 0.0008",
            "simultaneous updates, at tuned rates",
            BLUE,
            42,
        ),
        ("collapse", "template", "template", ORANGE, 17),
    ):
        for line in lines_of(study):
            if line["experiment"] == name:
                rows = [
                    dict(zip(line["columns"], row, strict=True))
                    for row in zip(*line["columns"].values(), strict=True)
                ]
                expected.setdefault(label, []).append((colour, seconds, rows))
    for label, curves in expected.items():
        same = [
            curve for name, curve in found.items() if name.strip("_").split(", seed")[0] == label
        ]
        assert len(same) == len(curves) == 3
        for curve, (colour, seconds, rows) in zip(same, curves, strict=True):
            xs = [float(row["epoch"]) * seconds / 60 for row in rows]
            assert curve[0] == colour
            assert curve[1] == pytest.approx(xs)
            assert curve[2] == pytest.approx([float(row["frechet_distance"]) for row in rows])
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == [*expected]


def test_the_table_of_quality_is_what_the_classifier_sees(tmp_path, monkeypatch):
    few = {train: [part[:300] for part in load_mnist(train)] for train in (True, False)}
    comparison = Comparison(load_classifier(), few[True][0])
    monkeypatch.setattr(quality, "N_SAMPLES", 100)
    monkeypatch.setattr(quality, "N_COVERAGE", 60)
    monkeypatch.setattr(quality, "compare_with_mnist", lambda: comparison)
    monkeypatch.setattr(quality, "load_mnist", lambda train=True: few[train])
    quality.save_evaluation(tmp_path)
    real, samples, noise = read_csv(tmp_path / "evaluation.csv")
    sets = [draw_samples(GENERATOR, 100, seed) for seed in range(5000, 5005)]
    specks = [comparison.quality(images)["specks"] for images in sets]
    coverage = [comparison.coverage(images[:60]) for images in sets]
    for name, shares in ("specks", specks), ("coverage", coverage):
        values = [100 * share for share in shares]
        expected = f"{fmean(values):.1f} ({min(values):.1f} to {max(values):.1f})"
        assert samples[f"{name}, %"] == expected
    distance = comparison.quality(few[False][0])["frechet_distance"]
    assert float(real["Fréchet distance"]) == pytest.approx(distance, abs=0.006)
    rng = torch.Generator().manual_seed(5000)
    uniform = torch.empty(100, 1, 28, 28).uniform_(-1, 1, generator=rng)
    distance = comparison.quality(uniform)["frechet_distance"]
    assert float(noise["Fréchet distance"]) == pytest.approx(distance, rel=1e-3)


def test_moments_show_the_committed_grids_with_frames_round_ambiguous_samples(
    call, figures, tmp_path
):
    call("studies.quality", "--only", "moments", "--out_dir", tmp_path)
    table = tmp_path / "moments" / "moments.csv"
    assert table.read_bytes() == (RESULTS / "moments.csv").read_bytes()
    rows = {row["grid"]: row for row in read_csv(table)}
    panels = {axes.get_title(): axes for axes in figures["moments.png"].axes}
    for moment, batch in ("start", 0), ("early", 2000), ("half-way", 46_900), ("end", 93_800):
        axes = panels[f"{moment}: batch {batch:,}"]
        grid = Image.open(RESULTS / "grids" / f"{batch}.png").convert("L")
        assert np.array(axes.images[0].get_array()) == pytest.approx(
            np.array(grid) / 127.5 - 1, abs=1e-5
        )
        words = rows[axes.get_title()]["read, row by row (? is ambiguous)"].split()
        ambiguous = [n for n, word in enumerate(words) if "?" in word]
        assert frames(axes) == [(2 + 30 * (n % 5), 2 + 30 * (n // 5)) for n in ambiguous]
        assert int(rows[axes.get_title()]["ambiguous"]) == len(ambiguous)
    (line,) = (line for line in lines_of("collapse") if line["experiment"] == "template, samples")
    pixels = np.reshape(line["columns"]["samples"][-1], (25, 28, 28)) / 127.5 - 1
    shown = np.array(panels["the template after 10 epochs"].images[0].get_array())[62:90, 32:60]
    assert shown == pytest.approx(pixels[11], abs=1e-5)
    assert [title.split(":")[0] for title in panels] == [
        "start",
        "early",
        "real images",
        "half-way",
        "end",
        "the template after 10 epochs",
    ]


def test_report_puts_tables_figures_and_cells_of_pages_in_their_places(tmp_path, monkeypatch):
    page, results, pics = (tmp_path / name for name in ("page.md", "results", "pics"))
    results.mkdir()
    pics.mkdir()
    table = "| grid | ambiguous |\n|---|---|\n| end: batch 93,800 | 99 |\n"
    page.write_text(f"before\n<!-- results/moments.csv -->\n{table}after\n", encoding="utf-8")
    for name, path in ("PAGES", [page]), ("PICS", pics), ("RESULTS", results):
        monkeypatch.setattr(runner, name, path)
    flags = ["--only", "moments", "--report", f"--out_dir={tmp_path / 'out'}"]
    monkeypatch.setattr("sys.argv", ["quality", *flags])
    quality.main()
    assert table.replace("| 99 |", "| 4 |") in page.read_text(encoding="utf-8")
    assert (results / "moments.csv").read_bytes() == (RESULTS / "moments.csv").read_bytes()
    assert [path.name for path in pics.iterdir()] == ["moments.png"]
