"""Why does the course's template fall into mode collapse? Its discriminator is stale.

    python -m studies.collapse                                             the report's, in seconds
    python -m studies.collapse --train "stale fakes, 10 steps" --seeds 7   five minutes of a core

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and stale. Here each is
done alone, to the discriminator D or to the generator G. Fakes are *n steps stale* when G has made
n steps since it drew them: one step in the template's order of updates, where G steps first.
"""

from studies.loops import measure, settings_for, table_of
from studies.runner import study


def calm(flags="", **changes):
    """Return the settings of the template without momentum, with other flags and changes."""
    return settings_for("template", f"--preset template --n_epochs 10 --b1 0 {flags}", **changes)


TRAININGS = {
    "stale fakes, 0 steps": calm(stale_fakes=0),
    "stale fakes, 1 step": calm(),
    "stale fakes, 3 steps": calm(stale_fakes=3),
    "stale fakes, 10 steps": calm(stale_fakes=10),
    "D's momentum 0.9": calm(momentum_d=0.9),
    "G's momentum 0.9": calm("--b1 0.9", momentum_d=0.0),
    "template": calm("--b1 0.9"),
    "template, momentum 0.5": calm("--n_epochs 50 --b1 0.5"),
}
TEMPLATE, CURED = "template, 200 epochs", "template with momentum 0, 200 epochs"
OTHER = "template, 200 epochs, another processor"  # which rounds differently
TO_THE_END = {
    TEMPLATE: settings_for("template", "--preset template", n_shown=25),
    CURED: calm("--n_epochs 200", n_shown=25),
    OTHER: settings_for("template", "--preset template"),
}
EXPERIMENTS = {name: (settings, range(3)) for name, settings in (TRAININGS | TO_THE_END).items()}
COLUMNS = {  # of collapse.csv, see table_of
    "distance, epochs 6 to 10": ("frechet_distance", range(6, 11), 1, 0),
    "most common digit, %": ("most_common_digit", [10], 100, 0),
    "effective rank": ("effective_rank", [10], 1, 0),
    "distance, epoch 50": ("frechet_distance", [50], 1, 0),
}
OF_SEEDS = {  # the columns of template.csv, a row for each seed
    f"{title} after {epoch} epochs": (measure, [epoch], factor, 0)
    for title, measure, factor, epochs in (
        ("distance", "frechet_distance", 1, (10, 50, 100, 200)),
        ("most common digit, %,", "most_common_digit", 100, (10, 200)),
        ("effective rank", "effective_rank", 1, (200,)),
    )
    for epoch in epochs
}


def show(rows):
    """Return the tables that have rows."""
    shown = {}
    if trainings := [row for row in rows if row["experiment"] in TRAININGS]:
        shown["collapse.csv"] = table_of(trainings, COLUMNS)
    if long := [row for row in rows if row["experiment"] in TO_THE_END]:
        runs = [row | {"experiment": f"{row['experiment']}, seed {row['seed']}"} for row in long]
        shown["template.csv"] = table_of(runs, OF_SEEDS, title="run")
    return shown


if __name__ == "__main__":
    study("collapse", __doc__, EXPERIMENTS, measure, show)
