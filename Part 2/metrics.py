"""Measures of images: by their pixels, or by the evaluation classifier's features or logits."""

import functools
import math

import torch
import torch.nn.functional as F

from classifier import load_classifier
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


def is_confident(logits):
    """Return, for logits (N, 10), whether (N,) the likeliest digit has a probability above 0.9."""
    return logits.softmax(1).amax(1) > 0.9


def has_speck(images):
    """Return whether (N,) each of the images (N, 1, H, W), in [-1, 1], has a speck.

    A speck is a pixel above a quarter of white, -0.5, of whose eight neighbours none is above it.
    """
    bright = (images > -0.5).float()
    around = F.avg_pool2d(bright, 3, stride=1, padding=1, divisor_override=1)  # sums of 3 x 3
    return ((bright == 1) & (around == 1)).flatten(1).any(1)


def effective_rank(images):
    """Return in how many directions the pixels of images (N, 1, H, W) vary, from 1 to H W.

    It is the participation ratio (sum l)^2 / sum l^2 of the eigenvalues l of their covariance: n
    equal ones count as n. It needs no classifier.
    """
    covariance = torch.cov(images.flatten(1).double().T)
    return (covariance.trace().square() / covariance.square().sum()).item()


class Comparison:
    """A comparison of generated images with training images, as a classifier sees them."""

    def __init__(self, classifier, training_images):
        self.classifier = classifier
        self.training_features = in_batches(classifier.body, training_images)  # (N, D)

    def quality(self, images):
        """Return {measure: number} of images (N, 1, 28, 28)."""
        features = in_batches(self.classifier.body, images)
        logits = in_batches(self.classifier.head, features)
        shares = logits.argmax(1).cpu().bincount(minlength=10).double() / len(logits)
        return {
            "frechet_distance": frechet_distance(features, self.training_features),
            "confident": is_confident(logits.cpu()).double().mean().item(),
            "most_common_digit": shares.max().item(),
            "specks": has_speck(images).double().mean().item(),
            "effective_rank": effective_rank(images),
        }


@functools.cache  # its features take half a minute
def compare_with_mnist():
    """Return the Comparison with all training images, on the CPU."""
    return Comparison(load_classifier(), load_mnist()[0])
