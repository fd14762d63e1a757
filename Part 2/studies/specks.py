"""What removes specks, and which part of D sees them?

python -m studies.specks                                 the report's, in seconds
python -m studies.specks --train convolution --seeds 7   one other seed, a minute of a core

Each part of D learns alone to tell images from images with a speck. And three training runs show
their samples.
"""

import torch
from matplotlib.figure import Figure
from torchvision.utils import make_grid

from common import ORANGE
from gan import Discriminator, discriminator_loss
from latent import in_batches
from metrics import has_speck, specks_of
from mnist import load_mnist
from studies import loops
from studies.loops import settings_for, table_of
from studies.runner import study

PAIRS = [1000, 4000, 16_000]
DRAWN = {  # {training run, whose samples specks.png shows: what it changes}
    "our training, ten epochs": "",
    "without the average of G's weights": "--ema 0",
    "without D's small CNN": "--channels 0",
}


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
for name, flags in DRAWN.items():
    flags = f"--n_epochs 10 {flags}"
    settings = settings_for("alternating", flags, measured_from=10, n_shown=48)
    EXPERIMENTS[name] = settings, range(1)


def pairs_of(images, n, rng):
    """Return the first n images (n, 1, 28, 28) that can get a first speck, and the same with it.

    A speck is a pixel of a random brightness from -0.5 to 1, at a random place among dark ones.
    """
    indices, specked = torch.arange(len(images)), images.clone()
    rows, columns = torch.randint(28, (2, len(images)), generator=rng)
    specked[indices, 0, rows, columns] = torch.rand(len(images), generator=rng) * 1.5 - 0.5
    picks = indices[~has_speck(images) & has_speck(specked)][:n]
    return images[picks], specked[picks]


def teach(settings, seed):
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


def measure(settings, seed):
    """Return the rows of a part of D that learns alone, or of a training run."""
    return (teach if "pairs" in settings else loops.measure)(settings, seed)


def specks_figure(rows):
    """Return a Figure: 48 samples of each training run, with a ring around each speck."""
    figure = Figure(figsize=(15, 4.8), layout="compressed")
    for axes, row in zip(figure.subplots(1, len(rows)), rows, strict=True):
        images = torch.tensor(row["samples"]).view(-1, 1, 28, 28) / 127.5 - 1
        axes.imshow(make_grid(images, 8, padding=0)[0].numpy(), cmap="gray", vmin=-1, vmax=1)
        marks = make_grid(specks_of(images).float(), 8, padding=0)[0]
        ys, xs = marks.nonzero().T.tolist()
        axes.plot(xs, ys, "o", color=ORANGE, mfc="none", ms=14, mew=2)
        share = f"{100 * row['specks']:.0f} % have specks"
        axes.set_title(f"{row['experiment']}\n{share}", fontsize=15)
        axes.axis("off")
    text = "rings mark specks: bright pixels among dark ones; the shares are of 10,000 samples"
    figure.supxlabel(text, fontsize=14)
    return figure


def show(rows):
    """Return the tables and the figure that have rows."""
    shown = {}
    if alone := [row for row in rows if "auc" in row]:
        columns = {f"{n:,} pairs": ("auc", [n], 1, 2) for n in PAIRS}
        shown["who_sees.csv"] = table_of(alone, columns, moment="pairs")
    samples = [row for row in rows if row["experiment"] in DRAWN]
    if len(samples) == len(DRAWN):
        shown["specks.png"] = specks_figure(samples)
    return shown


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show)
