"""Tests of the scripts that draw or measure samples, and of the committed tables and figures."""

import csv
import sys
from argparse import Namespace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import common
import interpolate
import latent
import metrics
from conftest import HERE
from gan import Discriminator, Generator
from judge import load_judge
from latent import COMMITTED, draw_samples
from metrics import Comparison
from mnist import load_mnist
from studies import map as study_map
from studies import quality
from studies.runner import RESULTS

PICS = HERE.parent / "pics"


@pytest.fixture
def figures(monkeypatch):
    """Return {file name: Figure}, which the scripts that are called will fill."""
    figures, save = {}, common.save_figure

    def keep(path, figure, rows):
        figures[path.name] = figure
        save(path, figure, rows)
        made, shown = (Image.open(at / path.name).text for at in (path.parent, PICS))
        assert made["Rows"] == shown["Rows"], "the committed figure shows other rows"

    monkeypatch.setattr(common, "save_figure", keep)
    return figures


def rows_of(path):
    """Return the rows of a csv file, with numbers in the place of texts that are some."""

    def value(text):
        try:
            return float(text)
        except ValueError:
            return text

    lines = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return [{name: value(text) for name, text in line.items()} for line in lines]


def test_samples_are_those_of_the_seed_three_times_as_big(call, tmp_path, capsys):
    generator = common.load(COMMITTED, Generator.from_state_dict)
    for seed in 0, 1:
        flags = "--n", 2, "--seed", seed, "--generator", COMMITTED
        call("sample", *flags, "--out_dir", tmp_path)
        pixels = np.array(Image.open(tmp_path / "samples.png"))[2:86, 2:86, 0]
        image = (draw_samples(generator, 2, seed)[0, 0] + 1) / 2 * 255
        assert np.abs(pixels - np.kron(image.numpy(), np.ones((3, 3)))).max() <= 1
    with pytest.raises(SystemExit):
        call("sample", "--n", 0)
    assert "argument --n: 0 is not from 1 to 10000" in capsys.readouterr().err


def test_your_own_generator_is_shown_as_soon_as_there_is_one(tmp_path, monkeypatch, capsys):
    own = tmp_path / "mnist_generator.pth"
    monkeypatch.setattr(latent, "OWN", own)
    assert latent.load_generator().latent_dim == 100
    told = capsys.readouterr().out
    assert f"{COMMITTED} (the committed one)" in told
    assert f'--generator "{own}" shows your own' in told
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
    bad = tmp_path / "bad.pth"
    for write in (
        lambda: bad.write_bytes(COMMITTED.read_bytes()[:99999]),
        lambda: torch.save(Exploit(), bad),
        lambda: torch.save(Discriminator().state_dict(), bad),
        lambda: bad.unlink(),
    ):
        write()
        with pytest.raises(SystemExit, match=r"bad.pth: (does not hold|cannot be read) .*\Z"):
            call("sample", "--generator", bad, "--out_dir", tmp_path)
    assert not (tmp_path / "hit").exists()


def test_an_end_is_the_first_sample_of_which_the_judge_is_sure():
    class Ramp(nn.Linear):  # the image is z itself
        latent_dim = 1

        def forward(self, z):
            return z.view(-1, 1, 1, 1)

    def judge(images):  # is sure of a 0 where z > 0.46, of a 1 where z < -0.46
        return torch.cat([5 * images.flatten(1), -5 * images.flatten(1)], 1)

    ends = interpolate.first_sure([0, 1], Ramp(1, 1), judge, 3)
    z = latent.latent_points(interpolate.N_SAMPLES, 1, 3).flatten().tolist()
    assert ends[0].item() == next(value for value in z if value > 0.4596)
    assert ends[1].item() == next(value for value in z if value < -0.4596)
    ends = interpolate.first_sure([1], Ramp(1, 1), lambda images: judge(images.abs()), 3)
    assert ends[1].abs() == min(abs(value) for value in z), "the surest, where none is sure"


def test_even_steps_change_the_image_equally_on_the_same_line():
    def cube(z):  # it changes fastest at the ends of the line from -1 to 1
        return z.pow(3)

    start, end = torch.tensor([-1.0]), torch.tensor([1.0])
    shares = interpolate.even_shares(cube, start, end, 9)
    images = cube(torch.lerp(start, end, shares[:, None])).flatten()
    torch.testing.assert_close(images, torch.linspace(-1, 1, 9), atol=1e-4, rtol=0)
    assert (shares[0], shares[-1]) == (0, 1)


def test_interpolation_csv_and_png_are_made_by_interpolate(call, tmp_path, figures):
    call("interpolate", "--generator", COMMITTED, "--out_dir", tmp_path)
    table = rows_of(tmp_path / "interpolation.csv")
    assert table == rows_of(RESULTS / "interpolation.csv")
    panels = figures["interpolation.png"].axes
    for row, axes in zip(table, panels, strict=True):
        digits = [int(label.get_text()) for label in axes.get_xticklabels()]
        assert digits == [int(digit) for digit in row["digits read"].split()]
        assert (digits[0], digits[-1]) == (row["from"], row["to"])
        strip = torch.tensor(np.array(axes.images[0].get_array()))
        images = strip.unflatten(1, (9, 28)).transpose(0, 1).flatten(1)
        distances = torch.cdist(images, images) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"
    assert {row["from"] for row in table} | {row["to"] for row in table} == {*range(10)}
    largest = [row["largest step, % of all"] for row in table]
    assert max(largest[1::2]) < min(largest[::2]), "even steps are not even"


def test_the_table_of_quality_is_what_the_judge_sees_in_five_draws(tmp_path, monkeypatch):
    images, test_images = load_mnist()[0][:500], load_mnist(False)[0][:300]
    comparison, path = Comparison(load_judge(), images), tmp_path / "x.pth"
    monkeypatch.setattr(quality, "N_SAMPLES", 200)
    monkeypatch.setattr(quality, "compare_with_mnist", lambda: comparison)
    monkeypatch.setattr(quality, "load_mnist", lambda train: (test_images,))
    monkeypatch.chdir(HERE)
    path.write_bytes(COMMITTED.read_bytes())
    tables = []
    for file, seed in (Path("mnist_generator.pth"), 7), (path, 8):
        quality.evaluate(Namespace(generator=file, seed=seed, out_dir=tmp_path))
        tables.append(rows_of(tmp_path / "evaluation.csv"))
    (held_out, real, ours, noise), others = tables
    assert [row["images"] for row in (ours, others[2])] == ["ours", str(path)]
    assert not any(row in others for row in (held_out, noise)), "the seed is lost"
    assert float(held_out["nearest training image"].split()[0]) > 1, "compared with themselves"
    generator = common.load(path, Generator.from_state_dict)
    draws = [comparison.quality(draw_samples(generator, 200, 7 + n)) for n in range(5)]
    values = [draw["frechet_distance"] for draw in draws]
    expected = f"{fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
    assert ours["Fréchet distance"] == expected
    assert f"{real['clear, %']:.1f}" == f"{100 * comparison.quality(test_images)['confident']:.1f}"


def test_moments_and_losses_show_committed_files(call, tmp_path, figures, monkeypatch):
    monkeypatch.setattr(metrics, "compare_with_mnist", pytest.fail)
    with pytest.raises(SystemExit, match="nogrids: holds no sample grids"):  # and not later
        call("studies.quality", "--grids", "nogrids", "--out_dir", tmp_path)
    call("studies.quality", "--only", "losses", "moments", "--out_dir", tmp_path)
    panels = {axes.get_title(): axes.images[0].get_array() for axes in figures["moments.png"].axes}
    for moment, batch in ("start", 0), ("half-way", 93_800), ("end", 187_600):
        pixels = np.array(Image.open(RESULTS / "grids" / f"{batch}.png").convert("L"))
        assert (panels[f"{moment}: batch {batch:,}"] == pixels / 255).all()
    lines = {line.get_label(): [*line.get_ydata()] for line in figures["losses.png"].axes[0].lines}
    losses = rows_of(RESULTS / "losses.csv")
    for label, column in ("discriminator", "d_loss"), ("generator", "g_loss"):
        assert lines[label] == [row[column] for row in losses]


def test_steepness_directions_and_sides_of_known_functions():
    matrix = torch.diag(torch.tensor([3.0, 1.0, 1.0]))  # changes fastest along the first axis
    z, rng = torch.randn(50, 3), torch.Generator().manual_seed(0)
    directions, speeds = study_map.fastest_directions(lambda z: z @ matrix, z, rng, n_steps=50)
    torch.testing.assert_close(directions.abs(), torch.tensor([[1.0, 0, 0]]).expand(50, 3))
    torch.testing.assert_close(speeds, torch.full((50,), 3.0))
    steep = study_map.steepness(lambda z: 6 * z, z, rng)  # 6 in [-1, 1] are 3 in 0..1
    torch.testing.assert_close(steep, torch.full((50,), 3.0), atol=1e-3, rtol=0)

    def read(z):  # a 0 left of -1, a 1 right of 1, unsure between
        return 100 * torch.cat([z < -1, z > 1], 1).float()

    z = torch.tensor([[0.0], [-0.8], [0.8], [3.0], [1.1]])
    offsets = torch.tensor([[2.0], [1.0], [1.0], [1.0], [3.0]])
    found = study_map.lies_between(read, z, offsets)
    assert found.tolist() == [True, False, False, False, True]


def test_tenths_and_equals_of_known_samples():
    steep, unclear = torch.tensor([1.0, 5.2, 9.0, 5.0, 1.4]), torch.arange(5) > 2
    assert study_map.equally_fast(steep, unclear).tolist() == [1, 0]
    steep, unclear = torch.arange(200.0).flip(0), torch.arange(200) >= 190
    real = torch.tensor([True, False, False, False])
    table = [[*row.values()] for row in study_map.steepness_table(steep, unclear, real)]
    assert table[0] == ["tenth 1", 9, 50]  # the flattest are the last samples
    assert table[10:] == [["all samples", 99, 5], ["real test images", "", 25]]


def test_a_small_map_is_of_samples_in_the_plane_of_their_ends(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(study_map, "N_SAMPLES", 500)
    monkeypatch.setattr(study_map, "save_figure", lambda *arguments: figures.append(arguments))
    monkeypatch.setattr(sys, "argv", ["map", "--out_dir", str(tmp_path)])
    study_map.main()
    ((_, figure, rows),) = figures
    sides, table = (rows_of(tmp_path / f"{name}.csv") for name in ("sides", "steepness"))
    assert sides + table == rows
    assert table[-1]["unclear, %"] == pytest.approx(1.1, abs=0.05)  # real test images
    _, unclear, clear, _ = ([row[name] for row in sides] for name in sides[0])
    assert all(a > b for a, b in zip(unclear, clear, strict=True))
    plane, _ = figure.axes[0].images
    colors = torch.tensor(study_map.matplotlib.colormaps["tab10"].colors)
    pixels = torch.tensor(plane.get_array())
    torch.testing.assert_close(pixels[30, [20, 120]], colors[:2])  # at (0, 0) and (1, 0)


def test_the_committed_map_is_of_the_committed_tables_and_these_of_one_generator(figures, tmp_path):
    sides, table = (rows_of(RESULTS / f"{name}.csv") for name in ("sides", "steepness"))
    common.save_figure(tmp_path / "map.png", study_map.Figure(), sides + table)
    clear = rows_of(RESULTS / "evaluation.csv")[2]["clear, %"]
    assert abs(100 - float(clear.split()[0]) - table[10]["unclear, %"]) < 0.5
