"""Time train.py, a step and a whole epoch, beside a textbook GAN loop.

    python benchmark.py

The textbook loop reads PIL images through a DataLoader and shows the discriminator real and fake
images one after the other; its generator's step computes gradients of the discriminator that
nobody uses; it draws no samples and saves nothing. train.py's epoch includes its sample grids and
its checkpoint. All loops take turns in one process, and the table shows medians over the rounds.
"""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from tqdm import tqdm

import train
from checkpoint import save_checkpoint
from common import add_run_flags, begin, make_parser, number, run
from gan import Discriminator, Generator
from mnist import load_mnist, open_mnist

BATCHES = 938  # in an epoch of 60,000 images, 64 in a batch


class Textbook:
    """The textbook loop; calling step or epoch runs it on."""

    name = "textbook loop"

    def __init__(self, device):
        self.device = device
        self.generator, self.discriminator = Generator().to(device), Discriminator().to(device)
        self.steps = self.endless_steps()

    def endless_steps(self):
        """Yield after each step."""
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
        loader = DataLoader(open_mnist(transform=transform), batch_size=64, shuffle=True)
        generator, discriminator = self.generator, self.discriminator
        optimizer_g = torch.optim.Adam(generator.parameters(), 2e-4)
        optimizer_d = torch.optim.Adam(discriminator.parameters(), 2e-4)
        bce = nn.BCEWithLogitsLoss()
        while True:
            for images, _ in loader:
                real = images.to(self.device)
                fake = generator(torch.randn(len(real), 100, device=self.device))
                ones = torch.ones(len(real), 1, device=self.device)
                optimizer_g.zero_grad()
                bce(discriminator(fake), ones).backward()
                optimizer_g.step()
                optimizer_d.zero_grad()
                real_loss = bce(discriminator(real), ones)
                fake_loss = bce(discriminator(fake.detach()), 1 - ones)
                ((real_loss + fake_loss) / 2).backward()
                optimizer_d.step()
                yield

    def step(self):
        """Take one step."""
        next(self.steps)

    def epoch(self):
        """Take one epoch."""
        for _ in range(BATCHES):
            self.step()


class Ours:
    """train.py's loop with some of its flags; calling step or epoch runs it on."""

    def __init__(self, flags, device, out_dir):
        self.name = " ".join(["train.py", *flags])
        (out_dir / "images").mkdir(parents=True)
        flags = [*flags, "--device", str(device), "--out_dir", str(out_dir)]
        self.game = train.Game(train.parse_args(flags))
        self.checkpoint = out_dir / "checkpoint.pt"
        self.images = load_mnist(device=device)[0]
        self.batches = iter([])

    def step(self):
        """Take one step."""
        real = next(self.batches, None)
        if real is None:
            self.batches = train.shuffled_batches(self.images, 64, self.game.rng)
            real = next(self.batches)
        train.train_step(self.game, real)

    def epoch(self):
        """Take one epoch."""
        with tqdm(total=BATCHES, desc=self.name, disable=None, leave=False) as bar:
            train.train_epoch(self.game, self.images, bar)
        save_checkpoint(self.checkpoint, self.game)


def seconds(work, n, device):
    """Return how long n calls of work take."""
    start = time.perf_counter()
    for _ in range(n):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main():
    """Let the loops take turns and print the medians."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--rounds", type=number(int, 1, 100), default=15, help="rounds of steps")
    add("--n_steps", type=number(int, 1, 1000), default=64, help="steps in a round")
    add("--epochs", type=number(int, 1, 50), default=3, help="rounds of whole epochs")
    add_run_flags(parser, out_dir=None)
    args = parser.parse_args()
    begin(args)
    torch.manual_seed(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        loops = [
            Textbook(args.device),
            Ours(["--fakes", "64"], args.device, Path(folder) / "64"),
            Ours([], args.device, Path(folder) / "default"),
        ]
        for loop in loops:  # warm up
            seconds(loop.step, args.n_steps, args.device)
        for rounds, unit, n in ((args.rounds, "step", args.n_steps), (args.epochs, "epoch", 1)):
            times = {loop.name: [] for loop in loops}
            for _ in range(rounds):
                for loop in loops:
                    times[loop.name].append(seconds(getattr(loop, unit), n, args.device) / n)
            textbook = times[Textbook.name]
            for name, values in times.items():
                ratio = statistics.median(a / b for a, b in zip(values, textbook, strict=True))
                milliseconds = 1000 * statistics.median(values)
                print(f"{unit:5s}  {name:20s} {milliseconds:9.1f} ms  {ratio:.2f} x textbook")


if __name__ == "__main__":
    run(main)
