"""Tests of Part 1: the networks and the palindromes."""

import pytest
import torch
from dataset import PalindromeDataset
from fast_lstm import FastLSTM
from lstm import LSTM
from rnn import VanillaRNN
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, linear
from torch.utils.data import DataLoader

# The networks


def torch_forward(model, x, state):
    """Logits and state from torch.nn.LSTM or torch.nn.RNN with the weights of our model."""
    if isinstance(model, LSTM):
        H = model.Wph.shape[1]
        order = [1, 2, 0, 3]  # torch's gates are i, f, g, o; ours g, i, f, o
        W, b = (torch.cat([w.split(H)[n] for n in order]) for w in (model.W, model.b))
        Wx, Wh = W[:, :-H], W[:, -H:]
        theirs = nn.LSTM(W.shape[1] - H, H, batch_first=True)
        state = tuple(s.unsqueeze(0) for s in state)
    else:
        Wx, Wh, b = model.Whx, model.Whh, model.bh
        theirs = nn.RNN(*Wx.t().shape, batch_first=True)
        state = state.unsqueeze(0)
    weights = {"weight_ih_l0": Wx, "weight_hh_l0": Wh, "bias_ih_l0": b, "bias_hh_l0": 0 * b}
    h, state = functional_call(theirs.to(x), weights, (x, state))
    return linear(h[:, -1], model.Wph, model.bp), state


@pytest.mark.parametrize("network", [LSTM, FastLSTM, VanillaRNN])
@pytest.mark.parametrize("shape", [(3, 50, 10, 17), (1, 1, 1, 1), (5, 7, 1, 4)])
def test_values_and_gradients_agree_with_torch(network, shape):
    B, T, D, H = shape
    torch.manual_seed(0)
    model = network(D, H, 10).double()
    for parameter in model.parameters():  # biases too: a bias of 0 hides a bias that is left out
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    one = network is VanillaRNN  # its state is h alone
    states = [torch.randn(B, H, dtype=torch.float64, requires_grad=True) for _ in "hc"[one:]]

    def outcome(forward):
        p, new = forward(x, states[0] if one else tuple(states))
        new = torch.stack([s.view(B, H) for s in ([new] if one else new)])
        loss = cross_entropy(p, torch.arange(B)) + new.sin().sum()
        return [p, new, *torch.autograd.grad(loss, [x, *states, *model.parameters()])]

    ours = outcome(model)
    theirs = outcome(lambda *inputs: torch_forward(model, *inputs))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_the_derivatives_written_by_hand_are_right_whatever_asks_for_them():
    torch.manual_seed(0)
    model = FastLSTM(3, 2, 4).double()
    names, weights = zip(*model.named_parameters(), strict=True)

    def forward(x, h, c, *weights):
        p, state = functional_call(model, dict(zip(names, weights, strict=True)), (x, (h, c)))
        return p, *state

    shapes = [(5, 4, 3), (5, 2), (5, 2)]
    inputs = [torch.randn(shape, dtype=torch.float64) for shape in shapes] + list(weights)
    for asking in [{n} for n in range(len(inputs))] + [set(range(len(inputs)))]:
        some = [t.detach().requires_grad_(n in asking) for n, t in enumerate(inputs)]
        assert torch.autograd.gradcheck(forward, some), asking


def test_the_backward_pass_leaves_the_gradient_it_is_given():
    x, h, c = torch.zeros(4, 2, 3), *torch.zeros(2, 4, 2)
    dh, dc = torch.ones(2, 4, 2)
    _, new = FastLSTM(3, 2, 4)(x, (h, c))
    torch.autograd.backward(new, (dh, dc))
    assert (dh == 1).all()
    assert (dc == 1).all()


def test_reading_without_gradients_gives_the_same_values_and_leaves_its_inputs():
    torch.manual_seed(0)
    model = FastLSTM(10, 16, 10)
    x, h, c = torch.randn(4, 7, 10), torch.randn(4, 16), torch.randn(4, 16)
    inputs = [t.clone() for t in (x, h, c, *model.parameters())]
    p, state = model(x, (h, c))
    with torch.no_grad():
        again, state_again = model(x, (h, c))
        model(x, state_again)  # must not change a state that was handed out
    assert torch.equal(p, again)
    assert torch.equal(torch.stack(state), torch.stack(state_again))
    for now, before in zip((x, h, c, *model.parameters()), inputs, strict=True):
        assert torch.equal(now, before)


@pytest.mark.parametrize("network", [LSTM, FastLSTM, VanillaRNN])
def test_pieces_equal_the_whole(network):
    model = network(10, 16, 10).double()
    x = torch.randn(4, 23, 10, dtype=torch.float64)
    logits, _ = model(x)
    state = None
    for piece in x.split([1, 15, 7], dim=1):
        in_pieces, state = model(piece, state)
    torch.testing.assert_close(in_pieces, logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [LSTM, FastLSTM])
def test_no_state_is_a_state_of_zeros(network):
    model = network(10, 16, 10).double()
    x = torch.randn(4, 5, 10, dtype=torch.float64)
    zeros = torch.zeros(4, 16, dtype=torch.float64, requires_grad=True)
    without, given = (
        torch.autograd.grad(model(x, state)[0].sin().sum(), model.parameters())
        for state in (None, (zeros, zeros))
    )
    for one, other in zip(without, given, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [LSTM, FastLSTM])
@pytest.mark.parametrize("shape", [(4, 5, 9), (4, 5, 1), (4, 1, 11), (4, 0, 10), (4, 10), ()])
def test_inputs_of_a_wrong_shape_are_refused(network, shape):
    with pytest.raises(ValueError, match=r"x must be \(B, T, 10\)"):
        network(10, 16, 10)(torch.zeros(shape))


@pytest.mark.parametrize("network", [LSTM, FastLSTM])
@pytest.mark.parametrize("shape", [(1, 16), (4, 8), (16, 4)])
def test_a_state_of_a_wrong_shape_is_refused(network, shape):
    good, bad = torch.zeros(4, 16), torch.zeros(shape)
    for state in (good, bad), (bad, good):
        with pytest.raises(ValueError, match=r"h and c must be \(4, 16\)"):
            network(10, 16, 10)(torch.zeros(4, 5, 10), state)


@pytest.mark.parametrize("network", [LSTM, FastLSTM, VanillaRNN])
def test_output_is_logits(network):
    logits, _ = network(10, 16, 10)(torch.randn(64, 5, 10))
    assert not torch.allclose(logits.sum(dim=1), torch.ones(64)), (
        "logits expected, got probabilities: is there a softmax in forward?"
    )


def test_initial_gates():
    torch.manual_seed(0)
    _, bi, bf, _ = LSTM(10, 1000, 10).b.chunk(4)
    assert (bi == 0).all()
    assert (bf == 1).all()
    _, bi, bf, _ = LSTM(10, 1000, 10, max_lag=100).b.chunk(4)
    assert torch.equal(bi, -bf)
    lag = bf.exp()
    assert lag.min() >= 1
    assert 45 < lag.mean() < 56
    assert lag.max() <= 100.001


# The data


@pytest.mark.parametrize("T", [2, 3, 5, 20, 35, 36, 37, 38, 1001])
def test_palindromes_are_distinct_and_read_the_same_both_ways(T):
    dataset = PalindromeDataset(T - 1, 500)
    assert len(dataset) == min(500, 10 ** ((T + 1) // 2))
    assert dataset.digits.shape == (len(dataset), T)
    assert torch.equal(dataset.digits, dataset.digits.flip(1))
    assert len(set(map(bytes, dataset.digits.numpy()))) == len(dataset)
    assert dataset.digits.unique().tolist() == list(range(10))
    if len(dataset) == 500:  # each digit that is free is uniform: 50 of each, give or take 6 sigma
        counts = torch.nn.functional.one_hot(dataset.digits.long()).sum(dim=0)
        assert counts.min() >= 10
        assert counts.max() <= 92


def test_asked_for_more_than_there_are_it_takes_all_and_says_so(capsys):
    digits = PalindromeDataset(4, 100_000).digits.long()
    numbers = digits[:, :3] @ torch.tensor([100, 10, 1])
    assert numbers.sort().values.tolist() == list(range(1000))
    assert "T=5 has only 1,000 palindromes" in capsys.readouterr().out
    with pytest.raises(ValueError, match="at least 1"):
        PalindromeDataset(0, 5)


def test_items_work_in_a_dataloader():
    for one_hot, width in (True, 10), (False, 1):
        dataset = PalindromeDataset(19, 30, one_hot)
        inputs, targets = next(iter(DataLoader(dataset, batch_size=30)))
        assert inputs.shape == (30, 19, width)
        assert inputs.dtype == torch.float32
        assert targets.shape == (30,)
        assert targets.dtype == torch.int64
        value = inputs.argmax(dim=-1) if one_hot else inputs.squeeze(-1).long()
        assert torch.equal(value, dataset.digits[:, :19].long())
        assert torch.equal(targets, value[:, 0]), "the last digit mirrors the first"
        at_once, _ = dataset[torch.arange(30)]
        assert torch.equal(at_once, inputs)


def test_split_has_no_palindrome_on_both_sides():
    dataset = PalindromeDataset(4, 1000)
    train, test = dataset.split(0.8)
    assert (len(train), len(test), len(dataset)) == (800, 200, 1000)
    sides = [set(map(bytes, part.digits.numpy())) for part in (train, test)]
    assert not sides[0] & sides[1]


def test_the_seed_decides_the_palindromes():
    a, b, c = (PalindromeDataset(39, 50, seed=seed).digits for seed in (7, 7, 8))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
