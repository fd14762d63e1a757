"""Tests of the classifier, of the interpolation and of what evaluate.py measures."""

import itertools

import pytest
import torch
from classifier import accuracy
from conftest import assert_refused, script
from interpolate import lerp, slerp, typical_points
from metrics import density_and_coverage, frechet_distance, in_pieces, inception_score, nearest
from mnist import load_mnist


def test_the_classifier_reads_digits(committed):
    assert accuracy(committed[1], *load_mnist(train=False)) >= 0.993


@pytest.fixture(scope="session")
def typical(committed):
    """Return {digit: the latent point that an interpolation starts or ends at}."""
    images, labels = (tensor[:5000] for tensor in load_mnist())
    return typical_points(*committed, images, labels, range(10), seed=0)


@pytest.mark.parametrize("path", [lerp, slerp])
def test_nine_distinct_images_from_each_digit_to_each_other(committed, typical, path):
    generator, classifier = committed
    for start, end in itertools.permutations(range(10), 2):
        with torch.no_grad():
            images = generator(path(typical[start], typical[end], torch.linspace(0, 1, 9)))
            read = classifier(images).argmax(1).tolist()
        assert (read[0], read[-1]) == (start, end)
        distances = torch.cdist(*[images.flatten(1)] * 2) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = torch.lerp(images[0], images[-1], torch.full((1, 1, 1), 0.5))
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"


def test_the_ends_are_typical(committed, typical):
    """An end lies closer to the mean of its digit than nearly all real test images of it."""
    generator, classifier = committed
    images, labels = load_mnist(train=False)
    features = in_pieces(classifier.features, images)
    for digit, z in typical.items():
        real = features[labels == digit]
        end = in_pieces(classifier.features, in_pieces(generator, z[None]))
        closer = ((real - real.mean(0)).norm(dim=1) < (end - real.mean(0)).norm()).float().mean()
        assert closer < 0.05, f"the {digit} is not typical"


def test_interpolate_draws_from_any_folder(tmp_path):
    process = script("interpolate.py", "--out_dir", "x", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("9 distinct") == 5
    one_row = script("interpolate.py", "--digits", 4, 7, "--out_dir", "x", cwd=tmp_path)
    assert one_row.stdout.count("distinct") == one_row.stdout.count("4 to 7: read as 4 ") == 1
    assert (tmp_path / "x" / "interpolation.png").stat().st_size > 1000
    assert_refused(script("interpolate.py", "--digits", 4, 4, cwd=tmp_path), "--digits", "4")
    assert_refused(script("interpolate.py", "--digits", 4, 10, cwd=tmp_path), "--digits", "10")


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
    distance, index = nearest(images[100:110], images).T
    assert distance.max() < 0.1  # cdist subtracts large squares in float32
    assert index.tolist() == list(range(100, 110))


def test_evaluate_prints_the_table(tmp_path):
    process = script("evaluate.py", "--n_samples", 200, "--out_dir", tmp_path, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    rows = [line for line in process.stdout.splitlines() if "%" in line]
    assert [row[:9] for row in rows] == ["real test", "generator", "uniform n"]
    assert (tmp_path / "evaluation.png").stat().st_size > 1000
