"""Time of a training step and of reading: LSTM beside torch.nn.LSTM and the products alone.

    python benchmark.py

What is timed is what the scripts call: train.train, from drawing the batch to the optimizer's step,
and train.accuracy. "products" are the matrix products of the loop over time and nothing else, three
for each digit in training (one forward, two backward), one in reading: no LSTM made of torch.mm can
be faster. The contenders alternate in one process, so that a slow moment of the machine meets all
of them; the ratios are medians over the rounds. Takes half a minute on two cores.
"""

import os
import platform
import statistics
import time

import torch
from torch import nn

from common import add_run_flags, make_parser, number, run, show_settings
from dataset import PalindromeDataset
from lstm import LSTM
from train import accuracy, train


class TorchLSTM(nn.Module):
    """torch.nn.LSTM and a linear layer, with the interface of our LSTM."""

    def __init__(self, input_dim, hidden_dim, output_dim):
        super().__init__()
        self.lstm = nn.LSTM(input_dim, hidden_dim, batch_first=True)
        self.out = nn.Linear(hidden_dim, output_dim)

    def forward(self, x, state=None):
        """See LSTM.forward; the state has torch's shapes."""
        h, state = self.lstm(x, state)
        return self.out(h[:, -1]), state


def products(batch_size, times, training, args):
    """Return a function that computes the products of (1)-(4) for `times` digits."""
    H = args.num_hidden
    xh = torch.randn(batch_size, 10 + H, device=args.device)
    W = torch.randn(10 + H, 4 * H, device=args.device)
    dz = torch.randn(batch_size, 4 * H, device=args.device)

    def multiply():
        for _ in range(times):
            torch.mm(xh, W)
            if training:
                torch.mm(dz, W.T)
                torch.mm(xh.T, dz)

    return multiply


def training(T, args):
    """Return {contender: a function that trains it at T for some steps} and their number."""
    steps = max(5, 100 // T)
    dataset = PalindromeDataset(T - 1, 1000, one_hot=True)

    def trainer(network):
        model = network(10, args.num_hidden, 10).to(args.device)
        return lambda: train(model, [dataset], steps, 1e-4, batch_size=args.batch_size)

    calls = {"nn.LSTM": trainer(TorchLSTM), "LSTM": trainer(LSTM)}
    calls["products"] = products(args.batch_size, steps * (T - 1), True, args)
    return calls, steps


def reading(batch_size, args):
    """Return {contender: a function that reads 100 digits of batch_size palindromes}."""
    dataset = PalindromeDataset(100, batch_size, one_hot=True)

    def reader(network):
        model = network(10, args.num_hidden, 10).to(args.device)
        return lambda: accuracy(model, dataset)

    calls = {"nn.LSTM": reader(TorchLSTM), "LSTM": reader(LSTM)}
    calls["products"] = products(batch_size, 100, False, args)
    return calls


def measure(calls, rounds, device):
    """Return the seconds of each call, in turns: {name: [a value for each round]}."""
    seconds = {name: [] for name in calls}
    for n in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if n > 0:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def parse_args():
    """Return the checked flags."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    lengths = {"type": number(int, 2, 1000), "nargs": "+", "default": [5, 20, 100]}
    add("--lengths", **lengths, help="palindrome lengths of the training")
    add("--batch_size", type=number(int, 1, 10_000), default=128, help="palindromes per step")
    read = {"type": number(int, 1, 1000), "nargs": "+", "default": [128, 1000]}
    add("--read", **read, help="palindromes that are read at a time")
    add("--num_hidden", type=number(int, 1, 4096), default=128, help="hidden units")
    add("--rounds", type=number(int, 1, 1000), default=15, help="turns of each contender")
    add_run_flags(parser)
    return parser.parse_args()


def main():
    """Print one line for each length or batch size and contender."""
    args = parse_args()
    show_settings(args)
    torch.manual_seed(args.seed)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPU cores")

    print("                            contender       ms  times nn.LSTM's (median, from-to)")
    rows = [(f"training step, T = {T}", *training(T, args)) for T in sorted(set(args.lengths))]
    rows += [(f"reading 100 digits of {B}", reading(B, args), 1) for B in sorted(set(args.read))]
    for what, calls, repeats in rows:
        seconds = measure(calls, args.rounds, args.device)
        for name, values in seconds.items():
            ratios = [a / b for a, b in zip(values, seconds["nn.LSTM"], strict=True)]
            print(
                f"{what:>26}  {name:9}  {1000 * statistics.median(values) / repeats:7.2f}  "
                f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    run(main)
