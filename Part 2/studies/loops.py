"""Other trainings than ours, each a few changes of train.Training, and how they are measured."""

import copy
from argparse import Namespace

import torch
from torch.utils.data import DataLoader

from gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from train import BATCHNORM_SEED, MEASURE_SEED, Training, parse_args, settings_of

COLUMNS = "epoch", "frechet_distance", "confident", "commonest_digit", "samples"  # of a row
N_SHOWN = 25  # images that a row shows, if any
CHANGES = {  # what the template's loop can change, with the template's own values
    "b1_d": 0.9,  # Adam's beta1 of the discriminator; b1 is the generator's
    "units": 512,  # the discriminator is 784-units-units/2-1
    "d_first": False,  # whether the discriminator steps before the generator, on the same fakes
    "old_fakes": 0,  # steps before which the fakes were drawn that the discriminator sees
    "half_old": False,  # whether only half of its fakes are so old
    "old_weights": 0,  # steps before which it had the weights at which its gradient is taken
    "late": 0,  # steps after which a gradient of it is applied: old fakes and old weights
    "mean": 1,  # batches over which the discriminator's gradient is a mean, where b1_d is 0
}


class BothAtOnce(Training):
    """Our training in another order: both networks move at once, along gradients at old weights."""

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        args, fake = self.args, self.draw_fakes(self.args.fakes)
        logits = self.discriminator(torch.cat([real, fake]))
        real_logits, fake_logits = logits.split([len(real), len(fake)])
        d_loss = discriminator_loss(real_logits, fake_logits)
        if args.r1 > 0 and self.step % args.r1_every == 0:
            penalty = gradient_penalty(self.discriminator, real)
            d_loss = d_loss + args.r1 * args.r1_every * penalty
        self.optimizer_d.zero_grad()
        d_loss.backward(inputs=list(self.discriminator.parameters()), retain_graph=True)
        self.optimizer_g.zero_grad()
        generator_loss(fake_logits).backward(inputs=list(self.generator.parameters()))
        self.optimizer_d.step()
        self.optimizer_g.step()
        self.average_weights()
        self.step += 1


class Template(Training):
    """The course's template with the usual losses, and what CHANGES can change in it.

    The generator steps before the discriminator, which then sees the fakes from before this step,
    and half of its loss is minimised. A batch has as many fakes as real images.
    """

    def __init__(self, args):
        super().__init__(args)
        self.optimizer_d.param_groups[0]["betas"] = args.b1_d, args.b2
        # The last ones of each, the oldest first:
        self.waiting = []  # the discriminator's gradients
        self.drawn = []  # batches of fakes
        self.past = []  # discriminators before their step

    def make_networks(self):
        """Return the generator and the discriminator, fresh."""
        return Generator(), Discriminator(self.args.units)

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order, and keep the images."""
        self.images = images
        return DataLoader(images, self.args.batch_size, shuffle=True, generator=self.rng)

    def train_step(self, real):
        """Update both networks on real (B, 1, 28, 28) in [-1, 1]."""
        args, fake = self.args, self.draw_fakes(len(real))
        new, n_old = fake.detach(), len(fake) // 2 if args.half_old else len(fake)
        self.drawn = [*self.drawn, new][-1 - args.old_fakes :]
        self.past = [*self.past, copy.deepcopy(self.discriminator)][-1 - args.old_weights :]
        # At first, Adam's second moments, by which the mean is divided, are of too few gradients.
        smooth = args.mean > 1 and self.step >= 10
        others = self.further_images(args.mean - 1) if smooth else None  # as old as fake
        if not args.d_first:
            self.generator_step(fake)
        self.discriminator_step(real, torch.cat([self.drawn[0][:n_old], new[n_old:]]), others)
        if args.d_first:
            self.generator_step(fake)
        self.step += 1

    def discriminator_gradient(self, real, fake):
        """Return the gradient of half the discriminator's loss, a tensor for each weight."""
        discriminator = self.past[0] if self.args.old_weights > 0 else self.discriminator
        d_loss = discriminator_loss(discriminator(real), discriminator(fake))
        return torch.autograd.grad(d_loss / 2, [*discriminator.parameters()])

    @torch.no_grad()
    def further_images(self, n_batches):
        """Return random real images, and fakes of new noise in batches, as BatchNorm needs them."""
        size = self.args.batch_size
        picks = torch.randint(len(self.images), (n_batches * size,), generator=self.rng)
        return self.images[picks], torch.cat([self.draw_fakes(size) for _ in range(n_batches)])

    def discriminator_step(self, real, fake, others=None):
        """Step along the gradient at these images, that of `late` steps ago, or the mean."""
        if others:
            of_others = self.discriminator_gradient(*others)
        self.waiting.append(self.discriminator_gradient(real, fake))
        if len(self.waiting) > self.args.late:
            of_one = self.waiting.pop(0)
            for weight, gradient in zip(self.discriminator.parameters(), of_one, strict=True):
                weight.grad = gradient
            self.optimizer_d.step()
        if not others:
            return
        # Adam has stepped along the gradient of one batch. We go on to where the mean of all would
        # have led, with the same second moments: momentum, too, has those of single batches.
        (group,) = self.optimizer_d.param_groups
        for weight, one, rest in zip(group["params"], of_one, of_others, strict=True):
            mean = (one + (self.args.mean - 1) * rest) / self.args.mean
            state = self.optimizer_d.state[weight]
            moment = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            weight.data -= group["lr"] * (mean - one) / (moment.sqrt() + group["eps"])


LOOPS = {"ours": Training, "both at once": BothAtOnce, "template": Template}


def settings_for(loop, flags="", **changes):
    """Return all settings of a training: its loop, the flags of train.py, and changes of CHANGES.

    It is measured from the epoch measured_from on. After the epoch `shown` its samples are kept,
    and after coverage_at the coverage is measured; 0 is none.
    """
    settings = {"loop": loop, "measured_from": 1, "shown": 0, "coverage_at": 0}
    settings |= {"n_coverage": 5_000, "measure_seed": MEASURE_SEED}
    settings |= {"batchnorm_seed": BATCHNORM_SEED} | settings_of(parse_args(flags.split()))
    return settings | (CHANGES if loop == "template" else {}) | changes


def new_training(settings, seed):
    """Return the training that has these settings, before its first step."""
    return LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))


def measure(settings, seed):
    """Make a training; return a row of COLUMNS for the first ten epochs and for every fifth."""
    training, rows = new_training(settings, seed), []
    mnist = load_mnist()[0][: settings["n_images"]]
    for epoch in range(1, settings["n_epochs"] + 1):
        training.set_rates(epoch)
        for real in training.batches(mnist):
            training.train_step(real)
        if epoch >= settings["measured_from"] and (epoch <= 10 or epoch % 5 == 0):
            generator = training.final_generator()
            samples = draw_samples(generator, settings["n_measured"], settings["measure_seed"])
            row = {"epoch": epoch, "samples": "", "coverage": ""}
            row |= compare_with_mnist().quality(samples)
            if epoch == settings["coverage_at"]:
                n = settings["n_coverage"]
                row["coverage"] = compare_with_mnist().coverage(samples[:n])
            if epoch == settings["shown"]:
                images = draw_samples(generator, N_SHOWN, seed=0).flatten(1)
                row["samples"] = (127.5 * (images + 1)).round().int().tolist()  # 0 to 255
            rows.append(row)
    return rows
