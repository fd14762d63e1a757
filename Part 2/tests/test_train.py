"""Tests of the networks, the training loop, its resume, and what it leaves."""

import copy
import csv
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import train
from common import load
from conftest import HERE
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from judge import load_judge
from latent import draw_samples, save_grid
from metrics import Comparison
from mnist import load_mnist

TINY = ["--n_images=260", "--batch_size=65", "--n_epochs=5", "--save_interval=5"]  # 20 steps
TINY += ["--n_measured=200"]


def contents(folder):
    """Return {name: bytes} of what a run leaves but for the checkpoint."""
    files = [*folder.glob("*.[cgp]*"), *folder.glob("images/*")]
    return {file.name: file.read_bytes() for file in files if file.name != "checkpoint.pt"}


def test_shapes_ranges_and_losses_that_do_not_overflow():
    images = Generator(latent_dim=9)(100 * torch.randn(7, 9))
    assert images.shape == (7, 1, 28, 28)
    assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
    logits = Discriminator()(1000 * images)
    assert not ((logits >= 0) & (logits <= 1)).all(), "is there a sigmoid inside?"
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    (discriminator_loss(-far, far) + generator_loss(-far)).backward()
    assert far.grad == 3


@pytest.mark.parametrize("r1", [0, 3])
def test_the_discriminator_steps_first_and_each_network_gets_its_own_gradients(r1):
    tiny = ["--batch_size=6", "--latent_dim=8", "--fakes=5", "--r1_every=2", f"--r1={r1}"]
    training = train.Training(train.parse_args([*tiny, "--lr_d=0.1"]))
    rng = training.rng.clone_state()
    for weight in 2 * r1, 0:  # every 2nd step, so twice
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
    training = train.Training(train.parse_args(flags))
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


def test_both_rates_fall_to_one_half_and_depend_on_the_epoch_alone():
    for halving, shares in ("20", [1, 0.75, 0.5, 0.5]), ("0", [1, 1, 1, 1]):
        flags = ["--lr=0.01", "--lr_d=0.02", "--halving", halving]
        training = train.Training(train.parse_args(flags))
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


def test_a_training_sees_each_training_image_and_no_test_image():
    training, images = train.Training(train.parse_args([])), load_mnist()[0][:200]
    first, second = (torch.cat([*training.batches(images)]).sum((1, 2, 3)) for _ in range(2))
    file = images.sum((1, 2, 3))
    assert torch.equal(first.sort()[0], file.sort()[0]), "each once"
    assert not torch.equal(first, file), "in the order of the file"
    assert not torch.equal(first, second), "in the same order again"


def test_weights_are_averaged_with_batchnorm_of_their_own_and_the_penalty_is_lazy(monkeypatch):
    training = train.Training(train.parse_args(["--r1_every=3", "--ema=0.5", "--lr=0.05"]))
    penalised, averaged = [], torch.zeros(())
    monkeypatch.setattr(train, "gradient_penalty", lambda *_: penalised.append(training.step) or 0)
    for n, real in enumerate(load_mnist()[0][:640].split(64)):
        training.train_step(real)
        decay = min(0.5, (1 + n) / (10 + n)) if n > 0 else 0
        averaged = decay * averaged + (1 - decay) * training.generator.layers[0].weight.detach()
    layers = training.final_generator().layers
    torch.testing.assert_close(layers[0].weight.detach(), averaged)
    assert penalised == [0, 3, 6, 9], "every 3 batches"
    x = torch.randn(10_000, 100, generator=torch.Generator().manual_seed(1))
    for layer in layers:
        if isinstance(layer, torch.nn.BatchNorm1d):
            assert ((layer.running_mean - x.mean(0)) / x.std(0)).abs().max() < 0.1
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


def test_numbers_and_grids_are_those_of_the_saved_generator(straight_run, tmp_path):
    generator = load(straight_run / "mnist_generator.pth", Generator.from_state_dict)
    comparison = Comparison(load_judge(), load_mnist()[0][:260])
    quality = comparison.quality(draw_samples(generator, 200, train.MEASURE_SEED))
    *rows, last = csv.DictReader((straight_run / "quality.csv").read_text().splitlines())
    assert {name: float(last[name]) for name in quality} == pytest.approx(quality)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    save_grid(tmp_path / "last.png", draw_samples(generator, 25, seed=0))
    grids = [straight_run / "images" / f"{n}.png" for n in (0, 5, 10, 15, 20)]
    assert grids[-1].read_bytes() == (tmp_path / "last.png").read_bytes()
    gif = Image.open(straight_run / "training.gif")
    assert len({grid.read_bytes() for grid in grids}) == 5 == gif.n_frames
    for n, grid in enumerate(grids):
        gif.seek(n)
        frame, shown = (np.array(image.convert("L")) for image in (gif, Image.open(grid)))
        assert (frame[28::2, ::2] == shown).all()
    rates = load(straight_run / "checkpoint.pt", dict)["optimizer_d"]["param_groups"][0]
    assert rates["lr"] == pytest.approx(4e-4 * 0.9), "4 of the 20 epochs of halving are over"


def test_killed_moved_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path, capsys):
    command = [sys.executable, "-u", HERE / "train.py", *TINY, "--n_epochs=9", "--out_dir=out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("epoch 3  frechet_distance"):
            process.kill()
    assert process.wait() == -9, "the run ended before it could be killed"
    out = (tmp_path / "out").rename(tmp_path / "moved")
    assert load(out / "mnist_generator.pth", Generator.from_state_dict), "saved after each epoch"
    (out / "images" / "99.png").write_bytes(b"the user's photo")
    resume = ["--resume", "--n_epochs=5", f"--out_dir={out}"]
    for _ in "killed", "finished":
        with pytest.raises(SystemExit, match="moved: holds a training; --resume it, or"):
            train.main(train.parse_args([*TINY, f"--out_dir={out}"]))
        with pytest.raises(SystemExit):
            train.parse_args([*resume, "--seed=1"])
        assert "--seed: the training to resume has 0" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            train.parse_args([*resume, "--n_epochs=1"])
        assert "epochs are done" in capsys.readouterr().err
        train.main(train.parse_args(resume))
        found = contents(out)
        assert found.pop("99.png") == b"the user's photo"
        assert found == contents(straight_run)
    (out / "checkpoint.pt").unlink()
    with pytest.raises(SystemExit, match="moved: holds a training"):  # images of somebody else
        train.main(train.parse_args([*TINY, f"--out_dir={out}"]))
