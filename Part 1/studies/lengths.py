"""To which length does each network learn, in 1,000 steps? T = 5 to 80, each at its own rate.

    python -m studies.lengths                                       the report's, in seconds
    python -m studies.lengths --only "RNN, T = 40" --seed 400       ten other seeds of one point

A rate is chosen for each network and length, by the same rule, on seeds below 20. The accuracy is
that of the seeds 300 to 309. The LSTM of 62 units has about as many weights as the RNN.
"""

import statistics

from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped, save_figure, save_table
from dataset import PalindromeDataset
from networks import make_network
from studies.runner import study
from studies.settings import solved
from train import accuracy, train

TRAINING = {  # the defaults of train.py; other studies have them, too
    "hidden_dim": 128,
    "size": 100_000,  # so many palindromes of each length
    "portion_train": 0.8,  # of them
    "steps": 500,
    "decay": True,
    "batch_size": 128,
    "max_norm": 10.0,
}
STARTS = {
    "LSTM": {"network": "lstm", "bf": None},
    "LSTM, 62 units": {"network": "lstm", "bf": None, "hidden_dim": 62},
    "RNN": {"network": "rnn", "start": "uniform"},
    "RNN, orthogonal": {"network": "rnn", "start": "orthogonal"},
}
RATES = [1.5e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3]  # tried
CHOOSE = {"LSTM": 5, "LSTM, 62 units": 5, "RNN": 10, "RNN, orthogonal": 5}  # so many seeds, from 0
CHOSEN = {  # {label: {T: the rate that best_rate finds in the rows of these seeds}}
    "LSTM": {5: 6e-4, 10: 1e-3, 20: 1e-3, 40: 2e-3, 80: 1e-3},
    "LSTM, 62 units": {5: 1e-3, 10: 1e-3, 20: 2e-3, 40: 2e-3, 80: 1e-3},
    "RNN": {5: 6e-4, 10: 6e-4, 20: 6e-4, 40: 4e-3, 80: 2e-3},
    "RNN, orthogonal": {5: 6e-4, 10: 6e-4, 20: 3e-4, 40: 1.5e-4, 80: 3e-4},
}
COLUMNS = ("network", "T", "rate", "accuracy")
PANELS = {  # {network: its color in lengths.png}
    "LSTM": BLUE,
    "LSTM, 62 units": BLUE,
    "RNN, orthogonal": GREEN,
    "RNN": ORANGE,
}


def experiments():
    """Return the experiments that choose the rates, and those that are reported."""
    choosing, reported = {}, {}
    for label, chosen in CHOSEN.items():
        for T, rate in chosen.items():
            settings = TRAINING | STARTS[label] | {"label": label, "T": T, "steps": 1000}
            name = f"{label}, T = {T}"
            choosing[f"rates, {name}"] = settings | {"rates": RATES}, range(CHOOSE[label])
            reported[name] = settings | {"rates": [rate]}, range(300, 310)
    return choosing, reported


CHOOSING, REPORTED = experiments()


def fresh_network(settings, seed):
    """Return the network of these settings before its training."""
    hidden_dim = settings["hidden_dim"]
    if settings["network"] == "lstm":
        return make_network("lstm", seed, hidden_dim=hidden_dim, bf=settings["bf"])
    return make_network("rnn", seed, hidden_dim=hidden_dim, start=settings["start"])


def train_with(settings, model, train_sets, seed):
    """Train the model in place, as these settings say, and return it."""
    return train(
        model,
        train_sets,
        settings["steps"],
        settings["rate"],
        decay=settings["decay"],
        batch_size=settings["batch_size"],
        max_norm=settings["max_norm"],
        seed=seed,
    )


def train_at_rates(fresh, settings, seed):
    """Train a network fresh(settings, seed) at each of the rates; return their {rate, accuracy}.

    The accuracy is the share in [0, 1] of right answers on unseen palindromes.
    """
    palindromes = PalindromeDataset(settings["T"] - 1, settings["size"], True, seed)
    train_set, test_set = palindromes.split(settings["portion_train"])
    rows = []
    for rate in settings["rates"]:
        model = train_with(settings | {"rate": rate}, fresh(settings, seed), [train_set], seed)
        rows.append({"rate": rate, "accuracy": accuracy(model, test_set)})
    return rows


def measure(settings, seed):
    """Train the network of these settings at each of their rates; return a row for each."""
    row = {"network": settings["label"], "T": settings["T"]}
    return [row | trained for trained in train_at_rates(fresh_network, settings, seed)]


def best_rate(rows):
    """Return the middle one of the rates whose mean accuracy is within 0.05 % of the best mean.

    Of two middle ones it is the lower.
    """
    means = {
        rate: statistics.mean(row["accuracy"] for row in own)
        for (rate,), own in grouped(rows, "rate").items()
    }
    best = sorted(rate for rate, mean in means.items() if mean >= max(means.values()) - 0.0005)
    return statistics.median_low(best)


def rates_table(rows):
    """Return a row for each network and length: its mean accuracy at each rate, in %."""
    rates = sorted({row["rate"] for row in rows})
    lines = []
    for (network, T), some in grouped(rows, "network", "T").items():
        line = {"network": network, "T": T}
        for rate in rates:
            mean = statistics.mean(row["accuracy"] for row in some if row["rate"] == rate)
            line[f"{rate:g}"] = f"{100 * mean:.1f}"
        lines.append(line | {"chosen": f"{best_rate(some):g}"})
    return lines


def lengths_table(rows):
    """Return a row for each network: how many solve each length, and in brackets the rate."""
    lines, no_cells = [], {f"T = {T}": "" for T in sorted({row["T"] for row in rows})}
    for (network,), some in grouped(rows, "network").items():
        line = {"network": network} | no_cells
        for (T,), own in grouped(some, "T").items():
            shares = [100 * row["accuracy"] for row in own]
            line[f"T = {T}"] = f"{solved(shares)} ({own[0]['rate']:g})"
        lines.append(line)
    return lines


def lengths_figure(rows):
    """Return a Figure: the accuracy over the length, a dot a seed, and how many are solved."""
    figure = Figure(figsize=(12.5, 4.5), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (network, color) in zip(panels, PANELS.items(), strict=True):
        shares = {}
        for row in rows:
            if row["network"] == network:
                shares.setdefault(row["T"], []).append(100 * row["accuracy"])
        medians = [statistics.median(own) for own in shares.values()]
        axes.plot([*shares], medians, color=color, lw=2.5, label="median")
        for T, own in shares.items():
            axes.plot([T] * len(own), own, "o", color=color, alpha=0.5, ms=8)
            count, _ = solved(own).split(" of ")
            axes.text(T, 105, count, color=color, ha="center", fontsize=14, weight="bold")
        axes.axhline(10, color=GREY, ls="--", zorder=1)
        axes.set(xscale="log", xlim=(3.4, 115), ylim=(0, 115), title=network)
        axes.set_xticks([*shares], [*shares])
        axes.set_yticks(range(0, 101, 20))
        axes.minorticks_off()
    panels[0].set_ylabel("right answers after 1,000 steps, %", fontsize=14)
    panels[0].text(3.6, 11, "chance", color=GREY, va="bottom")
    text = "digits of the palindrome (at the top: how many of ten networks solve that length)"
    figure.supxlabel(text, fontsize=14)
    title = "The LSTM learns 40 digits with every seed, the plain RNN hardly more than 10"
    figure.suptitle(title, fontsize=16)
    return figure


def show(rows, out_dir):
    """Save the tables that have rows, and the figure if all its points are there."""
    chosen = [row for row in rows if row["experiment"] in CHOOSING]
    reported = [row for row in rows if row["experiment"] in REPORTED]
    if chosen:
        save_table(out_dir / "lengths_rates.csv", rates_table(chosen))
    if reported:
        save_table(out_dir / "lengths.csv", lengths_table(reported))
    if {row["experiment"] for row in reported} == {*REPORTED}:
        save_figure(out_dir / "lengths.png", lengths_figure(reported), reported)


if __name__ == "__main__":
    study("lengths", __doc__, CHOOSING | REPORTED, COLUMNS, measure, show)
