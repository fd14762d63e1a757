"""Which fresh networks can learn the first digit? Those in which it leaves a trace.

    python -m studies.start                                          the report's, in seconds
    python -m studies.start --only "RNN, the usual" --seed 400       three other seeds of a start

Take a fresh network and a random sequence, and change only the first digit, to each of the ten. How
far apart are the last states of the two digits that are least told apart? Divided by the same for
the last digit, this is the trace. Each network is then trained at four rates, and shown at its best
one: a claim about what can be learnt must not hang on one rate.
"""

import itertools
import statistics

import torch
from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped, save_figure, save_table
from dataset import encode
from studies.gates import make_constant
from studies.lengths import TRAINING, fresh_network, train_at_rates
from studies.runner import study
from studies.settings import solved, summary
from train import SOLVED

SAME = TRAINING | {"T": 20, "rates": [3e-4, 6e-4, 1e-3, 2e-3]}
SAME |= {"sequences": 48}  # so many give a trace
UNIFORM = {"network": "rnn", "start": "uniform", "times": 1, "of_rows": 1}  # see fresh
ORTHOGONAL, IDENTITY = UNIFORM | {"start": "orthogonal"}, UNIFORM | {"start": "identity"}
OURS = {"network": "lstm", "bf": None, "bi": 0, "constant": ""}  # constant gates, of "ifo"
STARTS = {  # {(network, start): settings}
    ("RNN", "the usual"): UNIFORM,
    ("RNN", "the usual, times 1.4"): UNIFORM | {"times": 1.4},
    ("RNN", "the usual, times 1.7"): UNIFORM | {"times": 1.7},
    ("RNN", "the usual, times 2"): UNIFORM | {"times": 2},
    ("RNN", "orthogonal, times 0.7"): ORTHOGONAL | {"times": 0.7},
    ("RNN", "orthogonal, times 0.8"): ORTHOGONAL | {"times": 0.8},
    ("RNN", "orthogonal, times 0.9"): ORTHOGONAL | {"times": 0.9},
    ("RNN", "orthogonal, times 0.95"): ORTHOGONAL | {"times": 0.95},
    ("RNN", "orthogonal"): ORTHOGONAL,
    ("RNN", "identity, times 0.9"): IDENTITY | {"times": 0.9},
    ("RNN", "identity"): IDENTITY,
    ("LSTM", "forgets at once (bf = -2)"): OURS | {"bf": -2},
    ("LSTM", "forgets (bf = -1)"): OURS | {"bf": -1},
    ("LSTM", "keeps half (bf = 0)"): OURS | {"bf": 0},
    ("LSTM", "the usual (bf = 1)"): OURS | {"bf": 1},
    ("LSTM", "keeps (bf = 2)"): OURS | {"bf": 2},
    ("LSTM", "ours (bf = log U(1, 100))"): OURS,
    ("LSTM, constant gates", "forgets (bf = -1)"): OURS | {"bf": -1, "constant": "ifo"},
    ("LSTM, constant gates", "ours (bf = log U(1, 100))"): OURS | {"constant": "ifo"},
    # A test: nobody had looked at these two.
    ("RNN", "half orthogonal, times 0.5"): ORTHOGONAL | {"times": 0.5, "of_rows": 0.5},
    ("LSTM", "keeps, lets little in (bf = 2, bi = -2)"): OURS | {"bf": 2, "bi": -2},
}
COLUMNS = ("network", "start", "trace", "rate", "accuracy")
LABELS = {  # {start: its name in start.png, and where that stands, in points from the median}
    ("LSTM", "forgets at once (bf = -2)"): ("forgets at once", (30, 10)),
    ("LSTM", "forgets (bf = -1)"): ("forgets", (0, 10)),
    ("LSTM", "keeps half (bf = 0)"): ("keeps half", (-45, -4)),
    ("RNN", "the usual"): ("the usual RNN", (0, -20)),
    ("LSTM", "ours (bf = log U(1, 100))"): ("our LSTM", (0, -20)),
}
EXPERIMENTS = {
    f"{network}, {start}": (SAME | own | {"in_table": [network, start]}, range(3))
    for (network, start), own in STARTS.items()
}
EDGES = (0, 1e-6, 1e-3, 10)  # of traces: how many are solved between two of them


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
    """Return the trace of the first digit, the geometric mean over sequences, digits (N, n).

    It is that in h, which the output layer reads, of LSTMs, too.
    """
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


def at_best_rate(rows):
    """Return a row for each network: that of the rate at which it is right most often."""
    networks = grouped(rows, "network", "start", "seed").values()
    return [max(some, key=lambda row: row["accuracy"]) for some in networks]


def start_table(rows):
    """Return a row for each start: its trace, each seed at its best rate, and all trainings."""
    lines = []
    for (network, start), some in grouped(rows, "network", "start").items():
        line = {"network": network, "start": start}
        line["trace"] = f"{statistics.median(row['trace'] for row in some):.2g}"
        line |= summary([100 * row["accuracy"] for row in at_best_rate(some)])
        lines.append(line | {"of all trainings": solved([100 * row["accuracy"] for row in some])})
    return sorted(lines, key=lambda line: float(line["trace"]))


def start_figure(rows):
    """Return a Figure: the accuracy of each network over its trace; a row is a network."""
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
        axes.text(high / 30, 40, text, ha="center", fontsize=15, weight="bold")
        axes.axvline(high, color=GREY, ls=":")
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(2.5e-12, 8, "chance", color=GREY, va="top")
    axes.set(xscale="log", xlim=(2e-12, 10), ylim=(0, 104))
    axes.set_xlabel("trace of the first of 20 digits, before the first training step", fontsize=14)
    axes.set_ylabel("right answers at the best of four rates, %", fontsize=14)
    title = "Nearly all fresh networks with a trace above 0.001 can learn 20 digits"
    axes.set_title(title, fontsize=16)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
    return figure


def show(rows, out_dir):
    """Save the table, and the figure if all starts are there."""
    save_table(out_dir / "start.csv", start_table(rows))
    if {row["experiment"] for row in rows} == {*EXPERIMENTS}:
        shown = at_best_rate(rows)
        save_figure(out_dir / "start.png", start_figure(shown), shown)


if __name__ == "__main__":
    study("start", __doc__, EXPERIMENTS, COLUMNS, measure, show)
