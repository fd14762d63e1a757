"""Tests of intervals.py: what comes of a point of a box lies in the box that is computed."""

import itertools

import pytest
import torch

import intervals
from intervals import inside, step
from lstm import LSTM
from rnn import VanillaRNN

D = 10


def random_network(network, H, scale):
    model = network(D, H, 10)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return model.requires_grad_(False)


def box_of(*points):
    """Return the box of one point of the state."""
    return tuple((point.double(), point.double()) for point in points)


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("network", [VanillaRNN, LSTM])
def test_points_and_corners_of_a_box_land_in_the_box_of_its_step(network, spread, monkeypatch):
    # Without the room for float32, small mistakes show.
    monkeypatch.setattr(intervals, "U", 2.0**-50)
    monkeypatch.setattr(intervals, "SLACK", 1e-12)
    torch.manual_seed(0)
    H = 12
    is_lstm = network is LSTM
    model = random_network(network, H, 0.7).double()
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
def test_a_float32_step_lands_in_the_box_of_its_point(scale, bf):
    torch.manual_seed(0)
    H, x = 64, torch.eye(D).unsqueeze(1)
    for c_size in 0, 1, 6, 1000:
        h, c = torch.rand(H) * 2 - 1, c_size * torch.randn(H)
        model = random_network(VanillaRNN, H, scale)
        model.bh -= model.Whh @ h + model.Whx[:, 3]  # for 3, z is a small difference
        _, state = model(x, h.expand(10, H))
        assert inside(box_of(state), step(model.double(), box_of(h)))
        model = random_network(LSTM, H, scale)
        model.b[2 * H : 3 * H] += bf
        if scale == 0.01:  # so that new = g i is about as small as the rounding of c
            model.b[H : 2 * H] -= 7
        else:  # z is a small difference of large numbers
            model.b -= model.W[:, D:] @ h
            model.b[2 * H : 3 * H] += bf
        _, state = model(x, (h.expand(10, H), c.expand(10, H)))
        assert inside(box_of(*state), step(model.double(), box_of(h, c)))


def test_tanh_and_sigm_are_as_exact_as_the_proof_assumes():
    z = torch.cat([torch.linspace(-100, 100, 1_000_001), torch.linspace(-1, 1, 1_000_001)])
    for function, low in (torch.tanh, -1), (torch.sigmoid, 0):
        y = function(z)
        assert (y.double() - function(z.double())).abs().max() < 2e-7
        assert low <= y.min() <= y.max() <= 1


def test_inside_has_no_tolerance_and_refuses_nan():
    low = torch.randn(3, 4).double()
    box = [(low, low + 1), (low - 1, low + 2)]
    assert inside(box, box)
    for interval, end, far in itertools.product((0, 1), (0, 1), (9.0, torch.nan)):
        other = [[bound.clone() for bound in pair] for pair in box]
        bound = other[interval][end][1, 2]
        other[interval][end][1, 2] = torch.nextafter(bound, bound.new_tensor(far if end else -far))
        assert not inside(other, box)
