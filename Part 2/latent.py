"""Points of the latent space, the generator that draws samples at them, and grids of samples."""

import math

import torch
from torchvision.utils import save_image

from common import HERE, load
from gan import Generator

COMMITTED = HERE / "mnist_generator.pth"
OWN = HERE / "run" / "mnist_generator.pth"  # of your own training


def load_generator(path=None):
    """Return the generator, in eval mode, whose weights are in a file, and say which file it is.

    Without a path, this is the one that you trained, or the committed one if there is none.
    """
    if path is None:
        own = OWN.exists()
        path, other = (OWN, COMMITTED) if own else (COMMITTED, OWN)
        print(f"generator: {path} ({'your own' if own else 'the committed one'})")
        hint = "the committed one" if own else "your own, once train.py has run"
        print(f'--generator "{other}" shows {hint}')
    return load(path, Generator.from_state_dict)


def latent_points(n, latent_dim, seed, device="cpu"):
    """Return z (n, latent_dim), standard normal: the same for a seed, whatever the device."""
    return torch.randn(n, latent_dim, generator=torch.Generator().manual_seed(seed)).to(device)


@torch.no_grad()
def in_batches(function, inputs, size=500):
    """Return function(inputs), computed for size rows at a time, so that memory stays flat."""
    return torch.cat([function(batch) for batch in inputs.split(size)])


def draw_samples(generator, n, seed):
    """Return n images (n, 1, 28, 28) of the generator, at points that the seed fixes."""
    device = next(generator.parameters()).device
    return in_batches(generator, latent_points(n, generator.latent_dim, seed, device))


def save_grid(path, images):
    """Save images (N, 1, H, W) in [-1, 1] in one PNG, no higher than wide."""
    columns = math.ceil(math.sqrt(len(images)))
    save_image(images, path, nrow=columns, normalize=True, value_range=(-1, 1))
