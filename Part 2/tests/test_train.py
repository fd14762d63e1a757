"""Tests of the networks, the training loop, its resume, and what it leaves."""

import itertools
import subprocess
import sys
from operator import itemgetter

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import train
from classifier import load_classifier
from common import load, read_csv
from conftest import HERE, weights_of
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples, latent_points, save_grid
from metrics import Comparison
from mnist import load_mnist

IMAGES = load_mnist()[0]
TINY = ["--n_images=130", "--batch_size=65", "--n_epochs=16", "--save_interval=8"]  # 32 steps
TINY += ["--n_measured=200"]


def new_training(*flags):
    return train.Training(train.parse_args(flags))


def contents(folder):
    """Return {name: content} of what a run leaves, but for its flags and its seconds."""
    paths = [path for path in folder.rglob("*.*") if path.suffix not in (".pt", ".json")]
    numbers = [row | {"seconds": ""} for row in read_csv(folder / "quality.csv")]
    return {path.name: path.read_bytes() for path in paths} | {"quality.csv": numbers}


def test_the_networks_have_the_layers_of_the_course():
    sizes_g, sizes_d = [128, 256, 512, 1024, 784], [512, 256, 1]
    networks = (Generator(), sizes_g, [1e-5] * 3), (Discriminator(channels=8), sizes_d, [])
    for network, sizes, epsilons in networks:
        layers = [*network.layers]
        assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == sizes
        assert [layer.eps for layer in layers if isinstance(layer, nn.BatchNorm1d)] == epsilons
        activations = [layer for layer in network.modules() if isinstance(layer, nn.LeakyReLU)]
        assert [layer.negative_slope for layer in activations] == [0.2] * 4


def test_losses_are_those_of_equation_10_and_do_not_overflow():
    real, fake = torch.randn(5, 1), torch.randn(7, 1)
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    expected = -d_real.log().mean() - (1 - d_fake).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), -d_fake.log().mean())
    far = torch.tensor([[1000.0]])  # log(1 - sigmoid) would be log(0)
    assert discriminator_loss(-far, far) + generator_loss(-far) == 3000


def test_rates_betas_and_the_seed_arrive_and_rates_fall_to_one_half():
    flags = "--lr=0.01", "--lr_d=0.02", "--b1=0.3", "--b2=0.4", "--latent_dim=7", "--seed=5"
    training = new_training(*flags)
    torch.manual_seed(5)
    assert torch.equal(weights_of(training.generator), weights_of(Generator(7)))
    assert training.rng.initial_seed() == 5
    adams = training.optimizer_g, training.optimizer_d
    assert [adam.param_groups[0]["betas"] for adam in adams] == [(0.3, 0.4)] * 2
    for halving, epoch, share in (20, 1, 1), (20, 11, 0.75), (20, 99, 0.5), (0, 99, 1):
        training.args.halving = halving
        training.set_rates(epoch)
        rates = [adam.param_groups[0]["lr"] for adam in adams]
        assert rates == pytest.approx([0.01 * share, 0.02 * share])


def test_a_convolution_beside_the_layers_adds_its_logit():
    beside, without = (new_training(f"--channels={n}").discriminator for n in (8, 0))
    logits = beside.layers(IMAGES[:5].flatten(1))
    assert torch.equal(beside(IMAGES[:5]), logits + beside.convolution(IMAGES[:5]))
    assert torch.equal(without(IMAGES[:5]), logits), "other layers of the same seed, or a logit"
    assert beside.convolution[0].out_channels == 8
    means = beside.convolution[:4](IMAGES[:5]).mean((2, 3))
    torch.testing.assert_close(beside.convolution(IMAGES[:5]), beside.convolution[-1](means))


def test_the_preset_is_that_of_the_template_and_flags_win():
    flags = ["--fakes=64", "--lr=0.0002", "--lr_d=0.0002", "--halving=0", "--b1=0.9", "--r1=0"]
    flags += ["--ema=0", "--channels=0", "--n_epochs=200"]
    preset = vars(train.parse_args(["--preset=template"]))
    assert preset == vars(train.parse_args(flags)) | {"preset": "template"}
    assert train.parse_args(["--preset=template", "--lr=0.1"]).lr == 0.1


def test_the_ema_has_batchnorm_statistics_of_its_own():
    training, average = new_training("--ema=0.5", "--lr=0.05"), torch.zeros(())
    for n, real in enumerate(IMAGES[:640].split(64)):
        training.train_step(real)
        decay = min(0.5, (1 + n) / (10 + n)) if n > 0 else 0
        average = decay * average + (1 - decay) * weights_of(training.generator)
    generator = training.final_generator()
    torch.testing.assert_close(weights_of(generator), average)
    x = generator.layers[:3](latent_points(5_000, 100, train.BATCHNORM_SEED))
    mean = generator.layers[3].running_mean
    torch.testing.assert_close(mean, x.mean(0).detach(), atol=1e-4, rtol=1e-4)
    training.args.ema = 0
    last, saved = training.generator.state_dict(), training.final_generator()
    torch.testing.assert_close(saved.state_dict(), last, atol=0, rtol=0)
    assert not saved.training, "BatchNorm would use the batch's statistics"


@pytest.fixture(scope="module")
def straight_run(tmp_path_factory):
    folder, ticks = tmp_path_factory.mktemp("straight") / "run", itertools.count()
    with pytest.MonkeyPatch.context() as patch:  # an epoch takes one second, measuring no time
        patch.setattr(train.time, "perf_counter", ticks.__next__)
        train.main(train.parse_args([*TINY, f"--out_dir={folder}"]))
    return folder


def test_numbers_grids_and_film_are_those_of_the_saved_generator(straight_run, tmp_path):
    generator = load(straight_run / "mnist_generator.pth", Generator.from_state_dict)
    comparison = Comparison(load_classifier(), IMAGES[:130])
    quality = comparison.quality(draw_samples(generator, 200, train.MEASURE_SEED))
    rows = read_csv(straight_run / "quality.csv")
    assert {name: float(rows[-1][name]) for name in quality} == pytest.approx(quality)
    assert [int(row["epoch"]) for row in rows] == [*range(1, 11), 15, 16]
    assert [row["seconds"] for row in rows] == [row["epoch"] for row in rows]
    training = new_training(*TINY)
    means = torch.stack([training.train_step(real) for real in training.batches(IMAGES[:130])])
    row = read_csv(straight_run / "losses.csv")[0]
    assert [float(row[name]) for name in train.LOSSES] == pytest.approx(means.mean(0).tolist())
    save_grid(tmp_path / "last.png", draw_samples(generator, 25, seed=0))
    grids = [straight_run / "images" / f"{n}.png" for n in range(0, 33, 8)]
    assert grids[-1].read_bytes() == (tmp_path / "last.png").read_bytes()
    assert len({grid.read_bytes() for grid in grids}) == 5
    gif = Image.open(straight_run / "training.gif")
    gif.seek(4)
    grid, shown = (np.array(image.convert("L")) for image in (Image.open(grids[4]), gif))
    assert (shown[28::2, ::2] == grid).all()
    save_grid(tmp_path / "grey.png", torch.zeros(1, 1, 28, 28))
    assert Image.open(tmp_path / "grey.png").getextrema() == ((128, 128),) * 3, "of -1 to 1"


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path, monkeypatch):
    command = [sys.executable, "-u", HERE / "train.py", *TINY, "--n_epochs=99", "--out_dir=out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("epoch 15: distance"):
            process.kill()
    assert process.wait() == -9, "the run ended before it could be killed"
    out = (tmp_path / "out").rename(tmp_path / "moved")
    assert load(out / "mnist_generator.pth", Generator.from_state_dict), "saved after each epoch"
    with pytest.raises(SystemExit, match="moved: holds a training run; --resume it, or"):
        train.main(train.parse_args([*TINY, f"--out_dir={out}"]))
    seconds = load(out / "checkpoint.pt", itemgetter("seconds"))
    monkeypatch.setattr(train.time, "perf_counter", lambda: 0)
    train.main(train.parse_args(["--resume", "--n_epochs=16", f"--out_dir={out}"]))
    assert contents(out) == contents(straight_run)
    assert load(out / "checkpoint.pt", itemgetter("seconds")) == seconds > 0


def test_resume_takes_the_settings_of_the_checkpoint_and_refuses_others(tmp_path, monkeypatch):
    resume = "--resume", f"--out_dir={tmp_path}"
    with pytest.raises(SystemExit, match=r"\A--resume: .+checkpoint.pt is missing\Z"):
        train.parse_args(resume)
    args = train.parse_args([*TINY, "--channels=0", f"--out_dir={tmp_path}"])
    train.Training(args).save()
    content = load(tmp_path / "checkpoint.pt", dict) | {"losses": [{"epoch": 1}, {"epoch": 2}]}
    del content["settings"]["channels"]  # as in a checkpoint that is older than this flag
    torch.save(content, tmp_path / "checkpoint.pt")
    monkeypatch.setattr(train, "BEFORE", {"channels": 0})
    assert vars(train.parse_args(resume)) == vars(args) | {"resume": True}
    for flag, told in (
        ("--batch_size=9", r"--batch_size 9: .* has 65"),
        ("--channels=8", r"--channels 8: .* has 0"),
        ("--n_epochs=1", "--n_epochs 1: 2 epochs are done"),
    ):
        with pytest.raises(SystemExit, match=rf"\A{told}\Z"):
            train.parse_args([*resume, flag])
