"""Other loops than that of train.py, and how all training runs are measured."""

import copy
import functools
import statistics
import time
from argparse import Namespace
from collections import deque

import torch
from torch.utils.data import DataLoader

from common import grouped
from gan import discriminator_loss
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from train import MEASURE_SEED, Training, is_measured, parse_args, settings_of


class Simultaneous(Training):
    """Our training with simultaneous updates: D sees the fakes from before G's step."""

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
    step, and half of whose loss is minimised. A batch has as many fakes as real images.
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


def stale_fakes(training, n):
    """Show D fakes that are n steps old: G has made n steps since it drew them.

    One step old is the template. For fresh fakes, 0 steps old, D steps first.
    """
    if n == 0:
        training.train_step = functools.partial(step_d_first, training)
        return
    step, past = training.discriminator_step, deque(maxlen=n)

    def discriminator_step(real, fake):
        past.append(fake)
        step(real, past[0])

    training.discriminator_step = discriminator_step


def step_d_first(training, real):
    """Update both networks on real images, as in Template, but D first."""
    fake = training.generator(training.draw_noise(len(real)))
    training.discriminator_step(real, fake.detach())
    training.generator_step(fake)
    training.step += 1


def fresh_gradients(training, n):
    """Let D follow the mean of its gradient and of those of n - 1 more, fresh batches.

    As with momentum, Adam divides it by the second moment of single batches.
    """
    rng = torch.Generator().manual_seed(training.args.seed)

    def discriminator_step(real, fake):
        gradient = d_gradient(training.discriminator, real, fake)
        generator, gradients = copy.deepcopy(training.generator), [gradient]  # keeps its BatchNorm
        for _ in range(n - 1):
            size = training.args.batch_size
            real = training.images[torch.randint(len(training.images), (size,), generator=rng)]
            fake = generator(torch.randn(size, training.args.latent_dim, generator=rng))
            gradients.append(d_gradient(training.discriminator, real, fake.detach()))
        weights = [*training.discriminator.parameters()]
        before = [weight.detach().clone() for weight in weights]
        follow(training.optimizer_d, gradient)  # for Adam's second moment
        (group,) = training.optimizer_d.param_groups
        for weight, old, slopes in zip(weights, before, zip(*gradients, strict=True), strict=True):
            state = training.optimizer_d.state[weight]
            second = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            slope = torch.stack(slopes).mean(0)
            weight.data = old - group["lr"] * slope / (second.sqrt() + group["eps"])

    training.discriminator_step = discriminator_step


def momentum_d(training, b1):
    """Give D another momentum than G."""
    training.optimizer_d.param_groups[0]["betas"] = b1, training.args.b2


def rate_g(training, rate):
    """Give G another learning rate."""
    training.args.lr = rate
    training.set_rates(1)  # the template's do not fall


def rate_d(training, rate):
    """Give D another learning rate."""
    training.args.lr_d = rate
    training.set_rates(1)


CHANGES = {  # what can be changed in the template's loop: {name: function(training, value)}
    "stale_fakes": stale_fakes,
    "fresh_gradients": fresh_gradients,
    "momentum_d": momentum_d,
    "rate_g": rate_g,
    "rate_d": rate_d,
}


def change(training, changes):
    """Make changes {name in CHANGES: value} in a training that then goes on."""
    for name, value in changes.items():
        CHANGES[name](training, value)


def d_gradient(discriminator, real, fake):
    """Return the gradient of half of D's loss, a tensor for each of its weights."""
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    return torch.autograd.grad(d_loss / 2, [*discriminator.parameters()])


def follow(optimizer, gradient):
    """Make a step of an optimizer along a gradient, a tensor for each of its weights."""
    (group,) = optimizer.param_groups
    for weight, slope in zip(group["params"], gradient, strict=True):
        weight.grad = slope
    optimizer.step()


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
