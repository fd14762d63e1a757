"""Tests of the scripts that draw or measure samples, and of the committed tables and figures."""

import csv
import math
import sys
from statistics import fmean
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import common
import interpolate
import latent
from common import ORANGE
from conftest import drawn
from gan import Discriminator, Generator
from judge import load_judge
from latent import COMMITTED, draw_samples
from metrics import Comparison
from mnist import load_mnist
from studies import collapse, quality
from studies import map as study_map
from studies.runner import RESULTS
from train import LOSSES, training_figure

OURS = common.load(COMMITTED, Generator.from_state_dict)
FEW = {train: [part[:300] for part in load_mnist(train)] for train in (True, False)}


def rows_of(path):
    return [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def test_samples_are_those_of_the_seed_three_times_as_big(call, tmp_path):
    for seed in 0, 1:
        flags = "--n", 2, "--seed", seed, "--generator", COMMITTED
        call("sample", *flags, "--out_dir", tmp_path)
        pixels = np.array(Image.open(tmp_path / "samples.png"))[2:86, 2:86, 0]
        rng = torch.Generator().manual_seed(seed)
        image = (OURS(torch.randn(2, 100, generator=rng))[0, 0].detach() + 1) / 2 * 255
        assert np.abs(pixels - np.kron(image.numpy(), np.ones((3, 3)))).max() <= 1


def test_your_own_generator_is_shown_as_soon_as_there_is_one(tmp_path, monkeypatch, capsys):
    own = tmp_path / "mnist_generator.pth"
    monkeypatch.setattr(latent, "OWN", own)
    assert latent.load_generator().latent_dim == 100
    assert f'--generator "{own}" shows your own' in capsys.readouterr().out
    torch.save(Generator(7).state_dict(), own)
    assert latent.load_generator().latent_dim == 7
    assert f'--generator "{COMMITTED}" shows the committed one' in capsys.readouterr().out
    assert latent.load_generator(COMMITTED).latent_dim == 100


class Exploit:
    """A pickle that would create the file "hit" when read."""

    def __reduce__(self):
        """Return the call that pickle would make."""
        return open, ("hit", "w")


def test_broken_weights_are_refused_and_run_no_code(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad, diverged = tmp_path / "bad.pth", Generator().state_dict()
    diverged["layers.0.weight"][3, 3] = torch.nan
    for write in (
        lambda: bad.write_bytes(COMMITTED.read_bytes()[:99999]),
        lambda: torch.save(Exploit(), bad),
        lambda: torch.save(Discriminator().state_dict(), bad),
        lambda: torch.save(diverged, bad),
        lambda: bad.unlink(),
    ):
        write()
        with pytest.raises(SystemExit, match=r"bad.pth: (does not hold|cannot be read) .*\Z"):
            call("sample", "--generator", bad, "--out_dir", tmp_path)
    assert not (tmp_path / "hit").exists()


def test_an_end_is_the_most_typical_sample_of_its_digit():
    def generator(z):
        return z.view(-1, 1, 1, 1)

    def head(features):  # reads a 0 where |z| > 1, a 1 elsewhere, and never a 2
        size = features.abs()
        return torch.cat([size - 1, 1 - size, -9 - size], 1)

    generator.latent_dim, judge = 1, SimpleNamespace(body=lambda x: x.flatten(1), head=head)
    z = latent.latent_points(1000, 1, 3).flatten()
    ends = interpolate.typical_points([0, 1, 2], generator, judge, 3)
    for digit, own in (0, z[z.abs() > 1]), (1, z[z.abs() < 1]):
        assert ends[digit] == own[(own - own.mean()).abs().argmin()]
    assert ends[2].abs() == z.abs().min(), "the likeliest, where none is read as this digit"


def test_a_row_of_the_interpolation_table_of_known_images():
    line = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    images = torch.tensor([0.0, 1.0, 4.0]).view(3, 1, 1, 1)
    logits = torch.eye(10)[[2, 2, 7]] * torch.tensor([[9], [1], [9]])  # the second is unclear
    row = [*interpolate.table_row(line, images, logits).values()]
    assert row == ["2 2 7", 2, "2 to 7", "75", "3.0 and 4.0", "2.5"]


def test_a_generator_that_draws_one_image_is_shown_but_not_mapped(call, tmp_path):
    constant, path = Generator(), tmp_path / "constant.pth"
    torch.nn.init.zeros_(constant.layers[-2].weight)
    torch.save(constant.state_dict(), path)
    call("interpolate", "--digits", 2, 3, "--generator", path, "--out_dir", tmp_path)
    for row in rows_of(tmp_path / "interpolation.csv"):
        assert row["largest step, % of all"] == "0"
    with pytest.raises(SystemExit, match=r"constant.pth: among its samples .*\Z"):
        call("studies.map", "--generator", path, "--out_dir", tmp_path)


def test_interpolation_csv_and_png_are_made_by_interpolate(call, tmp_path, figures):
    call("interpolate", "--generator", COMMITTED, "--out_dir", tmp_path)
    table = rows_of(tmp_path / "interpolation.csv")
    assert table == rows_of(RESULTS / "interpolation.csv")
    for row, axes in zip(table, figures["interpolation.png"].axes, strict=True):
        drawn(axes)
        digits = [label.get_text() for label in axes.get_xticklabels()]
        assert " ".join(digits) == row["digits read"]
        assert (digits[0], digits[-1]) == (row["from"], row["to"])
        strip = torch.tensor(np.array(axes.images[0].get_array()))
        images = strip.unflatten(1, (9, 28)).transpose(0, 1).flatten(1)
        distances = torch.cdist(images, images) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"
    assert {int(row[end]) for row in table for end in ("from", "to")} == {*range(10)}


def test_the_table_of_quality_is_what_the_judge_sees(tmp_path, monkeypatch):
    comparison = Comparison(load_judge(), FEW[True][0])
    monkeypatch.setattr(quality, "N_SAMPLES", 100)
    monkeypatch.setattr(quality, "N_COVERAGE", 60)
    monkeypatch.setattr(quality, "compare_with_mnist", lambda: comparison)
    monkeypatch.setattr(quality, "load_mnist", lambda train=True: FEW[train])
    flags = "--only", "evaluation", "--out_dir", str(tmp_path)
    monkeypatch.setattr(sys, "argv", ["quality", *flags])
    quality.main()
    held_out, real, samples, _ = rows_of(tmp_path / "evaluation.csv")
    assert float(held_out["nearest training image"].split()[0]) > 1, "compared with themselves"
    draws = [draw_samples(OURS, 100, seed) for seed in range(5000, 5005)]
    specks = [comparison.quality(draw)["specks"] for draw in draws]
    coverage = [comparison.coverage(draw[:60]) for draw in draws]
    for name, shares in ("specks", specks), ("coverage", coverage):
        values = [100 * share for share in shares]
        expected = f"{fmean(values):.1f} ({min(values):.1f} to {max(values):.1f})"
        assert samples[f"{name}, %"] == expected
    distance = comparison.quality(FEW[False][0])["frechet_distance"]
    assert float(real["Fréchet distance"]) == pytest.approx(distance, abs=0.006)


def test_moments_show_the_committed_grids(call, tmp_path, figures):
    call("studies.quality", "--only", "moments", "losses", "--out_dir", tmp_path)
    table = (tmp_path / "moments.csv").read_bytes()
    assert table == (RESULTS / "moments.csv").read_bytes()
    moments = {"start": 0, "early": 2000, "half-way": 46_900, "end": 93_800}
    for (moment, batch), axes in zip(moments.items(), figures["moments.png"].axes, strict=False):
        drawn(axes)
        assert axes.get_title() == f"{moment}: batch {batch:,}"
        grid = Image.open(RESULTS / "grids" / f"{batch}.png").convert("L")
        assert (axes.images[0].get_array() == np.asarray(grid) / 255).all()
    template = figures["moments.png"].axes[-1]
    assert template.get_title() == "the template after 10 epochs"
    rows = quality.committed_rows(collapse, "template, samples")["template, samples", 0]
    pixels = np.array(rows[-1]["samples"]).reshape(25, 28, 28) / 255
    shown = np.asarray(template.images[0].get_array())[62:90, 32:60]
    assert shown == pytest.approx(pixels[11])


def test_each_curve_of_the_losses_is_that_of_its_column_and_training():
    losses = [
        {"epoch": n, **{name: n / 40 + k / 9 for k, name in enumerate(LOSSES)}} for n in (20, 40)
    ]
    others = {("template", 2): [{"epoch": 30, "frechet_distance": 50.0}]}
    quality_rows = [{"epoch": 60, "frechet_distance": 5.0}]
    above, below = quality.losses_figure(losses, quality_rows, others).axes
    above.set_ylim(0, 2)
    labels = "discriminator's loss", "generator's loss", "D(x), real images", "D(G(z)), fakes"
    for label, column in zip(labels, LOSSES, strict=True):
        _, *points = drawn(above)[label]
        assert points == [[20, 40], [row[column] for row in losses]]
    assert drawn(above)["loss of a guess, log 4"][2] == [math.log(4)] * 2
    found = drawn(below)
    assert found["ours"] == ("#000000", [quality.SECONDS[quality.OURS]], [5])
    assert found["_template, seed 2"] == (ORANGE, [quality.SECONDS["template"] / 2], [50])
    assert drawn(training_figure(losses, quality_rows).axes[1])["distance"][1:] == ([60], [5])


def test_steepness_and_tenths_of_known_samples():
    z, rng = torch.randn(50, 3), torch.Generator().manual_seed(0)
    steep = study_map.steepness(lambda z: 6 * z, z, rng)  # 6 in [-1, 1] are 3 in 0..1
    torch.testing.assert_close(steep, torch.full((50,), 3.0), atol=1e-3, rtol=0)
    steep, unclear = torch.arange(200.0).flip(0), torch.arange(200) >= 190
    real = torch.tensor([True, False, False, False])
    table = [[*row.values()] for row in study_map.steepness_table(steep, unclear, real)]
    assert table[0] == ["tenth 1", 9, 50]  # the flattest are the last samples
    assert table[10:] == [["all samples", 99, 5], ["real test images", "", 25]]


def test_a_small_map_is_of_samples_in_the_plane_of_their_ends(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(study_map, "N_SAMPLES", 300)
    monkeypatch.setattr(study_map, "XS", study_map.XS[::10])  # -0.2, -0.1, ...
    monkeypatch.setattr(study_map, "YS", study_map.YS[::10])  # -0.3, -0.2, ...
    monkeypatch.setattr(study_map, "load_mnist", lambda train: FEW[train])
    monkeypatch.setattr(study_map, "save_figure", lambda *arguments: figures.append(arguments))
    monkeypatch.setattr(sys, "argv", ["map", "--out_dir", str(tmp_path)])
    study_map.main()
    ((_, figure, rows),) = figures
    table = rows_of(tmp_path / "steepness.csv")
    assert table == [{name: str(value) for name, value in row.items()} for row in rows]
    unclear = 100 - 100 * Comparison(load_judge(), FEW[True][0]).quality(FEW[False][0])["confident"]
    assert rows[-1]["unclear, %"] == pytest.approx(unclear, abs=0.06)
    above, below = figure.axes
    _, *bars = drawn(below)["_container0"]
    assert bars == [[*range(1, 11)], [row["unclear, %"] for row in rows[:10]]]
    ((_, xs, ys),) = (line for name, line in drawn(above).items() if "child" in name)
    assert (xs[0], xs[-1], {*ys}) == (0, 1, {0})
    colors = torch.tensor(study_map.matplotlib.colormaps["tab10"].colors)
    plane = torch.tensor(above.images[0].get_array())
    torch.testing.assert_close(plane[3, [2, 12]], colors[:2])  # at (0, 0) and (1, 0)


def test_the_committed_map_is_of_the_committed_table_and_this_of_one_generator(figures, tmp_path):
    table = rows_of(RESULTS / "steepness.csv")
    for row in table:
        row |= {key: float(text) for key, text in row.items() if text[:1].isdigit()}
    common.save_figure(tmp_path / "map.png", Figure(), table)
    clear, _ = rows_of(RESULTS / "evaluation.csv")[2]["clear, %"].split(" ", 1)
    assert abs(100 - float(clear) - table[10]["unclear, %"]) < 0.5
