"""A proof: this LSTM names the last digit of every palindrome of every length T >= 5.

    python prove.py                  of palindrome_lstm.pth, the network of memory.py
    python prove.py --weights FILE   of another one, from memory.py --save FILE

The theorem. After any first digit d and any three or more further digits, however many, the largest
logit is that of d, by a lead of at least 14.49. A palindrome ends with its first digit, and T >= 5
means that four digits or more are read. It holds for equations (1)-(7) of lstm.py in real
arithmetic, and for each way to compute them in float32: sums in any order, with or without fused
multiply-add, with or without subnormal numbers, as long as tanh and sigm are right to 5e-7 and stay
in [-1, 1] and [0, 1] (a test measures 2e-7 for PyTorch's). TF32 and bfloat16 are too coarse for it.

The proof. A box is an interval for each entry of h and of c. `step` of boxes.py takes one and a
digit to a box that holds all that the LSTM can make of any point of the first. Then, for each d:

1. The first digits. From h = c = 0, read d and then every digit after every other. The boxes know
   which digits were read last. From the fourth digit on, the lead of d is positive in each.
2. For ever. Then comes a box for each pair of digits read last, with the boxes of stage 1 inside,
   such that a step with any digit ends inside them again. So no sequence ever leaves them, and in
   them, too, the lead of d is positive.

Exit code 0: all ten first digits are proved, 1: not all of them. Beside it, a search looks for the
continuations with the least lead: none may lie below what is proved. Draws pics/proof.png. All
takes 6 s on two cores of an Intel Xeon.
"""

import copy
import hashlib
import math
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from boxes import gates, inside, lead, merge, saturate, step, times
from common import InputError, load, make_folder, make_parser, run, save, show_settings
from figures import proof_figure
from lstm import LSTM

# 1. The proof.


def first_boxes(model, d):
    """Yield where the LSTM can be with 1, 2, 3, ... digits read, d first: boxes (10, ..., 10, H).

    There is a box for each choice of the digits read last, three of them at most.
    """
    zero = model.b.new_zeros(model.Wph.shape[1])
    box = step(model, ((zero, zero), (zero, zero)))
    box = [(low[d], high[d]) for low, high in box]
    while True:
        yield box
        if box[0][0].dim() == 4:  # (10, 10, 10, H)
            box = merge(box)
        box = step(model, box)


class Outcome(NamedTuple):
    """What became of one first digit."""

    proved: bool
    leads: list  # the least lead with 4, 5, 6, ... digits read; of a proof, the last is for ever
    words: str


@torch.no_grad()
def prove(model, d, read=33):
    """Try to prove the theorem for the first digit d; model is an LSTM in float64, of ten digits.

    Stage 1 ends with 33 digits read. From then on it is induction: the state lies in the closed box
    of the two digits read last, so that the next one lies in the box of the next two.
    """
    if model.W.dtype != torch.float64:
        raise ValueError(
            "the intervals need float64: its rounding fits into what is added for float32"
        )
    leads = []
    for n, box in enumerate(first_boxes(model, d), 1):
        if n >= 4:
            leads.append(lead(model, box, d))
            if not leads[-1] > 0:  # so that NaN proves nothing
                return Outcome(
                    False, leads, f"{n} digits read: the lead is above {down(leads[-1])}"
                )
        if n == read:
            break
    box = merge(box)
    for tries, closed in enumerate(guesses(model, box), 1):
        if inside(box, closed) and inside(merge(step(model, closed)), closed):
            ever = lead(model, closed, d)
            if ever > 0:
                (low, high), _ = closed
                words = f"closed box: guess {tries}, mean width of h {(high - low).mean():.4f}"
                return Outcome(True, [*leads, ever], words)
    return Outcome(False, leads, f"no closed box among {tries} guesses")


def guesses(model, first):
    """Boxes that may be closed, the first inside. Nothing is taken on trust: `prove` tests each.

    For a given h, c = new + f c comes to rest at new / (1 - f), with the f that is worst, and what
    does not rest is let go to infinity. For a given c, h grows by somewhat more than what a step
    leads out of it.
    """
    rows = tuple(range(first[0][0].dim() - 1))
    for growth, tries in ((1.5, 50), (1.1, 100)):
        h, (low, high) = first
        least, most = low.amin(rows), high.amax(rows)
        for _ in range(tries):
            g, i, f, _ = gates(model, h)
            low, high = times(g, i)
            low = low / (1 - torch.where(low < 0, f[1], f[0])).clamp(min=0)
            high = high / (1 - torch.where(high > 0, f[1], f[0])).clamp(min=0)
            low = torch.minimum(low.flatten(0, -2).amin(0), least)
            high = torch.maximum(high.flatten(0, -2).amax(0), most)
            low, high = saturate((low - 1e-4 * (1 + low.abs()), high + 1e-4 * (1 + high.abs())))
            closed = h, (low.expand_as(h[0]), high.expand_as(h[0]))
            yield closed
            (h_low, h_high), (c_low, c_high) = merge(step(model, closed))
            least = torch.where(c_low.amin(rows) < low, -torch.inf, least)
            most = torch.where(c_high.amax(rows) > high, torch.inf, most)
            h_low, h_high = (h[0] - h_low).clamp(min=0), (h_high - h[1]).clamp(min=0)
            h = h[0] - growth * h_low, h[1] + growth * h_high


# 2. The other side: continuations that bring the lead as low as can be found.


@torch.no_grad()
def search(model, d, read=99, beam=100):
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


# 3. The script.


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


def down(number):
    """The number with two decimals, rounded down, as a lower bound must be."""
    return f"{math.floor(100 * number) / 100:.2f}" if math.isfinite(number) else f"{number}"


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
        result = f"proved, lead >= {down(min(outcome.leads))}" if outcome.proved else "NOT PROVED"
        print(
            f"first digit {d}: {result} (least found: {min(least):.2f}); {outcome.words}",
            flush=True,
        )
        for n, lead_found in enumerate(least):
            bound = outcome.leads[min(n, len(outcome.leads) - 1)]
            if (outcome.proved or n < len(outcome.leads)) and not lead_found >= bound:
                raise ArithmeticError(f"found {lead_found}, proved {bound}: the prover is wrong")
        outcomes.append(outcome)
        found.append(least)

    with open(args.weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{Path(args.weights).name}, SHA-256 {digest}"
    missing = [d for d, outcome in enumerate(outcomes) if not outcome.proved]
    if missing:
        print(f"Not proved for the first digits {missing} of {name}")
        sys.exit(1)
    least = min(min(outcome.leads) for outcome in outcomes)
    print(
        f"Proved of {name}:\nafter any first digit d and any three or more further digits, however "
        f"many, the largest logit\nis that of d, by at least {down(least)}. So the last digit of "
        "every palindrome of every T >= 5\nis named right, in real arithmetic and in float32."
    )
    figure = proof_figure([outcome.leads for outcome in outcomes], found)
    save(Path(args.out_dir) / "proof.png", figure.savefig)


if __name__ == "__main__":
    run(main)
