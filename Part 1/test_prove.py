"""Tests of the proof: that a network which is wrong somewhere is refused, however well it hides it."""

import math
import subprocess
import sys
from pathlib import Path

import prove as prover
import pytest
import torch
from fast_lstm import tanh
from lstm import LSTM
from prove import affine, first_boxes, forget, inside, lead, prove, rounding, search, step

HERE = Path(__file__).resolve().parent
D = 10


def random_network(H, scale, bf=0.0):
    model = LSTM(D, H, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    model.b.data[2 * H : 3 * H] += bf
    return model.requires_grad_(False)


def latches(**extra):
    """An LSTM made by hand: ten units of which the first digit switches one on; the logits show it.

    Unit 10 is on from the first step on and shuts the others. Each extra unit has its own
    {"i": {...}, "f": ...}: a bias "b" for its input gate, and weights for digits, "x7", and for
    units, "h3"; "f" is the bias of its forget gate, "g" that of g, "p" its weights in all logits.
    """
    names = [*range(10), 10, *extra]
    H = len(names)
    model = LSTM(D, H, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    g, i, f, o = model.W.split(H)
    bg, bi, bf, bo = model.b.split(H)
    bg[:] = bo[:] = 20
    bi[:10] = -20
    bi[10] = 20
    unit = torch.arange(10)
    i[unit, unit] = 40  # opened by its digit, unless unit 10 is on; kept open by itself
    i[:10, D + 10] = -60
    i[unit, D + unit] = 120
    model.Wph[unit, unit] = 10
    for n, (name, how) in enumerate(extra.items(), 11):
        for source, weight in how["i"].items():
            if source == "b":
                bi[n] = weight
            elif source[0] == "x":
                i[n, int(source[1:])] = weight
            else:
                i[n, D + names.index(int(source[1:]) if source[1:].isdigit() else source[1:])] = weight
        bf[n], bg[n] = how["f"], how.get("g", 20)
        for j, weight in how.get("p", {}).items():
            model.Wph[j, n] = weight
    return model


def outcome(model, d):
    return prove(model.double(), d)


# A step is sound


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.3])
def test_points_and_corners_of_a_box_land_in_the_box_of_its_step(spread):
    torch.manual_seed(0)
    H = 12
    model = random_network(H, 0.7).double()
    sizes = torch.tensor([0, 0.1, 1, 9.9, 10.1, 50, 3000]).double()
    for _ in range(200):
        h = torch.rand(H).double() * 2 - 1
        c = sizes[torch.randint(len(sizes), (H,))] * torch.randn(H).sign()
        width_h, width_c = spread * torch.rand(H).double(), spread * 5 * torch.rand(H).double()
        box = (h - width_h, h + width_h), (c - width_c, c + width_c)
        at = torch.rand(20, 2, H).double() * 2 - 1
        at[:10] = at[:10].sign()  # corners
        points_h, points_c = h + at[:, 0] * width_h, c + at[:, 1] * width_c
        x = torch.eye(D).double().repeat(20, 1).unsqueeze(1)
        _, state = model(x, tuple(s.repeat_interleave(10, dim=0) for s in (points_h, points_c)))
        assert inside([(s.view(20, 10, H),) * 2 for s in state], step(model, box))


@pytest.mark.parametrize(("scale", "bf"), [(0.3, 0), (30, 0), (0.3, 20), (0.01, 20)])
def test_a_float32_step_lands_in_the_box_of_its_point(scale, bf):
    torch.manual_seed(0)
    H = 64
    for c_size in 0, 1, 6, 1000:
        model = random_network(H, scale, bf)
        h, c = torch.rand(H) * 2 - 1, c_size * torch.randn(H)
        if scale == 0.01:  # so that new = g i is about as small as the rounding of c
            model.b[H : 2 * H] -= 7
        else:  # z is a small difference of large numbers
            model.b -= model.W[:, D:] @ h
            model.b[2 * H : 3 * H] += bf
        _, state = model(torch.eye(D).unsqueeze(1), (h.expand(10, H), c.expand(10, H)))
        box = step(model.double(), [(s.double(),) * 2 for s in (h, c)])
        assert inside([(s.double(),) * 2 for s in state], box)


def test_a_float32_lead_is_not_below_the_bound_of_its_point():
    torch.manual_seed(0)
    H = 64
    for _ in range(20):
        model, h = random_network(H, 30), torch.rand(1, H) * 2 - 1
        model.bp -= model.Wph @ h[0]
        logits = torch.nn.functional.linear(h, model.Wph, model.bp)[0]
        least = logits[3] - torch.cat([logits[:3], logits[4:]]).max()
        assert lead(model.double(), ((h[0].double(),) * 2, None), 3) <= least


def test_tanh_and_sigm_are_as_exact_as_the_proof_assumes():
    z = torch.cat([torch.linspace(-100, 100, 1_000_001), torch.linspace(-1, 1, 1_000_001)])
    for function, exact, low in (
        (torch.tanh, torch.tanh, -1),
        (tanh, torch.tanh, -1),
        (torch.sigmoid, torch.sigmoid, 0),
    ):
        y = function(z)
        assert (y.double() - exact(z.double())).abs().max() < 2e-7
        assert low <= y.min() <= y.max() <= 1


def test_inside_has_no_tolerance_and_refuses_nan():
    torch.manual_seed(0)
    low = torch.randn(3, 4).double()
    box = [(low, low + 1), (low - 1, low + 2)]
    assert inside(box, box)
    for interval in 0, 1:
        for end in 0, 1:
            for worse in [torch.nan, torch.nextafter(box[interval][end], torch.tensor([-9.0, 9.0])[end].double())[1, 2]]:
                other = [[bound.clone() for bound in pair] for pair in box]
                other[interval][end][1, 2] = worse
                assert not inside(other, box)
                assert inside(box, other) != math.isnan(worse)


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
        merged = forget(box)
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
    links = {"a": "10", "b": "a", "c": "b", "d": "c"}
    units = {name: {"i": {"b": -40, "h" + before: 80}, "f": -20} for name, before in links.items()}
    units["c"]["p"], units["d"]["p"] = {0: weight}, {0: -weight}
    return latches(**units)


def test_a_network_that_is_wrong_at_exactly_four_digits_is_refused():
    model = chain(100)
    for n, wrong in (3, False), (4, True), (5, False), (6, False):
        _, logits, _ = continuations(model, 3, n)
        assert (logits.argmax(dim=1) != 3).all() == wrong
    refused = outcome(model, 3)
    assert not refused.proved
    assert refused.words.startswith("with 4 digits read")
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
    logits, _ = model(torch.eye(D)[torch.zeros(1, 100, dtype=torch.int64)])
    assert logits.argmax() == 0
    refused = outcome(model, 0)
    assert refused.words.startswith("no closed box")
    assert not refused.proved


def test_a_wrong_guess_is_not_believed(monkeypatch):
    model = counter(12, 20).double()
    monkeypatch.setattr(prover, "guesses", lambda model, first: iter([first]))
    assert not prove(model, 3).proved, "c grows with each seven: this box is not closed"

    *_, of_5 = (box for box, _ in zip(first_boxes(latches().double(), 5), range(40), strict=False))
    closed = [(low - 1e-3, high + 1e-3) for low, high in forget(of_5)]
    model = latches().double()
    model.Wph[3, 5] = 20  # so that 3 is the answer there, too
    assert inside(forget(step(model, closed)), closed)
    monkeypatch.setattr(prover, "guesses", lambda model, first: iter([closed]))
    assert not prove(model, 3).proved, "a closed box elsewhere says nothing of the first digit 3"


def test_nan_is_no_proof():
    for name, _ in latches().named_parameters():
        model = latches()
        getattr(model, name).view(-1)[0] = torch.nan
        assert not outcome(model, 0).proved


def test_the_committed_network_one_first_digit():
    proved = outcome(prover.read_network(HERE / "palindrome_lstm.pth"), 8)
    assert proved.proved
    assert min(proved.leads) > 10


# The script


def run_prove(*arguments, cwd):
    command = [sys.executable, HERE / "prove.py", "--out_dir", "out", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_exit_code_says_whether_all_ten_are_proved(tmp_path):
    torch.save(latches().state_dict(), tmp_path / "right.pth")
    done = run_prove("--weights", "right.pth", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": proved, lead >= ") == 10
    assert "PROVED of right.pth, SHA-256" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["proof.png"]

    (tmp_path / "out" / "proof.png").unlink()
    exchanged = latches()
    for parameter in exchanged.Wph, exchanged.bp:
        parameter[[2, 6]] = parameter[[6, 2]]
    torch.save(exchanged.state_dict(), tmp_path / "exchanged.pth")
    done = run_prove("--weights", "exchanged.pth", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "Not proved for the first digits [2, 6]" in done.stdout
    assert "PROVED of" not in done.stdout
    assert not list((tmp_path / "out").iterdir())
