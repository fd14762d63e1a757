"""Why do samples have specks, and what removes them? The settings against them were chosen here.

    python -m studies.specks                               the report's, in seconds
    python -m studies.specks --only "who sees specks"      trains the parts of D, three minutes
    python -m studies.train_classifier --seed 2 --out_dir studies/run/choosing
    python -m studies.specks --only "weight decay 0.3"     it needs that classifier

In *who sees specks*, each part of D learns alone to tell samples from the same samples with a
speck, one at a random place, from some pairs. The others are trainings of equal time, with weight
decay of the generator, or a convolution in D. Another classifier than the evaluation classifier
measures them, since our settings were chosen from them.
"""

import statistics

import torch
from torch import nn

from common import grouped, save_table
from gan import Discriminator, discriminator_loss
from latent import COMMITTED, draw_samples, in_batches, load_generator
from metrics import has_speck
from studies import loops
from studies.collapse import range_of
from studies.runner import study

CLASSIFIER = "studies/run/choosing/mnist_classifier.pth"  # it measures nothing else


def candidate(flags, n_epochs=20):
    """Return the settings of a candidate: other flags of train.py, the choosing classifier."""
    flags = f"--n_epochs {n_epochs} {flags}"
    return loops.settings_for("alternating", flags, measured_from=10, classifier=CLASSIFIER)


WHO_SEES = "who sees specks"
ONE, TWO = range(10, 11), range(10, 12)  # the seeds that choose; the two best have both
CANDIDATES = {
    "no weight decay": (candidate("--channels 0"), ONE),
    "weight decay 0.1": (candidate("--channels 0 --weight_decay 0.1"), TWO),
    "weight decay 0.3": (candidate("--channels 0 --weight_decay 0.3"), ONE),
    # With the convolution, an epoch takes 1.27 times as long.
    "convolution": (candidate("--channels 8", 16), TWO),
    "convolution, weight decay 0.3": (candidate("--channels 8 --weight_decay 0.3", 16), ONE),
}
PARTS = ["fully connected", "convolution"]  # of D
DETECTORS = {"parts": PARTS, "pairs": [1000, 4000, 16_000], "asked": 2000}
DETECTORS |= {"steps": 3000, "batch_size": 64, "lr": 4e-3}
EXPERIMENTS = CANDIDATES | {WHO_SEES: (DETECTORS, range(2))}


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


def train_detectors(settings, seed):
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


def measure(settings, seed):
    """Return the rows of a training, or of who sees specks."""
    return train_detectors(settings, seed) if "pairs" in settings else loops.measure(settings, seed)


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    if "pairs" in settings:
        return 15 * len(settings["pairs"]) * len(settings["parts"])
    return loops.seconds(settings)


def candidates_table(rows):
    """Return a row for each candidate, after its last epoch; ranges are over its seeds."""
    table = []
    for (experiment,), own in grouped(rows, "experiment").items():
        last = [row for row in own if row["epoch"] == own[-1]["epoch"]]
        line = {"training": experiment, "seeds": len(last), "epochs": own[-1]["epoch"]}
        line["distance"] = range_of([row["frechet_distance"] for row in last], 1)
        line["confident, %"] = range_of([100 * row["confident"] for row in last], 1)
        line["specks, %"] = range_of([100 * row["specks"] for row in last], 1)
        line["std of G's last layer"] = range_of([row["last_layer_std"] for row in last], 3)
        table.append(line)
    return table


def detectors_table(rows):
    """Return a row for each part of D: the mean AUC over the number of pairs."""
    table = []
    for (part,), some in grouped(rows, "part").items():
        line = {"part of D": part}
        for (n,), own in grouped(some, "pairs").items():
            line[f"{n:,} pairs"] = f"{statistics.mean(row['auc'] for row in own):.2f}"
        table.append(line)
    return table


def show(rows, out_dir):
    """Save the tables that have rows."""
    if detectors := [row for row in rows if row["experiment"] == WHO_SEES]:
        save_table(out_dir / "who_sees.csv", detectors_table(detectors))
    if candidates := [row for row in rows if row["experiment"] != WHO_SEES]:
        save_table(out_dir / "specks.csv", candidates_table(candidates))


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show, seconds)
