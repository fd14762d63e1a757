"""The vanilla RNN of the assignment before this one: the baseline that the LSTM must beat."""

import torch
from torch import nn


class VanillaRNN(nn.Module):
    """Elman's recurrent network (1990).

    ::

        h(t) = tanh(x(t) Whx + h(t-1) Whh + bh)
        p    = h Wph + bp                          logits, after the last step only

    Weights start uniform in +-1/sqrt(hidden_dim), biases at 0.
    """

    def __init__(self, input_dim, hidden_dim, output_dim):
        super().__init__()
        D, H = input_dim, hidden_dim
        self.Whx = nn.Parameter(torch.empty(D, H))
        self.Whh = nn.Parameter(torch.empty(H, H))
        self.bh = nn.Parameter(torch.zeros(H))
        self.Wph = nn.Parameter(torch.empty(H, output_dim))
        self.bp = nn.Parameter(torch.zeros(output_dim))
        for W in (self.Whx, self.Whh, self.Wph):
            nn.init.uniform_(W, -(H**-0.5), H**-0.5)

    def forward(self, x, state=None):
        """`logits, h = model(x)`; x: float (B, T, input_dim) with any B and T >= 1.

        logits are (B, output_dim), h is (B, hidden_dim). Without a state, h(0) = 0.
        """
        B, T, D = x.shape
        H = len(self.Whh)
        h = x.new_zeros(B, H) if state is None else state
        # What the inputs add, for all steps at once.
        x = x.transpose(0, 1).reshape(T * B, D)
        xW = torch.addmm(self.bh, x, self.Whx).view(T, B, H)
        for xW_t in xW.unbind():
            h = torch.tanh(torch.addmm(xW_t, h, self.Whh))
        p = h @ self.Wph + self.bp
        return p, h
