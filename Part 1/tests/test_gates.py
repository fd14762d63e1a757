"""Tests of gates.py: the streams, the interventions, and what is trained and asked."""

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
    model = make_network("lstm", 0, "cpu", input_dim=11, hidden=16)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
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
    model, other = wild_lstm(), hold(wild_lstm(), g=0.0, f=1.0)  # which keeps what it is given
    streams = Streams(20, 200, 0)
    x, targets = streams[:]
    _, state = model(x[:, :5])
    right = (other(x[:, 5:], state)[0].argmax(dim=1) == targets).double().mean().item()
    assert gates.share_right(model, streams, other) == right
    by_step, free = gates.share_right_by_step, gates.share_right(model, streams)
    assert by_step(model, streams, [model] * 20, streams.since_bar) == free
    thens = [wild_lstm() for _ in range(20)]
    for n, then in enumerate(thens):
        then.bp.data[n % 10] = 1000  # so the answer tells which of them read last
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


def test_each_row_is_that_of_its_network_and_its_question(monkeypatch, tmp_path, call):
    trainings, loop = [], memory.train

    def three(model, train_sets, steps, rate, *, seed, **settings):
        if isinstance(train_sets[0], Streams):
            trainings.append((steps, rate, seed))
            assert torch.equal(train_sets[0].symbols, Streams(20, 100_000, seed).symbols)
        return loop(model, train_sets, 3, rate, seed=seed, **settings)

    def saved(name, rate):
        file = f"{name.replace(' ', '_')}-rate{rate}-seed8.pth"
        return load_network(tmp_path / file, input_dims=(11,))

    monkeypatch.setattr(gates, "train", three)
    monkeypatch.setattr(memory, "train", three)
    monkeypatch.setattr(gates, "N_ASKED", 60)
    call(gates.main, "--seed", 7, "--seeds", 2, "--out_dir", tmp_path)
    for n, seed in (0, 7), (16, 8):
        assert trainings[n : n + 6] == [(1000, 0.003, seed)] * 6
        assert trainings[n + 6 : n + 16] == [(1000, 0.01, seed)] * 7 + [(4000, 0.001, seed)] * 3
    test, longer = Streams(20, 60, 2), Streams(100, 60, 3)
    for name, lacking in gates.LSTMS.items():
        seen = gates.gates_of(saved(name, 0.01), test[:][0])
        assert "".join(gate for gate in "ifo" if (seen[gate] == 1).all()) == lacking
    for name, start in gates.RNNS.items():
        before = make_network("rnn", 8, "cpu", 11, start=start).Whh
        assert (saved(name, 0.001).Whh - before).abs().max() < 0.1  # three steps change it less

    rows = list(csv.DictReader((tmp_path / "gates_seeds.csv").read_text().splitlines()))
    found = {(row["network"], row["seed"], row["asked"]): float(row["share"]) for row in rows}
    assert len(found) == len(rows) == 2 * (2 * 5 + 3 * 7 + 16 * 2) + 3 * 3 * 6 + 2
    for name, rate in ("no f", 0.01), ("RNN, identity", 0.001):
        for asked, streams in ("20 symbols", test), ("100 symbols", longer):
            share = gates.share_right(saved(name, rate), streams)
            assert found[f"{name}, rate {rate}", "8", asked] == share
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

    def shares(column, network, kind="held"):
        rows = csv.DictReader((HERE / "results" / f"gates_{kind}.csv").read_text().splitlines())
        cells = [row[column] for row in rows if row["network"].startswith(network)]
        return sorted(int(share) for cell in cells for share in cell.split(" to "))

    held, i, o = (shares(gate, "streams") for gate in ("all three", "i", "o"))
    assert f"Holding all leaves {held[0]} to {held[-1]} % right, only i {i[0]} to" in report
    assert f"{i[-1]} %, only o {o[0]} to {o[-1]} %" in report
    assert f"leave at least {shares('mean for the step', 'streams')[0]} %" in report
    assert f"at most {shares('of another stream', 'streams')[-1]} %" in report
    assert shares("all three", "palindromes")[0] == 97, "README: they cost three points at most"
    learnt = {name: shares("20 symbols", name, "learnt") for name in gates.LSTMS}
    most = max(learnt["f alone"] + learnt["no gates"])
    assert {*learnt["no i"], *learnt["no f"]} == {100}, "README: they reach 100 %"
    words = f"without o {learnt['no o'][0]} to 100 %, with f alone or no gate {most} % at most"
    assert words in report
