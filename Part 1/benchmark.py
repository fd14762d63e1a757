"""Time of a training step and of reading: LSTM beside torch.nn.LSTM, RNN and the products alone.

    python benchmark.py

What is timed is what the scripts call: train.train, from drawing the batch to the optimizer's step,
and train.accuracy. "products" are the matrix products of the loop over time and nothing else, three
for each digit in training (one forward, two backward), one in reading. The contenders alternate in
one process, so that a slow moment of the machine meets all of them; the ratios are medians over the
rounds. Takes some 40 s on two cores, on the CPU.
"""

import os
import platform
import statistics
import time
from functools import partial

import torch
from torch import nn

from common import begin, make_parser, number, run
from dataset import PalindromeDataset
from lstm import LSTM
from rnn import VanillaRNN
from train import accuracy, train

BATCH_SIZE, H = 128, 128  # palindromes in a training step, hidden units


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


def products(batch_size, times, both_ways):
    """Return a function that computes the products of `times` digits, forward or both ways."""
    xh, W = torch.randn(batch_size, 10 + H), torch.randn(10 + H, 4 * H)
    dz = torch.randn(batch_size, 4 * H)  # the gradient at W's product

    def multiply():
        for _ in range(times):
            torch.mm(xh, W)
            if both_ways:
                torch.mm(dz, W.T)
                torch.mm(xh.T, dz)

    return multiply


def contenders(work, its_products):
    """Return {contender: a function that works once}; work takes a model."""
    models = {"nn.LSTM": TorchLSTM, "LSTM": LSTM, "RNN": VanillaRNN}
    works = {name: partial(work, model(10, H, 10)) for name, model in models.items()}
    return works | {"products": its_products}


def training(T, steps):
    """Return the contenders; each call trains at T for so many steps."""
    dataset = PalindromeDataset(T - 1, 1000, one_hot=True)
    return contenders(
        lambda model: train(model, [dataset], steps, 1e-4, batch_size=BATCH_SIZE),
        products(BATCH_SIZE, steps * (T - 1), both_ways=True),
    )


def reading(batch_size):
    """Return the contenders; each call reads 100 digits of batch_size palindromes."""
    dataset = PalindromeDataset(100, batch_size, one_hot=True)
    return contenders(
        lambda model: accuracy(model, dataset), products(batch_size, 100, both_ways=False)
    )


def measure(calls, rounds):
    """Return the seconds of each call, in turns: {name: [a value for each round]}."""
    seconds = {name: [] for name in calls}
    for n in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if n > 0:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main():
    """Print one line for each length or batch size and contender."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    lengths = {"type": number(int, 2, 1000), "nargs": "+", "default": [5, 20, 100]}
    add("--lengths", **lengths, help="palindrome lengths of the training")
    add("--rounds", type=number(int, 1, 1000), default=15, help="turns of each contender")
    args = parser.parse_args()
    begin(args)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPU cores")

    print("                            contender       ms  ratio to nn.LSTM (median, range)")
    rows = []  # (title, contenders, steps in a call)
    for T in sorted(set(args.lengths)):
        steps = max(5, 100 // T)
        rows.append((f"training step, T = {T}", training(T, steps), steps))
    for batch_size in (128, 1000):
        rows.append((f"reading 100 digits of {batch_size}", reading(batch_size), 1))
    for what, calls, steps in rows:
        seconds = measure(calls, args.rounds)
        for name, values in seconds.items():
            ratios = [a / b for a, b in zip(values, seconds["nn.LSTM"], strict=True)]
            print(
                f"{what:>26}  {name:9}  {1000 * statistics.median(values) / steps:7.2f}  "
                f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f})"
            )


if __name__ == "__main__":
    run(main)
