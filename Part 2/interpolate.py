"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The steps are equal, on a straight line. The figure is interpolation.png in out_dir.
"""

from pathlib import Path

import torch

from classifier import Classifier
from common import InputError, add_run_flags, begin, load_model, make_parser, number, run, save
from figures import interpolation_figure
from gan import Generator, in_batches, latent_points
from mnist import DATA_DIR, load_mnist

HERE = Path(__file__).parent
PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
LEAST_CONFIDENCE = 0.99  # of an end
TRIES = 5_000  # samples among which the ends are found; as many training images


def parse_args():
    """Return the settings of the command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    digit = number(int, 0, 9)
    add("--digits", type=digit, nargs=2, metavar=("A", "B"), help="one row, from A to B")
    add("--steps", type=number(int, 1, 30), default=7, help="images between the two ends")
    add("--generator", default=HERE / "mnist_generator.pth", help="weights of the generator")
    add("--classifier", default=HERE / "mnist_judge.pth", help="weights of the CNN that judges")
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    add_run_flags(parser, HERE / "run")
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error(f"argument --digits: {args.digits[0]} and {args.digits[1]} must be different")
    return args


def line(a, b, shares):
    """Return the points (N, D) at the shares (N,), in 0..1, of the straight line from a to b."""
    return torch.lerp(a, b, shares[:, None])


def typical_points(generator, classifier, images, labels, digits, seed):
    """Return {digit: z (latent_dim,)}, points whose images are clear and typical of their digit.

    A sample (of TRIES) is clear if the classifier gives the digit at least LEAST_CONFIDENCE. The
    most typical clear one has features nearest to the mean of the digit's training images
    (images, labels). Raises InputError when no sample is clear.
    """
    z = latent_points(TRIES, generator.latent_dim, seed, images.device)
    features = in_batches(classifier.features, in_batches(generator, z))
    confidence, read = in_batches(classifier.head, features).softmax(1).max(1)
    training_features = in_batches(classifier.features, images)
    points = {}
    for digit in digits:
        clear = (read == digit) & (confidence >= LEAST_CONFIDENCE)
        if not clear.any():
            raise InputError(f"--generator: none of {TRIES} samples is a clear {digit}")
        center = training_features[labels == digit].mean(0)
        points[digit] = z[clear][(features[clear] - center).norm(dim=1).argmin()]
    return points


def changes(images, others):
    """Return (N,), the distance of each image to its counterpart, pixels in 0..1."""
    return (images - others).flatten(1).norm(dim=1) / 2


def random_changes(generator, length, seed, device):
    """Return (1000,), how far the image changes in steps of this length at random points.

    The points are standard normal, as in the training, and the directions are random.
    """
    z = latent_points(1000, generator.latent_dim, seed, device)
    steps = latent_points(1000, generator.latent_dim, seed + 1, device)
    steps *= length / steps.norm(dim=1, keepdim=True)
    return changes(in_batches(generator, z + steps), in_batches(generator, z))


def main():
    """Find the ends, walk between them, draw the images."""
    args = parse_args()
    begin(args)
    generator = load_model(args.generator, args.device, Generator.from_state_dict)
    classifier = load_model(args.classifier, args.device, Classifier.from_state_dict)
    images, labels = load_mnist(args.data_dir, True, args.device)

    pairs = [args.digits] if args.digits else PAIRS
    digits = [digit for pair in pairs for digit in pair]
    ends = typical_points(generator, classifier, images[:TRIES], labels[:TRIES], digits, args.seed)
    shares = torch.linspace(0, 1, args.steps + 2, device=args.device)
    rows = []
    for start, end in pairs:
        z = line(ends[start], ends[end], shares)
        images = in_batches(generator, z)
        read = in_batches(classifier, images).argmax(1)
        distinct = len(images.mul(127.5).round().unique(dim=0))
        length = (z[1] - z[0]).norm()
        # Change of the image per unit of z, along the line and at random points.
        slopes = changes(images[1:], images[:-1]) / length
        elsewhere = random_changes(generator, length, args.seed + 1, args.device) / length
        print(
            f"{start} to {end}: read as {' '.join(map(str, read.tolist()))}, {distinct} distinct; "
            f"change per unit of z {slopes.min():.2f} to {slopes.max():.2f}, greatest in step "
            f"{slopes.argmax() + 1}; at random points {elsewhere.mean():.2f} on average, "
            f"{elsewhere.quantile(0.95):.2f} at the 95th percentile"
        )
        rows.append((images, read))
    path = Path(args.out_dir) / "interpolation.png"
    save(path, interpolation_figure(rows).savefig)
    print(f"figure in {path}")


if __name__ == "__main__":
    run(main)
