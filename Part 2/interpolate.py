"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The steps are equal, on a straight line. The figure is interpolation.png in out_dir.
"""

import torch

from classifier import load_classifier
from common import (
    HERE,
    InputError,
    add_run_flags,
    begin,
    load_model,
    make_parser,
    number,
    run,
    save,
)
from figures import interpolation_figure
from gan import Generator, in_batches, latent_points
from mnist import load_mnist

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_IMAGES = 9  # in a row, both ends included
LEAST_CONFIDENCE = 0.99  # of an end
N_SAMPLES = 5_000  # among which the ends are found
N_TRAINING = 5_000  # training images behind the mean of each digit


def parse_args():
    """Return the settings of the command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    digit = number(int, 0, 9)
    add("--digits", type=digit, nargs=2, metavar=("A", "B"), help="one row, from A to B")
    add("--generator", default=HERE / "mnist_generator.pth", help="weights of the generator")
    add_run_flags(parser)
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error(f"argument --digits: {args.digits[0]} and {args.digits[1]} must be different")
    return args


def typical_points(generator, classifier, images, labels, digits, seed):
    """Return {digit: z (latent_dim,)}, points whose images are clear and typical of their digit.

    A sample, of N_SAMPLES, is clear if the classifier gives the digit at least LEAST_CONFIDENCE.
    The most typical clear one has features nearest to the mean of the digit's training images
    (images, labels). Raises InputError when no sample of a digit is clear.
    """
    z = latent_points(N_SAMPLES, generator.latent_dim, seed, images.device)
    features = in_batches(classifier.features, in_batches(generator, z))
    confidence, read = in_batches(classifier.head, features).softmax(1).max(1)
    training_features = in_batches(classifier.features, images)
    points = {}
    for digit in digits:
        clear = (read == digit) & (confidence >= LEAST_CONFIDENCE)
        if not clear.any():
            raise InputError(f"--generator: none of {N_SAMPLES} samples is a clear {digit}")
        center = training_features[labels == digit].mean(0)
        points[digit] = z[clear][(features[clear] - center).norm(dim=1).argmin()]
    return points


def main():
    """Find the ends, walk between them, draw the images."""
    args = parse_args()
    begin(args)
    generator = load_model(args.generator, args.device, Generator.from_state_dict)
    classifier = load_classifier("judge", args.device)
    images, labels = (tensor[:N_TRAINING] for tensor in load_mnist(True, args.device))

    pairs = [args.digits] if args.digits else PAIRS
    digits = [digit for pair in pairs for digit in pair]
    ends = typical_points(generator, classifier, images, labels, digits, args.seed)
    weights = torch.linspace(0, 1, N_IMAGES, device=args.device)[:, None]
    rows = []
    for start, end in pairs:
        z = torch.lerp(ends[start], ends[end], weights)
        images = in_batches(generator, z)
        read = in_batches(classifier, images).argmax(1)
        distinct = len(images.mul(127.5).round().unique(dim=0))
        # From image to image, the pixel distance (pixels in 0..1) per unit of z.
        slopes = images.diff(dim=0).flatten(1).norm(dim=1) / 2 / (z[1] - z[0]).norm()
        print(
            f"{start} to {end}: read as {' '.join(map(str, read.tolist()))}, {distinct} distinct; "
            f"change per unit of z {slopes.min():.2f} to {slopes.max():.2f}, greatest in step "
            f"{slopes.argmax() + 1}"
        )
        rows.append((images, read))
    path = args.out_dir / "interpolation.png"
    save(path, interpolation_figure(rows).savefig)
    print(f"figure in {path}")


if __name__ == "__main__":
    run(main)
