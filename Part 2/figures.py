"""The figures of Part 2: each function returns a matplotlib Figure; grids and GIFs are Pillow's."""

import math
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont
from torchvision.utils import make_grid

from common import BLUE, GREY, ORANGE, save

COLORS = BLUE, ORANGE, "#009E73", "#CC79A7", "black"  # of groups of trainings


def grid_image(images):
    """Return N images (N, 1, 28, 28) in [-1, 1] in one picture, no higher than wide."""
    pixels = ((images.cpu() + 1) * 127.5 + 0.5).to(torch.uint8)
    grid = make_grid(pixels, nrow=math.ceil(math.sqrt(len(images))))
    return Image.fromarray(grid.permute(1, 2, 0).numpy())


def save_gif(path, grids, n_frames=60):
    """Save a GIF of the grids, paths <batch>.png in the order of training, each with its batch."""
    parts = torch.linspace(0, 1, n_frames).square()  # of the training; early grids differ most
    picks = (parts * (len(grids) - 1)).round().int().unique()
    font_file = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font = ImageFont.truetype(str(font_file), 17)  # Pillow 10.0 takes no Path
    frames = []
    for i in picks:
        frame = Image.new("L", (304, 332))
        frame.paste(Image.open(grids[i]).convert("L").resize((304, 304), Image.NEAREST), (0, 28))
        label = f"batch {int(grids[i].stem):,}"
        ImageDraw.Draw(frame).text((152, 14), label, fill=255, font=font, anchor="mm")
        frames.append(frame)
    first, *rest = frames
    times = [120] * len(rest) + [2000]  # ms

    def write(file):
        first.save(file, "gif", save_all=True, append_images=rest, duration=times, loop=0)

    save(path, write)


def draw_losses(axes, rows):
    """Draw both losses of losses.csv over the epochs; dashed, what they are if D is always 0.5."""
    epochs = [row["epoch"] for row in rows]
    curves = ("discriminator", "d_loss", BLUE, 2), ("generator", "g_loss", ORANGE, 1)
    for network, column, color, terms in curves:
        axes.plot(epochs, [row[column] for row in rows], ".-", ms=3, color=color, label=network)
        axes.axhline(terms * math.log(2), color=color, ls="--", lw=1)
    axes.set(title="Losses (dashed: D is 0.5 everywhere)", xlabel="epoch", ylabel="loss (nats)")
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)


def losses_figure(rows):
    """Return a Figure of the losses over the epochs, from rows of losses.csv."""
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    draw_losses(figure.subplots(), rows)
    return figure


def quality_figure(groups, references, losses):
    """Return a Figure of the Frechet distance over the epochs, and beside it of losses.

    groups is {name: [rows of each training's quality.csv]}, references {name: distance}, and losses
    the rows of a losses.csv.
    """
    figure = Figure(figsize=(12, 5), dpi=100, layout="constrained")
    axes, beside = figure.subplots(1, 2, width_ratios=[3, 2])
    draw_losses(beside, losses)
    for (name, trainings), color in zip(groups.items(), COLORS, strict=True):
        for rows in trainings:
            distances = [row["frechet_distance"] for row in rows]
            axes.plot([row["epoch"] for row in rows], distances, color=color, marker="o", ms=2.5)
        axes.lines[-1].set_label(f"{name}, {len(trainings)} trainings")
    for (name, distance), style in zip(references.items(), ("--", ":"), strict=True):
        axes.axhline(distance, color=GREY, ls=style, lw=2, label=name)
    axes.set(yscale="log", xlabel="epoch", ylabel="Fréchet distance (lower is better)")
    axes.set_title("How far the samples are from MNIST during the training")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    curves = axes.get_legend_handles_labels()
    figure.legend(*curves, loc="outside lower center", ncols=3, fontsize=12)
    axes.grid(alpha=0.3)
    return figure


def moments_figure(rows):
    """Return a Figure of the moments of some trainings, {name: [(title, grid)]}, a row each."""
    columns = max(map(len, rows.values()))
    size = (3.3 * columns + 0.5, 3.7 * len(rows))
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    for row, (name, moments) in enumerate(rows.items()):
        for column, (title, image) in enumerate(moments):
            axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(title, fontsize=17)
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(name, fontsize=20)
    return figure


def interpolation_figure(rows):
    """Return a Figure of rows (images (N, 1, 28, 28), [digit]), each digit below its image."""
    columns = len(rows[0][0])
    figure = Figure(figsize=(columns, 1.25 * len(rows) + 0.5), dpi=110, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (images, digits) in zip(grid, rows, strict=True):
        for axes, image, digit in zip(line, images.cpu(), digits, strict=True):
            axes.imshow(image[0].numpy(), cmap="gray", vmin=-1, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(digit, fontsize=12, labelpad=2)
        for end in line[0], line[-1]:
            end.xaxis.label.set_fontweight("bold")
    title = "Each row: from one digit to another in equal steps of z"
    figure.suptitle(f"{title}\nBelow each image: the digit that the judge reads in it")
    return figure


def draw_plane(axes, plane, extent):
    """Draw a plane (start, end, digits (N, N), clear (N, N)) and in it the path to (1, 0)."""
    start, end, digits, clear = plane
    colors = torch.tensor(matplotlib.colormaps["tab10"].colors)[digits]
    colors[~clear] = 1.0  # white
    axes.imshow(colors.numpy(), origin="lower", extent=extent)
    xs = torch.linspace(*extent[:2], len(digits))
    ys = torch.linspace(*extent[2:], len(digits))
    for digit in range(10):
        # A digit stands where it has most of the surroundings, if it has half of them anywhere.
        country = ((digits == digit) & clear).float()[None, None]
        share = F.avg_pool2d(country, 11, 1, 5)[0, 0]
        if share.max() > 0.5:
            row, column = divmod(share.argmax().item(), len(digits))
            place = xs[column].item(), ys[row].item()
            axes.annotate(digit, place, color="white", fontsize=22, ha="center", va="center")
    axes.plot([n / 8 for n in range(9)], [0] * 9, color="black", marker="o", lw=2)
    axes.set_title(f"the path from {start} to {end}", fontsize=15)
    axes.set(xticks=[], yticks=[])


def map_figure(planes, extent, table):
    """Return a Figure of three planes, as draw_plane takes them, and bars from steepness.csv."""
    figure = Figure(figsize=(10, 10.4), dpi=100, layout="constrained")
    *maps, axes = figure.subplots(2, 2).flat
    for plane_axes, plane in zip(maps, planes, strict=True):
        draw_plane(plane_axes, plane, extent)
    *shares, real = (row["unclear to the judge, %"] for row in (*table[:10], table[-1]))
    bars = axes.bar(range(1, 11), shares, color=BLUE)
    axes.bar_label(bars, fmt="%.1f", fontsize=11, padding=2)
    axes.axhline(real, color=ORANGE, lw=2, label="real test images")
    axes.set_title("unclear samples, in %, by steepness", fontsize=15)
    axes.set_xlabel("tenths of the samples, from flat to steep", fontsize=13)
    axes.set(xticks=range(1, 11), yticks=[])
    axes.legend(loc="upper left", fontsize=13)
    axes.spines[["top", "right", "left"]].set_visible(False)
    title = "The latent space has a country for each digit (white: the judge is unsure).\n"
    figure.suptitle(
        f"{title}Unclear samples mostly lie near borders, where images change fast.", fontsize=16
    )
    return figure
