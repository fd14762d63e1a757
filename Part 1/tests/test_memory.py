"""Tests of studies/memory.py: a clock is told from a memory that stands."""

import math

import pytest
import torch

from studies import memory
from studies.memory import SHOWN, TRAININGS, describe
from studies.runner import RESULTS, read_rows


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


@pytest.fixture
def rows_of(monkeypatch):
    """Return a function that returns the rows of a Clock, as if it had been trained."""

    def rows_of(angle, experiment="RNN, T = 20", seed=300, **settings):
        clock = Clock(angle, **settings)
        monkeypatch.setattr(memory, "train_network", lambda job: clock)
        return memory.measure((experiment, seed))

    return rows_of


def test_a_clock_is_right_again_when_it_is_turned_back_by_as_many_digits(rows_of):
    (clock,), (still,) = describe(rows_of(108)), describe(rows_of(0))
    assert (clock["knows"], clock["memory"]) == ("all ten", "turns")
    assert (still["knows"], still["memory"]) == ("all ten", "stands")
    values = clock["values"]
    for T in SHOWN:
        assert values["own", "5 to 9", T] == (T % 10 == 0)
        assert values["undone", "5 to 9", T] == still["values"]["own", "5 to 9", T] == 1
    assert values["one too many", "5 to 9", 21] == 0
    (counted,) = describe(rows_of(108, memory.CLOCK))
    assert counted["values"]["own", "5 to 9", 21] == 0
    assert counted["values"]["commonest", "5 to 9", 21] == 1, "a wrong answer, but always the same"
    angles = [row["value"] for row in rows_of(108) if row["what"] == "angle"]
    assert angles == pytest.approx([108], abs=0.01)


def test_other_clocks_are_told_from_it(rows_of):
    values = describe(rows_of(108, right_at=19))[0]["values"]
    assert (values["undone", "5 to 9", 21], values["one too many", "5 to 9", 21]) == (0, 1)
    kinds = (108, 0.983), (108, 0.979), (3, 1.0)
    memories = [describe(rows_of(angle, length=length))[0]["memory"] for angle, length in kinds]
    assert memories == ["turns", "stands", "stands"], "a clock lasts, and turns by 5 degrees"
    values = describe(rows_of(108, low_angle=36))[0]["values"]
    assert values["undone", "5 to 9", 21] < 0.5, "who saw 0 to 4 knows nothing of 108 degrees"
    values = describe(rows_of(108, low_angle=360))[0]["values"]  # 0 to 4 are always right
    assert (values["own", "5 to 9", 21], values["own", "5 to 9", 20]) == (0, 1)


def test_the_figure_shows_the_first_networks_that_know_all_ten(rows_of, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(memory, "memory_figure", shown.extend)
    monkeypatch.setattr(memory, "save_figure", lambda *args: None)
    rows = rows_of(108, right_at=19) + rows_of(108, seed=301) + rows_of(36, seed=302)
    rows += rows_of(36, "RNN, T = 10, 20, 30, 40") + rows_of(0, "LSTM, T = 20")
    memory.show(rows, tmp_path)
    assert [network["seed"] for network in shown] == [301, 300, 300]
    assert [network["experiment"] for network in shown] == [*memory.DRAWN]


@pytest.mark.parametrize("experiment", TRAININGS)
def test_committed_rows_have_the_form_of_todays(experiment, rows_of):
    now = [row | {"value": 0} for row in rows_of(108, experiment) if row["what"] != "angle"]
    committed = read_rows(RESULTS / "memory_rows.jsonl", TRAININGS)
    for seed in range(300, 320):
        known = [row for row in committed[experiment, seed] if row["what"] != "angle"]
        assert [row | {"seed": 300, "value": 0} for row in known] == now
