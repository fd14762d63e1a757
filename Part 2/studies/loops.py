"""Other loops than that of train.py, and how all training runs are measured."""

import copy
import statistics
import time
from argparse import Namespace
from collections import deque

import torch
from torch.utils.data import DataLoader

from common import grouped
from gan import discriminator_loss, generator_loss
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from train import MEASURE_SEED, Training, is_measured, parse_args, settings_of

IN_TEMPLATE = {  # what else can be set in the template's loop, with the template's own values
    "b1_d": 0.9,  # Adam's beta1 of the discriminator D; b1 is that of the generator G
    "first": "G",  # the network that steps first
    "stale_d": [],  # which inputs of D's gradient are stale: fake, discriminator, real
    "stale_g": [],  # which inputs of G's gradient are stale: z, generator, discriminator
    "stale_steps": 0,  # by how many steps they are older than in the template
    "averaged": 1,  # the number of fresh batches whose mean gradient D follows
}


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
    """The course's template with the usual losses, and what IN_TEMPLATE can change in it.

    The generator G steps before the discriminator D, which then sees the fakes from before this
    step, and half of whose loss is minimised. A batch has as many fakes as real images.
    """

    def __init__(self, args):
        super().__init__(args)
        self.change()

    def change(self, **settings):
        """Change some settings; the training goes on with them, without its stale inputs."""
        self.args = Namespace(**vars(self.args) | settings)
        self.set_rates(1)  # the template's do not fall
        self.optimizer_g.param_groups[0]["betas"] = self.args.b1, self.args.b2
        self.optimizer_d.param_groups[0]["betas"] = self.args.b1_d, self.args.b2
        self.past_d = deque(maxlen=1 + self.args.stale_steps)  # stale inputs, the oldest first
        self.past_g = deque(maxlen=1 + self.args.stale_steps)
        self.more_rng = torch.Generator().manual_seed(self.args.seed)  # for averaged gradients

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order."""
        self.images = images
        return DataLoader(images, self.args.batch_size, shuffle=True, generator=self.rng)

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        z = self.draw_noise(len(real))
        fake = self.generator(z)
        if self.args.first == "D":
            self.discriminator_step(real, fake.detach())
        if self.args.stale_g:
            self.stale_generator_step(z)
        else:
            self.generator_step(fake)
        if self.args.first == "G":
            self.discriminator_step(real, fake.detach())
        self.step += 1

    def discriminator_step(self, real, fake):
        """Make a step of D along its gradient, some of whose inputs may be stale."""
        inputs = {"real": real, "fake": fake, "discriminator": self.discriminator}
        if inputs := with_stale(inputs, self.args.stale_d, self.past_d):
            gradient = d_gradient(inputs["discriminator"], inputs["real"], inputs["fake"])
            if self.args.averaged > 1:
                self.averaged_step(gradient)
            else:
                follow(self.optimizer_d, gradient)

    def averaged_step(self, gradient):
        """Make a step of D along the mean of this gradient and of those of more, fresh batches.

        As with momentum, Adam divides it by the second moment of single batches.
        """
        generator, gradients = copy.deepcopy(self.generator), [gradient]  # keeps its BatchNorm
        for _ in range(self.args.averaged - 1):
            n = self.args.batch_size
            real = self.images[torch.randint(len(self.images), (n,), generator=self.more_rng)]
            fake = generator(torch.randn(n, self.args.latent_dim, generator=self.more_rng))
            gradients.append(d_gradient(self.discriminator, real, fake.detach()))
        weights = [*self.discriminator.parameters()]
        before = [weight.detach().clone() for weight in weights]
        follow(self.optimizer_d, gradient)  # for Adam's second moment
        (group,) = self.optimizer_d.param_groups
        for weight, old, slopes in zip(weights, before, zip(*gradients, strict=True), strict=True):
            state = self.optimizer_d.state[weight]
            second = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            slope = torch.stack(slopes).mean(0)
            weight.data = old - group["lr"] * slope / (second.sqrt() + group["eps"])

    def stale_generator_step(self, z):
        """Make a step of G along its gradient, some of whose inputs are stale."""
        inputs = {"z": z, "generator": self.generator, "discriminator": self.discriminator}
        if inputs := with_stale(inputs, self.args.stale_g, self.past_g):
            network = inputs["generator"]
            g_loss = generator_loss(inputs["discriminator"](network(inputs["z"])))
            follow(self.optimizer_g, torch.autograd.grad(g_loss, [*network.parameters()]))


def d_gradient(discriminator, real, fake):
    """Return the gradient of half of D's loss, a tensor for each of its weights."""
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    return torch.autograd.grad(d_loss / 2, [*discriminator.parameters()])


def with_stale(inputs, stale, past):
    """Return the inputs {name: input} of a gradient, the stale ones as the oldest of the past.

    Return None if all are stale, and the past does not reach back that far yet.
    """
    past.append({name: copy.deepcopy(inputs[name]) for name in stale})
    if len(stale) == len(inputs) and len(past) < past.maxlen:
        return None
    return inputs | past[0]


def follow(optimizer, gradient):
    """Make a step of an optimizer along a gradient, a tensor for each of its weights."""
    (group,) = optimizer.param_groups
    for weight, slope in zip(group["params"], gradient, strict=True):
        weight.grad = slope
    optimizer.step()


LOOPS = {"alternating": Training, "simultaneous": Simultaneous, "template": Template}


def settings_for(loop, flags="", **changes):
    """Return all settings of a training run: its loop, flags of train.py, changes of the others.

    It is measured from the epoch measured_from on. Of its samples, n_shown are kept as pixels,
    after ten epochs and at the end.
    """
    settings = {"loop": loop, "measured_from": 1, "n_shown": 0, "measure_seed": MEASURE_SEED}
    settings |= settings_of(parse_args(flags.split()))
    return settings | (IN_TEMPLATE if loop == "template" else {}) | changes


def run_epochs(settings, seed):
    """Run a training, and yield epoch and training when it is to be measured."""
    training = LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))
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
        line = {title: experiment, "seeds": len(grouped(points, "seed"))}
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
