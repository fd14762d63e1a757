"""Teach an LSTM written by hand, and a vanilla RNN, to predict the last digit of a palindrome.

    python train.py                          T = 5 and T = 20, three seeds each
    python train.py --seed 300 --seeds 40    the same with forty seeds

Into out_dir go accuracy.png and, for each length T, t<T>.csv and the weights of each network (those
of the first seed). The first command takes a minute on two cores. With forty seeds, every LSTM is
right on at least 99.98 % of unseen palindromes of T = 20, and the median RNN on 24.89 %.
"""

import argparse
import os
import statistics

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from tqdm import tqdm

from common import (
    BLUE,
    GREY,
    ORANGE,
    begin,
    grouped,
    make_parser,
    number,
    run_jobs,
    save_csv,
    save_figure,
    save_state,
)
from dataset import PalindromeDataset
from networks import NETWORKS, make_network
from rnn import STARTS

PRESETS = {"assignment": {"input_dim": 1, "bf": 0.0, "learning_rate": 0.001, "decay": False}}
CURVE_SIZE = 1000  # test palindromes used for the curve
EARLY = 20  # steps after each of which it is measured: at T = 5, most is learnt in these
SOLVED = 0.999  # the accuracy from which on a length counts as solved


def train(
    model, train_sets, steps, rate, *, decay=True, batch_size=128, max_norm=10.0, seed=0, watch=None
):
    """Train the model in place, and return it.

    Every step draws one of train_sets, and from it a batch. RMSprop minimises the cross-entropy
    after the last digit read; gradients are clipped to max_norm. With decay, the learning rate
    falls linearly from `rate` to zero. watch(step, loss), if given, is called before each step
    moves the weights, and after the last.
    """
    optimizer = torch.optim.RMSprop(model.parameters(), lr=rate)
    rng = np.random.default_rng(seed)  # draws the batches; the weights come from torch's generator
    for step in range(steps):
        if decay:
            optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        dataset = train_sets[rng.integers(len(train_sets))]
        batch = torch.from_numpy(rng.integers(len(dataset), size=batch_size))
        inputs, targets = dataset[batch]

        logits, _ = model(inputs)
        loss = F.cross_entropy(logits, targets)
        if watch:
            watch(step, loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    if watch:
        watch(steps, loss.item())
    return model


@torch.no_grad()
def accuracy(model, dataset, first=None, batch_size=1000):
    """Return the share in [0, 1] of right answers, on the first `first` items (None: all)."""
    items = torch.arange(len(dataset))[:first]
    right = 0
    for batch in items.split(batch_size):
        inputs, targets = dataset[batch]
        logits, _ = model(inputs)
        right += (logits.argmax(dim=1) == targets).sum().item()
    return right / len(items)


def parse_args(argv=None):
    """Return the checked flags."""
    parser = make_parser(__doc__)
    length, count, size = number(int, 2, 1000), number(int, 1, 10**6), number(int, 10, 10**7)
    positive, portion = number(float, 1e-9, 1e9), number(float, 0.1, 0.9)
    names, text = [*NETWORKS], "networks to train"
    parser.add_argument("--model", choices=names, nargs="+", default=names, help=text)
    text = "numbers of digits that are read, T - 1"
    parser.add_argument("--input_length", type=length, nargs="+", default=[4, 19], help=text)
    text = "numbers for a digit: 10 is one-hot"
    parser.add_argument("--input_dim", type=int, choices=(1, 10), default=10, help=text)
    parser.add_argument("--num_hidden", type=number(int, 1, 9999), default=128, help="hidden units")
    text = "start of the LSTM: bf = log U(1, max_lag), to forget slowly; 100 if there is no --bf"
    parser.add_argument("--max_lag", type=number(int, 1, 10**6), help=text)
    text = "start of the LSTM: this bias of its forget gates"
    parser.add_argument("--bf", type=number(float, -99, 99), help=text)
    text = "start of the RNN's recurrent matrix, Whh"
    parser.add_argument("--rnn_start", choices=STARTS, default="uniform", help=text)
    text = "palindromes of each length"
    parser.add_argument("--data_size", type=size, default=100_000, help=text)
    text = "share of them to train on; the rest is the test split"
    parser.add_argument("--portion_train", type=portion, default=0.8, help=text)
    parser.add_argument("--train_steps", type=count, default=500, help="training steps")
    parser.add_argument("--batch_size", type=count, default=128, help="palindromes in a step")
    text = "RMSprop's learning rate, at first"
    parser.add_argument("--learning_rate", type=positive, default=0.002, help=text)
    text = "whether the rate falls linearly to zero"
    parser.add_argument("--decay", action=argparse.BooleanOptionalAction, default=True, help=text)
    text = "norm to which gradients are clipped"
    parser.add_argument("--max_norm", type=positive, default=10.0, help=text)
    text = f"steps between measurements, from step {EARLY} on"
    parser.add_argument("--eval_every", type=count, default=10, help=text)
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=300, help="first seed")
    parser.add_argument("--seeds", type=count, default=3, help="how many: seed, seed + 1, ...")
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help="trainings at a time")
    text = ", ".join(f"{flag}={value}" for flag, value in PRESETS["assignment"].items())
    text = f"other defaults; assignment has {text}"
    parser.add_argument("--preset", choices=PRESETS, help=text)
    args = parser.parse_args(argv)
    parser.set_defaults(**PRESETS.get(args.preset, {}))
    return parser.parse_args(argv)


def fresh_network(name, seed, args):
    """Return the network of this name, "lstm" or "rnn", before its training with the flags args."""
    if name == "rnn":
        start = {"start": args.rnn_start}
    elif args.bf is None or args.max_lag is not None:
        start = {"max_lag": args.max_lag or 100}
    else:
        start = {"bf": args.bf}
    return make_network(name, seed, args.input_dim, args.num_hidden, **start)


def train_and_test(name, T, seed, args):
    """Train a fresh network of this name with the flags args; return it and its curve.

    The curve has rows with step, accuracy in [0, 1] and loss. It is measured on the first
    CURVE_SIZE test palindromes, its last point on all of them.
    """
    model = fresh_network(name, seed, args)
    dataset = PalindromeDataset(T - 1, args.data_size, args.input_dim == 10, seed)
    train_set, test_set = dataset.split(args.portion_train)
    curve = []

    def watch(step, loss):
        last = step == args.train_steps
        if last or step <= EARLY or step % args.eval_every == 0:
            share = accuracy(model, test_set, None if last else CURVE_SIZE)
            curve.append({"step": step, "accuracy": share, "loss": round(loss, 5)})

    train(
        model,
        [train_set],
        args.train_steps,
        args.learning_rate,
        decay=args.decay,
        batch_size=args.batch_size,
        max_norm=args.max_norm,
        seed=seed,
        watch=watch,
    )
    return model, curve


def measure(job):
    """Return the curve of a job (name, T, seed, args); save the weights of the first seed."""
    name, T, seed, args = job
    model, curve = train_and_test(name, T, seed, args)
    if seed == args.seed:
        save_state(args.out_dir / f"{name}_t{T}.pth", model.state_dict())
    return [{"network": name, "seed": seed} | point for point in curve]


def training_figure(curves):
    """Return a Figure: accuracy over the steps, a panel for each {T: points of all its curves}.

    Seeds are thin, their median is bold. An axis ends at step 60 if all are solved from there on.
    """
    figure = Figure(figsize=(1 + 4.8 * len(curves), 4.4), layout="constrained")
    grid = figure.subplots(1, len(curves), sharey=True, squeeze=False)
    for axes, (T, rows) in zip(grid.flat, curves.items(), strict=True):
        steps = sorted({row["step"] for row in rows})
        for name, color in ("lstm", BLUE), ("rnn", ORANGE):
            own = grouped([row for row in rows if row["network"] == name], "seed").values()
            lines = [[100 * row["accuracy"] for row in points] for points in own]
            for line in lines:
                axes.plot(steps, line, color=color, lw=0.6, alpha=0.45)
            if lines:
                median = [statistics.median(shares) for shares in zip(*lines, strict=True)]
                axes.plot(steps, median, color=color, lw=2.5, label=name.upper())
        least = min((row["accuracy"] for row in rows if row["step"] >= 60), default=0)
        shown = 60 if 60 in steps and least >= SOLVED else steps[-1]
        axes.axhline(10, color=GREY, ls="--", zorder=1)
        axes.text(0.98 * shown, 11, "chance", color=GREY, ha="right", va="bottom")
        n_seeds = len({row["seed"] for row in rows})
        title = f"T = {T}" + (f": {n_seeds} seeds, median bold" if n_seeds > 1 else "")
        axes.set(xlim=(0, shown), ylim=(0, 102), xlabel="training step", title=title)
    grid[0, 0].set_ylabel("accuracy on unseen palindromes (%)")
    grid[0, 0].legend(loc="lower right", bbox_to_anchor=(1, 0.15))
    return figure


def main():
    """Train each network at each length with each seed; draw the curves."""
    args = parse_args()
    begin(args)
    lengths, seeds = sorted({n + 1 for n in args.input_length}), range(args.seeds)
    names = sorted({*args.model})
    jobs = [(name, T, args.seed + n, args) for T in lengths for name in names for n in seeds]
    curves = {T: [] for T in lengths}
    for (name, T, seed, _), curve in zip(jobs, run_jobs(measure, jobs, args.jobs), strict=True):
        tqdm.write(f"{name}, T = {T}, seed {seed}: right on {curve[-1]['accuracy']:.2%}")
        curves[T] += curve
    for T, rows in curves.items():
        save_csv(args.out_dir / f"t{T}.csv", rows)
    save_figure(args.out_dir / "accuracy.png", training_figure(curves), [*curves.values()])
    print(f"figures, numbers and weights are in {args.out_dir}")


if __name__ == "__main__":
    main()
