"""Tests of the studies' figures: they draw the committed rows."""

import numpy as np
import pytest
import torch
from PIL import Image

from classifier import load_classifier
from common import GREEN, ORANGE, read_csv
from conftest import columns_of, drawn, frames
from metrics import is_confident
from mnist import load_mnist
from studies import ablations, chase, collapse, specks
from studies.runner import RESULTS


def test_chase_and_ratings_show_the_rows_of_the_branches(call, figures, tmp_path):
    call("studies.chase", "--out_dir", tmp_path)
    for axes, branch in zip(figures["chase.png"].axes, chase.DRAWN, strict=True):
        (columns,) = columns_of("chase", f"{branch}, images")
        images = np.array(columns["images"]).reshape(11, 7, 28, 28)  # steps, points
        strip = np.array(axes.images[0].get_array()).reshape(7, 28, 11, 28)
        assert np.array_equal(strip, images.transpose(1, 2, 0, 3))
        assert axes.get_title() == chase.DRAWN[branch]
    labels = [label.get_text() for label in axes.get_xticklabels()]  # of the last strip
    assert labels == [*map(str, columns["step"])]
    lines = drawn(*figures["ratings.png"].axes)
    for branch in chase.RATED:
        means = [np.mean(seed["ratings"][5:11], axis=0) for seed in columns_of("chase", branch)]
        assert lines[branch][1:] == ([*range(-20, 21)], pytest.approx(np.mean(means, axis=0)))


def test_ablations_png_shows_each_seed_after_its_epochs_under_its_name(call, figures, tmp_path):
    call("studies.ablations", "--out_dir", tmp_path)
    (axes,) = figures["ablations.png"].axes
    for n, (experiment, (label, epoch)) in enumerate(ablations.DRAWN.items()):
        seeds = columns_of("ablations", experiment)
        expected = [seed["frechet_distance"][seed["epoch"].index(epoch)] for seed in seeds]
        _, distances, places = drawn(axes)[experiment]
        assert (distances, places) == (expected, [n] * 3)
        assert axes.get_yticklabels()[n].get_text() == label


def test_specks_png_rings_each_speck_of_the_samples(call, figures, tmp_path):
    call("studies.specks", "--out_dir", tmp_path)
    for axes, name in zip(figures["specks.png"].axes, specks.DRAWN, strict=True):
        (columns,) = columns_of("specks", name)
        bright = np.pad(np.reshape(columns["samples"], (48, 28, 28)), ((0, 0), (1, 1), (1, 1))) > 63
        places = []
        for n, y, x in np.argwhere(bright):
            if bright[n, y - 1 : y + 2, x - 1 : x + 2].sum() == 1:
                places.append((28 * (n % 8) + x - 1, 28 * (n // 8) + y - 1))
        (rings,) = axes.lines
        assert sorted(zip(*rings.get_data(), strict=True)) == sorted(places) != []
        assert axes.get_title() == f"{name}\n{100 * columns['specks'][0]:.0f} % have specks"


def test_progress_png_shows_each_training_under_its_name_over_its_minutes(call, figures, tmp_path):
    call("studies.quality", "--only", "progress", "--out_dir", tmp_path)
    rows = read_csv(RESULTS / "quality.csv")
    runs = [[row for row in rows if row["seed"] == seed] for seed in "012"]
    committed = [{name: [float(row[name]) for row in run] for name in run[0]} for run in runs]
    left, right = map(drawn, figures["progress.png"].axes)
    for name, colour, seeds in (
        ("our training", "#000000", committed),
        ("D without its small CNN", GREEN, columns_of("ablations", "no convolution")),
        ("the template", ORANGE, columns_of("collapse", collapse.TEMPLATE)),
    ):
        for n, columns in enumerate(seeds):
            label = name if n == 0 else f"_{name}, seed {n}"
            for lines, measure, factor in (left, "frechet_distance", 1), (right, "specks", 100):
                ys = [factor * y for y in columns[measure]]
                xs = [seconds / 60 for seconds in columns["seconds"]]
                assert lines.pop(label) == (colour, pytest.approx(xs), pytest.approx(ys))
    assert (left.keys(), right.keys()) == (set(), {"real test images"})


def test_losses_png_shows_losses_and_distance_of_each_seed(call, figures, tmp_path):
    call("studies.quality", "--only", "losses", "--out_dir", tmp_path)
    left, right = map(drawn, figures["losses.png"].axes)
    for file, lines, measures in (
        ("losses.csv", left, {"d_loss": "loss of D", "g_loss": "loss of G"}),
        ("quality.csv", right, {"frechet_distance": "three runs"}),
    ):
        for seed in {row["seed"] for row in read_csv(RESULTS / file)}:
            rows = [row for row in read_csv(RESULTS / file) if row["seed"] == seed]
            for measure, label in measures.items():
                xs, ys = ([float(row[name]) for row in rows] for name in ("epoch", measure))
                name = label if seed == "0" else f"_{label}, seed {seed}"
                assert lines.pop(name)[1:] == (xs, ys)
    assert not right


def test_moments_show_the_committed_grids_with_ambiguous_samples_framed(call, figures, tmp_path):
    call("studies.quality", "--only", "moments", "--out_dir", tmp_path)
    panels = {axes.get_title(): axes for axes in figures["moments.png"].axes}
    grids = {"real images\n": load_mnist()[0][:25]}
    for title, experiment, seed, epoch in (
        ("template, seed 2\n10 epochs", collapse.TEMPLATE, 2, 10),
        ("template, seed 2\n200 epochs", collapse.TEMPLATE, 2, 200),
        ("template, seed 0\n10 epochs", collapse.TEMPLATE, 0, 10),
        ("template, seed 0\n200 epochs", collapse.TEMPLATE, 0, 200),
        ("momentum 0, seed 0\n200 epochs", collapse.CURED, 0, 200),
    ):
        columns = columns_of("collapse", experiment)[seed]
        pixels = torch.tensor(columns["samples"][columns["epoch"].index(epoch)])
        grids[title] = pixels.view(25, 1, 28, 28) / 127.5 - 1
    for batch in 0, 2000, 37_520, 75_040:
        grid = torch.tensor(np.array(Image.open(RESULTS / "grids" / f"{batch}.png").convert("L")))
        parts = grid[2:, 2:].unfold(0, 28, 30).unfold(1, 28, 30).reshape(25, 1, 28, 28)
        (title,) = (title for title in panels if title.endswith(f"batch {batch:,}"))
        grids[title] = parts / 127.5 - 1
    assert grids.keys() == panels.keys()
    corners = [(2 + 30 * column, 2 + 30 * row) for row in range(5) for column in range(5)]
    for name, images in grids.items():
        shown = np.array(panels[name].images[0].get_array())
        parts = [shown[top : top + 28, left : left + 28] for left, top in corners]
        assert np.abs(np.array(parts) - images[:, 0].numpy()).max() < 1e-5
        confident = is_confident(load_classifier()(images))
        assert frames(panels[name]) == [corners[n] for n in range(25) if not confident[n]]


def test_interpolation_png_goes_from_one_digit_to_another_of_all_ten(call, tmp_path, figures):
    call("studies.quality", "--only", "interpolation", "--out_dir", tmp_path)
    ends = []
    for axes in figures["interpolation.png"].axes:
        assert axes.images[0].get_clim() == (-1, 1), "black to white"
        strip = torch.tensor(np.array(axes.images[0].get_array()))
        images = strip.unflatten(1, (9, 28)).transpose(0, 1)
        logits = load_classifier()(images[:, None])
        digits, confident = logits.argmax(1).tolist(), is_confident(logits)
        assert [label.get_text() for label in axes.get_xticklabels()] == [*map(str, digits)]
        ends += digits[0], digits[-1]
        assert frames(axes) == [(28 * n, 0) for n in range(9) if not confident[n]]
        images = images.flatten(1)
        distances = torch.cdist(images, images) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"
    assert ends == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
