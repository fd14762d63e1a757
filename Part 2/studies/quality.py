"""How good are the samples, beside real images and uniform noise? And how did the training go?

python -m studies.quality                     all tables and figures, minutes of a core
python -m studies.quality --only moments      one of them, in seconds
python -m studies.quality --report            and put them where the report has them
python -m studies.quality --runs run/0 run/1  measure your training runs, a minute each
"""

import math
import shutil
import sys
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torchvision.utils import make_grid
from tqdm import trange

from common import BLUE, HERE, ORANGE, begin, grouped, load, make_parser, read_csv, save_csv
from interpolate import PAIRS, walk
from latent import COMMITTED, draw_samples, load_generator
from metrics import compare_with_mnist
from mnist import load_mnist
from studies import collapse
from studies.runner import RESULTS, jobs_of, read_rows, rows_of, save_shown
from train import CHECKPOINT, FILE, parse_args

N_SETS, N_SAMPLES = 5, 10_000  # sample sets; samples in one
FIRST_SEED = 5000  # of the noise of the sample sets; no setting was chosen on these
MOMENTS = {"start": 0, "early": 2000, "half-way": 37_520, "end": 75_040}  # batches
MEASURES = {  # {title: (measure, factor, decimals)}
    "Fréchet distance": ("frechet_distance", 1, 2),
    "confident, %": ("confident", 100, 1),
    "most common digit, %": ("most_common_digit", 100, 1),
    "specks, %": ("specks", 100, 1),
    "effective rank": ("effective_rank", 1, 0),
}


def cells(sets):
    """Return {title: text}: the mean and, of several sets of images, the range of each measure."""
    found, row = [compare_with_mnist().quality(images) for images in sets], {}
    for title, (measure, factor, decimals) in MEASURES.items():
        values = [factor * numbers[measure] for numbers in found]
        row[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            row[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return row


def sample_sets(path):
    """Yield the sample sets of the generator whose weights are at path."""
    generator = load_generator(path)
    for seed in trange(FIRST_SEED, FIRST_SEED + N_SETS, unit="set", disable=None):
        yield draw_samples(generator, N_SAMPLES, seed)


def evaluation():
    """Return the table of real images, samples of the committed generator, and uniform noise."""
    rng = torch.Generator().manual_seed(FIRST_SEED)
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng) * 2 - 1
    real = load_mnist(train=False)[0]
    real = real[torch.randperm(len(real), generator=rng)]  # the first 5,000 are the easier ones
    rows = [
        {"images": "real test images"} | cells([real]),
        {"images": "our generator"} | cells(sample_sets(COMMITTED)),
        {"images": "uniform noise"} | cells([noise]),
    ]
    return {"evaluation.csv": rows}


def save_runs(folders, out_dir, report):
    """Save runs.csv, which has sample sets, quality.csv and losses.csv of finished training runs.

    The report also takes the grids of the first one, which must have made the committed weights.
    """
    quality, losses, by_seed, defaults = [], [], {}, vars(parse_args([]))
    for folder in folders:
        content = load(folder / CHECKPOINT, itemgetter("settings", "losses", "quality"))
        settings, epochs, measured = content
        if len(epochs) < settings["n_epochs"]:
            sys.exit(f"{folder}: only {len(epochs)} of {settings['n_epochs']} epochs are done")
        seed = {"seed": settings["seed"]}
        if report and settings != {name: defaults[name] for name in settings} | seed:
            sys.exit(f"{folder}: the report shows only training runs with train.py's defaults")
        losses += [seed | row for row in epochs]
        quality += [seed | row for row in measured]
        by_seed[settings["seed"]] = folder
    if report and (folders[0] / FILE).read_bytes() != COMMITTED.read_bytes():
        sys.exit(f"{folders[0]}: the first run must have made the committed weights")
    rows = [{"seed": n} | cells(sample_sets(folder / FILE)) for n, folder in by_seed.items()]
    for batch in MOMENTS.values() if report else []:
        shutil.copy(folders[0] / "images" / f"{batch}.png", RESULTS / "grids")
    save_csv((RESULTS if report else out_dir) / "quality.csv", quality)
    save_csv((RESULTS if report else out_dir) / "losses.csv", losses)
    save_shown({"runs.csv": rows}, out_dir, report)


def interpolation():
    """Return the figure of the committed generator's way from one digit to another."""
    return {"interpolation.png": walk(load_generator(COMMITTED), PAIRS)}


def moments():
    """Return the figure of our samples at four moments, beside real images."""
    panels = {}
    for moment, batch in MOMENTS.items():
        grid = Image.open(RESULTS / "grids" / f"{batch}.png").convert("L")
        pixels = torch.tensor(np.array(grid) / 127.5 - 1).float()
        # An image has 28 x 28 pixels; it begins 30 pixels after the one before it.
        images = pixels[2:, 2:].unfold(0, 28, 30).unfold(1, 28, 30).reshape(-1, 1, 28, 28)
        panels[f"{moment}\nbatch {batch:,}"] = images
    panels["real images\n"] = load_mnist()[0][:25]
    return {"moments.png": grids_figure(panels, "Grey noise becomes digits")}


def template():
    """Return the figure of the template's samples, and of one run with momentum 0."""
    known, panels = read_rows(RESULTS / "collapse.jsonl"), {}
    # Seed 0 stays collapsed, seed 2 recovers in part.
    rows = rows_of(jobs_of(collapse.EXPERIMENTS, [collapse.TEMPLATE], [0, 2]), known)
    rows += rows_of(jobs_of(collapse.EXPERIMENTS, [collapse.CURED], [0]), known)[-1:]
    for row in rows:
        if row["samples"]:
            title = "momentum 0" if row["experiment"] == collapse.CURED else "template"
            images = torch.tensor(row["samples"]).view(-1, 1, 28, 28) / 127.5 - 1
            panels[f"{title}, seed {row['seed']}\n{row['epoch']} epochs"] = images
    title = "The template's samples collapse; with momentum 0, they stay varied"
    return {"template.png": grids_figure(panels, title)}


def grids_figure(panels, title):
    """Return a Figure with a panel for each of {its title: 25 images (25, 1, 28, 28)}."""
    figure = Figure(figsize=(15, 3.9), layout="constrained")
    for axes, (name, images) in zip(figure.subplots(1, 5), panels.items(), strict=True):
        axes.imshow(make_grid(images, 5, pad_value=-1)[0].numpy(), cmap="gray", vmin=-1, vmax=1)
        axes.set_title(name, fontsize=14)
        axes.axis("off")
    figure.suptitle(title, fontsize=17)
    return figure


def losses():
    """Return the figure of the losses and, beside them, of the distance, a line for each seed."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, file, measure, label, color in (
        (left, "losses.csv", "d_loss", "loss of D", ORANGE),
        (left, "losses.csv", "g_loss", "loss of G", BLUE),
        (right, "quality.csv", "frechet_distance", "three runs", "k"),
    ):
        for (seed,), points in grouped(read_csv(RESULTS / file), "seed").items():
            xs, ys = ([float(row[name]) for row in points] for name in ("epoch", measure))
            name = label if seed == "0" else f"_{label}, seed {seed}"  # not in the legend
            axes.plot(xs, ys, color=color, lw=1.5, label=name)
    left.axhline(2 * math.log(2), color="0.5", ls="--", label="if D can only guess")
    left.axhline(math.log(2), color="0.5", ls="--", label="_if D can only guess, of G")
    left.set(title="Losses", ylim=(0, 2.5), xlabel="epoch")
    left.legend()
    right.legend()
    right.set(title="Fréchet distance to MNIST", yscale="log", xlabel="epoch")
    right.yaxis.set_major_formatter("{x:g}")
    figure.suptitle("The losses stand still while the samples get better", fontsize=16)
    return {"losses.png": figure}


def main():
    """Make the tables and figures."""
    makers = evaluation, interpolation, losses, moments, template
    parts = {maker.__name__: maker for maker in makers}
    parser = make_parser(__doc__, HERE / "studies" / "run" / "quality")
    parser.add_argument("--only", choices=parts, nargs="+", default=[*parts], help="what to make")
    text = "folders of finished training runs; only these are measured"
    parser.add_argument("--runs", type=Path, nargs="+", help=text)
    parser.add_argument("--report", action="store_true", help="put all where the report has it")
    args = parser.parse_args()
    begin(args)
    if args.runs:
        save_runs(args.runs, args.out_dir, args.report)
    else:
        for name in args.only:
            save_shown(parts[name](), args.out_dir, args.report)
    print(f"the files are in {RESULTS if args.report else args.out_dir}")


if __name__ == "__main__":
    main()
