"""Where in the latent space do unclear samples lie? Most of them near a border of two digits.

    python -m studies.map                                       the committed generator, one minute
    python -m studies.map --generator run/mnist_generator.pth   your own

A sample is unclear when no digit has a probability above 90 %. It lies between two digits when the
judge is sure of two different digits at z + r u and z - r u, where u is the direction of norm 1 in
which G changes fastest: sides.csv. In steepness.csv are tenths of the samples, from flat to steep,
and the share of unclear samples in each.
"""

from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch.func import jvp, vjp

from common import HERE, begin, make_parser, number, save_figure, save_table
from interpolate import first_sure, line_images
from judge import load_judge
from latent import COMMITTED, in_batches, latent_points, load_generator
from metrics import is_clear
from mnist import load_mnist

N_SAMPLES, FIRST_SEED = 10_000, 6000  # no setting was chosen on these samples
DISTANCES = (0.05, 0.1, 0.2, 0.5)  # the r of sides.csv
KINDS = "unclear", "clear", "clear, equally fast"  # of its samples
XS, YS = torch.linspace(-0.2, 1.2, 141), torch.linspace(-0.3, 0.4, 71)  # of the plane


def random_directions(z, rng):
    """Return random vectors of norm 1, one for each row of z (N, latent_dim)."""
    return F.normalize(torch.randn(z.shape, generator=rng), dim=1)


def steepness(generator, z, rng, n_directions=8, step=0.1):
    """Return the steepness (N,) of the generator G at z (N, latent_dim).

    It is the mean of |G(z + step u) - G(z)| / step over random directions u of norm 1, with pixels
    in 0..1.
    """
    images = in_batches(generator, z)
    slopes = []
    for _ in range(n_directions):
        moved = in_batches(generator, z + step * random_directions(z, rng))
        slopes.append((moved - images).flatten(1).norm(dim=1) / 2 / step)  # 2: pixels to 0..1
    return torch.stack(slopes).mean(0)


def fastest_directions(generator, z, rng, n_steps=8):
    """Return the directions (N, latent_dim), of norm 1, in which the generator changes fastest.

    The second value is how fast it changes there (N,), per unit of z.
    """
    # The first right singular vectors of its Jacobians at z, by the power method.
    directions = random_directions(z, rng)
    _, transposed = vjp(generator, z)
    for _ in range(n_steps):
        _, change = jvp(generator, (z,), (directions,))
        directions = F.normalize(transposed(change)[0], dim=1)
    _, change = jvp(generator, (z,), (directions,))
    return directions.detach(), change.detach().flatten(1).norm(dim=1)


def lies_between(read, z, offsets):
    """Return whether (N,) read, which returns logits, is sure of two digits at z +- offsets."""
    before, after = in_batches(read, z - offsets), in_batches(read, z + offsets)
    return is_clear(before) & is_clear(after) & (before.argmax(1) != after.argmax(1))


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


def equally_fast(speeds, unclear):
    """Return for each unclear sample the index of the clear one that is nearest in speed."""
    (clear,) = (~unclear).nonzero(as_tuple=True)
    return clear[(speeds[unclear][:, None] - speeds[clear]).abs().argmin(1)]


def sides_table(generator, read, z, unclear, rng):
    """Return the rows of sides.csv: of unclear samples, of clear ones, and of equally fast ones."""
    directions, speeds = fastest_directions(generator, z, rng)
    groups = unclear, ~unclear, equally_fast(speeds, unclear)
    rows = []
    for distance in DISTANCES:
        between = lies_between(read, z, distance * directions)
        shares = [percent(between[group]) for group in groups]
        names = [f"{kind}: between two digits, %" for kind in KINDS]
        rows.append({"r": distance} | dict(zip(names, shares, strict=True)))
    return rows


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
        share = F.avg_pool2d((plane == digit).float()[None], 31, 1, 15)[0]
        share[plane != digit] = 0
        share[YS.abs() < 0.09] = 0
        row, column = divmod(share.argmax().item(), len(XS))
        box = {"boxstyle": "circle,pad=0.2", "fc": "black"}
        label = axes.text(XS[column].item(), YS[row].item(), digit.item(), fontsize=18, bbox=box)
        label.set(color="white", ha="center", va="center")
    axes.plot(torch.linspace(0, 1, 9).tolist(), [0] * 9, "ko-", ms=9, mec="white")
    strip = torch.cat([*images[:, 0]], dim=1)  # (28, 252), each image below its dot
    box = -1 / 16, 17 / 16, bottom - 0.145, bottom - 0.02
    axes.imshow(strip.numpy(), cmap="gray", extent=box)
    axes.set(xlim=(left, right), ylim=(bottom - 0.145, top))
    axes.set_title("What the judge reads around a path from 0 to 1 (white: unsure)")
    axes.axis("off")


def draw_map(plane, images, sides, table):
    """Return a Figure of a plane, as draw_plane takes it, of sides.csv and of steepness.csv."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    title = "Unclear samples lie near borders, where images change fast"
    figure.suptitle(title, fontsize=18)
    places = figure.subplot_mosaic("AA\nBC", height_ratios=[2, 1], width_ratios=[1.5, 1])
    draw_plane(places["A"], plane, images)
    for kind, color, shift in zip(KINDS, ("black", "silver", "gray"), (-0.3, 0, 0.3), strict=True):
        shares = [row[f"{kind}: between two digits, %"] for row in sides]
        places["B"].bar([n + shift for n in range(4)], shares, 0.3, color=color, label=kind)
    places["B"].set(title="Samples between two digits", xlabel="r, the distance to both sides")
    places["B"].set_xticks(range(4), DISTANCES)
    places["B"].set(ylim=(0, 120), ylabel="%")
    places["B"].legend(loc="upper left", ncols=3, fontsize=10)
    places["C"].bar(range(1, 11), [row["unclear, %"] for row in table[:10]], color="black")
    places["C"].set(title="Unclear samples", xlabel="tenth of the samples, from flat to steep")
    places["C"].set(ylabel="%")
    for axes in places["B"], places["C"]:
        for bars in axes.containers:
            axes.bar_label(bars, fmt="%.0f")
        axes.grid(visible=False)
        axes.spines[["top", "right"]].set_visible(False)
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
    rng = torch.Generator().manual_seed(args.seed)
    z = latent_points(N_SAMPLES, generator.latent_dim, FIRST_SEED + args.seed)
    unclear = ~is_clear(in_batches(read, z))
    real_unclear = ~is_clear(in_batches(judge, load_mnist(train=False)[0]))
    table = steepness_table(steepness(generator, z, rng), unclear, real_unclear)
    save_table(args.out_dir / "steepness.csv", table)
    sides = sides_table(generator, read, z, unclear, rng)
    save_table(args.out_dir / "sides.csv", sides)

    ends = first_sure((0, 1, 8), generator, judge, args.seed)
    points = plane_points(ends[0], ends[1], ends[8])
    logits = in_batches(read, points.flatten(0, 1))
    plane = torch.where(is_clear(logits), logits.argmax(1), -1).view(points.shape[:2])
    images = line_images(generator, ends[0], ends[1], torch.linspace(0, 1, 9))
    figure = draw_map(plane, images, sides, table)
    save_figure(args.out_dir / "map.png", figure, sides + table)
    print(f"map.png, steepness.csv and sides.csv are in {args.out_dir}")


if __name__ == "__main__":
    main()
