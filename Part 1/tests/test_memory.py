"""Tests of studies/memory.py: a memory that rotates is told from one that stays fixed."""

import pytest
import torch
from test_clock import Rotating

from common import BLUE, ORANGE
from conftest import TINY, drawn, trained_by_hand
from dataset import encode
from studies import memory
from studies.memory import PANELS, SETTINGS, SHOWN, describe, examine, settings_for


def rows_of(model, experiment="RNN, T = 20", seed=300):
    """Return the rows of a model, as if it were the network of this experiment and seed."""
    job = {"experiment": experiment, "seed": seed}
    return [job | row for row in examine(model, SETTINGS[experiment])]


def test_a_memory_that_rotates_is_correct_once_it_is_rotated_back_and_others_are_told_from_it():
    rotating, fixed = describe(rows_of(Rotating(108)) + rows_of(Rotating(0), seed=301))
    assert [network["accuracy"] for network in (rotating, fixed)] == [1, 1]
    for T in SHOWN:
        assert rotating["values"]["accuracy", T] == (T % 10 == 0)
        assert rotating["values"]["rotated back", T] == fixed["values"]["accuracy", T] == 1
    assert rotating["values"]["one step too far", 21] == 0
    values = describe(rows_of(Rotating(108, correct_at=19)))[0]["values"]
    assert (values["rotated back", 21], values["one step too far", 21]) == (0, 1)
    for angle, length, found in (108, 0.983, [108]), (108, 0.979, []), (3, 1.0, []):
        (network,) = describe(rows_of(Rotating(angle, length=length)))
        assert network["angles"] == pytest.approx(found, abs=0.01)
    values = describe(rows_of(Rotating(108, low_angle=36)))[0]["values"]
    assert values["rotated back", 21] < 0.5, "who saw 0 to 4 knows nothing of 108 degrees"


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_network_is_trained_as_its_settings_say_and_tested_for_its_own_answers(name):
    tiny = settings_for(name, "", [5, 7], tested_at=[9]) | TINY | {"tested_seed": 3}
    by_hand, _ = trained_by_hand(name, [5, 7], 7)
    rows = memory.measure(tiny, 7)
    assert rows == examine(by_hand, tiny)
    tested = torch.randint(10, (2000, 100), generator=torch.Generator().manual_seed(3))[1000:]
    logits, _ = by_hand(encode(tested[:, :19], one_hot=True))
    share = (logits.argmax(dim=1) == tested[:, 0]).double().mean().item()
    assert {"T": 20, "what": "accuracy, all digits", "value": share} in rows


def test_clocks_are_counted_by_kind_and_the_figure_shows_the_first_that_know_all():
    second, third = [*PANELS][1:]
    rows = rows_of(Rotating(108, correct_at=19)) + rows_of(Rotating(120), seed=301)
    rows += rows_of(Rotating(0), third)
    for seed, angle in enumerate([36, 108, 72, 180]):
        rows += rows_of(Rotating(angle), second, seed)
    assert memory.kind_of([1] * 10, 10) == "answers merge"
    assert memory.kind_of([*range(1, 10), 0], 9) == "other", "ten do not close in nine digits"
    shown = memory.show(rows)
    (line,) = shown["clock.csv"]
    assert [*line.values()][1:5] == [4, 5, "multiples of 36°", 5]
    assert [*line.values()][6:] == [2, 0]
    panels = shown["memory.png"].axes
    for axes, title, period in zip(panels, PANELS.values(), (3, 10, 1), strict=True):
        own = SHOWN, [(T - 20) % period == 0 for T in SHOWN]
        lines = {"stays fixed: nothing to rotate": (BLUE, *own)}
        if period > 1:
            lines = {"memory rotates": (ORANGE, *own)}
            lines["rotated to T = 20"] = "#000000", SHOWN, [1] * len(SHOWN)
        assert drawn(axes) == lines
        assert {line.get_linestyle() for line in axes.lines} == {"None"}, "only markers"
        assert axes.get_title("left") == title
    assert "memory.png" not in memory.show([row for row in rows if row["experiment"] != third])
