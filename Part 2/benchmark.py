"""Time train.py, a step and a whole epoch, beside the loop that is usually written.

    python benchmark.py

The plain loop reads PIL images through a DataLoader, shows the discriminator real and fake images
one after the other, takes two Adam optimizers with default betas, and lets the generator's step
compute gradients of the discriminator that are thrown away; it draws no samples and saves nothing.
train.py's step and epoch are those that training takes after its early epochs, the epoch with its
sample grids and its checkpoint. The contenders alternate in one process; the table shows medians
over the rounds.
"""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from checkpoint import save_checkpoint
from common import Progress, add_run_flags, make_parser, number, run, show_settings
from gan import Discriminator, Generator
from mnist import load_mnist, open_mnist
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from train import Game, make_flags, shuffled_batches, train_epoch, train_step

NEVER_ENDS = 10_000  # epochs


class Ours:
    """train.py with some of its flags."""

    def __init__(self, flags, args, folder):
        self.name = " ".join(["train.py", *flags])
        folder.joinpath("images").mkdir(parents=True)
        flags = ["--early", 0, *flags, "--n_epochs", NEVER_ENDS, "--out_dir", folder]
        flags = [*flags, "--device", args.device]
        self.args = make_flags().parse_args([*map(str, flags)])
        self.images = load_mnist(self.args.data_dir, True, args.device)[0]
        self.game = Game(self.args)
        self.steps = self.endless_steps()
        self.bar = Progress(args.epochs * self.game.n_batches, f"batches of {self.name}")

    def endless_steps(self):
        """Yield after each step."""
        while True:
            for real in shuffled_batches(self.images, self.args.batch_size, self.game.rng):
                train_step(self.game, real, self.args)
                yield

    def epoch(self):
        """Take one epoch."""
        train_epoch(self.game, self.images, self.args, self.bar)
        save_checkpoint(Path(self.args.out_dir) / "checkpoint.pt", self.args, self.game)


class Plain:
    """The plain loop."""

    name = "plain loop"

    def __init__(self, args):
        self.device = args.device
        self.steps = self.endless_steps()

    def endless_steps(self):
        """Yield after each step."""
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
        loader = DataLoader(open_mnist(transform=transform), batch_size=64, shuffle=True)
        generator, discriminator = Generator().to(self.device), Discriminator().to(self.device)
        optimizer_g = torch.optim.Adam(generator.parameters(), 2e-4)
        optimizer_d = torch.optim.Adam(discriminator.parameters(), 2e-4)
        bce = nn.BCEWithLogitsLoss()
        while True:
            for batch, _ in loader:
                real = batch.to(self.device)
                fake = generator(torch.randn(len(real), 100, device=self.device))
                valid = torch.ones(len(real), 1, device=self.device)
                optimizer_g.zero_grad()
                bce(discriminator(fake), valid).backward()
                optimizer_g.step()
                optimizer_d.zero_grad()
                real_loss = bce(discriminator(real), valid)
                fake_loss = bce(discriminator(fake.detach()), 1 - valid)
                ((real_loss + fake_loss) / 2).backward()
                optimizer_d.step()
                yield

    def epoch(self):
        """Take one epoch."""
        for _ in range(938):
            next(self.steps)


def seconds(work, device):
    """Return how long work() takes."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(contenders, rounds, work, device):
    """Return [(median seconds of work(contender), median ratio to the first contender's)]."""
    times = [[seconds(lambda c=c: work(c), device) for c in contenders] for _ in range(rounds)]
    columns = zip(*times, strict=True)
    return [
        (statistics.median(column), statistics.median(row[n] / row[0] for row in times))
        for n, column in enumerate(columns)
    ]


def main():
    """Let the contenders alternate and print the medians."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--rounds", type=number(int, 1, 1000), default=15, help="rounds of steps")
    add("--n_steps", type=number(int, 1, 10_000), default=64, help="steps a round")
    add("--epochs", type=number(int, 0, 1000), default=3, help="rounds of whole epochs")
    add_run_flags(parser)
    args = parser.parse_args()
    show_settings(args)
    torch.manual_seed(args.seed)

    def some_steps(contender):
        for _ in range(args.n_steps):
            next(contender.steps)

    with tempfile.TemporaryDirectory() as folder:
        flags = ["--fakes", "64"], []
        ours = [Ours(f, args, Path(folder) / str(n)) for n, f in enumerate(flags)]
        contenders = [Plain(args), *ours]
        compare(contenders, 1, some_steps, args.device)  # warm up
        steps = compare(contenders, args.rounds, some_steps, args.device)
        for contender, (time_, ratio) in zip(contenders, steps, strict=True):
            per_step = 1000 * time_ / args.n_steps
            print(f"a step    {contender.name:20s} {per_step:6.1f} ms  {ratio:.2f} x plain")
        if not args.epochs:
            return
        epochs = compare(contenders, args.epochs, lambda c: c.epoch(), args.device)
        for contender, (time_, ratio) in zip(contenders, epochs, strict=True):
            print(f"an epoch  {contender.name:20s} {time_:6.1f} s   {ratio:.2f} x plain")


if __name__ == "__main__":
    run(main)
