"""Why does the course's template fall into mode collapse? Its discriminator is stale.

    python -m studies.collapse                            the report's, in seconds
    python -m studies.collapse --only "stale fakes, 5 steps" --seed 7 --seeds 1    three minutes
    python -m studies.collapse --only branches --seed 7 --seeds 1                  ten minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and stale. Here each is
done alone, to the discriminator D or to the generator G. Fakes are *n steps stale* when G has made
n steps since it drew them: one step in the template's order of updates, where G steps first.

In *branches*, a training without momentum is copied after three epochs. Each copy goes on with the
change that it is named after, on the same images and the same noise.
"""

import copy
import statistics
from itertools import islice

from matplotlib.figure import Figure

from common import BLUE, GREEN, ORANGE, grouped, save_table
from mnist import load_mnist
from studies import loops
from studies.loops import settings_for, table_of
from studies.runner import study

SAMPLES = "template, samples"  # for moments.png


def calm(flags="", **changes):
    """Return the settings of the template without momentum, with other flags and changes."""
    flags = f"--preset template --n_epochs 10 --b1 0 {flags}"
    return settings_for("template", flags, **{"b1_d": 0.0} | changes)


TEMPLATE = calm("--b1 0.9", b1_d=0.9)
SETTINGS = {
    "stale fakes, 0 steps": calm(first="D"),
    "stale fakes, 1 step": calm(),
    "stale fakes, 2 steps": calm(stale="D with stale fakes", stale_steps=1),
    "stale fakes, 3 steps": calm("--n_epochs 50", stale="D with stale fakes", stale_steps=2),
    "stale fakes, 5 steps": calm(stale="D with stale fakes", stale_steps=4),
    "stale fakes, 10 steps": calm(stale="D with stale fakes", stale_steps=9),
    "stale weights, 9 steps": calm(stale="D with stale weights", stale_steps=9),
    "stale gradients, 9 steps": calm(stale="D with stale gradients", stale_steps=9),
    "D's momentum 0.5": calm(b1_d=0.5),
    "D's momentum 0.9": calm(b1_d=0.9),
    "G's momentum 0.9": calm("--b1 0.9"),
    "template": TEMPLATE,
    "template, momentum 0.5": calm("--b1 0.5", b1_d=0.5),
}
BRANCHES = {  # {name: what is changed in a copy}
    "no change": {},
    "D frozen": {"lr_d": 0.0},
    "D with momentum 0.9": {"b1_d": 0.9},
    "D with momentum 0.9, G at a quarter of its rate": {"b1_d": 0.9, "lr": 5e-5},
}
BRANCHES |= {name: {"stale": name, "stale_steps": 9} for name in loops.STALE if name}
DRAWN = {  # {branch: its colour and line style in branches.png}
    "D frozen": ("k", "-"),
    "D with momentum 0.9": (ORANGE, "-"),
    "D with momentum 0.9, G at a quarter of its rate": (ORANGE, ":"),
    "D with stale fakes": (GREEN, "-"),
    "no change": (BLUE, "-"),
}
BRANCHED = calm("--n_epochs 3 --n_measured 2000", measured_from=3)
BRANCHED |= {"branches": BRANCHES, "steps": 300, "measure_steps": 25}
EXPERIMENTS = {name: (settings, range(3)) for name, settings in SETTINGS.items()}
EXPERIMENTS[SAMPLES] = TEMPLATE | {"measured_from": 10, "n_shown": 25}, range(1)
EXPERIMENTS["branches"] = BRANCHED, range(3)
OF_TRAININGS = {  # the columns of collapse.csv, see table_of
    "distance, epochs 6 to 10": ("frechet_distance", range(6, 11), 1, 0),
    "commonest digit, %": ("commonest_digit", [10], 100, 0),
    "effective rank": ("effective_rank", [10], 1, 0),
    "distance, epoch 50": ("frechet_distance", [50], 1, 0),
}
OF_BRANCHES = {  # of branches.csv: means over the last steps
    "commonest digit, %": ("commonest_digit", range(200, 301), 100, 0),
    "effective rank": ("effective_rank", range(200, 301), 1, 0),
}


def measure(settings, seed):
    """Make a training; return a row for each measured epoch, or step of each branch."""
    if "branches" not in settings:
        return loops.measure(settings, seed)
    ((_, training),) = loops.run_epochs(settings, seed)
    images, rows = load_mnist()[0][: settings["n_images"]], []
    for name, changes in settings["branches"].items():
        branch = copy.deepcopy(training)
        branch.change(**changes)
        for step, real in enumerate(islice(branch.batches(images), settings["steps"] + 1)):
            if step % settings["measure_steps"] == 0:
                rows.append({"branch": name, "step": step} | loops.row_of(branch))
            branch.train_step(real)
    return rows


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    return loops.seconds(settings) + 40 * len(settings.get("branches", []))


def branches_figure(rows):
    """Return a Figure: share of the commonest digit and effective rank over the steps, means."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for branch, (color, style) in DRAWN.items():
        own = grouped([row for row in rows if row["branch"] == branch], "step")
        steps = [step for (step,) in own]
        for axes, measure, factor in (left, "commonest_digit", 100), (right, "effective_rank", 1):
            means = [statistics.mean(row[measure] for row in some) for some in own.values()]
            axes.plot(steps, [factor * y for y in means], style, color=color, lw=2.5, label=branch)
    left.set(title="Share of the commonest digit, %", ylim=(0, 100))
    right.set(title="Directions in which samples vary (real images: 29)")
    right.set(ylim=(0, 20), yticks=range(0, 21, 5))
    for axes in left, right:
        axes.set(xlabel="steps after the change", xmargin=0)
    figure.suptitle("One change to a training without momentum: does it collapse?", fontsize=16)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def show(rows, out_dir):
    """Save the tables and the figure that have rows."""
    if trainings := [row for row in rows if row["experiment"] in SETTINGS]:
        save_table(out_dir / "collapse.csv", table_of(trainings, OF_TRAININGS))
    if branches := [row for row in rows if "branch" in row]:
        table = table_of(branches, OF_BRANCHES, group="branch", moment="step")
        save_table(out_dir / "branches.csv", table)
        branches_figure(branches).savefig(out_dir / "branches.png")


if __name__ == "__main__":
    study("collapse", __doc__, EXPERIMENTS, measure, show, seconds)
