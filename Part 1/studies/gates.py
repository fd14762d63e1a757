"""Does the LSTM need gates that move, or only cells that keep? It is trained with constant gates.

    python -m studies.gates                                    the report's tables, in seconds
    python -m studies.gates --only "streams, f = 1" --again    trains these anew, five minutes

With every gate constant, an LSTM whose cells keep still learns palindromes. In *streams*, rows of
digits with bars among them, the answer is the first digit after the last bar: there, and not in
palindromes, an old digit becomes worthless.
"""

import torch
import torch.nn.functional as F

from common import save_table
from dataset import PalindromeDataset
from networks import make_network
from studies.lengths import TRAINING, train_with
from studies.runner import study
from studies.settings import solved, summary
from train import accuracy

BAR = 10  # the symbols of a stream are the digits 0 to 9 and the bar
COLUMNS = ("length", "share")
PALINDROMES = TRAINING | {
    "reads": "palindromes",
    "T": 20,  # digits of a palindrome with its last one, or symbols of a stream
    "one_hot": True,
    "constant": "",  # the gates that never move, letters of "ifo"
    "bf": None,  # of all cells; None: each has its own, log U(1, 100)
    "rate": 0.002,
    "long": 100,  # the LSTM is also asked about sequences of this length
    "asked": 2000,  # so many new sequences are asked
    "asked_seed": 2,
}
STREAMS = PALINDROMES | {"reads": "streams", "steps": 1000, "rate": 0.005}
SLOW_STREAMS, ONE_NUMBER = STREAMS | {"rate": 0.002}, PALINDROMES | {"one_hot": False}
CONSTANT, FORGET = {"constant": "ifo"}, {"bf": -1.0}
F_IS_1 = {"constant": "f", "bf": 40.0}  # sigm(40) is 1
FIVE, TWENTY = range(300, 305), range(300, 320)
EXPERIMENTS = {  # {name: (settings, seeds)}
    "palindromes": (PALINDROMES, TWENTY),
    "palindromes, constant gates": (PALINDROMES | CONSTANT, TWENTY),
    "palindromes, bf = -1": (PALINDROMES | FORGET, TWENTY),
    "palindromes, bf = -1, constant gates": (PALINDROMES | FORGET | CONSTANT, TWENTY),
    "streams": (STREAMS, TWENTY),
    "streams, constant gates": (STREAMS | CONSTANT, TWENTY),
    "streams, bf = -1": (STREAMS | FORGET, TWENTY),
    "streams, bf = -1, constant gates": (STREAMS | FORGET | CONSTANT, TWENTY),
    "streams, i constant": (STREAMS | {"constant": "i"}, FIVE),
    "streams, f = 1": (STREAMS | F_IS_1, FIVE),
    "streams, o constant": (STREAMS | {"constant": "o"}, FIVE),
    "one number for a digit": (ONE_NUMBER, FIVE),
    "one number for a digit, constant gates": (ONE_NUMBER | CONSTANT, FIVE),
    "streams, rate 0.002": (SLOW_STREAMS, FIVE),
    "streams, rate 0.002, constant gates": (SLOW_STREAMS | CONSTANT, FIVE),
}


class Streams:
    """Random streams of `length` symbols: a bar, digits, and further bars among them.

    Each symbol after the first is a bar with probability 0.1, but never next to a bar and never at
    the end. An item is `(inputs, target)`: float32 (length, 11), one-hot, and int64 (), the first
    digit after the last bar. `symbols` int64 (total_len, length) holds all symbols.
    """

    def __init__(self, length, total_len, seed):
        rng = torch.Generator().manual_seed(seed)
        self.symbols = torch.randint(10, (total_len, length), generator=rng)
        bars = torch.rand(total_len, length, generator=rng) < 0.1
        bars[:, 0], bars[:, 1], bars[:, -1] = True, False, False
        for t in range(2, length):
            bars[:, t] &= ~bars[:, t - 1]
        self.symbols[bars] = BAR
        last_bar = torch.where(bars, torch.arange(length), 0).amax(dim=1, keepdim=True)
        self.targets = self.symbols.gather(1, last_bar + 1).squeeze(1)

    def __len__(self):
        """Return how many streams there are."""
        return len(self.symbols)

    def __getitem__(self, index):
        """Return one item, or for a slice or a tensor of indices a batch of them."""
        return F.one_hot(self.symbols[index], BAR + 1).float(), self.targets[index]


def make_constant(model, gates):
    """Make gates of an LSTM, letters of "ifo", constant in place: no training moves them.

    They no longer read x and h, so each stays sigm of its bias.
    """
    free = torch.ones_like(model.W)
    for gate, rows in zip("gifo", free.chunk(4), strict=True):
        rows.mul_(gate not in gates)
    model.W.data *= free
    model.W.register_hook(lambda gradient: gradient * free)
    model.b.register_hook(lambda gradient: gradient * (free[:, 0] > 0))


def sequences(settings, length, total_len, seed):
    """Return streams or palindromes of this length, as the LSTM of these settings reads them."""
    if settings["reads"] == "streams":
        return Streams(length, total_len, seed)
    return PalindromeDataset(length - 1, total_len, settings["one_hot"], seed)


def train_lstm(settings, seed):
    """Return the LSTM of these settings after its training, and unseen sequences of its length."""
    train_set = sequences(settings, settings["T"], settings["size"], seed)
    if settings["reads"] == "streams":  # all are trained on, and new ones are asked
        unseen = Streams(settings["T"], settings["asked"], settings["asked_seed"])
    else:
        train_set, unseen = train_set.split(settings["portion_train"])
    inputs, _ = train_set[:1]  # (1, length, input_dim)
    model = make_network("lstm", seed, inputs.shape[2], settings["hidden_dim"], settings["bf"])
    make_constant(model, settings["constant"])
    return train_with(settings, model, [train_set], seed), unseen


def measure(settings, seed):
    """Train an LSTM; return the share of right answers at its length T, then at the long one."""
    model, unseen = train_lstm(settings, seed)
    long = sequences(settings, settings["long"], settings["asked"], settings["asked_seed"])
    return [
        {"length": settings["T"], "share": accuracy(model, unseen)},
        {"length": settings["long"], "share": accuracy(model, long)},
    ]


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
        for gates, end in ("move", ""), ("are constant", ", constant gates"):
            line = {"cells at the start": cells, "gates": gates}
            for task, settings in ("palindromes", PALINDROMES), ("streams", STREAMS):
                shares = shares_of(rows, task + start + end, settings["T"])
                if not shares:
                    return []
                line[f"{task}: worst, %"] = f"{min(shares):.2f}"
                line[f"{task}: solved"] = solved(shares)
            lines.append(line)
    return lines


def gates_table(rows):
    """Return a row for each training: the shares of right answers of its seeds."""
    lines = []
    for experiment, (settings, _) in EXPERIMENTS.items():
        if shares := shares_of(rows, experiment, settings["T"]):
            long = shares_of(rows, experiment, settings["long"])
            line = {"training": experiment} | summary(shares)
            column = f"at length {settings['long']}, %"
            lines.append(line | {column: f"{min(long):.0f} to {max(long):.0f}"})
    return lines


def show(rows, out_dir):
    """Save each table of which there are rows."""
    for name, table in ("gates_square", square_table), ("gates", gates_table):
        if lines := table(rows):
            save_table(out_dir / f"{name}.csv", lines)


if __name__ == "__main__":
    study("gates", __doc__, EXPERIMENTS, COLUMNS, measure, show)
