"""Tests of the networks, of both training loops and of the script that compares their runs."""

import hashlib
import subprocess
import sys

import pytest
import torch
from PIL import Image

import compare
import template
import train
from checkpoint import settings_of
from classifier import load_classifier
from common import save_csv
from conftest import HERE
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from metrics import Comparison
from mnist import load_mnist

TINY = ["--n_images", "200", "--n_epochs", "3", "--save_interval", "5", "--n_measured", "200"]
SCRIPTS = {"train": train, "template": template}
BUILD = {"train": train.Training, "template": template.TemplateTraining}


def hashes(folder):
    """Return {name: SHA-256} of what a run leaves: generator, numbers, grids."""
    files = [*folder.glob("*.pth"), *folder.glob("*.csv"), *folder.glob("images/[!.]*")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def new_training(*flags, name="train"):
    return BUILD[name](SCRIPTS[name].parse_args([str(flag) for flag in flags]))


def tiny_run(folder, *flags, name):
    flags = [*TINY, *map(str, flags), "--out_dir", str(folder)]
    train.train(SCRIPTS[name].parse_args(flags), BUILD[name])


def test_shapes_ranges_and_losses_that_do_not_overflow():
    for batch, latent_dim in (2, 1), (7, 100):
        images = Generator(latent_dim)(100 * torch.randn(batch, latent_dim))
        assert images.shape == (batch, 1, 28, 28)
        assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
        logits = Discriminator()(1000 * images)
        assert logits.shape == (batch, 1)
        assert not ((logits >= 0) & (logits <= 1)).all(), "is there a sigmoid inside?"
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    (discriminator_loss(-far, far) + generator_loss(-far)).backward()
    assert far.grad == 3


def test_gradient_penalty_of_a_known_function():
    x = torch.randn(5, 1, 28, 28, dtype=torch.float64)
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(lambda x: (a * x.square()).sum((1, 2, 3)), x)  # gradient: 2 a x
    torch.testing.assert_close(penalty, (2 * a * x).square().sum((1, 2, 3)).mean() / 2)
    (slope,) = torch.autograd.grad(penalty, a)
    torch.testing.assert_close(slope, 2 * penalty / a)


@pytest.mark.parametrize("r1", [0, 3])
def test_each_network_gets_the_gradients_of_its_own_loss_alone(r1):
    training = new_training("--latent_dim", 8, "--fakes", 5, "--r1", r1, "--r1_every", 2)
    generator, discriminator = training.generator, training.discriminator
    real = torch.rand(6, 1, 28, 28)
    fake = generator(torch.randn(5, 8, generator=training.rng.clone_state()))
    g_loss = generator_loss(discriminator(fake))
    expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    penalty = 2 * r1 * gradient_penalty(discriminator, real)  # every 2nd step, so twice
    expected_d = torch.autograd.grad(d_loss + penalty, list(discriminator.parameters()))
    outputs = [torch.sigmoid(discriminator(images)).mean() for images in (real, fake)]
    training.train_step(real)
    torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
    found = [p.grad for p in discriminator.parameters()]
    torch.testing.assert_close(found, list(expected_d))  # nothing of the generator's step
    expected_losses = torch.stack([d_loss, g_loss, *outputs]).detach()
    torch.testing.assert_close(training.step_losses[0], expected_losses)


@pytest.mark.parametrize("flags", [[], ["--b1=0.5"], ["--fresh_fakes"], ["--g_loss=minimax"]])
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
        g_loss = -bce(fake, 0.0) if "--g_loss=minimax" in flags else bce(fake, 1.0)
        g_loss.backward()
        optimizer_g.step()
        if "--fresh_fakes" in flags:
            fake = generator(torch.randn(len(real), 100, generator=rng))
        optimizer_d.zero_grad()
        ((bce(real, 1.0) + bce(fake.detach(), 0.0)) / 2).backward()
        optimizer_d.step()
        training.train_step(real)
    for expected, found in (generator, training.generator), (discriminator, training.discriminator):
        vectors = [
            torch.nn.utils.parameters_to_vector(net.parameters()) for net in (expected, found)
        ]
        far = (vectors[0] - vectors[1]).abs() > 2e-5
        assert far.double().mean() < 0.01  # but biases before BatchNorm: their gradient is rounding
    assert training.args.ema == 0, "the template has no average"
    changed = settings_of(template.parse_args(flags)) != settings_of(template.parse_args([]))
    assert changed == bool(flags), "--resume would not refuse the flag"


def test_the_training_learns():
    # Measured: 0.20 of the start's; 1.08 with a frozen generator, 0.88 with a frozen discriminator.
    images = load_mnist()[0][:10_000]
    comparison = Comparison(load_classifier("eye", "cpu"), images[:2000])
    training = new_training("--fakes", 64, "--n_images", 10_000)  # 157 batches in an epoch
    distances = [comparison.quality(training.samples(1000, seed=0))["frechet_distance"]]
    for real in [*training.batches(images), *training.batches(images)][:300]:
        training.train_step(real)
    distances.append(comparison.quality(training.samples(1000, seed=0))["frechet_distance"])
    assert distances[1] < distances[0] / 3


def test_each_flag_and_the_seed_change_what_three_steps_leave():
    flags = "seed 1,batch_size 9,fakes 17,latent_dim 99,lr 0.001,lr_d 0.001,b1 0.1,b2 0.9,r1 0.3"
    weights = []
    for flag in ["seed 0", "seed 0", *flags.split(","), "r1_every 2", "ema 0.1"]:
        given = f"--fakes 16 --batch_size 8 --n_images 64 --{flag}"
        training = new_training(*given.split())
        for real in list(training.batches(load_mnist(train=False)[0][:64]))[:3]:
            training.train_step(real)
        parameters = training.final_generator().parameters()
        weights.append(torch.cat([p.detach().flatten() for p in parameters]))
        same = torch.equal(weights[0], weights[-1])
        assert same == (flag == "seed 0"), flag


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
        refuse(SCRIPTS[name].main, *TINY, words=["--resume", "--out_dir", "out"])
        tiny_run(tmp_path / "out", "--resume", name=name)
        assert hashes(tmp_path / "out") == hashes(straight_run)
    grids = {path.name for path in (tmp_path / "out" / "images").iterdir()}
    assert grids == {"0.png", "5.png", "6.png", "10.png", "12.png"}, "every 5 batches and half-way"
    rows = [row.split(",") for row in (straight_run / "quality.csv").read_text().splitlines()]
    assert [row[:2] for row in rows[1:]] == [["4", "1"], ["8", "2"], ["12", "3"]]
    assert (200 * float(rows[-1][4])).is_integer(), "a share of 200 samples"


def test_measuring_less_and_resuming_with_more_epochs_change_no_step(straight_run, tmp_path, name):
    tiny_run(tmp_path, "--n_epochs", 1, "--measure_every", 0, name=name)
    assert not (tmp_path / "quality.csv").exists()
    tiny_run(tmp_path, "--resume", name=name)
    found, wanted = hashes(tmp_path), hashes(straight_run)
    assert {file for file in wanted if found[file] != wanted[file]} == {"quality.csv"}


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, refuse):
    args = train.parse_args(TINY)
    settings = settings_of(args)
    args.device = "cuda"
    assert settings == settings_of(args), "a training may go on on another device"
    (tmp_path / "out").mkdir()
    for content, word in (
        ([1, 2], "checkpoint.pt"),
        ({"settings": settings, "training": {"epoch": 1}}, "checkpoint.pt"),
        ({"settings": settings | {"lr": "0.5"}}, "--lr 0.5, now 0.0008"),
    ):
        torch.save(content, tmp_path / "out" / "checkpoint.pt")
        refuse(train.main, *TINY, "--resume", words=[word])


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
    saved, last = trainings[1].final_generator().eval(), trainings[1].generator
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
        sums = [pixels.sum((1, 2, 3)).sort()[0] for pixels in (seen, images)]
        assert torch.equal(*sums), "each once"


def test_flags_are_refused_or_say_when_the_quality_is_measured(refuse, tmp_path):
    args = train.parse_args(["--n_epochs", "23", "--measure_every", "5"])
    assert [n for n in range(1, 24) if train.is_due(n, args)] == [*range(1, 11), 15, 20, 23]
    for flag, value in ("--fakes", "1"), ("--b1", "1"), ("--seed", "-1"), ("--device", "meta"):
        refuse(train.main, flag, value, words=[flag, value])
    refuse(template.main, "--lr", "0.1", words=["--lr"])  # the template's settings are fixed
    (tmp_path / "out").write_text("a file")
    refuse(train.main, words=["out: not a writable folder"])


def test_runs_are_compared(tmp_path, monkeypatch, call, refuse):
    monkeypatch.setattr(compare, "load_mnist", lambda *_: [t[:500] for t in load_mnist(False)])
    file = tmp_path / "quality.csv"
    save_csv(file, [{"epoch": n, "frechet_distance": 10.5 / n} for n in (1, 2)])
    for batch in 0, 500, 1000, 10_000, 90_000, 100_000, 200_000:
        Image.new("L", (152, 152)).save(tmp_path / f"{batch}.png")
    titles = [title for title, _ in compare.read_moments(tmp_path)]
    assert titles == ["batch 0", "batch 1,000", "batch 100,000", "batch 200,000"]
    assert compare.read_quality(file) == ([1, 2], [10.5, 5.25])
    flags = ["--ours", file, "--template", file, "--template_grids", tmp_path]
    refuse(compare.main, *flags, "--ours", tmp_path / "no.csv", words=["no.csv"])
    refuse(compare.main, *flags, "--ours_grids", "no grids", words=["no grids"])
    call(compare.main, *flags, "--out_dir", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"quality.png", "moments.png"}
