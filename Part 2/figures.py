"""The figures of Part 2. A function either returns a Figure or saves images without axes."""

import math
import statistics
from pathlib import Path

import matplotlib
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont
from torchvision.utils import make_grid, save_image

from common import BLUE, GREY, ORANGE, save

LOG_2 = math.log(2)


def save_grid(path, images):
    """Save N images (N, 1, 28, 28) in [-1, 1] as a grid, about as wide as high: 5 x 5 for 25."""
    nrow = math.ceil(math.sqrt(len(images)))
    options = {"format": "png", "nrow": nrow, "normalize": True, "value_range": (-1, 1)}
    save(path, lambda file: save_image(images, file, **options))


def save_gif(path, grids, n_frames=60):
    """Save a GIF of the grids, paths <batch>.png in the order of training.

    It has at most n_frames frames, each with the number of its batch. Early grids differ most, so
    frame k shows the grid at (k / (n_frames - 1))^2 of the training; no grid is shown twice.
    """
    way = torch.linspace(0, 1, n_frames).square()
    picks = (way * (len(grids) - 1)).round().int().unique()
    font_file = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font = ImageFont.truetype(str(font_file), 17)  # Pillow 10.0 takes no Path
    frames = []
    for i in picks:
        frame = Image.new("L", (304, 332))
        frame.paste(Image.open(grids[i]).convert("L").resize((304, 304), Image.NEAREST), (0, 28))
        label = f"batch {int(grids[i].stem):,}"
        ImageDraw.Draw(frame).text((152, 14), label, fill=255, font=font, anchor="mm")
        frames.append(frame)
    durations = [120] * (len(frames) - 1) + [2000]
    options = {"append_images": frames[1:], "duration": durations, "loop": 0}
    save(path, lambda file: frames[0].save(file, format="gif", save_all=True, **options))


def losses_figure(rows):
    """Return a Figure: the losses and the means of D over the epochs, from rows of losses.csv."""
    figure = Figure(figsize=(10, 3.8), dpi=110, layout="constrained")
    losses, outputs = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]

    def draw(axes, column, label, color, at_half):
        axes.plot(epochs, [row[column] for row in rows], color=color, label=label, marker=".", ms=3)
        axes.axhline(at_half, color=color, ls="--", lw=1)

    draw(losses, "d_loss", "discriminator", BLUE, 2 * LOG_2)
    draw(losses, "g_loss", "generator", ORANGE, LOG_2)
    losses.set(title="Losses (dashed: D is 0.5 everywhere)", ylabel="loss (nats)", ylim=(0, None))
    draw(outputs, "d_real", "real images", BLUE, 0.5)
    draw(outputs, "d_fake", "generated images", ORANGE, 0.5)
    outputs.set(title="Mean of D (dashed: 0.5)", ylim=(0, 1))
    outputs.set_ylabel("mean probability of being real")
    for axes in losses, outputs:
        axes.set(xlabel="epoch", xlim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.legend(loc="lower right")
        axes.grid(alpha=0.3)
    return figure


def label_end(axes, point, name, numbers, color):
    """Write a curve's name and numbers to the right of its last point."""
    label = f"{two_lines(name)}:\n{numbers}"
    axes.annotate(label, point, (9, 0), textcoords="offset points", color=color, va="center")


def two_lines(name):
    """Return the name with a line break after its comma, if any."""
    return name.replace(", ", ",\n")


def quality_figure(groups, real=None, at_the_end=None):
    """Return a Figure: the Frechet distance over the epochs.

    groups is {name: [the rows of quality.csv of each run]}; real is the distance of real test
    images, drawn as a line; at_the_end is {name: distance} of trainings measured only then.
    """
    figure = Figure(figsize=(9, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    last = max(rows[-1]["epoch"] for runs in groups.values() for rows in runs)
    for (name, runs), color in zip(groups.items(), (BLUE, ORANGE), strict=False):
        for rows in runs:
            epochs = [row["epoch"] for row in rows]
            distances = [row["frechet_distance"] for row in rows]
            width = 2.5 if len(runs) == 1 else 1.2
            axes.plot(epochs, distances, color=color, lw=width, marker="o", ms=width + 1)
        ends = [rows[-1]["frechet_distance"] for rows in runs]
        numbers = f"{min(ends):.2f}"
        if len(runs) > 1:
            numbers += f" to {max(ends):.2f}"
        middle = statistics.geometric_mean(ends)  # the axis is logarithmic
        label_end(axes, (last, middle), name, numbers, color)
    for name, distance in (at_the_end or {}).items():
        axes.plot(last, distance, color=ORANGE, marker="D", ms=7)
        label_end(axes, (last, distance), name, f"{distance:.2f}", ORANGE)
    if real is not None:
        axes.plot([0, last], [real, real], color=GREY, ls="--", lw=2)
        label = f"real test images: {real:.2f}"
        axes.annotate(label, (0, real), (4, 5), textcoords="offset points", color=GREY)
    axes.set_xlim(0, 1.3 * last)  # room for the labels
    axes.margins(y=0.1)
    axes.set(yscale="log", xlabel="epoch", ylabel="Fréchet distance to the training images")
    axes.set_title("How far the samples are from MNIST during the training (lower is better)")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= last])
    axes.grid(alpha=0.3)
    return figure


def moments_figure(rows):
    """Return a Figure with a row of images for each run; rows is {name: [(title, image)]}."""
    columns = max(len(cells) for cells in rows.values())
    size = (3.6 * columns + 0.5, 4.1 * len(rows))
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, cells) in zip(grid, rows.items(), strict=True):
        for axes in line[len(cells) :]:
            axes.set_visible(False)
        for axes, (title, image) in zip(line, cells, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(title, fontsize=18)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(two_lines(name), fontsize=20)
    return figure


def evaluation_figure(images, neighbours):
    """Return a Figure: 20 images above their neighbours, both (20, 1, 28, 28) in [-1, 1]."""
    figure = Figure(figsize=(9.4, 4.6), dpi=110, layout="constrained")
    for n, axes in enumerate(figure.subplots(2, 1)):
        ten = slice(10 * n, 10 * n + 10)
        pairs = torch.cat([images[ten], neighbours[ten]]).cpu()
        axes.imshow(make_grid(pairs, 10, pad_value=-1)[0].numpy(), cmap="gray", vmin=-1, vmax=1)
        axes.set(xticks=[], yticks=[16, 46])
        axes.set_yticklabels(["generated", "nearest\ntraining image"])
        axes.tick_params(length=0)
    figure.suptitle("The first twenty samples, each above the training image nearest to it")
    return figure


def interpolation_figure(rows):
    """Return a Figure of rows (images (N, 1, 28, 28), digits (N,)), each digit below its image."""
    columns = len(rows[0][0])
    size = (columns, 1.25 * len(rows) + 0.5)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (images, digits) in zip(grid, rows, strict=True):
        for axes, image, digit in zip(line, images.cpu(), digits.tolist(), strict=True):
            axes.imshow(image[0].numpy(), cmap="gray", vmin=-1, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(digit, fontsize=12, labelpad=2)
        for end in line[0], line[-1]:
            end.xaxis.label.set_fontweight("bold")
    title = "Each row: from one digit to another in equal steps of z"
    figure.suptitle(f"{title}\nBelow each image: the digit that the judge reads in it")
    return figure
