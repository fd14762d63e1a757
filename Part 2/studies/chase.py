"""How does a GAN collapse? A healthy training run is changed, and then watched for 600 steps.

    python -m studies.chase                                   the report's, in seconds
    python -m studies.chase --train "no change" --seeds 7     one branch, three minutes of a core

A *branch* is a copy of a training run without momentum, after three epochs in the template's loop,
that goes on with one change. All branches of a seed are the same up to the change, and see the same
images and noise after it. G's images of 200 points z, the same in all branches, are watched. Their
mean *swings*: it moves to and fro.
"""

import copy
from itertools import islice
from statistics import mean

import torch
from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE
from latent import latent_points
from mnist import load_mnist
from studies import loops
from studies.collapse import calm
from studies.loops import table_of
from studies.runner import study
from studies.swings import LAGS, common_share, half_swing, last_outputs, ratings, size, spread, wave


def branch(n_kept=0, **changes):
    """Return the settings of a branch: what changes after three epochs, for 600 steps.

    chase.png shows n_kept of its samples.
    """
    settings = calm("--n_epochs 3 --n_measured 2000", measured_from=3)
    settings |= {"steps": 600, "measure_steps": 20, "n_watched": 200, "n_kept": n_kept}
    return settings | {"branch": changes}


def branches(name, change, *values):
    """Return {branch: settings} of a change with these values, which stand in the branch's name."""
    return {name.format(value): branch(**{change: value}) for value in values}


BRANCHES = branches("fakes {} steps old", "stale_fakes", 0, 3, 5, 7, 14, 20, 28, 40) | {
    "no change": branch(n_kept=6),  # fakes one step old
    "fakes 10 steps old": branch(n_kept=6, stale_fakes=10),
    "D with momentum 0.9": branch(n_kept=6, momentum_d=0.9),
    "D with momentum 0.9, G at a quarter of its learning rate": branch(momentum_d=0.9, rate_g=5e-5),
    "D along the mean of ten fresh gradients": branch(n_kept=6, fresh_gradients=10),
    "D at a sixteenth of its learning rate": branch(rate_d=2e-4 / 16),
}
RATES = 0.0001, 0.0002, 0.0004, 0.0006, 0.001, 0.002
BRANCHES |= branches("push through all weights, {}", "push_all_weights", *RATES)
BRANCHES |= branches("push through the hidden layers, {}", "push_hidden", 0.0006)
BRANCHES |= branches("push through the last weights, {}", "push_last_weights", 0.0006)
BRANCHES |= branches("push through the last bias, {}", "push_last_bias", 0.1, 0.2, 0.3)
BRANCHES |= branches("100 pushes through all weights, {}", "push_100_times", 0.0006, 0.002)
EXPERIMENTS = {name: (settings, range(3)) for name, settings in BRANCHES.items()}
SWING_FROM, LATE = 100, range(200, 301)  # steps: swings are measured from, ranks are means of
RATED_STEPS = range(60, 101, 20)  # when D rates fakes
KEPT_SEED, KEPT_STEPS = 0, range(0, 301, 30)  # whose and which samples are kept
COLUMNS = {  # of branches.csv, see table_of
    "half a swing, steps": ("half_swing", [600], 1, 0),
    "size": ("size", [600], 1, 0),
    "effective rank": ("effective_rank", [600], 1, 1),
    "most common digit, %": ("most_common_digit", [600], 100, 0),
    "effective rank after 100 steps": ("rank_at_100", [600], 1, 1),
    "of a push, common to all samples, %": ("push_share", [600], 100, 0),
    "variance": ("variance", [600], 1, 0),
    "of the variance, along one direction, %": ("strongest", [600], 100, 0),
}
FORETOLD = {  # written down before any of these was run
    "fakes 3 steps old": "22 steps",
    "fakes 7 steps old": "37 steps",
    "fakes 14 steps old": "63 steps",
    "fakes 28 steps old": "115 steps",
    "push through all weights, 0.0001": "size 13, rank 14.2",
    "push through all weights, 0.0004": "size 42, rank 8.6",
    "push through all weights, 0.001": "size 74, rank 4.9",
    "push through the last bias, 0.2": "size 43, rank 15.7",
}
DRAWN = {  # {branch: the title of its strip in chase.png}
    "no change": "no change: each sample wanders on its own",
    "D along the mean of ten fresh gradients": "the mean of fresh gradients: on its own, too",
    "D with momentum 0.9": "momentum 0.9 in D: samples move together",
    "fakes 10 steps old": "fakes ten steps old for D: together, too",
}
RATED = {  # {branch: its colour in ratings.png}
    "no change": BLUE,
    "D with momentum 0.9": ORANGE,
    "fakes 10 steps old": GREEN,
    "D along the mean of ten fresh gradients": "k",
    "D at a sixteenth of its learning rate": GREY,
}
WAVES = {"no change": 1} | {f"fakes {n} steps old": n for n in (5, 10, 20, 40)}  # in swing.png
DOTS = {  # in swing.png: {how the names of branches begin: (colour, legend)}
    ("no change", "fakes", "D with momentum"): (ORANGE, "stale fakes for D, or momentum"),
    "push through the hidden layers": ("k", "extra steps of G's hidden layers"),
    "push through all weights": (GREEN, "extra steps of all G's weights"),
    "push through the last weights": (GREY, "extra steps of G's last weights"),
    "push through the last bias": (BLUE, "extra steps of G's last bias"),
}


def measure(settings, seed):
    """Train; return one row: how far samples swing and vary, and how D rates them."""
    ((_, training),) = loops.run_epochs(settings, seed)
    loops.change(training, settings["branch"])
    images = load_mnist()[0][: settings["n_images"]]
    z = latent_points(settings["n_watched"], settings["latent_dim"], seed)
    fakes, means, critics, qualities, shares, spreads = [], [], {}, {}, [], []
    for step, real in enumerate(islice(training.batches(images), settings["steps"] + 1)):
        outputs = last_outputs(training.generator, z)
        means.append(outputs.tanh().mean(0))
        if step <= max(KEPT_STEPS):
            fakes.append(outputs.tanh())
        if step in RATED_STEPS:
            critics[step] = copy.deepcopy(training.discriminator)
        if step % settings["measure_steps"] == 0:
            qualities[step] = loops.row_of(training)
            if step in LATE:
                spreads.append(spread(outputs.tanh()))
            if step <= SWING_FROM and hasattr(training, "unpushed"):
                moved = last_outputs(training.generator, z) - last_outputs(training.unpushed, z)
                shares.append(round(common_share(moved), 3))
        training.train_step(real)
    means, late = torch.stack(means), [qualities[step] for step in qualities if step in LATE]
    row = {"step": step, "half_swing": half_swing(means[SWING_FROM:])}
    row |= {"size": size(means[SWING_FROM:]), "wave": wave(means, SWING_FROM)}
    for name in "effective_rank", "most_common_digit":
        row[name] = mean(quality[name] for quality in late)
    row["rank_at_100"] = round(qualities[SWING_FROM]["effective_rank"], 2)
    row["variance"], row["strongest"] = (
        round(mean(some), 3) for some in zip(*spreads, strict=True)
    )
    if shares:
        row["push_share"] = mean(shares)
    row |= {"ratings": ratings(critics, fakes, images[:1000]), "images": []}
    if settings["n_kept"] > 0 and seed == KEPT_SEED:
        for step in KEPT_STEPS:
            kept = torch.cat([fakes[step][: settings["n_kept"]], means[step][None]])
            row["images"].append((127.5 * (kept + 1)).round().int().tolist())  # 0 to 255
    return [row]


def chase_figure(rows):
    """Return a Figure with a strip for each branch: the images of six points, and of all."""
    figure = Figure(figsize=(13, 9.4), layout="constrained")
    images = {row["experiment"]: torch.tensor(row["images"]) for row in rows if row["images"]}
    grid = figure.subplots(2, 2, sharex=True).flat
    for axes, (name, title) in zip(grid, DRAWN.items(), strict=True):
        strip = images[name].unflatten(2, (28, 28)).permute(1, 2, 0, 3)  # point, y, step, x
        axes.imshow(strip.flatten(2).flatten(0, 1).numpy(), cmap="gray", vmin=0, vmax=255)
        axes.axhline(28 * 6 - 0.5, color=ORANGE)
        axes.set_xticks([28 * n + 13.5 for n in range(len(KEPT_STEPS))], KEPT_STEPS)
        axes.set_yticks([28 * 3, 28 * 6.5], ["six samples", "mean"], rotation=90, va="center")
        axes.set_title(title, fontsize=15)
        axes.grid(visible=False)
    figure.suptitle("With a late D, samples move from shape to shape together", fontsize=18)
    figure.supxlabel("steps after the change; below the line: the mean of 200 samples")
    return figure


def ratings_figure(rows):
    """Return a Figure of how D rates the fakes of earlier and of later steps, means of seeds."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, color in RATED.items():
        some = [row["ratings"] for row in rows if row["experiment"] == name]
        axes.plot(LAGS, torch.tensor(some).mean(0).tolist(), color=color, lw=2.5, label=name)
    axes.axvline(0, color=GREY, lw=1)
    axes.set(xlabel="← steps ago    when G draws the fakes    steps later →", xmargin=0)
    axes.set(ylabel="D's mean logit, less that of real images")
    axes.legend()
    figure.suptitle("A late D prefers what G is going to draw", fontsize=16)
    return figure


def swing_figure(rows):
    """Return a Figure with waves of the first seed, and each run's rank over its swing's size."""
    figure = Figure(figsize=(13, 6.2), layout="constrained")
    left, right = figure.subfigures(1, 2)
    left.suptitle("The older D's fakes,\nthe slower and wider samples swing", fontsize=17)
    first = {row["experiment"]: row["wave"] for row in reversed(rows)}
    panels = left.subplots(len(WAVES), sharex=True, sharey=True)
    for axes, (name, n) in zip(panels, WAVES.items(), strict=True):
        axes.plot(first[name], color=ORANGE, lw=2.5)
        axes.set_title(f"fakes {n} step{'s' if n > 1 else ''} old", loc="left", fontsize=13)
        axes.set(xmargin=0, yticks=[-10, 0, 10])
    axes.set_xlabel("steps of training")
    left.supylabel("mean of 200 samples", fontsize=13)
    title = "The wider samples swing, the less they differ,\nunless a step moves all of them alike"
    right.suptitle(title, fontsize=17)
    axes = right.subplots()
    for names, (color, label) in DOTS.items():
        some = [row for row in rows if row["experiment"].startswith(names)]
        sizes, ranks = ([row[measure] for row in some] for measure in ("size", "effective_rank"))
        axes.plot(sizes, ranks, "o", color=color, label=label, ms=8)
    for name, n in WAVES.items():
        some = [row for row in rows if row["experiment"] == name]
        place = [mean(row[measure] for row in some) for measure in ("size", "effective_rank")]
        axes.annotate(n, place, (7, 7), textcoords="offset points", color=ORANGE, weight="bold")
    axes.set(xlabel="size of the swing (variance over time)", ylim=0)
    axes.set_ylabel("how much samples differ (effective rank)")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.82))
    return figure


def show(rows):
    """Return the tables and the figures that have rows."""
    table = table_of(rows, COLUMNS, moment="step", title="branch")
    shown = {"branches.csv": [row | {"foretold": FORETOLD.get(row["branch"], "")} for row in table]}
    names = {row["experiment"] for row in rows}
    if BRANCHES.keys() <= names:
        shown |= {"ratings.png": ratings_figure(rows), "swing.png": swing_figure(rows)}
    if DRAWN.keys() <= {row["experiment"] for row in rows if row["images"]}:
        shown["chase.png"] = chase_figure(rows)
    return shown


if __name__ == "__main__":
    study("chase", __doc__, EXPERIMENTS, measure, show)
