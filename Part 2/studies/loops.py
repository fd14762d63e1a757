"""Other loops than that of train.py, and how all trainings are measured."""

import copy
import statistics
from argparse import Namespace
from collections import deque

import torch
from torch.utils.data import DataLoader

import train
from common import grouped
from gan import discriminator_loss, generator_loss
from latent import draw_samples
from metrics import compare_with_mnist, effective_rank
from mnist import load_mnist
from train import Training, is_measured, parse_args, settings_of, update_ema

IN_TEMPLATE = {  # what else is set in the template's loop, with the template's own values
    "b1_d": 0.9,  # Adam's beta1 of the discriminator; b1 is the generator's
    "first": "G",  # the network that steps first
    "stale": "",  # a key of STALE: whose gradient is stale, and how
    "stale_steps": 0,  # by how many steps it is older than in the template
}
STALE = {  # {whose gradient is stale, and how: what is old when it is taken}
    "": [],
    "D with stale fakes": ["fake"],
    "D with stale weights": ["discriminator"],
    "D with stale gradients": ["fake", "discriminator", "real"],
    "G against a stale D": ["opponent"],
    "G with stale weights": ["generator"],
    "G with stale gradients": ["opponent", "generator", "z"],
}


class Simultaneous(Training):
    """Our training with simultaneous updates: D sees the fakes from before G's step."""

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        fake = self.draw_fakes(self.args.fakes)
        self.generator_step(fake)
        self.discriminator_step(real, fake.detach())
        update_ema(self.ema_generator, self.generator, self.args.ema, self.step)
        self.step += 1


class Template(Training):
    """The course's template with the usual losses, and what IN_TEMPLATE can change in it.

    The generator G steps before the discriminator D, which then sees the fakes from before this
    step, and half of whose loss is minimised. A batch has as many fakes as real images.
    """

    def __init__(self, args):
        super().__init__(args)
        self.of_g, self.of_d = (), ()  # what their last gradients were taken of, the oldest first
        self.change()

    def change(self, **settings):
        """Change some settings; the training goes on with them."""
        self.args = Namespace(**vars(self.args) | settings)
        self.set_rates(1)  # the template's do not fall
        self.optimizer_d.param_groups[0]["betas"] = self.args.b1_d, self.args.b2
        size = 1 + self.args.stale_steps
        self.of_g = deque(self.of_g, size)
        self.of_d = deque(self.of_d, size if self.args.stale.startswith("D") else 1)

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order."""
        return DataLoader(images, self.args.batch_size, shuffle=True, generator=self.rng)

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        z = torch.randn(len(real), self.args.latent_dim, generator=self.rng).to(self.args.device)
        fake = self.generator(z)
        if self.args.first == "G":
            self.step_generator(z, fake)
        self.step_discriminator(real, fake.detach())
        if self.args.first == "D":
            self.step_generator(z, fake)
        self.step += 1

    def step_generator(self, z, fake):
        """Make a step of the generator, whose gradient may be stale; fake are its images at z."""
        if not self.args.stale.startswith("G"):
            self.generator_step(fake)
            return
        now = {"z": z, "generator": self.generator, "opponent": self.discriminator}
        z, generator, opponent = self.with_stale(now, self.of_g)
        g_loss = generator_loss(opponent(generator(z)))
        self.follow(self.optimizer_g, g_loss, generator, self.of_g)

    def step_discriminator(self, real, fake):
        """Make a step of the discriminator, whose gradient may be stale."""
        now = {"real": real, "fake": fake, "discriminator": self.discriminator}
        real, fake, discriminator = self.with_stale(now, self.of_d)
        d_loss = discriminator_loss(discriminator(real), discriminator(fake))
        self.follow(self.optimizer_d, d_loss / 2, discriminator, self.of_d)

    def with_stale(self, now, history):
        """Return what a gradient is to be taken of: what is now, or the oldest of what is stale."""
        history.append(copy.deepcopy(now))
        stale = STALE[self.args.stale]
        return [history[0][name] if name in stale else now[name] for name in now]

    def follow(self, optimizer, loss, network, history):
        """Make a step of an optimizer along the gradient of a loss at a network's weights."""
        if self.args.stale.endswith("stale gradients") and len(history) < history.maxlen:
            return  # there is no gradient yet that is so old
        (group,) = optimizer.param_groups
        gradient = torch.autograd.grad(loss, [*network.parameters()])
        for weight, slope in zip(group["params"], gradient, strict=True):
            weight.grad = slope
        optimizer.step()


LOOPS = {"alternating": Training, "simultaneous": Simultaneous, "template": Template}


def settings_for(loop, flags="", **changes):
    """Return all settings of a training: its loop, flags of train.py, and changes of the others.

    It is measured from the epoch measured_from on; n_shown of its samples are kept as pixels.
    """
    settings = {"loop": loop, "measured_from": 1, "n_shown": 0}
    settings |= {"measure_seed": train.MEASURE_SEED, "batchnorm_seed": train.BATCHNORM_SEED}
    settings |= settings_of(parse_args(flags.split()))
    return settings | (IN_TEMPLATE if loop == "template" else {}) | changes


def epoch_seconds(settings):
    """Return how long an epoch takes on a core of an Intel Xeon with AVX-512, rounded."""
    if settings["channels"] > 0:
        return 53
    return 17 if settings["fakes"] == 64 else 42  # of 256


def seconds(settings):
    """Return about how many seconds a training takes on a core, with its measurements."""
    return settings["n_epochs"] * (epoch_seconds(settings) + 2) + 100


def run_epochs(settings, seed):
    """Run a training, and yield epoch and training when it is to be measured."""
    training = LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))
    images, n_epochs = load_mnist()[0][: settings["n_images"]], settings["n_epochs"]
    for epoch in range(1, n_epochs + 1):
        training.set_rates(epoch)
        for real in training.batches(images):
            training.train_step(real)
        if epoch >= settings["measured_from"] and is_measured(epoch, n_epochs):
            yield epoch, training


def measure(settings, seed):
    """Make a training; return a row for each of its measured epochs."""
    return [{"epoch": epoch} | row_of(training) for epoch, training in run_epochs(settings, seed)]


def row_of(training):
    """Return {measure: number} of a training's generator."""
    args, generator = training.args, training.final_generator()
    samples = draw_samples(generator, args.n_measured, args.measure_seed)
    row = measures_of(samples)
    if args.n_shown > 0:
        images = draw_samples(generator, args.n_shown, seed=0).flatten(1)
        row["samples"] = (127.5 * (images + 1)).round().int().tolist()  # 0 to 255
    return row


def measures_of(images):
    """Return {measure: number} of images (N, 1, 28, 28)."""
    return compare_with_mnist().quality(images) | {"effective_rank": effective_rank(images)}


def table_of(rows, columns, group="experiment", moment="epoch"):
    """Return a row for each group, with a range over its seeds in each column.

    columns  {title: (measure, moments, factor, decimals)}: a seed counts with the mean of this
             measure at these moments, times the factor
    """
    table = []
    for (name,), own in grouped(rows, group).items():
        seeds = grouped(own, "seed").values()
        line = {group: name, "seeds": len(seeds)}
        for title, (measure, moments, factor, decimals) in columns.items():
            means = []
            for rows_of_seed in seeds:
                some = [row for row in rows_of_seed if row[moment] in moments]
                values = [row[measure] for row in some if row.get(measure, "") != ""]
                if values:  # older rows lack some measures
                    means.append(factor * statistics.mean(values))
            ends = [f"{end(means):.{decimals}f}" for end in (min, max)] if means else []
            line[title] = " to ".join(dict.fromkeys(ends))
        table.append(line)
    return table
