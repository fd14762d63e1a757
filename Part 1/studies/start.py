"""Who learns the first digit soon? A network that has a trace of it before the training.

    python -m studies.start                                              the report's, in seconds
    python -m studies.start --only "rates, LSTM" --seed 400 --seeds 1    one experiment, anew

Take a fresh network and a random sequence, and change only the first digit, to each of the ten. How
far apart are the last states of the two digits that are least told apart? Divided by the same for
the last digit, this is the trace. All RNNs are trained alike, and all LSTMs.
"""

import copy
import statistics

import torch
from matplotlib.figure import Figure
from torch import nn

from common import BLUE, GREY, ORANGE, grouped, save_figure, save_table
from dataset import PalindromeDataset, encode
from networks import make_network
from studies.cells import make_constant
from studies.runner import study
from train import accuracy, train

N_SEQUENCES = 48
BINS = (0, 0.01, 0.1, 0.25)  # of traces; found with the known starts
LEARNT = 0.99  # the accuracy from which on a network has learnt the digit
DRAWN = ("known RNN", "known LSTM", "new RNN", "new LSTM")  # in start.png
KNOWN_RNNS = [  # (start, size, T), as `fresh` takes them
    *(("uniform", size, 20) for size in (0.7, 1, 1.4, 1.8, 2.2, 3, 4, 6)),
    *(("orthogonal", size, 20) for size in (0.6, 0.7, 0.8, 0.9, 1)),
    *(("identity", size, 20) for size in (0.6, 0.7, 0.8, 0.9, 1)),
    *(("directions", size, 20) for size in (1, 2, 4, 8, 16, 32)),
    *(("uniform", 1, T) for T in (5, 8, 10, 12, 14)),
    *(("uniform", 1.4, T) for T in (10, 15, 30, 40)),
    *(("orthogonal", size, 40) for size in (0.8, 0.9, 1)),
]
LSTMS = [
    *(("bf", size, 20) for size in (-2, -1, 0, 1, 2, 3)),
    *(("lag", size, 20) for size in (3, 10, 100)),
]
OTHER_LSTMS = [
    *(("bf", 0, T) for T in (5, 8, 10, 12, 15)),
    *(("bf", 1, T) for T in (12, 15, 30, 40)),
    *(("bf", 3, 40), ("lag", 100, 40)),
]
NEW_RNNS = [("permutation", 1, 20), ("shift", 1, 20), ("signs", 0.75, 20), ("gaussian", 0.8, 20)]
RNN, LSTM = [(500, 3e-4)], [(1000, 1e-3)]  # steps and rate of their trainings
BY_RATE = [(500, rate) for rate in (1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)]
EXPERIMENTS = {  # {experiment: (network, starts, trainings)}
    "known RNN": ("RNN", KNOWN_RNNS, RNN),
    "known LSTM": ("LSTM", LSTMS + OTHER_LSTMS, LSTM),
    "LSTM, constant gates": ("LSTM, constant gates", LSTMS, LSTM),
    "new RNN": ("RNN", NEW_RNNS, RNN),  # new starts test the bins, found with the known ones
    "new LSTM": ("LSTM", [("half", 4, 20)], LSTM),
    "longer RNN": ("RNN", [("uniform", 1, 20)], [(4000, 3e-4)]),
    "longer LSTM": ("LSTM", [("bf", -1, 20)], [(4000, 1e-3)]),
    "rates, RNN": ("RNN", [("uniform", 1, 20)], BY_RATE),
    "rates, RNN, identity": ("RNN", [("identity", 1, 20)], BY_RATE),
    "rates, RNN, orthogonal": ("RNN", [("orthogonal", 1, 20)], BY_RATE),
    "rates, LSTM": ("LSTM", [("lag", 100, 20)], BY_RATE),
    "rates, LSTM, constant gates": ("LSTM, constant gates", [("lag", 100, 20)], BY_RATE),
}


def fresh(network, start, size, seed):
    """Return a fresh network.

    The bf of an LSTM is `size` ("bf"), log U(1, size) ("lag"), or size for one half of the cells
    and -size for the other ("half"). The Whh of an RNN is size times a start of rnn.py, a
    permutation, random signs on the diagonal, a normal matrix of spectral radius 1, or a shift from
    unit to unit; or the identity on `size` random directions, and uniform elsewhere ("directions").
    """
    if network != "RNN":
        what = {"max_lag": size} if start == "lag" else {"bf": size}
        model = make_network("lstm", seed, **what)
        if network == "LSTM, constant gates":
            make_constant(model, "ifo")
        if start == "half":
            bf = model.b.data.chunk(4)[2]  # a view
            bf[: len(bf) // 2] *= -1
        return model
    plain = start if start in ("orthogonal", "identity") else "uniform"
    model = make_network("rnn", seed, start=plain)
    Whh, H = model.Whh.data, len(model.Whh)
    if start == "directions":
        V = nn.init.orthogonal_(torch.empty(H, int(size)))
        elsewhere = torch.eye(H) - V @ V.T
        Whh.copy_(V @ V.T + elsewhere @ Whh @ elsewhere)
        return model
    if start == "permutation":
        Whh.copy_(torch.eye(H)[torch.randperm(H)])
    elif start == "signs":
        Whh.copy_(torch.diag(torch.randn(H).sign()))
    elif start == "gaussian":
        Whh.normal_(std=H**-0.5)
    elif start == "shift":
        Whh.copy_(torch.diag(torch.ones(H - 1), -1))
    Whh.mul_(size)
    return model


@torch.no_grad()
def trace(model, digits):
    """Return the trace of the first digit, the geometric mean over sequences, digits (N, n)."""
    N, n = digits.shape
    logs = []
    for place in 0, n - 1:
        changed = digits.repeat_interleave(10, dim=0)
        changed[:, place] = torch.arange(10).repeat(N)
        _, state = model(encode(changed, one_hot=True).double())
        h = (state if torch.is_tensor(state) else state[0]).view(N, 10, -1)
        apart = torch.cdist(h, h) + 1e9 * torch.eye(10)  # a digit is not compared with itself
        logs.append(apart.amin(dim=(1, 2)).clamp(min=1e-30).log().mean())
    return (logs[0] - logs[1]).exp().item()


def measure(job):
    """Look at the fresh networks of a job (experiment, seed), then train them; return their rows.

    A row has the network, its start, T, steps and rate, its trace, and the accuracy in [0, 1].
    """
    experiment, seed = job
    network, starts, trainings = EXPERIMENTS[experiment]
    rows = []
    for start, size, T in starts:
        rng = torch.Generator().manual_seed(seed)
        digits = torch.randint(10, (N_SEQUENCES, T - 1), generator=rng)
        train_set, test_set = PalindromeDataset(T - 1, 100_000, True, seed).split(0.8)
        for steps, rate in trainings:
            model = fresh(network, start, size, seed)
            row = {"experiment": experiment, "seed": seed, "network": network, "start": start}
            row |= {"size": float(size), "T": T, "steps": steps, "rate": rate}
            row["trace"] = trace(copy.deepcopy(model).double(), digits)
            train(model, [train_set], steps, rate, seed=seed)
            rows.append(row | {"accuracy": accuracy(model, test_set)})
    return rows


def bins_table(rows):
    """Return a row for each kind of network: of each bin of traces, how many have learnt."""
    lines = []
    for experiment in [name for name in EXPERIMENTS if not name.startswith("rates")]:
        some = [row for row in rows if row["experiment"] == experiment]
        line = {"networks": experiment}
        for low, high in zip(BINS, [*BINS[1:], float("inf")], strict=True):
            shares = [row["accuracy"] for row in some if low <= row["trace"] < high]
            learnt = sum(share >= LEARNT for share in shares)
            name = f"{low:g} to {high:g}" if high < 1 else f"above {low:g}"
            line[name] = f"{learnt} of {len(shares)}" if shares else ""
        if some:
            lines.append(line)
    return lines


def rates_table(rows):
    """Return a row for each network: the worst accuracy at each rate, in %."""
    lines = []
    kept = [row for row in rows if row["experiment"].startswith("rates")]
    for (experiment,), some in grouped(kept, "experiment").items():
        line = {"network": experiment.removeprefix("rates, ")}
        for (rate,), seeds in grouped(some, "rate").items():
            line[f"{rate:g}"] = f"{100 * min(row['accuracy'] for row in seeds):.1f}"
        lines.append(line)
    return lines


def start_figure(rows):
    """Return a Figure: the accuracy of each network over its trace before the training.

    Filled dots are of T = 20, hollow ones of other lengths, stars of RNNs that keep few directions.
    The two arrows point at networks that start as those of train.py do.
    """
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    axes = figure.subplots()
    few = [row for row in rows if row["start"] == "directions"]
    for network, color in ("LSTM", BLUE), ("RNN", ORANGE):
        own = [row for row in rows if row["network"] == network and row not in few]
        for some, face, label in (
            ([row for row in own if row["T"] == 20], color, f"{network}, T = 20"),
            ([row for row in own if row["T"] != 20], "none", f"{network}, T = 5 to 40"),
        ):
            draw_traces(axes, some, "o", facecolors=face, edgecolors=color, label=label)
    draw_traces(axes, few, "*", color=ORANGE, label="RNN, few directions kept")
    for start, size, color, text in (
        ("uniform", 1, ORANGE, "the usual RNN"),
        ("lag", 100, BLUE, "our LSTM"),
    ):
        usual = [row for row in rows if (row["start"], row["size"], row["T"]) == (start, size, 20)]
        x = statistics.median(row["trace"] for row in usual)
        y = 100 * statistics.median(row["accuracy"] for row in usual)
        arrow = {"arrowstyle": "-|>", "color": color, "lw": 2, "shrinkB": 6}
        place = (x, y + 22) if y < 50 else (x, y - 30)
        axes.annotate(text, (x, y), place, color=color, ha="center", fontsize=14, arrowprops=arrow)
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(4e-12, 11, "chance", color=GREY, va="bottom")
    axes.set(xscale="log", xlim=(2e-12, 100), ylim=(0, 104))
    axes.set_xlabel("trace of the first digit before the first step", fontsize=14)
    axes.set_ylabel("right answers after training, %", fontsize=14)
    axes.set_title("Without a trace before training, hardly any network learns soon", fontsize=16)
    axes.legend(loc="upper left")
    return figure


def draw_traces(axes, rows, marker, **colors):
    """Draw the accuracy of each row over its trace."""
    shares = [100 * row["accuracy"] for row in rows]
    axes.scatter([row["trace"] for row in rows], shares, s=45, marker=marker, **colors)


def show(rows, out_dir):
    """Save the tables that have rows, and the figure if all networks in it are there."""
    for name, table in (("start", bins_table), ("start_rates", rates_table)):
        if lines := table(rows):
            save_table(out_dir / f"{name}.csv", lines)
    drawn = [row for row in rows if row["experiment"] in DRAWN]
    if {row["experiment"] for row in drawn} == {*DRAWN}:
        save_figure(out_dir / "start.png", start_figure(drawn), drawn)


if __name__ == "__main__":
    seeds = dict.fromkeys(EXPERIMENTS, range(300, 303))
    seeds |= dict.fromkeys(["known RNN", "new RNN"], range(300, 305))
    study("start", __doc__, EXPERIMENTS, seeds, measure, show)
