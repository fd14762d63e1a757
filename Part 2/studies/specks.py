"""Who sees specks? Each part of D learns alone to tell samples from samples with a speck.

    python -m studies.specks                               the report's, in seconds
    python -m studies.specks --only "who sees specks" --seed 7 --seeds 1      two minutes

A part learns from some pairs: samples, and the same with a speck at a random place.
"""

import statistics

import torch
from torch import nn

from common import grouped, save_table
from gan import Discriminator, discriminator_loss
from latent import COMMITTED, draw_samples, in_batches, load_generator
from metrics import has_speck
from studies.runner import study

SETTINGS = {"parts": ["fully connected", "convolution"], "pairs": [1000, 4000, 16_000]}
SETTINGS |= {"asked": 2000, "steps": 3000, "batch_size": 64, "lr": 4e-3}
EXPERIMENTS = {"who sees specks": (SETTINGS, range(2))}


def add_specks(images, rng):
    """Return images (N, 1, 28, 28) with one more speck each, and which (N,) have room for it.

    A speck is a pixel of a random brightness from -0.5 to 1, at a random place among dark ones.
    """
    n = len(images)
    rows, columns = torch.randint(28, (2, n), generator=rng)
    specked = images.clone()
    specked[torch.arange(n), 0, rows, columns] = torch.rand(n, generator=rng) * 1.5 - 0.5
    return specked, ~has_speck(images) & has_speck(specked)


def pairs_of(generator, n, rng):
    """Return n samples (n, 1, 28, 28) without specks, and the same with one speck each."""
    clean, specked = [], []
    while sum(map(len, clean)) < n:
        seed = torch.randint(2**31, (1,), generator=rng).item()
        images = draw_samples(generator, 10_000, seed)
        with_speck, possible = add_specks(images, rng)
        clean.append(images[possible])
        specked.append(with_speck[possible])
    return torch.cat(clean)[:n], torch.cat(specked)[:n]


def measure(settings, seed):
    """Teach each part of D alone to see specks; return how well it does, by the number of pairs.

    The AUC is the probability that it finds a new sample realer than another one that has a speck.
    """
    generator, rng = load_generator(COMMITTED), torch.Generator().manual_seed(seed)
    unseen = pairs_of(generator, settings["asked"], rng)
    seen = pairs_of(generator, max(settings["pairs"]), rng)
    rows = []
    for name in settings["parts"]:
        for n in settings["pairs"]:
            torch.manual_seed(seed)
            discriminator = Discriminator(channels=8)
            part = nn.Sequential(nn.Flatten(), discriminator.layers)
            if name == "convolution":
                part = discriminator.convolution
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


def who_sees_table(rows):
    """Return a row for each part of D: the mean AUC over the number of pairs."""
    table = []
    for (part,), some in grouped(rows, "part").items():
        line = {"part of D": part}
        for (n,), own in grouped(some, "pairs").items():
            line[f"{n:,} pairs"] = f"{statistics.mean(row['auc'] for row in own):.2f}"
        table.append(line)
    return table


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "who_sees.csv", who_sees_table(rows))


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show, seconds)
