"""Tests of the measures, against cases whose values are known."""

from types import SimpleNamespace

import pytest
import torch

import metrics
from metrics import Comparison, frechet_distance


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
