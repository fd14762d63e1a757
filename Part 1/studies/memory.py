"""How do the RNN and the LSTM remember the first digit: with a clock, or with a memory that stands?

    python -m studies.memory                                            the report's, in seconds
    python -m studies.memory --only "RNN, T = 20" --seed 400 --seeds 3  three other networks

The networks read random sequences, not palindromes, and are asked for the first digit after each
digit. The map of one digit is the linear map that best leads from a state to the next one. If it
turns the state like the hand of a clock, then turning it back must make wrong answers right. The
map that is tried has seen first digits 0 to 4 only, and those that begin with 5 to 9 are asked.
"""

import statistics

import torch
from matplotlib.figure import Figure

from common import BLUE, GREY, ORANGE, grouped, save_figure, save_table
from dataset import PalindromeDataset, encode
from studies.lengths import STARTS, TRAINING, fresh_network, train_with
from studies.runner import study

HOME = 20  # the length T at which each network's first digit is read off
SHOWN = [*range(10, 61)]  # the lengths T in memory.png
IN_TABLE = [10, 19, 20, 21, 40, 60]  # the lengths T in memory.csv
KNOWS = 0.99  # a network that is right on so many knows all ten digits
TURNS = 5  # degrees: a memory whose map turns by more, with an eigenvalue that lasts, turns
COLUMNS = ("T", "what", "value")
ONE_LENGTH = TRAINING | {"lengths": [20], "rate": 1e-3}  # lengths: T of the palindromes
RNN_TRAINING, LSTM_TRAINING = ONE_LENGTH | STARTS["RNN"], ONE_LENGTH | STARTS["LSTM"]
READING = {
    "digits": 100,  # of a random sequence
    "asked": 1000,  # so many sequences are asked; as many others fit the maps
    "asked_seed": 0,  # all networks read the same ones
    "fit_at": [20, 21, 22],  # the maps lead from these lengths T to the next, and back
    "ridge": 1.0,  # of the fit
    "lasts": 0.98,  # an eigenvalue of this modulus, or a larger one, lasts
    "home": HOME,
    "asked_at": IN_TABLE,
}
DRAWN = READING | {"asked_at": SHOWN}
FOUR_LENGTHS = {"lengths": [10, 20, 30, 40], "size": 20_000, "steps": 2000}
EVERY_LENGTH = {"lengths": [*range(5, 41)], "size": 5000, "steps": 4000}
SETTINGS = {
    "RNN, T = 20": RNN_TRAINING | {"decay": False} | DRAWN,
    "RNN, T = 10, 20, 30, 40": RNN_TRAINING | FOUR_LENGTHS | DRAWN,
    "RNN, T = 5 to 40": RNN_TRAINING | EVERY_LENGTH | READING,
    "LSTM, T = 20": LSTM_TRAINING | {"rate": 2e-3} | DRAWN,
    "RNN, orthogonal": RNN_TRAINING | {"start": "orthogonal", "rate": 3e-4} | READING,
    "RNN, identity": RNN_TRAINING | {"start": "identity", "rate": 3e-4} | READING,
}
EXPERIMENTS = {name: (settings, range(300, 320)) for name, settings in SETTINGS.items()}
PANELS = ("RNN, T = 20", "RNN, T = 10, 20, 30, 40", "LSTM, T = 20")  # of memory.png


def train_network(settings, seed):
    """Return the network of these settings after its training."""
    train_sets = []
    for T in settings["lengths"]:
        whole = PalindromeDataset(T - 1, settings["size"], True, seed)
        train_set, _ = whole.split(settings["portion_train"])
        train_sets.append(train_set)
    return train_with(settings, fresh_network(settings, seed), train_sets, seed)


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


def fit_map(start, end, ridge):
    """Return the map M of the ridge regression start M ~ end, both (N, H + 1)."""
    identity = torch.eye(start.shape[1]).double()
    M = torch.linalg.solve(start.T @ start + ridge * identity, start.T @ end)
    M[:, -1] = identity[:, -1]  # the last entry stays 1
    return M


def fit_both(states, settings):
    """Return the map of one digit, fitted to states of `observe`, and the map that undoes it."""
    start = torch.cat([states[T] for T in settings["fit_at"]])
    end = torch.cat([states[T + 1] for T in settings["fit_at"]])
    return fit_map(start, end, settings["ridge"]), fit_map(end, start, settings["ridge"])


def move(states, n, on, back):
    """Return states (N, H + 1), led on by n digits with one map, or back by -n with the other."""
    return states @ torch.linalg.matrix_power(on if n > 0 else back, abs(n))


def share_right(model, states, first):
    """Return the share of states (N, H + 1) in which the network reads the first digit (N,)."""
    layer = torch.cat([model.Wph, model.bp.unsqueeze(1)], dim=1).detach().double()
    return ((states @ layer.T).argmax(dim=1) == first).double().mean().item()


def examine(model, settings):
    """Let a network read random sequences, and return rows of a length T, what, and its value.

    * "angle": by how many degrees, 0 to 180, the map turns, for each eigenvalue that lasts.
    * "own, all digits": the share of right answers at the length home.
    * "own" and "undone": the share of right answers to sequences that begin with 5 to 9, as they
      are, and led to the length home. These maps have seen sequences that begin with 0 to 4.
    * "one too many", the control: as "undone", but led from home + 1 to home - 1.
    """
    rng = torch.Generator().manual_seed(settings["asked_seed"])
    digits = torch.randint(10, (2 * settings["asked"], settings["digits"]), generator=rng)
    fit, asked = digits.split(settings["asked"])
    home, rows = settings["home"], []

    def add(T, what, value):
        rows.append({"T": T, "what": what, "value": value})

    M, _ = fit_both(observe(model, fit), settings)
    for eigenvalue in torch.linalg.eigvals(M[:-1, :-1]):
        if eigenvalue.abs() >= settings["lasts"] and eigenvalue.imag >= 0:  # of a pair, one
            add(home, "angle", torch.rad2deg(eigenvalue.angle()).item())
    add(home, "own, all digits", share_right(model, observe(model, asked)[home], asked[:, 0]))

    low, high = fit[fit[:, 0] < 5], asked[asked[:, 0] >= 5]
    on, back = fit_both(observe(model, low), settings)
    states, first = observe(model, high), high[:, 0]
    for T in settings["asked_at"]:
        add(T, "own", share_right(model, states[T], first))
        add(T, "undone", share_right(model, move(states[T], home - T, on, back), first))
    too_far = move(states[home + 1], -2, on, back)
    add(home + 1, "one too many", share_right(model, too_far, first))
    return rows


def measure(settings, seed):
    """Train a network, and return the rows of `examine`."""
    return examine(train_network(settings, seed), settings)


def describe(rows):
    """Return a row for each network, those of one kind (experiment, knows, memory) together.

    It "knows" all ten first digits or fewer, and its "memory" turns or stands. "values" are
    {(what, T): value}.
    """
    found = []
    for (experiment, seed), some in grouped(rows, "experiment", "seed").items():
        values = {(row["what"], row["T"]): row["value"] for row in some}
        angles = [row["value"] for row in some if row["what"] == "angle"]
        network = {"experiment": experiment, "seed": seed, "values": values}
        network["knows"] = "all ten" if values["own, all digits", HOME] >= KNOWS else "fewer"
        network["memory"] = "turns" if max(angles, default=0) > TURNS else "stands"
        found.append(network)
    order = [*SETTINGS]
    return sorted(found, key=lambda n: (order.index(n["experiment"]), n["knows"], n["memory"]))


def line_of(group, answers):
    """Return the row of memory.csv for networks of one kind: mean shares of right answers, in %."""

    def percent(what, T):
        return round(100 * statistics.mean(network["values"][what, T] for network in group))

    line = {"network": group[0]["experiment"], "knows": group[0]["knows"]}
    line |= {"memory": group[0]["memory"], "networks": len(group), "answers": answers}
    line |= {f"T = {T}": percent(answers, T) for T in IN_TABLE}
    line["one too many"] = percent("one too many", HOME + 1) if answers == "undone" else ""
    return line


def memory_table(rows):
    """Return the rows of memory.csv. Networks that turn have a second one, with digits undone."""
    lines = []
    for group in grouped(describe(rows), "experiment", "knows", "memory").values():
        lines.append(line_of(group, "own"))
        if group[0]["memory"] == "turns":
            lines.append(line_of(group, "undone"))
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
    own = [100 * network["values"]["own", T] for T in SHOWN]
    axes.fill_between(SHOWN, own, color=color, alpha=0.15, lw=0)
    axes.plot(SHOWN, own, color=color, lw=2.5, label="own")
    if network["memory"] == "turns":
        undone = [100 * network["values"]["undone", T] for T in SHOWN]
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
    """Save the table, and if all PANELS have rows, a figure of the first that knows all ten."""
    save_table(out_dir / "memory.csv", memory_table(rows))
    networks = grouped(describe(rows), "experiment")
    if all((name,) in networks for name in PANELS):
        shown = [min(networks[name,], key=lambda n: (n["knows"], n["seed"])) for name in PANELS]
        save_figure(out_dir / "memory.png", memory_figure(shown), rows)


if __name__ == "__main__":
    study("memory", __doc__, EXPERIMENTS, COLUMNS, measure, show)
