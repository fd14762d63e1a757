"""The LSTM, written by hand: its eight equations and a loop over time."""

import torch
from torch import nn


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), equations (1)-(8) of the assignment.

    ::

        g(t) = tanh(x(t) Wgx + h(t-1) Wgh + bg)    (1)  input modulation: what may enter
        i(t) = sigm(x(t) Wix + h(t-1) Wih + bi)    (2)  input gate: how much of it does
        f(t) = sigm(x(t) Wfx + h(t-1) Wfh + bf)    (3)  forget gate: how much of c stays
        o(t) = sigm(x(t) Wox + h(t-1) Woh + bo)    (4)  output gate: how much of c shows
        c(t) = g(t) * i(t) + c(t-1) * f(t)         (5)  cell: the memory
        h(t) = tanh(c(t)) * o(t)                   (6)  hidden state
        p    = h Wph + bp                          (7)  logits, after the last step only
        y    = softmax(p)                          (8)  probabilities

    Equation (8) is not here but in the loss: `cross_entropy` takes logits, and a second softmax
    would flatten its gradient.

    Weights start uniform in +-1/sqrt(hidden_dim) and biases at 0, except those that decide how
    long a fresh cell remembers: bf = 1 (Jozefowicz et al. 2015), so that c halves in about two
    steps and not in one; or, if max_lag is given, the chrono initialisation bf = log U(1, max_lag),
    bi = -bf (Tallec & Ollivier 2018), whose cells remember for 1 to max_lag steps.
    """

    def __init__(self, input_dim, hidden_dim, output_dim, max_lag=None):
        super().__init__()
        D, H = input_dim, hidden_dim
        # One matrix instead of four, in the order g, i, f, o: one product instead of four.
        self.Wx = nn.Parameter(torch.empty(D, 4 * H))
        self.Wh = nn.Parameter(torch.empty(H, 4 * H))
        self.b = nn.Parameter(torch.zeros(4 * H))
        self.Wph = nn.Parameter(torch.empty(H, output_dim))
        self.bp = nn.Parameter(torch.zeros(output_dim))
        for W in (self.Wx, self.Wh, self.Wph):
            nn.init.uniform_(W, -(H**-0.5), H**-0.5)
        _, bi, bf, _ = self.b.data.chunk(4)
        if max_lag is None:
            bf.fill_(1)
        else:
            bf.uniform_(1, max(1, max_lag)).log_()
            bi.copy_(-bf)

    def forward(self, x, state=None):
        """`logits, (h, c) = model(x)`; x: float (B, T, input_dim) with any B and T >= 1.

        logits are (B, output_dim), h and c (B, hidden_dim). Without a state, h(0) = c(0) = 0. To
        read a long sequence in pieces, give each piece the state that the one before it returned.
        """
        B, T, D = x.shape
        H = len(self.Wh)
        h, c = (x.new_zeros(B, H),) * 2 if state is None else state
        # What the inputs add to the gates, for all steps at once.
        x = x.transpose(0, 1).reshape(T * B, D)
        xW = torch.addmm(self.b, x, self.Wx).view(T, B, 4 * H)
        for xW_t in xW.unbind():
            g, ifo = torch.addmm(xW_t, h, self.Wh).split([H, 3 * H], dim=1)
            g = torch.tanh(g)
            i, f, o = torch.sigmoid(ifo).chunk(3, dim=1)
            c = g * i + c * f
            h = torch.tanh(c) * o
        p = h @ self.Wph + self.bp
        return p, (h, c)
