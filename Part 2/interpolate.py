"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The steps are equal, on a straight line. interpolation.png shows the images, and interpolation.csv
has the digits that the judge reads in them.
"""

import math
import sys

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from classifier import load_judge
from common import HERE, begin, load, make_parser, number, save_figure, save_table
from gan import Generator
from metrics import in_batches, latent_points

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_SAMPLES, SURE = 5_000, 0.99  # an end is one of so many, in which the judge is so sure of a digit


def random_directions(z, rng):
    """Return random vectors of norm 1, one for each row of z (N, latent_dim)."""
    return F.normalize(torch.randn(z.shape, generator=rng), dim=1)


def steepness(generator, z, rng, n_directions=8, step=0.1, rows=slice(None)):
    """Return the steepness (N,) of the generator G at z (N, latent_dim), or at some rows of z.

    It is the mean of |G(z + step u) - G(z)| / step over random directions u of norm 1, with pixels
    in 0..1. The directions of a row are the same, whichever other rows are asked for.
    """
    images = in_batches(generator, z[rows])
    slopes = []
    for _ in range(n_directions):
        moved = in_batches(generator, z[rows] + step * random_directions(z, rng)[rows])
        slopes.append((moved - images).flatten(1).norm(dim=1) / 2 / step)  # 2: pixels to 0..1
    return torch.stack(slopes).mean(0)


def flattest_points(digits, generator, judge, seed):
    """Return {digit: z (latent_dim,)}, of the samples that are surely the digit the flattest."""
    z = latent_points(N_SAMPLES, generator.latent_dim, seed)
    shares = in_batches(judge, in_batches(generator, z)).softmax(1)
    steep = steepness(generator, z, torch.Generator().manual_seed(seed + 1))
    flat = {}
    for digit in digits:
        sure = (shares[:, digit] >= SURE).nonzero().flatten()
        if len(sure) == 0:
            sys.exit(f"--generator: none of {N_SAMPLES} samples is surely a {digit}")
        flat[digit] = sure[steep[sure].argsort()[: math.ceil(len(sure) / 10)]]
    # Eight directions tell the flattest tenth of each digit, and 64 the flattest of these.
    rows, rng = torch.cat([*flat.values()]), torch.Generator().manual_seed(seed + 1)
    steep[rows] = steepness(generator, z, rng, n_directions=64, rows=rows)
    return {digit: z[rows[steep[rows].argmin()]] for digit, rows in flat.items()}


def path_images(generator, start, end):
    """Return the images (9, 1, 28, 28) on the straight line from the point start to end."""
    return in_batches(generator, torch.lerp(start, end, torch.linspace(0, 1, 9)[:, None]))


def draw(rows):
    """Return a Figure of rows (images (9, 1, 28, 28), [digit]), each digit below its image."""
    figure = Figure(figsize=(9, 1.25 * len(rows) + 0.5), dpi=110, layout="constrained")
    grid = figure.subplots(len(rows), 9, squeeze=False)
    for line, (images, digits) in zip(grid, rows, strict=True):
        for axes, image, digit in zip(line, images, digits, strict=True):
            axes.imshow(image[0].numpy(), cmap="gray", vmin=-1, vmax=1)
            axes.set(xticks=[], yticks=[], xlabel=digit)
    title = "Each row: from one digit to another in equal steps of z"
    figure.suptitle(f"{title}\nBelow each image: the digit that the judge reads in it")
    return figure


def main():
    """Find the ends, walk between them, draw the images."""
    parser = make_parser(__doc__)
    parser.add_argument("--digits", type=int, choices=range(10), nargs=2, help="draw only one row")
    parser.add_argument("--generator", default=HERE / "mnist_generator.pth", help="weights file")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args()
    if args.digits and args.digits[0] == args.digits[1]:
        parser.error("argument --digits: they must be different")
    begin(args)
    generator, judge = load(args.generator, Generator.from_state_dict), load_judge()
    ends = flattest_points(args.digits or range(10), generator, judge, args.seed)
    rows, table = [], []
    for start, end in [args.digits] if args.digits else PAIRS:
        images = path_images(generator, ends[start], ends[end])
        digits = in_batches(judge, images).argmax(1).tolist()
        rows.append((images, digits))
        table.append({"from": start, "to": end, "digits read": " ".join(map(str, digits))})
    save_table(args.out_dir / "interpolation.csv", table)
    save_figure(args.out_dir / "interpolation.png", draw(rows), table)
    print(f"interpolation.png and interpolation.csv are in {args.out_dir}")


if __name__ == "__main__":
    main()
