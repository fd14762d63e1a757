"""Tests of the studies' figures: they draw the committed rows."""

import numpy as np
import pytest
import torch
from PIL import Image

from classifier import load_classifier
from common import read_csv
from conftest import columns_of, drawn, frames, lines_of
from metrics import is_confident
from mnist import load_mnist
from studies import ablations, chase, collapse
from studies.runner import RESULTS


def test_chase_ratings_and_swing_show_the_rows_of_the_branches(call, figures, tmp_path):
    call("studies.chase", "--out_dir", tmp_path)
    for axes, branch in zip(figures["chase.png"].axes, chase.DRAWN, strict=True):
        images = np.array(columns_of("chase", branch)[0]["images"]).reshape(11, 7, 28, 28)
        strip = np.array(axes.images[0].get_array()).reshape(7, 28, 11, 28)
        assert np.array_equal(strip, images.transpose(1, 2, 0, 3))  # from (steps, points, y, x)
        assert axes.get_title() == chase.DRAWN[branch]
    labels = [label.get_text() for label in axes.get_xticklabels()]  # of the last strip
    assert labels == [*map(str, range(0, 301, 30))]
    lines = drawn(*figures["ratings.png"].axes)
    for branch in chase.RATED:
        means = np.mean([seed["ratings"][0] for seed in columns_of("chase", branch)], axis=0)
        assert lines[branch][1:] == ([*range(-20, 21)], pytest.approx(means))
    *waves, right = figures["swing.png"].axes
    for axes, n in zip(waves, (1, 5, 10, 20, 40), strict=True):
        first = columns_of("chase", "no change" if n == 1 else f"fakes {n} steps old")[0]
        ((_, steps, wave),) = drawn(axes).values()
        assert (steps, wave) == ([*range(601)], first["wave"][0])
        assert axes.get_title("left").startswith(f"fakes {n} step")
    dots, expected = drawn(right), {label: set() for _, label in chase.DOTS.values()}
    kinds = {"no": "momentum", "fakes": "momentum", "D with": "momentum"}
    kinds |= {"push through all": "all G's weights", "push through the hidden": "hidden layers"}
    kinds |= {"push through the last w": "last weights", "push through the last b": "last bias"}
    for line in lines_of("chase"):
        kind = [kinds[start] for start in kinds if line["experiment"].startswith(start)][-1:]
        for label in expected:
            if kind and label.endswith(*kind):
                columns = line["columns"]
                expected[label].add((columns["size"][0], columns["effective_rank"][0]))
    for label, points in expected.items():
        assert set(zip(*dots[label][1:], strict=True)) == points
    assert [text.get_text() for text in right.texts] == ["1", "5", "10", "20", "40"]


def test_ablations_png_shows_each_seed_after_its_epochs_under_its_name(call, figures, tmp_path):
    call("studies.ablations", "--out_dir", tmp_path)
    (axes,) = figures["ablations.png"].axes
    for n, (experiment, (label, epoch)) in enumerate(ablations.DRAWN.items()):
        seeds = columns_of("ablations", experiment)
        expected = [seed["frechet_distance"][seed["epoch"].index(epoch)] for seed in seeds]
        _, distances, places = drawn(axes)[experiment]
        assert (distances, places) == (expected, [n] * 3)
        assert axes.get_yticklabels()[n].get_text() == label


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


def grids_of(figure):
    """Return {title: images (25, 28, 28)} of the panels of a figure."""
    corners = [(2 + 30 * column, 2 + 30 * row) for row in range(5) for column in range(5)]
    grids = {axes.get_title(): np.array(axes.images[0].get_array()) for axes in figure.axes}
    return {
        title: np.array([shown[top : top + 28, left : left + 28] for left, top in corners])
        for title, shown in grids.items()
    }


def test_moments_show_the_committed_grids_and_template_the_committed_samples(
    call, figures, tmp_path
):
    call("studies.quality", "--only", "moments", "template", "--out_dir", tmp_path)
    panels = grids_of(figures["moments.png"]) | grids_of(figures["template.png"])
    grids = {"real images\n": load_mnist()[0][:25, 0]}
    for title, experiment, seed, epoch in (
        ("template, seed 2\n10 epochs", collapse.TEMPLATE, 2, 10),
        ("template, seed 2\n200 epochs", collapse.TEMPLATE, 2, 200),
        ("template, seed 0\n10 epochs", collapse.TEMPLATE, 0, 10),
        ("template, seed 0\n200 epochs", collapse.TEMPLATE, 0, 200),
        ("momentum 0, seed 0\n200 epochs", collapse.CURED, 0, 200),
    ):
        columns = columns_of("collapse", experiment)[seed]
        pixels = torch.tensor(columns["samples"][columns["epoch"].index(epoch)])
        grids[title] = pixels.view(25, 28, 28) / 127.5 - 1
    for batch in 0, 2000, 37_520, 75_040:
        grid = torch.tensor(np.array(Image.open(RESULTS / "grids" / f"{batch}.png").convert("L")))
        parts = grid[2:, 2:].unfold(0, 28, 30).unfold(1, 28, 30).reshape(25, 28, 28)
        (title,) = (title for title in panels if title.endswith(f"batch {batch:,}"))
        grids[title] = parts / 127.5 - 1
    assert grids.keys() == panels.keys()
    for name, images in grids.items():
        assert np.abs(panels[name] - images.numpy()).max() < 1e-5


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
