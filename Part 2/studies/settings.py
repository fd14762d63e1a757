"""What is each setting of train.py good for? Each is given the template's value, alone.

    python -m studies.settings                                       the table, in seconds
    python -m studies.settings --only "ours, no R1" --seed 7 --seeds 1   one training, five minutes

In the last trainings, the discriminator steps first. All together take half a day of one core.
"""

import torch

import train
from common import grouped, save_table
from gan import discriminator_loss, generator_loss, gradient_penalty
from studies.collapse import measure_training, range_of
from studies.runner import study

D_FIRST = "discriminator first"  # how the names of trainings in this order begin
FLAGS = {  # {experiment: flags of train.py}
    "ours": "",
    "ours, 64 fakes": "--fakes 64",
    "ours, generator's rate 0.0002": "--lr 0.0002",
    "ours, discriminator's rate 0.0002": "--lr_d 0.0002",
    "ours, momentum 0.9": "--b1 0.9",
    "ours, no R1": "--r1 0",
    "ours, no averaging": "--ema 0",
    "ours, all six": "--preset template",
    "64 fakes, 200 epochs": "--fakes 64",
    "64 fakes, no R1, 200 epochs": "--fakes 64 --r1 0",
    f"{D_FIRST}, our rates": "",
    f"{D_FIRST}, generator's rate 0.0002": "--lr 0.0002",
    f"{D_FIRST}, generator's rate 0.0002, 200 epochs": "--lr 0.0002",
}
ONE_SEED = {  # {experiment with one seed: its epochs}
    "64 fakes, 200 epochs": 200,
    "64 fakes, no R1, 200 epochs": 200,
    f"{D_FIRST}, our rates": 40,
    f"{D_FIRST}, generator's rate 0.0002, 200 epochs": 200,
}
EPOCHS = {"ours": 200} | ONE_SEED
SETTINGS = {name: (flags, EPOCHS.get(name, 10)) for name, flags in FLAGS.items()}


class DiscriminatorFirst(train.Training):
    """Our training in another order: first the discriminator steps, and then the generator."""

    def train_step(self, real):
        """Step both networks on real (B, 1, 28, 28)."""
        args = self.args
        fake = self.generator(torch.randn(args.fakes, args.latent_dim, generator=self.rng))

        logits = self.discriminator(torch.cat([real, fake.detach()]))
        d_loss = discriminator_loss(*logits.split([len(real), len(fake)]))
        if args.r1 > 0 and self.step % args.r1_every == 0:
            d_loss += args.r1 * args.r1_every * gradient_penalty(self.discriminator, real)
        self.optimizer_d.zero_grad()
        d_loss.backward()
        self.optimizer_d.step()

        g_loss = generator_loss(self.discriminator(fake))
        self.optimizer_g.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))
        self.optimizer_g.step()
        self.average_weights()
        self.step += 1


def start(experiment, seed):
    """Return the training of an experiment, before its first step."""
    flags, _ = SETTINGS[experiment]
    args = train.parse_args(["--seed", str(seed), "--device", "cpu", *flags.split()])
    kind = DiscriminatorFirst if experiment.startswith(D_FIRST) else train.Training
    return kind(args)


def measure(job):
    """Make the training of a job (experiment, seed); return a row for each epoch measured."""
    experiment, seed = job
    _, n_epochs = SETTINGS[experiment]
    measured = measure_training(start(experiment, seed), n_epochs)
    return [{"experiment": experiment, "seed": seed} | row for row in measured]


def table(rows):
    """Return a row for each training; ranges are over its seeds."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        line = {"training": experiment, "seeds": len(grouped(some, "seed"))}
        for epoch in 10, 40, 200:
            at = [row for row in some if row["epoch"] == epoch]
            line[f"distance after {epoch}"] = range_of([row["frechet_distance"] for row in at], 1)
            line[f"clear after {epoch}, %"] = range_of([100 * row["confident"] for row in at], 1)
        at = [100 * row["commonest_digit"] for row in some if row["epoch"] == 10]
        lines.append(line | {"commonest digit after 10, %": range_of(at, 1)})
    return lines


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "settings.csv", table(rows))


if __name__ == "__main__":
    seeds = dict.fromkeys(SETTINGS, range(3)) | dict.fromkeys(ONE_SEED, range(1))
    study("settings", __doc__, SETTINGS, seeds, measure, show)
