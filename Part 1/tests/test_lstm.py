"""Tests of the two networks, lstm.py and rnn.py, and of networks.py."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from lstm import LSTM
from networks import make_network
from rnn import VanillaRNN


def torch_forward(model, x, state):
    """Return logits and state of torch.nn.LSTM or torch.nn.RNN with the weights of our model."""
    if isinstance(model, LSTM):
        H = model.Wph.shape[1]
        order = [1, 2, 0, 3]  # torch's order is i, f, g, o, and not g, i, f, o
        W, b = (torch.cat([w.split(H)[n] for n in order]) for w in (model.W, model.b))
        Wx, Wh = W[:, :-H], W[:, -H:]
        network = nn.LSTM(W.shape[1] - H, H, batch_first=True)
        state = tuple(s.unsqueeze(0) for s in state)
    else:
        Wx, Wh, b = model.Whx, model.Whh, model.bh
        network = nn.RNN(*Wx.T.shape, batch_first=True)
        state = state.unsqueeze(0)
    weights = {"weight_ih_l0": Wx, "weight_hh_l0": Wh, "bias_ih_l0": b, "bias_hh_l0": 0 * b}
    h, state = functional_call(network.to(x), weights, (x, state))
    return F.linear(h[:, -1], model.Wph, model.bp), state


@pytest.mark.parametrize("network", [LSTM, VanillaRNN])
@pytest.mark.parametrize("shape", [(3, 50, 10, 17), (1, 1, 1, 1), (5, 7, 1, 4)])
def test_values_and_gradients_agree_with_torch(network, shape):
    B, T, D, H = shape
    torch.manual_seed(0)
    model = network(D, H, 10).double()
    for parameter in model.parameters():  # biases too: a bias of 0 hides a bias that is left out
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    one = network is VanillaRNN  # its state is h alone
    states = torch.randn(1 if one else 2, B, H, dtype=torch.float64, requires_grad=True)

    def outcome(forward):
        p, new = forward(x, states[0] if one else states)
        new = torch.stack([s.view(B, H) for s in ([new] if one else new)])
        loss = F.cross_entropy(p, torch.arange(B)) + new.sin().sum()
        return [p, new, *torch.autograd.grad(loss, [x, states, *model.parameters()])]

    expected = outcome(lambda *inputs: torch_forward(model, *inputs))
    for a, b in zip(outcome(model), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
    zeros = torch.zeros_like(states)
    from_zero, _ = torch_forward(model, x, zeros[0] if one else zeros)
    torch.testing.assert_close(model(x)[0], from_zero, rtol=0, atol=1e-10)


def test_an_lstm_forgets_slowly_unless_bf_is_given():
    bg, bi, bf, bo = make_network("lstm", 0, hidden_dim=1000).b.detach().chunk(4)
    u = bf.exp().double()
    quartiles = u.quantile(torch.tensor([0.25, 0.5, 0.75]).double()).tolist()
    assert 1 <= u.min() <= u.max() <= 100.001
    assert quartiles == pytest.approx([25.75, 50.5, 75.25], abs=5)
    assert not torch.cat([bg, bi, bo]).any()
    for value in -2.0, 0.0:
        _, _, bf, _ = make_network("lstm", 0, bf=value).b.chunk(4)
        assert bf.eq(value).all()


def test_an_unknown_network_or_start_is_refused():
    with pytest.raises(ValueError, match="must be one of lstm, rnn, got 'gru'"):
        make_network("gru", 0)
    with pytest.raises(ValueError, match="got 'zeros'"):
        make_network("rnn", 0, start="zeros")
