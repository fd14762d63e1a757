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


@pytest.mark.parametrize("network", [VanillaRNN, LSTM])
def test_no_sequence_has_a_margin_below_the_bound(network):
    torch.manual_seed(0)
    model = random_network(network, 8, 0.5)
    for n, bound in enumerate(proof.prove_digit(model, 7)[:6], start=4):
        digits = torch.randint(10, (100_000, n))  # as good as all of n = 4 and 5
        digits[:, 0] = 7
        logits, _ = model(ONE_HOT[digits])
        others = logits[:, [0, 1, 2, 3, 4, 5, 6, 8, 9]].amax(dim=1)
        least = (logits[:, 7] - others).min()
        assert least >= bound
        assert n > 5 or least > bound - 0.1, "the bound is far too low"


def latches():
    """An LSTM made by hand: units 0 to 9 keep the first digit, and the logits show them.

    Unit 10 turns on at the first step and then shuts their input gates. Unit 11 is free.
    """
    model = LSTM(10, 12, 10).requires_grad_(False)
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


@pytest.mark.parametrize("g", [20, -20])
def test_a_network_that_errs_after_hundreds_of_sevens_is_refused_and_a_harmless_one_is_not(g):
    model = latches()  # its last unit counts sevens, up or down, and never forgets
    _, i, _, _ = model.W.chunk(4)
    bg, bi, bf, _ = model.b.chunk(4)
    i[11, 7], bi[11], bf[11], bg[11] = 20, -24.6, 20, g
    model.Wph[0, 11] = math.copysign(12, g)  # the logit of 0 shows it
    sevens = torch.tensor([[3] + 299 * [7]])
    for n, correct in (40, True), (300, False):
        logits, _ = model(ONE_HOT[sevens[:, :n]])
        assert (logits.argmax().item() == 3) == correct
    assert not is_proved(model, 3)
    model.Wph[0, 11] *= 5 / 12
    assert is_proved(model, 3)


def test_only_invariant_bounds_that_hold_what_was_reached_prove_something(monkeypatch):
    model, ten = latches().double(), torch.zeros(2, 10, 24).double()
    for bounds in ten * math.nan, ten - 1e-15, ten + 1e-15:  # there is no tolerance
        assert not inside(bounds, ten)
    for bounds in None, ten + 100 * proof.OUT:  # these are so wide that no digit has a margin
        with monkeypatch.context() as patch:
            patch.setattr(proof, "invariant_bounds", lambda model, ten, bounds=bounds: bounds)
            assert not is_proved(model, 3)
    assert proof.invariant_bounds(model, ten) is not None
    for accepts in (lambda small, large: small is ten), (lambda small, large: small is not ten):
        monkeypatch.setattr(proof, "inside", accepts)
        assert proof.invariant_bounds(model, ten) is None


def test_the_table_has_the_least_margin_of_all_digits_or_names_those_not_proved(monkeypatch):
    monkeypatch.setattr(proof, "prove_digit", lambda least, d: [9 + d, 9, abs(d - 4) + least])
    assert [*proof.prove("it", 2.129).values()] == ["it", "10 of 10", "-", "2.12"]
    assert [*proof.prove("it", -1).values()] == ["it", "7 of 10", "3 4 5", "-"]


def test_the_script_names_the_digits_that_are_not_proved_and_exits_with_1(
    call, tmp_path, monkeypatch
):
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    model, path = latches(), tmp_path / "it.pth"
    model.Wph[[2, 6]] = model.Wph[[6, 2]]
    save_state(path, model.state_dict())
    with pytest.raises(SystemExit, match=r"^1$"):
        call("studies.proof", "--weights", path, "--out_dir", tmp_path)
    assert "it.pth,8 of 10,2 6,-\n" in (tmp_path / "proof.csv").read_text()
    save_state(path, LSTM(1, 5, 10).state_dict())  # it reads one number for a digit
    with pytest.raises(SystemExit, match=r"^2$"):
        call("studies.proof", "--weights", path, "--out_dir", tmp_path)


@pytest.mark.parametrize(("name", "d"), [("rnn", 2), ("lstm", 8)])
def test_the_least_margin_of_the_committed_networks_is_that_of_the_csv(name, d):
    model = load(HERE / f"palindrome_{name}.pth", from_weights)
    least = f"{math.floor(100 * min(proof.prove_digit(model, d))) / 100:.2f}"
    margins = {row["weights"]: row["least margin"] for row in read_csv(RESULTS / "proof.csv")}
    assert margins[f"palindrome_{name}.pth"] == least
