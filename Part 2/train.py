"""Train the GAN on MNIST: 25 samples every 500 batches and half-way, and mnist_generator.pth.

    python train.py                                     the full run, 80 epochs
    python train.py --n_epochs 1 --out_dir run/look     a first look
    python train.py --resume                            continue after a crash, bit for bit

After 15 epochs, a quarter of an hour on one core of an Intel Xeon, the Frechet distance is 3; after
80 it is 1.5 to 2.7 (three seeds, means of five sample sets). Real test images have 0.95.
"""

import copy
import math
import sys
import time

import torch
from torch.optim import Adam
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from classifier import load_classifier
from common import begin, duration, load, make_parser, number, save_csv, save_state
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from latent import draw_samples, latent_points, save_gif, save_grid
from metrics import Comparison
from mnist import load_mnist

# The flags that decide, with the seed, what a training run leads to.
DECIDE = "n_epochs", "n_images", "batch_size", "fakes", "latent_dim", "lr", "lr_d", "halving"
DECIDE += "b1", "b2", "channels", "r1", "r1_every", "ema", "n_measured"
# {a flag that is new in DECIDE: its value in the rows and checkpoints that lack it}
BEFORE = {}
# The settings of the course's template; the loop is ours.
TEMPLATE = {"n_epochs": 200, "fakes": 64, "lr": 2e-4, "lr_d": 2e-4, "halving": 0, "b1": 0.9}
TEMPLATE |= {"r1": 0.0, "ema": 0.0, "channels": 0}
MEASURE_SEED, BATCHNORM_SEED = 4000, 4001  # of noise; no setting was chosen on these
FILE, CHECKPOINT = "mnist_generator.pth", "checkpoint.pt"
SECONDS_PER_IMAGE = {True: 1.77e-4, False: 1.4e-4}  # of training, with or without D's small CNN
LOSSES = ["d_loss", "g_loss", "d_real", "d_fake"]  # of a step; d_real: mean of D over real images
NETWORKS = "generator", "discriminator", "ema_generator", "optimizer_g", "optimizer_d"
VALUES = "step", "seconds", "losses", "quality"


class Training:
    """The two networks and everything else that the rest of their training depends on."""

    def __init__(self, args):
        self.args = args
        torch.manual_seed(args.seed)
        self.generator = Generator(args.latent_dim).to(args.device)
        self.discriminator = Discriminator(args.channels).to(args.device)
        self.ema_generator = copy.deepcopy(self.generator)
        betas = args.b1, args.b2
        self.optimizer_g = Adam(self.generator.parameters(), args.lr, betas, fused=True)
        self.optimizer_d = Adam(self.discriminator.parameters(), args.lr_d, betas, fused=True)
        # On the CPU, so that the noise and the order of the images are the same on each device.
        self.rng = torch.Generator().manual_seed(args.seed)
        self.step, self.seconds = 0, 0.0  # how many steps are done, how long the epochs took
        self.losses, self.quality = [], []  # the rows of losses.csv and of quality.csv

    def save(self):
        """Save settings and state, at the end of an epoch."""
        other = {"seed": self.args.seed, "save_interval": self.args.save_interval}
        content = {"settings": settings_of(self.args) | other, "rng": self.rng.get_state()}
        content |= {name: getattr(self, name).state_dict() for name in NETWORKS}
        content |= {name: getattr(self, name) for name in VALUES}
        save_state(self.args.out_dir / CHECKPOINT, content)

    def restore(self, content):
        """Put back the state in a checkpoint."""
        self.rng.set_state(content["rng"].cpu())
        for name in NETWORKS:
            getattr(self, name).load_state_dict(content[name])
        for name in VALUES:
            setattr(self, name, content[name])

    def batches(self, images):
        """Yield all images (N, 1, 28, 28) once, in random order, batch_size at a time."""
        order = torch.randperm(len(images), generator=self.rng).to(images.device)
        for batch in order.split(self.args.batch_size):
            yield images[batch]

    def set_rates(self, epoch):
        """Set both learning rates for an epoch, 1, 2, ...: at first they fall to one half."""
        fall = min(1.0, (epoch - 1) / self.args.halving) if self.args.halving > 0 else 0.0
        self.optimizer_g.param_groups[0]["lr"] = self.args.lr * (1 - fall / 2)
        self.optimizer_d.param_groups[0]["lr"] = self.args.lr_d * (1 - fall / 2)

    def train_step(self, real):
        """Update both networks of equation (10) on real (B, 1, 28, 28); return LOSSES, (4,)."""
        fake = self.generator(self.draw_noise(self.args.fakes))
        d_loss, d_real, d_fake = self.discriminator_step(real, fake.detach())
        g_loss = self.generator_step(fake)  # through the discriminator that has just moved
        self.update_ema()
        self.step += 1
        return torch.stack([d_loss, g_loss, d_real, d_fake]).detach()

    def draw_noise(self, n):
        """Return n new points z (n, latent_dim)."""
        return torch.randn(n, self.args.latent_dim, generator=self.rng).to(self.args.device)

    def discriminator_step(self, real, fake):
        """Train the discriminator to tell real images from fakes; return its loss and both D."""
        logits = self.discriminator(torch.cat([real, fake]))
        real_logits, fake_logits = logits.split([len(real), len(fake)])
        d_loss, penalty = discriminator_loss(real_logits, fake_logits), 0.0
        if self.args.r1 > 0 and self.step % self.args.r1_every == 0:
            # To save time, only every r1_every steps, scaled up to compensate.
            penalty = self.args.r1 * self.args.r1_every * gradient_penalty(self.discriminator, real)
        self.optimizer_d.zero_grad()
        (d_loss + penalty).backward()
        self.optimizer_d.step()
        return d_loss, torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()

    def generator_step(self, fake):
        """Train the generator, whose images are fake, to get higher logits; return its loss."""
        g_loss = generator_loss(self.discriminator(fake))
        self.optimizer_g.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))  # none for the discriminator
        self.optimizer_g.step()
        return g_loss

    def update_ema(self):
        """Move the exponential moving average (EMA) towards the generator's weights."""
        # It begins as a copy. Its decay grows, so that early samples show what is learnt.
        decay = min(self.args.ema, (1 + self.step) / (10 + self.step)) if self.step > 0 else 0
        for name, weight in self.generator.named_parameters():
            self.ema_generator.get_parameter(name).data.lerp_(weight.data, 1 - decay)

    def final_generator(self):
        """Return the generator that would be saved now: a copy in eval mode."""
        if self.args.ema == 0:
            return copy.deepcopy(self.generator).eval()
        generator = copy.deepcopy(self.ema_generator).eval()
        z = latent_points(5_000, generator.latent_dim, BATCHNORM_SEED, self.args.device)
        update_bn(z.split(500), generator)  # statistics of its own, from its own noise
        return generator

    def save_samples(self):
        """Save images/<step>.png: what the generator draws at 25 points that stay the same."""
        images = draw_samples(self.final_generator(), 25, self.args.seed)
        save_grid(self.args.out_dir / "images" / f"{self.step}.png", images)


def is_measured(epoch, n_epochs):
    """Return whether a training run is measured after an epoch, 1, 2, ..., of n_epochs."""
    return epoch <= 10 or epoch % 5 == 0 or epoch == n_epochs


def main(args):
    """Run the training with these settings; all files go to args.out_dir."""
    checkpoint, grids = args.out_dir / CHECKPOINT, args.out_dir / "images"
    if not args.resume and (checkpoint.exists() or grids.exists()):
        sys.exit(f"{args.out_dir}: holds a training run; --resume it, or take another --out_dir")
    begin(args)
    training = Training(args)
    if args.resume:
        load(checkpoint, training.restore, args.device)
    training.save()  # from now on, --resume knows the settings
    grids.mkdir(exist_ok=True)
    done = len(training.losses)
    an_epoch = args.n_images * (1 + args.fakes / args.batch_size)  # images, real and fake
    seconds = (args.n_epochs - done) * an_epoch * SECONDS_PER_IMAGE[args.channels > 0]
    print(f"GAN, epochs {done + 1} to {args.n_epochs}: about {duration(seconds)} on one Xeon core")
    images = load_mnist(device=args.device)[0][: args.n_images]
    comparison = Comparison(load_classifier(args.device), images)
    n_steps = args.n_epochs * math.ceil(len(images) / args.batch_size)
    steps = sorted({*range(0, n_steps, args.save_interval), n_steps // 2, n_steps})  # of grids
    with tqdm(total=n_steps, initial=training.step, unit="batch", disable=None) as bar:
        for epoch in range(done + 1, args.n_epochs + 1):
            training.set_rates(epoch)
            begun, losses = time.perf_counter(), []  # losses of each step
            for real in training.batches(images):
                if training.step in steps:
                    training.save_samples()
                losses.append(training.train_step(real))
                bar.update()
            means = torch.stack(losses).mean(0).tolist()
            training.seconds += time.perf_counter() - begun
            training.losses.append({"epoch": epoch} | dict(zip(LOSSES, means, strict=True)))
            save_csv(args.out_dir / "losses.csv", training.losses)
            generator = training.final_generator()
            if is_measured(epoch, args.n_epochs):
                row = {"epoch": epoch, "seconds": round(training.seconds)}
                row |= comparison.quality(draw_samples(generator, args.n_measured, MEASURE_SEED))
                training.quality.append(row)
                save_csv(args.out_dir / "quality.csv", training.quality)
                tqdm.write(f"epoch {epoch}: distance {row['frechet_distance']:.2f}")
                bar.set_postfix(distance=row["frechet_distance"])
            save_state(args.out_dir / FILE, generator.state_dict())
            training.save()
    training.save_samples()
    paths = [grids / f"{step}.png" for step in steps]  # half-way of fewer epochs may be missing
    save_gif(args.out_dir / "training.gif", [path for path in paths if path.exists()])
    print(f"the generator, its samples and training.gif are in {args.out_dir}")


def parse_args(argv=None):
    """Return the settings of the command line, or of a list of flags, or of a checkpoint."""
    parser = make_parser(__doc__)
    from_zero, count, rate = number(int, 0), number(int, 1), number(float, 0, 1)
    decay, two_or_more = number(float, 0, 0.999999), number(int, 2, 60_000)  # two, for BatchNorm
    parser.add_argument("--n_epochs", type=count, default=80, help="passes over MNIST")
    parser.add_argument("--n_images", type=two_or_more, default=60_000, help="training images")
    parser.add_argument("--batch_size", type=count, default=64, help="real images in a step")
    parser.add_argument("--fakes", type=two_or_more, default=256, help="generated images in a step")
    parser.add_argument("--latent_dim", type=count, default=100, help="size of the noise")
    parser.add_argument("--lr", type=rate, default=4e-4, help="generator's learning rate")
    parser.add_argument("--lr_d", type=rate, default=4e-4, help="discriminator's learning rate")
    text = "epochs over which both rates fall to one half; 0: they stay"
    parser.add_argument("--halving", type=from_zero, default=20, help=text)
    parser.add_argument("--b1", type=decay, default=0.0, help="Adam's beta1, its momentum")
    parser.add_argument("--b2", type=decay, default=0.999, help="Adam's beta2")
    parser.add_argument("--channels", type=from_zero, default=8, help="of D's convolution; 0: none")
    parser.add_argument("--r1", type=number(float, 0, 1000), default=0.2, help="weight of R1")
    parser.add_argument("--r1_every", type=count, default=16, help="steps between R1 penalties")
    parser.add_argument("--ema", type=decay, default=0.9995, help="decay of weights' EMA; 0: none")
    parser.add_argument("--save_interval", type=count, default=500, help="steps between grids")
    parser.add_argument("--n_measured", type=number(int, 200), default=10_000, help="samples drawn")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    devices = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    parser.add_argument("--device", choices=devices, default=devices[0], help="where to train")
    either = parser.add_mutually_exclusive_group()
    text = "the template's settings, in our loop"
    either.add_argument("--preset", choices=["template"], help=text)
    either.add_argument("--resume", action="store_true", help="continue the run in out_dir")
    args = parser.parse_args(argv)
    if args.resume:
        return resumed_args(parser, argv, args.out_dir / CHECKPOINT)
    if args.preset == "template":
        parser.set_defaults(**TEMPLATE)
    return parser.parse_args(argv)


def resumed_args(parser, argv, checkpoint):
    """Return the settings of a checkpoint; exit in one line if a flag asks for another one."""
    if not checkpoint.exists():
        sys.exit(f"--resume: there is no training run to continue, {checkpoint} is missing")
    old, done = load(checkpoint, lambda content: (content["settings"], content["losses"]))
    old = BEFORE | old
    parser.set_defaults(**old)
    args = parser.parse_args(argv)
    for name, value in vars(args).items():
        if name != "n_epochs" and value != old.get(name, value):
            sys.exit(f"--{name} {value}: the training run to resume has {old[name]}")
    if args.n_epochs < len(done):
        sys.exit(f"--n_epochs {args.n_epochs}: {len(done)} epochs are done")
    return args


def settings_of(args):
    """Return the settings that decide what a seed's training run leads to, {flag: value}."""
    return {name: getattr(args, name) for name in DECIDE}


if __name__ == "__main__":
    main(parse_args())
