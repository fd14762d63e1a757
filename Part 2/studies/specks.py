"""Who sees specks? Each part of D learns alone to tell images from images with a speck.

    python -m studies.specks                               the report's, in seconds
    python -m studies.specks --only "who sees specks" --seed 7 --seeds 1      two minutes

A part learns from some pairs: an image of MNIST, and the same with a speck at a random place. A
third part shows whether a convolution needs shared weights for this, or only its small patches.
"""

import torch
import torch.nn.functional as F
from torch import nn

from common import save_table
from gan import Discriminator, discriminator_loss
from latent import in_batches
from metrics import has_speck
from mnist import load_mnist
from studies.loops import table_of
from studies.runner import study

PARTS = ["fully connected", "convolution", "convolution without shared weights"]
SETTINGS = {"parts": PARTS, "pairs": [1000, 4000, 16_000]}
SETTINGS |= {"asked": 2000, "steps": 3000, "batch_size": 64, "lr": 4e-3}
EXPERIMENTS = {"who sees specks": (SETTINGS, range(2))}


class LocallyConnected(nn.Module):
    """D's convolution, (B, 1, 28, 28) -> (B, 1), but each of the 14 x 14 places has own weights."""

    def __init__(self, channels=8):
        super().__init__()
        sizes = (9, 9), (1, 9), (channels, channels), (1, channels)  # rows and fan-in of each
        own = [(2 * torch.rand(196, n, channels) - 1) / fan_in**0.5 for n, fan_in in sizes]
        self.own = nn.ParameterList(own)  # uniform, as PyTorch's convolutions begin
        self.head = nn.Linear(channels, 1)

    def forward(self, images):
        """Return one logit per image."""
        W1, b1, W2, b2 = self.own
        patches = F.unfold(images, 3, padding=1, stride=2).permute(2, 0, 1)  # (196, B, 9)
        first = F.leaky_relu(torch.baddbmm(b1, patches, W1), 0.2)
        second = F.leaky_relu(torch.baddbmm(b2, first, W2), 0.2)
        return self.head(second.mean(dim=0))


def pairs_of(images, n, rng):
    """Return the first n images (n, 1, 28, 28) that can get a first speck, and the same with it.

    A speck is a pixel of a random brightness from -0.5 to 1, at a random place among dark ones.
    """
    order, specked = torch.arange(len(images)), images.clone()
    rows, columns = torch.randint(28, (2, len(images)), generator=rng)
    specked[order, 0, rows, columns] = torch.rand(len(images), generator=rng) * 1.5 - 0.5
    picks = order[~has_speck(images) & has_speck(specked)][:n]
    return images[picks], specked[picks]


def measure(settings, seed):
    """Teach each part of D alone to see specks; return how well it does, by the number of pairs.

    The AUC is the probability that it finds an unseen image realer than another one with a speck.
    """
    rng, rows = torch.Generator().manual_seed(seed), []
    seen = pairs_of(load_mnist()[0], max(settings["pairs"]), rng)
    unseen = pairs_of(load_mnist(train=False)[0], settings["asked"], rng)
    for name in settings["parts"]:
        for n in settings["pairs"]:
            torch.manual_seed(seed)
            discriminator = Discriminator(channels=8)
            part = {
                "fully connected": nn.Sequential(nn.Flatten(), discriminator.layers),
                "convolution": discriminator.convolution,
                "convolution without shared weights": LocallyConnected(),
            }[name]
            optimizer = torch.optim.Adam(part.parameters(), settings["lr"])
            for _ in range(settings["steps"]):
                picks = torch.randint(n, (settings["batch_size"],), generator=rng)
                loss = discriminator_loss(*(part(images[picks]) for images in seen))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            clean, specked = (in_batches(part, images) for images in unseen)
            auc = (clean > specked.T).double().mean().item()
            rows.append({"part": name, "pairs": n, "auc": auc})
    return rows


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    return 15 * len(settings["pairs"]) * len(settings["parts"])


def show(rows, out_dir):
    """Save the table: the AUC of each part of D over the number of pairs."""
    columns = {f"{n:,} pairs": ("auc", [n], 1, 2) for n in SETTINGS["pairs"]}
    save_table(out_dir / "who_sees.csv", table_of(rows, columns, group="part", moment="pairs"))


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show, seconds)
