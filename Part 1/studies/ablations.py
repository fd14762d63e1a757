"""What is each setting of train.py good for, and does the LSTM beat the best-tuned RNN?

    python -m studies.ablations                                        the report's, in seconds
    python -m studies.ablations --train "RNN, orthogonal" --seeds 400  one other seed

The learning rates of train.py are chosen here, on seeds 0 to 19: the rate at which most of them
solve 20 digits. Ties go to the one whose median accuracy reaches 99 % first, then to the smaller.
"""

import statistics

from common import grouped
from studies.runner import study
from train import CURVE, parse_args, settings_of, summary, train_and_test, training_figure


def experiment(flags, seeds):
    """Return the settings that these flags of train.py mean, and the seeds."""
    args = parse_args(flags.split())
    settings = settings_of(args, args.model[0]) | {flag: vars(args)[flag] for flag in CURVE}
    return settings | {"input_length": args.input_length}, seeds


TWENTY = range(300, 320)
LSTM_20, RNN_20 = "--model lstm --input_length 19", "--model rnn --input_length 19"
AS_TEMPLATE = "--preset template --eval_early 0 --eval_every 100 --eval_size 1000"
REPORTED = {
    "LSTM": experiment("--model lstm", range(300, 340)),
    "LSTM, bf = 0": experiment(f"{LSTM_20} --bf 0", TWENTY),
    "LSTM, bf = 1": experiment(f"{LSTM_20} --bf 1 --learning_rate 0.008", TWENTY),
    "RNN": experiment("--model rnn", range(300, 340)),
    "RNN, scaled": experiment(f"{RNN_20} --rnn_init scaled --learning_rate 0.0003", TWENTY),
    "RNN, orthogonal": experiment(f"{RNN_20} --rnn_init orthogonal --learning_rate 0.0006", TWENTY),
    "template, LSTM": experiment(f"--model lstm {AS_TEMPLATE}", range(300, 310)),
    "template, RNN": experiment(f"--model rnn {AS_TEMPLATE}", range(300, 310)),
}
SLOW = [0.00015, 0.0003, 0.0006, 0.001]
CHOOSING = {
    f"{name} at {rate:g}": experiment(f"{flags} --learning_rate {rate}", range(20))
    for name, flags, rates in (
        ("LSTM", LSTM_20, [0.001, 0.002, 0.004, 0.008]),
        ("LSTM, bf = 0", f"{LSTM_20} --bf 0", [0.001, 0.002, 0.004, 0.008]),
        ("LSTM, bf = 1", f"{LSTM_20} --bf 1", [0.001, 0.002, 0.004, 0.008, 0.016]),
        ("RNN", RNN_20, [0.0003, 0.0006, 0.001, 0.002]),
        ("RNN, scaled", f"{RNN_20} --rnn_init scaled", SLOW),
        ("RNN, orthogonal", f"{RNN_20} --rnn_init orthogonal", SLOW),
    )
    for rate in rates
}
EXPERIMENTS = REPORTED | CHOOSING


def measure(settings, seed):
    """Train a network at each of its lengths; return all points of the curves."""
    rows = []
    for n in settings["input_length"]:
        _, curve = train_and_test(settings, n + 1, seed)
        rows += [{"T": n + 1} | point for point in curve]
    return rows


def accuracy_table(rows):
    """Return a row for each network and length, over all of its seeds."""
    lines = []
    for (name, T), points in grouped(rows, "experiment", "T").items():
        medians = {}
        for (step,), some in grouped(points, "step").items():
            medians[step] = statistics.median(row["accuracy"] for row in some)
        end = max(medians)
        line = {"T": T, "network": name} | summary([row for row in points if row["step"] == end])
        fast = [step for step, accuracy in medians.items() if accuracy >= 0.99]
        line["steps to 99 % (median)"] = min(fast, default="")
        lines.append(line)
    return lines


def show(rows):
    """Return each table that has rows, and the figure of the two networks of train.py."""
    shown = {}
    for file, experiments in ("accuracy.csv", REPORTED), ("choice.csv", CHOOSING):
        if some := [row for row in rows if row["experiment"] in experiments]:
            shown[file] = accuracy_table(some)
    defaults = [row for row in rows if row["experiment"] in ("LSTM", "RNN")]
    if len(grouped(defaults, "experiment")) == 2:
        curves = [{"network": row["experiment"].lower()} | row for row in defaults]
        shown["accuracy.png"] = training_figure(curves)
    return shown


if __name__ == "__main__":
    study("ablations", __doc__, EXPERIMENTS, measure, show)
