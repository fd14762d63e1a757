"""The vanilla RNN of the assignment before this one: the baseline that the LSTM must beat."""

import torch
from torch import nn
from torch.nn.functional import linear


class VanillaRNN(nn.Module):
    """Elman's recurrent network (1990).

    ::

        h(t) = tanh(Whx x(t) + Whh h(t-1) + bh)
        p    = Wph h + bp                          logits, after the last step only

    Weights start uniform in +-1/sqrt(hidden_dim), biases at 0. Such a Whh shrinks h by about
    1/sqrt(3) a step; an orthogonal one keeps its length (Saxe et al. 2014).
    """

    def __init__(self, input_dim, hidden_dim, output_dim, orthogonal=False):
        super().__init__()
        D, H = input_dim, hidden_dim
        self.Whx = nn.Parameter(torch.empty(H, D).uniform_(-(H**-0.5), H**-0.5))
        self.Whh = nn.Parameter(torch.empty(H, H).uniform_(-(H**-0.5), H**-0.5))
        if orthogonal:
            nn.init.orthogonal_(self.Whh)
        self.bh = nn.Parameter(torch.zeros(H))
        self.Wph = nn.Parameter(torch.empty(output_dim, H).uniform_(-(H**-0.5), H**-0.5))
        self.bp = nn.Parameter(torch.zeros(output_dim))

    def forward(self, x, state=None):
        """`logits, h = model(x)`; x: float (B, T, input_dim) with any B and T >= 1.

        logits are (B, output_dim), h is (B, hidden_dim). Without a state, h(0) = 0.
        """
        h = x.new_zeros(len(x), len(self.Whh)) if state is None else state
        for x_t in x.unbind(dim=1):
            h = torch.tanh(linear(x_t, self.Whx) + linear(h, self.Whh, self.bh))
        p = linear(h, self.Wph, self.bp)
        return p, h
