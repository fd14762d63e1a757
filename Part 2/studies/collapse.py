"""Why does the course's template collapse? Its discriminator answers to a generator that is gone.

    python -m studies.collapse                                      the report's, in seconds
    python -m studies.collapse --only "delay 5" --seed 7 --seeds 1  one training, four minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and late. Here each is
done alone, to the discriminator or to the generator. A *delay* is how many steps the generator has
made since it drew the fakes for the discriminator's gradient: 1 in the template's order of updates,
where the generator steps first. All trainings together take half a day of one core.
"""

import copy
import statistics

import torch
from matplotlib.figure import Figure
from torch.optim import Adam
from torch.utils.data import DataLoader

from common import BLUE, GREY, ORANGE, grouped, save_figure, save_table
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from studies.runner import study
from train import MEASURE_SEED

COLLAPSED = 0.25  # the share of the commonest digit from which on a training is collapsed
BATCH_SIZE = 64


def step_late(adam, waiting, late):
    """Step Adam along the gradients that its weights had `late` steps ago, if there are any."""
    weights = adam.param_groups[0]["params"]
    waiting.append([weight.grad for weight in weights])
    if len(waiting) > late:
        for weight, gradient in zip(weights, waiting.pop(0), strict=True):
            weight.grad = gradient
        adam.step()


class Template:
    """The course's template with the usual losses, and what we change in it.

    b1_g, lr_g    beta1 and rate of the generator's Adam; b1_d, lr_d of the discriminator's
    units         the discriminator's units: 784-units-units/2-1
    d_first       the discriminator steps before the generator, on the same fakes
    late, late_g  each gradient of the discriminator, or generator, is applied so many steps later
    mean          the discriminator's gradient is the mean over so many batches, for b1_d = 0
    d_steps       steps of the discriminator for each of the generator's
    """

    def __init__(
        self,
        seed,
        b1_g=0.9,
        b1_d=0.9,
        lr_g=2e-4,
        lr_d=2e-4,
        units=512,
        d_first=False,
        late=0,
        late_g=0,
        mean=1,
        d_steps=1,
    ):
        torch.manual_seed(seed)
        self.generator, self.discriminator = Generator(), Discriminator(units)
        self.adam_g = Adam(self.generator.parameters(), lr_g, (b1_g, 0.999), fused=True)
        self.adam_d = Adam(self.discriminator.parameters(), lr_d, (b1_d, 0.999), fused=True)
        self.d_first, self.late, self.late_g = d_first, late, late_g
        self.mean, self.d_steps = mean, d_steps
        self.rng = torch.Generator().manual_seed(seed)
        self.waiting_g, self.waiting_d = [], []  # gradients that are late, the oldest first
        self.steps = 0

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order, and keep the images."""
        self.images = images
        return DataLoader(images, BATCH_SIZE, shuffle=True, generator=self.rng)

    def fakes(self, n):
        """Return n generated images of new noise."""
        return self.generator(torch.randn(n, 100, generator=self.rng))

    def train_step(self, real):
        """Update the generator, then the discriminator, on real (B, 1, 28, 28) in [-1, 1]."""
        fake = self.fakes(len(real))
        # At first, Adam's second moments, by which the mean is divided, are of too few gradients.
        smooth = self.mean > 1 and self.steps >= 10
        others = self.further_images(self.mean - 1) if smooth else None  # as old as fake
        if not self.d_first:
            self.generator_step(fake)
        self.discriminator_step(real, fake.detach(), others)
        if self.d_first:
            self.generator_step(fake)
        for _ in range(self.d_steps - 1):
            self.discriminator_step(*self.further_images(1))
        self.steps += 1

    def generator_step(self, fake):
        """Step the generator along the gradient at these fakes, or that of late_g steps ago."""
        g_loss = generator_loss(self.discriminator(fake))
        self.adam_g.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))
        step_late(self.adam_g, self.waiting_g, self.late_g)

    def discriminator_gradient(self, real, fake):
        """Compute the gradient of half the discriminator's loss; return it, a tensor a weight."""
        d_loss = discriminator_loss(self.discriminator(real), self.discriminator(fake))
        self.adam_d.zero_grad()
        (d_loss / 2).backward()
        return [weight.grad for weight in self.discriminator.parameters()]

    @torch.no_grad()
    def further_images(self, n_batches):
        """Return random real images, and fakes of new noise in batches, as BatchNorm needs them."""
        picks = torch.randint(len(self.images), (n_batches * BATCH_SIZE,), generator=self.rng)
        return self.images[picks], torch.cat([self.fakes(BATCH_SIZE) for _ in range(n_batches)])

    def discriminator_step(self, real, fake, others=None):
        """Step along the gradient at these images, that of `late` steps ago, or the mean."""
        if others:
            of_others = self.discriminator_gradient(*others)
        of_one = self.discriminator_gradient(real, fake)
        step_late(self.adam_d, self.waiting_d, self.late)
        if not others:
            return
        # Adam has stepped along the gradient of one batch. We go on to where the mean of all would
        # have led, with the same second moments: momentum, too, has those of single batches.
        (group,) = self.adam_d.param_groups
        for weight, one, rest in zip(group["params"], of_one, of_others, strict=True):
            mean = (one + (self.mean - 1) * rest) / self.mean
            state = self.adam_d.state[weight]
            moment = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            weight.data -= group["lr"] * (mean - one) / (moment.sqrt() + group["eps"])

    def final_generator(self):
        """Return a copy of the generator in eval mode."""
        return copy.deepcopy(self.generator).eval()


ZERO = {"b1_g": 0.0, "b1_d": 0.0}  # no momentum
TEN = ZERO | {"late": 9}
CHANGES = {  # {experiment: the arguments of Template}
    "delay 0": ZERO | {"d_first": True},
    "delay 1": ZERO,
    "delay 2": ZERO | {"late": 1},
    "delay 3": ZERO | {"late": 2},
    "delay 5": ZERO | {"late": 4},
    "delay 10": TEN,
    "mean of nine": ZERO | {"mean": 9},
    "momentum 0.5": {"b1_g": 0.0, "b1_d": 0.5},
    "momentum": {"b1_g": 0.0},
    "slow 1/4": ZERO | {"lr_d": 5e-5},
    "small 32": ZERO | {"units": 32},
    "delay 10, five steps": TEN | {"d_steps": 5},
    "delay 10, slow 1/4": TEN | {"lr_d": 5e-5},
    "delay 10, slow generator": TEN | {"lr_g": 5e-5},
    "slow generator": ZERO | {"lr_g": 5e-5},
    "late generator": ZERO | {"late_g": 9},
    "generator's momentum": {"b1_d": 0.0},
    "generator's momentum, mean of nine": {"b1_d": 0.0, "mean": 9},
    "generator's momentum, delay 10": {"b1_d": 0.0, "late": 9},
    "template": {},
}
EPOCHS = dict.fromkeys(("delay 1", "delay 10", "momentum"), 50) | {"template": 200}
SETTINGS = {name: (changes, EPOCHS.get(name, 10)) for name, changes in CHANGES.items()}


def measure(job):
    """Make the training of a job (experiment, seed); return its rows."""
    experiment, seed = job
    changes, n_epochs = SETTINGS[experiment]
    measured = measure_training(Template(seed, **changes), n_epochs)
    return [{"experiment": experiment, "seed": seed} | row for row in measured]


def measure_training(training, n_epochs, n_images=60_000, n_samples=10_000):
    """Train for n_epochs; return a row for each epoch measured, the first ten and every fifth.

    A row has the distance and the shares of clear samples and of the commonest digit.
    """
    rows, images = [], load_mnist()[0][:n_images]
    for epoch in range(1, n_epochs + 1):
        for real in training.batches(images):
            training.train_step(real)
        if epoch <= 10 or epoch % 5 == 0:
            samples = draw_samples(training.final_generator(), n_samples, MEASURE_SEED)
            rows.append({"epoch": epoch} | compare_with_mnist().quality(samples))
    return rows


def range_of(numbers, decimals=0):
    """Return the least and the greatest of some numbers as text; "" of none."""
    ends = [f"{end(numbers):.{decimals}f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def early_distances(rows):
    """Return the mean distance over epochs 6 to 10 of each seed."""
    early = grouped([row for row in rows if 6 <= row["epoch"] <= 10], "seed").values()
    return [statistics.mean(row["frechet_distance"] for row in own) for own in early]


def is_collapsed(row):
    """Return whether the training of a row is collapsed after its epoch."""
    return row["commonest_digit"] >= COLLAPSED


def collapse_table(rows):
    """Return a row for each training of the template's loop; ranges are those of its seeds."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        seeds = grouped(some, "seed").values()
        early = [sum(is_collapsed(row) for row in own[:10]) for own in seeds]
        ends = [is_collapsed(own[9]) for own in seeds]
        line = {"training": experiment, "seeds": len(seeds)}
        line["distance, epochs 6 to 10"] = range_of(early_distances(some))
        line["collapsed epochs of the first ten"] = range_of(early)
        line["collapsed at epoch 10"] = f"{sum(ends)} of {len(ends)}"
        line["epochs"] = some[-1]["epoch"]
        line["last distance"] = range_of([own[-1]["frechet_distance"] for own in seeds])
        shares = [100 * own[-1]["commonest_digit"] for own in seeds]
        lines.append(line | {"last share of the commonest digit, %": range_of(shares)})
    return lines


def momentum_table(rows):
    """Return a row for each of PAIRS: what is done to D, without and with momentum in G."""
    known, lines = {line["training"]: line for line in collapse_table(rows)}, []
    for name, pair in PAIRS.items():
        line = {"discriminator": name}
        for prefix, training in zip(("", "generator's momentum: "), pair, strict=True):
            for column in "distance, epochs 6 to 10", "collapsed at epoch 10":
                line[prefix + column] = known[training][column]
        lines.append(line)
    return lines


PAIRS = {  # {discriminator: its trainings without and with momentum in the generator}
    "one batch": ("delay 1", "generator's momentum"),
    "mean of nine batches": ("mean of nine", "generator's momentum, mean of nine"),
    "nine steps later": ("delay 10", "generator's momentum, delay 10"),
    "momentum": ("momentum", "template"),
}
DOSES = {f"delay {steps}": steps for steps in (0, 1, 2, 3, 5, 10)}
OTHERS = {"momentum": 12.8, "late generator": 16, "generator's momentum": 19}
DRAWN = DOSES | OTHERS  # {experiment: its place on the x axis of delay.png}
LABELS = [*DOSES.values(), "discriminator's\nmomentum", "late\ngenerator"]
LABELS += ["generator's\nmomentum"]


def delay_figure(rows):
    """Return a Figure: the distance of each seed over the delay, and beside it with OTHERS."""
    figure = Figure(figsize=(9.5, 4.8), layout="constrained")
    axes = figure.subplots()
    means = {}
    for (experiment,), some in grouped(rows, "experiment").items():
        seeds, distances = grouped(some, "seed").values(), early_distances(some)
        means[experiment] = statistics.mean(distances)
        for n, (own, distance) in enumerate(zip(seeds, distances, strict=True)):
            color, face = (ORANGE, ORANGE) if is_collapsed(own[9]) else (BLUE, "white")
            axes.plot(
                DRAWN[experiment] + 0.15 * (n - 1), distance, "o", ms=10, mfc=face, mec=color, mew=2
            )
    axes.plot([*DOSES.values()], [means[name] for name in DOSES], color=GREY, lw=1)
    axes.axvline(11, color=GREY, lw=1, ls=":")
    axes.set_xticks([*DRAWN.values()], LABELS)
    axes.set(xlim=(-1, 20.2), yscale="log", ylabel="distance to MNIST (0 is best)")
    axes.set_xlabel("delay in steps, without momentum (1: the template's own order)", loc="left")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("The later the discriminator answers, the worse the samples", fontsize=16)
    axes.plot([], [], "o", ms=10, color=ORANGE, label="collapsed at epoch 10")
    axes.plot([], [], "o", ms=10, mfc="white", mec=BLUE, mew=2, label="not collapsed")
    axes.legend(loc="upper left")
    return figure


def show(rows, out_dir):
    """Save the tables, and the figure, that these rows can show."""
    shown = {row["experiment"] for row in rows}
    save_table(out_dir / "collapse.csv", collapse_table(rows))
    if {name for pair in PAIRS.values() for name in pair} <= shown:
        save_table(out_dir / "momentum.csv", momentum_table(rows))
    if shown >= {*DRAWN}:
        drawn = [row for row in rows if row["experiment"] in DRAWN]
        save_figure(out_dir / "delay.png", delay_figure(drawn), drawn)


if __name__ == "__main__":
    seeds = dict.fromkeys(SETTINGS, range(3))
    study("collapse", __doc__, SETTINGS, seeds, measure, show)
