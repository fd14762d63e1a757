"""The two networks of a GAN (Goodfellow et al. 2014) and their losses."""

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    """The generator G(z), which turns standard normal noise into images.

    z (B, latent_dim) -> images (B, 1, 28, 28) in [-1, 1]. To train, B must be at least 2, since
    BatchNorm needs a variance.
    """

    def __init__(self, latent_dim=100):
        super().__init__()
        self.latent_dim = latent_dim
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 128),
            nn.LeakyReLU(0.2),
            nn.Linear(128, 256),
            nn.BatchNorm1d(256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, 512),
            nn.BatchNorm1d(512),
            nn.LeakyReLU(0.2),
            nn.Linear(512, 1024),
            nn.BatchNorm1d(1024),
            nn.LeakyReLU(0.2),
            nn.Linear(1024, 784),
            nn.Tanh(),
        )

    @classmethod
    def from_state_dict(cls, state):
        """Return the generator, in eval mode, of this state_dict, whatever its latent_dim."""
        weight = state["layers.0.weight"]
        _, latent_dim = weight.shape
        generator = cls(latent_dim).to(weight.device)
        generator.load_state_dict(state)
        return generator.eval()

    def forward(self, z):
        """Return one image for each row of z."""
        return self.layers(z).view(-1, 1, 28, 28)


class Discriminator(nn.Module):
    """The discriminator D(x) without its sigmoid: images (B, 1, 28, 28) -> logits (B, 1).

    With channels > 0, a small convolution adds its logit. It looks at patches of 3 x 3 pixels,
    where a speck stands out: with it, fewer samples have specks (studies/ablations.py).
    """

    def __init__(self, channels=0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 512),
            nn.LeakyReLU(0.2),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, 1),
        )
        self.convolution = None
        if channels > 0:
            self.convolution = nn.Sequential(
                nn.Conv2d(1, channels, 3, stride=2, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(channels, channels, 1),
                nn.LeakyReLU(0.2),
                nn.AdaptiveAvgPool2d(1),  # the mean over the 14 x 14 places
                nn.Flatten(),
                nn.Linear(channels, 1),
            )

    def forward(self, images):
        """Return one logit per image; its sigmoid is D(x), the probability of being real."""
        logits = self.layers(images.flatten(1))
        return logits if self.convolution is None else logits + self.convolution(images)


# Equation (10) of the assignment, min_G max_D  E_x log D(x) + E_z log(1 - D(G(z))), in logits.
# With softplus(a) = log(1 + e^a):  log D = -softplus(-logit)  and  log(1 - D) = -softplus(logit).
# Written so, nothing overflows; log(sigmoid(-200)) would be log(0) in float32.


def discriminator_loss(real_logits, fake_logits):
    """Return -(E log D(x) + E log(1 - D(G(z)))): what the discriminator minimises, >= 0.

    It is 2 log 2 = 1.386 when the discriminator can only guess, D = 0.5 everywhere.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits):
    """Return -E log D(G(z)): the non-saturating loss, >= 0 (Goodfellow et al. 2014, section 3).

    The gradient of E log(1 - D(G(z))) in (10) vanishes where the discriminator sees through the
    fakes; the gradient of this loss is largest there.
    """
    return F.softplus(-fake_logits).mean()


def gradient_penalty(discriminator, real):
    """Return E ||d logit/dx||^2 / 2 over real images (Mescheder et al. 2018, R1, equation 9)."""
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean() / 2
