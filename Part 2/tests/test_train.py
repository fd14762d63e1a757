"""Tests of the networks and of both training loops."""

import hashlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

import template
import train
from checkpoint import save_checkpoint, settings_of, start_or_resume
from classifier import load_classifier
from common import InputError
from conftest import HERE
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from mnist import load_mnist

TINY = ["--n_images", "200", "--n_epochs", "3", "--save_interval", "5", "--n_measured", "200"]
SCRIPTS = {"train": (train, train.Training), "template": (template, template.TemplateTraining)}


def hashes(folder):
    """Return {name: SHA-256} of what a run leaves: generator, numbers, grids."""
    files = [*folder.glob("*.pth"), *folder.glob("*.csv"), *folder.glob("images/[!.]*")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def new_training(*flags, name="train"):
    script, build = SCRIPTS[name]
    return build(script.parse_args([str(flag) for flag in flags]))


def sorted_sums(images):
    return images.sum((1, 2, 3)).sort()[0]


def tiny_run(folder, *flags, name):
    script, build = SCRIPTS[name]
    train.train(script.parse_args([*TINY, *map(str, flags), "--out_dir", str(folder)]), build)


def test_shapes_ranges_and_losses_that_do_not_overflow():
    images = Generator(latent_dim=9)(100 * torch.randn(7, 9))
    assert images.shape == (7, 1, 28, 28)
    assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
    logits = Discriminator()(1000 * images)
    assert logits.shape == (7, 1)
    assert not ((logits >= 0) & (logits <= 1)).all(), "is there a sigmoid inside?"
    layers = [*Generator().modules(), *Discriminator().modules()]
    slopes = [layer.negative_slope for layer in layers if isinstance(layer, torch.nn.LeakyReLU)]
    assert slopes == [0.2] * 6
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    (discriminator_loss(-far, far) + generator_loss(-far)).backward()
    assert far.grad == 3


@pytest.mark.parametrize("r1", [0, 3])
def test_each_network_gets_the_gradients_of_its_own_loss_alone(r1):
    tiny = ["--n_images", 6, "--batch_size", 6, "--latent_dim", 8, "--fakes", 5]
    training = new_training(*tiny, "--r1", r1, "--r1_every", 2)
    generator, discriminator = networks = training.generator, training.discriminator
    before = [[*network.parameters()][-1].detach().clone() for network in networks]
    real = torch.rand(6, 1, 28, 28)
    fake = generator(torch.randn(5, 8, generator=training.rng.clone_state()))
    g_loss = generator_loss(discriminator(fake))
    expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    real.requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    penalty = 2 * r1 * slope.square().sum() / 6 / 2  # every 2nd step, so twice; 6 images
    expected_d = torch.autograd.grad(d_loss + penalty, list(discriminator.parameters()))
    outputs = [torch.sigmoid(discriminator(images)).mean() for images in (real, fake)]
    training.train_step(real)
    torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
    found = [p.grad for p in discriminator.parameters()]
    torch.testing.assert_close(found, list(expected_d))  # nothing of the generator's step
    training.end_epoch()  # of one batch
    row = training.losses[0]
    found = torch.tensor([row[name] for name in ("d_loss", "g_loss", "d_real", "d_fake")])
    torch.testing.assert_close(found, torch.stack([d_loss, g_loss, *outputs]).detach())
    steps = [bias - [*net.parameters()][-1] for bias, net in zip(before, networks, strict=True)]
    assert [s.abs().max().item() for s in steps] == pytest.approx([8e-4, 4e-4], rel=1e-3)  # rates


@pytest.mark.parametrize("flags", [[], ["--b1=0.5"], ["--fresh_fakes"]])
def test_the_template_trains_as_a_textbook_does(flags):
    training = new_training("--seed", 3, *flags, name="template")
    torch.manual_seed(3)
    generator, discriminator = Generator(), Discriminator()
    betas = (0.5 if "--b1=0.5" in flags else 0.9, 0.999)
    optimizer_g = torch.optim.Adam(generator.parameters(), 0.0002, betas)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), 0.0002, betas)
    rng = torch.Generator().manual_seed(3)

    def bce(images, target):
        probabilities = torch.sigmoid(discriminator(images))
        return torch.nn.BCELoss()(probabilities, torch.full((len(images), 1), target))

    for real in load_mnist()[0][:96].split(64):
        fake = generator(torch.randn(len(real), 100, generator=rng))
        optimizer_g.zero_grad()
        bce(fake, 1.0).backward()
        optimizer_g.step()
        if "--fresh_fakes" in flags:
            fake = generator(torch.randn(len(real), 100, generator=rng))
        optimizer_d.zero_grad()
        ((bce(real, 1.0) + bce(fake.detach(), 0.0)) / 2).backward()
        optimizer_d.step()
        training.train_step(real)
    for networks in (generator, training.generator), (discriminator, training.discriminator):
        a, b = (torch.cat([w.flatten() for w in network.parameters()]) for network in networks)
        # Some differ: before BatchNorm, the gradient of a bias is nothing but rounding.
        assert ((a - b).abs() > 2e-5).double().mean() < 0.01
    assert training.args.ema == 0, "the template has no average"
    changed = settings_of(template.parse_args(flags)) != settings_of(template.parse_args([]))
    assert changed == bool(flags), "--resume would not refuse the flag"


def test_rates_betas_and_the_seed_arrive():
    flags = ["--lr=0.01", "--lr_d=0.02", "--b1=0.3", "--b2=0.4", "--latent_dim=7", "--seed=5"]
    training = new_training(*flags)
    groups = [o.param_groups[0] for o in (training.optimizer_g, training.optimizer_d)]
    assert [group["lr"] for group in groups] == [0.01, 0.02]
    assert [group["betas"] for group in groups] == 2 * [(0.3, 0.4)]
    torch.manual_seed(5)
    assert torch.equal(Generator(7).layers[0].weight, training.generator.layers[0].weight)
    assert training.rng.initial_seed() == 5


def test_train_sees_the_training_images_and_the_judge_measures(tmp_path, monkeypatch):
    seen, compared = [], []
    known = SimpleNamespace(quality=lambda images: {"n": len(images)})
    monkeypatch.setattr(train.Training, "train_step", lambda _, real: seen.append(real))
    monkeypatch.setattr(train, "Comparison", lambda *args: compared.extend(args) or known)
    flags = [*TINY, "--n_epochs", "1", "--out_dir", str(tmp_path)]
    training = train.train(train.parse_args(flags))
    images = load_mnist(train=True)[0][:200]
    assert torch.equal(sorted_sums(torch.cat(seen)), sorted_sums(images))
    judge, references = compared
    assert torch.equal(judge.head.weight, load_classifier("judge", "cpu").head.weight)
    assert torch.equal(references, images)
    assert training.quality[0]["n"] == 200


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


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path, refuse, name):
    command = [sys.executable, HERE / f"{name}.py", *TINY, "--out_dir", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("batch 8  epoch 2"):
            process.kill()
    assert process.wait() != 0, "the run ended before it could be killed"
    for _ in "killed", "finished":
        refuse(SCRIPTS[name][0].main, *TINY, words=["--resume", "--out_dir", "out"])
        tiny_run(tmp_path / "out", "--resume", name=name)
        assert hashes(tmp_path / "out") == hashes(straight_run)
    shorter = *TINY, "--resume", "--n_epochs", 2
    refuse(SCRIPTS[name][0].main, *shorter, words=["--n_epochs 2", "3 already"])
    grids = {path.name for path in (tmp_path / "out" / "images").iterdir()}
    assert grids == {"0.png", "5.png", "6.png", "10.png", "12.png"}, "every 5 batches and half-way"
    _, *rows = (straight_run / "quality.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows] == [["4", "1"], ["8", "2"], ["12", "3"]]


def test_measuring_less_and_resuming_with_more_epochs_change_no_step(straight_run, tmp_path, name):
    tiny_run(tmp_path, "--n_epochs", 1, "--measure_every", 0, name=name)
    assert not (tmp_path / "quality.csv").exists()
    tiny_run(tmp_path, "--resume", name=name)
    found, wanted = hashes(tmp_path), hashes(straight_run)
    assert found.keys() == wanted.keys(), "the grids of the shorter training are gone"
    assert {file for file in wanted if found[file] != wanted[file]} == {"quality.csv"}


def test_of_two_that_continue_a_training_at_once_one_is_refused(tmp_path, refuse):
    flags = [*TINY, "--resume", "--out_dir", str(tmp_path)]
    args = train.parse_args(flags)
    first, second = (start_or_resume(train.Training, args) for _ in range(2))
    refuse(train.main, *flags, "--seed", 1, words=["--seed 0, now 1"])  # though no epoch is done
    save_checkpoint(second)
    with pytest.raises(InputError, match="another process"):
        save_checkpoint(first)
    save_checkpoint(second)
    args.device = torch.device("meta")
    assert settings_of(args) == settings_of(train.parse_args(flags)), "another device may go on"
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    refuse(train.main, *flags, words=["checkpoint.pt"])


def test_batchnorm_is_measured_for_averaged_weights_only():
    trainings = [new_training("--lr", 0.01, "--ema", ema) for ema in (0.999, 0)]
    for training in trainings:
        for real in load_mnist()[0][:640].split(64):
            training.train_step(real)
    x = torch.randn(10_000, 100, generator=torch.Generator().manual_seed(1))
    for layer in trainings[0].final_generator().layers:
        if isinstance(layer, torch.nn.BatchNorm1d):
            assert ((layer.running_mean - x.mean(0)) / x.std(0)).abs().max() < 0.1
        x = layer(x)
    saved, last = trainings[1].final_generator(), trainings[1].generator
    assert not saved.training, "BatchNorm would use the batch's statistics"
    torch.testing.assert_close(saved.state_dict(), last.state_dict(), atol=0, rtol=0)


def test_each_image_once_a_lazy_penalty_and_averaged_weights(monkeypatch):
    training = new_training("--r1_every", 3, "--ema", 0.5, "--lr", 0.05, "--n_images", 640)
    penalised = []
    monkeypatch.setattr(train, "gradient_penalty", lambda *_: penalised.append(training.step) or 0)
    images = load_mnist()[0][:640]
    batches = list(training.batches(images))
    averaged = torch.zeros(())
    for n, real in enumerate(batches):
        training.train_step(real)
        decay = min(0.5, (1 + n) / (10 + n)) if n > 0 else 0
        averaged = decay * averaged + (1 - decay) * training.generator.layers[0].weight.detach()
    torch.testing.assert_close(training.final_generator().layers[0].weight.detach(), averaged)
    assert penalised == [0, 3, 6, 9], "every 3 batches"
    for seen in torch.cat(batches), torch.cat(list(new_training(name="template").batches(images))):
        assert not torch.equal(seen, images), "in the order of the file"
        assert torch.equal(sorted_sums(seen), sorted_sums(images)), "each once"


def test_flags_are_refused_or_say_when_the_quality_is_measured(refuse):
    args = train.parse_args(["--n_epochs", "23", "--measure_every", "5"])
    assert [n for n in range(1, 24) if train.is_due(n, args)] == [*range(1, 11), 15, 20, 23]
    refuse(train.main, "--fakes", "1", words=["--fakes", "1"])
    refuse(template.main, "--lr", "0.1", words=["--lr"])  # the template's settings are fixed
