"""What large steps do to the path from the first of 80 digits to the loss, in ten networks each.

It takes fifteen minutes, so it stays in this commit alone: pytest tests/test_path_at_80.py -s
"""

import functools
import statistics

import pytest
import torch
import torch.nn.functional as F

from networks import make_network
from studies.lengths import TEN, settings_for
from train import measure_accuracy, palindromes_of, train

RNN, LSTM = "RNN, orthogonal, warm-up", "LSTM, warm-up"


class TwoRates(torch.optim.RMSprop):
    """RMSprop, but the weights of which slow(weight) is true take 0.15 of each step."""

    def __init__(self, weights, lr, slow):
        weights = [*weights]
        super().__init__(weights, lr=lr)
        self.slow = [weight for weight in weights if slow(weight)]

    @torch.no_grad()
    def step(self):  # noqa: D102
        old = [weight.clone() for weight in self.slow]
        super().step()
        for weight, start in zip(self.slow, old, strict=True):
            weight.copy_(start + 0.15 * (weight - start))


def is_whh(weight):
    """Return whether this is the recurrent matrix of an RNN."""
    return weight.shape == (128, 128)


def gradient_at_first_digit(model, dataset):
    """Return the norm of the loss's gradient for the first digit, relative to that for the last."""
    inputs, targets = dataset[torch.arange(500)]
    inputs.requires_grad_()
    logits, _ = model(inputs)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, targets), inputs)
    norms = gradient.norm(dim=2).mean(dim=0)
    return (norms[0] / norms[-1]).item()


@pytest.mark.parametrize(
    ("network", "rate", "slow", "low", "high"),
    [
        (RNN, 3e-4, None, 1, 100),
        (RNN, 2e-3, None, 0, 1e-3),
        (RNN, 2e-3, is_whh, 1, 100),  # Whh at 0.0003
        (RNN, 2e-3, lambda weight: not is_whh(weight), 0, 1e-3),  # all but Whh at 0.0003
        (LSTM, 3e-4, None, 50, 1000),
        (LSTM, 2e-3, None, 50, 1000),
    ],
)
def test_the_gradient_at_the_first_digit_after_200_of_1000_steps(network, rate, slow, low, high):
    optimizer = functools.partial(TwoRates, slow=slow or (lambda weight: False))
    gradients, shares = [], []
    for seed in TEN:
        settings = settings_for(network, 80, [rate]) | {"learning_rate": rate}
        train_set, test_set = palindromes_of(settings, 80, seed)
        model, stop = make_network(settings, seed), RuntimeError("200 steps are enough")

        def watch(step, model=model, test_set=test_set, stop=stop):
            if step == 200:
                gradients.append(gradient_at_first_digit(model, test_set))
                shares.append(measure_accuracy(model, test_set, 500))
                raise stop

        with pytest.raises(RuntimeError, match="enough"):
            train(settings, model, [train_set], seed, watch, optimizer)
    print(network, rate, [f"{g:.1g}" for g in gradients], f"{statistics.mean(shares):.3f}")
    assert low < statistics.median(gradients) < high


def test_a_slow_whh_alone_does_not_solve_80_digits():
    accuracies = []
    for seed in TEN:
        settings = settings_for(RNN, 80, [2e-3]) | {"learning_rate": 2e-3}
        train_set, test_set = palindromes_of(settings, 80, seed)
        optimizer = functools.partial(TwoRates, slow=is_whh)
        model = make_network(settings, seed)
        train(settings, model, [train_set], seed, optimizer=optimizer)
        accuracies.append(measure_accuracy(model, test_set))
    print([f"{share:.3f}" for share in accuracies], f"{statistics.mean(accuracies):.3f}")
    assert max(accuracies) < 0.999
