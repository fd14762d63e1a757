"""Does the LSTM need gates that move, or only cells that keep? It is trained with constant gates.

    python -m studies.cells                                    the report's tables, in seconds
    python -m studies.cells --only "streams, f = 1" --again    trains these anew, five minutes

With every gate constant, an LSTM whose cells keep still learns palindromes. In *streams*, rows of
digits with bars among them, the answer is the first digit after the last bar: there, and not in
palindromes, an old digit becomes worthless.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from common import save_table
from dataset import PalindromeDataset
from networks import make_network
from studies.runner import study
from studies.settings import solved, summary
from train import accuracy, train

CONSTANT = ", constant gates"  # the end of an experiment's name
BAR, SYMBOLS = 10, 11  # the symbols of a stream are the digits 0 to 9 and the bar
N_ASKED, ASKED_SEED = 2000, 2  # streams, or long palindromes, that a network is asked about


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


class Training(NamedTuple):
    """What an LSTM learns to read, with which gates, and how."""

    reads: str = "palindromes"  # or "streams"
    constant: str = ""  # the gates that never move, letters of "ifo"
    bf: float | None = None  # of all cells; without, each its own, log U(1, 100), as in train.py
    T: int = 20  # symbols of a stream, or digits of a palindrome with its last one
    steps: int = 500
    rate: float = 0.002
    one_hot: bool = True
    g_reads_h: bool = True


def with_and_without(name, training):
    """Return {name: training}, and the same with all gates constant."""
    return {name: training, name + CONSTANT: training._replace(constant="ifo")}


STREAMS = Training("streams", steps=1000, rate=0.005)
TRAININGS = {
    **with_and_without("palindromes", Training()),
    **with_and_without("palindromes, bf = 1", Training(bf=1)),
    **with_and_without("palindromes, bf = -1", Training(bf=-1)),
    **with_and_without("streams", STREAMS),
    **with_and_without("streams, bf = -1", STREAMS._replace(bf=-1)),
    "T = 40, constant gates": Training(constant="ifo", T=40, steps=1000, rate=0.001),
    "constant gates, g without h": Training(constant="ifo", g_reads_h=False),
    "streams, i constant": STREAMS._replace(constant="i"),
    "streams, f constant": STREAMS._replace(constant="f"),
    "streams, f = 1": STREAMS._replace(constant="f", bf=40),  # sigm(40) is 1
    "streams, o constant": STREAMS._replace(constant="o"),
}
for rate in 0.0006, 0.002, 0.008:
    one_number = Training(one_hot=False, rate=rate)
    TRAININGS |= with_and_without(f"one number for a digit, rate {rate}", one_number)
for rate in 0.0006, 0.002:
    TRAININGS |= with_and_without(f"streams, rate {rate}", STREAMS._replace(rate=rate))


TWENTY = (
    "palindromes",
    "palindromes, bf = 1",
    "palindromes, bf = -1",
    "streams",
    "streams, bf = -1",
)
SEEDS = dict.fromkeys(TRAININGS, range(300, 305))
SEEDS |= {f"{name}{gates}": range(300, 320) for name in TWENTY for gates in ("", CONSTANT)}
SEEDS["T = 40, constant gates"] = range(300, 310)


def make_constant(model, gates, g_reads_h=True):
    """Make gates of an LSTM, letters of "ifo", constant in place: no training moves them.

    They no longer read x and h, so each stays sigm of its bias. Without g_reads_h, g reads x alone.
    """
    H = model.Wph.shape[1]
    free = torch.ones_like(model.W)
    for gate, rows in zip("gifo", free.chunk(4), strict=True):
        rows.mul_(gate not in gates)
    if not g_reads_h:
        free[:H, -H:] = 0
    model.W.data *= free
    model.W.register_hook(lambda gradient: gradient * free)
    model.b.register_hook(lambda gradient: gradient * (free[:, 0] > 0))


def sequences(training, length, total_len, seed):
    """Return streams or palindromes, as a training reads them, of this length."""
    if training.reads == "streams":
        return Streams(length, total_len, seed)
    return PalindromeDataset(length - 1, total_len, training.one_hot, seed)


def train_lstm(training, seed):
    """Return the LSTM after its training, and unseen sequences of the length that it learnt."""
    inputs = SYMBOLS if training.reads == "streams" else 10 if training.one_hot else 1
    start = {"max_lag": 100} if training.bf is None else {"bf": training.bf}
    model = make_network("lstm", seed, inputs, **start)
    make_constant(model, training.constant, training.g_reads_h)
    data = sequences(training, training.T, 100_000, seed)
    if training.reads == "streams":
        unseen = Streams(training.T, N_ASKED, ASKED_SEED)
    else:
        data, unseen = data.split(0.8)  # the test split of train.py
    return train(model, [data], training.steps, training.rate, seed=seed), unseen


def measure(job):
    """Train the LSTM of a job (experiment, seed); return rows: the share of right answers, twice.

    They are those at the length that it learnt, and at 100 symbols or digits.
    """
    experiment, seed = job
    training = TRAININGS[experiment]
    model, unseen = train_lstm(training, seed)
    asked = {100: sequences(training, 100, N_ASKED, ASKED_SEED), training.T: unseen}
    row = {"experiment": experiment, "seed": seed}
    return [row | {"length": n, "share": accuracy(model, asked[n])} for n in sorted(asked)]


def shares_of(rows, experiment, length):
    """Return the shares of right answers, in %, at a length after a training, one for each seed."""
    wanted = experiment, length
    return [100 * row["share"] for row in rows if (row["experiment"], row["length"]) == wanted]


def square_table(rows):
    """Return four rows: cells keep or forget at the start, gates move or not, in both tasks.

    Without all eight trainings there is no table, and no row.
    """
    lines = []
    for cells, start in ("keep", ""), ("forget (bf = -1)", ", bf = -1"):
        for gates, end in ("move", ""), ("are constant", CONSTANT):
            line = {"cells at the start": cells, "gates": gates}
            for task in "palindromes", "streams":
                shares = shares_of(rows, task + start + end, 20)
                if not shares:
                    return []
                line[f"{task}: worst, %"] = f"{min(shares):.2f}"
                line[f"{task}: solved"] = solved(shares)
            lines.append(line)
    return lines


def cells_table(rows):
    """Return a row for each training: the shares of right answers of its seeds."""
    lines = []
    for experiment, training in TRAININGS.items():
        shares = shares_of(rows, experiment, training.T)
        if shares:
            at_100 = shares_of(rows, experiment, 100)
            line = {"training": experiment} | summary(shares)
            lines.append(line | {"at length 100, %": f"{min(at_100):.0f} to {max(at_100):.0f}"})
    return lines


def show(rows, out_dir):
    """Save each table of which there are rows."""
    for name, table in ("cells_square", square_table), ("cells", cells_table):
        if lines := table(rows):
            save_table(out_dir / f"{name}.csv", lines)


if __name__ == "__main__":
    study("cells", __doc__, TRAININGS, SEEDS, measure, show)
