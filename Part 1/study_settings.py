"""What is each setting of train.py good for, and does the LSTM beat the fairest RNN?

    python study_settings.py                                     all trainings, 90 minutes of a core
    python study_settings.py --only identity --seeds 3           one row of the table, three seeds
    python study_settings.py --rows results/accuracy_rows.csv    table and figures, in seconds

A row of the table is a list of flags of train.py. accuracy_rows.csv has each point of each curve,
accuracy.csv the table, and t5.png and t20.png show the defaults. Rates were chosen with seeds below
20; the table has seeds from 300 on.
"""

import statistics

from common import begin, make_parser, number, run
from figures import SOLVED, training_figure
from rows import add_study_flags, grouped, save_csv, save_figure, study_rows
from train import jobs_of, parse_args, train_and_test

T20, T40 = "--input_length 19", "--input_length 39 --train_steps 1000 --eval_every 25"
SETTINGS = {  # {name: (flags of train.py, number of seeds)}
    "defaults": ("", 40),
    "rnn": (f"--model rnn {T20} --learning_rate 0.001", 20),
    "identity": (f"--model rnn {T20} --rnn_start identity --learning_rate 0.0006", 20),
    "orthogonal": (f"--model rnn {T20} --rnn_start orthogonal --learning_rate 0.0006", 20),
    "T = 40": (f"{T40} --learning_rate 0.001", 20),
    "identity, T = 40": (f"--model rnn {T40} --rnn_start identity --learning_rate 0.0003", 20),
    "orthogonal, T = 40": (f"--model rnn {T40} --rnn_start orthogonal --learning_rate 0.0003", 20),
    "input_dim": (f"--model lstm {T20} --input_dim 1", 20),
    "max_lag": (f"--model lstm {T20} --max_lag 0", 20),
    "bf": (f"--model lstm {T20} --bf -1", 20),
    "decay": (f"--model lstm {T20} --no-decay", 20),
}
NOT_IN_TABLE = ("--model", "--input_length", "--eval_every")  # these and their values
COLUMNS = {
    "T": int,
    "network": str,
    "flags": str,
    "seed": int,
    "step": int,
    "accuracy": number(float, 0, 1),
}


def shown(flags):
    """Return the text of the flags, without those that are not in the table."""
    words = flags.split()
    for flag in NOT_IN_TABLE:
        if flag in words:
            at = words.index(flag)
            del words[at : at + 2]
    return " ".join(words) or "defaults"


def measure(job):
    """Train one network; return the rows of its curve. A job is (flags shown, job of train.py)."""
    text, training = job
    name, T, seed, _ = training
    _, curve = train_and_test(training)
    head = {"T": T, "network": name.upper(), "flags": text, "seed": seed}
    return [head | {"step": row["step"], "accuracy": row["accuracy"]} for row in curve]


def all_jobs(args):
    """Return the jobs of the settings args.only."""
    jobs = []
    for name in args.only:
        flags, seeds = SETTINGS[name]
        seeds = f"--seed {args.seed} --seeds {args.seeds or seeds} --device {args.device}"
        trainings = jobs_of(parse_args(f"{flags} {seeds}".split()))
        jobs += [(shown(flags), training) for training in trainings]
    return jobs


def table(rows):
    """Return a row for each network, length and flags, over its seeds.

    "least late" is the least accuracy of any seed in the last fifth of the training.
    """
    lines = []
    for (T, network, flags), points in grouped(rows, "T", "network", "flags").items():
        curves = grouped(points, "seed").values()
        last = [100 * curve[-1]["accuracy"] for curve in curves]
        late, solved = [], []
        for curve in curves:
            steps = curve[-1]["step"]
            late += [row["accuracy"] for row in curve if row["step"] >= 0.8 * steps]
            solved.append([row["step"] for row in curve if row["accuracy"] >= SOLVED])
        line = {"T": T, "network": network, "settings": flags}
        line["worst, %"] = f"{min(last):.2f}"
        line["median, %"] = f"{statistics.median(last):.2f}"
        line["least late, %"] = f"{100 * min(late):.1f}"
        n_solved = sum(share >= 100 * SOLVED for share in last)
        line[f"solved ({100 * SOLVED:g} %)"] = f"{n_solved} of {len(last)}"
        line["all at 99.9 % by step"] = max(map(min, solved)) if all(solved) else "not reached"
        lines.append(line)
    return lines


def main():
    """Measure, or read what was measured; show it."""
    parser = make_parser(__doc__)
    add_study_flags(parser, SETTINGS, seed=300)
    args = parser.parse_args()
    begin(args)
    rows = study_rows(args, args.out_dir / "accuracy_rows.csv", COLUMNS, measure, all_jobs(args))
    save_csv(args.out_dir / "accuracy.csv", table(rows), show=True)
    for T in 5, 20:
        curves = [row for row in rows if row["T"] == T and row["flags"] == "defaults"]
        if curves:
            save_figure(args.out_dir / f"t{T}.png", training_figure(T, curves), curves)
    print(f"table and figures are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
