"""How good are the samples, beside real images and uniform noise? And how did the training go?

    python -m studies.quality                          all of it, some minutes of a core
    python -m studies.quality --only moments losses    the figures alone, in seconds

evaluation.csv has what the judge sees in five draws of 10,000 images, mean and range. A perfect
generator would hardly come nearer than held-out images: 10,000 of the training images, compared
with the other 50,000. Coverage is of 5,000 training images by 5,000 images. moments.csv has what
the judge reads in the grids of our training.
"""

import csv

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torchvision.utils import make_grid
from tqdm import trange

from common import BLUE, HERE, ORANGE, begin, make_parser, save_figure, save_table
from judge import load_judge
from latent import COMMITTED, draw_samples, in_batches, load_generator
from metrics import Comparison, compare_with_mnist, is_clear, nearest
from mnist import load_mnist
from studies import collapse, settings
from studies.runner import RESULTS, read_rows
from train import draw_losses

N_DRAWS, N_SAMPLES, N_COVERAGE = 5, 10_000, 5_000  # images in a draw; those that cover
OURS, RIVAL = "ours, 100 epochs", "both at once, generator's rate 0.0008"
# Of an epoch on one core of an Intel Xeon with AVX-512, rounded.
SECONDS = {OURS: 42, RIVAL: 42, "template": 17}
STYLES = {  # {training: its color, line width and label in losses.png}
    OURS: ("k", 2, "ours"),
    RIVAL: (BLUE, 1, "both at once, tuned rates"),
    "template": (ORANGE, 1, "template"),
}
NOISE_SEED = 5000  # of the first draw; no setting was tuned on these noises
MEASURES = {  # {title: (measure, what it is multiplied with, decimals)}
    "Fréchet distance": ("frechet_distance", 1, 2),
    "clear, %": ("confident", 100, 1),
    "commonest digit, %": ("commonest_digit", 100, 1),
    "specks, %": ("specks", 100, 1),
    "coverage, %": ("coverage", 100, 1),
    "nearest training image": ("nearest", 1, 2),
}


def format_row(name, draws):
    """Return a row of the table: mean and, of several draws [{measure: number}], range of each."""
    row = {"images": name}
    for title, (measure, factor, decimals) in MEASURES.items():
        values = [factor * draw[measure] for draw in draws]
        row[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            row[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return row


def measure(comparison, images):
    """Return {measure: number} of images (N, 1, 28, 28), in random order."""
    distances = nearest(images[:1000], comparison.training_images)
    numbers = comparison.quality(images) | {"nearest": distances.median().item()}
    return numbers | {"coverage": comparison.coverage(images[:N_COVERAGE])}


def evaluate(args):
    """Measure all kinds of images and save the table."""
    generator = load_generator(COMMITTED)
    comparison, rng = compare_with_mnist(), torch.Generator().manual_seed(NOISE_SEED)
    images, held_out, samples = comparison.training_images, [], []
    for seed in trange(NOISE_SEED, NOISE_SEED + N_DRAWS, unit="draw", disable=None):
        mixed = images[torch.randperm(len(images), generator=rng)]
        others = Comparison(comparison.judge, mixed[N_SAMPLES:])
        held_out.append(measure(others, mixed[:N_SAMPLES]))
        samples.append(measure(comparison, draw_samples(generator, N_SAMPLES, seed)))
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng.manual_seed(NOISE_SEED)) * 2 - 1
    real = load_mnist(False)[0]
    real = real[torch.randperm(len(real), generator=rng)]  # the first 5,000 are the easier ones
    table = [format_row("held-out training images", held_out)]
    table.append(format_row("real test images", [measure(comparison, real)]))
    table.append(format_row("ours", samples))
    table.append(format_row("uniform noise", [measure(comparison, noise)]))
    save_table(args.out_dir / "evaluation.csv", table)


def read_grids():
    """Return {title: grid (H, W) in 0..1}: the four committed grids, in the order of training."""
    paths = sorted((RESULTS / "grids").glob("*.png"), key=lambda path: int(path.stem))
    grids = {}
    for moment, path in zip(("start", "early", "half-way", "end"), paths, strict=True):
        image = Image.open(path).convert("L")
        grids[f"{moment}: batch {int(path.stem):,}"] = np.asarray(image) / 255
    return grids


def moments_table(grids):
    """Return a row for each of {title: grid (H, W) in 0..1}: what the judge reads in its images."""
    judge, before, table = load_judge(), None, []
    for title, grid in grids.items():
        # An image has 28 x 28 pixels; it begins 30 pixels after the one before it.
        images = torch.tensor(grid)[2:, 2:].unfold(0, 28, 30).unfold(1, 28, 30)
        logits = in_batches(judge, images.reshape(-1, 1, 28, 28).float() * 2 - 1)
        digits, clear = logits.argmax(1).tolist(), is_clear(logits).tolist()
        words = [f"{d}" if sure else f"{d}?" for d, sure in zip(digits, clear, strict=True)]
        row = {"grid": title, "read, row by row (? is unclear)": " ".join(words)}
        changed = sum(d != old for d, old in zip(digits, before, strict=True)) if before else ""
        table.append(row | {"unclear": clear.count(False), "changed since": changed})
        before = digits
    return table


def draw_moments(args):
    """Save moments.png, samples at some moments, real images, the template's; and moments.csv."""
    grids = read_grids()
    save_table(args.out_dir / "moments.csv", moments_table(grids))
    real = make_grid(load_mnist()[0][:25], 5, pad_value=-1)[0]
    grids["real images"] = (real.numpy() + 1) / 2
    row = committed_rows(collapse, "template, samples")["template, samples", 0][-1]
    template = torch.tensor(row["samples"]).view(-1, 1, 28, 28) / 255
    grids[f"the template after {row['epoch']} epochs"] = make_grid(template, 5)[0].numpy()
    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    panels = figure.subplots(2, len(grids) // 2).flat
    for axes, (title, grid) in zip(panels, grids.items(), strict=True):
        axes.imshow(grid, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=14)
        axes.axis("off")
    figure.suptitle("Our samples, from noise to digits; real ones; the template's", fontsize=17)
    rows = [(title, grid.tobytes()) for title, grid in grids.items()]
    save_figure(args.out_dir / "moments.png", figure, rows)


def read_numbers(name):
    """Return the rows of a committed csv file of numbers."""
    with open(RESULTS / f"{name}.csv", encoding="utf-8", newline="") as file:
        return [{key: float(text) for key, text in row.items()} for row in csv.DictReader(file)]


def committed_rows(study, experiment):
    """Return {(experiment, seed): rows} of an experiment of a study's module."""
    path = RESULTS / f"{study.__name__.removeprefix('studies.')}_rows.jsonl"
    jobs = read_rows(path, study.EXPERIMENTS, study.COLUMNS)
    return {job: rows for job, rows in jobs.items() if job[0] == experiment}


def rivals():
    """Return {(experiment, seed): rows} of the trainings that ours is drawn beside."""
    found = committed_rows(settings, OURS) | committed_rows(settings, RIVAL)
    return found | committed_rows(collapse, "template")


def losses_figure(losses, quality, others):
    """Return a Figure: our losses, and our distance over the minutes of a core beside others'."""
    figure = Figure(figsize=(8.5, 7.2), layout="constrained")
    above, below = figure.subplots(2)
    draw_losses(above, losses)
    above.set(xscale="log", xlabel="epoch of ours", title="The losses of ours hardly change")
    for (name, seed), rows in (others | {(OURS, 0): quality}).items():
        minutes = [row["epoch"] * SECONDS[name] / 60 for row in rows]
        distances = [row["frechet_distance"] for row in rows]
        color, width, text = STYLES[name]
        label = text if seed == 0 else f"_{name}, seed {seed}"  # once in the legend
        below.plot(minutes, distances, color=color, lw=width, label=label)
    below.set(xscale="log", yscale="log", ylabel="distance to MNIST (0 is best)")
    below.set(xlabel="minutes of training on one core", title="The distance of ours falls soonest")
    epochs = torch.tensor(below.get_xlim()) * 60 / SECONDS[OURS]
    above.set_xlim(*epochs.tolist())  # so that the epochs of ours stand above their minutes
    for axis in above.xaxis, below.xaxis, below.yaxis:
        axis.set_major_formatter("{x:g}")
    below.legend(loc="lower left")
    return figure


def draw_training(args):
    """Save losses.png, of the training of the committed generator."""
    tables = read_numbers("losses"), read_numbers("quality"), rivals()
    save_figure(args.out_dir / "losses.png", losses_figure(*tables), [*map(str, tables)])


def main():
    """Draw, and measure."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "quality")
    parts = {"moments": draw_moments, "losses": draw_training, "evaluation": evaluate}
    parser.add_argument("--only", choices=parts, nargs="+", default=[*parts], help="what to make")
    args = parser.parse_args()
    begin(args)
    for name in args.only:
        parts[name](args)
    print(f"what was made is in {args.out_dir}")


if __name__ == "__main__":
    main()
