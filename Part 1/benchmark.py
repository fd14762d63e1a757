"""Seconds per training step, and for reading: LSTM and FastLSTM beside torch.nn.LSTM.

    python benchmark.py

What is timed is what the scripts call: train.train, from drawing the batch to the optimizer's step,
and train.evaluate. The contenders alternate in one process, so that a slow moment of the machine
meets all of them; the ratios are medians over the rounds. Takes 35 s on two cores of an Intel Xeon.
"""

import os
import platform
import statistics
import time
from pathlib import Path

import torch
from common import add_run_flags, make_parser, number, run, show_settings
from dataset import PalindromeDataset, how_many
from fast_lstm import FastLSTM
from lstm import LSTM
from torch import nn
from train import evaluate, train


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


CONTENDERS = {"nn.LSTM": TorchLSTM, "LSTM": LSTM, "FastLSTM": FastLSTM}


def training(network, T, args):
    """A function that trains a network for some steps, and their number."""
    model = network(10, args.num_hidden, 10).to(args.device)
    dataset = PalindromeDataset(T - 1, min(1000, how_many(T)), one_hot=True)
    steps, size = max(5, 100 // T), args.batch_size
    return lambda: train(model, [dataset], None, steps, batch_size=size, learning_rate=1e-4), steps


def reading(network, batch_size, args):
    """A function that reads 100 digits of each palindrome, and how often it does: once."""
    model = network(10, args.num_hidden, 10).to(args.device)
    dataset = PalindromeDataset(100, batch_size, one_hot=True)
    return lambda: evaluate(model, dataset, batch_size=batch_size), 1


def measure(calls, rounds, on):
    """Seconds of each call, in turns: {name: [a value for each round]}."""
    synchronize = torch.cuda.synchronize if on.type == "cuda" else lambda: None
    seconds = {name: [] for name in calls}
    for n in range(rounds + 1):
        for name, call in calls.items():
            synchronize()
            start = time.perf_counter()
            call()
            synchronize()
            if n > 0:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def hardware(on):
    """The name of the processor or of the GPU."""
    if on.type == "cuda":
        return torch.cuda.get_device_name(on)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    """Print one line for each length or batch size and contender."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add(
        "--lengths",
        type=number(int, 2, 1000),
        nargs="+",
        default=[5, 20, 100],
        help="palindrome lengths of the training",
    )
    add("--batch_size", type=number(int, 1, 10_000), default=128, help="palindromes per step")
    add(
        "--read",
        type=number(int, 1, 10_000),
        nargs="+",
        default=[128, 1000],
        help="palindromes that are read at a time",
    )
    add("--num_hidden", type=number(int, 1, 4096), default=128, help="hidden units")
    add("--rounds", type=number(int, 1, 1000), default=15, help="turns of each contender")
    add_run_flags(parser)
    args = parser.parse_args()
    show_settings(args)
    torch.manual_seed(args.seed)
    print(f"{hardware(args.device)}, {os.cpu_count()} CPU cores")

    print("                            contender       ms  times nn.LSTM's (median, from-to)")
    rows = [(f"training step, T = {T}", training, T) for T in args.lengths]
    rows += [(f"reading 100 digits of {B}", reading, B) for B in args.read]
    for what, make, size in rows:
        calls = {}
        for name, network in CONTENDERS.items():
            calls[name], repeats = make(network, size, args)
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
