"""Time a training step of train.py beside the loop that is usually written.

    python benchmark.py

The plain loop reads PIL images through a DataLoader, shows the discriminator real and fake images
one after the other, takes two Adam optimizers with default betas, and lets the generator's step
compute gradients of the discriminator that are thrown away. The two alternate in one process; the
table shows medians over the rounds. Half a minute on two CPU cores.
"""

import itertools
import statistics
import time

import torch
from common import add_run_flags, make_parser, number, run, show_settings
from gan import Discriminator, Generator
from mnist import load_mnist, open_mnist
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from torchvision import transforms
from tqdm import tqdm
from train import add_training_flags, make_optimizers, train_step, warm_ema


def our_steps(args):
    """Yield after each step as train.py takes it."""
    images, _ = load_mnist(args.data_dir, True, args.device)
    generator, discriminator = Generator().to(args.device), Discriminator().to(args.device)
    averaged = AveragedModel(generator, multi_avg_fn=warm_ema(args.ema), use_buffers=True)
    optimizers = make_optimizers(generator, discriminator, args)
    order = torch.randperm(len(images), device=args.device)
    for step, batch in enumerate(itertools.cycle(order.split(args.batch_size))):
        z = torch.randn(len(batch), 100, device=args.device)
        r1 = args.r1 * args.r1_every if step % args.r1_every == 0 else 0
        with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
            train_step(generator, discriminator, optimizers, images[batch], z, r1)
        averaged.update_parameters(generator)
        yield


def plain_steps(args):
    """Yield after each step of the plain loop."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    mnist = open_mnist(args.data_dir, True, transform)
    generator, discriminator = Generator().to(args.device), Discriminator().to(args.device)
    optimizer_g = torch.optim.Adam(generator.parameters(), args.lr)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), args.lr_d)
    bce = nn.BCEWithLogitsLoss()
    while True:
        for batch, _ in DataLoader(mnist, args.batch_size, shuffle=True):
            real = batch.to(args.device)
            fake = generator(torch.randn(len(real), 100, device=args.device))
            valid = torch.ones(len(real), 1, device=args.device)
            optimizer_g.zero_grad()
            bce(discriminator(fake), valid).backward()
            optimizer_g.step()
            optimizer_d.zero_grad()
            real_loss = bce(discriminator(real), valid)
            fake_loss = bce(discriminator(fake.detach()), 1 - valid)
            ((real_loss + fake_loss) / 2).backward()
            optimizer_d.step()
            yield


def seconds(steps, n, device):
    """Return how long n steps take."""
    start = time.perf_counter()
    for _ in range(n):
        next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main():
    """Let the contenders alternate and print the medians."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=number(int, 1, 1000), default=15, help="rounds")
    parser.add_argument("--n_steps", type=number(int, 1, 10_000), default=60, help="steps a round")
    add_training_flags(parser)
    add_run_flags(parser)
    args = parser.parse_args()
    show_settings(args)
    torch.manual_seed(args.seed)
    ours, plain = our_steps(args), plain_steps(args)
    for steps in (ours, plain):
        seconds(steps, 10, args.device)  # warm up
    times = [
        [seconds(steps, args.n_steps, args.device) / args.n_steps for steps in (ours, plain)]
        for _ in tqdm(range(args.rounds), unit="round", disable=None)
    ]
    our_time, plain_time = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    print(f"plain loop   {1000 * plain_time:6.1f} ms a step")
    print(f"train.py     {1000 * our_time:6.1f} ms a step, {ratio:.2f} x the plain loop")


if __name__ == "__main__":
    run(main)
