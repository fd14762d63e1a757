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


def points(*state):
    """Return the boxes (2, n, H or 2H) of states (n, H): their low and high ends are the same."""
    return torch.cat(state, dim=1).double().expand(2, -1, -1)


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
    n = 200  # boxes
    h = torch.rand(n, H).double() * 2 - 1
    c = sizes[torch.randint(len(sizes), (n, H))] * torch.randn(n, H).sign()
    centre = torch.cat([h, c], dim=1) if is_lstm else h
    width = spread * torch.rand_like(centre)
    width[:, H:] *= 5
    at = torch.rand(20, *centre.shape).double() * 2 - 1
    at[:10] = at[:10].sign()  # corners
    states = (centre + at * width).flatten(0, 1).repeat_interleave(10, dim=0)
    x = torch.eye(D).double().repeat(20 * n, 1).unsqueeze(1)
    _, after = model(x, states.chunk(2, dim=1) if is_lstm else states)
    boxes = step(model, torch.stack([centre - width, centre + width]))
    assert inside(points(*after if is_lstm else [after]), boxes.repeat(1, 20, 1))


@pytest.mark.parametrize(("scale", "bf"), [(0.3, 0), (30, 0), (0.3, 20), (0.01, 20)])
def test_a_float32_step_lands_in_the_box_of_its_point(scale, bf):
    torch.manual_seed(0)
    H, x = 64, torch.eye(D).unsqueeze(1)
    for c_size in 0, 1, 6, 1000:
        h, c = torch.rand(H) * 2 - 1, c_size * torch.randn(H)
        model = random_network(VanillaRNN, H, scale)
        model.bh -= model.Whh @ h + model.Whx[:, 3]  # for 3, z is a small difference
        _, state = model(x, h.expand(10, H))
        assert inside(points(state), step(model.double(), points(h[None])))
        model = random_network(LSTM, H, scale)
        model.b[2 * H : 3 * H] += bf
        if scale == 0.01:  # so that new = g i is about as small as the rounding of c
            model.b[H : 2 * H] -= 7
        else:  # z is a small difference of large numbers
            model.b -= model.W[:, D:] @ h
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
    low = torch.randn(3, 4).double()
    box = torch.stack([low, low + 1])
    assert inside(box, box)
    for end, far in itertools.product((0, 1), (9.0, torch.nan)):
        other = box.clone()
        bound = other[end, 1, 2]
        other[end, 1, 2] = torch.nextafter(bound, bound.new_tensor(far if end else -far))
        assert not inside(other, box)
