"""What do RNNs know that rest at 20 %? One bit of the first digit, or less.

    python -m studies.plateaus                          the report's, in seconds
    python -m studies.plateaus --seed 400 --seeds 5     five other RNNs, in a minute of a core

The RNNs of Figure 1 at T = 20 are trained again. For each first digit, their answers are counted.
"""

import math

import torch
import torch.nn.functional as F

from common import grouped, save_table
from dataset import PalindromeDataset
from studies.runner import study
from studies.settings import FORTY, RNN
from train import SOLVED, parse_args, settings_of, train_and_test

EXPERIMENTS = {"defaults": (settings_of(parse_args(RNN.split())), FORTY)}
COLUMNS = ("answers", "reread")
ENDS = {"chance": 0.15, "20 %": 0.25, "between": SOLVED, "solved": 2}  # {name: accuracies below}


def measure(settings, seed):
    """Train an RNN as train.py does; return its answers to unseen palindromes, and reread.

    answers are counts [first digit][answer]. reread is the share of right answers of another output
    layer, fitted by least squares to the states after the training palindromes.
    """
    (n,) = settings["input_length"]
    model, _ = train_and_test("rnn", n + 1, seed, settings)
    data = PalindromeDataset(n, settings["data_size"], settings["input_dim"] == 10, seed)
    (known, first), (unseen, right) = (half[:] for half in data.split(settings["portion_train"]))
    with torch.no_grad():
        _, states = model(known)
        logits, ends = model(unseen)
    states, ends = F.pad(states, (0, 1), value=1), F.pad(ends, (0, 1), value=1)  # 1: for the bias
    layer = torch.linalg.lstsq(states.double(), F.one_hot(first, 10).double()).solution
    reread = ((ends.double() @ layer).argmax(dim=1) == right).double().mean().item()
    counts = torch.bincount(10 * right + logits.argmax(dim=1), minlength=100).view(10, 10)
    return [{"answers": counts.tolist(), "reread": reread}]


def bits(answers):
    """Return how many bits the answer tells of the first digit, their mutual information."""
    both = answers / answers.sum()
    apart = both.sum(dim=1, keepdim=True) * both.sum(dim=0)  # as if it told nothing
    return (torch.special.entr(apart).sum() - torch.special.entr(both).sum()).item() / math.log(2)


def plateaus_table(rows):
    """Return a row for all networks that end alike, with ranges over them."""
    networks = []
    for row in rows:
        answers = torch.tensor(row["answers"]).double()
        share = (answers.trace() / answers.sum()).item()
        network = {"ends at": next(end for end, limit in ENDS.items() if share < limit)}
        network |= {"accuracy, %": 100 * share, "read anew, %": 100 * row["reread"]}
        networks.append(network | {"bits": bits(answers)})
    lines = []
    networks.sort(key=lambda network: network["accuracy, %"])
    for (end,), some in grouped(networks, "ends at").items():
        line = {"ends at": end, "networks": len(some)}
        for column in "accuracy, %", "read anew, %", "bits":
            ends = [f"{end(network[column] for network in some):.1f}" for end in (min, max)]
            line[column] = " to ".join(dict.fromkeys(ends))
        lines.append(line)
    return lines


def show(rows, out_dir):
    """Save the table."""
    save_table(out_dir / "plateaus.csv", plateaus_table(rows))


if __name__ == "__main__":
    study("plateaus", __doc__, EXPERIMENTS, COLUMNS, measure, show)
