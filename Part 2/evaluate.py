"""Measure generators, beside real test images and uniform noise.

    python evaluate.py                              the committed generator
    python evaluate.py --group ours run/seed0/mnist_generator.pth run/seed1/mnist_generator.pth

The numbers of a generator are the mean of five draws of 10,000 samples, as the judge sees them,
and the range of the five. A group of several generators has a row for each, named by its folder,
and then one with the mean and the range of their means. The table goes into evaluation.csv.
"""

from pathlib import Path

import torch
from tqdm import tqdm

from classifier import load_classifier
from common import HERE, add_run_flags, begin, load, make_parser, run, save_table
from gan import Generator, in_batches, latent_points
from metrics import Comparison, nearest
from mnist import load_mnist

N_DRAWS, N_SAMPLES = 5, 10_000  # samples in a draw
# The columns of the table: {title: (measure, what it is multiplied with, decimals)}.
COLUMNS = {
    "Fréchet distance": ("frechet_distance", 1, 2),
    "Inception Score": ("inception_score", 1, 2),
    "clear, %": ("confident", 100, 1),
    "commonest digit, %": ("commonest_digit", 100, 1),
    "nearest training image": ("nearest", 1, 2),
}


def cells(rows):
    """Return {title: text}, the mean and the range of each measure over rows, [{measure: number}].

    A single row has no range; a measure that the rows lack has no column.
    """
    texts = {}
    columns = {title: column for title, column in COLUMNS.items() if column[0] in rows[0]}
    for title, (name, factor, decimals) in columns.items():
        values = [factor * row[name] for row in rows]
        texts[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            texts[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return texts


def measure(comparison, images):
    """Return {measure: number} of images (N, 1, 28, 28).

    The distance to the nearest training image is the median of the first 1,000 images.
    """
    distances = nearest(images[:1000], comparison.training_images)
    return comparison.quality(images) | {"nearest": distances.median().item()}


def draws(generator, seed, device):
    """Yield N_DRAWS times N_SAMPLES images; the noises have consecutive seeds."""
    for n in range(N_DRAWS):
        z = latent_points(N_SAMPLES, generator.latent_dim, seed + n, device)
        yield in_batches(generator, z)


def means(rows):
    """Return {measure: its mean} over rows, [{measure: number}]."""
    return {measure: sum(row[measure] for row in rows) / len(rows) for measure in rows[0]}


def group_rows(comparison, name, generators, args):
    """Return the rows of the table for a group of generators, [(file, generator)]."""
    table, trainings = [], []
    for file, generator in generators:
        bar = tqdm(draws(generator, args.seed, args.device), str(file), N_DRAWS, disable=None)
        rows = [measure(comparison, draw) for draw in bar]
        trainings.append(means(rows))
        title = name if len(generators) == 1 else f"{name}, {Path(file).resolve().parent.name}"
        table.append({"images": title} | cells(rows))
    if len(generators) > 1:
        table.append({"images": f"{name}, {len(generators)} trainings"} | cells(trainings))
    return table


def main():
    """Measure all kinds of images and save the table."""
    parser = make_parser(__doc__)
    text = "a name, and then files of weights; may be given again (default: the committed one)"
    parser.add_argument("--group", nargs="+", action="append", help=text)
    add_run_flags(parser, seed=5000)  # no setting was tuned on these noises
    args = parser.parse_args()
    groups = args.group or [["committed", HERE / "mnist_generator.pth"]]
    for name, *files in groups:
        if not files:
            parser.error(f"argument --group: {name} needs a file after its name")
    begin(args)
    files = [file for _, *group_files in groups for file in group_files]
    generators = {file: load(file, args.device, Generator.from_state_dict) for file in files}
    comparison = Comparison(load_classifier("judge", args.device), load_mnist(True, args.device)[0])
    real, _ = load_mnist(False, args.device)
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng).to(args.device) * 2 - 1

    table = [{"images": "real test images"} | cells([measure(comparison, real)])]
    for name, *files in groups:
        table += group_rows(comparison, name, [(file, generators[file]) for file in files], args)
    table.append({"images": "uniform noise"} | cells([measure(comparison, noise)]))
    save_table(args.out_dir / "evaluation.csv", table)
    print(f"evaluation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
