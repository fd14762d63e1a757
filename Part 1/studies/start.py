"""Which fresh networks will learn the first digit? Those in which it leaves a trace.

    python -m studies.start                                  the report's, in seconds
    python -m studies.start --only chosen --seed 400         five other seeds of every start

Take a fresh network and a random sequence, and change only the first digit, to each of the ten. How
far apart are the last states of the two digits that are least told apart? Divided by the same for
the last digit, this is the trace. Each start is trained at its own rate, chosen with the seeds 0 to
2; the seeds 300 to 304 are shown.
"""

import copy
import itertools
import statistics

import torch
from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped, save_figure, save_table
from dataset import PalindromeDataset, encode
from networks import make_network
from studies.cells import make_constant
from studies.lengths import best_rate
from studies.runner import study
from studies.settings import summary
from train import SOLVED, accuracy, train

N_SEQUENCES = 48
T, STEPS = 20, 500
SCAN = (3e-4, 6e-4, 1e-3, 2e-3)  # rates tried
MANY = (1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
CHOSEN = {  # {(network, start, size): the rate that best_rate finds in the rows of "rates"}
    ("RNN", "uniform", 1): 6e-4,
    ("RNN", "uniform", 1.4): 1e-3,
    ("RNN", "uniform", 1.7): 3e-4,
    ("RNN", "uniform", 2): 3e-4,
    ("RNN", "orthogonal", 0.7): 1e-3,
    ("RNN", "orthogonal", 0.8): 6e-4,
    ("RNN", "orthogonal", 0.9): 6e-4,
    ("RNN", "orthogonal", 0.95): 3e-4,
    ("RNN", "orthogonal", 1): 3e-4,
    ("RNN", "identity", 0.9): 3e-4,
    ("RNN", "identity", 1): 6e-4,
    ("LSTM", "bf", -2): 3e-4,
    ("LSTM", "bf", -1): 3e-4,
    ("LSTM", "bf", 0): 2e-3,
    ("LSTM", "bf", 1): 2e-3,
    ("LSTM", "bf", 2): 2e-3,
    ("LSTM", "lag", 100): 2e-3,
    ("LSTM, constant gates", "bf", -1): 3e-4,
    ("LSTM, constant gates", "lag", 100): 2e-3,
    ("RNN", "half orthogonal", 0.5): 3e-4,  # a test: nobody had looked at this one and the next
    ("LSTM", "bf, bi = -2", 2): 2e-3,
}
SETTINGS = {  # {experiment: {start: rates}}
    "rates": dict.fromkeys(CHOSEN, SCAN),
    "chosen": {start: (rate,) for start, rate in CHOSEN.items()},
    "many rates": {
        ("RNN", "uniform", 1): MANY,
        ("RNN", "orthogonal", 1): MANY,
        ("LSTM", "lag", 100): MANY,
        ("LSTM, constant gates", "lag", 100): MANY,
    },
}
LEFT = [("LSTM", "lag", 100), ("LSTM", "bf", 1), ("RNN", "uniform", 1), ("RNN", "orthogonal", 1)]
LABELS = {  # {start: its name in start.png, and where that stands, in points from the median}
    ("LSTM", "bf", -2): ("LSTM, bf = -2", (20, 10)),
    ("LSTM, constant gates", "bf", -1): ("LSTMs, bf = -1", (0, 10)),
    ("LSTM", "bf", 0): ("LSTM, bf = 0", (0, 10)),
    ("RNN", "uniform", 1): ("the usual RNN", (-55, -3)),
    ("LSTM", "lag", 100): ("our LSTM", (5, -20)),
}
EDGES = (0, 1e-3, 0.1, 10)  # of traces: how many are solved between two of them


def fresh(network, start, size, seed):
    """Return a fresh network.

    The bf of an LSTM is `size` ("bf"), or log U(1, size) ("lag"). The Whh of an RNN is size times a
    start of rnn.py, or an orthogonal matrix of which one half of the rows is multiplied by size.
    """
    if network == "RNN":
        model = make_network("rnn", seed, start=start.removeprefix("half "))
        n = len(model.Whh) // 2 if start.startswith("half") else None
        model.Whh.data[:n] *= size
        return model
    what = {"max_lag": size} if start == "lag" else {"bf": size}
    model = make_network("lstm", seed, **what)
    if start.endswith("bi = -2"):
        model.b.data.chunk(4)[1].fill_(-2)  # a view: what fills it fills b
    if network == "LSTM, constant gates":
        make_constant(model, "ifo")
    return model


@torch.no_grad()
def trace(model, digits):
    """Return the trace of the first digit, the geometric mean over sequences, digits (N, n)."""
    N, n = digits.shape
    logs = []
    for place in 0, n - 1:
        changed = digits.repeat_interleave(10, dim=0)
        changed[:, place] = torch.arange(10).repeat(N)
        _, state = model(encode(changed, one_hot=True).double())
        h = (state if torch.is_tensor(state) else state[0]).view(N, 10, -1)
        apart = torch.cdist(h, h) + 1e9 * torch.eye(10)  # a digit is not compared with itself
        logs.append(apart.amin(dim=(1, 2)).clamp(min=1e-30).log().mean())
    return (logs[0] - logs[1]).exp().item()


def measure(job):
    """Look at the fresh networks of a job (experiment, seed), then train them; return their rows.

    A row has the network, its start, its trace, the rate, and the accuracy in [0, 1].
    """
    experiment, seed = job
    digits = torch.randint(10, (N_SEQUENCES, T - 1), generator=torch.Generator().manual_seed(seed))
    train_set, test_set = PalindromeDataset(T - 1, 100_000, True, seed).split(0.8)
    rows = []
    for (network, start, size), rates in SETTINGS[experiment].items():
        for rate in rates:
            model = fresh(network, start, size, seed)
            row = {"experiment": experiment, "seed": seed, "network": network, "start": start}
            row |= {"size": size, "trace": trace(copy.deepcopy(model).double(), digits)}
            train(model, [train_set], STEPS, rate, seed=seed)
            rows.append(row | {"rate": rate, "accuracy": accuracy(model, test_set)})
    return rows


def name_of(network, start, size):
    """Return a start in words."""
    if network == "RNN":
        return start if size == 1 else f"{start}, times {size:g}"
    words = {"lag": f"bf = log U(1, {size:g})", "bf": f"bf = {size:g}"}
    return words.get(start, f"bf = {size:g}, bi = -2")


def starts_of(rows, experiment):
    """Return {(network, start, size): its rows} of an experiment."""
    own = [row for row in rows if row["experiment"] == experiment]
    return grouped(own, "network", "start", "size")


def start_table(rows):
    """Return a row for each start: its trace, and how often it learns at its own rate."""
    lines = []
    for start, some in starts_of(rows, "chosen").items():
        line = {"network": start[0], "start": name_of(*start)}
        line["trace"] = f"{statistics.median(row['trace'] for row in some):.1g}"
        line["rate"] = f"{some[0]['rate']:g}"
        lines.append(line | summary([100 * row["accuracy"] for row in some]))
    return sorted(lines, key=lambda line: float(line["trace"]))


def rates_table(rows, experiment):
    """Return a row for each start: the worst accuracy at each rate, in %, and the best rate."""
    lines = []
    for start, some in starts_of(rows, experiment).items():
        line = {"network": start[0], "start": name_of(*start)}
        for (rate,), seeds in grouped(some, "rate").items():
            line[f"{rate:g}"] = f"{100 * min(row['accuracy'] for row in seeds):.1f}"
        lines.append(line | {"best": f"{best_rate(some):g}"})
    return lines


def size_left():
    """Return a row for some fresh networks: what 18 further digits leave, in %, in quartiles.

    For the LSTM, this is f to the power of 18 over the cells, with f = sigm(bf); for the RNN, how
    large a small change of the state after the first digit still is, over random sequences.
    """
    lines = []
    for network, start, size in LEFT:
        model = fresh(network, start, size, 300).double()
        if network == "LSTM":
            left = torch.sigmoid(model.b.chunk(4)[2]) ** (T - 2)
        else:
            left = change_left(model, torch.randint(10, (1000, T - 1)))
        line = {"network": network, "start": name_of(network, start, size)}
        for name, portion in ("lower quartile", 0.25), ("median", 0.5), ("upper quartile", 0.75):
            line[f"{name}, %"] = f"{100 * left.quantile(portion).item():.2g}"
        lines.append(line)
    return lines


@torch.no_grad()
def change_left(model, digits):
    """Return how much of a small change after the first of digits (N, n) is left (N,) at last."""
    x = encode(digits, one_hot=True).double()
    _, h = model(x[:, :1])
    change = 1e-6 * torch.randn(h.shape).double()
    _, end = model(x[:, 1:], h)
    _, changed = model(x[:, 1:], h + change)
    return (changed - end).norm(dim=1) / change.norm(dim=1)


def start_figure(rows):
    """Return a Figure: the accuracy of each network over its trace before the training."""
    figure = Figure(figsize=(9.5, 5.4), layout="constrained")
    axes = figure.subplots()
    groups = starts_of(rows, "chosen")
    for network, color in ("RNN", ORANGE), ("LSTM", BLUE), ("LSTM, constant gates", GREEN):
        own = [row for start, some in groups.items() if start[0] == network for row in some]
        shares = [100 * row["accuracy"] for row in own]
        axes.scatter([row["trace"] for row in own], shares, s=55, color=color, alpha=0.7)
        axes.scatter([], [], s=55, color=color, label=network)
    for start, (name, place) in LABELS.items():
        x = statistics.median(row["trace"] for row in groups[start])
        y = 100 * statistics.median(row["accuracy"] for row in groups[start])
        axes.annotate(name, (x, y), place, textcoords="offset points", ha="center")
    for low, high in itertools.pairwise(EDGES):
        own = [row["accuracy"] >= SOLVED for row in rows if low <= row["trace"] < high]
        text = f"{sum(own)} of {len(own)}\nsolved"
        axes.text(high / 10, 40, text, ha="center", fontsize=15, weight="bold")
        axes.axvline(high, color=GREY, ls=":")
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(2.5e-12, 8, "chance", color=GREY, va="top")
    axes.set(xscale="log", xlim=(2e-12, 10), ylim=(0, 104))
    axes.set_xlabel("trace of the first of 20 digits, before the first training step", fontsize=14)
    axes.set_ylabel("right answers after training, %", fontsize=14)
    title = "The larger the trace in a fresh network, the likelier it will learn"
    axes.set_title(title, fontsize=16)
    axes.legend(loc="center left")
    return figure


def show(rows, out_dir):
    """Save the tables that have rows, and the figure if all starts are there."""
    save_table(out_dir / "start_left.csv", size_left())
    for experiment, name in ("rates", "start_rates"), ("many rates", "rates"):
        if table := rates_table(rows, experiment):
            save_table(out_dir / f"{name}.csv", table)
    if table := start_table(rows):
        save_table(out_dir / "start.csv", table)
    if len(table) == len(CHOSEN):
        drawn = [row for row in rows if row["experiment"] == "chosen"]
        save_figure(out_dir / "start.png", start_figure(drawn), drawn)


if __name__ == "__main__":
    seeds = {"rates": range(3), "chosen": range(300, 305), "many rates": range(300, 303)}
    study("start", __doc__, SETTINGS, seeds, measure, show)
