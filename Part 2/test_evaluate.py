"""Tests of the classifiers, of the measures and of the scripts that look at a generator."""

import itertools
import sys

import pytest
import torch
from PIL import Image
from torch import nn

import classifier
import evaluate
import interpolate
import sample
from classifier import load_classifier
from common import load_model
from conftest import HERE
from gan import Generator, in_batches
from metrics import density_and_coverage, frechet_distance, inception_score, nearest
from mnist import load_mnist


@pytest.fixture(scope="module")
def judge():
    """Return the committed judge."""
    return load_classifier("judge", "cpu")


@pytest.fixture(scope="module")
def generator():
    """Return the committed generator."""
    return load_model(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)


@pytest.fixture(scope="module")
def real_features(judge):
    """Return the judge's features of MNIST's test images, and their labels."""
    images, labels = load_mnist(train=False)
    return in_batches(judge.features, images), labels


def test_the_classifiers_read_digits(judge, real_features):
    features, labels = real_features
    assert (judge.head(features).argmax(1) == labels).double().mean() >= 0.994
    assert classifier.accuracy(load_classifier("eye", "cpu"), *load_mnist(train=False)) >= 0.993


def test_both_classifiers_are_trained_and_recognised(tmp_path, monkeypatch):
    few = {split: [of[:300] for of in load_mnist(train=split)] for split in (True, False)}
    monkeypatch.setattr(classifier, "load_mnist", lambda train, device: few[train])
    flags = ["--n_epochs", "1", "--out_dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["classifier.py", *flags])
    classifier.main()
    for kind, file in classifier.FILES.items():
        model = load_model(tmp_path / file, "cpu", classifier.Classifier.from_state_dict)
        assert model.head.in_features == classifier.N_FEATURES[kind]


@pytest.fixture(scope="module")
def ends(generator, judge):
    """Return {digit: the latent point that an interpolation starts or ends at}."""
    images, labels = (tensor[: interpolate.N_TRAINING] for tensor in load_mnist())
    return interpolate.typical_points(generator, judge, images, labels, range(10), seed=0)


def test_nine_distinct_images_from_each_digit_to_each_other(generator, judge, ends):
    for start, end in itertools.permutations(range(10), 2):
        images, logits, changes = interpolate.walk(
            generator, judge, torch.lerp, ends[start], ends[end]
        )
        assert len(images) == 9
        read = logits.argmax(1).tolist()
        assert (read[0], read[-1]) == (start, end)
        distances = torch.cdist(images.flatten(1), images.flatten(1)) + 1000 * torch.eye(9)
        torch.testing.assert_close(changes, distances.diagonal(1) / 2)  # pixels in 0..1
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"


def test_the_ends_are_typical(generator, judge, ends, real_features):
    """An end lies closer to the mean of its digit than nearly all real test images of it."""
    features, labels = real_features
    for digit, z in ends.items():
        real = features[labels == digit]
        end = in_batches(judge.features, in_batches(generator, z[None]))
        closer = ((real - real.mean(0)).norm(dim=1) < (end - real.mean(0)).norm()).float().mean()
        assert closer < 0.05, f"the {digit} is not typical"


def test_an_arc_has_equal_steps_and_keeps_the_norm():
    start, end = 3 * nn.functional.normalize(torch.randn(2, 100, dtype=torch.float64), dim=1)
    z = interpolate.arc(start, end, torch.linspace(0, 1, 9, dtype=torch.float64)[:, None])
    torch.testing.assert_close(z[[0, -1]], torch.stack([start, end]))
    steps = z.diff(dim=0).norm(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(8))
    torch.testing.assert_close(z.norm(dim=1), torch.full((9,), 3.0, dtype=torch.float64))


def test_all_pairs_are_measured_between_the_ends_and_where_the_digit_changes(monkeypatch, capsys):
    logits = 100 * torch.eye(10)[[0, 0, 0, 0, 1, 1, 1, 1, 1]]
    logits[[0, 3]] /= 100  # unsure: an end, and one of the seven between
    changes = torch.tensor([1.0, 1, 1, 3, 1, 1, 1, 1])
    monkeypatch.setattr(interpolate, "walk", lambda *_: (None, logits, changes))
    interpolate.print_all(None, None, [dict.fromkeys(range(10))])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows == [f"| {path} | 45 | 85.7% | 12.5% | 100.0% | 3.00 |" for path in ("line", "arc")]


def test_interpolate_draws_five_rows_and_refuses_bad_digits(monkeypatch, capsys, refuse, tmp_path):
    monkeypatch.setattr(interpolate, "N_SAMPLES", 1000)
    monkeypatch.setattr(sys, "argv", ["interpolate.py", "--out_dir", str(tmp_path)])
    interpolate.main()
    assert capsys.readouterr().out.count("9 distinct") == 5
    assert (tmp_path / "interpolation.png").stat().st_size > 1000
    for flags, row in (["--digits", "3", "8"], "3 to 8: read as 3 "), (["--all"], "| arc | 45 |"):
        monkeypatch.setattr(interpolate, "N_SEEDS", 1)
        monkeypatch.setattr(sys, "argv", ["interpolate.py", "--out_dir", str(tmp_path), *flags])
        interpolate.main()
        assert row in capsys.readouterr().out
    refuse(interpolate.main, "--digits", 4, 4, words=["--digits", "4"])
    refuse(interpolate.main, "--digits", 4, 10, words=["--digits", "10"])
    refuse(interpolate.main, "--digits", 4, 5, "--all", words=["--digits", "--all"])


def test_sample_draws_as_many_as_asked_for(script, monkeypatch, tmp_path):
    process = script("sample.py", "--out_dir", "x")
    assert process.returncode == 0, process.stderr
    assert Image.open(tmp_path / "x" / "samples.png").size == (152, 152)  # 5 x 5
    monkeypatch.setattr(sys, "argv", ["sample.py", "--n", "3", "--out_dir", str(tmp_path)])
    sample.main()
    assert Image.open(tmp_path / "samples.png").size == (62, 62)  # 2 x 2


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
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_inception_score_of_known_predictions():
    sure = 100 * torch.eye(10).repeat(3, 1)
    assert inception_score(sure) == pytest.approx(10)
    assert inception_score(sure[:1].repeat(9, 1)) == pytest.approx(1), "one digit only"
    assert inception_score(torch.zeros(9, 10)) == pytest.approx(1), "no digit recognised"
    never = 2000 * torch.eye(10)[:9]  # exp(-2000) is 0: nothing is read as the last digit
    assert inception_score(never) == pytest.approx(9)


def test_coverage_sees_missing_kinds_and_density_sees_noise():
    rng = torch.Generator().manual_seed(0)
    real = torch.cat([torch.randn(200, 2, generator=rng), 50 + torch.randn(200, 2, generator=rng)])
    same = torch.cat([torch.randn(200, 2, generator=rng), 50 + torch.randn(200, 2, generator=rng)])
    density, coverage = density_and_coverage(real, same)
    assert density == pytest.approx(1, abs=0.2)
    assert coverage > 0.9
    assert density_and_coverage(real, same[:200].repeat(2, 1))[1] == pytest.approx(0.5, abs=0.05)
    assert density_and_coverage(real, same + 1000) == (0, 0)


def test_a_copied_image_has_distance_zero():
    images = load_mnist(train=False)[0][:600]
    distances, indices = nearest(images[100:110], images)
    assert distances.max() < 0.1  # cdist subtracts large squares in float32
    assert indices.tolist() == list(range(100, 110))


def test_evaluate_prints_a_row_for_each_kind_of_image(tmp_path, monkeypatch, capsys):
    splits = {split: load_mnist(train=split) for split in (True, False)}

    def load_few(train, device):
        images, labels = splits[train]
        return images[:1000], labels[:1000]

    monkeypatch.setattr(evaluate, "load_mnist", load_few)
    files = [str(HERE / f"mnist_generator{end}.pth") for end in ("", "_template", "")]
    flags = ["--n_samples", "200", "--n_draws", "2", "--out_dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--generator", *files, *flags])
    evaluate.main()
    table = [row for row in capsys.readouterr().out.splitlines() if row.startswith("| ")]
    assert len(table) == 12, "two tables of two lines of heads and four rows"
    for heads, _, *rows in (table[:6], table[6:]):
        names = [row.split(" | ")[0].removeprefix("| ") for row in rows]
        assert names == ["real test images", *files[:2], "uniform noise"]
        assert all(row.count("|") == heads.count("|") for row in rows)
    assert table[3].count(" to ") == 5, "mean and range of the draws"
    assert (tmp_path / "evaluation.png").stat().st_size > 1000
