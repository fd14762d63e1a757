"""How do networks remember the first digit: does the memory rotate, or does it stay fixed?

    python -m studies.memory                                            the report's, in seconds
    python -m studies.memory --only "RNN, T = 20" --seed 400 --seeds 3  three other networks

The networks read random sequences, and are asked for the first digit. If the linear map that best
leads from a state to the next rotates it, rotating it back must make wrong answers correct.
"""

import math
import statistics

import torch
from matplotlib.figure import Figure

from common import GREY, ORANGE, grouped, save_table
from dataset import encode
from networks import NETWORKS, make_network
from studies.runner import study
from train import palindromes_of, parse_args, settings_of, train

SHOWN, IN_TABLE = [*range(10, 61)], [10, 19, 20, 21, 40, 60]  # the lengths T in memory.png and .csv
KNOWS, CLOCK = 0.99, 0.9  # with this accuracy, a network knows all ten digits, or has a clock
ROTATES = 5  # degrees: a memory with a larger angle, whose eigenvalue lasts, rotates


def settings_for(flags, lengths, asked_at=(), home=20):
    """Return the settings of a training on lengths T, and of what is asked at home and asked_at."""
    args = parse_args(["--warmup", "0", *flags.split()])
    return settings_of(args, args.model[0]) | {
        "lengths": [*lengths],
        "digits": 100,  # of a random sequence
        "asked": 1000,  # so many sequences are asked; as many others fit the maps
        "asked_seed": 0,  # all networks read the same ones
        "fit_at": [home, home + 1, home + 2],  # the maps lead from these T to the next, and back
        "ridge": 1.0,  # of the fit
        "lasts": 0.98,  # an eigenvalue of this modulus, or a larger one, lasts
        "home": home,
        "asked_at": asked_at,
    }


RNN = "--model rnn --learning_rate 0.001"
SAME_RATE = "--model rnn --learning_rate 0.0003 --rnn_init"
FOUR = f"{RNN} --data_size 20000 --train_steps 2000"
EVERY, EVERY_LENGTH = "--data_size 5000 --train_steps 4000", range(5, 41)
SETTINGS = {
    "RNN, T = 20": settings_for(f"{RNN} --no-decay", [20], SHOWN),
    "RNN, T = 10, 20, 30, 40": settings_for(FOUR, [10, 20, 30, 40], SHOWN),
    "RNN, T = 12, 24, 36, 48": settings_for(FOUR, [12, 24, 36, 48], [24], home=24),
    "RNN, T = 9, 18, 27, 36": settings_for(FOUR, [9, 18, 27, 36], [18], home=18),
    "RNN, T = 5 to 40": settings_for(f"{RNN} {EVERY}", EVERY_LENGTH, IN_TABLE),
    "LSTM, T = 20": settings_for("--model lstm --learning_rate 0.002", [20], SHOWN),
    "RNN, orthogonal": settings_for(f"{SAME_RATE} orthogonal", [20], IN_TABLE),
    "RNN, identity": settings_for(f"{SAME_RATE} identity", [20], SHOWN),
}
EXPERIMENTS = {name: (settings, range(300, 320)) for name, settings in SETTINGS.items()}
PANELS = {  # {experiment: title}, of memory.png
    "RNN, T = 20": "RNN trained at T = 20",
    "RNN, T = 10, 20, 30, 40": "RNN trained at T = 10, 20, 30, 40",
    "RNN, identity": "RNN trained at T = 20, with Whh initialized to the identity matrix",
}
PERIODIC = "RNN, T = 9, 18, 27, 36", "RNN, T = 10, 20, 30, 40", "RNN, T = 12, 24, 36, 48"
COLUMNS = [("accuracy", T) for T in IN_TABLE]  # of memory.csv
COLUMNS += [("rotated back", T) for T in (21, 40, 60)] + [("one step too far", 21)]


def train_network(settings, seed):
    """Return the network of these settings after its training."""
    train_sets = [palindromes_of(settings, T, seed)[0] for T in settings["lengths"]]
    return train(settings, make_network(settings, seed), train_sets, seed)


@torch.no_grad()
def observe(model, digits):
    """Return {T: states (N, H + 1), float64}, those after the first T - 1 of digits (N, n).

    A state is a row: the H entries of h and a last one that is always 1, so that a map, a matrix M
    (H + 1, H + 1) that leads a state s to s M, can add a constant.
    """
    state, states = None, {}
    for n, column in enumerate(digits.unbind(dim=1), start=1):
        _, state = model(encode(column.unsqueeze(1), one_hot=True), state)
        h = state if torch.is_tensor(state) else state[0]
        states[n + 1] = torch.cat([h, torch.ones_like(h[:, :1])], dim=1).double()
    return states


def fit_map(states, settings, old=0, new=1):
    """Return the map M, by ridge regression, from states of `observe` at T + old to T + new."""
    start = torch.cat([states[T + old] for T in settings["fit_at"]])
    end = torch.cat([states[T + new] for T in settings["fit_at"]])
    identity = torch.eye(start.shape[1]).double()
    M = torch.linalg.solve(start.T @ start + settings["ridge"] * identity, start.T @ end)
    M[:, -1] = identity[:, -1]  # the last entry stays 1
    return M


def answers_of(model, states):
    """Return the digits (N,) that the network answers in states (N, H + 1)."""
    layer = torch.cat([model.Wph, model.bp.unsqueeze(1)], dim=1).detach().double()
    return (states @ layer.T).argmax(dim=1)


def accuracy_of(model, states, first):
    """Return the share of states (N, H + 1) in which the network answers the first digit (N,)."""
    return (answers_of(model, states) == first).double().mean().item()


def examine(model, settings):
    """Let a network read random sequences, and return rows of a length T, what, and its value.

    * "angle": by how many degrees, 0 to 180, the map rotates, for each eigenvalue that lasts.
    * "position of d", if the memory rotates: where a first digit d is on the dial of the smallest
      angle, in degrees, at home and one digit later; "answer to d": the usual answer to it then.
    * "accuracy, all digits": at the length home.
    * "accuracy" and "rotated back": the accuracy on sequences that begin with 5 to 9, of states as
      they are, and led to the length home. These maps have seen sequences that begin with 0 to 4.
    * "one step too far", the control: as "rotated back", but led from home + 1 to home - 1.
    """
    rng = torch.Generator().manual_seed(settings["asked_seed"])
    digits = torch.randint(10, (2 * settings["asked"], settings["digits"]), generator=rng)
    fit, asked = digits.split(settings["asked"])
    home, found = settings["home"], []  # found: (T, what, value)
    states, first = observe(model, asked), asked[:, 0]
    found.append((home, "accuracy, all digits", accuracy_of(model, states[home], first)))
    eigenvalues, vectors = torch.linalg.eig(fit_map(observe(model, fit), settings))
    dials = {}  # {angle: the direction whose share in a state shows where it is on this dial}
    for eigenvalue, vector in zip(eigenvalues, vectors.T, strict=True):
        if eigenvalue.abs() >= settings["lasts"] and eigenvalue.imag >= 0:  # of a pair, one
            angle = torch.rad2deg(eigenvalue.angle()).item()
            found.append((home, "angle", angle))
            if angle > ROTATES:
                dials[angle] = vector
    if dials:
        answers = answers_of(model, states[home + 1])
        for d in range(10):
            for T in home, home + 1:
                place = (states[T][first == d].cdouble() @ dials[min(dials)]).mean()
                found.append((T, f"position of {d}", torch.rad2deg(place.angle()).item()))
            found.append((home + 1, f"answer to {d}", answers[first == d].mode().values.item()))

    states = observe(model, fit[fit[:, 0] < 5])
    on, back = fit_map(states, settings), fit_map(states, settings, old=1, new=0)
    high = asked[first >= 5]
    states, first = observe(model, high), high[:, 0]
    for T in settings["asked_at"]:
        found.append((T, "accuracy", accuracy_of(model, states[T], first)))
        ahead = T - home
        moved = states[T] @ torch.linalg.matrix_power(back if ahead > 0 else on, abs(ahead))
        found.append((T, "rotated back", accuracy_of(model, moved, first)))
    too_far = states[home + 1] @ torch.linalg.matrix_power(back, 2)
    found.append((home + 1, "one step too far", accuracy_of(model, too_far, first)))
    return [{"T": T, "what": what, "value": value} for T, what, value in found]


def measure(settings, seed):
    """Return the rows of `examine` of a network after its training."""
    return examine(train_network(settings, seed), settings)


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    digits = settings["train_steps"] * statistics.mean(settings["lengths"])
    return digits * NETWORKS[settings["model"]].seconds


def describe(rows):
    """Return a dictionary for each network: its "values" are {(what, T): value}."""
    found = []
    for (experiment, _), some in grouped(rows, "experiment", "seed").items():
        values = {(row["what"], row["T"]): row["value"] for row in some}
        angles = [row["value"] for row in some if row["what"] == "angle" and row["value"] > ROTATES]
        network = {"experiment": experiment, "values": values, "angles": angles}
        network["accuracy"] = values["accuracy, all digits", SETTINGS[experiment]["home"]]
        network["memory"] = "rotates" if angles else "stays fixed"
        found.append(network)
    return found


def memory_table(networks):
    """Return mean accuracies, in %, of networks that know all: a row for a training and memory."""
    lines = []
    known = [n for n in networks if n["accuracy"] >= KNOWS and ("accuracy", 40) in n["values"]]
    for (experiment, memory), group in grouped(known, "experiment", "memory").items():
        line = {"network": experiment, "memory": memory, "networks": len(group)}
        for what, T in COLUMNS:
            column = f"T = {T}" if what == "accuracy" else f"T = {T}, {what}"
            share = 100 * statistics.mean(network["values"][what, T] for network in group)
            line[column] = round(share)
        lines.append(line)
    return lines


def clock_table(networks):
    """Return a row for each training of PERIODIC: does the memory go round once in a period?"""
    lines = []
    for experiment in PERIODIC:
        period = math.gcd(*SETTINGS[experiment]["lengths"])
        own = [n for n in networks if n["experiment"] == experiment and n["accuracy"] >= CLOCK]
        angles = torch.tensor([angle for network in own for angle in network["angles"]])
        if own:
            step, home = 360 / period, SETTINGS[experiment]["home"]
            near = ((angles - step * (angles / step).round()).abs() <= 1).sum().item()
            line = {"network": experiment, "networks": len(own), "angles": len(angles)}
            line |= {"expected angles": f"multiples of {step:g}°", "within 1°": near}
            chance = (period - 1) / (180 - ROTATES)  # so many degrees are within 1 of a multiple
            line["by chance, %"] = f"{100 * chance:.0f}"
            answers = [{n["values"][f"answer to {d}", home + 1] for d in range(10)} for n in own]
            line["ten different answers one digit later"] = sum(len(a) == 10 for a in answers)
            lines.append(line)
    return lines


def draw_dial(axes, values):
    """Draw where the ten first digits are on a network's dial at T = 20; arrows lead to T = 21."""
    for d in range(10):
        now, later = (math.radians(values[f"position of {d}", T]) for T in (20, 21))
        axes.text(math.cos(now), math.sin(now), d, fontsize=18, ha="center", va="center")
        start, end = ((0.78 * math.cos(a), 0.78 * math.sin(a)) for a in (now, later))
        axes.plot(*start, "o", color=ORANGE)
        style = {"arrowstyle": "->", "connectionstyle": "arc3,rad=0.15", "color": ORANGE, "lw": 2}
        axes.annotate("", end, start, arrowprops=style)
    axes.text(0, 0, "each digit read\nmoves the state\none place on", ha="center", va="center")
    axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
    axes.set_title("Middle network: the place\nof each first digit at T = 20", fontsize=15)
    axes.axis("off")


def memory_figure(shown):
    """Return a Figure: accuracy at each T, own and rotated back, and the second network's dial."""
    figure = Figure(figsize=(12, 5.8), dpi=100, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[2.3, 1])
    left.suptitle("Accuracy over the length of a sequence (first digits 5 to 9)", fontsize=15)
    grid = left.subplots(len(shown), sharex=True)
    for axes, network in zip(grid, shown, strict=True):
        own = [100 * network["values"]["accuracy", T] for T in SHOWN]
        axes.fill_between(SHOWN, own, color=ORANGE, alpha=0.15, lw=0)
        axes.plot(SHOWN, own, color=ORANGE, lw=2.5, label="own")
        if network["memory"] == "rotates":
            back = [100 * network["values"]["rotated back", T] for T in SHOWN]
            axes.plot(SHOWN, back, "k--", lw=2, label="rotated back")
            axes.text(60, 106, "dashed: if the memory is rotated to T = 20", ha="right")
        axes.set_title(PANELS[network["experiment"]], fontsize=14, color=ORANGE, loc="left")
        axes.axvline(20, color=GREY, ls=":", lw=1)
        axes.set(xlim=(SHOWN[0], SHOWN[-1]), ylim=(-3, 130), ylabel="accuracy")
        axes.set_yticks([0, 100], ["0", "100 %"])
        axes.grid(False)
    grid[-1].set_xlabel("length T of the sequence")
    draw_dial(right.subplots(), shown[1]["values"])
    return figure


def show(rows, out_dir):
    """Save each table and figure of which there are rows."""
    networks = describe(rows)
    for name, table in ("memory", memory_table(networks)), ("clock", clock_table(networks)):
        if table:
            save_table(out_dir / f"{name}.csv", table)
    known = grouped(networks, "experiment")
    if all((name,) in known for name in PANELS):  # the first that knows all, or else the first
        shown = [max(known[name,], key=lambda n: n["accuracy"] >= KNOWS) for name in PANELS]
        memory_figure(shown).savefig(out_dir / "memory.png")


if __name__ == "__main__":
    study("memory", __doc__, EXPERIMENTS, measure, show, seconds)
