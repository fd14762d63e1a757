"""To which length does each network learn, in 1,000 steps? T = 5 to 80, each at its own rate.

    python -m studies.lengths                                       the report's, in seconds
    python -m studies.lengths --only "RNN, T = 40" --seed 400       ten other seeds of one point

A rate is chosen for each network and length, by the same rule, on seeds below 20. The accuracy is
that of the seeds 300 to 309. At 80 digits, the same rate is also tried for 3,000 steps. The LSTM of
62 units has about as many weights as the RNN.
"""

import statistics

from common import grouped, save_table
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
LONGER = 3000  # steps, at 80 digits alone
COLUMNS = ("network", "T", "rate", "accuracy")


def experiments():
    """Return the experiments that choose the rates, and those that are reported."""
    choosing, reported = {}, {}
    for label, chosen in CHOSEN.items():
        for T, rate in chosen.items():
            settings = TRAINING | STARTS[label] | {"label": label, "T": T, "steps": 1000}
            name = f"{label}, T = {T}"
            choosing[f"rates, {name}"] = settings | {"rates": RATES}, range(CHOOSE[label])
            reported[name] = settings | {"rates": [rate]}, range(300, 310)
        longer = settings | {"rates": [rate], "steps": LONGER}  # chosen for 1,000 steps
        reported[f"{name}, {LONGER} steps"] = longer, range(300, 310)
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
    cells = {}  # {(network, "T = 5"): a cell}
    for (network, experiment), own in grouped(rows, "network", "experiment").items():
        shares = [100 * row["accuracy"] for row in own]
        column = experiment.removeprefix(f"{network}, ")
        cells[network, column] = f"{solved(shares)} ({own[0]['rate']:g})"
    networks, columns = (dict.fromkeys(names) for names in zip(*cells, strict=True))
    lines = []
    for network in networks:
        line = {column: cells.get((network, column), "") for column in columns}
        lines.append({"network": network} | line)
    return lines


def show(rows, out_dir):
    """Save the tables that have rows."""
    chosen = [row for row in rows if row["experiment"] in CHOOSING]
    reported = [row for row in rows if row["experiment"] in REPORTED]
    if chosen:
        save_table(out_dir / "lengths_rates.csv", rates_table(chosen))
    if reported:
        save_table(out_dir / "lengths.csv", lengths_table(reported))


if __name__ == "__main__":
    study("lengths", __doc__, CHOOSING | REPORTED, COLUMNS, measure, show)
