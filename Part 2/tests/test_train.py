"""Tests of the networks, the training loop, its resume, and what it leaves."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

import train
from classifier import load_classifier
from common import load, read_csv
from conftest import HERE, drawn
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples, latent_points, save_grid
from metrics import Comparison
from mnist import load_mnist

IMAGES = load_mnist()[0]
TINY = ["--n_images=130", "--batch_size=65", "--n_epochs=14", "--save_interval=7"]  # 28 steps
TINY += ["--n_measured=200", "--measure_every=6"]


def new_training(*flags):
    return train.Training(train.parse_args(flags))


def weights_of(network):
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def contents(folder):
    """Return {name: bytes} of what a run leaves but for the checkpoint."""
    files = [file for file in folder.rglob("*.*") if file.name != "checkpoint.pt"]
    return {file.name: file.read_bytes() for file in files}


def test_the_networks_have_the_layers_of_the_course():
    generator, discriminator = Generator(9), Discriminator()
    for network, sizes, norms, last in (
        (generator, [9, 128, 256, 512, 1024, 784], [1, 2, 3], torch.tanh),
        (discriminator, [784, 512, 256, 1], [], lambda x: x),
    ):
        x = inputs = torch.randn(7, sizes[0])
        linears = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)]
        assert [linear.out_features for linear in linears] == sizes[1:]
        for n, linear in enumerate(linears):
            x = F.leaky_relu(x, 0.2) if n > 0 else x
            x = linear(x)
            x = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt() if n in norms else x
        torch.testing.assert_close(network(inputs).flatten(1), last(x), atol=1e-5, rtol=1e-4)
    assert generator(torch.randn(7, 9)).shape == (7, 1, 28, 28)


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
    training = new_training(*flags, "--halving=20")
    torch.manual_seed(5)
    assert torch.equal(weights_of(training.generator), weights_of(Generator(7)))
    assert training.rng.initial_seed() == 5
    adams = training.optimizer_g, training.optimizer_d
    assert [adam.param_groups[0]["betas"] for adam in adams] == [(0.3, 0.4)] * 2
    for epoch, share in (1, 1), (11, 0.75), (21, 0.5), (99, 0.5), (1, 1):
        training.set_rates(epoch)
        old = weights_of(training.generator), weights_of(training.discriminator)
        rates = [adam.param_groups[0]["lr"] for adam in adams]
        assert rates == pytest.approx([0.01 * share, 0.02 * share])
    training.train_step(torch.rand(4, 1, 28, 28))
    new = weights_of(training.generator), weights_of(training.discriminator)
    moved = [(w - v).abs().max().item() for w, v in zip(new, old, strict=True)]
    assert moved == pytest.approx([0.01, 0.02], rel=1e-3), "Adam's first step is one rate"
    training.args.halving = 0
    training.set_rates(99)
    assert adams[0].param_groups[0]["lr"] == 0.01


def test_weight_decay_pulls_at_the_generator_alone_and_zero_is_adam_bit_for_bit(monkeypatch):
    plain, decaying = (new_training("--lr=0.01", f"--weight_decay={n}") for n in (0, 2))
    start = weights_of(plain.generator)
    for training in plain, decaying:
        training.train_step(IMAGES[:64])
    pulled = weights_of(plain.generator) - weights_of(decaying.generator)
    torch.testing.assert_close(pulled, 0.01 * 2 * start, atol=1e-6, rtol=1e-4)
    assert torch.equal(weights_of(plain.discriminator), weights_of(decaying.discriminator))

    def make_adam(*args, weight_decay, fused):
        return train.Adam(*args, fused=fused)

    monkeypatch.setattr(train, "AdamW", make_adam)
    adam = new_training("--lr=0.01")
    adam.train_step(IMAGES[:64])
    for real in IMAGES[64:640].split(64):
        plain.train_step(real)
        adam.train_step(real)
    assert torch.equal(weights_of(plain.generator), weights_of(adam.generator))


def test_the_preset_is_that_of_the_template_and_flags_win():
    flags = ["--fakes=64", "--lr=0.0002", "--lr_d=0.0002", "--halving=0", "--b1=0.9"]
    preset = train.parse_args(["--preset=template"])
    flags = train.parse_args([*flags, "--r1=0", "--ema=0", "--n_epochs=200"])
    assert vars(preset) == vars(flags) | {"preset": "template"}
    assert train.parse_args(["--preset=template", "--lr=0.1"]).lr == 0.1


def test_the_ema_has_batchnorm_statistics_of_its_own():
    training, average = new_training("--ema=0.5", "--lr=0.05"), torch.zeros(())
    for n, real in enumerate(IMAGES[:640].split(64)):
        training.train_step(real)
        decay = min(0.5, (1 + n) / (10 + n)) if n > 0 else 0
        average = decay * average + (1 - decay) * weights_of(training.generator)
    generator = training.final_generator()
    torch.testing.assert_close(weights_of(generator), average)
    assert train.BATCHNORM_SEED != train.MEASURE_SEED, "its own samples would be measured"
    x = generator.layers[:3](latent_points(5_000, 100, train.BATCHNORM_SEED))
    mean = generator.layers[3].running_mean
    torch.testing.assert_close(mean, x.mean(0).detach(), atol=1e-4, rtol=1e-4)
    training.args.ema = 0
    last, saved = training.generator.state_dict(), training.final_generator()
    torch.testing.assert_close(saved.state_dict(), last, atol=0, rtol=0)
    assert not saved.training, "BatchNorm would use the batch's statistics"


@pytest.fixture(scope="module")
def straight_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    train.main(train.parse_args([*TINY, f"--out_dir={folder}"]))
    return folder


def test_losses_are_means_over_an_epoch_which_shows_each_image_once(straight_run):
    training, orders = new_training(*TINY), [IMAGES[:130].sum((1, 2, 3))]
    for row in read_csv(straight_run / "losses.csv")[:2]:
        training.set_rates(int(row["epoch"]))
        batches = [*training.batches(IMAGES[:130])]
        told = torch.stack([training.train_step(real) for real in batches]).mean(0)
        assert [float(row[name]) for name in train.LOSSES] == pytest.approx(told.tolist(), rel=1e-5)
        orders.append(torch.cat(batches).sum((1, 2, 3)))
    for n in 1, 2:
        assert torch.equal(orders[n].sort()[0], orders[0].sort()[0]), "each once"
        assert not torch.equal(orders[n], orders[n - 1]), "in the order of the file, or the same"


def test_numbers_grids_and_film_are_those_of_the_saved_generator(straight_run, tmp_path):
    generator = load(straight_run / "mnist_generator.pth", Generator.from_state_dict)
    comparison = Comparison(load_classifier(), IMAGES[:130])
    quality = comparison.quality(draw_samples(generator, 200, train.MEASURE_SEED))
    rows = read_csv(straight_run / "quality.csv")
    assert {name: float(rows[-1][name]) for name in quality} == pytest.approx(quality)
    assert [int(row["epoch"]) for row in rows] == [*range(1, 11), 12, 14]
    save_grid(tmp_path / "last.png", draw_samples(generator, 25, seed=0))
    grids = [straight_run / "images" / f"{n}.png" for n in (0, 7, 14, 21, 28)]
    assert grids[-1].read_bytes() == (tmp_path / "last.png").read_bytes()
    gif = Image.open(straight_run / "training.gif")
    assert len({grid.read_bytes() for grid in grids}) == 5 == gif.n_frames
    for n, grid in enumerate(grids):
        gif.seek(n)
        frame, shown = (np.array(image.convert("L")) for image in (gif, Image.open(grid)))
        assert (frame[28::2, ::2] == shown).all()
        label, font = Image.new("L", (304, 28)), ImageFont.load_default(17)
        ImageDraw.Draw(label).text((152, 14), f"batch {7 * n}", 255, font, anchor="mm")
        assert np.abs(frame[:28].astype(float) - np.array(label)).mean() < 1, "another label"


def test_one_epoch_is_drawn_as_points_and_the_axes_hold_the_losses_of_the_template():
    losses = {"epoch": 1, "d_loss": 0.4, "g_loss": 6.3, "d_real": 0.9, "d_fake": 0.1}
    above, below = train.training_figure([losses], [{"epoch": 1, "frechet_distance": 9.0}]).axes
    lines = drawn(above) | drawn(below)
    values = {name: xs_and_ys for name, (_, *xs_and_ys) in lines.items() if "log" not in name}
    losses["distance"] = 9.0
    assert values == {name: [[1], [losses[name]]] for name in (*train.LOSSES, "distance")}
    assert all(line.get_marker() in ".x" for line in above.lines[:4] + below.lines[:])
    later = [{"epoch": epoch, "frechet_distance": 9.0} for epoch in (10, 15)]
    _, below = train.training_figure([losses, losses | {"epoch": 15}], later).axes
    assert drawn(below)["distance"][1] == [10, 15]


def test_killed_moved_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path):
    command = [sys.executable, "-u", HERE / "train.py", *TINY, "--n_epochs=99", "--out_dir=out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("epoch 12  frechet_distance"):
            process.kill()
    assert process.wait() == -9, "the run ended before it could be killed"
    out = (tmp_path / "out").rename(tmp_path / "moved")
    assert load(out / "mnist_generator.pth", Generator.from_state_dict), "saved after each epoch"
    for _ in "killed", "finished":
        with pytest.raises(SystemExit, match="moved: holds a training; --resume it, or"):
            train.main(train.parse_args([*TINY, f"--out_dir={out}"]))
        train.main(train.parse_args(["--resume", "--n_epochs=14", f"--out_dir={out}"]))
        assert contents(out) == contents(straight_run)


def test_resume_refuses_each_setting_that_is_not_that_of_the_checkpoint(tmp_path, capsys):
    args = train.parse_args([*TINY, "--weight_decay=0", f"--out_dir={tmp_path}"])
    train.Training(args).save()
    content = load(tmp_path / "checkpoint.pt", dict)
    content |= {"averaged": content.pop("ema_generator"), "losses": [{"epoch": 1}, {"epoch": 2}]}
    settings = content["settings"]
    del settings["weight_decay"]  # as in a checkpoint that is older than this flag

    def resumed(flag, **other):
        torch.save(content | {"settings": settings | other}, tmp_path / "checkpoint.pt")
        return train.parse_args(["--resume", f"--out_dir={tmp_path}", flag])

    of_old_version = resumed("--weight_decay=0")
    assert vars(of_old_version) == vars(args) | {"resume": True}
    load(tmp_path / "checkpoint.pt", train.Training(of_old_version).restore)
    cases = [("--weight_decay=900", {}, "has 0.0"), ("--n_epochs=1", {}, "2 epochs are done")]
    for name in settings.keys() - {"n_epochs", "preset"}:
        cases.append((f"--{name}={settings[name]}", {name: "other"}, f"--{name}: .* has other"))
    for flag, other, text in cases:
        with pytest.raises(SystemExit):
            resumed(flag, **other)
        assert re.search(text, capsys.readouterr().err), flag
