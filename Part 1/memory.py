"""How long does each network remember? The first digit of a palindrome, asked for a million later.

    python memory.py                                                    the figure
    python memory.py --out_dir /tmp/memory --direct_lengths --seeds 10  (b) alone, ten times

(a) trains the RNN and the LSTM at each of a few lengths and tests them there; (b) trains one LSTM
on short palindromes, of 5 to 40 digits, and tests it on ever longer ones. Prints a table and writes
pics/memory.png. All takes about 6 minutes on two CPU cores, nearly half of it for a million digits.
"""

import time
from pathlib import Path

import torch
from common import add_run_flags, make_folder, make_parser, number, run, save, show_settings
from dataset import PalindromeDataset, encode, how_many
from figures import memory_figure
from lstm import LSTM
from torch.nn.functional import linear
from train import evaluate, make_model, train


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
        test_set,
        train_steps,
        learning_rate={"rnn": 1e-3, "lstm": 1e-2}[name],  # of 3e-4 to 1e-2, each network's best
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
        held_out[max_length],
        train_steps,
        learning_rate=3e-3,
        seed=seed,
        label=f"lstm, T=5..{max_length}",
    )
    return model, held_out


@torch.no_grad()
def watch(model, seed, T=1000):
    """What happens in the LSTM while it reads 500 palindromes of T digits.

    Six sequences with one value per digit read: the mean input gate and forget gate, in [0, 1]; the
    share of all gates that are shut or open, below 0.1 or above 0.9; the norm of the change of c;
    and the distance of h from its mean over the palindromes with the same first digit, and of
    that mean from the mean over all.
    """
    dataset = palindromes(T, 500, seed)
    x = encode(dataset.digits[:, :-1].to(model.b.device), one_hot=True)
    share = x[:, 0] / x[:, 0].sum(dim=0)  # averages over palindromes with the same first digit
    h = c = x.new_zeros(len(x), model.Wph.shape[1])
    seen = []
    for x_t in x.unbind(dim=1):
        gates = torch.sigmoid(linear(torch.cat([x_t, h], dim=1), model.W, model.b))
        _, i, f, o = gates.chunk(4, dim=1)
        decided = ((torch.cat([i, f, o]) - 0.5).abs() > 0.4).float().mean().item()
        before = c
        _, (h, c) = model(x_t.unsqueeze(1), (h, c))
        mean = x[:, 0] @ (share.t() @ h)
        change, within, between = (
            d.norm(dim=1).mean().item() for d in (c - before, h - mean, mean - h.mean(dim=0))
        )
        seen.append((i.mean().item(), f.mean().item(), decided, change, within, between))
    return zip(*seen, strict=True)


def parse_args():
    """The flags, checked."""
    parser = make_parser(__doc__)
    add, length = parser.add_argument, number(int, 5, 10_000_000)
    add(
        "--direct_lengths",
        type=number(int, 5, 1000),
        nargs="*",
        default=[5, 10, 20, 40, 80, 160],
        help="(a) lengths T at which an RNN and an LSTM are trained and tested; none skips this",
    )
    add("--max_length", type=number(int, 5, 1000), default=40, help="(b) trains on T up to this")
    add(
        "--lengths",
        type=length,
        nargs="+",
        default=[20, 100, 1000, 10_000, 100_000, 1_000_000],
        help="(b) lengths T of the test",
    )
    steps = number(int, 1, 1_000_000)
    add("--direct_steps", type=steps, default=500, help="(a) training steps of each model")
    add("--train_steps", type=steps, default=1000, help="(b) training steps")
    add("--seeds", type=number(int, 1, 1000), default=1, help="runs of (b): seed, seed + 1, ...")
    add_run_flags(parser, Path(__file__).resolve().parent.parent / "pics")
    return parser.parse_args()


def main():
    """Train, test, print a line for each result, draw the figure."""
    args = parse_args()
    make_folder(args.out_dir)
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
            start = time.perf_counter()
            model, test_set = train_directly(name, T, args.direct_steps, args.seed, args.device)
            report(name, T, args.seed, model, test_set, time.perf_counter() - start)
    for seed in range(args.seed, args.seed + args.seeds):
        start = time.perf_counter()
        model, held_out = train_on_short(args.max_length, args.train_steps, seed, args.device)
        seconds = time.perf_counter() - start
        for T in args.lengths:
            # Not trained on: new palindromes, fewer of the long ones since all digits take time.
            total_len = max(64, min(1000, 1_000_000 // T))
            test_set = held_out[T] if T in held_out else palindromes(T, total_len, seed)
            report("short", T, seed, model, test_set, seconds)
    for T in args.lengths if args.seeds > 1 else ():
        print(f"T={T:,}: worst of {args.seeds} seeds {min(results['short', T]):.2%}")

    path = Path(args.out_dir) / "memory.png"
    figure = memory_figure(results, watch(model, seed), args.max_length)
    save(path, lambda file: figure.savefig(file, dpi=100))


if __name__ == "__main__":
    run(main)
