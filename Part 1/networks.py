"""The networks by name: fresh ones from a seed, trained ones from their weights."""

import torch

from lstm import LSTM
from rnn import VanillaRNN

NETWORKS = "lstm", "rnn"


def make_network(name, seed, input_dim=10, hidden_dim=128, bf=None, start="uniform"):
    """Return a fresh network with ten outputs, whose weights the seed decides.

    bf is for the LSTM, start for the RNN. Raises ValueError for a name that is not in NETWORKS.
    """
    if name not in NETWORKS:
        raise ValueError(f"name must be one of {', '.join(NETWORKS)}, got {name!r}")
    torch.manual_seed(seed)
    if name == "lstm":
        return LSTM(input_dim, hidden_dim, 10, bf)
    return VanillaRNN(input_dim, hidden_dim, 10, start)


def from_weights(weights, input_dims=(1, 10)):
    """Return the network that has these weights, a state_dict.

    Raises ValueError unless it reads digits as one of input_dims numbers, and has ten outputs.
    """
    outputs, hidden_dim = weights["Wph"].shape
    if "Whx" in weights:
        model = VanillaRNN(weights["Whx"].shape[1], hidden_dim, outputs)
    else:
        model = LSTM(weights["W"].shape[1] - hidden_dim, hidden_dim, outputs)
    model.load_state_dict(weights)
    if outputs != 10 or model.input_dim not in input_dims:
        raise ValueError(f"{model.input_dim} inputs, {outputs} outputs")
    return model
