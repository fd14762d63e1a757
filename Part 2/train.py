"""Train the GAN on MNIST: 25 samples every 500 batches, mnist_generator.pth at the end.

    python train.py                                     the full run, 200 epochs
    python train.py --n_epochs 1 --out_dir /tmp/look    a first look
    python train.py --resume                            continue after a crash, bit for bit

Into out_dir go images/<batch>.png, quality.csv, quality.png, losses.csv, losses.png, training.gif,
mnist_generator.pth and checkpoint.pt.
"""

import copy
import math
import time

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

from checkpoint import resume, save_checkpoint
from classifier import load_classifier
from common import (
    InputError,
    add_run_flags,
    begin,
    make_folder,
    make_parser,
    number,
    run,
    save,
    save_csv,
    save_weights,
)
from figures import losses_figure, quality_figure, save_gif, save_grid
from gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    in_batches,
    latent_points,
)
from metrics import Comparison
from mnist import load_mnist

# Seeds of the noise for quality.csv and for BatchNorm's statistics; no setting was chosen on them.
MEASURE_SEED, BATCHNORM_SEED = 4000, 4001
LOSSES = ["d_loss", "g_loss", "d_real", "d_fake"]  # d_real: mean of D over real images


def parse_args(argv=None):
    """Return the settings of the command line, or of a list of flags."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    decay = number(float, 0, 0.999999)
    add("--n_epochs", type=number(int, 1, 10_000), default=200, help="passes over the images")
    add("--n_images", type=number(int, 2, 60_000), default=60_000, help="how many images of MNIST")
    add("--batch_size", type=number(int, 1, 60_000), default=64, help="real images in a step")
    add("--fakes", type=number(int, 2, 60_000), default=256, help="generated images in a step")
    add("--latent_dim", type=number(int, 1, 10_000), default=100, help="size of the noise")
    add("--lr", type=number(float, 0, 1), default=8e-4, help="learning rate of the generator")
    add("--lr_d", type=number(float, 0, 1), default=4e-4, help="learning rate of the discriminator")
    add("--b1", type=decay, default=0.0, help="Adam's beta1")
    add("--b2", type=decay, default=0.999, help="Adam's beta2")
    add("--r1", type=number(float, 0, 1000), default=0.2, help="weight of the gradient penalty")
    add("--r1_every", type=number(int, 1, 1000), default=16, help="batches between penalties")
    add("--ema", type=decay, default=0.9995, help="decay of the generator's averaged weights")
    add("--save_interval", type=number(int, 1), default=500, help="batches between sample grids")
    every = "measure the first ten epochs, then every Nth and the last; 0: none"
    add("--measure_every", type=number(int, 0), default=5, help=every)
    measured = "samples behind a row of quality.csv"
    add("--n_measured", type=number(int, 200, 100_000), default=10_000, help=measured)
    add("--resume", action="store_true", help="continue from out_dir's checkpoint.pt, if any")
    add_run_flags(parser)
    return parser.parse_args(argv)


def warm_ema(decay):
    """Return AveragedModel's averaging function: an exponential moving average of the weights.

    The decay after n steps is min(decay, (1 + n) / (10 + n)), so that the untrained weights are
    forgotten soon and early samples show what has been learnt.
    """

    def update(averaged, current, n):
        n = n.item()
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averaged, current, n)

    return update


class Game:
    """The two players and the whole state of their training."""

    def __init__(self, args):
        self.args = args
        torch.manual_seed(args.seed)
        self.generator = Generator(args.latent_dim).to(args.device)
        self.discriminator = Discriminator().to(args.device)
        adam = {"betas": (args.b1, args.b2), "fused": True}
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), args.lr, **adam)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), args.lr_d, **adam)
        average = {"multi_avg_fn": warm_ema(args.ema), "use_buffers": True}
        self.averaged = AveragedModel(self.generator, **average).eval()
        self.rng = torch.Generator(args.device).manual_seed(args.seed)  # shuffles, draws the noise
        self.n_batches = math.ceil(args.n_images / args.batch_size)  # in an epoch
        n_steps = args.n_epochs * self.n_batches
        self.history = torch.zeros(n_steps, len(LOSSES), device=args.device)
        self.quality = []  # the rows of quality.csv
        self.step = self.epoch = 0  # how many are done
        self.seconds = 0.0  # of training and drawing grids, without measuring

    def parts(self):
        """Return {name: part} of all parts that have a state_dict of their own."""
        names = "generator", "discriminator", "averaged", "optimizer_g", "optimizer_d"
        return {name: getattr(self, name) for name in names}

    def state_dict(self):
        """Return everything that the rest of the training depends on."""
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state["rng"] = self.rng.get_state()
        state["history"] = self.history[: self.step].clone()
        return state | {"quality": self.quality, "epoch": self.epoch, "seconds": self.seconds}

    def load_state_dict(self, state):
        """Put back what state_dict returned."""
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.rng.set_state(state["rng"].cpu())
        self.step = len(state["history"])
        self.history[: self.step] = state["history"]
        self.quality, self.epoch, self.seconds = state["quality"], state["epoch"], state["seconds"]


def train_step(game, real):
    """Update both players of equation (10) once, on real (B, 1, 28, 28) in [-1, 1]."""
    args = game.args
    z = torch.randn(args.fakes, args.latent_dim, generator=game.rng, device=args.device)
    fake = game.generator(z)

    # The update is simultaneous: both players compute their gradients from the same weights, and
    # only then both of them move. So one pass of the discriminator serves both losses.
    logits = game.discriminator(torch.cat([real, fake]))
    real_logits, fake_logits = logits.split([len(real), len(fake)])

    # The discriminator: real images should get high logits, fakes low ones.
    d_loss = discriminator_loss(real_logits, fake_logits)
    d_total = d_loss
    if args.r1 > 0 and game.step % args.r1_every == 0:
        # Only every r1_every-th step, to save time; r1_every times as strong, so that the average
        # stays the same.
        d_total = d_loss + args.r1 * args.r1_every * gradient_penalty(game.discriminator, real)
    game.optimizer_d.zero_grad()
    d_total.backward(inputs=list(game.discriminator.parameters()), retain_graph=True)

    # The generator: its fakes should get high logits. The discriminator's gradients stay as they
    # are, since `inputs` names the generator's weights only.
    g_loss = generator_loss(fake_logits)
    game.optimizer_g.zero_grad()
    g_loss.backward(inputs=list(game.generator.parameters()))

    game.optimizer_d.step()
    game.optimizer_g.step()
    game.averaged.update_parameters(game.generator)
    d_real, d_fake = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
    game.history[game.step] = torch.stack([d_loss, g_loss, d_real, d_fake]).detach()
    game.step += 1


def shuffled_batches(images, size, rng):
    """Yield all images (N, 1, 28, 28) once, in random order, size at a time."""
    order = torch.randperm(len(images), generator=rng, device=images.device)
    for batch in order.split(size):
        yield images[batch]


def train_epoch(game, real_images, bar):
    """Train on all real images once; save a grid every save_interval batches."""
    start = time.perf_counter()
    for real in shuffled_batches(real_images, game.args.batch_size, game.rng):
        if game.step % game.args.save_interval == 0:
            save_samples(game)
        train_step(game, real)
        bar.update()
    game.epoch += 1
    game.seconds += time.perf_counter() - start


def averaged_generator(game):
    """Return the generator that would be saved now: a copy of the averaged one, in eval mode.

    Averaged running statistics do not match the averaged weights, so BatchNorm's statistics are
    measured anew (unless ema is 0). The noise for this has its own seed, so that the training does
    not change.
    """
    generator = copy.deepcopy(game.averaged.module)
    if game.args.ema > 0:
        z = latent_points(5_000, game.args.latent_dim, BATCHNORM_SEED, game.args.device)
        update_bn(z.split(500), generator)
    return generator


def samples(game, n, seed):
    """Return n images (n, 1, 28, 28) of the averaged generator, at points z that the seed fixes."""
    z = latent_points(n, game.args.latent_dim, seed, game.args.device)
    return in_batches(averaged_generator(game), z)


def save_samples(game):
    """Save images/<step>.png: what the averaged generator draws at 25 points that stay the same."""
    path = game.args.out_dir / "images" / f"{game.step}.png"
    save_grid(path, samples(game, 25, game.args.seed))


def is_due(epoch, args):
    """Return whether to measure after this epoch: the first ten, every Nth and the last."""
    every = args.measure_every
    return every > 0 and (epoch <= 10 or epoch % every == 0 or epoch == args.n_epochs)


def epoch_means(game):
    """Return the rows of losses.csv, the means of each epoch that is done."""
    means = game.history[: game.step].view(-1, game.n_batches, len(LOSSES)).mean(1)
    return [
        {"epoch": epoch} | dict(zip(LOSSES, row, strict=True))
        for epoch, row in enumerate(means.tolist(), start=1)
    ]


def report(game):
    """Print the means of the last epoch and, if it was measured, how good the generator is."""
    numbers = epoch_means(game)[-1]
    if game.quality and game.quality[-1]["epoch"] == game.epoch:
        numbers |= game.quality[-1]
    skipped = ("batch", "epoch")
    text = [f"{name} {value:.3f}" for name, value in numbers.items() if name not in skipped]
    head = f"epoch {game.epoch}/{game.args.n_epochs}  {game.seconds:.0f} s"
    tqdm.write("  ".join([head, *text]))


def save_measurements(game):
    """Save quality.csv and quality.png, unless nothing was measured."""
    out_dir = game.args.out_dir
    if game.quality:
        save_csv(out_dir / "quality.csv", game.quality)
        save(out_dir / "quality.png", quality_figure({"this run": [game.quality]}).savefig)


def save_results(game):
    """Save the generator, its last 25 samples, and the course of the training."""
    out_dir = game.args.out_dir
    save_weights(out_dir / "mnist_generator.pth", averaged_generator(game))
    save_samples(game)
    save_measurements(game)
    losses = epoch_means(game)
    save_csv(out_dir / "losses.csv", losses)
    save(out_dir / "losses.png", losses_figure(losses).savefig)
    steps = [*range(0, game.step, game.args.save_interval), game.step]
    grids = [out_dir / "images" / f"{step}.png" for step in steps]
    save_gif(out_dir / "training.gif", [grid for grid in grids if grid.exists()])


def train(args):
    """Train with args, the settings of parse_args; all files go to args.out_dir.

    Raises InputError when a file cannot be read or written, or when out_dir holds a run already and
    args.resume is not set.
    """
    begin(args)
    checkpoint = args.out_dir / "checkpoint.pt"
    if checkpoint.exists() and not args.resume:
        ways_out = "add --resume to continue it, or choose another --out_dir"
        raise InputError(f"{checkpoint}: this folder holds a run already; {ways_out}")
    real_images = load_mnist(True, args.device)[0][: args.n_images]
    comparison = Comparison(load_classifier("judge", args.device), real_images)
    game = Game(args)
    if checkpoint.exists():
        resume(checkpoint, game)
    make_folder(args.out_dir / "images")
    save_checkpoint(checkpoint, game)  # from now on the folder belongs to this run

    with tqdm(total=len(game.history), initial=game.step, unit="batch", disable=None) as bar:
        while game.epoch < args.n_epochs:
            train_epoch(game, real_images, bar)
            if is_due(game.epoch, args):
                # This noise has a seed of its own, so measuring does not change the training.
                quality = comparison.quality(samples(game, args.n_measured, MEASURE_SEED))
                game.quality.append({"batch": game.step, "epoch": game.epoch} | quality)
                save_measurements(game)
            save_checkpoint(checkpoint, game)
            report(game)
    save_results(game)
    print(f"{game.step:,} batches; the generator, its samples and figures are in {args.out_dir}")


def main():
    """Train with the settings of the command line."""
    train(parse_args())


if __name__ == "__main__":
    run(main)
