"""How do the RNN and the LSTM remember the first digit: with a clock, or with a memory that stands?

    python study_memory.py                                   seven trainings, 130 networks
    python study_memory.py --rows results/memory_rows.csv    table and figure, in seconds

The networks read random sequences, not palindromes, and are asked for the first digit after each
digit. The map of one digit is the linear map that best leads from a state to the next one. If it
turns the state like the hand of a clock, then turning it back must make wrong answers right. The
map that is tried has seen first digits 0 to 4 only, and those that begin with 5 to 9 are asked.
"""

import math
import statistics
from typing import NamedTuple

import maps
from common import begin, make_parser, number, run
from dataset import PalindromeDataset
from figures import memory_figure
from networks import MAX_LAG, make_network
from rows import add_study_flags, grouped, save_csv, save_figure, study_rows
from train import train

SHOWN = range(10, 61)  # the lengths T in memory.png
IN_TABLE = (10, 19, 20, 21, 40, 60)  # the lengths T in memory.csv
KNOWS, WRONG = 0.99, 0.2  # right is who is right on so many, and wrong who is on no more
NEAR = 0.75  # degrees from a multiple of an hour that count as one


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
    seeds: int = 20

    @property
    def home(self):
        """The length at which a state is read off: 20, or the middle one of its own."""
        return 20 if 20 in self.lengths else self.lengths[len(self.lengths) // 2]

    @property
    def hour(self):
        """The least turn, in degrees, that brings a hand back at each of several lengths."""
        return 360 / math.gcd(*self.lengths) if len(self.lengths) > 1 else None


ONE, TENS, ALL = (20,), (10, 20, 30, 40), tuple(range(5, 41))
FIFTEENS = (15, 30, 45)
TRAININGS = {
    "rnn_20": Training("RNN, T = 20", "rnn", ONE, 100_000, 500, 1e-3, decay=False),
    "rnn_tens": Training("RNN, T = 10, 20, 30, 40", "rnn", TENS, 20_000, 2000, 1e-3),
    "rnn_all": Training("RNN, T = 5 to 40", "rnn", ALL, 5000, 4000, 1e-3),
    "lstm_20": Training("LSTM, T = 20", "lstm", ONE, 100_000, 500, 2e-3),
    "lstm_40": Training("LSTM, T = 40", "lstm", (40,), 100_000, 1000, 1e-3),
    "rnn_fifteens": Training("RNN, T = 15, 30, 45", "rnn", FIFTEENS, 20_000, 2000, 1e-3, seeds=10),
    "orthogonal": Training("RNN, orthogonal", "rnn", ONE, 100_000, 500, 3e-4, start="orthogonal"),
    "identity": Training("RNN, identity", "rnn", ONE, 100_000, 500, 3e-4, start="identity"),
    "rnn_proof": Training("RNN, proof", "rnn", ALL, 5000, 4000, 1e-3, max_norm=1.0),
    "lstm_proof": Training("LSTM, proof", "lstm", ALL, 5000, 4000, 1e-3, max_norm=1.0, max_lag=0),
}
NOT_BY_DEFAULT = ("lstm_40", "rnn_proof", "lstm_proof")  # for study_gates.py and study_proof.py
DRAWN = ("rnn_20", "rnn_tens", "lstm_20")  # the rows of memory.png


def training_name(text):
    """Return text, or raise ValueError where it names no training."""
    if text not in TRAININGS:
        raise ValueError(f"{text!r} is none of {', '.join(TRAININGS)}")
    return text


COLUMNS = {
    "training": training_name,
    "seed": number(int, 0),
    "T": number(int, 2),
    "what": str,  # the names are those of maps.look
    "first digits": str,
    "value": number(float, -1e9, 1e9),
}


def train_network(name, seed, device):
    """Return the network of TRAININGS[name], trained with this seed."""
    training = TRAININGS[name]
    wholes = [PalindromeDataset(T - 1, training.size, True, seed) for T in training.lengths]
    start, max_lag = training.start, training.max_lag
    return train(
        make_network(training.network, seed, device, max_lag=max_lag, start=start),
        [whole.split(0.8)[0] for whole in wholes],
        training.steps,
        training.rate,
        decay=training.decay,
        max_norm=training.max_norm,
        seed=seed,
    )


def measure(job):
    """Train the network of a job (name, seed, args), let it read, and return its rows."""
    name, seed, args = job
    model, home = train_network(name, seed, args.device), TRAININGS[name].home
    lengths = SHOWN if name in DRAWN else IN_TABLE
    seen = maps.look(model, home, lengths, args.device, dial=name in DRAWN)
    return [dict(zip(COLUMNS, (name, seed, *what), strict=True)) for what in seen]


class Network(NamedTuple):
    """What the rows say of one network."""

    name: str  # of its training
    seed: int
    values: dict  # {(what, first digits, T): value} of its rows
    angles: list  # of its map of one digit, in degrees
    right: float  # the share of right answers to all first digits, at the length home

    @property
    def knows(self):
        """How many first digits it knows."""
        return "all ten" if self.right >= KNOWS else "fewer"

    @property
    def memory(self):
        """What its memory does."""
        return "turns" if max(self.angles, default=0) > maps.TURNS else "stands"

    @property
    def keeps_hours(self):
        """Whether it turns by whole hours only."""
        hour = TRAININGS[self.name].hour
        return all(abs(math.remainder(angle, hour)) <= NEAR for angle in self.angles)


def networks(rows):
    """Return the Networks that the rows are of, those of one training and kind together."""
    result = []
    for (name, seed), own in grouped(rows, "training", "seed").items():
        values = {(row["what"], row["first digits"], row["T"]): row["value"] for row in own}
        angles = [row["value"] for row in own if row["what"] == "angle"]
        right = values["own", "all", TRAININGS[name].home]
        result.append(Network(name, seed, values, angles, right))
    order = [*TRAININGS]
    return sorted(result, key=lambda one: (order.index(one.name), one.knows, one.memory, one.seed))


def table(rows):
    """Return the rows of memory.csv: mean shares in % of the networks of one training and kind.

    Where the memory turns, all are asked once more with the digits undone. A hand that has to be
    back at several lengths T must turn by whole hours, multiples of 360 degrees / their gcd.
    """
    groups, lines = {}, []
    for network in networks(rows):
        groups.setdefault((network.name, network.knows, network.memory), []).append(network)
    for (name, knows, memory), group in groups.items():
        for what in ("own", "undone") if memory == "turns" else ("own",):
            shares = {T: [one.values[what, "5 to 9", T] for one in group] for T in IN_TABLE}
            beside = [*zip(shares[19], shares[21], strict=True)]
            row = {"network": TRAININGS[name].label, "knows": knows, "memory": memory}
            row |= {"networks": len(group), "answers": what}
            for T in IN_TABLE:
                row[f"T = {T}"] = round(100 * statistics.mean(shares[T]))
            row["right at 19 and 21"] = sum(min(pair) >= KNOWS for pair in beside)
            row["wrong at 19 and 21"] = sum(max(pair) <= WRONG for pair in beside)
            key = "one too many", "5 to 9", TRAININGS[name].home + 1
            control = round(100 * statistics.mean(one.values[key] for one in group))
            row["one too many"] = control if what == "undone" else ""
            hours = sum(one.keeps_hours for one in group) if TRAININGS[name].hour else ""
            row["by whole hours"] = hours if memory == "turns" else ""
            lines.append(row)
    return lines


def drawn(rows):
    """Return (label, Network) of each training in memory.png: the first that knows all ten digits.

    Where none does, it is the one that is right most often.
    """
    chosen = []
    for name in DRAWN:
        group = [network for network in networks(rows) if network.name == name]
        if group:
            best = min(group, key=lambda network: (-min(network.right, KNOWS), network.seed))
            chosen.append((TRAININGS[name].label, best))
    return chosen


def main():
    """Measure, or read what was measured; print the table, draw the figure."""
    parser = make_parser(__doc__)
    add_study_flags(parser, TRAININGS, seed=300)
    parser.set_defaults(only=[name for name in TRAININGS if name not in NOT_BY_DEFAULT])
    args = parser.parse_args()
    begin(args)
    jobs = [
        (name, seed, args)
        for name in args.only
        for seed in range(args.seed, args.seed + (args.seeds or TRAININGS[name].seeds))
    ]
    rows = study_rows(args, args.out_dir / "memory_rows.csv", COLUMNS, measure, jobs)
    save_csv(args.out_dir / "memory.csv", table(rows), show=True)
    if shown := drawn(rows):
        save_figure(args.out_dir / "memory.png", memory_figure(shown), rows)
    print(f"rows, table and figure are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
