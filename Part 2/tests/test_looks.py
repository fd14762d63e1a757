"""Tests of the measures, the classifiers and the scripts that look at a generator."""

import csv
import itertools
import math
import os
import re
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import ablation
import classifier
import compare
import evaluate
import interpolate
import latent_map
import metrics
import sample
import train
from classifier import load_classifier
from common import load
from conftest import HERE
from gan import Generator
from metrics import Comparison, draw_samples, frechet_distance, in_batches
from mnist import load_mnist

RESULTS = HERE / "results"
EYE, JUDGE = (load_classifier(kind, "cpu") for kind in ("eye", "judge"))
GENERATOR = load(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    def load_few(train=True, device="cpu"):
        return [tensor[:500] for tensor in load_mnist(train)]

    for module in ablation, classifier, compare, evaluate, interpolate, latent_map:
        monkeypatch.setattr(module, "load_mnist", load_few)
        monkeypatch.setattr(module, "N_SAMPLES", 300, raising=False)


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_classifiers_read_digits_and_can_be_trained_anew(call, tmp_path):
    images, labels = load_mnist(train=False)
    call(classifier.main, "--n_epochs", 4, "--out_dir", tmp_path)
    for kind, committed in ("eye", EYE), ("judge", JUDGE):
        assert (in_batches(committed, images).argmax(1) == labels).double().mean() >= 0.99
        model = load_classifier(kind, "cpu", tmp_path)
        right = (in_batches(model, images[:500]).argmax(1) == labels[:500]).double().mean()
        assert right > 0.4, "it has learnt nothing"


def test_frechet_distance_against_the_closed_form():
    """For diagonal covariances it is ||m||^2 + sum (sqrt(a) - sqrt(b))^2."""
    rng = torch.Generator().manual_seed(0)
    raw = torch.randn(500, 4, generator=rng, dtype=torch.float64)
    raw -= raw.mean(0)
    white = raw @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(raw.T))).T  # covariance 1
    a, b = (torch.tensor(v, dtype=torch.float64) for v in ([1, 4, 9, 0], [4, 1, 16, 1]))
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=rng, dtype=torch.float64)).Q
    x, y = white * a.sqrt() @ rotation, (white * b.sqrt() + 2) @ rotation
    expected = 4 * 2**2 + (a.sqrt() - b.sqrt()).square().sum().item()
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-6)


def test_scores_of_known_predictions():
    sure = 100 * torch.eye(10).repeat(3, 1)
    assert metrics.inception_score(sure) == pytest.approx(10)
    assert metrics.inception_score(sure[:1].repeat(9, 1)) == pytest.approx(1)
    never = 2000 * torch.eye(10)[:9]  # exp(-2000) is 0: nothing is read as the last digit
    assert metrics.inception_score(never) == pytest.approx(9)
    probabilities = torch.tensor([[0.89, 0.11], [0.91, 0.09]])
    assert metrics.is_clear(probabilities.log()).tolist() == [False, True]
    images = torch.zeros(3, 1, 28, 28)
    images[1, 0, :2, :2] = 1  # half of the range of pixels, so four pixels are a distance of 1
    references = torch.cat([images[:1], images[:1] + 9])
    distances = metrics.nearest(images[[1, 0]], references)
    torch.testing.assert_close(distances, torch.tensor([1.0, 0.0]))
    known = SimpleNamespace(body=lambda x: x, head=lambda x: 100 * x)
    quality = Comparison(known, torch.eye(10)).quality(torch.eye(10)[[1, 1, 1, 2]])
    shares = quality["confident"], quality["rarest_digit"], quality["commonest_digit"]
    assert shares == (1, 0, 0.75)


def test_interpolation_csv_is_made_by_interpolate(call, refuse, tmp_path, monkeypatch):
    refuse(interpolate.main, "--digits", 4, 4, words=["--digits", "4"])
    call(interpolate.main, "--digits", 3, 8, "--seed", 1, "--out_dir", tmp_path)
    (row,) = rows_of(tmp_path / "interpolation.csv")
    assert (row["from"], row["digits read"][0], row["digits read"][-1]) == ("3", "3", "8")
    monkeypatch.undo()  # all images and samples
    monkeypatch.setattr(interpolate, "interpolation_figure", lambda rows: drawn.extend(rows) or spy)
    drawn, spy = [], SimpleNamespace(savefig=lambda file: None)
    call(interpolate.main, "--out_dir", tmp_path)
    assert rows_of(tmp_path / "interpolation.csv") == rows_of(RESULTS / "interpolation.csv")
    for images, _ in drawn:
        distances = torch.cdist(images.flatten(1), images.flatten(1)) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"


def test_sample_draws_as_many_as_asked_for_from_the_seed(call, script, tmp_path):
    assert script("sample.py", "--out_dir", "a").returncode == 0
    call(sample.main, "--seed", 1, "--n", 3, "--out_dir", tmp_path / "b")
    grids = [Image.open(tmp_path / folder / "samples.png") for folder in "ab"]
    assert [grid.size for grid in grids] == [(152, 152), (62, 62)]
    assert grids[0].crop((0, 0, 30, 30)).tobytes() != grids[1].crop((0, 0, 30, 30)).tobytes()


def test_evaluate_on_a_terminal_prints_known_numbers(call, refuse, tmp_path, monkeypatch):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    _, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (40, 120))
    monkeypatch.setattr(sys, "stderr", os.fdopen(terminal, "w"))  # so tqdm draws its bars
    values = [*[0] * 12, *[0, 1, 2, 3, 4], 1, *[2, 3, 4, 5, 6], *[4, 5, 6, 7, 8], 9]
    seen, compared = [], []

    def measure(comparison, images):
        seen.append(images)
        compared.append(comparison.training_images)
        assert comparison.classifier.head.in_features == 96, "not the judge"
        return {"confident": values[len(seen) - 1] / 100, "nearest": 0}

    monkeypatch.setattr(evaluate, "measure", measure)
    file = tmp_path / "ours" / "seed0" / "mnist_generator.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes((HERE / "mnist_generator.pth").read_bytes())
    call(evaluate.main, "--seed", 6000, "--out_dir", tmp_path)
    call(evaluate.main, "--generators", file, file, "--out_dir", tmp_path)
    rows = rows_of(tmp_path / "evaluation.csv")
    assert [row["images"] for row in rows][2:4] == ["ours, seed0"] * 2
    shares = [row["clear, %"] for row in rows]
    assert shares == ["2.0 (0.0 to 4.0)", "1.0", "4.0 (2.0 to 6.0)", "6.0 (4.0 to 8.0)", "9.0"]
    training_images, test_images = (load_mnist(split)[0][:500] for split in (True, False))
    assert torch.equal(seen[5], test_images)
    assert torch.equal(compared[5], training_images)
    split = torch.cat([seen[0], compared[0]]).sum((1, 2, 3))  # what is held out, and the others
    assert torch.equal(split.sort()[0], training_images.sum((1, 2, 3)).sort()[0])
    for a, b in (0, 1), (6, 7), (6, 18), (11, 28):  # draws, seeds, seeds of the uniform noise
        assert not torch.equal(seen[a], seen[b])
    monkeypatch.undo()
    measures = evaluate.measure(Comparison(JUDGE, training_images), test_images)
    assert measures["nearest"] == metrics.nearest(test_images, training_images).median()


def test_the_committed_generator_is_the_one_that_was_measured():
    (row,) = (row for row in rows_of(RESULTS / "evaluation.csv") if row["images"] == "ours, seed0")
    logits = in_batches(JUDGE, draw_samples(GENERATOR, 10_000, evaluate.NOISE_SEED))
    _, low, high = map(float, re.findall(r"[\d.]+", row["Inception Score"]))
    assert low <= round(metrics.inception_score(logits), 2) <= high


def test_the_ablation_changes_one_thing(call, tmp_path, monkeypatch):
    values, eyes, runs = itertools.count(1), [], []
    known = SimpleNamespace(quality=lambda images: {"inception_score": next(values)})
    trained = SimpleNamespace(final_generator=lambda: GENERATOR)
    monkeypatch.setattr(ablation, "Comparison", lambda eye, _: eyes.append(eye) or known)
    monkeypatch.setattr(train, "train", lambda args: runs.append(vars(args)) or trained)
    call(ablation.main, "--seeds", 2, "--seed", 4, "--out_dir", tmp_path)
    assert len({args["out_dir"] for args in runs}) == len(runs) == 2 * len(ablation.ROWS)
    for n, args in enumerate(runs):
        _, changes = [*ablation.ROWS.values()][n // 2]
        assert args == runs[0] | changes | {"seed": 4 + n % 2, "out_dir": args["out_dir"]}
    assert runs[0]["resume"], "what has been trained is trained again"
    means = [row["Inception Score"] for row in rows_of(tmp_path / "ablation.csv")]
    assert means[:2] == ["5.50 (3.00 to 8.00)", "15.50 (13.00 to 18.00)"]  # draws 1 to 5, 6 to 10
    assert torch.equal(eyes[0].head.weight, EYE.head.weight)


def test_steepness_and_direction_of_a_known_generator():
    matrix = torch.diag(torch.tensor([3.0, 1.0, 1.0]))  # changes fastest along the first axis
    z, rng = torch.randn(50, 3), torch.Generator().manual_seed(0)
    directions = latent_map.fastest_directions(lambda z: z @ matrix, z, rng, n_steps=50)
    torch.testing.assert_close(directions.abs(), torch.tensor([[1.0, 0, 0]]).expand(50, 3))
    steep = latent_map.steepness(lambda z: 6 * z, z, rng)  # 6 in [-1, 1] are 3 in 0..1
    torch.testing.assert_close(steep, torch.full((50,), 3.0), atol=1e-3, rtol=0)

    def read(z):  # a 0 left of -1, a 1 right of 1, unsure between
        return 100 * torch.stack([(z[:, 0] < -1).float(), (z[:, 0] > 1).float()], 1)

    z = torch.tensor([[0.0], [0.0], [3.0], [1.1]])
    right = torch.tensor([[2.0], [0.5], [1.0], [3.0]])
    assert latent_map.lies_between(read, z, right).tolist() == [True, False, False, True]


def test_the_map_and_its_tables_show_what_judge_and_eye_say(call, tmp_path, monkeypatch):
    ends = torch.tensor([[0.0, 0, 0], [2, 0, 0], [1, 0, 1], [1, 3, 0]])  # the third is nearer
    z = latent_map.plane_points(dict(enumerate(ends)), 0, 1)
    torch.testing.assert_close(z[[50, 50, 75], [25, 75, 50]], ends[:3])
    classifiers = {"judge": JUDGE, "eye": lambda images: torch.zeros(len(images), 10)}  # unsure
    monkeypatch.setattr(latent_map, "load_classifier", lambda kind, device: classifiers[kind])
    monkeypatch.setattr(latent_map, "RESOLUTION", 21)
    monkeypatch.setattr(latent_map, "save", lambda path, write: figures.append(write.__self__))
    figures = []
    call(latent_map.main, "--out_dir", tmp_path)
    *planes, bars = figures[0].axes
    colors = torch.tensor(matplotlib.colormaps["tab10"].colors)
    for axes, ends in zip(planes, latent_map.PAIRS, strict=True):
        image = torch.tensor(axes.images[0].get_array())
        torch.testing.assert_close(image[10, [5, 15]], colors[[*ends]])  # at (0, 0) and (1, 0)
        assert axes.images[0].origin == "lower"
    table = rows_of(tmp_path / "steepness.csv")
    assert {row["unclear to the eye, %"] for row in table} == {"100.0"}
    shares = [float(row["unclear to the judge, %"]) for row in table]
    assert [bar.get_height() for bar in bars.patches] == shares[:10]
    assert bars.lines[0].get_ydata()[0] == shares[-1] < 3, "real test images"
    *tenths, flattest, steepest = [float(row["median steepness"]) for row in table[:-1]]
    assert tenths[:10] == sorted(tenths[:10])
    assert flattest < tenths[10] < steepest  # of each digit, beside all samples
    sides = [[float(text) for text in row.values()] for row in rows_of(tmp_path / "sides.csv")]
    assert all(unclear > clear for _, unclear, clear in sides)


def test_compare_draws_the_committed_results(call, refuse, tmp_path, monkeypatch):
    refuse(compare.main, "--results", "none", words=["none"])
    figures = []
    monkeypatch.setattr(compare, "save", lambda path, write: figures.append(write.__self__))
    call(compare.main, "--out_dir", tmp_path)
    *curves, real, training = figures[0].axes[0].lines
    kinds = {"": 3, "template_": 6, "template_b1_0.5_": 5, "template_b1_0_": 3}
    kinds["template_fresh_fakes_"] = 2
    files = [f"quality_{kind}seed{n}.csv" for kind, count in kinds.items() for n in range(count)]
    for curve, file in zip(curves, files, strict=True):
        points = [(int(r["epoch"]), float(r["frechet_distance"])) for r in rows_of(RESULTS / file)]
        assert list(map(tuple, curve.get_xydata())) == points
    assert curves[0].get_color() == curves[2].get_color() != curves[3].get_color()
    assert [text.get_text() for text in figures[0].legends[0].texts] == [
        *("our settings, 3 trainings", "the template, 6 trainings"),
        *("template, β₁ = 0.5, 5 trainings", "template, β₁ = 0, 3 trainings"),
        *("template, new fakes, 2 trainings", "real test images", "held-out training images"),
    ]
    assert rows_of(tmp_path / "collapse.csv") == rows_of(RESULTS / "collapse.csv")
    (few, _), (test_images, _) = compare.load_mnist(True), compare.load_mnist(False)
    distance = Comparison(JUDGE, few).quality(test_images)["frechet_distance"]
    d_loss, d_guess, g_loss, g_guess = figures[0].axes[1].lines
    for line, column in (d_loss, "d_loss"), (g_loss, "g_loss"):
        losses = [float(row[column]) for row in rows_of(RESULTS / "losses.csv")]
        assert [*line.get_ydata()] == losses
    assert d_guess.get_ydata()[0] == 2 * g_guess.get_ydata()[0] == pytest.approx(1.386, abs=1e-3)
    assert training.get_ydata()[0] > real.get_ydata()[0] == distance  # 200 are compared with 300
    ours, template = figures[1].axes[0], figures[1].axes[5]
    assert (ours.get_ylabel(), template.get_ylabel()) == ("our settings", "the template")
    for axes, kind in (ours, "ours"), (template, "template"):
        grid = Image.open(RESULTS / "grids" / kind / "0.png").convert("L")
        assert (axes.images[0].get_array() == np.array(grid)).all()


def test_the_table_of_collapses_counts_the_trainings_that_end_with_one_digit_in_four():
    def training(*rows):
        return [dict(zip(compare.QUALITY, row, strict=True)) for row in rows]

    trainings = [
        training((10, 700, 0.9), (50, 156.4, 0.2499), (200, 25, 0.9)),
        training((10, 743.6, 0.3), (49, 1, 0.99), (50, 473, 0.25)),
        training((10, 10, 0.1)),  # a shorter one
    ]
    row = [*compare.collapse_row("x", trainings).values()]
    assert row == ["x", "10 to 744", "10 to 90", "156 to 473", "25", "0 to 50", "1 of 2"]
    assert compare.collapse_row("x", trainings[:1])["last collapsed of 50 epochs"] == "10"


def test_the_committed_results_belong_together():
    evaluation = rows_of(RESULTS / "evaluation.csv")
    clear = {row["images"]: float(row["clear, %"].split()[0]) for row in evaluation}
    for n, (group, kind) in itertools.product(range(3), (("ours", ""), ("template", "template_"))):
        last = rows_of(RESULTS / f"quality_{kind}seed{n}.csv")[-1]
        assert abs(100 * float(last["confident"]) - clear[f"{group}, seed{n}"]) < 1, (n, group)
    for kind, epoch, distance in ("", 200, 2), ("_no_r1", 30, 6), ("_no_r1", 200, 59):
        rows = {row["epoch"]: row for row in rows_of(RESULTS / f"quality_fakes64{kind}.csv")}
        assert round(float(rows[str(epoch)]["frechet_distance"])) == distance  # as README says
    report = " ".join((HERE.parent / "README.md").read_text(encoding="utf-8").split())
    assert "seen collapsed after epoch two, with 0.5 after epoch ten; with the template's" in report
    assert "0.9, four of six still are after 50" in report
    assert "two of two get out after 20 and 30 epochs" in report
    collapse = rows_of(RESULTS / "collapse.csv")
    last = [row["last collapsed of 50 epochs"] for row in collapse]
    assert last == ["1", "35 to 50", "5 to 10", "1 to 2", "20 to 30"]
    assert collapse[1]["collapsed after 50"] == "4 of 6"
    steep, flat = [], []
    for n in range(3):
        rows = rows_of(RESULTS / f"steepness_seed{n}.csv")
        *tenths, everything = [float(row["unclear to the judge, %"]) for row in rows[:11]]
        assert abs(sum(tenths) / 10 - everything) < 0.11, n
        assert abs(100 - clear[f"ours, seed{n}"] - everything) < 0.5, n
        sides = [[float(x) for x in r.values()] for r in rows_of(RESULTS / f"sides_seed{n}.csv")]
        assert [r for r, unclear, clear in sides if unclear > clear] == [*latent_map.DISTANCES]
        steep.append(tenths[-1])
        flat.append(tenths[0])
    words = f"{min(steep):.0f} to {max(steep):.0f} % of the steepest tenth are unclear, and less"
    assert f"{words} than {math.ceil(max(flat))} % of the flattest" in report
