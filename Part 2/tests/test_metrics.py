"""Tests of the data, the classifier and the measures, against cases whose values are known."""

import gzip
from types import SimpleNamespace

import pytest
import torch

import metrics
import mnist
from classifier import FILE, Classifier, load_classifier
from common import load
from latent import in_batches
from metrics import Comparison, coverage, frechet_distance
from mnist import load_mnist


def accuracy(classifier, images, labels):
    return (in_batches(classifier, images).argmax(1) == labels).double().mean().item()


def test_mnist_is_whole_and_the_classifier_reads_it():
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert (images.min(), images.max()) == (-1, 1)
    assert accuracy(load_classifier(), images[:2000], labels[:2000]) > 0.99
    assert len(load_mnist()[0]) == 60_000


def test_a_missing_file_and_one_of_the_right_size_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "RAW", tmp_path)
    with pytest.raises(SystemExit, match=r"train-images\S+gz: cannot be read .*git checkout.*\Z"):
        load_mnist()
    zeros = gzip.compress(bytes(16 + 10_000 * 28 * 28))  # Fashion-MNIST has this size, too
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(zeros)
    with pytest.raises(SystemExit, match=r"t10k-images\S+gz: is not MNIST's own .*original.*\Z"):
        load_mnist(train=False)


def test_a_small_classifier_is_trained_by_its_seed_saved_and_tested(
    call, tmp_path, monkeypatch, capsys
):
    few = {train: [part[:1000] for part in load_mnist(train)] for train in (True, False)}
    monkeypatch.setattr(mnist, "load_mnist", lambda train=True: few[train])
    networks, seeds, seeded = {}, [], torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda seed: seeds.append(seed) or seeded(seed))
    for seed in 1, 2:
        call("studies.train_classifier", "--n_epochs", 6, "--seed", seed, "--out_dir", tmp_path)
        network = Classifier().eval()
        load(tmp_path / FILE, network.load_state_dict)
        networks[seed] = network
        text = f"test accuracy: {accuracy(network, *few[False]):.2%}"
        assert text in capsys.readouterr().out, "in eval mode, on test images"
        assert accuracy(network, *few[True]) > 0.6, "it has not learnt"
    assert not torch.equal(networks[1].head.weight, networks[2].head.weight)
    assert seeds == [1, 2]


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


def test_coverage_of_points_on_a_line():
    real = torch.tensor([[0.0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105]]).T
    samples = torch.tensor([[-2.9, -3.1, 7.9, 8.1, 50, 60]]).T
    # The balls round 0, 1, 4 and 5 reach one of these samples, those round 2 and 3 do not.
    assert coverage(samples, real) == pytest.approx(4 / 12)
    known, points = SimpleNamespace(body=lambda x: x), torch.arange(200.0)[:, None]
    found = Comparison(known, points).coverage(points[:100])
    assert found < 0.7, "beside the first images, not beside random ones"


def test_a_speck_is_a_lone_bright_pixel():
    cases = {  # {the pixels above -0.5: whether there is a speck}
        ((2, 2), (2, 4)): True,
        ((2, 2), (3, 3)): False,  # neighbours
        ((0, 0), (0, 4), (4, 0), (4, 4)): True,  # corners
        ((0, 1), (0, 2), (4, 3)): True,  # a stroke, and one at the border
    }
    for pixels, expected in cases.items():
        image = torch.full((1, 1, 5, 5), -0.5)  # not above a quarter of white
        for row, column in pixels:
            image[0, 0, row, column] = -0.49
        assert metrics.has_speck(image).tolist() == [expected]


def test_scores_of_known_predictions():
    probabilities = torch.tensor([[0.89, 0.11], [0.91, 0.09]])
    assert metrics.is_confident(probabilities.log()).tolist() == [False, True]
    known = SimpleNamespace(body=lambda x: x.flatten(1), head=lambda x: 100 * x)
    images = torch.eye(10)[[1, 1, 1, 2, 3]] * torch.tensor([[1], [1], [1], [1], [0.01]]) - 0.6
    quality = Comparison(known, torch.eye(10)).quality(images[:, None, None])  # (5, 1, 1, 10)
    assert quality.pop("frechet_distance") > 0
    assert quality == {"confident": 0.8, "commonest_digit": 0.6, "specks": 0.8}
