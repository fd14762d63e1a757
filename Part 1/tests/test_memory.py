"""Tests of studies/memory.py: a clock is told from a memory that stands."""

import math

import pytest
import torch

from common import BLUE, ORANGE
from conftest import drawn
from dataset import PalindromeDataset, encode
from networks import make_network
from studies import memory
from studies.memory import LSTM_TRAINING, PANELS, RNN_TRAINING, SETTINGS, SHOWN, describe, examine
from train import train

TINY = {"hidden_dim": 16, "lengths": [5, 7], "size": 90, "portion_train": 0.7, "steps": 4}
TINY |= {"rate": 0.02, "decay": False, "batch_size": 7, "max_norm": 0.1}


class Clock(torch.nn.Module):
    """Keeps a first digit as one of ten directions, and turns it with each further digit.

    It is right at one length. Digits 0 to 4 are kept in the plane of 5 to 9 or, with a low_angle,
    in a second one. With each digit the hand is multiplied by `length`. Its axis is not at 0.
    """

    def __init__(self, angle, low_angle=None, length=1.0, right_at=20):
        super().__init__()
        self.digits = torch.zeros(10, 2, dtype=torch.cfloat)
        self.digits[:, 1] = torch.polar(torch.ones(10), torch.arange(10) * math.pi / 5)
        if low_angle:
            self.digits[:5] = self.digits[:5].flip(1)
        angles = torch.deg2rad(torch.tensor([low_angle or angle, angle]))
        self.turn = torch.polar(torch.full((2,), length), angles)
        read = self.digits * torch.polar(torch.ones(2), (right_at - 2) * angles)
        self.Wph = torch.view_as_real(read).flatten(1)
        self.bp = -self.Wph.sum(dim=1)

    def forward(self, x, state=None):
        """Return logits and state."""
        if state is None:
            hands = self.digits[x[:, 0].argmax(dim=1)]
        else:
            hands = self.turn * torch.view_as_complex(state.unflatten(1, (2, 2)) - 1)
        state = torch.view_as_real(hands).flatten(1) + 1
        return state @ self.Wph.T + self.bp, state


def rows_of(clock, experiment="RNN, T = 20", seed=300):
    """Return the rows of a Clock, as if it were the network of this experiment and seed."""
    job = {"experiment": experiment, "seed": seed}
    return [job | row for row in examine(clock, SETTINGS[experiment])]


def test_a_clock_is_right_again_when_it_is_turned_back_by_as_many_digits():
    rows = rows_of(Clock(108), "RNN, T = 10, 20, 30, 40")
    (clock,), (still,) = describe(rows), describe(rows_of(Clock(0)))
    assert (clock["knows"], clock["memory"]) == ("all ten", "turns")
    assert (still["knows"], still["memory"]) == ("all ten", "stands")
    values = clock["values"]
    for T in SHOWN:
        assert values["own", T] == (T % 10 == 0)
        assert values["undone", T] == still["values"]["own", T] == 1
    assert values["one too many", 21] == 0
    angles = [row["value"] for row in rows if row["what"] == "angle"]
    assert angles == pytest.approx([108], abs=0.01)


def test_other_clocks_are_told_from_it():
    values = describe(rows_of(Clock(108, right_at=19)))[0]["values"]
    assert (values["undone", 21], values["one too many", 21]) == (0, 1)
    kinds = (108, 0.983), (108, 0.979), (3, 1.0)
    memories = [describe(rows_of(Clock(a, length=size)))[0]["memory"] for a, size in kinds]
    assert memories == ["turns", "stands", "stands"], "a clock lasts, and turns by 5 degrees"
    values = describe(rows_of(Clock(108, low_angle=36)))[0]["values"]
    assert values["undone", 21] < 0.5, "who saw 0 to 4 knows nothing of 108 degrees"
    values = describe(rows_of(Clock(108, low_angle=360)))[0]["values"]  # 0 to 4 are always right
    assert (values["own", 21], values["own", 20]) == (0, 1)


@pytest.mark.parametrize("training", [RNN_TRAINING, LSTM_TRAINING], ids=["rnn", "lstm"])
def test_a_network_is_trained_as_its_settings_say_and_its_own_answers_are_counted(training):
    settings = training | TINY | {"start": "identity", "bf": 2.0}
    seen = SETTINGS["RNN, identity"] | settings | {"asked_seed": 3, "asked": 40, "asked_at": [9]}
    digits = torch.randint(10, (80, 100), generator=torch.Generator().manual_seed(3))
    asked = digits[40:]
    sets = [PalindromeDataset(n, 90, True, 7).split(0.7)[0] for n in (4, 6)]
    plain = make_network(training["network"], 7, hidden_dim=16, bf=2.0, start="identity")
    train(plain, sets, 4, 0.02, decay=False, batch_size=7, max_norm=0.1, seed=7)
    model = memory.train_network(settings, 7)
    torch.testing.assert_close(model.state_dict(), plain.state_dict())
    values = {(row["what"], row["T"]): row["value"] for row in memory.measure(seen, 7)}
    for what, T, some in ("own, all digits", 20, asked), ("own", 9, asked[asked[:, 0] > 4]):
        logits, _ = model(encode(some[:, : T - 1], one_hot=True))
        assert values[what, T] == (logits.argmax(dim=1) == some[:, 0]).double().mean()


def test_the_figure_shows_the_first_networks_that_know_all_ten(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(memory, "save_figure", lambda path, figure, rows: figures.append(figure))
    rows = rows_of(Clock(108, right_at=19)) + rows_of(Clock(36), seed=301)
    rows += rows_of(Clock(72), seed=302) + rows_of(Clock(120), PANELS[1])
    memory.show(rows, tmp_path)
    assert not figures, "a panel has no rows"
    memory.show(rows + rows_of(Clock(0), PANELS[2]), tmp_path)
    cases = (
        (PANELS[0], ORANGE, 10, "10, 20, 30, 40, 50, 60"),
        (PANELS[1], ORANGE, 3, "11, 14, 17, 20, 23, 26, 29, 32, ..."),
        (PANELS[2], BLUE, 1, "10 to 60"),
    )
    for axes, (name, color, period, where) in zip(figures[0].axes, cases, strict=True):
        lines = {"own": (color, SHOWN, [100 * ((T - 20) % period == 0) for T in SHOWN])}
        if color == ORANGE:
            lines["undone"] = "#000000", SHOWN, [100] * len(SHOWN)
        assert {label: line for label, line in drawn(axes).items() if label[0] != "_"} == lines
        title = f"{name.replace(',', ' trained at', 1)}: right at {where}"
        assert axes.get_title("left") == title
