"""The film of clock.py: a dial whose hand is the memory, and the same memory rotated back."""

import cmath
import math
import sys

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image

from common import BLUE, GREY, ORANGE

UP, HAND = 184, 74  # in pixels: the middle of a dial, from below; the length of a hand


def draw_hand(axes, x, angle, color):
    """Draw a hand of the dial around x; the angle 0 points up, and then it goes clockwise."""
    tip = x + HAND * math.sin(angle), UP + HAND * math.cos(angle)
    axes.plot([x, tip[0]], [UP, tip[1]], color=color, lw=7)


def draw_turn(axes, x, angle, turn):
    """Draw an arrow that leads from a hand at the angle, by turn, counterclockwise."""
    angles = angle - np.linspace(0, turn - 0.25, 50)
    xs, ys = x + 48 * np.sin(angles), UP + 48 * np.cos(angles)
    axes.plot(xs, ys, color=GREY, lw=2.5)
    tip = 3, 0, math.degrees(math.pi / 2 - angles[-1])  # a triangle that points along the arc
    axes.plot(xs[-1], ys[-1], marker=tip, ms=13, color=GREY)


def draw_dial(axes, x, title, marks, hand, answer, first):
    """Draw a dial around x: its marks {digit: angle}, its hand and an answer, if any."""
    color, sign = (BLUE, "✓") if answer == first else (ORANGE, "✗")
    axes.text(x, UP + 153, title, fontsize=18, ha="center")
    axes.add_patch(Circle((x, UP), 140, color="#EFECE6"))
    axes.add_patch(Circle((x, UP), 82, color="white", zorder=1.5))
    for digit, angle in marks.items():
        at = x + 111 * math.sin(angle), UP + 111 * math.cos(angle)
        style = {}
        if digit == answer:
            axes.add_patch(Circle(at, 27, color=color))
            style = {"weight": "bold", "color": "white"}
        axes.text(*at, digit, fontsize=23, ha="center", va="center_baseline", **style)
    draw_hand(axes, x, hand, "black")
    axes.plot(x, UP, "ko", ms=14)
    if answer is not None:
        style = {"ha": "center", "weight": "bold", "color": color}
        axes.text(x, 8, f"{answer} {sign}", fontsize=31, **style)


def draw_frame(axes, digits, marks, hands, answers):
    """Draw the digits that were read and two dials, the network's own and the one rotated back."""
    axes.clear()
    axes.set(xlim=(0, 720), ylim=(0, 470))
    axes.axis("off")
    text = "RNN trained to name the first digit at T = 10, 20, 30 and 40"
    axes.text(12, 436, text, fontsize=16)
    axes.add_patch(Circle((26, 397), 17, color="black"))
    center = {"fontsize": 18, "ha": "center", "va": "center_baseline"}
    axes.text(26, 397, digits[0], color="white", weight="bold", **center)
    others = digits[1:]
    if len(others) > 28:  # as many as there is room for
        others = ["…", *others[-27:]]
    for n, digit in enumerate(others, start=1):
        style = {"weight": "bold"} if n == len(others) else {"color": GREY}
        axes.text(33 + 23.7 * n, 397, digit, **style, **center)
    axes.text(360, UP, f"T = {len(digits) + 1}", fontsize=24, ha="center", weight="bold")
    draw_dial(axes, 150, "its memory", marks, hands[0], answers[0], digits[0])
    draw_dial(axes, 570, "the same, rotated back", marks, hands[1], answers[1], digits[0])
    turn = (hands[0] - hands[1]) % (2 * math.pi)
    if 0.3 < turn < 6:
        draw_hand(axes, 570, hands[0], "#00000040")
        draw_turn(axes, 570, hands[0], turn)


def save_film(path, digits, clock, answers, states):
    """Save a film, a gif, in which the digits arrive one by one.

    answers and states have two entries, {T: value}: the network's own, and those rotated back.
    """
    dial = clock.dial(0)
    if sorted(clock.next) != sorted(dial) or clock.next[dial[-1]] != 0:
        sys.exit("--gif: the answers of this network do not go round all ten digits")
    start = dial.index(digits[0])
    marks = {d: math.radians((n - start) * clock.angle) for n, d in enumerate(dial)}
    figure = Figure(figsize=(7.2, 4.7), dpi=100)
    canvas, axes = FigureCanvasAgg(figure), figure.add_axes((0, 0, 1, 1))
    images, durations, last = [], [], 0.0
    for T, own in answers[0].items():
        hand, back = (cmath.phase(s[T].cdouble() @ clock.plane) + marks[0] for s in states)
        turn = (hand - last) % (2 * math.pi)
        for part in (1 / 3, 2 / 3, 1) if images else (1,):  # the hand moves, then it rests
            hands = hand - (1 - part) * turn, back
            shown = own if part == 1 else None
            draw_frame(axes, digits[: T - 1], marks, hands, (shown, answers[1][T]))
            canvas.draw()
            pause = 1300 if own == digits[0] or not images else 300 if T < 10 else 100
            durations.append(pause if part == 1 else 50)  # milliseconds
            images.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
        last = hand
    rests = np.concatenate([np.asarray(image) for image in images[::3]])
    colors = Image.fromarray(rests).quantize(64, method=Image.Quantize.MAXCOVERAGE)
    images = [image.quantize(palette=colors, dither=Image.Dither.NONE) for image in images]
    options = {"append_images": images[1:], "duration": durations, "loop": 0}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        images[0].save(path, format="GIF", save_all=True, **options)
    except OSError as error:
        sys.exit(f"--gif {path}: cannot be written ({error.strerror})")
