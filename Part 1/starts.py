"""Fresh networks that start in many ways, and what can be seen of them before the training."""

import torch
from torch import nn

from dataset import encode
from networks import make_network


def fresh(network, start, size, seed):
    """Return a fresh network.

    The bf of an LSTM is `size` ("bf"), log U(1, size) ("lag"), or size for one half of the cells
    and -size for the other ("half"). The Whh of an RNN is size times a start of rnn.py, a
    permutation, random signs on the diagonal, a normal matrix of spectral radius 1, or a shift from
    unit to unit; or the identity on `size` random directions, and uniform elsewhere ("directions").
    """
    if network == "LSTM":
        if start == "lag":
            return make_network("lstm", seed, "cpu", max_lag=size)
        model = make_network("lstm", seed, "cpu", bf=size)
        if start == "half":
            bf = model.b.data.chunk(4)[2]  # a view
            bf[: len(bf) // 2] *= -1
        return model
    plain = start if start in ("orthogonal", "identity") else "uniform"
    model = make_network("rnn", seed, "cpu", start=plain)
    Whh, H = model.Whh.data, len(model.Whh)
    if start == "directions":
        V = nn.init.orthogonal_(torch.empty(H, int(size)))
        elsewhere = torch.eye(H) - V @ V.T
        Whh.copy_(V @ V.T + elsewhere @ Whh @ elsewhere)
        return model
    if start == "permutation":
        Whh.copy_(torch.eye(H)[torch.randperm(H)])
    elif start == "signs":
        Whh.copy_(torch.diag(torch.randn(H).sign()))
    elif start == "gaussian":
        Whh.normal_(std=H**-0.5)
    elif start == "shift":
        Whh.copy_(torch.diag(torch.ones(H - 1), -1))
    Whh.mul_(size)
    return model


@torch.no_grad()
def trace(model, digits):
    """Return the trace of the first digit, the geometric mean over sequences, digits (N, n)."""
    N, n = digits.shape
    logs = []
    for place in 0, n - 1:
        changed = digits.repeat_interleave(10, dim=0)
        changed[:, place] = torch.arange(10).repeat(N)
        _, state = model(encode(changed, one_hot=True).double())
        h = (state if torch.is_tensor(state) else state[0]).view(N, 10, -1)
        apart = torch.cdist(h, h) + 1e9 * torch.eye(10)  # a digit is not compared with itself
        logs.append(apart.amin(dim=(1, 2)).clamp(min=1e-30).log().mean())
    return (logs[0] - logs[1]).exp().item()
