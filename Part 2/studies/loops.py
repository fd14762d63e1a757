"""Other loops than that of train.py, and how all training runs are measured."""

import statistics
import time
from argparse import Namespace

from torch.utils.data import DataLoader

from common import grouped
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from studies.changes import change, d_gradient, follow
from train import MEASURE_SEED, Training, is_measured, parse_args, settings_of


class Simultaneous(Training):
    """Our training with simultaneous updates: D sees the fakes from before G's step.

    Its train_step returns no losses, since studies measure samples.
    """

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        fake = self.generator(self.draw_noise(self.args.fakes))
        self.generator_step(fake)
        self.discriminator_step(real, fake.detach())
        self.update_ema()
        self.step += 1


class Template(Training):
    """The course's template with the usual losses.

    The generator G steps before the discriminator D, which then sees the fakes from before this
    step, and half of whose loss is minimised. A batch has as many fakes as real images. Its
    train_step returns no losses, either.
    """

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order."""
        self.images = images
        return DataLoader(images, self.args.batch_size, shuffle=True, generator=self.rng)

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        fake = self.generator(self.draw_noise(len(real)))
        self.generator_step(fake)
        self.discriminator_step(real, fake.detach())
        self.step += 1

    def discriminator_step(self, real, fake):
        """Train D to tell real images from fakes."""
        follow(self.optimizer_d, d_gradient(self.discriminator, real, fake))


LOOPS = {"alternating": Training, "simultaneous": Simultaneous, "template": Template}


def settings_for(loop, flags="", measured_from=1, n_shown=0, **changes):
    """Return all settings of a training run: its loop, flags of train.py, changes of the loop.

    It is measured from the epoch measured_from on. Of its samples, n_shown are kept as pixels,
    after ten epochs and at the end.
    """
    settings = {"loop": loop, "measured_from": measured_from, "n_shown": n_shown}
    settings |= {"measure_seed": MEASURE_SEED, "changes": changes}
    return settings | settings_of(parse_args(flags.split()))


def run_epochs(settings, seed):
    """Run a training, and yield epoch and training when it is to be measured."""
    training = LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))
    change(training, settings["changes"])
    images, n_epochs = load_mnist()[0][: settings["n_images"]], settings["n_epochs"]
    for epoch in range(1, n_epochs + 1):
        training.set_rates(epoch)
        begun = time.perf_counter()
        for real in training.batches(images):
            training.train_step(real)
        training.seconds += time.perf_counter() - begun
        if epoch >= settings["measured_from"] and is_measured(epoch, n_epochs):
            yield epoch, training


def measure(settings, seed):
    """Train; return a row for each measured epoch, with the seconds that training took so far."""
    return [
        {"epoch": epoch, "seconds": round(training.seconds)}
        | row_of(training, epoch in (10, settings["n_epochs"]))
        for epoch, training in run_epochs(settings, seed)
    ]


def row_of(training, shown=True):
    """Return {measure: number} of a training's generator, with n_shown samples if shown."""
    args, generator = training.args, training.final_generator()
    samples = draw_samples(generator, args.n_measured, args.measure_seed)
    row = compare_with_mnist().quality(samples)
    if args.n_shown > 0:
        images = draw_samples(generator, args.n_shown, seed=0).flatten(1)
        pixels = (127.5 * (images + 1)).round().int().tolist()  # 0 to 255
        row["samples"] = pixels if shown else []
    return row


def table_of(rows, columns, moment="epoch", title="experiment"):
    """Return a row for each experiment, with a range over its seeds in each column.

    columns  {name: (measure, moments, factor, decimals)}: a seed counts with the mean of this
             measure at these moments, times the factor
    """
    table = []
    for (experiment,), points in grouped(rows, "experiment").items():
        line = {title: experiment}
        for name, (measure, moments, factor, decimals) in columns.items():
            # Older rows lack some measures.
            some = [row for row in points if row[moment] in moments and measure in row]
            means = []
            for of_seed in grouped(some, "seed").values():
                means.append(factor * statistics.mean(row[measure] for row in of_seed))
            ends = [f"{end(means):.{decimals}f}" for end in (min, max) if means]
            line[name] = " to ".join(dict.fromkeys(ends))
        table.append(line)
    return table
