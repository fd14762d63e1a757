"""Does the discriminator only guess? Its loss on fresh fakes, in the first steps of the trainings.

    python study_guess.py                                        all, a quarter of an hour of a core
    python study_guess.py --rows results/guess_rows.csv          the table, in seconds

The trainings are those of study_collapse.py, whose first epoch has 938 steps. Every 20 steps up to
the 300th, the discriminator is asked about random real images and fresh fakes. One that guesses has
a loss of ln 4 = 1.386.
"""

import copy
import statistics
from itertools import islice

import torch

from common import grouped, save_table
from gan import discriminator_loss
from mnist import load_mnist
from runner import study
from study_collapse import BATCH_SIZE, CHANGES, Template

N_STEPS, EVERY, N_BATCHES = 300, 20, 16


@torch.no_grad()
def ask(training, rng):
    """Return the discriminator's loss, and the means of D, over random real images and fakes.

    No step changes by it: a copy of the generator draws the fakes, in batches as the training has
    them, and all random numbers are rng's.
    """
    generator = copy.deepcopy(training.generator)  # whose BatchNorm counts what it draws
    picks = torch.randint(len(training.images), (N_BATCHES * BATCH_SIZE,), generator=rng)
    z = torch.randn(N_BATCHES, BATCH_SIZE, generator.latent_dim, generator=rng)
    fakes = torch.cat([generator(batch) for batch in z])
    real_logits = training.discriminator(training.images[picks])
    fake_logits = training.discriminator(fakes)
    return {
        "d_loss": discriminator_loss(real_logits, fake_logits).item(),
        "d_real": torch.sigmoid(real_logits).mean().item(),
        "d_fake": torch.sigmoid(fake_logits).mean().item(),
    }


def measure(job):
    """Make the first steps of the training of a job (experiment, seed); return a row each 20th."""
    experiment, seed = job
    training = Template(seed, **CHANGES[experiment])
    rng = torch.Generator().manual_seed(seed + 7000)
    rows = []
    for step, real in enumerate(islice(training.batches(load_mnist()[0]), N_STEPS), start=1):
        training.train_step(real)
        if step % EVERY == 0:
            row = {"experiment": experiment, "seed": seed, "step": step}
            rows.append(row | ask(training, rng))
    return rows


def table(rows):
    """Return a row for each training: the ranges of its seeds' mean losses and of all answers."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        seeds = grouped(some, "seed").values()
        means = [statistics.mean(row["d_loss"] for row in own) for own in seeds]
        line = {"training": experiment, "seeds": len(seeds)}
        line["mean loss"] = f"{min(means):.3f} to {max(means):.3f}"
        for name, column in (
            ("loss", "d_loss"),
            ("D of real images", "d_real"),
            ("D of fakes", "d_fake"),
        ):
            values = [row[column] for row in some]
            line[name] = f"{min(values):.2f} to {max(values):.2f}"
        lines.append(line)
    return lines


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "guess.csv", table(rows))


if __name__ == "__main__":
    study("guess", __doc__, dict.fromkeys(CHANGES, 3), measure, show)
