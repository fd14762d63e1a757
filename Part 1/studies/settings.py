"""What is each setting of train.py good for, and does the LSTM beat the fairest RNN?

    python -m studies.settings                                the report's, in seconds
    python -m studies.settings --only orthogonal --seed 400   twenty other seeds of one row

An experiment is a list of flags of train.py. The rows have each point of each curve, accuracy.csv
is the table. accuracy.png shows the defaults, but RNNs at 20 digits at their best rate. Rates were
chosen with seeds below 20; the table has seeds from 300 on.
"""

import statistics

from common import grouped, save_figure, save_table
from studies.runner import study
from train import SOLVED, parse_args, settings_of, train_and_test, training_figure

RNN, LSTM = "--model rnn --input_length 19", "--model lstm --input_length 19"
TEN, TWENTY, FORTY = range(300, 310), range(300, 320), range(300, 340)
FLAGS = {  # {experiment: (flags of train.py, those that are in the table, seeds)}
    "defaults": ("", "", FORTY),
    "rnn": (RNN, "--learning_rate 0.0006", TWENTY),
    "rnn, 0.001": (RNN, "--learning_rate 0.001", TWENTY),
    "orthogonal": (RNN, "--rnn_start orthogonal --learning_rate 0.0003", TWENTY),
    "input_dim": (LSTM, "--input_dim 1", TWENTY),
    "bf": (LSTM, "--bf 0", TWENTY),
    "decay": (LSTM, "--no-decay --learning_rate 0.001", TWENTY),
    "assignment": ("", "--preset assignment", TEN),
    "assignment, longer": ("--eval_every 100", "--preset assignment --train_steps 10000", TEN),
}
EXPERIMENTS = {
    experiment: (settings_of(parse_args([*what.split(), *changes.split()])), seeds)
    for experiment, (what, changes, seeds) in FLAGS.items()
}
COLUMNS = ("T", "network", "step", "accuracy")


def measure(settings, seed):
    """Train each network at each length; return all points of their curves."""
    rows = []
    for n in settings["input_length"]:
        for network in settings["model"]:
            _, curve = train_and_test(network, n + 1, seed, settings)
            for point in curve:
                row = {"T": n + 1, "network": network}
                rows.append(row | {"step": point["step"], "accuracy": point["accuracy"]})
    return rows


def solved(shares):
    """Return how many networks solve their task, as text; shares of right answers are in %."""
    return f"{sum(share >= 100 * SOLVED for share in shares)} of {len(shares)}"


def summary(shares):
    """Return the last cells of a row on some networks, from their shares of right answers in %."""
    cells = {"worst, %": f"{min(shares):.2f}", "median, %": f"{statistics.median(shares):.2f}"}
    return cells | {f"solved ({100 * SOLVED:g} %)": solved(shares)}


def accuracy_table(rows):
    """Return a row for each experiment, length and network, over its seeds.

    "late minimum" is the least accuracy of any seed in the last fifth of the training, and "solved
    at some step" counts the seeds whose curve comes to 99.9 % anywhere.
    """
    lines = []
    for (experiment, T, network), points in grouped(rows, "experiment", "T", "network").items():
        _, changes, _ = FLAGS[experiment]
        steps = points[-1]["step"]
        last = [100 * row["accuracy"] for row in points if row["step"] == steps]
        late = [100 * row["accuracy"] for row in points if row["step"] >= 0.8 * steps]
        curves = grouped(points, "seed").values()
        best = [100 * max(row["accuracy"] for row in curve) for curve in curves]
        line = {"T": T, "network": network.upper(), "settings": changes or "defaults"}
        line |= summary(last) | {"late minimum, %": f"{min(late):.1f}"}
        lines.append(line | {"solved at some step": solved(best)})
    return lines


def shown_curves(rows):
    """Return {T: points} of accuracy.png: the defaults, but RNNs at 20 digits at the rate 0.001."""
    others = [row for row in rows if (row["T"], row["network"]) != (20, "rnn")]
    shown = [row for row in others if row["experiment"] == "defaults"]
    shown += [row for row in rows if row["experiment"] == "rnn, 0.001"]
    return {T: points for (T,), points in grouped(shown, "T").items()}


def show(rows, out_dir):
    """Save the table, and the figure if its experiments are there."""
    save_table(out_dir / "accuracy.csv", accuracy_table(rows))
    if {"defaults", "rnn, 0.001"} <= {row["experiment"] for row in rows}:
        curves = shown_curves(rows)
        save_figure(out_dir / "accuracy.png", training_figure(curves), [*curves.values()])


if __name__ == "__main__":
    study("settings", __doc__, EXPERIMENTS, COLUMNS, measure, show)
