"""Tests of studies/memory.py: a memory that rotates is told from one that stays fixed."""

import cmath
import math

import pytest
import torch
from matplotlib.figure import Figure

from common import ORANGE
from conftest import TINY, drawn, trained_by_hand
from dataset import encode
from studies import memory
from studies.memory import PANELS, PERIODIC, SETTINGS, SHOWN, describe, examine


class Clock(torch.nn.Module):
    """Keeps a first digit as one of ten directions, and rotates it with each further digit.

    It is correct at one length. Digits 0 to 4 are kept in the plane of 5 to 9 or, with a low_angle,
    in a second one. With each digit the direction is multiplied by `length`. The axis is not at 0.
    """

    def __init__(self, angle, low_angle=None, length=1.0, correct_at=20):
        super().__init__()
        self.digits = torch.zeros(10, 2, dtype=torch.cfloat)
        self.digits[:, 1] = torch.polar(torch.ones(10), torch.arange(10) * math.pi / 5)
        if low_angle:
            self.digits[:5] = self.digits[:5].flip(1)
        angles = torch.deg2rad(torch.tensor([low_angle or angle, angle]))
        self.turn = torch.polar(torch.full((2,), length), angles)
        read = self.digits * torch.polar(torch.ones(2), (correct_at - 2) * angles)
        self.Wph = torch.view_as_real(read).flatten(1)
        self.bp = -self.Wph.sum(dim=1)

    def forward(self, x, state=None):  # noqa: D102
        if state is None:
            planes = self.digits[x[:, 0].argmax(dim=1)]
        else:
            planes = self.turn * torch.view_as_complex(state.unflatten(1, (2, 2)) - 1)
        state = torch.view_as_real(planes).flatten(1) + 1
        return state @ self.Wph.T + self.bp, state


def rows_of(clock, experiment="RNN, T = 20", seed=300):
    """Return the rows of a Clock, as if it were the network of this experiment and seed."""
    job = {"experiment": experiment, "seed": seed}
    return [job | row for row in examine(clock, SETTINGS[experiment])]


def test_a_clock_is_correct_again_when_it_is_rotated_back_and_others_are_told_from_it():
    clock, still = describe(rows_of(Clock(108)) + rows_of(Clock(0), seed=301))
    assert [network["accuracy"] for network in (clock, still)] == [1, 1]
    for T in SHOWN:
        assert clock["values"]["accuracy", T] == (T % 10 == 0)
        assert clock["values"]["rotated back", T] == still["values"]["accuracy", T] == 1
    assert clock["values"]["one step too far", 21] == 0
    assert clock["angles"] == pytest.approx([108], abs=0.01)
    values = describe(rows_of(Clock(108, correct_at=19)))[0]["values"]
    assert (values["rotated back", 21], values["one step too far", 21]) == (0, 1)
    kinds = (108, 0.983), (108, 0.979), (3, 1.0), (0, 1.0)
    memories = [describe(rows_of(Clock(a, length=size)))[0]["memory"] for a, size in kinds]
    assert memories == ["rotates", *["stays fixed"] * 3], "it lasts, by 5 degrees or more"
    angles = describe(rows_of(Clock(180)))[0]["angles"]  # their eigenvalue has no imaginary part
    assert angles[0] == pytest.approx(180, abs=0.01)
    values = describe(rows_of(Clock(108, low_angle=36)))[0]["values"]
    assert values["rotated back", 21] < 0.5, "who saw 0 to 4 knows nothing of 108 degrees"
    turn = values["position of 0", 21] - values["position of 0", 20]
    assert turn % 360 == pytest.approx(36, abs=1), "the dial is that of the smallest angle"


def test_digits_stand_on_the_dial_in_their_order_and_one_digit_later_on_the_next_mark():
    values = describe(rows_of(Clock(36)))[0]["values"]
    start = values["position of 0", 20]
    for d in range(10):
        for T in 20, 21:
            away = values[f"position of {d}", T] - start - 36 * (d + T - 20)
            assert (away + 180) % 360 == pytest.approx(180, abs=0.1)
        assert values[f"answer to {d}", 21] == (d + 1) % 10
    (line,) = memory.clock_table(describe(rows_of(Clock(36), PERIODIC[1])))
    assert line["ten different answers one digit later"] == 1


@pytest.mark.parametrize(("name", "experiment"), [("rnn", "RNN, T = 20"), ("lstm", "LSTM, T = 20")])
def test_a_network_is_trained_as_its_settings_say_and_asked_for_its_own_answers(name, experiment):
    tiny = SETTINGS[experiment] | TINY | {"lengths": [5, 7], "asked_seed": 3, "asked_at": [9]}
    by_hand, _ = trained_by_hand(name, [5, 7], 7)
    rows = memory.measure(tiny, 7)
    assert rows == examine(by_hand, tiny)
    asked = torch.randint(10, (2000, 100), generator=torch.Generator().manual_seed(3))[1000:]
    logits, _ = by_hand(encode(asked[:, :19], one_hot=True))
    share = (logits.argmax(dim=1) == asked[:, 0]).double().mean().item()
    assert {"T": 20, "what": "accuracy, all digits", "value": share} in rows


def test_the_figure_shows_the_first_networks_that_know_all(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: figures.append(figure))
    rows = rows_of(Clock(108, correct_at=19)) + rows_of(Clock(36), seed=301)
    next(row for row in reversed(rows) if row["what"] == "accuracy, all digits")["value"] = 0.99
    _, second, third = PANELS
    rows += rows_of(Clock(120), seed=302) + rows_of(Clock(120), second)
    memory.show(rows, tmp_path)
    assert not figures, "a panel has no rows"
    memory.show(rows + rows_of(Clock(0), third), tmp_path)
    *panels, dial = figures[0].axes
    labels = {text.get_text(): text.get_position() for text in dial.texts}
    arrows = [text for text in dial.texts if text.get_text() == ""]
    for d, arrow in zip(range(10), arrows, strict=True):
        label, start, end = (complex(*at) for at in (labels[str(d)], arrow.xyann, arrow.xy))
        assert abs(label) == pytest.approx(1)
        assert start / abs(start) == pytest.approx(label)
        assert math.degrees(cmath.phase(end / start)) == pytest.approx(120, abs=0.1)
    for axes, title, period in zip(panels, PANELS.values(), (10, 3, 1), strict=True):
        lines = {"own": (ORANGE, SHOWN, [100 * ((T - 20) % period == 0) for T in SHOWN])}
        if period > 1:
            lines["rotated back"] = "#000000", SHOWN, [100] * len(SHOWN)
        assert {label: line for label, line in drawn(axes).items() if label[0] != "_"} == lines
        assert axes.get_title("left") == title
