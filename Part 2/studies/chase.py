"""How does a GAN collapse? A healthy training run is changed, and then watched for 300 steps.

    python -m studies.chase                                   the report's, in seconds
    python -m studies.chase --train "no change" --seeds 7     one branch, two minutes of a core

A *branch* is a copy of a training run without momentum, after three epochs in the template's loop,
that goes on with one change. All branches of a seed are the same up to the change, and see the same
images and noise after it. G's images of 200 points z, the same in all branches, are watched.
"""

import copy
from itertools import islice

import torch
from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE
from latent import in_batches, latent_points
from mnist import load_mnist
from studies import loops
from studies.collapse import calm
from studies.loops import table_of
from studies.runner import study

LAGS = range(-20, 21)  # D rates the fakes of so many steps later


def branch(n_kept=0, **changes):
    """Return the settings of a branch: what changes after three epochs, for 300 steps.

    chase.png shows n_kept of its samples.
    """
    settings = calm("--n_epochs 3 --n_measured 2000", measured_from=3)
    settings |= {"steps": 300, "measure_steps": 10, "n_watched": 200, "n_kept": n_kept}
    return settings | {"branch": changes}


BRANCHES = {
    "no change": branch(n_kept=6),
    "D with momentum 0.9": branch(n_kept=6, momentum_d=0.9),
    "D with momentum 0.9, G at a quarter of its rate": branch(momentum_d=0.9, rate_g=5e-5),
    "D with stale fakes": branch(n_kept=6, stale_fakes=10),
    "D along the mean of ten fresh gradients": branch(n_kept=6, fresh_gradients=10),
    "D at a sixteenth of its rate": branch(rate_d=2e-4 / 16),
}
DRAWN = {  # {branch: the title of its strip in chase.png}
    "no change": "no change: each sample wanders on its own",
    "D along the mean of ten fresh gradients": "the mean of fresh gradients: on its own, too",
    "D with momentum 0.9": "momentum 0.9 in D: samples move together",
    "D with stale fakes": "fakes ten steps old for D: together, too",
}
RATED = {  # {branch: its colour in ratings.png}
    "no change": BLUE,
    "D with momentum 0.9": ORANGE,
    "D with stale fakes": GREEN,
    "D along the mean of ten fresh gradients": "k",
    "D at a sixteenth of its rate": GREY,
}
EXPERIMENTS = {name: (settings, range(3)) for name, settings in BRANCHES.items()}
KEPT_SEED, KEPT_STEPS = 0, 30  # samples of this seed are kept, every so many steps
LATE = range(200, 301)  # steps
RATED_STEPS = range(50, 101)  # whose mean ratings.png shows
COLUMNS = {  # of branches.csv, see table_of
    "most common digit, %": ("most_common_digit", LATE, 100, 0),
    "effective rank": ("effective_rank", LATE, 1, 0),
    "common motion, %": ("common_motion", LATE, 100, 0),
}


def measure(settings, seed):
    """Train; return a row for each measured step of the branch."""
    ((_, training),) = loops.run_epochs(settings, seed)
    loops.change(training, settings["branch"])
    images = load_mnist()[0][: settings["n_images"]]
    z = latent_points(settings["n_watched"], settings["latent_dim"], seed)
    rows, fakes, discriminators = [], [], []
    for step, real in enumerate(islice(training.batches(images), settings["steps"] + 1)):
        with torch.no_grad():  # a copy, so that BatchNorm's running statistics stay
            fakes.append(copy.deepcopy(training.generator)(z))
        if step % settings["measure_steps"] == 0:
            discriminators.append(copy.deepcopy(training.discriminator))
            rows.append({"step": step} | loops.row_of(training))
        training.train_step(real)
    for row, discriminator in zip(rows, discriminators, strict=True):
        row |= watched(row["step"], fakes, discriminator, images[:1000])
        row["images"] = []
        if settings["n_kept"] > 0 and seed == KEPT_SEED and row["step"] % KEPT_STEPS == 0:
            now = fakes[row["step"]].flatten(1)
            kept = torch.cat([now[: settings["n_kept"]], now.mean(0, keepdim=True)])
            row["images"] = (127.5 * (kept + 1)).round().int().tolist()  # 0 to 255
    return rows


def watched(step, fakes, discriminator, real):
    """Return {measure: number} of how D at a step sees the fakes of all steps, and how they move.

    fakes are images (N, 1, 28, 28) for each step, of the same N points z.
    """
    motion = (fakes[step] - fakes[max(0, step - 10)]).flatten(1)
    motion = motion - motion.mean(1, keepdim=True)  # without changes of overall brightness
    rate = in_batches(discriminator, real).mean().item()
    ratings = []
    if step + LAGS[0] >= 0 and step + LAGS[-1] < len(fakes):
        for lag in LAGS:
            rating = in_batches(discriminator, fakes[step + lag]).mean().item()
            ratings.append(round(rating - rate, 3))
    return {"common_motion": common_share(motion), "ratings": ratings}


def common_share(vectors):
    """Return which share of vectors (N, D) is common to all, ||mean||^2 / mean ||.||^2: 0 to 1."""
    lengths = vectors.square().sum(1).mean().clamp(min=1e-12)  # nothing moves at first
    return (vectors.mean(0).square().sum() / lengths).item()


def chase_figure(rows):
    """Return a Figure with a strip for each branch: the images of six points, and of all."""
    figure = Figure(figsize=(13, 9.4), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True)
    for axes, (name, title) in zip(grid.flat, DRAWN.items(), strict=True):
        points = [row for row in rows if row["experiment"] == name and row["images"]]
        images = torch.tensor([row["images"] for row in points]).view(len(points), -1, 28, 28)
        strip = images.permute(1, 2, 0, 3).flatten(2).flatten(0, 1)  # (28 points, 28 steps)
        axes.imshow(strip.numpy(), cmap="gray", vmin=0, vmax=255)
        axes.axhline(28 * 6 - 0.5, color=ORANGE)
        axes.set_xticks([28 * n + 13.5 for n in range(len(points))], [r["step"] for r in points])
        axes.set_yticks([28 * 3, 28 * 6.5], ["six samples", "mean"], rotation=90, va="center")
        axes.set_title(title, fontsize=15)
        axes.grid(visible=False)
    figure.suptitle("With a stale D, samples move from shape to shape together", fontsize=18)
    figure.supxlabel("steps after the change; below the line: the mean of 200 samples")
    return figure


def ratings_figure(rows):
    """Return a Figure of how D rates the fakes of earlier and of later steps, means of seeds."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, color in RATED.items():
        some = [row for row in rows if row["experiment"] == name and row["step"] in RATED_STEPS]
        means = torch.tensor([row["ratings"] for row in some]).mean(0)
        axes.plot(LAGS, means.tolist(), color=color, lw=2.5, label=name)
    axes.axvline(0, color=GREY, lw=1)
    axes.set(xlabel="← steps ago    when G draws the fakes    steps later →", xmargin=0)
    axes.set(ylabel="D's mean logit, less that of real images")
    axes.legend()
    figure.suptitle("A stale D prefers what G is going to draw", fontsize=16)
    return figure


def show(rows):
    """Return the table and the figures that have rows."""
    shown = {"branches.csv": table_of(rows, COLUMNS, moment="step", title="branch")}
    names = {row["experiment"] for row in rows}
    if RATED.keys() <= names:
        shown["ratings.png"] = ratings_figure(rows)
    if DRAWN.keys() <= {row["experiment"] for row in rows if row["images"]}:
        shown["chase.png"] = chase_figure(rows)
    return shown


if __name__ == "__main__":
    study("chase", __doc__, EXPERIMENTS, measure, show)
