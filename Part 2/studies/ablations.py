"""What is each setting of train.py good for? Each is changed alone.

python -m studies.ablations                               the table, in seconds
python -m studies.ablations --train "64 fakes" --seeds 7  one training run, ten minutes of a core
"""

from studies.loops import measure, settings_for, table_of
from studies.runner import study


def changed(flags="", loop="alternating", **changes):
    """Return the settings of a training run with other flags, or another loop, and the seeds."""
    settings = settings_for(loop, f"--n_epochs 10 {flags}", **{"measured_from": 10} | changes)
    return settings, range(3)


EXPERIMENTS = {
    "our training": changed(),
    "no convolution": changed("--channels 0 --n_epochs 100", measured_from=1),
    "simultaneous updates": changed("--n_epochs 20", loop="simultaneous"),
    "64 fakes": changed("--fakes 64 --n_epochs 20"),
    "both rates 0.0002": changed("--lr 0.0002 --lr_d 0.0002 --halving 0"),
    "momentum 0.9": changed("--b1 0.9"),
    "no R1": changed("--r1 0 --n_epochs 50"),
    "no EMA": changed("--ema 0"),
    "no convolution, no R1": changed("--channels 0 --r1 0 --n_epochs 100"),
    "template": (settings_for("template", "--preset template"), range(3)),
}
COLUMNS = {  # the columns of ablations.csv, see table_of
    "distance after 10 epochs": ("frechet_distance", [10], 1, 1),
    "specks after 10 epochs, %": ("specks", [10], 100, 1),
    "distance after 20 epochs": ("frechet_distance", [20], 1, 1),
    "distance after 50 epochs": ("frechet_distance", [50], 1, 1),
    "distance after 100 epochs": ("frechet_distance", [100], 1, 1),
    "specks after 100 epochs, %": ("specks", [100], 100, 1),
    "distance after 200 epochs": ("frechet_distance", [200], 1, 1),
}


def show(rows):
    """Return the table."""
    return {"ablations.csv": table_of(rows, COLUMNS)}


if __name__ == "__main__":
    study("ablations", __doc__, EXPERIMENTS, measure, show)
