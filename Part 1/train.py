"""Teach an LSTM written by hand, and a vanilla RNN, to predict the last digit of a palindrome.

    python train.py                                   T = 5 and T = 20, three seeds each
    python train.py --seeds 40 --out_dir run/forty    the same with forty seeds

Into out_dir go settings.txt, accuracy.png and, for each length T, t<T>.csv and the weights of each
network (those of the first seed). The curves and weights of a training are saved as soon as it is
finished. The first command takes a minute on two cores. With forty seeds, every LSTM is right on at
least 99.98 % of unseen palindromes of T = 20, and the median RNN on 24.89 %.
"""

import argparse
import sys

import numpy as np
import torch
import torch.nn.functional as F
from joblib import cpu_count
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
    parser.add_argument("--model", choices=NETWORKS, nargs="+", default=[*NETWORKS], help="models")
    text = "numbers of digits that are read, T - 1"
    parser.add_argument("--input_length", type=length, nargs="+", default=[4, 19], help=text)
    parser.add_argument("--input_dim", type=int, choices=(1, 10), default=10, help="10 is one-hot")
    parser.add_argument("--num_hidden", type=number(int, 1, 9999), default=128, help="hidden units")
    text = "start of the LSTM: bias of all forget gates; without, log U(1, 100) for each"
    parser.add_argument("--bf", type=number(float, -99, 99), help=text)
    parser.add_argument("--rnn_start", choices=STARTS, default="uniform", help="Whh of the RNN")
    parser.add_argument("--data_size", type=size, default=100_000, help="palindromes of a length")
    text = "share of them to train on; the rest is the test split"
    parser.add_argument("--portion_train", type=portion, default=0.8, help=text)
    parser.add_argument("--train_steps", type=count, default=500, help="training steps")
    parser.add_argument("--batch_size", type=count, default=128, help="palindromes in a step")
    parser.add_argument("--learning_rate", type=positive, default=0.002, help="RMSprop's, at first")
    text = "whether the rate falls linearly to zero"
    parser.add_argument("--decay", action=argparse.BooleanOptionalAction, default=True, help=text)
    parser.add_argument("--max_norm", type=positive, default=10.0, help="limit of gradients' norm")
    text = f"steps between measurements, from step {EARLY} on"
    parser.add_argument("--eval_every", type=count, default=10, help=text)
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=300, help="first seed")
    parser.add_argument("--seeds", type=count, default=3, help="how many: seed, seed + 1, ...")
    parser.add_argument("--jobs", type=count, default=cpu_count(), help="trainings at a time")
    parser.add_argument("--preset", choices=PRESETS, help=f"other defaults: {PRESETS}")
    args = parser.parse_args(argv)
    parser.set_defaults(**PRESETS.get(args.preset, {}))
    args = parser.parse_args(argv)
    args.model, args.input_length = sorted({*args.model}), sorted({*args.input_length})
    return args


def settings_of(args):
    """Return {name: value} of all that decides a curve but the network, its length and the seed."""
    free = "out_dir", "jobs", "preset", "seed", "seeds"
    settings = {name: value for name, value in vars(args).items() if name not in free}
    return settings | {"curve_size": CURVE_SIZE, "early": EARLY}


def train_and_test(name, T, seed, settings):
    """Train a fresh network of this name with settings of settings_of; return it and its curve.

    The curve has rows with step, accuracy in [0, 1] and loss. It is measured on the first
    curve_size test palindromes, its last point on all of them.
    """
    input_dim, steps = settings["input_dim"], settings["train_steps"]
    start = settings["bf"], settings["rnn_start"]
    model = make_network(name, seed, input_dim, settings["num_hidden"], *start)
    dataset = PalindromeDataset(T - 1, settings["data_size"], input_dim == 10, seed)
    train_set, test_set = dataset.split(settings["portion_train"])
    curve = []

    def watch(step, loss):
        last = step == steps
        if last or step <= settings["early"] or step % settings["eval_every"] == 0:
            share = accuracy(model, test_set, None if last else settings["curve_size"])
            curve.append({"step": step, "accuracy": share, "loss": round(loss, 5)})

    train(
        model,
        [train_set],
        steps,
        settings["learning_rate"],
        decay=settings["decay"],
        batch_size=settings["batch_size"],
        max_norm=settings["max_norm"],
        seed=seed,
        watch=watch,
    )
    return model, curve


def training_figure(curves):
    """Return a Figure: accuracy over the steps, a panel for each {T: points of all its curves}.

    Seeds are thin, their median is bold; the title counts those that are solved at the end. An axis
    ends at step 60 if all are solved from there on.
    """
    figure = Figure(figsize=(1 + 4.8 * len(curves), 4.4), layout="constrained")
    grid = figure.subplots(1, len(curves), sharey=True, squeeze=False)
    for axes, (T, rows) in zip(grid.flat, curves.items(), strict=True):
        late = [row["accuracy"] for row in rows if row["step"] >= 60]
        if min(late, default=0) >= SOLVED:
            rows = [row for row in rows if row["step"] <= 60]
        steps = sorted({row["step"] for row in rows})
        solved = []
        for name, color in ("lstm", BLUE), ("rnn", ORANGE):
            points = grouped([row for row in rows if row["network"] == name], "seed").values()
            if points:
                shares = 100 * np.array([[row["accuracy"] for row in own] for own in points])
                axes.plot(steps, shares.T, color=color, lw=0.6, alpha=0.45)
                axes.plot(steps, np.median(shares, axis=0), color=color, lw=2.5, label=name.upper())
                n_solved = (shares[:, -1] >= 100 * SOLVED).sum()
                solved.append(f"{n_solved} of {len(shares)} {name.upper()}s")
        axes.axhline(10, color=GREY, ls="--", zorder=1)
        axes.text(0.98 * steps[-1], 11, "chance", color=GREY, ha="right", va="bottom")
        axes.set_title(f"{T} digits solved: {', '.join(solved)}", fontsize=13)
        axes.set(xlim=(0, steps[-1]), ylim=(0, 102), xlabel="training step")
    grid[0, 0].set_ylabel("right on unseen palindromes, %")
    grid[0, 0].legend(loc="lower right", bbox_to_anchor=(1, 0.15))
    return figure


def save_settings(args):
    """Save all settings in out_dir; exit if it holds a run with others."""
    settings, path = settings_of(args), args.out_dir / "settings.txt"
    settings |= {"seed": args.seed, "seeds": args.seeds}
    lines = [f"{name}={value}" for name, value in settings.items()]
    known = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    if known not in ([], lines):
        was = " ".join(line for line in known if line not in lines)
        now = " ".join(line for line in lines if line not in known)
        text = f"holds a run with {was:.300} (now {now:.300}); take another folder"
        sys.exit(f"--out_dir {args.out_dir}: {text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    """Train each network at each length with each seed; draw the curves."""
    args = parse_args()
    begin(args)
    save_settings(args)
    curves = {n + 1: [] for n in args.input_length}
    seeds = range(args.seed, args.seed + args.seeds)
    jobs = [(name, T, seed) for T in curves for name in args.model for seed in seeds]
    jobs = {job: (*job, settings_of(args)) for job in jobs}
    for (name, T, seed), (model, curve) in run_jobs(train_and_test, jobs, args.jobs):
        tqdm.write(f"{name}, T = {T}, seed {seed}: right on {curve[-1]['accuracy']:.2%}")
        curves[T] += [{"network": name, "seed": seed} | point for point in curve]
        curves[T].sort(key=lambda row: (row["network"], row["seed"]))
        save_csv(args.out_dir / f"t{T}.csv", curves[T])
        if seed == args.seed:
            save_state(args.out_dir / f"{name}_t{T}.pth", model.state_dict())
    save_figure(args.out_dir / "accuracy.png", training_figure(curves), [*curves.values()])
    print(f"figures, numbers and weights are in {args.out_dir}")


if __name__ == "__main__":
    main()
