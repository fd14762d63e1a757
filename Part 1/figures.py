"""The figures of Part 1: each function returns a matplotlib Figure."""

import math
import statistics

from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, PINK

LABELS = {
    "rnn": "RNN",
    "rnn_orthogonal": "RNN, orthogonal start",
    "lstm": "LSTM, bf = 1",
    "lstm_chrono": "LSTM, chrono start",
}
COLORS = {"rnn": ORANGE, "rnn_orthogonal": PINK, "lstm": GREEN, "lstm_chrono": BLUE}


def training_figure(T, results, curve_size, solved):
    """Return a Figure: accuracy over the steps for each network, and the answers of its middle run.

    results is {network: [a result of train.train_and_test for each seed]}. The curves are measured
    on curve_size test palindromes, their last point on all. Runs are thin, their median bold. If
    all runs are solved in the first quarter, the axis ends early.
    """
    figure = Figure(figsize=(8.8, 4.4), dpi=110, layout="constrained")
    grid = figure.add_gridspec(len(results), 2, width_ratios=[2.3, 1])
    axes = figure.add_subplot(grid[:, 0])
    unsolved = 0  # the last step at which some run was below `solved`
    for n, (name, runs) in enumerate(results.items()):
        steps = [step for step, _ in runs[0]["curve"]]
        shares = [[100 * share for _, share in result["curve"]] for result in runs]
        median = [statistics.median(at_step) for at_step in zip(*shares, strict=True)]
        color = ORANGE if name == "rnn" else BLUE
        if len(runs) > 1:
            for share in shares:
                axes.plot(steps, share, color=color, lw=0.6, alpha=0.45)
        width = 3 - n  # the second is thinner, so that both are seen
        axes.plot(steps, median, color=color, lw=width, label=name.upper())
        for step, *at_step in zip(steps, *shares, strict=True):
            if min(at_step) < 100 * solved:
                unsolved = max(unsolved, step)
        draw_confusion(figure.add_subplot(grid[n, 1]), name, runs, color)
    last = steps[-1]
    # If all runs are solved in the first quarter, end at twice that step, or after six points.
    shown = last if unsolved > last / 4 else min(last, max(6 * steps[1], 2 * unsolved))
    axes.axhline(10, color=GREY, ls="--", zorder=1)
    axes.text(0.99 * shown, 8.5, "chance", color=GREY, ha="right", va="top", fontsize=10)
    axes.set(xlim=(0, shown), ylim=(0, 102), xlabel="training step")
    tested_on = min(curve_size, runs[0]["sizes"][1])
    axes.set_ylabel(f"accuracy on {tested_on:,} unseen palindromes (%)")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.12), fontsize=11)
    seeds = f": {len(runs)} seeds thin, their median bold" if len(runs) > 1 else ""
    axes.set_title(f"T = {T}{seeds}", fontsize=12)
    return figure


def draw_confusion(axes, name, runs, color):
    """Draw the confusion matrix of the middle run, or of the worse of the two in the middle."""
    ranked = sorted(runs, key=lambda result: result["curve"][-1][1])
    middle = ranked[(len(ranked) - 1) // 2]
    answers = middle["answers"] / middle["answers"].sum(dim=1, keepdim=True)
    axes.imshow(answers.numpy(), cmap="Greys", vmin=0, vmax=1)
    which = "middle run" if len(runs) > 1 else f"seed {middle['seed']}"
    title = f"{name.upper()}, {which}: {middle['curve'][-1][1]:.2%}"
    axes.set_title(title, color=color, weight="bold", fontsize=11)
    axes.set(xlabel="answer", ylabel="target digit", xticks=range(10), yticks=range(10))
    axes.tick_params(labelsize=8, length=0)


def gradients_figure(rows):
    """Return a Figure: the gradient that reaches the first digit, over T, for each network.

    rows are those of gradients.py: {"T", "network", "median", "least", "most"}.
    """
    figure = Figure(figsize=(8.8, 4.4), dpi=110, layout="constrained")
    axes = figure.subplots()
    for network, label in LABELS.items():
        mine = [row for row in rows if row["network"] == network]
        lengths = [row["T"] for row in mine]
        median = [row["median"] for row in mine]
        least, most = [row["least"] for row in mine], [row["most"] for row in mine]
        axes.plot(lengths, median, color=COLORS[network], lw=2.5, marker="o", label=label)
        axes.fill_between(lengths, least, most, color=COLORS[network], alpha=0.2, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="T, digits of the palindrome", xticks=lengths)
    axes.set_ylabel("gradient at the first digit\n/ gradient at the last digit read")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=11)
    axes.set_title("Untrained networks: how much of the gradient reaches the first digit")
    return figure


def memory_figure(curves):
    """Return a Figure: accuracy over training steps, a panel for each way of training.

    curves is {(way, network): [(steps, accuracies of the seeds, seconds), ...]}.
    """
    figure = Figure(figsize=(8.8, 4.6), dpi=110, layout="constrained")
    titles = {
        "alone": "trained and tested at T = 40",
        "mixed": "trained at T = 5 to 40, tested at T = 1,000",
    }
    panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
    ticks = sorted({point[0] for points in curves.values() for point in points})
    for axes, (way, title) in zip(panels, titles.items(), strict=True):
        for network, label in LABELS.items():
            points = curves.get((way, network))
            if points:
                steps = [point[0] for point in points]
                shares = [[100 * share for share in point[1]] for point in points]
                median = [statistics.median(share) for share in shares]
                look = {"color": COLORS[network], "clip_on": False}
                axes.plot(steps, shares, "o", ms=4, alpha=0.5, **look)
                axes.plot(steps, median, label=label, lw=2.5, **look)
        axes.axhline(10, color=GREY, ls="--", zorder=1)
        axes.text(ticks[-1], 8.5, "chance", color=GREY, ha="right", va="top", fontsize=10)
        axes.set(xscale="log", xlabel="training steps", ylim=(0, 101), xticks=ticks)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.set_title(title, fontsize=11)
    panels[0].set_ylabel("accuracy (%): seeds (dots) and their median (line)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=10)
    return figure


def proof_figure(proofs):
    """Return a Figure: the proved lower bound of the lead over T, a panel for each network.

    proofs is a list of (title, leads, found). leads and found hold, for each first digit, the
    proved leads and the least leads that a search found, at T = 5, 6, ... The last proved one holds
    for all longer T.
    """
    figure = Figure(figsize=(8.8, 4.4), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(proofs), sharey=True, squeeze=False)[0]
    end = 1e4
    for axes, (title, leads, found) in zip(panels, proofs, strict=True):
        ever = 4 + len(leads[0])
        T = [*range(5, ever + 1), end]
        for d, digit in enumerate(leads):
            label = None if d else "proved, each first digit"
            axes.plot(T, [*digit, digit[-1]], color=GREEN, lw=1, alpha=0.4, label=label)
        proved = [min(at) for at in zip(*leads, strict=True)]
        least = [min(at) for at in zip(*found, strict=True)]
        axes.plot(T, [*proved, proved[-1]], color=GREEN, lw=3, label="proved, all first digits")
        found_at = range(5, 5 + len(least))
        axes.plot(found_at, least, "o", color=ORANGE, ms=2, label="least found by a search")
        axes.axvline(ever, color=GREY, ls=":")
        axes.set(xscale="log", xlim=(4.8, end), xticks=[5, 10, 20, 100, 1000, end])
        axes.set_xlabel("T, digits of the palindrome")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        bound = math.floor(100 * min(proved)) / 100  # rounded down: a lower bound
        axes.set_title(f"{title}: at least {bound:.2f} for every T")
        axes.text(1.15 * ever, 1, f"one proof for all T ≥ {ever}", color=GREY)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("lead of the right logit (below 0: wrong)")
    panels[-1].legend(loc="center right", fontsize=9)
    return figure
