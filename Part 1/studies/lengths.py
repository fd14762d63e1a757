"""How long can a palindrome be, and why does the LSTM win at 80 digits?

    python -m studies.lengths                                         the report's, in seconds
    python -m studies.lengths --train "80: RNN, leaky" --seeds 400    another seed, half a minute

Each network is trained for 1,000 steps, with a warm-up of 50 unless its name says otherwise. For
each length, its learning rate is the best of those tried on seeds below 10; ten others report.
"""

from statistics import mean, median, median_low

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped
from networks import make_network
from rnn import VanillaRNN
from studies.gates import freeze
from studies.runner import study
from train import measure_accuracy, palindromes_of, parse_args, settings_of, summary, train

RATES = [1.5e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3]  # tried
HIGHER = [8e-3, 0.016, 0.032, 0.064, 0.128]  # for the leaky RNN, too
FLAGS = {  # of train.py
    "LSTM": "--model lstm",
    "RNN, orthogonal": "--model rnn --rnn_init orthogonal",
    "RNN": "--model rnn",
}
CHOSEN = {  # {network: {T: the rate that best_rate finds}}
    "LSTM": {10: 1e-3, 20: 1e-3, 40: 2e-3, 80: 2e-3},
    "RNN, orthogonal": {10: 6e-4, 20: 3e-4, 40: 3e-4, 80: 3e-4},
    "RNN": {10: 2e-3, 20: 1e-3, 40: 2e-3, 80: 2e-3},
}
SEEDS = {("RNN", 10): 10, ("RNN", 20): 10, ("RNN", 40): 10, ("RNN", 80): 3}  # choose; else five
COLORS = {"LSTM": BLUE, "RNN, orthogonal": GREEN, "RNN": ORANGE}
LENGTHS, TEN = [10, 20, 40, 80], range(300, 310)


def experiment(flags, T, rates, seeds=TEN, change=""):
    """Return settings and seeds: a network of these flags is trained at each of the rates."""
    args = parse_args(f"--warmup 50 --train_steps 1000 {flags}".split())
    settings = settings_of(args, args.model[0])
    del settings["learning_rate"]
    return settings | {"T": T, "rates": rates, "change": change}, seeds


CHOOSING = {
    f"rates, {name}, T = {T}": experiment(FLAGS[name], T, RATES, range(SEEDS.get((name, T), 5)))
    for name, chosen in CHOSEN.items()
    for T in chosen
}
CHOOSING["rates, RNN, leaky, T = 80"] = experiment(
    FLAGS["RNN"], 80, [*RATES[1:], *HIGHER], range(5), "leaky"
)
BY_LENGTH = {
    f"{name}, T = {T}": experiment(FLAGS[name], T, [rate])
    for name, chosen in CHOSEN.items()
    for T, rate in chosen.items()
}
LSTM, ORTHOGONAL = FLAGS["LSTM"], FLAGS["RNN, orthogonal"]
EIGHTY = {  # 80 digits, at 0.002 unless the name says otherwise
    "80: LSTM": experiment(LSTM, 80, [2e-3]),
    "80: LSTM, 62 units": experiment(f"{LSTM} --num_hidden 62", 80, [2e-3]),
    "80: LSTM, frozen gates": experiment(LSTM, 80, [2e-3], change="frozen gates"),
    "80: LSTM, bf = 0": experiment(f"{LSTM} --bf 0", 80, [2e-3]),
    "80: LSTM, no warm-up": experiment(f"{LSTM} --warmup 0", 80, [2e-3]),
    "80: RNN, orthogonal, learning rate 0.0003": experiment(ORTHOGONAL, 80, [3e-4]),
    "80: RNN, orthogonal, learning rate 0.0003, 3,000 steps": experiment(
        f"{ORTHOGONAL} --train_steps 3000", 80, [3e-4]
    ),
    "80: RNN, orthogonal": experiment(ORTHOGONAL, 80, [2e-3]),
    "80: RNN, leaky, learning rate 0.064": experiment(FLAGS["RNN"], 80, [0.064], change="leaky"),
    "80: RNN, leaky": experiment(FLAGS["RNN"], 80, [2e-3], change="leaky"),
    "80: RNN, leaky, i = 0.5": experiment(FLAGS["RNN"], 80, [2e-3], change="leaky, i = 0.5"),
}
EXPERIMENTS = CHOOSING | BY_LENGTH | EIGHTY


class LeakyRNN(VanillaRNN):
    """An RNN with leaky units (Jaeger et al. 2007): its state is added to, like an LSTM's cells.

    h(t) = f * h(t-1) + i * tanh(Whx x(t) + Whh h(t-1) + bh), where f is random, initialized as the
    LSTM's forget gate, and not trained. Usually i = 1 - f; an LSTM begins with i = 0.5.
    """

    def __init__(self, input_dim, hidden_dim, output_dim, i=None):
        super().__init__(input_dim, hidden_dim, output_dim)
        self.register_buffer("f", torch.sigmoid(torch.empty(hidden_dim).uniform_(1, 100).log()))
        self.i = 1 - self.f if i is None else i

    def forward(self, x, state=None):
        """`logits, h = model(x)`, as VanillaRNN."""
        h = x.new_zeros(len(x), len(self.Whh)) if state is None else state
        for x_t in x.unbind(dim=1):
            new = torch.tanh(F.linear(x_t, self.Whx) + F.linear(h, self.Whh, self.bh))
            h = self.f * h + self.i * new
        return F.linear(h, self.Wph, self.bp), h


def measure(settings, seed):
    """Train the network of these settings at each of their rates; return a row for each."""
    train_set, test_set = palindromes_of(settings, settings["T"], seed)
    rows = []
    for rate in settings["rates"]:
        model = make_network(settings, seed)
        if settings["change"].startswith("leaky"):
            torch.manual_seed(seed)
            i = 0.5 if settings["change"].endswith("i = 0.5") else None
            model = LeakyRNN(settings["input_dim"], settings["num_hidden"], 10, i)
        if settings["change"] == "frozen gates":
            freeze(model, "ifo")
        train(settings | {"learning_rate": rate}, model, [train_set], seed)
        rows.append({"rate": rate, "accuracy": measure_accuracy(model, test_set)})
    return rows


def best_rate(means):
    """Return the middle (of two: the lower) rate of those within 0.05 % of the best mean, in %."""
    return median_low(rate for rate in means if means[rate] >= max(means.values()) - 0.05)


def rates_table(rows):
    """Return a row for each network and length: its mean accuracy at each rate, in %."""
    lines = []
    for (name,), some in grouped(rows, "experiment").items():
        means = {}
        for (rate,), at_rate in grouped(some, "rate").items():
            means[rate] = 100 * mean(row["accuracy"] for row in at_rate)
        line = {"network": name.removeprefix("rates, "), "seeds": len({r["seed"] for r in some})}
        cells = {f"{rate:g}": "" for rate in RATES + HIGHER}
        cells |= {f"{rate:g}": f"{means[rate]:.1f}" for rate in means}
        lines.append(line | cells | {"chosen": f"{best_rate(means):g}"})
    return lines


def summary_table(rows):
    """Return a row for each experiment, over its seeds."""
    lines = []
    for (name, rate), some in grouped(rows, "experiment", "rate").items():
        line = {"network": name.removeprefix("80: "), "learning rate": f"{rate:g}"}
        lines.append(line | summary(some))
    return lines


def lengths_figure(rows):
    """Return a Figure: test accuracy by length, each network a dot, and their median a line."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    for k, (name, chosen) in enumerate(CHOSEN.items()):
        by_length = [[r for r in rows if r["experiment"] == f"{name}, T = {T}"] for T in chosen]
        shares = [[100 * row["accuracy"] for row in some] for some in by_length]
        places = [LENGTHS.index(T) + 0.05 * (k - 1) for T in chosen]  # side by side
        axes.plot(places, [median(some) for some in shares], color=COLORS[name], lw=2.5, label=name)
        for place, some in zip(places, shares, strict=True):
            axes.plot([place] * len(some), some, "o", color=COLORS[name], ms=5, alpha=0.5)
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(0, 11, "chance", color=GREY, ha="left", transform=axes.get_yaxis_transform())
    axes.set_xticks(range(len(LENGTHS)), LENGTHS)
    axes.set(xlabel="digits", ylabel="accuracy on unseen palindromes, %")
    axes.set(ylim=(0, 103), title="Of these three, only the LSTM learns 80 digits in 1,000 steps")
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0.02, 0.55))
    return figure


def show(rows):
    """Return each table and figure that has rows."""
    shown = {}
    for file, experiments, table in (
        ("lengths_rates.csv", CHOOSING, rates_table),
        ("lengths.csv", BY_LENGTH, summary_table),
        ("eighty.csv", EIGHTY, summary_table),
    ):
        if some := [row for row in rows if row["experiment"] in experiments]:
            shown[file] = table(some)
    if BY_LENGTH.keys() <= {row["experiment"] for row in rows}:
        shown["lengths.png"] = lengths_figure(rows)
    return shown


if __name__ == "__main__":
    study("lengths", __doc__, EXPERIMENTS, measure, show)
