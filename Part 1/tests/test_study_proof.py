"""Tests of the proof: a network that is wrong somewhere is refused, however well it hides that."""

import csv
import math

import pytest
import torch
from test_intervals import D, random_network

import study_proof
from conftest import HERE
from lstm import LSTM
from networks import load_network
from rnn import VanillaRNN
from study_memory import TRAININGS, train_network


def latches(extra=0):
    """An LSTM made by hand: units 0 to 9 keep the first digit, and the logits show them.

    Unit 10 turns on at the first step and then shuts the input gates of the others; `extra` further
    units do nothing yet.
    """
    H = 11 + extra
    model = LSTM(D, H, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    _, i, _, _ = model.W.split(H)
    bg, bi, _, bo = model.b.split(H)
    bg[:] = bo[:] = bi[10] = 20
    digit = torch.arange(10)
    i[digit, digit] = 40  # opened by its digit, before unit 10 is on, and kept open by itself
    i[:10, D + 10], i[digit, D + digit], bi[:10] = -60, 120, -20
    model.Wph[digit, digit] = 10
    return model


def least_lead(model, d, n):
    """The least lead of d after all sequences of d and n - 1 more digits (or 100,000 of them)."""
    rows = torch.randint(10, (100_000, n))
    if n < 7:
        rows = torch.cartesian_prod(torch.tensor([d]), *[torch.arange(10)] * (n - 1))
    rows[:, 0] = d
    logits, _ = model(torch.eye(D)[rows])
    rest = logits.clone()
    rest[:, d] = -torch.inf
    return (logits[:, d] - rest.amax(dim=1)).min().item()


def is_proved(model, d):
    return all(least > 0 for least in study_proof.prove_digit(model, d))


@pytest.mark.parametrize("network", [VanillaRNN, LSTM])
def test_no_sequence_has_a_lead_below_the_bound(network):
    torch.manual_seed(0)
    model, d = random_network(network, 8, 0.5), 7
    bounds = study_proof.prove_digit(model, d)
    for n in range(4, 10):
        least = least_lead(model, d, n)
        assert least >= bounds[n - 4]
        if n < 6:
            assert least > bounds[n - 4] - 0.1, "the bound is far too low"


# Networks that are wrong somewhere


def chain(weight, wrong_at):
    """Units that are on from the 2nd to the 7th digit on; the logit of 0 shows two."""
    model = latches(6)
    _, i, _, _ = model.W.split(17)
    _, bi, bf, _ = model.b.split(17)
    for n in range(11, 17):
        i[n, D + n - 1], bi[n], bf[n] = 80, -40, -20
    model.Wph[0, 9 + wrong_at], model.Wph[0, 10 + wrong_at] = weight, -weight
    return model


@pytest.mark.parametrize("wrong_at", [4, 5, 6])
def test_a_network_that_is_wrong_at_exactly_one_length_is_refused(wrong_at):
    model = chain(100, wrong_at)
    for n in range(3, 7):
        assert (least_lead(model, 3, n) > 0) == (n != wrong_at)
    leads = study_proof.prove_digit(model, 3)
    assert [least > 0 for least in leads] == [n != wrong_at for n in range(4, 14)]
    assert is_proved(chain(1, wrong_at), 3)


def counter(weight, g):
    """A unit that counts sevens, up or down, and never forgets; the logit of 0 shows it."""
    model = latches(1)
    _, i, _, _ = model.W.split(12)
    bg, bi, bf, _ = model.b.split(12)
    i[11, 7], bi[11], bf[11], bg[11] = 20, -24.6, 20, g
    model.Wph[0, 11] = math.copysign(weight, g)
    return model


@pytest.mark.parametrize("g", [20, -20])
def test_a_network_that_errs_after_hundreds_of_sevens_is_refused_and_a_harmless_one_is_not(g):
    model = counter(12, g)
    sevens = torch.full((300,), 7)
    sevens[0] = 3
    for n, right in (40, True), (300, False):
        logits, _ = model(torch.eye(D)[sevens[:n]].unsqueeze(0))
        assert (logits.argmax().item() == 3) == right
    assert not is_proved(model, 3)
    assert is_proved(counter(5, g), 3)


def test_a_network_that_only_float32_makes_wrong_is_refused():
    """In real arithmetic c of unit 0 rests at 1.02 for ever, since f = 1 - 2^-24 holds it there.

    In float32 that f is 1, and c creeps: after 620,000 zeros the answer is wrong.
    """
    model = LSTM(D, 2, 10).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    model.b[:] = 20
    model.b[2], model.b[4] = 5, 16.6357
    model.W[2, D + 1] = math.log(0.51 * 2**-23) - 5
    model.Wph[1:, 0] = 100
    model.bp[1:] = -100 * math.tanh(1.06)
    zeros = torch.eye(D)[torch.zeros(1, 10_000, dtype=torch.int64)]
    logits, (h, c) = model(zeros)
    assert logits.argmax() == 0
    c[0, 0] = 1.0594  # where it has crept to after 610,000
    logits, _ = model(zeros, (h, c))
    assert logits.argmax() != 0
    assert not is_proved(model, 0)


def test_nothing_is_proved_without_closed_boxes_that_hold_what_was_reached(monkeypatch):
    model, ten = latches(), torch.zeros(2, 10, 22).double()
    monkeypatch.setattr(study_proof, "inside", lambda small, large: small is not ten)
    assert study_proof.closed_boxes(model.double(), ten) is None
    monkeypatch.setattr(study_proof, "closed_boxes", lambda model, ten: None)
    assert not is_proved(model, 3)


# The script


def test_with_two_rows_exchanged_it_exits_with_1_and_names_these_digits(call, tmp_path):
    model = latches()
    model.Wph[[2, 6]] = model.Wph[[6, 2]]
    torch.save(model.state_dict(), tmp_path / "exchanged.pth")
    with pytest.raises(SystemExit) as stop:
        call(study_proof.main, "--weights", tmp_path / "exchanged.pth", "--out_dir", tmp_path)
    assert stop.value.code == 1
    assert "exchanged.pth,8 of 10,2 6,-\n" in (tmp_path / "proof.csv").read_text()


def test_networks_of_each_seed_are_trained_saved_and_proved(call, tmp_path, monkeypatch):
    monkeypatch.setattr(study_proof, "prove_digit", lambda model, d: [1.0])
    for name in "rnn_proof", "lstm_proof":
        monkeypatch.setitem(TRAININGS, name, TRAININGS[name]._replace(steps=2, lengths=(5,)))
    flags = "--train", "--jobs", 1, "--out_dir", tmp_path, "--device", "cpu"
    call(study_proof.main, *flags, "--seed", 3, "--seeds", 2)
    table = csv.DictReader((tmp_path / "proof.csv").read_text().splitlines())
    names = [row["weights"] for row in table]
    assert names == ["rnn-seed3.pth", "rnn-seed4.pth", "lstm-seed3.pth", "lstm-seed4.pth"]
    call(study_proof.main, *flags, "--seed", 4)  # which exits without an error
    for name in names[3], "palindrome_lstm.pth":
        weights = load_network(tmp_path / name).state_dict()
        torch.testing.assert_close(weights, train_network("lstm_proof", 4, "cpu").state_dict())


def test_the_committed_networks_are_proved_as_the_csv_says():
    rows = csv.DictReader((HERE / "results" / "proof.csv").read_text().splitlines())
    for row, name in zip(rows, ["palindrome_rnn.pth", "palindrome_lstm.pth"], strict=True):
        proved = study_proof.prove_file(HERE / name)
        assert proved == row | {"weights": name}
        assert proved["proved"] == "10 of 10"


def test_files_that_hold_no_such_network_are_refused_in_one_line(refuse, tmp_path):
    good = latches().state_dict()
    contents = {
        "good": good,
        "foreign": [1, 2, 3],
        "nan": {**good, "b": good["b"] * torch.nan},
        "huge": {**good, "b": good["b"] + 1e38},  # sums overflow
        "double": {name: w.double() for name, w in good.items()},
        "nine_digits": {**good, "Wph": good["Wph"][:9], "bp": good["bp"][:9]},
        "one_input": {**good, "W": good["W"][:, 9:]},
        "no_bp": {name: w for name, w in good.items() if name != "bp"},
        "flat": {**good, "W": good["W"].flatten()},
        "number": {**good, "W": 1},
        "empty": {**good, "W": good["W"][:, :D], "Wph": good["Wph"][:, :0]},
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "cut").write_bytes((tmp_path / "good").read_bytes()[:-100])
    for name in ["missing", "cut", *list(contents)[1:]]:
        refuse(study_proof.main, "--weights", "good", name, words=[name])
