"""Seconds per training step of the LSTM beside torch.nn.LSTM, and beside eight linear layers.

    python benchmark.py

The contenders alternate in one process, so that a slow moment of the machine meets all of them;
the ratios are medians over the rounds. Takes about 20 s on two CPU cores.
"""

import os
import platform
import statistics
import time
from pathlib import Path

import torch
from common import add_run_flags, make_parser, number, run, show_settings
from lstm import LSTM
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

D = 10  # one-hot digits


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


class EightLinears(nn.Module):
    """The LSTM as it is usually written: eight linear layers in every step."""

    def __init__(self, input_dim, hidden_dim, output_dim):
        super().__init__()
        self.x = nn.ModuleList(nn.Linear(input_dim, hidden_dim) for _ in "gifo")
        self.h = nn.ModuleList(nn.Linear(hidden_dim, hidden_dim, bias=False) for _ in "gifo")
        self.out = nn.Linear(hidden_dim, output_dim)

    def forward(self, x, state=None):
        """See LSTM.forward."""
        h, c = state or (x.new_zeros(len(x), self.out.in_features),) * 2
        for x_t in x.unbind(dim=1):
            g, i, f, o = (Wx(x_t) + Wh(h) for Wx, Wh in zip(self.x, self.h, strict=True))
            c = torch.tanh(g) * torch.sigmoid(i) + c * torch.sigmoid(f)
            h = torch.tanh(c) * torch.sigmoid(o)
        return self.out(h), (h, c)


CONTENDERS = {"ours": LSTM, "nn.LSTM": TorchLSTM, "eight linears": EightLinears}


def digits(B, T, on):
    """B random sequences of T one-hot digits."""
    return torch.eye(D, device=on)[torch.randint(D, (B, T), device=on)]


def training_step(network, T, args):
    """A function that does one step as train.py does it: forward, backward, clip, RMSprop."""
    model = network(D, args.num_hidden, 10).to(args.device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-4)
    x = digits(args.batch_size, T - 1, args.device)
    targets = x[:, 0].argmax(dim=1)

    def step():
        logits, _ = model(x)
        loss = cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def reading(network, piece, args):
    """A function that reads a piece of a long sequence and keeps the state, without gradients."""
    model = network(D, args.num_hidden, 10).to(args.device)
    x, state = digits(args.batch_size, piece, args.device), None

    @torch.no_grad()
    def read():
        nonlocal state
        _, state = model(x, state)

    return read


def measure(contenders, repeats, args, label):
    """Seconds per call of each contender, in turns: a list with one value per round."""
    synchronize = torch.cuda.synchronize if args.device.type == "cuda" else lambda: None
    seconds = {name: [] for name in contenders}
    for n in tqdm(range(args.rounds + 1), desc=label, disable=None, leave=False):
        for name, call in contenders.items():
            synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            synchronize()
            if n > 0:  # the first round warms up
                seconds[name].append((time.perf_counter() - start) / repeats)
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
    """Print one line for each length and contender."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add(
        "--lengths",
        type=number(int, 2, 1000),
        nargs="+",
        default=[5, 20, 100],
        help="palindrome lengths",
    )
    add("--batch_size", type=number(int, 1, 10_000), default=128, help="palindromes per step")
    add("--num_hidden", type=number(int, 1, 4096), default=128, help="hidden units")
    add("--rounds", type=number(int, 1, 1000), default=15, help="turns of each contender")
    add_run_flags(parser)
    args = parser.parse_args()
    show_settings(args)
    torch.manual_seed(args.seed)
    print(f"{hardware(args.device)}, {os.cpu_count()} CPU cores")

    print("                 T  contender         ms/step  ours takes (median, from-to)")
    rows = [(f"training, {T}", T, training_step) for T in args.lengths] + [
        ("reading", 100, reading)
    ]
    for what, T, make in rows:
        calls = {name: make(network, T, args) for name, network in CONTENDERS.items()}
        seconds = measure(calls, max(1, 100 // T), args, what)
        for name, values in seconds.items():
            ratios = [a / b for a, b in zip(seconds["ours"], values, strict=True)]
            line = f"{what:>18}  {name:13}  {1000 * statistics.median(values):10.2f}"
            if name != "ours":
                line += f"  {statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f})"
            if make is reading:
                line += f"  {args.batch_size * T / statistics.median(values):12,.0f} digits/s"
            print(line, flush=True)


if __name__ == "__main__":
    run(main)
