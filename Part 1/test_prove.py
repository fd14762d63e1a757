"""Tests of the proof: a network that is wrong somewhere is refused, however well it hides that."""

import math
from pathlib import Path

import prove as prover
import pytest
import torch
from boxes import inside, lead, merge, step
from lstm import LSTM
from prove import first_boxes, prove, search
from test_boxes import D, random_network

HERE = Path(__file__).resolve().parent


def latches(**units):
    """An LSTM made by hand: units 0 to 9 keep the first digit, and the logits show them.

    Unit 10 is on from the first step on, and then the others are shut. Further units have names:
    each is {"i": {source: weight}, "f": bias, "g": bias, "p": {logit: weight}}, where a source of
    the input gate is a digit, "x7", another unit by its name, or "b" for the bias.
    """
    names = ["first", *units]
    H = 10 + len(names)
    model = LSTM(D, H, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    _, i, _, _ = model.W.split(H)
    bg, bi, bf, bo = model.b.split(H)
    bg[:] = bo[:] = bi[10] = 20
    digit = torch.arange(10)
    i[digit, digit] = 40  # opened by its digit, before unit 10 is on, and kept open by itself
    i[:10, D + 10], i[digit, D + digit], bi[:10] = -60, 120, -20
    model.Wph[digit, digit] = 10
    for n, unit in enumerate(units.values(), 11):
        columns = {f"x{x}": x for x in range(10)}
        columns |= {name: D + 10 + m for m, name in enumerate(names)}
        bi[n], bf[n], bg[n] = unit["i"].pop("b"), unit["f"], unit.get("g", 20)
        for source, weight in unit["i"].items():
            i[n, columns[source]] = weight
        for logit, weight in unit.get("p", {}).items():
            model.Wph[logit, n] = weight
    return model


def outcome(model, d):
    return prove(model.double(), d)


# The boxes of the first digits


def continuations(model, d, n):
    """All states after d and n - 1 further digits, and the logits: (10^(n-1), ...)."""
    rows = torch.cartesian_prod(torch.tensor([d]), *[torch.arange(10)] * (n - 1))
    logits, state = model(torch.eye(D)[rows])
    return rows, logits, state


@pytest.mark.parametrize("d", [0, 7])
def test_every_short_sequence_lies_in_its_box_and_no_lead_is_below_the_bound(d):
    torch.manual_seed(d)
    model = random_network(8, 0.8)
    exact = LSTM(D, 8, 10).double()
    exact.load_state_dict(model.state_dict())
    exact.requires_grad_(False)
    for n, box in zip(range(1, 7), first_boxes(exact, d), strict=False):
        if n < 4:
            continue
        rows, logits, state = continuations(model, d, n)
        suffix = tuple(rows[:, -3:].t())
        assert inside([(s.double(),) * 2 for s in state], [[b[suffix] for b in x] for x in box])
        suffix = tuple(rows[:, -2:].t())
        merged = merge(box)
        assert inside([(s.double(),) * 2 for s in state], [[b[suffix] for b in x] for x in merged])
        others = logits.clone()
        others[:, d] = -torch.inf
        least = (logits[:, d] - others.amax(dim=1)).min().item()
        assert lead(exact, box, d) <= least
        if n == 4:
            assert search(model, d, read=4)[0] == pytest.approx(least)


# Networks that are wrong somewhere


def test_right_networks_are_proved():
    for d in 0, 3, 7:
        assert outcome(latches(), d).proved


def chain(weight):
    """Units that are on from the 2nd, 3rd, 4th and 5th digit on; the logit of 0 shows two."""
    links = {"second": "first", "third": "second", "fourth": "third", "fifth": "fourth"}
    units = {name: {"i": {"b": -40, before: 80}, "f": -20} for name, before in links.items()}
    units["fourth"]["p"], units["fifth"]["p"] = {0: weight}, {0: -weight}
    return latches(**units)


def test_a_network_that_is_wrong_at_exactly_four_digits_is_refused():
    model = chain(100)
    for n, wrong in (3, False), (4, True), (5, False), (6, False):
        _, logits, _ = continuations(model, 3, n)
        assert (logits.argmax(dim=1) != 3).all() == wrong
    refused = outcome(model, 3)
    assert not refused.proved
    assert refused.words.startswith("4 digits read")
    assert outcome(chain(1), 3).proved


def counter(weight, g):
    """A unit that counts sevens, up or down, and never forgets; the logit of 0 shows it."""
    seven = {"i": {"b": -24.6, "x7": 20}, "f": 20, "g": g, "p": {0: math.copysign(weight, g)}}
    return latches(count=seven)


@pytest.mark.parametrize("g", [20, -20])
def test_a_network_that_errs_after_hundreds_of_sevens_is_refused_and_a_harmless_one_is_not(g):
    model = counter(12, g)
    sevens = torch.full((300,), 7)
    sevens[0] = 3
    for n, right in (33, True), (300, False):
        logits, _ = model(torch.eye(D)[sevens[:n]].unsqueeze(0))
        assert (logits.argmax().item() == 3) == right
    assert not outcome(model, 3).proved
    assert outcome(counter(5, g), 3).proved


def test_a_network_that_only_float32_makes_wrong_is_refused():
    """In real arithmetic c of unit 0 rests at 1.02 for ever, since f = 1 - 2^-24 holds it there.

    In float32 that f is 1, and c creeps: after 620,000 zeros the answer is wrong.
    """
    model = LSTM(D, 2, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    model.b[:] = 20
    model.b[2], model.b[4] = 5, 16.6357
    model.W[2, D + 1] = math.log(0.51 * 2**-23) - 5
    model.Wph[1:, 0] = 100
    model.bp[1:] = -100 * math.tanh(1.06)
    zeros = torch.eye(D)[torch.zeros(1, 10_000, dtype=torch.int64)]
    logits, (h, c) = model(zeros)
    assert logits.argmax() == 0
    c[0, 0] = 1.0594  # where it has crept to after 610,000
    logits, _ = model(zeros, (h, c))
    assert logits.argmax() != 0
    refused = outcome(model, 0)
    assert refused.words.startswith("no closed box")
    assert not refused.proved


def test_a_wrong_guess_is_not_believed(monkeypatch):
    model = counter(12, 20).double()
    monkeypatch.setattr(prover, "guesses", lambda model, first: iter([first]))
    assert not prove(model, 3).proved, "c grows with each seven: this box is not closed"

    *_, of_5 = (box for box, _ in zip(first_boxes(latches().double(), 5), range(40), strict=False))
    closed = [(low - 1e-3, high + 1e-3) for low, high in merge(of_5)]
    model = latches().double()
    model.Wph[3, 5] = 20  # so that 3 is the answer there, too
    assert inside(merge(step(model, closed)), closed)
    monkeypatch.setattr(prover, "guesses", lambda model, first: iter([closed]))
    assert not prove(model, 3).proved, "a closed box elsewhere says nothing of the first digit 3"


def test_nan_is_no_proof():
    for name, _ in latches().named_parameters():
        model = latches()
        getattr(model, name).view(-1)[0] = torch.nan
        assert not outcome(model, 0).proved


def test_float32_boxes_are_refused():
    with pytest.raises(ValueError, match="float64"):
        prover.prove(latches().float(), 0)


def test_the_theorem_about_the_committed_network():
    model = prover.read_network(HERE / "palindrome_lstm.pth")
    outcomes = [outcome(model, d) for d in range(10)]
    assert all(o.proved for o in outcomes)
    assert prover.down(min(min(o.leads) for o in outcomes)) == "14.49", "see README.md"
