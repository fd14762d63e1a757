"""How do networks remember the first digit: does the memory rotate, or does it stay fixed?

    python -m studies.memory                                      the report's tables and figure
    python -m studies.memory --train "RNN, T = 20" --seeds 400    another network, in a minute

If the one-step linear map rotates the state, rotating it back must make wrong answers correct.
"""

import math
import statistics

import torch
from matplotlib.figure import Figure

from clock import ROTATES, accuracy_of, answers_of, fit_map, observe, rotations_of
from common import BLUE, ORANGE, grouped
from networks import make_network
from studies.runner import study
from train import palindromes_of, parse_args, settings_of, train

SHOWN, IN_TABLE = [*range(10, 61)], [21, 60]  # the T in memory.png and memory.csv
KNOWS, CLOCK = 0.99, 0.9  # with this accuracy at home, a network is in memory.csv, in clock.csv


def settings_for(network, flags, lengths, tested_at=(), home=20):
    """Return settings: training on the lengths with flags of train.py, tests at home, tested_at."""
    return settings_of(parse_args(flags.split()), network) | {
        "lengths": [*lengths],
        "digits": 100,  # of a random sequence
        "tested": 1000,  # sequences to test on; as many others fit the maps
        "tested_seed": 0,  # all networks read the same ones
        "fit_at": [home, home + 1, home + 2],  # the maps lead from these T to the next, and back
        "home": home,  # states are rotated back to this T
        "tested_at": tested_at,
    }


FOUR = "--learning_rate 0.001 --data_size 20000 --train_steps 2000"
BEGIN = "--learning_rate 0.0003 --rnn_init"
SETTINGS = {
    "RNN, T = 20": settings_for("rnn", "--learning_rate 0.001 --no-decay", [20], SHOWN),
    "RNN, T = 9, 18, 27, 36": settings_for("rnn", FOUR, [9, 18, 27, 36], home=18),
    "RNN, T = 10, 20, 30, 40": settings_for("rnn", FOUR, [10, 20, 30, 40], SHOWN),
    "RNN, orthogonal": settings_for("rnn", f"{BEGIN} orthogonal", [20], IN_TABLE),
    "RNN, identity": settings_for("rnn", f"{BEGIN} identity", [20], SHOWN),
}
EXPERIMENTS = {name: (settings, range(300, 320)) for name, settings in SETTINGS.items()}
PANELS = {  # {experiment: title}, of memory.png
    "RNN, T = 20": "RNN trained at T = 20",
    "RNN, T = 10, 20, 30, 40": "RNN trained at T = 10, 20, 30, 40",
    "RNN, identity": "RNN trained at T = 20, Whh initialized to the identity matrix",
}
COLUMNS = [("accuracy", T) for T in IN_TABLE]  # of memory.csv
COLUMNS += [("rotated back", T) for T in IN_TABLE] + [("one step too far", 21)]


def train_network(settings, seed):
    """Return the network of these settings after its training."""
    train_sets = [palindromes_of(settings, T, seed)[0] for T in settings["lengths"]]
    return train(settings, make_network(settings, seed), train_sets, seed)


def examine(model, settings):
    """Let a network read random sequences, and return rows of a length T, what, and its value.

    * "angle": by how many degrees, up to 180, the map rotates: a row for each rotation.
    * "accuracy, all digits": at the length home.
    * "answer to d", if the memory rotates: the usual answer to first digit d one digit later.
    * "accuracy" and "rotated back": the accuracy on sequences that begin with 5 to 9, of states as
      they are, and led to the length home. These maps have seen sequences that begin with 0 to 4.
    * "one step too far", the control: as "rotated back", but led from home + 1 to home - 1.
    """
    rng = torch.Generator().manual_seed(settings["tested_seed"])
    digits = torch.randint(10, (2 * settings["tested"], settings["digits"]), generator=rng)
    fit, tested = digits.split(settings["tested"])
    home, found = settings["home"], []  # found: (T, what, value)
    states, first = observe(model, tested), tested[:, 0]
    found.append((home, "accuracy, all digits", accuracy_of(model, states[home], first)))
    one_step = fit_map(observe(model, fit), settings["fit_at"])
    angles, _ = rotations_of(one_step)
    found += [(home, "angle", angle) for angle in angles]
    answers = answers_of(model, states[home + 1])
    for d in range(10) if angles else []:
        found.append((home + 1, f"answer to {d}", answers[first == d].mode().values.item()))

    states = observe(model, fit[fit[:, 0] < 5])
    on = fit_map(states, settings["fit_at"])
    back = fit_map(states, settings["fit_at"], old=1, new=0)
    high = tested[first >= 5]
    states, first = observe(model, high), high[:, 0]
    for T in settings["tested_at"]:
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


def describe(rows):
    """Return a dictionary for each network: its "values" are {(what, T): value}."""
    networks = []
    for (experiment, _), some in grouped(rows, "experiment", "seed").items():
        values = {(row["what"], row["T"]): row["value"] for row in some}
        accuracy = values["accuracy, all digits", SETTINGS[experiment]["home"]]
        network = {"experiment": experiment, "accuracy": accuracy, "values": values}
        network["angles"] = [row["value"] for row in some if row["what"] == "angle"]
        network["answers"] = [row["value"] for row in some if row["what"].startswith("answer to")]
        network["memory"] = "rotates" if network["angles"] else "stays fixed"
        networks.append(network)
    return networks


def memory_table(networks):
    """Return mean accuracies, in %, of networks that know all: a row for a training and memory."""
    lines = []
    known = [n for n in networks if n["accuracy"] >= KNOWS and ("accuracy", 60) in n["values"]]
    for (experiment, memory), group in grouped(known, "experiment", "memory").items():
        line = {"network": experiment, "memory": memory, "networks": len(group)}
        for what, T in COLUMNS:
            column = f"T = {T}" if what == "accuracy" else f"T = {T}, {what}"
            line[column] = round(100 * statistics.mean(n["values"][what, T] for n in group))
        lines.append(line)
    return lines


def kind_of(answers, period):
    """Return the kind of clock in which answers[d] follows d, if that comes round in a period."""
    if len({*answers}) < 10:
        return "answers merge"
    n, after = 1, answers  # n steps lead from d to after[d]
    while not any(after[d] == d for d in range(10)):
        n, after = n + 1, [answers[d] for d in after]
    return "one cycle of ten" if n == 10 and period % n == 0 else "other"


def clock_table(networks):
    """Return a row for each training at multiples of n: does the memory come round in n digits?"""
    lines = []
    known = [n for n in networks if n["accuracy"] >= CLOCK and n["angles"]]
    for (experiment,), own in grouped(known, "experiment").items():
        settings = SETTINGS[experiment]
        period = math.gcd(*settings["lengths"])
        if len(settings["lengths"]) == 1:
            continue
        angles = torch.tensor([angle for network in own for angle in network["angles"]])
        step = 360 / period
        near = ((angles - step * (angles / step).round()).abs() <= 1).sum().item()
        line = {"network": experiment, "networks": len(own), "angles": len(angles)}
        line |= {"expected angles": f"multiples of {step:g}°", "within 1°": near}
        line["by chance, %"] = f"{100 * (period - 1) / (180 - ROTATES):.0f}"
        kinds = [kind_of(network["answers"], period) for network in own]
        for kind in "one cycle of ten", "answers merge":
            line[kind] = kinds.count(kind)
        lines.append(line)
    return lines


def memory_figure(shown):
    """Return a Figure: accuracy by length, as it is and rotated back, a panel for each network."""
    figure = Figure(figsize=(10, 7.2), dpi=100, layout="constrained")
    figure.suptitle("A rotating memory is mostly misread, and rotating it back helps", size=18)
    grid = figure.subplots(len(shown), sharex=True, sharey=True)
    for axes, network in zip(grid, shown, strict=True):
        own = [network["values"]["accuracy", T] for T in SHOWN]
        back = [network["values"]["rotated back", T] for T in SHOWN]
        if network["memory"] == "rotates":
            axes.plot(SHOWN, own, "o", color=ORANGE, label="memory rotates")
            axes.plot(SHOWN, back, "ko", mfc="none", ms=11, label="rotated to T = 20")
        else:
            axes.plot(SHOWN, own, "o", color=BLUE, label="stays fixed: nothing to rotate")
        axes.set_title(PANELS[network["experiment"]], fontsize=16, loc="left")
        axes.set(xlim=(9, 61), ylim=(-0.1, 1.15), yticks=[0, 1], yticklabels=["0", "100 %"])
        axes.tick_params(labelsize=15)
    figure.supylabel("accuracy by length (first digits 5 to 9)", size=16)
    grid[-1].set_xlabel("length T of the sequence", fontsize=16)
    handles = {line.get_label(): line for axes in grid for line in axes.lines}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=15)
    return figure


def show(rows):
    """Return the tables and the figure of which there are rows."""
    networks = describe(rows)
    shown = {"memory.csv": memory_table(networks), "clock.csv": clock_table(networks)}
    first = {n["experiment"]: n for n in reversed(networks) if n["accuracy"] >= KNOWS}
    if first.keys() >= PANELS.keys():
        shown["memory.png"] = memory_figure([first[name] for name in PANELS])
    return {file: content for file, content in shown.items() if content}


if __name__ == "__main__":
    study("memory", __doc__, EXPERIMENTS, measure, show)
