"""Why does the course's template collapse? Its discriminator answers to a generator that is gone.

    python -m studies.collapse                                      the report's, in seconds
    python -m studies.collapse --only "delay 5" --seed 7 --seeds 1  one training, four minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and late. Here each is
done alone, to the discriminator or to the generator. A *delay* is how many steps the generator has
made since it drew the fakes for the discriminator's gradient: 1 in the template's order of updates,
where the generator steps first. All trainings together take half a day of one core.
"""

import statistics

import torch
from matplotlib.figure import Figure

from common import BLUE, GREY, ORANGE, grouped, save_figure, save_table
from studies.loops import COLUMNS, measure, settings_for
from studies.runner import study

COLLAPSED = 0.25  # the share of the commonest digit from which on a training is collapsed


def template(flags="", **changes):
    """Return the settings of the template, with other flags of train.py and other changes."""
    return settings_for("template", f"--preset template --n_epochs 10 {flags}", **changes)


def calm(flags="", **changes):
    """Return the settings of the template without momentum, with other changes."""
    return template(f"--b1 0 {flags}", **{"b1_d": 0.0} | changes)


SETTINGS = {
    "delay 0": calm(d_first=True),
    "delay 1": calm("--n_epochs 50"),
    "delay 2": calm(old_fakes=1),
    "delay 3": calm("--n_epochs 50", old_fakes=2),
    "delay 5": calm(old_fakes=4),
    "delay 10": calm(old_fakes=9),
    "delay 10, half of the fakes": calm(old_fakes=9, half_old=True),
    "delay 10, discriminator's rate times four": calm("--lr_d 8e-4", old_fakes=9),
    "old weights": calm(old_weights=9),
    "both late, 2": calm(late=1),
    "both late, 10": calm("--n_epochs 50", late=9),
    "mean of nine": calm(mean=9),
    "momentum 0.5": calm(b1_d=0.5),
    "momentum": calm("--n_epochs 50", b1_d=0.9),
    "small discriminator": calm(units=32),
    "generator's momentum": template(b1_d=0.0),
    "template": template("--n_epochs 200"),
}
EXPERIMENTS = {name: (settings, range(3)) for name, settings in SETTINGS.items()}
EXPERIMENTS["template, samples"] = template(shown=10), range(1)  # for moments.png
DOSES = {f"delay {steps}": steps for steps in (0, 1, 2, 3, 5, 10)}
OTHERS = {  # {experiment: its name in delay.png}
    "mean of nine": "mean of\n9 batches",
    "delay 10, half of the fakes": "half of its\nfakes late",
    "old weights": "its weights\nlate",
    "both late, 10": "fakes and\nweights late",
    "momentum": "its\nmomentum",
}


def range_of(numbers, decimals=0):
    """Return the least and the greatest of some numbers as text; "" of none."""
    ends = [f"{end(numbers):.{decimals}f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def early_distances(rows):
    """Return the mean distance over epochs 6 to 10 of each seed."""
    early = grouped([row for row in rows if 6 <= row["epoch"] <= 10], "seed").values()
    return [statistics.mean(row["frechet_distance"] for row in own) for own in early]


def is_collapsed(row):
    """Return whether the training of a row is collapsed after its epoch."""
    return row["commonest_digit"] >= COLLAPSED


def collapse_table(rows):
    """Return a row for each training of the template's loop; ranges are those of its seeds."""
    lines, rows = [], [row for row in rows if row["experiment"] != "template, samples"]
    for (experiment,), some in grouped(rows, "experiment").items():
        seeds = grouped(some, "seed").values()
        early = [sum(is_collapsed(row) for row in own[:10]) for own in seeds]
        ends = [is_collapsed(own[9]) for own in seeds]
        line = {"training": experiment, "seeds": len(seeds)}
        line["distance, epochs 6 to 10"] = range_of(early_distances(some))
        line["collapsed epochs of the first ten"] = range_of(early)
        line["collapsed at epoch 10"] = f"{sum(ends)} of {len(ends)}"
        line["epochs"] = some[-1]["epoch"]
        line["last distance"] = range_of([own[-1]["frechet_distance"] for own in seeds])
        shares = [100 * own[-1]["commonest_digit"] for own in seeds]
        lines.append(line | {"last share of the commonest digit, %": range_of(shares)})
    return lines


def draw_seeds(axes, rows, places):
    """Draw the distance of each seed at its {experiment: x}; return the mean of each x."""
    dots = {True: [], False: []}  # {whether collapsed at epoch 10: [(x, y)]}
    means = []
    for experiment, x in places.items():
        some = [row for row in rows if row["experiment"] == experiment]
        distances = early_distances(some)
        means.append(statistics.mean(distances))
        for n, own in enumerate(grouped(some, "seed").values()):
            beside = x + max(places.values()) * 0.015 * (n - 1)  # so that all are seen
            dots[is_collapsed(own[9])].append((beside, distances[n]))
    for collapsed, face, edge in (True, ORANGE, ORANGE), (False, "white", BLUE):
        label = "collapsed at epoch 10" if collapsed else "not collapsed"
        points = torch.tensor(dots[collapsed]).view(-1, 2).T.tolist()
        axes.plot(*points, "o", ms=10, mfc=face, mec=edge, mew=2, label=label)
    return means


def delay_figure(rows):
    """Return a Figure: the distance of each seed over the delay, and beside it with OTHERS."""
    figure = Figure(figsize=(12, 4.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    means = draw_seeds(left, rows, DOSES)
    left.plot([*DOSES.values()], means, color=GREY, lw=1, label="mean")
    left.set_xticks([*DOSES.values()])
    text = "how many steps old the discriminator's fakes are\n(in the template's order: one)"
    left.set_xlabel(text)
    left.set(yscale="log", ylabel="distance to MNIST (0 is best)", title="Only its fakes are late")
    left.yaxis.set_major_formatter("{x:g}")
    left.legend(loc="lower right")
    draw_seeds(right, rows, {name: n for n, name in enumerate(OTHERS)})
    right.set_xticks(range(len(OTHERS)), OTHERS.values())
    right.set(xlim=(-0.5, len(OTHERS) - 0.5), title="Other changes (late: by 9 or 10 steps)")
    title = "The older the fakes that the discriminator sees, the worse the samples"
    figure.suptitle(title, fontsize=16)
    return figure


def show(rows, out_dir):
    """Save the table and the figure that these rows can show."""
    known = {row["experiment"] for row in rows}
    if known - {"template, samples"}:
        save_table(out_dir / "collapse.csv", collapse_table(rows))
    if {*DOSES, *OTHERS} <= known:
        drawn = [row for row in rows if row["experiment"] in {*DOSES, *OTHERS}]
        save_figure(out_dir / "delay.png", delay_figure(drawn), drawn)


if __name__ == "__main__":
    study("collapse", __doc__, EXPERIMENTS, COLUMNS, measure, show)
