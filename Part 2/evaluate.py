"""Measure generators, beside real test images and uniform noise.

    python evaluate.py                              the committed generator
    python evaluate.py --generator a.pth b.pth      several, a row each

The script prints two tables. In the first, a generator's numbers are the mean of five draws of
10,000 samples and, in brackets, the least and the greatest of the five. The second, of density,
coverage and the nearest training image, is measured on the first draw. Into out_dir goes
evaluation.png: twenty samples of the first generator, each above its nearest training image.
"""

import torch

from classifier import load_classifier
from common import (
    HERE,
    add_run_flags,
    begin,
    load_model,
    make_parser,
    number,
    print_heads,
    print_row,
    run,
    save,
)
from figures import evaluation_figure
from gan import Generator, in_batches, latent_points
from metrics import Comparison, density_and_coverage, nearest
from mnist import load_mnist

# The columns of the table with a spread: {title: (measure, format)}.
COLUMNS = {
    "Fréchet distance": ("frechet_distance", ".2f"),
    "Inception Score": ("inception_score", ".2f"),
    "confident": ("confident", ".1%"),
    "rarest digit": ("rarest_digit", ".1%"),
    "commonest digit": ("commonest_digit", ".1%"),
}
OTHERS = "density", "coverage", "nearest training image, median", "nearest training image, least"


def draws(generator, args, first_seed):
    """Yield args.n_draws batches of args.n_samples images; their noise has consecutive seeds."""
    for seed in range(first_seed, first_seed + args.n_draws):
        z = latent_points(args.n_samples, generator.latent_dim, seed, args.device)
        yield in_batches(generator, z)


def cells(rows):
    """Return mean and range of each measure over the rows, {measure: number}, as texts."""
    texts = []
    for measure, form in COLUMNS.values():
        values = [row[measure] for row in rows]
        text = f"{sum(values) / len(values):{form}}"
        if len(values) > 1:
            text += f" ({min(values):{form}} to {max(values):{form}})"
        texts.append(text)
    return texts


def print_quality(comparison, kinds):
    """Print the first table, a row for each of {name: draws}; return {name: its first draw}."""
    print_heads("images", *COLUMNS)
    first = {}
    for name, its_draws in kinds.items():
        rows = []
        for images in its_draws:
            first.setdefault(name, images)
            rows.append(comparison.quality(images))
        print_row(name, *cells(rows))
    return first


def print_neighbours(comparison, first):
    """Print the second table, of {name: images}.

    Density and coverage compare N images with the first N training images. Returns {name: indices
    (N,) of the training images nearest to the N images}.
    """
    print_heads("images, first draw", *OTHERS)
    indices = {}
    for name, images in first.items():
        features = in_batches(comparison.classifier.features, images)
        real = comparison.training_features[: len(images)]
        density, coverage = density_and_coverage(real, features)
        distances, indices[name] = nearest(images, comparison.training_images)
        median, least = distances.median(), distances.min()
        print_row(name, f"{density:.2f}", f"{coverage:.1%}", f"{median:.2f}", f"{least:.2f}")
    return indices


def main():
    """Measure all kinds of images, print both tables, draw the figure."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    files = [str(HERE / "mnist_generator.pth")]
    add("--generator", nargs="+", default=files, help="weights of the generators")
    add("--n_samples", type=number(int, 200, 10_000), default=10_000, help="images in a draw")
    add("--n_draws", type=number(int, 1, 100), default=5, help="draws of each generator")
    add_run_flags(parser, seed=5000)  # no setting was tuned on these noises
    args = parser.parse_args()
    begin(args)
    generators = {
        path: load_model(path, args.device, Generator.from_state_dict) for path in args.generator
    }
    comparison = Comparison(load_classifier("judge", args.device), load_mnist(True, args.device)[0])
    real = load_mnist(False, args.device)[0][: args.n_samples]
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(args.n_samples, 1, 28, 28, generator=rng).to(args.device) * 2 - 1

    kinds = {"real test images": [real]}
    for name, generator in generators.items():
        kinds[name] = draws(generator, args, args.seed)
    kinds["uniform noise"] = [noise]
    last = args.seed + args.n_draws - 1
    print(f"noise seeds {args.seed} to {last}, {args.n_samples:,} images in a draw\n")
    first = print_quality(comparison, kinds)
    print()
    indices = print_neighbours(comparison, first)

    shown = args.generator[0]
    neighbours = comparison.training_images[indices[shown][:20]]
    path = args.out_dir / "evaluation.png"
    save(path, evaluation_figure(first[shown][:20], neighbours).savefig)
    print(f"\nfigure in {path}")


if __name__ == "__main__":
    run(main)
