"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

draws pics/interpolation.png within 10 s on a CPU. Under each image stands the digit that the
classifier reads in it.
"""

from pathlib import Path

import matplotlib
import torch
from classifier import Classifier
from common import (
    InputError,
    add_run_flags,
    load,
    make_folder,
    make_parser,
    number,
    run,
    save,
    show_settings,
)
from gan import Generator
from metrics import in_pieces, latent_points
from mnist import DATA_DIR, load_mnist

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
PICS = HERE.parent / "pics"
PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
CONFIDENCE = 0.99  # what the classifier must grant to an image that may be an end
TRIES = 5_000  # samples to seek the ends in; as many training images say what is typical


def lerp(a, b, t):
    """Return the points (len(t), D) at the shares t, in 0..1, of the straight line from a to b."""
    return torch.lerp(a, b, t[:, None])


def slerp(a, b, t):
    """Return the points (len(t), D) at the shares t, in 0..1, of the arc from a to b.

    The norm of 100 normal numbers is nearly always close to 10, that of the middle of a straight
    line between two such points close to 7. An arc keeps the norm (Shoemake 1985).
    """
    angle = torch.arccos(torch.dot(a, b) / (a.norm() * b.norm()))
    t = t[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def typical_points(generator, classifier, images, labels, digits, seed):
    """Return {digit: z (latent_dim,)}, points whose images are clear and typical of their digit.

    Of TRIES samples drawn with the seed, each is the one whose features lie nearest to the mean of
    the digit's training images (images, labels), among those that the classifier reads as the digit
    with at least CONFIDENCE. Raises InputError when there is none.
    """
    z = latent_points(TRIES, generator.latent_dim, seed, images.device)
    features = in_pieces(classifier.features, in_pieces(generator, z))
    confidence, read = in_pieces(classifier.head, features).softmax(1).max(1)
    known = in_pieces(classifier.features, images)
    points = {}
    for digit in digits:
        clear = (read == digit) & (confidence >= CONFIDENCE)
        if not clear.any():
            raise InputError(f"--generator: none of {TRIES} samples is a clear {digit}")
        center = known[labels == digit].mean(0)
        points[digit] = z[clear][(features[clear] - center).norm(dim=1).argmin()]
    return points


def draw(path, rows):
    """Draw rows of (images (N, 1, 28, 28), digits read (N,)), each digit under its image."""
    columns = len(rows[0][0])
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(columns, 1.25 * len(rows)), layout="constrained", squeeze=False
    )
    for line, (images, digits) in zip(axes, rows, strict=True):
        for axis, image, digit in zip(line, images.cpu(), digits, strict=True):
            axis.imshow(image[0], cmap="gray", vmin=-1, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(digit.item(), fontsize=12, labelpad=2)
        for end in line[0], line[-1]:
            end.set_xlabel(end.get_xlabel(), fontweight="bold")
    title = f"two samples of the generator, left and right, and {columns - 2} steps between them"
    figure.suptitle(title, fontsize=13)
    save(path, lambda file: figure.savefig(file, format="png", dpi=100))


def main():
    """Find the ends, walk between them, draw the images."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    digit = number(int, 0, 9)
    add("--digits", type=digit, nargs=2, metavar=("A", "B"), help="one row, from A to B")
    add("--steps", type=number(int, 1, 30), default=7, help="images between the two ends")
    add("--method", choices=["linear", "slerp"], default="linear", help="straight line or arc")
    add("--generator", default=HERE / "mnist_generator.pth", help="weights of the generator")
    add("--classifier", default=HERE / "mnist_classifier.pth", help="weights of the classifier")
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    add_run_flags(parser, PICS)
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error(f"argument --digits: {args.digits[0]} and {args.digits[1]} must be different")
    show_settings(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    classifier = load(args.classifier, args.device, Classifier.from_state_dict)
    if args.method == "slerp" and generator.latent_dim == 1:
        parser.error("argument --method: 'slerp' needs a generator of latent_dim 2 or more")
    images, labels = (tensor[:TRIES] for tensor in load_mnist(args.data_dir, True, args.device))
    make_folder(args.out_dir)

    pairs = [args.digits] if args.digits else PAIRS
    digits = [digit for pair in pairs for digit in pair]
    ends = typical_points(generator, classifier, images, labels, digits, args.seed)
    path = {"linear": lerp, "slerp": slerp}[args.method]
    shares = torch.linspace(0, 1, args.steps + 2, device=args.device)
    rows = []
    for start, end in pairs:
        images = in_pieces(generator, path(ends[start], ends[end], shares))
        read = in_pieces(classifier, images).argmax(1)
        distinct = len(images.mul(127.5).round().unique(dim=0))
        change = (images[1:] - images[:-1]).flatten(1).norm(dim=1)  # in pixels, step by step
        print(
            f"{start} to {end}: read as {' '.join(map(str, read.tolist()))}, {distinct} distinct; "
            f"the largest step makes {change.max() / change.sum():.0%} of the change"
        )
        rows.append((images, read))
    target = Path(args.out_dir) / "interpolation.png"
    draw(target, rows)
    print(f"figure in {target}")


if __name__ == "__main__":
    run(main)
