"""The figures of Part 1: each function returns a matplotlib Figure."""

import statistics
from itertools import chain

import matplotlib
from matplotlib.figure import Figure

from common import BLUE, GREY, ORANGE

DIGIT_COLORS = matplotlib.colormaps["tab10"].colors


def training_figure(T, curves, solved):
    """Return a Figure: accuracy over the steps. Seeds are thin, their median is bold.

    curves is {"lstm" or "rnn": [[(step, accuracy), ...] of each seed]}. The axis ends at step 60
    when all seeds have stayed above `solved` since then.
    """
    figure = Figure(figsize=(5.4, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    first, *_ = curves.values()
    steps = [step for step, _ in first[0]]
    for name, runs in curves.items():
        shares = [[100 * share for _, share in curve] for curve in runs]
        median = [statistics.median(at_step) for at_step in zip(*shares, strict=True)]
        color = ORANGE if name == "rnn" else BLUE
        for share in shares:
            axes.plot(steps, share, color=color, lw=0.6, alpha=0.45)
        axes.plot(steps, median, color=color, lw=2.5, label=name.upper())
    late = [share for curve in chain(*curves.values()) for step, share in curve if step >= 60]
    shown = 60 if 60 in steps and min(late) >= solved else steps[-1]
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(0.98 * shown, 11, "chance", color=GREY, ha="right", va="bottom", fontsize=12)
    axes.set(xlim=(0, shown), ylim=(0, 102))
    axes.set_xlabel("training step", fontsize=13)
    axes.set_ylabel("accuracy on unseen palindromes (%)", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.14), fontsize=14)
    seeds = f": {len(first)} seeds, median bold" if len(first) > 1 else ""
    axes.set_title(f"T = {T}{seeds}", fontsize=14)
    return figure


def memory_figure(rows, lengths, trained_at):
    """Return a Figure with a row for each training: states on the left, answers on the right.

    rows are (label, look, shares): look is the result of memory.look for one network, shares has
    for each seed the shares of right answers, in %, at each of the lengths T.
    """
    figure = Figure(figsize=(8.8, 1.5 * len(rows) + 1.2), dpi=110, layout="constrained")
    grid = figure.subplots(len(rows), 2, width_ratios=[1, 3.7], squeeze=False)
    for (states, answers), (label, look, shares) in zip(grid, rows, strict=True):
        before, after = look["means"]
        arrows = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.012, "color": GREY}
        states.quiver(*before.T, *(after - before).T, **arrows)
        states.scatter(*look["points"].T, s=4, c=[DIGIT_COLORS[d] for d in look["first"]], lw=0)
        states.scatter(*before.T, s=75, c=DIGIT_COLORS, edgecolors="black", lw=0.5, zorder=3)
        for digit, (x, y) in enumerate(before.tolist()):
            states.text(x, y, digit, fontsize=8, color="white", ha="center", va="center_baseline")
        states.set(xticks=[], yticks=[], aspect="equal", ylabel=label.replace(", ", ",\n", 1))
        states.margins(0.12)
        extent = (lengths[0] - 0.5, lengths[-1] + 0.5, len(shares), 0)
        image = answers.imshow(shares, aspect="auto", vmin=0, vmax=100, extent=extent)
        answers.axvline(trained_at, color="red", lw=1)
        answers.set(yticks=[], ylabel=f"{len(shares)} seeds")
        answers.tick_params(labelbottom=answers is grid[-1, 1], bottom=answers is grid[-1, 1])
    grid[0, 0].set_title("states after 19 digits,\narrows: one digit more", fontsize=11)
    grid[0, 1].set_title(f"right answers at each length T (red: T = {trained_at})", fontsize=11)
    grid[-1, 1].set_xlabel("T, digits of the sequence")
    figure.colorbar(image, ax=grid[:, 1], label="right answers (%)", aspect=40, pad=0.01)
    figure.suptitle("Where a memory turns, answers depend on T; where it stands, hardly")
    return figure


def rates_figure(rows):
    """Return a Figure: accuracy over the learning rate, a panel for each network.

    rows are those of rates.csv. Dots are seeds, lines their medians.
    """
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(8.8, 4.6), dpi=110, layout="constrained")
    grid = figure.subplots(2, 3, sharex=True, sharey=True)
    for axes, network in zip(grid.flat, networks, strict=True):
        shown = [row for row in rows if row["network"] == network]
        color = ORANGE if network.startswith("RNN") else BLUE
        rates = [float(row["rate"]) for row in shown]
        shares = [100 * row["accuracy"] for row in shown]
        axes.plot(rates, shares, "o", color=color, ms=4, alpha=0.5, clip_on=False)
        each = sorted(set(rates))
        pairs = list(zip(rates, shares, strict=True))
        medians = [statistics.median(share for r, share in pairs if r == rate) for rate in each]
        axes.plot(each, medians, color=color, lw=2.5)
        axes.axvline(1e-3, color=GREY, ls=":")
        axes.set(xscale="log", ylim=(0, 102), title=network)
        axes.grid(alpha=0.3)
    figure.supxlabel("learning rate (dotted: the template's)")
    figure.supylabel("accuracy at T = 20 (%)")
    return figure
