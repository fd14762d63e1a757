"""Teach an LSTM written by hand, and a vanilla RNN, to predict the last digit of a palindrome.

    python train.py                          T = 5 and T = 20
    python train.py --seed 300 --seeds 20    the same with twenty seeds

Into out_dir go accuracy.csv, the table that is printed, and for each length T t<T>.png, t<T>.csv
and the weights of each network (with several seeds, those of the first). The first command takes
20 s on two cores of an Intel Xeon, the second 10 minutes of one core; then every LSTM is right on
at least 99.95 % of unseen palindromes of T = 20, and the median RNN on 46.80 %.
"""

import statistics

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from common import add_run_flags, begin, make_parser, number, run, save, save_csv, save_table
from dataset import PalindromeDataset, encode
from figures import training_figure
from lstm import LSTM
from networks import MAX_LAG, save_network
from rnn import VanillaRNN

MODELS = ("lstm", "rnn")
STARTS = ("uniform", "orthogonal", "identity")
CURVE_SIZE = 1000  # test palindromes used for the curve
NO_SETTINGS = ("model", "input_length", "eval_every", "seed", "seeds", "device", "out_dir")
SOLVED = 0.999  # the accuracy from which on a length counts as solved


def train(
    model,
    train_sets,
    train_steps,
    learning_rate=1e-3,
    *,
    decay=False,
    batch_size=128,
    max_norm=10.0,
    seed=0,
    watch=None,
):
    """Train the model in place.

    Every step draws one of train_sets, and from it a batch. RMSprop minimises the cross-entropy
    after the last digit read; gradients are clipped to max_norm. With decay, the learning rate
    falls linearly to zero. watch(step), if given, is called before each step and after the last.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)
    rng = np.random.default_rng(seed)  # draws the batches; the weights come from torch's generator
    for step in tqdm(range(train_steps), leave=False, disable=None):
        if watch:
            watch(step)
        if decay:
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / train_steps)
        dataset = train_sets[rng.integers(len(train_sets))]
        batch = torch.from_numpy(rng.integers(len(dataset), size=batch_size))
        inputs, targets = dataset[batch]

        logits, _ = model(inputs.to(device))
        loss = F.cross_entropy(logits, targets.to(device))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    if watch:
        watch(train_steps)


@torch.no_grad()
def accuracy(model, dataset, first=None, batch_size=1000):
    """Return the share in [0, 1] of right answers, on the first `first` palindromes (None: all)."""
    device = next(model.parameters()).device
    digits = dataset.digits[:first].to(device)
    right = 0
    for batch in digits.split(batch_size):
        logits, _ = model(encode(batch[:, :-1], dataset.one_hot))
        right += (logits.argmax(dim=1) == batch[:, -1]).sum().item()
    return right / len(digits)


def parse_args(argv=None):
    """Return the checked flags."""
    parser = make_parser(__doc__)
    parser.add_argument("--model", choices=MODELS, nargs="+", default=MODELS, help="which networks")
    length = number(int, 2, 1000)
    length_help = "digits read, T - 1; one or more values of at least 2"
    parser.add_argument("--input_length", type=length, nargs="+", default=[4, 19], help=length_help)
    input_help = "a digit as 1 number or one-hot"
    parser.add_argument("--input_dim", type=int, choices=(1, 10), default=10, help=input_help)
    parser.add_argument("--num_hidden", type=number(int, 1, 9999), default=128, help="hidden units")
    lag_help = "start of the LSTM: bf = log U(1, max_lag), to forget slowly; 0: bf = 1"
    parser.add_argument("--max_lag", type=number(int, 0, 10**6), default=MAX_LAG, help=lag_help)
    parser.add_argument("--rnn_start", choices=STARTS, default="uniform", help="start of Whh")
    size = number(int, 10, 10**7)
    parser.add_argument("--data_size", type=size, default=100_000, help="palindromes")
    portion = number(float, 0.1, 0.9)
    parser.add_argument("--portion_train", type=portion, default=0.8, help="share for the training")
    count = number(int, 1, 10**6)
    parser.add_argument("--train_steps", type=count, default=500, help="training steps")
    parser.add_argument("--batch_size", type=count, default=128, help="palindromes a step")
    positive = number(float, 1e-9, 1e9)
    parser.add_argument("--learning_rate", type=positive, default=0.001, help="of RMSprop")
    parser.add_argument("--decay", action="store_true", help="let the rate fall linearly to zero")
    parser.add_argument("--max_norm", type=positive, default=10.0, help="of the gradient, clipped")
    parser.add_argument("--eval_every", type=count, default=10, help="steps between measurements")
    parser.add_argument("--seeds", type=count, default=1, help="runs: seed, seed + 1, ...")
    add_run_flags(parser)
    return parser.parse_args(argv)


def make_model(name, seed, args):
    """Return the fresh "lstm" or "rnn" with which the training of this seed starts."""
    torch.manual_seed(seed)
    if name == "rnn":
        model = VanillaRNN(args.input_dim, args.num_hidden, 10, start=args.rnn_start)
    else:
        model = LSTM(args.input_dim, args.num_hidden, 10, max_lag=args.max_lag or None)
    return model.to(args.device)


def make_data(T, seed, args):
    """Return the palindromes of length T for the training and those for the test."""
    dataset = PalindromeDataset(T - 1, args.data_size, args.input_dim == 10, seed)
    return dataset.split(args.portion_train)


def train_and_test(model, train_set, test_set, seed, args):
    """Train the model; return its curve, [(step, accuracy in [0, 1])].

    The curve is measured on the first CURVE_SIZE test palindromes, its last point on all of them.
    """
    curve = []

    def watch(step):
        if step == args.train_steps:
            curve.append((step, accuracy(model, test_set)))
        elif step % args.eval_every == 0:
            curve.append((step, accuracy(model, test_set, CURVE_SIZE)))

    train(
        model,
        [train_set],
        args.train_steps,
        args.learning_rate,
        decay=args.decay,
        batch_size=args.batch_size,
        max_norm=args.max_norm,
        seed=seed,
        watch=watch,
    )
    return curve


def summary(T, name, curves, args):
    """Return the row of the table for one network at one length, of all its seeds.

    Its settings are the flags that are not the defaults, for the LSTM and the RNN alike.
    """
    defaults, settings = vars(parse_args([])), []
    for flag, value in vars(args).items():
        if value != defaults[flag] and flag not in NO_SETTINGS:
            settings.append(f"--{flag}" if value is True else f"--{flag} {value}")
    last = [curve[-1][1] for curve in curves]
    solved = [[step for step, share in curve if share >= SOLVED] for curve in curves]
    return {
        "T": T,
        "network": name.upper(),
        "settings": " ".join(settings) or "defaults",
        "worst, %": f"{100 * min(last):.2f}",
        "median, %": f"{100 * statistics.median(last):.2f}",
        "solved": f"{sum(share >= SOLVED for share in last)} of {len(last)}",
        "all at 99.9 % by step": max(map(min, solved)) if all(solved) else "-",
    }


def main():
    """Train each network at each length with each seed; draw the curves, print the table."""
    args = parse_args()
    begin(args)
    seeds = range(args.seed, args.seed + args.seeds)
    table = []
    for T in sorted({n + 1 for n in args.input_length}):
        curves = {}
        for name in sorted(set(args.model)):
            curves[name] = []
            for seed in seeds:
                model = make_model(name, seed, args)
                train_set, test_set = make_data(T, seed, args)
                curve = train_and_test(model, train_set, test_set, seed, args)
                curves[name].append(curve)
                print(f"{name}, T = {T}, seed {seed}: {curve[-1][1]:.2%} of {len(test_set):,}")
                if seed == args.seed:
                    save_network(args.out_dir / f"{name}_t{T}.pth", model)
            table.append(summary(T, name, curves[name], args))
        save(args.out_dir / f"t{T}.png", training_figure(T, curves, SOLVED).savefig)
        rows = [
            {"network": name, "seed": seed, "step": step, "accuracy": share}
            for name in curves
            for seed, curve in zip(seeds, curves[name], strict=True)
            for step, share in curve
        ]
        save_csv(args.out_dir / f"t{T}.csv", rows)
    save_table(args.out_dir / "accuracy.csv", table)
    print(f"figures, numbers and weights are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
