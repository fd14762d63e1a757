"""Tests of study_gates.py and gates.py: streams, changed gates, rows, tables and figure."""

import copy
import itertools

import pytest
import torch

import study_gates
from dataset import PalindromeDataset
from figures import gates_figure
from gates import BAR, Streams, gates_of, hold, read
from networks import make_network
from rows import read_csv, save_csv


def wild_lstm(input_dim=11):
    model = make_network("lstm", 3, "cpu", input_dim, hidden=16)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


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


def test_held_gates_have_their_values_from_the_sixth_symbol_on_and_the_rest_is_the_lstm():
    model, streams = wild_lstm(), Streams(20, 30, 0)
    x, _ = streams[:]
    torch.testing.assert_close(read(model, streams, hold({})), model(x)[0])
    for n, gate in enumerate("gifo"):
        values = torch.rand(20, 16)  # for each number of steps
        raw = values.atanh() if gate == "g" else values.logit()
        then = copy.deepcopy(model)  # a network in which the gate is constant
        then.W.data[16 * n : 16 * n + 16] = 0
        for since_bar in None, streams.since_bar:
            logits = []
            for row in range(30):
                _, state = model(x[row : row + 1, :5])
                for t in range(5, 20):
                    step = 0 if since_bar is None else since_bar[row, t]
                    then.b.data[16 * n : 16 * n + 16] = raw[step]
                    logit, state = then(x[row : row + 1, t : t + 1], state)
                logits.append(logit)
            held = hold({gate: values[0] if since_bar is None else values}, since_bar)
            torch.testing.assert_close(
                read(model, streams, held), torch.cat(logits), rtol=1e-3, atol=1e-3
            )


@pytest.mark.parametrize("name", study_gates.LEFT_OUT)
def test_a_gate_that_is_left_out_stays_where_it_started(monkeypatch, name):
    loop, settings = study_gates.train, {}

    def few(model, train_sets, steps, rate, seed):
        settings.update(steps=steps, rate=rate, seed=seed)
        assert torch.equal(train_sets[0].symbols[:50], Streams(20, 100_000, 7).symbols[:50])
        return loop(model, train_sets, 5, rate, seed=seed)

    monkeypatch.setattr(study_gates, "train", few)
    model, fresh = study_gates.train_on_streams(name, 7, "cpu"), make_network("lstm", 7, "cpu", 11)
    assert settings == {"steps": 1000, "rate": 0.005, "seed": 7}
    bf = fresh.b[256:384].sigmoid()
    assert 0.5 <= bf.min() < bf.max() <= 100 / 101  # slow forgetting
    expected = {"i": torch.full((128,), 0.5), "f": bf, "o": torch.full((128,), 0.5)}
    left_out = {"no i": "i", "no f": "f", "f = 1": "f", "no o": "o", "no gates": "ifo"}.get(
        name, ""
    )
    for gate, values in gates_of(model, Streams(20, 50, 0)).items():
        if gate in left_out:
            value = torch.ones(128) if name == "f = 1" else expected[gate]
            assert torch.equal(values, value.detach().expand(50, 20, 128))
        else:
            assert (values.std(dim=(0, 1)) > 0).all()
    assert (model.W[:128] != fresh.W[:128]).all()  # g learns


@pytest.fixture
def rows(monkeypatch, tmp_path, call):
    """Return the rows of wild networks in the place of trained ones, with two seeds."""
    monkeypatch.setattr(study_gates, "N_ASKED", 300)
    monkeypatch.setattr(study_gates, "train_on_streams", lambda *job: wild_lstm())
    monkeypatch.setattr(study_gates, "train_network", lambda *job: wild_lstm(10))
    only = "--only", "streams", "lstm_20", "last symbol"
    call(study_gates.main, "--seeds", 2, "--jobs", 1, "--out_dir", tmp_path, *only)
    return read_csv(tmp_path / "gates_rows.csv", study_gates.COLUMNS)


def chosen(rows, *cells):
    """Return the rows with this experiment, what is read, and its length."""
    return [row for row in rows if (row["experiment"], row["reads"], row["length"]) == cells]


def test_shares_are_those_with_each_change_and_means_are_of_other_streams_than_those_asked(rows):
    def share(model, data, change):
        return (read(model, data, change).argmax(dim=1) == data[:][1]).double().mean().item()

    model, test = wild_lstm(), Streams(20, 300, 2)
    shares = []
    for fit in Streams(20, 300, 1), test:
        late = {gate: values[:, 5:] for gate, values in gates_of(model, fit).items()}
        means = {gate: values.mean(dim=(0, 1)) for gate, values in late.items()}
        steps = [fit.since_bar[:, 5:] == n for n in range(20)]
        by_step = {g: torch.stack([late[g][step].mean(0) for step in steps]) for g in "ifo"}
        changes = [hold({gate: means[gate]}) for gate in "ifo"] + [hold(means)]
        changes += [hold(by_step, test.since_bar), hold(by_step, test.since_bar.roll(1, 0))]
        shares.append([share(model, test, change) for change in changes])
    assert len(set(shares[0])) == 6  # so no two can be exchanged
    found = {row["change"]: row["share"] for row in chosen(rows, "held", "streams", 20)}
    names = "nothing", "f at 1"  # without a mean
    assert [share for name, share in found.items() if name not in names] == shares[0] != shares[1]
    longer = Streams(100, 300, 2)
    learnt = [row["share"] for row in chosen(rows, "learnt", "streams", 100)]
    assert learnt[0] == (model(longer[:][0])[0].argmax(1) == longer.targets).double().mean()
    model, data = wild_lstm(10), PalindromeDataset(59, 300, one_hot=True, seed=2)
    cut = {row["change"]: row["share"] for row in chosen(rows, "cut", "palindromes", 60)}
    assert cut == {
        "nothing": share(model, data, hold({})),
        "g = 0": share(model, data, hold({"g": torch.zeros(16)})),
        "f = 0": share(model, data, hold({"f": torch.zeros(16)})),
    }


def test_the_figure_shows_the_gates_above_their_own_symbols_and_shares_on_their_own_line(rows):
    strip, held = gates_figure(rows).axes
    names = [label.get_text() for label in strip.get_xticklabels()]
    stream = Streams(20, 1, 0)
    stream.symbols = torch.tensor([[BAR if name == "bar" else int(name) for name in names]])
    for line in strip.lines:
        expected = gates_of(wild_lstm(), stream)[line.get_label()].mean(dim=2).flatten()
        assert [*line.get_xdata()] == [*strip.get_xticks()] == [*range(20)]
        assert [*line.get_ydata()] == pytest.approx(expected.tolist(), abs=1e-5)
    shaded = []
    for patch in strip.patches:  # a rectangle, and before matplotlib 3.9 a polygon
        corners = patch.get_patch_transform().transform(patch.get_path().vertices)
        shaded.append(corners[:, 0].min() + 0.5)
    assert shaded == [step for step, name in enumerate(names) if name == "bar"]

    def shares(reads, change):
        kept = chosen(rows, "held", reads, 20)
        return [100 * row["share"] for row in kept if row["change"] == change]

    labels = [label.get_text() for label in held.get_yticklabels()]
    dots = [[*line.get_xdata()] for line in held.lines if line.get_marker() == "o"]
    assert dict(zip(labels, dots, strict=True)) == {
        **{f"{gate} held at its mean": shares("streams", f"{gate} at its mean") for gate in "iof"},
        "f held at 1: nothing is cleared": shares("streams", "f at 1"),
        "all three held at their means": shares("streams", "all at their means"),
        "all three: their means after a bar": shares("streams", "all, means by step"),
        "the same, but another stream's bars": shares("streams", "all, another stream's"),
    }
    data = Streams(20, 300, 2)
    floor = 100 * (data.symbols[:, -1] == data.targets).double().mean().item()
    assert [floor, floor] in [[*line.get_xdata()] for line in held.lines]


def remade(call, tmp_path, *files):
    """Return {name: bytes} of the tables and rows that come out of files of rows."""
    call(study_gates.main, "--out_dir", tmp_path / "again", "--rows", *files)
    return {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}


def test_tables_span_the_seeds_of_joined_files(rows, call, tmp_path):
    before = (tmp_path / "gates_rows.csv").read_bytes()
    for row in rows:
        row["seed"], row["share"] = "9", row["share"] / 2
    save_csv(tmp_path / "more.csv", rows)
    files = remade(call, tmp_path, tmp_path / "gates_rows.csv", tmp_path / "more.csv")
    assert files["gates_rows.csv"].startswith(before)
    floor = [2 * row["share"] for row in rows if row["network"] == "last symbol"]
    cells = ",".join(f"{50 * share:.0f} to {100 * share:.0f}" for share in floor)
    assert f"last symbol,{cells}\n" in files["gates_learnt.csv"].decode()


def test_rows_that_are_none_are_refused(refuse, tmp_path):
    (tmp_path / "other.csv").write_text("experiment,share\nheld,1\n")
    refuse(study_gates.main, "--rows", "other.csv", words=["other.csv", "network"])
    refuse(study_gates.main, "--only", "lstm_10", words=["--only", "lstm_10"])
