"""Which fresh networks will learn the first digit? Those in which it leaves a trace.

    python -m studies.start                                      the report's, in seconds
    python -m studies.start --only "RNN, uniform" --seed 400     five other seeds of a start

Take a fresh network and a random sequence, and change only the first digit, to each of the ten. How
far apart are the last states of the two digits that are least told apart? Divided by the same for
the last digit, this is the trace. Each start is trained at its own rate, chosen with the seeds 0 to
2; the seeds 300 to 304 are shown.
"""

import itertools
import statistics

import torch
from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped, save_figure, save_table
from dataset import encode
from studies.gates import make_constant
from studies.lengths import TRAINING, fresh_network, rates_table, train_at_rates
from studies.runner import study
from studies.settings import summary
from train import SOLVED

T = 20
SAME = TRAINING | {"T": T, "sequences": 48}  # sequences: so many give a trace
UNIFORM = {"network": "rnn", "start": "uniform", "times": 1, "of_rows": 1}  # see fresh
ORTHOGONAL, IDENTITY = UNIFORM | {"start": "orthogonal"}, UNIFORM | {"start": "identity"}
OURS = {"network": "lstm", "bf": None, "bi": 0, "constant": ""}  # constant gates, of "ifo"
STARTS = {  # {(network, start): (settings, the rate that best_rate finds in the rows that choose)}
    ("RNN", "uniform"): (UNIFORM, 6e-4),
    ("RNN", "uniform, times 1.4"): (UNIFORM | {"times": 1.4}, 1e-3),
    ("RNN", "uniform, times 1.7"): (UNIFORM | {"times": 1.7}, 3e-4),
    ("RNN", "uniform, times 2"): (UNIFORM | {"times": 2}, 3e-4),
    ("RNN", "orthogonal, times 0.7"): (ORTHOGONAL | {"times": 0.7}, 1e-3),
    ("RNN", "orthogonal, times 0.8"): (ORTHOGONAL | {"times": 0.8}, 6e-4),
    ("RNN", "orthogonal, times 0.9"): (ORTHOGONAL | {"times": 0.9}, 6e-4),
    ("RNN", "orthogonal, times 0.95"): (ORTHOGONAL | {"times": 0.95}, 3e-4),
    ("RNN", "orthogonal"): (ORTHOGONAL, 3e-4),
    ("RNN", "identity, times 0.9"): (IDENTITY | {"times": 0.9}, 3e-4),
    ("RNN", "identity"): (IDENTITY, 6e-4),
    ("LSTM", "bf = -2"): (OURS | {"bf": -2}, 3e-4),
    ("LSTM", "bf = -1"): (OURS | {"bf": -1}, 3e-4),
    ("LSTM", "bf = 0"): (OURS | {"bf": 0}, 2e-3),
    ("LSTM", "bf = 1"): (OURS | {"bf": 1}, 2e-3),
    ("LSTM", "bf = 2"): (OURS | {"bf": 2}, 2e-3),
    ("LSTM", "bf = log U(1, 100)"): (OURS, 2e-3),
    ("LSTM, constant gates", "bf = -1"): (OURS | {"bf": -1, "constant": "ifo"}, 3e-4),
    ("LSTM, constant gates", "bf = log U(1, 100)"): (OURS | {"constant": "ifo"}, 2e-3),
    # A test: nobody had looked at these two.
    ("RNN", "half orthogonal, times 0.5"): (ORTHOGONAL | {"times": 0.5, "of_rows": 0.5}, 3e-4),
    ("LSTM", "bf = 2, bi = -2"): (OURS | {"bf": 2, "bi": -2}, 2e-3),
}
PLAIN_RNN, TURNING_RNN = ("RNN", "uniform"), ("RNN", "orthogonal")
OUR_LSTM = ("LSTM", "bf = log U(1, 100)")
SCAN = [3e-4, 6e-4, 1e-3, 2e-3]  # rates tried to choose one
MANY = [1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2]
AT_MANY = [PLAIN_RNN, TURNING_RNN, OUR_LSTM, ("LSTM, constant gates", "bf = log U(1, 100)")]
COLUMNS = ("network", "start", "trace", "rate", "accuracy")
LABELS = {  # {start: its name in start.png, and where that stands, in points from the median}
    ("LSTM", "bf = -2"): ("LSTM, bf = -2", (20, 10)),
    ("LSTM, constant gates", "bf = -1"): ("LSTMs, bf = -1", (0, 10)),
    ("LSTM", "bf = 0"): ("LSTM, bf = 0", (0, 10)),
    PLAIN_RNN: ("the usual RNN", (-55, -3)),
    OUR_LSTM: ("our LSTM", (5, -20)),
}
EDGES = (0, 1e-3, 0.1, 10)  # of traces: how many are solved between two of them


def experiments(purpose, starts, rates, seeds):
    """Return an experiment for each of the starts; without rates, at the one that is chosen."""
    found = {}
    for network, start in starts:
        settings, chosen = STARTS[network, start]
        names = {"in_table": [network, start], "rates": rates or [chosen]}
        found[f"{purpose}{network}, {start}"] = SAME | settings | names, seeds
    return found


CHOOSING = experiments("rates, ", STARTS, SCAN, range(3))
REPORTED = experiments("", STARTS, None, range(300, 305))
MANY_RATES = experiments("many rates, ", AT_MANY, MANY, range(300, 303))


def fresh(settings, seed):
    """Return the network of these settings before its training.

    The first rows of an RNN's Whh, a share of_rows of them, are multiplied by times. All bi of an
    LSTM are set to bi.
    """
    model = fresh_network(settings, seed)
    if settings["network"] == "rnn":
        n = round(settings["of_rows"] * len(model.Whh))
        model.Whh.data[:n] *= settings["times"]
    else:
        _, bi, _, _ = model.b.data.chunk(4)  # a view: what fills it fills b
        bi.fill_(settings["bi"])
        make_constant(model, settings["constant"])
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


def measure(settings, seed):
    """Look at a fresh network, and train it at each of the rates; return a row for each."""
    generator = torch.Generator().manual_seed(seed)
    digits = torch.randint(10, (settings["sequences"], settings["T"] - 1), generator=generator)
    network, start = settings["in_table"]
    row = {"network": network, "start": start}
    row["trace"] = trace(fresh(settings, seed).double(), digits)
    return [row | trained for trained in train_at_rates(fresh, settings, seed)]


def start_table(rows):
    """Return a row for each start: its trace, and how often it learns at its own rate."""
    lines = []
    for (network, start), some in grouped(rows, "network", "start").items():
        line = {"network": network, "start": start}
        line["trace"] = f"{statistics.median(row['trace'] for row in some):.1g}"
        line["rate"] = f"{some[0]['rate']:g}"
        lines.append(line | summary([100 * row["accuracy"] for row in some]))
    return sorted(lines, key=lambda line: float(line["trace"]))


def left_table():
    """Return a row for some fresh networks: what T - 2 further digits leave, in %, in quartiles.

    For the LSTM, this is f to the power of T - 2 over the cells, with f = sigm(bf); for the RNN,
    how large a small change of the state after the first digit still is, over random sequences.
    """
    generator = torch.Generator().manual_seed(300)
    lines = []
    for network, start in OUR_LSTM, ("LSTM", "bf = 1"), PLAIN_RNN, TURNING_RNN:
        settings, _ = STARTS[network, start]
        model = fresh(SAME | settings, 300).double()
        if network == "LSTM":
            left = torch.sigmoid(model.b.chunk(4)[2]) ** (T - 2)
        else:
            left = change_left(model, generator)
        line = {"network": network, "start": start}
        for name, portion in ("lower quartile", 0.25), ("median", 0.5), ("upper quartile", 0.75):
            line[f"{name}, %"] = f"{100 * left.quantile(portion).item():.2g}"
        lines.append(line)
    return lines


@torch.no_grad()
def change_left(model, generator, n=1000):
    """Return how much of a small change after the first of T - 1 random digits is left (n,)."""
    digits = torch.randint(10, (n, T - 1), generator=generator)
    x = encode(digits, one_hot=True).double()
    _, h = model(x[:, :1])
    change = 1e-6 * torch.randn(h.shape, generator=generator).double()
    _, end = model(x[:, 1:], h)
    _, changed = model(x[:, 1:], h + change)
    return (changed - end).norm(dim=1) / change.norm(dim=1)


def start_figure(rows):
    """Return a Figure: the accuracy of each network over its trace before the training."""
    figure = Figure(figsize=(9.5, 5.4), layout="constrained")
    axes = figure.subplots()
    for network, color in ("RNN", ORANGE), ("LSTM", BLUE), ("LSTM, constant gates", GREEN):
        own = [row for row in rows if row["network"] == network]
        shares = [100 * row["accuracy"] for row in own]
        traces = [row["trace"] for row in own]
        axes.scatter(traces, shares, s=55, color=color, alpha=0.7, label=network)
    starts = grouped(rows, "network", "start")
    for start, (name, place) in LABELS.items():
        x = statistics.median(row["trace"] for row in starts[start])
        y = 100 * statistics.median(row["accuracy"] for row in starts[start])
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
    save_table(out_dir / "start_left.csv", left_table())
    for names, file in (CHOOSING, "start_rates.csv"), (MANY_RATES, "rates.csv"):
        if some := [row for row in rows if row["experiment"] in names]:
            save_table(out_dir / file, rates_table(some, "start", "best"))
    reported = [row for row in rows if row["experiment"] in REPORTED]
    if reported:
        save_table(out_dir / "start.csv", start_table(reported))
    if {row["experiment"] for row in reported} == {*REPORTED}:
        save_figure(out_dir / "start.png", start_figure(reported), reported)


if __name__ == "__main__":
    study("start", __doc__, CHOOSING | REPORTED | MANY_RATES, COLUMNS, measure, show)
