"""What does an LSTM need? Its gates are frozen, or its recurrent weights cut.

    python -m studies.gates                                            the report's, in seconds
    python -m studies.gates --train "h is read by neither" --seeds 400  one other seed

In *streams*, sequences of digits and bars, the answer is the first digit after the last bar.
"""

from statistics import mean

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch.utils.data import TensorDataset

from common import BLUE, GREY, ORANGE, grouped
from networks import make_network
from studies.runner import study
from train import measure_accuracy, palindromes_of, parse_args, settings_of, summary, train

BAR = 10  # the symbols of a stream are the digits 0 to 9 and the bar


def palindromes(*, frozen="", blind="", flags=""):
    """Return the settings of an LSTM with these flags of train.py, at 20 digits.

    frozen and blind are letters of the gates, see cut.
    """
    settings = settings_of(parse_args(flags.split()), "lstm")
    return settings | {"task": "palindromes", "T": 20, "frozen": frozen, "blind": blind}


def streams(*, frozen="", blind="", flags=""):
    """Return the settings of an LSTM that learns streams, and is tested on new ones."""
    flags = f"--train_steps 1000 --learning_rate 0.005 --warmup 50 {flags}"
    settings = palindromes(frozen=frozen, blind=blind, flags=flags)
    return settings | {"task": "streams", "tested": 2000, "tested_seed": 2}


LONGER, CAREFUL = "--train_steps 5000", "--learning_rate 0.002 --warmup 50"
READERS = "streams, all but i frozen, h is read by"
TWENTY_SEEDS = {
    "palindromes": palindromes(),
    "palindromes, frozen gates": palindromes(frozen="ifo"),
    "palindromes, frozen gates, rate 0.002": palindromes(frozen="ifo", flags=CAREFUL),
    "h is read by g alone": palindromes(blind="ifo"),
    "h is read by g alone, rate 0.002": palindromes(blind="ifo", flags=CAREFUL),
    "h is read by the gates alone": palindromes(blind="g"),
    "h is read by neither": palindromes(blind="gifo"),
    "streams": streams(),
    "streams, frozen gates": streams(frozen="ifo"),
    "streams, all but i frozen": streams(frozen="fo"),
    "streams, all but f frozen": streams(frozen="io"),
    "streams, all but o frozen": streams(frozen="if"),
    f"{READERS} i alone": streams(frozen="fo", blind="g"),
    f"{READERS} g alone": streams(frozen="fo", blind="i"),
}
AT_A_BAR = {"task": "bar", "around": 5}  # so many symbols before and after a bar
BARS = {  # panels of gates.png
    "all gates": streams() | AT_A_BAR,
    "input gate alone, the others frozen": streams(frozen="fo") | AT_A_BAR,
}
FIVE_SEEDS = {
    "h is read by neither, 10000 steps": palindromes(
        blind="gifo", flags=f"{CAREFUL} --train_steps 10000"
    ),
    "streams, bf = 1, frozen gates": streams(frozen="ifo", flags="--bf 1"),
    "streams, bf = 1, all but f frozen": streams(frozen="io", flags="--bf 1"),
    "streams, frozen gates, rate 0.002": streams(frozen="ifo", flags="--learning_rate 0.002"),
    "streams, frozen gates, rate 0.01": streams(frozen="ifo", flags="--learning_rate 0.01"),
    "streams, frozen gates, 5000 steps": streams(frozen="ifo", flags=LONGER),
    "streams, all but f frozen, 5000 steps": streams(frozen="io", flags=LONGER),
    "streams, all but o frozen, 5000 steps": streams(frozen="if", flags=LONGER),
}
EXPERIMENTS = {
    name: (settings, range(300, 320)) for name, settings in (TWENTY_SEEDS | BARS).items()
} | {name: (settings, range(300, 305)) for name, settings in FIVE_SEEDS.items()}


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
    free_bias = free[:, 0].clone()  # a blind row still reads x, and learns its bias
    model.W.data *= free
    model.W.register_hook(lambda gradient: gradient * free)
    model.b.register_hook(lambda gradient: gradient * free_bias)


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
    cut(model, settings["frozen"], settings["blind"])
    return train(settings, model, [train_set], seed), unseen


@torch.no_grad()
def at_a_bar(model, around, n, seed):
    """Let an LSTM read n streams with one bar in the middle; return a row for each symbol round it.

    Rows have the mean input gate, and the shares of the old digit, the first of the stream, and of
    the new one, the first after the bar. A digit's trace is the mean of the cells of its streams
    less the mean over all digits. Its share is the projection of the trace onto the full one: that
    just before the bar (old digit) or at the end (new digit).
    """
    rng = torch.Generator().manual_seed(seed)
    bar = 1 + around  # its place, behind a first bar and digits
    symbols = torch.randint(10, (n, bar + around + 1), generator=rng)
    symbols[:, [0, bar]] = BAR
    state, gates, cells = None, [], []
    for x_t in F.one_hot(symbols, BAR + 1).float().unbind(dim=1):
        h = x_t.new_zeros(n, model.Wph.shape[1]) if state is None else state[0]
        z = F.linear(torch.cat([x_t, h], dim=1), model.W, model.b)
        gates.append(torch.sigmoid(z.chunk(4, dim=1)[1]).mean().item())  # (2)
        _, state = model(x_t.unsqueeze(1), state)
        cells.append(state[1])

    def share(digits, time, when_whole):
        now, whole = (
            torch.stack([cells[t][digits == d].mean(dim=0) for d in range(10)])
            for t in (time, when_whole)
        )
        now, whole = now - now.mean(dim=0), whole - whole.mean(dim=0)  # (10, H)
        return ((now * whole).sum() / whole.square().sum()).item()

    return [
        {
            "step": step,
            "input_gate": gates[bar + step],
            "old_digit": share(symbols[:, 1], bar + step, bar - 1),
            "new_digit": share(symbols[:, bar + 1], bar + step, -1),
        }
        for step in range(-around, around + 1)
    ]


def measure(settings, seed):
    """Train an LSTM; return a row with its accuracy, or those of at_a_bar."""
    model, unseen = train_lstm(settings, seed)
    if settings["task"] == "bar":
        n, around = settings["tested"], settings["around"]
        return at_a_bar(model, around, n, settings["tested_seed"])
    return [{"accuracy": measure_accuracy(model, unseen)}]


def gates_figure(rows):
    """Return a Figure: input gate and digits in the cells, from five symbols before a bar on."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name in zip(panels, BARS, strict=True):
        by_step = grouped([row for row in rows if row["experiment"] == name], "step")
        for column, color, label in (
            ("input_gate", GREY, "input gate (mean of all cells)"),
            ("old_digit", ORANGE, "old digit in the cells"),
            ("new_digit", BLUE, "new digit in the cells"),
        ):
            for (step,), some in by_step.items():
                values = [row[column] for row in some]
                axes.plot([step] * len(values), values, "o", color=color, ms=3, alpha=0.3)
            means = [mean(row[column] for row in some) for some in by_step.values()]
            axes.plot(
                [step for (step,) in by_step], means, "_", color=color, ms=22, mew=3, label=label
            )
        axes.set(title=name, ylim=(-0.1, 1.2), xlabel="symbol")
        axes.set_xticks([-5, 0, 1, 5], ["old digit", "bar", "\nnew digit", "five later"])
        axes.grid(visible=False)
    figure.supylabel("the gate, or the share of a digit", fontsize=12)
    figure.suptitle("The input gate opens for the digit after a bar, not at the bar", fontsize=16)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def show(rows):
    """Return the table, a row for each training, and the figure if all its networks are there."""
    accuracies = [row for row in rows if row["experiment"] not in BARS]
    groups = grouped(accuracies, "experiment")
    table = [{"training": experiment} | summary(some) for (experiment,), some in groups.items()]
    shown = {"gates.csv": table} if table else {}
    if BARS.keys() <= {row["experiment"] for row in rows}:
        shown["gates.png"] = gates_figure(rows)
    return shown


if __name__ == "__main__":
    study("gates", __doc__, EXPERIMENTS, measure, show)
