"""Why does the course's template fall into mode collapse? Its discriminator is stale.

    python -m studies.collapse                            the report's, in seconds
    python -m studies.collapse --only "stale fakes, 5 steps" --seed 7 --seeds 1    three minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and stale. Here each is
done alone, to the discriminator or to the generator. Fakes are *n steps stale* when the generator
has made n steps since it drew them: one step in the template's order of updates, where the
generator steps first. All trainings together take eight hours of one core.
"""

import statistics

from matplotlib.figure import Figure

from common import BLUE, GREY, ORANGE, grouped, save_table
from studies.loops import measure, seconds, settings_for
from studies.runner import study

MODE_COLLAPSE = 0.25  # the share of the commonest digit from which on it is called so


def template(flags="", **changes):
    """Return the settings of the template, with other flags of train.py and other changes."""
    return settings_for("template", f"--preset template --n_epochs 10 {flags}", **changes)


def calm(flags="", **changes):
    """Return the settings of the template without momentum, with other changes."""
    return template(f"--b1 0 {flags}", **{"b1_d": 0.0} | changes)


SETTINGS = {
    "stale fakes, 0 steps": calm(stale_fakes=0),
    "stale fakes, 1 step": calm("--n_epochs 50"),
    "stale fakes, 2 steps": calm(stale_fakes=2),
    "stale fakes, 3 steps": calm("--n_epochs 50", stale_fakes=3),
    "stale fakes, 5 steps": calm(stale_fakes=5),
    "stale fakes, 10 steps": calm(stale_fakes=10),
    "stale weights, 9 steps": calm(stale_weights=9),
    "stale gradients, 10 steps": calm("--n_epochs 50", stale_gradients=10),
    "momentum 0.5": calm(b1_d=0.5),
    "momentum": calm("--n_epochs 50", b1_d=0.9),
    "generator's momentum": template(b1_d=0.0),
    "template": template("--n_epochs 200"),
}
EXPERIMENTS = {name: (settings, range(3)) for name, settings in SETTINGS.items()}
SAMPLES = "template, samples"  # for moments.png
EXPERIMENTS[SAMPLES] = template(samples_at=10), range(1)
DOSES = {name: SETTINGS[name]["stale_fakes"] for name in [*SETTINGS][:6]}
OTHER_CHANGES = {  # {experiment: its name in stale.png}
    "stale weights, 9 steps": "stale\nweights",
    "stale gradients, 10 steps": "stale\ngradients",
    "momentum": "momentum\nof D",
}


def range_of(numbers, decimals=0):
    """Return the least and the greatest of some numbers as text; "" of none."""
    ends = [f"{end(numbers):.{decimals}f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def early_distance(rows):
    """Return the mean distance over epochs 6 to 10, from the rows of a seed."""
    return statistics.mean(row["frechet_distance"] for row in rows if 6 <= row["epoch"] <= 10)


def has_mode_collapse(row):
    """Return whether the row of an epoch shows mode collapse."""
    return row["commonest_digit"] >= MODE_COLLAPSE


def collapse_table(rows):
    """Return a row for each training of the template's loop; ranges are those of its seeds."""
    table = []
    for (experiment,), of_experiment in grouped(rows, "experiment").items():
        seeds = grouped(of_experiment, "seed").values()
        early = [sum(has_mode_collapse(row) for row in own[:10]) for own in seeds]
        n_at_10 = sum(has_mode_collapse(own[9]) for own in seeds)
        line = {"training": experiment, "seeds": len(seeds)}
        line["distance, epochs 6 to 10"] = range_of([early_distance(own) for own in seeds])
        line["epochs with mode collapse, of the first ten"] = range_of(early)
        line["mode collapse at epoch 10"] = f"{n_at_10} of {len(seeds)}"
        line["epochs"] = of_experiment[-1]["epoch"]
        line["last distance"] = range_of([own[-1]["frechet_distance"] for own in seeds])
        shares = [100 * own[-1]["commonest_digit"] for own in seeds]
        line["last share of the commonest digit, %"] = range_of(shares)
        table.append(line)
    return table


def draw_seeds(axes, rows, places):
    """Draw the distance of each seed at its {experiment: x}; return the mean of each x."""
    xs, ys = {True: [], False: []}, {True: [], False: []}  # {whether there is mode collapse: ...}
    means = []
    for experiment, x in places.items():
        seeds = grouped([row for row in rows if row["experiment"] == experiment], "seed").values()
        means.append(statistics.mean(early_distance(own) for own in seeds))
        for n, own in enumerate(seeds):
            collapsed = has_mode_collapse(own[9])
            xs[collapsed].append(x + max(places.values()) * 0.015 * (n - 1))  # so all are seen
            ys[collapsed].append(early_distance(own))
    style = {"ls": "", "marker": "o", "ms": 10, "mew": 2}
    axes.plot(xs[True], ys[True], color=ORANGE, label="mode collapse at epoch 10", **style)
    axes.plot(xs[False], ys[False], color=BLUE, mfc="white", label="no mode collapse", **style)
    return means


def stale_figure(rows):
    """Return a Figure: each seed's distance over the staleness of fakes, and of OTHER_CHANGES."""
    figure = Figure(figsize=(12, 4.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    means = draw_seeds(left, rows, DOSES)
    left.plot([*DOSES.values()], means, color=GREY, lw=1, zorder=1, label="mean")
    left.set_xticks([*DOSES.values()])
    text = "how many steps stale D's fakes are\n(in the template's order: one)"
    left.set(yscale="log", xlabel=text, ylabel="Fréchet distance (0 is best)")
    left.set_title("Stale fakes alone, without momentum")
    left.yaxis.set_major_formatter("{x:g}")
    left.legend(loc="lower right")
    draw_seeds(right, rows, {name: n for n, name in enumerate(OTHER_CHANGES)})
    right.set_xticks(range(len(OTHER_CHANGES)), OTHER_CHANGES.values())
    right.set(xlim=(-0.5, len(OTHER_CHANGES) - 0.5))
    right.set_title("Stale by 9 or 10 steps")
    figure.suptitle("The staler the discriminator's fakes, the worse the samples", fontsize=16)
    return figure


def show(rows, out_dir):
    """Save the table and the figure that these rows can show."""
    rows = [row for row in rows if row["experiment"] != SAMPLES]
    if rows:
        save_table(out_dir / "collapse.csv", collapse_table(rows))
    if {*DOSES, *OTHER_CHANGES} <= {row["experiment"] for row in rows}:
        stale_figure(rows).savefig(out_dir / "stale.png")


if __name__ == "__main__":
    study("collapse", __doc__, EXPERIMENTS, measure, show, seconds)
