"""Tests of studies/settings.py, lengths.py and gates.py: what is trained, what tables say."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from common import ORANGE, read_csv
from conftest import TINY, drawn, trained_by_hand
from dataset import PalindromeDataset
from networks import make_network
from studies import gates, lengths, settings
from studies.runner import RESULTS
from train import measure_accuracy, train

TINY_LENGTHS = lengths.settings_for("RNN, orthogonal", 6, [0.01, 0.02], 20, "Adam") | TINY
ADAM = functools.partial(torch.optim.Adam, betas=(0.0, 0.99))
ORTHOGONAL = {"rnn_init": "orthogonal", "optimizer": ADAM}
PALINDROMES = gates.EXPERIMENTS["palindromes"][0] | TINY | {"T": 6, "bf": 2.0}
STREAMS = gates.EXPERIMENTS["streams"][0] | TINY | {"T": 6, "bf": 2.0, "asked": 50}


def test_the_last_row_is_of_the_network_that_settings_and_seed_say():
    lstm = settings.EXPERIMENTS["lstm"][0] | TINY
    for measure, tiny, name, changed in (
        (settings.measure, lstm | {"input_length": [3, 5]}, "lstm", {}),
        (lengths.measure, TINY_LENGTHS, "rnn", ORTHOGONAL),
        (gates.measure, PALINDROMES, "lstm", {"bf": 2.0}),
    ):
        by_hand, unseen = trained_by_hand(name, [6], 7, **changed)
        assert measure(tiny, 7)[-1]["accuracy"] == measure_accuracy(by_hand, unseen)


@pytest.mark.parametrize(("name", "rates"), [("RMSprop", 10), ("Adam", 1)])
def test_the_first_step_is_as_long_as_so_many_rates(name, rates):
    settings = TINY_LENGTHS | {"train_steps": 1, "learning_rate": 0.001}
    model = make_network(settings, 7)
    before = model.bp.clone()
    optimizer = lengths.OPTIMIZERS[name]
    train(settings, model, [PalindromeDataset(5, 900, True)], 7, optimizer=optimizer)
    assert (model.bp - before).abs().tolist() == pytest.approx([0.001 * rates] * 10, rel=1e-3)


def test_the_figure_draws_how_many_solve_a_length_at_the_chosen_rates():
    rows = [{"network": "RNN", "T": T, "experiment": f"RNN, T = {T}"} for T in (5, 5, 40, 40)]
    for row, accuracy in zip(rows, (1.0, 0.999, 0.998, 1.0), strict=True):
        row["accuracy"] = accuracy
    longer = {"network": "RNN", "T": 80, "experiment": "RNN, T = 80, 3000 steps", "accuracy": 1.0}
    lines = drawn(lengths.lengths_figure([*rows, longer]).axes[0])
    assert lines["RNN"] == (ORANGE, [0, 3], [1, 0.5])
    for row in read_csv(RESULTS / "lengths_rates.csv"):
        assert float(row["chosen"]) == lengths.CHOSEN[row["network"]][int(row["T"])]


def test_streams_have_bars_where_they_may_and_ask_for_the_first_digit_after_the_last():
    inputs, targets = gates.streams(20, 3000, 5)[:]
    assert torch.equal(inputs.sum(dim=2), torch.ones(3000, 20))
    for symbols, target in zip(inputs.argmax(dim=2).tolist(), targets.tolist(), strict=True):
        bars = [n for n, symbol in enumerate(symbols) if symbol == gates.BAR]
        assert bars[0] == 0
        assert all(b - a > 1 for a, b in itertools.pairwise([*bars, 20]))
        assert target == symbols[bars[-1] + 1]
    assert 0.08 < inputs[:, 2:-1, gates.BAR].mean() < 0.1
    assert 0.22 < (inputs[:, 1].argmax(dim=1) == targets).double().mean() < 0.28, "a guess"


@pytest.mark.parametrize(("frozen", "blind"), [("", ""), ("ifo", ""), ("", "g"), ("f", "go")])
def test_frozen_gates_and_blind_lines_stay_so_and_unseen_streams_are_asked(frozen, blind):
    model, unseen = gates.train_lstm(STREAMS | {"frozen": frozen, "blind": blind}, 7)
    torch.testing.assert_close(unseen[:], gates.streams(6, 50, STREAMS["asked_seed"])[:])
    for letter, W, b in zip("gifo", model.W.chunk(4), model.b.chunk(4), strict=True):
        assert W[:, :11].any() == b.ne(2 if letter == "f" else 0).any() == (letter not in frozen)
        assert W[:, 11:].any() == (letter not in frozen + blind)
    if not frozen + blind:
        by_hand = make_network(STREAMS | {"input_dim": 11}, 7)
        train(STREAMS, by_hand, [gates.streams(6, 900, 7)], 7)
        torch.testing.assert_close(model.state_dict(), by_hand.state_dict())


@pytest.mark.parametrize(
    ("experiment", "low", "high", "louder"),
    [
        ("palindromes", 0, 0.2, (5, 50)),
        ("h is read by g alone", 0, 0.2, (5, 50)),
        ("h is read by the gates alone", 0.7, 0.999, (0, 0.8)),
    ],
)
def test_g_repeats_the_first_digit_ever_louder_and_gates_alone_let_it_in_more_than_later_ones(
    experiment, low, high, louder
):
    model, unseen = gates.train_lstm(gates.EXPERIMENTS[experiment][0], 300)
    inputs, targets = unseen[:2000]
    _, (h, c) = model.requires_grad_(False)(inputs[:, :9])
    _, _, f, _ = F.linear(torch.cat([inputs[:, 9], h], dim=1), model.W, model.b).chunk(4, dim=1)
    _, (_, new) = model(inputs[:, 9:10], (h, c))
    write = new - f.sigmoid() * c  # at the tenth digit
    means = torch.stack([write[targets == d].mean(dim=0) for d in range(10)])[targets]
    repeated = means.var(dim=0).sum() / write.var(dim=0).sum()
    assert repeated > (0.8 if high < 0.5 else 0.5), "decided by the first digit"
    _, (_, first) = model(inputs[:, :1])  # all that the first digit writes
    assert louder[0] < write.norm(dim=1).mean() / first.norm(dim=1).mean() < louder[1]
    h = c = torch.zeros(2000, 128)
    for x in inputs.unbind(1):
        mean = h.mean(dim=0).expand_as(h)  # over palindromes, so it says nothing of their digits
        logits, (h, c) = model(x.unsqueeze(1), (mean, c))
    assert measure_accuracy(model, unseen) > 0.999
    assert low < (logits.argmax(dim=1) == targets).double().mean() < high


def test_where_only_the_input_gate_moves_bars_write_the_opposite_of_what_it_reads_in_h():
    settings, _ = gates.EXPERIMENTS["streams, all but i frozen, h is read by i alone"]
    model, unseen = gates.train_lstm(settings, 300)
    inputs, targets = unseen[:]
    symbols = inputs.argmax(dim=2).T  # (T, N)
    f = model.requires_grad_(False).b.chunk(4)[2].sigmoid()
    for blind in True, False:
        h = c = torch.zeros(len(targets), 128)
        old = new = torch.full_like(targets, -1)  # the first digits after the last two bars
        writes, contents = [], []  # of cells at bars
        for x, symbol, after in zip(inputs.unbind(1), symbols, symbols.roll(-1, 0), strict=True):
            bar, before = symbol == gates.BAR, c
            if blind:
                h = torch.where(bar.unsqueeze(1), h[bar].mean(dim=0), h)
            logits, (h, c) = model(x.unsqueeze(1), (h, c))
            writes.append((c - f * before)[bar])
            contents.append(before[bar])
            old, new = torch.where(bar, new, old), torch.where(bar, after, new)
        answers = logits.argmax(dim=1)
        correct = answers == targets
        if blind:
            assert correct.double().mean() < 0.7
            assert (answers == old)[~correct & (old >= 0)].double().mean() > 0.5
        else:
            assert correct.double().mean() > 0.99
            write, content = torch.cat(writes), torch.cat(contents)
            opposite, same = (write[sign * write * content > 0].abs() for sign in (-1, 1))
            assert opposite.mean() > 2 * same.mean()
