"""Tests of studies/loops.py: each change of the template is what its name says."""

import copy
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch

import train
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from judge import load_judge
from latent import draw_samples
from metrics import Comparison
from mnist import load_mnist
from studies import loops
from studies.collapse import SETTINGS, calm

IMAGES = load_mnist()[0][:640]


def new_training(**changes):
    training = loops.new_training(calm(**changes), 3)
    training.images = IMAGES
    return training


def weights_of(network):
    return torch.cat([w.detach().flatten() for w in network.parameters()])


@pytest.mark.parametrize(
    ("experiment", "betas"),
    [("template", (0.9, 0.9)), ("momentum", (0.0, 0.9)), ("delay 0", (0.0, 0.0))],
)
def test_the_template_trains_as_a_textbook_does(experiment, betas):
    training = loops.new_training(SETTINGS[experiment], 3)
    torch.manual_seed(3)
    networks = Generator(), Discriminator()
    generator, discriminator = networks
    adam_g, adam_d = (
        torch.optim.Adam(network.parameters(), 0.0002, (beta, 0.999))
        for network, beta in zip(networks, betas, strict=True)
    )
    rng = torch.Generator().manual_seed(3)

    def bce(images, target):
        probabilities = torch.sigmoid(discriminator(images))
        return torch.nn.BCELoss()(probabilities, torch.full((len(images), 1), target))

    def step_generator():
        adam_g.zero_grad()
        bce(fake, 1.0).backward()
        adam_g.step()

    d_first = experiment == "delay 0"
    for real in IMAGES[:96].split(64):
        fake = generator(torch.randn(len(real), 100, generator=rng))
        if not d_first:
            step_generator()
        adam_d.zero_grad()
        ((bce(real, 1.0) + bce(fake.detach(), 0.0)) / 2).backward()
        adam_d.step()
        if d_first:
            step_generator()
        training.train_step(real)
    for one, other in (generator, training.generator), (discriminator, training.discriminator):
        # Some differ: before BatchNorm, the gradient of a bias is nothing but rounding.
        assert ((weights_of(one) - weights_of(other)).abs() > 2e-5).double().mean() < 0.01


def test_both_at_once_take_their_gradients_at_the_weights_before_the_step():
    flags = "--r1 3 --r1_every 2 --lr_d 0.1 --fakes 32"
    training = loops.new_training(loops.settings_for("both at once", flags), 3)
    rng, real = training.rng.clone_state(), IMAGES[:64]
    networks = training.discriminator, training.generator
    for weight in 6, 0:  # the penalty is twice as strong, in every second step
        discriminator, generator = twins = copy.deepcopy(networks)
        fake = generator(torch.randn(32, 100, generator=rng))
        training.train_step(real)
        d_loss = discriminator_loss(discriminator(real), discriminator(fake))
        d_loss = d_loss + weight * gradient_penalty(discriminator, real)
        losses = d_loss, generator_loss(discriminator(fake))
        for network, loss, twin in zip(networks, losses, twins, strict=True):
            expected = torch.autograd.grad(loss, [*twin.parameters()], retain_graph=True)
            torch.testing.assert_close([w.grad for w in network.parameters()], [*expected])
            assert not torch.equal(weights_of(network), weights_of(twin))
    # The average of the first step is the generator itself, that of the second has decay 2/11.
    average = weights_of(generator).lerp(weights_of(training.generator), 9 / 11)
    torch.testing.assert_close(weights_of(training.averaged), average)


def test_each_change_arrives():
    flags = {"lr": 0.3, "lr_d": 0.4, "b1": 0.1, "b1_d": 0.2, "units": 32}
    training = loops.new_training(SETTINGS["template"] | flags, 5)
    for adam, lr, b1 in (training.optimizer_g, 0.3, 0.1), (training.optimizer_d, 0.4, 0.2):
        assert adam.param_groups[0]["lr"] == lr
        assert adam.param_groups[0]["betas"] == (b1, 0.999)
    assert [w.shape[0] for w in training.discriminator.parameters()] == [32, 32, 16, 16, 1, 1]


def test_a_study_trains_on_the_cpu_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert train.parse_args([]).device == "cuda"
    assert new_training().args.device == "cpu"


def test_late_applies_the_gradient_of_some_steps_ago():
    first, *others = IMAGES[:320].split(64)
    plain, training = new_training(), new_training(late=3)
    start = weights_of(training.discriminator)
    plain.train_step(first)
    for real in first, *others[:2]:
        training.train_step(real)
        assert torch.equal(weights_of(training.discriminator), start)
    training.train_step(others[2])
    moved = weights_of(plain.discriminator)
    assert torch.equal(weights_of(training.discriminator), moved), "not the first step's gradient"


@pytest.mark.parametrize("half", [False, True])
def test_old_fakes_are_those_of_some_steps_ago_for_all_or_half_of_the_batch(monkeypatch, half):
    training, drawn, seen = new_training(old_fakes=2, half_old=half), [], []
    draw, gradient = training.draw_fakes, training.discriminator_gradient
    monkeypatch.setattr(training, "draw_fakes", lambda n: drawn.append(draw(n)) or drawn[-1])

    def look(real, fake):
        seen.append(fake)
        return gradient(real, fake)

    monkeypatch.setattr(training, "discriminator_gradient", look)
    for real in IMAGES[:320].split(64):
        training.train_step(real)
    for step, old in enumerate([0, 0, 0, 1, 2]):
        n = 32 if half else 64
        assert torch.equal(seen[step], torch.cat([drawn[old][:n], drawn[step][n:]]))


def test_a_gradient_is_taken_at_the_discriminator_of_some_steps_ago():
    training, past = new_training(old_weights=2), []
    for step, real in enumerate(IMAGES[:256].split(64)):
        generator, rng = copy.deepcopy(training.generator), training.rng.clone_state()
        past.append(copy.deepcopy(training.discriminator))
        training.train_step(real)
        now, old = past[-1], past[max(0, step - 2)]
        fake = generator(torch.randn(64, 100, generator=rng))
        d_loss = discriminator_loss(old(real), old(fake.detach())) / 2
        d_gradient = torch.autograd.grad(d_loss, [*old.parameters()])
        g_gradient = torch.autograd.grad(generator_loss(now(fake)), [*generator.parameters()])
        weights = [*training.discriminator.parameters(), *training.generator.parameters()]
        torch.testing.assert_close([w.grad for w in weights], [*d_gradient, *g_gradient])


def test_the_mean_is_of_nine_batches_at_the_same_weights_and_generator():
    mean, plain = new_training(mean=9), new_training()
    for real in IMAGES.split(64):
        mean.train_step(real)
        plain.train_step(real)
    start = weights_of(plain.discriminator)
    assert torch.equal(weights_of(mean.discriminator), start), "ten steps along one gradient"
    # The textbook: the gradients of nine batches, with fakes of the generator before its step.
    real, rng = IMAGES[:64], mean.rng.clone_state()
    plain.rng = rng
    fake = plain.draw_fakes(64)
    others, other_fakes = plain.further_images(8)
    assert len({image.sum().item() for image in other_fakes}) == 512, "a batch twice"
    pairs = [(real, fake.detach()), *zip(others.split(64), other_fakes.split(64), strict=True)]
    gradients = [plain.discriminator_gradient(*pair) for pair in pairs]
    seconds = [plain.optimizer_d.state[w]["exp_avg_sq"] for w in plain.discriminator.parameters()]
    expected = []
    for second, *own in zip(seconds, *gradients, strict=True):
        moment = (0.999 * second + 0.001 * own[0].square()) / (1 - 0.999**11)
        expected.append((2e-4 * torch.stack(own).mean(0) / (moment.sqrt() + 1e-8)).flatten())
    mean.train_step(real)
    moved = start - weights_of(mean.discriminator)
    torch.testing.assert_close(moved, torch.cat(expected), atol=2e-6, rtol=1e-2)


@pytest.mark.parametrize(("first", "epochs"), [(1, [*range(1, 11), 15]), (10, [10, 15])])
def test_the_first_ten_epochs_and_every_fifth_have_a_row(monkeypatch, first, epochs):
    monkeypatch.setattr(loops, "compare_with_mnist", lambda: SimpleNamespace(quality=lambda _: {}))
    own = calm("--n_epochs 16 --n_images 2 --n_measured 200", measured_from=first)
    assert [row["epoch"] for row in loops.measure(own, 0)] == epochs


@pytest.mark.parametrize("loop", ["ours", "template"])
def test_a_row_is_that_of_the_training_with_its_settings_and_its_seed(loop, monkeypatch):
    comparison = Comparison(load_judge(), IMAGES[:300])
    monkeypatch.setattr(loops, "compare_with_mnist", lambda: comparison)
    flags = "--n_images 200 --n_epochs 2 --n_measured 200 --halving 2 --lr 0.001"
    own = loops.settings_for(loop, flags, shown=2, coverage_at=2, n_coverage=50, measure_seed=9)
    rows = loops.measure(own, 1)
    training = loops.LOOPS[loop](Namespace(**own, seed=1, device="cpu"))
    for epoch, row in enumerate(rows, start=1):
        training.set_rates(epoch)
        for real in training.batches(IMAGES[:200]):
            training.train_step(real)
        samples = draw_samples(training.final_generator(), 200, 9)
        coverage = comparison.coverage(samples[:50]) if epoch == 2 else ""
        assert row == row | comparison.quality(samples) | {"epoch": epoch, "coverage": coverage}
    assert rows[0]["samples"] == ""
    shown = torch.tensor(rows[1]["samples"]).view(25, 1, 28, 28) / 127.5 - 1
    expected = draw_samples(training.final_generator(), 25, 0)
    torch.testing.assert_close(shown, expected, atol=0.005, rtol=0)
