"""Tests of the networks and of both training loops."""

import csv
import filecmp
import hashlib
import subprocess
import sys

import pytest
import torch
from PIL import Image

import sample
import template
import train
from checkpoint import start_or_resume
from classifier import load_classifier
from common import load
from conftest import HERE
from figures import losses_figure
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from metrics import Comparison, draw_samples
from mnist import load_mnist

TINY = ["--n_images", "200", "--n_epochs", "3", "--save_interval", "5", "--n_measured", "200"]
MOMENTA = ["--b1_g=0.5", "--b1_d=0"]
SCRIPTS = {"train": (train, train.Training), "template": (template, template.TemplateTraining)}


def hashes(folder):
    """Return {name: SHA-256} of what a run leaves: generator, numbers, grids."""
    files = [*folder.glob("*.pth"), *folder.glob("*.[cg]*"), *folder.glob("images/[!.]*")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def new_training(*flags, name="train"):
    script, build = SCRIPTS[name]
    return build(script.parse_args([str(flag) for flag in flags]))


def tiny_run(folder, *flags, name):
    script, build = SCRIPTS[name]
    train.train(script.parse_args([*TINY, *map(str, flags), "--out_dir", str(folder)]), build)


def test_shapes_ranges_and_losses_that_do_not_overflow():
    images = Generator(latent_dim=9)(100 * torch.randn(7, 9))
    assert images.shape == (7, 1, 28, 28)
    assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
    logits = Discriminator()(1000 * images)
    assert not ((logits >= 0) & (logits <= 1)).all(), "is there a sigmoid inside?"
    layers = [*Generator().modules(), *Discriminator().modules()]
    slopes = [layer.negative_slope for layer in layers if isinstance(layer, torch.nn.LeakyReLU)]
    assert slopes == [0.2] * 6
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    (discriminator_loss(-far, far) + generator_loss(-far)).backward()
    assert far.grad == 3


@pytest.mark.parametrize("r1", [0, 3])
def test_each_network_gets_the_gradients_of_its_own_loss_alone(r1):
    tiny = ["--n_images", 12, "--batch_size", 6, "--latent_dim", 8, "--fakes", 5]
    training = new_training(*tiny, "--r1", r1, "--r1_every", 2)
    generator, discriminator = training.generator, training.discriminator
    rng, told = training.rng.clone_state(), []
    for weight in 2 * r1, 0:  # every 2nd step, so twice
        real = torch.rand(6, 1, 28, 28)
        fake = generator(torch.randn(5, 8, generator=rng))  # new in each step
        g_loss = generator_loss(discriminator(fake))
        expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
        d_loss = discriminator_loss(discriminator(real), discriminator(fake))
        real.requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
        penalty = weight * slope.square().sum() / 6 / 2  # 6 images
        expected_d = torch.autograd.grad(d_loss + penalty, list(discriminator.parameters()))
        outputs = [torch.sigmoid(discriminator(images)).mean() for images in (real, fake)]
        told.append(torch.stack([d_loss, g_loss, *outputs]).detach())
        training.train_step(real)
        torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
        found = [p.grad for p in discriminator.parameters()]
        torch.testing.assert_close(found, list(expected_d))  # nothing of the generator's step
    training.end_epoch()
    row = training.losses[0]
    found = torch.tensor([row[name] for name in ("d_loss", "g_loss", "d_real", "d_fake")])
    torch.testing.assert_close(found, torch.stack(told).mean(0))


def test_the_figure_of_losses_calls_each_by_its_name():
    rows = [{"epoch": n, "d_loss": 1 + n, "g_loss": 5 + n} for n in (1, 2)]
    (axes,) = losses_figure(rows).axes
    d_loss, d_guess, g_loss, g_guess = axes.lines
    assert [d_loss.get_label(), g_loss.get_label()] == ["discriminator", "generator"]
    assert [[*line.get_ydata()] for line in (d_loss, g_loss)] == [[2, 3], [6, 7]]
    assert d_guess.get_ydata()[0] == 2 * g_guess.get_ydata()[0] == pytest.approx(1.386, abs=1e-3)


@pytest.mark.parametrize(("flags", "b1_g", "b1_d"), [([], 0.9, 0.9), (MOMENTA, 0.5, 0.0)])
def test_the_template_trains_as_a_textbook_does(flags, b1_g, b1_d):
    training = new_training("--seed", 3, *flags, name="template")
    torch.manual_seed(3)
    generator, discriminator = Generator(), Discriminator()
    optimizer_g = torch.optim.Adam(generator.parameters(), 0.0002, (b1_g, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), 0.0002, (b1_d, 0.999))
    rng = torch.Generator().manual_seed(3)

    def bce(images, target):
        probabilities = torch.sigmoid(discriminator(images))
        return torch.nn.BCELoss()(probabilities, torch.full((len(images), 1), target))

    for real in load_mnist()[0][:96].split(64):
        fake = generator(torch.randn(len(real), 100, generator=rng))
        optimizer_g.zero_grad()
        bce(fake, 1.0).backward()
        optimizer_g.step()
        optimizer_d.zero_grad()
        ((bce(real, 1.0) + bce(fake.detach(), 0.0)) / 2).backward()
        optimizer_d.step()
        training.train_step(real)
    for networks in (generator, training.generator), (discriminator, training.discriminator):
        a, b = (torch.cat([w.flatten() for w in network.parameters()]) for network in networks)
        # Some differ: before BatchNorm, the gradient of a bias is nothing but rounding.
        assert ((a - b).abs() > 2e-5).double().mean() < 0.01
    assert training.args.ema == 0, "the template has no average"


def test_rates_betas_and_the_seed_arrive():
    flags = ["--lr=0.01", "--lr_d=0.02", "--b1=0.3", "--b2=0.4", "--latent_dim=7", "--seed=5"]
    training = new_training(*flags)
    groups = [o.param_groups[0] for o in (training.optimizer_g, training.optimizer_d)]
    assert [(group["lr"], group["betas"]) for group in groups] == [
        (0.01, (0.3, 0.4)),
        (0.02, (0.3, 0.4)),
    ]
    torch.manual_seed(5)
    assert torch.equal(Generator(7).layers[0].weight, groups[0]["params"][0])
    assert training.rng.initial_seed() == 5


def test_a_training_sees_each_training_image_and_no_test_image(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(train.Training, "train_step", lambda _, real: seen.append(real))
    tiny_run(tmp_path, "--n_epochs", 2, "--measure_every", 0, name="train")
    file = load_mnist(train=True)[0][:200].sum((1, 2, 3))
    first, second = torch.cat(seen).sum((1, 2, 3)).split(200)
    assert torch.equal(first.sort()[0], file.sort()[0]), "each once"
    assert not torch.equal(first, file), "in the order of the file"
    assert not torch.equal(first, second), "in the same order again"


@pytest.fixture(scope="module", params=["train", "template"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def straight_run(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp(name)
    command = [sys.executable, HERE / f"{name}.py", *TINY, "--out_dir", "run"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert process.stderr == "", "progress bars belong on terminals only"
    return folder / "run"


def test_the_numbers_and_grids_are_those_of_the_saved_generator(straight_run, tmp_path, call):
    file = straight_run / "mnist_generator.pth"
    generator = load(file, "cpu", Generator.from_state_dict)
    comparison = Comparison(load_classifier("judge", "cpu"), load_mnist()[0][:200])
    quality = comparison.quality(draw_samples(generator, 200, train.MEASURE_SEED))
    rows = list(csv.DictReader((straight_run / "quality.csv").read_text().splitlines()))
    assert {name: float(rows[-1][name]) for name in quality} == pytest.approx(quality)
    assert [(row["batch"], row["epoch"]) for row in rows] == [("4", "1"), ("8", "2"), ("12", "3")]
    for n, seed, name in (25, 0, "12.png"), (25, 0, "6.png"), (9, 0, "12.png"), (25, 1, "12.png"):
        flags = "--generator", file, "--n", n, "--seed", seed, "--scale", 1, "--out_dir", tmp_path
        call(sample.main, *flags)
        same = filecmp.cmp(tmp_path / "samples.png", straight_run / "images" / name, shallow=False)
        assert same == ((n, seed, name) == (25, 0, "12.png"))


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path, refuse, name):
    command = [sys.executable, HERE / f"{name}.py", *TINY, "--out_dir", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("batch 8  epoch 2"):
            process.kill()
    assert process.wait() != 0, "the run ended before it could be killed"
    photos = {"7 my favourite.png", "photo.png", "99.png"}
    for photo in photos:
        (tmp_path / "out" / "images" / photo).write_bytes(b"the user's")
    for _ in "killed", "finished":
        refuse(SCRIPTS[name][0].main, *TINY, words=["--resume", "--out_dir", "out"])
        tiny_run(tmp_path / "out", "--resume", name=name)
        found = hashes(tmp_path / "out")
        assert {file: found[file] for file in found if file not in photos} == hashes(straight_run)
        assert photos < found.keys()
    shorter = *TINY, "--resume", "--n_epochs", 2
    refuse(SCRIPTS[name][0].main, *shorter, words=["--n_epochs 2", "3 already"])
    (tmp_path / "out" / "checkpoint.pt").unlink()
    for flags in TINY, [*TINY, "--resume"]:
        refuse(SCRIPTS[name][0].main, *flags, words=["images", "--out_dir"])


def test_more_epochs_change_no_step_and_a_grid_that_is_missing_is_named(
    straight_run, tmp_path, capsys, name
):
    tiny_run(tmp_path, "--n_epochs", 2, "--measure_every", 0, name=name)
    assert not (tmp_path / "quality.csv").exists()
    tiny_run(tmp_path, "--resume", name=name)
    assert "6.png" in capsys.readouterr().out, "half-way of 3 epochs"
    found, wanted = hashes(tmp_path), hashes(straight_run)
    assert found.keys() ^ wanted.keys() == {"4.png", "8.png", "6.png"}, "half and last of 2 epochs"
    differing = {file for file in found.keys() & wanted.keys() if found[file] != wanted[file]}
    assert differing == {"quality.csv", "training.gif"}
    assert Image.open(tmp_path / "training.gif").n_frames == 4  # 0, 5, 10 and 12


def test_other_settings_and_a_damaged_checkpoint_are_refused(tmp_path, refuse):
    flags = [*TINY, "--resume", "--out_dir", str(tmp_path)]
    args = train.parse_args(flags)
    start_or_resume(train.Training, args)
    refuse(train.main, *flags, "--seed", 1, words=["--seed 0, now 1"])  # though no epoch is done
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    refuse(train.main, *flags, words=["checkpoint.pt"])


def test_weights_are_averaged_with_batchnorm_of_their_own_and_the_penalty_is_lazy(monkeypatch):
    training = new_training("--r1_every", 3, "--ema", 0.5, "--lr", 0.05)
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


def test_flags_are_refused_or_say_when_the_quality_is_measured(refuse):
    args = train.parse_args(["--n_epochs", "23", "--measure_every", "5"])
    assert [n for n in range(1, 24) if train.is_due(n, args)] == [*range(1, 11), 15, 20, 23]
    refuse(train.main, "--fakes", "1", words=["--fakes", "1"])
    refuse(template.main, "--lr", "0.1", words=["--lr"])  # the template's settings are fixed
