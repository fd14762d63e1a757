"""How do the RNN and the LSTM remember the first digit? Their states, and their answers at every T.

    python memory.py                                      six trainings, ten seeds each: memory.png
    python memory.py --trainings rnn_proof lstm_proof --seed 0 --seeds 1 --out_dir seed0

Networks are trained at T = 20 alone or, "mixed", on lengths drawn from 5 to 40. Then they read
1,000 random sequences (not palindromes) and are asked for the first digit after each digit. Into
out_dir go memory.png, the tables, and the networks: what is there is not trained again. The first
command takes 40 minutes of one core of an Intel Xeon. It shows that RNNs that are trained at T = 20
turn with each digit, and that the LSTM stands.
"""

from typing import NamedTuple

import torch

from common import add_run_flags, begin, make_parser, number, run, save, save_csv, save_table
from dataset import PalindromeDataset, encode
from figures import memory_figure
from networks import load_network, make_network, save_network
from rnn import VanillaRNN
from train import train

T_ALONE = 20  # of the trainings that are not mixed
AGAIN = range(21, 41)  # the lengths T at which a turning memory may be right again
SHOWN = range(2, 61)  # the lengths T in memory.png
ASKED = (10, 19, 20, 21, 40, 60, 100, 1000)  # the lengths T of the table of readouts
N_FIT, N_TEST, N_DRAWN = 3000, 1000, 400  # sequences: for the readouts, to be tested, to be drawn
TURN = range(17, 61)  # the turn is measured while these digits are read
WATCHED = (500, 1000, 2000)  # steps of a mixed training after which its weights are saved, too


class Training(NamedTuple):
    """A network and how it is trained."""

    label: str
    network: str  # of networks.NETWORKS
    mixed: bool  # on lengths drawn from 5 to 40, not at T = 20 alone
    steps: int
    learning_rate: float
    decay: bool
    max_norm: float = 10.0


TRAININGS = {
    "rnn": Training("RNN", "RNN", False, 500, 1e-3, False),
    "rnn_longer": Training("RNN, 4,000 steps", "RNN", False, 4000, 1e-3, True),
    "rnn_mixed": Training("RNN, T = 5 to 40", "RNN", True, 4000, 1e-3, True),
    "rnn_orthogonal": Training("RNN, orthogonal", "RNN, orthogonal", False, 500, 3e-4, True),
    "rnn_identity": Training("RNN, identity", "RNN, identity", False, 500, 3e-4, True),
    "lstm": Training("LSTM", "LSTM", False, 500, 1e-3, False),
    "rnn_proof": Training("RNN of the proof", "RNN", True, 4000, 1e-3, True, 1.0),
    "lstm_proof": Training("LSTM of the proof", "LSTM, bf = 1", True, 4000, 1e-3, True, 1.0),
}


# 1. Training.


def trained(name, seed, args):
    """Return the network of a training and a seed; train and save it, unless that is done."""
    training, path = TRAININGS[name], args.out_dir / f"{name}-seed{seed}.pth"
    if not path.exists():
        lengths, size = (range(5, 41), 5000) if training.mixed else ([T_ALONE], 100_000)
        datasets = [PalindromeDataset(T - 1, size, one_hot=True, seed=seed) for T in lengths]
        model = make_network(training.network, seed, args.device)

        def watch(step):
            if training.mixed and step in WATCHED:
                save_network(args.out_dir / f"{name}-seed{seed}-step{step}.pth", model)

        train(
            model,
            [dataset.split(0.8)[0] for dataset in datasets],
            training.steps,
            training.learning_rate,
            decay=training.decay,
            max_norm=training.max_norm,
            seed=seed,
            watch=watch,
        )
        save_network(path, model)
    return load_network(path, args.device)


# 2. Looking.


@torch.no_grad()
def read(model, digits):
    """Yield (logits (N, 10), h (N, H)) after each of the digits (N, n)."""
    state = None
    for column in digits.unbind(dim=1):
        logits, state = model(encode(column.unsqueeze(1), one_hot=True), state)
        yield logits, state if torch.is_tensor(state) else state[0]


def readout(h, first):
    """Return the share of the last N_TEST sequences whose first digit a linear readout of h finds.

    h is (N_FIT + N_TEST, H), first (N_FIT + N_TEST,). The readout is a ridge regression of the
    one-hot first digit on h, fitted to the first N_FIT sequences.
    """
    X = torch.cat([h, torch.ones_like(h[:, :1])], dim=1).double()
    Y = torch.eye(10, dtype=torch.float64)[first]
    fit, test = X[:N_FIT], X[N_FIT:]
    W = torch.linalg.solve(fit.T @ fit + torch.eye(X.shape[1]), fit.T @ Y[:N_FIT])
    return ((test @ W).argmax(dim=1) == first[N_FIT:]).double().mean().item()


def in_plane(h, of):
    """Return the points (..., 2) of states h (..., H) in the plane of other states `of` (..., H).

    The plane is that of the two first principal components.
    """
    flat = of.flatten(0, -2).double()
    _, directions = torch.linalg.eigh(torch.cov(flat.T))  # ascending
    return (h.double() - flat.mean(dim=0)) @ directions[:, -2:]


def turn_of(h, digits):
    """Return by which angle the states turn with each digit, in degrees: mean, least, greatest.

    h (n, N, H) are the states after n successive digits (n, N). The angle is seen in the plane of
    their most variance; least and greatest are those of the ten digits that may be read.
    """
    points = torch.view_as_complex(in_plane(h, h).contiguous())  # (n, N)
    turns = points[1:] / points[:-1]
    turns = turns / turns.abs()
    if turns.mean().imag < 0:
        turns = turns.conj()  # the sense of rotation depends on the axes, which are arbitrary
    mean = turns.mean()
    angle = mean.angle().rad2deg().item()
    each = torch.stack([turns[digits[1:] == digit].mean() for digit in range(10)])
    off = (each / mean).angle().rad2deg()  # of each digit that may be read
    return angle, angle + off.min().item(), angle + off.max().item()


def leading_angle(model):
    """Return the angle, 0 to 180 degrees, of the eigenvalue of Whh with the largest modulus."""
    values = torch.linalg.eigvals(model.Whh.detach().cpu().double())
    return values[values.abs().argmax()].angle().abs().rad2deg().item()


def right_again(angle):
    """Return the lengths T from 21 to 40 at which a memory that turns by `angle` is right again.

    At T = 20 it is right. After k more digits it has turned by k times the angle; it is right where
    that is a whole turn, give or take 18 degrees, half of what lies between ten digits on a ring.
    """
    return [T for T in AGAIN if abs((angle * (T - T_ALONE) + 180) % 360 - 180) <= 18]


def look(model, digits):
    """Return what a network answers, and what its states do, while it reads digits (N, 999).

    The answers of the last N_TEST sequences count. The result has "right" {T: share of right
    answers after T - 1 digits}, "readout" {T: the same of a refitted readout}, "first" (N_DRAWN,)
    digits, "points" (N_DRAWN, 2) the states after 19 digits in their plane, "means" (2, 10, 2)
    their means after 19 and after 20 digits, and "turn", as in turn_of.
    """
    first = digits[:, 0].long()
    right, refitted, kept = {}, {}, {}
    for T, (logits, h) in enumerate(read(model, digits), start=2):
        right[T] = (logits.argmax(dim=1) == first)[N_FIT:].cpu().double().mean().item()
        if T in ASKED:
            refitted[T] = readout(h.cpu(), first.cpu())
        if T - 1 in TURN:
            kept[T] = h[N_FIT:].cpu()
    first = first[N_FIT:].cpu()
    before, after = kept[T_ALONE], kept[T_ALONE + 1]
    means = torch.stack(
        [torch.stack([h[first == d].mean(dim=0) for d in range(10)]) for h in (before, after)]
    )  # (2, 10, H)
    drawn = torch.stack([h[:N_DRAWN] for h in kept.values()])  # (n, N_DRAWN, H)
    read_digits = digits[N_FIT : N_FIT + N_DRAWN, TURN.start - 1 : TURN.stop - 1].T.cpu()
    return {
        "right": right,
        "readout": refitted,
        "first": first[:N_DRAWN],
        "points": in_plane(before[:N_DRAWN], before),
        "means": in_plane(means, before),
        "turn": turn_of(drawn, read_digits),
    }


def readout_row(name, asked, key, views):
    """Return a row of the table of own answers and refitted readouts: least to greatest, in %."""
    row = {"network": TRAININGS[name].label, "asked": asked}
    for T in ASKED:
        shares = [f"{100 * view[key][T]:.0f}" for view in views]
        least, greatest = min(shares, key=int), max(shares, key=int)
        row[f"T = {T:,}"] = least if least == greatest else f"{least} to {greatest}"
    return row


def turn_row(name, seed, model, view):
    """Return a row of the table of turns: what the weights of an RNN predict, and what is seen."""
    angle, (turn, least, greatest) = leading_angle(model), view["turn"]
    at_20 = view["right"][T_ALONE]
    seen = [T for T in AGAIN if view["right"][T] >= at_20 / 2]
    return {
        "network": TRAININGS[name].label,
        "seed": seed,
        "right at T = 20": f"{100 * at_20:.1f} %",
        "angle of the eigenvalue": f"{angle:.0f}°",
        "turn of the states": f"{turn:.0f}°",
        "by the digit read": f"{least:.1f}° to {greatest:.1f}°",
        "T predicted": " ".join(map(str, right_again(angle))) or "-",
        "T seen": " ".join(map(str, seen)) or "-",
    }


def angle_row(seed, args):
    """Return the leading angles of the mixed RNN of a seed in the course of its training."""
    row = {"seed": seed}
    for step in (*WATCHED, TRAININGS["rnn_mixed"].steps):
        end = f"-step{step}" if step in WATCHED else ""
        model = load_network(args.out_dir / f"rnn_mixed-seed{seed}{end}.pth")
        row[f"{step:,} steps"] = f"{leading_angle(model):.0f}°"
    return row


def main():
    """Train what is missing, look at every network, print the tables, draw the figure."""
    parser = make_parser(__doc__)
    names = [name for name in TRAININGS if not name.endswith("proof")]
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=names, help="which")
    parser.add_argument("--seeds", type=number(int, 1), default=10, help="of each, from seed on")
    add_run_flags(parser, seed=300)
    args = parser.parse_args()
    begin(args)
    seeds = range(args.seed, args.seed + args.seeds)
    rng = torch.Generator().manual_seed(0)  # all networks read the same sequences
    digits = torch.randint(10, (N_FIT + N_TEST, max(ASKED) - 1), generator=rng).to(args.device)

    readouts, turns, shares, drawn = [], [], [], []
    for name in args.trainings:
        models = [trained(name, seed, args) for seed in seeds]
        views = [look(model, digits) for model in models]
        readouts.append(readout_row(name, "own answer", "right", views))
        readouts.append(readout_row(name, "refitted readout", "readout", views))
        for seed, model, view in zip(seeds, models, views, strict=True):
            if isinstance(model, VanillaRNN):
                turns.append(turn_row(name, seed, model, view))
            row = {"training": name, "seed": seed}
            shares.append(row | {T: view["right"][T] for T in SHOWN})
        # In the figure: the states of the fifth best of ten, of the lower seed in a tie.
        ranked = sorted(views, key=lambda view: -view["right"][T_ALONE])
        rights = [[100 * view["right"][T] for T in SHOWN] for view in views]
        drawn.append((TRAININGS[name].label, ranked[(len(ranked) - 1) // 2], rights))
    save_table(args.out_dir / "memory_readouts.csv", readouts)
    if turns:
        save_table(args.out_dir / "memory_turns.csv", turns)
    if "rnn_mixed" in args.trainings:
        save_table(args.out_dir / "memory_angles.csv", [angle_row(seed, args) for seed in seeds])
    save_csv(args.out_dir / "memory_lengths.csv", shares)
    save(args.out_dir / "memory.png", memory_figure(drawn, SHOWN, T_ALONE).savefig)
    print(f"memory.png, the numbers behind it and the networks are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
