"""A proof: these networks predict the last digit of every palindrome of every length T >= 5.

    python -m studies.proof                     for palindrome_rnn.pth and palindrome_lstm.pth
    python -m studies.proof --weights FILE      for another RNN or LSTM that reads one-hot digits
    python -m studies.proof --train 1           trains these two from seed 1, and proves them

Both are proved, in ten seconds; README.md tells how. The files are proof.csv and proof.png; with
--train, they are the networks and proof_seeds.csv. The exit code is 0 if all is proved, 1 if
something is not, and 2 if a file holds no network that the proof is for.

An interval is a float64 tensor (2, ...), its low end and its high end. Bounds (2, n, H) have one
for each entry of h, those of an LSTM (2, n, 2H) one for each of h and c. Results contain every
value that can come of a point of the inputs, in real arithmetic and in float32.
"""

import math
from pathlib import Path

import torch
from joblib import cpu_count
from matplotlib.figure import Figure

from common import BLUE, HERE, ORANGE, begin, make_parser, number, run
from networks import load_network, save_network
from studies.memory import settings_for, train_network
from studies.runner import RESULTS, save_shown

WEIGHTS = [HERE / "palindrome_rnn.pth", HERE / "palindrome_lstm.pth"]
FLAGS = "--learning_rate 0.001 --data_size 5000 --train_steps 4000 --max_norm 1 --bf 1"
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
    size = W.abs().sum(dim=1) + b.abs()
    return torch.where(size < 1e38, nu / (1 - nu) * size + TINY, math.nan)  # else it may overflow


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
    zg, *zifo = inputs_of(model.W, model.b, h).chunk(4, dim=2)
    return tanh(zg), *((z.sigmoid() + OUT * SLACK).clamp(min=0) for z in zifo)


def step(model, bounds):
    """Return the 10 n bounds after a digit: for each of n bounds ten, in the order of the digits.

    In float32, (5) becomes g i (1 + e) + c f (1 + e') and (6) becomes tanh(c) o (1 + e), with all
    errors below 2.1 U. Since they are relative, they act like a change of the gates, and the slack
    of i, f and o covers them.
    """
    if model.made_from["network"] == "rnn":
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
    return torch.stack([bounds[0].amin(0, keepdim=True), bounds[1].amax(0, keepdim=True)])


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
    """Return bounds (2, 1, H) that contain what is reached, and that no step leaves, or NaN."""
    H = model.Wph.shape[1]
    wide, factor = reached.clone(), torch.full(reached.shape[2:], 1.5).double()
    wide[..., :H] = 1.25 * reached[..., :H] - 0.25 * reached[..., :H].flip(0)  # 1.5 times as wide
    factor[H:] = math.inf  # of c, which only an LSTM has
    for _ in range(40):  # tries
        bounds = wide.clone()
        if model.made_from["network"] == "lstm":
            bounds[..., H:] = cells_at_rest(model, wide[..., :H], wide[..., H:])
        after = hull(step(model, bounds))
        if inside(reached, bounds) and inside(after, bounds):  # all else here is a guess
            return bounds
        overshoot = OUT * (after - bounds)
        wide = torch.where(overshoot > 0, wide + OUT * factor * overshoot, wide)
    return reached * math.nan


def bounds_after(model, d):
    """Return 13 bounds on the states: after 1, ..., 12 digits that begin with d, and for ever."""
    H = model.Wph.shape[1]
    start = torch.zeros(2, 1, H if model.made_from["network"] == "rnn" else 2 * H).double()
    found = [step(model, start)[:, d : d + 1]]
    for n in range(2, 13):  # so many digits are read
        bounds = step(model, found[-1])
        found.append(bounds if n < 5 else hull(bounds))  # after 5 digits, 10,000 become one
    return [*found, invariant_bounds(model, found[-1])]


def prove(name, model):
    """Try to prove the theorem for a network; return its row, and a panel of `proof_figure`."""
    model.double().requires_grad_(False)  # so that this program's own rounding is negligible
    found = [bounds_after(model, d) for d in range(10)]
    least = [min(margin(model, bounds, d) for bounds in found[d][3:]) for d in range(10)]
    missing = [str(d) for d in range(10) if least[d] <= 0]
    row = {"weights": name, "proved": f"{10 - len(missing)} of 10"}
    row["not proved for"] = " ".join(missing) or "-"
    row["least margin"] = "-" if missing else f"{math.floor(100 * min(least)) / 100:.2f}"
    d, W, b = least.index(min(least)), model.Wph, model.bp
    z = torch.cat([hull(affine(W, b, h[..., : W.shape[1]], rounding(W, b))) for h in found[d]], 1)
    rest = hull(z[..., torch.arange(10) != d].mT)[:, 0]  # z (2, 13, 10), rest (2, 13)
    return row, (model.made_from["network"].upper(), d, row["least margin"], z[..., d], rest)


def proof_figure(panels):
    """Return a Figure: bounds on the first digit's logit, and on the others, as digits are read."""
    figure = Figure(figsize=(4.5 * len(panels), 4.2), layout="constrained")
    figure.suptitle("Whatever digits follow, the first digit's logit stays above the other nine")
    grid = figure.subplots(1, len(panels), squeeze=False)
    for axes, (name, d, least, own, rest) in zip(grid.flat, panels, strict=True):
        for band, color, text in (own, BLUE, f"first digit, {d}"), (rest, ORANGE, "other nine"):
            low, high = torch.cat([band, band[:, -1:]], dim=1)  # the last bounds hold for ever
            axes.fill_between([*range(1, 14), 16], low, high, color=color, alpha=0.7)
            axes.text(15.7, high[-1], text, color=color, ha="right", va="bottom", weight="bold")
        axes.annotate("", (4, rest[1, 3]), (4, own[0, 3]), arrowprops={"arrowstyle": "<->"})
        axes.text(4.3, rest[1, 3] + 2, f"margin at least {least}\nfrom here on")
        axes.set(title=name, xlabel="digits read", ylabel="logit", xmargin=0, ymargin=0.08)
        axes.set_xticks([1, 4, 8, 12, 14.5], [1, 4, 8, 12, "for ever"])
    return figure


def main():
    """Train, if asked to; prove the theorem for each network; save a table and a figure."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "proof")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--weights", nargs="+", type=Path, default=WEIGHTS, help="their files")
    text = "train both from each seed, in 3 core-minutes; without a seed, from 300 to 309"
    source.add_argument("--train", metavar="SEED", nargs="*", type=number(int, 0), help=text)
    parser.add_argument("--report", action="store_true", help="renew the report's files and tables")
    args = parser.parse_args()
    if args.report and (args.train or args.weights != WEIGHTS):
        parser.error("argument --report: takes the weights and the seeds of the report")
    begin(args)
    if args.train is not None:
        jobs = {}
        for name in "rnn", "lstm":
            settings = settings_for(name, FLAGS, range(5, 41))
            for seed in args.train or range(300, 310):
                jobs[args.out_dir / f"{name}-seed{seed}.pth"] = settings, seed
        for path, model in run(train_network, jobs, cpu_count()):
            save_network(path, model)
        args.weights = [*jobs]
    try:
        models = {path: load_network(path, ("rnn", "lstm"), one_hot=True) for path in args.weights}
    except SystemExit as refusal:
        parser.exit(2, f"{refusal}\n")
    rows, panels = zip(*(prove(path.name, model) for path, model in models.items()), strict=True)
    proved = all(row["not proved for"] == "-" for row in rows)
    shown = {"proof.csv" if args.train is None else "proof_seeds.csv": rows}
    if proved and args.train is None:
        shown["proof.png"] = proof_figure(panels)
    save_shown(shown, args.out_dir, args.report)
    print(f"the files are in {RESULTS if args.report else args.out_dir}")
    if not proved:
        parser.exit(1)
    print("All is proved: the prediction is correct for every palindrome of every T >= 5.")


if __name__ == "__main__":
    main()
