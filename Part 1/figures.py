"""The figures of Part 1: each function returns a matplotlib Figure."""

import math
import statistics

import matplotlib
from matplotlib.figure import Figure

from rows import grouped

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"

SOLVED = 0.999  # the accuracy from which on a length counts as solved
DIGIT_COLORS = matplotlib.colormaps["tab10"].colors


def training_figure(T, rows):
    """Return a Figure: accuracy over the steps. Seeds are thin, their median is bold.

    rows are points of curves, as train.py saves them. The axis ends at step 60 when all seeds have
    stayed above SOLVED since then.
    """
    figure = Figure(figsize=(5.4, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    steps = sorted({row["step"] for row in rows})
    for name, color in ("lstm", BLUE), ("rnn", ORANGE):
        own = grouped([row for row in rows if row["network"].lower() == name], "seed").values()
        curves = [[100 * row["accuracy"] for row in points] for points in own]
        for curve in curves:
            axes.plot(steps, curve, color=color, lw=0.6, alpha=0.45)
        if curves:
            median = [statistics.median(shares) for shares in zip(*curves, strict=True)]
            axes.plot(steps, median, color=color, lw=2.5, label=name.upper())
    least = min((row["accuracy"] for row in rows if row["step"] >= 60), default=0)
    shown = 60 if 60 in steps and least >= SOLVED else steps[-1]
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(0.98 * shown, 11, "chance", color=GREY, ha="right", va="bottom", fontsize=12)
    axes.set(xlim=(0, shown), ylim=(0, 102))
    axes.set_xlabel("training step", fontsize=13)
    axes.set_ylabel("accuracy on unseen palindromes (%)", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=14)
    n_seeds = len({row["seed"] for row in rows})
    seeds = f": {n_seeds} seeds, median bold" if n_seeds > 1 else ""
    axes.set_title(f"T = {T}{seeds}", fontsize=14)
    return figure


def memory_figure(rows):
    """Return a Figure with a row for each (label, network): a dial, and right answers at each T.

    network has `values`, {(what, first digits, T): value} as in memory_rows.csv, `memory` and
    `knows`. Where the memory turns, answers with the digits undone are dashed.
    """
    figure = Figure(figsize=(9.6, 1.6 * len(rows) + 1), dpi=100, layout="constrained")
    title = "These RNNs keep the first digit on a clock; the LSTM's memory stands"
    figure.suptitle(title, fontsize=16, weight="bold")
    grid = figure.subplots(len(rows), 2, width_ratios=[1.25, 4], squeeze=False)
    for (dial, axes), (label, network) in zip(grid, rows, strict=True):
        draw_dial(dial, network.values)
        color = BLUE if label.startswith("LSTM") else ORANGE
        keys = [key for key in network.values if key[:2] == ("own", "5 to 9")]
        lengths = [T for _, _, T in keys]  # in ascending order
        own = [100 * network.values[key] for key in keys]
        axes.fill_between(lengths, own, color=color, alpha=0.15, lw=0)
        axes.plot(lengths, own, color=color, lw=2.5, label="own")
        if network.memory == "turns":
            undone = [100 * network.values["undone", "5 to 9", T] for T in lengths]
            axes.plot(lengths, undone, "k--", lw=2, label="undone")
            axes.text(60, 106, "dashed: with the hand turned back", fontsize=12, ha="right")
        known = [str(T) for T, share in zip(lengths, own, strict=True) if share >= 99]
        verdict = "right at every T"
        if network.knows == "fewer":
            verdict = "no network knows all ten digits; the best"
        elif len(known) < len(lengths):
            verdict = f"right at {', '.join(known[:8])}{', ...' if known[8:] else ''}"
        trained = label.replace(", ", " trained at ", 1)
        axes.set_title(f"{trained}: {verdict}", fontsize=14, color=color, loc="left")
        axes.axvline(20, color=GREY, ls=":", lw=1)
        axes.set(xlim=(lengths[0], lengths[-1]), ylim=(-3, 130))
        axes.set_yticks([0, 100], ["0", "100 %"])
        axes.set_ylabel("right", fontsize=12)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=12, labelbottom=label == rows[-1][0])
    axes.set_xlabel("length T of the sequence that it is asked about", fontsize=13)
    dial.set_xlabel(
        "a first digit's place\nin memory; arrows: one,\ntwo, three digits later", fontsize=11
    )
    return figure


def draw_dial(axes, values):
    """Draw where the ten first digits are at T = 20, and, nearer to the axis, where one goes."""

    def place(digit, T=20):
        return values["x", digit, T], values["y", digit, T]

    farthest = max("0123456789", key=lambda digit: math.hypot(*place(digit)))
    size = math.hypot(*place(farthest))
    for digit in "0123456789":
        color, alpha = DIGIT_COLORS[int(digit)], 1 if digit == farthest else 0.4
        axes.plot(*place(digit), "o", ms=17, color=color, alpha=alpha, mew=0)
        axes.annotate(digit, place(digit), color="white", ha="center", va="center", weight="bold")
    for T in 20, 21, 22:
        start, end = ([0.72 * at for at in place(farthest, n)] for n in (T, T + 1))
        if math.dist(start, end) > 0.1 * size:
            arrow = {"arrowstyle": "-|>", "lw": 2, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", end, start, arrowprops=arrow)
    limits = -1.25 * size, 1.25 * size
    axes.set(xlim=limits, ylim=limits, aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def gates_figure(rows):
    """Return a Figure: the gates over one stream, and right answers while gates are held.

    rows are those of study_gates.py. The first seed with rows of a strip reads the stream.
    """
    figure = Figure(figsize=(8.8, 5.8), dpi=100, layout="constrained")
    title = "Gates follow the bar: i opens at the first digit after it"
    figure.suptitle(title, fontsize=16, weight="bold")
    strip, held = figure.subplots(2, 1, height_ratios=[1, 1.3])
    draw_strip(strip, [row for row in rows if row["experiment"] == "strip"])
    twenty = [row for row in rows if row["length"] == 20]
    floor = next(row["share"] for row in twenty if row["network"] == "last symbol")
    shown = [row for row in twenty if (row["experiment"], row["reads"]) == ("held", "streams")]
    draw_held(held, shown, 100 * floor)
    return figure


def draw_strip(axes, rows):
    """Draw i, f and o over the symbols of one stream, with its bars shaded."""
    rows = [row for row in rows if row["seed"] == rows[0]["seed"]]
    for gate, color, width in ("i", BLUE, 3), ("f", ORANGE, 1.5), ("o", GREY, 1.5):
        means = {row["step"]: row["share"] for row in rows if row["gate"] == gate}
        axes.plot(*zip(*means.items(), strict=True), "o-", color=color, lw=width, label=gate)
    symbols = {row["step"]: row["symbol"] for row in rows}
    for step, symbol in symbols.items():
        if symbol == "bar":
            axes.axvspan(step - 0.5, step + 0.5, color=GREY, alpha=0.25, lw=0)
    axes.set_xticks([*symbols], symbols.values(), fontsize=13)
    axes.set(xlim=(-0.5, len(symbols) - 0.5), ylim=(0, 1))
    axes.set_ylabel("open (mean of cells)", fontsize=12)
    axes.set_xlabel("one stream, symbol by symbol", fontsize=12)
    axes.legend(fontsize=13, loc="lower right", ncols=3)


def draw_held(axes, rows, floor):
    """Draw a dot for each seed's right answers, in lines; the floor is a dotted line."""
    lines = {
        "i held at its mean": "i at its mean",
        "o held at its mean": "o at its mean",
        "f held at its mean": "f at its mean",
        "f held at 1: nothing is cleared": "f at 1",
        "all three held at their means": "all at their means",
        "all three: their means after a bar": "all, means by step",
        "the same, but another stream's bars": "all, another stream's",
    }
    for n, change in enumerate(lines.values()):
        shares = [100 * row["share"] for row in rows if row["change"] == change]
        axes.plot([min(shares), max(shares)], [n, n], color=BLUE, lw=9, alpha=0.3)
        axes.plot(shares, [n] * len(shares), "o", color=BLUE, ms=9, mec="white")
    axes.axvline(floor, color="black", ls=":", lw=2)
    axes.text(floor + 1, 2.5, f"naming the last\nsymbol ({floor:.0f} %)", va="center", fontsize=12)
    axes.set_yticks(range(len(lines)), lines, fontsize=12)
    axes.set(xlim=(0, 102), ylim=(len(lines) - 0.5, -0.5))
    axes.tick_params(axis="x", labelsize=12)
    axes.set_xlabel("right answers (%); a dot a seed", fontsize=12)
    axes.grid(axis="x", alpha=0.3)


def start_figure(rows):
    """Return a Figure: the accuracy of each network over its trace before the training.

    rows are those of start_rows.csv. Filled dots are of T = 20, hollow ones of other lengths, stars
    of RNNs that keep few directions.
    """
    figure = Figure(figsize=(9, 5.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    shown = [row for row in rows if row["experiment"] in ("known", "new")]
    few = [row for row in shown if row["start"] == "directions"]
    for network, color in ("LSTM", BLUE), ("RNN", ORANGE):
        own = [row for row in shown if row["network"] == network and row not in few]
        for some, face, label in (
            ([row for row in own if row["T"] == 20], color, f"{network}, T = 20"),
            ([row for row in own if row["T"] != 20], "none", f"{network}, T = 5 to 40"),
        ):
            draw_traces(axes, some, "o", facecolors=face, edgecolors=color, label=label)
    draw_traces(axes, few, "*", color=ORANGE, label="RNN, few directions kept")
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(4e-12, 11, "chance", color=GREY, va="bottom", fontsize=12)
    axes.set(xscale="log", xlim=(2e-12, 100), ylim=(0, 104))
    axes.set_xlabel("trace of the first digit before the first step", fontsize=14)
    axes.set_ylabel("right answers after the training, %", fontsize=14)
    axes.set_title("A trace before the training tells who learns soon", fontsize=16)
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=12, loc="upper left")
    return figure


def draw_traces(axes, rows, marker, **colors):
    """Draw the accuracy of each row over its trace."""
    shares = [100 * row["accuracy"] for row in rows]
    axes.scatter([row["trace"] for row in rows], shares, s=45, marker=marker, **colors)
