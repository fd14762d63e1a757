"""To which length does each network learn, and why are rate and warm-up of train.py as they are?

    python -m studies.lengths                                              the report's, in seconds
    python -m studies.lengths --only "RNN, warm-up, T = 40" --seed 400     ten other seeds

Rates are chosen on seeds below 20 for each length. A gradient, 200 steps into the training, shows
whether the first of 80 digits still reaches the loss.
"""

from functools import partial
from statistics import mean, median, median_low

import torch
import torch.nn.functional as F

from common import grouped, save_table
from networks import NETWORKS, make_network
from studies.runner import study
from studies.settings import summary
from train import measure_accuracy, palindromes_of, parse_args, settings_of, train

TRAINED = {  # {network: flags of train.py}
    "LSTM": "--model lstm --warmup 0",
    "LSTM, warm-up": "--model lstm",
    "RNN": "--model rnn --warmup 0",
    "RNN, warm-up": "--model rnn --warmup 50",
    "RNN, orthogonal": "--model rnn --rnn_init orthogonal --warmup 0",
    "RNN, orthogonal, warm-up": "--model rnn --rnn_init orthogonal --warmup 50",
}
RATES = [1.5e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3]  # tried
CHOSEN = {  # {network: {T: the rate that best_rate finds}}
    "LSTM": {80: 1e-3},
    "LSTM, warm-up": {10: 1e-3, 20: 1e-3, 40: 2e-3, 80: 2e-3},
    "RNN, orthogonal": {80: 3e-4},
    "RNN, orthogonal, warm-up": {10: 6e-4, 20: 3e-4, 40: 3e-4, 80: 3e-4},
    "RNN, warm-up": {10: 2e-3, 20: 1e-3, 40: 2e-3},
}
TEN, TWENTY = range(300, 310), range(20)  # seeds that report, and that choose
ADAM = partial(torch.optim.Adam, betas=(0.0, 0.99))  # RMSprop with its bias corrected
OPTIMIZERS = {"RMSprop": torch.optim.RMSprop, "Adam": ADAM}


def settings_for(network, T, rates, steps=1000, flags=""):
    """Return the settings of a network at a length; it is trained at each of the rates."""
    args = parse_args(f"{TRAINED[network]} --train_steps {steps} {flags}".split())
    settings = settings_of(args, args.model[0])
    del settings["learning_rate"]
    return settings | {"network": network, "T": T, "rates": rates, "optimizer": "RMSprop"}


CHOOSING, REPORTED = {}, {}
for network, chosen in CHOSEN.items():
    for T, rate in chosen.items():
        seeds = range(10 if network == "RNN, warm-up" else 5)  # its runs differ most
        CHOOSING[f"rates, {network}, T = {T}"] = settings_for(network, T, RATES), seeds
        REPORTED[f"{network}, T = {T}"] = settings_for(network, T, [rate]), TEN
        if T == 80:
            longer = settings_for(network, 80, [rate], 3000)
            REPORTED[f"{network}, T = 80, 3000 steps"] = longer, TEN
GRADIENTS = {}  # at 80 digits
for network, rate, change, changes in (
    ("LSTM, warm-up", 3e-4, "", {}),
    ("LSTM, warm-up", 2e-3, "", {}),
    ("LSTM", 2e-3, "", {}),
    ("LSTM", 2e-3, ", Adam", {"optimizer": "Adam"}),
    ("RNN, orthogonal, warm-up", 3e-4, "", {}),
    ("RNN, orthogonal, warm-up", 2e-3, "", {}),
    ("RNN, orthogonal, warm-up", 2e-3, ", Whh frozen", {"frozen": ["Whh"]}),
    ("RNN, orthogonal, warm-up", 2e-3, ", Whh alone", {"frozen": ["Whx", "bh", "Wph", "bp"]}),
):
    settings = settings_for(network, 80, [rate]) | {"gradient_at": 200} | changes
    GRADIENTS[f"{network}{change}, T = 80 at {rate:g}"] = settings, TEN
LSTM_RATES, RNN_RATES, WIDE = [1e-3, 2e-3, 4e-3], [3e-4, 6e-4, 1e-3, 2e-3], "--num_hidden 256"
DEFAULTS = {  # these and T = 80 in CHOOSING choose the defaults of train.py
    "choice, LSTM, T = 20, warm-up": (settings_for("LSTM, warm-up", 20, LSTM_RATES, 500), TWENTY),
    "choice, RNN, T = 20": (settings_for("RNN", 20, RNN_RATES, 500), TWENTY),
    "choice, RNN, T = 20, warm-up": (settings_for("RNN, warm-up", 20, RNN_RATES, 500), TWENTY),
    "choice, RNN, T = 20, 256 units": (settings_for("RNN", 20, RNN_RATES, 500, flags=WIDE), TWENTY),
}
EXPERIMENTS = CHOOSING | REPORTED | GRADIENTS | DEFAULTS


def seconds(settings):
    """Return about how many seconds a job takes on a core."""
    digits = settings["train_steps"] * settings["T"] * len(settings["rates"])
    return digits * NETWORKS[settings["model"]].seconds


def path_of(model, dataset):
    """Return how the first of T digits reaches the loss, {measure: mean over 256 palindromes}.

    "gradient" is the norm of the loss's gradient with respect to the first digit, divided by that
    for the last; "slope", of an RNN alone, is the derivative of tanh in the last step.
    """
    inputs, targets = dataset[:256]
    logits, state = model(inputs.requires_grad_())
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, targets), inputs)
    first, *_, last = gradient.norm(dim=2).mean(dim=0).tolist()
    slope = {"slope": (1 - state.square()).mean().item()} if torch.is_tensor(state) else {}
    return {"gradient": first / last} | slope


def train_at(settings, rate, seed):
    """Train the network of these settings at a rate; return a row.

    Weights in "frozen" stay as they are. Before the step "gradient_at", path_of is asked.
    """
    train_set, test_set = palindromes_of(settings, settings["T"], seed)
    model = make_network(settings, seed)
    row = {"network": settings["network"], "T": settings["T"], "rate": rate}
    for name in settings.get("frozen", []):
        model.get_parameter(name).requires_grad_(False)

    def watch(step):
        if step == settings.get("gradient_at"):
            row.update(path_of(model, test_set))

    optimizer = OPTIMIZERS[settings["optimizer"]]
    train(settings | {"learning_rate": rate}, model, [train_set], seed, watch, optimizer)
    return row | {"accuracy": measure_accuracy(model, test_set)}


def measure(settings, seed):
    """Train the network of these settings at each of their rates; return a row for each."""
    return [train_at(settings, rate, seed) for rate in settings["rates"]]


def best_rate(means):  # {rate: mean accuracy in %}
    """Return the middle (of two: the lower) of the rates that come within 0.05 % of the best."""
    return median_low(rate for rate in means if means[rate] >= max(means.values()) - 0.05)


def rates_table(rows):
    """Return a row for each network and length: its mean accuracy at each rate, in %."""
    lines = []
    for (network, T), some in grouped(rows, "network", "T").items():
        means = {}
        for (rate,), own in grouped(some, "rate").items():
            means[rate] = 100 * mean(row["accuracy"] for row in own)
        cells = {f"{rate:g}": f"{share:.1f}" for rate, share in means.items()}
        lines.append({"network": network, "T": T} | cells | {"chosen": f"{best_rate(means):g}"})
    return lines


def summary_table(rows, measures=()):
    """Return a row for each experiment and rate, over its seeds: measures as median and range."""
    lines = []
    for (experiment, rate), own in grouped(rows, "experiment", "rate").items():
        line = {"training": experiment, "rate": f"{rate:g}"}
        for measure in measures:
            some = sorted(row[measure] for row in own if measure in row)
            cell = f"{median(some):.3g} ({some[0]:.3g} to {some[-1]:.3g})" if some else ""
            line[f"{measure} after 200 steps"] = cell
        lines.append(line | summary(own))
    return lines


def show(rows, out_dir):
    """Save the tables that have rows."""
    for name, experiments, table in (
        ("lengths_rates", CHOOSING, rates_table),
        ("lengths", REPORTED, summary_table),
        ("gradients", GRADIENTS, partial(summary_table, measures=["gradient", "slope"])),
        ("defaults", DEFAULTS, summary_table),
    ):
        if own := [row for row in rows if row["experiment"] in experiments]:
            save_table(out_dir / f"{name}.csv", table(own))


if __name__ == "__main__":
    study("lengths", __doc__, EXPERIMENTS, measure, show, seconds)
