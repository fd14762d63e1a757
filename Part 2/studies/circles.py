"""Why does delay do harm? The networks of a GAN go round each other, and delay widens the circle.

    python -m studies.circles                             the report's table and figure, in seconds
    python -m studies.circles --only "delay 2" --again    three trainings of 1,500 steps, anew

The trainings are those of collapse.py. Every third step, the generator draws samples at 64 points
that stay the same. Their mean image moves; its *swing* is the root mean square distance from its
mean over some steps. The discriminator's *push* is the mean of d logit / d image over the samples:
the direction in which it wants them to go. A GAN of two numbers shows the same as plainly as
possible.
"""

import copy
from itertools import chain, islice

import torch
from matplotlib.figure import Figure

from common import BLUE, ORANGE, grouped, save_figure, save_table
from latent import latent_points
from mnist import load_mnist
from studies.collapse import CHANGES, DOSES, Template, range_of
from studies.runner import study

N_STEPS, EVERY = 1500, 3
WINDOWS = (100, 300), (900, 1500)  # first and last step
MAX_LAG = 20  # of the push, in records
TOY = {  # {experiment: arguments of two_numbers}, the columns of circles.png
    "delay 0": {"delay": 0},
    "delay 1": {"delay": 1},
    "delay 10": {"delay": 10},
    "momentum": {"delay": 1, "momentum": 0.9},
}
TITLES = (
    "no delay",
    "delay: one step, as in\nthe template's order",
    "delay: ten steps",
    "discriminator's momentum,\nβ₁ = 0.9",
)
NAMES = (*DOSES, "mean of nine", "momentum", "slow 1/4", "small 32", "late generator")
NAMES += ("generator's momentum", "template")
SETTINGS = {name: (CHANGES[name], N_STEPS) for name in NAMES}


def two_numbers(delay=0, momentum=0.0, rate=0.1, n_steps=3000):
    """Return the path (n_steps + 1, 2) of a GAN of two numbers (after Mescheder et al. 2018).

    All real data are 0, all fakes are theta, D(x) = sigm(psi x), the losses are those of gan.py.
    The discriminator steps first, on the theta of `delay` steps ago, and then the generator.
    """
    theta, psi, mean = torch.tensor(1.0), torch.tensor(0.0), 0.0
    path = [(theta, psi)]
    for step in range(n_steps):
        old, _ = path[max(0, step - delay)]
        gradient = torch.sigmoid(psi * old) * old  # of -log D(0) - log(1 - D(old)) by psi
        mean = momentum * mean + (1 - momentum) * gradient
        psi = psi - rate * mean
        theta = theta + rate * torch.sigmoid(-psi * theta) * psi  # along -log D(theta)
        path.append((theta, psi))
    return torch.tensor(path)


def look(training, z):
    """Return the mean image (784,) of the generator at z, and the discriminator's push on it."""
    generator = copy.deepcopy(training.generator)  # whose BatchNorm counts what it draws
    images = generator(z).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(training.discriminator(images).sum(), images)
    return images.detach().mean(0).flatten(), slopes.mean(0).flatten()


def correlation(pushes, images, lag):
    """Return the correlation of the pushes (N, D) with the images (N, D) of `lag` records later."""
    n = len(images) - abs(lag)
    first, later = max(0, -lag), max(0, lag)
    a, b = pushes[first : first + n], images[later : later + n]
    a, b = a - a.mean(0), b - b.mean(0)
    return ((a * b).sum() / (a.norm() * b.norm())).item()


def measure(job):
    """Make the first steps of the training of a job (experiment, seed); return its rows.

    A row has what is measured, a number of steps, and a value:

    * "x" and "y", of the trainings in TOY: where the mean image is in steps 900 to 1,500, along the
      two directions in which it moves most, from its mean over these steps on;
    * "swing": over the steps from this one on, see WINDOWS;
    * "lead": the correlation of the push with the mean image of so many steps later.
    """
    experiment, seed = job
    training = Template(seed, **CHANGES[experiment])
    z = latent_points(64, 100, seed + 7000)
    images, pushes = [], []
    twice = chain(*[training.batches(load_mnist()[0])] * 2)  # an epoch has 938 steps
    for step, real in enumerate(islice(twice, N_STEPS), start=1):
        training.train_step(real)
        if step % EVERY == 0:
            image, push = look(training, z)
            images.append(image)
            pushes.append(push)
    images, pushes = torch.stack(images), torch.stack(pushes)
    rows = []

    def add(what, step, value):
        row = {"experiment": experiment, "seed": seed, "what": what, "step": step}
        rows.append(row | {"value": round(value, 4)})

    for first, last in WINDOWS:
        some = images[first // EVERY : last // EVERY]
        path = some - some.mean(0)
        add("swing", first, path.square().sum(1).mean().sqrt().item())
    for lag in range(-MAX_LAG, MAX_LAG + 1):
        add("lead", lag * EVERY, correlation(pushes[first // EVERY :], some, lag))
    _, _, directions = torch.linalg.svd(path, full_matrices=False)
    for what, direction in zip("xy", directions[:2] if experiment in TOY else [], strict=False):
        for n, value in enumerate((path @ direction).tolist()):
            add(what, first + (n + 1) * EVERY, value)
    return rows


def values_of(rows, what):
    """Return {step: value} of the rows in which this is measured."""
    return {row["step"]: row["value"] for row in rows if row["what"] == what}


def circles_table(rows):
    """Return a row for each training: its swings, and by how many steps the push leads."""
    lines = []
    for (experiment,), some in grouped(rows, "experiment").items():
        seeds = grouped(some, "seed").values()
        line = {"training": experiment}
        for first, last in WINDOWS:
            swings = [values_of(own, "swing")[first] for own in seeds]
            line[f"swing, steps {first} to {last}"] = range_of(swings, 1)
        leads = [values_of(own, "lead") for own in seeds]
        line["push leads by, steps"] = range_of([max(lead, key=lead.get) for lead in leads])
        for sign, when in (1, "after as many"), (0, "at once"), (-1, "as many before"):
            values = [round(lead[sign * max(lead, key=lead.get)], 2) + 0 for lead in leads]
            line[f"correlation {when}"] = range_of(values, 2)
        lines.append(line)
    return lines


def toy_table():
    """Return a row for each delay of the GAN of two numbers: the amplitude, predicted and found."""
    lines = []
    for delay in 0, 1, 2, 4, 9, 10:
        theta = two_numbers(delay)[-1000:, 0].abs().max().item()
        predicted = (2 * 0.1 * delay) ** 0.5
        lines.append({"delay": delay, "predicted": f"{predicted:.2f}", "found": f"{theta:.2f}"})
    return lines


def circles_figure(rows):
    """Return a Figure: the paths of the GAN of two numbers, and of the mean sample of MNIST."""
    figure = Figure(figsize=(11, 5.9), layout="constrained")
    title = "When the discriminator is late, the networks circle each other more widely"
    figure.suptitle(title, fontsize=17)
    trainings = grouped(rows, "experiment")
    above, below = figure.subplots(2, 4, sharex="row", sharey="row")
    for n, (experiment, arguments) in enumerate(TOY.items()):
        color = BLUE if n < 2 else ORANGE
        path = two_numbers(**arguments, n_steps=1500)
        (own, *_) = grouped(trainings[experiment,], "seed").values()  # the first seed
        x, y = ([*values_of(own, what).values()] for what in "xy")
        for axes, (xs, ys) in (above[n], path.T.tolist()), (below[n], (x, y)):
            axes.plot(xs, ys, color=color, lw=0.8)
            axes.plot(xs[0], ys[0], "ko", ms=6)
            axes.set(xticks=[], yticks=[], aspect="equal")
        above[n].plot(0, 0, "k+", ms=10)  # the solution
        above[n].set_title(TITLES[n], fontsize=13)
    above[0].set_ylabel("a GAN of two numbers:\nψ over θ")
    below[0].set_ylabel("mean of 64 MNIST samples:\nits two main directions")
    return figure


def show(rows, out_dir):
    """Save the tables, and the figure if its trainings are there."""
    save_table(out_dir / "circles.csv", circles_table(rows))
    save_table(out_dir / "circles_toy.csv", toy_table())
    if {row["experiment"] for row in rows} >= {*TOY}:
        drawn = [row for row in rows if row["experiment"] in TOY]
        save_figure(out_dir / "circles.png", circles_figure(drawn), drawn)


if __name__ == "__main__":
    study("circles", __doc__, SETTINGS, dict.fromkeys(SETTINGS, range(3)), measure, show)
