"""The figures of Part 2: each function returns a matplotlib Figure; grids and GIFs are Pillow's."""

import math
import statistics
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont
from torchvision.utils import save_image

from common import save
from rows import grouped

# Okabe and Ito's colour-blind-safe palette.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
COLORS = BLUE, ORANGE, "#009E73", "#CC79A7", "black"  # of groups of trainings


def save_grid(path, images):
    """Save N images (N, 1, 28, 28) in [-1, 1] in one PNG, no higher than wide."""
    columns = math.ceil(math.sqrt(len(images)))
    scaled = (images + 1) / 2
    save(path, lambda file: save_image(scaled, file, "png", nrow=columns))


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


def curves_of(rows, training, column):
    """Return [(epochs, values)] of a column, one of each seed of a training."""
    seeds = grouped([row for row in rows if row["training"] == training], "seed").values()
    return [([row["epoch"] for row in own], [row[column] for row in own]) for own in seeds]


def early_means(rows, training, column):
    """Return the mean of a column over epochs 6 to 10 for each seed of a training that has it."""
    means = []
    for epochs, values in curves_of(rows, training, column):
        pairs = zip(epochs, values, strict=True)
        early = [value for epoch, value in pairs if 6 <= epoch <= 10 and value != ""]
        means += [statistics.mean(early)] if early else []
    return means


def collapse_figure(rows):
    """Return a Figure: late and smooth told apart by the commonest digit, and the dose of late.

    rows are those of collapse_rows.csv.
    """
    figure = Figure(figsize=(10.5, 4.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    for name, label, color, height in (
        ("late", "late, not smooth", "black", 71),
        ("both", "momentum: smooth and late", ORANGE, 64),
        ("neither", "neither", GREY, 33),
        ("smooth", "smooth, not late", BLUE, 4),
    ):
        left.text(9.9, height, label, color=color, fontsize=13, ha="right")
        for epochs, shares in curves_of(rows, name, "commonest_digit"):
            percent = [100 * s for n, s in zip(epochs, shares, strict=True) if n <= 10]
            left.plot(epochs[: len(percent)], percent, color=color, lw=1.6, alpha=0.8)
    left.axhline(25, color=GREY, ls=":")
    left.text(3.6, 26, "collapsed above", color=GREY, fontsize=11)
    left.set(xlim=(1, 10), ylim=(0, 104), xticks=range(1, 11))
    left.set_xlabel("epoch", fontsize=12)
    left.set_ylabel("samples that show the commonest digit, %", fontsize=12)
    left.set_title("The discriminator's gradient, taken apart", fontsize=13)

    steps = {"neither": 0, "late 1": 1, "late 2": 2, "late 4": 4, "late": 9}
    means = {step: early_means(rows, name, "frechet_distance") for name, step in steps.items()}
    means = {step: values for step, values in means.items() if values}
    for step, values in means.items():
        right.plot([step] * len(values), values, "o", color="black", alpha=0.6)
    right.plot(means.keys(), [statistics.mean(v) for v in means.values()], color="black")
    right.set(ylim=(0, None), xticks=list(means))
    right.set_xlabel("steps by which it is late", fontsize=12)
    right.set_ylabel("Fréchet distance, epochs 6 to 10", fontsize=12)
    right.set_title("The later, the worse", fontsize=13)
    for axes in left, right:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("A late discriminator collapses the GAN, a smooth one does not", fontsize=16)
    return figure


def quality_figure(rows):
    """Return a Figure of the Frechet distance over the epochs, from rows of collapse_rows.csv."""
    figure = Figure(figsize=(9, 5), dpi=100, layout="constrained")
    axes = figure.subplots()
    kinds = {
        "template": "the template (β₁ = 0.9)",
        "half": "template, β₁ = 0.5",
        "neither": "template, β₁ = 0",
        "ours": "our settings",
    }
    for (name, label), color in zip(kinds.items(), COLORS, strict=False):
        curves = curves_of(rows, name, "frechet_distance")
        for epochs, distances in curves:
            axes.plot(epochs, distances, color=color, marker="o", ms=2.5)
        if curves:
            axes.lines[-1].set_label(f"{label}, {len(curves)} trainings")
    axes.set(yscale="log", xlim=(0, None))
    axes.set_xlabel("epoch", fontsize=12)
    axes.set_ylabel("Fréchet distance (lower is better)", fontsize=12)
    axes.set_title("With less momentum, the template gets nearer to MNIST", fontsize=14)
    axes.yaxis.set_major_formatter("{x:g}")
    if axes.lines:
        figure.legend(loc="outside lower center", ncols=2, fontsize=12)
    axes.grid(alpha=0.3)
    return figure


def moments_figure(grids):
    """Return a Figure of {title: grid (H, W) in 0..1}: two, a big one, and two more."""
    figure = Figure(figsize=(11, 6.4), dpi=100, layout="constrained")
    places = figure.subplot_mosaic("ACCD\nBCCE")
    for name, (title, grid) in zip("ABCDE", grids.items(), strict=True):
        places[name].imshow(grid, cmap="gray", vmin=0, vmax=1)
        places[name].set_title(title, fontsize=17)
        places[name].axis("off")
    title = "Our samples end as digits, the template's as a few broken shapes"
    figure.suptitle(title, fontsize=19)
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


def draw_plane(axes, plane, images, extent):
    """Draw a plane, with the path from (0, 0) to (1, 0) in it and the path's images below.

    plane (H, W) has the digits that are read, -1 where the judge is unsure; images (N, 1, 28, 28).
    """
    left, right, bottom, top = extent
    colors = torch.tensor([*matplotlib.colormaps["tab10"].colors, (1, 1, 1)])
    axes.imshow(colors[plane].numpy(), origin="lower", extent=extent)
    xs, ys = torch.linspace(left, right, plane.shape[1]), torch.linspace(bottom, top, len(plane))
    for digit in range(10):
        # A digit stands where it has most of the surroundings, but not on the path.
        country = (plane == digit).float()[None]
        near, far = (F.avg_pool2d(country, size, 1, size // 2)[0] for size in (13, 61))
        near[ys.abs() < 0.09] = 0
        if near.max() > 0.5:
            row, column = divmod((near + far).argmax().item(), len(xs))
            place = xs[column].item(), ys[row].item()
            label = axes.text(*place, digit, color="white", fontsize=18, ha="center", va="center")
            label.set_bbox({"boxstyle": "circle,pad=0.2", "fc": "black"})
    steps = torch.linspace(0, 1, len(images)).tolist()
    axes.plot(steps, [0] * len(steps), color="black", marker="o", ms=9, mec="white", lw=2)
    half = 0.49 / (len(images) - 1)  # the width of an image
    for x, image in zip(steps, images.cpu(), strict=True):
        box = x - half, x + half, bottom - 2 * half - 0.02, bottom - 0.02
        axes.imshow(image[0].numpy(), cmap="gray", vmin=-1, vmax=1, extent=box)
    axes.set(xlim=(left, right), ylim=(bottom - 2 * half - 0.02, top))
    axes.axis("off")


def map_figure(plane, images, extent, table):
    """Return a Figure of a plane, as draw_plane takes it, and of bars from steepness.csv."""
    figure = Figure(figsize=(10, 9.6), dpi=100, layout="constrained")
    above, axes = figure.subplots(2, height_ratios=[7, 2.7])
    draw_plane(above, plane, images, extent)
    above.set_title("What the judge reads around a path from 0 to 1 (white: unsure)", fontsize=15)
    shares = [row["unclear to the judge, %"] for row in (*table[:10], table[-1])]
    names = ["flattest\ntenth", *range(2, 10), "steepest\ntenth", "real test\nimages"]
    bars = axes.bar(range(11), shares, color=[BLUE] * 10 + [ORANGE])
    axes.bar_label(bars, fmt="%.1f", fontsize=14, padding=2)
    axes.set_title("Unclear samples, in %", fontsize=15)
    axes.set_xticks(range(11), names, fontsize=13)
    axes.set(yticks=[], ylim=(0, 1.15 * max(shares)))
    axes.spines[["top", "right", "left"]].set_visible(False)
    title = "Unclear samples mostly lie near borders, where images change fast"
    figure.suptitle(title, fontsize=18)
    return figure


def planes_figure(planes, extent):
    """Return a Figure of planes, {title: (plane, images)} as draw_plane takes them."""
    figure = Figure(figsize=(12, 9), dpi=100, layout="constrained")
    grid = figure.subplots(2, 2).flat
    for axes, (title, (plane, images)) in zip(grid, planes.items(), strict=True):
        draw_plane(axes, plane, images, extent)
        axes.set_title(title, fontsize=16)
    figure.suptitle("What the judge reads around the other paths (white: unsure)", fontsize=19)
    return figure
