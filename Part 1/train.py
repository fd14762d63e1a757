"""Teach an LSTM written by hand, and a vanilla RNN, to predict the last digit of a palindrome.

    python train.py                                     T = 5 and T = 20
    python train.py --model lstm --seed 100 --seeds 20  the LSTM alone, over seeds 100 to 119
    python train.py --input_length 39 --curriculum      T = 40, with shorter palindromes on the way

Prints a table and writes one figure per length, pics/t5.png and pics/t20.png. The first command
takes 15 s on two idle cores of an Intel Xeon (busy ones: OMP_NUM_THREADS=1): T = 5 is solved by
both networks, T = 20 by the LSTM alone (100.00 % of 20,000 unseen palindromes; the RNN 20.26 %, its
median over 20 other seeds 77.33 %, and with --rnn_init orthogonal 100.00 %).
"""

import math
import statistics
import time
from pathlib import Path

import torch
from common import (
    Progress,
    add_run_flags,
    make_folder,
    make_parser,
    number,
    run,
    save,
    show_settings,
)
from dataset import PalindromeDataset, encode, how_many
from figures import training_figure
from lstm import LSTM
from rnn import VanillaRNN
from torch.nn.functional import cross_entropy

LEARNING_RATES = {"lstm": 1e-2, "rnn": 1e-3}  # of 3e-4 to 3e-2 none is better at T = 20
ON_THE_WAY = 1000  # palindromes of the test set that measure the accuracy during the training


def make_model(name, input_dim, hidden_dim, init, T):
    """A fresh network that begins as init says.

    "lstm": "forget" (bf = 1) or "chrono" (for lags up to T - 1); "rnn": "uniform" or "orthogonal".
    """
    if name == "rnn":
        return VanillaRNN(input_dim, hidden_dim, 10, orthogonal=init == "orthogonal")
    return LSTM(input_dim, hidden_dim, 10, max_lag=T - 1 if init == "chrono" else None)


@torch.no_grad()
def count_answers(model, dataset, first=None, batch_size=1000, piece=40, label=None):
    """How often each right digit (row) got each answer (column): (10, 10) counts, int64.

    Asked for are all palindromes of the dataset, or its first ones. Digits are read in pieces, so
    that a long palindrome needs no more memory than a piece of it. A label asks for a progress bar.
    """
    device = next(model.parameters()).device
    asked = dataset.digits[:first]
    bar = Progress(asked.numel(), f"digits ({label})", leave=False) if label else None
    counts = torch.zeros(100, dtype=torch.int64)
    for digits in asked.split(batch_size):
        digits, state = digits.to(device), None
        for some in digits[:, :-1].split(piece, dim=1):
            logits, state = model(encode(some, dataset.one_hot), state)
            if bar:
                bar.update(some.numel())
        pairs = 10 * digits[:, -1].long() + logits.argmax(dim=1)
        counts += torch.bincount(pairs, minlength=100).cpu()
    return counts.view(10, 10)


def accuracy(answers):
    """The share in [0, 1] of right answers, the diagonal of what count_answers counts."""
    return answers.trace().item() / answers.sum().item()


def evaluate(*args, **options):
    """The accuracy of what count_answers counts, called alike."""
    return accuracy(count_answers(*args, **options))


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
    label="training",
):
    """Train the model in place; returns its history.

    Each step draws one of train_sets, and from it a batch. The loss is the cross-entropy of the
    last step; RMSprop follows it with a learning rate that rises over 20 steps and then falls
    linearly to zero: RMSprop's average of squared gradients starts at zero, and makes the first
    steps up to ten times as long as those that follow.

    The history is `{"loss": [...], "test": [(step, accuracy), ...], "answers": (10, 10) counts}`:
    the loss of each step's batch before its update; the accuracy on the first ON_THE_WAY
    palindromes of test_set every eval_every steps (if given), and on all of them after the last
    step (unless None); the answers then.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 20) * (1 - step / train_steps)
    )
    draw = torch.Generator().manual_seed(seed)
    history = {"loss": [], "test": []}
    bar = Progress(train_steps, f"steps ({label})", leave=False)
    for step in range(train_steps):
        if eval_every and step % eval_every == 0:
            history["test"].append((step, evaluate(model, test_set, first=ON_THE_WAY)))
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
        bar.update()
    bar.close()
    if test_set:
        history["answers"] = count_answers(model, test_set)
        history["test"].append((train_steps, accuracy(history["answers"])))
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
    add(
        "--model",
        choices=("lstm", "rnn"),
        nargs="+",
        default=["lstm", "rnn"],
        help="one network or both",
    )
    add("--num_hidden", type=number(int, 1, 4096), default=128, help="hidden units")
    add(
        "--init",
        choices=("forget", "chrono"),
        default="chrono",
        help="the LSTM's gate biases: bf = 1, or spread so that cells remember 1 to T - 1 steps",
    )
    kinds = ("uniform", "orthogonal")
    add("--rnn_init", choices=kinds, default="uniform", help="how the RNN's Whh begins")
    add("--train_steps", type=number(int, 1, 1_000_000), default=500, help="training steps")
    add("--batch_size", type=number(int, 1, 10_000), default=128, help="palindromes per step")
    add(
        "--learning_rate",
        type=number(float, 0, 10, "(]"),
        default=LEARNING_RATES,
        help="of RMSprop; rises over 20 steps, then falls linearly to zero",
    )
    add("--max_norm", type=number(float, 0, 1e9, "(]"), default=1.0, help="clips the gradient")
    add("--eval_every", type=number(int, 1, 1_000_000), default=10, help="steps between tests")
    add(
        "--curriculum",
        action="store_true",
        help="train on lengths drawn from 5 to T, each batch of one, test on T alone",
    )
    add("--seeds", type=number(int, 1, 1000), default=1, help="runs: seed, seed + 1, ...")
    add_run_flags(parser, Path(__file__).resolve().parent.parent / "pics")
    args = parser.parse_args()
    for flag in "input_length", "model":
        for value in (values := getattr(args, flag)):
            if values.count(value) > 1:
                parser.error(f"argument --{flag}: {value} is there twice")
    for n in args.input_length:
        if args.portion_train * min(args.data_size, how_many(n + 1)) < 1:
            parser.error(
                f"argument --portion_train: {args.portion_train} leaves none to train on, T={n + 1}"
            )
    if not isinstance(args.learning_rate, dict):
        args.learning_rate = dict.fromkeys(LEARNING_RATES, args.learning_rate)
    return args


def first_solved(history):
    """The first step at which the accuracy was at least 99.9 %; inf if it never was."""
    return next((step for step, accuracy in history["test"] if accuracy >= 0.999), math.inf)


def run_once(name, T, seed, args):
    """Train one network and print a line about it; returns its history."""
    start = time.perf_counter()
    train_sets, test_set = make_data(T - 1, seed, args)
    torch.manual_seed(seed)
    init = args.rnn_init if name == "rnn" else args.init
    model = make_model(name, args.input_dim, args.num_hidden, init, T).to(args.device)
    history = train(
        model,
        train_sets,
        test_set,
        args.train_steps,
        eval_every=args.eval_every,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate[name],
        max_norm=args.max_norm,
        seed=seed,
        label=f"{name}, T={T}, seed {seed}",
    )
    print(
        f"{T:4}  {name:5}  {seed:4}  {sum(map(len, train_sets)):10,}  {len(test_set):9,}  "
        f"{history['test'][-1][1]:8.2%}  {first_solved(history):20}  "
        f"{time.perf_counter() - start:7.1f}",
        flush=True,
    )
    return history


def print_summary(name, T, histories):
    """Print a line about all seeds of one network."""
    last = [history["test"][-1][1] for history in histories]
    print(
        f"T={T}, {name}, {len(last)} seeds: worst {min(last):.2%}, median "
        f"{statistics.median(last):.2%}, {sum(a >= 0.999 for a in last)} with >= 99.9 %; "
        f"median first step {statistics.median(map(first_solved, histories)):g}",
        flush=True,
    )


def main():
    """Train each network at each length, print a line for each run, draw a figure a length."""
    args = parse_args()
    make_folder(args.out_dir)
    show_settings(args)
    seeds = range(args.seed, args.seed + args.seeds)

    print("   T  model  seed  trained on  tested on  accuracy  first step >= 99.9 %  seconds")
    for T in (n + 1 for n in args.input_length):
        histories = {}
        for name in args.model:
            histories[name] = [run_once(name, T, seed, args) for seed in seeds]
            if args.seeds > 1:
                print_summary(name, T, histories[name])
        figure = training_figure(T, histories, ON_THE_WAY)
        save(Path(args.out_dir) / f"t{T}.png", lambda file, figure=figure: figure.savefig(file))


if __name__ == "__main__":
    run(main)
