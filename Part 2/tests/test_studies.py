"""Tests of the studies: their rows, tables and figures, and the pages that show them."""

import copy
import itertools
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

import latent
import train
from classifier import load_classifier
from common import GREEN, ORANGE, load, read_csv
from conftest import drawn, frames
from gan import Discriminator, Generator
from metrics import has_speck, is_confident
from mnist import load_mnist
from studies import ablations, chase, collapse, quality, runner, specks
from studies.runner import RESULTS


def lines_of(study):
    """Return the committed lines of a study, read without the runner."""
    lines = (RESULTS / f"{study}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def columns_of(study, experiment):
    """Return the columns of an experiment's seeds."""
    return [line["columns"] for line in lines_of(study) if line["experiment"] == experiment]


@pytest.mark.parametrize("study", [collapse, chase, ablations, specks])
def test_committed_rows_are_those_of_the_report_and_give_its_tables(call, tmp_path, study):
    name = study.__name__.removeprefix("studies.")
    jobs = runner.jobs_of(study.EXPERIMENTS)
    for line, (experiment, own, seed) in zip(lines_of(name), jobs, strict=True):
        assert (line["experiment"], line["seed"], line["settings"]) == (experiment, seed, own)
        if "epoch" in line["columns"]:
            epochs, last = range(own["measured_from"], own["n_epochs"] + 1), own["n_epochs"]
            assert line["columns"]["epoch"] == [n for n in epochs if train.is_measured(n, last)]
        if experiment.startswith("stale fakes"):
            steps = 0 if own["first"] == "D" else 1 + own["stale_steps"]
            assert steps == int(experiment.split()[2]), "what its name says"
    call(study.__name__, "--out_dir", tmp_path)
    for table in tmp_path.glob("*.csv"):
        assert table.read_bytes() == (RESULTS / table.name).read_bytes()


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


def test_the_table_to_the_end_has_a_row_for_each_run():
    rows = read_csv(RESULTS / "template.csv")
    for row in rows:
        name, seed = row["run"].split(", seed ")
        columns = columns_of("collapse", name)[int(seed)]
        assert row["distance after 200 epochs"] == f"{columns['frechet_distance'][-1]:.0f}"
        share = f"{100 * columns['most_common_digit'][-1]:.0f}"
        assert row["most common digit, %, after 200 epochs"] == share
    assert len(rows) == 9


@pytest.mark.parametrize("name", [n for n, (s, _) in specks.EXPERIMENTS.items() if "pairs" in s])
def test_specks_are_added_to_clean_images_and_the_auc_is_the_share_of_pairs_told_right(name):
    settings, rng = specks.EXPERIMENTS[name][0], torch.Generator().manual_seed(1)
    seen, unseen = (load_mnist(train)[0] for train in (True, False))
    pairs = [specks.pairs_of(images, n, rng) for images, n in ((seen, 40), (unseen, 30))]
    for images, (clean, specked) in zip((seen, unseen), pairs, strict=True):
        assert not has_speck(clean).any()
        assert has_speck(specked).all()
        assert ((clean != specked).flatten(1).sum(1) == 1).all()
        assert (clean[:, None] == images[:99]).flatten(2).all(2).any(1).all()
    torch.manual_seed(1)
    fully_connected, convolution = Discriminator(), Discriminator(channels=8).convolution
    part = fully_connected if "fully connected" in name else convolution
    (row,) = specks.measure(settings | {"pairs": [40], "tested": 30, "steps": 0}, 1)
    order = torch.randperm(784, generator=rng) if "shuffled" in name else torch.arange(784)
    logits, others = (part(x.flatten(2)[..., order].view_as(x)) for x in pairs[1])
    wins = (logits[:, None] > others).sum().item()
    assert row == {"pairs": 40, "auc": pytest.approx(wins / 900)}


def test_the_last_layers_change_is_added_to_the_averaged_generator(monkeypatch):
    """The rows must be those of train.py's own training run, continued for some steps."""
    monkeypatch.setattr(specks, "has_speck", lambda samples: samples.mean((1, 2, 3)))
    tiny = {"n_epochs": 1, "n_images": 640, "measured_from": 1, "n_measured": 200}
    settings = specks.EXPERIMENTS["trained on"][0] | tiny | {"steps": [0, 1, 3]}
    rows = {(row["steps"], row["weights"]): row["specks"] for row in specks.measure(settings, 1)}
    training = train.Training(SimpleNamespace(**settings, seed=1, device="cpu"))
    for real in training.batches(load_mnist()[0][:640]):
        training.train_step(real)
    begun, averaged = copy.deepcopy(training.generator), training.final_generator()
    mean = latent.draw_samples(averaged, 200, train.MEASURE_SEED).double().mean().item()
    assert rows[0, "change reversed"] == pytest.approx(mean, abs=1e-6)
    for real in itertools.islice(training.batches(load_mnist()[0]), 3):
        training.train_step(real)
    change = training.generator.layers[-2].weight.data - begun.layers[-2].weight.data
    averaged.layers[-2].weight.data -= change
    mean = latent.draw_samples(averaged, 200, train.MEASURE_SEED).double().mean().item()
    assert rows[3, "change reversed"] == pytest.approx(mean, abs=1e-6)
    averaged.load_state_dict(training.generator.state_dict())
    training.ema_generator = averaged  # whose BatchNorm statistics are then recomputed
    last = latent.draw_samples(training.final_generator(), 200, train.MEASURE_SEED)
    assert rows[3, "not averaged"] == pytest.approx(last.double().mean().item(), abs=1e-6)


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


def test_a_shuffled_change_has_the_same_numbers_in_each_pixel_or_in_all():
    change = torch.arange(784 * 1024.0).view(784, 1024)
    (_, same), (_, inside), (_, among), (_, reverse) = specks.changes(change)
    assert torch.equal(same, change)
    assert torch.equal(reverse, -change)
    assert torch.equal(inside.sort(1)[0], change)
    assert not torch.equal(inside[0], inside[1] - 1024), "another order in each pixel"
    assert torch.equal(among[among[:, 0].argsort()], change)
    assert not torch.equal(among, change)


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


def test_a_cell_of_the_evaluation_is_a_mean_and_a_range_in_its_unit(monkeypatch):
    one = {"frechet_distance": 1.234, "confident": 0.9123, "most_common_digit": 0.1182}
    one |= {"specks": 0.0261, "effective_rank": 28.7}
    known = SimpleNamespace(quality=lambda n: {name: n * value for name, value in one.items()})
    monkeypatch.setattr(quality, "compare_with_mnist", lambda: known)
    _, *titles = read_csv(RESULTS / "runs.csv")[0]
    texts = "1.23", "91.2", "11.8", "2.6", "29"
    assert quality.cells([1]) == dict(zip(titles, texts, strict=True))
    assert quality.cells([2, 1, 6])["specks, %"] == "7.8 (2.6 to 15.7)"


def test_real_images_samples_of_the_committed_generator_and_noise_are_evaluated(monkeypatch):
    monkeypatch.setattr(quality, "N_SAMPLES", 10)
    monkeypatch.setattr(quality, "cells", lambda sets: {"sets": [*sets]})
    real, ours, noise = quality.evaluation()["evaluation.csv"]
    (images,), unseen = real["sets"], load_mnist(train=False)[0]
    assert torch.equal(images.sum((1, 2, 3)).sort()[0], unseen.sum((1, 2, 3)).sort()[0])
    assert not torch.equal(images, unseen), "the first ones are easier"
    generator = load(latent.COMMITTED, Generator.from_state_dict)
    expected = [latent.draw_samples(generator, 10, seed) for seed in range(5000, 5005)]
    torch.testing.assert_close(ours["sets"], expected, atol=0, rtol=0)
    (images,) = noise["sets"]
    assert images.shape == (10, 1, 28, 28)
    assert (images.min(), images.mean(), images.max()) == pytest.approx((-1, 0, 1), abs=0.02)


def test_the_report_takes_finished_runs_of_its_weights_and_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "RESULTS", tmp_path)
    monkeypatch.setattr(quality, "COMMITTED", tmp_path / "committed.pth")
    monkeypatch.setattr(quality, "sample_sets", Path.read_text)
    monkeypatch.setattr(quality, "cells", lambda weights: {"weights": weights})
    monkeypatch.setattr(quality, "save_shown", lambda shown, *_: sys.exit(f"saved: {shown}"))
    (tmp_path / "committed.pth").write_text("W")
    for name in "images", "grids":
        (tmp_path / name).mkdir()
    for batch in quality.MOMENTS.values():
        (tmp_path / "images" / f"{batch}.png").write_text(f"grid {batch}")
    settings = train.settings_of(train.parse_args([])) | {"seed": 4, "save_interval": 500}
    epochs = [{"epoch": n, "d_loss": n / 7} for n in range(1, 81)]
    for changed, n_done, weights, told in (
        ({}, 79, "W", "only 79 of 80 epochs are done"),
        ({"lr": 0.1}, 80, "W", "the report shows only training runs with train.py's defaults"),
        ({}, 80, "X", "the first run must have made the committed weights"),
        ({}, 80, "W", re.escape("{'runs.csv': [{'seed': 4, 'weights': 'W'}]}")),
    ):
        content = {"settings": settings | changed, "losses": epochs[:n_done], "quality": epochs[9:]}
        torch.save(content, tmp_path / "checkpoint.pt")
        (tmp_path / "mnist_generator.pth").write_text(weights)
        with pytest.raises(SystemExit, match=rf"\A({tmp_path}|saved): {told}\Z"):
            quality.save_runs([tmp_path], tmp_path, report=True)
    rows = [{"seed": "4", "epoch": str(n), "d_loss": str(n / 7)} for n in range(1, 81)]
    assert (read_csv(tmp_path / "losses.csv"), read_csv(tmp_path / "quality.csv")) == (
        rows,
        rows[9:],
    )
    assert (tmp_path / "grids" / "37520.png").read_text() == "grid 37520"


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


def test_every_link_leads_to_a_file_and_every_table_has_the_cells_of_its_csv(tmp_path, monkeypatch):
    for page in runner.PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / unquote(link)).exists(), link
    written = []
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, **_: written.append(text))
    runner.save_shown({}, tmp_path, report=True)
    assert written == [page.read_text(encoding="utf-8") for page in runner.PAGES]
    assert "results/evaluation.csv -->\n| images |" in written[1]


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    report = runner.PAGES[0].read_text(encoding="utf-8")
    ours, template = train.parse_args([]), train.parse_args(["--preset", "template"])
    for row in (
        f"| epochs | {ours.n_epochs} | {template.n_epochs} |",
        f"| real images a step | {ours.batch_size} | {template.batch_size} |",
        f"| fakes a step | {ours.fakes} | {template.fakes} |",
        f"| momentum (β₁) | {ours.b1:g} | {template.b1} |",
        f"| learning rates | from {ours.lr} to {ours.lr / 2} over {ours.halving} epochs | "
        f"{template.lr} |",
        f"| D's small CNN | {ours.channels} channels | none |",
        f"every {ours.r1_every} steps, {ours.r1_every} · {ours.r1} · E",
        f"decay min({ours.ema}, (1 + n) / (10 + n))",
    ):
        assert row in report
    assert (template.channels, template.r1, template.ema, template.halving) == (0, 0, 0, 0)
