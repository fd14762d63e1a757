"""A proof: these networks predict the last digit of every palindrome of every length T >= 5.

    python study_proof.py                     for palindrome_rnn.pth and palindrome_lstm.pth
    python study_proof.py --weights FILE      for another network that reads one-hot digits
    python study_proof.py --train --seed 1    trains these two, and proves them

README.md has the theorem and the proof. The lead is the logit of the first digit d minus the
largest other logit. Exit code 0: all is proved, 1: not all. Into out_dir go the table, proof.csv,
and the networks that were trained.
"""

import copy
import math
import sys
from pathlib import Path

import torch

from common import HERE, add_jobs_flags, begin, each, make_parser, run, save_weights
from intervals import OUT, gates, hull, inside, lead, product, step
from lstm import LSTM
from networks import load_network
from rows import save_csv
from study_memory import train_network

PIECE = 10  # boxes that take two steps at once: more leave the cache and take longer
TRIES = 40  # to find closed boxes


def by_last_digit(boxes):
    """Return the hulls (2, 10, H) of boxes (2, 10 n, H) from `step`, one for each last digit."""
    return hull(boxes.unflatten(1, (-1, 10)))


def cells_at_rest(model, h, c):
    """Return intervals (2, 10, H) that c hardly leaves while h stays in its boxes (2, 10, H).

    For fixed gates, c = g i + c f rests at g i / (1 - f). An interval spans these points for all
    gates that are possible, and the given c (2, 10, H), and a little more. Where f may be 1, it
    ends in infinity.
    """
    g, i, (f_least, f_most), _ = gates(model, h)
    new = product(g, i)
    f = torch.where(OUT * new > 0, f_most, f_least)  # an end beyond 0 moves out with f
    rest = hull(torch.cat([new / (1 - f).clamp(min=0), c], dim=1)).unsqueeze(1)
    return (rest + OUT * 1e-3 * (1 + rest.abs())).expand_as(h)


def closed_boxes(model, ten):
    """Return ten boxes that contain `ten` and that no step leaves; None if none are found.

    How they are found proves nothing: only the test before they are returned counts.
    """
    H = model.Wph.shape[1]
    wide, factor = ten.clone(), torch.full(ten.shape[2:], 1.5).double()
    wide[..., :H] = 1.25 * ten[..., :H] - 0.25 * ten[..., :H].flip(0)  # 1.5 times as wide
    factor[H:] = math.inf  # of c, if there is one
    for _ in range(TRIES):
        boxes = wide.clone()
        if isinstance(model, LSTM):
            boxes[..., H:] = cells_at_rest(model, wide[..., :H], wide[..., H:])
        after = by_last_digit(step(model, boxes))
        if inside(ten, boxes) and inside(after, boxes):
            return boxes
        overshoot = OUT * (after - boxes)
        wide = torch.where(overshoot > 0, wide + OUT * factor * overshoot, wide)
    return None


@torch.no_grad()
def prove_digit(model, d):
    """Return the least proved leads of the first digit d after 4, 5, ..., 12 digits, then for ever.

    The last is -inf when no closed boxes are found. The theorem is proved for d if all are > 0.
    """
    model = copy.deepcopy(model).double()  # so that this program's own rounding is negligible
    H = model.Wph.shape[1]
    start = torch.zeros(2, 1, 2 * H if isinstance(model, LSTM) else H).double()
    first = step(model, start)[:, d : d + 1]
    four = step(model, step(model, step(model, first)))  # 1000 boxes: 4 digits are read
    leads_5, leads_6, hulls = [], [], []
    for boxes in four.split(PIECE, dim=1):
        five = step(model, boxes)
        six = step(model, five)
        leads_5.append(lead(model, five, d))
        leads_6.append(lead(model, six, d))
        hulls.append(by_last_digit(six))
    leads = [lead(model, four, d), min(leads_5), min(leads_6)]

    ten = by_last_digit(torch.cat(hulls, dim=1))
    for _ in range(6):
        ten = by_last_digit(step(model, ten))
        leads.append(lead(model, ten, d))

    boxes = closed_boxes(model, ten)
    leads.append(-math.inf if boxes is None else lead(model, boxes, d))
    return leads


def prove_file(path):
    """Try to prove the theorem for the network at path; return its row of the table."""
    model = load_network(path, input_dims=(10,))
    leads = [min(prove_digit(model, d)) for d in range(10)]
    missing = [str(d) for d in range(10) if leads[d] <= 0]
    bound = "-" if missing else f"{math.floor(100 * min(leads)) / 100:.2f}"  # rounded down
    return {
        "weights": path.name,
        "proved": f"{10 - len(missing)} of 10",
        "not proved for": " ".join(missing) or "-",
        "least lead": bound,
    }


def train_file(job):
    """Train and save the network of a job ("rnn" or "lstm", seed, args); return its path."""
    network, seed, args = job
    name = f"palindrome_{network}" if args.seeds == 1 else f"{network}-seed{seed}"
    path = args.out_dir / f"{name}.pth"
    save_weights(path, train_network(f"{network}_proof", seed, args.device))
    return path


def main():
    """Train, if asked to; prove the theorem for each network, and exit with 1 if one fails."""
    parser = make_parser(__doc__)
    which, files_help = parser.add_mutually_exclusive_group(), "networks that read one-hot digits"
    files = [HERE / "palindrome_rnn.pth", HERE / "palindrome_lstm.pth"]
    which.add_argument("--weights", nargs="+", type=Path, default=files, help=files_help)
    which.add_argument("--train", action="store_true", help="prove networks that are trained now")
    add_jobs_flags(parser, seed=1, seeds=1)
    args = parser.parse_args()
    begin(args)
    if args.train:
        seeds = range(args.seed, args.seed + args.seeds)
        jobs = [(network, seed, args) for network in ("rnn", "lstm") for seed in seeds]
        args.weights = [path for _, path in each(train_file, jobs, args)]
    for path in args.weights:
        load_network(path, input_dims=(10,))  # refuses a wrong file before any work
    rows = [row for _, row in each(prove_file, args.weights, args)]
    save_csv(args.out_dir / "proof.csv", rows, show=True)
    print(f"the table is in {args.out_dir / 'proof.csv'}")
    if any(row["proved"] != "10 of 10" for row in rows):
        sys.exit(1)
    print("All is proved: the last digit of every palindrome of every T >= 5 is predicted right.")


if __name__ == "__main__":
    run(main)
