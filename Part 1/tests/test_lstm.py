"""Tests of the two networks, lstm.py and rnn.py, and of networks.py."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from conftest import settings_for
from dataset import PalindromeDataset
from lstm import LSTM
from networks import NETWORKS, hidden, load_network, make_network, save_network
from rnn import VanillaRNN


def torch_forward(model, x, states):
    """Return logits and states of torch.nn.LSTM or torch.nn.RNN with the weights of our model."""
    H = model.Wph.shape[1]
    if isinstance(model, LSTM):
        order = [1, 2, 0, 3]  # torch's order is i, f, g, o, and not g, i, f, o
        W, b = (torch.cat([w.split(H)[n] for n in order]) for w in (model.W, model.b))
        network, Wx, Wh = nn.LSTM, W[:, :-H], W[:, -H:]
        state = tuple(states.unsqueeze(1))
    else:
        network, Wx, Wh, b = nn.RNN, model.Whx, model.Whh, model.bh
        state = states
    weights = {"weight_ih_l0": Wx, "weight_hh_l0": Wh, "bias_ih_l0": b, "bias_hh_l0": 0 * b}
    network = network(Wx.shape[1], H, batch_first=True).to(x)
    h, state = functional_call(network, weights, (x, state))
    return F.linear(h[:, -1], model.Wph, model.bp), state


@pytest.mark.parametrize("network", [LSTM, VanillaRNN])
@pytest.mark.parametrize("shape", [(3, 50, 10, 17), (1, 1, 1, 1), (5, 7, 1, 4)])
def test_values_and_gradients_agree_with_torch(network, shape):
    B, T, D, H = shape
    torch.manual_seed(0)
    model = network(D, H, 10).double()
    for parameter in model.parameters():  # biases too: a bias of 0 hides a bias that is left out
        nn.init.normal_(parameter, std=0.5)
    one = network is VanillaRNN  # its state is h alone
    x = torch.randn(B, T, D).double().requires_grad_()
    states = torch.randn(1 if one else 2, B, H).double().requires_grad_()

    def outcome(p, state):
        new = torch.cat([*state]).flatten()
        loss = F.cross_entropy(p, torch.arange(B)) + new.sin().sum()
        return [p, new, *torch.autograd.grad(loss, [x, states, *model.parameters()])]

    expected = outcome(*torch_forward(model, x, states))
    found = outcome(*model(x, states[0] if one else states))
    from_zero, _ = torch_forward(model, x, 0 * states)
    torch.testing.assert_close([*found, model(x)[0]], [*expected, from_zero], rtol=0, atol=1e-10)


def test_biases_are_0_but_an_lstm_forgets_slowly_unless_bf_is_given():
    bg, bi, bf, bo = make_network(settings_for("lstm", "--num_hidden 1000"), 0).b.detach().chunk(4)
    quantiles = bf.exp().quantile(torch.tensor([0, 0.25, 0.5, 0.75, 1])).tolist()
    assert quantiles == pytest.approx([1, 25.75, 50.5, 75.25, 100], abs=5)
    lstm, rnn = (make_network(settings_for(name, "--bf -2"), 0) for name in ("lstm", "rnn"))
    assert not torch.cat([bg, bi, bo, lstm.bp, rnn.bh, rnn.bp]).any()
    assert lstm.b.chunk(4)[2].eq(-2).all()


SHARES = {"rnn": (0, 2e-4), "rnn --rnn_init scaled": (0.3, 1.5)}  # of the last digit's gradient
SHARES |= {"lstm --bf 0": (0, 2e-4), "lstm": (2, 4)}


@pytest.mark.parametrize("flags", SHARES)
def test_at_first_the_gradient_reaches_the_first_digit_only_where_the_memory_lasts(flags):
    (name, _, flags), (low, high) = flags.partition(" "), SHARES[flags]
    for seed in range(300, 310):
        model = make_network(settings_for(name, flags), seed)
        inputs, targets = PalindromeDataset(19, 256, True, seed)[:]
        loss = F.cross_entropy(model(inputs.requires_grad_())[0], targets)
        (gradient,) = torch.autograd.grad(loss, inputs)
        first, *_, last = gradient.norm(dim=2).mean(dim=0).tolist()
        assert low < first / last < high


@pytest.mark.parametrize("name", NETWORKS)
def test_matrices_are_uniform_decided_by_the_seed_and_h_has_one_row_an_item(name):
    settings = settings_for(name, "--num_hidden 100")
    model, other = (make_network(settings, seed).state_dict() for seed in (1, 2))
    for key in (key for key, weight in model.items() if weight.dim() == 2):
        assert not torch.equal(model[key], other[key])
        ends = [end.item() for end in model[key].aminmax()]
        assert ends == pytest.approx([-0.1, 0.1], rel=0.02)  # 1 / sqrt(H), not (D + H)
    model = make_network(settings, 1)
    logits, state = model(torch.randn(3, 5, 10))
    h = hidden(model, state)
    torch.testing.assert_close(F.linear(h, model.Wph, model.bp), logits)


def test_a_file_says_which_network_it_holds_and_others_are_refused_in_a_line(tmp_path):
    path = tmp_path / "it.pth"
    for flags in "lstm --bf -2 --num_hidden 5", "rnn --rnn_init identity --input_dim 1":
        name, _, flags = flags.partition(" ")
        model = make_network(settings_for(name, flags), 3)
        save_network(path, model)
        again = load_network(path)
        assert (type(again), again.made_from) == (NETWORKS[name].build, model.made_from)
        torch.testing.assert_close(again.state_dict(), model.state_dict(), rtol=0, atol=0)
    content = model.made_from | {"weights": model.state_dict()}
    for changed, reason in (
        ({"network": "nobody"}, r"ValueError: network 'nobody' is none of "),
        ({"num_hidden": 7}, "RuntimeError: Error"),
        ({"weights": {**model.state_dict(), "bp": model.bp.data / 0}}, "bp holds NaN or infinity"),
    ):
        torch.save(content | changed, path)
        with pytest.raises(SystemExit, match=f"^{path}: cannot be used here .*{reason}"):
            load_network(path)
    for nothing in [], {}, model.state_dict():
        torch.save(nothing, path)
        with pytest.raises(SystemExit, match=f"^{path}: cannot be used here "):
            load_network(path)
