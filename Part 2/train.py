"""Train the GAN on MNIST: 25 samples every 500 batches, mnist_generator.pth at the end.

    python train.py                                     the full run, 200 epochs
    python train.py --n_epochs 1 --out_dir /tmp/look    a first look
    python train.py --resume                            go on after a crash, to the same bits

The full run takes 80 to 110 minutes on two cores of an AMD EPYC (OMP_NUM_THREADS=2). Its samples
lie at a Frechet distance of 2.55 (real images: 1.73; the template's settings: 66.66); a classifier
reads 96.4 % of them with more than 90 % confidence (98.7 %; 90.6 %): the worst of three seeds of
noise, measured by evaluate.py.

Into out_dir go images/<batch>.png, quality.csv, quality.png, losses.png, training.gif,
mnist_generator.pth and checkpoint.pt.
"""

import copy
import math
import shlex
import sys
from pathlib import Path

import torch
from checkpoint import claim, resume, save_checkpoint, save_csv
from classifier import Classifier
from common import (
    Progress,
    add_run_flags,
    load,
    make_folder,
    make_parser,
    number,
    run,
    save,
    show_settings,
)
from figures import STATISTICS, save_curves, save_gif, save_grid, save_quality
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from metrics import Judge, in_pieces, latent_points
from mnist import DATA_DIR, load_mnist
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

HERE = Path(__file__).parent
# Seeds of the noise for the rows of quality.csv, and for BatchNorm.
MEASURE_SEED, BATCHNORM_SEED = 1000, 1001


def make_flags():
    """Return the parser of this script's flags."""
    parser = make_parser(__doc__)
    add, rate = parser.add_argument, number(float, 0, 1, "()")
    add("--n_epochs", type=number(int, 1, 10_000), default=200, help="passes over the images")
    add("--n_images", type=number(int, 2, 60_000), default=60_000, help="how many images of MNIST")
    add("--batch_size", type=number(int, 1, 60_000), default=64, help="real images in a step")
    add("--fakes", type=number(int, 2, 60_000), default=256, help="generated images in a step")
    early = "first share of the epochs, with twice as many fakes and half the penalty"
    add("--early", type=number(float, 0, 1), default=0.18, help=early)
    add("--latent_dim", type=number(int, 1, 10_000), default=100, help="size of the noise")
    add("--lr", type=rate, default=8e-4, help="learning rate of the generator's Adam")
    add("--lr_d", type=rate, default=4e-4, help="learning rate of the discriminator's Adam")
    late = "last share of the epochs, with half the learning rates"
    add("--late", type=number(float, 0, 1), default=0.1, help=late)
    add("--b1", type=number(float, 0, 1, "[)"), default=0.0, help="Adam's decay of the mean")
    add("--b2", type=number(float, 0, 1, "[)"), default=0.999, help="Adam's decay of the square")
    add("--r1", type=number(float, 0, 1000), default=0.2, help="weight of the gradient penalty")
    add("--r1_every", type=number(int, 1, 1000), default=16, help="batches between penalties")
    add("--ema", type=number(float, 0, 1, "[)"), default=0.9995, help="decay of averaged weights")
    add("--save_interval", type=number(int, 1), default=500, help="batches between sample grids")
    every = "epochs between rows of quality.csv; 0: never"
    add("--measure_every", type=number(int, 0), default=5, help=every)
    add("--resume", action="store_true", help="continue from checkpoint.pt in out_dir")
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    add_run_flags(parser, HERE / "run")  # the committed generator stays as it is
    return parser


def is_due(epoch, args):
    """Whether the generator is to be measured after this epoch: the first, every Nth, the last."""
    every = args.measure_every
    return every > 0 and (epoch % every == 0 or epoch in (1, args.n_epochs))


def warm_ema(decay):
    """Return AveragedModel's averaging function: an exponential moving average of the weights.

    Its decay is min(decay, (1 + n) / (10 + n)) after n steps, so that the untrained weights are
    forgotten soon and early samples show what has been learnt.
    """

    def update(averaged, current, n):
        n = n.item()
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averaged, current, n)

    return update


class Game:
    """The two players, and all else that training changes and a checkpoint keeps."""

    def __init__(self, args):
        torch.manual_seed(args.seed)
        self.generator = Generator(args.latent_dim).to(args.device)
        self.discriminator = Discriminator().to(args.device)
        adam = dict(betas=(args.b1, args.b2), fused=True)
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), args.lr, **adam)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), args.lr_d, **adam)
        average = dict(multi_avg_fn=warm_ema(args.ema), use_buffers=True)
        self.averaged = AveragedModel(self.generator, **average).eval()  # draws all samples
        self.rng = torch.Generator(args.device).manual_seed(args.seed)  # shuffles, draws the noise
        self.n_batches = math.ceil(args.n_images / args.batch_size)  # in an epoch
        n_steps = args.n_epochs * self.n_batches
        self.history = torch.zeros(n_steps, len(STATISTICS), device=args.device)
        self.quality = []  # the rows of quality.csv
        self.step = self.epoch = 0  # how many are done


def train_step(game, real, args):
    """Let the two players of equation (10) take their turns on real (B, 1, 28, 28) in [-1, 1]."""
    times = 2 if game.epoch < round(args.early * args.n_epochs) else 1  # as many fakes
    z = torch.randn(times * args.fakes, args.latent_dim, generator=game.rng, device=args.device)
    fake = game.generator(z)
    penalise = args.r1 > 0 and game.step % args.r1_every == 0
    real.requires_grad_(penalise)
    logits = game.discriminator(torch.cat([real, fake]))  # one pass serves both players
    real_logits, fake_logits = logits.split([len(real), len(fake)])

    # The discriminator's turn: real images should get high logits, fakes low ones.
    d_loss = discriminator_loss(real_logits, fake_logits)
    penalty = gradient_penalty(real_logits, real) if penalise else 0
    game.optimizer_d.zero_grad()
    d_total = d_loss + args.r1 / times * args.r1_every * penalty  # rarer, so stronger
    d_total.backward(inputs=[*game.discriminator.parameters()], retain_graph=True)

    # The generator's turn: its fakes should get high logits.
    g_loss = generator_loss(fake_logits)
    game.optimizer_g.zero_grad()
    g_loss.backward(inputs=[*game.generator.parameters()])

    game.optimizer_d.step()
    game.optimizer_g.step()
    game.averaged.update_parameters(game.generator)
    opinions = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
    game.history[game.step] = torch.stack([d_loss, g_loss, *opinions]).detach()
    game.step += 1


def shuffled_batches(images, size, rng):
    """Yield all images (N, 1, 28, 28) once, in random order, size at a time."""
    order = torch.randperm(len(images), generator=rng, device=images.device)
    for batch in order.split(size):
        yield images[batch]


def set_rates(game, args):
    """Set both learning rates, which are halved for the last epochs."""
    is_late = args.n_epochs - game.epoch <= round(args.late * args.n_epochs)
    for optimizer, rate in ((game.optimizer_g, args.lr), (game.optimizer_d, args.lr_d)):
        optimizer.param_groups[0]["lr"] = rate / 2 if is_late else rate


def train_epoch(game, real_images, args, bar):
    """Let the players meet all real images once; save a grid every save_interval batches."""
    set_rates(game, args)
    for real in shuffled_batches(real_images, args.batch_size, game.rng):
        if game.step % args.save_interval == 0:
            save_samples(game.averaged.module, game.step, args)
        train_step(game, real, args)
        bar.update()
    game.epoch += 1


def save_samples(generator, step, args):
    """Save images/<step>.png: what the generator draws at 25 points that stay the same."""
    z = latent_points(25, args.latent_dim, args.seed, args.device)
    save_grid(Path(args.out_dir) / "images" / f"{step}.png", in_pieces(generator, z))


def finished(game, args):
    """Return the generator that would be saved now: a copy of the averaged one, in eval mode.

    An average of BatchNorm's statistics belongs to no weights, so those of the averaged weights are
    measured. The noise for it has a stream of its own: looking does not change the training.
    """
    generator = copy.deepcopy(game.averaged.module)
    if args.ema > 0:
        z = latent_points(20_000, args.latent_dim, BATCHNORM_SEED, args.device)
        update_bn(z.split(500), generator)
    return generator


def measure(game, args, judge):
    """Add a row to game.quality: how good 10,000 samples of the finished generator are."""
    z = latent_points(10_000, args.latent_dim, MEASURE_SEED, args.device)
    images = in_pieces(finished(game, args), z)
    row = dict(batch=game.step, epoch=game.epoch, **judge.quality(*judge.look(images)))
    game.quality.append(row)


def save_measurements(game, out_dir):
    """Write quality.csv and quality.png, unless nothing was measured."""
    if game.quality:
        save_csv(out_dir / "quality.csv", game.quality)
        title = "How far the samples are from MNIST, while the generator learns"
        save_quality(out_dir / "quality.png", {"this run": game.quality}, title)


def report(game, args):
    """Print the means of the last epoch and, if it was measured, how good the generator is."""
    means = game.history[game.step - game.n_batches : game.step].mean(0).tolist()
    numbers = dict(zip(STATISTICS, means, strict=True))
    for row in game.quality:
        if row["epoch"] == game.epoch:
            numbers |= row
    text = [f"{name} {numbers[name]:.3f}" for name in numbers if name not in ("batch", "epoch")]
    tqdm.write(f"epoch {game.epoch}/{args.n_epochs}  {'  '.join(text)}")
    sys.stdout.flush()


def save_results(game, args, out_dir):
    """Save the generator, its last 25 samples, and what the run was like."""
    generator = finished(game, args)
    save(out_dir / "mnist_generator.pth", lambda f: torch.save(generator.state_dict(), f))
    save_samples(generator, game.step, args)
    save_measurements(game, out_dir)
    save_curves(out_dir / "losses.png", game.history)
    grids = [out_dir / "images" / f"{i}.png" for i in range(0, game.step, args.save_interval)]
    save_gif(out_dir / "training.gif", [*grids, out_dir / "images" / f"{game.step}.png"])
    print(f"{game.step} batches done; the generator, its samples and figures are in {out_dir}")


def main():
    """Load, train epoch by epoch, measure on the way, save."""
    args = make_flags().parse_args()
    show_settings(args)
    out_dir = Path(args.out_dir)
    real_images = load_mnist(args.data_dir, True, args.device)[0][: args.n_images]
    classifier = load(HERE / "mnist_classifier.pth", args.device, Classifier.from_state_dict)
    judge = Judge(classifier, real_images)
    make_folder(out_dir)
    claim(out_dir)
    make_folder(out_dir / "images")

    game = Game(args)
    resume(out_dir / "checkpoint.pt", args, game)
    bar = Progress(len(game.history), "batches", initial=game.step)
    while game.epoch < args.n_epochs:
        train_epoch(game, real_images, args, bar)
        if is_due(game.epoch, args):
            measure(game, args, judge)
        save_checkpoint(out_dir / "checkpoint.pt", args, game)
        if is_due(game.epoch, args):
            save_measurements(game, out_dir)
        report(game, args)
    bar.close()
    save_results(game, args, out_dir)


if __name__ == "__main__":
    again = [] if "--resume" in sys.argv else ["--resume"]
    run(main, hint=f"continue with: {shlex.join([sys.executable, *sys.argv, *again])}")
