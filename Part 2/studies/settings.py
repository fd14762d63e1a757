"""What is each setting of train.py good for? Each is changed alone.

    python -m studies.settings                                       the table, in seconds
    python -m studies.settings --only "both at once, no R1" --seed 7 --seeds 1   five minutes

All together take half a day of one core.
"""

from common import grouped, save_table
from studies.collapse import range_of
from studies.loops import COLUMNS, measure, settings_for
from studies.runner import study

ALL_SEEDS, ONE = range(3), range(1)


def at_once(flags="", n_epochs=10):
    """Return the settings of a training that moves both networks at once, with other flags."""
    return settings_for("both at once", f"--lr 0.0008 --halving 0 --n_epochs {n_epochs} {flags}")


def d_first(flags="", n_epochs=10):
    """Return the settings of a training in our order at constant rates, with other flags."""
    return settings_for("ours", f"--halving 0 --n_epochs {n_epochs} {flags}")


EXPERIMENTS = {
    "ours": (settings_for("ours", "--n_epochs 10"), ALL_SEEDS),
    "both at once": (at_once(n_epochs=200), ALL_SEEDS),
    "both at once, 64 fakes": (at_once("--fakes 64"), ALL_SEEDS),
    "both at once, generator's rate 0.0002": (at_once("--lr 0.0002"), ALL_SEEDS),
    "both at once, discriminator's rate 0.0002": (at_once("--lr_d 0.0002"), ALL_SEEDS),
    "both at once, momentum 0.9": (at_once("--b1 0.9"), ALL_SEEDS),
    "both at once, no R1": (at_once("--r1 0"), ALL_SEEDS),
    "both at once, no averaging": (at_once("--ema 0"), ALL_SEEDS),
    "both at once, all six": (
        settings_for("both at once", "--preset template --n_epochs 10"),
        ALL_SEEDS,
    ),
    "64 fakes, 200 epochs": (at_once("--fakes 64", 200), ONE),
    "64 fakes, no R1, 200 epochs": (at_once("--fakes 64 --r1 0", 200), ONE),
    "discriminator first, generator's rate 0.0008": (d_first("--lr 0.0008", 40), ONE),
    "discriminator first, generator's rate 0.0002": (d_first("--lr 0.0002"), ALL_SEEDS),
    "discriminator first, generator's rate 0.0002, 200 epochs": (d_first("--lr 0.0002", 200), ONE),
}
EPOCHS = 10, 40, 200  # of the table


def settings_table(rows):
    """Return a row for each training; ranges are over its seeds."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        line = {"training": experiment, "seeds": len(grouped(some, "seed"))}
        for epoch in EPOCHS:
            at = [row for row in some if row["epoch"] == epoch]
            line[f"distance after {epoch}"] = range_of([row["frechet_distance"] for row in at], 1)
            line[f"clear after {epoch}, %"] = range_of([100 * row["confident"] for row in at], 1)
        at = [100 * row["commonest_digit"] for row in some if row["epoch"] == EPOCHS[0]]
        lines.append(line | {"commonest digit after 10, %": range_of(at, 1)})
    return lines


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "settings.csv", settings_table(rows))


if __name__ == "__main__":
    study("settings", __doc__, EXPERIMENTS, COLUMNS, measure, show)
