"""A proof: these networks predict the last digit of every palindrome of every length T >= 5.

    python prove.py                     for palindrome_rnn.pth and palindrome_lstm.pth
    python prove.py --weights FILE      for another network that reads one-hot digits

The theorem. After any first digit d and any three or more further digits, however many, the largest
logit is that of d. A palindrome ends with its first digit, and T >= 5 means that four digits or
more are read. It holds for the equations of rnn.py and lstm.py in real arithmetic and in float32,
sums in any order, as long as tanh and sigm are right to 5e-7 and stay in [-1, 1] and [0, 1] (a
test measures 2e-7 for PyTorch's on a CPU). TF32 and bfloat16 are too coarse for it.

The proof. A box is an interval for each entry of the state. `step` of intervals.py takes a box to
ten boxes, one for each digit that may be read next; they contain every state that a state in the
box can become. The lead is the logit of d minus the largest other logit. For each first digit d:

1. From h = c = 0, step through d and all continuations of five more digits: 100,000 boxes.
2. Merge them into ten boxes, one for each last digit, and step six digits further.
3. Find ten closed boxes that contain those of 2.: a step from any of them, with any digit, ends
   inside the box of that digit. A state never leaves them, so what holds in them holds for ever.

From the fourth digit on, the lead must be positive in each box. As a check, a search looks for the
continuations with the least lead: none may lie below what is proved. Exit code 0: all is proved, 1:
not all. The table is in proof.csv in out_dir. The first command proves both networks, with leads of
at least 6.31 and 9.71, in 30 s of one core of an Intel Xeon.
"""

import copy
import math
import sys
from pathlib import Path

import torch

from common import HERE, InputError, begin, make_parser, run, save_table
from intervals import gates, hull, inside, lead, product, step
from lstm import LSTM
from networks import input_size, load_network

PIECE = 100  # boxes that take two steps at once: fewer need less memory
TRIES = 40  # to find closed boxes

# 1. The proof.


def read(model, boxes):
    """Return the boxes (10 n, H) after each of the ten digits, from boxes (n, H)."""
    return tuple((low.flatten(0, 1), high.flatten(0, 1)) for low, high in step(model, boxes))


def by_last_digit(boxes):
    """Return the hulls (10, H) of boxes (10 n, H) that `read` returned, one for each last digit."""
    return hull([[end.unflatten(0, (-1, 10)) for end in ends] for ends in boxes])


def cells_at_rest(model, h, c):
    """Return intervals (10, H) that c hardly leaves while h stays in its boxes (10, H).

    For fixed gates, c = g i + c f rests at g i / (1 - f). An interval spans these points for all
    gates that are possible, and the given c (10, H), and a little more. Where f may be 1, it ends
    in infinity.
    """
    g, i, (f_least, f_most), _ = gates(model, h)
    low, high = product(g, i)  # (10, 10, H)
    low = low / (1 - torch.where(low < 0, f_most, f_least)).clamp(min=0)
    high = high / (1 - torch.where(high > 0, f_most, f_least)).clamp(min=0)
    low = torch.minimum(low.amin((0, 1)), c[0].amin(0))
    high = torch.maximum(high.amax((0, 1)), c[1].amax(0))
    low, high = low - 1e-3 * (1 + low.abs()), high + 1e-3 * (1 + high.abs())
    return low.expand_as(h[0]), high.expand_as(h[0])


def let_out(interval, tried, after, factor):
    """Return the interval with room where a step left the one that was tried.

    `after` is where the step led; an end moves out by factor x overshoot.
    """
    (low, high), (low_tried, high_tried), (low_after, high_after) = interval, tried, after
    low = torch.where(low_after < low_tried, low - factor * (low_tried - low_after), low)
    high = torch.where(high_after > high_tried, high + factor * (high_after - high_tried), high)
    return low, high


def closed_boxes(model, ten):
    """Return ten boxes that contain `ten` and that no step leaves; None if none are found.

    How they are found proves nothing: only the test before they are returned counts.
    """
    low, high = ten[0]
    h = 1.25 * low - 0.25 * high, 1.25 * high - 0.25 * low  # 1.5 times as wide
    c = ten[-1]  # for the LSTM
    for _ in range(TRIES):
        boxes = (h, cells_at_rest(model, h, c)) if isinstance(model, LSTM) else (h,)
        after = by_last_digit(read(model, boxes))
        if inside(ten, boxes) and inside(after, boxes):
            return boxes
        h = let_out(h, h, after[0], 1.5)
        c = let_out(c, boxes[-1], after[-1], math.inf)
    return None


@torch.no_grad()
def prove_digit(model, d):
    """Return the least proved leads of the first digit d after 4, 5, ..., 12 digits, then for ever.

    The last is -inf when no closed boxes are found. The theorem is proved for d if all are > 0.
    """
    model = copy.deepcopy(model).double()  # so that this program's own rounding is negligible
    zeros = model.Wph.new_zeros(model.Wph.shape[1])
    point = (zeros, zeros)
    start = (point, point) if isinstance(model, LSTM) else (point,)
    first = [[end[d : d + 1] for end in ends] for ends in step(model, start)]  # (1, H)
    four = read(model, read(model, read(model, first)))  # (1000, H): 4 digits are read
    leads_5, leads_6, hulls = [], [], []
    for n in range(0, 1000, PIECE):
        five = read(model, [[end[n : n + PIECE] for end in ends] for ends in four])
        six = read(model, five)
        leads_5.append(lead(model, five, d))
        leads_6.append(lead(model, six, d))
        hulls.append(by_last_digit(six))
    leads = [lead(model, four, d), min(leads_5), min(leads_6)]

    parts = zip(*hulls, strict=True)  # for each part of the state: its interval in each piece
    ten = hull([map(torch.stack, zip(*part, strict=True)) for part in parts])  # (10, H)
    for _ in range(6):
        ten = by_last_digit(read(model, ten))
        leads.append(lead(model, ten, d))

    boxes = closed_boxes(model, ten)
    leads.append(-math.inf if boxes is None else lead(model, boxes, d))
    return leads


# 2. The other side: continuations that bring the lead as low as can be found.


@torch.no_grad()
def search(model, d, n_digits=99, beam=100):
    """Return the least leads of the float32 network found after 4, 5, ..., n_digits digits.

    The first digit is d. This is a beam search: after each digit, only the `beam` continuations
    with the least leads go on. With a beam of 100, all 1,000 continuations of 4 digits are tried.
    """
    digits = torch.eye(10)
    _, state = model(digits[d].view(1, 1, 10))
    kept, found = torch.zeros(1, dtype=torch.int64), []
    for n in range(2, n_digits + 1):
        rows = kept.repeat_interleave(10)  # each once for each next digit
        state = state[rows] if torch.is_tensor(state) else tuple(part[rows] for part in state)
        logits, state = model(digits.repeat(len(kept), 1).unsqueeze(1), state)
        rest = logits.clone()
        rest[:, d] = -torch.inf
        leads = logits[:, d] - rest.amax(dim=1)
        if n >= 4:
            found.append(leads.min().item())
        kept = leads.topk(min(beam, len(leads)), largest=False).indices
    return found


def down(value):
    """Return the number with two decimals, rounded down, as a lower bound must be."""
    return f"{math.floor(100 * value) / 100:.2f}" if math.isfinite(value) else f"{value}"


def prove_network(name, model):
    """Try all ten first digits and print a line for each; return the network's row of the table."""
    missing, least_proved, least_found = [], [], []
    for d in range(10):
        leads, leads_found = prove_digit(model, d), search(model, d)
        bounds = leads + [leads[-1]] * len(leads_found)  # the last bound holds for ever
        if not all(found >= bound for found, bound in zip(leads_found, bounds, strict=False)):
            raise ArithmeticError(f"{name}: a lead below what is proved; the prover is wrong")
        least = min(leads)
        if least <= 0:
            missing.append(str(d))
        verdict = f"proved, lead >= {down(least)}" if least > 0 else "NOT PROVED"
        print(f"{name}, first digit {d}: {verdict} (least found: {min(leads_found):.2f})")
        least_proved.append(least)
        least_found.append(min(leads_found))
    return {
        "weights": name,
        "proved": f"{10 - len(missing)} of 10",
        "not proved for": " ".join(missing) or "-",
        "least lead proved": "-" if missing else down(min(least_proved)),
        "least lead found": f"{min(least_found):.2f}",
    }


def main():
    """Prove the theorem for each network, and search for counterexamples."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--weights",
        nargs="+",
        type=Path,
        default=[HERE / "palindrome_rnn.pth", HERE / "palindrome_lstm.pth"],
        metavar="FILE",
        help="saved networks that read one-hot digits",
    )
    parser.add_argument("--out_dir", type=Path, default=HERE / "run", help="folder for the table")
    args = parser.parse_args()
    begin(args)
    models = {}
    for path in args.weights:
        models[path] = load_network(path)
        if input_size(models[path]) != 10:
            raise InputError(f"{path}: the proof needs a network that reads one-hot digits")
    print()
    rows = []
    for path, model in models.items():
        rows.append(prove_network(f"{path.absolute().parent.name}/{path.name}", model))
    print()
    save_table(args.out_dir / "proof.csv", rows)
    print(f"the table is in {args.out_dir / 'proof.csv'}")
    if any(row["proved"] != "10 of 10" for row in rows):
        sys.exit(1)
    print("All is proved: the last digit of every palindrome of every T >= 5 is predicted right.")


if __name__ == "__main__":
    run(main)
