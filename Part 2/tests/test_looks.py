"""Tests of the measures, the classifiers and the scripts that look at a generator."""

import csv
import itertools
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import ablation
import classifier
import evaluate
import interpolate
import latent_map
import sample
import train
from classifier import load_classifier
from common import load
from conftest import HERE
from gan import Generator, in_batches
from metrics import frechet_distance, inception_score, is_clear, nearest
from mnist import load_mnist

JUDGE = load_classifier("judge", "cpu")
GENERATOR = load(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    def load_few(train=True, device="cpu"):
        return [tensor[:500] for tensor in load_mnist(train)]

    for module in ablation, classifier, evaluate, interpolate, latent_map:
        monkeypatch.setattr(module, "load_mnist", load_few)
        monkeypatch.setattr(module, "N_SAMPLES", 300, raising=False)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_classifiers_read_digits_and_are_trained_and_recognised(call, tmp_path, capsys):
    images, labels = load_mnist(train=False)
    call(classifier.main, "--n_epochs", 1, "--out_dir", tmp_path)
    printed = capsys.readouterr().out
    for kind, file in classifier.FILES.items():
        read = in_batches(load_classifier(kind, "cpu"), images).argmax(1)
        assert (read == labels).double().mean() >= 0.99
        model = load(tmp_path / file, "cpu", classifier.Classifier.from_state_dict)
        right = in_batches(model, images[:500]).argmax(1) == labels[:500]
        assert f"{kind}: reads {right.double().mean():.2%} of" in printed


def test_training_images_are_shifted_by_up_to_two_pixels():
    dot, rng = torch.eye(784)[400].view(1, 1, 28, 28), torch.Generator().manual_seed(0)
    places = {classifier.shifted(dot, rng).argmax().item() - 400 for _ in range(500)}
    assert places == {28 * dy + dx for dy in range(-2, 3) for dx in range(-2, 3)}


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
    assert inception_score(sure) == pytest.approx(10)
    assert inception_score(sure[:1].repeat(9, 1)) == pytest.approx(1)
    never = 2000 * torch.eye(10)[:9]  # exp(-2000) is 0: nothing is read as the last digit
    assert inception_score(never) == pytest.approx(9)
    probabilities = torch.tensor([[0.89, 0.11], [0.91, 0.09]])
    assert is_clear(probabilities.log()).tolist() == [False, True]
    images = torch.zeros(3, 1, 28, 28)
    images[1, 0, :2, :2] = 1  # half of the range of pixels, so four pixels are a distance of 1
    references = torch.cat([images[:1], images[:1] + 9])
    torch.testing.assert_close(nearest(images[[1, 0]], references), torch.tensor([1.0, 0.0]))


def test_nine_distinct_images_lead_from_any_digit_to_any_other():
    ends = interpolate.typical_points(GENERATOR, JUDGE, range(10), seed=0)
    for start, end in itertools.permutations(range(10), 2):
        images = in_batches(GENERATOR, interpolate.walk(ends[start], ends[end]))
        read = in_batches(JUDGE, images).argmax(1).tolist()
        assert (len(read), read[0], read[-1]) == (9, start, end)
        distances = torch.cdist(images.flatten(1), images.flatten(1)) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"


def test_interpolate_draws_the_digits_asked_for_from_the_seed(call, refuse, tmp_path):
    for seed in 0, 1:
        call(interpolate.main, "--digits", 3, 8, "--seed", seed, "--out_dir", tmp_path / f"{seed}")
    (row,) = rows_of(tmp_path / "0" / "interpolation.csv")
    assert (row["from"], row["digits read"][0], row["digits read"][-1]) == ("3", "3", "8")
    pictures = [(tmp_path / seed / "interpolation.png").read_bytes() for seed in "01"]
    assert pictures[0] != pictures[1]
    refuse(interpolate.main, "--digits", 4, 4, words=["--digits", "4"])
    for script in interpolate, latent_map, sample:
        refuse(script.main, "--generator", "no.pth", words=["no.pth", "No such file"])


def test_sample_draws_as_many_as_asked_for_from_the_seed(call, script, tmp_path):
    assert script("sample.py", "--out_dir", "a").returncode == 0
    call(sample.main, "--seed", 1, "--out_dir", tmp_path / "b")
    call(sample.main, "--n", 3, "--out_dir", tmp_path / "c")
    grids = [Image.open(tmp_path / folder / "samples.png") for folder in "abc"]
    assert [grid.size for grid in grids] == [(152, 152), (152, 152), (62, 62)]
    assert grids[0].tobytes() != grids[1].tobytes()


def test_evaluate_prints_means_and_ranges_of_known_numbers(call, refuse, tmp_path, monkeypatch):
    values = [1, *[2, 3, 4, 5, 6], *[4, 5, 6, 7, 8], 9]  # real, two generators, noise
    seen = []

    def measure(comparison, images):
        seen.append(images)
        assert comparison.training_features.shape[1] == 96, "not the judge"
        assert images.min() < -0.9, "not in [-1, 1]"
        return {"confident": values[(len(seen) - 1) % 12] / 100}

    monkeypatch.setattr(evaluate, "measure", measure)
    file = HERE / "mnist_generator.pth"
    for seed in 5000, 6000:
        call(evaluate.main, "--group", "ours", file, file, "--seed", seed, "--out_dir", tmp_path)
    shares = [row["clear, %"] for row in rows_of(tmp_path / "evaluation.csv")]
    assert shares == ["1.0", "4.0 (2.0 to 6.0)", "6.0 (4.0 to 8.0)", "5.0 (4.0 to 6.0)", "9.0"]
    for a, b in (1, 2), (1, 13), (11, 23):  # draws, seeds, seeds of the noise
        assert not torch.equal(seen[a], seen[b])
    refuse(evaluate.main, "--group", "ours", words=["--group", "ours"])


def test_the_ablation_changes_one_thing_and_repeats_nothing(call, tmp_path, monkeypatch, capsys):
    values = itertools.count(1)
    known = SimpleNamespace(quality=lambda images: {"inception_score": next(values)})
    monkeypatch.setattr(ablation, "Comparison", lambda *_: known)
    flags = ["--only", "ours", "r1", "--n_images=200", "--seed=4", "--seeds=2"]
    flags += ["--out_dir", tmp_path]
    call(ablation.main, *flags, "--n_epochs", 1)
    settings = [set(row.split()) for row in capsys.readouterr().out.splitlines() if "b1=" in row]
    for other, setting in (settings[1], "seed"), (settings[2], "r1"):  # the next seed; without R1
        assert {text.split("=")[0] for text in settings[0] ^ other} == {setting, "out_dir"}
    means = [list(row.values())[2] for row in rows_of(tmp_path / "ablation.csv")]
    assert means == ["5.50 (3.00 to 8.00)", "15.50 (13.00 to 18.00)"]  # draws 1 to 5, 6 to 10
    call(ablation.main, *flags, "--n_epochs", 2)
    assert len(list(tmp_path.glob("ours-*seed4"))) == 2, "a longer training has its own folder"
    monkeypatch.setattr(train.Training, "train_step", None)  # a training would crash
    call(ablation.main, *flags, "--n_epochs", 1)


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


def test_the_table_of_steepness_counts_known_samples():
    steep = torch.arange(100).flip(0).float()
    masks = steep >= 90, steep < 5
    table = latent_map.steepness_table(steep, torch.arange(100) % 10, *masks)
    shares = [(row["unclear to the judge, %"], row["unclear to the eye, %"]) for row in table]
    assert shares[0] == ("0.0", "50.0")
    assert shares[9:] == [("100.0", "0.0"), ("10.0", "5.0"), ("0.0", "10.0"), ("100.0", "0.0")]
    assert [row["median steepness"] for row in table[:2]] == ["4.0", "14.0"]


def test_the_map_holds_the_path_and_the_nearest_other_point(call, tmp_path, monkeypatch):
    ends = {0: torch.zeros(3), 1: torch.tensor([2.0, 0, 0]), 2: torch.tensor([1.0, 3, 0])}
    ends[3] = torch.tensor([1.0, 0, 1])  # the nearest to the line
    z = latent_map.plane_points(ends, 0, 1)
    expected = torch.stack([ends[0], ends[1], ends[3]])
    torch.testing.assert_close(z[[50, 50, 75], [25, 75, 50]], expected)
    monkeypatch.setattr(latent_map, "RESOLUTION", 11)
    for seed in 0, 1:
        call(latent_map.main, "--seed", seed, "--out_dir", tmp_path / f"{seed}")
    for file in "steepness.csv", "sides.csv", "map.png":
        assert (tmp_path / "0" / file).read_bytes() != (tmp_path / "1" / file).read_bytes()
    for _, unclear, clear in map(dict.values, rows_of(tmp_path / "0" / "sides.csv")):
        assert float(unclear) > float(clear)
