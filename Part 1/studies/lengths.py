"""To which length does each network learn, and why are rate and warm-up of train.py as they are?

    python -m studies.lengths                                       the report's, in seconds
    python -m studies.lengths --only "RNN, T = 40" --seed 400       ten other seeds of one point

Rates and warm-ups are chosen on seeds below 20; what is reported has the seeds 300 to 309. At each
length, every network has the rate that is best for it, without a warm-up; at 80 digits, the LSTM is
also trained with the defaults of train.py.
"""

import statistics

from common import grouped, save_table
from networks import NETWORKS, make_network
from studies.runner import study
from studies.settings import solved, summary
from train import evaluate, palindromes_of, parse_args, settings_of, train

FLAGS = {name.upper(): f"--model {name}" for name in NETWORKS} | {
    "RNN, orthogonal": "--model rnn --rnn_init orthogonal",
}
RATES = [1.5e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3]  # tried
CHOSEN = {  # {label: {T: the rate that best_rate finds in the rows of these seeds}}
    "LSTM": {5: 6e-4, 10: 1e-3, 20: 1e-3, 40: 2e-3, 80: 1e-3},
    "RNN": {5: 6e-4, 10: 6e-4, 20: 6e-4, 40: 4e-3, 80: 2e-3},
    "RNN, orthogonal": {5: 6e-4, 10: 6e-4, 20: 3e-4, 40: 1.5e-4, 80: 3e-4},
}
LONGER = 3000  # steps, at 80 digits alone
TEN = range(300, 310)  # the seeds of the report


def settings_for(label, T, rates, steps=1000, warmup=0):
    """Return the settings of a network at a length; it is trained at each of the rates."""
    args = parse_args(f"{FLAGS[label]} --train_steps {steps} --warmup {warmup}".split())
    settings = settings_of(args, args.model[0]) | {"label": label, "T": T, "rates": rates}
    del settings["learning_rate"]
    return settings


CHOOSING, REPORTED = {}, {}
for label, chosen in CHOSEN.items():
    for T, rate in chosen.items():
        seeds = range(10 if label == "RNN" else 5)  # those of the plain RNN differ most
        CHOOSING[f"rates, {label}, T = {T}"] = settings_for(label, T, RATES), seeds
        REPORTED[f"{label}, T = {T}"] = settings_for(label, T, [rate]), TEN
    longer = settings_for(label, 80, [chosen[80]], LONGER)
    REPORTED[f"{label}, T = 80, {LONGER} steps"] = longer, TEN
REPORTED["LSTM, T = 80, warm-up"] = settings_for("LSTM", 80, [2e-3], warmup=50), TEN
LSTM_RATES, RNN_RATES = [1e-3, 2e-3, 4e-3], [3e-4, 6e-4, 1e-3, 2e-3]
DEFAULTS = {  # these choose the defaults of train.py; T = 80 without a warm-up is in CHOOSING
    "choice, LSTM, T = 20, warm-up": (settings_for("LSTM", 20, LSTM_RATES, 500, 50), range(20)),
    "choice, LSTM, T = 80, warm-up": (settings_for("LSTM", 80, LSTM_RATES, 1000, 50), range(5)),
    "choice, RNN, T = 20": (settings_for("RNN", 20, RNN_RATES, 500), range(20)),
    "choice, RNN, T = 20, warm-up": (settings_for("RNN", 20, RNN_RATES, 500, 50), range(20)),
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
        train(settings | {"learning_rate": rate}, model, [train_set], seed)
        row = {"network": settings["label"], "T": settings["T"], "rate": rate}
        rows.append(row | {"accuracy": evaluate(model, test_set)["accuracy"]})
    return rows


def best_rate(means):
    """Return the middle one of the rates whose mean accuracy is within 0.05 % of the best mean.

    Of two middle ones it is the lower. means are {rate: mean accuracy in %}.
    """
    best = sorted(rate for rate, mean in means.items() if mean >= max(means.values()) - 0.05)
    return statistics.median_low(best)


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


def lengths_table(rows):
    """Return a row for each network: how many solve each length, and the rate in brackets."""
    columns = [row["experiment"].removeprefix(f"{row['network']}, ") for row in rows]
    lines = []
    for (network,), some in grouped(rows, "network").items():
        line = {"network": network} | dict.fromkeys(columns, "")
        for (experiment,), own in grouped(some, "experiment").items():
            shares = [100 * row["accuracy"] for row in own]
            column = experiment.removeprefix(f"{network}, ")
            line[column] = f"{solved(shares)} ({own[0]['rate']:g})"
        lines.append(line)
    return lines


def summary_table(rows):
    """Return a row for each experiment and rate, over its seeds."""
    lines = []
    for (experiment, rate), own in grouped(rows, "experiment", "rate").items():
        lines.append({"training": experiment, "rate": f"{rate:g}"} | summary(own))
    return lines


def show(rows, out_dir):
    """Save the tables that have rows."""
    for name, experiments, table in (
        ("lengths_rates", CHOOSING, rates_table),
        ("lengths", REPORTED, lengths_table),
        ("defaults", DEFAULTS, summary_table),
    ):
        if own := [row for row in rows if row["experiment"] in experiments]:
            save_table(out_dir / f"{name}.csv", table(own))


if __name__ == "__main__":
    study("lengths", __doc__, EXPERIMENTS, measure, show, seconds)
