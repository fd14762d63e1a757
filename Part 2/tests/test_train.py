"""Tests of the networks, the training loop, its resume, and what it leaves."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
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


def contents(folder):
    """Return {name: bytes} of what a run leaves but for the checkpoint."""
    files = [*folder.glob("*.[cgp]*"), *folder.glob("images/*")]
    return {file.name: file.read_bytes() for file in files if file.name != "checkpoint.pt"}


def test_the_networks_are_those_of_the_course_layer_by_layer():
    z = torch.randn(7, 9)
    for network, inputs in (Generator(9), z), (Discriminator(), torch.randn(7, 784)):
        x, sizes, layers = inputs, [inputs.shape[1]], [*network.eval().layers]
        linears = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
        norms = [layer for layer in layers if isinstance(layer, torch.nn.BatchNorm1d)]
        for norm in norms:  # else each does nothing
            norm.running_mean.normal_()
            norm.bias.data.normal_()
        for n, linear in enumerate(linears):
            x = x @ linear.weight.T + linear.bias
            if norms and 0 < n < 4:
                norm = norms[n - 1]
                x = (x - norm.running_mean) / (1 + 1e-5) ** 0.5 + norm.bias
            sizes.append(x.shape[1])
            if linear is not linears[-1]:
                x = torch.where(x > 0, x, 0.2 * x)
        if isinstance(network, Generator):
            assert sizes == [9, 128, 256, 512, 1024, 784]
            torch.testing.assert_close(network(inputs), torch.tanh(x).view(7, 1, 28, 28))
        else:
            assert sizes == [784, 512, 256, 1]
            torch.testing.assert_close(network(inputs.view(7, 1, 28, 28)), x)


def test_losses_are_those_of_equation_10_and_do_not_overflow():
    real, fake = torch.randn(5, 1), torch.randn(7, 1)
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    expected = -d_real.log().mean() - (1 - d_fake).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), -d_fake.log().mean())
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    (discriminator_loss(-far, far) + generator_loss(-far)).backward()
    assert far.grad == 3


@pytest.mark.parametrize("r1", [0, 3])
def test_the_discriminator_steps_first_and_each_network_gets_its_own_gradients(r1):
    tiny = ["--batch_size=6", "--latent_dim=8", "--fakes=5", "--r1_every=3", f"--r1={r1}"]
    training = new_training(*tiny, "--lr_d=0.1")
    rng = training.rng.clone_state()
    for weight in 3 * r1, 0, 0, 3 * r1:  # every third step, so three times as strong
        real = torch.rand(6, 1, 28, 28)
        generator, old = copy.deepcopy(training.generator), copy.deepcopy(training.discriminator)
        told = training.train_step(real)
        fake = generator(torch.randn(5, 8, generator=rng))  # new in each step
        d_loss = discriminator_loss(old(real), old(fake))
        outputs = [torch.sigmoid(old(images)).mean() for images in (real, fake)]
        real.requires_grad_()
        (slope,) = torch.autograd.grad(old(real).sum(), real, create_graph=True)
        penalty = weight * slope.square().sum() / 6 / 2  # 6 images
        g_loss = generator_loss(training.discriminator(fake))  # the one that has moved
        torch.testing.assert_close(told, torch.stack([d_loss, g_loss, *outputs]).detach())
        for network, loss, weights in (
            (training.discriminator, d_loss + penalty, old.parameters()),
            (training.generator, g_loss, generator.parameters()),
        ):
            expected = torch.autograd.grad(loss, [*weights], retain_graph=True)
            torch.testing.assert_close([w.grad for w in network.parameters()], [*expected])


def test_rates_betas_and_the_seed_arrive():
    flags = ["--lr=0.01", "--lr_d=0.02", "--b1=0.3", "--b2=0.4", "--latent_dim=7", "--seed=5"]
    training = new_training(*flags)
    torch.manual_seed(5)
    weights = [training.generator.layers[0].weight, training.discriminator.layers[0].weight]
    start = [weight.detach().clone() for weight in weights]
    assert torch.equal(Generator(7).layers[0].weight, start[0])
    assert training.rng.initial_seed() == 5
    training.train_step(torch.rand(4, 1, 28, 28))
    moved = [(w - old).abs().max().item() for w, old in zip(weights, start, strict=True)]
    assert moved == pytest.approx([0.01, 0.02], rel=1e-3), "Adam's first step is one rate"
    for adam in training.optimizer_g, training.optimizer_d:
        assert adam.param_groups[0]["betas"] == (0.3, 0.4)


def test_weight_decay_pulls_at_the_generator_alone_and_zero_is_adam_bit_for_bit(monkeypatch):
    plain, decaying = new_training("--lr=0.01"), new_training("--lr=0.01", "--weight_decay=2")
    start = copy.deepcopy(plain.generator)
    monkeypatch.setattr(
        train, "AdamW", lambda *args, weight_decay, fused: train.Adam(*args, fused=fused)
    )
    adam = new_training("--lr=0.01")
    for training in plain, decaying, adam:
        training.train_step(IMAGES[:64])
    pairs = zip(
        plain.generator.parameters(),
        decaying.generator.parameters(),
        start.parameters(),
        strict=True,
    )
    for one, other, old in pairs:
        torch.testing.assert_close(one - other, 0.01 * 2 * old, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(
        plain.discriminator.state_dict(), decaying.discriminator.state_dict(), atol=0, rtol=0
    )
    for real in IMAGES[64:640].split(64):
        plain.train_step(real)
        adam.train_step(real)
    for name in "generator", "discriminator", "ema_generator":
        states = [getattr(training, name).state_dict() for training in (plain, adam)]
        torch.testing.assert_close(*states, atol=0, rtol=0)


def test_both_rates_fall_to_one_half_and_depend_on_the_epoch_alone():
    for halving, shares in ("20", [1, 0.75, 0.5, 0.5]), ("0", [1, 1, 1, 1]):
        training = new_training("--lr=0.01", "--lr_d=0.02", "--halving", halving)
        for epoch, share in zip([1, 11, 21, 99], shares, strict=True):
            training.set_rates(epoch)
            adams = training.optimizer_g, training.optimizer_d
            rates = [adam.param_groups[0]["lr"] for adam in adams]
            assert rates == pytest.approx([0.01 * share, 0.02 * share])


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
        average = decay * average + (1 - decay) * training.generator.layers[0].weight.detach()
    layers = training.final_generator().layers
    torch.testing.assert_close(layers[0].weight.detach(), average)
    assert train.BATCHNORM_SEED != train.MEASURE_SEED, "its own samples would be measured"
    x = latent_points(5_000, 100, train.BATCHNORM_SEED)
    for layer in layers[:4]:
        if isinstance(layer, torch.nn.BatchNorm1d):
            torch.testing.assert_close(layer.running_mean, x.mean(0), atol=1e-4, rtol=1e-4)
        x = layer(x)
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
    training = new_training(*TINY)
    orders = []
    for row in read_csv(straight_run / "losses.csv")[:2]:
        training.set_rates(int(row["epoch"]))
        batches = [*training.batches(IMAGES[:130])]
        told = torch.stack([training.train_step(real) for real in batches]).mean(0)
        assert [float(row[name]) for name in train.LOSSES] == pytest.approx(told.tolist(), rel=1e-5)
        orders.append(torch.cat(batches).sum((1, 2, 3)))
    file = IMAGES[:130].sum((1, 2, 3))
    assert torch.equal(orders[0].sort()[0], file.sort()[0]), "each once"
    assert not torch.equal(orders[0], file), "in the order of the file"
    assert not torch.equal(orders[0], orders[1]), "in the same order again"


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
    losses = [{"epoch": 1, "d_loss": 0.4, "g_loss": 6.3, "d_real": 0.9, "d_fake": 0.1}]
    above, below = train.training_figure(losses, [{"epoch": 1, "frechet_distance": 9.0}]).axes
    for column in train.LOSSES:
        assert drawn(above)[column][1:] == ([1], [losses[0][column]])
    assert drawn(below)["distance"][1:] == ([1], [9])
    for axes in above, below:
        assert all(line.get_marker() == "." for line in axes.lines if len(line.get_xdata()) == 1)


def test_killed_moved_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path):
    command = [sys.executable, "-u", HERE / "train.py", *TINY, "--n_epochs=99", "--out_dir=out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("epoch 12  frechet_distance"):
            process.kill()
    assert process.wait() == -9, "the run ended before it could be killed"
    out = (tmp_path / "out").rename(tmp_path / "moved")
    assert load(out / "mnist_generator.pth", Generator.from_state_dict), "saved after each epoch"
    (out / "images" / "99.png").write_bytes(b"the user's photo")
    resume = ["--resume", "--n_epochs=14", f"--out_dir={out}"]
    for _ in "killed", "finished":
        with pytest.raises(SystemExit, match="moved: holds a training; --resume it, or"):
            train.main(train.parse_args([*TINY, f"--out_dir={out}"]))
        train.main(train.parse_args(resume))
        found = contents(out)
        assert found.pop("99.png") == b"the user's photo"
        assert found == contents(straight_run)
    (out / "checkpoint.pt").unlink()
    with pytest.raises(SystemExit, match="moved: holds a training"):  # images of somebody else
        train.main(train.parse_args([*TINY, f"--out_dir={out}"]))


def test_other_settings_than_those_of_the_training_to_resume_are_refused(tmp_path, capsys):
    args = train.parse_args([*TINY, f"--out_dir={tmp_path}"])
    train.Training(args).save()
    old = load(tmp_path / "checkpoint.pt", dict)
    del old["settings"]["weight_decay"]  # as before there was this flag
    old["averaged"] = old.pop("ema_generator")
    old["losses"] = [{"epoch": 1}, {"epoch": 2}]
    torch.save(old, tmp_path / "checkpoint.pt")
    resume = ["--resume", f"--out_dir={tmp_path}"]
    resumed = train.parse_args(resume)
    assert vars(resumed) == vars(args) | {"resume": True}
    load(tmp_path / "checkpoint.pt", train.Training(resumed).restore)
    for name, value in train.kept_settings(args).items():
        other = (
            "template"
            if name == "preset"
            else {"n_epochs": 1}.get(name, 0.5 if value != 0.5 else 0.6)
        )
        if isinstance(value, int) and name != "n_epochs":
            other = value + 201
        with pytest.raises(SystemExit):
            train.parse_args([*resume, f"--{name}={other}"])
        text = "but 2 epochs are done" if name == "n_epochs" else f"resume has {value}"
        assert text in capsys.readouterr().err, name
