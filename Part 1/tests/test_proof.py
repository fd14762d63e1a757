"""Tests of studies/proof.py: a network that is wrong somewhere is refused, wherever it is."""

import math

import pytest
import torch

from common import load, save_state
from conftest import HERE
from lstm import LSTM
from networks import from_weights
from rnn import VanillaRNN
from studies import boxes as toy
from studies import proof
from studies.proof import inside, step
from studies.runner import RESULTS


def random_network(network, H, scale):
    model = network(10, H, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return model.requires_grad_(False)


def points(*state):
    """Return the boxes (2, n, H or 2H) of states (n, H): their low and high ends are the same."""
    return torch.cat(state, dim=1).double().expand(2, -1, -1)


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.3])
def test_points_and_corners_of_a_box_land_in_the_box_of_its_step(spread, monkeypatch):
    # Without the room for float32, small mistakes show.
    monkeypatch.setattr(proof, "U", 2.0**-50)
    monkeypatch.setattr(proof, "SLACK", 1e-12)
    torch.manual_seed(0)
    n, H = 200, 12  # n boxes
    model = random_network(LSTM, H, 0.7).double()
    sizes = torch.tensor([0, 0.1, 1, 9.9, 10.1, 50, 3000])
    c = sizes[torch.randint(len(sizes), (n, H))] * torch.randn(n, H).sign()
    centre = torch.cat([torch.rand(n, H) * 2 - 1, c], dim=1).double()
    width = spread * torch.rand_like(centre)
    at = torch.rand(20, *centre.shape).double() * 2 - 1
    at[:10] = at[:10].sign()  # corners
    states = (centre + at * width).flatten(0, 1).repeat_interleave(10, dim=0)
    x = torch.eye(10).double().repeat(20 * n, 1).unsqueeze(1)
    _, after = model(x, states.chunk(2, dim=1))
    boxes = step(model, torch.stack([centre - width, centre + width]))
    assert inside(points(*after), boxes.repeat(1, 20, 1))


@pytest.mark.parametrize(("scale", "bf"), [(0.3, 0), (30, 0), (0.3, 20), (0.01, 20)])
def test_a_float32_step_lands_in_the_box_of_its_point(scale, bf):
    torch.manual_seed(0)
    H, x = 64, torch.eye(10).unsqueeze(1)
    for c_size in 0, 1, 6, 1000:
        h, c = torch.rand(H) * 2 - 1, c_size * torch.randn(H)
        model = random_network(VanillaRNN, H, scale)
        model.bh -= model.Whh @ h + model.Whx[:, 3]  # for 3, z is a small difference
        _, state = model(x, h.expand(10, H))
        assert inside(points(state), step(model.double(), points(h[None])))
        model = random_network(LSTM, H, scale)
        if scale == 0.01:  # so that g i is about as small as the rounding of c
            model.b[H : 2 * H] -= 7
        else:  # z is a small difference of large numbers
            model.b -= model.W[:, 10:] @ h
        model.b[2 * H : 3 * H] += bf
        _, state = model(x, (h.expand(10, H), c.expand(10, H)))
        assert inside(points(*state), step(model.double(), points(h[None], c[None])))


def test_tanh_and_sigm_are_as_exact_as_the_proof_assumes():
    z = torch.cat([torch.linspace(-100, 100, 1_000_001), torch.linspace(-1, 1, 1_000_001)])
    for function, low in (torch.tanh, -1), (torch.sigmoid, 0):
        y = function(z)
        assert (y.double() - function(z.double())).abs().max() < 2e-7
        assert low <= y.min() <= y.max() <= 1


def test_inside_has_no_tolerance_and_refuses_nan():
    box = torch.tensor([1.0, 2.0]).double()
    assert inside(box, box)
    for low, high in (math.nextafter(1, 0), 2), (1, math.nextafter(2, 3)), (1, math.nan):
        assert not inside(torch.tensor([low, high], dtype=torch.float64), box)


def latches(extra=0):
    """An LSTM made by hand: units 0 to 9 keep the first digit, and the logits show them.

    Unit 10 turns on at the first step and then shuts the input gates of the others; `extra` further
    units do nothing yet.
    """
    model = LSTM(10, 11 + extra, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    _, i, _, _ = model.W.chunk(4)
    bg, bi, _, bo = model.b.chunk(4)
    bg[:] = bo[:] = bi[10] = 20
    digit = torch.arange(10)
    i[digit, digit] = 40  # opened by its digit, before unit 10 is on, and kept open by itself
    i[:10, 20], i[digit, 10 + digit], bi[:10] = -60, 120, -20
    model.Wph[digit, digit] = 10
    return model


def is_proved(model, d):
    return all(least > 0 for least in proof.prove_digit(model, d))


@pytest.mark.parametrize("network", [VanillaRNN, LSTM])
def test_no_sequence_has_a_lead_below_the_bound(network):
    torch.manual_seed(0)
    model, d = random_network(network, 8, 0.5), 7
    bounds = proof.prove_digit(model, d)
    for n in range(4, 10):
        digits = torch.randint(10, (100_000, n))  # as good as all of n = 4 and 5
        digits[:, 0] = d
        logits, _ = model(torch.eye(10)[digits])
        others = logits[:, [j for j in range(10) if j != d]].amax(dim=1)
        least = (logits[:, d] - others).min().item()
        assert least >= bounds[n - 4]
        assert n > 5 or least > bounds[n - 4] - 0.1, "the bound is far too low"


def counter(weight, g):
    """A unit that counts sevens, up or down, and never forgets; the logit of 0 shows it."""
    model = latches(1)
    _, i, _, _ = model.W.chunk(4)
    bg, bi, bf, _ = model.b.chunk(4)
    i[11, 7], bi[11], bf[11], bg[11] = 20, -24.6, 20, g
    model.Wph[0, 11] = math.copysign(weight, g)
    return model


@pytest.mark.parametrize("g", [20, -20])
def test_a_network_that_errs_after_hundreds_of_sevens_is_refused_and_a_harmless_one_is_not(g):
    model = counter(12, g)
    sevens = torch.tensor([[3] + 299 * [7]])
    for n, right in (40, True), (300, False):
        logits, _ = model(torch.eye(10)[sevens[:, :n]])
        assert (logits.argmax().item() == 3) == right
    assert not is_proved(model, 3)
    assert is_proved(counter(5, g), 3)


def test_a_network_that_only_float32_makes_wrong_is_refused():
    """In real arithmetic c of unit 0 rests at 1.02 for ever, since f = 1 - 2^-24 holds it there.

    In float32 that f is 1, and c creeps: after 620,000 zeros the answer is wrong.
    """
    model = LSTM(10, 2, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    model.b[:] = 20
    model.b[2], model.b[4] = 5, 16.6357
    model.W[2, 11] = math.log(0.51 * 2**-23) - 5
    model.Wph[1:, 0] = 100
    model.bp[1:] = -100 * math.tanh(1.06)
    zeros = torch.eye(10)[torch.zeros(1, 10_000, dtype=torch.int64)]
    logits, (h, c) = model(zeros)
    assert logits.argmax() == 0
    c[0, 0] = 1.0594  # where it has crept to after 610,000
    logits, _ = model(zeros, (h, c))
    assert logits.argmax() != 0
    assert not is_proved(model, 0)


def test_only_closed_boxes_that_hold_what_was_reached_and_lead_prove_something(monkeypatch):
    model, ten = latches().double(), torch.zeros(2, 10, 22).double()
    assert is_proved(model, 3)
    for boxes in None, ten + 100 * proof.OUT:  # these are so wide that no digit leads
        with monkeypatch.context() as patch:
            patch.setattr(proof, "closed_boxes", lambda model, ten, boxes=boxes: boxes)
            assert not is_proved(model, 3)
    assert proof.closed_boxes(model, ten) is not None
    for accepts in (lambda small, large: small is ten), (lambda small, large: small is not ten):
        monkeypatch.setattr(proof, "inside", accepts)
        assert proof.closed_boxes(model, ten) is None


def test_the_script_names_the_digits_that_are_not_proved_and_exits_with_1(call, tmp_path):
    model, path = latches(), tmp_path / "it.pth"
    model.Wph[[2, 6]] = model.Wph[[6, 2]]
    save_state(path, model.state_dict())
    with pytest.raises(SystemExit) as stop:
        call("studies.proof", "--weights", path, "--jobs", 1, "--out_dir", tmp_path)
    assert stop.value.code == 1
    assert "it.pth,8 of 10,2 6,-\n" in (tmp_path / "proof.csv").read_text()
    save_state(path, LSTM(1, 5, 10).state_dict())  # it reads one number for a digit
    with pytest.raises(SystemExit, match=r"^2$"):
        call("studies.proof", "--weights", path, "--out_dir", tmp_path)


@pytest.mark.parametrize(("name", "d"), [("rnn", 2), ("lstm", 8)])
def test_the_least_lead_of_the_committed_networks_is_that_of_the_csv(name, d):
    model = load(HERE / f"palindrome_{name}.pth", from_weights)
    least = math.floor(100 * min(proof.prove_digit(model, d))) / 100
    row = f"palindrome_{name}.pth,10 of 10,-,{least:.2f}\n"
    assert row in (RESULTS / "proof.csv").read_text()


def test_what_is_in_a_box_of_the_toy_stays_in_it():
    torch.manual_seed(0)
    for low, high in toy.BOXES.values():
        h = torch.linspace(low, high, 1001).double()
        for _ in range(100):
            h = torch.tanh(2 * h) + toy.INPUT * torch.empty_like(h).uniform_(-1, 1)
            assert low <= h.min() <= h.max() <= high
    assert all(toy.inside(toy.step(box), box) for box in toy.BOXES.values())
    assert not toy.inside(toy.step((0.3, 1.1)), (0.3, 1.05))
