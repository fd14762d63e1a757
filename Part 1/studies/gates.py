"""What does an LSTM need? Its gates are frozen, or its recurrent weights cut.

    python -m studies.gates                                       the report's, in seconds
    python -m studies.gates --only "h is read by neither" --again  trains these anew, five minutes

In *streams*, sequences of digits and bars, the answer is the first digit after the last bar.
"""

import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

from common import grouped, save_table
from networks import NETWORKS, make_network
from studies.runner import study
from studies.settings import summary
from train import measure_accuracy, palindromes_of, parse_args, settings_of, train

BAR = 10  # the symbols of a stream are the digits 0 to 9 and the bar


def lstm(flags=""):
    """Return the settings of the LSTM with these flags of train.py, and of its own task."""
    settings = settings_of(parse_args(flags.split()), "lstm")
    return settings | {
        "task": "palindromes",
        "T": 20,  # digits of a palindrome with its last one, or symbols of a stream
        "frozen": "",  # the gates that are frozen at their initialization, letters of "ifo"
        "blind": "",  # the lines of (1) to (4) without their term in h, letters of "gifo"
    }


STREAMS = lstm("--train_steps 1000 --learning_rate 0.005") | {
    "task": "streams",
    "asked": 2000,  # so many new streams are asked
    "asked_seed": 2,
}
SETTINGS = {
    "h is read by g alone": lstm() | {"blind": "ifo"},
    "h is read by the gates alone": lstm() | {"blind": "g"},
    "h is read by neither": lstm() | {"blind": "gifo"},
}
for task, base in ("palindromes", lstm()), ("streams", STREAMS):
    SETTINGS[task] = base
    SETTINGS[f"{task}, frozen gates"] = base | {"frozen": "ifo"}
for gate in "ifo":
    SETTINGS[f"streams, all but {gate} frozen"] = STREAMS | {"frozen": "ifo".replace(gate, "")}
for reader, blind in ("i", "g"), ("g", "i"):
    name = f"streams, all but i frozen, h is read by {reader} alone"
    SETTINGS[name] = STREAMS | {"frozen": "fo", "blind": blind}
EXPERIMENTS = {name: (settings, range(300, 320)) for name, settings in SETTINGS.items()}
AT_80 = lstm("--warmup 0 --train_steps 1000") | {"T": 80}
FEWER_SEEDS = {
    "h is read by neither, 10000 steps": lstm("--train_steps 10000") | {"blind": "gifo"},
    "80 digits, no warm-up, h is read by g alone": AT_80 | {"blind": "ifo"},
    "80 digits, no warm-up, h is read by the gates alone": AT_80 | {"blind": "g"},
    "streams, bf = 1, frozen gates": STREAMS | {"bf": 1.0, "frozen": "ifo"},
    "streams, bf = 1, all but f frozen": STREAMS | {"bf": 1.0, "frozen": "io"},
    "streams, frozen gates, rate 0.002": STREAMS | {"frozen": "ifo", "learning_rate": 0.002},
    "streams, frozen gates, rate 0.01": STREAMS | {"frozen": "ifo", "learning_rate": 0.01},
    "streams, frozen gates, 5000 steps": STREAMS | {"frozen": "ifo", "train_steps": 5000},
    "streams, all but f frozen, 5000 steps": STREAMS | {"frozen": "io", "train_steps": 5000},
    "streams, all but o frozen, 5000 steps": STREAMS | {"frozen": "if", "train_steps": 5000},
}
EXPERIMENTS |= {name: (settings, range(300, 305)) for name, settings in FEWER_SEEDS.items()}


def streams(length, n, seed):
    """Return n random streams of `length` symbols: a bar, digits, and further bars among them.

    Each symbol after the first is a bar with probability 0.1, but never next to a bar and never at
    the end. An item is `(inputs, target)`: float32 (length, 11), one-hot, and int64 (), the first
    digit after the last bar.
    """
    rng = torch.Generator().manual_seed(seed)
    symbols = torch.randint(10, (n, length), generator=rng)
    bars = torch.rand(n, length, generator=rng) < 0.1
    bars[:, 0], bars[:, 1], bars[:, -1] = True, False, False
    for t in range(2, length):
        bars[:, t] &= ~bars[:, t - 1]
    symbols[bars] = BAR
    last_bar = torch.where(bars, torch.arange(length), 0).amax(dim=1, keepdim=True)
    targets = symbols.gather(1, last_bar + 1).squeeze(1)
    return TensorDataset(F.one_hot(symbols, BAR + 1).float(), targets)


def cut(model, frozen, blind):
    """Set weights of an LSTM to zero in place, for good: no training changes them.

    frozen  gates, letters of "ifo", that read neither x nor h, so each stays sigm(its bias), which
            keeps its initialization
    blind   letters of "gifo": these still read x, but not h
    """
    H = model.Wph.shape[1]
    free = torch.ones_like(model.W)
    for letter, rows in zip("gifo", free.chunk(4), strict=True):
        if letter in frozen:
            rows.zero_()
        if letter in blind:
            rows[:, -H:].zero_()
    free_bias = free[:, 0].clone()  # a blind line keeps its column of x, and learns its bias
    model.W.data *= free
    model.W.register_hook(lambda gradient: gradient * free)
    model.b.register_hook(lambda gradient: gradient * free_bias)


def train_lstm(settings, seed):
    """Return the LSTM of these settings after its training, and unseen sequences."""
    if settings["task"] == "streams":
        symbols, train_set = BAR + 1, streams(settings["T"], settings["data_size"], seed)
        unseen = streams(settings["T"], settings["asked"], settings["asked_seed"])
    else:
        symbols = settings["input_dim"]
        train_set, unseen = palindromes_of(settings, settings["T"], seed)
    model = make_network(settings | {"input_dim": symbols}, seed)
    cut(model, settings["frozen"], settings["blind"])
    return train(settings, model, [train_set], seed), unseen


def measure(settings, seed):
    """Train an LSTM; return one row, its accuracy on unseen sequences."""
    model, unseen = train_lstm(settings, seed)
    return [{"accuracy": measure_accuracy(model, unseen)}]


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    return settings["train_steps"] * settings["T"] * NETWORKS["lstm"].seconds


def show(rows, out_dir):
    """Save the table, a row for each training."""
    groups = grouped(rows, "experiment")
    table = [{"training": experiment} | summary(own) for (experiment,), own in groups.items()]
    save_table(out_dir / "gates.csv", table)


if __name__ == "__main__":
    study("gates", __doc__, EXPERIMENTS, measure, show, seconds)
