"""Tests of clock.py: the committed network tells the time, and others are told from it."""

import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from clock import Clock, accuracy_of, answers_of, observe
from common import BLUE, HERE, ORANGE
from conftest import settings_for
from networks import load_network, make_network, save_network


class Rotating(torch.nn.Module):
    """Keeps a first digit as one of ten directions, and rotates it with each further digit.

    It is correct at one length. Digits 0 to 4 are kept in the plane of 5 to 9 or, with a low_angle,
    in a second one. With each digit the direction is multiplied by `length`. The axis is not at 0.
    """

    made_from = {"network": "rnn", "input_dim": 10}  # noqa: RUF012

    def __init__(self, angle, low_angle=None, length=1.0, correct_at=20):
        super().__init__()
        self.digits = torch.zeros(10, 2, dtype=torch.cfloat)
        self.digits[:, 1] = torch.polar(torch.ones(10), torch.arange(10) * math.pi / 5)
        if low_angle:
            self.digits[:5] = self.digits[:5].flip(1)
        angles = torch.deg2rad(torch.tensor([low_angle or angle, angle]))
        self.step = torch.polar(torch.full((2,), length), angles)
        read = self.digits * torch.polar(torch.ones(2), (correct_at - 2) * angles)
        self.Wph = torch.view_as_real(read).flatten(1)
        self.bp = -self.Wph.sum(dim=1)

    def forward(self, x, state=None):  # noqa: D102
        if state is None:
            planes = self.digits[x[:, 0].argmax(dim=1)]
        else:
            planes = self.step * torch.view_as_complex(state.unflatten(1, (2, 2)) - 1)
        state = torch.view_as_real(planes).flatten(1) + 1
        return state @ self.Wph.T + self.bp, state


def test_the_committed_network_is_right_at_tens_only_and_everywhere_once_it_is_rotated_back():
    model = load_network(HERE / "clock_rnn.pth")
    clock = Clock(model)
    digits = torch.randint(10, (1000, 59), generator=torch.Generator().manual_seed(1))
    digits[:10] = torch.arange(10).unsqueeze(1)  # constant ones, too
    states, first = observe(model, digits), digits[:, 0]
    dials = torch.tensor([clock.dial(d) for d in range(10)])
    for T in range(5, 61):
        assert torch.equal(answers_of(model, states[T]), dials[first, T % 10])
        assert accuracy_of(model, clock.rotated_back(states[T], T), first) == 1
        assert accuracy_of(model, clock.rotated_back(states[T], T, too_far=1), first) == 0


def test_a_dial_has_the_order_of_the_answers_and_its_hand_the_angle():
    clock = Clock(Rotating(108))
    assert (clock.right, clock.angle) == ([*range(10, 101, 10)], pytest.approx(108, abs=0.01))
    assert clock.dial(8) == [8, 1, 4, 7, 0, 3, 6, 9, 2, 5]
    states = observe(Rotating(108), torch.tensor([[1] * 9]))
    place = (states[4].cdouble() @ clock.plane).angle()
    assert math.degrees(place) == pytest.approx(36 + 4 * 108 - 360, abs=0.1)
    assert torch.equal(clock.rotated_back(states[10], 10), states[10]), "it is right as it is"
    assert Clock(Rotating(72)).dial(7) == [7, 9, 1, 3, 5, 0, 2, 4, 6, 8], "a second cycle"


@pytest.mark.parametrize(("flags", "at"), [([], None), (["--back"], 0), (["--back", 1], 9)])
def test_a_line_has_its_answer_in_a_column_of_the_dial(flags, at, call, capsys):
    call("clock", "7123", "--length", 23, *flags)
    dial = Clock(load_network(HERE / "clock_rnn.pth")).dial(7)
    for T, line in enumerate(capsys.readouterr().out.splitlines()[3:], start=2):
        found = re.fullmatch(rf" *{T}    (\d)    ( *)(\d)(  right)?", line)
        assert T > 5 or found[1] == "7123"[T - 2]
        if T >= 5:
            column = T % 10 if at is None else at
            assert (found[2], int(found[3])) == ("   " * column, dial[column])
            assert bool(found[4]) == (column == 0)
    assert T == 23


def test_the_film_rests_where_the_network_is_right_and_nothing_wrong_is_left(call, tmp_path):
    call("clock", 7, "--length", 11, "--gif", tmp_path / "run" / "clock.gif")
    film, seen = Image.open(tmp_path / "run" / "clock.gif"), {}
    for n in range(film.n_frames):
        film.seek(n)
        pixels = np.asarray(film.convert("RGB")).astype(int)
        blue, orange = (
            abs(pixels - [*bytes.fromhex(color[1:])]).sum(2) < 30 for color in (BLUE, ORANGE)
        )
        seen[n] = film.info["duration"], orange.sum() > 500
        assert blue[175, 550], "7 is on top, rotated back, and always right"
    assert len(seen) == 1 + 3 * 9
    assert [n for n in seen if seen[n][0] == 1300] == [0, 24]
    assert [n for n in seen if seen[n][1]] == [0, 3, 6, 9, 12, 15, 18, 21, 27], "wrong"


def test_what_is_no_clock_or_no_digits_is_refused_in_a_line(call, tmp_path, capsys):
    path, lstm = tmp_path / "rnn.pth", HERE / "palindrome_lstm.pth"
    for digits in "", "seven", "7 1", "²", "1" * 32:
        with pytest.raises(SystemExit, match=r"^2$"):
            call("clock", digits)
        assert f"error: argument digits: {digits!r} is not a row of 1 to 31 digits" in (
            capsys.readouterr().err
        )
    for weights, input_dim, reason in (
        (lstm, 10, "nothing rotates: the memory of this network stays fixed"),
        (path, 1, "cannot be used here .*it does not read one-hot digits.*"),
        (path, 10, "this network is right at no length from 10 to 100"),
    ):
        save_network(path, make_network(settings_for("rnn", f"--input_dim {input_dim}"), 0))
        with pytest.raises(SystemExit, match=f"^{re.escape(str(weights))}: {reason}$"):
            call("clock", 7, "--weights", weights)
