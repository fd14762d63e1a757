"""The LSTM, written by hand: its eight equations, a loop over time, and their derivatives."""

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

# One pass over the memory each: dy * (1 - y * y), and dy * y * (1 - y).
tanh_backward, sigmoid_backward = torch.ops.aten.tanh_backward, torch.ops.aten.sigmoid_backward


def tanh(x):
    """2 sigm(2x) - 1, to 1e-7; on CPUs torch.sigmoid is several times as fast as torch.tanh."""
    y = (x + x).sigmoid_()
    return torch.add(-1, y, alpha=2, out=y)


class Recurrence(torch.autograd.Function):
    """Equations (1)-(6) over all steps; the backward pass is written by hand because it is faster.

    `h, c = Recurrence.apply(x, W, b, h, c)` with x (T, D, B), W (4H, D+H), b (4H), h and c (H, B):
    samples are columns, so that each gate is one contiguous block. An h of no rows, (0, B), stands
    for h = 0 and spares its products.
    """

    @staticmethod
    def forward(ctx, x, W, b, h, c):
        """The loop over time. All steps write into one block of gates and one of inputs."""
        (T, D, B), H, b = x.shape, len(c), b[:, None]
        gates = x.new_empty(T, 4, H, B)
        xh = x.new_empty(T + 1, D + H, B)  # step t reads xh[t] and writes its h into xh[t + 1]
        xh[:T, :D] = x
        xh[0, D : D + len(h)] = h
        inputs = [xh[0, : D + len(h)], *xh[1:T]]
        cells, ys = [c], []
        steps = zip(inputs, gates.flatten(1, 2), *gates.unbind(1), xh[1:, D:], strict=True)
        for xh_t, gifo, g, i, f, o, h in steps:
            torch.addmm(b, W[:, : len(xh_t)], xh_t, out=gifo)
            g += g  # one call of sigmoid serves all gates, as tanh(z) = 2 sigm(2z) - 1
            gifo.sigmoid_()  # (2), (3), (4)
            torch.add(-1, g, alpha=2, out=g)  # (1)
            c = g * i + c * f  # (5)
            y = tanh(c)
            torch.mul(y, o, out=h)  # (6)
            cells.append(c)
            ys.append(y)
        ctx.save_for_backward(W, gates, *inputs, *cells[:-1], *ys)
        return h, c

    @staticmethod
    @once_differentiable
    def backward(ctx, dh, dc):
        """The same loop back in time; dh means the derivative of the loss by h, and so on."""
        W, gates, *saved = ctx.saved_tensors
        T, _, H, B = gates.shape
        D = W.shape[1] - H
        dW, db, dx = torch.zeros_like(W), W.new_zeros(4 * H), []
        dz = W.new_empty(4 * H, B)  # z is what goes into tanh and sigm of (1)-(4)
        dg, di, df, do = dz.chunk(4)
        difo, WhT = dz[H:], W[:, D:].t()
        inputs, cells, ys = saved[:T], saved[T : 2 * T], saved[2 * T :]
        steps = zip(inputs, *gates.unbind(1), gates[:, 1:].flatten(1, 2), cells, ys, strict=True)
        for xh_t, g, i, f, o, ifo, c, y in reversed([*steps]):
            torch.mul(dh, y, out=do)  # (6)
            dc = dc + tanh_backward(dh * o, y)
            torch.mul(dc, i, out=dg)  # (5)
            torch.mul(dc, g, out=di)
            torch.mul(dc, c, out=df)
            dc = dc * f
            sigmoid_backward(difo, ifo, grad_input=difo)  # (4), (3), (2)
            tanh_backward(dg, g, grad_input=dg)  # (1)
            dW[:, : len(xh_t)].addmm_(dz, xh_t.t())
            db += dz.sum(dim=1)
            if len(xh_t) > D:
                dh = WhT @ dz
            if ctx.needs_input_grad[0]:
                dx.append(W[:, :D].t() @ dz)
        dx = torch.stack(dx[::-1]) if dx else None
        return dx, dW, db, dh if ctx.needs_input_grad[3] else None, dc


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), equations (1)-(8) of the assignment.

    ::

        g(t) = tanh(Wgx x(t) + Wgh h(t-1) + bg)    (1)  input modulation: what may enter
        i(t) = sigm(Wix x(t) + Wih h(t-1) + bi)    (2)  input gate: how much of it does
        f(t) = sigm(Wfx x(t) + Wfh h(t-1) + bf)    (3)  forget gate: how much of c stays
        o(t) = sigm(Wox x(t) + Woh h(t-1) + bo)    (4)  output gate: how much of c shows
        c(t) = g(t) * i(t) + c(t-1) * f(t)         (5)  cell: the memory
        h(t) = tanh(c(t)) * o(t)                   (6)  hidden state
        p    = Wph h + bp                          (7)  logits, after the last step only
        y    = softmax(p)                          (8)  probabilities

    The eight matrices of (1)-(4) are blocks of one, W, so that a step takes one product: its rows
    are g, i, f, o, its columns x, h. Equation (8) is not here but in the loss: `cross_entropy`
    takes logits, and a second softmax would flatten its gradient.

    Weights start uniform in +-1/sqrt(hidden_dim) and biases at 0, except those that decide how
    long a fresh cell remembers: bf = 1 (Jozefowicz et al. 2015), so that c halves in about two
    steps and not in one; or, if max_lag is given, the chrono initialisation bf = log U(1, max_lag),
    bi = -bf (Tallec & Ollivier 2018), whose cells remember for 1 to max_lag steps.
    """

    def __init__(self, input_dim, hidden_dim, output_dim, max_lag=None):
        super().__init__()
        D, H = input_dim, hidden_dim
        self.W = nn.Parameter(torch.empty(4 * H, D + H).uniform_(-(H**-0.5), H**-0.5))
        self.b = nn.Parameter(torch.zeros(4 * H))
        self.Wph = nn.Parameter(torch.empty(output_dim, H).uniform_(-(H**-0.5), H**-0.5))
        self.bp = nn.Parameter(torch.zeros(output_dim))
        _, bi, bf, _ = self.b.data.chunk(4)
        if max_lag is None:
            bf.fill_(1)
        else:
            bf.uniform_(1, max_lag).log_()
            bi.copy_(-bf)

    def forward(self, x, state=None):
        """`logits, (h, c) = model(x)`; x: float (B, T, input_dim) with any B and T >= 1.

        logits are (B, output_dim), h and c (B, hidden_dim). Without a state, h(0) = c(0) = 0. To
        read a long sequence in pieces, give each piece the state that the one before it returned.
        """
        B = len(x)
        h, c = state or (x.new_zeros(B, 0), x.new_zeros(B, self.Wph.shape[1]))
        h, c = Recurrence.apply(x.permute(1, 2, 0), self.W, self.b, h.t(), c.t())
        h, c = h.t(), c.t()
        p = linear(h, self.Wph, self.bp)
        return p, (h, c)
