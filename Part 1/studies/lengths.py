"""To which length does each network learn, and why are rate and warm-up of train.py as they are?

    python -m studies.lengths                                       the report's, in seconds
    python -m studies.lengths --only "RNN, T = 40" --seed 400       ten other seeds of one point

Rates are chosen on seeds below 20 for each length (160 digits: the rate of 80).
"""

import statistics
from functools import partial

import torch
from matplotlib.figure import Figure

from common import BLUE, GREEN, ORANGE, grouped, save_table
from networks import NETWORKS, make_network
from studies.runner import study
from studies.settings import summary
from train import SOLVED, measure_accuracy, palindromes_of, parse_args, settings_of, train

TRAINED = {  # {network: flags of train.py, colour and line style in lengths.png}
    "LSTM": ("--model lstm --warmup 0", BLUE, ":"),
    "LSTM, warm-up": ("--model lstm", BLUE, "-"),
    "RNN": ("--model rnn --warmup 0", ORANGE, ":"),
    "RNN, warm-up": ("--model rnn --warmup 50", ORANGE, "-"),
    "RNN, orthogonal": ("--model rnn --rnn_init orthogonal --warmup 0", GREEN, ":"),
    "RNN, orthogonal, warm-up": ("--model rnn --rnn_init orthogonal --warmup 50", GREEN, "-"),
}
LENGTHS = [5, 10, 20, 40, 80, 160]  # T
RATES = [1.5e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3]  # tried
CHOSEN = {  # {network: {T: the rate that best_rate finds; at T = 160, that of T = 80}}
    "LSTM": {5: 6e-4, 10: 1e-3, 20: 1e-3, 40: 2e-3, 80: 1e-3},
    "LSTM, warm-up": {10: 1e-3, 20: 1e-3, 40: 2e-3, 80: 2e-3, 160: 2e-3},
    "RNN": {5: 6e-4, 10: 6e-4, 20: 6e-4, 40: 4e-3, 80: 2e-3},
    "RNN, warm-up": {10: 2e-3, 20: 1e-3, 40: 2e-3},
    "RNN, orthogonal": {5: 6e-4, 10: 6e-4, 20: 3e-4, 40: 1.5e-4, 80: 3e-4},
    "RNN, orthogonal, warm-up": {10: 6e-4, 20: 3e-4, 40: 3e-4, 80: 3e-4},
}
LONGER = 3000  # steps, from 80 digits on
TEN, TWENTY = range(300, 310), range(20)  # seeds that report, and that choose
ADAM = partial(torch.optim.Adam, betas=(0.0, 0.99))  # RMSprop with its bias corrected
OPTIMIZERS = {"RMSprop": torch.optim.RMSprop, "Adam": ADAM}


def settings_for(network, T, rates, steps=1000, optimizer="RMSprop", flags=""):
    """Return the settings of a network at a length; it is trained at each of the rates."""
    args = parse_args(f"{TRAINED[network][0]} --train_steps {steps} {flags}".split())
    settings = settings_of(args, args.model[0])
    del settings["learning_rate"]
    return settings | {"network": network, "T": T, "rates": rates, "optimizer": optimizer}


CHOOSING, REPORTED, CURVES = {}, {}, []  # CURVES: those of REPORTED that lengths.png draws
for network, chosen in CHOSEN.items():
    for T, rate in chosen.items():
        seeds = range(10 if network in ("RNN", "RNN, warm-up") else 5)  # they differ most
        if T < 160:
            CHOOSING[f"rates, {network}, T = {T}"] = settings_for(network, T, RATES), seeds
        seeds = TEN[:5] if T == 160 else TEN
        REPORTED[f"{network}, T = {T}"] = settings_for(network, T, [rate]), seeds
        CURVES.append(f"{network}, T = {T}")
        if T >= 80:
            longer = settings_for(network, T, [rate], LONGER)
            REPORTED[f"{network}, T = {T}, {LONGER} steps"] = longer, seeds
REPORTED["LSTM, T = 80, Adam at 0.002"] = settings_for("LSTM", 80, [2e-3], optimizer="Adam"), TEN
for network, rate in ("LSTM", 2e-3), ("LSTM, warm-up", 3e-4), ("RNN, orthogonal, warm-up", 2e-3):
    REPORTED[f"{network}, T = 80 at {rate:g}"] = settings_for(network, 80, [rate]), TEN
LONG_WARMUP = settings_for("LSTM, warm-up", 160, [2e-3], LONGER, flags="--warmup 300")
REPORTED["LSTM, warm-up of 300 steps, T = 160, 3000 steps"] = LONG_WARMUP, TEN[:5]
LSTM_RATES, RNN_RATES, WIDE = [1e-3, 2e-3, 4e-3], [3e-4, 6e-4, 1e-3, 2e-3], "--num_hidden 256"
DEFAULTS = {  # these and T = 80 in CHOOSING choose the defaults of train.py
    "choice, LSTM, T = 20, warm-up": (settings_for("LSTM, warm-up", 20, LSTM_RATES, 500), TWENTY),
    "choice, RNN, T = 20": (settings_for("RNN", 20, RNN_RATES, 500), TWENTY),
    "choice, RNN, T = 20, warm-up": (settings_for("RNN, warm-up", 20, RNN_RATES, 500), TWENTY),
    "choice, RNN, T = 20, 256 units": (settings_for("RNN", 20, RNN_RATES, 500, flags=WIDE), TWENTY),
}
EXPERIMENTS = CHOOSING | REPORTED | DEFAULTS


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    digits = settings["train_steps"] * settings["T"] * len(settings["rates"])
    return digits * NETWORKS[settings["model"]].seconds


def measure(settings, seed):
    """Train the network of these settings at each of their rates; return a row for each."""
    train_set, test_set = palindromes_of(settings, settings["T"], seed)
    rows = []
    for rate in settings["rates"]:
        model = make_network(settings, seed)
        optimizer = OPTIMIZERS[settings["optimizer"]]
        train(settings | {"learning_rate": rate}, model, [train_set], seed, optimizer=optimizer)
        row = {"network": settings["network"], "T": settings["T"], "rate": rate}
        rows.append(row | {"accuracy": measure_accuracy(model, test_set)})
    return rows


def best_rate(mean):  # {rate: mean accuracy in %}
    """Return the middle (of two: the lower) of the rates that come within 0.05 % of the best."""
    return statistics.median_low(rate for rate in mean if mean[rate] >= max(mean.values()) - 0.05)


def rates_table(rows):
    """Return a row for each network and length: its mean accuracy at each rate, in %."""
    lines = []
    for (network, T), some in grouped(rows, "network", "T").items():
        means = {}
        for (rate,), own in grouped(some, "rate").items():
            means[rate] = 100 * statistics.mean(row["accuracy"] for row in own)
        cells = {f"{rate:g}": f"{mean:.1f}" for rate, mean in means.items()}
        lines.append({"network": network, "T": T} | cells | {"chosen": f"{best_rate(means):g}"})
    return lines


def solved_table(rows):
    """Return a row for each network: how many solve each length after 1,000 steps, at what rate."""
    lines = []
    for (network,), own in grouped(rows, "network").items():
        line = {"network": network} | dict.fromkeys(map(str, LENGTHS), "")
        for (T,), some in grouped(own, "T").items():
            solved = sum(row["accuracy"] >= SOLVED for row in some)
            line[str(T)] = f"{solved} of {len(some)} at {some[0]['rate']:g}"
        lines.append(line)
    return lines


def lengths_figure(rows):
    """Return a Figure: the share of networks that solve a length after 1,000 steps."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for (network,), own in grouped(rows, "network").items():
        _, color, style = TRAINED[network]
        lengths = grouped(own, "T")
        places = [LENGTHS.index(T) for (T,) in lengths]
        solved = [[row["accuracy"] >= SOLVED for row in some] for some in lengths.values()]
        shares = [100 * statistics.mean(some) for some in solved]
        axes.plot(places, shares, style, marker="o", color=color, lw=2.5, label=network)
    axes.set_xticks(range(len(LENGTHS)), LENGTHS)
    axes.set(xlabel="number of digits", title="Networks that solve a length in 1,000 steps, %")
    figure.legend(loc="outside right center")
    return figure


def summary_table(rows):
    """Return a row for each experiment and rate, over its seeds."""
    lines = []
    for (experiment, rate), own in grouped(rows, "experiment", "rate").items():
        lines.append({"training": experiment, "rate": f"{rate:g}"} | summary(own))
    return lines


def show(rows, out_dir):
    """Save the tables and the figure that have rows."""
    for name, experiments, table in (
        ("lengths_rates", CHOOSING, rates_table),
        ("lengths", REPORTED, summary_table),
        ("lengths_solved", CURVES, solved_table),
        ("defaults", DEFAULTS, summary_table),
    ):
        if own := [row for row in rows if row["experiment"] in experiments]:
            save_table(out_dir / f"{name}.csv", table(own))
    if drawn := [row for row in rows if row["experiment"] in CURVES]:
        lengths_figure(drawn).savefig(out_dir / "lengths.png")


if __name__ == "__main__":
    study("lengths", __doc__, EXPERIMENTS, measure, show, seconds)
