"""Walk from one digit to another in latent space: nine images, both ends included.

    python interpolate.py                    two digits chosen by --seed
    python interpolate.py --digits 3 8

draws pics/interpolation.png within seconds on a CPU. Each image stands under the digit that the
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

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
PICS = HERE.parent / "pics"
CONFIDENCE = 0.99  # what the classifier must grant to an image that may be an end


def lerp(a, b, t):
    """Return the points (len(t), D) at the shares t, in 0..1, of the straight line from a to b."""
    return torch.lerp(a, b, t[:, None])


def slerp(a, b, t):
    """Return the points (len(t), D) at the shares t, in 0..1, of the arc from a to b.

    The norm of 100 normal numbers is nearly always close to 10; the middle of a straight line is
    shorter, where the generator was hardly trained. An arc keeps the norm (Shoemake 1985).
    """
    angle = torch.arccos(torch.dot(a, b) / (a.norm() * b.norm()))
    t = t[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


@torch.no_grad()
def find_ends(generator, classifier, digits, seed, tries=2_000):
    """Return a latent point (latent_dim,) for each of two digits, whose images show them clearly.

    They are the first of tries points, drawn with seed, whose images the classifier reads so with
    a confidence of at least CONFIDENCE; without digits, the first two that are read differently.
    Raises InputError when there is none.
    """
    device = next(generator.parameters()).device
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(tries, generator.latent_dim, generator=rng).to(device)
    confidence, seen = classifier(generator(z)).softmax(1).max(1)
    clear = confidence >= CONFIDENCE
    if digits is None:
        if len(seen[clear].unique()) < 2:
            raise InputError(f"--generator: {tries} samples hold no two different clear digits")
        start = seen[clear][0]
        digits = start, seen[clear & (seen != start)][0]
    ends = []
    for digit in digits:
        points = z[clear & (seen == digit)]
        if not len(points):
            raise InputError(f"--digits: none of {tries} samples is a clear {digit}; try --seed")
        ends.append(points[0])
    return ends


def main():
    """Find the two ends, walk between them and draw the images."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    digit = number(int, 0, 9)
    add("--digits", type=digit, nargs=2, metavar=("A", "B"), help="first and last digit, different")
    add("--steps", type=number(int, 1, 100), default=7, help="images between the two ends")
    add("--method", choices=["linear", "slerp"], default="linear", help="straight line or arc")
    add("--generator", default=HERE / "mnist_generator.pth", help="weights of the generator")
    add("--classifier", default=HERE / "mnist_classifier.pth", help="weights of the classifier")
    add_run_flags(parser, PICS)
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error(f"argument --digits: {args.digits[0]} and {args.digits[1]} must be different")
    show_settings(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    classifier = load(args.classifier, args.device, Classifier.from_state_dict)
    if args.method == "slerp" and generator.latent_dim == 1:
        parser.error("argument --method: 'slerp' needs a generator of latent_dim 2 or more")
    start, end = find_ends(generator, classifier, args.digits, args.seed)
    make_folder(args.out_dir)

    path = {"linear": lerp, "slerp": slerp}[args.method]
    z = path(start, end, torch.linspace(0, 1, args.steps + 2, device=args.device))
    with torch.no_grad():
        images = generator(z)
        confidence, seen = classifier(images).softmax(1).max(1)

    columns = min(len(z), 9)
    rows = -(-len(z) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns, 1.35 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, digit, share in zip(axes.flat, images.cpu(), seen, confidence, strict=False):
        axis.imshow(image[0], cmap="gray", vmin=-1, vmax=1)
        axis.set_title(f"{digit}  {share:.0%}", fontsize=10)
    target = Path(args.out_dir) / "interpolation.png"
    save(target, lambda file: figure.savefig(file, format="png", dpi=100))
    print("the classifier reads", " ".join(str(digit.item()) for digit in seen))
    pixels = images.mul(127.5).round()
    print(f"{len(pixels.unique(dim=0))} distinct images in {target}")


if __name__ == "__main__":
    run(main)
