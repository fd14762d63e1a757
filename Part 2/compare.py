"""Draw trainings with our settings beside those with the template's.

    python compare.py                                   the committed results, as in the report
    python compare.py --group "our settings" run/seed0/quality.csv --grids seed0 run/seed0/images

quality.png shows the Frechet distance of all trainings, from their quality.csv. moments.png shows
samples of one of each kind: at the start, after 1/200 of the training, half-way and at the end.
"""

import csv
from pathlib import Path

from PIL import Image

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, make_parser, run, save
from evaluate import NOISE_SEED, mean_of, training_draws
from figures import grid_image, moments_figure, quality_figure
from metrics import Comparison
from mnist import load_mnist

RESULTS = HERE / "results"
GROUPS = [
    ["our settings", *(RESULTS / f"quality_seed{n}.csv" for n in range(3))],
    ["the template", *(RESULTS / f"quality_template_seed{n}.csv" for n in range(3))],
]
GRIDS = [["our settings", RESULTS / "grids/ours"], ["the template", RESULTS / "grids/template"]]


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


def main():
    """Read the trainings, measure real images, draw both figures."""
    parser = make_parser(__doc__)
    group, grids = "a name and files quality.csv", "a name and a folder of grids; both flags repeat"
    parser.add_argument("--group", nargs="+", action="append", help=group)
    parser.add_argument("--grids", nargs=2, action="append", help=grids)
    add_run_flags(parser, HERE / "run" / "compare", seed=None)
    args = parser.parse_args()
    if min(map(len, args.group or GROUPS)) < 2:
        parser.error("argument --group: a name needs a file after it")
    begin(args)
    groups = [(name, list(map(read_quality, files))) for name, *files in args.group or GROUPS]
    moments = {name: read_moments(folder) for name, folder in args.grids or GRIDS}
    images, _ = load_mnist(True, args.device)
    test_images, _ = load_mnist(False, args.device)
    comparison = Comparison(load_classifier("judge", args.device), images)
    draws = [comparison.quality(draw) for draw in training_draws(images, NOISE_SEED)]
    references = {
        "real test images": comparison.quality(test_images)["frechet_distance"],
        "10,000 training images": mean_of(draws)["frechet_distance"],
    }
    next(iter(moments.values())).append(("real images", grid_image(images[:25])))
    save(args.out_dir / "quality.png", quality_figure(groups, references).savefig)
    save(args.out_dir / "moments.png", moments_figure(moments).savefig)
    print(f"quality.png and moments.png in {args.out_dir}")


if __name__ == "__main__":
    run(main)
