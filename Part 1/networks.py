"""The networks by name: build them, save them, load them."""

from functools import partial

import torch

from common import InputError, load, save_weights
from lstm import LSTM
from rnn import VanillaRNN

MAX_LAG = 100  # of the LSTM that forgets slowly, whatever T is
AT_1 = 40.0  # a bias that holds a gate at 1: in float32, sigm is 1 there and its slope 0


def lstm_with_gates_at_1(input_dim, hidden_dim, output_dim):
    """Return an LSTM whose gates i, f, o stay at 1: c(t) = g(t) + c(t-1), h(t) = tanh(c(t))."""
    model = LSTM(input_dim, hidden_dim, output_dim)
    model.b.data[hidden_dim:] = AT_1
    return model


NETWORKS = {
    "RNN": partial(VanillaRNN, start="uniform"),
    "RNN, orthogonal": partial(VanillaRNN, start="orthogonal"),
    "RNN, identity": partial(VanillaRNN, start="identity"),
    "LSTM": partial(LSTM, max_lag=MAX_LAG),
    "LSTM, bf = 1": partial(LSTM, max_lag=None),
    "LSTM, gates at 1": lstm_with_gates_at_1,
}


def make_network(name, seed, device):
    """Return a fresh network of NETWORKS with one-hot input and 128 units; the seed decides it."""
    torch.manual_seed(seed)
    return NETWORKS[name](10, 128, 10).to(device)


def save_network(path, model):
    """Save the weights of an RNN or LSTM."""
    save_weights(path, model)


def input_size(model):
    """Return how many numbers the RNN or LSTM takes for a digit: 10 (one-hot) or 1."""
    if isinstance(model, VanillaRNN):
        return model.Whx.shape[1]
    return model.W.shape[1] - model.Wph.shape[1]


def load_network(path, device="cpu"):
    """Return the RNN or LSTM whose weights are in the file at path; InputError if there is none.

    The number of units and of the numbers that it takes for a digit follow from the weights.
    """

    def build(weights):
        outputs, hidden = weights["Wph"].shape
        if "Whh" in weights:
            model = VanillaRNN(weights["Whx"].shape[1], hidden, outputs)
        else:
            model = LSTM(weights["W"].shape[1] - hidden, hidden, outputs)
        model.load_state_dict(weights)
        if input_size(model) not in (1, 10) or outputs != 10:
            raise InputError(f"{path}: not a network that reads and predicts digits")
        if not all(w.dtype == torch.float32 and (w.abs() < 1e30).all() for w in weights.values()):
            raise InputError(f"{path}: holds weights that are not float32 or may overflow")
        return model.to(device)

    return load(path, device, build)
