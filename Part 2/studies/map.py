"""Where in the latent space do unclear samples lie? Most of them where the images change fast.

    python -m studies.map                                       the committed generator, one minute
    python -m studies.map --generator run/mnist_generator.pth   your own

A sample is unclear when no digit has a probability above 90 %. In steepness.csv are tenths of the
samples, from flat to steep, and the share of unclear samples in each. The figure has a plane of the
latent space, too: unclear images lie between the digits.
"""

import sys
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from common import HERE, begin, make_parser, number, save_figure, save_table
from interpolate import line_images, typical_points
from judge import load_judge
from latent import COMMITTED, in_batches, latent_points, load_generator
from metrics import is_clear
from mnist import load_mnist

N_SAMPLES, FIRST_SEED = 10_000, 6000  # no setting was chosen on these samples
CORNERS = 0, 1, 8  # digits at three points of the plane
XS, YS = torch.linspace(-0.2, 1.2, 141), torch.linspace(-0.3, 0.4, 71)  # of the plane


def steepness(generator, z, rng, n_directions=8, step=0.1):
    """Return the steepness (N,) of the generator G at z (N, latent_dim).

    It is the mean of |G(z + step u) - G(z)| / step over random directions u of norm 1, with pixels
    in 0..1.
    """
    images = in_batches(generator, z)
    slopes = []
    for _ in range(n_directions):
        directions = F.normalize(torch.randn(z.shape, generator=rng), dim=1)
        moved = in_batches(generator, z + step * directions)
        slopes.append((moved - images).flatten(1).norm(dim=1) / 2 / step)  # 2: pixels to 0..1
    return torch.stack(slopes).mean(0)


def percent(mask):
    """Return the share of True in a mask, in %, with one decimal."""
    return round(100 * mask.double().mean().item(), 1)


def steepness_table(steep, unclear, real_unclear):
    """Return the rows of steepness.csv: tenths of the samples, all of them, and real images."""
    order = steep.argsort()
    groups = {f"tenth {n}": tenth for n, tenth in enumerate(order.tensor_split(10), start=1)}
    rows = []
    for name, group in (groups | {"all samples": order}).items():
        row = {"images": name, "median steepness": round(steep[group].median().item(), 1)}
        rows.append(row | {"unclear, %": percent(unclear[group])})
    real = {"images": "real test images", "median steepness": ""}
    return [*rows, real | {"unclear, %": percent(real_unclear)}]


def plane_points(start, end, third):
    """Return points z (H, W, latent_dim) of the plane through three points z (latent_dim,).

    The point start is at (0, 0), end at (1, 0), and third above or below the line through them.
    """
    x_axis, offset = end - start, third - start
    height = offset - (offset @ x_axis) / (x_axis @ x_axis) * x_axis
    y_axis = F.normalize(height, dim=0) * x_axis.norm()
    return start + XS[:, None] * x_axis + YS[:, None, None] * y_axis


def draw_plane(axes, plane, images):
    """Draw a plane (H, W) of digits, -1: none, with the images of a path from (0, 0) to (1, 0)."""
    left, right, bottom, top = [*XS[[0, -1]].tolist(), *YS[[0, -1]].tolist()]
    colors = torch.tensor([*matplotlib.colormaps["tab10"].colors, (1, 1, 1)])
    axes.imshow(colors[plane].numpy(), origin="lower", extent=(left, right, bottom, top))
    for digit in plane[plane >= 0].unique():
        # A digit stands where it has most of the surroundings, but not on the path.
        share = (plane == digit).float()
        for _ in range(2):  # the second time finds the middle
            share = F.avg_pool2d(share[None], 31, 1, 15)[0]
        share[plane != digit] = 0
        share[YS.abs() < 0.09] = 0
        if share.max() > 0:
            row, column = divmod(share.argmax().item(), len(XS))
            x, y = XS[column].clamp(-0.15, 1.15).item(), YS[row].clamp(-0.25, 0.35).item()
            box = {"boxstyle": "circle,pad=0.2", "fc": "black"}
            label = axes.text(x, y, digit.item(), fontsize=18, bbox=box)
            label.set(color="white", ha="center", va="center")
    axes.plot(torch.linspace(0, 1, 9).tolist(), [0] * 9, "ko-", ms=9, mec="white")
    strip = torch.cat([*images[:, 0]], dim=1)  # (28, 252), each image below its dot
    box = -1 / 16, 17 / 16, bottom - 0.145, bottom - 0.02
    axes.imshow(strip.numpy(), cmap="gray", extent=box)
    axes.set(xlim=(left, right), ylim=(bottom - 0.145, top))
    axes.set_title("What the judge reads around a path from 0 to 1 (white: unclear)")
    axes.axis("off")


def draw_map(plane, images, table):
    """Return a Figure of a plane and images, as draw_plane takes them, and of steepness.csv."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    figure.suptitle("Unclear samples lie where images change fast", fontsize=18)
    above, below = figure.subplots(2, height_ratios=[2, 1])
    draw_plane(above, plane, images)
    bars = below.bar(range(1, 11), [row["unclear, %"] for row in table[:10]], color="black")
    below.bar_label(bars, fmt="%.1f")
    below.set_title("Samples that are unclear, by how fast the images change")
    below.set(xlabel="tenth of the samples, from flat to steep", ylabel="unclear, %")
    below.set_xticks(range(1, 11))
    below.grid(visible=False)
    below.spines[["top", "right"]].set_visible(False)
    return figure


def main():
    """Measure the samples, read a plane, save the tables and the figure."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "map")
    parser.add_argument("--generator", type=Path, default=COMMITTED, help="weights")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args()
    begin(args)
    generator, judge = load_generator(args.generator), load_judge()
    read = torch.nn.Sequential(generator, judge)  # from z to the judge's logits
    ends = typical_points(CORNERS, generator, judge, args.seed)
    found = in_batches(read, torch.stack([*ends.values()])).argmax(1).tolist()
    if found != [*CORNERS]:
        text = "among its samples there is no 0, no 1 or no 8, through which the plane goes"
        sys.exit(f"--generator {args.generator}: {text}")
    rng = torch.Generator().manual_seed(args.seed)
    z = latent_points(N_SAMPLES, generator.latent_dim, FIRST_SEED + args.seed)
    unclear = ~is_clear(in_batches(read, z))
    real_unclear = ~is_clear(in_batches(judge, load_mnist(train=False)[0]))
    table = steepness_table(steepness(generator, z, rng), unclear, real_unclear)
    save_table(args.out_dir / "steepness.csv", table)
    points = plane_points(*ends.values())
    logits = in_batches(read, points.flatten(0, 1))
    plane = torch.where(is_clear(logits), logits.argmax(1), -1).view(points.shape[:2])
    images = line_images(generator, ends[0], ends[1], 9)
    save_figure(args.out_dir / "map.png", draw_map(plane, images, table), table)
    print(f"map.png and steepness.csv are in {args.out_dir}")


if __name__ == "__main__":
    main()
