"""The arithmetic of the proof: intervals, boxes of states, and a step from box to box.

An interval is a float64 tensor (2, ...), its low end and its high end. Boxes (2, n, H) have one for
each entry of h; those of an LSTM are (2, n, 2H), h and c side by side. Results contain every value
that can come of a point of the inputs, in real arithmetic and in float32.
"""

import torch

from lstm import LSTM

U = 2.0**-24  # unit roundoff of float32: its largest relative error
SLACK = 1e-6  # widens tanh and sigm: half for their error, half for the rounding in step
TINY = 1e-12  # far more than what underflow loses
OUT = torch.tensor([-1, 1]).double().view(2, 1, 1)  # the directions in which the ends move out


def affine(W, b, x, error):
    """Return the interval (2, n, m) of W x + b, x in (2, n, k), widened by error (m)."""
    low, high = x
    centre = ((low + high) / 2) @ W.T + b
    radius = ((high - low) / 2) @ W.abs().T + error
    return centre + OUT * radius


def rounding(W, b):
    """Return the largest error (m) of W x + b in float32, W (m, n), for any x in [-1, 1]^n.

    In a sum of n products and b, in any order, each term is rounded at most n + 1 times (Higham
    2002, section 3.1). We count n + 2, to cover the rounding of this file, in float64.
    """
    nu = (W.shape[1] + 2) * U
    return nu / (1 - nu) * (W.abs().sum(dim=1) + b.abs()) + TINY


def tanh(z):
    """Return the interval of tanh. It is increasing, so the ends of z give its ends."""
    return (z.tanh() + OUT * SLACK).clamp(-1, 1)


def sigm(z):
    """Return the interval of sigm. It may exceed 1: half the slack is for the rounding in step."""
    return (z.sigmoid() + OUT * SLACK).clamp(min=0)


def product(x, gate):
    """Return the interval of x * gate, gate >= 0; a negative end takes the other end of gate."""
    return x * torch.where(x < 0, gate.flip(0), gate)


def inputs_of(Wx, Wh, b, h):
    """Return the intervals (2, 10 n, m) of Wx x + Wh h + b, h in (2, n, H), for all ten x."""
    z = affine(Wh, b, h, rounding(torch.cat([Wx, Wh], dim=1), b))
    return (z.unsqueeze(2) + Wx.T).flatten(1, 2)  # one-hot x: Wx x is a column of Wx


def gates(model, h):
    """Return g, i, f, o of equations (1)-(4), (2, 10 n, H), for h in (2, n, H), ten digits each."""
    H = h.shape[2]
    zg, zi, zf, zo = inputs_of(model.W[:, :-H], model.W[:, -H:], model.b, h).chunk(4, dim=2)
    return tanh(zg), sigm(zi), sigm(zf), sigm(zo)


def step(model, boxes):
    """Return the 10 n boxes after a digit: for each of n boxes ten, in the order of the digits.

    In float32, (5) becomes g i (1 + e) + c f (1 + e') with |e|, |e'| < 2.1 U, and (6) becomes
    tanh(c) o (1 + e). The error grows with c, so no constant bounds it; it is counted as a change
    of the gates, and the slack of i, f and o covers it.
    """
    if not isinstance(model, LSTM):
        return tanh(inputs_of(model.Whx, model.Whh, model.bh, boxes))
    h, c = boxes.chunk(2, dim=2)
    g, i, f, o = gates(model, h)
    c = product(g, i) + product(c.repeat_interleave(10, dim=1), f) + OUT * TINY  # (5)
    h = product(tanh(c), o)  # (6)
    return torch.cat([h, c], dim=2)


def lead(model, boxes, d):
    """Return the least lead in the boxes: logit d minus the largest other logit; -inf for NaN."""
    rest = [j for j in range(len(model.bp)) if j != d]
    W, b = model.Wph[d] - model.Wph[rest], model.bp[d] - model.bp[rest]
    error = rounding(model.Wph, model.bp)
    low, _ = affine(W, b, boxes[..., : W.shape[1]], error[d] + error[rest])
    return low.amin().nan_to_num(-torch.inf, neginf=-torch.inf).item()


def hull(boxes):
    """Return the smallest interval (2, ...) that contains all n of (2, n, ...)."""
    low, high = boxes
    return torch.stack([low.amin(dim=0), high.amax(dim=0)])


def inside(small, large):
    """Return whether all of small lies in large. There is no tolerance, and NaN lies nowhere."""
    return bool(((large[0] <= small[0]) & (small[1] <= large[1])).all())
