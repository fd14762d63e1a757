"""What a branch's samples do: how their mean swings, what they share, how D rates them."""

import copy

import torch

from latent import in_batches

LAGS = range(-20, 21)  # D rates the fakes of so many steps later


@torch.no_grad()
def last_outputs(generator, z):
    """Return what the last layer gives in training for z (N, latent_dim), before tanh: (N, 784)."""
    return copy.deepcopy(generator).layers[:-1](z)  # a copy, so that running statistics stay


def half_swing(means):
    """Return after how many steps means (steps, pixels) are least like themselves.

    A wave has the lowest autocorrelation after half a period. Lags up to half of the steps count.
    """
    around = means - means.mean(0)
    products = around @ around.T  # (steps, steps)
    lags = range(1, len(means) // 2 + 1)
    return min(lags, key=lambda lag: products.diagonal(lag).mean().item())


def size(means):
    """Return the size of a swing: the variance over time of means (steps, pixels), summed."""
    return means.var(0).sum().item()


def wave(means, first):
    """Return (steps,): means (steps, pixels) along the direction that they take from first on."""
    around = means - means.mean(0)
    direction = torch.linalg.svd(around[first:], full_matrices=False)[2][0]
    return [round(place, 2) for place in (around @ direction).tolist()]


def common_share(vectors):
    """Return which share of vectors (N, D) is common to all, ||mean||^2 / mean ||.||^2: 0 to 1."""
    lengths = vectors.square().sum(1).mean().clamp(min=1e-12)  # if nothing moves
    return (vectors.mean(0).square().sum() / lengths).item()


def spread(images):
    """Return how images (N, D) vary: their variance, summed over D, and the strongest's share.

    That is the share, 0 to 1, of the one direction along which they vary most.
    """
    variances = torch.linalg.svdvals(images - images.mean(0)).square() / (len(images) - 1)
    return variances.sum().item(), (variances[0] / variances.sum()).item()


def ratings(critics, fakes, real):
    """Return, for each of LAGS, how critics {step: D} rate the fakes drawn so many steps later.

    That is their mean logit, less that of real images. fakes are those of all steps.
    """
    found = []
    for lag in LAGS:
        rated = [
            in_batches(critic, fakes[step + lag]).mean() - in_batches(critic, real).mean()
            for step, critic in critics.items()
        ]
        found.append(round(torch.stack(rated).mean().item(), 3))
    return found
