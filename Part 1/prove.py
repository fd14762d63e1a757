"""A proof: these networks predict the last digit of every palindrome of every length T >= 5.

    python prove.py                     for palindrome_rnn.pth and palindrome_lstm.pth
    python prove.py --weights FILE      for another network that reads one-hot digits

README.md has the theorem and the proof. A box is an interval for each entry of a state, and the
lead is the logit of the first digit d minus the largest other logit. Exit code 0: all is proved, 1:
not all. The table is in proof.csv in out_dir.
"""

import copy
import math
import sys
from pathlib import Path

import torch

from common import HERE, begin, make_parser, run, save_csv
from intervals import gates, hull, inside, lead, product, step
from lstm import LSTM
from networks import load_network

PIECE = 100  # boxes that take two steps at once: fewer need less memory
TRIES = 40  # to find closed boxes


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

    pieces = [  # for h, and for c if there is one
        (torch.stack([each[n][0] for each in hulls]), torch.stack([each[n][1] for each in hulls]))
        for n in range(len(start))
    ]
    ten = hull(pieces)  # (10, H)
    for _ in range(6):
        ten = by_last_digit(read(model, ten))
        leads.append(lead(model, ten, d))

    boxes = closed_boxes(model, ten)
    leads.append(-math.inf if boxes is None else lead(model, boxes, d))
    return leads


def down(value):
    """Return the number with two decimals, rounded down, as a lower bound must be."""
    return f"{math.floor(100 * value) / 100:.2f}" if math.isfinite(value) else f"{value}"


def prove_network(name, model):
    """Try all ten first digits and print a line for each; return the network's row of the table."""
    missing, leads = [], []
    for d in range(10):
        leads.append(min(prove_digit(model, d)))
        verdict = f"proved, lead >= {down(leads[d])}"
        if leads[d] <= 0:
            missing.append(str(d))
            verdict = "NOT PROVED"
        print(f"{name}, first digit {d}: {verdict}")
    return {
        "weights": name,
        "proved": f"{10 - len(missing)} of 10",
        "not proved for": " ".join(missing) or "-",
        "least lead": "-" if missing else down(min(leads)),
    }


def main():
    """Prove the theorem for each network; exit with 1 if it does not hold for one of them."""
    parser = make_parser(__doc__)
    committed = [HERE / "palindrome_rnn.pth", HERE / "palindrome_lstm.pth"]
    files_help = "saved networks that read one-hot digits"
    parser.add_argument("--weights", nargs="+", type=Path, default=committed, help=files_help)
    parser.add_argument("--out_dir", type=Path, default=HERE / "run", help="folder for the table")
    args = parser.parse_args()
    begin(args)
    models = {path: load_network(path, input_dims=(10,)) for path in args.weights}
    rows = []
    for path, model in models.items():
        rows.append(prove_network(f"{path.absolute().parent.name}/{path.name}", model))
    save_csv(args.out_dir / "proof.csv", rows, show=True)
    print(f"the table is in {args.out_dir / 'proof.csv'}")
    if any(row["proved"] != "10 of 10" for row in rows):
        sys.exit(1)
    print("All is proved: the last digit of every palindrome of every T >= 5 is predicted right.")


if __name__ == "__main__":
    run(main)
