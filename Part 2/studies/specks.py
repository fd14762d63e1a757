"""Who sees specks? Each part of D learns alone to tell images from images with a speck.

python -m studies.specks                                 the report's, in seconds
python -m studies.specks --train convolution --seeds 7   one other seed, a minute of a core
"""

import torch

from gan import Discriminator, discriminator_loss
from latent import in_batches
from metrics import has_speck
from mnist import load_mnist
from studies.loops import table_of
from studies.runner import study

PAIRS = [1000, 4000, 16_000]


def alone(part, lr=4e-3, shuffled=False):
    """Return the settings of a part of D that learns alone, and the seeds."""
    settings = {"pairs": PAIRS, "tested": 2000, "steps": 3000, "batch_size": 64}
    return settings | {"part": part, "lr": lr, "shuffled": shuffled}, range(2)


EXPERIMENTS = {
    "fully connected": alone("layers"),
    "convolution": alone("convolution"),
    "fully connected, rate 0.0004": alone("layers", lr=4e-4),
    "convolution, shuffled pixels": alone("convolution", shuffled=True),
}


def pairs_of(images, n, rng):
    """Return the first n images (n, 1, 28, 28) that can get a first speck, and the same with it.

    A speck is a pixel of a random brightness from -0.5 to 1, at a random place among dark ones.
    """
    indices, specked = torch.arange(len(images)), images.clone()
    rows, columns = torch.randint(28, (2, len(images)), generator=rng)
    specked[indices, 0, rows, columns] = torch.rand(len(images), generator=rng) * 1.5 - 0.5
    picks = indices[~has_speck(images) & has_speck(specked)][:n]
    return images[picks], specked[picks]


def measure(settings, seed):
    """Teach a part of D alone to see specks, in images shuffled alike or not; return its AUCs.

    The AUC is the probability that it finds an unseen image realer than another one with a speck.
    """
    rng, rows = torch.Generator().manual_seed(seed), []
    seen = pairs_of(load_mnist()[0], max(settings["pairs"]), rng)
    unseen = pairs_of(load_mnist(train=False)[0], settings["tested"], rng)
    order = torch.randperm(784, generator=rng) if settings["shuffled"] else torch.arange(784)
    seen, unseen = ([x.flatten(2)[..., order].view_as(x) for x in two] for two in (seen, unseen))
    for n in settings["pairs"]:
        torch.manual_seed(seed)
        parts = {"layers": Discriminator(), "convolution": Discriminator(channels=8).convolution}
        part = parts[settings["part"]]
        optimizer = torch.optim.Adam(part.parameters(), settings["lr"])
        for _ in range(settings["steps"]):
            picks = torch.randint(n, (settings["batch_size"],), generator=rng)
            loss = discriminator_loss(*(part(images[picks]) for images in seen))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        clean, specked = (in_batches(part, images) for images in unseen)
        rows.append({"pairs": n, "auc": (clean > specked.T).double().mean().item()})
    return rows


def show(rows):
    """Return the table: the AUC of each part of D, by the number of pairs."""
    columns = {f"{n:,} pairs": ("auc", [n], 1, 2) for n in PAIRS}
    return {"who_sees.csv": table_of(rows, columns, moment="pairs")}


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show)
