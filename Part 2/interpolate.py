"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 5, 1 to 6, 2 to 7, 3 to 8, 4 to 9
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

PAIRS = [(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)]
N_SAMPLES = 1_000  # of which each end is one


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


def walk(generator, pairs, steps=7, seed=0):
    """Return a Figure with a row of steps + 2 images for each pair of digits."""
    classifier, n = load_classifier(), steps + 2
    shares = torch.linspace(0, 1, n)[:, None]  # of the way
    digits = [digit for pair in pairs for digit in pair]
    ends = typical_points(digits, generator, classifier, seed)
    figure = Figure(figsize=(1.1 * n, 1.4 * len(pairs) + 0.8), layout="constrained")
    panels = figure.subplots(len(pairs), squeeze=False)[:, 0]
    for axes, (first, last) in zip(panels, pairs, strict=True):
        images = in_batches(generator, torch.lerp(ends[first], ends[last], shares))
        logits = in_batches(classifier, images)
        strip = torch.cat([*images[:, 0]], dim=1)  # (28, 28 n)
        axes.imshow(strip.numpy(), cmap="gray", vmin=-1, vmax=1)
        axes.set_xticks([28 * k + 13.5 for k in range(n)], logits.argmax(1).tolist())
        axes.set_yticks([])
        axes.grid(visible=False)
        for k in (~is_confident(logits)).nonzero().flatten().tolist():
            draw_frame(axes, 28 * k, 0)
    figure.suptitle("From one digit to another on a straight line in latent space", fontsize=17)
    text = "below: the digit that the classifier reads; framed: ambiguous, no digit above 90 %"
    figure.supxlabel(text, fontsize=12)
    return figure


def main():
    """Draw all rows, or the one that is asked for."""
    parser = make_parser(__doc__)
    text = "draw only one row, between these digits"
    parser.add_argument("--digits", type=int, choices=range(10), nargs=2, help=text)
    parser.add_argument("--steps", type=number(int, 1, 99), default=7, help="images between ends")
    parser.add_argument("--generator", type=Path, help="weights; None: yours in run/, or else ours")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error("argument --digits: they must be different")
    begin(args, file="interpolate.json")  # beside the settings.json of a training run
    pairs = [args.digits] if args.digits else PAIRS
    figure = walk(load_generator(args.generator), pairs, args.steps, args.seed)
    figure.savefig(args.out_dir / "interpolation.png")
    print(f"interpolation.png is in {args.out_dir}")


if __name__ == "__main__":
    main()
