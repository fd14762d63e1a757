"""Tests of the proof: a network that is wrong somewhere is refused, however well it hides that."""

import copy
import math
import os
from pathlib import Path

import pytest
import torch

import prove
from intervals import inside, merge, step
from lstm import LSTM
from rnn import VanillaRNN
from test_intervals import D, box_of, random_lstm, random_rnn

HERE = Path(__file__).resolve().parent


def latches(**units):
    """An LSTM made by hand: units 0 to 9 keep the first digit, and the logits show them.

    Unit 10 turns on at the first step and then shuts the input gates of the others. Further units
    have names: each is {"i": {source: weight}, "f": bias, "g": bias, "p": {logit: weight}}, where a
    source of the input gate is a digit, "x7", another unit by its name, or "b" for the bias.
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


def rnn_latches():
    """An RNN made by hand: units 0 to 9 are at 1 or -1 and keep the first digit.

    Unit 10 is at 0 before the first digit, and at 1 from then on.
    """
    model = VanillaRNN(D, 11, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    digit = torch.arange(10)
    model.Whx[digit, digit] = 40
    model.bh[:10] = -20
    model.Whh[digit, digit] = 80  # more than any digit, so that a unit stays where it is
    model.bh[10] = 20
    model.Wph[digit, digit] = 10
    return model


# The boxes of the first digits


def continuations(model, d, n):
    """All sequences of d and n - 1 further digits (or 100,000 of them), their logits and states."""
    if n < 7:
        rows = torch.cartesian_prod(torch.tensor([d]), *[torch.arange(10)] * (n - 1))
    else:
        rows = torch.randint(10, (100_000, n))
        rows[:, 0] = d
    logits, state = model(torch.eye(D, dtype=model.bp.dtype)[rows])
    return rows, logits, state


@pytest.mark.parametrize("random_network", [random_rnn, random_lstm])
def test_every_short_sequence_lies_in_a_box_of_its_last_digits(random_network, monkeypatch):
    monkeypatch.setattr(prove, "FINE_UNTIL", 5)
    torch.manual_seed(0)
    model, d = random_network(8, 0.8), 7
    exact = copy.deepcopy(model).double()
    for n, (boxes, bound) in zip(range(4, 8), prove.first_boxes(exact, d), strict=False):
        rows, logits, state = continuations(model, d, n)
        states = box_of(*state) if random_network is random_lstm else box_of(state)
        a, b = rows[:, -2:].T
        is_inside = torch.ones(len(rows), boxes[0][0].shape[2], dtype=torch.bool)
        for (point, _), (low, high) in zip(states, boxes, strict=True):
            point = point.unsqueeze(1)
            is_inside &= ((low[a, b] <= point) & (point <= high[a, b])).all(dim=2)
        assert is_inside.any(dim=1).all(), "some state lies in none of the boxes of its digits"
        others = logits.clone()
        others[:, d] = -torch.inf
        least = (logits[:, d] - others.amax(dim=1)).min().item()
        assert bound <= least
        if n == 4:
            assert prove.search(model, d, read=4)[0] == pytest.approx(least)


# Networks that are wrong somewhere


def test_right_networks_are_proved():
    for d in 0, 3, 7:
        assert prove.prove_digit(latches(), d).proved
        assert prove.prove_digit(rnn_latches(), d).proved


def rnn_with(*units):
    """The latches and further units, numbered from 11: {unit: weight, "x7": weight, "b": bias}."""
    old = rnn_latches()
    model = VanillaRNN(D, 11 + len(units), 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    model.Whx[:11], model.Whh[:11, :11], model.bh[:11] = old.Whx, old.Whh, old.bh
    model.Wph[:, :11] = old.Wph
    for n, unit in enumerate(units, 11):
        for name, value in unit.items():
            if name == "b":
                model.bh[n] = value
            elif name == "x7":
                model.Whx[n, 7] = value
            else:
                model.Whh[n, name] = value
    return model


@pytest.mark.parametrize(("weight", "is_right"), [(100, False), (1, True)])
def test_an_rnn_that_is_wrong_at_exactly_four_digits_is_refused(weight, is_right):
    # Units 11 to 14 are on from the 2nd, 3rd, 4th and 5th digit on.
    model = rnn_with(*({"b": -20, unit: 40} for unit in (10, 11, 12, 13)))
    model.Wph[0, 13], model.Wph[0, 14] = weight, -weight
    for n in 3, 4, 5, 6:
        _, logits, _ = continuations(model, 3, n)
        right = (logits.argmax(dim=1) == 3).double().mean()
        assert right == 1 if is_right or n != 4 else right < 1
    result = prove.prove_digit(model, 3)
    assert result.proved == is_right
    assert is_right or result.words.startswith("after 4 digits")


@pytest.mark.parametrize(
    ("weight", "speed", "is_right"), [(60, 1.55e-4, False), (60, 0.02, False), (15, 0.02, True)]
)
def test_an_rnn_that_errs_after_many_sevens_in_a_row_is_refused(weight, speed, is_right):
    """With each seven, unit 11 creeps past -0.7071, nearly a fixed point of tanh(2 h + 0.5328)."""
    model = rnn_with({"b": -20, "x7": 20.5328 + speed, 11: 2})
    model.Wph[0, 11] = weight
    sevens = torch.full((500,), 7)
    sevens[0] = 3
    logits, _ = model(torch.eye(D)[sevens].unsqueeze(0))
    assert (logits.argmax().item() == 3) == is_right
    if speed < 0.01:
        logits, _ = model(torch.eye(D)[sevens[:250]].unsqueeze(0))
        assert logits.argmax().item() == 3, "for the first 250 digits it is right"
    assert prove.prove_digit(model, 3).proved == is_right


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
        assert ((logits.argmax(dim=1) != 3) == wrong).all()
    refused = prove.prove_digit(model, 3)
    assert not refused.proved
    assert refused.words.startswith("after 4 digits")
    assert prove.prove_digit(chain(1), 3).proved


def counter(weight, g):
    """A unit that counts sevens, up or down, and never forgets; the logit of 0 shows it."""
    seven = {"i": {"b": -24.6, "x7": 20}, "f": 20, "g": g, "p": {0: math.copysign(weight, g)}}
    return latches(count=seven)


@pytest.mark.parametrize("g", [20, -20])
def test_a_network_that_errs_after_hundreds_of_sevens_is_refused_and_a_harmless_one_is_not(g):
    model = counter(12, g)
    sevens = torch.full((300,), 7)
    sevens[0] = 3
    for n, right in (40, True), (300, False):
        logits, _ = model(torch.eye(D)[sevens[:n]].unsqueeze(0))
        assert (logits.argmax().item() == 3) == right
    assert not prove.prove_digit(model, 3).proved
    assert prove.prove_digit(counter(5, g), 3).proved


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
    refused = prove.prove_digit(model, 0)
    assert refused.words.startswith("no candidate")
    assert not refused.proved


def test_a_wrong_candidate_is_not_believed(monkeypatch):
    model = counter(12, 20).double()
    monkeypatch.setattr(prove, "candidates", lambda model, first: iter([first]))
    assert not prove.prove_digit(model, 3).proved, "c grows with each seven: this box is not closed"

    *_, (of_5, _) = prove.first_boxes(latches().double(), 5)
    closed = [(low.squeeze(2) - 1e-3, high.squeeze(2) + 1e-3) for low, high in of_5]
    model = latches().double()
    model.Wph[3, 5] = 20  # so that 3 is the answer there, too
    assert inside(merge(step(model, closed)), closed)
    monkeypatch.setattr(prove, "candidates", lambda model, first: iter([closed]))
    assert not prove.prove_digit(model, 3).proved, (
        "a closed box elsewhere says nothing of the first digit 3"
    )


def test_nan_is_no_proof():
    for network in latches, rnn_latches:
        for name, _ in network().named_parameters():
            model = network()
            getattr(model, name).view(-1)[0] = torch.nan
            assert not prove.prove_digit(model, 0).proved


@pytest.mark.parametrize("network", ["rnn", "lstm"])
def test_the_theorems_about_the_committed_networks(network):
    path = HERE / f"palindrome_{network}.pth"
    outcomes = [prove.prove_digit(prove.read_network(path), d) for d in range(10)]
    assert all(o.proved for o in outcomes)
    least = prove.down(min(min(o.leads) for o in outcomes))
    assert f"by at least {least}" in (HERE / "README.md").read_text()


# The script


def test_the_exit_code_says_whether_all_ten_are_proved(script, tmp_path):
    torch.save(latches().state_dict(), tmp_path / "lstm.pth")
    torch.save(rnn_latches().state_dict(), tmp_path / "rnn.pth")
    done = script("prove.py", "--weights", "rnn.pth", "lstm.pth", "--out_dir", "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": proved, lead >= ") == 20
    assert done.stdout.count("\nProved: ") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["proof.png"]

    (tmp_path / "out" / "proof.png").unlink()
    for network in latches, rnn_latches:
        exchanged = network()
        for parameter in exchanged.Wph, exchanged.bp:
            parameter[[2, 6]] = parameter[[6, 2]]
        torch.save(exchanged.state_dict(), tmp_path / "exchanged.pth")
        done = script("prove.py", "--weights", "exchanged.pth", "--out_dir", "out")
        assert done.returncode == 1
        assert "Not proved for the first digits [2, 6]" in done.stdout
        assert "Proved: " not in done.stdout
    assert not list((tmp_path / "out").iterdir())


def test_a_prover_that_a_found_lead_contradicts_says_so(monkeypatch):
    monkeypatch.setattr(prove, "search", lambda model, d: [9.0] * 50)
    with pytest.raises(ArithmeticError, match="the prover is wrong"):
        prove.prove_network(latches())


class Malicious:
    """A pickle that runs code when it is loaded: it makes a folder."""

    def __reduce__(self):  # noqa: D105
        return os.mkdir, ("code_was_run",)


def test_files_that_hold_no_such_network_are_refused_in_one_line(refuse, tmp_path):
    good = latches().state_dict()
    torch.save(good, tmp_path / "good")
    data = (tmp_path / "good").read_bytes()
    files = {"empty": b"", "cut": data[:-100], "random": bytes(range(256)) * 9}
    files["damaged"] = data.replace(good["W"].numpy().tobytes()[-400:], b"\1" * 400)
    assert files["damaged"] != data
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    others = {
        "foreign": [1, 2, 3],
        "numbers": {**good, "b": 3},
        "pickled": {**good, "bp": Malicious()},
        "nan": {**good, "b": good["b"] * torch.nan},
        "infinite": {**good, "bp": good["bp"] + torch.inf},
        "double": {name: w.double() for name, w in good.items()},
        "no_bp": {name: w for name, w in good.items() if name != "bp"},
        "one_more": {**good, "bq": good["bp"]},
        "other_shape": {**good, "b": good["b"][1:]},
        "nine_digits": {**good, "Wph": good["Wph"][:9], "bp": good["bp"][:9]},
        "one_input": {**good, "W": good["W"][:, 9:]},
        "scalar": {**good, "Wph": torch.zeros(())},
    }
    for name, content in others.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "out").mkdir()
    for name in ["missing", *files, *others]:
        refuse(prove.main, "--weights", "good", name, "--out_dir", "out", words=[name])
    assert not (tmp_path / "code_was_run").exists()
