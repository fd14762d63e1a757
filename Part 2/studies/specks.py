"""What removes specks from the samples? The settings were chosen here, at equal time.

    python -m studies.train_classifier --seed 2 --out_dir studies/run/choosing    its classifier
    python -m studies.specks                                                      the table

A training takes a quarter of an hour of a core.
"""

import copy
from argparse import Namespace

from common import save_table
from latent import draw_samples
from metrics import compare_with_mnist
from studies.loops import Training, epoch_seconds, measured_epochs, run_epochs, settings_for
from studies.runner import study
from train import update_ema, with_statistics

CLASSIFIER = "studies/run/choosing/mnist_classifier.pth"  # it measures nothing else


def candidate(flags, n_epochs=20, measured_from=10):
    """Return the settings of a candidate: other flags, two EMAs, the choosing classifier."""
    flags = f"--n_epochs {n_epochs} {flags}"
    changes = {"measured_from": measured_from, "slow_ema": 0.9999, "classifier": CLASSIFIER}
    return settings_for("alternating", flags, **changes)


CHOOSING = range(10, 12)
EXPERIMENTS = {
    "no weight decay": (candidate(""), CHOOSING),
    "weight decay 0.1": (candidate("--weight_decay 0.1"), CHOOSING),
    "weight decay 0.3": (candidate("--weight_decay 0.3"), CHOOSING),
    # An epoch takes 1.27 times as long.
    "convolution": (candidate("--channels 8", 16), CHOOSING),
    "convolution, weight decay 0.1": (candidate("--channels 8 --weight_decay 0.1", 16), CHOOSING),
    "convolution, weight decay 0.3": (candidate("--channels 8 --weight_decay 0.3", 16), CHOOSING),
    # An epoch takes two fifths of the time.
    "64 fakes": (candidate("--fakes 64", 50, 40), CHOOSING),
}


class TwoAverages(Training):
    """Our training with a second EMA of the generator's weights."""

    def __init__(self, args):
        super().__init__(args)
        self.slow_generator = copy.deepcopy(self.generator)

    def train_step(self, real):
        """Update both networks and both averages on real (B, 1, 28, 28)."""
        step = self.step
        super().train_step(real)
        update_ema(self.slow_generator, self.generator, self.args.slow_ema, step)


def measure(settings, seed):
    """Make a training; return a row for each EMA after each measured epoch."""
    training, rows = TwoAverages(Namespace(**settings, seed=seed, device="cpu")), []
    comparison = compare_with_mnist(settings["classifier"])
    for epoch in run_epochs(training, settings):
        last_layer = training.generator.layers[-2].weight.std().item()
        for ema in ("ema", "slow_ema"):
            average = training.ema_generator if ema == "ema" else training.slow_generator
            generator = with_statistics(average, "cpu")
            samples = draw_samples(generator, settings["n_measured"], settings["measure_seed"])
            row = {"epoch": epoch, "ema": settings[ema], "last_layer_std": last_layer}
            rows.append(row | comparison.quality(samples))
    return rows


def seconds(settings):
    """Return about how long a training takes on a core."""
    return settings["n_epochs"] * epoch_seconds(settings) + 20 * len(measured_epochs(settings))


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "specks.csv", rows)


if __name__ == "__main__":
    study("specks", __doc__, EXPERIMENTS, measure, show, seconds)
