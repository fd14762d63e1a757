"""The networks by name: fresh ones from settings and a seed, trained ones from a file.

A network is a class whose constructor takes (input_dim, hidden_dim, output_dim) and then its own
flags, in their order below. It has

    logits, state = model(x, state)    x (B, T, input_dim), logits (B, 10); None starts from zero
    model.Wph, model.bp                the output layer: logits = Wph h + bp

and its initialization draws from torch's global random generator.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import torch

from common import BLUE, ORANGE, finite, load, number, save_state
from lstm import LSTM
from rnn import VanillaRNN


class Network(NamedTuple):
    """What the scripts know of a network by its name."""

    build: type  # the class
    color: str  # its colour in figures
    learning_rate: float  # where none is given
    seconds: float  # core-seconds per digit and training step, roughly
    flags: dict  # {flag of train.py that only this network has: its default}
    hidden: Callable  # hidden(state) -> h (B, H)


NETWORKS = {
    "lstm": Network(LSTM, BLUE, 0.004, 1.4e-3, {"bf": "chrono"}, itemgetter(0)),
    "rnn": Network(VanillaRNN, ORANGE, 0.001, 4e-4, {"rnn_init": "uniform"}, lambda h: h),
}


def forget_bias(text):
    """Return the initial forget-gate bias that --bf says: "chrono" or a number."""
    return text if text == "chrono" else number(float, -99, 99)(text)


forget_bias.__name__ = "chrono or float"  # argparse says "invalid chrono or float value" with it


def make_network(settings, seed):
    """Return a fresh network with ten outputs, whose weights the seed decides.

    The settings are those of train.py, {flag: value}; of these, a network is made from "network",
    a name in NETWORKS, "input_dim", "num_hidden" and its own flags. It keeps them in `made_from`.
    """
    network = NETWORKS[settings["network"]]
    names = "network", "input_dim", "num_hidden", *network.flags
    own = [settings[flag] for flag in network.flags]
    torch.manual_seed(seed)
    model = network.build(settings["input_dim"], settings["num_hidden"], 10, *own)
    model.made_from = {name: settings[name] for name in names}
    return model


def save_network(path, model):
    """Save what a network was made from, and its weights."""
    save_state(path, model.made_from | {"weights": model.state_dict()})


def load_network(path, names=tuple(NETWORKS), one_hot=False):
    """Return the network in a file of save_network.

    Exit in one line unless it is one of names, and reads one-hot digits if it has to.
    """

    def build(content):
        if content["network"] not in names:
            raise ValueError(f"network {content['network']!r} is none of {', '.join(names)}")
        if one_hot and content["input_dim"] != 10:
            raise ValueError("it does not read one-hot digits")
        model = make_network(content, seed=0)
        model.load_state_dict(finite(content["weights"]))
        return model

    return load(path, build)


def hidden(model, state):
    """Return h (B, H) of a state that the network returned."""
    return NETWORKS[model.made_from["network"]].hidden(state)
