"""A proof: these networks predict the last digit of every palindrome of every length T >= 5.

    python prove.py                  for palindrome_rnn.pth and palindrome_lstm.pth
    python prove.py --weights FILE   for another network, from memory.py --save_dir

The theorem. After any first digit d and any three or more further digits, however many, the largest
logit is that of d. A palindrome ends with its first digit, and T >= 5 means that four digits or
more are read. The theorem holds for the equations of rnn.py and lstm.py in real arithmetic and for
each way to compute them in float32: sums in any order, with or without fused multiply-add, with or
without subnormal numbers, as long as tanh and sigm are right to 5e-7 and stay in [-1, 1] and [0, 1]
(a test measures 2e-7 for PyTorch's). TF32 and bfloat16 are too coarse for it.

The proof. A box is an interval for each entry of the state. `step` of intervals.py takes a box to
ten boxes, one for each digit that may be read next; they contain every state that a state in the
box can become. Then, for each first digit d:

1. The first digits. From h = c = 0, read d, then every continuation, up to 40 digits. After each
   digit, the boxes together contain all states. They are merged, to a few for each pair of last
   digits. From the fourth digit on, the lead of d is positive in each.
2. For ever. Find closed boxes, one for each pair of last digits: each contains stage 1's box of
   this pair, and a step from any of them, with any digit, ends inside the box of the new pair. So
   the state stays in these boxes for ever. In each of them, the lead of d is positive.

Exit code 0: all is proved, 1: not all. As a check, a search looks for the continuations with the
least lead: none may lie below what is proved. If all is proved, proof.png is drawn. The first
command proves both networks, with leads of at least 6.31 and 14.63, in half a minute on one core.
"""

import copy
import hashlib
import math
import sys
from pathlib import Path
from typing import NamedTuple

import torch

from candidates import candidates
from common import HERE, InputError, begin, load_model, make_parser, run, save
from figures import proof_figure
from intervals import condense, inside, lead, merge, start, step
from lstm import LSTM
from rnn import VanillaRNN

READ = 40  # digits of stage 1
FINE_UNTIL = 6  # digits; up to here each pair of last digits keeps ten boxes, then one

# 1. The proof.


def first_boxes(model, d):
    """Yield (boxes, least lead of d) after 4, 5, ..., READ digits, of which d is the first.

    The boxes are (10, 10, n, H): n for each pair of last digits. The lead is that of the finer
    boxes, before they are merged to n.
    """
    box = tuple((low[d], high[d]) for low, high in step(model, start(model)))
    box = step(model, step(model, box))  # 3 digits read: (10, 10, H)
    box = tuple((low.unsqueeze(2), high.unsqueeze(2)) for low, high in box)
    for read in range(4, READ + 1):
        new = step(model, box)  # (a, b, box, e, H): after a and b, e is read
        least = lead(model, new, d)
        # One group of boxes for each b, e: (b, e, a and box, H).
        new = [[end.permute(1, 3, 0, 2, 4).flatten(2, 3) for end in ends] for ends in new]
        box = condense(new, 10 if read <= FINE_UNTIL else 1)
        yield box, least


class Outcome(NamedTuple):
    """The result for one first digit."""

    proved: bool
    leads: list  # the least lead after 4, 5, ... digits; if proved, the last one holds for ever
    words: str


@torch.no_grad()
def prove_digit(model, d):
    """Try to prove the theorem for the first digit d; return the Outcome of both stages.

    Stage 2 is an induction: one more digit takes a state from the closed box of the last two digits
    into the closed box of those that are then the last two.
    """
    model = copy.deepcopy(model).double()  # so that this program's own rounding is negligible
    leads = []
    for read, (box, least) in enumerate(first_boxes(model, d), 4):  # noqa: B007, used below
        leads.append(least)
        if not least > 0:  # not "<= 0", since NaN must fail
            words = f"after {read} digits the proved lead is only {down(least)}"
            return Outcome(False, leads, words)
    box = tuple((low.squeeze(2), high.squeeze(2)) for low, high in box)  # (10, 10, H)
    for tries, closed in enumerate(candidates(model, box), 1):
        after = merge(step(model, closed))  # over the older digit: one box for each new pair
        if inside(box, closed) and inside(after, closed):
            ever = lead(model, closed, d)
            if ever > 0:
                low, high = closed[0]
                words = f"closed box: candidate {tries}, mean width of h {(high - low).mean():.4f}"
                return Outcome(True, [*leads, ever], words)
    return Outcome(False, leads, "no candidate is a closed box with a positive lead")


# 2. The other side: continuations that bring the lead as low as can be found.


@torch.no_grad()
def search(model, d, read=99, beam=100):
    """Return the least leads of the float32 network that are found after 4, 5, ..., `read` digits.

    The first digit is d. This is a beam search: after each digit, only the `beam` continuations
    with the least leads go on. With a beam of 100, all 1,000 continuations of 4 digits are tried.
    """
    digits = torch.eye(10)
    _, state = model(digits[d].view(1, 1, 10))
    kept, found = torch.zeros(1, dtype=torch.int64), []
    for n in range(2, read + 1):
        rows = kept.repeat_interleave(10)  # each once for each next digit
        state = state[rows] if torch.is_tensor(state) else tuple(part[rows] for part in state)
        logits, state = model(digits.repeat(len(kept), 1).unsqueeze(1), state)
        others = logits.clone()
        others[:, d] = -torch.inf
        leads = logits[:, d] - others.amax(dim=1)
        if n >= 4:
            found.append(leads.min().item())
        kept = leads.topk(min(beam, len(leads)), largest=False).indices
    return found


# 3. The script.


def read_network(path):
    """Return the RNN or LSTM whose weights are in the file at path; InputError if there is none."""

    def build(weights):
        if any(w.dtype != torch.float32 or not (w.abs() < 1e9).all() for w in weights.values()):
            raise InputError(f"{path}: holds numbers other than float32 below 1e9")
        network = VanillaRNN if "Whh" in weights else LSTM
        hidden = max(1, weights["Wph"].shape[1])  # load_state_dict refuses weights of 0 units
        model = network(10, hidden, 10)
        model.load_state_dict(weights)
        return model

    return load_model(path, "cpu", build)


def down(number):
    """Return the number with two decimals, rounded down, as a lower bound must be."""
    return f"{math.floor(100 * number) / 100:.2f}" if math.isfinite(number) else f"{number}"


def check(outcome, found):
    """Raise ArithmeticError when a lead that was found is less than what is proved."""
    # Without a proof, the leads end where it failed.
    bounds = outcome.leads + outcome.leads[-1:] * (len(found) if outcome.proved else 0)
    for lead_found, bound in zip(found, bounds, strict=False):
        if not lead_found >= bound:
            raise ArithmeticError(f"found {lead_found}, proved {bound}: the prover is wrong")


def prove_network(model):
    """Try all ten first digits, print a line for each; return the outcomes and the leads found."""
    outcomes, found = [], []
    for d in range(10):
        least = search(model, d)
        outcome = prove_digit(model, d)
        check(outcome, least)
        result = f"proved, lead >= {down(min(outcome.leads))}" if outcome.proved else "NOT PROVED"
        print(f"first digit {d}: {result} (least found: {min(least):.2f}); {outcome.words}")
        outcomes.append(outcome)
        found.append(least)
    return outcomes, found


def main():
    """Prove the theorem for each network, search for counterexamples, draw the figure."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    files = [str(HERE / f"palindrome_{network}.pth") for network in ("rnn", "lstm")]
    add("--weights", nargs="+", default=files, metavar="FILE", help="saved by memory.py --save_dir")
    add("--out_dir", type=Path, default=HERE / "run", help="folder for proof.png")
    args = parser.parse_args()
    begin(args)
    models = {Path(path): read_network(path) for path in args.weights}
    proofs = []
    for path, model in models.items():
        print(f"\n{path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
        outcomes, found = prove_network(model)
        missing = [d for d, outcome in enumerate(outcomes) if not outcome.proved]
        if missing:
            print(f"Not proved for the first digits {missing}.")
            continue
        least = min(min(outcome.leads) for outcome in outcomes)
        print(
            "Proved: after any first digit d and any three or more further digits, however many,\n"
            f"the largest logit is that of d, by at least {down(least)}. So the last digit of\n"
            "every palindrome of every T >= 5 is predicted right, in real arithmetic and float32."
        )
        kind = "LSTM" if isinstance(model, LSTM) else "RNN"
        proofs.append((kind, [outcome.leads for outcome in outcomes], found))
    if len(proofs) < len(models):
        sys.exit(1)
    save(args.out_dir / "proof.png", proof_figure(proofs).savefig)
    print(f"\nproof.png is in {args.out_dir}")


if __name__ == "__main__":
    run(main)
