"""The LSTM, written by hand: equations (1)-(8) of the assignment and a loop over time."""

import torch
import torch.nn.functional as F
from torch import nn


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    ::

        g(t) = tanh(Wgx x(t) + Wgh h(t-1) + bg)    (1)  input modulation: what may enter c
        i(t) = sigm(Wix x(t) + Wih h(t-1) + bi)    (2)  input gate: the share of g that enters
        f(t) = sigm(Wfx x(t) + Wfh h(t-1) + bf)    (3)  forget gate: the share of c that stays
        o(t) = sigm(Wox x(t) + Woh h(t-1) + bo)    (4)  output gate: the share of tanh(c) in h
        c(t) = g(t) * i(t) + c(t-1) * f(t)         (5)  cell: the memory
        h(t) = tanh(c(t)) * o(t)                   (6)  hidden state
        p    = Wph h + bp                          (7)  logits, after the last step only
        y    = softmax(p)                          (8)  probabilities

    The eight matrices of (1)-(4) are stacked in one matrix W, so that a step needs one product. The
    rows of W are those of g, i, f, o, its columns those of x, h. Equation (8) is part of the loss:
    `cross_entropy` applies softmax itself; a second softmax would flatten the gradient.

    Weights are initialized uniform in +-1/sqrt(hidden_dim), biases at 0 except bf. In a step, a
    cell keeps the share f = sigm(bf) of its content: it remembers for about 1 / (1 - f) steps. With
    bf "chrono", the cells forget slowly: bf = log U(1, 100), a random number for each cell, gives 2
    to 101 steps (Tallec & Ollivier 2018, but with bi = 0). A number is the bf of every cell: with 1
    (Jozefowicz et al. 2015), a cell remembers for 3.7 steps.
    """

    def __init__(self, input_dim, hidden_dim, output_dim, bf="chrono"):
        super().__init__()
        D, H = input_dim, hidden_dim
        self.W = nn.Parameter(torch.empty(4 * H, D + H).uniform_(-(H**-0.5), H**-0.5))
        self.b = nn.Parameter(torch.zeros(4 * H))
        self.Wph = nn.Parameter(torch.empty(output_dim, H).uniform_(-(H**-0.5), H**-0.5))
        self.bp = nn.Parameter(torch.zeros(output_dim))
        forget = self.b.data.chunk(4)[2]  # a view: what fills it fills b
        if bf == "chrono":
            forget.uniform_(1, 100).log_()
        else:
            forget.fill_(bf)

    def forward(self, x, state=None):
        """`logits, (h, c) = model(x)`; x: float (B, T, input_dim) with any B and T >= 1.

        logits are (B, output_dim), h and c (B, hidden_dim). Without a state, h(0) = c(0) = 0. To
        read a long sequence in pieces, give each piece the state that the one before it returned.
        """
        h, c = x.new_zeros(2, len(x), self.Wph.shape[1]) if state is None else state
        for x_t in x.unbind(dim=1):  # (B, D)
            z = F.linear(torch.cat([x_t, h], dim=1), self.W, self.b)  # (B, 4H)
            zg, zi, zf, zo = z.chunk(4, dim=1)  # (B, H) each, like all that follow
            g = torch.tanh(zg)  # (1)
            i = torch.sigmoid(zi)  # (2)
            f = torch.sigmoid(zf)  # (3)
            o = torch.sigmoid(zo)  # (4)
            c = g * i + c * f  # (5)
            h = torch.tanh(c) * o  # (6)
        p = F.linear(h, self.Wph, self.bp)  # (7)
        return p, (h, c)
