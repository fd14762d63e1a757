"""Why does the template collapse? Its discriminator's gradient is made late, or smooth, alone.

    python study_collapse.py --only neither smooth late both "five steps"    the report's, 4 hours
    python study_collapse.py --only late --n_epochs 5 --seeds 1              one, two minutes
    python study_collapse.py --rows results/collapse_rows.csv                table, figures: seconds

Momentum (beta1 = 0.9) averages some ten gradients, and so makes them late, by nine steps in the
mean. Here each is done alone, to the discriminator. A training is collapsed while a quarter of its
samples or more are the same digit. Minutes are those of one core of an AMD EPYC; without flags, all
trainings of CHANGES are made, in some 27 hours.
"""

import platform
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import torch

import template
import train
from common import begin, make_parser, number, run
from figures import collapse_figure, curves_of, early_means, quality_figure
from rows import add_study_flags, save_csv, save_figure, study_rows
from template import TemplateTraining

COLLAPSED = 0.25  # the share of the commonest digit from which on a training is collapsed
LATE = 50  # the last epoch at which the table looks for collapse
OURS = ("ours", "64 fakes", "no R1")  # trainings in our loop


class Late(TemplateTraining):
    """The template, with each gradient of the discriminator applied `late` steps later."""

    def __init__(self, args):
        super().__init__(args)
        self.waiting = []  # gradients, the oldest first

    def update_discriminator(self):
        """Apply the gradient of `late` steps ago, if there is one."""
        weights = list(self.discriminator.parameters())
        self.waiting.append([weight.grad for weight in weights])
        if len(self.waiting) > self.args.late:
            for weight, gradient in zip(weights, self.waiting.pop(0), strict=True):
                weight.grad = gradient
            self.optimizer_d.step()


class More(TemplateTraining):
    """The template, whose discriminator sees further real images and fakes within a step."""

    def batches(self, images):
        """Return the template's batches, and keep the images to draw further ones from."""
        self.images = images
        return super().batches(images)

    def further_gradient(self, n_batches):
        """Compute the discriminator's gradient on other real images and new fakes of today."""
        size = self.args.batch_size
        picks = torch.randint(len(self.images), (n_batches * size,), generator=self.rng)
        with torch.no_grad():  # batch by batch, as the generator's BatchNorm knows them
            fake = torch.cat([self.generate(size) for _ in range(n_batches)])
        self.discriminator_gradient(self.images[picks], fake)


class Smooth(More):
    """The template with the mean of `smooth` gradients of the discriminator, all of today.

    They are averaged, as by momentum, but not late. The discriminator's beta1 must be 0.
    """

    def update_discriminator(self):
        """Step Adam along the mean, with the second moments of the first gradient alone."""
        n, weights = self.args.smooth, list(self.discriminator.parameters())
        first = [weight.grad for weight in weights]
        self.further_gradient(n - 1)
        others = [weight.grad for weight in weights]
        for weight, gradient in zip(weights, first, strict=True):
            weight.grad = gradient
        self.optimizer_d.step()  # along the first gradient; now to the mean
        (group,) = self.optimizer_d.param_groups
        for weight, one, other in zip(weights, first, others, strict=True):
            state = self.optimizer_d.state[weight]
            moment = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            change = (n - 1) / n * (other - one)  # the mean minus the first
            weight.data -= group["lr"] * change / (moment.sqrt() + group["eps"])


class ManySteps(More):
    """The template with d_steps steps of the discriminator for each of the generator's."""

    def update_discriminator(self):
        """Make all steps; each has images and fakes of its own."""
        self.optimizer_d.step()
        for _ in range(self.args.d_steps - 1):
            self.further_gradient(1)
            self.optimizer_d.step()


class Change(NamedTuple):
    """A kind of training: what is changed in which loop, for how many seeds and epochs."""

    title: str
    build: type
    settings: dict
    seeds: int = 3
    epochs: int = 10


ZERO = {"b1_g": 0.0, "b1_d": 0.0}
CHANGES = {
    "neither": Change("neither smooth nor late (β₁ = 0)", TemplateTraining, ZERO, 3, 50),
    "smooth": Change("smooth, not late", Smooth, ZERO | {"smooth": 9}),
    "late": Change("late, not smooth", Late, ZERO | {"late": 9}, 3, 50),
    "both": Change("smooth and late (β₁ = 0.9)", TemplateTraining, {"b1_g": 0.0}, 3, 50),
    "late 1": Change("late by 1 step", Late, ZERO | {"late": 1}),
    "late 2": Change("late by 2 steps", Late, ZERO | {"late": 2}),
    "late 4": Change("late by 4 steps", Late, ZERO | {"late": 4}),
    "five steps": Change("β₁ = 0.9, five steps of D", ManySteps, {"b1_g": 0.0, "d_steps": 5}),
    "five alone": Change("β₁ = 0, five steps of D", ManySteps, ZERO | {"d_steps": 5}),
    "0.5": Change("β₁ = 0.5 of D", TemplateTraining, {"b1_g": 0.0, "b1_d": 0.5}),
    "0.8": Change("β₁ = 0.8 of D", TemplateTraining, {"b1_g": 0.0, "b1_d": 0.8}),
    "slow": Change("a quarter of D's rate", TemplateTraining, ZERO | {"lr_d": 5e-5}),
    "generator": Change("β₁ = 0.9 of the generator alone", TemplateTraining, {"b1_d": 0.0}),
    "template": Change("the template", TemplateTraining, {}, 6, 50),
    "half": Change("both networks' β₁ = 0.5", TemplateTraining, dict.fromkeys(ZERO, 0.5), 5, 50),
    "ours": Change("our settings", train.Training, {}, 3, 200),
    "64 fakes": Change("ours, 64 fakes", train.Training, {"fakes": 64}, 1, 200),
    "no R1": Change("ours, 64 fakes, no R1", train.Training, {"fakes": 64, "r1": 0.0}, 1, 200),
}


def number_or_nothing(text):
    """Return the number in a cell, or "" for an empty one: old trainings have not kept all."""
    return number(float, 0)(text) if text else ""


COLUMNS = {"training": str, "seed": int, "flags": str, "epoch": int}
COLUMNS |= {"frechet_distance": number(float, 0), "inception_score": number(float, 1, 10)}
COLUMNS |= dict.fromkeys(("confident", "rarest_digit", "commonest_digit"), number(float, 0, 1))
COLUMNS |= dict.fromkeys(train.LOSSES, number_or_nothing) | {"processor": str}


def train_quietly(args, build):
    """Return the training train.train(args, build), which prints into log.txt in a new folder."""
    args.out_dir.mkdir(exist_ok=True)
    with open(args.out_dir / "log.txt", "w") as log, redirect_stdout(log), redirect_stderr(log):
        return train.train(args, build)


def measure(job):
    """Make a training, (name, seed, args), in a folder of its own; return its rows."""
    name, seed, args = job
    _, build, changes, _, epochs = CHANGES[name]
    script = train if name in OURS else template
    settings = script.parse_args(["--seed", str(seed), "--n_measured", str(args.n_measured)])
    folder = args.out_dir / f"{name.replace(' ', '_')}-seed{seed}"
    vars(settings).update(changes, n_epochs=args.n_epochs or epochs, out_dir=folder)
    settings.device = args.device
    training = train_quietly(settings, build)
    losses = {row["epoch"]: row for row in training.losses}
    flags = " ".join(f"--{flag} {value}" for flag, value in changes.items())
    rows = []
    for quality in training.quality:
        row = {"training": name, "seed": seed, "flags": flags} | losses[quality["epoch"]] | quality
        row["processor"] = platform.processor() or platform.machine()
        rows.append({column: row[column] for column in COLUMNS})
    return rows


def range_of(numbers, decimals=0):
    """Return the least and the greatest of some numbers as text; "" of none."""
    ends = [f"{end(numbers):.{decimals}f}" for end in (min, max)] if numbers else []
    return " to ".join(dict.fromkeys(ends))


def table(rows):
    """Return a row for each kind of training; ranges are those of its seeds.

    The last collapsed epoch is the last at which a training was measured and found collapsed, at
    most LATE, and 0 if there is none.
    """
    lines = []
    for name in dict.fromkeys(row["training"] for row in rows):
        last, at_end = {}, {LATE: [], 200: []}  # last: {epochs that are known: last collapsed}
        for epochs, shares in curves_of(rows, name, "commonest_digit"):
            pairs = zip(epochs, shares, strict=True)
            collapsed = [epoch for epoch, share in pairs if share >= COLLAPSED and epoch <= LATE]
            last.setdefault(min(epochs[-1], LATE), []).append(max(collapsed, default=0))
        for epochs, distances in curves_of(rows, name, "frechet_distance"):
            for epoch, distance in zip(epochs, distances, strict=True):
                if epoch in at_end:
                    at_end[epoch].append(distance)
        line = {"training": CHANGES[name].title, "seeds": sum(map(len, last.values()))}
        line["distance, epochs 6 to 10"] = range_of(early_means(rows, name, "frechet_distance"))
        for epoch, distances in at_end.items():
            line[f"distance after {epoch}"] = range_of(distances, int(name in OURS))
        ends = [f"{range_of(epochs)} of {known}" for known, epochs in last.items()]
        line["last collapsed epoch"] = ", ".join(ends)
        line["D of real images"] = range_of(early_means(rows, name, "d_real"), 2)
        line["D of fakes"] = range_of(early_means(rows, name, "d_fake"), 2)
        lines.append(line)
    return lines


def main():
    """Measure, or read what was measured; show it."""
    parser = make_parser(__doc__)
    add_study_flags(parser, CHANGES, seed=0)
    count = number(int, 1)
    parser.add_argument("--n_epochs", type=count, help="passes over MNIST (default: 10 to 200)")
    parser.add_argument("--n_measured", type=number(int, 200), default=10_000, help="samples")
    args = parser.parse_args()
    begin(args)
    jobs = [
        (name, seed, args)
        for name in args.only
        for seed in range(args.seed, args.seed + (args.seeds or CHANGES[name].seeds))
    ]
    rows = study_rows(args, args.out_dir / "collapse_rows.csv", COLUMNS, measure, jobs)
    save_csv(args.out_dir / "collapse.csv", table(rows), show=True)
    save_figure(args.out_dir / "collapse.png", collapse_figure(rows), rows)
    save_figure(args.out_dir / "quality.png", quality_figure(rows), rows)
    print(f"table and figures are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
