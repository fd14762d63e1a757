"""Measure generators, beside real test images and uniform noise.

    python evaluate.py                              the committed generator
    python evaluate.py --group ours run/seed0/mnist_generator.pth run/seed1/mnist_generator.pth

The numbers of a generator are the mean of five draws of 10,000 samples, as the judge sees them,
and the range of the five. A group of several generators has a row for each, named by its folder,
and then one with the mean and the range of their means. A perfect generator would come nearly as
near as random training images do. The table goes into evaluation.csv.
"""

from pathlib import Path

import torch
from tqdm import tqdm

from classifier import load_classifier
from common import HERE, add_run_flags, begin, load, make_parser, run, save_csv
from gan import Generator
from metrics import Comparison, draw_samples, nearest
from mnist import load_mnist

N_DRAWS, N_SAMPLES = 5, 10_000  # samples in a draw
NOISE_SEED = 5000  # of the first draw; no setting was tuned on these noises
# The columns of the table: {title: (measure, what it is multiplied with, decimals)}.
COLUMNS = {
    "Fréchet distance": ("frechet_distance", 1, 2),
    "Inception Score": ("inception_score", 1, 2),
    "clear, %": ("confident", 100, 1),
    "commonest digit, %": ("commonest_digit", 100, 1),
    "nearest training image": ("nearest", 1, 2),
}


def format_row(rows):
    """Return {title: text}: mean and, over several rows [{measure: number}], range of each."""
    texts = {}
    columns = {title: column for title, column in COLUMNS.items() if column[0] in rows[0]}
    for title, (name, factor, decimals) in columns.items():
        values = [factor * row[name] for row in rows]
        texts[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            texts[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return texts


def measure(comparison, images):
    """Return {measure: number} of images (N, 1, 28, 28)."""
    distances = nearest(images[:1000], comparison.training_images)
    return comparison.quality(images) | {"nearest": distances.median().item()}


def sample_draws(generator, seed):
    """Yield N_DRAWS times N_SAMPLES images of the generator; the noises have consecutive seeds."""
    for n in range(N_DRAWS):
        yield draw_samples(generator, N_SAMPLES, seed + n)


def training_draws(images, seed):
    """Yield N_DRAWS times N_SAMPLES of the training images, at random."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(N_DRAWS):
        yield images[torch.randperm(len(images), generator=rng)[:N_SAMPLES].to(images.device)]


def mean_of(rows):
    """Return {measure: its mean} over rows, [{measure: number}]."""
    return {measure: sum(row[measure] for row in rows) / len(rows) for measure in rows[0]}


def group_rows(comparison, name, generators, seed):
    """Return the rows of the table for a group of generators, [(file, generator)]."""
    table, trainings = [], []
    for file, generator in generators:
        bar = tqdm(sample_draws(generator, seed), str(file), N_DRAWS, disable=None)
        rows = [measure(comparison, draw) for draw in bar]
        trainings.append(mean_of(rows))
        title = name if len(generators) == 1 else f"{name}, {Path(file).resolve().parent.name}"
        table.append({"images": title} | format_row(rows))
    if len(generators) > 1:
        table.append({"images": f"{name}, {len(generators)} trainings"} | format_row(trainings))
    return table


def main():
    """Measure all kinds of images and save the table."""
    parser = make_parser(__doc__)
    text = "a name, and then files of weights; may be given again (default: the committed one)"
    parser.add_argument("--group", nargs="+", action="append", help=text)
    add_run_flags(parser, seed=NOISE_SEED)
    args = parser.parse_args()
    groups = args.group or [["committed", HERE / "mnist_generator.pth"]]
    if min(map(len, groups)) < 2:
        parser.error("argument --group: a name needs a file after it")
    begin(args)
    files = [file for _, *group_files in groups for file in group_files]
    generators = {file: load(file, args.device, Generator.from_state_dict) for file in files}
    training_images, _ = load_mnist(True, args.device)
    test_images, _ = load_mnist(False, args.device)
    comparison = Comparison(load_classifier("judge", args.device), training_images)
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng).to(args.device) * 2 - 1

    table = [{"images": "real test images"} | format_row([measure(comparison, test_images)])]
    perfect = [measure(comparison, draw) for draw in training_draws(training_images, args.seed)]
    own = {"nearest training image": ""}  # each of them is its own
    table.append({"images": "10,000 training images"} | format_row(perfect) | own)
    for name, *files in groups:
        table += group_rows(comparison, name, [(f, generators[f]) for f in files], args.seed)
    table.append({"images": "uniform noise"} | format_row([measure(comparison, noise)]))
    save_csv(args.out_dir / "evaluation.csv", table, show=True)
    print(f"evaluation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
