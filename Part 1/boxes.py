"""The arithmetic of the proof: intervals, boxes of states of the LSTM, and a step from box to box.

An interval is a pair (low, high) of float64 tensors; a box is a pair (h, c) of intervals. What
is computed from them holds all that can come of any of their points, in real arithmetic and in
float32.
"""

import torch

U = 2.0**-24  # float32 rounds a number by at most this part of it
SLACK = 1e-6  # half for the error of tanh or sigm itself, half for the products and sums with them
TINY = 1e-12  # far more than what underflow loses
FAR = 10.0  # tanh(10) is 1 - 4e-9: beyond, the size of c makes no difference


def affine(W, b, x, error):
    """W x + b for all x in an interval (..., n): at its centre, give or take its half-width."""
    low, high = x
    centre = (low + high) / 2 @ W.t() + b
    radius = (high - low) / 2 @ W.abs().t() + error
    return centre - radius, centre + radius


def rounding(W, b):
    """How far W x + b in float32 can be from the exact one, for |x| <= 1: a number for each row.

    Of the n products and b, none is rounded more than n + 1 times on its way into the sum, whatever
    the order (Higham 2002, section 3.1). One more is counted here: it has room for the float64 of
    this file, whose errors are a billion times smaller.
    """
    n = W.shape[1] + 2
    return n * U / (1 - n * U) * (W.abs().sum(dim=1) + b.abs()) + TINY


def tanh(z):
    """The interval of tanh, which rises: its ends."""
    low, high = z
    return low.tanh() - SLACK, high.tanh() + SLACK


def sigm(z):
    """The interval of sigm, which rises, too. Not cut at 1: half of SLACK is for equation (5)."""
    low, high = z
    return (low.sigmoid() - SLACK).clamp(min=0), high.sigmoid() + SLACK


def times(x, gate):
    """The interval of x * gate for gate >= 0: the sign of x decides which end of gate counts."""
    low, high = x
    least, most = gate
    return low * torch.where(low < 0, most, least), high * torch.where(high < 0, least, most)


def saturate(c):
    """A larger interval: beyond 10, and below -10, all c are one, since c may grow for ever."""
    low, high = c
    low = torch.where(low < -FAR, -torch.inf, low.clamp(max=FAR))
    high = torch.where(high > FAR, torch.inf, high.clamp(min=-FAR))
    return low, high


# A step of the LSTM, and its answer.


def gates(model, h):
    """Equations (1)-(4) for h (..., H): g, i, f, o, each (..., 10, H), for the ten digits x."""
    D = model.W.shape[1] - model.Wph.shape[1]
    Wx, Wh = model.W[:, :D], model.W[:, D:]
    bounds = affine(Wh, model.b, h, rounding(model.W, model.b))
    low, high = (bound.unsqueeze(-2) + Wx.t() for bound in bounds)  # one-hot x: a column of Wx
    zg, zi, zf, zo = zip(low.chunk(4, dim=-1), high.chunk(4, dim=-1), strict=True)
    return tanh(zg), sigm(zi), sigm(zf), sigm(zo)


def step(model, box):
    """From a box (..., H) to the boxes (..., 10, H), one for each digit that may be read.

    In float32, g i + c f is g i (1 + a) + c f (1 + b), with a and b below 2.1 U, and tanh(c) o has
    one such factor. SLACK on i, f and o covers them, however large c is: no fixed number would.
    """
    h, c = box
    g, i, f, o = gates(model, h)
    new, kept = times(g, i), times([bound.unsqueeze(-2) for bound in c], f)
    c = new[0] + kept[0] - TINY, new[1] + kept[1] + TINY  # (5)
    return times(tanh(c), o), saturate(c)  # (6)


def lead(model, box, d):
    """The least lead, anywhere in the boxes, of logit d over any other one, (7): a number."""
    h, _ = box
    others = [j for j in range(len(model.bp)) if j != d]
    W, b = model.Wph[d] - model.Wph[others], model.bp[d] - model.bp[others]
    error = rounding(model.Wph, model.bp)
    low, _ = affine(W, b, h, error[d] + error[others])
    return low.amin().item()


# Several boxes.


def merge(box):
    """Boxes (10, ..., H) that differ in the digit read first, to one around them: (..., H)."""
    return [(low.amin(dim=0), high.amax(dim=0)) for low, high in box]


def inside(small, large):
    """Whether all of small lies in large. There is no tolerance, and a NaN lies nowhere."""
    return all(
        ((large_low <= low) & (high <= large_high)).all()
        for (low, high), (large_low, large_high) in zip(small, large, strict=True)
    )
