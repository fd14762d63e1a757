"""Train the GAN on MNIST: 25 samples every 500 batches and half-way, then mnist_generator.pth.

    python train.py                                     the full run, 200 epochs
    python train.py --n_epochs 1 --out_dir run/look     a first look
    python train.py --resume                            continue after a crash, bit for bit

Into out_dir go images/<batch>.png, quality.csv, losses.csv, losses.png, training.gif,
mnist_generator.pth and checkpoint.pt. Two hours of two CPU cores end at a Frechet
distance of 1.6 to 2; real test images have 0.95.
"""

import copy
import math

import torch
from torch.optim import Adam
from torch.optim.swa_utils import AveragedModel, update_bn
from tqdm import tqdm

from checkpoint import save_checkpoint, start_or_resume
from classifier import load_classifier
from common import add_run_flags, begin, make_parser, number, run, save_weights
from figures import losses_figure, save_gif, save_grid
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from metrics import Comparison, draw_samples, latent_points
from mnist import load_mnist
from rows import save_csv, save_figure

# Seeds of the noise for quality.csv and for BatchNorm's statistics; no setting was chosen on them.
MEASURE_SEED, BATCHNORM_SEED = 4000, 4001
LOSSES = ["d_loss", "g_loss", "d_real", "d_fake"]  # d_real: mean of D over real images
# What a checkpoint holds, besides the state of the random numbers.
PARTS = "generator", "discriminator", "averaged", "optimizer_g", "optimizer_d"
VALUES = "epoch", "losses", "quality"


def add_training_flags(parser):
    """Add the flags that template.py has, too."""
    count, n_images, n_measured = number(int, 1), number(int, 2, 60_000), number(int, 200)
    parser.add_argument("--n_epochs", type=count, default=200, help="passes over MNIST")
    parser.add_argument("--n_images", type=n_images, default=60_000, help="images of MNIST used")
    parser.add_argument("--save_interval", type=count, default=500, help="steps between grids")
    due = "measure after each of the first ten epochs, every Nth and the last; 0: never"
    parser.add_argument("--measure_every", type=number(int, 0), default=5, help=due)
    parser.add_argument("--n_measured", type=n_measured, default=10_000, help="samples measured")
    parser.add_argument("--resume", action="store_true", help="continue out_dir's training, if any")
    add_run_flags(parser)


def parse_args(argv=None):
    """Return the settings of the command line, or of a list of flags."""
    parser = make_parser(__doc__)
    count, fakes = number(int, 1, 60_000), number(int, 2, 60_000)  # BatchNorm needs two
    rate, decay, weight = number(float, 0, 1), number(float, 0, 0.999999), number(float, 0, 1000)
    parser.add_argument("--batch_size", type=count, default=64, help="real images in a step")
    parser.add_argument("--fakes", type=fakes, default=256, help="generated images in a step")
    parser.add_argument("--latent_dim", type=count, default=100, help="size of the noise")
    parser.add_argument("--lr", type=rate, default=8e-4, help="generator's learning rate")
    parser.add_argument("--lr_d", type=rate, default=4e-4, help="discriminator's learning rate")
    parser.add_argument("--b1", type=decay, default=0.0, help="Adam's beta1")
    parser.add_argument("--b2", type=decay, default=0.999, help="Adam's beta2")
    parser.add_argument("--r1", type=weight, default=0.2, help="weight of the gradient penalty")
    parser.add_argument("--r1_every", type=count, default=16, help="steps between penalties")
    parser.add_argument("--ema", type=decay, default=0.9995, help="decay of the average; 0: none")
    add_training_flags(parser)
    return parser.parse_args(argv)


class Training:
    """The two networks and everything else that the rest of their training depends on."""

    def __init__(self, args):
        self.args = args
        torch.manual_seed(args.seed)
        self.generator = Generator(args.latent_dim).to(args.device)
        self.discriminator = Discriminator().to(args.device)
        self.optimizer_g, self.optimizer_d = self.optimizers()
        self.averaged = AveragedModel(self.generator, avg_fn=self.average)
        # On the CPU, so that the noise and the order of the images are the same on each device.
        self.rng = torch.Generator().manual_seed(args.seed)
        self.n_batches = math.ceil(args.n_images / args.batch_size)  # in an epoch
        self.n_steps = args.n_epochs * self.n_batches
        self.step = self.epoch = 0  # how many are done
        self.step_losses = torch.zeros(self.n_batches, len(LOSSES), device=args.device)
        self.losses, self.quality = [], []  # the rows of losses.csv and of quality.csv

    def optimizers(self):
        """Return the optimizer of the generator, and that of the discriminator."""
        lr, lr_d, b1 = self.args.lr, self.args.lr_d, self.args.b1
        return self.adam(self.generator, lr, b1), self.adam(self.discriminator, lr_d, b1)

    def adam(self, network, rate, b1):
        """Return the Adam of a network."""
        fused = self.args.device.type != "mps"  # there it needs a newer PyTorch than 2.4
        return Adam(network.parameters(), rate, (b1, self.args.b2), fused=fused)

    def state_dict(self):
        """Return the state at the end of an epoch."""
        state = {name: getattr(self, name).state_dict() for name in PARTS}
        state |= {name: getattr(self, name) for name in VALUES}
        return state | {"rng": self.rng.get_state()}

    def load_state_dict(self, state):
        """Put back what state_dict returned."""
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        for name in VALUES:
            setattr(self, name, state[name])
        self.rng.set_state(state["rng"].cpu())
        self.step = self.epoch * self.n_batches

    def batches(self, images):
        """Yield all images (N, 1, 28, 28) once, in random order, batch_size at a time."""
        order = torch.randperm(len(images), generator=self.rng).to(images.device)
        for batch in order.split(self.args.batch_size):
            yield images[batch]

    def train_step(self, real):
        """Update both networks of equation (10) once, on real (B, 1, 28, 28) in [-1, 1]."""
        args = self.args
        z = torch.randn(args.fakes, args.latent_dim, generator=self.rng).to(args.device)
        fake = self.generator(z)

        # The update is simultaneous: both networks compute their gradients from the same weights,
        # and only then both of them move. So one pass of the discriminator serves both losses.
        logits = self.discriminator(torch.cat([real, fake]))
        real_logits, fake_logits = logits.split([len(real), len(fake)])

        # The discriminator: real images should get high logits, fakes low ones.
        d_total = d_loss = discriminator_loss(real_logits, fake_logits)
        if args.r1 > 0 and self.step % args.r1_every == 0:
            # To save time, not on every step, but then so many times as strong.
            penalty = gradient_penalty(self.discriminator, real)
            d_total = d_loss + args.r1 * args.r1_every * penalty
        self.optimizer_d.zero_grad()
        d_total.backward(inputs=list(self.discriminator.parameters()), retain_graph=True)

        # The generator: its fakes should get high logits. The discriminator's gradients stay as
        # they are, since `inputs` names the generator's weights only.
        g_loss = generator_loss(fake_logits)
        self.optimizer_g.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))

        self.optimizer_d.step()
        self.optimizer_g.step()
        self.finish_step(d_loss, g_loss, real_logits, fake_logits)

    @torch.no_grad()
    def finish_step(self, d_loss, g_loss, real_logits, fake_logits):
        """Keep the losses of the step just made, average the generator, count the step."""
        d_real, d_fake = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
        losses = torch.stack([d_loss, g_loss, d_real, d_fake])
        self.step_losses[self.step % self.n_batches] = losses
        if self.args.ema > 0:
            self.averaged.update_parameters(self.generator)
        self.step += 1

    def average(self, averaged, current, _):
        """Return the averaged weights, moved towards the current ones; the first step copies."""
        # The decay grows up to ema, so that early samples show what has been learnt.
        decay = min(self.args.ema, (1 + self.step) / (10 + self.step))
        return averaged.lerp(current, 1 - decay)

    def end_epoch(self):
        """Count an epoch whose steps are done, and keep the means of its losses."""
        self.epoch += 1
        means = dict(zip(LOSSES, self.step_losses.mean(0).tolist(), strict=True))
        self.losses.append({"epoch": self.epoch} | means)

    def final_generator(self):
        """Return the generator that would be saved now: a copy in eval mode."""
        if self.args.ema == 0:
            return copy.deepcopy(self.generator).eval()
        # Averaged weights need statistics of their own for BatchNorm, from noise of another seed.
        generator = copy.deepcopy(self.averaged.module).eval()
        z = latent_points(5_000, self.args.latent_dim, BATCHNORM_SEED, self.args.device)
        update_bn(z.split(500), generator)
        return generator


def save_samples(training):
    """Save images/<step>.png: what the generator draws at 25 points that stay the same."""
    path = training.args.out_dir / "images" / f"{training.step}.png"
    save_grid(path, draw_samples(training.final_generator(), 25, training.args.seed))


def is_grid_due(step, training):
    """Return whether to save a grid after this step: every Nth, half of all and the last."""
    half, last = training.n_steps // 2, training.n_steps
    return step % training.args.save_interval == 0 or step in (half, last)


def is_due(epoch, args):
    """Return whether to measure after this epoch: the first ten, every Nth and the last."""
    every = args.measure_every
    return every > 0 and (epoch <= 10 or epoch % every == 0 or epoch == args.n_epochs)


def describe(row):
    """Return a row of losses.csv or quality.csv as text."""
    return "  ".join(f"{name} {value:.6g}" for name, value in row.items())


def measure(training, comparison):
    """Measure the generator, which changes no step; append to, print and save its quality."""
    images = draw_samples(training.final_generator(), training.args.n_measured, MEASURE_SEED)
    quality = comparison.quality(images)
    training.quality.append({"batch": training.step, "epoch": training.epoch} | quality)
    save_csv(training.args.out_dir / "quality.csv", training.quality)
    tqdm.write(describe(training.quality[-1]))


def save_results(training):
    """Save the generator, its last 25 samples, and the course of the training."""
    out_dir = training.args.out_dir
    save_weights(out_dir / "mnist_generator.pth", training.final_generator())
    save_samples(training)
    save_csv(out_dir / "losses.csv", training.losses)
    save_figure(out_dir / "losses.png", losses_figure(training.losses), training.losses)
    steps = [step for step in range(training.n_steps + 1) if is_grid_due(step, training)]
    grids = [out_dir / "images" / f"{step}.png" for step in steps]
    missing = [grid.name for grid in grids if not grid.exists()]
    save_gif(out_dir / "training.gif", [grid for grid in grids if grid.exists()])
    if missing:  # half-way, say, of a training that was given more epochs after that
        print(f"missing in images and so in training.gif: {', '.join(missing)}")


def train(args, build=Training):
    """Make the training build(args) and run it; return it. All files go to args.out_dir."""
    begin(args)
    images = load_mnist(True, args.device)[0][: args.n_images]
    judge = load_classifier("judge", args.device)
    training = start_or_resume(build, args)
    comparison = Comparison(judge, images) if args.measure_every > 0 else None

    with tqdm(total=training.n_steps, initial=training.step, unit="batch", disable=None) as bar:
        while training.epoch < args.n_epochs:
            for real in training.batches(images):
                if is_grid_due(training.step, training):
                    save_samples(training)
                training.train_step(real)
                bar.update()
            training.end_epoch()
            tqdm.write(describe(training.losses[-1]))
            if is_due(training.epoch, args):
                measure(training, comparison)
            save_checkpoint(training)
    save_results(training)
    print(f"{training.step:,} batches; the generator, samples and figures are in {args.out_dir}")
    return training


def main():
    """Train with the settings of the command line."""
    train(parse_args())


if __name__ == "__main__":
    run(main)
