"""How do the RNN and the LSTM remember the first digit: with a clock, or with a memory that stands?

    python memory.py                                     seven trainings, twenty seeds: memory.png
    python memory.py --trainings rnn_proof lstm_proof --seed 0 --seeds 2 --out_dir run/proof

The networks read random sequences, not palindromes, and are asked for the first digit after each
digit. The map of one digit is the linear map that best leads from a state to the next one. If it
turns the state like the hand of a clock, then turning it back must make wrong answers right.

Into out_dir go memory.png, two tables and the networks: what is there is not trained again.
"""

import math
import statistics
from typing import NamedTuple

import torch

from common import add_run_flags, begin, make_parser, number, run, save, save_csv
from dataset import PalindromeDataset, encode
from figures import memory_figure
from networks import MAX_LAG, load_or_make, make_network
from train import train

T_ASKED = 20  # at this length a state is read off; a state of another length is led to it
SHOWN = range(10, 61)  # the lengths T in memory.png
IN_TABLE = (10, 19, 20, 21, 40, 60)  # the lengths T in the tables
N_FIT, N_TEST, N_DIGITS = 1000, 1000, 100  # sequences to fit the maps, to be asked; their length
RIDGE = 1.0  # of the fit
APART = 0.3  # states differ when they are farther apart than this share of their spread
MANY = 40  # so many states are no longer counted
KINDS = ("own", "undone")
CONTROL = "one too many"  # must fail where a state turns


class Training(NamedTuple):
    """A network and how it is trained."""

    label: str
    network: str  # "rnn" or "lstm"
    lengths: tuple  # T of its palindromes
    size: int  # palindromes of each length; 80 % of them are trained on
    steps: int
    rate: float
    decay: bool = True
    max_norm: float = 10.0
    start: str = "uniform"  # of the RNN's Whh
    max_lag: int = MAX_LAG  # of the LSTM


ONE, TENS, TWELVES, ALL = (20,), (10, 20, 30, 40), (12, 24, 36), tuple(range(5, 41))
TRAININGS = {
    "rnn_20": Training("RNN, T = 20", "rnn", ONE, 100_000, 500, 1e-3, decay=False),
    "rnn_tens": Training("RNN, T = 10, 20, 30, 40", "rnn", TENS, 20_000, 2000, 1e-3),
    "rnn_all": Training("RNN, T = 5 to 40", "rnn", ALL, 5000, 4000, 1e-3),
    "lstm_20": Training("LSTM, T = 20", "lstm", ONE, 100_000, 500, 2e-3),
    "lstm_40": Training("LSTM, T = 40", "lstm", (40,), 100_000, 1000, 1e-3),
    "rnn_twelves": Training("RNN, T = 12, 24, 36", "rnn", TWELVES, 20_000, 2000, 1e-3),
    "orthogonal": Training("RNN, orthogonal", "rnn", ONE, 100_000, 500, 3e-4, start="orthogonal"),
    "identity": Training("RNN, identity", "rnn", ONE, 100_000, 500, 3e-4, start="identity"),
    "rnn_proof": Training("RNN, proof", "rnn", ALL, 5000, 4000, 1e-3, max_norm=1.0),
    "lstm_proof": Training("LSTM, proof", "lstm", ALL, 5000, 4000, 1e-3, max_norm=1.0, max_lag=0),
}
NOT_BY_DEFAULT = ("lstm_40", "rnn_proof", "lstm_proof")  # for gates.py and prove.py
DRAWN = ("rnn_20", "rnn_tens", "rnn_all", "lstm_20")  # the rows of memory.png


def trained(name, seed, args):
    """Return the network of a training and a seed; train and save it, unless that is done."""
    _, network, lengths, size, steps, rate, decay, max_norm, start, max_lag = TRAININGS[name]

    def make():
        datasets = [PalindromeDataset(T - 1, size, one_hot=True, seed=seed) for T in lengths]
        train_sets = [dataset.split(0.8)[0] for dataset in datasets]
        model = make_network(network, seed, args.device, max_lag=max_lag, start=start)
        return train(model, train_sets, steps, rate, decay=decay, max_norm=max_norm, seed=seed)

    path = args.out_dir / f"{name}-seed{seed}.pth"
    return load_or_make(path, f"{TRAININGS[name]}, seed {seed}", make, args.device)


@torch.no_grad()
def observe(model, digits):
    """Return h (n, N, H + 1), float64, after each digit of digits (N, n); its last entry is 1."""
    state, states = None, []
    for column in digits.unbind(dim=1):
        _, state = model(encode(column.unsqueeze(1), one_hot=True), state)
        h = state if torch.is_tensor(state) else state[0]
        states.append(torch.cat([h, torch.ones_like(h[:, :1])], dim=1))
    return torch.stack(states).cpu().double()


def fit_map(start, end):
    """Return the matrix M (H + 1, H + 1) of the ridge regression start M ~ end, (n, N, H + 1)."""
    X, Y = start.flatten(0, 1), end.flatten(0, 1)
    identity = torch.eye(X.shape[1]).double()
    M = torch.linalg.solve(X.T @ X + RIDGE * identity, X.T @ Y)
    M[:, -1] = identity[:, -1]  # the last entry stays 1
    return M


def fit_maps(h):
    """Return the maps of one digit, on and back, of h (n, N, H + 1): 19 to 22 digits are read."""
    return fit_map(h[18:21], h[19:22]), fit_map(h[19:22], h[18:21])


def undo(h, T, maps, extra=0):
    """Return the states of h (n, N, H + 1) after T - 1 digits, led to where they were after 19.

    Beyond T = 20, the map back undoes T - 20 digits, and `extra` more; before it, the map on leads
    20 - T digits further.
    """
    on, back = maps
    n = T - T_ASKED + extra
    return h[T - 2] @ torch.linalg.matrix_power(back if n > 0 else on, abs(n))


def right(model, h, first):
    """Return the share of states h (N, H + 1) for which the network's own output layer is right."""
    layer = torch.cat([model.Wph, model.bp.unsqueeze(1)], dim=1).detach().cpu().double()
    return ((h @ layer.T).argmax(dim=1) == first).double().mean().item()


def count_states(h):
    """Return how many different states there are among h (..., H + 1), at most MANY."""
    rest, n = h.flatten(0, -2), 0
    spread = (rest - rest.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    while len(rest) and n < MANY:
        rest = rest[(rest - rest[0]).norm(dim=1) > APART * spread]
        n += 1
    return n


def angles_of(M):
    """Return the angles, 0 to 180 degrees, of the eigenvalues of a map with a modulus near 1."""
    values = torch.linalg.eigvals(M[:-1, :-1])
    kept = values[values.abs() >= 0.98].angle().tolist()
    return sorted({round(math.degrees(abs(angle))) for angle in kept})


def look(model, digits):
    """Return what a network's states do while it reads digits (N_FIT + N_TEST, N_DIGITS).

    The last N_TEST sequences are asked: "own" and "undone" are {T: share of right answers}. For
    "strict own" and "strict undone", the maps have seen first digits 0 to 4 only, and 5 to 9 are
    asked; so for the control, "one too many" at T = 21. "states" is their number, "map" that of one
    digit, "at" (2, N_TEST, H + 1) are states after 19 and 20 digits.
    """
    states, first = observe(model, digits), digits[:, 0].cpu()
    low, high = first[:N_FIT] < 5, first[N_FIT:] >= 5
    fit, test, first = states[:, :N_FIT], states[:, N_FIT:], first[N_FIT:]
    maps, strict = fit_maps(fit), fit_maps(fit[:, low])
    asked, answers = test[:, high], first[high]
    return {
        "own": {T: right(model, test[T - 2], first) for T in SHOWN},
        "undone": {T: right(model, undo(test, T, maps), first) for T in SHOWN},
        "strict own": {T: right(model, asked[T - 2], answers) for T in IN_TABLE},
        "strict undone": {T: right(model, undo(asked, T, strict), answers) for T in IN_TABLE},
        CONTROL: right(model, undo(asked, T_ASKED + 1, strict, extra=1), answers),
        "states": count_states(test[T_ASKED - 2 :, ::4]),  # fewer sequences, but each hour
        "map": maps[0],
        "first": first,
        "at": test[T_ASKED - 2 : T_ASKED].clone(),  # so that the other states are freed
    }


def seed_row(name, seed, view):
    """Return the row of a network in memory_seeds.csv, in %; all shares but "right" are strict."""
    angles = angles_of(view["map"])
    shares = {f"{kind} {T}": view[f"strict {kind}"][T] for kind in KINDS for T in IN_TABLE}
    shares[CONTROL] = view[CONTROL]
    return {
        "training": name,
        "seed": seed,
        "right": round(100 * view["own"][T_ASKED], 1),
        "states": view["states"] if view["states"] < MANY else f"{MANY} or more",
        "angles": " ".join(map(str, angles)),
        "memory": "turns" if max(angles, default=0) > 5 else "stands",
    } | {key: round(100 * share, 1) for key, share in shares.items()}


def table_rows(name, rows):
    """Return the rows of memory.csv for the networks of one training, rows of memory_seeds.csv.

    Shares are means in %; "off by" is the greatest distance of any network's share from what it has
    at T = 20. The answers of those that turn are asked once more with the digits undone.
    """
    table = []
    for memory, kind in ("stands", "own"), ("turns", "own"), ("turns", "undone"):
        chosen = [row for row in rows if row["memory"] == memory]
        if chosen:
            row = {"network": TRAININGS[name].label, "memory": f"{len(chosen)}: {memory}"}
            row["answers"] = kind
            for T in IN_TABLE:
                row[f"T = {T}"] = round(statistics.mean(each[f"{kind} {T}"] for each in chosen))
            off = [abs(each[f"{kind} {T}"] - each["own 20"]) for each in chosen for T in IN_TABLE]
            row["off by"] = round(max(off))
            control = statistics.mean(each[CONTROL] for each in chosen)
            row[CONTROL] = round(control) if kind == "undone" else ""
            table.append(row)
    return table


def main():
    """Train what is missing, look at every network, print the table, draw the figure."""
    parser = make_parser(__doc__)
    default = [name for name in TRAININGS if name not in NOT_BY_DEFAULT]
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=default, help="which")
    parser.add_argument("--seeds", type=number(int, 1), default=20, help="of each, from seed on")
    add_run_flags(parser, seed=300)
    args = parser.parse_args()
    begin(args)
    rng = torch.Generator().manual_seed(0)  # all networks read the same sequences
    digits = torch.randint(10, (N_FIT + N_TEST, N_DIGITS), generator=rng).to(args.device)

    rows, table, drawn = [], [], []
    for name in args.trainings:
        views = []
        for seed in range(args.seed, args.seed + args.seeds):
            views.append(look(trained(name, seed, args), digits))
            rows.append(seed_row(name, seed, views[-1]))
            print(*rows[-1].values(), sep=", ")
        table += table_rows(name, rows[-args.seeds :])
        if name in DRAWN:
            drawn.append((TRAININGS[name].label, views))
    save_csv(args.out_dir / "memory_seeds.csv", rows)
    save_csv(args.out_dir / "memory.csv", table, show=True)
    if drawn:
        save(args.out_dir / "memory.png", memory_figure(drawn, T_ASKED).savefig)
    print(f"the figure, the tables and the networks are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
