"""What are gates for? Some or all of an LSTM's are frozen.

    python -m studies.gates                                   the report's, in seconds
    python -m studies.gates --train "streams" --seeds 400     one other seed

In *streams*, sequences of digits and bars, the answer is the first digit after the last bar.
"""

import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

from common import grouped
from networks import make_network
from studies.runner import study
from train import measure_accuracy, palindromes_of, parse_args, settings_of, summary, train

BAR = 10  # the symbols of a stream are the digits 0 to 9 and the bar


def palindromes(*, frozen="", flags=""):
    """Return the settings of an LSTM with these flags of train.py, at 20 digits.

    frozen are letters of the gates, see freeze.
    """
    settings = settings_of(parse_args(flags.split()), "lstm")
    return settings | {"task": "palindromes", "T": 20, "frozen": frozen}


def streams(*, frozen="", flags=""):
    """Return the settings of an LSTM that learns streams, and is tested on new ones."""
    flags = f"--train_steps 1000 --learning_rate 0.005 --warmup 50 {flags}"
    settings = palindromes(frozen=frozen, flags=flags)
    return settings | {"task": "streams", "tested": 2000, "tested_seed": 2}


LONGER, CAREFUL = "--train_steps 5000", "--learning_rate 0.002 --warmup 50"
TWENTY, FIVE = range(300, 320), range(300, 305)
EXPERIMENTS = {
    "palindromes, frozen gates": (palindromes(frozen="ifo"), TWENTY),
    "palindromes, frozen gates, learning rate 0.002": (
        palindromes(frozen="ifo", flags=CAREFUL),
        TWENTY,
    ),
    "streams": (streams(), TWENTY),
    "streams, frozen gates": (streams(frozen="ifo"), TWENTY),
    "streams, all but i frozen": (streams(frozen="fo"), TWENTY),
    "streams, frozen gates, 5000 steps": (streams(frozen="ifo", flags=LONGER), FIVE),
}
for rate in 0.001, 0.002, 0.01, 0.02:
    settings = streams(frozen="ifo", flags=f"--learning_rate {rate}")
    EXPERIMENTS[f"streams, frozen gates, learning rate {rate}"] = settings, FIVE


def random_streams(length, n, seed):
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


def freeze(model, gates):
    """Let gates of an LSTM, letters of "ifo", read neither x nor h, in place and for good.

    So each stays sigm(its bias), and the bias keeps its initialization: no training changes it.
    """
    free = torch.ones_like(model.W)
    for letter, rows in zip("gifo", free.chunk(4), strict=True):
        if letter in gates:
            rows.zero_()
    model.W.data *= free
    model.W.register_hook(lambda gradient: gradient * free)
    model.b.register_hook(lambda gradient: gradient * free[:, 0])


def train_lstm(settings, seed):
    """Return the LSTM of these settings after its training, and unseen sequences."""
    if settings["task"] == "palindromes":
        symbols = settings["input_dim"]
        train_set, unseen = palindromes_of(settings, settings["T"], seed)
    else:
        symbols, length = BAR + 1, settings["T"]
        train_set = random_streams(length, settings["data_size"], seed)
        unseen = random_streams(length, settings["tested"], settings["tested_seed"])
    model = make_network(settings | {"input_dim": symbols}, seed)
    freeze(model, settings["frozen"])
    return train(settings, model, [train_set], seed), unseen


def measure(settings, seed):
    """Train an LSTM; return a row with its accuracy."""
    model, unseen = train_lstm(settings, seed)
    return [{"accuracy": measure_accuracy(model, unseen)}]


def show(rows):
    """Return the table, a row for each training."""
    groups = grouped(rows, "experiment")
    return {"gates.csv": [{"training": name} | summary(some) for (name,), some in groups.items()]}


if __name__ == "__main__":
    study("gates", __doc__, EXPERIMENTS, measure, show)
