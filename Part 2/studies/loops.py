"""Other loops than that of train.py, and how all trainings are measured."""

import copy
from argparse import Namespace
from collections import deque

import torch
from torch.utils.data import DataLoader

from classifier import FILE
from gan import discriminator_loss, generator_loss
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from train import BATCHNORM_SEED, MEASURE_SEED, Training, parse_args, settings_of, update_ema

N_SHOWN = 25  # samples that a row has, if any
STALENESS = {  # what else is set in the template's loop, with the template's own values
    "b1_d": 0.9,  # Adam's beta1 of the discriminator; b1 is the generator's
    "stale_fakes": 1,  # steps of G since it drew the fakes that D sees; 0: D steps before G
    "stale_weights": 0,  # steps of D since it had the weights at which its gradient is taken
    "stale_gradients": 1,  # steps of G since it drew the fakes of the gradient that D now follows
    # The same of G, whose opponent is D: steps of D since it had the weights of G's gradient ...
    "g_stale_opponent": 0,
    "g_stale_weights": 0,  # ... of G since it had the weights at which its gradient is taken ...
    "g_stale_gradients": 0,  # ... and of both since the gradient was taken that G now follows
}


class Simultaneous(Training):
    """Our training with simultaneous updates: both gradients are taken before a network moves."""

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        fake = self.draw_fakes(self.args.fakes)
        logits = self.discriminator(torch.cat([real, fake]))
        real_logits, fake_logits = logits.split([len(real), len(fake)])
        d_loss = discriminator_loss(real_logits, fake_logits) + self.penalty(real)
        self.optimizer_d.zero_grad()
        d_loss.backward(inputs=[*self.discriminator.parameters()], retain_graph=True)
        self.optimizer_g.zero_grad()
        generator_loss(fake_logits).backward(inputs=[*self.generator.parameters()])
        self.optimizer_d.step()
        self.optimizer_g.step()
        update_ema(self.ema_generator, self.generator, self.args.ema, self.step)
        self.step += 1


class Template(Training):
    """The course's template with the usual losses, and what STALENESS can change in it.

    The generator G steps before the discriminator D, which then sees the fakes from before this
    step, and half of whose loss is minimised. A batch has as many fakes as real images.
    """

    def __init__(self, args):
        super().__init__(args)
        self.optimizer_d.param_groups[0]["betas"] = args.b1_d, args.b2
        self.keep_history()

    def keep_history(self):
        """Keep, of each of these, as many last ones as the settings need, the oldest first."""
        args = self.args
        for name, size in {
            "fakes": max(1, args.stale_fakes),
            "discriminators": 1 + args.stale_weights,  # before their steps
            "gradients": args.stale_gradients,  # of the discriminator
            "opponents": 1 + args.g_stale_opponent,  # of the generator
            "generators": 1 + args.g_stale_weights,
            "g_gradients": 1 + args.g_stale_gradients,
        }.items():
            setattr(self, name, deque(getattr(self, name, ()), size))

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order."""
        return DataLoader(images, self.args.batch_size, shuffle=True, generator=self.rng)

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        args = self.args
        z = torch.randn(len(real), args.latent_dim, generator=self.rng).to(args.device)
        fake = self.generator(z)
        self.fakes.append(fake.detach())
        self.discriminators.append(copy.deepcopy(self.discriminator))
        if args.stale_fakes > 0:
            self.step_generator(z, fake)
        old = self.discriminators[0]
        d_loss = discriminator_loss(old(real), old(self.fakes[0]))
        self.gradients.append(torch.autograd.grad(d_loss / 2, [*old.parameters()]))
        if len(self.gradients) == args.stale_gradients:
            follow(self.optimizer_d, self.gradients[0])
        if args.stale_fakes == 0:
            self.step_generator(z, fake)
        self.step += 1

    def step_generator(self, z, fake):
        """Make a step of the generator, whose gradient may be stale; fake are its images at z."""
        args = self.args
        if args.g_stale_opponent == args.g_stale_weights == args.g_stale_gradients == 0:
            self.generator_step(fake)
            return
        self.opponents.append(copy.deepcopy(self.discriminator))
        self.generators.append(copy.deepcopy(self.generator))
        old = self.generators[0]
        g_loss = generator_loss(self.opponents[0](old(z)))
        self.g_gradients.append(torch.autograd.grad(g_loss, [*old.parameters()]))
        if len(self.g_gradients) > args.g_stale_gradients:
            follow(self.optimizer_g, self.g_gradients[0])


def follow(optimizer, gradient):
    """Make a step of an optimizer along a gradient, a tensor for each of its weights."""
    (group,) = optimizer.param_groups
    for weight, slope in zip(group["params"], gradient, strict=True):
        weight.grad = slope
    optimizer.step()


LOOPS = {"alternating": Training, "simultaneous": Simultaneous, "template": Template}


def settings_for(loop, flags="", **changes):
    """Return all settings of a training: its loop, flags of train.py, and changes of the others.

    It is measured from the epoch measured_from on. After the epoch samples_at its samples are kept,
    and after coverage_at the coverage is measured; 0 is none.
    """
    settings = {"loop": loop, "measured_from": 1, "samples_at": 0, "coverage_at": 0}
    settings |= {"n_coverage": 5_000, "measure_seed": MEASURE_SEED, "classifier": FILE}
    settings |= {"batchnorm_seed": BATCHNORM_SEED} | settings_of(parse_args(flags.split()))
    return settings | (STALENESS if loop == "template" else {}) | changes


def epoch_seconds(settings):
    """Return how long an epoch takes on a core of an Intel Xeon with AVX-512, rounded."""
    if settings["channels"] > 0:
        return 53  # with 256 fakes, as below
    return 17 if settings["fakes"] == 64 else 42


def measured_epochs(settings):
    """Return after which epochs it is measured: the first ten, every fifth, and the last."""
    last = settings["n_epochs"]
    epochs = range(settings["measured_from"], last + 1)
    return [epoch for epoch in epochs if epoch <= 10 or epoch % 5 == 0 or epoch == last]


def seconds(settings):
    """Return about how long a training takes on a core; a measurement takes ten seconds."""
    return settings["n_epochs"] * epoch_seconds(settings) + 10 * len(measured_epochs(settings))


def run_epochs(training, settings):
    """Run a training, and yield each epoch after which it is measured."""
    images = load_mnist()[0][: settings["n_images"]]
    for epoch in range(1, settings["n_epochs"] + 1):
        training.set_rates(epoch)
        for real in training.batches(images):
            training.train_step(real)
        if epoch in measured_epochs(settings):
            yield epoch


def measure(settings, seed):
    """Make a training; return a row for each of its measured epochs."""
    training, rows = LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu")), []
    for epoch in run_epochs(training, settings):
        rows.append({"epoch": epoch} | measure_generator(training, settings, epoch))
    return rows


def measure_generator(training, settings, epoch):
    """Return the row of a training after an epoch; "" is what is not measured."""
    comparison = compare_with_mnist(settings["classifier"])
    generator = training.final_generator()
    samples = draw_samples(generator, settings["n_measured"], settings["measure_seed"])
    row = comparison.quality(samples) | {"samples": "", "coverage": ""}
    row["last_layer_std"] = training.generator.layers[-2].weight.std().item()
    if epoch == settings["coverage_at"]:
        row["coverage"] = comparison.coverage(samples[: settings["n_coverage"]])
    if epoch == settings["samples_at"]:
        images = draw_samples(generator, N_SHOWN, seed=0).flatten(1)
        row["samples"] = (127.5 * (images + 1)).round().int().tolist()  # 0 to 255
    return row
