"""How do specks arise, and who sees them?

python -m studies.specks                                 the report's, in seconds
python -m studies.specks --train convolution --seeds 7   one other seed, a minute of a core

Each part of D learns alone to tell images from images with a speck. And we train on after ten
epochs: what does the change of G's last layer do to the samples of the averaged generator?
"""

import copy
from itertools import islice

import torch
from matplotlib.figure import Figure
from torch.optim.swa_utils import update_bn
from torchvision.utils import make_grid

from common import ORANGE
from gan import Discriminator, discriminator_loss
from latent import draw_samples, in_batches, latent_points
from metrics import has_speck, specks_of
from mnist import load_mnist
from studies import loops
from studies.loops import run_epochs, settings_for, table_of
from studies.runner import study
from train import BATCHNORM_SEED

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
TRAINED_ON = "trained on"
EXPERIMENTS[TRAINED_ON] = (
    settings_for("alternating", "--n_epochs 10", measured_from=10) | {"steps": [0, 25, 100]},
    range(3),
)
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
    if "pairs" in settings:
        return teach(settings, seed)
    return (train_on if "steps" in settings else loops.measure)(settings, seed)


def train_on(settings, seed):
    """Train on; return the share of samples with specks of the averaged G, with what is added.

    Added to its last layer's weights is their change in some steps, as it is, reversed or shuffled.
    """
    ((_, training),) = run_epochs(settings, seed)
    averaged, z = training.final_generator(), latent_points(5000, 100, BATCHNORM_SEED)
    begun = training.generator.layers[-2].weight.detach().clone()
    batches, rows, done = training.batches(load_mnist()[0]), [], 0
    for steps in settings["steps"]:
        for real in islice(batches, steps - done):
            training.train_step(real)
        done = steps
        last = copy.deepcopy(training.generator).eval()
        update_bn(z.split(500), last)  # as for the averaged one
        generators = {"not averaged": last}
        for name, change in changes(training.generator.layers[-2].weight.detach() - begun):
            generators[name] = copy.deepcopy(averaged)
            generators[name].layers[-2].weight.data += change
        for name, generator in generators.items():
            samples = draw_samples(generator, settings["n_measured"], settings["measure_seed"])
            share = has_speck(samples).double().mean().item()
            rows.append({"steps": steps, "weights": name, "specks": share})
    return rows


def changes(change):
    """Return pairs of a name and a change of the last layer's weights, a row for each pixel."""
    rng = torch.Generator().manual_seed(0)
    order = torch.rand(change.shape, generator=rng).argsort(1)  # another one for each pixel
    return [
        ("change as it is", change),
        ("change shuffled in each pixel", change.gather(1, order)),
        ("change shuffled among pixels", change[torch.randperm(len(change), generator=rng)]),
        ("change reversed", -change),
    ]


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
    if trained_on := [row | {"experiment": row["weights"]} for row in rows if "weights" in row]:
        steps = EXPERIMENTS[TRAINED_ON][0]["steps"]
        columns = {f"specks after {n} steps, %": ("specks", [n], 100, 1) for n in steps}
        table = table_of(trained_on, columns, moment="steps", title="weights of G")
        shown["specks.csv"] = table
    samples = [row for row in rows if row["experiment"] in DRAWN]
    if len(samples) == len(DRAWN):
        shown["specks.png"] = specks_figure(samples)
    return shown


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show)
