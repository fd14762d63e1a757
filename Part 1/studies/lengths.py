"""To which length does each network keep the first digit? T = 5 to 40, each at its best rate.

    python -m studies.lengths                                       the report's, in seconds
    python -m studies.lengths --only "RNN, T = 40" --seed 400       ten other seeds of one point

A rate is chosen with the seeds 0 to 2, for each network and length alike, and the accuracy is that
of the seeds 300 to 309. All train for 1,000 steps.
"""

import statistics

from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped, save_figure, save_table
from dataset import PalindromeDataset
from networks import make_network
from studies.runner import study
from studies.settings import summary
from train import accuracy, train

STEPS = 1000
SCAN = (3e-4, 6e-4, 1e-3, 2e-3, 4e-3)  # rates tried
LOWER, HIGHER = (1.5e-4,), (8e-3,)  # tried, too, where the best of SCAN is at an end
NETWORKS = {  # {network: arguments of make_network}
    "LSTM": {"name": "lstm", "max_lag": 100},
    "RNN": {"name": "rnn"},
    "RNN, orthogonal": {"name": "rnn", "start": "orthogonal"},
}
CHOSEN = {  # {network: {T: the rate that best_rate finds in the rows of the seeds 0 to 2}}
    "LSTM": {5: 1.5e-4, 10: 6e-4, 15: 1e-3, 20: 4e-3, 30: 4e-3, 40: 4e-3},
    "RNN": {5: 1.5e-4, 10: 6e-4, 15: 2e-3, 20: 6e-4, 30: 2e-3, 40: 4e-3},
    "RNN, orthogonal": {5: 1.5e-4, 10: 1.5e-4, 15: 1.5e-4, 20: 1.5e-4, 30: 3e-4, 40: 3e-4},
}
CHOOSING = "rates, "  # how the name of an experiment that chooses begins
SETTINGS = {}  # {experiment: (network, T, rates)}
for network, rates in CHOSEN.items():
    for T, rate in rates.items():
        further = LOWER if rate <= min(SCAN) else HIGHER if rate >= max(SCAN) else ()
        SETTINGS[f"{CHOOSING}{network}, T = {T}"] = network, T, (*SCAN, *further)
        SETTINGS[f"{network}, T = {T}"] = network, T, (rate,)


def best_rate(rows):
    """Return the rate whose worst seed is best; of equal ones the best mean, then the lowest."""

    def merit(rate):
        shares = [row["accuracy"] for row in rows if row["rate"] == rate]
        return min(shares), statistics.mean(shares), -rate

    return max({row["rate"] for row in rows}, key=merit)


def measure(job):
    """Train the networks of a job (experiment, seed); return a row for each rate."""
    experiment, seed = job
    network, T, rates = SETTINGS[experiment]
    train_set, test_set = PalindromeDataset(T - 1, 100_000, True, seed).split(0.8)
    rows = []
    for rate in rates:
        model = make_network(seed=seed, **NETWORKS[network])
        train(model, [train_set], STEPS, rate, seed=seed)
        row = {"experiment": experiment, "seed": seed, "network": network, "T": T, "rate": rate}
        rows.append(row | {"accuracy": accuracy(model, test_set)})
    return rows


def is_choice(row):
    """Return whether a row is one of those that chose a rate."""
    return row["experiment"].startswith(CHOOSING)


def lengths_table(rows):
    """Return a row for each network and length."""
    lines = []
    for (network, T), some in grouped(rows, "network", "T").items():
        line = {"network": network, "T": T, "rate": f"{some[0]['rate']:g}"}
        lines.append(line | summary([100 * row["accuracy"] for row in some]))
    return lines


def rates_table(rows):
    """Return a row for each network and length: the worst accuracy at each rate, and the best."""
    rates = sorted({row["rate"] for row in rows})
    lines = []
    for (network, T), some in grouped(rows, "network", "T").items():
        line = {"network": network, "T": T}
        for rate in rates:
            shares = [100 * row["accuracy"] for row in some if row["rate"] == rate]
            line[f"{rate:g}"] = f"{min(shares):.1f}" if shares else ""
        lines.append(line | {"chosen": f"{best_rate(some):g}"})
    return lines


def lengths_figure(rows):
    """Return a Figure: the accuracy over the length, a dot a seed, a line through the medians."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for shift, network in reversed([*enumerate(NETWORKS)]):  # the LSTM lies on top
        color, width, alpha = ((BLUE, 2.5, 1), (ORANGE, 2.5, 1), (GREEN, 9, 0.4))[shift]
        own = grouped([row for row in rows if row["network"] == network], "T")
        medians = [
            100 * statistics.median(row["accuracy"] for row in some) for some in own.values()
        ]
        Ts = [T for (T,) in own]
        axes.plot(Ts, medians, color=color, lw=width, alpha=alpha, label=network)
        for (T,), some in own.items():
            places = [T + 0.5 * (shift - 1)] * len(some)  # beside each other, so that all are seen
            axes.plot(places, [100 * row["accuracy"] for row in some], "o", color=color, alpha=0.5)
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(5, 11, "chance", color=GREY, va="bottom")
    axes.set(ylim=(0, 103), xticks=sorted({row["T"] for row in rows}))
    axes.set_xlabel(
        "digits of the palindrome, T (a dot is a network, a line the median of ten)", fontsize=14
    )
    axes.set_ylabel("right answers after training, %", fontsize=14)
    title = "The LSTM learns up to 40 digits; beyond 10, the plain RNN often fails"
    axes.set_title(title, fontsize=15)
    axes.legend(loc="center left", bbox_to_anchor=(0, 0.4), reverse=True)
    return figure


def show(rows, out_dir):
    """Save the tables that have rows, and the figure if all its points are there."""
    choices, reported = [r for r in rows if is_choice(r)], [r for r in rows if not is_choice(r)]
    if choices:
        save_table(out_dir / "lengths_rates.csv", rates_table(choices))
    if reported:
        save_table(out_dir / "lengths.csv", lengths_table(reported))
    if len(grouped(reported, "experiment")) == len(SETTINGS) / 2:
        save_figure(out_dir / "lengths.png", lengths_figure(reported), reported)


if __name__ == "__main__":
    seeds = {name: range(3) if name.startswith(CHOOSING) else range(300, 310) for name in SETTINGS}
    study("lengths", __doc__, SETTINGS, seeds, measure, show)
