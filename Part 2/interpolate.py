"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The steps are equal, on a straight line. interpolation.png shows the images, and interpolation.csv
has the digits that the judge reads in them.
"""

import torch

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, load, make_parser, run, save, save_csv
from figures import interpolation_figure
from gan import Generator
from metrics import in_batches, latent_points
from mnist import load_mnist

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_IMAGES = 9  # in a row, both ends included
LEAST_CONFIDENCE = 0.99  # of an end
N_SAMPLES = 5_000  # among which the ends are found
N_TRAINING = 5_000  # training images behind the mean of each digit


def typical_points(generator, classifier, digits, seed):
    """Return {digit: z (latent_dim,)}, points whose images are typical of their digit.

    Each is one of N_SAMPLES to which the classifier gives the digit LEAST_CONFIDENCE, and of these
    the one whose features are nearest to the mean of the digit's among N_TRAINING training images.
    """
    device = next(generator.parameters()).device
    images, labels = (tensor[:N_TRAINING] for tensor in load_mnist(True, device))
    training_features = in_batches(classifier.body, images)
    z = latent_points(N_SAMPLES, generator.latent_dim, seed, device)
    features = in_batches(classifier.body, in_batches(generator, z))
    confidence, read = in_batches(classifier.head, features).softmax(1).max(1)
    points = {}
    for digit in digits:
        sure = (read == digit) & (confidence >= LEAST_CONFIDENCE)
        if not sure.any():
            raise InputError(f"--generator: none of {N_SAMPLES} samples is surely a {digit}")
        center = training_features[labels == digit].mean(0)
        points[digit] = z[sure][(features[sure] - center).norm(dim=1).argmin()]
    return points


def main():
    """Find the ends, walk between them, draw the images."""
    parser = make_parser(__doc__)
    parser.add_argument("--digits", type=int, choices=range(10), nargs=2, help="draw only one row")
    parser.add_argument("--generator", default=HERE / "mnist_generator.pth", help="weights file")
    add_run_flags(parser)
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error(f"argument --digits: {args.digits[0]} and {args.digits[1]} must be different")
    begin(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    judge = load_classifier("judge", args.device)
    pairs = [args.digits] if args.digits else PAIRS
    ends = typical_points(generator, judge, {digit for pair in pairs for digit in pair}, args.seed)
    steps = torch.linspace(0, 1, N_IMAGES, device=args.device)[:, None]
    rows, table = [], []
    for start, end in pairs:
        images = in_batches(generator, torch.lerp(ends[start], ends[end], steps))
        digits = in_batches(judge, images).argmax(1).tolist()
        rows.append((images, digits))
        table.append({"from": start, "to": end, "digits read": " ".join(map(str, digits))})
    save(args.out_dir / "interpolation.png", interpolation_figure(rows).savefig)
    save_csv(args.out_dir / "interpolation.csv", table, show=True)
    print(f"interpolation.png and interpolation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
