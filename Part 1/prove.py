"""A proof: this LSTM names the last digit of every palindrome of every length T >= 5.

    python prove.py                     the network palindrome_lstm.pth, which memory.py made
    python prove.py --weights FILE      another one, of memory.py --save FILE

The theorem. After any first digit d and any three or more further digits, however many, the
largest logit is that of d, by a lead of at least RESULT. A palindrome ends as it begins, so d is its
last digit, and T >= 5 means that four digits or more are read. It holds for equations (1)-(7) in real
arithmetic and for every float32 evaluation of them: sums in any order, with or without fused
multiply-add, underflow or flush to zero, tanh and sigm within [-1, 1] and [0, 1] and right to 5e-7. (TF32 and
bfloat16 round more coarsely: they are not covered.) PyTorch's are right to 2e-7.

The proof. A box is an interval for each entry of h and of c. `step` takes a box and a digit to a
box that holds wherever the LSTM can get to from any point of the first. Then, for each d:

1. The first digits. From h = c = 0, read d and then each digit after each other: a box for each of
   the last digits read, and in each box, from the fourth digit on, the lead of d is positive.
2. For ever. A box that each digit takes into itself is never left. One is found that holds
   the last box of 1., and in it the lead of d is positive. So it is, whatever is read thereafter.

Prints what it proves, draws pics/proof.png; exit code 0 if all ten first digits are proved, else 1.
"""

import copy
import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from common import InputError, load, make_folder, make_parser, run, save, show_settings

from figures import proof_figure
from lstm import LSTM

# 1. Intervals. One is a pair (low, high) of float64 tensors; a box is a pair (h, c) of intervals.

U = 2.0**-24  # float32 rounds to within U, relatively
SLACK = 1e-6  # 5e-7 for tanh or sigm itself; the rest is for the products and sums of (5) and (6)
TINY = 1e-12  # far more than what underflow loses
LATCHED = 10.0  # tanh(10) is 1 - 4e-9: from there on, the size of c makes no difference


def affine(W, b, x, error):
    """W x + b for all x of an interval (..., n): at its centre, give or take its half-width."""
    low, high = x
    centre = (low + high) / 2 @ W.t() + b
    radius = (high - low) / 2 @ W.abs().t() + error
    return centre - radius, centre + radius


def rounding(W, b):
    """How far a float32 W x + b can be from the exact one, for |x| <= 1: one number for each row.

    A product of n columns, on its way into a sum that includes b, is rounded at most n + 1 times, each
    time by U at most, in whatever order the sum is taken (Higham 2002, section 3.1). The one more
    that is counted here is for the float64 of this file, which is 10^9 times as fine.
    """
    n = W.shape[1] + 2
    return n * U / (1 - n * U) * (W.abs().sum(dim=1) + b.abs()) + TINY


def tanh(z):
    """The interval of tanh, which rises."""
    low, high = z
    return low.tanh() - SLACK, high.tanh() + SLACK


def sigm(z):
    """The interval of the logistic function, which rises; not cut at 1, as SLACK is for (5), too."""
    low, high = z
    return (low.sigmoid() - SLACK).clamp(min=0), high.sigmoid() + SLACK


def times(x, gate):
    """The interval of x * gate, with gate >= 0: the sign of x decides which end of gate counts."""
    low, high = x
    least, most = gate
    return low * torch.where(low < 0, most, least), high * torch.where(high < 0, least, most)


def latch(c):
    """A larger interval: beyond 10, up or down, all c are one, since they may grow for ever."""
    low, high = c
    low = torch.where(low < -LATCHED, -torch.inf, low.clamp(max=LATCHED))
    high = torch.where(high > LATCHED, torch.inf, high.clamp(min=-LATCHED))
    return low, high


# 2. One step of the LSTM.


def gates(model, h):
    """Equations (1)-(4) for h in an interval (..., H): g, i, f, o, each (..., 10, H): per digit."""
    D = model.W.shape[1] - model.Wph.shape[1]
    Wx, Wh = model.W[:, :D], model.W[:, D:]
    bounds = affine(Wh, model.b, h, rounding(model.W, model.b))
    low, high = (bound.unsqueeze(-2) + Wx.t() for bound in bounds)  # one-hot x picks a column
    zg, zi, zf, zo = zip(low.chunk(4, dim=-1), high.chunk(4, dim=-1), strict=True)
    return tanh(zg), sigm(zi), sigm(zf), sigm(zo)


def step(model, box):
    """From a box (..., H) to the boxes (..., 10, H), one for each digit that may be read.

    Each float32 step from a point of the first lands in the second. Rounding of z is in `gates`;
    that of the products and sums in (5) and (6) is relative, at most 2 U: SLACK on i, f, o has
    room for it, also where c is large.
    """
    h, c = box
    g, i, f, o = gates(model, h)
    new = times(g, i)
    kept = times([bound.unsqueeze(-2) for bound in c], f)
    c = new[0] + kept[0] - TINY, new[1] + kept[1] + TINY  # (5)
    return times(tanh(c), o), latch(c)  # (6)


def lead(model, box, d):
    """The least lead of the logit of d over any other, (7), anywhere in a box: a number."""
    others = [j for j in range(len(model.bp)) if j != d]
    error = rounding(model.Wph, model.bp)
    h, _ = box
    W, b = model.Wph[d] - model.Wph[others], model.bp[d] - model.bp[others]
    low, _ = affine(W, b, h, error[d] + error[others])
    return low.amin().item()


# 3. The proof.


def forget(box):
    """One box around those that differ in the digit read first: (10, ..., H) to (..., H)."""
    return [(low.amin(dim=0), high.amax(dim=0)) for low, high in box]


def inside(small, large):
    """Whether each box lies in its larger one. No tolerance; False where there is a NaN."""
    return all(
        ((b_low <= a_low) & (a_high <= b_high)).all()
        for (a_low, a_high), (b_low, b_high) in zip(small, large, strict=True)
    )


class Outcome(NamedTuple):
    """What became of one first digit."""

    proved: bool
    leads: list  # the least lead with 4, 5, 6, ... digits read; of a proof, the last is for ever
    words: str


def first_boxes(model, d, memory=2):
    """Yield where the LSTM can be with 1, 2, 3, ... digits read, d first: boxes (10, ..., 10, H).

    There is a box for each choice of the last digits, memory + 1 of them at most.
    """
    zero = model.b.new_zeros(model.Wph.shape[1])
    box = step(model, ((zero, zero), (zero, zero)))
    box = [(low[d], high[d]) for low, high in box]
    while True:
        yield box
        if box[0][0].dim() > memory + 1:
            box = forget(box)
        box = step(model, box)


@torch.no_grad()
def prove(model, d, read=33):
    """Try to prove it for the first digit d; model is an LSTM in float64, for one-hot digits.

    Stage 1 ends with `read` digits read. Then the argument is one of induction: if the state is in
    the closed box of the last two digits, the next state is in that of the next two.
    """
    leads = []
    for n, box in enumerate(first_boxes(model, d), 1):
        if n >= 4:
            leads.append(lead(model, box, d))
            if not leads[-1] > 0:  # so that NaN is no proof
                return Outcome(False, leads, f"with {n} digits read, lead > {leads[-1]:.3f} only")
        if n == read:
            break
    box = forget(box)
    for tries, closed in enumerate(guesses(model, box), 1):
        if inside(box, closed) and inside(forget(step(model, closed)), closed):
            least = lead(model, closed, d)
            if least > 0:
                (low, high), _ = closed
                words = f"closed box: guess {tries}, mean width of h {(high - low).mean():.5f}"
                return Outcome(True, [*leads, least], words)
    return Outcome(False, leads, f"no closed box in {tries} guesses")


def guesses(model, first):
    """Boxes that may be closed. None of them is believed: `prove` tests each.

    Given h, c = new + f c comes to rest at new / (1 - f): all c together, with the f that is worst,
    and where c still creeps, it is let go to infinity. Given c, h grows by some times as much as
    one step leads out of it.
    """
    rows = tuple(range(first[0][0].dim() - 1))
    for growth, tries in ((1.5, 50), (1.1, 100)):
        h, c = first
        least, most = c[0].amin(rows), c[1].amax(rows)
        for _ in range(tries):
            g, i, f, _ = gates(model, h)
            low, high = times(g, i)
            low = low / (1 - torch.where(low < 0, f[1], f[0])).clamp(min=0)
            high = high / (1 - torch.where(high > 0, f[1], f[0])).clamp(min=0)
            low = torch.minimum(low.flatten(0, -2).amin(0), least)
            high = torch.maximum(high.flatten(0, -2).amax(0), most)
            low, high = latch((low - 1e-6 * (1 + low.abs()), high + 1e-6 * (1 + high.abs())))
            box = h, (low.expand_as(h[0]), high.expand_as(h[0]))
            yield box
            (h_low, h_high), (c_low, c_high) = forget(step(model, box))
            least = torch.where(c_low.amin(rows) < low, -torch.inf, least)
            most = torch.where(c_high.amax(rows) > high, torch.inf, most)
            h_low, h_high = (h[0] - h_low).clamp(min=0), (h_high - h[1]).clamp(min=0)
            h = h[0] - growth * h_low, h[1] + growth * h_high


# 4. The other side: continuations that bring the lead as low as can be found.


@torch.no_grad()
def search(model, d, read=99, beam=300):
    """The least lead found with 4, 5, ..., read digits, d first, by the network itself in float32.

    A beam search: of all continuations, those with the least leads go on. With 4 digits it tries
    all, and so finds the least there is.
    """
    digits = torch.eye(10)
    logits, state = model(digits[d].view(1, 1, 10))
    found = []
    for n in range(2, read + 1):
        h, c = (s.repeat_interleave(10, dim=0) for s in state)
        logits, (h, c) = model(digits.repeat(len(h) // 10, 1).unsqueeze(1), (h, c))
        others = logits.clone()
        others[:, d] = -torch.inf
        leads = logits[:, d] - others.amax(dim=1)
        if n >= 4:
            found.append(leads.min().item())
        worst = leads.topk(min(beam, len(leads)), largest=False).indices
        state = h[worst], c[worst]
    return found


# 5. The script.


def read_network(path):
    """The LSTM whose weights memory.py --save wrote to path; InputError when they are not such."""

    def build(weights):
        H = weights["Wph"].shape[1]
        shapes = {"W": (4 * H, 10 + H), "b": (4 * H,), "Wph": (10, H), "bp": (10,)}
        if {name: (*w.shape,) for name, w in weights.items()} != shapes:
            raise ValueError(f"other shapes than {shapes}")
        if any(w.dtype != torch.float32 or not (w.abs() < 1e9).all() for w in weights.values()):
            raise ValueError("numbers other than float32 below 1e9")
        model = LSTM(10, H, 10)
        model.load_state_dict(weights)
        return model

    try:
        return load(path, "cpu", build)
    except InputError as error:
        wanted = "--weights must be an LSTM for ten digits, of memory.py --save"
        raise InputError(f"{error}; {wanted}") from error


def parse_args():
    """The flags, checked."""
    parser = make_parser(__doc__)
    here = Path(__file__).resolve().parent
    add = parser.add_argument
    add("--weights", default=here / "palindrome_lstm.pth", help="file of memory.py --save")
    add("--out_dir", default=here.parent / "pics", help="folder for proof.png")
    return parser.parse_args()


def main():
    """Prove it for one first digit after another, search for a counterexample, draw the figure."""
    args = parse_args()
    make_folder(args.out_dir)
    show_settings(args)
    model = read_network(args.weights)
    exact = copy.deepcopy(model).double()
    outcomes, found = [], []
    for d in range(10):
        outcome, least = prove(exact, d), search(model, d)
        print(
            f"first digit {d}: {'proved' if outcome.proved else 'NOT PROVED'}, "
            f"{f'lead >= {min(outcome.leads):.3f}, ' if outcome.proved else ''}{outcome.words}; "
            f"least lead found {min(least):.3f}",
            flush=True,
        )
        for n, lead_found in enumerate(least):
            bound = outcome.leads[min(n, len(outcome.leads) - 1)]
            if (outcome.proved or n < len(outcome.leads)) and lead_found < bound:
                raise ArithmeticError(f"found {lead_found}, proved {bound}: the prover is wrong")
        outcomes.append(outcome)
        found.append(least)

    with open(args.weights, "rb") as file:
        name = f"{args.weights}, SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
    missing = [d for d, outcome in enumerate(outcomes) if not outcome.proved]
    if missing:
        print(f"Not proved for the first digits {missing}: {name}")
        sys.exit(1)
    least = min(min(outcome.leads) for outcome in outcomes)
    print(
        f"PROVED of {name}:\nafter any first digit d and any three or more further digits, however "
        f"many, the largest logit is that of d, by at least {least:.2f}. So the last digit of every "
        "palindrome of every length T >= 5 is named right, in real arithmetic and in float32."
    )
    figure = proof_figure([outcome.leads for outcome in outcomes], found)
    save(Path(args.out_dir) / "proof.png", lambda file: figure.savefig(file, dpi=110))


if __name__ == "__main__":
    run(main)
