"""Tests of studies/loops.py and of branches: each loop and change is what its name says."""

import copy
import itertools
from argparse import Namespace
from itertools import islice

import pytest
import torch

from classifier import load_classifier
from conftest import weights_of
from gan import Discriminator, Generator, discriminator_loss, generator_loss
from latent import draw_samples, latent_points
from metrics import Comparison
from mnist import load_mnist
from studies import changes, chase, collapse, loops, swings

IMAGES = load_mnist()[0][:640]
COMPARISON = Comparison(load_classifier(), IMAGES[:300])
PLAIN = {"rate_g": 2e-4, "rate_d": 2e-4, "momentum_g": 0.0, "momentum_d": 0.0}
PLAIN |= {"fakes": 1, "push": 0.0, "pushed": slice(None), "last_push": 99}
TEXTBOOK = {  # {experiment or branch: what differs from PLAIN; fakes: how many steps old they are}
    "stale fakes, 0 steps": {"fakes": 0},
    "G's momentum 0.9": {"momentum_g": 0.9},
    "template": {"momentum_g": 0.9, "momentum_d": 0.9},
    "no change": {},
    "D with momentum 0.9": {"momentum_d": 0.9},
    "D with momentum 0.9, G at a quarter of its learning rate": {"momentum_d": 0.9, "rate_g": 5e-5},
    "fakes 10 steps old": {"fakes": 10},
    "push through all weights, 0.0002": {"push": 0.0002},
    "push through the hidden layers, 0.0006": {"push": 0.0006, "pushed": slice(-2)},
    "push through the last weights, 0.0006": {"push": 0.0006, "pushed": slice(-2, -1)},
    "push through the last bias, 0.1": {"push": 0.1, "pushed": slice(-1, None)},
    "100 pushes through all weights, 0.002": {"push": 0.002, "last_push": 6},
    "D at a sixteenth of its learning rate": {"rate_d": 1.25e-5},
}


def new_training(settings, seed=3):
    training = loops.LOOPS[settings["loop"]](Namespace(**settings, seed=seed, device="cpu"))
    changes.change(training, settings["changes"] | settings.get("branch", {}))
    return training


@pytest.fixture
def in_double():
    """Compute in float64: in float32, rounding alone turns some of Adam's first steps round."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_template_and_its_changes_train_as_a_textbook_does(name, monkeypatch):
    own = Namespace(**PLAIN | TEXTBOOK[name])
    settings, _ = (collapse.EXPERIMENTS | chase.EXPERIMENTS)[name]
    monkeypatch.setattr(changes, "N_PUSHES", 6)
    training = new_training(settings)
    torch.manual_seed(3)
    generator, discriminator = networks = Generator(), Discriminator()
    adam_g = torch.optim.Adam(generator.parameters(), own.rate_g, (own.momentum_g, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), own.rate_d, (own.momentum_d, 0.999))
    weights = [*generator.parameters()][own.pushed]
    adam_push = torch.optim.Adam(weights, own.push, (0.0, 0.999))
    rng = torch.Generator().manual_seed(3)
    fakes = []  # of all steps

    def follow(adam, gradient):
        for weight, slope in zip(adam.param_groups[0]["params"], gradient, strict=True):
            weight.grad = slope
        adam.step()

    def step_generator():
        fake = generator(zs)
        g_loss = generator_loss(discriminator(fake))
        (push,) = torch.autograd.grad(g_loss, fake, retain_graph=True)
        common = 32 * (push.mean(0) * fake.mean(0)).sum()  # as if all fakes were their mean
        pushes = torch.autograd.grad(common, weights, retain_graph=True)
        follow(adam_g, torch.autograd.grad(g_loss, [*generator.parameters()]))
        if step < own.last_push:
            follow(adam_push, pushes)

    for step in range(12):
        real = IMAGES[32 * step : 32 * step + 32].double()
        zs = torch.randn(32, 100, generator=rng)
        fakes.append(generator(zs))
        if own.fakes > 0:
            step_generator()
        shown = fakes[max(0, step - max(0, own.fakes - 1))].detach()
        d_loss = discriminator_loss(discriminator(real), discriminator(shown)) / 2
        gradient = torch.autograd.grad(d_loss, [*discriminator.parameters()])
        follow(adam_d, gradient)
        if own.fakes == 0:
            step_generator()
        training.train_step(real)
    for one, other in zip(networks, (training.generator, training.discriminator), strict=True):
        torch.testing.assert_close(weights_of(one), weights_of(other), atol=1e-6, rtol=0)


@pytest.mark.usefixtures("in_double")
def test_d_follows_the_mean_of_ten_fresh_gradients_over_the_second_moment_of_one():
    settings, _ = chase.EXPERIMENTS["D along the mean of ten fresh gradients"]
    training, images = new_training(settings | {"branch": {}}), IMAGES.double()
    for real in islice(training.batches(images), 8):
        training.train_step(real)
    changes.change(training, settings["branch"])
    generator, discriminator = map(copy.deepcopy, (training.generator, training.discriminator))
    moments = [training.optimizer_d.state[w] for w in training.discriminator.parameters()]
    moments = [moment["exp_avg_sq"].clone() for moment in moments]
    real, fake, rng = images[:32], images[32:64] ** 2, torch.Generator().manual_seed(3)
    training.discriminator_step(real, fake)
    gradients = []
    for n in range(10):
        if n > 0:
            real = images[torch.randint(640, (64,), generator=rng)]
            fake = generator(torch.randn(64, 100, generator=rng)).detach()
        d_loss = discriminator_loss(discriminator(real), discriminator(fake)) / 2
        gradients.append(torch.autograd.grad(d_loss, [*discriminator.parameters()]))
    for n, weight in enumerate(discriminator.parameters()):
        moment = 0.999 * moments[n] + 0.001 * gradients[0][n] ** 2
        mean = sum(gradient[n] for gradient in gradients) / 10
        weight.data -= 2e-4 * mean / ((moment / (1 - 0.999**9)).sqrt() + 1e-8)
    moved = weights_of(training.discriminator)
    torch.testing.assert_close(weights_of(discriminator), moved, atol=1e-7, rtol=0)


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
    ticks = itertools.count()  # an epoch takes one second, and measuring no time
    monkeypatch.setattr(loops.time, "perf_counter", ticks.__next__)
    monkeypatch.setattr(loops, "compare_with_mnist", lambda: COMPARISON)
    flags = "--n_images 70 --n_epochs 3 --n_measured 200 --halving 2 --lr 0.001 --fakes 9"
    own = loops.settings_for(loop, flags, measured_from=2, n_shown=25) | {"measure_seed": 9}
    *_, row = loops.measure(own, 1)
    training = new_training(own, seed=1)
    for epoch in 1, 2, 3:
        training.set_rates(epoch)
        batches = []
        for real in training.batches(IMAGES[:70]):
            batches.append(real)
            training.train_step(real)
        shown, file = (images.sum((1, 2, 3)) for images in (torch.cat(batches), IMAGES[:70]))
        assert not torch.equal(shown, file)
        assert torch.equal(shown.sort()[0], file.sort()[0]), "each once"
    generator = training.final_generator()
    samples = draw_samples(generator, 200, 9)
    shown = torch.tensor(row.pop("samples")).view(25, 1, 28, 28) / 127.5 - 1
    torch.testing.assert_close(shown, draw_samples(generator, 25, 0), atol=0.005, rtol=0)
    assert row == {"epoch": 3, "seconds": 3} | COMPARISON.quality(samples)


def test_a_change_arrives_in_a_whole_run():
    runs = {}
    for name, changed in ("no", {}), ("stale", {"stale_fakes": 2}), ("frozen", {"rate_d": 0.0}):
        settings = collapse.calm("--n_images 130 --n_epochs 1", **changed)
        ((_, training),) = loops.run_epochs(settings, 1)
        runs[name] = weights_of(training.discriminator)
    assert not torch.equal(runs["no"], runs["stale"])
    assert torch.equal(runs["frozen"], weights_of(new_training(settings, 1).discriminator))


def test_branches_of_a_seed_are_the_same_up_to_their_change(monkeypatch):
    monkeypatch.setattr(loops, "compare_with_mnist", lambda: COMPARISON)
    tiny = {"n_images": 320, "n_epochs": 1, "measured_from": 1, "n_measured": 200}
    tiny |= {"steps": 4, "measure_steps": 1, "n_watched": 40, "n_kept": 6}
    monkeypatch.setattr(swings, "LAGS", range(-1, 2))
    for name, value in (
        ("SWING_FROM", 1),
        ("LATE", range(2, 4)),
        ("RATED_STEPS", [1, 2]),
        ("KEPT_SEED", 1),
        ("KEPT_STEPS", [0, 3]),
    ):
        monkeypatch.setattr(chase, name, value)
    (row,) = chase.measure(chase.branch() | tiny, 1)
    (pushed,) = chase.measure(chase.branch(push_last_bias=0.1) | tiny, 1)
    (late,) = chase.measure(chase.branch(rate_d=1e-6) | tiny | {"n_kept": 0}, 1)
    ((_, training),) = loops.run_epochs(chase.branch() | tiny, 1)
    z, fakes, critics, qualities = latent_points(40, 100, 1), [], [], []
    for real in islice(training.batches(IMAGES[:320]), 5):
        qualities.append(loops.row_of(training))
        fakes.append(copy.deepcopy(training.generator)(z).detach())
        critics.append(copy.deepcopy(training.discriminator))
        training.train_step(real)
    means = torch.stack(fakes).mean(1).flatten(1)[1:]
    variances = [torch.linalg.eigvalsh(torch.cov(fakes[step].flatten(1).T)) for step in (2, 3)]
    totals = [some.sum().item() for some in variances]
    firsts = [(some.max() / some.sum()).item() for some in variances]
    assert (row["step"], row["size"]) == (4, pytest.approx(means.var(0).sum().item(), rel=1e-4))
    for name, found in (("variance", totals), ("strongest", firsts)):
        assert row[name] == pytest.approx(sum(found) / 2, abs=0.001)
    assert row["half_swing"] == swings.half_swing(means)
    for name in "effective_rank", "most_common_digit":
        expected = (qualities[2][name] + qualities[3][name]) / 2
        assert row[name] == pytest.approx(expected)
    assert row["rank_at_100"] == round(qualities[1]["effective_rank"], 2)
    for n, lag in enumerate(range(-1, 2)):
        expected = [
            (critics[step](fakes[step + lag]).mean() - critics[step](IMAGES[:320]).mean()).item()
            for step in (1, 2)
        ]
        assert row["ratings"][n] == pytest.approx(sum(expected) / 2, abs=0.001)
    shown = torch.tensor(row["images"]).view(2, 7, 1, 28, 28) / 127.5 - 1
    expected = [torch.cat([some[:6], some.mean(0, keepdim=True)]) for some in (fakes[0], fakes[3])]
    torch.testing.assert_close(shown, torch.stack(expected), atol=0.005, rtol=0)
    assert late["images"] == []
    assert late["rank_at_100"] == row["rank_at_100"], "G's first step meets the same D"
    assert late["effective_rank"] != row["effective_rank"]
    assert pushed["push_share"] == 1, "a bias moves all samples alike"
    assert pushed["size"] > 2 * row["size"]
    assert "push_share" not in row


def test_a_wave_swings_by_half_its_period_and_by_its_variance():
    turns = torch.arange(120) / 60  # two full turns, so that each lag has an exact answer
    means = 5 * torch.stack([(2 * torch.pi * turns).sin(), (2 * torch.pi * turns).cos()], 1) + 70
    assert swings.half_swing(means) == 30
    assert swings.size(means) == pytest.approx(25, rel=0.01)
    wave = swings.wave(means, 60)
    assert wave[15] == pytest.approx(-wave[45], abs=0.02)
    assert max(wave) - min(wave) == pytest.approx(10, abs=0.05)


def test_a_share_is_one_for_equal_vectors_and_small_for_independent_ones():
    apart = torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
    assert swings.common_share(apart[:1].expand(9, -1)) == pytest.approx(1)
    assert swings.common_share(apart) < 0.02
    assert swings.common_share(apart + 1) == pytest.approx(0.5, abs=0.05)
    assert swings.common_share(0 * apart) == 0
