"""Walk from one digit to another in latent space: nine images a row, both ends included.

    python interpolate.py                    five rows: 0 to 1, 2 to 3, 4 to 5, 6 to 7, 8 to 9
    python interpolate.py --digits 3 8       one row

The steps are equal, on a straight line. interpolation.png shows the images, and interpolation.csv
has the digits that the judge reads in them.
"""

import torch

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, load, make_parser, run
from figures import interpolation_figure
from gan import Generator
from metrics import in_batches, latent_points, steepness
from rows import save_csv, save_figure

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
N_IMAGES = 9  # in a row, both ends included
N_SAMPLES, SURE = 5_000, 0.99  # an end is one of so many, in which the judge is so sure of a digit


def flattest_points(digits, generator, judge, seed):
    """Return {digit: z (latent_dim,)}, of the samples that are surely the digit the flattest."""
    device = next(generator.parameters()).device
    z = latent_points(N_SAMPLES, generator.latent_dim, seed, device)
    shares = in_batches(judge, in_batches(generator, z)).softmax(1)
    # Eight directions, the default, do not tell which of thousands is the flattest.
    steep = steepness(generator, z, torch.Generator().manual_seed(seed + 1), n_directions=64)
    points = {}
    for digit in digits:
        sure = shares[:, digit] >= SURE
        if not sure.any():
            raise InputError(f"--generator: none of {N_SAMPLES} samples is surely a {digit}")
        points[digit] = z[sure][steep[sure].argmin()]
    return points


def path_images(generator, start, end):
    """Return the images (N_IMAGES, 1, 28, 28) on the straight line from the point start to end."""
    steps = torch.linspace(0, 1, N_IMAGES, device=start.device)[:, None]
    return in_batches(generator, torch.lerp(start, end, steps))


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
    digits = {digit for pair in pairs for digit in pair}
    ends = flattest_points(digits, generator, judge, args.seed)
    rows, table = [], []
    for start, end in pairs:
        images = path_images(generator, ends[start], ends[end])
        digits = in_batches(judge, images).argmax(1).tolist()
        rows.append((images, digits))
        table.append({"from": start, "to": end, "digits read": " ".join(map(str, digits))})
    save_csv(args.out_dir / "interpolation.csv", table, show=True)
    save_figure(args.out_dir / "interpolation.png", interpolation_figure(rows), table)
    print(f"interpolation.png and interpolation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
