"""What is each setting, and each gate, of the LSTM good for? One thing changed at a time.

    python ablation.py                    all three tables; an hour of one core
    python ablation.py --only settings    one of them
    python ablation.py --only gates --learning_rate 0.003
    python ablation.py --only gates --rows "input at 1" "all three at 1"

settings: our training of the LSTM at T = 20; then again with one setting changed back to the course
template's. At T = 80: only ours, and ours with gradients clipped to norm 10. template: all settings
changed back, at T = 5 and T = 20, with 500 and with 2,500 steps. gates: some gates held at 1 while
the rest is trained, and other starts of the biases bf and bi; at T = 20 and T = 80.
Trainings at T = 80 also draw shorter palindromes. All run on the CPU.
"""

import torch

from common import begin, make_parser, number, print_heads, print_row, run
from train import fresh_model, parse_args, summary, train_and_test

OURS = ""
TEMPLATE = "--input_dim 1 --init forget --learning_rate 0.001 --warmup 0 --constant_rate "
TEMPLATE += "--max_norm 10"
TO_80 = "--curriculum --eval_every 50"  # T = 80 is learnt with shorter palindromes
NORM_10 = "gradients clipped to norm 10, not 1"
SETTINGS = {
    "ours": OURS,
    "a digit as one number, not one-hot": "--input_dim 1",
    "bf = 1, not chrono": "--init forget",
    "learning rate 0.001, not 0.01": "--learning_rate 0.001",
    "no rise of the learning rate": "--warmup 0",
    "no fall of the learning rate": "--constant_rate",
    NORM_10: "--max_norm 10",
}
HEADS = ("worst", "median", "at 99.9 % or more", "median first step")  # of run_seeds
GATES = ("modulation", "input", "forget", "output")  # the order of the rows of W
ALWAYS_1 = 40.0  # a bias: in float32, sigm(40) is 1
HELD = {  # {row of the table: the gates that are held at 1}
    "none": (),
    "forget at 1": ("forget",),
    "output at 1": ("output",),
    "forget and output at 1": ("forget", "output"),
    "input at 1": ("input",),
    "input and output at 1": ("input", "output"),
    "input and forget at 1": ("input", "forget"),
    "all three at 1": ("input", "forget", "output"),
}
STARTS = {  # {row of the table: {gate: its biases at the start, instead of chrono's}}
    "none; chrono bf, bi = 0": {"input": 0.0},
    "none; bf = 1, chrono bi": {"forget": 1.0},
    "none; bf = 1, bi = 0": {"forget": 1.0, "input": 0.0},
}


def rows_of(model, gate):
    """Return the indices of the gate's rows in model.W and model.b."""
    H = model.Wph.shape[1]
    return torch.arange(H) + GATES.index(gate) * H


def hold(model, gate):
    """Freeze a gate at 1: no weights, a great bias, and no gradient for either."""
    rows = rows_of(model, gate)
    with torch.no_grad():
        model.W[rows] = 0
        model.b[rows] = ALWAYS_1
    for parameter in (model.W, model.b):
        parameter.register_hook(lambda gradient: gradient.index_fill(0, rows, 0))


def run_seeds(T, flags, seeds, held=(), start=None):
    """Train and test one LSTM for each seed; return the cells under HEADS.

    held and start are values of HELD and STARTS.
    """
    results = []
    args = parse_args(["--device", "cpu", *flags.split()])
    for seed in seeds:
        model = fresh_model("lstm", T, seed, args)
        for gate in held:
            hold(model, gate)
        for gate, bias in (start or {}).items():
            model.b.data[rows_of(model, gate)] = bias
        results.append(train_and_test(model, "lstm", T, seed, args))
    return summary(results)


def settings_table(seeds, args):
    """Print the accuracy with each setting set back at T = 20, and with one of them at T = 80."""
    print_heads("setting", "T", *HEADS)
    for name, flags in SETTINGS.items():
        row = run_seeds(20, f"{flags} --train_steps {args.steps}", seeds)
        print_row(name, 20, *row)
    for name in ("ours", NORM_10):
        flags = f"{SETTINGS[name]} {TO_80} --train_steps {args.steps}"
        print_row(name, 80, *run_seeds(80, flags, seeds[: args.seeds_at_80]))


def template_table(seeds, args):
    """Print the accuracy with the template's settings, and with ours, at T = 5 and T = 20."""
    print_heads("settings", "T", "steps", *HEADS)
    trainings = [("ours", OURS, args.steps), ("template", TEMPLATE, args.steps)]
    trainings.append(("template", TEMPLATE, 5 * args.steps))
    for T in (5, 20):
        for name, flags, train_steps in trainings:
            row = run_seeds(T, f"{flags} --train_steps {train_steps}", seeds)
            print_row(name, T, f"{train_steps:,}", *row)


def gates_table(seeds, args):
    """Print the accuracy with gates held or started otherwise, at T = 20 and at T = 80."""
    always = f"--train_steps {args.steps} --learning_rate {args.learning_rate}"
    print_heads("held", "T", *HEADS)
    for T, flags, some in ((20, "", seeds), (80, TO_80, seeds[: args.seeds_at_80])):
        for name in args.rows or [*HELD, *STARTS]:
            row = run_seeds(T, f"{flags} {always}", some, HELD.get(name, ()), STARTS.get(name))
            print_row(name, T, *row)


TABLES = {"settings": settings_table, "template": template_table, "gates": gates_table}


def main():
    """Print the tables."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--only", choices=TABLES, nargs="+", default=[*TABLES], help="which tables")
    add("--steps", type=number(int, 1, 200_000), default=500, help="training steps")
    add("--learning_rate", type=number(float, 1e-9, 10), default=0.01, help="of the gates' table")
    add("--seed", type=number(int, 0, 2**31), default=300, help="the first seed")
    add("--seeds", type=number(int, 1, 1000), default=10, help="how many runs: seed, seed + 1, ...")
    add("--seeds_at_80", type=number(int, 1, 1000), default=3, help="how many of them at T = 80")
    rows = {"choices": [*HELD, *STARTS], "nargs": "+", "metavar": "ROW"}
    add("--rows", **rows, help="rows of the gates' table, named as it names them (default: all)")
    args = parser.parse_args()
    begin(args)
    for name, table in TABLES.items():
        if name in args.only:
            print()
            table(range(args.seed, args.seed + args.seeds), args)


if __name__ == "__main__":
    run(main)
