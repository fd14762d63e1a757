"""Tests of the data, the judge and the measures, against cases whose values are known."""

from types import SimpleNamespace

import pytest
import torch

import metrics
from judge import load_judge
from latent import in_batches
from metrics import Comparison, frechet_distance
from mnist import load_mnist


def test_mnist_is_whole_and_the_judge_reads_it():
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert load_mnist()[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    judge = load_judge()
    assert not judge.training, "BatchNorm would use the batch's statistics"
    assert (in_batches(judge, images[:2000]).argmax(1) == labels[:2000]).double().mean() > 0.99


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
    probabilities = torch.tensor([[0.89, 0.11], [0.91, 0.09]])
    assert metrics.is_clear(probabilities.log()).tolist() == [False, True]
    images = torch.zeros(3, 1, 28, 28)
    images[1, 0, :2, :2] = 1  # half of the range of pixels, so four pixels are a distance of 1
    references = torch.cat([images[:1], images[:1] + 9])
    distances = metrics.nearest(images[[1, 0]], references)
    torch.testing.assert_close(distances, torch.tensor([1.0, 0.0]))
    known = SimpleNamespace(body=lambda x: x, head=lambda x: 100 * x)
    images = torch.eye(10)[[1, 1, 1, 2, 3]] * torch.tensor([[1], [1], [1], [1], [0.01]])
    quality = Comparison(known, torch.eye(10)).quality(images)
    assert (quality["confident"], quality["commonest_digit"]) == (0.8, 0.6)
