"""Tests of studies/proof.py: a network that is wrong somewhere is refused, wherever it is."""

import math

import pytest
import torch

from common import HERE, load, read_csv, save_state
from lstm import LSTM
from networks import from_weights
from rnn import VanillaRNN
from studies import proof
from studies.proof import inside, step
from studies.runner import RESULTS

ONE_HOT = torch.eye(10)


def random_network(network, H, scale):
    model = network(10, H, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return model.requires_grad_(False)


def points(*state):
    return torch.cat(state, dim=1).double().expand(2, -1, -1)  # bounds with equal ends


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.3])
def test_corners_of_bounds_land_within_those_of_a_step(spread, monkeypatch):
    # Without the room for float32, small mistakes show.
    monkeypatch.setattr(proof, "U", 2.0**-50)
    monkeypatch.setattr(proof, "SLACK", 1e-12)
    torch.manual_seed(0)
    n, H = 200, 12  # n bounds
    model = random_network(LSTM, H, 0.7).double()
    c = torch.randn(n, H) * 10.0 ** torch.randint(-1, 4, (n, H))
    centre = torch.cat([torch.rand(n, H) * 2 - 1, c], dim=1).double()
    width = spread * torch.rand_like(centre)
    bounds = step(model, torch.stack([centre - width, centre + width]))
    for _ in range(20):
        corner = centre + width * torch.randn_like(centre).sign()
        states = corner.repeat_interleave(10, dim=0).chunk(2, dim=1)
        _, after = model(ONE_HOT.double().repeat(n, 1).unsqueeze(1), states)
        assert inside(points(*after), bounds)


@pytest.mark.parametrize(("scale", "bf"), [(0.3, 0), (30, 0), (0.3, 20), (0.01, 20)])
def test_a_float32_step_lands_within_the_bounds_of_its_point(scale, bf):
    torch.manual_seed(0)
    H, x = 64, ONE_HOT.unsqueeze(1)
    for c_size in 0, 1, 6, 1000:
        h, c = torch.rand(H) * 2 - 1, c_size * torch.randn(H)
        model = random_network(VanillaRNN, H, scale)
        model.bh -= model.Whh @ h  # z is a small difference of large numbers
        model.Wph[0] = model.bp[0] = 0  # so all rounding is that of the other logits
        logits, state = model(x, h.expand(10, H))
        assert inside(points(state), step(model.double(), points(h[None])))
        assert proof.margin(model, points(state), 0) <= -logits[:, 1:].max().item()
        model = random_network(LSTM, H, scale)
        if scale == 0.01:  # so that g i is about as small as the rounding of c
            model.b[H : 2 * H] -= 7
        else:  # z is small again
            model.b -= model.W[:, 10:] @ h
        model.b[2 * H : 3 * H] += bf
        _, state = model(x, (h.expand(10, H), c.expand(10, H)))
        assert inside(points(*state), step(model.double(), points(h[None], c[None])))


def latches():
    """An LSTM made by hand: units 0 to 9 keep the first digit, and the logits show them.

    Unit 10 turns on at the first step and then shuts their input gates. Unit 11 counts sevens.
    """
    model = LSTM(10, 12, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    _, i, _, _ = model.W.chunk(4)
    bg, bi, bf, bo = model.b.chunk(4)
    bg[:] = bo[:] = bi[10] = 20
    digit = torch.arange(10)
    i[digit, digit] = 40  # opened by its digit, before unit 10 is on, and kept open by itself
    i[:10, 20], i[digit, 10 + digit], bi[:10] = -60, 120, -20
    i[11, 7], bi[11], bf[11] = 20, -24.6, 20  # it opens for sevens, a little, and never forgets
    model.Wph[digit, digit] = 10
    return model


def test_only_invariant_bounds_that_hold_what_was_reached_prove_something(monkeypatch):
    model, reached = latches().double(), torch.zeros(2, 1, 24).double()
    for bounds in reached * math.nan, reached - 1e-15, reached + 1e-15:  # there is no tolerance
        assert not inside(bounds, reached)
    for bounds in None, reached + 100 * proof.OUT:  # these are so wide that no digit has a margin
        with monkeypatch.context() as patch:
            patch.setattr(proof, "invariant_bounds", lambda model, reached, bounds=bounds: bounds)
            assert min(proof.prove_digit(model, 3)) <= 0
    assert proof.invariant_bounds(model, reached) is not None
    for refused in True, False:
        monkeypatch.setattr(proof, "inside", lambda small, _, no=refused: (small is reached) != no)
        assert proof.invariant_bounds(model, reached) is None


def test_what_is_not_proved_is_named_and_the_script_exits_with_1(call, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(proof, "prove_digit", lambda least, d: [9 + d, 9, abs(d - 4) + least])
        assert [*proof.prove("it", 2.129).values()] == ["it", "10 of 10", "-", "2.12"]
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    model, path = latches(), tmp_path / "it.pth"
    model.Wph[0, 11], model.Wph[3, 3] = 5, 4  # after a 3 and hundreds of sevens, it answers 0
    logits, _ = model(ONE_HOT[torch.tensor([[3] + 300 * [7]])])
    assert logits.argmax() == 0
    save_state(path, model.state_dict())
    with pytest.raises(SystemExit, match=r"^1$"):
        call("studies.proof", "--weights", path, "--out_dir", tmp_path)
    assert "it.pth,9 of 10,3,-\n" in (tmp_path / "proof.csv").read_text()
    save_state(path, LSTM(1, 5, 10).state_dict())  # it reads one number for a digit
    with pytest.raises(SystemExit, match=r"it.pth: cannot be used here \(ValueError: neither"):
        call("studies.proof", "--weights", path, "--out_dir", tmp_path)


@pytest.mark.parametrize(("name", "d"), [("rnn", 2), ("lstm", 8)])
def test_the_margins_of_the_committed_networks_are_in_the_csv_and_no_sequence_has_less(name, d):
    model = load(HERE / f"palindrome_{name}.pth", from_weights).requires_grad_(False)
    bounds = proof.prove_digit(model, d)
    margins = {row["weights"]: row["least margin"] for row in read_csv(RESULTS / "proof.csv")}
    assert margins[f"palindrome_{name}.pth"] == f"{math.floor(100 * min(bounds)) / 100:.2f}"
    for n, bound in enumerate(bounds[:9], start=4):
        digits = torch.randint(10, (1000, n))
        digits[:, 0] = d
        logits, _ = model(ONE_HOT[digits])
        others = logits[:, torch.arange(10) != d].amax(dim=1)
        assert (logits[:, d] - others).min() >= bound
