"""What is each setting of train.py good for? Each is changed alone.

    python -m studies.settings                                        the table, in seconds
    python -m studies.settings --only "64 fakes" --seed 7 --seeds 1   one training, seven minutes

A training of ten epochs takes seven minutes of a core, and all together fifteen hours.
"""

from common import grouped, save_table
from studies import loops
from studies.collapse import range_of
from studies.loops import settings_for
from studies.runner import study

COLUMNS = *loops.COLUMNS, "specks", "coverage"
SEEDS = range(3)


def changed(flags="", loop="ours", n_epochs=10, measured_from=10):
    """Return the settings of our training with other flags, or in another loop."""
    flags = f"--n_epochs {n_epochs} {flags}"
    return settings_for(loop, flags, measured_from=measured_from, coverage_at=10)


RIVAL = settings_for("both at once", "--lr 0.0008 --halving 0 --n_epochs 200")
EXPERIMENTS = {
    "ours": (changed(), SEEDS),
    "both at once": (changed(loop="both at once"), SEEDS),
    "64 fakes": (changed("--fakes 64", n_epochs=20), SEEDS),
    "both rates 0.0002": (changed("--lr 0.0002 --lr_d 0.0002 --halving 0"), SEEDS),
    "momentum 0.9": (changed("--b1 0.9"), SEEDS),
    "no R1": (changed("--r1 0", n_epochs=100), SEEDS),
    "no averaging": (changed("--ema 0"), SEEDS),
    "template": (changed("--preset template", loop="template"), SEEDS),
    "ours, 100 epochs": (changed(n_epochs=100, measured_from=1), range(1, 3)),  # 0: train.py's own
    "both at once, generator's rate 0.0008": (RIVAL, SEEDS),
}
CELLS = {  # {column of the table: (epoch, measure, what it is multiplied with)}
    "distance after 10": (10, "frechet_distance", 1),
    "clear after 10, %": (10, "confident", 100),
    "coverage after 10, %": (10, "coverage", 100),
    "specks after 10, %": (10, "specks", 100),
    "distance after 20": (20, "frechet_distance", 1),
    "distance after 100": (100, "frechet_distance", 1),
    "clear after 100, %": (100, "confident", 100),
    "distance after 200": (200, "frechet_distance", 1),
    "clear after 200, %": (200, "confident", 100),
}


def settings_table(rows):
    """Return a row for each training; ranges are over its seeds."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        line = {"training": experiment, "seeds": len(grouped(some, "seed"))}
        for column, (epoch, measure, factor) in CELLS.items():
            numbers = [row[measure] for row in some if row["epoch"] == epoch]
            numbers = [factor * number for number in numbers if number != ""]  # not measured
            line[column] = range_of(numbers, 1)
        lines.append(line)
    return lines


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "settings.csv", settings_table(rows))


if __name__ == "__main__":
    study("settings", __doc__, EXPERIMENTS, COLUMNS, loops.measure, show)
