"""The vanilla RNN of the previous assignment: the baseline that the LSTM must beat."""

import torch
import torch.nn.functional as F
from torch import nn

INITS = ("uniform", "scaled", "orthogonal", "identity")


class VanillaRNN(nn.Module):
    """Simple recurrent network (Elman 1990).

    ::

        h(t) = tanh(Whx x(t) + Whh h(t-1) + bh)
        p    = Wph h + bp                          logits, after the last step only

    Weights are initialized uniform in +-1/sqrt(hidden_dim), biases at 0. With init "uniform", Whh
    shrinks a state to about 1/sqrt(3) of its norm; "scaled" multiplies Whh by sqrt(3), "orthogonal"
    only rotates a state (Saxe et al. 2014), and "identity" leaves it as it is (Le et al. 2015).
    Raises ValueError for another init.
    """

    def __init__(self, input_dim, hidden_dim, output_dim, init="uniform"):
        super().__init__()
        D, H = input_dim, hidden_dim
        self.Whx = nn.Parameter(torch.empty(H, D).uniform_(-(H**-0.5), H**-0.5))
        self.Whh = nn.Parameter(torch.empty(H, H).uniform_(-(H**-0.5), H**-0.5))
        if init == "scaled":
            self.Whh.data *= 3**0.5
        elif init == "orthogonal":
            nn.init.orthogonal_(self.Whh)
        elif init == "identity":
            nn.init.eye_(self.Whh)
        elif init != "uniform":
            raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        self.bh = nn.Parameter(torch.zeros(H))
        self.Wph = nn.Parameter(torch.empty(output_dim, H).uniform_(-(H**-0.5), H**-0.5))
        self.bp = nn.Parameter(torch.zeros(output_dim))

    def forward(self, x, state=None):
        """`logits, h = model(x)`; x: float (B, T, input_dim) with any B and T >= 1.

        logits are (B, output_dim), h is (B, hidden_dim). Without a state, h(0) = 0.
        """
        h = x.new_zeros(len(x), len(self.Whh)) if state is None else state
        for x_t in x.unbind(dim=1):
            h = torch.tanh(F.linear(x_t, self.Whx) + F.linear(h, self.Whh, self.bh))
        p = F.linear(h, self.Wph, self.bp)
        return p, h
