"""Why does the course's template fall into mode collapse? Its discriminator is stale.

    python -m studies.collapse                            the report's, in seconds
    python -m studies.collapse --only "stale fakes, 5 steps" --seed 7 --seeds 1    three minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and stale. Here each is
done alone, to the discriminator or to the generator. Fakes are *n steps stale* when the generator
has made n steps since it drew them: one step in the template's order of updates, where the
generator steps first. All trainings together take eight hours of one core.
"""

import statistics

from common import grouped, save_table
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
        tenth = [row for row in of_experiment if row["epoch"] == 10]
        n_collapsed = sum(map(has_mode_collapse, tenth))
        line = {"training": experiment, "seeds": len(seeds)}
        line["distance, epochs 6 to 10"] = range_of([early_distance(own) for own in seeds])
        line["mode collapse at epoch 10"] = f"{n_collapsed} of {len(seeds)}"
        line["commonest digit, %"] = range_of([100 * row["commonest_digit"] for row in tenth])
        line["epochs"] = of_experiment[-1]["epoch"]
        line["last distance"] = range_of([own[-1]["frechet_distance"] for own in seeds])
        table.append(line)
    return table


def show(rows, out_dir):
    """Save the table."""
    if rows := [row for row in rows if row["experiment"] != SAMPLES]:
        save_table(out_dir / "collapse.csv", collapse_table(rows))


if __name__ == "__main__":
    study("collapse", __doc__, EXPERIMENTS, measure, show, seconds)
