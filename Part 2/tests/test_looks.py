"""Tests of the classifiers and of the scripts that look at generators."""

import csv
import hashlib
from statistics import fmean

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image
from torch import nn

import classifier
import interpolate
import metrics
import study_map
import study_quality
import study_settings
import template
import train
from classifier import load_classifier
from common import load
from conftest import HERE
from gan import Generator
from metrics import Comparison, draw_samples, in_batches
from mnist import load_mnist

RESULTS, PICS = HERE / "results", HERE.parent / "pics"


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    def load_few(train=True, device="cpu"):
        return [tensor[:500] for tensor in load_mnist(train)]

    for module in classifier, interpolate, study_map, study_quality, study_settings, train:
        monkeypatch.setattr(module, "load_mnist", load_few, raising=False)
        monkeypatch.setattr(module, "N_SAMPLES", 300, raising=False)


@pytest.fixture(scope="module")
def generator():
    return load(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def hash_in(png):
    return Image.open(png).text["Rows"]


def drawn_by(module, monkeypatch):
    """Return the list that will hold the figures of a script, which then saves none."""
    figures = []
    monkeypatch.setattr(module, "save_figure", lambda path, figure, rows: figures.append(figure))
    return figures


def test_the_classifiers_read_digits_and_can_be_trained_anew(call, tmp_path):
    images, labels = load_mnist(train=False)
    call(classifier.main, "--n_epochs", 4, "--out_dir", tmp_path)
    for kind in "eye", "judge":
        read = in_batches(load_classifier(kind, "cpu"), images).argmax(1)
        assert (read == labels).double().mean() >= 0.99
        model = load_classifier(kind, "cpu", tmp_path)
        right = (in_batches(model, images[:500]).argmax(1) == labels[:500]).double().mean()
        assert right > 0.4, "it has learnt nothing"


def test_an_end_is_the_flattest_of_the_sure_samples(refuse):
    class Curve(nn.Linear):  # its slope at z is 2 |z|
        latent_dim = 1

        def forward(self, z):
            return (z * z.abs()).view(-1, 1, 1, 1)

    def judge(images):  # is sure of a 0 where z > 0.678, of a 1 where z < -0.678
        return torch.cat([5 * images.flatten(1), -5 * images.flatten(1)], 1)

    points = interpolate.flattest_points([0, 1], Curve(1, 1), judge, 0)
    assert 0.678 < points[0] < 0.73
    assert 0.678 < -points[1] < 0.73
    refuse(interpolate.main, "--digits", 4, 4, words=["--digits", "4"])


def test_interpolation_csv_and_png_are_made_by_interpolate(call, tmp_path, monkeypatch):
    monkeypatch.undo()  # all samples
    figures = drawn_by(interpolate, monkeypatch)
    call(interpolate.main, "--out_dir", tmp_path)
    assert rows_of(tmp_path / "interpolation.csv") == rows_of(RESULTS / "interpolation.csv")
    shown = [axes.images[0].get_array() for axes in figures[0].axes]
    for start in range(0, 45, 9):
        images = torch.tensor(np.stack(shown[start : start + 9])).flatten(1)
        distances = torch.cdist(images, images) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"


def test_the_table_of_quality_is_what_the_judge_sees_in_five_draws(call, tmp_path, generator):
    file = tmp_path / "x" / "y" / "mnist_generator.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes((HERE / "mnist_generator.pth").read_bytes())
    committed, only = HERE / "mnist_generator.pth", ("--only", "evaluation", "--out_dir", tmp_path)
    call(study_quality.main, *only, "--generators", committed, file, "--seed", 6000)
    other = rows_of(tmp_path / "evaluation.csv")
    call(study_quality.main, *only)
    held_out, real, ours, noise = rows_of(tmp_path / "evaluation.csv")
    assert ours["images"] == "ours, seed0"
    assert other[3] == other[2] | {"images": "x, y"}
    assert real == other[1]
    assert not any(row in other for row in (held_out, ours, noise)), "the seed is lost"
    (images, _), (test_images, _) = study_quality.load_mnist(), study_quality.load_mnist(False)
    comparison = Comparison(load_classifier("judge", "cpu"), images)
    draws = [draw_samples(generator, 300, 5000 + n) for n in range(5)]
    found = [comparison.quality(draw)["frechet_distance"] for draw in draws]
    text = f"{fmean(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    assert ours["Fréchet distance"] == text
    assert real["Fréchet distance"] == f"{comparison.quality(test_images)['frechet_distance']:.2f}"
    assert float(held_out["nearest training image"].split()[0]) > 1, "compared with themselves"


def test_moments_png_shows_the_committed_grids(call, refuse, tmp_path, monkeypatch):
    only = "--only", "moments"
    refuse(study_quality.main, *only, "--grids", "none", words=["none"])
    call(study_quality.main, *only, "--out_dir", tmp_path)
    assert hash_in(tmp_path / "moments.png") == hash_in(PICS / "moments.png")
    figures = drawn_by(study_quality, monkeypatch)
    call(study_quality.main, *only, "--out_dir", tmp_path)
    shown = {axes.get_title(): axes.images[0].get_array() for axes in figures[0].axes}
    grids = {"start": "ours/0", "half-way": "ours/93800", "end": "ours/187600"}
    for title, grid in (grids | {"the template's end": "template/187600"}).items():
        pixels = np.array(Image.open(RESULTS / "grids" / f"{grid}.png").convert("L"))
        assert (shown[title] == pixels / 255).all(), title
    first = (load_mnist()[0][0, 0].numpy() + 1) / 2
    assert np.allclose(shown["real images"][2:30, 2:30], first)


def test_a_row_of_settings_takes_one_value_of_the_template():
    theirs, ours = vars(template.parse_args([])), vars(train.parse_args([]))
    wanted = {"fakes": theirs["batch_size"], "b1": theirs["b1_d"], "r1": 0.0}
    wanted |= {name: theirs[name] for name in ("lr", "lr_d", "ema")}
    changes = {"ours": {}, "all": wanted} | {name: {name: wanted[name]} for name in wanted}
    for name, (_, flags) in study_settings.CHANGES.items():
        found = vars(train.parse_args(flags.split()))
        assert {key: found[key] for key in found if found[key] != ours[key]} == changes.pop(name)
    assert not changes


def test_the_study_of_settings_trains_and_measures_what_its_row_says(call, tmp_path):
    flags = ["--jobs", 1, "--n_epochs", 1, "--seed", 11, "--out_dir", tmp_path]
    call(study_settings.main, "--only", "r1", *flags, "--seeds", 2)
    first, second = rows_of(tmp_path / "settings_rows.csv")
    assert first["frechet_distance"] != second["frechet_distance"], "the same seed twice"
    settings = ["--resume", "--r1=0", "--seed=11", "--n_epochs=1", "--measure_every=0"]
    settings += ["--out_dir", str(tmp_path / "r1-seed11")]  # train.py goes on where the study ended
    trained = train.train(train.parse_args(settings)).final_generator()
    comparison = Comparison(load_classifier("eye", "cpu"), train.load_mnist()[0])
    draws = [comparison.quality(draw_samples(trained, 300, 5000 + n)) for n in range(5)]
    mean = fmean(draw["frechet_distance"] for draw in draws)
    assert float(first["frechet_distance"]) == pytest.approx(mean)
    (row,) = rows_of(tmp_path / "ablation.csv")
    assert (row["training"], row["seeds"]) == ("no R1", "2")
    assert f"{mean:.2f}" in row["Fréchet distance"]


def test_steepness_and_direction_of_a_known_generator():
    matrix = torch.diag(torch.tensor([3.0, 1.0, 1.0]))  # changes fastest along the first axis
    z, rng = torch.randn(50, 3), torch.Generator().manual_seed(0)
    directions = study_map.fastest_directions(lambda z: z @ matrix, z, rng, n_steps=50)
    torch.testing.assert_close(directions.abs(), torch.tensor([[1.0, 0, 0]]).expand(50, 3))
    steep = metrics.steepness(lambda z: 6 * z, z, rng)  # 6 in [-1, 1] are 3 in 0..1
    torch.testing.assert_close(steep, torch.full((50,), 3.0), atol=1e-3, rtol=0)

    def read(z):  # a 0 left of -1, a 1 right of 1, unsure between
        return 100 * torch.stack([(z[:, 0] < -1).float(), (z[:, 0] > 1).float()], 1)

    z = torch.tensor([[0.0], [0.0], [3.0], [1.1]])
    right = torch.tensor([[2.0], [0.5], [1.0], [3.0]])
    assert study_map.lies_between(read, z, right).tolist() == [True, False, False, True]


def test_tenths_halves_and_unclear_samples_of_a_known_table():
    steep = torch.arange(200.0)
    unclear, to_eye = steep >= 190, steep < 1
    digits = torch.arange(200) % 10
    table = study_map.steepness_table(steep.flip(0), digits, unclear, to_eye)
    tenth, *_, everything, flattest, steepest = [[*row.values()][1:] for row in table]
    assert tenth == [9, 50, 0]  # the flattest are the last samples
    assert (everything, flattest, steepest) == ([99, 5, 0.5], [49, 10, 0], [189, 0, 5])


def test_the_map_shows_what_judge_and_eye_say(call, tmp_path, monkeypatch):
    monkeypatch.setattr(study_map, "POINTS", 10)
    ends = torch.tensor([[0.0, 0, 0], [2, 0, 0], [1, 0, 1], [1, 3, 0]])  # the third is nearer
    z = study_map.plane_points(dict(enumerate(ends)), 0, 1)
    torch.testing.assert_close(z[8, 7], torch.tensor([1.0, 0, 0.8]))
    judge = load_classifier("judge", "cpu")
    classifiers = {"judge": judge, "eye": lambda images: torch.zeros(len(images), 10)}  # unsure
    monkeypatch.setattr(study_map, "load_classifier", lambda kind, device: classifiers[kind])
    figures = drawn_by(study_map, monkeypatch)
    call(study_map.main, "--out_dir", tmp_path)
    colors = torch.tensor(colormaps["tab10"].colors)
    plane, bars = figures[0].axes
    colored, start, *_, end = [torch.tensor(image.get_array()) for image in plane.images]
    torch.testing.assert_close(colored[4, [2, 12]], colors[:2])  # at (0, 0) and (1, 0)
    assert judge(torch.stack([start, end])[:, None]).argmax(1).tolist() == [0, 1]
    assert plane.images[0].origin == "lower"
    table = rows_of(tmp_path / "steepness.csv")
    assert {row["unclear to the eye, %"] for row in table} == {"100.0"}
    shares = [float(row["unclear to the judge, %"]) for row in table]
    assert [bar.get_height() for bar in bars.patches] == [*shares[:10], shares[-1]]
    assert shares[-1] < 3, "real test images"
    sides = [[float(text) for text in row.values()] for row in rows_of(tmp_path / "sides.csv")]
    assert all(unclear > clear for _, unclear, clear in sides)


def test_the_committed_results_belong_together():
    shown = {"map": "steepness", "map_planes": "steepness", "interpolation": "interpolation"}
    for figure, table in shown.items():
        text = (RESULTS / f"{table}.csv").read_bytes()
        assert hash_in(PICS / f"{figure}.png") == hashlib.sha256(text).hexdigest(), figure
    for row in rows_of(RESULTS / "evaluation.csv")[2:5]:
        folder = {"0": "."}.get(row["images"][-1], f"seed{row['images'][-1]}")
        steepness = rows_of(RESULTS / folder / "steepness.csv")
        unclear = 100 - float(row["clear, %"].split()[0])
        assert abs(unclear - float(steepness[10]["unclear to the judge, %"])) < 0.5, row["images"]
