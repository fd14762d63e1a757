"""Tests of the two networks and their losses."""

import pytest
import torch

from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty


@pytest.mark.parametrize(("batch", "latent_dim"), [(2, 1), (7, 100)])
def test_shapes_and_ranges(batch, latent_dim):
    torch.manual_seed(0)
    generator = Generator(latent_dim)
    images = generator(100 * torch.randn(batch, latent_dim))
    assert images.shape == (batch, 1, 28, 28)
    assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
    logits = Discriminator()(1000 * images)
    assert logits.shape == (batch, 1)
    assert not ((logits >= 0) & (logits <= 1)).all(), "logits expected: is there a sigmoid inside?"
    assert not Generator.from_state_dict(generator.state_dict()).training


def test_losses_are_bceloss_on_probabilities():
    real = torch.randn(9, 1, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(9, 1, dtype=torch.float64, requires_grad=True)
    bce, one, zero = torch.nn.BCELoss(), torch.ones_like(real), torch.zeros_like(real)
    d_loss = bce(torch.sigmoid(real), one) + bce(torch.sigmoid(fake), zero)
    g_loss = bce(torch.sigmoid(fake), one)
    for found, expected, inputs in (
        (discriminator_loss(real, fake), d_loss, [real, fake]),
        (generator_loss(fake), g_loss, [fake]),
    ):
        torch.testing.assert_close(found, expected)
        gradients = (torch.autograd.grad(loss, inputs) for loss in (found, expected))
        torch.testing.assert_close(*gradients)
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    discriminator_loss(-far, far).backward()
    assert far.grad.isfinite().all()


def test_gradient_penalty_of_a_known_function():
    x = torch.randn(5, 1, 28, 28, dtype=torch.float64)
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(lambda x: (a * x.square()).sum((1, 2, 3)), x)  # gradient: 2 a x
    torch.testing.assert_close(penalty, (2 * a * x).square().sum((1, 2, 3)).mean() / 2)
    (slope,) = torch.autograd.grad(penalty, a)
    torch.testing.assert_close(slope, 2 * penalty / a)
