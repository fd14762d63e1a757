"""Tests of the data, of the measures where their values are known, and of scripts that draw."""

import gzip
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import latent
import metrics
import mnist
from classifier import load_classifier
from common import load
from gan import Generator
from metrics import Comparison, effective_rank, frechet_distance, has_speck, is_confident
from mnist import load_mnist


def test_mnist_is_whole_and_the_classifier_reads_it():
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert (images.min(), images.max()) == (-1, 1)
    correct = latent.in_batches(load_classifier(), images[:2000]).argmax(1) == labels[:2000]
    assert correct.double().mean() > 0.99


def test_a_missing_file_and_one_of_the_right_size_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "RAW", tmp_path)
    with pytest.raises(SystemExit, match=r"train-images\S+gz: cannot be read .*git checkout.*\Z"):
        load_mnist()
    zeros = gzip.compress(bytes(16 + 10_000 * 28 * 28))  # Fashion-MNIST has this size, too
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(zeros)
    with pytest.raises(SystemExit, match=r"t10k-images\S+gz: is not MNIST's own .*original.*\Z"):
        load_mnist(train=False)


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
    assert [frechet_distance(x, z) for z in (x, y)] == pytest.approx([0, expected], abs=1e-6)


def test_effective_rank_counts_directions():
    rng = torch.Generator().manual_seed(0)
    three = torch.randn(5000, 3, generator=rng) @ torch.linalg.qr(torch.randn(16, 3)).Q.T
    grey = three.view(-1, 1, 4, 4) + 5  # where the mean is does not matter
    assert effective_rank(grey) == pytest.approx(3, abs=0.02)


def test_a_speck_is_a_lone_bright_pixel():
    images = torch.full((3, 1, 5, 5), -0.5)  # not above a quarter of white
    for n, row, column in (0, 2, 2), (0, 2, 4), (1, 2, 2), (1, 3, 3), (2, 0, 0):
        images[n, 0, row, column] = -0.49
    assert has_speck(images).tolist() == [True, False, True]  # neighbours; a corner


def test_scores_of_known_predictions(monkeypatch):
    sure = torch.tensor([[0.91] + [0.01] * 9, [0.89, 0.03] + [0.01] * 8]).log()
    assert is_confident(sure).tolist() == [True, False]
    known = SimpleNamespace(body=lambda x: x.flatten(1) ** 3, head=lambda x: 100 * x)
    images = torch.eye(10)[[1, 1, 1, 2, 3]] * torch.tensor([[1], [1], [1], [1], [0.01]]) - 0.6
    quality = Comparison(known, torch.eye(10)).quality(images[:, None, None])  # (5, 1, 1, 10)
    expected = {"confident": 0.8, "most_common_digit": 0.6, "specks": 0.8}
    expected["frechet_distance"] = frechet_distance(images**3, torch.eye(10))
    assert quality == expected | {"effective_rank": effective_rank(images[:, None, None])}
    few = load_mnist()[0][:2]
    monkeypatch.setattr(metrics, "load_mnist", lambda train=True: [few if train else None])
    features = metrics.compare_with_mnist.__wrapped__().training_features
    assert torch.equal(features, load_classifier().body(few))


def test_samples_are_those_of_the_seed_three_times_as_big(call, tmp_path):
    generator = load(latent.COMMITTED, Generator.from_state_dict)
    call("sample", "--n", 2, "--seed", 1, "--generator", latent.COMMITTED, "--out_dir", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"samples.png", "sample.json"}
    pixels = np.array(Image.open(tmp_path / "samples.png"))[2:86, 2:86, 0]
    rng = torch.Generator().manual_seed(1)
    image = (generator(torch.randn(2, 100, generator=rng))[0, 0].detach() + 1) / 2 * 255
    assert np.abs(pixels - np.kron(image.numpy(), np.ones((3, 3)))).max() <= 1


def test_your_own_generator_is_shown_as_soon_as_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(latent, "OWN", tmp_path / "mnist_generator.pth")
    assert latent.load_generator().latent_dim == 100
    torch.save(Generator(7).state_dict(), latent.OWN)
    assert latent.load_generator().latent_dim == 7
    assert latent.load_generator(latent.COMMITTED).latent_dim == 100


def test_a_row_has_the_digits_and_the_steps_that_are_asked_for(call, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: figures.append(figure))
    flags = "--digits", 2, 3, "--steps", 4, "--generator", latent.COMMITTED
    call("interpolate", *flags, "--out_dir", tmp_path)
    assert not (tmp_path / "settings.json").exists(), "it may be that of a training run"
    (axes,) = figures[0].axes
    first, *between, last = [label.get_text() for label in axes.get_xticklabels()]
    assert (first, len(between), last) == ("2", 4, "3")
    generator, classifier = latent.load_generator(latent.COMMITTED), load_classifier()
    images = latent.draw_samples(generator, 1000, seed=0)
    features = classifier.body(images).detach()
    twos = classifier.head(features).argmax(1) == 2
    typical = images[twos][(features[twos] - features[twos].mean(0)).norm(dim=1).argmin(), 0]
    assert np.abs(axes.images[0].get_array()[:, :28] - typical.numpy()).max() < 1e-5


@pytest.mark.parametrize("script", ["sample", "interpolate"])
def test_weights_that_hold_nan_are_refused_in_one_line(call, tmp_path, script):
    weights = Generator(7).state_dict()
    weights["layers.9.bias"][3] = torch.nan
    torch.save(weights, tmp_path / "nan.pth")
    with pytest.raises(SystemExit, match=r"\A\S+nan.pth: .*layers.9.bias holds NaN.*\Z"):
        call(script, "--generator", tmp_path / "nan.pth", "--out_dir", tmp_path)
