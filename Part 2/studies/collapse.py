"""Why does the course's template collapse? Its discriminator is made late, slow or small, alone.

    python -m studies.collapse                                       the report's, in seconds
    python -m studies.collapse --only "late 4" --seed 7 --seeds 1    one training, four minutes

Momentum (Adam's beta1 = 0.9) makes a gradient smoother than one batch's, and late: it is on average
nine steps old. Here each is done alone, to the discriminator. The last trainings are those of our
settings, with one or more at the template's value. All of them take a day of one core.
"""

import copy
import statistics

import torch
from matplotlib.figure import Figure
from torch.optim import Adam
from torch.utils.data import DataLoader

import train
from common import BLUE, GREY, ORANGE, grouped, save_figure, save_table
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples
from metrics import compare_with_mnist
from mnist import load_mnist
from studies.runner import study

COLLAPSED = 0.25  # the share of the commonest digit from which on a training is collapsed
BATCH_SIZE = 64


class Template:
    """The course's template with the usual losses, and what we change in it.

    b1_g, lr_g    beta1 and rate of the generator's Adam; b1_d, lr_d of the discriminator's
    units         the discriminator's units: 784-units-units/2-1
    late          each gradient of the discriminator is applied this many of its steps later
    smooth        its gradient is the mean over this many batches, for b1_d = 0
    d_steps       steps of the discriminator for each of the generator's
    """

    def __init__(
        self, seed, b1_g=0.9, b1_d=0.9, lr_g=2e-4, lr_d=2e-4, units=512, late=0, smooth=1, d_steps=1
    ):
        torch.manual_seed(seed)
        self.generator, self.discriminator = Generator(), Discriminator(units)
        self.adam_g = Adam(self.generator.parameters(), lr_g, (b1_g, 0.999), fused=True)
        self.adam_d = Adam(self.discriminator.parameters(), lr_d, (b1_d, 0.999), fused=True)
        self.late, self.smooth, self.d_steps = late, smooth, d_steps
        self.rng = torch.Generator().manual_seed(seed)
        self.waiting = []  # gradients of the discriminator, the oldest first
        self.steps = 0

    def batches(self, images):
        """Return a loader of all images (N, 1, 28, 28), in random order, and keep the images."""
        self.images = images
        return DataLoader(images, BATCH_SIZE, shuffle=True, generator=self.rng)

    def fakes(self, n):
        """Return n generated images of new noise."""
        return self.generator(torch.randn(n, 100, generator=self.rng))

    def train_step(self, real):
        """Update the generator, then the discriminator, on real (B, 1, 28, 28) in [-1, 1].

        Returns (4,): both losses, and the means of D over the real images and over the fakes.
        """
        fake = self.fakes(len(real))
        g_loss = generator_loss(self.discriminator(fake))
        self.adam_g.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))
        self.adam_g.step()

        d_loss, d_real, d_fake = self.discriminator_gradient(real, fake.detach())
        self.discriminator_step()
        for _ in range(self.d_steps - 1):
            self.discriminator_gradient(*self.further_images(1))
            self.discriminator_step()
        self.steps += 1
        return torch.stack([d_loss, g_loss, d_real, d_fake]).detach()

    def discriminator_gradient(self, real, fake):
        """Compute the gradient of half the discriminator's loss; return loss and means of D."""
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        d_loss = discriminator_loss(real_logits, fake_logits)
        self.adam_d.zero_grad()
        (d_loss / 2).backward()
        return d_loss, torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()

    @torch.no_grad()
    def further_images(self, n_batches):
        """Return random real images, and fakes of new noise in batches, as BatchNorm needs them."""
        picks = torch.randint(len(self.images), (n_batches * BATCH_SIZE,), generator=self.rng)
        return self.images[picks], torch.cat([self.fakes(BATCH_SIZE) for _ in range(n_batches)])

    def discriminator_step(self):
        """Step Adam along the gradient just computed, or that of `late` steps ago, or the mean."""
        weights = list(self.discriminator.parameters())
        self.waiting.append([weight.grad for weight in weights])
        if len(self.waiting) <= self.late:
            return
        first = self.waiting.pop(0)
        for weight, gradient in zip(weights, first, strict=True):
            weight.grad = gradient
        self.adam_d.step()
        if self.smooth == 1 or self.steps < 10:  # before, a second moment is of too few gradients
            return
        # Adam has stepped along the first gradient. We go on to where the mean of all would have
        # led, with the same second moments.
        n, (group,) = self.smooth, self.adam_d.param_groups
        self.discriminator_gradient(*self.further_images(n - 1))
        for weight, one in zip(weights, first, strict=True):
            mean = (one + (n - 1) * weight.grad) / n
            state = self.adam_d.state[weight]
            moment = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            weight.data -= group["lr"] * (mean - one) / (moment.sqrt() + group["eps"])

    def final_generator(self):
        """Return a copy of the generator in eval mode."""
        return copy.deepcopy(self.generator).eval()


ZERO = {"b1_g": 0.0, "b1_d": 0.0}  # no momentum: neither late nor smooth
FIVE = {"d_steps": 5}
LATE, SLOW, SMALL = ZERO | {"late": 9}, ZERO | {"lr_d": 5e-5}, ZERO | {"units": 32}
CHANGES = {  # {experiment: the arguments of Template}
    "no momentum": ZERO,
    "smooth": ZERO | {"smooth": 9},
    "late 9": LATE,
    "momentum": {"b1_g": 0.0},
    "late 1": ZERO | {"late": 1},
    "late 2": ZERO | {"late": 2},
    "late 4": ZERO | {"late": 4},
    "slow 1/2": ZERO | {"lr_d": 1e-4},
    "slow 1/4": SLOW,
    "slow 1/8": ZERO | {"lr_d": 2.5e-5},
    "small 128": ZERO | {"units": 128},
    "small 32": SMALL,
    "five steps": ZERO | FIVE,
    "momentum, five steps": {"b1_g": 0.0} | FIVE,
    "late 9, five steps": LATE | FIVE,
    "slow 1/4, five steps": SLOW | FIVE,
    "small 32, five steps": SMALL | FIVE,
    "late 9, five times the rate": LATE | {"lr_d": 1e-3},
    "slow 1/4, five times the rate": ZERO | {"lr_d": 2.5e-4},
    "small 32, five times the rate": SMALL | {"lr_d": 1e-3},
    "late 9 and slow 1/4": LATE | {"lr_d": 5e-5},
    "slow generator": ZERO | {"lr_g": 5e-5},
    "late 9, slow generator": LATE | {"lr_g": 5e-5},
    "momentum 0.5": {"b1_g": 0.0, "b1_d": 0.5},
    "generator's momentum": {"b1_d": 0.0},
    "generator's momentum, smooth": {"b1_d": 0.0, "smooth": 9},
    "generator's momentum, late 9": {"b1_d": 0.0, "late": 9},
    "template": {},
}
OURS = {  # {experiment: flags of train.py}
    "ours": "",
    "ours, 64 fakes": "--fakes 64",
    "ours, generator's rate": "--lr 0.0002",
    "ours, discriminator's rate": "--lr_d 0.0002",
    "ours, momentum": "--b1 0.9",
    "ours, no R1": "--r1 0",
    "ours, no averaging": "--ema 0",
    "ours, all six": "--fakes 64 --lr 0.0002 --lr_d 0.0002 --b1 0.9 --r1 0 --ema 0",
    "64 fakes, 200 epochs": "--fakes 64",
    "64 fakes, no R1, 200 epochs": "--fakes 64 --r1 0",
}
LONG = ("64 fakes, 200 epochs", "64 fakes, no R1, 200 epochs")
EPOCHS = dict.fromkeys(("no momentum", "late 9", "momentum"), 50)
EPOCHS |= dict.fromkeys(("template", "ours", *LONG), 200)
SETTINGS = {name: (what, EPOCHS.get(name, 10)) for name, what in (CHANGES | OURS).items()}
SEEDS = dict.fromkeys(SETTINGS, range(3)) | dict.fromkeys(LONG, range(1))


def start(experiment, seed):
    """Return the training of an experiment, before its first step."""
    if experiment in OURS:
        flags = ["--seed", str(seed), "--device", "cpu", *OURS[experiment].split()]
        return train.Training(train.parse_args(flags))
    return Template(seed, **CHANGES[experiment])


def measure(job, n_images=60_000, n_epochs=None, n_samples=10_000):
    """Make the training of a job (experiment, seed); return a row for each epoch measured.

    These are the first ten, and every fifth. A row has the distance and the shares of clear samples
    and of the commonest digit.
    """
    experiment, seed = job
    training, images = start(experiment, seed), load_mnist()[0][:n_images]
    rows = []
    for epoch in range(1, (n_epochs or EPOCHS.get(experiment, 10)) + 1):
        for real in training.batches(images):
            training.train_step(real)
        if epoch > 10 and epoch % 5 > 0:
            continue
        samples = draw_samples(training.final_generator(), n_samples, train.MEASURE_SEED)
        row = {"experiment": experiment, "seed": seed, "epoch": epoch}
        rows.append(row | compare_with_mnist().quality(samples))
    return rows


def range_of(numbers, decimals=0):
    """Return the least and the greatest of some numbers as text; "" of none."""
    ends = [f"{end(numbers):.{decimals}f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def early_distances(rows):
    """Return the mean distance over epochs 6 to 10 of each seed."""
    early = grouped([row for row in rows if 6 <= row["epoch"] <= 10], "seed").values()
    return [statistics.mean(row["frechet_distance"] for row in own) for own in early]


def last_collapsed(own):
    """Return the last epoch at which a training, its rows, was collapsed; 0 if it never was."""
    return max((row["epoch"] for row in own if row["commonest_digit"] >= COLLAPSED), default=0)


def collapse_table(rows):
    """Return a row for each training of the template's loop; ranges are those of its seeds."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        if experiment in OURS:
            continue
        seeds, n_epochs = grouped(some, "seed").values(), some[-1]["epoch"]
        ends = [row["commonest_digit"] >= COLLAPSED for row in some if row["epoch"] == 10]
        line = {"training": experiment}
        line["distance, epochs 6 to 10"] = range_of(early_distances(some))
        line["collapsed at epoch 10"] = f"{sum(ends)} of {len(ends)}"
        line["last collapsed epoch"] = f"{range_of([*map(last_collapsed, seeds)])} of {n_epochs}"
        line["last distance"] = range_of([own[-1]["frechet_distance"] for own in seeds])
        lines.append(line)
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


def settings_table(rows):
    """Return a row for each training with our settings, and with one of them at the template's."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        if experiment in CHANGES:
            continue
        line = {"training": experiment, "seeds": len(grouped(some, "seed"))}
        for epoch in 10, 200:
            at = [row for row in some if row["epoch"] == epoch]
            line[f"distance after {epoch}"] = range_of([row["frechet_distance"] for row in at], 1)
            for name, column in ("clear", "confident"), ("commonest digit", "commonest_digit"):
                values = [100 * row[column] for row in at]
                line[f"{name} after {epoch}, %"] = range_of(values, 1)
        lines.append(line)
    return lines


PAIRS = {  # {discriminator: its trainings without and with momentum in the generator}
    "no momentum": ("no momentum", "generator's momentum"),
    "mean of nine batches": ("smooth", "generator's momentum, smooth"),
    "nine steps late": ("late 9", "generator's momentum, late 9"),
    "momentum": ("momentum", "template"),
}
PANELS = {  # of collapse.png: {title: {tick of the x axis: experiment}}
    "late: steps": {"0": "no momentum", "1": "late 1", "2": "late 2", "4": "late 4", "9": "late 9"},
    "slow: rate": {"1": "no momentum", "1/2": "slow 1/2", "1/4": "slow 1/4", "1/8": "slow 1/8"},
    "small: units": {"512": "no momentum", "128": "small 128", "32": "small 32"},
}


def draw_training(axes, x, rows):
    """Draw a dot for each seed: its distance, filled where it is collapsed at epoch 10."""
    for own in grouped(rows, "seed").values():
        (end,) = [row["commonest_digit"] for row in own if row["epoch"] == 10]
        color, face = (ORANGE, ORANGE) if end >= COLLAPSED else (BLUE, "white")
        axes.plot(x, early_distances(own), "o", ms=10, mfc=face, mec=color, mew=2)


def collapse_figure(rows):
    """Return a Figure: the distance with a discriminator that is ever later, slower or smaller.

    Arrows lead to the same training with five steps of the discriminator: late, slow and small.
    """
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    figure.suptitle("Discriminator late, slow or small: the more, the worse", fontsize=16)
    own = {experiment: some for (experiment,), some in grouped(rows, "experiment").items()}
    grid = figure.subplots(1, 3, sharey=True)
    for axes, (title, ticks) in zip(grid, PANELS.items(), strict=True):
        means = [statistics.mean(early_distances(own[name])) for name in ticks.values()]
        axes.plot(range(len(means)), means, color=GREY, lw=1)
        for x, name in enumerate(ticks.values()):
            draw_training(axes, x, own[name])
            if mended := own.get(f"{name}, five steps"):
                draw_training(axes, x, mended)
                top = max(early_distances(mended))
                arrow = {"arrowstyle": "-|>", "color": "black", "lw": 2}
                axes.annotate("", (x, 1.15 * top), (x, 0.8 * means[x]), arrowprops=arrow)
                axes.text(x - 0.15, top, "five steps", ha="right", va="center")
        axes.set(title=title, yscale="log", xlim=(-0.4, len(ticks) - 0.6))
        axes.set_xticks(range(len(ticks)), ticks)
        axes.yaxis.set_major_formatter("{x:g}")
    grid[0].set_ylabel("Fréchet distance, epochs 6 to 10")
    grid[0].plot([], [], "o", ms=10, color=ORANGE, label="collapsed at epoch 10")
    grid[0].plot([], [], "o", ms=10, mfc="white", mec=BLUE, mew=2, label="not collapsed")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def show(rows, out_dir):
    """Save the tables, and the figure, that these rows can show."""
    shown = {row["experiment"] for row in rows}
    tables = {"collapse": collapse_table(rows), "settings": settings_table(rows)}
    if {name for pair in PAIRS.values() for name in pair} <= shown:
        tables["momentum"] = momentum_table(rows)
    for name, table in tables.items():
        if table:
            save_table(out_dir / f"{name}.csv", table)
    if {name for ticks in PANELS.values() for name in ticks.values()} <= shown:
        save_figure(out_dir / "collapse.png", collapse_figure(rows), rows)


if __name__ == "__main__":
    study("collapse", __doc__, SETTINGS, SEEDS, measure, show)
