"""The networks by name: build them, save them, load them."""

import torch

from common import InputError, load, save, save_weights
from lstm import LSTM
from rnn import VanillaRNN

MAX_LAG = 100  # of the LSTM that forgets slowly, whatever T is


def make_network(name, seed, device, input_dim=10, hidden=128, max_lag=MAX_LAG, start="uniform"):
    """Return a fresh "rnn" or "lstm" with ten outputs, whose weights the seed decides.

    max_lag is for the LSTM, 0 for bf = 1, and start for the RNN's Whh.
    """
    torch.manual_seed(seed)
    if name == "rnn":
        model = VanillaRNN(input_dim, hidden, 10, start=start)
    else:
        model = LSTM(input_dim, hidden, 10, max_lag=max_lag or None)
    return model.to(device)


def input_size(model):
    """Return how many numbers the RNN or LSTM takes for a digit: 10 (one-hot) or 1."""
    if isinstance(model, VanillaRNN):
        return model.Whx.shape[1]
    return model.W.shape[1] - model.Wph.shape[1]


def load_network(path, device="cpu", input_dims=(1, 10)):
    """Return the RNN or LSTM whose weights are in the file at path; InputError if there is none.

    It must have ten outputs and take one of input_dims numbers for a digit or symbol.
    """

    def build(weights):
        outputs, hidden = weights["Wph"].shape
        if "Whh" in weights:
            model = VanillaRNN(weights["Whx"].shape[1], hidden, outputs)
        else:
            model = LSTM(weights["W"].shape[1] - hidden, hidden, outputs)
        model.load_state_dict(weights)
        if input_size(model) not in input_dims or outputs != 10:
            allowed = " or ".join(map(str, input_dims))
            raise InputError(f"{path}: not a network of {allowed} inputs and 10 outputs")
        if not all(w.dtype == torch.float32 and (w.abs() < 1e30).all() for w in weights.values()):
            raise InputError(f"{path}: holds weights that are not float32 or may overflow")
        return model.to(device)

    return load(path, device, build)


def load_or_make(path, settings, make, device="cpu", input_dims=(1, 10)):
    """Return the network in the file at path; make() and save it first, unless that is done.

    The text `settings` is kept beside it; InputError when a network of other settings is there.
    """
    note = path.with_suffix(".txt")
    if not path.exists():
        save(note, lambda file: file.write(settings.encode()))
        save_weights(path, make())
    if not note.exists() or note.read_text() != settings:
        raise InputError(f"{path}: not a network of these settings, {settings}; move it away")
    return load_network(path, device, input_dims)
