"""Points of the latent space, the generator that draws samples at them, and how they are shown."""

import math

import torch
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageFont
from torchvision.utils import save_image

from common import HERE, ORANGE, finite, load
from gan import Generator

COMMITTED = HERE / "mnist_generator.pth"
OWN = HERE / "run" / "mnist_generator.pth"  # of your own training


def load_generator(path=None):
    """Return the generator, in eval mode, whose weights are in a file, and say which file it is.

    Without a path, this is the one that you trained, or the committed one if there is none.
    """
    path = path or (OWN if OWN.exists() else COMMITTED)
    print(f"generator: {path}")
    return load(path, lambda weights: Generator.from_state_dict(finite(weights)))


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


def save_gif(path, grids):
    """Save a GIF of the grids, paths <batch>.png in the order of training, each with its batch."""
    parts = torch.linspace(0, 1, 60).square()  # of the training; early grids differ most
    font, frames = ImageFont.load_default(17), []
    for pick in (parts * (len(grids) - 1)).round().int().unique():
        grid = Image.open(grids[pick]).convert("L").resize((304, 304), Image.NEAREST)
        frame = Image.new("L", (304, 332))
        frame.paste(grid, (0, 28))
        label = f"batch {int(grids[pick].stem):,}"
        ImageDraw.Draw(frame).text((152, 14), label, fill=255, font=font, anchor="mm")
        frames.append(frame)
    times = [120] * (len(frames) - 1) + [2000]  # ms
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)


def draw_frame(axes, left, top):
    """Draw a frame round the 28 x 28 pixels of an image that axes show, from its first pixel on."""
    axes.add_patch(Rectangle((left, top), 27, 27, fill=False, edgecolor=ORANGE, lw=1.5))
