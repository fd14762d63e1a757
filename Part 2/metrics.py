"""Measures of images: by their pixels, or by the judge's features or logits."""

import functools
import math

import torch

from judge import load_judge
from latent import in_batches
from mnist import load_mnist


def frechet_distance(x, y):
    """Return the squared Frechet distance, >= 0, of two Gaussians fitted to x (N, D) and y (M, D).

    ||mx - my||^2 + tr(Cx + Cy - 2 (Cx Cy)^(1/2)) in float64 (Heusel et al. 2017, equation 6), where
    Cx Cy has the eigenvalues of the symmetric Cx^(1/2) Cy Cx^(1/2); infinite if x or y is.
    """
    x, y = x.cpu().double(), y.cpu().double()
    if not (x.isfinite().all() and y.isfinite().all()):
        return math.inf
    cx, cy = torch.cov(x.T), torch.cov(y.T)
    values, vectors = torch.linalg.eigh(cx)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cy @ root).clamp(min=0).sqrt().sum()
    distance = (x.mean(0) - y.mean(0)).square().sum() + cx.trace() + cy.trace() - 2 * cross
    return max(0.0, distance.item())  # rounding can make it -1e-13


def is_clear(logits):
    """Return, for logits (N, 10), whether (N,) the likeliest digit has a probability above 0.9."""
    return logits.softmax(1).amax(1) > 0.9


def nearest(images, references):
    """Return the distance (N,) of each of N images, in [-1, 1], to the reference nearest to it.

    It is the root of the summed squares of all pixel differences, with pixels in 0..1.
    """
    references = references.flatten(1) / 2  # [-1, 1] has twice the width of [0, 1]
    return in_batches(lambda x: torch.cdist(x.flatten(1) / 2, references).amin(1), images)


class Comparison:
    """A comparison of generated images with training images, as a judge sees them."""

    def __init__(self, judge, training_images):
        self.judge, self.training_images = judge, training_images
        self.training_features = in_batches(judge.body, training_images)  # (N, D)

    def quality(self, images):
        """Return {measure: number} of images (N, 1, 28, 28)."""
        features = in_batches(self.judge.body, images)
        logits = in_batches(self.judge.head, features)
        shares = logits.argmax(1).cpu().bincount(minlength=10).double() / len(logits)
        return {
            "frechet_distance": frechet_distance(features, self.training_features),
            "confident": is_clear(logits.cpu()).double().mean().item(),
            "commonest_digit": shares.max().item(),
        }


@functools.cache  # its features take half a minute
def compare_with_mnist():
    """Return the Comparison of the judge with all 60,000 training images, on the CPU."""
    return Comparison(load_judge(), load_mnist()[0])
