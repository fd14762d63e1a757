"""Tests of the studies: their rows, tables and figures, and the pages that show them."""

import json
import re
from statistics import fmean
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

import metrics
import train
from classifier import load_classifier
from common import GREEN, ORANGE, read_csv
from conftest import drawn, frames
from gan import Discriminator, Generator
from latent import draw_samples
from metrics import Comparison, has_speck, is_confident
from mnist import load_mnist
from studies import collapse, loops, quality, runner, settings, specks
from studies.runner import RESULTS

REPORT = runner.PAGES[0].read_text(encoding="utf-8")


def lines_of(study):
    """Return the committed lines of a study, read without the runner."""
    lines = (RESULTS / f"{study}_rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def columns_of(study, experiment):
    """Return the columns of an experiment's seeds."""
    return [line["columns"] for line in lines_of(study) if line["experiment"] == experiment]


@pytest.mark.parametrize("study", [collapse, settings, specks])
def test_committed_rows_are_those_of_the_report_and_give_its_tables(call, tmp_path, study):
    name = study.__name__.removeprefix("studies.")
    jobs = [(name, seed) for name, (_, seeds) in study.EXPERIMENTS.items() for seed in seeds]
    assert [(line["experiment"], line["seed"]) for line in lines_of(name)] == jobs
    for line in lines_of(name):
        own, _ = study.EXPERIMENTS[line["experiment"]]
        assert runner.differences(line["settings"], own) == ""
        if "epoch" in line["columns"]:
            epochs, last = range(own["measured_from"], own["n_epochs"] + 1), own["n_epochs"]
            assert line["columns"]["epoch"] == [n for n in epochs if train.is_measured(n, last)]
        if "stale fakes" in line["experiment"]:
            steps = 0 if own["first"] == "D" else 1 + own["stale_steps"]
            assert steps == int(line["experiment"].split()[2]), "what its name says"
    call(study.__name__, "--out_dir", tmp_path)
    for table in tmp_path.glob("*.csv"):
        assert table.read_bytes() == (RESULTS / table.name).read_bytes()


def test_branches_png_shows_the_means_of_three_seeds_under_their_names(call, figures, tmp_path):
    call("studies.collapse", "--only", "branches", "--out_dir", tmp_path)
    left, right = map(drawn, figures["branches.png"].axes)
    for branch in collapse.DRAWN:
        for lines, name, factor in (left, "commonest_digit", 100), (right, "effective_rank", 1):
            seeds = columns_of("collapse", "branches")
            own = [np.array(seed[name])[np.array(seed["branch"]) == branch] for seed in seeds]
            means = pytest.approx(factor * np.mean(own, axis=0))
            assert lines[branch][1:] == ([*range(0, 301, 25)], means)


@pytest.mark.parametrize("name", specks.EXPERIMENTS)
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
    (row,) = specks.measure(settings | {"pairs": [40], "asked": 30, "steps": 0}, 1)
    order = torch.randperm(784, generator=rng) if "shuffled" in name else torch.arange(784)
    logits, others = (part(x.flatten(2)[..., order].view_as(x)) for x in pairs[1])
    wins = (logits[:, None] > others).sum().item()
    assert row == {"pairs": 40, "auc": pytest.approx(wins / 900)}


def test_progress_png_shows_each_training_under_its_name_over_its_minutes(call, figures, tmp_path):
    call("studies.quality", "--only", "progress", "--out_dir", tmp_path)
    runs = [read_csv(RESULTS / f"quality{suffix}.csv") for suffix in ("", "_seed1", "_seed2")]
    committed = [{name: [float(row[name]) for row in run] for name in run[0]} for run in runs]
    left, right = map(drawn, figures["progress.png"].axes)
    for name, colour, seconds in (
        ("our training", "#000000", 53),
        ("no convolution", GREEN, 42),
        ("template", ORANGE, 17),
    ):
        ours = name == "our training"
        for n, columns in enumerate(committed if ours else columns_of("settings", name)):
            label = name if n == 0 else f"_{name}, seed {n}"
            for lines, measure, factor in (left, "frechet_distance", 1), (right, "specks", 100):
                ys = [factor * y for y in columns.get(measure, []) if y != ""]  # some lack specks
                xs = [epoch * seconds / 60 for epoch in columns["epoch"]][: len(ys)]
                assert lines.pop(label) == (colour, pytest.approx(xs), pytest.approx(ys))
    assert (left.keys(), right.keys()) == (set(), {"real test images"})


def test_the_table_of_quality_is_what_the_classifier_sees(tmp_path, monkeypatch):
    few = {split: [part[:300] for part in load_mnist(split)] for split in (True, False)}
    comparison = Comparison(load_classifier(), few[True][0])
    monkeypatch.setattr(quality, "N_SAMPLES", 100)
    monkeypatch.setattr(loops, "compare_with_mnist", metrics.compare_with_mnist.__wrapped__)
    for module in quality, metrics:
        monkeypatch.setattr(module, "load_mnist", lambda train=True: few[train])
    generator = Generator(7).eval()
    torch.save(generator.state_dict(), tmp_path / "it.pth")
    flags = "--only", "evaluation", "--generator", tmp_path / "it.pth", "--out_dir", tmp_path
    monkeypatch.setattr("sys.argv", ["quality", *map(str, flags)])
    quality.main()
    real, samples, noise = read_csv(tmp_path / "evaluation" / "evaluation.csv")
    sets = [draw_samples(generator, 100, seed) for seed in range(5000, 5005)]
    shares = [100 * comparison.quality(images)["confident"] for images in sets]
    text = f"{fmean(shares):.1f} ({min(shares):.1f} to {max(shares):.1f})"
    assert samples["confident, %"] == text
    uniform = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(5000)) * 2 - 1
    for row, images in (real, few[False][0]), (noise, uniform):
        distance = comparison.quality(images)["frechet_distance"]
        assert float(row["Fréchet distance"]) == pytest.approx(distance, rel=1e-3, abs=0.006)


def test_moments_show_the_committed_grids_with_ambiguous_samples_framed(call, figures, tmp_path):
    call("studies.quality", "--only", "moments", "--out_dir", tmp_path)
    panels = {axes.get_title().split()[-1]: axes for axes in figures["moments.png"].axes}
    for batch in 0, 2000, 37_520, 75_040:
        axes = panels[f"{batch:,}"]
        shown = np.array(axes.images[0].get_array())
        grid = np.array(Image.open(RESULTS / "grids" / f"{batch}.png").convert("L"))
        assert np.abs(shown - grid / 127.5 + 1).max() < 1e-5
        corners = [(2 + 30 * column, 2 + 30 * row) for row in range(5) for column in range(5)]
        images = [shown[top : top + 28, left : left + 28] for left, top in corners]
        confident = is_confident(load_classifier()(torch.tensor(np.array(images))[:, None]))
        assert frames(axes) == [corners[n] for n in range(25) if not confident[n]]


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
    assert ends == [*range(10)]


def test_every_link_and_every_figure_leads_to_a_file():
    for page in runner.PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / unquote(link)).exists(), link


def test_every_table_on_the_pages_has_the_cells_of_its_csv(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, **_: written.append(text))
    runner.put_in_place(tmp_path)
    assert written == [page.read_text(encoding="utf-8") for page in runner.PAGES]
    assert "results/evaluation.csv -->\n| images |" in written[1]


def test_the_settings_in_the_report_are_the_defaults_and_the_preset_with_what_they_do():
    ours, template = (vars(train.parse_args(flags)) for flags in ([], ["--preset=template"]))
    rows = read_csv(RESULTS / "settings.csv")
    after_10 = {row["experiment"]: row["distance after 10 epochs"] for row in rows}
    for start, flags, training in (
        ("D's convolution", ["channels"], "no convolution"),
        ("order", [], "simultaneous updates"),
        ("momentum", ["b1"], "momentum 0.9"),
        ("learning rates", [], "both rates 0.0002"),
        ("real images", ["batch_size", "fakes"], "64 fakes"),
        ("R1", ["r1"], "no R1"),
        ("EMA", ["ema"], "no EMA"),
    ):
        (line,) = re.findall(rf"^\| {start}[^|]* \|(.*) \|$", REPORT, re.MULTILINE)
        *cells, distance = line.split("| ")
        assert distance == after_10[training], start
        if flags:
            found = [float(number) for number in re.findall(r"[\d.]+\d|\d", " ".join(cells))]
            assert found == [values[flag] for values in (ours, template) for flag in flags], start
    assert f"the distance is {after_10['our training']}" in " ".join(REPORT.split())
