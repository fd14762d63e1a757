"""Draw trainings with our settings beside those of the template, as it is and changed.

    python compare.py                       the committed results, as in the report
    python compare.py --results FOLDER      those of a folder with files of the same names

quality.png shows the Frechet distance of all trainings, from their quality.csv, and the losses of
one. collapse.csv tells how long they are collapsed: a quarter of their samples or more are the same
digit. moments.png shows samples at the start, after 1/200 of the training, half-way and at the end.
"""

import csv
from pathlib import Path
from statistics import fmean

from PIL import Image

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, make_parser, run, save, save_csv
from evaluate import NOISE_SEED, hold_out
from figures import grid_image, moments_figure, quality_figure
from metrics import Comparison, frechet_distance
from mnist import load_mnist

# A group of trainings, and what the names of its files begin with.
KINDS = {
    "our settings": "quality_seed",
    "the template": "quality_template_seed",
    "template, β₁ = 0.5": "quality_template_b1_0.5_seed",
    "template, β₁ = 0": "quality_template_b1_0_seed",
    "template, new fakes": "quality_template_fresh_fakes_seed",
}
GRIDS = {"our settings": "ours", "the template": "template"}  # folders of grids
COLLAPSED = 0.25  # the share of the commonest digit from which on a training is collapsed
EARLY, LATE = 10, 50  # the epochs of collapse.csv
QUALITY = "epoch", "frechet_distance", "commonest_digit"
LOSSES = "epoch", "d_loss", "g_loss"


def read_rows(path, columns):
    """Return the rows, {column: number}, of a csv; InputError when it has no such columns."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [{name: float(row[name]) for name in columns} for row in csv.DictReader(file)]
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no csv of {', '.join(columns)} ({error!r:.100})") from error


def range_of(numbers):
    """Return the least and the greatest of some numbers as text, rounded; "" of none."""
    ends = [f"{end(numbers):.0f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def collapse_row(name, trainings):
    """Return a group's row of collapse.csv, from the rows of its trainings.

    Ranges are those of the trainings. The last collapsed epoch is the last at which a training was
    measured and found collapsed, at most LATE, and 0 if there is none.
    """
    row = {"training": name}
    for epoch in EARLY, LATE:
        at = [r for rows in trainings for r in rows if r["epoch"] == epoch]
        row[f"Fréchet distance after {epoch}"] = range_of([r["frechet_distance"] for r in at])
        shares = [100 * r["commonest_digit"] for r in at]
        row[f"commonest digit after {epoch}, %"] = range_of(shares)
    last = []  # the last collapsed epoch of each training
    for rows in trainings:
        collapsed = [r["epoch"] for r in rows if r["commonest_digit"] >= COLLAPSED]
        last.append(max((epoch for epoch in collapsed if epoch <= LATE), default=0))
    row[f"last collapsed of {LATE} epochs"] = range_of(last)
    long_enough = sum(rows[-1]["epoch"] >= LATE for rows in trainings)
    return row | {f"collapsed after {LATE}": f"{last.count(LATE)} of {long_enough}"}


def read_moments(folder):
    """Return [(title, grid)] of four moments of a training, from its folder of <batch>.png."""
    try:
        grids = {int(path.stem): path for path in folder.glob("[!.]*.png")}
        last = max(grids)
        moments = []
        for goal in 0, last / 200, last / 2, last:
            _, batch = min((abs(batch - goal), batch) for batch in grids)
            moments.append((f"batch {batch:,}", Image.open(grids[batch]).convert("L")))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no sample grids of train.py ({error})") from error
    return moments


def main():
    """Read the trainings, measure real images, save the table and both figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder to read")
    add_run_flags(parser, HERE / "run" / "compare", seed=None)
    args = parser.parse_args()
    begin(args)
    losses = read_rows(args.results / "losses.csv", LOSSES)
    groups = {}
    for name, kind in KINDS.items():
        files = sorted(args.results.glob(f"{kind}*.csv"))
        groups[name] = [read_rows(file, QUALITY) for file in files or [args.results / kind]]
    table = [collapse_row(name, trainings) for name, trainings in groups.items()]
    save_csv(args.out_dir / "collapse.csv", table, show=True)
    moments = {name: read_moments(args.results / "grids" / kind) for name, kind in GRIDS.items()}
    images, _ = load_mnist(True, args.device)
    test_images, _ = load_mnist(False, args.device)
    comparison = Comparison(load_classifier("judge", args.device), images)
    splits = hold_out(comparison.training_features, NOISE_SEED)
    references = {
        "real test images": comparison.quality(test_images)["frechet_distance"],
        "held-out training images": fmean(frechet_distance(*split) for split in splits),
    }
    next(iter(moments.values())).append(("real images", grid_image(images[:25])))
    save(args.out_dir / "quality.png", quality_figure(groups, references, losses).savefig)
    save(args.out_dir / "moments.png", moments_figure(moments).savefig)
    print(f"quality.png, moments.png and collapse.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
