"""Why does delay do harm? In a GAN of two numbers, the networks circle each other more widely.

    python -m studies.circles

The generator is one number theta, and the discriminator is another one, psi. The solution is the
point 0, 0. With a delay of n steps and the rate a, they end on a circle of radius sqrt(2 a n).
"""

import torch
from matplotlib.figure import Figure

from common import BLUE, HERE, begin, make_parser, save_figure, save_table

RATE = 0.1
PANELS = {  # {title: arguments of two_numbers}
    "no delay": {"delay": 0},
    "delay: one step, as in\nthe template's order": {"delay": 1},
    "delay: ten steps": {"delay": 10},
    "discriminator's momentum,\nβ₁ = 0.9": {"delay": 1, "momentum": 0.9},
}


def two_numbers(delay=0, momentum=0.0, rate=RATE, n_steps=3000):
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


def toy_table():
    """Return a row for each delay of the GAN of two numbers: the amplitude, predicted and found."""
    lines = []
    for delay in 0, 1, 2, 4, 9, 10:
        theta = two_numbers(delay)[-1000:, 0].abs().max().item()
        predicted = (2 * RATE * delay) ** 0.5
        lines.append({"delay": delay, "predicted": f"{predicted:.2f}", "found": f"{theta:.2f}"})
    return lines


def circles_figure(paths):
    """Return a Figure with a panel for each of {title: path (N, 2)}."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    title = "A GAN of two numbers: the later the discriminator is, the wider is the circle"
    figure.suptitle(title, fontsize=16)
    panels = figure.subplots(1, len(paths), sharex=True, sharey=True)
    for axes, (title, path) in zip(panels, paths.items(), strict=True):
        theta, psi = path.T.tolist()
        axes.plot(theta, psi, color=BLUE, lw=0.8)
        axes.plot(theta[0], psi[0], "ko", ms=6)
        axes.plot(0, 0, "k+", ms=10)  # the solution
        axes.set(xticks=[], yticks=[], aspect="equal", xlabel="θ, the generator")
        axes.set_title(title, fontsize=13)
    panels[0].set_ylabel("ψ, the discriminator")
    return figure


def main():
    """Save the table of the amplitudes, and the figure of the paths."""
    args = make_parser(__doc__, HERE / "studies" / "run" / "circles").parse_args()
    begin(args)
    save_table(args.out_dir / "circles.csv", toy_table())
    paths = {title: two_numbers(**arguments, n_steps=1500) for title, arguments in PANELS.items()}
    figure = circles_figure(paths)
    save_figure(args.out_dir / "circles.png", figure, [path.tolist() for path in paths.values()])
    print(f"circles.csv and circles.png are in {args.out_dir}")


if __name__ == "__main__":
    main()
