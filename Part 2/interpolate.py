"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row
    python interpolate.py --all              a table instead: all pairs of digits

The steps are equal, on a straight line. The figure is interpolation.png in out_dir. --all measures
the rows between all 45 pairs of digits, with the ends of five seeds, on straight lines and on arcs.
"""

from itertools import combinations

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
    print_heads,
    print_row,
    run,
    save,
)
from figures import interpolation_figure
from gan import Generator, in_batches, latent_points
from metrics import confident
from mnist import load_mnist

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_IMAGES = 9  # in a row, both ends included
LEAST_CONFIDENCE = 0.99  # of an end
N_SAMPLES = 5_000  # among which the ends are found
N_TRAINING = 5_000  # training images behind the mean of each digit
N_SEEDS = 5  # of --all


def parse_args():
    """Return the settings of the command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    digit = number(int, 0, 9)
    either = parser.add_mutually_exclusive_group().add_argument
    either("--digits", type=digit, nargs=2, metavar=("A", "B"), help="one row, from A to B")
    either("--all", action="store_true", help="measure all pairs of digits, on two paths")
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


def arc(start, end, weights):
    """Return points (N, latent_dim) on the arc from start to end, at weights (N, 1) in [0, 1].

    start and end (latent_dim,) must not be parallel. Between ends of one norm, a line comes
    nearer to 0, and the arc keeps the norm (spherical interpolation, Shoemake 1985).
    """
    angle = torch.acos(torch.cosine_similarity(start, end, dim=0))
    at_start, at_end = torch.sin((1 - weights) * angle), torch.sin(weights * angle)
    return (at_start * start + at_end * end) / torch.sin(angle)


PATHS = {"line": torch.lerp, "arc": arc}


def walk(generator, classifier, path, start, end):
    """Return (images, logits, changes) on a path of N = N_IMAGES points from start to end.

    logits (N, 10) are the classifier's; changes (N - 1,) are the pixel distances between
    neighbouring images, with pixels in 0..1.
    """
    weights = torch.linspace(0, 1, N_IMAGES, device=start.device)[:, None]
    images = in_batches(generator, path(start, end, weights))
    changes = images.diff(dim=0).flatten(1).norm(dim=1) / 2
    return images, in_batches(classifier, images), changes


def print_all(generator, classifier, ends):
    """Print a row for each path: how clear are the images between the ends, where do they change?

    ends is a list of {digit: z (latent_dim,)}.
    """
    print_heads(
        "path",
        "rows",
        "images between the ends that are confident",
        "steps at which the digit changes",
        "rows whose greatest change is at such a step",
        "change at such a step, relative to other steps",
    )
    for name, path in PATHS.items():
        walks = [
            walk(generator, classifier, path, points[a], points[b])[1:]
            for points in ends
            for a, b in combinations(range(10), 2)
        ]
        logits, changes = (torch.stack(parts) for parts in zip(*walks, strict=True))
        sure = confident(logits[:, 1:-1].flatten(0, 1))
        read = logits.argmax(2)
        jumps = read[:, 1:] != read[:, :-1]  # (rows, steps): True where the digit changes
        greatest = jumps.gather(1, changes.argmax(1, keepdim=True))
        ratio = changes[jumps].mean() / changes[~jumps].mean()
        shares = sure, jumps.float().mean(), greatest.float().mean()
        print_row(name, len(walks), *(f"{share:.1%}" for share in shares), f"{ratio:.2f}")


def main():
    """Find the ends, walk between them, draw the images."""
    args = parse_args()
    begin(args)
    generator = load_model(args.generator, args.device, Generator.from_state_dict)
    classifier = load_classifier("judge", args.device)
    images, labels = (tensor[:N_TRAINING] for tensor in load_mnist(True, args.device))

    if args.all:
        seeds = range(args.seed, args.seed + N_SEEDS)
        ends = [typical_points(generator, classifier, images, labels, range(10), n) for n in seeds]
        print_all(generator, classifier, ends)
        return
    pairs = [args.digits] if args.digits else PAIRS
    digits = [digit for pair in pairs for digit in pair]
    ends = typical_points(generator, classifier, images, labels, digits, args.seed)
    rows = []
    for start, end in pairs:
        images, logits, changes = walk(generator, classifier, torch.lerp, ends[start], ends[end])
        read = logits.argmax(1)
        distinct = len(images.mul(127.5).round().unique(dim=0))
        slopes = changes * (N_IMAGES - 1) / (ends[end] - ends[start]).norm()  # per unit of z
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
