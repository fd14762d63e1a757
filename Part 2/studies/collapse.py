"""Why does the course's template fall into mode collapse? Its discriminator is stale.

    python -m studies.collapse                                            the report's, in seconds
    python -m studies.collapse --train "stale fakes, 5 steps" --seeds 7   three minutes of a core
    python -m studies.collapse --train "D frozen" --seeds 7               a branch, two minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and stale. Here each is
done alone, to the discriminator D or to the generator G. Fakes are *n steps stale* when G has made
n steps since it drew them: one step in the template's order of updates, where G steps first.

A *branch* is a training run without momentum that is changed after three epochs. All branches of a
seed are the same up to the change, and see the same images and the same noise after it.
"""

import statistics
from itertools import islice

from matplotlib.figure import Figure

from common import BLUE, GREEN, ORANGE, grouped
from mnist import load_mnist
from studies import loops
from studies.loops import settings_for, table_of
from studies.runner import study


def calm(flags="", **changes):
    """Return the settings of the template without momentum, with other flags and changes."""
    flags = f"--preset template --n_epochs 10 --b1 0 {flags}"
    return settings_for("template", flags, **{"b1_d": 0.0} | changes)


def branch(**changes):
    """Return the settings of a branch: what changes after three epochs, for 300 steps."""
    settings = calm("--n_epochs 3 --n_measured 2000", measured_from=3)
    return settings | {"branch": changes, "steps": 300, "measure_steps": 25}


SAMPLES = "template, samples"  # for moments.png
TEMPLATE = calm("--b1 0.9", b1_d=0.9)
TRAININGS = {
    "stale fakes, 0 steps": calm(first="D"),
    "stale fakes, 1 step": calm(),
    "stale fakes, 2 steps": calm(stale_d=["fake"], stale_steps=1),
    "stale fakes, 3 steps": calm("--n_epochs 50", stale_d=["fake"], stale_steps=2),
    "stale fakes, 5 steps": calm(stale_d=["fake"], stale_steps=4),
    "stale fakes, 10 steps": calm(stale_d=["fake"], stale_steps=9),
    "stale weights, 9 steps": calm(stale_d=["discriminator"], stale_steps=9),
    "stale gradients, 9 steps": calm(stale_d=["fake", "discriminator", "real"], stale_steps=9),
    "D's momentum 0.5": calm(b1_d=0.5),
    "D's momentum 0.9": calm(b1_d=0.9),
    "G's momentum 0.9": calm("--b1 0.9"),
    "template": TEMPLATE,
    "template, momentum 0.5": calm("--b1 0.5", b1_d=0.5),
}
BRANCHES = {
    "no change": branch(),
    "D frozen": branch(lr_d=0.0),
    "D with momentum 0.9": branch(b1_d=0.9),
    "D with momentum 0.9, G at a quarter of its rate": branch(b1_d=0.9, lr=5e-5),
    "D with stale fakes": branch(stale_d=["fake"], stale_steps=9),
    "D with stale weights": branch(stale_d=["discriminator"], stale_steps=9),
    "D with stale gradients": branch(stale_d=["fake", "discriminator", "real"], stale_steps=9),
    "G against a stale D": branch(stale_g=["discriminator"], stale_steps=9),
    "G with stale weights": branch(stale_g=["generator"], stale_steps=9),
    "G with stale gradients": branch(stale_g=["z", "generator", "discriminator"], stale_steps=9),
}
EXPERIMENTS = {name: (settings, range(3)) for name, settings in (TRAININGS | BRANCHES).items()}
EXPERIMENTS[SAMPLES] = TEMPLATE | {"measured_from": 10, "n_shown": 25}, range(1)
DRAWN = {  # {branch: its colour and line style in branches.png}
    "D frozen": ("k", "-"),
    "D with momentum 0.9": (ORANGE, "-"),
    "D with momentum 0.9, G at a quarter of its rate": (ORANGE, ":"),
    "D with stale fakes": (GREEN, "-"),
    "no change": (BLUE, "-"),
}
OF_TRAININGS = {  # the columns of collapse.csv, see table_of
    "distance, epochs 6 to 10": ("frechet_distance", range(6, 11), 1, 0),
    "most common digit, %": ("most_common_digit", [10], 100, 0),
    "effective rank": ("effective_rank", [10], 1, 0),
    "distance, epoch 50": ("frechet_distance", [50], 1, 0),
}
OF_BRANCHES = {  # of branches.csv: means over the last steps
    "most common digit, %": ("most_common_digit", range(200, 301), 100, 0),
    "effective rank": ("effective_rank", range(200, 301), 1, 0),
}


def measure(settings, seed):
    """Train; return a row for each measured epoch or, of a branch, for each measured step."""
    if "branch" not in settings:
        return loops.measure(settings, seed)
    ((_, training),) = loops.run_epochs(settings, seed)
    training.change(**settings["branch"])
    images, rows = load_mnist()[0][: settings["n_images"]], []
    for step, real in enumerate(islice(training.batches(images), settings["steps"] + 1)):
        if step % settings["measure_steps"] == 0:
            rows.append({"step": step} | loops.row_of(training))
        training.train_step(real)
    return rows


def branches_figure(rows):
    """Return a Figure of the most common digit and the effective rank by step, means of seeds."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (color, style) in DRAWN.items():
        points = grouped([row for row in rows if row["experiment"] == name], "step")
        steps = [step for (step,) in points]
        for axes, measure, factor in (left, "most_common_digit", 100), (right, "effective_rank", 1):
            means = [statistics.mean(row[measure] for row in some) for some in points.values()]
            axes.plot(steps, [factor * y for y in means], style, color=color, lw=2.5, label=name)
    left.set(title="Share of the most common digit, %", ylim=(0, 100))
    right.set(title="Directions in which samples vary (real images: 29)")
    right.set(ylim=(0, 20), yticks=range(0, 21, 5))
    for axes in left, right:
        axes.set(xlabel="steps after the change", xmargin=0)
    figure.suptitle("One change to a training without momentum: does it collapse?", fontsize=16)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def show(rows):
    """Return the tables and the figure that have rows."""
    shown = {}
    if trainings := [row for row in rows if row["experiment"] in TRAININGS]:
        shown["collapse.csv"] = table_of(trainings, OF_TRAININGS)
    if branches := [row for row in rows if row["experiment"] in BRANCHES]:
        shown["branches.csv"] = table_of(branches, OF_BRANCHES, moment="step", title="branch")
        shown["branches.png"] = branches_figure(branches)
    return shown


if __name__ == "__main__":
    study("collapse", __doc__, EXPERIMENTS, measure, show)
