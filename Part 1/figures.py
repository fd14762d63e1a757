"""The figures of Part 1, drawn from the numbers that the scripts measured."""

import math
import statistics

import torch
from common import BLUE, GREEN, GREY, ORANGE
from matplotlib.figure import Figure

COLORS = {"rnn": ORANGE, "lstm": BLUE, "short": GREEN}


def training_figure(T, histories, on_the_way):
    """Accuracy and loss over the steps, and what each network answers after the last.

    histories is {name: [a history of train.train a seed]}; the answers are those of its worst seed.
    Of the test set, the first on_the_way palindromes make the curve, all of them its last point.
    """
    figure = Figure(figsize=(8, 4.8), dpi=110, layout="constrained")
    grid = figure.add_gridspec(2 * len(histories), 2, width_ratios=[2.6, 1])
    accuracy = figure.add_subplot(grid[: len(histories), 0])
    loss = figure.add_subplot(grid[len(histories) :, 0], sharex=accuracy)
    for n, (name, runs) in enumerate(histories.items()):
        look = {"color": COLORS[name], "lw": 1 if len(runs) > 1 else 3 - 1.5 * n}
        for history in runs:
            steps, tested = zip(*history["test"], strict=True)
            percent = [100 * a for a in tested]
            accuracy.plot(steps, percent, marker="o", markevery=[-1], clip_on=False, **look)
            loss.plot(history["loss"], color=COLORS[name], lw=1, alpha=0.7)
        worst = min(runs, key=lambda history: history["test"][-1][1])
        tested = worst["answers"].sum().item()
        panel = figure.add_subplot(grid[2 * n : 2 * n + 2, 1])
        shares = worst["answers"] / worst["answers"].sum(dim=1, keepdim=True)  # of each right digit
        panel.imshow(shares.numpy(), cmap="Greys", vmin=0, vmax=1)
        title = f"{name.upper()}: {worst['test'][-1][1]:.2%} right"
        panel.set_title(title, color=COLORS[name], weight="bold", fontsize=11)
        panel.set(xlabel="answer", ylabel="right digit", xticks=range(10), yticks=range(10))
        panel.tick_params(labelsize=7, length=0)
    accuracy.axhline(10, color=GREY, ls="--", zorder=1)
    accuracy.text(0.99 * steps[-1], 8, "chance", color=GREY, ha="right", va="top", fontsize=9)
    accuracy.set(ylabel=f"accuracy, {min(on_the_way, tested):,} unseen (%)")
    accuracy.set(ylim=(0, 103), xlim=(0, steps[-1]))
    accuracy.tick_params(labelbottom=False)
    loss.set(ylabel="training loss (nats)", xlabel="training step", yscale="log")
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
    seeds = f", {len(runs)} seeds; right: the worst" if len(runs) > 1 else ""
    figure.suptitle(f"T = {T}: {tested:,} unseen palindromes{seeds}")
    return figure


def gradients_figure(measured, train_steps):
    """What of the gradient arrives at the first digit after train_steps steps of training, over T.

    measured is {network: [(T, median, least, most), ...]}.
    """
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    top = math.inf  # of what is free beside the curves
    colors = dict(zip(measured, (ORANGE, GREY, GREEN, BLUE), strict=True))
    for network in sorted(measured, key=lambda network: -measured[network][-1][1]):
        rows, color = measured[network], colors[network]
        lengths, median, least, most = zip(*rows, strict=True)
        axes.plot(lengths, median, color=color, lw=2.5, marker="o", clip_on=False)
        axes.fill_between(lengths, least, most, color=color, alpha=0.2, lw=0)
        label = f"{network}: {median[-1]:.1g}"
        top = min(top, median[-1])
        axes.text(1.05 * lengths[-1], top, label, color=color, va="center")
        top /= 30
    axes.set(xscale="log", yscale="log", xlabel="T, digits of the palindrome", xticks=lengths)
    axes.set(ylabel="gradient at the first digit\n/ gradient at the last one read")
    axes.margins(x=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    network = f"network trained for {train_steps:,} steps" if train_steps else "fresh network"
    axes.set_title(f"What of the gradient arrives at the first digit of a {network}")
    return figure


def memory_figure(results, max_length):
    """Accuracy over T for each way of training: the median of the seeds, and from least to most.

    results is {(name, T): [the accuracy of each seed]}.
    """
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    styles = {
        "rnn": ("RNN, trained at T", "s"),
        "lstm": ("LSTM, trained at T", "o"),
        "short": (f"LSTM, trained at 5 to {max_length} digits", "D"),
    }
    for key, (label, marker) in styles.items():
        points = sorted((T, sorted(seeds)) for (name, T), seeds in results.items() if name == key)
        if points:
            lengths = [T for T, _ in points]
            least, median, most = (
                [100 * pick(seeds) for _, seeds in points] for pick in (min, statistics.median, max)
            )
            look = {"color": COLORS[key], "marker": marker, "lw": 2.5, "clip_on": False}
            axes.plot(lengths, median, label=label, zorder=3, **look)
            axes.fill_between(lengths, least, most, color=COLORS[key], alpha=0.2, lw=0)
    axes.fill_between([], [], color=GREY, alpha=0.2, label="worst to best of the seeds")
    axes.axhline(10, color=GREY, ls="--", label="chance")
    axes.set(xscale="log", xlabel="T, digits of the palindrome", ylim=(0, 101))
    axes.set(ylabel="last digit right (%)")
    longest = max(T for name, T in results if name == "short")
    accuracy = min(results["short", longest])
    axes.set_title(f"Trained on 5 to {max_length} digits: {accuracy:.2%} right at T = {longest:,}")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.legend(loc="center right")
    return figure


def states_figure(h, first):
    """h in its first two principal components, one panel for each {digits read: (B, H)} of h.

    first (B) holds the first digits, a colour each. The components are those of the last panel.
    """
    last = list(h.values())[-1]
    mean = last.mean(dim=0)
    components = (last - mean).svd().V[:, :2]
    figure = Figure(figsize=(8, 2.6), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(h), sharex=True, sharey=True)
    for axes, (read, at) in zip(panels, h.items(), strict=True):
        x, y = ((at - mean) @ components).t()
        axes.scatter(x, y, c=first, cmap="tab10", s=8)
        axes.set(title=f"{read:,} digit{'s' * (read > 1)} read", xticks=[], yticks=[])
        axes.set_aspect("equal")
    for digit in range(10):  # written beside its point, on the outside
        at = torch.stack([x, y])[:, first == digit].mean(dim=1)
        beside = (9 * at / at.norm()).tolist()
        look = {"textcoords": "offset points", "ha": "center", "va": "center"}
        axes.annotate(digit, at.tolist(), beside, **look)
    reach = 1.25 * ((last - mean) @ components).abs().max().item()
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    figure.suptitle("h in two principal components: a cloud for each first digit, then a point")
    return figure


def proof_figure(leads, found):
    """The proved lower bound of the lead over T, and the least lead that a search finds.

    Both hold a list for each first digit: the leads at T = 5, 6, ...; the last of each list in
    leads holds from there on for ever.
    """
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    ever, end = 4 + len(leads[0]), 1e4
    T = [*range(5, ever + 1), end]
    for d, digit in enumerate(leads):
        label = None if d else "proved, for each first digit"
        axes.plot(T, [*digit, digit[-1]], color=GREEN, lw=1, alpha=0.4, label=label)
    proved, least = ([min(at) for at in zip(*lists, strict=True)] for lists in (leads, found))
    axes.plot(T, [*proved, proved[-1]], color=GREEN, lw=3, label="proved, for all")
    axes.plot(
        range(5, 5 + len(least)),
        least,
        "o",
        color=ORANGE,
        ms=4,
        label="the least that a search finds",
    )
    axes.axvline(ever, color=GREY, ls=":")
    axes.text(1.08 * ever, 0.75 * proved[-1], f"from T = {ever} on: a box that no digit leaves")
    axes.text(0.95 * end, 0.94 * proved[-1], "for ever \u2192", color=GREEN, ha="right", va="top")
    axes.text(5.2, 0.02 * proved[-1], "below 0: wrong")
    axes.set(xscale="log", xlim=(4.8, end), ylim=(0, None), xlabel="T, digits of the palindrome")
    axes.set(ylabel="lead of the right logit over the next", xticks=[5, 10, 20, 100, 1000, end])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="center right")
    least = math.floor(100 * min(proved)) / 100  # never up
    axes.set_title(f"The right answer leads by at least {least}, whatever is read")
    return figure
