"""Measure generators, beside real images and uniform noise.

    python evaluate.py                                            the committed generator
    python evaluate.py --generators run/*/seed?/mnist_generator.pth

A generator is named by the last two folders of its file. Its numbers are means of five draws of
10,000 samples, with their range, as the judge sees them. A perfect generator would hardly come
nearer than held-out images: 10,000 of the training images, compared with the other 50,000.
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


def hold_out(images, seed):
    """Yield N_DRAWS random splits of images, or of their features: N_SAMPLES, and all others."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(N_DRAWS):
        order = torch.randperm(len(images), generator=rng).to(images.device)
        yield images[order[:N_SAMPLES]], images[order[N_SAMPLES:]]


def mean_of(rows):
    """Return {measure: its mean} over rows, [{measure: number}]."""
    return {measure: sum(row[measure] for row in rows) / len(rows) for measure in rows[0]}


def main():
    """Measure all kinds of images and save the table."""
    parser = make_parser(__doc__)
    committed, text = HERE / "mnist_generator.pth", "weights files"
    parser.add_argument("--generators", nargs="+", type=Path, default=[committed], help=text)
    add_run_flags(parser, seed=NOISE_SEED)
    args = parser.parse_args()
    begin(args)
    generators = [load(file, args.device, Generator.from_state_dict) for file in args.generators]
    training_images, _ = load_mnist(True, args.device)
    test_images, _ = load_mnist(False, args.device)
    judge = load_classifier("judge", args.device)
    comparison = Comparison(judge, training_images)
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng).to(args.device) * 2 - 1

    splits = hold_out(training_images, args.seed)
    perfect = [measure(Comparison(judge, others), held_out) for held_out, others in splits]
    table = [{"images": "held-out training images"} | format_row(perfect)]
    table.append({"images": "real test images"} | format_row([measure(comparison, test_images)]))
    for file, generator in zip(args.generators, generators, strict=True):
        name = ", ".join(file.resolve().parts[-3:-1])
        bar = tqdm(sample_draws(generator, args.seed), name, N_DRAWS, disable=None)
        table.append({"images": name} | format_row([measure(comparison, draw) for draw in bar]))
    table.append({"images": "uniform noise"} | format_row([measure(comparison, noise)]))
    save_csv(args.out_dir / "evaluation.csv", table, show=True)
    print(f"evaluation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
