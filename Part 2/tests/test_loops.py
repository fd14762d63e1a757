"""Tests of studies/loops.py: each loop and each change of the template is what its name says."""

import copy
from argparse import Namespace

import pytest
import torch

from classifier import load_classifier
from conftest import weights_of
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples
from metrics import Comparison
from mnist import load_mnist
from studies import loops
from studies.branches import SQUARE
from studies.collapse import SETTINGS, calm

IMAGES = load_mnist()[0][:640]
TEXTBOOK = {  # {experiment: (beta1 of G, of D, stale in D: fakes, weights, gradients; in G: ...)}
    "stale fakes, 0 steps": (0.0, 0.0, (0, 0, 1), (0, 0, 0)),
    "stale fakes, 3 steps": (0.0, 0.0, (3, 0, 1), (0, 0, 0)),
    "stale weights, 9 steps": (0.0, 0.0, (1, 9, 1), (0, 0, 0)),
    "stale gradients, 10 steps": (0.0, 0.0, (1, 0, 10), (0, 0, 0)),
    "G about D": (0.0, 0.0, (1, 0, 1), (9, 0, 0)),
    "G about itself": (0.0, 0.0, (1, 0, 1), (0, 9, 0)),
    "G about both": (0.0, 0.0, (1, 0, 1), (0, 0, 9)),
    "momentum": (0.0, 0.9, (1, 0, 1), (0, 0, 0)),
    "generator's momentum": (0.9, 0.0, (1, 0, 1), (0, 0, 0)),
    "template": (0.9, 0.9, (1, 0, 1), (0, 0, 0)),
}


def new_training(settings, seed=3):
    return loops.LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))


@pytest.fixture
def in_double():
    """Compute in float64: in float32, rounding alone turns some of Adam's first steps round."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("experiment", TEXTBOOK)
def test_the_template_and_its_changes_train_as_a_textbook_does(experiment):
    b1_g, b1_d, of_d, of_g = TEXTBOOK[experiment]
    (stale_fakes, stale_weights, stale_gradients), (opponents, weights, g_gradients) = of_d, of_g
    settings = SETTINGS | {name: calm(**changes) for name, changes in SQUARE.items()}
    training = new_training(settings[experiment])
    torch.manual_seed(3)
    generator, discriminator = networks = Generator(), Discriminator()
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (b1_g, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (b1_d, 0.999))
    rng = torch.Generator().manual_seed(3)
    fakes, generators, discriminators, gradients, of_generators = [], [], [], [], []  # of all steps

    def follow(adam, network, gradient):
        for weight, slope in zip(network.parameters(), gradient, strict=True):
            weight.grad = slope
        adam.step()

    def step_generator(step):
        old, critic = generators[max(0, step - weights)], discriminators[max(0, step - opponents)]
        gradient = torch.autograd.grad(generator_loss(critic(old(zs))), [*old.parameters()])
        of_generators.append(gradient)
        if step >= g_gradients:
            follow(adam_g, generator, of_generators[step - g_gradients])

    for step in range(12):
        real = IMAGES[32 * step : 32 * step + 32].double()
        zs = torch.randn(32, 100, generator=rng)
        fakes.append(generator(zs))
        generators.append(copy.deepcopy(generator))
        discriminators.append(copy.deepcopy(discriminator))
        if stale_fakes > 0:
            step_generator(step)
        shown = fakes[max(0, step - max(0, stale_fakes - 1))].detach()
        old = discriminators[max(0, step - stale_weights)]
        d_loss = discriminator_loss(old(real), old(shown)) / 2
        gradients.append(torch.autograd.grad(d_loss, [*old.parameters()]))
        if step >= stale_gradients - 1:
            follow(adam_d, discriminator, gradients[step - stale_gradients + 1])
        if stale_fakes == 0:
            discriminators[-1] = discriminator  # which has moved
            step_generator(step)
        training.train_step(real)
    for one, other in zip(networks, (training.generator, training.discriminator), strict=True):
        torch.testing.assert_close(weights_of(one), weights_of(other), atol=1e-6, rtol=0)


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
        critic = training.discriminator if loop == "alternating" else old  # has it moved, or not
        g_loss = generator_loss(critic(fake))
        losses = d_loss + weight * slope.square().sum() / 6 / 2, g_loss  # of 6 images
        for network, loss, twin in zip(networks, losses, twins, strict=True):
            expected = torch.autograd.grad(loss, [*twin.parameters()], retain_graph=True)
            torch.testing.assert_close([w.grad for w in network.parameters()], [*expected])
            assert not torch.equal(weights_of(network), weights_of(twin)), "it has not moved"
        if loop == "alternating":
            outputs = [torch.sigmoid(old(images)).mean() for images in (real, fake)]
            torch.testing.assert_close(told, torch.stack([d_loss, g_loss, *outputs]).detach())


@pytest.mark.parametrize("loop", loops.LOOPS)
def test_a_row_is_that_of_the_training_with_its_settings_and_its_seed(loop, monkeypatch):
    comparison = Comparison(load_classifier(), IMAGES[:300])
    asked = []
    monkeypatch.setattr(loops, "compare_with_mnist", lambda file: asked.append(file) or comparison)
    flags = "--n_images 70 --n_epochs 3 --n_measured 200 --halving 2 --lr 0.001 --fakes 9"
    changes = {
        "samples_at": 3,
        "coverage_at": 3,
        "n_coverage": 50,
        "measure_seed": 9,
        "classifier": "other.pth",
    }
    own = loops.settings_for(loop, flags, measured_from=2, **changes)
    *_, row = loops.measure(own, 1)
    training = new_training(own, seed=1)
    for epoch in 1, 2, 3:
        training.set_rates(epoch)
        batches = []
        for real in training.batches(IMAGES[:70]):
            batches.append(real)
            training.train_step(real)
        order, file = (images.sum((1, 2, 3)) for images in (torch.cat(batches), IMAGES[:70]))
        assert not torch.equal(order, file)
        assert torch.equal(order.sort()[0], file.sort()[0]), "each once"
    generator = training.final_generator()
    samples = draw_samples(generator, 200, 9)
    shown = torch.tensor(row.pop("samples")).view(25, 1, 28, 28) / 127.5 - 1
    torch.testing.assert_close(shown, draw_samples(generator, 25, 0), atol=0.005, rtol=0)
    coverage = comparison.coverage(samples[:50])
    std = training.generator.layers[-2].weight.std().item()
    expected = {"epoch": 3, "coverage": coverage, "last_layer_std": pytest.approx(std)}
    assert row == expected | comparison.quality(samples)
    assert {*asked} == {"other.pth"}
