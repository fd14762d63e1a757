"""The arithmetic of the proof: intervals, boxes of states, and a step from box to box.

An interval is a pair (low, high) of float64 tensors. A box has an interval for each entry of a
network's state: it is (h,) for the RNN, (h, c) for the LSTM, each an interval. Results contain
every value that can come of a point of the inputs, in real arithmetic and in float32.
"""

import torch

from lstm import LSTM

U = 2.0**-24  # unit roundoff of float32: its largest relative error
SLACK = 1e-6  # widens tanh and sigm: half for their error, half for the rounding in step
TINY = 1e-12  # far more than what underflow loses


def affine(W, b, x, error):
    """Return the interval (..., m) of W x + b, x in an interval (..., n), widened by error (m)."""
    low, high = x
    centre = ((low + high) / 2) @ W.T + b
    radius = ((high - low) / 2) @ W.abs().T + error
    return centre - radius, centre + radius


def rounding(W, b):
    """Return the largest error (m) of W x + b in float32, W (m, n), for any x in [-1, 1]^n.

    In a sum of n products and b, in any order, each term is rounded at most n + 1 times (Higham
    2002, section 3.1). We count n + 2, to cover the rounding of this file, in float64.
    """
    nu = (W.shape[1] + 2) * U
    return nu / (1 - nu) * (W.abs().sum(dim=1) + b.abs()) + TINY


def tanh(z):
    """Return the interval of tanh. It is increasing, so the ends of z give its ends."""
    low, high = z
    return (low.tanh() - SLACK).clamp(min=-1), (high.tanh() + SLACK).clamp(max=1)


def sigm(z):
    """Return the interval of sigm. It may exceed 1: half the slack is for the rounding in step."""
    low, high = z
    return (low.sigmoid() - SLACK).clamp(min=0), high.sigmoid() + SLACK


def product(x, gate):
    """Return the interval of x * gate, gate >= 0.

    A negative low end of x is multiplied by the greatest gate, any other low end by the least one.
    A negative high end is multiplied by the least gate, any other high end by the greatest one.
    """
    low, high = x
    least, most = gate
    return low * torch.where(low < 0, most, least), high * torch.where(high < 0, least, most)


def inputs_of(Wx, Wh, b, h):
    """Return the interval (..., 10, m) of Wx x + Wh h + b for h (..., H) and the ten digits x."""
    low, high = affine(Wh, b, h, rounding(torch.cat([Wx, Wh], dim=1), b))
    return low.unsqueeze(-2) + Wx.T, high.unsqueeze(-2) + Wx.T  # one-hot x: Wx x is a column


def gates(model, h):
    """Return g, i, f, o of equations (1)-(4) for h (..., H): each (..., 10, H), for ten digits."""
    H = model.Wph.shape[1]
    low, high = inputs_of(model.W[:, :-H], model.W[:, -H:], model.b, h)  # (..., 10, 4H)
    zg, zi, zf, zo = zip(low.chunk(4, dim=-1), high.chunk(4, dim=-1), strict=True)
    return tanh(zg), sigm(zi), sigm(zf), sigm(zo)


def step(model, box):
    """Return the boxes (..., 10, H) after each of the ten digits, from a box (..., H).

    In float32, (5) becomes g i (1 + e) + c f (1 + e') with |e|, |e'| < 2.1 U, and (6) becomes
    tanh(c) o (1 + e). The error grows with c, so no constant bounds it; it is counted as a change
    of the gates, and the slack of i, f and o covers it.
    """
    if not isinstance(model, LSTM):
        return (tanh(inputs_of(model.Whx, model.Whh, model.bh, box[0])),)
    h, (c_low, c_high) = box
    g, i, f, o = gates(model, h)
    new_low, new_high = product(g, i)
    kept_low, kept_high = product((c_low.unsqueeze(-2), c_high.unsqueeze(-2)), f)
    c = new_low + kept_low - TINY, new_high + kept_high + TINY  # (5)
    return product(tanh(c), o), c  # (6)


def lead(model, box, d):
    """Return the least lead in the boxes: logit d minus the largest other logit; -inf for NaN."""
    rest = [j for j in range(len(model.bp)) if j != d]
    W, b = model.Wph[d] - model.Wph[rest], model.bp[d] - model.bp[rest]
    error = rounding(model.Wph, model.bp)
    low, _ = affine(W, b, box[0], error[d] + error[rest])
    return low.amin().nan_to_num(-torch.inf, neginf=-torch.inf).item()


def hull(box):
    """Return the smallest box (..., H) that contains the boxes (n, ..., H)."""
    return tuple((low.amin(dim=0), high.amax(dim=0)) for low, high in box)


def inside(small, large):
    """Return whether all of small lies in large. There is no tolerance, and NaN lies nowhere."""
    return all(
        bool(((large_low <= low) & (high <= large_high)).all())
        for (low, high), (large_low, large_high) in zip(small, large, strict=True)
    )
