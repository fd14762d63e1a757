"""Compare runs of train.py with one another, and with runs that have the template's settings.

    python train.py --out_dir run/seed0
    python train.py --out_dir run/template --fakes 64 --lr 2e-4 --lr_d 2e-4 --b1 0.9 --r1 0 --ema 0
    python compare.py run/seed0 --template run/template --textbook mnist_generator_textbook.pth

Two figures go into out_dir. quality.png shows the Frechet distance of all runs during the training.
moments.png shows samples of the first run with our settings and of the first with the template's:
at the start, after 1/200 of the training, half-way and at the end. Real images stand beside ours.
The template's settings are those of the course's own train.py, but in our loop, which updates both
networks at the same time. --textbook adds a generator that was trained by the textbook loop of
benchmark.py, which updates the networks in turn.
"""

import csv
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor
from torchvision.utils import make_grid

from classifier import load_classifier
from common import InputError, add_run_flags, begin, load_model, make_parser, run, save
from figures import moments_figure, quality_figure
from gan import Generator, in_batches, latent_points
from metrics import Comparison, confident
from mnist import load_mnist
from train import MEASURE_SEED

NEEDED = "epoch", "frechet_distance"  # the columns of quality.csv that are drawn
OURS, TEMPLATE = "our settings", "template's settings, our loop"
TEXTBOOK = "template's settings, textbook loop"


def parse_args():
    """Return the settings of the command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("runs", metavar="RUN", nargs="+", help="folders of runs of train.py with our settings")
    template_help = "folders of runs with the template's settings"
    add("--template", metavar="RUN", nargs="+", default=[], help=template_help)
    textbook_help = "generator of the textbook loop, as ablation.py saves it; needs --template"
    add("--textbook", metavar="FILE", help=textbook_help)
    add_run_flags(parser, seed=None)
    args = parser.parse_args()
    if args.textbook and not args.template:
        parser.error("argument --textbook: needs --template, in whose row its samples stand")
    return args


def read_run(folder):
    """Return (rows of quality.csv, {batch: path of its grid}) of a run; InputError without one."""
    folder = Path(folder)
    problem = f"{folder}: not the folder of a run of train.py, with its quality.csv and images/"
    try:
        with open(folder / "quality.csv", newline="") as file:
            rows = [{name: float(row[name]) for name in NEEDED} for row in csv.DictReader(file)]
        grids = {int(path.stem): path for path in (folder / "images").glob("[!.]*.png")}
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise InputError(problem) from error
    if not rows or not grids:
        raise InputError(problem)
    return rows, grids


def open_grid(path):
    """Return the grid of 25 samples, a grey image, in the file at path; InputError without one."""
    try:
        grid = Image.open(path).convert("L")
    except OSError as error:
        raise InputError(f"{path}: not an image") from error
    if grid.size != (152, 152):
        raise InputError(f"{path}: not a grid of 25 samples, which has 152 x 152 pixels")
    return grid


def moments(grids):
    """Return [(title, grid)] of the start, soon after it, half-way and the end of the training."""
    last = max(grids)
    goals = {"start": 0, "soon": last / 200, "half-way": last / 2, "end": last}
    chosen = []
    for name, goal in goals.items():
        batch = min(grids, key=lambda batch, goal=goal: abs(batch - goal))
        chosen.append((f"{name}: batch {batch:,}", open_grid(grids[batch])))
    return chosen


def grid_of(images):
    """Return the grid, a grey image, of 25 images (25, 1, 28, 28) in [-1, 1]."""
    pixels = ((images.cpu() + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(make_grid(pixels, 5)[0].numpy())


def images_of(grid):
    """Return the 25 images (25, 1, 28, 28), in [-1, 1], of a grid that save_grid wrote."""
    pixels = pil_to_tensor(grid)[0, 2:, 2:]  # (150, 150): each image has a border of two pixels
    tiles = pixels.unfold(0, 28, 30).unfold(1, 28, 30)  # (5, 5, 28, 28)
    return tiles.reshape(25, 1, 28, 28) / 127.5 - 1


def textbook_end(path, comparison, device):
    """Return (Frechet distance, grid of 25 samples) of the generator in the file at path."""
    generator = load_model(path, device, Generator.from_state_dict)
    z = latent_points(10_000, generator.latent_dim, MEASURE_SEED, device)
    distance = comparison.quality(in_batches(generator, z))["frechet_distance"]
    z = latent_points(25, generator.latent_dim, 0, device)  # as in a run with seed 0
    return distance, grid_of(in_batches(generator, z))


def print_first_better(groups, others):
    """Print the first epoch at which each of our runs is below all distances of the template."""
    ends = [rows[-1]["frechet_distance"] for rows in groups[TEMPLATE]]
    goal = min([*ends, *others.values()])
    for rows in groups[OURS]:
        epochs = [f"{row['epoch']:g}" for row in rows if row["frechet_distance"] < goal]
        first = epochs[0] if epochs else "none"
        print(f"first epoch of ours below {goal:.2f}, the template's best: {first}")


def print_unclear(rows, classifier, device):
    """Print how many of the last 25 samples of each row the classifier reads with doubt."""
    for name, cells in rows.items():
        end = images_of(cells[-1][1]).to(device)
        unclear = round(25 * (1 - confident(in_batches(classifier, end))))
        print(f"{name}: {unclear} of the last 25 samples are unclear to the judge (at most 90 %)")


def main():
    """Read the runs, measure real test images, draw both figures."""
    args = parse_args()
    begin(args)
    folders = {OURS: args.runs, TEMPLATE: args.template}
    runs = {
        name: [read_run(folder) for folder in dict.fromkeys(its)]  # each once
        for name, its in folders.items()
        if its
    }
    classifier = load_classifier("judge", args.device)
    train_images, _ = load_mnist(True, args.device)
    test_images, _ = load_mnist(False, args.device)

    comparison = Comparison(classifier, train_images)
    real = comparison.quality(test_images)["frechet_distance"]
    print(f"Frechet distance of real test images: {real:.2f}")
    groups = {name: [rows for rows, _ in its] for name, its in runs.items()}
    for name, tables in groups.items():
        ends = " ".join(f"{rows[-1]['frechet_distance']:.2f}" for rows in tables)
        print(f"at the end, {name}: {ends}")
    rows = {name: moments(its[0][1]) for name, its in runs.items()}
    print_unclear(rows, classifier, args.device)
    rows[OURS].append(("real images", grid_of(train_images[:25])))
    others = {}
    if args.textbook:
        others[TEXTBOOK], grid = textbook_end(args.textbook, comparison, args.device)
        print(f"at the end, {TEXTBOOK}: {others[TEXTBOOK]:.2f}")
        rows[TEMPLATE].append(("end, textbook loop", grid))
    if args.template:
        print_first_better(groups, others)
    save(args.out_dir / "quality.png", quality_figure(groups, real, others).savefig)
    save(args.out_dir / "moments.png", moments_figure(rows).savefig)
    print(f"quality.png and moments.png in {args.out_dir}")


if __name__ == "__main__":
    run(main)
