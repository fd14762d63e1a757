"""Teach an LSTM written by hand to predict the last digit of a palindrome.

    python train.py                                    T = 5 and T = 20
    python train.py --input_length 39 --curriculum     T = 40, with shorter palindromes on the way
    python train.py --model rnn --seeds 20             the baseline, over seeds 0 to 19

Prints a table and writes one figure per length, pics/t5.png and pics/t20.png: with no flags, in
about 26 s on two CPU cores.
"""

import math
import statistics
import time
from pathlib import Path

import torch
from common import add_run_flags, make_folder, make_parser, number, run, save, show_settings
from dataset import PalindromeDataset, encode, how_many
from figures import training_figure
from lstm import LSTM
from rnn import VanillaRNN
from torch.nn.functional import cross_entropy
from tqdm import tqdm


def make_model(name, input_dim, hidden_dim, init, T):
    """A fresh "lstm" or "rnn"; init is the LSTM's: "forget" or "chrono" (for lags up to T - 1)."""
    if name == "rnn":
        return VanillaRNN(input_dim, hidden_dim, 10)
    return LSTM(input_dim, hidden_dim, 10, max_lag=T - 1 if init == "chrono" else None)


@torch.no_grad()
def evaluate(model, dataset, batch_size=250, piece=40, label=None):
    """Accuracy in [0, 1] over the whole dataset.

    Digits are read in pieces, so that a long palindrome needs no more memory than a piece of it.
    A label asks for a progress bar.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    right = 0
    for digits in dataset.digits.split(batch_size):
        digits, state = digits.to(device), None
        pieces = digits[:, :-1].split(piece, dim=1)
        for some in tqdm(pieces, desc=label, disable=None if label else True, leave=False):
            logits, state = model(encode(some, dataset.one_hot), state)
        right += (logits.argmax(dim=1) == digits[:, -1]).sum().item()
    model.train(was_training)
    return right / len(dataset)


def train(
    model,
    train_sets,
    test_set,
    train_steps,
    eval_every=None,
    batch_size=128,
    learning_rate=1e-2,
    max_norm=1.0,
    seed=0,
    label=None,
):
    """Train the model in place; returns its history.

    Each step draws one of train_sets, and from it a batch. The loss is the cross-entropy of the
    last step; RMSprop follows it with a learning rate that rises over 20 steps and then falls
    linearly to zero: RMSprop's average of squared gradients starts at zero, and makes the first
    steps up to ten times as long as those that follow. The history is
    `{"loss": [...], "train": [...], "test": [(step, accuracy), ...]}`: the first two hold each
    step's batch, before its update; the last is over all of test_set, every eval_every steps (if
    given) and after the last step.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 20) * (1 - step / train_steps)
    )
    draw = torch.Generator().manual_seed(seed)
    history = {"loss": [], "train": [], "test": []}
    for step in tqdm(range(train_steps), desc=label, unit="step", disable=None, leave=False):
        if eval_every and step % eval_every == 0:
            history["test"].append((step, evaluate(model, test_set)))
        dataset = train_sets[torch.randint(len(train_sets), (), generator=draw)]
        batch = torch.randint(len(dataset), (batch_size,), generator=draw)
        inputs, targets = (tensor.to(device) for tensor in dataset[batch])

        logits, _ = model(inputs)
        loss = cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        schedule.step()

        history["loss"].append(loss.item())
        history["train"].append((logits.argmax(dim=1) == targets).float().mean().item())
    history["test"].append((train_steps, evaluate(model, test_set)))
    return history


def make_data(input_length, seed, args):
    """The training sets and the test set for one length: no palindrome is in both."""

    def palindromes(n, total_len):
        return PalindromeDataset(n, min(total_len, how_many(n + 1)), args.input_dim == 10, seed)

    dataset = palindromes(input_length, args.data_size)
    train_set, test_set = dataset.split(args.portion_train)
    if not args.curriculum:
        return [train_set], test_set
    shorter = range(min(4, input_length), input_length)
    share = args.data_size // (len(shorter) + 1)
    return [*(palindromes(n, max(1, share)) for n in shorter), train_set], test_set


def parse_args():
    """The flags, checked."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add(
        "--input_length",
        type=number(int, 2, 1000),
        nargs="+",
        default=[4, 19],
        help="digits that are read, T - 1, for one or more T; at least 2, since the palindromes of "
        "T = 2 that are held out end in digits which training never showed",
    )
    add("--input_dim", type=int, choices=(1, 10), default=10, help="a digit as 1 number or one-hot")
    add("--data_size", type=number(int, 2, 1_000_000), default=100_000, help="palindromes")
    add("--portion_train", type=number(float, 0, 1, "()"), default=0.8, help="the others test")
    add("--model", choices=("lstm", "rnn"), default="lstm", help="network")
    add("--num_hidden", type=number(int, 1, 4096), default=128, help="hidden units")
    add(
        "--init",
        choices=("forget", "chrono"),
        default="chrono",
        help="the LSTM's gate biases: bf = 1, or spread so that cells remember 1 to T - 1 steps",
    )
    add("--train_steps", type=number(int, 1, 1_000_000), default=500, help="training steps")
    add("--batch_size", type=number(int, 1, 10_000), default=128, help="palindromes per step")
    add(
        "--learning_rate",
        type=number(float, 0, 10, "(]"),
        default=1e-2,
        help="of RMSprop; rises over 20 steps, then falls linearly to zero",
    )
    add("--max_norm", type=number(float, 0, 1e9, "(]"), default=1.0, help="clips the gradient")
    add("--eval_every", type=number(int, 1, 1_000_000), default=25, help="steps between tests")
    add(
        "--curriculum",
        action="store_true",
        help="train on lengths drawn from 5 to T (as many shorter ones as of T), test on T alone",
    )
    add("--seeds", type=number(int, 1, 1000), default=1, help="runs: seed, seed + 1, ...")
    add_run_flags(parser, Path(__file__).resolve().parent.parent / "pics")
    args = parser.parse_args()
    for n in args.input_length:
        if args.input_length.count(n) > 1:
            parser.error(f"argument --input_length: {n} is there twice")
        if args.portion_train * min(args.data_size, how_many(n + 1)) < 1:
            parser.error(
                f"argument --portion_train: {args.portion_train} leaves none to train on, T={n + 1}"
            )
    return args


def main():
    """Train for each length and seed, print a line for each run, draw a figure for each length."""
    args = parse_args()
    make_folder(args.out_dir)
    show_settings(args)

    name = {"lstm": "LSTM", "rnn": "RNN"}[args.model]
    print("   T  seed  trained on  tested on  accuracy  first step >= 99.9 %  seconds")
    for T in (n + 1 for n in args.input_length):
        histories, firsts = [], []
        for seed in range(args.seed, args.seed + args.seeds):
            start = time.perf_counter()
            train_sets, test_set = make_data(T - 1, seed, args)
            torch.manual_seed(seed)
            model = make_model(args.model, args.input_dim, args.num_hidden, args.init, T)
            history = train(
                model.to(args.device),
                train_sets,
                test_set,
                args.train_steps,
                eval_every=args.eval_every,
                batch_size=args.batch_size,
                learning_rate=args.learning_rate,
                max_norm=args.max_norm,
                seed=seed,
                label=f"T={T}",
            )
            seconds = time.perf_counter() - start
            final = history["test"][-1][1]
            first = next((step for step, a in history["test"] if a >= 0.999), math.inf)
            sizes = f"{sum(map(len, train_sets)):10,}  {len(test_set):9,}"
            row = f"{T:4}  {seed:4}  {sizes}  {final:8.2%}  {first:20}  {seconds:7.1f}"
            print(row, flush=True)
            histories.append(history)
            firsts.append(first)
        worst = min(history["test"][-1][1] for history in histories)
        of_seeds = f" (worst of {args.seeds} seeds)" if args.seeds > 1 else ""
        result = f"{worst:.2%} of {len(test_set):,} unseen palindromes at the last step{of_seeds}"
        if args.seeds > 1:
            print(f"T={T}: {result}, median first step {statistics.median(firsts):g}")
        figure = training_figure(histories, f"{name}, T = {T}: {result}", args.model)
        path = Path(args.out_dir) / f"{'' if args.model == 'lstm' else 'rnn_'}t{T}.png"
        save(path, lambda file, figure=figure: figure.savefig(file, dpi=100))


if __name__ == "__main__":
    run(main)
