"""Tests of studies/loops.py: each loop and each change of the template is what its name says."""

import copy
from argparse import Namespace

import pytest
import torch

from classifier import load_classifier
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples
from metrics import Comparison
from mnist import load_mnist
from studies import loops
from studies.collapse import SETTINGS

IMAGES = load_mnist()[0][:640]
TEXTBOOK = {  # {experiment: (fakes, weights, gradients: steps stale; half; betas; units; D's rate)}
    "stale fakes, 0 steps": (0, 0, 1, False, (0.0, 0.0), 512, 2e-4),
    "stale fakes, 1 step": (1, 0, 1, False, (0.0, 0.0), 512, 2e-4),
    "stale fakes, 3 steps": (3, 0, 1, False, (0.0, 0.0), 512, 2e-4),
    "stale fakes, 10 steps, half of the batch": (10, 0, 1, True, (0.0, 0.0), 512, 2e-4),
    "stale fakes, 10 steps, D's rate times four": (10, 0, 1, False, (0.0, 0.0), 512, 8e-4),
    "stale weights, 9 steps": (1, 9, 1, False, (0.0, 0.0), 512, 2e-4),
    "stale gradients, 2 steps": (1, 0, 2, False, (0.0, 0.0), 512, 2e-4),
    "momentum 0.5": (1, 0, 1, False, (0.0, 0.5), 512, 2e-4),
    "momentum": (1, 0, 1, False, (0.0, 0.9), 512, 2e-4),
    "small discriminator": (1, 0, 1, False, (0.0, 0.0), 32, 2e-4),
    "generator's momentum": (1, 0, 1, False, (0.9, 0.0), 512, 2e-4),
    "template": (1, 0, 1, False, (0.9, 0.9), 512, 2e-4),
}


def new_training(settings, seed=3):
    training = loops.LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))
    training.images = IMAGES
    return training


def weights_of(network):
    return torch.cat([w.detach().flatten() for w in network.parameters()])


@pytest.fixture
def in_double():
    """Compute in float64: in float32, rounding alone turns some of Adam's first steps round."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("experiment", TEXTBOOK)
def test_the_template_and_its_changes_train_as_a_textbook_does(experiment):
    stale_fakes, stale_weights, stale_gradients, half, betas, units, rate = TEXTBOOK[experiment]
    training = new_training(SETTINGS[experiment])
    torch.manual_seed(3)
    generator, discriminator = networks = Generator(), Discriminator(units)
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (betas[0], 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), rate, (betas[1], 0.999))
    rng = torch.Generator().manual_seed(3)
    fakes, discriminators, gradients = [], [], []  # of all steps

    def bce(logits, target):
        return torch.nn.BCELoss()(torch.sigmoid(logits), torch.full_like(logits, target))

    def step_generator(fake):
        adam_g.zero_grad()
        bce(discriminator(fake), 1.0).backward()
        adam_g.step()

    for step in range(12):
        real = IMAGES[32 * step : 32 * step + 32].double()
        fakes.append(generator(torch.randn(32, 100, generator=rng)))
        discriminators.append(copy.deepcopy(discriminator))
        if stale_fakes > 0:
            step_generator(fakes[-1])
        stale = fakes[max(0, step - max(0, stale_fakes - 1))].detach()
        shown = torch.cat([stale[:16], fakes[-1][16:].detach()]) if half else stale
        old = discriminators[max(0, step - stale_weights)]
        d_loss = (bce(old(real), 1.0) + bce(old(shown), 0.0)) / 2
        gradients.append(torch.autograd.grad(d_loss, [*old.parameters()]))
        if step >= stale_gradients - 1:
            for weight, gradient in zip(
                discriminator.parameters(), gradients[step - stale_gradients + 1], strict=True
            ):
                weight.grad = gradient
            adam_d.step()
        if stale_fakes == 0:
            step_generator(fakes[-1])
        training.train_step(real)
    for one, other in zip(networks, (training.generator, training.discriminator), strict=True):
        torch.testing.assert_close(weights_of(one), weights_of(other), atol=1e-6, rtol=0)


def test_the_mean_is_of_nine_batches_at_the_same_weights_and_generator():
    nine = new_training(SETTINGS["nine times the batch"])
    plain = new_training(SETTINGS["stale fakes, 1 step"])
    for real in IMAGES.split(64):
        nine.train_step(real)
        plain.train_step(real)
    start = weights_of(plain.discriminator)
    assert torch.equal(weights_of(nine.discriminator), start), "ten steps along one gradient"
    real, rng = IMAGES[:64], nine.rng.clone_state()
    twin, critic = copy.deepcopy(nine.generator), copy.deepcopy(nine.discriminator)
    second = [nine.optimizer_d.state[w]["exp_avg_sq"].clone() for w in nine.optimizer_d.state]
    nine.train_step(real)
    # The textbook: the gradients of nine batches, with fakes of the generator before its step.
    fakes = [twin(torch.randn(64, 100, generator=rng))]
    further = IMAGES[torch.randint(640, (512,), generator=rng)]
    fakes += [twin(torch.randn(64, 100, generator=rng)) for _ in range(8)]
    gradients = []
    for batch, fake in zip([real, *further.split(64)], fakes, strict=True):
        loss = discriminator_loss(critic(batch), critic(fake.detach())) / 2
        gradients.append(torch.autograd.grad(loss, [*critic.parameters()]))
    expected = []
    for moment, *own in zip(second, *gradients, strict=True):
        moment = (0.999 * moment + 0.001 * own[0].square()) / (1 - 0.999**11)
        expected.append((2e-4 * torch.stack(own).mean(0) / (moment.sqrt() + 1e-8)).flatten())
    moved = start - weights_of(nine.discriminator)
    torch.testing.assert_close(moved, torch.cat(expected), atol=2e-6, rtol=1e-2)


@pytest.mark.parametrize("loop", ["alternating", "simultaneous"])
def test_each_network_follows_its_own_gradient_of_equation_10(loop):
    flags = "--r1 2 --r1_every 3 --lr_d 0.01 --fakes 5 --latent_dim 8"
    training = new_training(loops.settings_for(loop, flags))
    networks, rng = (training.discriminator, training.generator), training.rng.clone_state()
    for weight in 6, 0, 0, 6:  # every third step, so three times as strong
        real = torch.rand(6, 1, 28, 28, requires_grad=True)
        old, generator = twins = copy.deepcopy(networks)
        fake = generator(torch.randn(5, 8, generator=rng))  # new in each step
        told = training.train_step(real.detach())
        d_loss = discriminator_loss(old(real), old(fake))
        (slope,) = torch.autograd.grad(old(real).sum(), real, create_graph=True)
        critic = (
            training.discriminator if loop == "alternating" else old
        )  # the one that has moved, or not
        g_loss = generator_loss(critic(fake))
        losses = d_loss + weight * slope.square().sum() / 6 / 2, g_loss  # of 6 images
        for network, loss, twin in zip(networks, losses, twins, strict=True):
            expected = torch.autograd.grad(loss, [*twin.parameters()], retain_graph=True)
            torch.testing.assert_close([w.grad for w in network.parameters()], [*expected])
            assert not torch.equal(weights_of(network), weights_of(twin)), "it has not moved"
        if loop == "alternating":
            outputs = [torch.sigmoid(old(images)).mean() for images in (real, fake)]
            torch.testing.assert_close(told, torch.stack([d_loss, g_loss, *outputs]).detach())


def test_the_template_sees_each_image_once_in_random_order():
    training, file = new_training(SETTINGS["template"]), IMAGES.sum((1, 2, 3))
    order = torch.cat([*training.batches(IMAGES)]).sum((1, 2, 3))
    assert torch.equal(order.sort()[0], file.sort()[0])
    assert not torch.equal(order, file)


@pytest.mark.parametrize("loop", loops.LOOPS)
def test_a_row_is_that_of_the_training_with_its_settings_and_its_seed(loop, monkeypatch):
    comparison = Comparison(load_classifier(), IMAGES[:300])
    monkeypatch.setattr(loops, "compare_with_mnist", lambda: comparison)
    flags = "--n_images 70 --n_epochs 16 --n_measured 200 --halving 2 --lr 0.001 --fakes 9"
    changes = {"samples_at": 4, "coverage_at": 3, "n_coverage": 50, "measure_seed": 9}
    own = loops.settings_for(loop, flags, measured_from=3, **changes)
    rows = {row["epoch"]: row for row in loops.measure(own, 1)}
    assert [*rows] == [3, 4, 5, 6, 7, 8, 9, 10, 15]
    training = new_training(own, seed=1)
    for epoch in range(1, 5):
        training.set_rates(epoch)
        for real in training.batches(IMAGES[:70]):
            training.train_step(real)
        if epoch >= 3:
            samples = draw_samples(training.final_generator(), 200, 9)
            coverage = comparison.coverage(samples[:50]) if epoch == 3 else ""
            expected = comparison.quality(samples) | {"coverage": coverage}
            assert rows[epoch] == rows[epoch] | expected
    assert rows[3]["samples"] == ""
    shown = torch.tensor(rows[4]["samples"]).view(25, 1, 28, 28) / 127.5 - 1
    expected = draw_samples(training.final_generator(), 25, 0)
    torch.testing.assert_close(shown, expected, atol=0.005, rtol=0)
