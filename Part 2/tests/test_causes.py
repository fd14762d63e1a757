"""Tests of studies/branches.py and studies/specks.py: tiny real runs, and what they show."""

from argparse import Namespace
from itertools import islice

import pytest
import torch

from classifier import load_classifier
from common import load
from conftest import drawn, weights_of
from gan import Discriminator, Generator
from latent import COMMITTED, draw_samples
from metrics import Comparison, effective_rank
from mnist import load_mnist
from studies import branches, loops, specks
from studies.runner import RESULTS, read_rows

IMAGES = load_mnist()[0][:640]
COMPARISON = Comparison(load_classifier(), IMAGES[:300])
TINY = {"n_images": 130, "n_epochs": 1, "measured_from": 1, "n_measured": 200}


def test_effective_rank_counts_directions():
    rng = torch.Generator().manual_seed(0)
    three = torch.randn(5000, 3, generator=rng) @ torch.linalg.qr(torch.randn(16, 3)).Q.T
    assert effective_rank(three.view(-1, 1, 4, 4)) == pytest.approx(3, abs=0.02)


def test_a_branch_goes_on_from_the_same_training_with_one_change(monkeypatch):
    monkeypatch.setattr(branches, "compare_with_mnist", lambda: COMPARISON)
    changes = {"as before": {}, "frozen": {"lr_d": 0.0}}
    own = branches.SETTINGS | TINY | {"steps": 2, "measure_steps": 1, "branches": changes}
    rows = branches.measure(own, 1)
    training = loops.Template(Namespace(**own, seed=1, device="cpu"))
    (_,) = loops.run_epochs(training, own)
    frozen, expected = branches.branch_of(training, {"lr_d": 0.0}), []
    before = weights_of(frozen.discriminator)
    for step, real in enumerate(islice(training.batches(IMAGES[:130]), 3)):
        samples = draw_samples(training.final_generator(), 200, own["measure_seed"])
        row = {"branch": "as before", "step": step, "effective_rank": effective_rank(samples)}
        quality = COMPARISON.quality(samples)
        expected.append(quality | row)
        training.train_step(real)
        frozen.train_step(real)
    for found, row in zip(rows[:3], expected, strict=True):
        assert found == {name: row[name] for name in found}
    assert rows[3]["effective_rank"] == rows[0]["effective_rank"] != rows[1]["effective_rank"]
    assert rows[4]["effective_rank"] == rows[1]["effective_rank"], "G's first step meets the same D"
    assert rows[5]["effective_rank"] != rows[2]["effective_rank"]
    assert torch.equal(weights_of(frozen.discriminator), before)


@pytest.mark.parametrize("name", branches.BRANCHES | branches.SQUARE)
def test_each_change_of_a_branch_arrives(name):
    changes = (branches.BRANCHES | branches.SQUARE)[name]
    training = loops.Template(Namespace(**branches.SETTINGS, seed=1, device="cpu"))
    twin = branches.branch_of(training, changes)
    assert vars(twin.args) == vars(training.args) | changes
    rates = [adam.param_groups[0]["lr"] for adam in (twin.optimizer_g, twin.optimizer_d)]
    assert rates == [changes.get("lr", 2e-4), changes.get("lr_d", 2e-4)]
    assert twin.optimizer_d.param_groups[0]["betas"] == (changes.get("b1_d", 0.0), 0.999)
    assert (twin.fakes.maxlen, twin.opponents.maxlen) == (
        changes.get("stale_fakes", 1),
        1 + changes.get("g_stale_opponent", 0),
    )


def test_branches_png_shows_the_means_of_three_seeds_under_their_names(call, figures, tmp_path):
    call("studies.branches", "--out_dir", tmp_path)
    jobs, _ = read_rows(RESULTS / "branches_rows.jsonl", branches.EXPERIMENTS)
    for axes, name, factor in zip(
        figures["branches.png"].axes, ("commonest_digit", "effective_rank"), (100, 1), strict=True
    ):
        lines = drawn(axes)
        for branch in branches.BRANCHES:
            seeds = [jobs["branches", seed] for seed in range(3)]
            own = [[r[name] for r in rows if r["branch"] == branch] for rows in seeds]
            means = [factor * sum(values) / 3 for values in zip(*own, strict=True)]
            assert lines[branch][1:] == ([*range(0, 301, 25)], pytest.approx(means))


def test_a_speck_is_added_where_there_is_room_and_nothing_else_changes():
    specked, possible = specks.add_specks(IMAGES, torch.Generator().manual_seed(0))
    assert 0.3 < possible.double().mean() < 0.9
    changed = specked != IMAGES
    assert (changed.flatten(1).sum(1) <= 1).all()
    clean, pairs = specks.pairs_of(
        load(COMMITTED, Generator.from_state_dict), 30, torch.Generator()
    )
    assert not specks.has_speck(clean).any()
    assert specks.has_speck(pairs).all()
    assert ((clean != pairs).flatten(1).sum(1) == 1).all()


def test_candidates_are_measured_by_the_choosing_classifier_on_the_seeds_that_choose():
    for settings, seeds in specks.CANDIDATES.values():
        assert settings["classifier"] == "studies/run/choosing/mnist_classifier.pth"
        assert {*seeds} <= {10, 11}
    detectors = specks.DETECTORS | {"pairs": [40], "asked": 30, "steps": 0}
    rng = torch.Generator().manual_seed(1)
    clean, specked = specks.pairs_of(load(COMMITTED, Generator.from_state_dict), 30, rng)
    torch.manual_seed(1)
    discriminator = Discriminator(channels=8)
    parts = {"fully connected": lambda x: discriminator.layers(x.flatten(1))}
    parts["convolution"] = discriminator.convolution
    for row in specks.measure(detectors, 1):
        part = parts[row["part"]]
        wins = sum(a > b for a in part(clean) for b in part(specked)).item()
        assert row == {"part": row["part"], "pairs": 40, "auc": pytest.approx(wins / 900)}
