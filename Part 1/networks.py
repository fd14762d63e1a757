"""The networks by name: build them, load them."""

import torch

from common import load
from lstm import LSTM
from rnn import VanillaRNN

MAX_LAG = 100  # of the LSTM that forgets slowly, whatever T is


def make_network(
    name, seed, device, input_dim=10, hidden=128, max_lag=MAX_LAG, bf=None, start="uniform"
):
    """Return a fresh "rnn" or "lstm" with ten outputs, whose weights the seed decides.

    max_lag is for the LSTM, 0 for bf = 1; a number bf takes its place. start is for the RNN's Whh.
    """
    torch.manual_seed(seed)
    if name == "rnn":
        return VanillaRNN(input_dim, hidden, 10, start=start).to(device)
    model = LSTM(input_dim, hidden, 10, max_lag=max_lag or None)
    if bf is not None:
        model.b.data.chunk(4)[2].fill_(bf)
    return model.to(device)


def input_size(weights):
    """Return how many numbers for a digit a network with this state_dict takes: 10 or 1."""
    _, columns = weights["Whx" if "Whh" in weights else "W"].shape
    return columns if "Whh" in weights else columns - weights["Wph"].shape[1]


def load_network(path, device="cpu", input_dims=(1, 10)):
    """Return the RNN or LSTM whose weights are in the file at path; InputError if there is none.

    It must have ten outputs and take one of input_dims numbers for a digit or symbol.
    """

    def build(weights):
        if not all(torch.is_tensor(w) and w.dtype == torch.float32 for w in weights.values()):
            raise ValueError("weights must be float32")
        if not all((w.abs() < 1e30).all() for w in weights.values()):
            raise ValueError("weights are nan or may overflow")
        _, hidden = weights["Wph"].shape
        inputs = input_size(weights)
        if inputs not in input_dims or hidden == 0:
            raise ValueError(f"not a network of {' or '.join(map(str, input_dims))} inputs")
        model = (VanillaRNN if "Whh" in weights else LSTM)(inputs, hidden, 10)
        model.load_state_dict(weights)
        return model.to(device)

    return load(path, device, build)
