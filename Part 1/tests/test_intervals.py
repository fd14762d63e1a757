"""Tests of intervals.py: what comes of a point of a box lies in the box that is computed."""

import pytest
import torch

import intervals
from intervals import condense, inside, lead, step
from lstm import LSTM
from rnn import VanillaRNN

D = 10


def random_lstm(H, scale, bf=0.0):
    model = LSTM(D, H, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    model.b.data[2 * H : 3 * H] += bf
    return model.requires_grad_(False)


def random_rnn(H, scale):
    model = VanillaRNN(D, H, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return model.requires_grad_(False)


def box_of(*points):
    """Return the box of one point of the state."""
    return tuple((point.double(), point.double()) for point in points)


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("network", ["rnn", "lstm"])
def test_points_and_corners_of_a_box_land_in_the_box_of_its_step(network, spread, monkeypatch):
    # Without the room for float32, small mistakes show.
    monkeypatch.setattr(intervals, "U", 2.0**-50)
    monkeypatch.setattr(intervals, "SLACK", 1e-12)
    torch.manual_seed(0)
    H = 12
    is_lstm = network == "lstm"
    model = (random_lstm if is_lstm else random_rnn)(H, 0.7).double()
    sizes = torch.tensor([0, 0.1, 1, 9.9, 10.1, 50, 3000]).double()
    for _ in range(200):
        h = torch.rand(H).double() * 2 - 1
        c = sizes[torch.randint(len(sizes), (H,))] * torch.randn(H).sign()
        width_h, width_c = spread * torch.rand(H).double(), spread * 5 * torch.rand(H).double()
        box = (h - width_h, h + width_h), (c - width_c, c + width_c)
        at = torch.rand(20, 2, H).double() * 2 - 1
        at[:10] = at[:10].sign()  # corners
        points = (h + at[:, 0] * width_h, c + at[:, 1] * width_c)
        points = tuple(point.repeat_interleave(10, dim=0) for point in points)
        x = torch.eye(D).double().repeat(20, 1).unsqueeze(1)
        _, state = model(x, points if is_lstm else points[0])
        state = [s.view(20, 10, H) for s in (state if is_lstm else [state])]
        assert inside(box_of(*state), step(model, box[: len(state)]))


@pytest.mark.parametrize(("scale", "bf"), [(0.3, 0), (30, 0), (0.3, 20), (0.01, 20)])
def test_a_float32_step_of_the_lstm_lands_in_the_box_of_its_point(scale, bf):
    torch.manual_seed(0)
    H = 64
    for c_size in 0, 1, 6, 1000:
        model = random_lstm(H, scale, bf)
        h, c = torch.rand(H) * 2 - 1, c_size * torch.randn(H)
        if scale == 0.01:  # so that new = g i is about as small as the rounding of c
            model.b[H : 2 * H] -= 7
        else:  # z is a small difference of large numbers
            model.b -= model.W[:, D:] @ h
            model.b[2 * H : 3 * H] += bf
        _, state = model(torch.eye(D).unsqueeze(1), (h.expand(10, H), c.expand(10, H)))
        assert inside(box_of(*state), step(model.double(), box_of(h, c)))


@pytest.mark.parametrize("scale", [0.3, 30])
def test_a_float32_step_of_the_rnn_lands_in_the_box_of_its_point(scale):
    torch.manual_seed(0)
    H = 64
    for _ in range(20):
        model, h = random_rnn(H, scale), torch.rand(H) * 2 - 1
        model.bh -= model.Whh @ h + model.Whx[:, 3]  # so that for 3, z is a small difference
        _, state = model(torch.eye(D).unsqueeze(1), h.expand(10, H))
        assert inside(box_of(state), step(model.double(), box_of(h)))


def test_a_c_that_underflows_lands_in_the_box():
    model = LSTM(D, 1, 10).requires_grad_(False)
    model.W.zero_()
    model.b[:] = torch.tensor([20, -200, 0, 20])  # g = 1, i = 0, f = 1/2, o = 1
    h, c = torch.zeros(10, 1), torch.full((10, 1), 1e-45)  # the least of all positive numbers
    _, (_, c_new) = model(torch.eye(D).unsqueeze(1), (h, c))
    assert (c_new == 0).all()
    _, box = step(model.double(), box_of(h[0], c[0]))
    assert inside(box_of(c_new), [box])


def test_a_float32_lead_is_not_below_the_bound_of_its_point():
    torch.manual_seed(0)
    H = 64
    for _ in range(20):
        model, h = random_lstm(H, 30), torch.rand(1, H) * 2 - 1
        model.bp -= model.Wph @ h[0]
        logits = torch.nn.functional.linear(h, model.Wph, model.bp)[0]
        least = logits[3] - torch.cat([logits[:3], logits[4:]]).max()
        assert lead(model.double(), box_of(h[0]), 3) <= least


def test_tanh_and_sigm_are_as_exact_as_the_proof_assumes():
    z = torch.cat([torch.linspace(-100, 100, 1_000_001), torch.linspace(-1, 1, 1_000_001)])
    for function, low in (torch.tanh, -1), (torch.sigmoid, 0):
        y = function(z)
        assert (y.double() - function(z.double())).abs().max() < 2e-7
        assert low <= y.min() <= y.max() <= 1


def test_condensed_boxes_contain_the_boxes_that_they_are_made_of():
    torch.manual_seed(0)
    low = torch.randn(3, 100, 7).double()
    box = ((low, low + torch.rand(3, 100, 7)), (low - 1, low + 1))
    for parts in 1, 5, 20:
        large = [[bound.unsqueeze(1) for bound in ends] for ends in condense(box, parts)]
        small = [[bound.unsqueeze(2) for bound in ends] for ends in box]
        fits = torch.ones(3, 100, parts, dtype=torch.bool)
        for (low_of, high_of), (low_in, high_in) in zip(large, small, strict=True):
            fits &= ((low_of <= low_in) & (high_in <= high_of)).all(dim=3)
        assert fits.any(dim=2).all()
    narrow, wide = (condense(box, parts)[0] for parts in (20, 1))
    assert (narrow[1] - narrow[0]).mean() < (wide[1] - wide[0]).mean()


def test_inside_has_no_tolerance_and_refuses_nan():
    torch.manual_seed(0)
    low = torch.randn(3, 4).double()
    box = [(low, low + 1), (low - 1, low + 2)]
    assert inside(box, box)
    for interval in 0, 1:
        for end, out in (0, -9.0), (1, 9.0):
            just_out = torch.nextafter(box[interval][end][1, 2], low.new_tensor(out))
            for bound, still_contains in (just_out, True), (torch.nan, False):
                other = [[b.clone() for b in pair] for pair in box]
                other[interval][end][1, 2] = bound
                assert not inside(other, box)
                assert inside(box, other) == still_contains
