"""Boxes that may be closed. prove.py checks each, so a mistake here cannot make a proof wrong."""

import torch

from intervals import gates, merge, product, saturate, step
from lstm import LSTM


def candidates(model, first):
    """Yield boxes (10, 10, H) that contain the box `first` and may be closed.

    The interval of h starts as that of `first`. Where a step leads out of it, the end that was
    crossed moves outwards by `growth` times the overshoot. With too small a growth the box may
    never become closed, and too large a growth may jump past a closed box: so four are tried.
    """
    for growth, tries in ((1.5, 50), (3, 30), (1.1, 100), (10, 30)):
        h = first[0]
        cells = Cells(model, first[1]) if isinstance(model, LSTM) else None
        for _ in range(tries):
            closed = (h, cells.interval(h)) if cells else (h,)
            yield closed
            after = merge(step(model, closed))
            if cells:
                cells.let_go(closed[1], after[1])
            below, above = (h[0] - after[0][0]).clamp(min=0), (after[0][1] - h[1]).clamp(min=0)
            h = h[0] - growth * below, h[1] + growth * above


class Cells:
    """The candidates for c, one interval for each cell, whatever the last digits are.

    For fixed gates, c = g i + c f has the fixed point g i / (1 - f). The interval spans these fixed
    points and the c of prove.py's stage 1, plus a margin; let_go makes an end infinite.
    """

    def __init__(self, model, c):
        self.model = model
        low, high = c  # (10, 10, H)
        self.least, self.most = low.amin((0, 1)), high.amax((0, 1))

    def interval(self, h):
        """Return the interval of c for this h: (10, 10, H), the same for all last digits."""
        g, i, (f_least, f_most), _ = gates(self.model, h)
        low, high = product(g, i)
        # f may reach 1; then the end is infinite.
        low = low / (1 - torch.where(low < 0, f_most, f_least)).clamp(min=0)
        high = high / (1 - torch.where(high > 0, f_most, f_least)).clamp(min=0)
        low = torch.minimum(low.amin((0, 1, 2)), self.least)
        high = torch.maximum(high.amax((0, 1, 2)), self.most)
        low, high = saturate((low - 1e-4 * (1 + low.abs()), high + 1e-4 * (1 + high.abs())))
        return low.expand_as(h[0]), high.expand_as(h[0])

    def let_go(self, before, after):
        """Set each end that a step crosses to infinity."""
        self.least = torch.where((after[0] < before[0]).any((0, 1)), -torch.inf, self.least)
        self.most = torch.where((after[1] > before[1]).any((0, 1)), torch.inf, self.most)
