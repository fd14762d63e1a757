"""What is each setting of train.py good for, and does the LSTM beat the fairest RNN?

python -m studies.settings                                the report's, in seconds
python -m studies.settings --only orthogonal --seed 400   twenty other seeds of one row
"""

import statistics

from common import grouped, save_table
from networks import NETWORKS
from studies.runner import study
from train import CURVE, SOLVED, parse_args, settings_of, train_and_test, training_figure

LSTM_20, RNN_20 = "--model lstm --input_length 19", "--model rnn --input_length 19"
LONGER = "--preset assignment --train_steps 10000"
FLAGS = {  # {experiment: (flags, those of them that the table names, how many seeds from 300 on)}
    "lstm": ("--model lstm", "", 40),
    "rnn": ("--model rnn", "", 40),
    "rnn, 256 units": (RNN_20, "--num_hidden 256 --learning_rate 0.0006", 20),
    "rnn, scaled": (RNN_20, "--rnn_init scaled --learning_rate 0.0003", 20),
    "orthogonal": (RNN_20, "--rnn_init orthogonal --learning_rate 0.0003", 20),
    "input_dim": (LSTM_20, "--input_dim 1", 20),
    "bf": (LSTM_20, "--bf 0", 20),
    "no decay": (LSTM_20, "--no-decay", 20),
    "no warm-up": ("--model lstm", "--warmup 0", 20),
    "assignment, lstm": ("--model lstm --eval_every 100", LONGER, 10),
    "assignment, rnn": ("--model rnn --eval_every 100", LONGER, 10),
}
EXPERIMENTS = {}
for experiment, (flags, named, n) in FLAGS.items():
    args = parse_args(f"{flags} {named}".split())
    settings = settings_of(args, args.model[0]) | {"eval_every": args.eval_every} | CURVE
    if named == LONGER:
        settings["curve_sizes"] = [1000, 1000]  # measured on as many throughout
    settings["input_length"] = args.input_length
    EXPERIMENTS[experiment] = settings, range(300, 300 + n)


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    digits = settings["train_steps"] * sum(settings["input_length"])
    return digits * NETWORKS[settings["model"]].seconds


def measure(settings, seed):
    """Train a network at each of its lengths; return all points of the curves."""
    rows = []
    for n in settings["input_length"]:
        _, curve = train_and_test(settings, n + 1, seed)
        for point in curve:
            row = {"T": n + 1, "network": settings["model"]}
            rows.append(row | {"step": point["step"], "accuracy": point["accuracy"]})
    return rows


def summary(rows):
    """Return the last cells of a row on some networks, whose rows have the accuracy in [0, 1]."""
    shares = [100 * row["accuracy"] for row in rows]
    solved = sum(share >= 100 * SOLVED for share in shares)
    return {
        "worst accuracy, %": f"{min(shares):.2f}",
        "median accuracy, %": f"{statistics.median(shares):.2f}",
        "mean accuracy, %": f"{statistics.mean(shares):.2f}",
        "solved (99.9 %)": f"{solved} of {len(shares)}",
    }


def accuracy_table(rows):
    """Return a row for each experiment and length; the last column is over all of its seeds."""
    lines = []
    for (experiment, T, network), points in grouped(rows, "experiment", "T", "network").items():
        _, named, _ = FLAGS[experiment]
        steps = points[-1]["step"]
        last_fifth = [100 * row["accuracy"] for row in points if row["step"] >= 0.8 * steps]
        fast = [
            step
            for (step,), some in grouped(points, "step").items()
            if statistics.median(row["accuracy"] for row in some) >= 0.99
        ]
        line = {"T": T, "network": network.upper(), "settings": named or "defaults"}
        line |= summary([row for row in points if row["step"] == steps])
        line["steps to 99 % (median)"] = min(fast, default="")
        lines.append(line | {"lowest in the last fifth, %": f"{min(last_fifth):.1f}"})
    return lines


def show(rows, out_dir):
    """Save the table, and the figure if the defaults of both networks are there."""
    save_table(out_dir / "accuracy.csv", accuracy_table(rows))
    defaults = [row for row in rows if row["experiment"] in ("lstm", "rnn")]
    if len(grouped(defaults, "experiment")) == 2:
        training_figure(defaults).savefig(out_dir / "accuracy.png")


if __name__ == "__main__":
    study("settings", __doc__, EXPERIMENTS, measure, show, seconds)
