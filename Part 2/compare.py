"""Draw the trainings with our settings beside those of the template.

    python compare.py                                   the committed results, as in the report
    python compare.py --ours run/seed0/quality.csv --ours_grids run/seed0/images

quality.png shows the Frechet distance of all trainings, from their quality.csv. moments.png shows
samples of one training of each kind: at the start, after 1/200 of it, half-way and at the end.
"""

import csv
from pathlib import Path

import torch
from PIL import Image
from torchvision.utils import make_grid

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, make_parser, run
from figures import save_moments, save_quality
from metrics import Comparison
from mnist import load_mnist


def read_quality(path):
    """Return ([epoch], [Frechet distance]) of a quality.csv; InputError when it is none."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        epochs = [int(row["epoch"]) for row in rows]
        distances = [float(row["frechet_distance"]) for row in rows]
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a quality.csv of train.py ({error!r:.100})") from error
    return epochs, distances


def read_moments(folder):
    """Return [(title, grid)] of four moments of a training, from its folder of <batch>.png."""
    try:
        grids = {int(path.stem): path for path in Path(folder).glob("[!.]*.png")}
        last = max(grids)
        moments = []
        for goal in 0, last / 200, last / 2, last:
            _, batch = min((abs(batch - goal), batch) for batch in grids)
            moments.append((f"batch {batch:,}", Image.open(grids[batch]).convert("L")))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no sample grids of train.py ({error})") from error
    return moments


def grid_of(images):
    """Return the grid, a grey image, of 25 images (25, 1, 28, 28) in [-1, 1]."""
    pixels = ((images.cpu() + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(make_grid(pixels, 5)[0].numpy())


def main():
    """Read the trainings, measure real test images, draw both figures."""
    parser = make_parser(__doc__)
    results, grids = HERE / "results", HERE / "results" / "grids"
    files = sorted(map(str, results.glob("quality_seed*.csv")))
    baseline = sorted(map(str, results.glob("quality_template_*.csv")))
    parser.add_argument("--ours", nargs="+", default=files, help="quality.csv of our trainings")
    parser.add_argument("--template", nargs="+", default=baseline, help="the template's")
    parser.add_argument("--ours_grids", default=grids / "ours", help="images/ of one of ours")
    parser.add_argument("--template_grids", default=grids / "template", help="the template's")
    add_run_flags(parser, HERE / "run" / "compare", seed=None)
    args = parser.parse_args()
    begin(args)
    ours = [read_quality(path) for path in args.ours]
    template = [read_quality(path) for path in args.template]
    moments = read_moments(args.ours_grids)
    template_moments = read_moments(args.template_grids) if args.template else []
    images, _ = load_mnist(True, args.device)
    comparison = Comparison(load_classifier("judge", args.device), images)
    test_images, _ = load_mnist(False, args.device)
    real = comparison.quality(test_images)["frechet_distance"]
    moments.append(("real images", grid_of(images[:25])))
    save_quality(args.out_dir / "quality.png", ours, template, real)
    save_moments(args.out_dir / "moments.png", moments, template_moments)
    print(f"quality.png and moments.png in {args.out_dir}")


if __name__ == "__main__":
    run(main)
