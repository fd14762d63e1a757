"""What does the LSTM buy? Accuracy over training steps: four networks, two training regimes.

    python memory.py                                 the experiment: memory.png and its table
    python memory.py --networks lstm                 a part of it
    python memory.py --grid                          how the learning rates were chosen
    python memory.py --save_dir DIR                  the two networks of the proof

Regime "alone": trained on palindromes of T = 40 and tested on others of T = 40. "mixed": trained on
lengths drawn from 5 to 40 and tested at T = 1,000. Each point is a training of its own, whose
learning rate falls to zero. Once all seeds reach 99.9 % for two numbers of steps, longer trainings
are skipped. Each network has csv files of its own in out_dir, and what stands there is not trained
again: a run that was interrupted goes on, and different networks can run side by side.

The first command takes 70 minutes on one core of an AMD EPYC, --grid 65.
"""

import csv
import statistics
import time
from pathlib import Path

import torch

from common import (
    InputError,
    add_run_flags,
    begin,
    make_folder,
    make_parser,
    number,
    print_heads,
    print_row,
    run,
    save,
    save_csv,
    save_weights,
)
from dataset import PalindromeDataset
from figures import memory_figure
from train import NETWORKS, SOLVED, accuracy, make_model, train

LONGEST = 40  # digits of the training palindromes
STEPS = (250, 500, 1000, 2000, 4000)
SEEDS = range(300, 305)  # of the reported results
GRID_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
GRID_STEPS = {  # 1,000 for an LSTM that solves it by then: with more, several rates tie
    "alone": {"rnn": 2000, "rnn_orthogonal": 2000, "lstm": 2000, "lstm_chrono": 1000},
    "mixed": {"rnn": 2000, "rnn_orthogonal": 2000, "lstm": 1000, "lstm_chrono": 1000},
}
GRID_SEEDS = range(3)  # used to choose the learning rates
LEARNING_RATES = {  # the best of --grid, the smallest where several are the best
    "alone": {"rnn": 1e-3, "rnn_orthogonal": 3e-4, "lstm": 3e-3, "lstm_chrono": 3e-3},
    "mixed": {"rnn": 1e-3, "rnn_orthogonal": 1e-3, "lstm": 3e-3, "lstm_chrono": 3e-3},
}
KEY = {"way": str, "learning_rate": float, "steps": int, "seed": int}  # a training's columns
MEASURED = {"accuracy": float, "seconds": float}
TEST_LENGTHS = (20, 100, 1000, 10_000, 100_000, 1_000_000)  # of --save_dir


def palindromes(T, total_len, seed):
    """Return at most total_len palindromes of T digits, one-hot."""
    return PalindromeDataset(T - 1, total_len, one_hot=True, seed=seed)


def make_data(way, seed):
    """Return the training sets and the test set of a training regime, "alone" or "mixed"."""
    if way == "alone":
        train_set, test_set = palindromes(LONGEST, 100_000, seed).split(0.8)
        return [train_set], test_set
    datasets = [palindromes(T, 5000, seed) for T in range(5, LONGEST + 1)]
    return [dataset.split(0.8)[0] for dataset in datasets], palindromes(1000, 1000, seed)


def train_network(network, train_sets, steps, learning_rate, seed, device):
    """Return a network of NETWORKS, trained."""
    torch.manual_seed(seed)
    model = make_model(*NETWORKS[network], LONGEST).to(device)
    train(model, train_sets, steps, learning_rate, seed=seed, label=f"{network}, {steps} steps")
    return model


def measure(network, way, learning_rate, steps, seed, device):
    """Train and test a network; return {"accuracy", "seconds"}, the seconds of the training."""
    train_sets, test_set = make_data(way, seed)
    start = time.perf_counter()
    model = train_network(network, train_sets, steps, learning_rate, seed, device)
    seconds = round(time.perf_counter() - start, 1)
    return {"accuracy": accuracy(model, test_set), "seconds": seconds}


class Trainings:
    """The trainings of one network, kept in a csv file: each is measured once."""

    def __init__(self, network, path, device):
        self.network, self.path, self.device = network, path, device
        self.rows = []
        if path.exists():
            kinds = KEY | MEASURED
            try:
                with open(path, newline="") as file:
                    rows = list(csv.DictReader(file))
                self.rows = [{key: kinds[key](row[key]) for key in kinds} for row in rows]
            except (OSError, csv.Error, ValueError, TypeError, KeyError) as error:
                raise InputError(f"{path}: not a table of memory.py; remove it") from error

    def rows_for(self, way, learning_rate, steps, seeds):
        """Return the rows of these seeds; train those that are not in the file yet."""
        found = []
        for seed in seeds:
            key = {"way": way, "learning_rate": learning_rate, "steps": steps, "seed": seed}
            rows = [row for row in self.rows if all(row[k] == key[k] for k in key)]
            if not rows:
                rows = [key | measure(self.network, **key, device=self.device)]
                self.rows += rows
                save_csv(self.path, self.rows)
            found += rows
        return found


def print_grid(trainings):
    """Print the mean accuracy of each learning rate, and which of them is the best."""
    print_heads("trained", "network", "steps", *(f"{rate:g}" for rate in GRID_RATES), "best")
    for way in LEARNING_RATES:
        for network, table in trainings.items():
            steps = GRID_STEPS[way][network]
            means = []
            for rate in GRID_RATES:
                rows = table.rows_for(way, rate, steps, GRID_SEEDS)
                means.append(statistics.mean(row["accuracy"] for row in rows))
            best = GRID_RATES[means.index(max(means))]
            cells = [f"{mean:.2%}" for mean in means]
            print_row(way, network, f"{steps:,}", *cells, f"{best:g}")


def curve(table, way):
    """Return [(steps, accuracies of the seeds, mean seconds)] of the table's network."""
    points, solved = [], 0
    for steps in STEPS:
        if solved == 2:
            break
        rows = table.rows_for(way, LEARNING_RATES[way][table.network], steps, SEEDS)
        shares = [row["accuracy"] for row in rows]
        points.append((steps, shares, statistics.mean(row["seconds"] for row in rows)))
        solved += min(shares) >= SOLVED
    return points


def print_curves(curves):
    """Print two tables: accuracy after each number of steps, and the steps until all solve it."""
    print_heads(
        "trained", "network", f"of {len(SEEDS)} seeds", *(f"{steps:,} steps" for steps in STEPS)
    )
    for (way, network), points in curves.items():
        missing = [""] * (len(STEPS) - len(points))  # not trained
        for name, function in (("worst", min), ("median", statistics.median)):
            print_row(way, network, name, *(f"{function(at[1]):.2%}" for at in points), *missing)
    print()
    until = "steps until all seeds >= 99.9 %"
    print_heads("trained", "network", "learning rate", until, "seconds")
    for (way, network), points in curves.items():
        solved = [point for point in points if min(point[1]) >= SOLVED]
        if solved:
            steps, _, seconds = solved[0]
            cells = f"{steps:,}", f"{seconds:.0f}"
        else:
            cells = f"more than {STEPS[-1]:,}", ""
        print_row(way, network, f"{LEARNING_RATES[way][network]:g}", *cells)


def save_networks(args):
    """Train the two networks of the proof, save them, and test them on ever longer palindromes."""
    make_folder(args.save_dir)
    train_sets, _ = make_data("mixed", args.seed)
    print_heads("network", "T", "accuracy", "palindromes")
    for network in ("rnn", "lstm"):
        rate = LEARNING_RATES["mixed"][network]
        model = train_network(network, train_sets, args.steps, rate, args.seed, args.device)
        save_weights(args.save_dir / f"palindrome_{network}.pth", model)
        for T in args.lengths:
            total_len = max(64, min(1000, 1_000_000 // T))  # fewer long ones, for time's sake
            if T <= LONGEST:  # held out from the training
                test_set = palindromes(T, 5000, args.seed).split(0.8)[1]
            else:
                test_set = palindromes(T, total_len, args.seed)
            share = accuracy(model, test_set)
            print_row(network, f"{T:,}", f"{share:.2%}", f"{len(test_set):,}")
    print(f"palindrome_rnn.pth and palindrome_lstm.pth are in {args.save_dir}")


def parse_args():
    """Return the checked flags."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--networks", choices=NETWORKS, nargs="+", default=[*NETWORKS], help="which to compare")
    instead = parser.add_mutually_exclusive_group().add_argument
    instead("--grid", action="store_true", help="compare learning rates, on seeds 0 to 2")
    instead(
        "--save_dir", type=Path, help="train the networks of the proof instead, into this folder"
    )
    only = "with --save_dir: "
    add("--steps", type=number(int, 1, 1_000_000), default=4000, help=only + "training steps")
    lengths = {"type": number(int, 5, 10_000_000), "nargs": "*", "default": TEST_LENGTHS}
    add("--lengths", **lengths, help=only + "test lengths T")
    add_run_flags(parser)
    args = parser.parse_args()
    for flag in ("seed", "steps", "lengths"):
        if getattr(args, flag) != parser.get_default(flag) and not args.save_dir:
            parser.error(f"argument --{flag}: needs --save_dir; otherwise it is fixed")
    return args


def main():
    """Run the experiment, its grid, or the training of the two networks of the proof."""
    args = parse_args()
    begin(args)
    if args.save_dir:
        save_networks(args)
        return
    kind = "grid" if args.grid else "memory"
    trainings = {
        network: Trainings(network, args.out_dir / f"{kind}_{network}.csv", args.device)
        for network in NETWORKS
        if network in args.networks
    }
    if args.grid:
        print_grid(trainings)
        return
    curves = {
        (way, network): curve(table, way)
        for way in LEARNING_RATES
        for network, table in trainings.items()
    }
    print_curves(curves)
    save(args.out_dir / "memory.png", memory_figure(curves).savefig)
    print(f"memory.png and the numbers behind it are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
