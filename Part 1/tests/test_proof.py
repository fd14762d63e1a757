"""Tests of studies/proof.py: a network that is wrong somewhere is refused, wherever it is."""

from types import SimpleNamespace

import pytest
import torch

from common import HERE, read_csv
from networks import load_network, make_network, save_network
from studies import proof
from studies.proof import OUT, inside, prove, step
from studies.runner import RESULTS

ONE_HOT, U = torch.eye(10), 2.0**-24
PATHS = {name: HERE / f"palindrome_{name}.pth" for name in ("rnn", "lstm")}


def points(*state):
    return torch.cat(state, dim=1).double().expand(2, -1, -1)  # bounds with equal ends


@pytest.mark.parametrize(("spread", "scale"), [(None, 0.3), (None, 30), (0, 0.3), (0.1, 0.3)])
def test_corners_of_bounds_land_within_those_of_a_step(spread, scale, monkeypatch):
    def wrong(function, low):  # by almost 5e-7, as the theorem allows
        return lambda z: (function(z.double()) + 4.7e-7 * z.sin().sign()).clamp(low, 1).float()

    if spread is None:  # a point, and steps in float32
        monkeypatch.setattr(torch, "tanh", wrong(torch.tanh, -1))
        monkeypatch.setattr(torch, "sigmoid", wrong(torch.sigmoid, 0))
    else:  # without the room for float32, small mistakes show
        monkeypatch.setattr(proof, "U", 2.0**-50)
        monkeypatch.setattr(proof, "SLACK", 1e-12)
    dtype = torch.float32 if spread is None else torch.float64
    model = load_network(PATHS["lstm"]).double().requires_grad_(False)
    centre = torch.cat([torch.rand(20, 128) * 2 - 1, 10 * torch.randn(20, 128) ** 5], 1).double()
    width = (spread or 0) * torch.rand_like(centre)
    for parameter in model.parameters():
        parameter.copy_(scale * torch.randn(parameter.shape))
    bounds = step(model, torch.stack([centre - width, centre + width]))
    for _ in range(20):
        corner = (centre + width * torch.randn_like(centre).sign()).to(dtype)
        x = ONE_HOT.to(dtype).repeat(20, 1).unsqueeze(1)
        _, after = model.to(dtype)(x, corner.repeat_interleave(10, dim=0).chunk(2, dim=1))
        assert inside(points(*after), bounds)


@pytest.mark.parametrize(("w", "x", "b"), [(1 + 2 * U, 1 - U, U), (U, 1, 1)])
def test_a_margin_allows_for_the_worst_rounding_of_its_own_and_of_the_other_logits(w, x, b):
    W, inputs = torch.full((5,), U), torch.ones(1, 5)
    W[0], inputs[0, 0] = w, x
    terms = sorted([*(W * inputs[0]), torch.tensor(b)], reverse=True)
    assert sum(terms) == 1, "w x is rounded down to 1, and every further term is rounded away"
    for logits, sign in ([0], 1), ([*range(1, 10)], -1):
        layer = SimpleNamespace(Wph=torch.zeros(10, 5).double(), bp=torch.zeros(10).double())
        layer.Wph[logits], layer.bp[logits] = sign * W.double(), sign * b
        assert proof.margin(layer, points(inputs), 0) <= 1
        layer.Wph[0] = 1e39  # its sum overflows
        assert proof.margin(layer, points(inputs), 0) == -torch.inf


def test_only_invariant_bounds_that_hold_what_was_reached_prove_something(monkeypatch):
    model, zero = load_network(PATHS["rnn"]).double(), torch.zeros(2, 1, 256).double()
    for bounds in zero * torch.nan, zero - 1e-15, zero + 1e-15:  # there is no tolerance
        assert not inside(bounds, zero)
    good, bad = proof.bounds_after(model, 2), zero + 100 * OUT  # so wide that no margin is left
    for n in range(3, 13):
        monkeypatch.setattr(proof, "bounds_after", lambda *_, n=n: [*good[:n], bad, *good[n + 1 :]])
        assert "2" in prove("it", model)[0]["not proved for"]
    monkeypatch.setattr(proof, "margin", lambda model, bounds, d: abs(d - 4))
    assert prove("it", model)[0]["not proved for"] == "4"
    lstm, after = load_network(PATHS["lstm"]).double(), torch.zeros(2, 10, 256).double()
    after[1, 9, 255] = torch.nan  # a step leaves one interval, of a c, with one digit
    monkeypatch.setattr(proof, "step", lambda *_: after)
    assert proof.invariant_bounds(lstm, zero).isnan().all()
    monkeypatch.setattr(proof, "inside", lambda small, _: small is not zero)
    assert proof.invariant_bounds(lstm, zero).isnan().all()


def test_exit_codes_and_the_table_of_the_seeds(call, tmp_path, monkeypatch, capsys):
    model, path = load_network(PATHS["lstm"]).requires_grad_(False), tmp_path / "it.pth"
    flags = "--weights", PATHS["rnn"], path, "--out_dir", tmp_path
    model.W.view(4, 128, 138)[:, 0] = model.W[:, 10] = model.Wph[:, 0] = 0
    model.b.view(4, 128)[:, 0] = torch.tensor([20, -24.6, 20, 20])
    model.W[128, 7], model.Wph[0, 0] = 20, 10  # cell 0 counts sevens, a little each, and means 0
    model.bp[3] -= 9.7
    assert model(ONE_HOT[torch.tensor([[3] + 300 * [7]])])[0].argmax() == 0
    save_network(path, model)
    with pytest.raises(SystemExit, match=r"^1$"):
        call("studies.proof", *flags)
    assert "it.pth,9 of 10,3,-\n" in (tmp_path / "proof.csv").read_text()
    scalar = make_network(model.made_from | {"input_dim": 1}, seed=0)
    model.made_from["network"] = "gru"
    for refused in scalar, model:
        save_network(path, refused)
        with pytest.raises(SystemExit, match=r"^2$"):
            call("studies.proof", *flags)
        assert capsys.readouterr().err.startswith(f"{path}: cannot be used here (")
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    monkeypatch.setattr("studies.memory.train_network", lambda *_: load_network(PATHS["rnn"]))
    call("studies.proof", "--train", 300, *flags[3:])
    made, committed = (read_csv(folder / "proof_seeds.csv") for folder in (tmp_path, RESULTS))
    assert [row["weights"] for row in made] == [row["weights"] for row in committed[::10]]


@pytest.mark.parametrize("name", PATHS)
def test_the_committed_networks_stay_within_their_bounds_table_and_figure(name):
    model, exact = load_network(PATHS[name]).requires_grad_(False), load_network(PATHS[name])
    row, panel = prove(PATHS[name].name, exact)
    assert row in read_csv(RESULTS / "proof.csv")
    (axes,) = proof.proof_figure([panel]).axes
    own, rest = (band.get_paths()[0].vertices for band in axes.collections)
    d, state, others = panel[1], None, torch.arange(10) != panel[1]
    digits = torch.cartesian_prod(torch.tensor([d]), *[torch.arange(10)] * 4)  # (10_000, 5)
    digits = torch.cat([digits, torch.randint(10, (10_000, 8))], dim=1)
    for n, bounds in enumerate(proof.bounds_after(exact, d), start=1):
        logits, state = model(ONE_HOT[digits[:, n - 1 : n]], state)
        states = points(state) if name == "rnn" else points(*state)
        assert inside(states, bounds.repeat_interleave(10_000 // bounds.shape[1], dim=1))
        for band, values in (own, logits[:, d]), (rest, logits[:, others]):
            ends = band[band[:, 0] == n, 1]
            assert ends.min() <= values.min() <= values.max() <= ends.max()
        assert proof.margin(exact, bounds, d) <= (logits[:, d] - logits[:, others].amax(1)).min()
    *_, arrow, text = axes.texts  # the arrow spans the gap after four digits
    assert arrow.xyann[1] - arrow.xy[1] == pytest.approx(float(row["least margin"]), rel=0.02)
    assert f"at least {row['least margin']}\n" in text.get_text()
