"""Show an RNN that tells the time: with each digit it reads, its answer moves one place on.

    python clock.py 7                              the answer after each digit, 7 being the first
    python clock.py 7 --back                       the same, if we rotate the memory back
    python clock.py 7 --back 1                     the same, if we rotate it one step too far
    python clock.py 7 --weights run/rnn_t20.pth    another network's answers
    python clock.py 7 --length 30 --gif FILE       a film, in half a minute

The network should answer the first digit. This RNN was trained at T = 10, 20, 30, 40 (seed 300 of
studies/memory.py, the first whose answers go round all ten digits), and is right only there. Yet no
digit is lost: from T = 5 on, a linear map that rotates the memory back makes every answer right.
"""

import argparse
import random
import re
import sys
import time
from pathlib import Path

import torch

from common import HERE, Formatter, number
from dataset import encode
from film import save_film
from networks import hidden, load_network

LONGEST = 100  # the largest T
LASTS = 0.98  # an eigenvalue lasts if its modulus is this or larger
ROTATES = 5  # degrees: if the angle of one that lasts is larger, the memory rotates


@torch.no_grad()
def observe(model, digits):
    """Return {T: states (N, H + 1), float64}, those after the first T - 1 of digits (N, n).

    A state is a row: the H entries of h and a last one that is always 1, so that a map, a matrix M
    (H + 1, H + 1) that maps s to s M, can add a constant.
    """
    state, states = None, {}
    for n, column in enumerate(digits.unbind(dim=1), start=1):
        _, state = model(encode(column.unsqueeze(1), one_hot=True), state)
        h = hidden(model, state)
        states[n + 1] = torch.cat([h, torch.ones_like(h[:, :1])], dim=1).double()
    return states


def fit_map(states, fit_at, old=0, new=1):
    """Return a one-step linear map: on by one digit or, with old=1 and new=0, back by one.

    Ridge regression fits it to lead states of `observe` from T + old to T + new, for T in fit_at.
    """
    start = torch.cat([states[T + old] for T in fit_at])
    end = torch.cat([states[T + new] for T in fit_at])
    identity = torch.eye(start.shape[1]).double()
    M = torch.linalg.solve(start.T @ start + identity, start.T @ end)
    M[:, -1] = identity[:, -1]  # the last entry stays 1
    return M


def rotations_of(M):
    """Return the angles, above ROTATES degrees, by which a map M rotates, and their planes.

    A rotation lasts, and counts, if its eigenvalue has at least the modulus LASTS. The places
    states @ plane are complex numbers, which the map rotates by the angle.
    """
    eigenvalues, vectors = torch.linalg.eig(M)
    angles = torch.rad2deg(eigenvalues.angle())  # those of a pair are a and -a
    found = (eigenvalues.abs() >= LASTS) & (angles > ROTATES)
    return angles[found].tolist(), vectors.T[found]


def answers_of(model, states):
    """Return the digits (N,) that the network answers in states (N, H + 1)."""
    layer = torch.cat([model.Wph, model.bp.unsqueeze(1)], dim=1).detach().double()
    return (states @ layer.T).argmax(dim=1)


def accuracy_of(model, states, first):
    """Return the share of states (N, H + 1) in which the network answers the first digit (N,)."""
    return (answers_of(model, states) == first).double().mean().item()


class Clock:
    """How the memory of a network rotates; raises ValueError if it does not."""

    def __init__(self, model):
        generator = torch.Generator().manual_seed(0)
        digits = torch.randint(10, (1000, LONGEST + 2), generator=generator)
        states, first = observe(model, digits), digits[:, 0]
        accuracy = {T: accuracy_of(model, states[T], first) for T in range(2, LONGEST + 1)}
        self.right = [T for T in accuracy if accuracy[T] >= 0.9]  # the lengths it is right at
        home = next((T for T in self.right if T >= 10), None)  # before, the memory still settles
        if home is None:
            raise ValueError(f"this network is right at no length from 10 to {LONGEST}")
        fit_at = home, home + 1, home + 2
        angles, planes = rotations_of(fit_map(states, fit_at))
        if not angles:
            raise ValueError("nothing rotates: the memory of this network stays fixed")
        self.angle = min(angles)  # of the slowest rotation, the dial's
        plane = planes[angles.index(self.angle)]
        self.plane = plane / (states[home][first == 0].cdouble() @ plane).mean()  # 0 is at 1
        self.back = fit_map(states, fit_at, old=1, new=0)
        answers = answers_of(model, states[home + 1])  # the usual one is next on the dial
        self.next = [answers[first == d].mode().values.item() for d in range(10)]

    def dial(self, first):
        """Return the ten digits in the order in which the answers follow each other from first."""
        order = []
        for digit in first, *range(10):  # a second cycle stands behind the first digit's
            while digit not in order:
                order.append(digit)
                digit = self.next[digit]
        return order

    def rotated_back(self, state, T, too_far=0):
        """Return a state at T led back to the last T at which the network is right, or to 0."""
        steps = T - max(right for right in (0, *self.right) if right <= T)
        return state @ torch.linalg.matrix_power(self.back, steps + too_far)


def parse_args():
    """Return the flags, and all digits to read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Formatter)
    parser.add_argument("digits", help="what is read first; random digits follow")
    length, steps = number(int, 2, LONGEST), number(int, 0, LONGEST)
    parser.add_argument("--length", type=length, default=32, help="the last T")
    text = "rotate the memory back; with N, N steps too far"
    parser.add_argument("--back", metavar="N", type=steps, nargs="?", const=0, help=text)
    parser.add_argument("--weights", type=Path, default=HERE / "clock_rnn.pth", help="file")
    parser.add_argument("--gif", metavar="FILE", type=Path, help="draw a film instead")
    args = parser.parse_args()
    if not re.fullmatch(f"[0-9]{{1,{args.length - 1}}}", args.digits):
        most = args.length - 1
        parser.error(f"argument digits: {args.digits!r} is not a row of 1 to {most} digits")
    more = args.length - 1 - len(args.digits)
    return args, [*map(int, args.digits), *random.Random(0).choices(range(10), k=more)]


def main():
    """Print, or draw, what the network answers after each digit."""
    args, digits = parse_args()
    model = load_network(args.weights, one_hot=True)
    try:
        clock = Clock(model)
    except ValueError as error:
        sys.exit(f"{args.weights}: {error}")
    own = observe(model, torch.tensor([digits]))
    back = {T: clock.rotated_back(own[T], T, args.back or 0) for T in own}
    answers = [{T: answers_of(model, states[T]).item() for T in own} for states in (own, back)]
    if args.gif:
        save_film(args.gif, digits, clock, answers, [own, back])
        return
    dial = clock.dial(digits[0])
    print(f"The network should answer the first digit, {digits[0]}, as the T-th of a palindrome.\n")
    print("  T  reads  answers, a column for each")
    for T, answer in answers[args.back is not None].items():
        right = answer == digits[0]
        text = "   " * dial.index(answer) + str(answer) + ("  right" if right else "")
        if sys.stdout.isatty():
            text = f"\033[{'1;38;5;39' if right else '38;5;208'}m{text}\033[0m"
            time.sleep(0.1)
        print(f"{T:3}    {digits[T - 2]}    {text}", flush=True)


if __name__ == "__main__":
    main()
