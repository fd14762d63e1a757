"""Tests of gates.py: the streams, the interventions, and what is trained and asked."""

import argparse
import csv
import itertools

import torch

import gates
import memory
from conftest import HERE
from dataset import PalindromeDataset
from gates import BAR, Streams, hold
from networks import load_network, make_network


def test_streams_have_bars_where_they_may_and_ask_for_the_first_digit_after_the_last():
    streams = Streams(20, 3000, 5)
    for symbols, since, target in zip(
        streams.symbols.tolist(), streams.since_bar.tolist(), streams.targets.tolist(), strict=True
    ):
        bars = [n for n, symbol in enumerate(symbols) if symbol == BAR]
        assert bars[0] == 0
        assert bars[-1] < 19
        assert all(b - a > 1 for a, b in itertools.pairwise(bars))
        assert target == symbols[bars[-1] + 1]
        assert since == [n - max(bar for bar in bars if bar <= n) for n in range(20)]
    share = (streams.symbols[:, 2:-1] == BAR).double().mean().item()
    assert 0.08 < share < 0.1  # 0.1 of the places that are free
    assert not torch.equal(streams.symbols, Streams(20, 3000, 6).symbols)
    inputs, targets = streams[:2]
    assert torch.equal(inputs.argmax(dim=2), streams.symbols[:2])
    assert torch.equal(targets, streams.targets[:2])


def wild_lstm():
    torch.manual_seed(0)
    model = gates.make_network("lstm", 0, "cpu", input_dim=11, hidden=16)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def naming(digit):
    """An LSTM that answers this digit, whatever it reads."""
    model = wild_lstm()
    model.Wph.data[:], model.bp.data[:] = 0, 0
    model.bp.data[digit] = 1
    return model


def test_a_held_gate_has_its_value_and_the_others_follow_the_equations():
    model, streams = wild_lstm(), Streams(20, 50, 0)
    x, _ = streams[:]
    values = torch.rand(16)
    for name in "ifo":
        seen = gates.gates_of(hold(model, **{name: values}), x)
        torch.testing.assert_close(seen[name], values.expand(50, 20, 16))
        assert all(seen[other].std() > 0.1 for other in "ifo" if other != name)
    now, (h, c) = gates.gates_of(model, x), model(x[:, :7])[1]
    _, (_, nothing_kept) = hold(model, f=0.0)(x[:, 7:8], (h, c))
    _, (_, nothing_new) = hold(model, g=0.0)(x[:, 7:8], (h, c))
    _, (whole_h, whole) = model(x[:, 7:8], (h, c))
    torch.testing.assert_close(nothing_new, now["f"][:, 7] * c)
    torch.testing.assert_close(nothing_kept, whole - nothing_new)
    torch.testing.assert_close(whole_h, whole.tanh() * now["o"][:, 7])


def test_gates_are_held_from_the_sixth_symbol_on_and_by_the_steps_since_the_bar(monkeypatch):
    model, other, streams = wild_lstm(), hold(wild_lstm(), o=0.0), Streams(20, 200, 0)
    x, targets = streams[:]
    _, state = model(x[:, :5])
    right = (other(x[:, 5:], state)[0].argmax(dim=1) == targets).double().mean().item()
    assert gates.share_right(model, streams, other) == right != gates.share_right(model, streams)
    by_step = gates.share_right_by_step
    assert by_step(model, streams, [model] * 20, streams.since_bar) == gates.share_right(
        model, streams
    )
    assert by_step(model, streams, [other] * 20, streams.since_bar) == right
    thens = [naming(n % 10) for n in range(20)]  # so the answer tells which of them read last
    share = (streams.since_bar[:, -1] % 10 == targets).double().mean().item()
    assert by_step(model, streams, thens, streams.since_bar) == share
    held, steps, fit = [], [], Streams(20, 200, 1)
    monkeypatch.setattr(gates, "hold", lambda model, **values: held.append(values) or model)
    monkeypatch.setattr(gates, "share_right_by_step", lambda *inputs: steps.append(inputs[3]))
    gates.held_shares(model, fit, streams)
    late = gates.gates_of(model, fit[:][0])["i"][:, 5:].mean(dim=(0, 1))
    torch.testing.assert_close(held[1], {"i": late})  # the first holds nothing
    own, others = (each.tolist() for each in steps)
    assert own == streams.since_bar.tolist() != others
    assert sorted(own) == sorted(others)


def test_networks_without_gates_are_trained_without_them(monkeypatch, tmp_path):
    calls = []

    def spy(model, train_sets, steps, rate, *, seed):
        calls.append((train_sets[0].symbols, steps, rate, seed))
        for parameter in model.parameters():  # a step: what has no gradient stays
            parameter.grad = None
        x, targets = train_sets[0][:64]
        torch.nn.functional.cross_entropy(model(x)[0], targets).backward()
        for parameter in model.parameters():
            parameter.data -= parameter.grad.sign() * (parameter.grad != 0)
        return model

    monkeypatch.setattr(gates, "train", spy)
    args = argparse.Namespace(out_dir=tmp_path, device="cpu")
    x, _ = Streams(20, 10, 0)[:]
    for name, lacking in gates.LSTMS.items():
        model = gates.on_streams(name, 0.01, 3, args)
        seen = gates.gates_of(model, x)
        assert "".join(gate for gate in "ifo" if (seen[gate] == 1).all()) == lacking
        assert calls[-1][1:] == (1000, 0.01, 3)
    for name, start in gates.RNNS.items():
        before = make_network("rnn", 3, "cpu", 11, max_lag=0, start=start).Whh
        assert (gates.on_streams(name, 0.001, 3, args).Whh - before).abs().max() <= 1
        assert calls[-1][1:] == (4000, 0.001, 3)
    assert all(torch.equal(symbols, Streams(20, 100_000, 3).symbols) for symbols, *_ in calls)


def test_each_row_is_that_of_its_network_and_its_question(monkeypatch, tmp_path, call):
    def three(model, train_sets, steps, rate, **settings):
        return memory_train(model, train_sets, 3, rate, **settings)

    memory_train = memory.train
    monkeypatch.setattr(gates, "train", three)
    monkeypatch.setattr(memory, "train", three)
    monkeypatch.setattr(gates, "N_ASKED", 60)
    call(gates.main, "--seed", 7, "--seeds", 2, "--out_dir", tmp_path)
    rows = list(csv.DictReader((tmp_path / "gates_seeds.csv").read_text().splitlines()))
    found = {(row["network"], row["seed"], row["asked"]): float(row["share"]) for row in rows}
    assert len(found) == len(rows) == 2 * (2 * 5 + 3 * 7 + 16 * 2) + 3 * 3 * 6 + 2
    test, longer = Streams(20, 60, 2), Streams(100, 60, 3)
    for name in "no_f-rate0.01", "RNN,_identity-rate0.001":
        model = load_network(tmp_path / f"{name}-seed8.pth", "cpu", (11,))
        network = name.replace("_", " ").replace("-rate", ", rate ")
        for asked, streams in ("20 symbols", test), ("100 symbols", longer):
            assert found[network, "8", asked] == gates.share_right(model, streams)
    model = load_network(tmp_path / "lstm_40-seed8.pth")
    unseen = PalindromeDataset(39, 100_000, one_hot=True, seed=8).split(0.8)[1]
    share = gates.share_right(model, unseen)
    assert found["palindromes, T = 40", "8", "nothing"] == share
    model = load_network(tmp_path / "lstm_20-seed7.pth")
    share = gates.share_right(model, PalindromeDataset(9, 60, one_hot=True), hold(model, f=0.0))
    assert found["LSTM, T = 20: keeping", "7", "T = 10"] == share
    table = list(csv.DictReader((tmp_path / "gates_held.csv").read_text().splitlines()))
    both = [100 * found["streams, rate 0.01", seed, "f"] for seed in "78"]
    assert table[3]["network"] == "streams, rate 0.01"
    assert table[3]["f"] in (f"{min(both):.0f} to {max(both):.0f}", f"{both[0]:.0f}")
    assert [gates.spread(shares) for shares in ([0.5, 0.2], [0.5], None)] == ["20 to 50", "50", ""]
    assert "no f, rate 0.01," in (tmp_path / "gates_learnt.csv").read_text().replace('"', "")
    assert "T = 20: keeping," in (tmp_path / "gates_cut.csv").read_text().replace('"', "")
    assert (tmp_path / "gates.png").stat().st_size > 10_000


def test_the_report_says_of_the_gates_what_the_tables_hold():
    report = " ".join((HERE.parent / "README.md").read_text(encoding="utf-8").split())

    def shares(column, task, kind="held"):
        text = (HERE / "results" / f"gates_{kind}.csv").read_text()
        rows = csv.DictReader(text.splitlines())
        cells = [row[column] for row in rows if row["network"].startswith(task)]
        return [int(share) for cell in cells for share in cell.split(" to ")]

    def learnt(network):
        return shares("20 symbols", network, "learnt")

    held = shares("all three", "streams")
    assert f"Held gates leave {min(held)} to {max(held)} % right" in report
    assert f"at least {min(shares('mean for the step', 'streams'))} % are right" in report
    assert f"at most {max(shares('of another stream', 'streams'))} %" in report
    assert min(shares("all three", "palindromes")) == 97, "README: they cost three points at most"
    own = learnt("RNN, identity")
    assert f"RNNs with an identity start get {min(own)} to {max(own)} %" in report
    assert {*learnt("no i"), *learnt("no f")} == {100}, "README: they still learn"
    least, most = min(learnt("no o")), max(learnt("f alone") + learnt("no gates"))
    words = f"those that lack o get {least} to 100 %, with f alone or no gate {most} at most"
    assert words in report
