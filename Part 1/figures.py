"""The figures of Part 1, drawn from the numbers that train.py and memory.py measured."""

from operator import itemgetter

from common import BLUE, GREEN, GREY, ORANGE
from matplotlib.figure import Figure

COLORS = {"rnn": ORANGE, "lstm": BLUE, "short": GREEN}


def training_figure(T, histories):
    """Accuracy and loss over the steps; histories is {name: [a history of train.train a seed]}.

    The last points are marked, and the worst of each network's is written beside its curve.
    """
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    accuracy, loss = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    worst = {}
    for n, (name, runs) in enumerate(histories.items()):
        look = {"color": COLORS[name], "lw": 1 if len(runs) > 1 else 3 - 1.5 * n}
        for history in runs:
            steps, tested = zip(*history["test"], strict=True)
            percent = [100 * a for a in tested]
            accuracy.plot(steps, percent, marker="o", markevery=[-1], clip_on=False, **look)
            loss.plot(history["loss"], color=COLORS[name], lw=1, alpha=0.7)
            worst[name] = min(percent[-1], worst.get(name, 100))
    accuracy.axhline(10, color=GREY, ls="--", zorder=1)
    labels = [(worst[name], f"{name.upper()} {worst[name]:.2f} %", COLORS[name]) for name in worst]
    top = 100  # of what is free beside the curves
    for height, label, color in sorted(
        [*labels, (10, "chance", GREY)], key=itemgetter(0), reverse=True
    ):
        top = min(top, height)
        accuracy.text(1.02 * steps[-1], top, label, color=color, va="center")
        top -= 9
    accuracy.set(ylabel="accuracy, unseen (%)", ylim=(0, 103), xlim=(0, steps[-1]))
    loss.set(ylabel="training loss (nats)", xlabel="training step", yscale="log")
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
    said = ", ".join(f"the {name.upper()} {percent:.2f} %" for name, percent in worst.items())
    seeds = f" (worst of {len(runs)} seeds)" if len(runs) > 1 else ""
    figure.suptitle(f"T = {T}: {said} of {history['tested']:,} unseen palindromes right{seeds}")
    return figure


def gradients_figure(measured):
    """What of the gradient arrives at the first digit, over T.

    measured is {network: [(T, median, least, most), ...]}.
    """
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    for (network, rows), color in zip(measured.items(), (ORANGE, GREEN, BLUE), strict=True):
        lengths, median, least, most = zip(*rows, strict=True)
        axes.plot(lengths, median, color=color, lw=2.5, marker="o", clip_on=False)
        axes.fill_between(lengths, least, most, color=color, alpha=0.2, lw=0)
        label = f"{network}: {median[-1]:.1g}"
        axes.text(1.05 * lengths[-1], median[-1], label, color=color, va="center")
    axes.set(xscale="log", yscale="log", xlabel="T, digits of the palindrome", xticks=lengths)
    axes.set(ylabel="gradient at the first digit\n/ gradient at the last one read")
    axes.set(xlim=(lengths[0], lengths[-1]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.set_title(
        "On its way to the first digit the RNN's gradient dies out; the chrono LSTM's arrives"
    )
    return figure


def memory_figure(results, inside, max_length):
    """Accuracy over T for each way of training; below, what happens inside one model.

    results is {(name, T): [the accuracy of each seed]}, of which the worst is drawn; inside is
    what memory.watch saw.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[5, 4])
    axes = top.subplots()
    styles = {
        "rnn": ("RNN, trained at T", "s"),
        "lstm": ("LSTM, trained at T", "o"),
        "short": (f"LSTM, trained at 5 to {max_length} digits only", "D"),
    }
    for key, (label, marker) in styles.items():
        points = sorted(
            (T, 100 * min(seeds)) for (name, T), seeds in results.items() if name == key
        )
        if points:
            axes.plot(
                *zip(*points, strict=True), color=COLORS[key], marker=marker, lw=2, label=label
            )
    axes.axhline(10, color=GREY, ls="--", label="chance")
    axes.set(xscale="log", xlabel="T, digits of the palindrome", ylim=(0, 104))
    axes.set(ylabel="last digit right (%)", title="How long is the first digit remembered?")
    axes.legend(loc="center right")

    i, f, decided, change, within, between = inside
    gates, distances = bottom.subplots(1, 2)
    read = range(1, len(i) + 1)
    gates.plot(read, i, color=BLUE, lw=2, label="input gate, mean")
    gates.plot(read, f, color=ORANGE, lw=2, ls="--", label="forget gate, mean")
    gates.plot(read, decided, color=GREY, lw=2, ls=":", label="share of gates < 0.1 or > 0.9")
    gates.set(
        ylim=(0, 1.5),
        yticks=[0, 0.5, 1],
        ylabel="0 shut, 1 open",
        title="The gates settle within ten digits ...",
    )
    distances.plot(read, between, color=GREEN, lw=2, label="h, between first digits")
    distances.plot(read, within, color=ORANGE, lw=2, ls="--", label="h, by all other digits")
    distances.plot(read, change, color=GREY, lw=1.5, ls=":", label="c, change per step")
    distances.set(yscale="log", ylim=(1e-2, 1e3), ylabel="distance")
    distances.set(title="... and only the first digit is left")
    for panel in (gates, distances):
        panel.set(xscale="log", xlabel="digits read")
        panel.legend(loc="upper right")
    for panel in (axes, gates, distances):
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.grid(alpha=0.3)
    return figure


def proof_figure(leads, found):
    """The proved lower bound of the lead over T, and the least lead that a search finds.

    Both hold a list for each first digit: the leads at T = 5, 6, ...; the last of a list in leads
    holds from there on for ever.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    ever = 5 + len(leads[0]) - 1
    end = 1e5
    for digit in leads:
        T = [*range(5, ever + 1), end]
        axes.plot(T, [*digit, digit[-1]], color=GREEN, lw=1, alpha=0.35)
    worst = [min(at_T) for at_T in zip(*leads, strict=True)]
    least = [min(at_T) for at_T in zip(*found, strict=True)]
    axes.plot([*range(5, ever + 1), end], [*worst, worst[-1]], color=GREEN, lw=2.5)
    axes.plot(range(5, 5 + len(least)), least, color=ORANGE, marker=".", ls="", ms=5)
    axes.axhline(0, color=GREY, ls="--")
    axes.set(xscale="log", xlim=(4.8, end))
    return figure
