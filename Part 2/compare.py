"""Two runs of train.py side by side: what did the better settings buy?

    python train.py --out_dir run
    python train.py --out_dir baseline --fakes 64 --early 0 --lr 2e-4 --lr_d 2e-4 --late 0
        --b1 0.9 --r1 0 --ema 0
    python compare.py run baseline

draws pics/quality.png, the Frechet distance while each learns, and pics/samples.png, their samples
at the start, soon after it, half-way and at the end of training. The second run has the settings of
the assignment's template, but for the generator's loss, which is the non-saturating one in both.
"""

import csv
from pathlib import Path

import matplotlib
from classifier import Classifier
from common import (
    InputError,
    add_run_flags,
    load,
    make_folder,
    make_parser,
    run,
    save,
    show_settings,
)
from figures import save_quality
from metrics import Judge
from mnist import DATA_DIR, load_mnist
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
NEEDED = "epoch", "frechet_distance"  # the columns of quality.csv that are drawn
OURS, BASELINE = "our settings", "the template's settings"


def read_run(folder):
    """Return (rows of quality.csv, {batch: path of its grid}) of a run; InputError without one."""
    folder = Path(folder)
    try:
        with open(folder / "quality.csv", newline="") as file:
            rows = [{k: float(row[k]) for k in NEEDED} for row in csv.DictReader(file)]
        rows[-1]
        grids = {int(path.stem): path for path in (folder / "images").glob("*.png")}
        grids[max(grids)]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        what = "the folder of a run of train.py is needed, with its quality.csv and images/"
        raise InputError(f"{folder}: {what}") from error
    return rows, dict(sorted(grids.items()))


def moments(grids):
    """Return [(name, batch)] of the grids at the start, soon after it, half-way and at the end."""
    last = max(grids)
    goals = {"start": 0, "soon": last / 200, "half-way": last / 2, "end": last}
    return [(name, min(grids, key=lambda b: abs(b - goal))) for name, goal in goals.items()]


def draw_samples(path, runs):
    """Draw a row of four grids for each run, {name: {batch: path of its grid}}."""
    figure, axes = plt.subplots(len(runs), 4, figsize=(17.6, 9.5), layout="constrained")
    for line, (name, grids) in zip(axes, runs.items(), strict=True):
        for axis, (when, batch) in zip(line, moments(grids), strict=True):
            axis.imshow(Image.open(grids[batch]).convert("L"), cmap="gray", vmin=0, vmax=255)
            axis.set_title(f"{when}: batch {batch:,}", fontsize=21)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=23)
    save(path, lambda file: figure.savefig(file, format="png", dpi=100))


def main():
    """Read both runs, measure real test images, draw both figures."""
    parser = make_parser(__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run of train.py")
    parser.add_argument("baseline", metavar="BASELINE_RUN", help="folder of the run beside it")
    parser.add_argument("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    add_run_flags(parser, HERE.parent / "pics")
    args = parser.parse_args()
    show_settings(args)
    (rows, grids), (baseline_rows, baseline_grids) = map(read_run, (args.run, args.baseline))
    classifier = load(HERE / "mnist_classifier.pth", args.device, Classifier.from_state_dict)
    judge = Judge(classifier, load_mnist(args.data_dir, True, args.device)[0])
    test_images = load_mnist(args.data_dir, False, args.device)[0]
    real = judge.quality(*judge.look(test_images))["frechet_distance"]
    make_folder(args.out_dir)

    ours, theirs = (part[-1]["frechet_distance"] for part in (rows, baseline_rows))
    title = "How far the samples are from MNIST, while both generators learn"
    runs = {OURS: rows, BASELINE: baseline_rows}
    save_quality(Path(args.out_dir) / "quality.png", runs, title, real)
    draw_samples(Path(args.out_dir) / "samples.png", {BASELINE: baseline_grids, OURS: grids})
    print(f"real test images {real:.2f}, {OURS} {ours:.2f}, {BASELINE} {theirs:.2f}")
    print(f"quality.png and samples.png in {args.out_dir}")


if __name__ == "__main__":
    run(main)
