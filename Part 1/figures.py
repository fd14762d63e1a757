"""The figures of Part 1, drawn from the numbers that train.py and memory.py measured."""

from common import BLUE, GREEN, GREY, ORANGE
from matplotlib.figure import Figure

COLORS = {"rnn": ORANGE, "lstm": BLUE, "short": GREEN}


def training_figure(histories, title, model):
    """Accuracy and loss over the steps, one line per seed; model is "lstm" or "rnn"."""
    color = COLORS[model]
    figure = Figure(figsize=(8, 5), layout="constrained")
    figure.suptitle(title)
    thin = {"lw": 1, "alpha": 0.5}
    accuracy, loss = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    for n, history in enumerate(histories):
        steps, tested = zip(*history["test"], strict=True)
        labels = ("training batch", "test set") if n == 0 else (None, None)
        accuracy.plot([100 * a for a in history["train"]], color=color, **thin, label=labels[0])
        accuracy.plot(steps, [100 * a for a in tested], color=color, lw=2.5, label=labels[1])
        loss.plot(history["loss"], color=color, **thin)
    accuracy.axhline(10, color=GREY, ls="--", label="chance")
    accuracy.set(ylabel="accuracy (%)", ylim=(0, 102))
    accuracy.legend(loc="lower right", bbox_to_anchor=(1, 0.12))
    loss.set(ylabel="cross-entropy (nats)", xlabel="training step", yscale="log")
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
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
