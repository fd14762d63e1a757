"""What do the gates of a trained LSTM do? They are held still while it reads.

    python -m studies.gates                                        the report's, in seconds
    python -m studies.gates --only streams --seed 400 --seeds 1    another LSTM, half a minute

The LSTMs are those of cells.py: they read palindromes, or streams of digits and bars. From
the first symbol on, a gate stays at its mean over other sequences.
"""

import itertools

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from common import BLUE, GREY, ORANGE, save_figure, save_table
from studies.cells import ASKED_SEED, BAR, N_ASKED, TRAININGS, Streams, sequences, train_lstm
from studies.runner import study

MEANS_SEED = 1  # of the sequences over which means are taken
SETTINGS = {name: TRAININGS[name] for name in ("streams", "palindromes")}
LAST_SYMBOL = "no network: the last symbol"  # what the end of a stream tells


@torch.no_grad()
def read(model, data, change):
    """Return the LSTM's logits (N, 10) for data, with change(t, gates) in the place of its gates.

    gates are {"i", "f", "o": (N, H)} at symbol t = 0, 1, ...
    """
    x, _ = data[:]
    h, c = x.new_zeros(2, len(x), model.Wph.shape[1])
    for t, x_t in enumerate(x.unbind(dim=1)):
        z = F.linear(torch.cat([x_t, h], dim=1), model.W, model.b)
        g, i, f, o = z.chunk(4, dim=1)
        gates = change(t, {"i": i.sigmoid(), "f": f.sigmoid(), "o": o.sigmoid()})
        c = g.tanh() * gates["i"] + c * gates["f"]
        h = torch.tanh(c) * gates["o"]
    return F.linear(h, model.Wph, model.bp)


def gates_of(model, data):
    """Return {"i", "f", "o": (N, n, H)}, the gates at each symbol of data."""
    seen = []

    def keep(t, gates):
        seen.append(gates)
        return gates

    read(model, data, keep)
    return {gate: torch.stack([gates[gate] for gates in seen], dim=1) for gate in "ifo"}


def hold(values, since_bar=None):
    """Return a change for `read`: gates have values, {gate: (H,)}.

    With since_bar (N, n), values are {gate: (steps, H)}, one for each number of steps.
    """

    def change(t, gates):
        if since_bar is None:
            return gates | values
        return gates | {gate: value[since_bar[:, t]] for gate, value in values.items()}

    return change


def changes_of(model, training, asked):
    """Return {name: change}: gates held at means over other sequences than those asked, or f at 1.

    In streams of the length that was learnt, means are also taken for each number of steps since
    the last bar; as a check, these steps are then counted from the bars of another stream.
    """
    others = sequences(training, training.T, N_ASKED, MEANS_SEED)
    gates = gates_of(model, others)
    means = {gate: values.mean(dim=(0, 1)) for gate, values in gates.items()}
    changes = {"nothing": hold({})}
    for gate, mean in means.items():
        changes[f"{gate} at its mean"] = hold({gate: mean})
    changes["f at 1"] = hold({"f": torch.tensor(1.0)})
    changes["all three at their means"] = hold(means)
    if training.reads == "streams" and asked.since_bar.shape[1] == training.T:
        by_step = {}
        for gate, values in gates.items():
            steps = [values[others.since_bar == step].mean(dim=0) for step in range(training.T)]
            by_step[gate] = torch.stack(steps)
        changes["all, by steps since the bar"] = hold(by_step, asked.since_bar)
        changes["all, by another stream's bars"] = hold(by_step, asked.since_bar.roll(1, dims=0))
    return changes


def measure(job):
    """Train the LSTM of a job (experiment, seed); return rows of what it does with gates held.

    A row has what is held, the length of the sequences, and the share of right answers. Where a row
    says "open", the share is the mean of a gate's cells after so many symbols of the first stream.
    """
    experiment, seed = job
    training, rows = TRAININGS[experiment], []
    model, _ = train_lstm(training, seed)

    def add(held, length, share):
        row = {"experiment": experiment, "seed": seed, "held": held, "length": length}
        rows.append(row | {"share": share})

    for length in (20, 100) if training.reads == "streams" else (training.T,):
        asked = sequences(training, length, N_ASKED, ASKED_SEED)
        _, targets = asked[:]
        for name, change in changes_of(model, training, asked).items():
            right = read(model, asked, change).argmax(dim=1) == targets
            add(name, length, right.double().mean().item())
        if training.reads == "streams":
            right = asked.symbols[:, -1] == targets
            add(LAST_SYMBOL, length, right.double().mean().item())
    if training.reads == "streams":
        gates = gates_of(model, Streams(20, N_ASKED, ASKED_SEED))
        for gate, n in itertools.product("ifo", range(20)):
            add(f"{gate} open", n + 1, gates[gate][0, n].mean().item())
    return rows


def table(rows):
    """Return a row for each change: right answers, in %, least to greatest of the networks."""
    lines = {}
    for row in rows:
        if not row["held"].endswith("open"):
            column = f"{TRAININGS[row['experiment']].reads} of {row['length']}"
            cells = lines.setdefault(row["held"], {})
            cells.setdefault(column, []).append(100 * row["share"])
    columns = dict.fromkeys(column for cells in lines.values() for column in cells)
    result = []
    for held, cells in lines.items():
        line = {"held": held}
        for column in columns:
            ends = [f"{end(cells[column]):.0f}" for end in (min, max)] if column in cells else []
            line[column] = " to ".join(dict.fromkeys(ends))
        result.append(line)
    return result


def gates_figure(rows):
    """Return a Figure of the gates over one stream, which the LSTM of the first seed reads."""
    figure = Figure(figsize=(8.8, 3.2), layout="constrained")
    axes = figure.subplots()
    for gate, color, width in ("i", BLUE, 3), ("f", ORANGE, 1.5), ("o", GREY, 1.5):
        wanted = f"{gate} open", rows[0]["seed"]
        shares = [row["share"] for row in rows if (row["held"], row["seed"]) == wanted]
        axes.plot(range(len(shares)), shares, "o-", color=color, lw=width, label=gate)
    symbols = Streams(20, N_ASKED, ASKED_SEED).symbols[0].tolist()
    for step, symbol in enumerate(symbols):
        if symbol == BAR:
            axes.axvspan(step - 0.5, step + 0.5, color=GREY, alpha=0.25, lw=0)
    axes.set_xticks(range(20), ["bar" if symbol == BAR else symbol for symbol in symbols])
    axes.set(xlim=(-0.5, 19.5), ylim=(0, 1), ylabel="open (mean of cells)")
    axes.set(title="The gates i and o open at the first digit after a bar", xlabel="one stream")
    axes.legend(loc="lower right", ncols=3)
    return figure


def show(rows, out_dir):
    """Save the table, and the figure where there are rows of streams."""
    save_table(out_dir / "gates.csv", table(rows))
    if streams := [row for row in rows if row["experiment"] == "streams"]:
        save_figure(out_dir / "gates.png", gates_figure(streams), streams)


if __name__ == "__main__":
    study("gates", __doc__, SETTINGS, dict.fromkeys(SETTINGS, range(300, 320)), measure, show)
