"""Tests of the two players, their losses and the training loop."""

import hashlib
import runpy
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from checkpoint import claim
from common import load
from conftest import HERE, assert_one_line, assert_refused, script
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from mnist import load_mnist

train = SimpleNamespace(**runpy.run_path(str(HERE / "train.py")))  # Part 1 has a train.py, too
TINY = ["--n_images", "200", "--n_epochs", "4", "--save_interval", "2"]


def hashes(folder):
    """Return {name: SHA-256} of the generator and all grids in a run's folder."""
    files = [folder / "mnist_generator.pth", *(folder / "images").iterdir()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize(("batch", "latent_dim"), [(2, 1), (7, 100)])
def test_shapes_and_ranges(batch, latent_dim):
    torch.manual_seed(0)
    generator = Generator(latent_dim)
    images = generator(100 * torch.randn(batch, latent_dim))
    assert images.shape == (batch, 1, 28, 28)
    assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
    logits = Discriminator()(1000 * images)
    assert logits.shape == (batch, 1)
    assert not ((logits >= 0) & (logits <= 1)).all(), "logits expected: is there a sigmoid inside?"
    rebuilt = Generator.from_state_dict(generator.state_dict())
    assert rebuilt.latent_dim == latent_dim
    assert not rebuilt.training


def test_losses_are_bceloss_on_probabilities():
    real = torch.randn(9, 1, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(9, 1, dtype=torch.float64, requires_grad=True)
    bce, one, zero = torch.nn.BCELoss(), torch.ones_like(real), torch.zeros_like(real)
    template = bce(torch.sigmoid(real), one) + bce(torch.sigmoid(fake), zero)
    pairs = [
        (discriminator_loss(real, fake), template, [real, fake]),
        (generator_loss(fake), bce(torch.sigmoid(fake), one), [fake]),
    ]
    for ours, theirs, inputs in pairs:
        torch.testing.assert_close(ours, theirs)
        gradients = (torch.autograd.grad(loss, inputs) for loss in (ours, theirs))
        torch.testing.assert_close(*gradients)
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    discriminator_loss(-far, far).backward()
    assert far.grad.isfinite().all()


def test_gradient_penalty_of_a_known_function():
    x = torch.randn(5, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty((a * x.square()).sum((1, 2, 3)), x)  # its gradient is 2 a x
    torch.testing.assert_close(penalty, (2 * a * x).square().sum((1, 2, 3)).mean() / 2)
    (slope,) = torch.autograd.grad(penalty, a)
    torch.testing.assert_close(slope, 2 * penalty / a)


def players(latent_dim=8):
    """Return two players, with noise of few dimensions, and their optimizers."""
    torch.manual_seed(0)
    generator, discriminator = Generator(latent_dim), Discriminator()
    optimizers = [torch.optim.SGD(p.parameters(), lr=0.1) for p in (generator, discriminator)]
    return generator, discriminator, optimizers


def test_each_player_has_the_rate_and_the_betas_asked_for():
    generator, discriminator, _ = players()
    args = SimpleNamespace(lr=0.1, lr_d=0.2, b1=0.3, b2=0.4)
    optimizers = train.make_optimizers(generator, discriminator, args)
    asked_for = (generator, 0.1), (discriminator, 0.2)
    for optimizer, (player, rate) in zip(optimizers, asked_for, strict=True):
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (rate, (0.3, 0.4))
        assert all(a is b for a, b in zip(group["params"], player.parameters(), strict=True))


@pytest.mark.parametrize("r1", [0, 3])
def test_each_player_gets_the_gradients_of_its_own_loss_alone(r1):
    generator, discriminator, optimizers = players()
    real, z = torch.rand(6, 1, 28, 28), torch.randn(6, 8)
    fake = generator(z)
    g_loss = generator_loss(discriminator(fake))
    expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    x = real.clone().requires_grad_()
    penalty = r1 * gradient_penalty(discriminator(x), x)
    expected_d = torch.autograd.grad(d_loss + penalty, list(discriminator.parameters()))
    statistics = train.train_step(generator, discriminator, optimizers, real, z, r1)
    torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
    found = [p.grad for p in discriminator.parameters()]
    torch.testing.assert_close(found, list(expected_d), msg="generator's step filled D's gradients")
    torch.testing.assert_close(statistics[:2], torch.stack([d_loss, g_loss]).detach())


def test_sampling_changes_nothing():
    generator, *_ = players()
    generator(torch.randn(4, 8))  # BatchNorm has seen something
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    random_state = torch.get_rng_state()
    z = torch.randn(25, 8, generator=torch.Generator().manual_seed(0))
    images = train.sample(generator, z)
    torch.testing.assert_close(images[:2], train.sample(generator, z[:2]))  # eval mode
    assert generator.training
    assert torch.equal(random_state, torch.get_rng_state())
    torch.testing.assert_close(dict(generator.state_dict()), before, rtol=0, atol=0)


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(tmp_path):
    flags = [*TINY, "--r1", "0.1"]
    straight = script("train.py", *flags, "--out_dir", "straight", cwd=tmp_path)
    assert straight.returncode == 0, straight.stderr
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    command = [sys.executable, HERE / "train.py", *flags, "--out_dir", "killed"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert_refused(script("train.py", *flags, "--out_dir", "killed", cwd=tmp_path), "--resume")
    other = script("train.py", *flags, "--lr", 0.5, "--out_dir", "killed", "--resume", cwd=tmp_path)
    assert_refused(other, "made with --lr 0.0008 not 0.5")
    resumed = script("train.py", *flags, "--out_dir", "killed", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    found = hashes(tmp_path / "killed")
    assert found == hashes(tmp_path / "straight")
    assert len(found) == 1 + 8  # 4 epochs of 4 batches: 0, 2, ..., 14
    for name in ("losses.png", "training.gif"):
        assert (tmp_path / "killed" / name).stat().st_size > 1000


def test_batchnorm_statistics_belong_to_the_averaged_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", *TINY, "--out_dir", str(tmp_path)])
    train.main()
    x = torch.randn(10_000, 100, generator=torch.Generator().manual_seed(1))
    generator = load(tmp_path / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    with torch.no_grad():
        for layer in generator.layers:
            if isinstance(layer, torch.nn.BatchNorm1d):
                off = (layer.running_mean - x.mean(0)) / x.std(0)
                assert off.abs().max() < 0.1, "were the statistics averaged, and not measured?"
                assert (layer.running_var / x.var(0) - 1).abs().max() < 0.2
            x = layer(x)


def test_shuffled_images_lazy_penalty_and_averaged_weights(tmp_path, monkeypatch):
    weights, penalties, seen = [], [], []

    def spy(generator, discriminator, optimizers, real, z, r1=0):
        statistics = train.train_step(generator, discriminator, optimizers, real, z, r1)
        weights.append([parameter.detach().clone() for parameter in generator.parameters()])
        penalties.append(r1)
        seen.append(real.detach())
        return statistics

    monkeypatch.setitem(train.main.__globals__, "train_step", spy)
    flags = [*TINY, "--r1", "0.5", "--r1_every", "3", "--ema", "0.3", "--out_dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    train.main()
    epoch, images = torch.cat(seen[:4]), load_mnist()[0][:200]
    assert not torch.equal(epoch, images), "in the order of the file"
    ink = [of.double().sum((1, 2, 3)).sort().values for of in (epoch, images)]
    assert torch.equal(*ink), "each image once"
    assert penalties == [1.5, 0, 0] * 5 + [1.5], "every 3 batches and 3 times as strong"
    averaged = weights[0]
    for n, current in enumerate(weights[1:], start=1):
        decay = min(0.3, (1 + n) / (10 + n))
        averaged = [decay * a + (1 - decay) * w for a, w in zip(averaged, current, strict=True)]
    saved = load(tmp_path / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    torch.testing.assert_close([p.detach() for p in saved.parameters()], averaged)


def test_two_runs_never_write_into_one_folder(tmp_path):
    claim(tmp_path)
    assert_refused(script("train.py", *TINY, "--out_dir", tmp_path, cwd=tmp_path), "another run")
    assert not list(tmp_path.rglob("*.p*")), "something was written"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--batch_size", "1"),
        ("--n_epochs", "0"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--b1", "1"),
        ("--ema", "-0.1"),
        ("--latent_dim", "many"),
        ("--seed", "-1"),
        ("--device", "meta"),
        ("--out_dir", __file__),
        ("--data_dir", "/nowhere"),
        ("--nonsense", "1"),
    ],
)
def test_wrong_flags_are_refused(tmp_path, monkeypatch, capsys, offline, flag, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--out_dir", "out", flag, value])
    with pytest.raises(SystemExit) as stop:
        train.run(train.main)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert_one_line(error, value)
    assert not list(tmp_path.rglob("*.p*")), "something was written"


def test_the_benchmark_runs(tmp_path):
    process = script("benchmark.py", "--rounds", 1, "--n_steps", 2, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "x the plain loop" in process.stdout
