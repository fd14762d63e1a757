"""A proof: these networks predict the last digit of every palindrome of every length T >= 5.

    python -m studies.proof                     for palindrome_rnn.pth and palindrome_lstm.pth
    python -m studies.proof --weights FILE      for another network that reads one-hot digits
    python -m studies.proof --train 1           trains these two from seed 1, and proves them

README.md has the theorem and the proof. Into out_dir go the table, proof.csv, and what is trained:
rnn-seed1.pth and lstm-seed1.pth. The exit code is 0 if all is proved.

An interval is a float64 tensor (2, ...), its low end and its high end. Bounds (2, n, H) have one
for each entry of h; those of an LSTM are (2, n, 2H), h and c side by side. Results contain every
value that can come of a point of the inputs, in real arithmetic and in float32.
"""

import copy
import math
from pathlib import Path

import torch
from joblib import cpu_count

from common import HERE, begin, load, make_parser, number, run, save_state, save_table
from lstm import LSTM
from networks import from_weights
from rnn import VanillaRNN
from studies.memory import EVERY, EVERY_LENGTH, settings_for, train_network

FLAGS = f"{EVERY} --learning_rate 0.001 --max_norm 1 --bf 1"  # of both trainings
U = 2.0**-24  # unit roundoff of float32: its largest relative error
SLACK = 1e-6  # widens tanh and sigm: half for their error, half for the rounding in step
TINY = 1e-12  # far more than what underflow loses
OUT = torch.tensor([-1, 1]).double().view(2, 1, 1)  # the directions in which the ends move out


def affine(W, b, x, error):
    """Return the interval (2, n, m) of W x + b, x in (2, n, k), widened by error (m)."""
    centre = ((x[0] + x[1]) / 2) @ W.T + b
    radius = ((x[1] - x[0]) / 2) @ W.abs().T + error
    return centre + OUT * radius


def rounding(W, b):
    """Return the largest error (m) of W x + b in float32, W (m, n), for any x in [-1, 1]^n.

    In a sum of n products and b, in any order, each term is rounded at most n + 1 times (Higham
    2002, section 3.1). We count n + 2, to cover the rounding of this file, in float64.
    """
    nu = (W.shape[1] + 2) * U
    return nu / (1 - nu) * (W.abs().sum(dim=1) + b.abs()) + TINY


def tanh(z):
    """Return the interval of tanh. It is increasing, so the ends of z give its ends."""
    return (z.tanh() + OUT * SLACK).clamp(-1, 1)


def product(x, gate):
    """Return the interval of x * gate, gate >= 0; a negative end takes the other end of gate."""
    return x * torch.where(x < 0, gate.flip(0), gate)


def inputs_of(W, b, h):
    """Return the intervals (2, 10 n, m) of W (x, h) + b, h in (2, n, H), for all ten one-hot x."""
    z = affine(W[:, 10:], b, h, rounding(W, b))
    return (z.unsqueeze(2) + W[:, :10].T).flatten(1, 2)  # what x adds is a column of W


def gates(model, h):
    """Return g, i, f, o of (1)-(4), (2, 10 n, H), for h in (2, n, H); the gates may exceed 1."""
    H = h.shape[2]
    z = inputs_of(model.W, model.b, h)
    sigm = (z[..., H:].sigmoid() + OUT * SLACK).clamp(min=0)
    return tanh(z[..., :H]), *sigm.chunk(3, dim=2)


def step(model, bounds):
    """Return the 10 n bounds after a digit: for each of n bounds ten, in the order of the digits.

    In float32, (5) becomes g i (1 + e) + c f (1 + e') with |e|, |e'| < 2.1 U, and (6) becomes
    tanh(c) o (1 + e). The error grows with c, so no constant bounds it; it is counted as a change
    of the gates, and the slack of i, f and o covers it.
    """
    if not isinstance(model, LSTM):
        return tanh(inputs_of(torch.cat([model.Whx, model.Whh], dim=1), model.bh, bounds))
    h, c = bounds.chunk(2, dim=2)
    g, i, f, o = gates(model, h)
    c = product(g, i) + product(c.repeat_interleave(10, dim=1), f) + OUT * TINY  # (5)
    h = product(tanh(c), o)  # (6)
    return torch.cat([h, c], dim=2)


def margin(model, bounds, d):
    """Return the least margin within the bounds, logit d minus the largest other; -inf for NaN."""
    rest = [j for j in range(10) if j != d]
    W, b = model.Wph[d] - model.Wph[rest], model.bp[d] - model.bp[rest]
    error = rounding(model.Wph, model.bp)
    low, _ = affine(W, b, bounds[..., : W.shape[1]], error[d] + error[rest])
    return low.amin().nan_to_num(-torch.inf, neginf=-torch.inf).item()


def hull(bounds):
    """Return the least bounds (2, 1, H) that contain all of n bounds (2, n, H)."""
    low, high = bounds
    return torch.stack([low.amin(dim=0, keepdim=True), high.amax(dim=0, keepdim=True)])


def inside(small, large):
    """Return whether all of small lies in large. There is no tolerance, and NaN lies nowhere."""
    return bool(((large[0] <= small[0]) & (small[1] <= large[1])).all())


def cells_at_rest(model, h, c):
    """Return intervals (2, 1, H) that c hardly leaves while h stays within bounds (2, 1, H).

    For fixed gates, c = g i + c f rests at g i / (1 - f), in infinity where f is 1. An interval
    spans these points for all gates that are possible, the given c (2, 1, H), and a little more.
    """
    g, i, (f_least, f_most), _ = gates(model, h)
    new = product(g, i)
    f = torch.where(OUT * new > 0, f_most, f_least)  # an end beyond 0 moves out with f
    rest = hull(torch.cat([new / (1 - f).clamp(min=0), c], dim=1))
    return rest + OUT * 1e-3 * (1 + rest.abs())


def invariant_bounds(model, reached):
    """Return bounds (2, 1, H) that contain what is reached, and that no step leaves, or None."""
    H = model.Wph.shape[1]
    wide, factor = reached.clone(), torch.full(reached.shape[2:], 1.5).double()
    wide[..., :H] = 1.25 * reached[..., :H] - 0.25 * reached[..., :H].flip(0)  # 1.5 times as wide
    factor[H:] = math.inf  # of c, if there is one
    for _ in range(40):  # tries
        bounds = wide.clone()
        if isinstance(model, LSTM):
            bounds[..., H:] = cells_at_rest(model, wide[..., :H], wide[..., H:])
        after = hull(step(model, bounds))
        # Only this counts: the rest is a guess.
        if inside(reached, bounds) and inside(after, bounds):
            return bounds
        overshoot = OUT * (after - bounds)
        wide = torch.where(overshoot > 0, wide + OUT * factor * overshoot, wide)
    return None


@torch.no_grad()
def prove_digit(model, d):
    """Return the least proved margins of a first digit d after 4, ..., 12 digits, then for ever.

    The last is -inf if no invariant bounds are found. The theorem is proved for d if all are > 0.
    """
    model = copy.deepcopy(model).double()  # so that this program's own rounding is negligible
    H = model.Wph.shape[1]
    start = torch.zeros(2, 1, 2 * H if isinstance(model, LSTM) else H).double()
    bounds = step(model, start)[:, d : d + 1]
    margins = []
    for n in range(2, 13):  # so many digits are read
        bounds = step(model, bounds)
        if n >= 5:  # all 10,000 sequences are followed that far
            bounds = hull(bounds)
        if n >= 4:
            margins.append(margin(model, bounds, d))
    bounds = invariant_bounds(model, bounds)
    margins.append(-math.inf if bounds is None else margin(model, bounds, d))
    return margins


def prove(name, model):
    """Try to prove the theorem for a network of this name; return its row of the table."""
    margins = [min(prove_digit(model, d)) for d in range(10)]
    missing = [str(d) for d in range(10) if margins[d] <= 0]
    row = {"weights": name, "proved": f"{10 - len(missing)} of 10"}
    row["not proved for"] = " ".join(missing) or "-"
    row["least margin"] = "-" if missing else f"{math.floor(100 * min(margins)) / 100:.2f}"
    return row


def provable(weights):
    """Return the network of these weights; raise ValueError if the proof does not know it."""
    model = from_weights(weights)
    if model.input_dim != 10 or not isinstance(model, LSTM | VanillaRNN):
        raise ValueError("neither an LSTM nor an RNN that reads one-hot digits")
    return model


def main():
    """Train, if asked to; prove the theorem for each network, and exit with 1 if one fails."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "proof")
    files = [HERE / "palindrome_rnn.pth", HERE / "palindrome_lstm.pth"]
    parser.add_argument("--weights", nargs="+", type=Path, default=files, help="their files")
    text = "train an RNN and an LSTM from each of these seeds, and prove the theorem for them"
    parser.add_argument("--train", metavar="SEED", nargs="+", type=number(int, 0), help=text)
    args = parser.parse_args()
    begin(args)
    if args.train:
        jobs = {}
        for name in "rnn", "lstm":
            settings = settings_for(f"--model {name} {FLAGS}", EVERY_LENGTH)
            for seed in args.train:
                jobs[args.out_dir / f"{name}-seed{seed}.pth"] = settings, seed
        for path, model in run(train_network, jobs, cpu_count()):
            save_state(path, model.state_dict())
        args.weights = [*jobs]
    jobs = {path: (path.name, load(path, provable)) for path in args.weights}
    proved = dict(run(prove, jobs, cpu_count()))
    rows = [proved[path] for path in args.weights]
    save_table(args.out_dir / "proof.csv", rows)
    if any(row["not proved for"] != "-" for row in rows):
        parser.exit(1)
    print("All is proved: the prediction is correct for every palindrome of every T >= 5.")


if __name__ == "__main__":
    main()
