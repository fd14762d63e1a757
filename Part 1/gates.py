"""What study_gates.py needs: streams, and LSTMs whose gates are held or left out.

A stream is a row of digits with bars among them, and the answer is the first digit after the last
bar. So here, and not in palindromes, something has to be forgotten.
"""

import torch
import torch.nn.functional as F

BAR, SYMBOLS = 10, 11  # the symbols of a stream are the digits 0 to 9 and the bar
HELD_FROM = 5  # gates are held from the sixth symbol on


class Streams:
    """Random streams of `length` symbols: a bar, digits, and further bars among them.

    Each symbol after the first is a bar with probability 0.1, but never next to a bar and never at
    the end. An item is `(inputs, target)`: float32 (length, 11), one-hot, and int64 (), the first
    digit after the last bar. `symbols` int64 (total_len, length) holds all symbols, and `since_bar`
    of the same shape how many steps ago the last bar was.
    """

    def __init__(self, length, total_len, seed):
        rng = torch.Generator().manual_seed(seed)
        self.symbols = torch.randint(10, (total_len, length), generator=rng)
        bars = torch.rand(total_len, length, generator=rng) < 0.1
        bars[:, 0], bars[:, 1], bars[:, -1] = True, False, False
        for t in range(2, length):
            bars[:, t] &= ~bars[:, t - 1]
        self.symbols[bars] = BAR
        steps = torch.arange(length).expand(total_len, length)
        last_bar = torch.where(bars, steps, 0).cummax(dim=1).values
        self.since_bar = steps - last_bar
        self.targets = self.symbols.gather(1, last_bar[:, -1:] + 1).squeeze(1)

    def __len__(self):
        """Return how many streams there are."""
        return len(self.symbols)

    def __getitem__(self, index):
        """Return one item, or for a slice or a tensor of indices a batch of them."""
        return F.one_hot(self.symbols[index], SYMBOLS).float(), self.targets[index]


def leave_out(model, gates, bias=None):
    """Make gates of a fresh LSTM constant, in place: no training moves them.

    They lose their dependence on x and h, and nothing else: each cell keeps sigm of the bias with
    which it starts, unless a bias is given.
    """
    free = torch.tensor([float(gate not in gates) for gate in "gifo"], device=model.b.device)
    free = free.repeat_interleave(model.Wph.shape[1])  # (4H,)
    model.W.data *= free[:, None]
    if bias is not None:
        model.b.data[free == 0] = bias
    model.W.register_hook(lambda gradient: gradient * free[:, None])
    model.b.register_hook(lambda gradient: gradient * free)


@torch.no_grad()
def read(model, data, change):
    """Return the LSTM's logits (N, 10) for data, with change(t, gates) in the place of its gates.

    gates are {"g", "i", "f", "o": (N, H)} at symbol t = 0, 1, ...
    """
    x, _ = data[:]
    h, c = x.new_zeros(2, len(x), model.Wph.shape[1])
    for t, x_t in enumerate(x.unbind(dim=1)):
        z = F.linear(torch.cat([x_t, h], dim=1), model.W, model.b)
        g, i, f, o = z.chunk(4, dim=1)
        gates = change(t, {"g": g.tanh(), "i": i.sigmoid(), "f": f.sigmoid(), "o": o.sigmoid()})
        c = gates["g"] * gates["i"] + c * gates["f"]
        h = torch.tanh(c) * gates["o"]
    return F.linear(h, model.Wph, model.bp)


def gates_of(model, data):
    """Return {"i", "f", "o": (N, T, H)}, the gates at each symbol of data."""
    seen = []

    def keep(t, gates):
        seen.append(gates)
        return gates

    read(model, data, keep)
    return {gate: torch.stack([gates[gate] for gates in seen], dim=1) for gate in "ifo"}


def hold(values, since_bar=None):
    """Return a change for read: from the sixth symbol on, gates have values, {gate: (H,)}.

    With since_bar (N, T), values are {gate: (steps, H)}, one for each number of steps.
    """

    def change(t, gates):
        if t < HELD_FROM:
            return gates
        if since_bar is None:
            return gates | values
        return gates | {gate: value[since_bar[:, t]] for gate, value in values.items()}

    return change
