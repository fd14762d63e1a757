"""Who learns the first digit soon? A network that has a trace of it before the training.

    python study_start.py                                  all trainings, an hour of a core
    python study_start.py --only rates --seeds 1           one experiment, one seed
    python study_start.py --rows results/start_rows.csv    tables and figure, in seconds

Take a fresh network and a random sequence, and change only the first digit, to each of the ten. How
far apart are the last states of the two digits that are least told apart? Divided by the same for
the last digit, this is the trace. All RNNs are trained alike, and all LSTMs.
"""

import copy
import statistics
from typing import NamedTuple

import torch

from common import begin, make_parser, number, run
from dataset import PalindromeDataset
from figures import start_figure
from rows import add_study_flags, grouped, save_csv, save_figure, study_rows
from starts import fresh, trace
from train import accuracy, train

N_SEQUENCES = 48
BINS = (0, 0.01, 0.1, 0.25)  # of traces; fixed before these networks were trained
LEARNT = 0.99  # the accuracy from which on a network has learnt the digit
# What starts.fresh builds, and the length T of its palindromes: (network, start, size, T).
KNOWN = [
    *(("RNN", "uniform", size, 20) for size in (0.7, 1, 1.4, 1.8, 2.2, 3, 4, 6)),
    *(("RNN", "orthogonal", size, 20) for size in (0.6, 0.7, 0.8, 0.9, 1)),
    *(("RNN", "identity", size, 20) for size in (0.6, 0.7, 0.8, 0.9, 1)),
    *(("RNN", "directions", size, 20) for size in (1, 2, 4, 8, 16, 32)),
    *(("RNN", "uniform", 1, T) for T in (5, 8, 10, 12, 14)),
    *(("RNN", "uniform", 1.4, T) for T in (10, 15, 30, 40)),
    *(("RNN", "orthogonal", size, 40) for size in (0.8, 0.9, 1)),
    *(("LSTM", "bf", size, 20) for size in (-2, -1, 0, 1, 2, 3)),
    *(("LSTM", "lag", size, 20) for size in (3, 10, 100)),
    *(("LSTM", "bf", 0, T) for T in (5, 8, 10, 12, 15)),
    *(("LSTM", "bf", 1, T) for T in (12, 15, 30, 40)),
    *(("LSTM", "bf", 3, 40), ("LSTM", "lag", 100, 40)),
]
NEW = [  # to test the bins, which were found with starts like KNOWN
    *(("RNN", "permutation", 1, 20), ("RNN", "shift", 1, 20), ("RNN", "signs", 0.75, 20)),
    *(("RNN", "gaussian", 0.8, 20), ("LSTM", "half", 4, 20)),
]
LONGER = [("RNN", "uniform", 1, 20), ("LSTM", "bf", -1, 20)]
RIVALS = [("RNN", "identity", 1, 20), ("RNN", "orthogonal", 1, 20), ("LSTM", "lag", 100, 20)]
EXPERIMENTS = {"known": KNOWN, "new": NEW, "longer": LONGER, "rates": RIVALS}
RATES = (1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)


class Job(NamedTuple):
    """A network, how it starts, and how it is trained."""

    experiment: str
    network: str
    start: str
    size: float
    T: int
    steps: int
    rate: float
    seed: int


COLUMNS = Job.__annotations__ | {"trace": number(float, 0), "accuracy": number(float, 0, 1)}


def jobs_of(experiment, args):
    """Return the jobs of an experiment, a name of EXPERIMENTS."""
    jobs = []
    for network, start, size, T in EXPERIMENTS[experiment]:
        steps, rates, seeds = (500, [3e-4], 5) if network == "RNN" else (1000, [1e-3], 3)
        if experiment == "longer":
            steps, seeds = 4000, 3
        if experiment == "rates":
            steps, rates, seeds = 500, RATES, 3
        for rate in rates:
            for seed in range(args.seed, args.seed + (args.seeds or seeds)):
                jobs.append(Job(experiment, network, start, float(size), T, steps, rate, seed))
    return jobs


def measure(job):
    """Look at a fresh network, then train it; return its row, in a list."""
    model = fresh(job.network, job.start, job.size, job.seed)
    rng = torch.Generator().manual_seed(job.seed)
    digits = torch.randint(10, (N_SEQUENCES, job.T - 1), generator=rng)
    row = job._asdict() | {"trace": trace(copy.deepcopy(model).double(), digits)}
    dataset = PalindromeDataset(job.T - 1, 100_000, one_hot=True, seed=job.seed)
    train_set, test_set = dataset.split(0.8)
    train(model, [train_set], job.steps, job.rate, seed=job.seed)
    return [row | {"accuracy": accuracy(model, test_set)}]


def bins_table(rows):
    """Return a row for each kind of network: of each bin of traces, how many have learnt."""
    kept = [row for row in rows if row["experiment"] in ("known", "new")]
    table = []
    for (experiment, network), some in grouped(kept, "experiment", "network").items():
        line = {"network": network + ", new starts" * (experiment == "new")}
        for low, high in zip(BINS, [*BINS[1:], float("inf")], strict=True):
            shares = [row["accuracy"] for row in some if low <= row["trace"] < high]
            learnt = sum(share >= LEARNT for share in shares)
            name = f"{low:g} to {high:g}" if high < 1 else f"above {low:g}"
            line[name] = f"{learnt} of {len(shares)}" if shares else ""
        table.append(line)
    return table


def starts_table(rows):
    """Return a row for each start: the median trace, and the accuracies of its seeds, in %."""
    columns = "network", "start", "size", "T", "steps"
    kept = [row for row in rows if row["experiment"] != "rates"]
    table = []
    for values, some in grouped(kept, *columns).items():
        shares = [100 * row["accuracy"] for row in some]
        line = dict(zip(columns, values, strict=True))
        line["trace"] = f"{statistics.median(row['trace'] for row in some):.1g}"
        line["worst, %"] = f"{min(shares):.1f}"
        line["median, %"] = f"{statistics.median(shares):.1f}"
        line["best, %"] = f"{max(shares):.1f}"
        table.append(line)
    return table


def rates_table(rows):
    """Return a row for each rival: the worst accuracy at each rate, in %."""
    kept = [row for row in rows if row["experiment"] == "rates"]
    table = []
    for (network, start), some in grouped(kept, "network", "start").items():
        line = {"network": network, "start": start}
        for (rate,), seeds in sorted(grouped(some, "rate").items()):
            line[f"{rate:g}"] = f"{100 * min(row['accuracy'] for row in seeds):.1f}"
        table.append(line)
    return table


TABLES = {"start": bins_table, "start_each": starts_table, "start_rates": rates_table}


def main():
    """Measure, or read what was measured; show it."""
    parser = make_parser(__doc__)
    add_study_flags(parser, EXPERIMENTS, seed=300)
    args = parser.parse_args()
    begin(args)
    jobs = [job for experiment in args.only for job in jobs_of(experiment, args)]
    rows = study_rows(args, args.out_dir / "start_rows.csv", COLUMNS, measure, jobs)
    for name, table in TABLES.items():
        if lines := table(rows):
            save_csv(args.out_dir / f"{name}.csv", lines, show=True)
    save_figure(args.out_dir / "start.png", start_figure(rows), rows)
    print(f"tables and figure are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
