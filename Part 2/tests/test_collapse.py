"""Tests of studies/collapse.py, settings.py and circles.py: rows, tables, and what is drawn."""

import csv
import math
import subprocess
import sys
from shutil import copytree, ignore_patterns

import pytest
import torch

import common
from common import BLUE, ORANGE
from conftest import HERE, drawn
from gan import discriminator_loss, generator_loss
from studies import circles, collapse, loops, runner, settings
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
    assert labels == [*others, "fakes and weights late", "momentum"]
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


def test_the_figure_of_the_template_shows_its_samples_and_where_its_training_ended():
    samples = [[n] * 784 for n in range(25)]
    rows = rows_of("template", 4, [500.0] * 9 + [24.4], [1] * 9 + [0.17])
    rows += rows_of("template", 5, [500.0], [1]) + rows_of("template, samples", 4, [9] * 2, [1, 1])
    rows[-1]["samples"] = samples
    (axes,) = collapse.template_figure(rows).axes
    pixels = axes.images[0].get_array()
    assert [pixels[16 + 30 * (n // 5), 16 + 30 * (n % 5)] for n in range(25)] == [*range(25)]
    assert axes.get_xlabel() == "after 10 epochs: distance 24,\n17% show the same digit"


STUDIES = {  # {study: (its module, its tables and figures)}
    "collapse": (collapse, ["collapse.csv", "delay.png", "template.png"]),
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
        ("studies/settings.py", "--lr 0.0008", "--lr 0.008", 18),
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
    assert len(done.stderr.splitlines()) == 23 - left, "each row that does not count is named"


def test_the_gan_of_two_numbers_follows_its_losses():
    theta, psi = (torch.tensor(value, requires_grad=True) for value in (0.7, -0.4))
    path = circles.two_numbers(delay=0, n_steps=5)
    for step in range(5):  # the discriminator first, then the generator, by autograd
        theta, psi = (path[step, k].clone().requires_grad_() for k in range(2))
        d_loss = discriminator_loss(0 * psi, psi * theta)
        (slope,) = torch.autograd.grad(d_loss, psi)
        new_psi = (psi - 0.1 * slope).detach()
        (slope,) = torch.autograd.grad(generator_loss(new_psi * theta), theta)
        expected = torch.stack([theta - 0.1 * slope, new_psi])
        torch.testing.assert_close(path[step + 1], expected.detach())


def test_the_circles_have_the_radius_of_their_delay(call, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(common, "save_figure", lambda path, figure, rows: figures.append(figure))
    call("studies.circles", "--out_dir", tmp_path)
    text = (tmp_path / "circles.csv").read_text()
    assert text == (RESULTS / "circles.csv").read_text()
    for row in list(csv.DictReader(text.splitlines()))[1:]:  # without a delay, it still shrinks
        assert float(row["found"]) == pytest.approx(float(row["predicted"]), rel=0.1)
    radii = {"no delay": 0.27, "one step": math.sqrt(0.2), "ten steps": 1.28, "momentum": 1.3}
    for axes, (words, radius) in zip(figures[0].axes, radii.items(), strict=True):
        assert words in axes.get_title()
        _, xs, ys = drawn(axes)["_child0"]
        assert (xs[0], ys[0]) == (1, 0), "theta is on the x axis"
        assert max(map(abs, xs[-500:])) == pytest.approx(radius, rel=0.05)
