"""The networks by name: fresh ones from a seed, trained ones from their weights."""

from typing import NamedTuple

import torch

from common import BLUE, ORANGE
from lstm import LSTM
from rnn import VanillaRNN


class Network(NamedTuple):
    """What the scripts know of a network by its name."""

    build: type  # build(input_dim, hidden_dim, output_dim, *options) -> the network
    color: str  # its colour in figures
    defaults: dict  # {flag of train.py: its value where none is given}
    seconds: float  # of a core, about, for each digit of a training step
    options: tuple = ()  # the flags of train.py that only this network takes


NETWORKS = {
    "lstm": Network(LSTM, BLUE, {"learning_rate": 0.002, "warmup": 50}, 1.1e-3, ("bf",)),
    "rnn": Network(VanillaRNN, ORANGE, {"learning_rate": 0.001, "warmup": 0}, 3e-4, ("rnn_init",)),
}


def make_network(settings, seed):
    """Return a fresh network with ten outputs, whose weights the seed decides.

    The settings are {flag of train.py: value}: model, a name in NETWORKS, input_dim, num_hidden,
    and the options of this network.
    """
    network = NETWORKS[settings["model"]]
    options = [settings[option] for option in network.options]
    torch.manual_seed(seed)
    return network.build(settings["input_dim"], settings["num_hidden"], 10, *options)


def from_weights(weights):
    """Return the network that has these weights, a state_dict.

    Raises ValueError if no network has weights of these names and shapes.
    """
    shapes = {name: weight.shape for name, weight in weights.items()}
    _, hidden_dim = shapes["Wph"]
    for network in NETWORKS.values():
        for input_dim in 1, 10:
            model = network.build(input_dim, hidden_dim, 10)
            if shapes == {name: weight.shape for name, weight in model.state_dict().items()}:
                model.load_state_dict(weights)
                return model
    raise ValueError(f"weights of none of {', '.join(NETWORKS)}")
