"""How good are the samples, beside real images and uniform noise? And how did the training go?

    python -m studies.quality                            all of it, some minutes of a core
    python -m studies.quality --only moments losses      the figures alone, in seconds

evaluation.csv has what the judge sees in five draws of 10,000 images, mean and range. A perfect
generator would hardly come nearer than held-out images: 10,000 of the training images, compared
with the other 50,000.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torchvision.utils import make_grid
from tqdm import trange

from common import HERE, begin, make_parser, number, save_figure, save_table
from judge import load_judge
from latent import COMMITTED, draw_samples, in_batches, load_generator
from metrics import Comparison, compare_with_mnist, nearest
from mnist import load_mnist
from studies.runner import RESULTS
from train import draw_losses

N_DRAWS, N_SAMPLES = 5, 10_000  # images in a draw
NOISE_SEED = 5000  # of the first draw; no setting was tuned on these noises
COLUMNS = {  # {title: (measure, what it is multiplied with, decimals)}
    "Fréchet distance": ("frechet_distance", 1, 2),
    "clear, %": ("confident", 100, 1),
    "commonest digit, %": ("commonest_digit", 100, 1),
    "nearest training image": ("nearest", 1, 2),
}


def format_row(name, draws):
    """Return a row of the table: mean and, of several draws [{measure: number}], range of each."""
    row = {"images": name}
    for title, (measure, factor, decimals) in COLUMNS.items():
        values = [factor * draw[measure] for draw in draws]
        row[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            row[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return row


def measure(comparison, images):
    """Return {measure: number} of images (N, 1, 28, 28)."""
    distances = nearest(images[:1000], comparison.training_images)
    return comparison.quality(images) | {"nearest": distances.median().item()}


def evaluate(args):
    """Measure all kinds of images and save the table."""
    generator = load_generator(args.generator)
    comparison, rng = compare_with_mnist(), torch.Generator().manual_seed(args.seed)
    images, held_out, samples = comparison.training_images, [], []
    for seed in trange(args.seed, args.seed + N_DRAWS, unit="draw", disable=None):
        mixed = images[torch.randperm(len(images), generator=rng)]
        others = Comparison(comparison.judge, mixed[N_SAMPLES:])
        held_out.append(measure(others, mixed[:N_SAMPLES]))
        samples.append(measure(comparison, draw_samples(generator, N_SAMPLES, seed)))
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng.manual_seed(args.seed)) * 2 - 1
    name = "ours" if args.generator.resolve() == COMMITTED else args.generator
    table = [format_row("held-out training images", held_out)]
    table.append(format_row("real test images", [measure(comparison, load_mnist(False)[0])]))
    table.append(format_row(name, samples))
    table.append(format_row("uniform noise", [measure(comparison, noise)]))
    save_table(args.out_dir / "evaluation.csv", table)


def count_digits(args):
    """Save digits.csv: the share of each digit among the training images and among samples."""
    samples = draw_samples(load_generator(args.generator), N_SAMPLES, args.seed)
    read = in_batches(load_judge(), samples).argmax(1)
    table = []
    for name, digits in ("training images", load_mnist()[1]), ("samples", read):
        shares = 100 * digits.bincount(minlength=10) / len(digits)
        table.append({"images": name} | {f"{d}, %": f"{x:.1f}" for d, x in enumerate(shares)})
    save_table(args.out_dir / "digits.csv", table)


def read_grids(folder):
    """Return {title: grid (H, W) in 0..1}: a training's first images, its middle and last ones."""
    paths = sorted(folder.glob("[0-9]*.png"), key=lambda path: int(path.stem))
    if not paths:
        sys.exit(f"{folder}: holds no sample grids of train.py")
    picks = paths[0], paths[(len(paths) - 1) // 2], paths[-1]
    return {
        f"{moment}: batch {int(path.stem):,}": np.asarray(Image.open(path).convert("L")) / 255
        for moment, path in zip(("start", "half-way", "end"), picks, strict=True)
    }


def draw_moments(args):
    """Save moments.png: samples of a training at three moments, and real images."""
    grids = read_grids(args.grids)
    real = make_grid(load_mnist()[0][:25], 5, pad_value=-1)[0]
    grids["real images"] = (real.numpy() + 1) / 2
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    for axes, (title, grid) in zip(figure.subplots(1, 4), grids.items(), strict=True):
        axes.imshow(grid, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=16)
        axes.axis("off")
    figure.suptitle("Our samples, from noise to digits", fontsize=19)
    rows = [(title, grid.tobytes()) for title, grid in grids.items()]
    save_figure(args.out_dir / "moments.png", figure, rows)


def draw_training(args):
    """Save losses.png, of the training of the committed generator."""
    tables = []
    for name in "losses", "quality":
        lines = csv.DictReader((RESULTS / f"{name}.csv").read_text().splitlines())
        tables.append([{key: float(text) for key, text in line.items()} for line in lines])
    figure = draw_losses(*tables)
    figure.suptitle("The losses change little while the distance falls from 400 to 2", fontsize=15)
    save_figure(args.out_dir / "losses.png", figure, tables)


def main():
    """Draw, and measure."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "quality")
    parts = {"moments": draw_moments, "losses": draw_training, "digits": count_digits}
    parts["evaluation"] = evaluate  # what is slow comes last
    parser.add_argument("--only", choices=parts, nargs="+", default=[*parts], help="what to make")
    parser.add_argument("--generator", type=Path, default=COMMITTED, help="weights file")
    text = "folder of grids <batch>.png, the images of train.py"
    parser.add_argument("--grids", type=Path, default=RESULTS / "grids", help=text)
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=NOISE_SEED, help="of noise")
    args = parser.parse_args()
    begin(args)
    for name, part in parts.items():
        if name in args.only:
            part(args)
    print(f"what was made is in {args.out_dir}")


if __name__ == "__main__":
    main()
