"""The figures of Part 1: each function returns a matplotlib Figure."""

import statistics

import matplotlib
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from common import BLUE, GREY, ORANGE

DOT_COLORS = BLUE, "#009E73", ORANGE, "#CC79A7", GREY
DIGIT_COLORS = matplotlib.colormaps["tab10"].colors


def training_figure(T, rows, solved):
    """Return a Figure: accuracy over the steps. Seeds are thin, their median is bold.

    rows are those of train.py's csv. The axis ends at step 60 when all seeds have stayed above
    `solved` since then.
    """
    figure = Figure(figsize=(5.4, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    steps = sorted({row["step"] for row in rows})
    for name, color in ("lstm", BLUE), ("rnn", ORANGE):
        curves = {}
        for row in rows:
            if row["network"] == name:
                curves.setdefault(row["seed"], []).append(100 * row["accuracy"])
        for curve in curves.values():
            axes.plot(steps, curve, color=color, lw=0.6, alpha=0.45)
        if curves:
            median = [statistics.median(shares) for shares in zip(*curves.values(), strict=True)]
            axes.plot(steps, median, color=color, lw=2.5, label=name.upper())
    least = min((row["accuracy"] for row in rows if row["step"] >= 60), default=0)
    shown = 60 if 60 in steps and least >= solved else steps[-1]
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


def memory_figure(rows, asked):
    """Return a Figure with a row for each training: states, map of one digit, answers.

    rows are (label, views), the results of memory.look for all seeds; asked is the length T that
    the red line marks. The states are those of the first seed that knows all digits, else the best.
    """
    figure = Figure(figsize=(9.6, 1.85 * len(rows) + 0.8), dpi=100, layout="constrained")
    grid = figure.subplots(len(rows), 4, width_ratios=[1, 1, 2.3, 2.3], squeeze=False)
    for (states, circle, *heatmaps), (label, views) in zip(grid, rows, strict=True):
        view = max(views, key=lambda view: min(view["own"][asked], 0.99))
        values, vectors = torch.linalg.eig(view["map"][:-1, :-1])
        draw_states(states, *view["at"][..., :-1], view["first"], values, vectors)
        states.set_ylabel(label.replace(", ", ",\n", 1))
        values = values[values.abs() > 0.5]
        circle.add_patch(Circle((0, 0), 1, fill=False, color=GREY, lw=0.8))
        circle.plot(values.real, values.imag, "o", color=ORANGE, ms=4, clip_on=False)
        circle.set(xticks=[], yticks=[])
        circle.set_aspect("equal", adjustable="datalim")
        for axes, kind in zip(heatmaps, ("own", "undone"), strict=True):
            lengths = [*views[0][kind]]
            shares = [[100 * share for share in each[kind].values()] for each in views]
            extent = (lengths[0] - 0.5, lengths[-1] + 0.5, len(shares), 0)
            image = axes.imshow(shares, aspect="auto", vmin=0, vmax=100, extent=extent)
            axes.axvline(asked, color="red", lw=1)
            axes.set(yticks=[], ylabel=f"{len(shares)} seeds" if kind == "own" else "")
            axes.tick_params(labelbottom=label == rows[-1][0])
    grid[0, 0].set_title("states, and\none digit later", fontsize=10)
    grid[0, 1].set_title("eigenvalues of\na digit's map", fontsize=10)
    grid[0, 2].set_title("right answers at each T", fontsize=10)
    grid[0, 3].set_title("with the digits beyond T = 20 undone", fontsize=10)
    figure.colorbar(image, ax=grid[:, 2:], label="%", aspect=40, pad=0.01)
    return figure


def draw_states(axes, before, after, first, values, vectors):
    """Draw states (N, H), coloured by their first digits (N,), in the plane in which they turn.

    It is that of the eigenvector of the map with most variance; where none turns, the plane of most
    variance. Circles are means for each first digit, arrows lead to those of the states after.
    """
    _, plane = torch.linalg.eigh(torch.cov(before.T))  # ascending
    turning = vectors[:, (values.abs() > 0.98) & (values.imag > 0.1)]
    if turning.shape[1]:
        most = (before.to(turning) @ turning).var(dim=0).argmax()
        plane = torch.view_as_real(turning[:, most])
    before, after = before @ plane[:, -2:], after @ plane[:, -2:]
    means, moved = (
        torch.stack([h[first == d].mean(0) for d in range(10)]) for h in (before, after)
    )
    axes.quiver(
        *means.T, *(moved - means).T, angles="xy", scale_units="xy", scale=1, width=0.01, color=GREY
    )
    axes.scatter(*before[:400].T, s=3, c=[DIGIT_COLORS[d] for d in first[:400]], lw=0)
    axes.scatter(*means.T, s=70, c=DIGIT_COLORS, edgecolors="black", lw=0.5, zorder=3)
    for digit, (x, y) in enumerate(means.tolist()):
        axes.text(x, y, digit, fontsize=8, color="white", ha="center", va="center_baseline")
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)


def gates_figure(rows, symbols, gates):
    """Return a Figure: the gates over a stream, what is lost when they are held, or left out.

    rows are those of gates_seeds.csv; symbols (T,) are a stream's, in which 10 is a bar, and gates
    {"i", "f", "o": (T,)} what an LSTM's gates are while it reads them, on average over the cells.
    """
    figure = Figure(figsize=(9.6, 7.6), dpi=100, layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.8])
    strip, (held, without) = top.subplots(), bottom.subplots(1, 2, width_ratios=[1.25, 1])
    for (name, values), color in zip(gates.items(), (BLUE, ORANGE, GREY), strict=True):
        strip.plot(values, "o-", color=color, label=name, ms=4)
    for step in (symbols == 10).nonzero().flatten().tolist():
        strip.axvspan(step - 0.5, step + 0.5, color=GREY, alpha=0.25, lw=0)
    names = ["|" if symbol == 10 else symbol for symbol in symbols.tolist()]
    strip.set_xticks(range(len(names)), names)
    strip.set(xlabel="a stream, symbol by symbol; | is the bar", ylabel="mean over cells")
    strip.set(ylim=(0, 1), xlim=(-0.5, len(names) - 0.5), title="Do the gates follow the bar?")
    strip.legend(ncols=3, loc="lower right")

    draw_dots(held, [row for row in rows if row["experiment"] == "held"], "asked", "network")
    held.set_title("Which gates can be held still?")
    draw_dots(without, [row for row in rows if row["experiment"] == "learnt"], "network", "asked")
    without.set_title("What is learnt without them?")
    return figure


def draw_dots(axes, rows, line, color):
    """Draw a dot for the share of each row: on the line named row[line], coloured by row[color]."""
    lines, colors = (list(dict.fromkeys(row[key] for row in rows)) for key in (line, color))
    for n, name in enumerate(colors):
        shown = [row for row in rows if row[color] == name]
        shares = [100 * row["share"] for row in shown]
        heights = [lines.index(row[line]) + 0.18 * (n - (len(colors) - 1) / 2) for row in shown]
        axes.plot(shares, heights, "o", color=DOT_COLORS[n], ms=4, alpha=0.7, label=name)
    axes.set_yticks(range(len(lines)), lines)
    axes.invert_yaxis()
    axes.set(xlim=(0, 102), xlabel="right answers (%)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
