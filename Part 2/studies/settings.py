"""What is each setting of train.py good for? And what removes specks?

    python -m studies.settings                                        the tables, in seconds
    python -m studies.settings --only "64 fakes" --seed 7 --seeds 1   one training, ten minutes
    python -m studies.train_classifier --seed 2 --out_dir studies/run/choosing
    python -m studies.settings --only "convolution, weight decay 0.1" it needs that classifier

For settings.csv, each setting is changed alone. In specks.csv, trainings of equal time compare what
removes specks. Since they serve to choose, another classifier than the evaluation classifier
measures them. A training of ten epochs takes nine minutes of a core, and all together 31 hours.
"""

from common import save_table
from studies.loops import measure, seconds, settings_for, table_of
from studies.runner import study


def changed(flags="", loop="alternating", **changes):
    """Return the settings of a training with other flags, or in another loop, measured from 10."""
    return settings_for(loop, f"--n_epochs 10 {flags}", **{"measured_from": 10} | changes)


def candidate(flags):
    """Return the settings of a candidate, which the choosing classifier measures."""
    return changed(flags, classifier="studies/run/choosing/mnist_classifier.pth")


CHOOSING = {  # {candidate: its flags, and how many seeds from 10 on}
    "no convolution, no weight decay": ("--channels 0 --n_epochs 40", 1),
    "no convolution, weight decay 0.1": ("--channels 0 --weight_decay 0.1 --n_epochs 40", 1),
    "no convolution, weight decay 0.3": ("--channels 0 --weight_decay 0.3 --n_epochs 40", 1),
    # With the convolution, an epoch takes 1.27 times as long.
    "convolution": ("--n_epochs 32", 2),
    "convolution, weight decay 0.1": ("--n_epochs 32 --weight_decay 0.1", 2),
    "convolution, weight decay 0.3": ("--n_epochs 32 --weight_decay 0.3", 1),
}
CANDIDATES = {}
for name, (flags, n_seeds) in CHOOSING.items():
    seeds = range(10, 10 + n_seeds)
    CANDIDATES[name] = candidate(flags), seeds
    CANDIDATES[f"{name}, EMA 0.9999"] = candidate(f"{flags} --ema 0.9999"), seeds
SETTINGS = {
    "our training": changed(),
    "no convolution": changed("--channels 0 --n_epochs 100", measured_from=1),
    "simultaneous updates": changed("", "simultaneous"),
    "64 fakes": changed("--fakes 64 --n_epochs 20"),
    "both rates 0.0002": changed("--lr 0.0002 --lr_d 0.0002 --halving 0"),
    "momentum 0.9": changed("--b1 0.9"),
    "no R1": changed("--r1 0 --n_epochs 50"),
    "no EMA": changed("--ema 0"),
    "no convolution, no R1": changed("--channels 0 --r1 0 --n_epochs 100"),
}
SETTINGS["template"] = settings_for("template", "--preset template")
EXPERIMENTS = CANDIDATES | {name: (settings, range(3)) for name, settings in SETTINGS.items()}
EXPERIMENTS["weight decay 0.1"] = changed("--weight_decay 0.1 --n_epochs 80"), range(1)
OF_SETTINGS = {  # the columns of settings.csv, see table_of
    "distance after 10 epochs": ("frechet_distance", [10], 1, 1),
    "specks after 10 epochs, %": ("specks", [10], 100, 1),
    "distance after 20 epochs": ("frechet_distance", [20], 1, 1),
    "distance after 50 epochs": ("frechet_distance", [50], 1, 1),
    "distance after 100 epochs": ("frechet_distance", [100], 1, 1),
    "specks after 100 epochs, %": ("specks", [100], 100, 1),
    "distance after 200 epochs": ("frechet_distance", [200], 1, 1),
}
OF_CANDIDATES = {  # of specks.csv
    "epochs": ("epoch", [], 1, 0),
    "distance": ("frechet_distance", [], 1, 1),
    "confident, %": ("confident", [], 100, 1),
    "specks, %": ("specks", [], 100, 1),
    "std of G's last layer": ("last_layer_std", [], 1, 3),
}


def show(rows, out_dir):
    """Save the tables that have rows."""
    if candidates := [row for row in rows if row["experiment"] in CANDIDATES]:
        save_table(out_dir / "specks.csv", table_of(candidates, OF_CANDIDATES))
    if trainings := [row for row in rows if row["experiment"] not in CANDIDATES]:
        save_table(out_dir / "settings.csv", table_of(trainings, OF_SETTINGS))


if __name__ == "__main__":
    study("settings", __doc__, EXPERIMENTS, measure, show, seconds)
