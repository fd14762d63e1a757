"""What is each setting, and each gate, of the LSTM good for? One thing changed at a time.

    python ablation.py                    all three tables; 50 minutes of one core
    python ablation.py --only settings    one of them
    python ablation.py --only gates --learning_rate 0.003
    python ablation.py --only gates --rows "none" "all three at 1"

settings: our training of the LSTM at T = 20; then again with one setting changed back to the course
template's. At T = 80: only ours, and ours with gradients clipped to norm 10. template: all settings
changed back, at T = 5 and T = 20, with 500 and with 2,500 steps. gates: some gates held at 1 while
the rest is trained, and other starts of the biases bf and bi; at T = 20 and T = 80.
Trainings at T = 80 also draw shorter palindromes. All run on the CPU.
"""

from common import begin, make_parser, number, print_heads, print_row, run
from train import fresh_model, parse_args, summary, train_and_test

TO_80 = "--curriculum --eval_every 50"  # T = 80 is learnt with shorter palindromes
NORM_10 = "gradients clipped to norm 10, not 1"
SETTINGS = {
    "ours": "",
    "a digit as one number, not one-hot": "--input_dim 1",
    "bf = 1, not chrono": "--init forget",
    "learning rate 0.001, not 0.01": "--learning_rate 0.001",
    "no rise of the learning rate": "--warmup 0",
    "no fall of the learning rate": "--constant_rate",
    NORM_10: "--max_norm 10",
}
TEMPLATE = " ".join(SETTINGS.values())
HEADS = ("worst", "median", "at 99.9 % or more", "median first step")  # of run_seeds
GATES = ("modulation", "input", "forget", "output")  # the order of the rows of W
AT_1 = 40.0  # a bias that holds a gate at 1: in float32, sigm is 1 there and its slope 0
VARIANTS = {  # {row of the gates' table: {gate: its biases at the start, instead of chrono's}}
    "none": {},
    "forget and output at 1": {"forget": AT_1, "output": AT_1},
    "input and output at 1": {"input": AT_1, "output": AT_1},
    "input and forget at 1": {"input": AT_1, "forget": AT_1},
    "all three at 1": {"input": AT_1, "forget": AT_1, "output": AT_1},
    "none; chrono bf, bi = 0": {"input": 0.0},
    "none; bf = 1, chrono bi": {"forget": 1.0},
    "none; bf = 1, bi = 0": {"forget": 1.0, "input": 0.0},
}


def run_seeds(T, flags, seeds, biases=None):
    """Train and test one LSTM for each seed; return the cells under HEADS.

    biases is a value of VARIANTS.
    """
    results = []
    args = parse_args(["--device", "cpu", *flags.split()])
    for seed in seeds:
        model = fresh_model("lstm", T, seed, args)
        for gate, bias in (biases or {}).items():
            model.b.data.view(4, -1)[GATES.index(gate)] = bias
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
    trainings = [("ours", "", args.steps), ("template", TEMPLATE, args.steps)]
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
        for name in args.rows or VARIANTS:
            print_row(name, T, *run_seeds(T, f"{flags} {always}", some, VARIANTS[name]))


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
    add("--seeds_at_80", type=number(int, 1, 1000), default=3, help="at most, at T = 80")
    rows = {"choices": VARIANTS, "nargs": "+", "metavar": "ROW"}
    add("--rows", **rows, help="rows of the gates' table, named as it names them (default: all)")
    args = parser.parse_args()
    for flag in ("rows", "learning_rate"):
        if getattr(args, flag) != parser.get_default(flag) and "gates" not in args.only:
            parser.error(f"argument --{flag}: only the table gates, left out by --only, uses it")
    begin(args)
    for name, table in TABLES.items():
        if name in args.only:
            print()
            table(range(args.seed, args.seed + args.seeds), args)


if __name__ == "__main__":
    run(main)
