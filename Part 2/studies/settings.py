"""What is each setting of train.py good for? Each is changed alone.

    python -m studies.settings                                        the table, in seconds
    python -m studies.settings --only "64 fakes" --seed 7 --seeds 1   one training, six minutes

A training of ten epochs takes seven minutes of a core, and all together fifteen hours.
"""

from common import grouped, save_table
from studies.collapse import range_of
from studies.loops import measure, seconds, settings_for
from studies.runner import study

SEEDS = range(3)


def changed(flags="", loop="alternating", n_epochs=10, measured_from=10):
    """Return the settings of a training with other flags, or in another loop, measured from 10."""
    flags = f"--n_epochs {n_epochs} {flags}"
    return settings_for(loop, flags, measured_from=measured_from, coverage_at=10)


def plain(flags="", loop="alternating", n_epochs=10, measured_from=10):
    """Return the same without the convolution of D, which came after these were measured."""
    return changed(f"--channels 0 {flags}", loop, n_epochs, measured_from)


RIVAL = "--channels 0 --lr 0.0008 --halving 0 --n_epochs 200"
EXPERIMENTS = {
    "our training": (changed(), range(1, 3)),  # seed 0 is that of the committed generator
    "no convolution": (plain(), SEEDS),
    "simultaneous updates": (plain(loop="simultaneous"), SEEDS),
    "64 fakes": (plain("--fakes 64", n_epochs=20), SEEDS),
    "both rates 0.0002": (plain("--lr 0.0002 --lr_d 0.0002 --halving 0"), SEEDS),
    "momentum 0.9": (plain("--b1 0.9"), SEEDS),
    "no R1": (plain("--r1 0", n_epochs=100), SEEDS),
    "no EMA": (plain("--ema 0"), SEEDS),
    "template": (changed("--preset template", loop="template"), SEEDS),
    "no convolution, 100 epochs": (plain(n_epochs=100, measured_from=1), SEEDS),
    "simultaneous updates, generator's rate 0.0008": (settings_for("simultaneous", RIVAL), SEEDS),
}
CELLS = {  # {column of the table: (epoch, measure, what it is multiplied with)}
    "distance after 10": (10, "frechet_distance", 1),
    "coverage after 10, %": (10, "coverage", 100),
    "specks after 10, %": (10, "specks", 100),
    "distance after 20": (20, "frechet_distance", 1),
    "distance after 100": (100, "frechet_distance", 1),
    "distance after 200": (200, "frechet_distance", 1),
}


def settings_table(rows):
    """Return a row for each training; ranges are over its seeds."""
    table = []
    for (experiment,), own in grouped(rows, "experiment").items():
        line = {"training": experiment, "seeds": len(grouped(own, "seed"))}
        for column, (epoch, name, factor) in CELLS.items():
            numbers = [row[name] for row in own if row["epoch"] == epoch]
            numbers = [factor * number for number in numbers if number != ""]  # not measured
            line[column] = range_of(numbers, 1)
        table.append(line)
    return table


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "settings.csv", settings_table(rows))


if __name__ == "__main__":
    study("settings", __doc__, EXPERIMENTS, measure, show, seconds)
