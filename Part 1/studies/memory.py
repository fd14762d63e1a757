"""How do the RNN and the LSTM remember the first digit: with a clock, or with a memory that stands?

    python -m studies.memory                                            the report's, in seconds
    python -m studies.memory --only "RNN, T = 20" --seed 400 --seeds 3  three other networks

The networks read random sequences, not palindromes, and are asked for the first digit after each
digit. The map of one digit is the linear map that best leads from a state to the next one. If it
turns the state like the hand of a clock, then turning it back must make wrong answers right. The
map that is tried has seen first digits 0 to 4 only, and those that begin with 5 to 9 are asked.
"""

import statistics
from typing import NamedTuple

import torch
from matplotlib.figure import Figure

from common import BLUE, GREY, ORANGE, grouped, save_figure, save_table
from dataset import PalindromeDataset, encode
from networks import make_network
from studies.runner import study
from train import train

HOME = 20  # the length T at which each network's first digit is read off
N, N_DIGITS = 1000, 100  # sequences to fit the maps, and as many to be asked; their length
BEFORE, AFTER = slice(18, 21), slice(19, 22)  # states after 19 to 21 digits, and one digit later
RIDGE = 1.0  # of the fit
LASTS, TURNS = 0.98, 5  # an eigenvalue lasts from this modulus on, and turns by more degrees
SHOWN = range(10, 61)  # the lengths T in memory.png
IN_TABLE = (10, 19, 20, 21, 40, 60)  # the lengths T in memory.csv
KNOWS = 0.99  # a network that is right on so many knows all ten digits


class Training(NamedTuple):
    """A network and how it is trained."""

    network: str  # "rnn" or "lstm"
    lengths: tuple  # T of its palindromes
    size: int  # palindromes of each length; 80 % of them are trained on
    steps: int
    rate: float
    decay: bool = True
    max_norm: float = 10.0
    start: dict | None = None  # further arguments of its class


ALL = tuple(range(5, 41))
TRAININGS = {
    "RNN, T = 20": Training("rnn", (20,), 100_000, 500, 1e-3, decay=False),
    "RNN, T = 10, 20, 30, 40": Training("rnn", (10, 20, 30, 40), 20_000, 2000, 1e-3),
    "RNN, T = 5 to 40": Training("rnn", ALL, 5000, 4000, 1e-3),
    "LSTM, T = 20": Training("lstm", (20,), 100_000, 500, 2e-3, start={"max_lag": 100}),
    "RNN, orthogonal": Training("rnn", (20,), 100_000, 500, 3e-4, start={"start": "orthogonal"}),
    "RNN, identity": Training("rnn", (20,), 100_000, 500, 3e-4, start={"start": "identity"}),
}
CLOCK = "RNN, T = 10, 20, 30, 40"  # of these, the answers between the peaks are counted
DRAWN = ("RNN, T = 20", CLOCK, "LSTM, T = 20")  # in memory.png


def train_network(job):
    """Return the network of a job (training, seed), trained."""
    training, seed = job
    wholes = [PalindromeDataset(T - 1, training.size, True, seed) for T in training.lengths]
    return train(
        make_network(training.network, seed, **(training.start or {})),
        [whole.split(0.8)[0] for whole in wholes],
        training.steps,
        training.rate,
        decay=training.decay,
        max_norm=training.max_norm,
        seed=seed,
    )


@torch.no_grad()
def observe(model, digits):
    """Return the states (n, N, H + 1), float64, after each digit of digits (N, n).

    A state is a row: the H entries of h and a last one that is always 1, so that a map, a matrix M
    (H + 1, H + 1) that leads a state s to s M, can add a constant.
    """
    state, states = None, []
    for column in digits.unbind(dim=1):
        _, state = model(encode(column.unsqueeze(1), one_hot=True), state)
        h = state if torch.is_tensor(state) else state[0]
        states.append(torch.cat([h, torch.ones_like(h[:, :1])], dim=1))
    return torch.stack(states).double()


def fit_map(start, end):
    """Return the map M of the ridge regression start M ~ end, both (n, N, H + 1)."""
    X, Y = start.flatten(0, 1), end.flatten(0, 1)
    identity = torch.eye(X.shape[1]).double()
    M = torch.linalg.solve(X.T @ X + RIDGE * identity, X.T @ Y)
    M[:, -1] = identity[:, -1]  # the last entry stays 1
    return M


def undo(states, T, home, on, back):
    """Return the states (N, H + 1) at length T, led back, or on, to the length home."""
    M = back if home < T else on
    return states[T - 2] @ torch.linalg.matrix_power(M, abs(T - home))


def read(model, states):
    """Return the digits (N,) that the network's own output layer reads in states (N, H + 1)."""
    layer = torch.cat([model.Wph, model.bp.unsqueeze(1)], dim=1).detach().double()
    return (states @ layer.T).argmax(dim=1)


def share_right(model, states, first):
    """Return the share of states (N, H + 1) whose first digit (N,) is read."""
    return (read(model, states) == first).double().mean().item()


def share_commonest(model, states, first):
    """Return the share of states in which the digit is read that is read most often for `first`."""
    answers = read(model, states)
    most = sum(answers[first == digit].bincount().max() for digit in first.unique())
    return most.item() / len(first)


def lasting(M):
    """Return the eigenvalues (k,), complex, of a map that last; of a conjugate pair, one."""
    values = torch.linalg.eigvals(M[:-1, :-1])
    return values[(values.abs() >= LASTS) & (values.imag >= 0)]


def measure(job):
    """Train the network of a job (experiment, seed), let it read, and return its rows.

    A row has a length T, what is measured, for which first digits, and its value:

    * "own", "undone" and, as a control, "one too many": the share of right answers to sequences
      that begin with 5 to 9. The maps that undo digits have seen those that begin with 0 to 4. At
      the length HOME, "own" is that of "all", too.
    * "commonest", for CLOCK: how often the answer is the one that its first digit gets most often.
    * "angle": by how many degrees the map of all first digits turns, for each lasting eigenvalue.
    """
    experiment, seed = job
    model = train_network((TRAININGS[experiment], seed))
    rng = torch.Generator().manual_seed(0)  # all networks read the same sequences
    digits = torch.randint(10, (2 * N, N_DIGITS), generator=rng)
    fit, test = observe(model, digits).split(N, dim=1)
    first_fit, first = digits[:, 0].split(N)
    rows = []

    def add(T, what, first_digits, value):
        row = {"experiment": experiment, "seed": seed, "T": T, "what": what}
        rows.append(row | {"first digits": first_digits, "value": value})

    M = fit_map(fit[BEFORE], fit[AFTER])
    for eigenvalue in lasting(M):
        add(HOME, "angle", "all", torch.rad2deg(eigenvalue.angle()).item())
    add(HOME, "own", "all", share_right(model, test[HOME - 2], first))

    low, test, first = fit[:, first_fit < 5], test[:, first >= 5], first[first >= 5]
    on, back = fit_map(low[BEFORE], low[AFTER]), fit_map(low[AFTER], low[BEFORE])
    for T in SHOWN if experiment in DRAWN else IN_TABLE:
        add(T, "own", "5 to 9", share_right(model, test[T - 2], first))
        if experiment == CLOCK and T in IN_TABLE:
            add(T, "commonest", "5 to 9", share_commonest(model, test[T - 2], first))
        led = undo(test, T, HOME, on, back)
        add(T, "undone", "5 to 9", share_right(model, led, first))
    led = undo(test, HOME + 1, HOME - 1, on, back)
    add(HOME + 1, "one too many", "5 to 9", share_right(model, led, first))
    return rows


def describe(rows):
    """Return a row for each network, those of one kind (experiment, knows, memory) together.

    It "knows" all ten first digits or fewer, and its "memory" turns or stands. "values" are
    {(what, first digits, T): value}.
    """
    found = []
    for (experiment, seed), own in grouped(rows, "experiment", "seed").items():
        values = {(row["what"], row["first digits"], row["T"]): row["value"] for row in own}
        angles = [row["value"] for row in own if row["what"] == "angle"]
        network = {"experiment": experiment, "seed": seed, "values": values}
        network["knows"] = "all ten" if values["own", "all", HOME] >= KNOWS else "fewer"
        network["memory"] = "turns" if max(angles, default=0) > TURNS else "stands"
        found.append(network)
    order = [*TRAININGS]
    return sorted(found, key=lambda n: (order.index(n["experiment"]), n["knows"], n["memory"]))


def line_of(group, answers):
    """Return the row of memory.csv for networks of one kind: mean shares of right answers, in %."""

    def shares(what, T):
        return [network["values"][what, "5 to 9", T] for network in group]

    line = {"network": group[0]["experiment"], "knows": group[0]["knows"]}
    line |= {"memory": group[0]["memory"], "networks": len(group), "answers": answers}
    for T in IN_TABLE:
        line[f"T = {T}"] = round(100 * statistics.mean(shares(answers, T)))
    control = round(100 * statistics.mean(shares("one too many", HOME + 1)))
    line["one too many"] = control if answers == "undone" else ""
    return line


def table(rows):
    """Return the rows of memory.csv. Networks that turn have a second one, with digits undone.

    CLOCK has a third one, how often the commonest answer to a first digit is given.
    """
    lines = []
    for group in grouped(describe(rows), "experiment", "knows", "memory").values():
        lines.append(line_of(group, "own"))
        if group[0]["memory"] == "turns":
            lines.append(line_of(group, "undone"))
            if group[0]["experiment"] == CLOCK:
                lines.append(line_of(group, "commonest"))
    return lines


def memory_figure(shown):
    """Return a Figure: the right answers of some networks of `describe` at each length T."""
    figure = Figure(figsize=(9.6, 1.6 * len(shown) + 1), dpi=100, layout="constrained")
    title = "These RNNs keep the digit on a clock; the LSTM's memory stands still"
    figure.suptitle(title, fontsize=16, weight="bold")
    grid = figure.subplots(len(shown), sharex=True)
    for axes, network in zip(grid, shown, strict=True):
        draw_answers(axes, network)
    grid[-1].set_xlabel("length T of the sequence that it is asked about")
    return figure


def draw_answers(axes, network):
    """Draw the share of right answers, in %, at each length T; dashed with the digits undone."""
    color = BLUE if network["experiment"].startswith("LSTM") else ORANGE
    own = [100 * network["values"]["own", "5 to 9", T] for T in SHOWN]
    axes.fill_between(SHOWN, own, color=color, alpha=0.15, lw=0)
    axes.plot(SHOWN, own, color=color, lw=2.5, label="own")
    if network["memory"] == "turns":
        undone = [100 * network["values"]["undone", "5 to 9", T] for T in SHOWN]
        axes.plot(SHOWN, undone, "k--", lw=2, label="undone")
        axes.text(60, 106, "dashed: with the hand turned back", ha="right")
    known = [str(T) for T, share in zip(SHOWN, own, strict=True) if share >= 100 * KNOWS]
    where = ", ".join(known[:8]) + (", ..." if known[8:] else "")
    if len(known) == len(SHOWN):
        where = f"{known[0]} to {known[-1]}"
    trained = network["experiment"].replace(", ", " trained at ", 1)
    title = f"{trained}: right at {where or 'no length'}"
    axes.set_title(title, fontsize=14, color=color, loc="left")
    axes.axvline(HOME, color=GREY, ls=":", lw=1)
    axes.set(xlim=(SHOWN[0], SHOWN[-1]), ylim=(-3, 130), ylabel="right answers")
    axes.set_yticks([0, 100], ["0", "100 %"])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(False)


def show(rows, out_dir):
    """Save the table, and if all in DRAWN are there, a figure of the first that knows all ten."""
    save_table(out_dir / "memory.csv", table(rows))
    shown = []
    for experiment in DRAWN:
        group = [one for one in describe(rows) if one["experiment"] == experiment]
        if group:
            shown.append(min(group, key=lambda one: (one["knows"], one["seed"])))
    if len(shown) == len(DRAWN):
        save_figure(out_dir / "memory.png", memory_figure(shown), rows)


if __name__ == "__main__":
    study("memory", __doc__, TRAININGS, dict.fromkeys(TRAININGS, range(300, 320)), measure, show)
