"""Teach an LSTM written by hand, and a vanilla RNN, to predict the last digit of a palindrome.

    python train.py                                     T = 5 and T = 20
    python train.py --model lstm --seed 300 --seeds 20  the LSTM alone, seeds 300 to 319
    python train.py --input_length 39 --curriculum      T = 40, trained on shorter palindromes, too

Prints a table and writes, for each length T, run/t<T>.png and run/t<T>.csv. The first command takes
20 s on two cores of an AMD EPYC.
"""

import math
import statistics
import time

import torch
import torch.nn.functional as F
from tqdm import tqdm

from common import add_run_flags, begin, make_parser, number, run, save, save_csv
from dataset import PalindromeDataset, count_palindromes, encode
from figures import training_figure
from lstm import LSTM
from rnn import VanillaRNN

NETWORKS = {  # of memory.py and gradients.py: {network: (name, init) for make_model}
    "rnn": ("rnn", "uniform"),
    "rnn_orthogonal": ("rnn", "orthogonal"),
    "lstm": ("lstm", "forget"),
    "lstm_chrono": ("lstm", "chrono"),
}
LEARNING_RATES = {"lstm": 1e-2, "rnn": 1e-3}
CURVE_SIZE = 1000  # test palindromes used for the curve
SOLVED = 0.999  # the accuracy from which on a length counts as solved


def make_model(name, init, T, input_dim=10, num_hidden=128):
    """Return a fresh network.

    init of an "rnn" is "uniform" or "orthogonal"; of an "lstm" it is "forget" (bf = 1) or "chrono"
    (for lags up to T - 1).
    """
    if name == "rnn":
        return VanillaRNN(input_dim, num_hidden, 10, orthogonal=init == "orthogonal")
    return LSTM(input_dim, num_hidden, 10, max_lag=T - 1 if init == "chrono" else None)


@torch.no_grad()
def read(model, digits, one_hot, piece=40):
    """Return the logits after digits (B, n), read piece by piece so that memory stays flat."""
    state = None
    for part in digits.split(piece, dim=1):
        logits, state = model(encode(part, one_hot), state)
    return logits


def count_answers(model, dataset, first=None, batch_size=1000):
    """Return int64 counts (10, 10): how often each target digit (row) got each answer (column).

    Counts over the whole dataset, or its `first` palindromes.
    """
    device = next(model.parameters()).device
    counts = torch.zeros(100, dtype=torch.int64)
    for digits in dataset.digits[:first].to(device).split(batch_size):
        answers = read(model, digits[:, :-1], dataset.one_hot).argmax(dim=1)
        counts += torch.bincount(10 * digits[:, -1].long() + answers, minlength=100).cpu()
    return counts.view(10, 10)


def accuracy(model, dataset, first=None):
    """Return the share in [0, 1] of right answers, on the first `first` palindromes (None: all)."""
    counts = count_answers(model, dataset, first)
    return counts.trace().item() / counts.sum().item()


def train(
    model,
    train_sets,
    train_steps,
    learning_rate,
    *,
    batch_size=128,
    max_norm=1.0,
    warmup=20,
    constant_rate=False,
    seed=0,
    test_set=None,
    eval_every=10,
    label="training",
):
    """Train the model in place and return its curve.

    Every step draws one of train_sets, and from it a batch. RMSprop minimises the cross-entropy
    after the last digit read. The learning rate rises over `warmup` steps, as RMSprop's average of
    squared gradients starts at zero, which makes its first steps up to ten times too large. Unless
    constant_rate is set, the rate also has a factor that falls linearly from 1 to 0. Gradients are
    clipped to max_norm.

    The curve is [(step, accuracy)] on the first CURVE_SIZE palindromes of test_set, every
    eval_every steps; empty without a test_set.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)
    draw = torch.Generator().manual_seed(seed)
    curve = []
    for step in tqdm(range(train_steps), label, leave=False, disable=None):
        if test_set and step % eval_every == 0:
            curve.append((step, accuracy(model, test_set, CURVE_SIZE)))
        rise = min(1, (step + 1) / max(1, warmup))
        fall = 1 if constant_rate else 1 - step / train_steps
        optimizer.param_groups[0]["lr"] = learning_rate * rise * fall
        dataset = train_sets[torch.randint(len(train_sets), (), generator=draw)]
        batch = torch.randint(len(dataset), (batch_size,), generator=draw)
        inputs, targets = (tensor.to(device) for tensor in dataset[batch])

        logits, _ = model(inputs)
        loss = F.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    return curve


def make_data(T, seed, args):
    """Return the training sets and the test set for length T; no palindrome is in both.

    With args.curriculum, each length from 5 to T - 1 has a training set of its own, too.
    """
    one_hot = args.input_dim == 10
    dataset = PalindromeDataset(T - 1, args.data_size, one_hot, seed)
    train_set, test_set = dataset.split(args.portion_train)
    if not args.curriculum:
        return [train_set], test_set
    shorter = range(5, T)
    share = max(1, args.data_size // (len(shorter) + 1))
    others = [PalindromeDataset(length - 1, share, one_hot, seed) for length in shorter]
    return [*others, train_set], test_set


def parse_args(argv=None):
    """Return the checked flags."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    length_help = "digits read, T - 1; one or more values. At least 2: with 1, each digit has "
    length_help += "a single palindrome, and one held out for the test could not be learnt"
    lengths = {"type": number(int, 2, 1000), "nargs": "+", "default": [4, 19]}
    add("--input_length", **lengths, help=length_help)
    models = {"choices": ("lstm", "rnn"), "nargs": "+", "default": ["lstm", "rnn"]}
    add("--model", **models, help="one network or both")
    add("--input_dim", type=int, choices=(1, 10), default=10, help="a digit as 1 number or one-hot")
    add("--num_hidden", type=number(int, 1, 4096), default=128, help="hidden units")
    init_help = "start of the LSTM's gates; forget: bf = 1; chrono: spread for lags up to T - 1"
    add("--init", choices=("forget", "chrono"), default="chrono", help=init_help)
    kinds = ("uniform", "orthogonal")
    add("--rnn_init", choices=kinds, default="uniform", help="how the RNN's Whh starts")
    add("--data_size", type=number(int, 2, 1_000_000), default=100_000, help="how many palindromes")
    portion = number(float, 1e-6, 0.999999)
    portion_help = "share for the training; the rest is the test set"
    add("--portion_train", type=portion, default=0.8, help=portion_help)
    curriculum_help = "train on lengths drawn from 5 to T, each batch of one length; test on T"
    add("--curriculum", action="store_true", help=curriculum_help)
    add("--train_steps", type=number(int, 1, 1_000_000), default=500, help="training steps")
    add("--batch_size", type=number(int, 1, 10_000), default=128, help="palindromes per step")
    rate_help = "of RMSprop (default: 0.01 for the LSTM, 0.001 for the RNN)"
    add("--learning_rate", type=number(float, 1e-9, 10), help=rate_help)
    warmup_help = "steps over which the learning rate rises"
    add("--warmup", type=number(int, 0, 1_000_000), default=20, help=warmup_help)
    constant_help = "do not let the learning rate fall; otherwise it falls linearly to zero"
    add("--constant_rate", action="store_true", help=constant_help)
    norm = number(float, 1e-9, 1e9)
    add("--max_norm", type=norm, default=1.0, help="the gradient is clipped to this norm")
    add("--eval_every", type=number(int, 1, 1_000_000), default=10, help="steps between tests")
    add("--seeds", type=number(int, 1, 1000), default=1, help="how many runs: seed, seed + 1, ...")
    add_run_flags(parser)
    args = parser.parse_args(argv)
    for n in args.input_length:
        if int(args.portion_train * min(args.data_size, count_palindromes(n + 1))) < 1:
            message = f"{args.portion_train} leaves no palindrome of T = {n + 1} to train on"
            parser.error(f"argument --portion_train: {message}")
    return args


def fresh_model(name, T, seed, args):
    """Return the network that a run of these flags starts with."""
    torch.manual_seed(seed)
    init = args.rnn_init if name == "rnn" else args.init
    return make_model(name, init, T, args.input_dim, args.num_hidden).to(args.device)


def train_and_test(model, name, T, seed, args):
    """Train the model and test it; return {"seed", "curve", "answers" (10, 10), "sizes"}.

    The curve ends with the accuracy on the whole test set; sizes are those of training and test.
    """
    train_sets, test_set = make_data(T, seed, args)
    curve = train(
        model,
        train_sets,
        args.train_steps,
        args.learning_rate or LEARNING_RATES[name],
        batch_size=args.batch_size,
        max_norm=args.max_norm,
        warmup=args.warmup,
        constant_rate=args.constant_rate,
        seed=seed,
        test_set=test_set,
        eval_every=args.eval_every,
        label=f"{name}, T = {T}, seed {seed}",
    )
    answers = count_answers(model, test_set)
    curve.append((args.train_steps, answers.trace().item() / len(test_set)))
    sizes = sum(map(len, train_sets)), len(test_set)
    return {"seed": seed, "curve": curve, "answers": answers, "sizes": sizes}


def first_solved(result):
    """Return the first step at which the accuracy was at least SOLVED; inf if it never was."""
    return min((step for step, share in result["curve"] if share >= SOLVED), default=math.inf)


def summary(results):
    """Return four texts: worst and median accuracy at the end, how many runs reached SOLVED, and
    the median of first_solved."""
    last = [result["curve"][-1][1] for result in results]
    solved = f"{sum(share >= SOLVED for share in last)} of {len(last)}"
    first = statistics.median(map(first_solved, results))
    return f"{min(last):.2%}", f"{statistics.median(last):.2%}", solved, f"{first:g}"


def main():
    """Train each network at each length; print a line for each run and draw the figures."""
    args = parse_args()
    begin(args)

    print("   T  model  seed  train size  test size  accuracy  first step >= 99.9 %  seconds")
    for T in sorted({n + 1 for n in args.input_length}):
        results = {}
        for name in sorted(set(args.model)):
            results[name] = []
            for seed in range(args.seed, args.seed + args.seeds):
                start = time.perf_counter()
                model = fresh_model(name, T, seed, args)
                result = train_and_test(model, name, T, seed, args)
                seconds = time.perf_counter() - start
                trained_on, tested_on = result["sizes"]
                print(
                    f"{T:4}  {name:5}  {seed:4}  {trained_on:10,}  {tested_on:9,}  "
                    f"{result['curve'][-1][1]:8.2%}  {first_solved(result):20}  {seconds:7.1f}"
                )
                results[name].append(result)
            if args.seeds > 1:
                worst, median, solved, first = summary(results[name])
                print(
                    f"T={T}, {name}, {args.seeds} seeds: worst {worst}, median {median}, {solved} "
                    f"with >= 99.9 %; median first step {first}"
                )
        save(args.out_dir / f"t{T}.png", training_figure(T, results, CURVE_SIZE, SOLVED).savefig)
        rows = [
            {"network": name, "seed": result["seed"], "step": step, "accuracy": share}
            for name in results
            for result in results[name]
            for step, share in result["curve"]
        ]
        save_csv(args.out_dir / f"t{T}.csv", rows)
    print(f"figures and their numbers are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
