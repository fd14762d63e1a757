"""The idea of the proof with one number: a memory that is right at every length.

    python -m studies.boxes

The memory is h <- tanh(2 h) + u, where each new input u is at most 0.1. It shall keep its sign. The
box of plus holds all h from 0.60 to 1.10, that of minus their negatives. tanh rises, so the least h
leads to the least next h, and the largest to the largest. If both ends of a box land inside it, so
does all that lies between, after one step and after any number of them.
"""

import math

from matplotlib.figure import Figure

from common import BLUE, GREY, HERE, ORANGE, begin, make_parser, save_figure

BOXES = {"plus": (0.60, 1.10), "minus": (-1.10, -0.60)}
INPUT = 0.1
ARROW = {"arrowstyle": "-|>", "lw": 1.5, "fc": "k"}


def step(box):
    """Return the least and the largest number that a number in a box can lead to."""
    low, high = box
    return math.tanh(2 * low) - INPUT, math.tanh(2 * high) + INPUT


def inside(inner, outer):
    """Return whether a box lies in another one."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def boxes_figure():
    """Return a Figure: both boxes, and below where they lead."""
    figure = Figure(figsize=(8.5, 3.2), layout="constrained")
    axes = figure.subplots()
    for (sign, box), color in zip(BOXES.items(), (BLUE, ORANGE), strict=True):
        after = step(box)
        axes.fill_between(box, 2, 2.5, color=color, alpha=0.35)
        axes.fill_between(box, 0, 0.5, facecolor="none", edgecolor=color, ls="--")
        axes.fill_between(after, 0, 0.5, color=color, alpha=0.35)
        for start, end in zip(box, after, strict=True):
            axes.annotate("", (end, 0.55), (start, 1.95), arrowprops=ARROW)
        for ends, y in (box, 2.6), (after, -0.4):
            text = f"{ends[0]:.2f} to {ends[1]:.2f}"
            axes.text(sum(ends) / 2, y, text, color=color, ha="center", fontsize=13)
        axes.text(sum(box) / 2, 2.25, sign, ha="center", va="center", fontsize=15)
    axes.set(xlim=(-1.25, 1.25), ylim=(-0.6, 3.1), xlabel="h", yticks=[0.25, 2.25])
    axes.set_yticklabels(["next h", "h"], fontsize=14)
    axes.axvline(0, color=GREY, lw=1)
    axes.grid(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("What is in a box stays in it, at every length", fontsize=16)
    return figure


def main():
    """Check both boxes, and draw them."""
    args = make_parser(__doc__, HERE / "studies" / "run" / "boxes").parse_args()
    begin(args)
    for sign, box in BOXES.items():
        text = "inside" if inside(step(box), box) else "not inside"
        print(f"{sign}: {box} leads into ({step(box)[0]:.2f}, {step(box)[1]:.2f}), {text}")
    save_figure(args.out_dir / "boxes.png", boxes_figure(), [*BOXES.items()])


if __name__ == "__main__":
    main()
