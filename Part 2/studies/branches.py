"""How do stale fakes lead to few shapes? Branches from a healthy training of the template's loop.

    python -m studies.branches                                       the report's, in seconds
    python -m studies.branches --only branches --seed 7 --seeds 1    five minutes

A training without momentum, whose fakes are one step stale, is copied after three epochs. Each copy
goes on for 300 steps with one change, on the same images and the same noise. The effective rank
needs no classifier: it says in how many directions the pixels of the samples vary.
"""

import copy
import statistics
from argparse import Namespace
from itertools import islice

from matplotlib.figure import Figure

from common import BLUE, GREEN, GREY, ORANGE, grouped, save_table
from latent import draw_samples
from metrics import compare_with_mnist, effective_rank
from mnist import load_mnist
from studies.collapse import calm, range_of
from studies.loops import Template, run_epochs
from studies.runner import study

BRANCHES = {  # {name: what is set in a copy}
    "fakes 1 step stale, as before": {},
    "fakes 5 steps stale": {"stale_fakes": 5},
    "fakes 10 steps stale": {"stale_fakes": 10},
    "fakes 10 steps stale, G at a quarter of its rate": {"stale_fakes": 10, "lr": 5e-5},
    "momentum 0.9 of D": {"b1_d": 0.9},
    "D frozen": {"lr_d": 0.0},
}
SQUARE = {  # who is stale by nine steps more, and about what
    "D about G": {"stale_fakes": 10},
    "D about itself": {"stale_weights": 9},
    "D about both": {"stale_gradients": 10},
    "G about D": {"g_stale_opponent": 9},
    "G about itself": {"g_stale_weights": 9},
    "G about both": {"g_stale_gradients": 9},
}
SETTINGS = calm("--n_epochs 3 --n_measured 2000", measured_from=3)
SETTINGS |= {"steps": 300, "measure_steps": 25}
EXPERIMENTS = {
    "branches": (SETTINGS | {"branches": BRANCHES}, range(3)),
    "square": (SETTINGS | {"branches": SQUARE}, range(3)),
}
LATE = 200  # the table has means of the steps from this one on
LOOKS = {  # {branch: color and line style in branches.png}
    "fakes 1 step stale, as before": (BLUE, "-"),
    "fakes 5 steps stale": (GREEN, "-"),
    "fakes 10 steps stale": (ORANGE, "-"),
    "fakes 10 steps stale, G at a quarter of its rate": (ORANGE, ":"),
    "momentum 0.9 of D": (GREY, "--"),
    "D frozen": ("k", "-"),
}


def branch_of(training, changes):
    """Return a copy of a training of the template's loop in which some settings are others."""
    twin = copy.deepcopy(training)
    twin.args = Namespace(**vars(training.args) | changes)
    twin.keep_history()
    twin.optimizer_d.param_groups[0]["betas"] = twin.args.b1_d, twin.args.b2
    twin.set_rates(1)  # these are constant in the template
    return twin


def measure(settings, seed):
    """Train, and go on in each branch; return a row for each of its measured steps."""
    training, rows = Template(Namespace(**settings, seed=seed, device="cpu")), []
    images = load_mnist()[0][: settings["n_images"]]
    for _ in run_epochs(training, settings):  # once, after the last epoch
        for name, changes in settings["branches"].items():
            twin = branch_of(training, changes)
            for step, real in enumerate(islice(twin.batches(images), settings["steps"] + 1)):
                if step % settings["measure_steps"] == 0:
                    rows.append({"branch": name, "step": step} | measure_samples(twin))
                twin.train_step(real)
    return rows


def measure_samples(training):
    """Return the measures of a sample set of a training, and its effective rank."""
    args = training.args
    samples = draw_samples(training.final_generator(), args.n_measured, args.measure_seed)
    quality = compare_with_mnist().quality(samples)
    row = {name: quality[name] for name in ("commonest_digit", "frechet_distance")}
    return row | {"effective_rank": effective_rank(samples)}


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    return settings["n_epochs"] * 17 + len(settings["branches"]) * 40


def branches_table(rows):
    """Return a row for each branch: over its last steps, the mean of each seed, as a range."""
    table = []
    for (branch,), of_branch in grouped(rows, "branch").items():
        line = {"branch": branch}
        late = grouped([row for row in of_branch if row["step"] >= LATE], "seed").values()
        for name, title, factor in (
            ("commonest_digit", "commonest digit, %", 100),
            ("effective_rank", "effective rank", 1),
        ):
            means = [factor * statistics.mean(row[name] for row in own) for own in late]
            line[title] = range_of(means)
        table.append(line)
    return table


def branches_figure(rows):
    """Return a Figure: share of the commonest digit and effective rank over the steps, means."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for branch, (color, style) in LOOKS.items():
        own = grouped([row for row in rows if row["branch"] == branch], "step")
        for axes, name, factor in (left, "commonest_digit", 100), (right, "effective_rank", 1):
            means = [factor * statistics.mean(r[name] for r in some) for some in own.values()]
            axes.plot([step for (step,) in own], means, style, color=color, lw=2.5, label=branch)
    left.set(title="Share of the commonest digit, %", ylim=(0, 100))
    right.set(title="Effective rank of the samples' pixels", ylim=(0, 20))
    for axes in left, right:
        axes.set_xlabel("steps after the change")
        axes.margins(x=0)
    figure.suptitle("A healthy training of the template's loop, after one change", fontsize=16)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def show(rows, out_dir):
    """Save the table and the figure."""
    save_table(out_dir / "branches.csv", branches_table(rows))
    branches_figure(rows).savefig(out_dir / "branches.png")


if __name__ == "__main__":
    study("branches", __doc__, EXPERIMENTS, measure, show, seconds)
