"""What are the gates of the LSTM for? Hold them still, cut what they control, train without them.

    python gates.py

A stream is a row of digits with bars among them, and the answer is the first digit after the last
bar. So here, and not in palindromes, something has to be forgotten. Into out_dir go gates.png,
three tables, the numbers behind them and the networks: what is there is not trained again.
"""

import copy

import torch
import torch.nn.functional as F

from common import HERE, add_run_flags, begin, make_parser, number, run, save, save_csv
from dataset import PalindromeDataset
from figures import gates_figure
from memory import trained
from networks import MAX_LAG, load_network, load_or_make, make_network
from train import train

BAR, SYMBOLS = 10, 11  # the symbols of a stream are the digits 0 to 9 and the bar
N_ASKED = 2000  # palindromes or streams
HELD_FROM = 5  # gates are held from the sixth symbol on
CUT_AT = (10, 15, 20, 40, 60, 100)  # the lengths T at which writing and keeping are cut
HELD = {"nothing": "", "i": "i", "f": "f", "o": "o", "all three": "ifo"}
# Networks for streams: the gates that an LSTM lacks (held at 1), and the starts of the RNN's Whh.
LSTMS = {"LSTM": "", "no i": "i", "no f": "f", "no o": "o", "f alone": "io", "no gates": "ifo"}
RNNS = {"RNN": "uniform", "RNN, orthogonal": "orthogonal", "RNN, identity": "identity"}
SLOW = "LSTM, slow forgetting"  # the start of the LSTMs that read palindromes; all others: bf = 1


class Streams:
    """Random streams of `length` symbols: a bar, digits, and further bars among them.

    Each symbol after the first is a bar with probability 0.1, but never next to a bar and never at
    the end. An item is `(inputs, target)`: float32 (length, 11), one-hot, and int64 (), the first
    digit after the last bar. `symbols` int64 (total_len, length) holds all symbols, and `since_bar`
    of the same shape how many steps ago the last bar was.
    """

    def __init__(self, length, total_len, seed):
        rng = torch.Generator().manual_seed(seed)
        self.symbols = torch.randint(10, (total_len, length), generator=rng)
        bars = torch.rand(total_len, length, generator=rng) < 0.1
        bars[:, 0], bars[:, 1], bars[:, -1] = True, False, False
        for t in range(2, length):
            bars[:, t] &= ~bars[:, t - 1]
        self.symbols[bars] = BAR
        steps = torch.arange(length).expand(total_len, length)
        last_bar = torch.where(bars, steps, 0).cummax(dim=1).values
        self.since_bar = steps - last_bar
        self.targets = self.symbols.gather(1, last_bar[:, -1:] + 1).squeeze(1)

    def __len__(self):
        """Return how many streams there are."""
        return len(self.symbols)

    def __getitem__(self, index):
        """Return one item, or for a slice or a tensor of indices a batch of them."""
        return F.one_hot(self.symbols[index], SYMBOLS).float(), self.targets[index]


def hold(model, **values):
    """Return a copy of the LSTM in which g, i, f or o is constant: (H,), or one number for all.

    Its rows of W become 0, and its bias what gives the value. A training leaves a gate at 1, since
    the slope of sigm is 0 at a bias of 40.
    """
    model = copy.deepcopy(model)
    H = model.Wph.shape[1]
    for name, value in values.items():
        rows = slice("gifo".index(name) * H, ("gifo".index(name) + 1) * H)
        value = torch.as_tensor(value, dtype=torch.float32)
        model.W.data[rows] = 0
        model.b.data[rows] = value.atanh() if name == "g" else value.logit().clamp(-40, 40)
    return model


@torch.no_grad()
def gates_of(model, x):
    """Return {"i", "f", "o": (N, T, H)}, the gates at each step of inputs x (N, T, D)."""
    h, c = x.new_zeros(2, len(x), model.Wph.shape[1])
    gates = []
    for x_t in x.unbind(dim=1):
        gates.append(torch.sigmoid(F.linear(torch.cat([x_t, h], dim=1), model.W, model.b)))
        _, (h, c) = model(x_t.unsqueeze(1), (h, c))
    _, i, f, o = torch.stack(gates, dim=1).chunk(4, dim=2)
    return {"i": i, "f": f, "o": o}


@torch.no_grad()
def share_right(model, data, then=None):
    """Return the share of right answers; from the sixth symbol on the network `then` reads."""
    x, targets = data[:N_ASKED]
    _, state = model(x[:, :HELD_FROM])
    logits, _ = (then or model)(x[:, HELD_FROM:], state)
    return (logits.argmax(dim=1) == targets).double().mean().item()


@torch.no_grad()
def share_right_by_step(model, data, thens, since_bar):
    """Return the same when thens[n] reads the symbols that stand n steps after a bar."""
    x, targets = data[:N_ASKED]
    logits, (h, c) = model(x[:, :HELD_FROM])
    for t in range(HELD_FROM, x.shape[1]):
        for n, then in enumerate(thens):
            rows = since_bar[:, t] == n
            logits[rows], (h[rows], c[rows]) = then(x[rows, t : t + 1], (h[rows], c[rows]))
    return (logits.argmax(dim=1) == targets).double().mean().item()


def held_shares(model, fit, test):
    """Return {what is held: share of right answers to test}, at the gates' means on fit."""
    gates = gates_of(model, fit[:N_ASKED][0])
    means = {name: gate[:, HELD_FROM:].mean(dim=(0, 1)) for name, gate in gates.items()}
    shares = {
        held: share_right(model, test, hold(model, **{name: means[name] for name in names}))
        for held, names in HELD.items()
    }
    if isinstance(test, Streams):
        thens = []
        for n in range(test.symbols.shape[1]):
            rows = fit.since_bar == n
            rows[:, :HELD_FROM] = False  # as for the means over all steps
            thens.append(hold(model, **{name: gate[rows].mean(0) for name, gate in gates.items()}))
        steps = test.since_bar
        shares["mean for the step"] = share_right_by_step(model, test, thens, steps)
        shares["of another stream"] = share_right_by_step(model, test, thens, steps.roll(1, dims=0))
    return shares


def on_streams(name, rate, seed, args):
    """Return a network of LSTMS or RNNS, or SLOW, that was trained on streams of 20 symbols."""
    kind, steps = ("rnn", 4000) if name in RNNS else ("lstm", 1000)

    def make():
        start, lag = RNNS.get(name, "uniform"), MAX_LAG if name == SLOW else 0
        model = make_network(kind, seed, args.device, input_dim=SYMBOLS, max_lag=lag, start=start)
        if name in LSTMS:
            model = hold(model, **dict.fromkeys(LSTMS[name], 1.0))
        return train(model, [Streams(20, 100_000, seed)], steps, rate, seed=seed)

    settings = f"{name}, {steps} steps on streams of 20, rate {rate} falling, seed {seed}"
    path = args.out_dir / f"{name.replace(' ', '_')}-rate{rate}-seed{seed}.pth"
    return load_or_make(path, settings, make, input_dims=(SYMBOLS,))


def spread(shares):
    """Return the least and the greatest of shares, in %, as text; "" if there are none."""
    if not shares:
        return ""
    least, greatest = (f"{100 * end(shares):.0f}" for end in (min, max))
    return least if least == greatest else f"{least} to {greatest}"


def table(rows):
    """Return a row for each network, a column for each question: the seeds' least to greatest."""
    cells = {}
    for row in rows:
        cells.setdefault(row["network"], {}).setdefault(row["asked"], []).append(row["share"])
    asked = dict.fromkeys(row["asked"] for row in rows)
    return [
        {"network": network} | {name: spread(shares.get(name)) for name in asked}
        for network, shares in cells.items()
    ]


def experiments(args):
    """Yield experiment, network, seed and {what is asked: share of right answers}."""
    fit, test, longer = Streams(20, N_ASKED, 1), Streams(20, N_ASKED, 2), Streams(100, N_ASKED, 3)
    models = {}
    for seed in range(args.seed, args.seed + args.seeds):
        for T in 20, 40:
            models[T] = trained(f"lstm_{T}", seed, args).cpu()
            sets = PalindromeDataset(T - 1, 100_000, one_hot=True, seed=seed).split(0.8)
            yield "held", f"palindromes, T = {T}", seed, held_shares(models[T], *sets)
        yield from cuts("LSTM, T = 20", seed, models[20])
        for rate, names in (0.003, LSTMS), (0.01, [*LSTMS, SLOW]), (0.001, RNNS):
            for name in names:
                model = on_streams(name, rate, seed, args)
                shares = {"20 symbols": share_right(model, test)}
                shares["100 symbols"] = share_right(model, longer)
                yield "learnt", f"{name}, rate {rate}", seed, shares
                if name in ("LSTM", SLOW):
                    label = name.replace("LSTM", "streams") + f", rate {rate}"
                    yield "held", label, seed, held_shares(model, fit, test)
    yield from cuts("committed LSTM", "", load_network(HERE / "palindrome_lstm.pth"))
    for asked, data in ("20 symbols", test), ("100 symbols", longer):
        floor = (data.symbols[:, -1] == data.targets).double().mean().item()
        yield "learnt", "naming the last symbol", "", {asked: floor}


def cuts(name, seed, model):
    """Yield the experiments in which nothing new is written, or nothing is kept."""
    sets = {f"T = {T}": PalindromeDataset(T - 1, N_ASKED, one_hot=True) for T in CUT_AT}
    cut = {"nothing": model, "writing": hold(model, g=0.0), "keeping": hold(model, f=0.0)}
    for what, then in cut.items():
        shares = {T: share_right(model, data, then) for T, data in sets.items()}
        yield "cut", f"{name}: {what}", seed, shares


def main():
    """Train what is missing; hold, cut and leave out gates; save the tables and the figure."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=3, help="runs: seed, seed + 1, ...")
    add_run_flags(parser, seed=300)
    args = parser.parse_args()
    begin(args)
    rows = [
        {"experiment": experiment, "network": network, "seed": seed, "asked": asked, "share": share}
        for experiment, network, seed, shares in experiments(args)
        for asked, share in shares.items()
    ]
    save_csv(args.out_dir / "gates_seeds.csv", rows)
    for experiment in "held", "learnt", "cut":
        kept = [row for row in rows if row["experiment"] == experiment]
        save_csv(args.out_dir / f"gates_{experiment}.csv", table(kept), show=True)
    # The strip shows an unseen stream, read by the first LSTM of the first rate.
    strip = Streams(20, 1, 2)
    gates = gates_of(on_streams("LSTM", 0.003, args.seed, args), strip[:][0])
    means = {name: gate[0].mean(dim=1) for name, gate in gates.items()}
    save(args.out_dir / "gates.png", gates_figure(rows, strip.symbols[0], means).savefig)
    print(f"the figure, the tables and the networks are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
