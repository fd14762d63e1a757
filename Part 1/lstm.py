"""The LSTM, written by hand: its eight equations, a loop over time, and their derivatives."""

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

# One pass over the memory each: dy * (1 - y * y), and dy * y * (1 - y).
tanh_backward, sigmoid_backward = torch.ops.aten.tanh_backward, torch.ops.aten.sigmoid_backward
MINUS_1 = torch.tensor(-1.0)  # of a plain number, each call would first make a tensor


def tanh(x):
    """The hyperbolic tangent as 2 sigm(2x) - 1, to 1e-7.

    On CPUs torch.sigmoid is several times as fast as torch.tanh.
    """
    y = (x + x).sigmoid_()
    return torch.add(MINUS_1, y, alpha=2, out=y)


class Recurrence(torch.autograd.Function):
    """Equations (1)-(6) over all steps; the backward pass is written by hand because it is faster.

    `h, c = Recurrence.apply(x, W, b, h, c)` with x (T, D, B), W (4H, D+H), b (4H), h and c (H, B):
    samples are columns, so that each gate is one contiguous block. An h of no rows, (0, B), stands
    for h = 0 and spares its products.
    """

    @staticmethod
    def forward(ctx, x, W, b, h, c):
        """The loop over time."""
        H, b, saved = len(c), b[:, None], []
        for x_t in x:
            xh = torch.cat([x_t, h])
            z = torch.addmm(b, W[:, : len(xh)], xh)
            g, i, f, o = z.chunk(4)
            g += g  # as in tanh above, so that one call of sigmoid serves all four gates
            z.sigmoid_()  # (2), (3), (4)
            torch.add(MINUS_1, g, alpha=2, out=g)  # (1)
            c, c_before = g * i + c * f, c  # (5)
            y = tanh(c)
            h = y * o  # (6)
            saved += [xh, z[H:], g, i, f, o, c_before, y]
        ctx.save_for_backward(W, *saved)
        return h, c

    @staticmethod
    @once_differentiable
    def backward(ctx, dh, dc):
        """The same loop back in time; dh means the derivative of the loss by h, and so on."""
        W, *saved = ctx.saved_tensors
        H, B = dc.shape
        Wx, Wh = W.split([W.shape[1] - H, H], dim=1)
        dW, db, dx = torch.zeros_like(W), W.new_zeros(4 * H), []
        dz = W.new_empty(4 * H, B)  # z is what goes into tanh and sigm of (1)-(4)
        dg, di, df, do = dz.chunk(4)
        difo, dc = dz[H:], dc.clone()
        for n in reversed(range(0, len(saved), 8)):
            xh, ifo, g, i, f, o, c, y = saved[n : n + 8]
            torch.mul(dh, y, out=do)  # (6)
            dc += tanh_backward(dh * o, y)
            torch.mul(dc, i, out=dg)  # (5)
            torch.mul(dc, g, out=di)
            torch.mul(dc, c, out=df)
            dc *= f
            sigmoid_backward(difo, ifo, grad_input=difo)  # (4), (3), (2)
            tanh_backward(dg, g, grad_input=dg)  # (1)
            dW[:, : len(xh)].addmm_(dz, xh.t())
            db += dz.sum(dim=1)
            if n > 0 or ctx.needs_input_grad[3]:
                dh = Wh.t() @ dz
            if ctx.needs_input_grad[0]:
                dx.append(Wx.t() @ dz)
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
        Raises ValueError when x or the state has a wrong shape.
        """
        H = self.Wph.shape[1]
        D = self.W.shape[1] - H
        if x.dim() != 3 or x.shape[1] < 1 or x.shape[2] != D:
            raise ValueError(f"x must be (B, T, {D}) with T >= 1, got {tuple(x.shape)}")
        B = len(x)
        if state and any(s.shape != (B, H) for s in state):
            shapes = [tuple(s.shape) for s in state]
            raise ValueError(f"h and c must be {(B, H)}, got {shapes}")
        h, c = state or (x.new_zeros(B, 0), x.new_zeros(B, H))
        h, c = Recurrence.apply(x.permute(1, 2, 0), self.W, self.b, h.t(), c.t())
        h, c = h.t(), c.t()
        p = linear(h, self.Wph, self.bp)
        return p, (h, c)
