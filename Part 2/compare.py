"""Draw trainings with our settings beside those of the template, as it is and changed.

    python compare.py                                   the committed results, as in the report
    python compare.py --group "our settings" run/seed0/quality.csv --grids seed0 run/seed0/images

quality.png shows the Frechet distance of all trainings, from their quality.csv. collapse.csv tells
how long they are collapsed: a quarter of their samples or more are the same digit. moments.png
shows samples at the start, after 1/200 of the training, half-way and at the end.
"""

import csv
from pathlib import Path

from PIL import Image

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, make_parser, run, save, save_csv
from evaluate import NOISE_SEED, mean_of, training_draws
from figures import grid_image, moments_figure, quality_figure
from metrics import Comparison
from mnist import load_mnist

RESULTS = HERE / "results"
KINDS = {
    "our settings": "",
    "the template": "template_",
    "template, β₁ = 0.5": "template_b1_0.5_",
    "template, β₁ = 0": "template_b1_0_",
}
# A name, and the quality.csv of each training.
GROUPS = [[name, *sorted(RESULTS.glob(f"quality_{k}seed?.csv"))] for name, k in KINDS.items()]
GRIDS = [["our settings", RESULTS / "grids/ours"], ["the template", RESULTS / "grids/template"]]
COLLAPSED = 0.25  # the share of the commonest digit from which on a training is collapsed
EARLY, LATE = 10, 50  # the epochs of collapse.csv
COLUMNS = "epoch", "frechet_distance", "commonest_digit"


def read_quality(path):
    """Return the rows, {column: number}, of a quality.csv; InputError when it is none."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [{name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(file)]
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a quality.csv of train.py ({error!r:.100})") from error


def ends_of(numbers):
    """Return the least and the greatest of some numbers as text, rounded; "" of none."""
    ends = [f"{end(numbers):.0f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def collapse_row(name, trainings):
    """Return a group's row of collapse.csv, from what read_quality returns for its trainings.

    Ranges are those of the trainings. The last collapsed epoch is the last at which a training was
    measured and found collapsed, at most LATE, and 0 if there is none.
    """
    row = {"training": name}
    at = {n: [r for rows in trainings for r in rows if r["epoch"] == n] for n in (EARLY, LATE)}
    for epoch, seen in at.items():
        row[f"Fréchet distance after {epoch}"] = ends_of([r["frechet_distance"] for r in seen])
        shares = [100 * r["commonest_digit"] for r in seen]
        row[f"commonest digit after {epoch}, %"] = ends_of(shares)
    collapsed = []  # the epochs at which each training is
    for rows in trainings:
        early = [r for r in rows if r["epoch"] <= LATE]
        collapsed.append([r["epoch"] for r in early if r["commonest_digit"] >= COLLAPSED])
    row["last collapsed epoch"] = ends_of([max(epochs, default=0) for epochs in collapsed])
    count = sum(LATE in epochs for epochs in collapsed)
    return row | {f"collapsed after {LATE}": f"{count} of {len(at[LATE])}"}


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
    """Read the trainings, measure real images, save the table and both figures."""
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
    table = [collapse_row(name, trainings) for name, trainings in groups]
    save_csv(args.out_dir / "collapse.csv", table, show=True)
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
    print(f"quality.png, moments.png and collapse.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
