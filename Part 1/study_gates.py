"""What are the gates of the LSTM for? Hold them still, train without them, cut what they control.

    python study_gates.py                                   all networks, five seeds
    python study_gates.py --only streams --seeds 1          one of the networks, one seed
    python study_gates.py --rows results/gates_rows.csv     tables and figure, in seconds

Gates are held in trained networks while these read streams (see gates.py) or palindromes.
"""

import itertools

import torch

from common import HERE, begin, make_parser, number, run
from dataset import PalindromeDataset
from figures import gates_figure
from gates import BAR, HELD_FROM, SYMBOLS, Streams, gates_of, hold, leave_out, read
from networks import load_network, make_network
from rows import add_study_flags, save_csv, save_figure, study_rows
from study_memory import train_network
from train import train

N_ASKED, FIT, TEST = 2000, 1, 2  # sequences; the seeds of those with the means, and of those asked
LEFT_OUT = {"streams": "", "no i": "i", "no f": "f", "f = 1": "f", "no o": "o", "no gates": "ifo"}
PALINDROMES = {"lstm_20": 20, "lstm_40": 40}
ONCE = ("committed", "last symbol")  # without a seed
DRAWN = {"streams", "last symbol"}  # in gates.png
COLUMNS = dict.fromkeys(("experiment", "network", "seed", "reads"), str) | {
    "length": number(int, 1),
    "change": str,
    "gate": str,
    "step": lambda text: text and int(text),  # of the stream
    "symbol": str,
    "share": number(float, 0, 1),  # of right answers, or what the gate lets through
}
TABLES = {  # experiment: the formats of a line's name and of a column's
    "held": ("{change}", "{reads} of {length}"),
    "learnt": ("{network}", "{length} symbols"),
    "cut": ("{network}: {change}", "T = {length}"),
}

NOTHING = {"nothing": hold({})}
CUT = {"g = 0": hold({"g": torch.tensor(0.0)}), "f = 0": hold({"f": torch.tensor(0.0)})}


def train_on_streams(name, seed, device):
    """Return the network of LEFT_OUT, trained on streams of 20 symbols."""
    model = make_network("lstm", seed, device, input_dim=SYMBOLS)
    leave_out(model, LEFT_OUT[name], bias=40 if name == "f = 1" else None)  # sigm(40) is 1
    return train(model, [Streams(20, 100_000, seed)], steps=1000, rate=0.005, seed=seed)


def dataset(reads, length, seed):
    """Return N_ASKED "streams" or "palindromes"."""
    if reads == "streams":
        return Streams(length, N_ASKED, seed)
    return PalindromeDataset(length - 1, N_ASKED, one_hot=True, seed=seed)


def ask(experiment, model, reads, lengths, changes):
    """Yield rows: the share of right answers at each length with each of changes, by name."""
    for length in lengths:
        data = dataset(reads, length, TEST)
        for name, change in changes.items():
            right = read(model, data, change).argmax(dim=1) == data[:][1]
            row = {"experiment": experiment, "reads": reads, "length": length, "change": name}
            yield row | {"share": right.double().mean().item()}


def at_means(model, reads, length):
    """Return changes: gates are held at their means on other data than those asked, or f at 1."""
    gates = gates_of(model, dataset(reads, length, FIT))
    means = {gate: values[:, HELD_FROM:].mean(dim=(0, 1)) for gate, values in gates.items()}
    one = {f"{gate} at its mean": hold({gate: mean}) for gate, mean in means.items()}
    more = {"f at 1": hold({"f": torch.tensor(1.0)}), "all at their means": hold(means)}
    return NOTHING | one | more


def follow_bar(model):
    """Yield rows: gates held at their means by step since the bar; those of one stream."""
    fit, test = dataset("streams", 20, FIT), dataset("streams", 20, TEST)
    since_bar = fit.since_bar[:, HELD_FROM:]
    means = {}
    for gate, values in gates_of(model, fit).items():
        late = values[:, HELD_FROM:]
        means[gate] = torch.stack([late[since_bar == step].mean(dim=0) for step in range(20)])
    changes = {
        "all, means by step": hold(means, test.since_bar),
        "all, another stream's": hold(means, test.since_bar.roll(1, dims=0)),
    }
    yield from ask("held", model, "streams", [20], changes)
    open_by, symbols = gates_of(model, test), test.symbols[0].tolist()  # the first stream is drawn
    row = {"experiment": "strip", "reads": "streams", "length": 20}
    for gate, step in itertools.product("ifo", range(20)):
        symbol = "bar" if symbols[step] == BAR else str(symbols[step])
        share = open_by[gate][0, step].mean().item()
        yield row | {"gate": gate, "step": step, "symbol": symbol, "share": share}


def measure(job):
    """Train the network of a job (name, seed, args), and return its rows."""
    name, seed, args = job
    rows = []
    if name in LEFT_OUT:
        model = train_on_streams(name, seed, args.device).cpu()
        rows += ask("learnt", model, "streams", [20, 100, 1000], NOTHING)
    if name == "streams":
        rows += ask("held", model, "streams", [20, 100], at_means(model, "streams", 20))
        rows += follow_bar(model)
    if name in PALINDROMES:
        model, T = train_network(name, seed, args.device).cpu(), PALINDROMES[name]
        rows += ask("held", model, "palindromes", [T], at_means(model, "palindromes", T))
    if name == "committed":
        model = load_network(HERE / "palindrome_lstm.pth")
    if name in ("lstm_20", "committed"):
        rows += ask("cut", model, "palindromes", [10, 20, 60, 100], NOTHING | CUT)
    if name == "last symbol":
        for length in 20, 100, 1000:
            data = dataset("streams", length, TEST)
            share = (data.symbols[:, -1] == data.targets).double().mean().item()
            row = {"experiment": "learnt", "reads": "streams", "length": length}
            rows.append(row | {"share": share})
    row = dict.fromkeys(COLUMNS, "") | {"network": name, "seed": seed}
    return [row | cells for cells in rows]


def spread(shares):
    """Return the least and the greatest of shares, in %, as text."""
    least, greatest = (f"{100 * end(shares):.0f}" for end in (min, max))
    return least if least == greatest else f"{least} to {greatest}"


def table(rows, experiment, line, column):
    """Return the table of an experiment: shares, least to greatest, in lines and columns.

    line and column are the formats of their names.
    """
    lines = {}
    for row in rows:
        if row["experiment"] == experiment:
            cells = lines.setdefault(line.format_map(row), {})
            cells.setdefault(column.format_map(row), []).append(row["share"])
    columns = dict.fromkeys(name for cells in lines.values() for name in cells)
    return [
        {experiment: line}
        | {name: spread(cells[name]) if name in cells else "" for name in columns}
        for line, cells in lines.items()
    ]


def main():
    """Train networks; hold, leave out and cut gates, or read what was measured; show it."""
    parser = make_parser(__doc__)
    add_study_flags(parser, [*LEFT_OUT, *PALINDROMES, *ONCE], seed=300, seeds=5)
    args = parser.parse_args()
    begin(args)
    jobs = [
        (name, seed, args)
        for name in args.only
        for seed in ([""] if name in ONCE else range(args.seed, args.seed + args.seeds))
    ]
    rows = study_rows(args, args.out_dir / "gates_rows.csv", COLUMNS, measure, jobs)
    for experiment, layout in TABLES.items():
        if lines := table(rows, experiment, *layout):
            save_csv(args.out_dir / f"gates_{experiment}.csv", lines, show=True)
    if DRAWN.issubset(row["network"] for row in rows):
        save_figure(args.out_dir / "gates.png", gates_figure(rows), rows)
    print(f"the rows, the tables and, with rows of all networks, the figure are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
