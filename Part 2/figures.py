"""The figures that training draws: grids of samples, curves, an animation."""

import math
from pathlib import Path

import matplotlib
import torch
from common import BLUE, GREY, ORANGE, save
from PIL import Image, ImageDraw, ImageFont
from torchvision.utils import save_image

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

LOG_2 = math.log(2)
STATISTICS = ["D loss", "G loss", "D(x)", "D(G(z))"]  # the columns of the training history


def save_grid(path, images):
    """Save 25 images in [-1, 1] as a grid of 5 x 5."""
    grid = dict(format="png", nrow=5, normalize=True, value_range=(-1, 1))
    save(path, lambda file: save_image(images, file, **grid))


def save_curves(path, history):
    """Plot the losses and the discriminator's opinion, history (batches, 4), over the batches."""
    block = max(1, len(history) // 400)  # a point is the mean of a block of batches
    means = history[: len(history) // block * block].view(-1, block, 4).mean(1).cpu()
    batches = (torch.arange(len(means)) + 0.5) * block
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for i, axis in enumerate(axes):
        for column, color in ((2 * i, BLUE), (2 * i + 1, ORANGE)):
            axis.plot(batches, means[:, column], color=color, label=STATISTICS[column], lw=1)
        axis.set(xlabel="batch", ylabel=["loss (nats)", "probability of real"][i])
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axis.xaxis.set_major_formatter("{x:,.0f}")
    guessing = [(axes[0], 2 * LOG_2, BLUE), (axes[0], LOG_2, ORANGE), (axes[1], 0.5, GREY)]
    for axis, rest, color in guessing:
        axis.axhline(rest, color=color, ls="--", lw=1)
    axes[0].set_title("losses; dashed: 2 log 2 and log 2, when D can only guess", fontsize=10)
    axes[1].set_title("opinion of D; dashed: 0.5, when it can only guess", fontsize=10)
    for axis in axes:
        axis.legend()
    save(path, lambda file: figure.savefig(file, format="png", dpi=120))
    plt.close(figure)


def save_quality(path, runs, title, real=None):
    """Plot the Frechet distance over the epochs.

    runs is {name: rows of quality.csv}, real the distance of real test images, drawn as a line.
    """
    figure, axis = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for (name, rows), color in zip(runs.items(), (BLUE, ORANGE), strict=False):
        epochs, distances = zip(*((r["epoch"], r["frechet_distance"]) for r in rows), strict=True)
        axis.plot(epochs, distances, color=color, lw=2.5, marker="o", ms=4)
        label = f"{name}:\n{distances[-1]:#.3g}"
        options = dict(textcoords="offset points", color=color, va="center", fontsize=13)
        axis.annotate(label, (epochs[-1], distances[-1]), (9, 0), **options)
    last = max(rows[-1]["epoch"] for rows in runs.values())
    axis.margins(y=0.1)
    axis.set_xlim(right=1.42 * last)  # room for the labels
    if real:
        axis.plot([0, last], [real, real], color=GREY, ls="--", lw=2)
        axis.annotate(
            f"real test images: {real:#.3g}",
            (0, real),
            (4, 5),
            color=GREY,
            textcoords="offset points",
            fontsize=13,
        )
    axis.set(yscale="log", xlabel="epoch", ylabel="Fréchet distance to the training images")
    axis.set_title(title, fontsize=14)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axis.set_xticks([tick for tick in axis.get_xticks() if 0 <= tick <= last])
    axis.grid(alpha=0.3)
    save(path, lambda file: figure.savefig(file, format="png", dpi=100))
    plt.close(figure)


def save_gif(path, grids, n_frames=60):
    """Save the grids, <batch>.png in the order of training, as an animation, the batch above each.

    It lingers on the start of training, where most changes: frame k of n is at (k / n)^2 of it.
    """
    picks = torch.linspace(0, 1, n_frames).square().mul(len(grids) - 1).round().int().unique()
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 17)
    frames = []
    for i in picks:
        frame = Image.new("L", (304, 332))
        frame.paste(Image.open(grids[i]).convert("L").resize((304, 304), Image.NEAREST), (0, 28))
        label = f"batch {int(grids[i].stem):,}"
        ImageDraw.Draw(frame).text((152, 14), label, fill=255, font=font, anchor="mm")
        frames.append(frame)
    durations = [120] * (len(frames) - 1) + [2000]
    options = dict(append_images=frames[1:], duration=durations, loop=0)
    save(path, lambda file: frames[0].save(file, format="gif", save_all=True, **options))
