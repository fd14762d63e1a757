"""Train an LSTM written by hand, and a vanilla RNN, to predict the last digit of a palindrome.

    python train.py                                   T = 5 and T = 20, three seeds each
    python train.py --input_length 39 --seeds 1       40 digits, into run/input_length=39,seeds=1

Into out_dir go accuracy.png, its numbers (curves.csv), all settings (settings.json) and the weights
of each network's first seed at each length T. The first command takes a minute on two cores. With
forty seeds, every LSTM is correct on at least 99.99 % of unseen palindromes of T = 20, and the
median RNN on 80.17 %.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from joblib import cpu_count
from matplotlib.figure import Figure
from tqdm import tqdm

from common import GREY, begin, duration, grouped, make_parser, number, run, save_csv
from dataset import PalindromeDataset
from networks import NETWORKS, forget_bias, make_network, save_network
from rnn import INITS

# The flags that decide what any network learns. Flags of a single network are in networks.py.
DECIDE = "input_dim", "num_hidden", "data_size", "portion_train", "train_steps", "batch_size"
DECIDE += "learning_rate", "decay", "warmup", "max_norm"
CURVE = "eval_early", "eval_every", "eval_size"  # these decide where a curve has points
# {a flag that was added to DECIDE later: the value that older rows were trained with}
BEFORE = {}
TEMPLATE = {"input_dim": 1, "bf": 0.0, "learning_rate": 0.001, "decay": False, "warmup": 0}
TEMPLATE |= {"train_steps": 10_000}
SOLVED = 0.999  # a length counts as solved from this accuracy on


def train(settings, model, train_sets, seed, watch=None):
    """Train the model in place, with the settings named in DECIDE, and return it.

    Every batch comes from one of train_sets, at random. watch(step) is called before each step. The
    rate rises over the first `warmup` steps, a tenth of all at most: RMSprop's mean of squares
    starts at zero, so its first steps would be up to ten times as long as the rate says.
    """
    optimizer = torch.optim.RMSprop(model.parameters(), lr=settings["learning_rate"])
    rng = np.random.default_rng(seed)  # picks the batches; the weights come from torch's generator
    steps = settings["train_steps"]
    warmup = min(settings["warmup"], steps // 10)
    for step in range(steps):
        if watch:
            watch(step)
        rate = settings["learning_rate"] * min(1, (step + 1) / (warmup + 1))
        if settings["decay"]:
            rate *= 1 - step / steps
        optimizer.param_groups[0]["lr"] = rate
        dataset = train_sets[rng.integers(len(train_sets))]
        batch = torch.from_numpy(rng.integers(len(dataset), size=settings["batch_size"]))
        inputs, targets = dataset[batch]

        logits, _ = model(inputs)
        loss = F.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["max_norm"])
        optimizer.step()
    return model


@torch.no_grad()
def measure_accuracy(model, dataset, first=None):
    """Return the share, in [0, 1], of the first items (None: all) whose target is predicted."""
    items, correct = torch.arange(len(dataset))[:first], 0
    for batch in items.split(1000):
        inputs, targets = dataset[batch]
        logits, _ = model(inputs)
        correct += (logits.argmax(dim=1) == targets).sum().item()
    return correct / len(items)


def palindromes_of(settings, T, seed):
    """Return the training and the test palindromes of T digits, two datasets."""
    dataset = PalindromeDataset(T - 1, settings["data_size"], settings["input_dim"] == 10, seed)
    return dataset.split(settings["portion_train"])


def train_and_test(settings, T, seed):
    """Train a fresh network, with the settings of settings_of and CURVE; return it and its curve.

    The curve has rows with step and accuracy: on the first eval_size test palindromes, and at the
    end on all.
    """
    model, curve = make_network(settings, seed), []
    train_set, test_set = palindromes_of(settings, T, seed)

    def watch(step):
        if step <= settings["eval_early"] or step % settings["eval_every"] == 0:
            accuracy = measure_accuracy(model, test_set, settings["eval_size"])
            curve.append({"step": step, "accuracy": accuracy})

    train(settings, model, [train_set], seed, watch)
    curve.append({"step": settings["train_steps"], "accuracy": measure_accuracy(model, test_set)})
    return model, curve


def flags_parser():
    """Return the parser of all flags."""
    parser = make_parser(__doc__)
    length, count, size = number(int, 2, 1000), number(int, 1, 10**6), number(int, 10, 10**7)
    positive, portion = number(float, 1e-9, 1e9), number(float, 0.1, 0.9)
    parser.add_argument(
        "--model", choices=NETWORKS, nargs="+", default=[*NETWORKS], help="networks"
    )
    parser.add_argument("--input_length", type=length, nargs="+", default=[4, 19], help="T - 1")
    parser.add_argument("--input_dim", type=int, choices=(1, 10), default=10, help="10 is one-hot")
    parser.add_argument("--num_hidden", type=number(int, 1, 9999), default=128, help="hidden units")
    # A flag without a default gets that of the network, which stands in networks.py.
    text = "initial forget-gate bias, or chrono: log U(1, 100) (default: chrono)"
    parser.add_argument("--bf", type=forget_bias, default=argparse.SUPPRESS, help=text)
    text = "initial Whh (default: uniform)"
    parser.add_argument("--rnn_init", choices=INITS, default=argparse.SUPPRESS, help=text)
    parser.add_argument("--data_size", type=size, default=100_000, help="palindromes per length")
    parser.add_argument("--portion_train", type=portion, default=0.8, help="share to train on")
    parser.add_argument("--train_steps", type=count, default=500, help="training steps")
    parser.add_argument("--batch_size", type=count, default=128, help="palindromes in a step")
    rates = ", ".join(f"{name} {NETWORKS[name].learning_rate}" for name in NETWORKS)
    text = f"of RMSprop (default: {rates})"
    parser.add_argument("--learning_rate", type=positive, default=argparse.SUPPRESS, help=text)
    text = "whether the rate falls linearly to zero"
    parser.add_argument("--decay", action=argparse.BooleanOptionalAction, default=True, help=text)
    text = "steps over which the rate rises, a tenth of all at most"
    parser.add_argument("--warmup", type=number(int, 0, 10**6), default=0, help=text)
    parser.add_argument("--max_norm", type=positive, default=10.0, help="gradients' largest norm")
    text = "measure accuracy before each of this many first steps"
    parser.add_argument("--eval_early", type=number(int, 0, 10**6), default=60, help=text)
    parser.add_argument("--eval_every", type=count, default=10, help="later steps between points")
    text = "test palindromes in a measurement; the last one takes all"
    parser.add_argument("--eval_size", type=count, default=200, help=text)
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=300, help="first seed")
    parser.add_argument("--seeds", type=count, default=3, help="how many: seed, seed + 1, ...")
    parser.add_argument("--jobs", type=count, default=cpu_count(), help="training runs at a time")
    text = f"the template's settings as defaults: {TEMPLATE}"
    parser.add_argument("--preset", choices=["template"], help=text)
    return parser


def parse_args(argv=None):
    """Return the flags, checked; by default, out_dir is a folder in run/ named after changes."""
    parser = flags_parser()
    args = parser.parse_args(argv)
    for name, network in NETWORKS.items():
        for flag in network.flags:
            if flag in args and name not in args.model:
                parser.error(f"argument --{flag}: of {name}, which --model does not name")
    if args.preset == "template":
        parser.set_defaults(**TEMPLATE)
        args = parser.parse_args(argv)  # flags that are given still win
    args.model, args.input_length = sorted({*args.model}), sorted({*args.input_length})
    if args.out_dir == parser.get_default("out_dir"):
        args.out_dir /= changed_flags(args, parser)
    return args


def changed_flags(args, parser):
    """Return "flag=value,..." of all flags that decide results and differ from their defaults."""
    changed = []
    for flag, value in vars(args).items():
        if flag not in ("out_dir", "jobs") and value != parser.get_default(flag):
            text = "-".join(map(str, value)) if isinstance(value, list) else value
            changed.append(f"{flag}={text}")
    return ",".join(changed)


def settings_of(args, name):
    """Return {flag: value} of all that decides what this network learns, except length and seed."""
    network = NETWORKS[name]
    flags = {"learning_rate": network.learning_rate} | network.flags | vars(args)
    return {"network": name} | {flag: flags[flag] for flag in (*DECIDE, *network.flags)}


def summary(rows):
    """Return the cells of a table on some networks, whose rows have the accuracy in [0, 1]."""
    shares = [100 * row["accuracy"] for row in rows]
    solved = sum(share >= 100 * SOLVED for share in shares)
    return {
        "worst accuracy, %": f"{min(shares):.2f}",
        "median accuracy, %": f"{np.median(shares):.2f}",
        "solved (99.9 %)": f"{solved} of {len(shares)}",
    }


def training_figure(rows):
    """Return a Figure with the accuracy, in %, over the steps, a panel for each length T.

    The rows have T, network, seed, step and accuracy. A bold line is the median of the thin ones.
    A panel ends at step 60 if all are solved from there on. A run of no more steps is shown whole.
    """
    panels, end = grouped(rows, "T"), max(row["step"] for row in rows)
    figure = Figure(figsize=(1 + 4.8 * len(panels), 4.4), layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axes, ((T,), points) in zip(grid.flat, panels.items(), strict=True):
        steps = sorted({row["step"] for row in points})
        if min((row["accuracy"] for row in points if row["step"] >= 60), default=0) >= SOLVED:
            steps = [step for step in steps if step <= 60]
        elif end > 60:  # every ten steps throughout, so that the early curves are not denser
            steps = [step for step in steps if step > 60 or step % 10 == 0 or step == end]
        solved = []
        for (name,), some in grouped(points, "network").items():
            color, curves = NETWORKS[name].color, []
            for curve in grouped(some, "seed").values():
                accuracies = {row["step"]: 100 * row["accuracy"] for row in curve}
                curves.append([accuracies[step] for step in steps])
            axes.plot(steps, np.transpose(curves), color=color, lw=0.6, alpha=0.45)
            axes.plot(steps, np.median(curves, axis=0), color=color, lw=2.5, label=name.upper())
            ends = [row["accuracy"] for row in some if row["step"] == end]
            n_solved = sum(accuracy >= SOLVED for accuracy in ends)
            solved.append(f"{n_solved} of {len(ends)} {name.upper()}s")
        axes.axhline(10, color=GREY, ls="--", zorder=1)
        axes.text(0.98, 11, "chance", color=GREY, ha="right", transform=axes.get_yaxis_transform())
        axes.set_title(f"{T} digits solved: {', '.join(solved)}", fontsize=13)
        axes.margins(x=0)
        axes.set(ylim=(0, 102), xlabel="training step")
    grid[0, 0].set_ylabel("accuracy on unseen palindromes, %")
    grid[0, 0].legend(loc="lower right", bbox_to_anchor=(1, 0.15))
    return figure


def main():
    """Train each network at each length with each seed; draw the curves."""
    args = parse_args()
    begin(args, networks={name: settings_of(args, name) for name in args.model})
    seeds = range(args.seed, args.seed + args.seeds)
    jobs, seconds = {}, 0.0  # jobs: {(T, network, seed): arguments of train_and_test}
    for n in args.input_length:
        for name in args.model:
            settings = settings_of(args, name) | {flag: vars(args)[flag] for flag in CURVE}
            jobs |= {(n + 1, name, seed): (settings, n + 1, seed) for seed in seeds}
            seconds += NETWORKS[name].seconds * n * args.train_steps * len(seeds)
    lengths = ", ".join(str(n + 1) for n in args.input_length)
    at_a_time = min(args.jobs, len(jobs))
    print(
        f"training {', '.join(args.model)} at T = {lengths}, seeds {seeds[0]} to {seeds[-1]}, "
        f"{at_a_time} at a time: about {duration(seconds / at_a_time)}"
    )
    curves = {}
    for (T, name, seed), (model, curve) in run(train_and_test, jobs, args.jobs):
        tqdm.write(f"{name}, T = {T}, seed {seed}: accuracy {curve[-1]['accuracy']:.2%}")
        row = {"T": T, "network": name, "seed": seed}
        curves[T, name, seed] = [row | point for point in curve]
        if seed == args.seed:
            save_network(args.out_dir / f"{name}_t{T}.pth", model)
        save_csv(args.out_dir / "curves.csv", [row for job in jobs for row in curves.get(job, [])])
    for (T, name), group in grouped([curves[job][-1] for job in jobs], "T", "network").items():
        cells = ", ".join(f"{title} {cell}" for title, cell in summary(group).items())
        print(f"{name}, T = {T}: {cells}")
    all_rows = [row for job in jobs for row in curves[job]]
    training_figure(all_rows).savefig(args.out_dir / "accuracy.png")
    print(f"figures, numbers and weights are in {args.out_dir}")


if __name__ == "__main__":
    main()
