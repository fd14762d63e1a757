"""Tests of sample.py and interpolate.py, and of the weights that they read."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import interpolate
import latent
from common import load, read_csv
from conftest import frames
from gan import Discriminator, Generator
from latent import COMMITTED
from studies.runner import RESULTS

GENERATOR = load(COMMITTED, Generator.from_state_dict)


def test_samples_are_those_of_the_seed_three_times_as_big(call, tmp_path):
    for seed in 0, 1:
        flags = "--n", 2, "--seed", seed, "--generator", COMMITTED
        call("sample", *flags, "--out_dir", tmp_path)
        pixels = np.array(Image.open(tmp_path / "samples.png"))[2:86, 2:86, 0]
        rng = torch.Generator().manual_seed(seed)
        image = (GENERATOR(torch.randn(2, 100, generator=rng))[0, 0].detach() + 1) / 2 * 255
        assert np.abs(pixels - np.kron(image.numpy(), np.ones((3, 3)))).max() <= 1


def test_your_own_generator_is_shown_as_soon_as_there_is_one(tmp_path, monkeypatch, capsys):
    own = tmp_path / "mnist_generator.pth"
    monkeypatch.setattr(latent, "OWN", own)
    assert latent.load_generator().latent_dim == 100
    torch.save(Generator(7).state_dict(), own)
    assert latent.load_generator().latent_dim == 7
    assert latent.load_generator(COMMITTED).latent_dim == 100
    names = [line.removeprefix("generator: ") for line in capsys.readouterr().out.splitlines()]
    assert names == [str(COMMITTED), str(own), str(COMMITTED)]


def test_broken_weights_are_refused(tmp_path):
    bad, diverged = tmp_path / "bad.pth", Generator().state_dict()
    diverged["layers.0.weight"][3, 3] = torch.nan
    for content, text in (
        (torch.nn.Identity(), "is no file of weights"),  # whose pickle could run any code
        (Discriminator().state_dict(), "does not hold what is needed"),
        (diverged, r"does not hold .*layers.0.weight is not finite"),
    ):
        torch.save(content, bad)
        with pytest.raises(SystemExit, match=rf"bad.pth: {text}.*\Z"):
            latent.load_generator(bad)


def test_an_end_is_the_most_typical_sample_of_its_digit():
    def generator(z):
        return z.view(-1, 1, 1, 1)

    def head(features):  # reads a 0 where |z| > 1, a 1 elsewhere, and never a 2
        size = features.abs()
        return torch.cat([size - 1, 1 - size, -9 - size], 1)

    generator.latent_dim, known = 1, SimpleNamespace(body=lambda x: x.flatten(1), head=head)
    z = latent.latent_points(1000, 1, 3).flatten()
    ends = interpolate.typical_points([0, 1, 2], generator, known, 3)
    for digit, own in (0, z[z.abs() > 1]), (1, z[z.abs() < 1]):
        assert ends[digit] == own[(own - own.mean()).abs().argmin()]
    assert ends[2].abs() == z.abs().min(), "the likeliest, where none is read as this digit"


def test_a_row_of_the_interpolation_table_and_its_frames_of_known_images():
    line = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    images = torch.tensor([0.0, 1.0, 4.0]).view(3, 1, 1, 1)
    logits = torch.eye(10)[[2, 2, 7]] * torch.tensor([[9], [1], [9]])  # the second is ambiguous
    row = [*interpolate.table_row(line, images, logits).values()]
    assert row == ["2 2 7", 2, "2 to 7", "75", "3.0 and 4.0", "2.5"]
    rows = [images.expand(3, 1, 28, 28)]
    (axes,) = interpolate.interpolation_figure(rows, [logits]).axes
    assert frames(axes) == [(28, 0)]


def test_digits_steps_generator_and_seed_of_a_row_arrive(call, tmp_path):
    constant, path = Generator(), tmp_path / "constant.pth"
    torch.nn.init.zeros_(constant.layers[-2].weight)
    torch.save(constant.state_dict(), path)
    flags = "--digits", 2, 3, "--steps", 4, "--generator", path
    call("interpolate", *flags, "--out_dir", tmp_path)
    (row,) = read_csv(tmp_path / "interpolation.csv")
    assert (row["from"], row["to"], row["largest step, % of all"]) == ("2", "3", "0")
    assert len(row["digits read"].split()) == 6
    flags = "--digits", 2, 3, "--seed", 1, "--generator", COMMITTED
    call("interpolate", *flags, "--out_dir", tmp_path)
    of_seed_0 = read_csv(RESULTS / "interpolation.csv")
    assert read_csv(tmp_path / "interpolation.csv") != of_seed_0[1:2]


def test_interpolation_csv_and_png_are_of_the_committed_generator(call, tmp_path, figures):
    call("studies.quality", "--only", "interpolation", "--out_dir", tmp_path)
    table = read_csv(tmp_path / "interpolation" / "interpolation.csv")
    assert table == read_csv(RESULTS / "interpolation.csv")
    for row, axes in zip(table, figures["interpolation.png"].axes, strict=True):
        digits = [label.get_text() for label in axes.get_xticklabels()]
        assert " ".join(digits) == row["digits read"]
        assert (digits[0], digits[-1]) == (row["from"], row["to"])
        assert 9 - len(frames(axes)) == int(row["confident images"])
        strip = torch.tensor(np.array(axes.images[0].get_array()))
        images = strip.unflatten(1, (9, 28)).transpose(0, 1).flatten(1)
        distances = torch.cdist(images, images) + 1000 * torch.eye(9)
        assert distances.min() > 0.05, "two of the nine images are the same"
        blend = (images[0] + images[-1]) / 2
        assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"
    assert {int(row[end]) for row in table for end in ("from", "to")} == {*range(10)}
