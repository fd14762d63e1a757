"""The networks by name: build, change, save and load them."""

import os
import sys

import torch

from lstm import LSTM
from rnn import VanillaRNN

MAX_LAG = 100  # of the LSTM that forgets slowly, whatever T is


def make_network(name, seed, input_dim=10, hidden=128, max_lag=MAX_LAG, bf=None, start="uniform"):
    """Return a fresh "rnn" or "lstm" with ten outputs, whose weights the seed decides.

    max_lag is for the LSTM, 0 for bf = 1; a number bf takes its place. start is for the RNN's Whh.
    """
    torch.manual_seed(seed)
    if name == "rnn":
        return VanillaRNN(input_dim, hidden, 10, start=start)
    model = LSTM(input_dim, hidden, 10, max_lag=max_lag or None)
    if bf is not None:
        model.b.data.chunk(4)[2].fill_(bf)
    return model


def make_constant(model, gates, g_reads_h=True):
    """Make gates of an LSTM, letters of "ifo", constant in place: no training moves them.

    They no longer read x and h, so each stays sigm of its bias. Without g_reads_h, g reads x alone.
    """
    H = model.Wph.shape[1]
    free = torch.ones_like(model.W)
    for gate, rows in zip("gifo", free.chunk(4), strict=True):
        rows.mul_(gate not in gates)
    if not g_reads_h:
        free[:H, -H:] = 0
    model.W.data *= free
    model.W.register_hook(lambda gradient: gradient * free)
    model.b.register_hook(lambda gradient: gradient * (free[:, 0] > 0))


def save_network(path, model):
    """Save the model's weights beside path, and move them there when they are whole."""
    temporary = path.with_name(f".tmp-{path.name}")
    torch.save(model.state_dict(), temporary)
    os.replace(temporary, path)


def load_network(path, input_dims=(1, 10)):
    """Return the RNN or LSTM whose weights are in a file; exit where there is none.

    It must have ten outputs and take one of input_dims numbers for a digit.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        outputs, hidden = weights["Wph"].shape
        is_rnn = "Whh" in weights
        input_dim = weights["Whx"].shape[1] if is_rnn else weights["W"].shape[1] - hidden
        model = (VanillaRNN if is_rnn else LSTM)(input_dim, hidden, outputs)
        model.load_state_dict(weights)
        if outputs != 10 or input_dim not in input_dims:
            raise ValueError(f"{input_dim} inputs, {outputs} outputs")
    except Exception as error:  # a missing, damaged or foreign file raises many kinds
        sys.exit(f"{path}: holds no network that reads palindromes ({error!r:.200})")
    return model
