"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The points of a row lie on a straight line, in equal steps. An end is the most typical sample of its
digit: of those that the evaluation classifier reads as this digit, the one whose features are
nearest to their mean. It takes some seconds.
"""

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure

from classifier import load_classifier
from common import begin, make_parser, number
from latent import draw_frame, in_batches, latent_points, load_generator
from metrics import is_confident

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_SAMPLES = 1_000  # an end is one of so many


def typical_points(digits, generator, classifier, seed):
    """Return {digit: z (latent_dim,)}: the point whose image is the most typical of the digit."""
    z = latent_points(N_SAMPLES, generator.latent_dim, seed)
    features = in_batches(classifier.body, in_batches(generator, z))
    logits = in_batches(classifier.head, features)
    ends = {}
    for digit in digits:
        own = logits.argmax(1) == digit
        if not own.any():
            sys.exit(f"none of {N_SAMPLES} samples is read as a {digit}, so none can be an end")
        away = (features - features[own].mean(0)).norm(dim=1)  # from the mean of its own
        ends[digit] = z[away.where(own, torch.inf).argmin()]
    return ends


def line_images(generator, start, end, n):
    """Return the images (n, 1, 28, 28) of n points z from start to end, both included."""
    shares = torch.linspace(0, 1, n)[:, None]
    return in_batches(generator, torch.lerp(start, end, shares))


def interpolation_figure(rows, logits):
    """Return a Figure of rows, images (N, 1, 28, 28), and of the classifier's logits (N, 10)."""
    n = len(rows[0])
    figure = Figure(figsize=(1.1 * n, 1.4 * len(rows) + 0.8), layout="constrained")
    panels = figure.subplots(len(rows), squeeze=False)[:, 0]
    for axes, images, of_row in zip(panels, rows, logits, strict=True):
        strip = torch.cat([*images[:, 0]], dim=1)  # (28, 28 N)
        axes.imshow(strip.numpy(), cmap="gray", vmin=-1, vmax=1)
        axes.set_xticks([28 * k + 13.5 for k in range(n)], of_row.argmax(1).tolist())
        axes.set_yticks([])
        axes.grid(visible=False)
        for k in (~is_confident(of_row)).nonzero().flatten().tolist():
            draw_frame(axes, 28 * k, 0)
    figure.suptitle("From one digit to another on a straight line in latent space", fontsize=17)
    text = "below each image: the digit that the classifier reads in it; framed: ambiguous"
    figure.supxlabel(text, fontsize=12)
    return figure


def main(argv=None):
    """Find the ends, walk between them, draw the images."""
    parser = make_parser(__doc__)
    text = "draw only one row, between these digits"
    parser.add_argument("--digits", type=int, choices=range(10), nargs=2, help=text)
    parser.add_argument("--steps", type=number(int, 1, 99), default=7, help="images between ends")
    parser.add_argument("--generator", type=Path, help="weights; None: yours in run/, or else ours")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args(argv)
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error("argument --digits: they must be different")
    begin(args)
    generator, classifier = load_generator(args.generator), load_classifier()
    pairs = [args.digits] if args.digits else PAIRS
    digits = [digit for pair in pairs for digit in pair]
    ends = typical_points(digits, generator, classifier, args.seed)
    rows = [line_images(generator, ends[a], ends[b], args.steps + 2) for a, b in pairs]
    logits = [in_batches(classifier, images) for images in rows]
    interpolation_figure(rows, logits).savefig(args.out_dir / "interpolation.png")
    print(f"interpolation.png is in {args.out_dir}")


if __name__ == "__main__":
    main()
