"""What does the course's template draw? Samples of three trainings after ten epochs.

    python -m studies.template            the report's figure, in seconds
    python -m studies.template --again    the three trainings anew, a quarter of an hour of a core

The trainings are those of studies/collapse.py, which measures them up to epoch 200. All samples are
drawn at the same 25 points.
"""

import torch
from matplotlib.figure import Figure
from torchvision.utils import make_grid

from common import grouped, save_figure
from latent import draw_samples
from mnist import load_mnist
from studies import collapse
from studies.runner import RESULTS, read_rows, study

N_EPOCHS = 10
SETTINGS = {"template": (collapse.CHANGES["template"], N_EPOCHS)}


def measure(job, n_images=60_000):
    """Make the training of a job (experiment, seed); return a row for each of 25 samples.

    Its pixels are a list of 784 numbers from 0 to 255.
    """
    experiment, seed = job
    changes, n_epochs = SETTINGS[experiment]
    training, images = collapse.Template(seed, **changes), load_mnist()[0][:n_images]
    for _ in range(n_epochs):
        for real in training.batches(images):
            training.train_step(real)
    samples = draw_samples(training.final_generator(), 25, seed=0)
    pixels = (127.5 * (samples.flatten(1) + 1)).round().int().tolist()
    return [{"experiment": experiment, "seed": seed, "pixels": image} for image in pixels]


def show(rows, out_dir):
    """Save the figure: a grid for each training, and below what it came to in 200 epochs."""
    measured = read_rows(RESULTS / "collapse_rows.jsonl", collapse.SETTINGS)
    groups = grouped(rows, "seed")
    figure = Figure(figsize=(3.6 * len(groups), 4.6), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, ((seed,), samples) in zip(panels, groups.items(), strict=True):
        images = torch.tensor([row["pixels"] for row in samples]).view(-1, 1, 28, 28)
        axes.imshow(make_grid(images, 5, pad_value=60)[0].numpy(), cmap="gray", vmin=0, vmax=255)
        axes.set(title=f"seed {seed}", xticks=[], yticks=[])
        if measured.get(("template", seed)):
            last = measured["template", seed][-1]
            distance, share = last["frechet_distance"], last["commonest_digit"]
            text = f"after {last['epoch']} epochs: distance {distance:.0f},"
            axes.set_xlabel(f"{text}\n{share:.0%} show the same digit", fontsize=13)
    figure.suptitle(f"The template after {N_EPOCHS} epochs: a few shapes that repeat", fontsize=17)
    save_figure(out_dir / "template.png", figure, rows)


if __name__ == "__main__":
    study("template", __doc__, SETTINGS, {"template": range(3)}, measure, show)
