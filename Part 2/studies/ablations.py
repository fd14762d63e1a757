"""What is each setting of train.py good for? Each is changed alone.

python -m studies.ablations                               the table, in seconds
python -m studies.ablations --train "64 fakes" --seeds 7  one training run, half an hour
"""

from matplotlib.figure import Figure

from common import BLUE, ORANGE
from studies.loops import measure, settings_for, table_of
from studies.runner import study


def changed(flags="", loop="alternating", measured_from=10):
    """Return the settings of a training run with other flags, or another loop, and the seeds."""
    return settings_for(loop, f"--n_epochs 10 {flags}", measured_from), range(3)


EXPERIMENTS = {
    "our training": changed(),
    "no convolution": changed("--channels 0 --n_epochs 100", measured_from=1),
    "simultaneous updates": changed("--n_epochs 20", loop="simultaneous"),
    "64 fakes": changed("--fakes 64 --n_epochs 75"),
    "both rates 0.0002": changed("--lr 0.0002 --lr_d 0.0002 --halving 0"),
    "momentum 0.9": changed("--b1 0.9"),
    "momentum 0.9, both rates 0.0002": changed("--b1 0.9 --lr 0.0002 --lr_d 0.0002"),
    "momentum 0.9, both rates 0.0001": changed("--b1 0.9 --lr 0.0001 --lr_d 0.0001"),
    "no R1": changed("--r1 0 --n_epochs 50"),
    "no EMA": changed("--ema 0"),
    "no convolution, no R1": changed("--channels 0 --r1 0 --n_epochs 100"),
    "template": changed("--preset template --n_epochs 35", loop="template"),
}
COLUMNS = {  # the columns of ablations.csv, see table_of
    f"distance after {n} epochs": ("frechet_distance", [n], 1, 1)
    for n in (10, 15, 20, 25, 35, 50, 75, 100)
} | {
    "specks after 10 epochs, %": ("specks", [10], 100, 1),
    "specks after 100 epochs, %": ("specks", [100], 100, 1),
}
# {experiment: (its label in ablations.png, epochs)}: ours, then from the best median to the worst.
# The epochs take at least the time of ten of ours.
DRAWN = {
    "our training": ("our training", 10),
    "no convolution": ("D without its small CNN (15 epochs)", 15),
    "64 fakes": ("64 fakes a step, not 256 (25 epochs)", 25),
    "no R1": ("without R1", 10),
    "simultaneous updates": ("simultaneous updates", 10),
    "both rates 0.0002": ("both learning rates 0.0002", 10),
    "no EMA": ("without the average of G's weights", 10),
    "momentum 0.9": ("momentum 0.9", 10),
    "template": ("all of the template's settings (35 epochs)", 35),
}


def ablations_figure(rows):
    """Return a Figure: the distance at equal time, a line for each setting, a dot a seed."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots()
    for n, (experiment, (_, epoch)) in enumerate(DRAWN.items()):
        points = [row for row in rows if (row["experiment"], row["epoch"]) == (experiment, epoch)]
        distances = [row["frechet_distance"] for row in points]
        color = BLUE if experiment == "our training" else ORANGE
        places = [n] * len(distances)
        axes.plot(distances, places, "o", color=color, ms=8, alpha=0.7, label=experiment)
    axes.set_yticks(range(len(DRAWN)), [label for label, _ in DRAWN.values()])
    text = "Fréchet distance to MNIST after the time of ten epochs; lower is better"
    axes.set(xscale="log", xlabel=text)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.invert_yaxis()
    figure.suptitle("Momentum costs most: one setting changed, at last all", fontsize=16)
    return figure


def show(rows):
    """Return the tables and, if all its experiments are there, the figure."""
    shown = {"ablations.csv": table_of(rows, COLUMNS)}
    if DRAWN.keys() <= {row["experiment"] for row in rows}:
        shown["ablations.png"] = ablations_figure(rows)
    return shown


if __name__ == "__main__":
    study("ablations", __doc__, EXPERIMENTS, measure, show)
