"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The points of a row lie on a straight line: on the left in equal steps of z, on the right in steps
that change the image equally. An end is the first sample, in the order of the noise, of which the
judge is more than 99 % sure. It takes some seconds.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from common import begin, make_parser, number, save_figure, save_table
from judge import load_judge
from latent import in_batches, latent_points, load_generator

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_SAMPLES, SURE = 1_000, 0.99  # an end is one of so many, of which the judge is so sure


def first_sure(digits, generator, judge, seed):
    """Return {digit: z (latent_dim,)}: the first point whose image is surely the digit.

    Where there is none, as early in a training, it is the surest one.
    """
    z = latent_points(N_SAMPLES, generator.latent_dim, seed)
    shares = in_batches(judge, in_batches(generator, z)).softmax(1)
    ends = {}
    for digit in digits:
        pick = (shares[:, digit] > SURE).int().argmax()  # the first one
        if shares[pick, digit] <= SURE:
            pick = shares[:, digit].argmax()
            print(f"none of {N_SAMPLES} samples is surely a {digit}; here is the surest")
        ends[digit] = z[pick]
    return ends


def line_images(generator, start, end, shares):
    """Return the images (N, 1, 28, 28) at N shares in [0, 1] of the line from start to end."""
    return in_batches(generator, torch.lerp(start, end, shares[:, None]))


def lengths(images):
    """Return how much each of the images (N, 1, 28, 28) differs from the one before, (N - 1,)."""
    return (images[1:] - images[:-1]).flatten(1).norm(dim=1)


def even_shares(generator, start, end, n):
    """Return n shares, 0 to 1, of the line from start to end: equal steps of the image's path."""
    fine = torch.linspace(0, 1, 1001)
    changes = lengths(line_images(generator, start, end, fine)).tolist()
    walked = np.cumsum([0, *changes])
    return torch.from_numpy(np.interp(np.linspace(0, walked[-1], n), walked, fine.numpy())).float()


def draw(rows, titles):
    """Return a Figure with a row for each of rows, a panel for each of the titles.

    A panel is (images (N, 1, 28, 28), [digit that the judge reads in each]).
    """
    n = len(rows[0][0][0])
    figure = Figure(figsize=(0.82 * n * len(titles), 1.1 * len(rows) + 0.6), layout="constrained")
    grid = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        for axes, (images, digits) in zip(line, row, strict=True):
            strip = torch.cat([*images[:, 0]], dim=1)  # (28, 28 N)
            axes.imshow(strip.numpy(), cmap="gray", vmin=-1, vmax=1)
            axes.set_xticks([28 * k + 13.5 for k in range(n)], digits)
            axes.set_yticks([])
            axes.grid(visible=False)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    figure.suptitle("From one digit to another on a straight line in latent space", fontsize=17)
    figure.supxlabel("below each image: the digit that the judge reads in it", fontsize=12)
    return figure


def main():
    """Find the ends, walk between them, draw the images."""
    parser = make_parser(__doc__)
    text = "draw only one row, between these digits"
    parser.add_argument("--digits", type=int, choices=range(10), nargs=2, help=text)
    text = "images between the two ends"
    parser.add_argument("--steps", type=number(int, 1, 99), default=7, help=text)
    text = "weights; without, run/mnist_generator.pth if it is there, else mnist_generator.pth"
    parser.add_argument("--generator", type=Path, help=text)
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error("argument --digits: they must be different")
    begin(args)
    generator, judge = load_generator(args.generator), load_judge()
    pairs, n = [args.digits] if args.digits else PAIRS, args.steps + 2
    ends = first_sure([digit for pair in pairs for digit in pair], generator, judge, args.seed)
    rows, table = [], []
    for start, end in pairs:
        line = ends[start], ends[end]
        walks = {"z": torch.linspace(0, 1, n), "the image": even_shares(generator, *line, n)}
        rows.append([])
        for name, shares in walks.items():
            images = line_images(generator, *line, shares)
            digits = in_batches(judge, images).argmax(1).tolist()
            rows[-1].append((images, digits))
            row = {"from": start, "to": end, "equal steps of": name}
            row["digits read"] = " ".join(map(str, digits))
            largest = lengths(images).max() / lengths(images).sum()
            table.append(row | {"largest step, % of all": f"{100 * largest:.0f}"})
    save_table(args.out_dir / "interpolation.csv", table)
    titles = "equal steps of z", "equal steps of the image"
    save_figure(args.out_dir / "interpolation.png", draw(rows, titles), table)
    print(f"interpolation.png and interpolation.csv are in {args.out_dir}")


if __name__ == "__main__":
    main()
