"""Map the latent space: what does the judge read on planes, and where do unclear samples lie?

    python study_map.py                               the committed generator, a minute
    python study_map.py --generator run/seed1/mnist_generator.pth

A sample is unclear when no digit has a probability above 90 %; metrics.py says what steepness is.

steepness.csv has the share of unclear samples in tenths from flat to steep, and sides.csv the share
of unclear and of clear samples between two digits: the judge is sure of two different digits at
z + r u and z - r u, where u is the direction of norm 1 in which G changes fastest. map.png shows
the tenths and a plane through a row of interpolate.py, map_planes.png the planes of the others.
"""

import torch
import torch.nn.functional as F
from torch.func import jvp, vjp

from classifier import load_classifier
from common import HERE, add_run_flags, begin, load, make_parser, run
from figures import map_figure, planes_figure
from gan import Generator
from interpolate import PAIRS, flattest_points, path_images
from metrics import in_batches, is_clear, latent_points, random_directions, steepness
from mnist import load_mnist
from rows import save_csv, save_figure

N_SAMPLES = 10_000
FIRST_SEED = 6000  # of the samples; no setting was chosen on them
EXTENT = (-0.2, 1.2, -0.4, 0.4)  # of a plane: left, right, bottom, top
POINTS = 100  # in a plane, along each unit
DISTANCES = (0.05, 0.1, 0.2, 0.5)  # the r of sides.csv


def plane_points(ends, start, end):
    """Return points z (H, W, latent_dim) on a plane through ends, {digit: its point}.

    The plane holds the points of the digits start, at (0, 0), and end, at (1, 0), and the other
    digit's point that is nearest to the straight line through these two.
    """
    x_axis = ends[end] - ends[start]
    unit = F.normalize(x_axis, dim=0)
    offsets = [z - ends[start] for digit, z in ends.items() if digit not in (start, end)]
    heights = [offset - (offset @ unit) * unit for offset in offsets]  # perpendicular to the line
    y_axis = F.normalize(min(heights, key=torch.norm), dim=0) * x_axis.norm()
    left, right, bottom, top = EXTENT
    x = torch.linspace(left, right, round((right - left) * POINTS) + 1)[:, None]
    y = torch.linspace(bottom, top, round((top - bottom) * POINTS) + 1)[:, None, None]
    return ends[start] + x.to(unit.device) * x_axis + y.to(unit.device) * y_axis


def read_plane(read, points):
    """Return the digits (H, W) that read, which returns logits, sees at points; unsure: -1."""
    logits = in_batches(read, points.flatten(0, 1)).cpu()
    digits = torch.where(is_clear(logits), logits.argmax(1), -1)
    return digits.view(points.shape[:2])


def fastest_directions(generator, z, rng, n_steps=8):
    """Return the directions (N, latent_dim), of norm 1, in which the generator changes fastest."""
    # The first right singular vectors of its Jacobians at z, by the power method.
    directions = random_directions(z, rng)
    _, transposed = vjp(generator, z)
    for _ in range(n_steps):
        _, change = jvp(generator, (z,), (directions,))
        directions = F.normalize(transposed(change)[0], dim=1)
    return directions.detach()


def lies_between(read, z, offsets):
    """Return whether (N,) read, which returns logits, is sure of two digits at z +- offsets."""
    before, after = in_batches(read, z - offsets), in_batches(read, z + offsets)
    return is_clear(before) & is_clear(after) & (before.argmax(1) != after.argmax(1))


def percent(mask):
    """Return the share of True in a mask, in %, with one decimal; of an empty mask, nothing."""
    return round(100 * mask.cpu().double().mean().item(), 1) if len(mask) > 0 else ""


def steepness_table(steep, digits, unclear, unclear_to_eye):
    """Return the rows of steepness.csv; the last two (N,) are True where a sample is unclear."""
    order = steep.argsort()
    groups = {f"tenth {n}": tenth for n, tenth in enumerate(order.tensor_split(10), start=1)}
    groups["all samples"] = order
    each_digit = [order[digits[order] == digit] for digit in range(10)]
    flattest = [samples[: len(samples) // 2] for samples in each_digit]
    steepest = [samples[len(samples) * 9 // 10 :] for samples in each_digit]
    groups["flattest half of each digit"] = torch.cat(flattest)
    groups["steepest tenth of each digit"] = torch.cat(steepest)
    return [
        {
            "images": name,
            "median steepness": round(steep[group].median().item(), 1),
            "unclear to the judge, %": percent(unclear[group]),
            "unclear to the eye, %": percent(unclear_to_eye[group]),
        }
        for name, group in groups.items()
    ]


def main():
    """Measure the samples, read the planes, save the tables and the figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--generator", default=HERE / "mnist_generator.pth", help="weights file")
    add_run_flags(parser)
    args = parser.parse_args()
    begin(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    judge, eye = (load_classifier(kind, args.device) for kind in ("judge", "eye"))
    ends = flattest_points(range(10), generator, judge, args.seed)

    rng = torch.Generator().manual_seed(args.seed)
    z = latent_points(N_SAMPLES, generator.latent_dim, FIRST_SEED + args.seed, args.device)
    images = in_batches(generator, z)
    logits = in_batches(judge, images)
    unclear = ~is_clear(logits)
    unclear_to_eye = ~is_clear(in_batches(eye, images))
    steep = steepness(generator, z, rng)
    table = steepness_table(steep, logits.argmax(1), unclear, unclear_to_eye)
    real, _ = load_mnist(False, args.device)
    real_shares = [percent(~is_clear(in_batches(model, real))) for model in (judge, eye)]
    table.append(dict(zip(table[0], ["real test images", "", *real_shares], strict=True)))
    save_csv(args.out_dir / "steepness.csv", table, show=True)

    read = torch.nn.Sequential(generator, judge)  # from z to the judge's logits
    sides = [{"r": distance} for distance in DISTANCES]
    for kind, points in ("unclear", z[unclear]), ("clear", z[~unclear][: unclear.sum()]):
        directions = fastest_directions(generator, points, rng)
        for row in sides:
            between = lies_between(read, points, row["r"] * directions)
            row[f"{kind} samples between two digits, %"] = percent(between)
    save_csv(args.out_dir / "sides.csv", sides, show=True)

    planes = {}
    for start, end in PAIRS:
        plane = read_plane(read, plane_points(ends, start, end))
        images = path_images(generator, ends[start], ends[end])
        planes[f"from {start} to {end}"] = plane, images
    first = planes.pop("from 0 to 1")
    save_figure(args.out_dir / "map.png", map_figure(*first, EXTENT, table), table)
    save_figure(args.out_dir / "map_planes.png", planes_figure(planes, EXTENT), table)
    print(f"map.png, map_planes.png, steepness.csv and sides.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
