"""What is each setting of train.py good for, and does the LSTM beat the fairest RNN?

    python -m studies.settings                                the report's, in seconds
    python -m studies.settings --only orthogonal --seed 400   twenty other seeds of one row

An experiment is a list of flags of train.py. The rows have each point of each curve, accuracy.csv
is the table, and accuracy.png shows the defaults. Rates were chosen with seeds below 20; the table
has seeds from 300 on.
"""

import statistics

from common import grouped, save_figure, save_table
from studies.runner import study
from train import SOLVED, parse_args, train_and_test, training_figure

RNN, LSTM = "--model rnn --input_length 19", "--model lstm --input_length 19"
SETTINGS = {  # {experiment: (flags of train.py, those that are in the table)}
    "defaults": ("", ""),
    "rnn": (RNN, "--learning_rate 0.0006"),
    "rnn, 0.001": (RNN, "--learning_rate 0.001"),
    "orthogonal": (RNN, "--rnn_start orthogonal --learning_rate 0.0003"),
    "input_dim": (LSTM, "--input_dim 1"),
    "max_lag": (LSTM, "--bf 1"),
    "decay": (LSTM, "--no-decay"),
    "assignment": ("", "--preset assignment"),
    "assignment, longer": ("--eval_every 100", "--preset assignment --train_steps 10000"),
}


def measure(job):
    """Train the networks of a job (experiment, seed), at each length; return the curves."""
    experiment, seed = job
    what, changes = SETTINGS[experiment]
    args = parse_args(f"{what} {changes}".split())
    rows = []
    for n in args.input_length:
        for network in args.model:
            _, curve = train_and_test(network, n + 1, seed, args)
            for point in curve:
                row = {"experiment": experiment, "seed": seed, "T": n + 1, "network": network}
                rows.append(row | {"step": point["step"], "accuracy": point["accuracy"]})
    return rows


def solved(shares):
    """Return how many networks solve their task, as text; shares of right answers are in %."""
    return f"{sum(share >= 100 * SOLVED for share in shares)} of {len(shares)}"


def summary(shares):
    """Return the last cells of a row on some networks, from their shares of right answers in %."""
    cells = {"worst, %": f"{min(shares):.2f}", "median, %": f"{statistics.median(shares):.2f}"}
    return cells | {f"solved ({100 * SOLVED:g} %)": solved(shares)}


def table(rows):
    """Return a row for each experiment, length and network, over its seeds.

    "late minimum" is the least accuracy of any seed in the last fifth of the training.
    """
    lines = []
    for (experiment, T, network), points in grouped(rows, "experiment", "T", "network").items():
        _, changes = SETTINGS[experiment]
        steps = points[-1]["step"]
        last = [100 * row["accuracy"] for row in points if row["step"] == steps]
        late = [100 * row["accuracy"] for row in points if row["step"] >= 0.8 * steps]
        line = {"T": T, "network": network.upper(), "settings": changes or "defaults"}
        lines.append(line | summary(last) | {"late minimum, %": f"{min(late):.1f}"})
    return lines


def show(rows, out_dir):
    """Save the table, and the figure of the defaults."""
    save_table(out_dir / "accuracy.csv", table(rows))
    if defaults := [row for row in rows if row["experiment"] == "defaults"]:
        curves = {T: own for (T,), own in grouped(defaults, "T").items()}
        save_figure(out_dir / "accuracy.png", training_figure(curves), defaults)


if __name__ == "__main__":
    seeds = dict.fromkeys(SETTINGS, range(300, 320)) | {"defaults": range(300, 340)}
    seeds |= dict.fromkeys(["assignment", "assignment, longer"], range(300, 310))
    study("settings", __doc__, SETTINGS, seeds, measure, show)
