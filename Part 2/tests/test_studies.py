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
STUDIES = {"collapse": collapse, "settings": settings}
OTHERS = {  # {experiment: its label in stale.png}
    "nine times the batch": "nine times\nthe batch",
    "stale fakes, 10 steps, half of the batch": "half of the\nfakes stale",
    "stale weights, 9 steps": "stale\nweights",
    "stale gradients, 10 steps": "stale\ngradients",
    "momentum": "momentum\nof D",
}


def lines_of(study):
    """Return the committed lines of a study, read without the runner."""
    lines = (RESULTS / f"{study}_rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def columns_of(study, experiment):
    """Return the columns of an experiment's seeds."""
    return [line["columns"] for line in lines_of(study) if line["experiment"] == experiment]


def test_stale_png_shows_each_seed_at_its_staleness_and_distance(call, figures, tmp_path):
    call("studies.collapse", "--out_dir", tmp_path)
    assert "stale.png" in figures, "which looks like the committed one"
    jobs, _ = runner.read_rows(RESULTS / "collapse_rows.jsonl", collapse.EXPERIMENTS)
    rows = [{"experiment": job[0], "seed": job[1]} | row for job in jobs for row in jobs[job]]
    for row in rows:
        row["commonest_digit"] = abs(row["commonest_digit"] - (row["epoch"] > 10))  # another end
    left, right = collapse.stale_figure(rows).axes
    doses = {f"stale fakes, {n} step{'s' * (n != 1)}": n for n in (0, 1, 2, 3, 5, 10)}
    for axes, places in (left, doses), (right, {name: n for n, name in enumerate(OTHERS)}):
        found, dots = drawn(axes), {True: [], False: []}  # {mode collapse: [(x, y)]}
        for name, x in places.items():
            for columns in columns_of("collapse", name):
                y = fmean(columns["frechet_distance"][5:10])
                dots[columns["commonest_digit"][9] >= 0.25].append((x, y))
        for label, colour in ("mode collapse at epoch 10", ORANGE), ("no mode collapse", BLUE):
            xs, ys = zip(*dots[colour == ORANGE], strict=True)
            near = pytest.approx(xs, abs=0.2)  # seeds stand beside each other
            assert found[label] == (colour, near, pytest.approx(ys))
    means = []
    for name in doses:
        early = [fmean(own["frechet_distance"][5:10]) for own in columns_of("collapse", name)]
        means.append(fmean(early))
    assert drawn(left)["mean"][1:] == ([*doses.values()], pytest.approx(means))
    assert [label.get_text() for label in right.get_xticklabels()] == [*OTHERS.values()]


@pytest.mark.parametrize("study", STUDIES)
def test_the_committed_rows_are_those_of_the_report_and_give_its_table(call, tmp_path, study):
    experiments = STUDIES[study].EXPERIMENTS
    jobs = [(name, seed) for name, (_, seeds) in experiments.items() for seed in seeds]
    assert [(line["experiment"], line["seed"]) for line in lines_of(study)] == jobs
    for line in lines_of(study):
        own = experiments[line["experiment"]][0]
        assert ADDED | line["settings"] == own
        epochs = [*range(own["measured_from"], 11), *range(15, own["n_epochs"] + 1, 5)]
        assert line["columns"]["epoch"] == epochs
        if "stale fakes" in line["experiment"]:
            assert own["stale_fakes"] == int(line["experiment"].split()[2]), "what its name says"
    call(f"studies.{study}", "--out_dir", tmp_path)
    table = tmp_path / f"{study}.csv"
    assert table.read_bytes() == (RESULTS / table.name).read_bytes()


def test_rows_count_until_a_setting_is_another_one_and_cost_what_their_epochs_do():
    for own, _ in (settings.EXPERIMENTS | collapse.EXPERIMENTS).values():
        old = {name: value for name, value in own.items() if name not in ADDED}
        assert runner.differences(old, own) == ""
        for name in own:
            assert runner.differences(old, own | {name: "another"}).startswith(f"{name} was ")
        three = own | {"n_epochs": 3, "measured_from": 2}
        assert loops.seconds(three) == 3 * (17 if own["fakes"] == 64 else 42) + 2 * 10


def test_distance_png_shows_each_training_under_its_name_over_its_minutes(call, figures, tmp_path):
    call("studies.quality", "--only", "distance", "--out_dir", tmp_path)
    (axes,) = figures["distance.png"].axes
    curves = {}  # {label: [(colour, xs, ys)]}
    for label, curve in drawn(axes).items():
        curves.setdefault(label.strip("_").partition(", seed")[0], []).append(curve)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["our training", "simultaneous updates, at tuned rates", "template"]
    rows = read_csv(RESULTS / "quality.csv")
    committed = [{name: [float(row[name]) for row in rows] for name in rows[0]}]
    rival = "simultaneous updates, generator's rate 0.0008"
    for label, colour, seconds, own in (
        (texts[0], "#000000", 42, committed + columns_of("settings", "our training, 100 epochs")),
        (texts[1], BLUE, 42, columns_of("settings", rival)),
        (texts[2], ORANGE, 17, columns_of("collapse", "template")),
    ):
        for curve, columns in zip(curves[label], own, strict=True):
            xs = pytest.approx([epoch * seconds / 60 for epoch in columns["epoch"]])
            assert curve == (colour, xs, pytest.approx(columns["frechet_distance"]))


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


def test_moments_show_the_committed_grids_with_ambiguous_samples_framed(call, figures, tmp_path):
    call("studies.quality", "--only", "moments", "--out_dir", tmp_path)
    table = tmp_path / "moments" / "moments.csv"
    assert table.read_bytes() == (RESULTS / "moments.csv").read_bytes()
    panels = {axes.get_title(): axes for axes in figures["moments.png"].axes}
    for row, batch in zip(read_csv(table), (0, 2000, 46_900, 93_800), strict=True):
        axes = panels[row["grid"]]
        assert row["grid"].endswith(f": batch {batch:,}")
        grid = np.array(Image.open(RESULTS / "grids" / f"{batch}.png").convert("L"))
        assert np.abs(np.array(axes.images[0].get_array()) - grid / 127.5 + 1).max() < 1e-5
        words = row["read, row by row (? is ambiguous)"].split()
        framed = [(2 + 30 * (n % 5), 2 + 30 * (n // 5)) for n in range(25) if "?" in words[n]]
        assert frames(axes) == framed
        assert int(row["ambiguous"]) == len(framed)
    (columns,) = columns_of("collapse", "template, samples")
    pixels = np.reshape(columns["samples"][-1], (25, 28, 28)) / 127.5 - 1
    shown = np.array(panels["the template after 10 epochs"].images[0].get_array())[62:90, 32:60]
    assert shown == pytest.approx(pixels[11], abs=1e-5)


def test_report_puts_tables_figures_and_cells_of_pages_in_their_places(tmp_path, monkeypatch):
    page, results, pics = (tmp_path / name for name in ("page.md", "results", "pics"))
    results.mkdir()
    pics.mkdir()
    table = "<!-- results/moments.csv -->\n| grid | ambiguous |\n|---|---|\n| {} | {} |\n"
    page.write_text(table.format("end: batch 93,800", 99), encoding="utf-8")
    for name, path in ("PAGES", [page]), ("PICS", pics), ("RESULTS", results):
        monkeypatch.setattr(runner, name, path)
    flags = "--only", "moments", "--report", f"--out_dir={tmp_path / 'out'}"
    monkeypatch.setattr("sys.argv", ["quality", *flags])
    quality.main()
    assert page.read_text(encoding="utf-8") == table.format("end: batch 93,800", 4)
    assert (results / "moments.csv").read_bytes() == (RESULTS / "moments.csv").read_bytes()
    assert [path.name for path in pics.iterdir()] == ["moments.png"]
