"""How long does each network remember? The first digit of a palindrome, asked for a million later.

    python memory.py                                            the figures
    python memory.py --direct_lengths --lengths 20 --save FILE  trains the network of the proof

(a) trains the RNN and the LSTM at each of a few lengths and tests them there; (b) trains one LSTM
on short palindromes, of 5 to 40 digits, and tests it on ever longer ones. Prints a table; writes
pics/memory.png and pics/states.png, which shows what h of (b) holds. The first command takes
8 min 30 s on one core of an Intel Xeon; (b) is right on all 64 palindromes of a million digits.
"""

import time
from pathlib import Path

import torch
from common import add_run_flags, make_folder, make_parser, number, run, save, show_settings
from dataset import PalindromeDataset, encode, how_many
from fast_lstm import FastLSTM
from figures import memory_figure, states_figure
from lstm import LSTM
from train import LEARNING_RATES, evaluate, make_model, train


def palindromes(T, total_len, seed):
    """At most total_len palindromes of T digits, one-hot."""
    return PalindromeDataset(T - 1, min(total_len, how_many(T)), one_hot=True, seed=seed)


def train_directly(name, T, train_steps, seed, device):
    """A network trained at T, and the palindromes held out."""
    train_set, test_set = palindromes(T, 10_000, seed).split(0.8)
    torch.manual_seed(seed)
    model = make_model(name, 10, 128, "chrono", T).to(device)
    train(
        model,
        [train_set],
        None,
        train_steps,
        learning_rate=LEARNING_RATES[name],
        seed=seed,
        label=f"{name}, T={T}",
    )
    return model, test_set


def train_on_short(max_length, train_steps, seed, device):
    """An LSTM trained on 5 to max_length digits, and for each length the palindromes held out."""
    parts = {T: palindromes(T, 5000, seed).split(0.8) for T in range(5, max_length + 1)}
    train_sets = [train_set for train_set, _ in parts.values()]
    held_out = {T: test_set for T, (_, test_set) in parts.items()}
    torch.manual_seed(seed)
    model = LSTM(10, 128, 10).to(device)
    train(
        model,
        train_sets,
        None,
        train_steps,
        learning_rate=3e-3,
        seed=seed,
        label=f"lstm, T=5..{max_length}",
    )
    return model, held_out


def fast(model):
    """The same LSTM, for reading: a FastLSTM with its weights."""
    reader = FastLSTM(10, model.Wph.shape[1], 10).to(model.b.device)
    reader.load_state_dict(model.state_dict())
    return reader


@torch.no_grad()
def states(model, seed, moments=(1, 3, 10, 1000)):
    """h of 500 palindromes as {digits read: (500, H)}, and their first digits, int64 (500)."""
    digits = palindromes(max(moments) + 1, 500, seed).digits.to(model.b.device)
    h, state, read = {}, None, 0
    for n in moments:
        _, state = model(encode(digits[:, read:n], one_hot=True), state)
        h[n], read = state[0].cpu(), n
    return h, digits[:, 0].long().cpu()


def distances(h, first):
    """How far the ten means of h (B, H), one for each first digit (B), lie from the mean of all,
    and how far h lies from the mean of its first digit: means over the B.
    """
    centres = torch.stack([h[first == digit].mean(dim=0) for digit in range(10)])[first]
    between, within = centres - h.mean(dim=0), h - centres
    return between.norm(dim=1).mean().item(), within.norm(dim=1).mean().item()


def parse_args():
    """The flags, checked."""
    parser = make_parser(__doc__)
    add, length = parser.add_argument, number(int, 5, 10_000_000)
    steps, seeds = number(int, 1, 1_000_000), number(int, 1, 1000)
    add(
        "--direct_lengths",
        type=number(int, 5, 1000),
        nargs="*",
        default=[5, 10, 20, 40, 80],
        help="(a) lengths T at which an RNN and an LSTM are trained and tested; none skips this",
    )
    add("--direct_steps", type=steps, default=500, help="(a) training steps of each model")
    add("--direct_seeds", type=seeds, default=3, help="(a) runs: seed, seed + 1, ...")
    add("--max_length", type=number(int, 5, 1000), default=40, help="(b) trains on T up to this")
    add("--train_steps", type=steps, default=4000, help="(b) training steps")
    add("--seeds", type=seeds, default=1, help="(b) runs: seed, seed + 1, ...")
    add(
        "--lengths",
        type=length,
        nargs="+",
        default=[20, 100, 1000, 10_000, 100_000, 1_000_000],
        help="(b) lengths T of the test",
    )
    add("--save", metavar="FILE", help="(b) file for the weights of the first run")
    add_run_flags(parser, Path(__file__).resolve().parent.parent / "pics")
    args = parser.parse_args()
    if args.save and Path(args.save).is_dir():
        parser.error(f"argument --save: {args.save} is a folder, not a file")
    return args


def main():
    """Train, test, print a line for each result, draw the figures."""
    args = parse_args()
    make_folder(args.out_dir)
    if args.save:
        make_folder(Path(args.save).parent)
    show_settings(args)
    results = {}

    def report(name, T, seed, model, dataset, seconds):
        start = time.perf_counter()
        accuracy = evaluate(model, dataset, label=f"T={T:,}")
        tested = time.perf_counter() - start
        print(
            f"{T:9,}  {name:5}  {seed:4}  {accuracy:8.2%}  {len(dataset):6,}  "
            f"{seconds:13.1f}  {tested:12.1f}",
            flush=True,
        )
        results.setdefault((name, T), []).append(accuracy)

    print("        T  model  seed  accuracy     of  seconds: train          test")
    for T in args.direct_lengths:
        for name in ("rnn", "lstm"):
            for seed in range(args.seed, args.seed + args.direct_seeds):
                start = time.perf_counter()
                model, test_set = train_directly(name, T, args.direct_steps, seed, args.device)
                report(name, T, seed, model, test_set, time.perf_counter() - start)
    readers = []
    for seed in range(args.seed, args.seed + args.seeds):
        start = time.perf_counter()
        model, held_out = train_on_short(args.max_length, args.train_steps, seed, args.device)
        seconds = time.perf_counter() - start
        if args.save and not readers:
            weights = {name: w.cpu() for name, w in model.state_dict().items()}
            save(args.save, lambda file, weights=weights: torch.save(weights, file))
        readers.append(fast(model))
        for T in args.lengths:
            # Not trained on: new palindromes, fewer of the long ones since all digits take time.
            total_len = max(64, min(1000, 1_000_000 // T))
            test_set = held_out[T] if T in held_out else palindromes(T, total_len, seed)
            report("short", T, seed, readers[-1], test_set, seconds)
    for T in args.lengths if args.seeds > 1 else ():
        print(f"T={T:,}: worst of {args.seeds} seeds {min(results['short', T]):.2%}")

    h, d = states(readers[0], args.seed)
    for read, at in h.items():
        between, within = distances(at, d)
        print(f"h after {read:5,} digits: {between:.2f} between first digits, {within:.3f} within")
    figures = {
        "memory.png": memory_figure(results, args.max_length),
        "states.png": states_figure(h, d),
    }
    for name, figure in figures.items():
        save(Path(args.out_dir) / name, lambda file, figure=figure: figure.savefig(file))


if __name__ == "__main__":
    run(main)
