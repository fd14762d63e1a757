"""Measure generators, beside real test images and uniform noise.

    python evaluate.py                              the committed generator
    python evaluate.py --generator a.pth b.pth      several, a row each

The script prints one table. A generator's numbers are the mean of five draws of 10,000 samples and,
in brackets, the least and the greatest of the five; density, coverage and the nearest training
image come from the first draw. Into out_dir goes evaluation.png: twenty samples of the first
generator, each above its nearest training image.
"""

from pathlib import Path

import torch

from classifier import Classifier
from common import (
    add_run_flags,
    load_model,
    make_folder,
    make_parser,
    number,
    print_heads,
    print_row,
    run,
    save,
    show_settings,
)
from figures import evaluation_figure
from gan import Generator, in_batches, latent_points
from metrics import Judge, density_and_coverage, nearest
from mnist import DATA_DIR, load_mnist

HERE = Path(__file__).parent
# The columns of the table with a spread: {title: (measure, format)}.
COLUMNS = {
    "Fréchet distance": ("frechet_distance", ".2f"),
    "Inception Score": ("inception_score", ".2f"),
    "confident": ("confident", ".1%"),
    "rarest digit": ("rarest_digit", ".1%"),
    "commonest digit": ("commonest_digit", ".1%"),
}
OTHERS = ["density", "coverage", "nearest, median", "nearest, least"]


def parse_args():
    """Return the settings of the command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    generators = [str(HERE / "mnist_generator.pth")]
    add("--generator", nargs="+", default=generators, help="weights of the generators")
    add("--classifier", default=HERE / "mnist_judge.pth", help="weights of the CNN that judges")
    add("--n_samples", type=number(int, 200, 10_000), default=10_000, help="images in a draw")
    add("--n_draws", type=number(int, 1, 100), default=5, help="draws of each generator")
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    add_run_flags(parser, HERE / "run", seed=5000)  # no setting was tuned on these noises
    return parser.parse_args()


def draw(generator, args, seed):
    """Return args.n_samples images of the generator; seed is that of the noise."""
    z = latent_points(args.n_samples, generator.latent_dim, seed, args.device)
    return in_batches(generator, z)


def qualities(judge, generator, args, first_seed):
    """Return the rows {measure: number} of args.n_draws draws of the generator."""
    rows = []
    for seed in range(first_seed, first_seed + args.n_draws):
        images = draw(generator, args, seed)
        rows.append(judge.quality(images))
    return rows


def cells(rows):
    """Return cells of the table: of each measure the mean and the range of rows."""
    texts = []
    for measure, form in COLUMNS.values():
        values = [row[measure] for row in rows]
        text = f"{sum(values) / len(values):{form}}"
        if len(values) > 1:
            text += f" ({min(values):{form}} to {max(values):{form}})"
        texts.append(text)
    return texts


def print_measures(name, rows, images, judge):
    """Print the row of these images; return the indices (N,) of the nearest training images.

    rows holds the measures of all draws, images are those of the first draw.
    """
    features = in_batches(judge.classifier.features, images)
    density, coverage = density_and_coverage(judge.training_features[: len(images)], features)
    distances, indices = nearest(images, judge.training_images)
    others = [f"{density:.2f}", f"{coverage:.1%}"]
    others += [f"{distances.median():.2f}", f"{distances.min():.2f}"]
    print_row(name, *cells(rows), *others)
    return indices


def main():
    """Measure all kinds of images, print the table, draw the figure."""
    args = parse_args()
    show_settings(args)
    generators = {}
    for path in args.generator:
        generators[path] = load_model(path, args.device, Generator.from_state_dict)
    classifier = load_model(args.classifier, args.device, Classifier.from_state_dict)
    judge = Judge(classifier, load_mnist(args.data_dir, True, args.device)[0])
    real = load_mnist(args.data_dir, False, args.device)[0][: args.n_samples]
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(args.n_samples, 1, 28, 28, generator=rng).to(args.device) * 2 - 1
    make_folder(args.out_dir)

    last = args.seed + args.n_draws - 1
    print(f"noise seeds {args.seed} to {last}, {args.n_samples:,} images in a draw")
    print_heads("images", *COLUMNS, *OTHERS)
    real_row = judge.quality(real)
    print_measures("real test images", [real_row], real, judge)
    for n, (name, generator) in enumerate(generators.items()):
        rows = qualities(judge, generator, args, args.seed)
        images = draw(generator, args, args.seed)
        indices = print_measures(name, rows, images, judge)
        if n == 0:
            figure = evaluation_figure(images[:20], judge.training_images[indices[:20]])
    noise_row = judge.quality(noise)
    print_measures("uniform noise", [noise_row], noise, judge)

    path = Path(args.out_dir) / "evaluation.png"
    save(path, figure.savefig)
    print(f"figure in {path}")


if __name__ == "__main__":
    run(main)
