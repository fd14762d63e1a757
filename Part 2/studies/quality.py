"""How good are the samples, beside real images and uniform noise? And how did the training go?

python -m studies.quality                        all tables and figures, minutes of a core
python -m studies.quality --only moments         one of them, in seconds
python -m studies.quality --report               and put them where the report has them
python -m studies.quality --only evaluation --generator FILE        evaluate other weights
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torchvision.utils import make_grid
from tqdm import trange

import interpolate
from classifier import load_classifier
from common import GREEN, GREY, HERE, ORANGE, begin, make_parser, read_csv, save_table
from latent import COMMITTED, draw_frame, draw_samples, in_batches, load_generator
from metrics import has_speck, is_confident
from mnist import load_mnist
from studies import collapse, settings
from studies.loops import epoch_seconds, measures_of
from studies.runner import RESULTS, put_in_place, read_rows

N_SETS, N_SAMPLES = 5, 10_000  # sample sets; samples in one
MOMENTS = {"start": 0, "early": 2000, "half-way": 37_520, "end": 75_040}  # batches
FIRST_SEED = 5000  # of the noise of the sample sets; no setting was chosen on these
MEASURES = {  # {title: (measure, what it is multiplied with, decimals)}
    "Fréchet distance": ("frechet_distance", 1, 2),
    "confident, %": ("confident", 100, 1),
    "commonest digit, %": ("commonest_digit", 100, 1),
    "specks, %": ("specks", 100, 1),
    "effective rank": ("effective_rank", 1, 0),
}
CURVES = {  # {training: its color and line width in progress.png}
    "our training": ("k", 2),
    "no convolution": (GREEN, 1),
    "template": (ORANGE, 1),
}


def table_row(name, sets):
    """Return a row of the table: mean and, of several sets of images, range of each measure."""
    found = [measures_of(images) for images in sets]
    row = {"images": name}
    for title, (measure, factor, decimals) in MEASURES.items():
        values = [factor * numbers[measure] for numbers in found]
        row[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            row[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return row


def save_evaluation(out_dir, path=COMMITTED):
    """Save evaluation.csv: real images, sample sets of the weights at path, and uniform noise."""
    generator, rng = load_generator(path), torch.Generator().manual_seed(FIRST_SEED)
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng) * 2 - 1
    real = load_mnist(train=False)[0]
    real = real[torch.randperm(len(real), generator=rng)]  # the first 5,000 are the easier ones
    seeds = trange(FIRST_SEED, FIRST_SEED + N_SETS, unit="set", disable=None)
    samples = (draw_samples(generator, N_SAMPLES, seed) for seed in seeds)
    sets = {"real test images": [real], "our generator": samples, "uniform noise": [noise]}
    save_table(out_dir / "evaluation.csv", [table_row(*item) for item in sets.items()])


def read_grids():
    """Return {title: images (25, 1, 28, 28)} of the committed grids, in the order of training."""
    grids = {}
    for moment, batch in MOMENTS.items():
        grid = Image.open(RESULTS / "grids" / f"{batch}.png").convert("L")
        pixels = torch.tensor(np.array(grid) / 127.5 - 1).float()
        # An image has 28 x 28 pixels; it begins 30 pixels after the one before it.
        images = pixels[2:, 2:].unfold(0, 28, 30).unfold(1, 28, 30).reshape(-1, 1, 28, 28)
        grids[f"{moment}: batch {batch:,}"] = images
    return grids


def save_moments(out_dir):
    """Save moments.png: our samples at four moments, real images and the template's samples."""
    panels, classifier = read_grids(), load_classifier()
    panels["real images"] = load_mnist()[0][:25]
    (row,), *_ = committed_rows(collapse, collapse.SAMPLES)  # of the first seed
    template = torch.tensor(row["samples"]).view(-1, 1, 28, 28) / 127.5 - 1
    panels[f"the template after {row['epoch']} epochs"] = template
    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    for axes, (title, images) in zip(figure.subplots(2, 3).flat, panels.items(), strict=True):
        axes.imshow(make_grid(images, 5, pad_value=-1)[0].numpy(), cmap="gray", vmin=-1, vmax=1)
        confident = is_confident(in_batches(classifier, images))
        for n in (~confident).nonzero().flatten().tolist():
            draw_frame(axes, 2 + 30 * (n % 5), 2 + 30 * (n // 5))
        axes.set_title(title, fontsize=14)
        axes.axis("off")
    figure.suptitle("Samples of our training, real images, and the template's samples", fontsize=17)
    text = "framed: ambiguous (no digit above 90 %); the classifier is confident even about noise"
    figure.supxlabel(text, fontsize=12)
    figure.savefig(out_dir / "moments.png")


def committed_rows(study, experiment):
    """Return the committed rows of each seed of an experiment of a study, which is a module."""
    path = RESULTS / f"{study.__name__.removeprefix('studies.')}_rows.jsonl"
    jobs, _ = read_rows(path, study.EXPERIMENTS)
    return [rows for (name, _), rows in jobs.items() if name == experiment]


def save_progress(out_dir):
    """Save progress.png: distance and specks over the minutes of a core, a line for each seed."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    for name, (color, width) in CURVES.items():
        seeds = committed_rows(settings, name)
        if name == "our training":
            seeds = [read_csv(path) for path in sorted(RESULTS.glob("quality*.csv"))]
        minutes = epoch_seconds(settings.EXPERIMENTS[name][0]) / 60
        for n, rows in enumerate(seeds):
            label = name if n == 0 else f"_{name}, seed {n}"  # in the legend
            for axes, measure, factor in (left, "frechet_distance", 1), (right, "specks", 100):
                own = [row for row in rows if row.get(measure, "") != ""]  # older rows lack specks
                xs = [minutes * float(row["epoch"]) for row in own]
                ys = [factor * float(row[measure]) for row in own]
                axes.plot(xs, ys, color=color, lw=width, label=label)
    for axes, title in (left, "Fréchet distance to MNIST"), (right, "Samples with a speck, %"):
        axes.set(xscale="log", yscale="log", title=title, xlabel="minutes of training on one core")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    share = 100 * has_speck(load_mnist(train=False)[0]).double().mean().item()
    right.axhline(share, color=GREY, ls="--", label="real test images")
    right.text(1, 1.05 * share, "real test images", color=GREY)
    figure.savefig(out_dir / "progress.png")


def main():
    """Make the tables and figures."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "quality")
    parts = {"moments": save_moments, "progress": save_progress}
    parts["evaluation"] = lambda folder: save_evaluation(folder, args.generator)
    flags = "--generator", str(COMMITTED), "--out_dir"
    parts["interpolation"] = lambda folder: interpolate.main([*flags, str(folder)])
    parser.add_argument("--only", choices=parts, nargs="+", default=[*parts], help="what to make")
    parser.add_argument("--generator", type=Path, default=COMMITTED, help="weights to evaluate")
    parser.add_argument("--report", action="store_true", help="put all where the report has it")
    args = parser.parse_args()
    begin(args)
    for name in args.only:
        folder = args.out_dir / name
        folder.mkdir(exist_ok=True)
        parts[name](folder)
        if args.report:
            put_in_place(folder)
    print(f"what was made is in {args.out_dir}")


if __name__ == "__main__":
    main()
